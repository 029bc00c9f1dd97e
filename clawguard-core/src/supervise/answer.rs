//! How a request ends.

#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::floor::Proof;
use crate::sys::notify::{self, Reply};

/// What the target gets; an errno is the other half of [`Answered`].
#[derive(Debug)]
pub(super) enum Answer {
    /// The call's value.
    Value(i64),
    /// A descriptor of its own for what was opened.
    Descriptor(OwnedFd, OnExec),
    /// The kernel goes on with the call.
    Continue(Proof),
}

/// What becomes of a descriptor when the target executes a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnExec {
    Keep,
    Close,
}

/// An answer, or the errno that the target gets.
pub(super) type Answered = Result<Answer, Errno>;

/// The value of a call that was performed.
pub(super) fn value(result: Result<(), Errno>) -> Answered {
    result.map(|()| Answer::Value(0))
}

/// The value of a call of [`crate::sys`].
pub(super) fn io_value(result: std::io::Result<i64>) -> Answered {
    let errno = |error: &std::io::Error| Errno::from_io_error(error).unwrap_or(Errno::IO);
    result.map(Answer::Value).map_err(|error| errno(&error))
}

/// Gives the answer. The calling thread must be sealed against interruption ([`super::slots::Slot::seal`]).
/// `undelivered` counts descriptors whose callers had died.
pub(super) fn send(listener: BorrowedFd<'_>, id: u64, answered: Answered, undelivered: &AtomicU64) {
    let reply = match answered {
        Ok(Answer::Value(value)) => Reply::Value(value),
        Ok(Answer::Continue(Proof { .. })) => Reply::Continue,
        Ok(Answer::Descriptor(fd, on_exec)) => give(listener, id, fd, on_exec, undelivered),
        Err(errno) => Reply::Errno(errno.raw_os_error()),
    };
    // An error is ignored: the caller has died.
    let _ = notify::reply(listener, id, reply);
}

/// Puts a descriptor into the caller's table, and closes it here before the caller goes on: its locks, leases and
/// space end when the caller closes it, a program that it can write can be executed, and a FIFO has no end too many.
fn give(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: OwnedFd,
    on_exec: OnExec,
    undelivered: &AtomicU64,
) -> Reply {
    let flags = match on_exec {
        OnExec::Keep => 0,
        OnExec::Close => libc::O_CLOEXEC as u32,
    };
    let given = notify::give_descriptor(listener, id, fd.as_raw_fd(), flags);
    if given.is_err() {
        // Counted before it is closed: see `open::connected`.
        undelivered.fetch_add(1, Ordering::SeqCst);
    }
    drop(fd);
    match given {
        Ok(number) => Reply::Value(number),
        // The caller is at its limit, or has died. The kernel must not go on with the call instead.
        Err(error) => Reply::Errno(error.raw_os_error().unwrap_or(libc::EMFILE)),
    }
}
