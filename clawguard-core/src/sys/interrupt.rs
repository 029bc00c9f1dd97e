//! A signal that does nothing but end a system call of one thread with EINTR.

use std::io;

/// The signal: one that nobody sends for another purpose.
fn number() -> libc::c_int {
    libc::SIGRTMAX()
}

extern "C" fn nothing(_: libc::c_int) {}

/// Lets the calling thread be interrupted, by this signal and no other: one that a request causes, such as SIGXFSZ,
/// must not end the process.
pub(crate) fn allow() -> io::Result<()> {
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: an all-zero `struct sigaction` is valid: no flags, and so no restart of interrupted calls.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler touches nothing; the old action is not asked for.
    if unsafe { libc::sigaction(number(), &raw const action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset writes the whole set.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: the set was written just now, and the number is a signal's.
    unsafe { libc::sigdelset(set.as_mut_ptr(), number()) };
    // SAFETY: the set is read only; the old mask is not asked for.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// Interrupts a thread of this process, if it still exists.
pub(crate) fn interrupt(thread: libc::pid_t) {
    let process = std::process::id();
    // SAFETY: tgkill takes numbers; the handler of this signal does nothing.
    let _ = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, number()) };
}

/// Lets a signal that was sent to this thread before arrive now: the kernel delivers what is pending whenever a system
/// call returns.
pub(crate) fn consume() {
    // SAFETY: getppid takes nothing and cannot fail.
    let _ = unsafe { libc::syscall(libc::SYS_getppid) };
}
