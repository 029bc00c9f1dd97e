//! Calls that name no file, but would take the target out of sight, or reach another process.

#![forbid(unsafe_code)]

use rustix::io::Errno;

use super::answer::{Answer, Answered};
use super::request::Request;
use super::worker::Worker;

/// `prctl(PR_SET_DUMPABLE)` with anything but 1: who hides cannot be judged, so it is told that it did.
pub(super) fn prctl(_: &mut Worker, request: &Request<'_>) -> Answered {
    if request.arguments[1] == 0 { Ok(Answer::Value(0)) } else { Err(Errno::INVAL) }
}

/// Scheduling and limits of the process that the first argument names.
pub(super) fn first_is_own(worker: &mut Worker, request: &Request<'_>) -> Answered {
    own(worker, request, request.word(0))
}

/// The same for the second argument.
pub(super) fn second_is_own(worker: &mut Worker, request: &Request<'_>) -> Answered {
    own(worker, request, request.word(1))
}

/// A thread may name itself or its process: both live as long as it waits, so no outsider gets the number.
fn own(worker: &Worker, request: &Request<'_>, number: u32) -> Answered {
    if number == request.target.tid || number == request.target.process()? {
        return Ok(Answer::Continue(worker.shared.floor.own_thread()));
    }
    Err(Errno::PERM)
}
