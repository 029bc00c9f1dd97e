//! Tracers, and other ways to see what a process of the target has mapped, where a program that must not be read could
//! have been mapped by a race (`executing`). Whoever would see it waits until it was looked at.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::answer::{Answer, Answered};
use super::executing::{Runs, Seen};
use super::pin::name_of;
use super::request::Request;
use super::target::process_of;
use super::worker::Worker;

/// Requests that read and write nothing of the tracee, and do not let it go on: `PTRACE_TRACEME`, `PTRACE_KILL`,
/// `PTRACE_ATTACH`, `PTRACE_SEIZE`, `PTRACE_INTERRUPT` of linux/ptrace.h, all 64 bits wide.
const HARMLESS: [u64; 5] = [0, 8, 16, 0x4206, 0x4207];

/// How often, and after how long each time, a program is looked at that the kernel is about to map.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// `ptrace`. The tracee is looked at before its tracer is.
///
/// What was found holds until the kernel acts. A tracee in a stop leaves it by a request of its own tracer, and that is
/// the thread that waits here, or by SIGKILL. Its number can then go to the thread of its process that executes, if it
/// leads that process. Where such a thread is pending, the answer is the kernel's for a tracee that has gone; one that
/// comes later is no tracee of the caller, since a traced thread executes only if it leads (`exec`), and the caller
/// cannot begin to trace while it waits. For any other task that gets the number, the kernel answers the same.
pub(super) fn ptrace(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let go_on = Answer::Continue(worker.shared.floor.traced());
    if HARMLESS.contains(&request.arguments[0]) {
        return Ok(go_on);
    }
    let tracee = request.word(1);
    if Seen::of(tracee).is_none_or(|seen| seen.state != 't') {
        return Err(Errno::SRCH);
    }
    match worker.look_at(process_of(tracee)?) {
        Runs::Judged | Runs::Old { by_leader: true } => Ok(go_on),
        Runs::Old { by_leader: false } | Runs::Between | Runs::Denied => Err(Errno::SRCH),
    }
}

/// `process_vm_readv`, `process_vm_writev`: of the caller's own process. Another would not stop meanwhile.
pub(super) fn copy(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let [_, _, local, _, remote, flags] = request.arguments;
    if local == 0 || remote == 0 || flags != 0 {
        // The kernel looks for no process (mm/process_vm_access.c).
        return Ok(Answer::Continue(worker.shared.floor.own_thread()));
    }
    let number = request.word(0);
    if number == request.target.tid || number == request.target.process()? {
        // It lives as long as the caller waits.
        return Ok(Answer::Continue(worker.shared.floor.own_thread()));
    }
    let is_there = Path::new(&format!("/proc/{number}")).exists();
    Err(if is_there { Errno::PERM } else { Errno::SRCH })
}

impl Worker {
    /// Refuses a file of a process in /proc, if it could show a program that must not be read. It stays with the memory
    /// that the process had when it was opened, so it is looked at afterwards.
    pub(super) fn spare_memory(&mut self, opened: &OwnedFd) -> Result<(), Errno> {
        let shared = std::sync::Arc::clone(&self.shared);
        let is_quiet = || {
            let executing = shared.executing.lock();
            executing.unwrap_or_else(std::sync::PoisonError::into_inner).is_empty()
        };
        if !shared.floor.is_loose_for_reading() || is_quiet() {
            return Ok(());
        }
        if rustix::fs::fstatfs(opened)?.f_type != libc::PROC_SUPER_MAGIC {
            return Ok(());
        }
        // Without a name its process has gone.
        let name = name_of(opened)?.ok_or(Errno::SRCH)?;
        let number = |name: &[u8]| std::str::from_utf8(name).ok()?.parse::<u32>().ok();
        name.components().filter_map(number).try_for_each(|number| self.spare_process(number))
    }

    fn spare_process(&mut self, number: u32) -> Result<(), Errno> {
        let process = process_of(number).unwrap_or(number);
        for _ in 0..LOOKS {
            match self.look_at(process) {
                Runs::Judged | Runs::Old { .. } => return Ok(()),
                Runs::Denied => return Err(Errno::ACCESS),
                Runs::Between => std::thread::sleep(PAUSE),
            }
        }
        Err(Errno::ACCESS)
    }
}
