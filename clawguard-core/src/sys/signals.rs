//! Signals that are read instead of handled: all are blocked, and wait in a signalfd(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

/// A signal that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// Its number.
    pub(crate) number: i32,
    /// Why: 0 or less when a process sent it, more when the kernel did (sigaction(2), `si_code`).
    pub(crate) code: i32,
    /// The process that sent it.
    pub(crate) sender: u32,
}

/// How signals were treated before [`block_signals`].
#[derive(Clone, Copy)]
pub(crate) struct SignalsBefore {
    mask: libc::sigset_t,
    ignored_children: bool,
}

/// Blocks every signal in this thread and in those that it starts, and lets children leave their status.
pub(crate) fn block_signals() -> io::Result<SignalsBefore> {
    let all = full_set();
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both pointers are valid; the kernel reads one set and writes the other.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, mask.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    // SAFETY: the call succeeded, so the old mask was written.
    let mask = unsafe { mask.assume_init() };
    // SAFETY: the default disposition installs no handler.
    let children = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    Ok(SignalsBefore { mask, ignored_children: children == libc::SIG_IGN })
}

/// Undoes [`block_signals`]. Async-signal-safe.
pub(crate) fn restore_signals(before: &SignalsBefore) -> io::Result<()> {
    if before.ignored_children {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    }
    set_mask(&before.mask)
}

/// Lets every signal that waits act.
pub(super) fn unblock_all() {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid; the call writes an empty set.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was written.
    let none = unsafe { none.assume_init() };
    let _ = set_mask(&none);
}

/// A descriptor that reads this process's blocked signals, close-on-exec and not blocking.
pub(crate) fn signal_descriptor() -> io::Result<OwnedFd> {
    let all = full_set();
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the kernel reads one set.
    let descriptor = unsafe { libc::signalfd(-1, &raw const all, flags) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so this is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The next signal that waits in a [`signal_descriptor`].
pub(crate) fn next_signal(descriptor: &OwnedFd) -> Option<Received> {
    // struct signalfd_siginfo: number, errno, code, sender; 128 bytes in all (signalfd(2)).
    let mut info = [0u8; 128];
    let length = rustix::io::read(descriptor, &mut info).ok()?;
    let field = |at: usize| {
        let bytes = info.get(at..at + 4).filter(|_| length == info.len())?;
        bytes.try_into().ok().map(u32::from_ne_bytes)
    };
    let (number, code, sender) = (field(0)?, field(8)?, field(12)?);
    Some(Received { number: number.cast_signed(), code: code.cast_signed(), sender })
}

/// Lets the kernel send this process SIGCONT whenever something arrives on a socket, so that a message reaches it
/// even while it is stopped.
pub(crate) fn continue_on_arrival(socket: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let checked =
        |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) };
    let raw = socket.as_raw_fd();
    let own = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: fcntl(2) with numbers alone.
    checked(unsafe { libc::fcntl(raw, libc::F_SETOWN, own) })?;
    // SAFETY: fcntl(2) with numbers alone.
    checked(unsafe { libc::fcntl(raw, F_SETSIG, libc::SIGCONT) })?;
    // SAFETY: fcntl(2) with numbers alone.
    let flags = checked(unsafe { libc::fcntl(raw, libc::F_GETFL) })?;
    // SAFETY: fcntl(2) with numbers alone.
    checked(unsafe { libc::fcntl(raw, libc::F_SETFL, flags | libc::O_ASYNC) })?;
    Ok(())
}

/// asm-generic/fcntl.h; the libc crate does not have it for every C library.
const F_SETSIG: libc::c_int = 10;

fn set_mask(mask: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the kernel reads one set; a null pointer is written to by nobody.
    let result = unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::from_ref(mask), std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

fn full_set() -> libc::sigset_t {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid; the call writes a full set and cannot fail on a valid pointer.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set was written.
    unsafe { all.assume_init() }
}
