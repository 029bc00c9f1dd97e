//! Descriptors that must not reach the command.

use std::io;

/// Marks every descriptor from `first` to `last` close-on-exec (Linux 5.11). Async-signal-safe.
///
/// # Errors
/// What close_range(2) says: ENOSYS or EINVAL on an older kernel.
pub(crate) fn close_on_exec(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: close_range(2) with this flag closes nothing now and touches no memory; a descriptor that stays open
    // until execve is still valid for its owner.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
