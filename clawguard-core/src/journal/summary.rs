//! What a run says at its end: how many denials, of what, and which one came last.
//!
//! Counts in bounded memory, whatever the target asks for. It advises nothing: what could be allowed is not known here.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::repeat::Denial;
use super::{Refusal, Rules};
use crate::access::AccessSet;
use crate::path::escape;

/// How many kinds of operations the line names.
const MAX_NAMED: usize = 5;

/// The denials of a run while it goes on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    total: u64,
    kinds: BTreeMap<(&'static str, AccessSet), u64>,
    last: Option<Denial>,
}

impl Tally {
    /// Counts `count` denials of one kind.
    pub(super) fn add(&mut self, denial: &Denial, count: u64) {
        self.total += count;
        *self.kinds.entry((denial.operation, denial.access)).or_default() += count;
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Remembers the last denial that is no probe.
    pub(super) fn note_last(&mut self, denial: &Denial) {
        if !is_probe(denial.operation) && self.last.as_ref() != Some(denial) {
            self.last = Some(denial.clone());
        }
    }

    /// The end of counting; `lost_denials` were never seen here.
    pub(super) fn finish(self, rules: &Rules, lost_denials: u64, lost: u64) -> Summary {
        Summary {
            denials: self.total + lost_denials,
            unseen: lost_denials,
            lost,
            kinds: self.kinds,
            last: self.last.map(|denial| Denied::new(denial, rules)),
        }
    }
}

/// Does this call only ask, or watch? A program goes on when it is denied.
fn is_probe(operation: &str) -> bool {
    ["access", "faccessat", "faccessat2", "inotify_add_watch"].contains(&operation)
}

/// A request that was denied.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Denied {
    /// The real path, or what was asked for in its place: an address, a kind of socket.
    pub path: Box<[u8]>,
    /// What was asked for.
    pub access: AccessSet,
    /// The system call.
    pub operation: &'static str,
    /// The name of the process.
    pub command: Box<[u8]>,
    /// What the operation would have done, where it was denied for that and not by a rule.
    pub refusal: Option<Refusal>,
    /// Why, in words: the rule with its place, or what the operation would have done.
    pub reason: String,
}

impl Denied {
    fn new(denial: Denial, rules: &Rules) -> Denied {
        let reason = reason(&denial, rules);
        let Denial { path, access, operation, command, refusal, .. } = denial;
        Denied { path, access, operation, command, refusal, reason }
    }
}

/// The rule with its place, or what the operation would have done.
fn reason(denial: &Denial, rules: &Rules) -> String {
    let rule = denial.rule.and_then(|id| rules.get(id));
    match (denial.refusal, rule) {
        (Some(Refusal::Address), _) => {
            let by = rules.loopback.as_ref().map_or_else(String::new, |by| format!(", {by}"));
            format!("network.listen: loopback{by}")
        }
        (Some(refusal), Some(rule)) => {
            format!("{} ({}, {})", refusal.reason(), rule.pattern, rule.origin)
        }
        (Some(refusal), None) => refusal.reason().to_owned(),
        (None, Some(rule)) => {
            format!("{} {} {}, {}", rule.effect.name(), rule.access, rule.pattern, rule.origin)
        }
        (None, None) => "nothing allows it".to_owned(),
    }
}

/// What a run denied.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    denials: u64,
    unseen: u64,
    lost: u64,
    kinds: BTreeMap<(&'static str, AccessSet), u64>,
    last: Option<Denied>,
}

impl Summary {
    /// How many requests were denied, repeated ones included.
    #[must_use]
    pub fn denials(&self) -> u64 {
        self.denials
    }

    /// How many lines the journal lost: a full disk, a journal that cannot be written, too many at once.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many requests of each operation were denied, with the accesses that they asked for.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, AccessSet, u64)> {
        self.kinds.iter().map(|((operation, access), count)| (*operation, *access, *count))
    }

    /// The denial that came last, which most often is why a command failed; calls that only ask (`access`) or watch
    /// (inotify) do not count.
    #[must_use]
    pub fn last(&self) -> Option<&Denied> {
        self.last.as_ref()
    }

    fn counted(&self) -> u64 {
        let kinds = self.kinds().filter(|(operation, ..)| !is_probe(operation));
        kinds.map(|(_, _, count)| count).sum::<u64>() + self.unseen
    }

    /// How many denials of which operations, escaped for a terminal; none where nothing was denied but to calls that
    /// only ask or watch.
    #[must_use]
    pub fn counts(&self) -> Option<String> {
        let mut kinds: Vec<_> =
            self.kinds.iter().filter(|((operation, _), _)| !is_probe(operation)).collect();
        let denials = self.counted();
        if denials == 0 {
            return None;
        }
        let noun = if denials == 1 { "denial" } else { "denials" };
        kinds.sort_by_key(|(_, count)| Reverse(**count));
        let named = kinds.iter().take(MAX_NAMED);
        let mut parts: Vec<String> = named
            .map(|((operation, access), count)| {
                with_access(&format!("{count} {operation}"), *access)
            })
            .collect();
        let others: u64 = kinds.iter().skip(MAX_NAMED).map(|(_, count)| **count).sum();
        if others > 0 {
            parts.push(format!("{others} other"));
        }
        if self.unseen > 0 {
            parts.push(format!("{} too many at once to be counted by kind", self.unseen));
        }
        Some(escape(format!("{denials} {noun} ({})", parts.join(", ")).as_bytes()))
    }

    /// One line for the person who started the run, escaped for a terminal: the counts, the last denial and its
    /// reason. None where there are no [`counts`](Summary::counts).
    #[must_use]
    pub fn line(&self) -> Option<String> {
        let mut line = self.counts()?;
        if let Some(last) = &self.last {
            let most = with_access(&escape(&last.path), last.access);
            let position = if self.counted() == 1 { "" } else { "the last: " };
            line.push_str(&format!(", {position}{most} ({})", last.reason));
        }
        Some(escape(line.as_bytes()))
    }
}

/// The working directory's pin has no access of its own.
fn with_access(text: &str, access: AccessSet) -> String {
    if access.is_empty() { text.to_owned() } else { format!("{text} {access}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::RuleId;
    use crate::journal::tests::rules;

    fn denial(operation: &'static str, path: &[u8], access: &str, rule: Option<RuleId>) -> Denial {
        Denial {
            command: Box::from(&b"cat"[..]),
            operation,
            path: Box::from(path),
            access: AccessSet::parse(access).unwrap(),
            rule,
            errno: 13,
            refusal: None,
            arguments: None,
            omitted: 0,
        }
    }

    fn add(tally: &mut Tally, denial: &Denial, count: u64) {
        tally.note_last(denial);
        tally.add(denial, count);
    }

    fn line_of(denials: &[Denial]) -> String {
        let mut tally = Tally::default();
        denials.iter().for_each(|one| add(&mut tally, one, 1));
        tally.finish(&rules("allowed_paths: [/w]"), 0, 0).line().unwrap()
    }

    #[test]
    fn a_run_without_denials_says_nothing() {
        let summary = Tally::default().finish(&rules(""), 0, 3);
        assert_eq!(summary.line(), None);
        assert_eq!((summary.denials(), summary.lost()), (0, 3));
    }

    #[test]
    fn the_line_says_how_many_of_what_and_which_came_last() {
        let rules = rules("allowed_paths: [/w], blocked_paths: [{path: '**/.env', access: r}]");
        let mut tally = Tally::default();
        let block = (0..9).map(RuleId).find(|id| {
            rules.get(*id).is_some_and(|rule| rule.pattern.text() == b"**/.env".as_slice())
        });
        assert!(block.is_some());
        add(&mut tally, &denial("unlink", b"/o/a", "w", None), 7);
        add(&mut tally, &denial("open", b"/w/x/.env", "r", block), 2);
        let summary = tally.finish(&rules, 0, 0);
        assert_eq!(summary.counts().unwrap(), "9 denials (7 unlink w, 2 open r)");
        assert_eq!(
            summary.line().unwrap(),
            "9 denials (7 unlink w, 2 open r), the last: /w/x/.env r (blocked r **/.env, p.yaml:1)"
        );
        assert_eq!(&*summary.last().unwrap().path, b"/w/x/.env");
        assert_eq!(summary.kinds().count(), 2);
    }

    #[test]
    fn calls_that_only_ask_or_watch_do_not_count() {
        let probes = ["access", "faccessat", "faccessat2", "inotify_add_watch"];
        let probes = probes.map(|name| denial(name, b"/probe", "r", None));
        let mut all = vec![denial("open", b"/a", "r", None)];
        all.extend(probes.clone());
        assert_eq!(line_of(&all), "1 denial (1 open r), /a r (nothing allows it)");
        let mut tally = Tally::default();
        probes.iter().for_each(|one| add(&mut tally, one, 1));
        let summary = tally.finish(&rules(""), 0, 0);
        assert_eq!((summary.line(), summary.denials()), (None, 4));
    }

    #[test]
    fn every_refusal_has_its_reason_and_no_other() {
        for refusal in Refusal::ALL {
            let one = Denial { refusal: Some(refusal), ..denial("rename", b"/w/a", "w", None) };
            let line = line_of(&[one]);
            let reason = match refusal {
                Refusal::Address => "network.listen: loopback",
                refusal => refusal.reason(),
            };
            assert_eq!(line, format!("1 denial (1 rename w), /w/a w ({reason})"));
        }
        let pin = Denial {
            refusal: Some(Refusal::Pinned),
            ..denial("rmdir", b"/w", "w", Some(RuleId(0)))
        };
        assert_eq!(
            line_of(&[pin]),
            "1 denial (1 rmdir w), /w w (the directory is pinned: the next start must find it (/w, p.yaml:1))"
        );
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal_or_begin_a_line() {
        let line = line_of(&[denial("open", b"/a\n\x1b]0;x\x07\xff", "r", None)]);
        assert!(line.chars().all(|c| !c.is_control()), "{line}");
    }

    #[test]
    fn a_flood_is_counted_and_its_last_denial_is_known() {
        let mut tally = Tally::default();
        for number in 0..10_000 {
            add(&mut tally, &denial("open", format!("/flood/{number}").as_bytes(), "r", None), 1);
        }
        let summary = tally.finish(&rules(""), 5, 5);
        assert_eq!(&*summary.last().unwrap().path, b"/flood/9999");
        assert_eq!(summary.denials(), 10_005);
        assert!(summary.line().unwrap().contains("5 too many at once"));
    }

    #[test]
    fn many_operations_are_summed_up() {
        let mut tally = Tally::default();
        for (number, operation) in ["a", "b", "c", "d", "e", "f", "g"].into_iter().enumerate() {
            tally.add(&denial(operation, b"/x", "w", None), number as u64 + 1);
        }
        let line = tally.finish(&rules(""), 0, 0).line().unwrap();
        assert!(
            line.starts_with("28 denials (7 g w, 6 f w, 5 e w, 4 d w, 3 c w, 3 other)"),
            "{line}"
        );
    }
}
