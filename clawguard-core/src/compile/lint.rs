//! What a person should look at in a policy that is not wrong.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::Plan;
use crate::access::{Access, AccessSet};
use crate::decide::{Decider, Meaning, RuleId};
use crate::path::AbsPath;
use crate::policy::{Effect, Origin};
use crate::resolve::{AtFront, ResolvedPolicy, Spelled};

/// A remark on a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// A name for programs: `shadowed`, `unread`, `exception`, `redundant`, `missing`, `replaceable`, `link`,
    /// `alert`.
    pub kind: &'static str,
    /// The rule that it is about.
    pub rule: RuleId,
    /// The remark, in words.
    pub text: String,
}

impl Plan {
    /// Remarks on the policy, in the order of its rules.
    #[must_use]
    pub fn lints(&self) -> Vec<Lint> {
        let policy = &self.policy;
        let mut decider = policy.decider();
        let mut lints = exceptions(policy, &mut decider);
        for one in policy.spelled.iter().filter(|one| is_judged(policy, one)) {
            lints.extend(shadowed(policy, one, &mut decider));
            lints.extend(unread(policy, one, &mut decider));
            lints.extend(redundant(policy, one));
            lints.extend(missing(policy, one));
            lints.extend(replaceable(self, one, &mut decider));
            lints.extend(not_followed(policy, one));
        }
        lints.extend(self.alert_lints());
        lints.sort_by(|a, b| (a.rule, a.kind, &a.text).cmp(&(b.rule, b.kind, &b.text)));
        lints.dedup();
        lints
    }

    /// The remarks that every start should make: allowed rules that grant nothing, since they lead through a link that
    /// is not believed.
    #[must_use]
    pub fn unfollowed_links(&self) -> Vec<Lint> {
        let users = self.policy.spelled.iter().filter(|one| is_judged(&self.policy, one));
        users.filter_map(|one| not_followed(&self.policy, one)).collect()
    }
}

impl Plan {
    /// Files that the command of `on_denied` names and that the target may write or replace: it would choose what runs
    /// outside the sandbox. Every start should tell these.
    #[must_use]
    pub fn alert_lints(&self) -> Vec<Lint> {
        let mut decider = self.policy.decider();
        let mut writable = |file: &AbsPath| {
            let above = std::iter::successors(Some(file.clone()), AbsPath::parent);
            let mut rules = above.map(|at| {
                let state = decider.walk(&at);
                decider.decision(state).verdict(Access::Write)
            });
            rules.find(|verdict| verdict.is_allowed()).and_then(|verdict| verdict.rule())
        };
        let lint = |file: &AbsPath| {
            let rule = writable(file)?;
            let text = format!(
                "`on_denied` names `{file}`, which the target may write or replace ({}): what it writes there would \
                 run outside the sandbox",
                self.policy.rule(rule)
            );
            Some(Lint { kind: "alert", rule, text })
        };
        // A device is not replaced by what is written to it.
        let files = self.policy.alert_files.iter();
        let files = files.filter(|file| !file.as_path().starts_with("/dev"));
        files.filter_map(lint).collect()
    }
}

/// Presets are ours to keep tidy: only the user's own rules are remarked on.
fn is_judged(policy: &ResolvedPolicy, one: &Spelled) -> bool {
    policy.rule(one.rule).origin.is_user()
}

/// `/etc` is blocked except what exact allowed rules name inside it.
fn exceptions(policy: &ResolvedPolicy, decider: &mut Decider) -> Vec<Lint> {
    let mut pierced: BTreeMap<RuleId, BTreeMap<RuleId, AccessSet>> = BTreeMap::new();
    for one in &policy.spelled {
        let rule = policy.rule(one.rule);
        if rule.effect != Effect::Allowed || !one.is_exact {
            continue;
        }
        for access in rule.access.iter() {
            if let Some(block) = block_pierced_at(decider, &one.front, access) {
                let by_block = pierced.entry(block).or_default();
                let set = by_block.entry(one.rule).or_default();
                *set = set.with(access);
            }
        }
    }
    let lint = |(block, through): (RuleId, BTreeMap<RuleId, AccessSet>)| {
        let rule = policy.rule(block);
        let except = list_exceptions(policy, &through);
        let text = format!("`{}` ({}) is blocked except {except}", rule.pattern, rule.origin);
        Lint { kind: "exception", rule: block, text }
    };
    pierced.into_iter().map(lint).collect()
}

/// The exceptions by origin; of presets, those that exist here, since most of their paths are for other hosts.
fn list_exceptions(policy: &ResolvedPolicy, through: &BTreeMap<RuleId, AccessSet>) -> String {
    let mut by_origin: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut absent = 0;
    for (id, access) in through {
        let rule = policy.rule(*id);
        let exists = |one: &Spelled| one.rule == *id && one.is_at_front != AtFront::Nothing;
        if !rule.origin.is_user() && !policy.spelled.iter().any(exists) {
            absent += 1;
            continue;
        }
        by_origin
            .entry(rule.origin.to_string())
            .or_default()
            .push(format!("{access} `{}`", rule.pattern));
    }
    let list =
        |(origin, rules): (&String, &Vec<String>)| format!("{} ({origin})", rules.join(", "));
    let mut parts: Vec<String> = by_origin.iter().map(list).collect();
    if absent > 0 {
        parts.push(format!("{absent} paths of presets that do not exist here"));
    }
    parts.join("; ")
}

/// The deepest blocked rule that an exact allowed rule at `path` goes through.
fn block_pierced_at(decider: &mut Decider, path: &AbsPath, access: Access) -> Option<RuleId> {
    let state = decider.walk(path);
    if !decider.standing(state, access).is_exception() {
        return None;
    }
    let mut at = Some(path.clone());
    while let Some(path) = at {
        let state = decider.walk(&path);
        let is_block = |meaning| matches!(meaning, Meaning::BlockedExact | Meaning::BlockedWild);
        let block = decider
            .accepts(state)
            .find(|accept| is_block(accept.meaning) && accept.access.contains(access));
        if let Some(block) = block {
            return Some(block.rule);
        }
        at = path.parent();
    }
    None
}

/// An allowed path that a block shadows.
fn shadowed(policy: &ResolvedPolicy, one: &Spelled, decider: &mut Decider) -> Option<Lint> {
    let rule = policy.rule(one.rule);
    if rule.effect != Effect::Allowed {
        return None;
    }
    let state = decider.walk(one.real_front());
    // What blocks the front blocks everything beneath for this rule: only a deeper exact one would go through.
    let is_lost = |access: &Access| {
        let verdict = decider.decision(state).verdict(*access);
        verdict.rule().filter(|_| !verdict.is_allowed())
    };
    let (access, block) =
        rule.access.iter().find_map(|access| Some((access, is_lost(&access)?)))?;
    let text = format!(
        "`{}` ({}) can never allow {access}: {} is in the way",
        rule.pattern,
        rule.origin,
        policy.rule(block)
    );
    Some(Lint { kind: "shadowed", rule: one.rule, text })
}

/// A rule that allows `x` where nothing lets anything be read.
fn unread(policy: &ResolvedPolicy, one: &Spelled, decider: &mut Decider) -> Option<Lint> {
    let rule = policy.rule(one.rule);
    let is_of_execution =
        rule.access.contains(Access::Execute) && !rule.access.contains(Access::Read);
    if rule.effect != Effect::Allowed || !is_of_execution {
        return None;
    }
    let state = decider.walk_exactly(one.real_front());
    if decider.may_allow(state, Access::Read) {
        return None;
    }
    let text = format!(
        "`{}` ({}) allows x without r, which lets nothing be executed: write `access: rx`",
        rule.pattern, rule.origin
    );
    Some(Lint { kind: "unread", rule: one.rule, text })
}

/// A rule without which every decision would be the same.
fn redundant(policy: &ResolvedPolicy, one: &Spelled) -> Option<Lint> {
    let rule = policy.rule(one.rule);
    if !one.is_exact || rule.origin == (Origin::BuiltIn { part: Origin::DEFAULT }) {
        return None;
    }
    let without = policy.law.without(one.rule, one.real_front());
    let is_moot = |access: Access| {
        let (verdict, settled) = without[access.index()];
        settled
            && match rule.effect {
                Effect::Allowed => verdict.is_allowed(),
                Effect::Blocked | Effect::Guard => !verdict.is_allowed(),
            }
    };
    if !rule.access.iter().all(is_moot) {
        return None;
    }
    let first = rule.access.iter().next()?;
    let reason = policy.reason(without[first.index()].0);
    let text = format!("`{}` ({}) never matters: {reason}", rule.pattern, rule.origin);
    Some(Lint { kind: "redundant", rule: one.rule, text })
}

/// An allowed path behind a link that is not believed.
fn not_followed(policy: &ResolvedPolicy, one: &Spelled) -> Option<Lint> {
    let link = one.not_followed.as_ref()?;
    let rule = policy.rule(one.rule);
    let text = format!(
        "`{}` ({}) leads through the link `{link}`, which the target or anybody may change: it is not followed; name \
         the place that it leads to",
        rule.pattern, rule.origin
    );
    Some(Lint { kind: "link", rule: one.rule, text })
}

fn missing(policy: &ResolvedPolicy, one: &Spelled) -> Option<Lint> {
    let rule = policy.rule(one.rule);
    let made = || policy.create().any(|made| made.starts_with(one.real_front()));
    if rule.effect != Effect::Allowed || one.is_at_front != AtFront::Nothing || made() {
        return None;
    }
    let text = format!(
        "`{}` ({}): there is no `{}` (an allowed path with a trailing `/` is made before the start)",
        rule.pattern, rule.origin, one.front
    );
    Some(Lint { kind: "missing", rule: one.rule, text })
}

/// A Landlock rule on a file holds for the file, not for its name: an update that puts a new one there loses it. A
/// supervisor opens the new one, but cannot execute it.
fn replaceable(plan: &Plan, one: &Spelled, decider: &mut Decider) -> Option<Lint> {
    let rule = plan.policy.rule(one.rule);
    if rule.effect != Effect::Allowed || !one.is_exact || one.is_at_front != AtFront::Other {
        return None;
    }
    let parent = one.real_front().parent()?;
    let state = decider.walk(&parent);
    let is_lost = |access: &Access| !decider.decision(state).verdict(*access).is_allowed();
    let lost: AccessSet = rule.access.iter().filter(is_lost).collect();
    let (mode, lost) = match plan.is_supervised() {
        true if plan.loose.iter().any(|loose| parent.starts_with(&loose.path)) => return None,
        true => ("", lost.intersection(Access::Execute.into())),
        false => ("in kernel mode, ", lost),
    };
    if lost.is_empty() {
        return None;
    }
    let what = if lost.contains(Access::Execute) { "program" } else { "file" };
    let text = format!(
        "`{}` ({}) is a {what}: {mode}{lost} is lost when another {what} takes its place, until the next start",
        rule.pattern, rule.origin
    );
    Some(Lint { kind: "replaceable", rule: one.rule, text })
}
