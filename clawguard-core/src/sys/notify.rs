//! The notification listener of a seccomp filter: seccomp_unotify(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// A system call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    /// The kernel's name for this one call.
    pub(crate) id: u64,
    /// The thread that made it, as this process numbers it.
    pub(crate) tid: u32,
    /// The call's number.
    pub(crate) number: i32,
    /// Its arguments, as they were in the registers.
    pub(crate) arguments: [u64; 6],
}

/// Waits for the next call (`SECCOMP_IOCTL_NOTIF_RECV`).
///
/// # Errors
/// ENOENT when the caller died meanwhile, EINTR after a signal.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    let mut notification = libc::seccomp_notif {
        id: 0,
        pid: 0,
        flags: 0,
        data: libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] },
    };
    // SAFETY: the kernel writes one `struct seccomp_notif`, which `is_supported_size` found to be no larger than this.
    let result = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notification)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Notification {
        id: notification.id,
        tid: notification.pid,
        number: notification.data.nr,
        arguments: notification.data.args,
    })
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// With this value.
    Value(i64),
    /// With this errno.
    Errno(i32),
    /// The kernel performs it.
    Continue,
}

/// Repeats a request to the listener that a signal interrupted: each of them takes a lock interruptibly
/// (kernel/seccomp.c), and a request that failed with EINTR has done nothing.
fn repeated(request: impl Fn() -> libc::c_int) -> io::Result<libc::c_int> {
    loop {
        let result = request();
        if result >= 0 {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Answers a call (`SECCOMP_IOCTL_NOTIF_SEND`).
///
/// # Errors
/// ENOENT when the caller has gone.
pub(crate) fn reply(listener: BorrowedFd<'_>, id: u64, reply: Reply) -> io::Result<()> {
    let (val, error, flags) = match reply {
        Reply::Value(value) => (value, 0, 0),
        Reply::Errno(errno) => (0, -errno, 0),
        Reply::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
    };
    let response = libc::seccomp_notif_resp { id, val, error, flags };
    repeated(|| {
        // SAFETY: the kernel reads one `struct seccomp_notif_resp`.
        unsafe {
            libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response)
        }
    })
    .map(drop)
}

/// Puts a copy of `descriptor` into the caller's table and returns its number (`SECCOMP_IOCTL_NOTIF_ADDFD`). The caller
/// goes on waiting for [`reply`].
///
/// Never with `SECCOMP_ADDFD_FLAG_SEND`: that marks the call as replied before the caller has run, and where this
/// thread is interrupted meanwhile (a signal, a stop, a freezer, a tracer) the kernel takes the descriptor back and the
/// call gives 0.
///
/// # Errors
/// EMFILE at the caller's limit, ENOENT or ESRCH when it has gone. Then the caller has no copy.
pub(crate) fn give_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    descriptor: RawFd,
    newfd_flags: u32,
) -> io::Result<i64> {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: 0,
        srcfd: u32::try_from(descriptor).map_err(|_| io::ErrorKind::InvalidInput)?,
        newfd: 0,
        newfd_flags,
    };
    repeated(|| {
        // SAFETY: the kernel reads one `struct seccomp_notif_addfd`.
        unsafe {
            libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const request)
        }
    })
    .map(i64::from)
}

/// Does the caller still wait? While it does, its thread number is its own.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    repeated(|| {
        // SAFETY: the kernel reads one u64.
        unsafe {
            libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id)
        }
    })
    .is_ok()
}

/// Asks for a hand-over on the caller's CPU (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, Linux 6.6): without it waking an
/// idle CPU costs ten times the call. An older kernel is only slower.
pub(crate) fn wake_on_same_cpu(listener: BorrowedFd<'_>) {
    const SYNC_WAKE_UP: u64 = 1;
    // SAFETY: this request takes its argument by value.
    let _ = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP)
    };
}

/// Are the kernel's structures no larger than ours (`SECCOMP_GET_NOTIF_SIZES`)?
pub(crate) fn is_supported_size() -> bool {
    let mut sizes =
        libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    // SAFETY: the kernel writes one `struct seccomp_notif_sizes`.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0, &raw mut sizes)
    };
    result == 0
        && usize::from(sizes.seccomp_notif) <= size_of::<libc::seccomp_notif>()
        && usize::from(sizes.seccomp_notif_resp) <= size_of::<libc::seccomp_notif_resp>()
}
