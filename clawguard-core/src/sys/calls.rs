//! Calls that take what the target gave as it gave it, and have no wrapper that does.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

fn outcome(result: libc::c_long) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// truncate(2).
pub(crate) fn truncate(path: &CStr, length: i64) -> io::Result<i64> {
    // SAFETY: the path ends with a NUL byte.
    outcome(unsafe { libc::truncate(path.as_ptr(), length) }.into())
}

/// faccessat2(2) of what a descriptor refers to, with AT_EMPTY_PATH.
pub(crate) fn access(descriptor: BorrowedFd<'_>, mode: u32, flags: u32) -> io::Result<i64> {
    let flags = flags | libc::AT_EMPTY_PATH as u32;
    // SAFETY: the empty path ends with a NUL byte.
    outcome(unsafe {
        libc::syscall(libc::SYS_faccessat2, descriptor.as_raw_fd(), c"".as_ptr(), mode, flags)
    })
}

/// Would this file be executed? (execveat(2), `AT_EXECVE_CHECK`, Linux 6.14.) An older kernel refuses the flag.
pub(crate) fn check_execution(path: &CStr) -> io::Result<i64> {
    /// linux/fcntl.h.
    const AT_EXECVE_CHECK: libc::c_int = 0x10000;
    let arguments = [path.as_ptr(), std::ptr::null()];
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: the path ends with a NUL byte, both lists with a null pointer, and with this flag nothing is executed.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_execveat,
            libc::AT_FDCWD,
            path.as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            AT_EXECVE_CHECK,
        )
    })
}

/// bind(2) with an address of any family.
pub(crate) fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<i64> {
    let length = libc::socklen_t::try_from(address.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the kernel reads `length` bytes of `address`; no address is longer than a socklen_t can say.
    outcome(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), length) }.into())
}

/// connect(2) with an address of any family.
pub(crate) fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<i64> {
    let length = libc::socklen_t::try_from(address.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the kernel reads `length` bytes of `address`; no address is longer than a socklen_t can say.
    outcome(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) }.into())
}

/// How many descriptors a process may have (`RLIMIT_NOFILE`, prlimit(2)); no limit if it has gone.
pub(crate) fn descriptor_limit(process: Option<rustix::process::Pid>) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: 0 };
    let pid = process.map_or(0, |pid| pid.as_raw_nonzero().get());
    // SAFETY: without a new limit the kernel only writes the old one.
    let _ = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit) };
    limit.rlim_cur
}

/// Gives the calling thread a working directory and a umask of its own (`unshare(CLONE_FS)`).
pub(crate) fn own_directory_and_umask() -> io::Result<i64> {
    // SAFETY: CLONE_FS changes what the calling thread shares, and no memory.
    outcome(unsafe { libc::unshare(libc::CLONE_FS) }.into())
}

/// Puts the calling thread under `SCHED_IDLE` (sched(7)).
pub(crate) fn schedule_when_idle() -> io::Result<i64> {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads one `struct sched_param`; 0 is the calling thread.
    outcome(unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) }.into())
}

/// The number of the pseudo-terminal whose first end this is (TIOCGPTN); none if it is none.
pub(crate) fn number_of_pseudo_terminal(master: &OwnedFd) -> Option<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: the kernel writes one unsigned integer.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &raw mut number) };
    (result == 0).then_some(number)
}
