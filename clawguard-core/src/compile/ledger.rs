//! The ledger: for each rule, who holds it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};

use landlock::AccessFs;

use super::gap::{Gap, Lack};
use super::shortfall::Blame;
use super::{Loose, Plan};
use crate::access::Access;
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
    /// The kernel, but for this, which its Landlock does not know yet.
    KernelLacks(String),
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
            Holder::Kernel | Holder::KernelDeniesMore(_) | Holder::KernelLacks(_) => "kernel",
            Holder::Supervisor(_) => "supervisor",
            Holder::Nobody(_) => "nobody",
        }
    }

    /// Why it is not the kernel alone and exactly, if so.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Holder::Kernel => None,
            Holder::KernelDeniesMore(why)
            | Holder::KernelLacks(why)
            | Holder::Supervisor(why)
            | Holder::Nobody(why) => Some(why),
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

/// What tells about a rule.
struct Telling<'a> {
    gaps: BTreeMap<RuleId, &'a Gap>,
    loose: BTreeMap<RuleId, &'a Loose>,
}

impl Plan {
    /// Who holds each rule, in the policy's order.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerRow> {
        let rules = self.policy.rules();
        let telling = Telling { gaps: self.telling_gaps(), loose: self.loose_blocks() };
        let pin = Origin::BuiltIn { part: Origin::WORKING_DIRECTORY };
        rules
            .filter(|(_, rule)| rule.origin != pin)
            .map(|(rule, _)| LedgerRow { rule, holder: self.lacking(rule, &telling) })
            .collect()
    }

    /// For each rule the gap that tells most about it: one that it makes, rather something mixed than something
    /// missing, else one that denies what it allows. What only the supervisor's lack of execution makes comes last.
    fn telling_gaps(&self) -> BTreeMap<RuleId, &Gap> {
        let mut telling = BTreeMap::new();
        let mut seen = HashSet::new();
        let rank = |gap: &&Gap| match gap.lack {
            Lack::Missing => 1,
            lack if self.is_supervised() && lack.is_of_execution() => 2,
            Lack::Mixed(_)
            | Lack::Entries
            | Lack::SecondName
            | Lack::DirectoryName
            | Lack::FileName
            | Lack::Processes
            | Lack::MissingProgram
            | Lack::SecondProgram => 0,
        };
        let mut gaps: Vec<&Gap> = self.gaps.iter().collect();
        gaps.sort_by_key(rank);
        for gap in gaps {
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

    /// For each rule that makes a directory loose, so that only the supervisor holds it there, the first of these,
    /// rather one that the user himself allows.
    pub(super) fn loose_blocks(&self) -> BTreeMap<RuleId, &Loose> {
        let mut blocks = BTreeMap::new();
        let mut seen = HashSet::new();
        let is_users = |loose: &&Loose| loose.allowed_by.is_some_and(|rule| self.is_user(rule));
        let (users, others): (Vec<&Loose>, Vec<&Loose>) = self.loose.iter().partition(is_users);
        let all = users.into_iter().chain(others);
        // Directories that stand alike share their list of blocks.
        for loose in all.filter(|loose| seen.insert(loose.blocks.as_ptr())) {
            for rule in loose.blocks.iter() {
                blocks.entry(*rule).or_insert(loose);
            }
        }
        blocks
    }

    /// The holder, without claiming for an old Landlock what it cannot hold. Where there is a supervisor it is new
    /// enough (`supervision::require`).
    fn lacking(&self, id: RuleId, telling: &Telling<'_>) -> Holder {
        let holder = self.holder(id, telling);
        let rule = self.policy.rule(id);
        let lacks = self.kernel.lacks_of_writing();
        let keeps_from_writing =
            rule.effect != Effect::Allowed && rule.access.contains(Access::Write);
        if !keeps_from_writing || lacks.is_empty() {
            return holder;
        }
        let lacks = format!("but for {}", lacks.join(" and "));
        match holder {
            Holder::Kernel => Holder::KernelLacks(lacks),
            Holder::KernelDeniesMore(more) => Holder::KernelLacks(format!("{more}; {lacks}")),
            Holder::KernelLacks(_) | Holder::Supervisor(_) | Holder::Nobody(_) => holder,
        }
    }

    fn holder(&self, id: RuleId, telling: &Telling<'_>) -> Holder {
        let rule = self.policy.rule(id);
        if rule.effect == Effect::Guard && self.unguarded().any(|unguarded| unguarded == id) {
            return Holder::Nobody(
                "it does not exist, and Landlock cannot keep one name from being made".to_owned(),
            );
        }
        let loosely = |loose: &&Loose| Holder::Supervisor(loose.describe());
        let is_spelled = || self.policy.spelled.iter().any(|one| one.rule == id);
        match telling.gaps.get(&id) {
            _ if telling.loose.contains_key(&id) && rule.effect == Effect::Blocked => {
                telling.loose.get(&id).map_or(Holder::Kernel, loosely)
            }
            // Without a supervisor a guard of what exists costs its neighbours something, and is held all the same.
            Some(_) if rule.effect == Effect::Guard && !self.is_supervised() => Holder::Kernel,
            None if rule.effect == Effect::Allowed && !is_spelled() => {
                Holder::Nobody("a variable in it is not set on this host".to_owned())
            }
            None => telling.loose.get(&id).map_or(Holder::Kernel, loosely),
            Some(gap)
                if gap.lack == Lack::Missing
                    && !rule.origin.is_user()
                    && !self.is_made_up_for(gap) =>
            {
                Holder::Nobody(format!("`{}` does not exist", gap.path))
            }
            Some(gap) => {
                let what = gap.lack.describe(&gap.path);
                match self.is_made_up_for(gap) {
                    true => Holder::Supervisor(what),
                    false => Holder::KernelDeniesMore(what),
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
