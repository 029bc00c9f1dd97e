//! Which processes belong to the target.

#![forbid(unsafe_code)]

use std::path::Path;

use rustix::process::{Pid, test_kill_process};

/// Does a process, by the number of one of its threads, belong to the target?
///
/// The kernel tells: the Landlock domain of this thread scopes signals, so only what is in it can be signalled, and that
/// is the target, whose domain lies within, and this process.
pub(super) fn is_member(number: u32) -> bool {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    let is_reached = pid.is_some_and(|pid| test_kill_process(pid).is_ok());
    is_reached && !Path::new(&format!("/proc/self/task/{number}")).exists()
}
