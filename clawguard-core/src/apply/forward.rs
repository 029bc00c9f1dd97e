//! Which signals reach the command through the shim, and that each reaches it once.
//!
//! A signal that a process sends to the shim is meant for the command. One that is sent to the whole process group
//! (`kill -TERM -GROUP`, a shell's `kill %1`) or to every process of a service (systemd) reaches the command without
//! help; it is told by its arriving at the supervisor as well, which nobody else has a reason to signal.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::sys::{self, Received};

/// How long the supervisor's own copy of a signal may take to arrive.
const GRACE: Duration = Duration::from_millis(20);
/// How long a copy counts.
const MEMORY: Duration = Duration::from_secs(1);

/// Is a signal that the guardian received for the command?
pub(super) fn is_for_the_command(
    received: Received,
    own: u32,
    leads_session: LeadsSession,
) -> bool {
    match Signal::from_named_raw(received.number) {
        Some(Signal::CHILD) => false,
        // What this process brought upon itself, like SIGPIPE.
        Some(_) | None if received.code <= 0 => received.sender != own,
        // The kernel tells a terminal's whole foreground group of these; a hang-up it tells the session's leader.
        Some(
            Signal::INT | Signal::QUIT | Signal::TSTP | Signal::TTIN | Signal::TTOU | Signal::WINCH,
        ) => false,
        Some(Signal::CONT) => false,
        Some(Signal::HUP) => leads_session == LeadsSession::Yes,
        // Alarms that were set before the shim took this process over.
        Some(_) | None => true,
    }
}

/// Does the guardian lead its session, as under `setsid` or a terminal emulator?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeadsSession {
    Yes,
    No,
}

impl LeadsSession {
    pub(super) fn now() -> LeadsSession {
        if sys::leads_session() { LeadsSession::Yes } else { LeadsSession::No }
    }
}

/// Is the command still in the shim's process group?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Shared,
    ItsOwn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    number: i32,
    sender: u32,
}

/// The signals on their way.
#[derive(Debug, Default)]
pub(super) struct Forwards {
    waiting: VecDeque<(Sent, Instant)>,
    copies: VecDeque<(Sent, Instant)>,
}

impl Forwards {
    /// The guardian received a signal.
    pub(super) fn ask(&mut self, number: i32, sender: u32, group: Group, now: Instant) {
        let sent = Sent { number, sender };
        self.copies.retain(|(_, at)| now.duration_since(*at) < MEMORY);
        let copy = self.copies.iter().position(|(copy, _)| *copy == sent);
        match (copy, group) {
            (Some(copy), Group::Shared) => drop(self.copies.remove(copy)),
            // Going on twice harms nobody.
            (_, Group::Shared) if number != Signal::CONT.as_raw() => {
                self.waiting.push_back((sent, now + GRACE));
            }
            (_, Group::Shared | Group::ItsOwn) => self.waiting.push_back((sent, now)),
        }
    }

    /// The supervisor received a copy.
    pub(super) fn copied(&mut self, number: i32, sender: u32, group: Group, now: Instant) {
        let sent = Sent { number, sender };
        let waiting = self.waiting.iter().position(|(waiting, _)| *waiting == sent);
        match (waiting, group) {
            (_, Group::ItsOwn) => {}
            (Some(waiting), Group::Shared) => drop(self.waiting.remove(waiting)),
            (None, Group::Shared) => {
                self.copies.truncate(63);
                self.copies.push_back((sent, now));
            }
        }
    }

    /// The next signal that is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<i32> {
        let at = self.waiting.iter().position(|(_, due)| *due <= now)?;
        self.waiting.remove(at).map(|(sent, _)| sent.number)
    }

    /// When the next one will be due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, due)| *due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_to_the_shim_alone_reaches_the_command_once() {
        let mut forwards = Forwards::default();
        let now = Instant::now();
        forwards.ask(15, 7, Group::Shared, now);
        assert_eq!(forwards.due(now), None);
        assert_eq!(forwards.due(now + GRACE), Some(15));
        assert_eq!(forwards.due(now + GRACE), None);
        forwards.ask(15, 7, Group::ItsOwn, now);
        assert_eq!(forwards.due(now), Some(15), "nobody else could have sent it there");
    }

    #[test]
    fn a_signal_to_the_whole_group_is_not_repeated() {
        let now = Instant::now();
        for order in [[true, false], [false, true]] {
            let mut forwards = Forwards::default();
            for is_copy in order {
                if is_copy {
                    forwards.copied(15, 7, Group::Shared, now);
                } else {
                    forwards.ask(15, 7, Group::Shared, now);
                }
            }
            assert_eq!(forwards.due(now + GRACE), None, "{order:?}");
            forwards.ask(15, 7, Group::Shared, now);
            assert_eq!(forwards.due(now + GRACE), Some(15), "a second signal is a second signal");
        }
        let mut forwards = Forwards::default();
        forwards.copied(15, 7, Group::Shared, now);
        forwards.ask(15, 8, Group::Shared, now);
        assert_eq!(forwards.due(now + GRACE), Some(15), "somebody else's");
    }

    #[test]
    fn what_the_terminal_sends_to_the_group_is_not_forwarded() {
        let received = |number: i32, code| Received { number, code, sender: 7 };
        let is_for = |received| is_for_the_command(received, 1, LeadsSession::No);
        assert!(is_for(received(15, 0)) && is_for(received(2, 0)) && is_for(received(40, -1)));
        assert!(
            !is_for(received(2, 128)) && !is_for(received(20, 128)) && !is_for(received(1, 128))
        );
        assert!(!is_for(received(17, 0)) && !is_for(received(17, 1)) && !is_for(received(18, 1)));
        assert!(is_for(received(14, 128)), "an alarm");
        assert!(is_for_the_command(received(1, 128), 1, LeadsSession::Yes), "a hang-up");
        assert!(!is_for_the_command(
            Received { sender: 1, ..received(13, 0) },
            1,
            LeadsSession::No
        ));
    }
}
