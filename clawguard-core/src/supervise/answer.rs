//! How a request ends.

#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::floor::Proof;
use crate::sys::notify::{self, Reply, Sent};

/// What the target gets; an errno is the other half of [`Answered`].
#[derive(Debug)]
pub(super) enum Answer {
    /// The call's value.
    Value(i64),
    /// A descriptor of its own for what was opened.
    Descriptor(OwnedFd, OnExec, Copy),
    /// The kernel goes on with the call.
    Continue(Proof),
}

/// What becomes of a descriptor when the target executes a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnExec {
    Keep,
    Close,
}

/// Does anybody notice that this process holds a copy of the open file for a moment longer than the target? Closing it
/// first costs a wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    Unnoticed,
    /// A program cannot be executed while anybody has it open for writing (ETXTBSY), and whoever waits for the other
    /// end of a FIFO finds this copy.
    Noticed,
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

/// Gives the answer. Whoever has gone gets none.
pub(super) fn send(listener: BorrowedFd<'_>, id: u64, answered: Answered) {
    let reply = match answered {
        Ok(Answer::Value(value)) => Reply::Value(value),
        Ok(Answer::Continue(Proof { .. })) => Reply::Continue,
        Ok(Answer::Descriptor(fd, on_exec, copy)) => {
            let flags = match on_exec {
                OnExec::Keep => 0,
                OnExec::Close => libc::O_CLOEXEC as u32,
            };
            let sent = match copy {
                Copy::Unnoticed => Sent::Now,
                Copy::Noticed => Sent::Later,
            };
            let given = notify::give_descriptor(listener, id, fd.as_raw_fd(), flags, sent);
            drop(fd);
            match (given, sent) {
                (Ok(_), Sent::Now) => return,
                (Ok(number), Sent::Later) => Reply::Value(number),
                // Never let it pass instead: the target is at its limit, or has gone.
                (Err(error), _) => Reply::Errno(error.raw_os_error().unwrap_or(libc::EMFILE)),
            }
        }
        Err(errno) => Reply::Errno(errno.raw_os_error()),
    };
    // The target may have gone; there is nobody else to tell.
    let _ = notify::reply(listener, id, reply);
}
