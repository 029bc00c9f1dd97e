//! Which denials are told to the one who runs `on_denied`, and how often.
//!
//! Whatever the target asks for, one rule gives at most one event in the policy's time, and who runs the command has a
//! queue of bounded length. What was not told is counted, and told with the next event. Never waits.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};

use super::Rules;
use crate::decide::RuleId;
use crate::policy::{AlertOn, Effect, OnDenied};

/// The way to the one who runs the command.
#[derive(Debug)]
pub(crate) struct Alerts {
    socket: OwnedFd,
    rules: Option<Vec<AlertOn>>,
    every: Duration,
    told: BTreeMap<Option<RuleId>, Told>,
}

/// An event that is longer goes without its arguments, in bytes: it must fit in the queue.
pub(super) const LONGEST: usize = 64 * 1024;

/// The last event of a rule.
#[derive(Debug)]
struct Told {
    /// When there may be another; none: never in this run.
    again: Option<Instant>,
    suppressed: u64,
}

impl Alerts {
    pub(crate) fn new(socket: OwnedFd, on_denied: &OnDenied) -> Alerts {
        let rules = on_denied.rules.as_ref();
        let rules = rules.map(|rules| rules.iter().map(|(on, _)| on.clone()).collect());
        Alerts { socket, rules, every: on_denied.every, told: BTreeMap::new() }
    }

    /// Is this denial to be told now? Then with this number of earlier ones of its rule that were not.
    pub(super) fn is_due(
        &mut self,
        rule: Option<RuleId>,
        rules: &Rules,
        now: Instant,
    ) -> Option<u64> {
        if !self.is_chosen(rule, rules) {
            return None;
        }
        match self.told.get_mut(&rule) {
            Some(told) if told.again.is_none_or(|again| now < again) => {
                told.suppressed += 1;
                None
            }
            Some(told) => Some(std::mem::take(&mut told.suppressed)),
            None => Some(0),
        }
    }

    /// Tells it. What finds no room counts as suppressed.
    pub(super) fn tell(&mut self, rule: Option<RuleId>, line: &[u8], before: u64, now: Instant) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let told = match send(&self.socket, line, flags) {
            Ok(_) => Told { again: now.checked_add(self.every), suppressed: 0 },
            Err(_) => Told { again: Some(now), suppressed: before + 1 },
        };
        self.told.insert(rule, told);
    }

    fn is_chosen(&self, rule: Option<RuleId>, rules: &Rules) -> bool {
        let Some(chosen) = &self.rules else { return true };
        let decided = rule.and_then(|id| rules.get(id));
        chosen.iter().any(|on| match (on, decided) {
            (AlertOn::NothingAllows, None) => true,
            (AlertOn::Guards, Some(rule)) => rule.effect == Effect::Guard,
            (AlertOn::Pattern(text), Some(rule)) => {
                rule.effect == Effect::Blocked && rule.pattern.text() == text.as_bytes()
            }
            (AlertOn::NothingAllows, Some(_)) | (AlertOn::Pattern(_) | AlertOn::Guards, None) => {
                false
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

    use super::*;
    use crate::journal::tests::rules;
    use crate::policy::Origin;

    fn alerts(rules: Option<&[AlertOn]>) -> (Alerts, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (own, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let origin = Origin::BuiltIn { part: "test" };
        let rules = rules.map(|all| all.iter().map(|on| (on.clone(), origin.clone())).collect());
        let every = Duration::from_secs(10);
        let on_denied = OnDenied { command: "true".to_owned(), rules, every, origin };
        (Alerts::new(own, &on_denied), theirs)
    }

    #[test]
    fn a_rule_is_told_once_in_its_time_and_then_with_what_was_left_out() {
        let (mut alerts, theirs) = alerts(None);
        let (rules, now) = (rules("blocked_paths: [/a, /b]"), Instant::now());
        let mut due = |rule, seconds| {
            let now = now + Duration::from_secs(seconds);
            let due = alerts.is_due(rule, &rules, now);
            if let Some(before) = due {
                alerts.tell(rule, b"line", before, now);
            }
            due
        };
        let (one, other) = (Some(RuleId(0)), Some(RuleId(1)));
        assert_eq!(due(one, 0), Some(0));
        assert_eq!(due(one, 1), None);
        assert_eq!(due(other, 1), Some(0), "another rule has a time of its own");
        assert_eq!(due(None, 1), Some(0));
        assert_eq!(due(one, 9), None);
        assert_eq!(due(one, 10), Some(2));
        assert_eq!(due(one, 20), Some(0));
        let mut bytes = [0; 8];
        for _ in 0..5 {
            assert_eq!(recv(&theirs, &mut bytes, RecvFlags::empty()).unwrap().1, 4);
        }
        assert!(recv(&theirs, &mut bytes, RecvFlags::empty()).is_err());
    }

    #[test]
    fn a_time_without_end_is_no_mistake() {
        let (mut alerts, _theirs) = alerts(None);
        alerts.every = Duration::MAX;
        let (rules, now) = (rules(""), Instant::now());
        assert_eq!(alerts.is_due(None, &rules, now), Some(0));
        alerts.tell(None, b"line", 0, now);
        assert_eq!(alerts.is_due(None, &rules, now + Duration::from_secs(1 << 30)), None);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_tried_again() {
        let (mut alerts, theirs) = alerts(None);
        let (rules, now) = (rules(""), Instant::now());
        drop(theirs);
        for before in 0..3 {
            assert_eq!(alerts.is_due(None, &rules, now), Some(before));
            alerts.tell(None, b"line", before, now);
        }
    }

    #[test]
    fn denials_are_chosen_as_the_policy_writes_them() {
        let rules = rules("allowed_paths: ['/srv/*'], blocked_paths: ['**/.env', ~/.ssh]");
        let find = |is: &dyn Fn(&crate::policy::Rule) -> bool| {
            let at = (0..100).find(|at| rules.get(RuleId(*at)).is_some_and(is));
            Some(RuleId(at.unwrap()))
        };
        let env = find(&|rule| rule.pattern.text() == b"**/.env");
        let ssh = find(&|rule| rule.pattern.text() == b"~/.ssh");
        let pin = find(&|rule| rule.access.is_empty());
        let guard = find(&|rule| rule.effect == Effect::Guard);
        let chosen = |on: Option<&[AlertOn]>| {
            let (alerts, _theirs) = alerts(on);
            [env, ssh, pin, guard, None].map(|rule| alerts.is_chosen(rule, &rules))
        };
        assert_eq!(chosen(None), [true; 5]);
        assert_eq!(chosen(Some(&[])), [false; 5]);
        let pattern = AlertOn::Pattern("**/.env".to_owned());
        assert_eq!(chosen(Some(&[pattern])), [true, false, false, false, false]);
        assert_eq!(chosen(Some(&[AlertOn::Guards])), [false, false, false, true, false]);
        assert_eq!(chosen(Some(&[AlertOn::NothingAllows])), [false, false, false, false, true]);
    }
}
