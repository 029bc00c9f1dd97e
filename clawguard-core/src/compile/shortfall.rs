//! What Landlock alone falls short of, and what nobody holds, in sentences for a person.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};

use super::Plan;
use super::gap::{Gap, Lack};
use crate::access::Access;
use crate::decide::RuleId;
use crate::path::AbsPath;
use crate::policy::{Listen, Origin};

/// A rule that needs the supervisor, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The rule.
    pub rule: RuleId,
    /// What Landlock alone would deny although the policy allows it.
    pub what: String,
}

/// Who is to blame for a gap, so that the policy needs the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The user's rules among its causes.
    Causes,
    /// The user's rule that allows what is denied here.
    Allowed(RuleId),
    /// No rule of the user.
    Nobody,
}

impl Plan {
    /// The user's rules for which Landlock alone would answer an open, create, remove or exec otherwise than the law.
    ///
    /// Empty: the kernel holds the policy for these; metadata, sockets and watches it never judges.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let mut needs: BTreeMap<RuleId, &Gap> = BTreeMap::new();
        // The best examples lie in what the user himself allows; gaps with the same causes add no rule.
        let mut seen: HashSet<*const RuleId> = HashSet::new();
        let (users, others): (Vec<&Gap>, Vec<&Gap>) =
            self.gaps.iter().partition(|gap| self.is_users(gap));
        for gap in users.into_iter().chain(others) {
            match self.blame(gap) {
                Blame::Nobody => {}
                Blame::Allowed(rule) => drop(needs.entry(rule).or_insert(gap)),
                Blame::Causes if seen.insert(gap.causes.as_ptr()) => {
                    for rule in gap.causes.iter().filter(|rule| self.is_user(**rule)) {
                        needs.entry(*rule).or_insert(gap);
                    }
                }
                Blame::Causes => {}
            }
        }
        let mut all: BTreeMap<RuleId, String> =
            needs.into_iter().map(|(rule, gap)| (rule, gap.lack.describe(&gap.path))).collect();
        // Where Landlock grants too much, that says more than where it grants too little.
        let blocks = self.loose_blocks().into_iter();
        all.extend(
            blocks
                .filter(|(rule, _)| self.is_user(*rule))
                .map(|(rule, loose)| (rule, loose.describe())),
        );
        all.into_iter().map(|(rule, what)| Need { rule, what }).collect()
    }

    /// Does a rule of the user make this gap?
    pub(super) fn is_made_by_user(&self, gap: &Gap) -> bool {
        self.blame(gap) != Blame::Nobody
    }

    /// Does nobody, not even the supervisor, allow what this gap denies?
    fn is_denied(&self, gap: &Gap) -> bool {
        !self.is_supervised() || gap.lack.is_of_execution()
    }

    /// Which rules of the user make a gap: his own, or his allowed one that a preset's directory stands in.
    pub(super) fn blame(&self, gap: &Gap) -> Blame {
        // The names of the granted directories themselves are told, like guards and the working directory's pin.
        if gap.lack == Lack::DirectoryName {
            return Blame::Nobody;
        }
        if gap.causes.iter().any(|rule| self.is_user(*rule)) {
            return Blame::Causes;
        }
        let is_preset =
            |rule: &RuleId| matches!(self.policy.rule(*rule).origin, Origin::Preset { .. });
        let in_the_way = gap.lack != Lack::Missing && gap.causes.iter().any(is_preset);
        // A procfs stands in the way of a rule that allows what lies around it.
        let in_the_way = in_the_way || gap.causes.is_empty() && gap.lack != Lack::SecondName;
        match gap.allowed_by {
            Some(rule) if in_the_way && self.is_user(rule) => Blame::Allowed(rule),
            Some(_) | None => Blame::Nobody,
        }
    }

    pub(super) fn is_user(&self, rule: RuleId) -> bool {
        self.policy.rule(rule).origin.is_user()
    }

    /// What is denied although the policy allows it, one sentence for each rule that makes it so. With a supervisor
    /// that is execution alone: nobody can execute for the target what Landlock lets nobody execute.
    #[must_use]
    pub fn denied_more(&self) -> Vec<String> {
        let mut by_rule: BTreeMap<Option<RuleId>, Vec<&Gap>> = BTreeMap::new();
        // What a preset or guard lacks is told only where it meddles with what the user allows.
        let counts = |gap: &&Gap| {
            let is_of_processes = gap.lack == Lack::Processes;
            let is_users = gap.lack != Lack::Missing && self.is_users(gap);
            is_of_processes || is_users || self.blame(gap) != Blame::Nobody
        };
        for gap in self.gaps.iter().filter(|gap| self.is_denied(gap)).filter(counts) {
            by_rule.entry(gap.causes.first().copied()).or_default().push(gap);
        }
        let sentence = |(rule, gaps): (Option<RuleId>, Vec<&Gap>)| {
            let example = gaps.iter().find(|gap| self.is_users(gap)).or(gaps.first())?;
            let more = match gaps.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more like it"),
            };
            let own = match example.lack {
                Lack::Processes if !self.own_process.is_empty() => ", but for the command's own",
                _ => "",
            };
            let cause =
                rule.map_or_else(String::new, |rule| format!("{}: ", self.policy.rule(rule)));
            Some(format!("{cause}{}{own}{more}", example.lack.describe(&example.path)))
        };
        let nobodys = by_rule.remove(&None).map(|gaps| (None, gaps));
        let mut sentences: Vec<String> =
            by_rule.into_iter().chain(nobodys).filter_map(sentence).collect();
        if !self.is_supervised() {
            sentences.extend(self.kernel.denied_by_age().into_iter().map(str::to_owned));
        }
        if self.is_cut_short {
            let rest = match self.is_supervised() {
                true => "executing what lies in the rest of them",
                false => "the rest of them",
            };
            sentences.push(format!(
                "directories that hold more than can be told apart at the start: {rest}"
            ));
        }
        sentences
    }

    pub(super) fn is_users(&self, gap: &Gap) -> bool {
        gap.allowed_by.is_some_and(|rule| self.is_user(rule))
    }

    /// Why this access is denied at a path although the law allows it, if the plan knows: the kernel alone cannot tell
    /// enough apart there, or nobody can execute for the target.
    #[must_use]
    pub fn shortfall(&self, path: &AbsPath, access: Access) -> Option<String> {
        let is_here = |gap: &&Gap| {
            gap.access.contains(access) && path.as_path().starts_with(gap.path.as_path())
        };
        let here = self.gaps.iter().filter(|gap| self.is_denied(gap)).filter(is_here);
        let nearest = here.max_by_key(|gap| gap.path.as_bytes().len());
        let cut_short = || {
            let is_told = self.is_cut_short && (access == Access::Execute || !self.is_supervised());
            is_told.then(|| "directories hold more than can be told apart at the start".to_owned())
        };
        nearest.map(|gap| gap.lack.describe(&gap.path)).or_else(cut_short)
    }

    /// What this very policy asks for and nobody holds in this mode, one sentence each.
    #[must_use]
    pub fn policy_left_open(&self) -> Vec<String> {
        if self.is_supervised() {
            return Vec::new();
        }
        let unguarded = self.unguarded().map(|rule| {
            format!("making `{}`, which does not exist yet (guard)", self.policy.rule(rule).pattern)
        });
        let mut open: Vec<String> = unguarded.collect();
        open.extend(self.kernel.missing().into_iter().map(str::to_owned));
        if let Some((Listen::Loopback, origin)) = self.policy.listen() {
            open.push(format!(
                "`network.listen: loopback` ({origin}): any address can be listened on"
            ));
        }
        let logging = &self.policy.logging;
        let logs = logging.file_access || logging.commands || logging.denials == Some(true);
        if logs {
            open.push("logging: nobody sees what is denied, opened or run".to_owned());
        }
        if logging.on_denied.is_some() {
            open.push("on_denied: nobody sees what is denied, so nothing is run for it".to_owned());
        }
        open
    }

    /// What nobody holds in this mode, one sentence each.
    #[must_use]
    pub fn left_open(&self) -> Vec<String> {
        let mut open = self.policy_left_open();
        if self.is_supervised() {
            return open;
        }
        open.extend([
            "metadata: chmod, chown, times and extended attributes, even of blocked files".to_owned(),
            "watching with inotify, and listing extended attributes".to_owned(),
            "background processes that outlive the command: they stay confined, but nobody ends them".to_owned(),
        ]);
        if self.kernel.landlock_abi < 9 {
            open.push("connecting to unix sockets by path (Landlock ABI 9)".to_owned());
        }
        open
    }
}
