//! Which processes belong to the target.

#![forbid(unsafe_code)]

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Does a process, by the number of one of its threads, belong to the target?
///
/// The kernel tells: the Landlock domain of this thread scopes signals, so only what is in it can be signalled, and that
/// is the target, whose domain lies within, and this process.
pub(super) fn is_member(number: u32) -> bool {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    let is_reached = pid.is_some_and(|pid| test_kill_process(pid).is_ok());
    is_reached && is_no_thread_here(rustix::fs::stat(format!("/proc/self/task/{number}")).err())
}

/// Only the kernel's word that there is no such thread counts: what cannot be looked up may be one of this process's.
fn is_no_thread_here(error: Option<Errno>) -> bool {
    error == Some(Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_this_process_is_no_member_and_what_cannot_be_looked_up_is_none_either() {
        assert!(is_no_thread_here(Some(Errno::NOENT)));
        assert!(!is_no_thread_here(None));
        for errno in [Errno::ACCESS, Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::SRCH] {
            assert!(!is_no_thread_here(Some(errno)), "{errno}");
        }
        let own = std::process::id();
        assert!(!is_member(own));
        let own_thread = rustix::thread::gettid().as_raw_nonzero().get();
        assert!(!is_member(own_thread.cast_unsigned()));
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        assert!(is_member(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_member(0) && !is_member(u32::MAX));
    }
}
