//! Whether this process was started with SIGPIPE ignored.
//!
//! Rust's runtime ignores SIGPIPE before `main`, and `Command::exec` sets it to its default, so a command would lose
//! what its real parent chose for it (`nohup`-like wrappers, daemons). It is therefore read before the runtime begins.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static WAS_IGNORED: AtomicBool = AtomicBool::new(false);

// SAFETY: the C library calls every function pointer in this section once, before `main` and on one thread.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look;

extern "C" fn look() {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with a null new action the kernel only writes the present one into `action` (sigaction(2)).
    let result = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), action.as_mut_ptr()) };
    if result == 0 {
        // SAFETY: the call succeeded, so the action was written.
        let action = unsafe { action.assume_init() };
        WAS_IGNORED.store(action.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
    }
}

/// Ignores SIGPIPE again if this process was started so. Async-signal-safe.
pub(crate) fn restore_sigpipe() -> io::Result<()> {
    if !WAS_IGNORED.load(Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: ignoring a signal installs no handler.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}
