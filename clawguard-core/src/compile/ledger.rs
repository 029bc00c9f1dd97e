//! The ledger: for each rule, who holds it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};

use landlock::AccessFs;

use super::gap::{Gap, Lack};
use super::{Blame, Mode, Plan};
use crate::decide::RuleId;
use crate::path::AbsPath;
use crate::policy::{Effect, Origin};
use crate::resolve::{AtFront, Spelled};

/// Who holds a rule for opens, creations, removals and execs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The kernel, exactly as the law says.
    Kernel,
    /// The kernel, which also denies this although the law allows it.
    KernelDeniesMore(String),
    /// The supervisor, for what Landlock cannot say.
    Supervisor(String),
    /// Nobody, for this reason.
    Nobody(String),
}

impl Holder {
    /// The holder's name: `kernel`, `supervisor` or `nobody`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Holder::Kernel | Holder::KernelDeniesMore(_) => "kernel",
            Holder::Supervisor(_) => "supervisor",
            Holder::Nobody(_) => "nobody",
        }
    }

    /// Why it is not the kernel alone and exactly, if so.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Holder::Kernel => None,
            Holder::KernelDeniesMore(why) | Holder::Supervisor(why) | Holder::Nobody(why) => {
                Some(why)
            }
        }
    }
}

/// One rule of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The rule.
    pub rule: RuleId,
    /// Who holds it.
    pub holder: Holder,
}

impl Plan {
    /// Who holds each rule, in the policy's order.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerRow> {
        let (rules, gaps) = (self.policy.rules(), self.telling_gaps());
        let pin = Origin::BuiltIn { part: Origin::WORKING_DIRECTORY };
        rules
            .filter(|(_, rule)| rule.origin != pin)
            .map(|(rule, _)| LedgerRow { rule, holder: self.holder(rule, &gaps) })
            .collect()
    }

    /// For each rule the gap that tells most about it: one that it makes, rather something mixed than something
    /// missing, else one that denies what it allows.
    fn telling_gaps(&self) -> BTreeMap<RuleId, &Gap> {
        let mut telling = BTreeMap::new();
        let mut seen = HashSet::new();
        let (missing, mixed): (Vec<&Gap>, Vec<&Gap>) =
            self.gaps.iter().partition(|gap| gap.lack == Lack::Missing);
        for gap in mixed.into_iter().chain(missing) {
            if seen.insert(gap.causes.as_ptr()) {
                for rule in gap.causes.iter() {
                    telling.entry(*rule).or_insert(gap);
                }
            }
        }
        for gap in &self.gaps {
            if let (Some(rule), true) = (gap.allowed_by, self.blame(gap) != Blame::Nobody) {
                telling.entry(rule).or_insert(gap);
            }
        }
        telling
    }

    fn holder(&self, id: RuleId, gaps: &BTreeMap<RuleId, &Gap>) -> Holder {
        let rule = self.policy.rule(id);
        if rule.effect == Effect::Guard {
            return if self.unguarded().any(|unguarded| unguarded == id) {
                Holder::Nobody(
                    "it does not exist, and Landlock cannot keep one name from being made"
                        .to_owned(),
                )
            } else {
                Holder::Kernel
            };
        }
        let is_spelled = || self.policy.spelled.iter().any(|one| one.rule == id);
        match gaps.get(&id) {
            None if rule.effect == Effect::Allowed && !is_spelled() => {
                Holder::Nobody("a variable in it is not set on this host".to_owned())
            }
            None => Holder::Kernel,
            Some(gap) if gap.lack == Lack::Missing && !rule.origin.is_user() => {
                Holder::Nobody(format!("`{}` does not exist", gap.path))
            }
            Some(gap) => {
                let what = gap.lack.describe(&gap.path);
                // What only presets and guards lack starts without a supervisor.
                match self.mode {
                    Mode::Auto if self.blame(gap) != Blame::Nobody => Holder::Supervisor(what),
                    Mode::Auto | Mode::Kernel => Holder::KernelDeniesMore(what),
                }
            }
        }
    }

    /// The guards of paths where nothing is, in a directory where the target may make entries.
    pub(super) fn unguarded(&self) -> impl Iterator<Item = RuleId> {
        let is_guard = |one: &&Spelled| self.policy.rule(one.rule).effect == Effect::Guard;
        let is_open =
            |one: &&Spelled| one.is_at_front == AtFront::Nothing && self.may_make(one.real_front());
        self.policy.spelled.iter().filter(is_guard).filter(is_open).map(|one| one.rule)
    }

    fn may_make(&self, path: &AbsPath) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.rights.contains(AccessFs::MakeReg) && path.starts_with(&rule.path))
    }
}
