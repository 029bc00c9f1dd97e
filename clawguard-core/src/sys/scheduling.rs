//! Scheduling of another thread, by its number.

use std::io;

/// What is set, as the caller gave it. The kernel says what is wrong with it.
#[derive(Clone, Debug)]
pub(crate) enum Setting {
    /// sched_setaffinity(2).
    Affinity(Vec<u8>),
    /// sched_setparam(2).
    Parameters([u8; 4]),
    /// sched_setscheduler(2).
    Scheduler(i32, [u8; 4]),
    /// sched_setattr(2): `struct sched_attr`, and flags.
    Attributes(Vec<u8>, u32),
    /// setpriority(2).
    Priority(i32),
    /// ioprio_set(2).
    InputOutput(i32),
}

/// `IOPRIO_WHO_PROCESS` of linux/ioprio.h.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

/// Sets it. Which thread has the number is the caller's affair.
pub(crate) fn set(thread: u32, setting: &Setting) -> io::Result<i64> {
    use libc::{
        SYS_ioprio_set, SYS_sched_setaffinity, SYS_sched_setattr, SYS_sched_setparam,
        SYS_sched_setscheduler, SYS_setpriority, syscall,
    };
    let result = match setting {
        Setting::Affinity(mask) => {
            // SAFETY: the kernel reads `mask.len()` bytes.
            unsafe { syscall(SYS_sched_setaffinity, thread, mask.len(), mask.as_ptr()) }
        }
        Setting::Parameters(parameters) => {
            // SAFETY: the kernel reads one `struct sched_param`, of four bytes.
            unsafe { syscall(SYS_sched_setparam, thread, parameters.as_ptr()) }
        }
        Setting::Scheduler(policy, parameters) => {
            // SAFETY: the kernel reads one `struct sched_param`, of four bytes.
            unsafe { syscall(SYS_sched_setscheduler, thread, *policy, parameters.as_ptr()) }
        }
        Setting::Attributes(attributes, flags) => {
            // The kernel writes to the first four bytes what it would have taken.
            let mut attributes = attributes.clone();
            // SAFETY: the kernel reads as many bytes as the first four say, which is what the caller copied.
            unsafe { syscall(SYS_sched_setattr, thread, attributes.as_mut_ptr(), *flags) }
        }
        // SAFETY: numbers alone.
        Setting::Priority(nice) => unsafe {
            syscall(SYS_setpriority, libc::PRIO_PROCESS, thread, *nice)
        },
        // SAFETY: numbers alone.
        Setting::InputOutput(priority) => unsafe {
            syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, *priority)
        },
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
