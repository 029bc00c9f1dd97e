//! seccomp(2) with a listener, which seccompiler cannot install.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use seccompiler::BpfProgramRef;

/// Installs a program in the calling thread and returns the descriptor on which its notifications arrive.
/// Async-signal-safe. The thread must have no_new_privs.
///
/// # Errors
/// EBUSY: another listener serves this thread already. EINVAL: the kernel is older than Linux 5.19, which brought
/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`.
pub(crate) fn install_with_listener(program: BpfProgramRef<'_>) -> io::Result<OwnedFd> {
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel's struct sock_fprog; seccompiler's instructions have the kernel's layout.
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel reads `len` instructions behind `filter` and writes nothing there.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    let descriptor = i32::try_from(result).map_err(|_| io::ErrorKind::Other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded with NEW_LISTENER, so this is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
