//! Process groups, and the terminal that is given to one.
//!
//! The command shares a session with whoever started it, a shell and its jobs. The kernel lets every process of a session
//! join any group of it, and give the terminal to any: by that it stops the jobs of others (SIGTTIN, SIGTTOU). So in this
//! session only groups are named in which there is a process of the target, and the terminal is only taken from such a
//! group. By induction nobody is in one of these but the target, and who was in the command's group at its start.
//!
//! A session of the target's own has no other processes, and whoever is in one never comes back: there the kernel goes
//! on.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::answer::{Answer, Answered, io_value};
use super::request::Request;
use super::target::Target;
use super::worker::Worker;
use crate::sys;

/// `setpgid(PID, GROUP)`, but for a GROUP of 0.
pub(super) fn join(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let (process, group) = (request.word(0).cast_signed(), request.word(1).cast_signed());
    // A group of its own: of the process itself, or of its child.
    let is_own =
        || Ok::<_, Errno>(process == 0 && request.target.process()? == group.cast_unsigned());
    let is_new = process == group || is_own()?;
    let may = group < 0 || is_new || is_elsewhere(request.target)? || has_member(group);
    request.target.is_waiting()?;
    if may { Ok(Answer::Continue(worker.shared.floor.group())) } else { Err(Errno::PERM) }
}

/// `ioctl(TERMINAL, TIOCSPGRP, &GROUP)`. The number lies in memory, so in this session the call is made here, with a copy.
pub(super) fn give_terminal(worker: &mut Worker, request: &Request<'_>) -> Answered {
    if is_elsewhere(request.target)? {
        request.target.is_waiting()?;
        return Ok(Answer::Continue(worker.shared.floor.group()));
    }
    let terminal = request.target.duplicate(request.word(0).cast_signed())?;
    let group = i32::from_ne_bytes(request.target.bytes(request.arguments[2])?);
    let is_ours = group < 0 || has_member(group);
    request.target.is_waiting()?;
    if is_ours && may_be_taken(&terminal) {
        // It fails for a terminal that is not that of the session, which this process shares.
        io_value(sys::give_terminal(&terminal, group))
    } else {
        Err(Errno::PERM)
    }
}

/// Is the terminal that of a group of the target, or of none that lives?
fn may_be_taken(terminal: &OwnedFd) -> bool {
    match sys::group_of_terminal(terminal) {
        // 0 is a group whose leader is outside the process namespace: this process's own, if that is one, too.
        Some(0) => sys::own_group() == 0,
        Some(group) => has_member(group) || sys::is_no_group(group),
        // What is no terminal of this session: the kernel says so.
        None => true,
    }
}

/// Is the caller in another session than this process, and so in one that the target made?
pub(super) fn is_elsewhere(target: Target<'_>) -> Result<bool, Errno> {
    let session = sys::session_of(target.tid).ok_or(Errno::SRCH)?;
    Ok(Some(session) != sys::session_of(0))
}

/// Is there a process of the target in it, or this process, whose group is the command's first one? The kernel tells:
/// the Landlock domain of this thread scopes signals.
fn has_member(group: i32) -> bool {
    group > 0 && sys::reaches_group(group)
}
