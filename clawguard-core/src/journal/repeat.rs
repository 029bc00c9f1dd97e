//! Repeated denials are counted, not repeated.
//!
//! The first of its kind is written at once; those that follow within a window are one line with their number. The
//! table is bounded, whatever the target asks for.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use super::Refusal;
use crate::access::AccessSet;
use crate::decide::RuleId;

/// The first window; each further one is twice as long.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(64);

/// The kinds of denials, and their bytes, that are told apart at one time.
const MAX_KINDS: usize = 1024;
const MAX_BYTES: usize = 1024 * 1024;

/// What makes two denials the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Denial {
    pub(super) command: Box<[u8]>,
    pub(super) operation: &'static str,
    pub(super) path: Box<[u8]>,
    pub(super) access: AccessSet,
    pub(super) rule: Option<RuleId>,
    pub(super) errno: i32,
    pub(super) refusal: Option<Refusal>,
    pub(super) arguments: Option<Vec<Box<[u8]>>>,
    pub(super) omitted: usize,
}

impl Denial {
    fn bytes(&self) -> usize {
        let arguments = self.arguments.iter().flatten();
        let arguments: usize = arguments.map(|argument| argument.len() + 32).sum();
        self.command.len() + self.path.len() + arguments
    }
}

/// How often, by whom last, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) pid: u32,
    pub(super) time: SystemTime,
}

#[derive(Debug)]
struct Repeat {
    /// The order of arrival, which is the order of the lines.
    number: u64,
    seen: Seen,
    window: Duration,
    end: Instant,
}

/// Was this denial seen within its window?
#[derive(Debug)]
#[must_use]
pub(super) enum Noted {
    /// It was counted, and will be written when the window ends.
    Counted,
    /// It is the first and is to be written now.
    First(Denial),
}

/// The denials of the present windows.
///
/// The keys are the target's choice, so the standard library's hasher is used.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    table: HashMap<Denial, Repeat>,
    bytes: usize,
    next: u64,
    soonest: Option<Instant>,
}

impl Repeats {
    /// Counts a denial if it was seen before.
    pub(super) fn note(&mut self, denial: Denial, pid: u32, time: SystemTime) -> Noted {
        match self.table.get_mut(&denial) {
            Some(repeat) => {
                repeat.seen = Seen { count: repeat.seen.count + 1, pid, time };
                Noted::Counted
            }
            None => Noted::First(denial),
        }
    }

    /// Is there no room for one more?
    pub(super) fn is_full(&self) -> bool {
        self.table.len() >= MAX_KINDS || self.bytes >= MAX_BYTES
    }

    /// Opens the window of a denial that was written.
    pub(super) fn remember(&mut self, denial: Denial, pid: u32, time: SystemTime, now: Instant) {
        self.bytes += denial.bytes();
        self.next += 1;
        let end = now + SHORTEST;
        let seen = Seen { count: 0, pid, time };
        self.table.insert(denial, Repeat { number: self.next, seen, window: SHORTEST, end });
        self.soonest = Some(self.soonest.map_or(end, |soonest| soonest.min(end)));
    }

    /// When the next window ends.
    pub(super) fn soonest(&self) -> Option<Instant> {
        self.soonest
    }

    /// Writes what was counted in the windows that have ended, and opens longer ones for what still repeats.
    pub(super) fn expire(&mut self, now: Instant, mut write: impl FnMut(&Denial, Seen)) {
        if self.soonest.is_none_or(|soonest| soonest > now) {
            return;
        }
        let mut due: Vec<_> = self.table.iter_mut().filter(|(_, one)| one.end <= now).collect();
        due.sort_unstable_by_key(|(_, repeat)| repeat.number);
        for (denial, repeat) in due {
            if repeat.seen.count > 0 {
                write(denial, repeat.seen);
                repeat.seen.count = 0;
                repeat.window = LONGEST.min(repeat.window * 2);
                repeat.end = now + repeat.window;
            }
        }
        self.table.retain(|_, repeat| repeat.end > now);
        self.bytes = self.table.keys().map(Denial::bytes).sum();
        self.soonest = self.table.values().map(|repeat| repeat.end).min();
    }

    /// Writes whatever was counted, and forgets everything.
    pub(super) fn flush(&mut self, mut write: impl FnMut(&Denial, Seen)) {
        let mut all: Vec<_> = self.table.drain().collect();
        all.sort_unstable_by_key(|(_, repeat)| repeat.number);
        for (denial, repeat) in all.iter().filter(|(_, repeat)| repeat.seen.count > 0) {
            write(denial, repeat.seen);
        }
        self.bytes = 0;
        self.soonest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(path: &str) -> Denial {
        Denial {
            command: Box::from(&b"cat"[..]),
            operation: "openat",
            path: Box::from(path.as_bytes()),
            access: AccessSet::ALL,
            rule: None,
            errno: 13,
            refusal: None,
            arguments: None,
            omitted: 0,
        }
    }

    fn first(repeats: &mut Repeats, path: &str, now: Instant) -> bool {
        match repeats.note(denial(path), 1, SystemTime::UNIX_EPOCH) {
            Noted::Counted => false,
            Noted::First(denial) => {
                repeats.remember(denial, 1, SystemTime::UNIX_EPOCH, now);
                true
            }
        }
    }

    fn expired(repeats: &mut Repeats, now: Instant) -> Vec<u64> {
        let mut counts = Vec::new();
        repeats.expire(now, |_, seen| counts.push(seen.count));
        counts
    }

    #[test]
    fn windows_grow_while_a_denial_repeats_and_end_when_it_stops() {
        let mut repeats = Repeats::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(first(&mut repeats, "/a", start));
        assert!(!first(&mut repeats, "/a", start));
        assert!(!first(&mut repeats, "/a", start));
        assert!(expired(&mut repeats, start).is_empty());
        assert_eq!(expired(&mut repeats, at(1)), [2]);
        assert!(!first(&mut repeats, "/a", at(2)));
        assert!(expired(&mut repeats, at(2)).is_empty(), "the second window is two seconds");
        assert_eq!(expired(&mut repeats, at(3)), [1]);
        assert!(expired(&mut repeats, at(7)).is_empty());
        assert!(repeats.table.is_empty() && repeats.soonest().is_none());
        assert!(first(&mut repeats, "/a", at(8)));
    }

    #[test]
    fn a_rule_an_error_or_arguments_tell_denials_apart() {
        let mut repeats = Repeats::default();
        let now = Instant::now();
        let others = [
            Denial { errno: 18, ..denial("/a") },
            Denial { rule: Some(RuleId(3)), ..denial("/a") },
            Denial { arguments: Some(Vec::new()), ..denial("/a") },
            denial("/b"),
        ];
        assert!(first(&mut repeats, "/a", now));
        for other in others {
            let noted = repeats.note(other, 1, SystemTime::UNIX_EPOCH);
            assert!(matches!(noted, Noted::First(_)));
        }
    }

    #[test]
    fn the_table_is_bounded_in_entries_and_in_bytes() {
        let mut repeats = Repeats::default();
        let now = Instant::now();
        for number in 0..MAX_KINDS {
            assert!(!repeats.is_full());
            assert!(first(&mut repeats, &format!("/{number}"), now));
        }
        assert!(repeats.is_full());
        assert!(!first(&mut repeats, "/7", now));
        let mut written = Vec::new();
        repeats.flush(|denial, seen| written.push((denial.path.clone(), seen.count)));
        assert_eq!(written, [(Box::from(&b"/7"[..]), 1)]);
        assert!(!repeats.is_full());
        let long = "x".repeat(4096);
        for number in 0..MAX_BYTES / 4096 {
            assert!(first(&mut repeats, &format!("/{number}/{long}"), now));
        }
        assert!(repeats.is_full());
    }
}
