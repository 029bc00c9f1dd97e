//! From what a command wanted to the smallest readable policy that allows it: for `learn`, which saw everything, and
//! for `log --suggest`, which saw denials.
//!
//! Proposes and never decides: what is proposed is read, resolved and asked like any policy before anybody sees it
//! ([`prove`]). It must never propose a secret, what a block names, or a line wider than its level.

#![forbid(unsafe_code)]

mod diff;
mod dotenv;
mod edit;
mod names;
mod option;
mod places;
mod present;
mod prove;
mod shape;
mod spell;

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use clawguard_core::{
    AbsPath, Access, AccessSet, Decider, Host, Move, Origin, Pattern, Place, Policy,
    ResolvedPolicy, RuleId, Verdict,
};

pub(crate) use self::edit::Edited;
pub(crate) use self::option::{Asked, option};
pub(crate) use self::present::Present;
pub(crate) use self::spell::{entry, pattern};
use crate::exit::Failure;
use crate::known::{self, Secret, Secrets};

/// How far a line may reach beyond what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Every path by itself. Names that the command makes up are denied the next time
    Files,
    /// A directory for what was made, removed or run in it under names made up anew, and for more than three paths
    /// in it
    #[default]
    Directories,
    /// The highest directory that may stand for a path: a whole project, a whole directory of settings
    Trees,
}

/// What a command wanted of one path.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) path: AbsPath,
    pub(crate) access: AccessSet,
    pub(crate) count: u64,
    /// The system calls.
    pub(crate) operations: BTreeSet<String>,
    /// The names of the processes, in any bytes.
    pub(crate) commands: BTreeSet<Vec<u8>>,
}

/// Everything that a proposal rests on.
pub(crate) struct Evidence<'a> {
    pub(crate) wanted: &'a [Wanted],
    pub(crate) moves: &'a [Move],
    pub(crate) host: &'a Host,
    /// The policy as it stands.
    pub(crate) present: &'a Present,
    /// Whose blocks count, and whose allowed paths are its owner's word: the policy as it stands, with `--allow` and
    /// `--block` of this very run.
    pub(crate) own: &'a Policy,
    pub(crate) level: Level,
}

/// One line of a proposal.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The path that it stands for, where it has no wildcard.
    pub(crate) path: AbsPath,
    /// In the words of a policy.
    pub(crate) pattern: Vec<u8>,
    pub(crate) access: AccessSet,
    pub(crate) count: u64,
    pub(crate) operations: BTreeSet<String>,
    pub(crate) commands: BTreeSet<Vec<u8>>,
    /// The paths that it was made for.
    pub(crate) paths: usize,
}

/// What was wanted and is not proposed.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) wanted: Wanted,
    pub(crate) reason: Reason,
    /// What an `--allow` would name to go through the block: the highest directory inside it that a line may stand for.
    pub(crate) through: Option<AbsPath>,
}

/// Why it is not.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    /// It is a secret, or lies in one.
    Secret(&'static Secret),
    /// A rule blocks it: in words, with its place.
    Blocked(String),
    /// Whatever allows it allows too much: in words, why.
    TooWide(&'static str),
}

/// A policy that allows what was wanted, as far as it may.
pub(crate) struct Proposal {
    pub(crate) lines: Vec<Line>,
    /// Presets to add.
    pub(crate) presets: Vec<&'static str>,
    pub(crate) refused: Vec<Refused>,
    /// Moves that the next run cannot do: one end is allowed otherwise than the other.
    pub(crate) moves: Vec<Move>,
    /// The policy's new text and the difference; none where there is nothing to add.
    pub(crate) edited: Option<Edited>,
}

/// Proposes.
///
/// # Errors
/// Where the present policy cannot be read or resolved again, or the proposal does not hold what it must: then it is
/// none.
pub(crate) fn propose(evidence: Evidence<'_>) -> Result<Proposal, Failure> {
    let Evidence { wanted, moves, host, present, own, level } = evidence;
    let mut decider = present.resolve(host)?.decider();
    let held = with_everything(own)?.resolve(host)?;
    let mut blocks = held.decider();
    let told = |rule| present.told(held.rule(rule));
    let named_policy = own.clone().resolve(host)?;
    let mut named = named_policy.decider();
    let mut secrets = Secrets::new(host)?;
    let mut existing = known::present(host);
    existing.push(dotenv::present(host, wanted));
    let mut refused = Vec::new();
    let mut open = Vec::new();
    for one in wanted.iter().map(readable) {
        let missing = denied(&mut decider, &one);
        if missing.is_empty() {
            continue;
        }
        let one = Wanted { access: missing, ..one };
        match refuse(&one, &mut secrets, &mut named, &mut blocks, &told) {
            Some(reason) => {
                let is_blocked = matches!(reason, Reason::Blocked(_));
                let through = is_blocked.then(|| through(&one, host, &mut blocks, &mut secrets));
                refused.push(Refused { wanted: one, reason, through });
            }
            None => open.push(one),
        }
    }
    let mut plain = with_everything(&present.policy()?)?.resolve(host)?.decider();
    let opened = opened_by_option(&named_policy, &mut plain);
    let limits = shape::Limits {
        opened: &opened,
        host,
        existing: &existing,
        named: &mut named,
        blocks: &mut blocks,
        plain: &mut plain,
        level,
    };
    let shape::Shaped { mut units, too_wide } = shape::shape(&open, moves, limits);
    refused.extend(too_wide.iter().map(|(wanted, why)| Refused {
        wanted: wanted.clone(),
        reason: Reason::TooWide(why),
        through: None,
    }));
    let left_out: BTreeSet<&AbsPath> = too_wide.iter().map(|(wanted, _)| &wanted.path).collect();
    let kept: Kept<'_> = open
        .iter()
        .filter(|one| !left_out.contains(&one.path))
        .map(|one| (&one.path, one))
        .collect();
    let presets = present.worth_adding(host, &kept, &units)?;
    if !presets.is_empty() {
        let mut decider = present.resolve_with(host, &presets, &[])?.decider();
        units.retain(|unit| !unit.is_allowed(&mut decider, &kept));
    }
    let unmoved = prove::settle_moves(&mut units, moves, host, present, &presets, level)?;
    let lines: Vec<Line> = units.iter().map(|unit| unit.line(host)).collect();
    let edited = match (lines.as_slice(), presets.as_slice()) {
        ([], []) => None,
        (lines, presets) => Some(present.edited(host, presets, lines)?),
    };
    let proposal = Proposal { lines, presets, refused, moves: unmoved, edited };
    let mut deciders = prove::Deciders { named: &mut named, blocks: &mut blocks };
    prove::prove(&proposal, &kept, &existing, host, present, &mut deciders)?;
    Ok(proposal)
}

/// What a proposal must allow, by path.
type Kept<'a> = BTreeMap<&'a AbsPath, &'a Wanted>;

/// The kernel reads what it executes.
fn readable(wanted: &Wanted) -> Wanted {
    let mut wanted = wanted.clone();
    if wanted.access.contains(Access::Execute) {
        wanted.access = wanted.access.with(Access::Read);
    }
    wanted
}

/// The `.env` files in the tree of the working directory.
pub(crate) fn dotenvs(host: &Host) -> Vec<AbsPath> {
    dotenv::present(host, &[]).paths
}

/// The highest directory inside a block that one line may stand for, or the path itself: what a program keeps is in a
/// directory of its own, and a lesson for each file of it would be one too many.
fn through(wanted: &Wanted, host: &Host, blocks: &mut Decider, secrets: &mut Secrets) -> AbsPath {
    let mut found = wanted.path.clone();
    let mut at = wanted.path.parent();
    while let Some(above) = at {
        at = above.parent();
        let decision = blocks.decide(&above);
        let is_inside = |access| matches!(decision.verdict(access), Verdict::Denied(_));
        let is_secret = wanted.access.iter().any(|access| secrets.find(&above, access).is_some());
        if !wanted.access.iter().all(is_inside) {
            break;
        }
        if places::may_stand(&above, wanted.access, host) && !is_secret {
            found = above;
        }
    }
    found
}

/// The directories inside blocks that `--allow` of this very run names: whatever was wanted in one, its owner has
/// opened it as a whole.
fn opened_by_option(own: &ResolvedPolicy, plain: &mut Decider) -> Vec<AbsPath> {
    let is_option =
        |origin: &Origin| matches!(origin, Origin::CommandLine { option } if *option == "--allow");
    let places = own.allowed_places().filter(|(id, place)| {
        let text = own.rule(*id).pattern.text();
        let is_wild = text.iter().any(|byte| b"*?[".contains(byte));
        is_option(&own.rule(*id).origin) && !is_wild && place.as_path().is_dir()
    });
    let is_blocked = |place: &AbsPath| {
        let decision = plain.decide(place);
        Access::ALL.into_iter().any(|one| matches!(decision.verdict(one), Verdict::Denied(_)))
    };
    places.map(|(_, place)| place.clone()).filter(is_blocked).collect()
}

/// The accesses that a policy does not allow.
fn denied(decider: &mut Decider, wanted: &Wanted) -> AccessSet {
    let decision = decider.decide(&wanted.path);
    wanted.access.iter().filter(|access| !decision.verdict(*access).is_allowed()).collect()
}

/// Where nothing is allowed a decision does not look at the blocks: so that they are seen, everything is allowed that
/// they do not name. The rule is no exact one and goes through none of them.
pub(crate) fn with_everything(policy: &Policy) -> Result<Policy, Failure> {
    let mut policy = policy.clone();
    let everything = Pattern::parse(b"/**", Place::File)?;
    policy.allow(everything, AccessSet::ALL, Origin::BuiltIn { part: "learn" });
    Ok(policy)
}

/// Blocks first: they are the owner's own word.
fn refuse(
    wanted: &Wanted,
    secrets: &mut Secrets,
    named: &mut Decider,
    blocks: &mut Decider,
    told: &dyn Fn(RuleId) -> String,
) -> Option<Reason> {
    let decision = blocks.decide(&wanted.path);
    for access in wanted.access.iter() {
        if let Verdict::Denied(rule) = decision.verdict(access) {
            return Some(Reason::Blocked(told(rule)));
        }
    }
    // `--allow` of this very run is its owner's word too.
    let open = denied(named, wanted);
    let found = open.iter().find_map(|access| {
        secrets.find(&wanted.path, access).or_else(|| dotenv::find(&wanted.path, access))
    });
    found.map(Reason::Secret)
}

#[cfg(test)]
mod tests;
