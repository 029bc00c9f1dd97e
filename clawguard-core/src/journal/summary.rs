//! What a run says at its end: how many denials, of what, and what would allow the most frequent one.
//!
//! Counts in bounded memory, whatever the target asks for: of many different paths the most frequent ones stay
//! (Metwally et al., "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005).

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Rules;
use super::advice::advice;
use super::repeat::Denial;
use crate::access::AccessSet;
use crate::decide::RuleId;
use crate::path::{AbsPath, escape};

/// Different denials that are counted apart.
const MAX_PATHS: usize = 256;

/// How many kinds of operations the line names.
const MAX_NAMED: usize = 5;

#[derive(Debug)]
struct Counted {
    path: Box<[u8]>,
    access: AccessSet,
    rule: Option<RuleId>,
    /// Of the first of them.
    operation: &'static str,
    count: u64,
}

/// The denials of a run while it goes on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    total: u64,
    kinds: BTreeMap<(&'static str, AccessSet), u64>,
    /// In the order of arrival.
    paths: Vec<Counted>,
}

impl Tally {
    /// Counts `count` denials of one kind.
    pub(super) fn add(&mut self, denial: &Denial, count: u64) {
        self.total += count;
        *self.kinds.entry((denial.operation, denial.access)).or_default() += count;
        let is_same = |one: &Counted| {
            one.access == denial.access && one.rule == denial.rule && one.path == denial.path
        };
        let new = |count| Counted {
            path: denial.path.clone(),
            access: denial.access,
            rule: denial.rule,
            operation: denial.operation,
            count,
        };
        if let Some(known) = self.paths.iter_mut().find(|one| is_same(one)) {
            known.count += count;
        } else if self.paths.len() < MAX_PATHS {
            self.paths.push(new(count));
        } else if let Some(least) = self.paths.iter_mut().min_by_key(|one| one.count) {
            *least = new(least.count + count);
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The end of counting; `lost_denials` were never seen here.
    pub(super) fn finish(self, rules: &Rules, lost_denials: u64, lost: u64) -> Summary {
        // Of equals the first, so that the same run ends with the same line.
        let most = self.paths.into_iter().rev().max_by_key(|one| one.count);
        let most = most.map(|one| {
            let reason = match one.rule.and_then(|id| rules.get(id)) {
                Some(rule) if rule.access.is_empty() => {
                    format!("{}, {}", rule.pattern, rule.origin)
                }
                Some(rule) => {
                    let effect = rule.effect.name();
                    format!("{effect} {} {}, {}", rule.access, rule.pattern, rule.origin)
                }
                None => "nothing allows it".to_owned(),
            };
            if let Some((reason, advice)) = listening(rules, &one) {
                return Most { path: one.path, access: one.access, reason, advice: Some(advice) };
            }
            let path = AbsPath::parse(&one.path).ok();
            let advice = path.and_then(|path| advice(rules, &path, one.access));
            let reason = match (&advice, one.rule) {
                // The rules allow it: it was denied for what it would have done.
                (None, None) => "no rule forbids the path itself".to_owned(),
                (Some(_), _) | (None, Some(_)) => reason,
            };
            Most { path: one.path, access: one.access, reason, advice }
        });
        Summary {
            denials: self.total + lost_denials,
            unseen: lost_denials,
            lost,
            kinds: self.kinds,
            most,
        }
    }
}

/// Why an address was refused, which no rule about paths says, and what would allow it.
fn listening(rules: &Rules, one: &Counted) -> Option<(String, String)> {
    let is_address = ["bind", "listen"].contains(&one.operation) && !one.path.starts_with(b"/");
    let origin = rules.loopback.as_ref().filter(|_| is_address)?;
    let reason = format!("network.listen: loopback, {origin}");
    Some((reason, "to allow it: `network: {listen: any}` in the policy's `security`".to_owned()))
}

#[derive(Clone, Debug)]
struct Most {
    path: Box<[u8]>,
    access: AccessSet,
    reason: String,
    advice: Option<String>,
}

/// What a run denied.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    denials: u64,
    unseen: u64,
    lost: u64,
    kinds: BTreeMap<(&'static str, AccessSet), u64>,
    most: Option<Most>,
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

    /// The path and the access that were denied most often.
    #[must_use]
    pub fn most_frequent(&self) -> Option<(&[u8], AccessSet)> {
        self.most.as_ref().map(|most| (&*most.path, most.access))
    }

    /// One line for the person who started the run, escaped for a terminal; none without denials.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        if self.denials == 0 {
            return None;
        }
        let noun = if self.denials == 1 { "denial" } else { "denials" };
        let mut kinds: Vec<_> = self.kinds.iter().collect();
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
            parts.push(format!("{} too many at once to tell", self.unseen));
        }
        let mut line = format!("{} {noun} ({})", self.denials, parts.join(", "));
        if let Some(most) = &self.most {
            let path = with_access(&escape(&most.path), most.access);
            let often = if self.denials == 1 { "" } else { "most often " };
            line.push_str(&format!(", {often}{path} ({})", most.reason));
            if let Some(advice) = &most.advice {
                line.push_str("; ");
                line.push_str(advice);
            }
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
    use crate::journal::tests::{builtin, rules};

    fn denial(operation: &'static str, path: &[u8], access: &str, rule: Option<RuleId>) -> Denial {
        Denial {
            command: Box::from(&b"cat"[..]),
            operation,
            path: Box::from(path),
            access: AccessSet::parse(access).unwrap(),
            rule,
            errno: 13,
            arguments: None,
            omitted: 0,
        }
    }

    /// The denial of a path as the law itself decides it.
    fn judged(rules: &Rules, operation: &'static str, path: &[u8], access: &str) -> Denial {
        let mut decider = crate::decide::Decider::new(std::sync::Arc::clone(&rules.law));
        let decision = decider.decide(&AbsPath::parse(path).unwrap());
        let first = AccessSet::parse(access).unwrap().iter().next().unwrap();
        denial(operation, path, access, decision.verdict(first).rule())
    }

    #[test]
    fn a_run_without_denials_says_nothing() {
        let summary = Tally::default().finish(&rules(""), 0, 3);
        assert_eq!(summary.line(), None);
        assert_eq!((summary.denials(), summary.lost()), (0, 3));
    }

    #[test]
    fn the_line_tells_how_many_of_what_and_what_would_allow_the_most_frequent() {
        let rules = rules("allowed_paths: [/w], blocked_paths: [{path: '**/.env', access: r}]");
        let mut tally = Tally::default();
        tally.add(&judged(&rules, "unlink", b"/o/a", "w"), 1);
        tally.add(&judged(&rules, "open", b"/w/x/.env", "r"), 2);
        let summary = tally.finish(&rules, 0, 0);
        assert_eq!(
            summary.line().unwrap(),
            "3 denials (2 open r, 1 unlink w), most often /w/x/.env r (blocked r **/.env, p.yaml:1); to allow it: \
             --allow /w/x/.env:r"
        );
        assert_eq!(summary.most_frequent().unwrap().0, b"/w/x/.env");
        assert_eq!(summary.kinds().count(), 2);
    }

    #[test]
    fn the_built_in_default_keeps_its_working_directory() {
        let rules = builtin("/home/u/x");
        let mut tally = Tally::default();
        tally.add(&judged(&rules, "open", b"/home/u/x/.env", "r"), 1);
        assert_eq!(
            tally.finish(&rules, 0, 0).line().unwrap(),
            "1 denial (1 open r), /home/u/x/.env r (blocked r **/.env, built-in default); to allow it: --allow . \
             --allow /home/u/x/.env:r"
        );
    }

    #[test]
    fn what_no_rule_forbids_and_what_a_guard_holds_get_no_line_to_add() {
        let rules = rules("allowed_paths: [/]");
        let mut tally = Tally::default();
        tally.add(&denial("rename", b"/w/a", "w", None), 1);
        let line = tally.finish(&rules, 0, 0).line().unwrap();
        assert_eq!(line, "1 denial (1 rename w), /w/a w (no rule forbids the path itself)");
        let mut tally = Tally::default();
        tally.add(&judged(&rules, "open", b"/home/u/.openclaw/config.yaml", "w"), 1);
        let line = tally.finish(&rules, 0, 0).line().unwrap();
        assert!(line.ends_with("guard); a guard, which no rule goes through"), "{line}");
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal_or_begin_a_line() {
        let rules = rules("");
        let mut tally = Tally::default();
        tally.add(&denial("open", b"/a\n\x1b]0;x\x07\xff", "r", None), 1);
        let line = tally.finish(&rules, 0, 0).line().unwrap();
        assert!(line.chars().all(|c| !c.is_control()), "{line}");
        assert!(line.ends_with(r"to allow it: --allow $'/a\012\033]0;x\007\377:r'"), "{line}");
    }

    #[test]
    fn a_flood_of_paths_does_not_hide_the_most_frequent_nor_fill_the_memory() {
        let mut tally = Tally::default();
        for number in 0..10_000 {
            tally.add(&denial("open", format!("/flood/{number}").as_bytes(), "r", None), 1);
            if number % 10 == 0 {
                tally.add(&denial("open", b"/often", "r", None), 1);
            }
        }
        assert_eq!((tally.paths.len(), tally.total()), (MAX_PATHS, 11_000));
        let summary = tally.finish(&rules(""), 5, 5);
        assert_eq!(summary.most_frequent().unwrap().0, b"/often");
        assert_eq!(summary.denials(), 11_005);
        assert!(summary.line().unwrap().contains("5 too many at once to tell"));
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
