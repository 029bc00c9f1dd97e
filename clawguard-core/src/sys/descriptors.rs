//! Descriptors that must not reach the command, or not be held open beside it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Marks every descriptor from `first` to `last` close-on-exec (Linux 5.11). Async-signal-safe.
///
/// # Errors
/// What close_range(2) says: ENOSYS or EINVAL on an older kernel.
pub(crate) fn close_on_exec(first: u32, last: u32) -> io::Result<()> {
    close_range(first, last, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor from 3 up but these.
///
/// For a process that will never again return to code that owns a descriptor: it only waits and ends.
///
/// # Errors
/// What close_range(2) says.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<u32> =
        keep.iter().filter_map(|kept| u32::try_from(kept.as_raw_fd()).ok()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for kept in kept.into_iter().filter(|kept| *kept >= 3) {
        if kept > first {
            close_range(first, kept - 1, 0)?;
        }
        first = kept + 1;
    }
    close_range(first, u32::MAX, 0)
}

/// Closes what this process inherited by exec, from 3 up: everything that is not close-on-exec, as all that Rust
/// opens is.
///
/// For a process of which only the supervisor's own code goes on to run.
pub(crate) fn close_inherited() -> io::Result<()> {
    let numbers = std::fs::read_dir("/proc/self/fd")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|number| *number >= 3);
    // Collected first: the directory's own descriptor is among them.
    for number in numbers.collect::<Vec<u32>>() {
        let raw = i32::try_from(number).unwrap_or(i32::MAX);
        // SAFETY: F_GETFD takes no argument and touches no memory; a closed number is EBADF.
        let flags = unsafe { libc::fcntl(raw, libc::F_GETFD) };
        if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
            close_range(number, number, 0)?;
        }
    }
    Ok(())
}

fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: close_range(2) touches no memory. With CLOEXEC nothing is closed before execve; else the callers above
    // say why nobody uses these descriptors any more.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
