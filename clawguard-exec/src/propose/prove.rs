//! A proposal is tried before anybody sees it: read, resolved, and asked by the decider.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use clawguard_core::{AbsPath, AccessSet, Decider, Host, Move, Moved, Verdict};

use super::places::may_stand;
use super::shape::Unit;
use super::{Kept, Level, Line, Present, Proposal, denied};
use crate::exit::{Exit, Failure};
use crate::known;

/// How often lines are changed for the sake of moves.
const ATTEMPTS: usize = 8;

/// Changes the lines until both ends of each move are allowed alike; returns the moves for which that cannot be.
pub(super) fn settle_moves(
    units: &mut Vec<Unit>,
    moves: &[Move],
    host: &Host,
    present: &Present,
    presets: &[&'static str],
    level: Level,
) -> Result<Vec<Move>, Failure> {
    for _ in 0..ATTEMPTS {
        let mut decider = decider(units, host, present, presets)?;
        let bad: Vec<&Move> = moves.iter().filter(|one| !is_possible(one, &mut decider)).collect();
        let mut changed = false;
        for one in &bad {
            changed |= level != Level::Files && even_out(units, one, host, &mut decider);
        }
        if !changed {
            return Ok(bad.into_iter().cloned().collect());
        }
    }
    let mut decider = decider(units, host, present, presets)?;
    Ok(moves.iter().filter(|one| !is_possible(one, &mut decider)).cloned().collect())
}

fn decider(
    units: &[Unit],
    host: &Host,
    present: &Present,
    presets: &[&'static str],
) -> Result<Decider, Failure> {
    let lines: Vec<Line> = units.iter().map(|unit| unit.line(host)).collect();
    Ok(present.resolve_with(host, presets, &lines)?.decider())
}

/// Can this be moved as it was? The supervisor's own questions (SPEC section 5, `rename`). A move of which an end is
/// not allowed at all is told with what was refused.
fn is_possible(one: &Move, decider: &mut Decider) -> bool {
    let (from, to) = (allowed(decider, &one.from), allowed(decider, &one.to));
    let writes = |set: AccessSet| set.contains(clawguard_core::Access::Write);
    if !writes(from) || !writes(to) {
        return true;
    }
    match one.what {
        Moved::File => from == to,
        Moved::Directory => from == to && decider.may_move_directory(&one.from, &one.to),
    }
}

fn allowed(decider: &mut Decider, path: &AbsPath) -> AccessSet {
    let decision = decider.decide(path);
    AccessSet::ALL.iter().filter(|one| decision.verdict(*one).is_allowed()).collect()
}

/// Gives both ends what either has, or one directory that both lie in.
fn even_out(units: &mut Vec<Unit>, one: &Move, host: &Host, decider: &mut Decider) -> bool {
    let (from, to) = (allowed(decider, &one.from), allowed(decider, &one.to));
    let both = from.union(to);
    let mut changed = false;
    for end in [&one.from, &one.to] {
        for unit in units.iter_mut().filter(|unit| end.starts_with(&unit.path)) {
            changed |= unit.access != both.union(unit.access);
            unit.access = unit.access.union(both);
        }
    }
    if changed {
        return true;
    }
    let common = one.from.as_path().ancestors().skip(1).find(|at| one.to.as_path().starts_with(at));
    let common = common.and_then(|at| {
        use std::os::unix::ffi::OsStrExt;
        AbsPath::parse(at.as_os_str().as_bytes()).ok()
    });
    let Some(common) = common.filter(|at| may_stand(at, both, host)) else { return false };
    let ends = |unit: &Unit| {
        unit.path != common
            && [&one.from, &one.to].into_iter().any(|end| end.starts_with(&unit.path))
    };
    let (joined, others): (Vec<Unit>, Vec<Unit>) = units.drain(..).partition(ends);
    *units = others;
    let Some(joined) = joined.into_iter().reduce(|mut all, unit| {
        all.absorb(unit);
        all
    }) else {
        return false;
    };
    units.push(joined.raised(common));
    units.sort_by(|a, b| a.path.cmp(&b.path));
    true
}

/// What its owner allows by name; and what is blocked, everything else being allowed.
pub(super) struct Deciders<'a> {
    pub(super) named: &'a mut Decider,
    pub(super) blocks: &'a mut Decider,
}

/// Refuses a proposal that does not allow what it is for, or allows what it must not.
pub(super) fn prove(
    proposal: &Proposal,
    kept: &Kept<'_>,
    existing: &[known::Present],
    host: &Host,
    present: &Present,
    deciders: &mut Deciders<'_>,
) -> Result<(), Failure> {
    let fail = |what: Unproven| Err(Failure::new(Exit::Ours, what));
    let mut before = present.resolve(host)?.decider();
    let mut after = present.resolve_with(host, &proposal.presets, &proposal.lines)?.decider();
    for one in kept.values() {
        let missing = denied(&mut after, one);
        if !missing.is_empty() {
            return fail(Unproven::Denied { path: one.path.clone(), access: missing });
        }
    }
    let refused: BTreeSet<(&AbsPath, AccessSet)> =
        proposal.refused.iter().map(|one| (&one.wanted.path, one.wanted.access)).collect();
    let secrets =
        existing.iter().flat_map(|one| one.paths.iter().map(move |path| (path, one.secret.access)));
    for (path, access) in secrets.chain(refused) {
        let (old, new) = (before.decide(path), after.decide(path));
        let opened: AccessSet = access
            .iter()
            .filter(|one| new.verdict(*one).is_allowed() && !old.verdict(*one).is_allowed())
            .collect();
        // `--allow` of this run names what its owner wants.
        let named = deciders.named.decide(path);
        let wants = |one| named.verdict(one).is_allowed();
        if !opened.is_empty() && !opened.iter().all(wants) {
            return fail(Unproven::Opened { path: path.clone(), access: opened });
        }
    }
    for line in &proposal.lines {
        let decision = deciders.blocks.decide(&line.path);
        let blocked: AccessSet = line
            .access
            .iter()
            .filter(|one| matches!(decision.verdict(*one), Verdict::Denied(_)))
            .collect();
        if !blocked.is_empty() {
            return fail(Unproven::Pierced { path: line.path.clone(), access: blocked });
        }
    }
    Ok(())
}

/// Why a proposal is none. Each of these is a mistake of clawguard.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    #[error("nothing is proposed: `{path}` would still be denied for {access}; please report this")]
    Denied { path: AbsPath, access: AccessSet },
    #[error("nothing is proposed: `{path}` would be opened for {access}; please report this")]
    Opened { path: AbsPath, access: AccessSet },
    #[error(
        "nothing is proposed: a line would go through the block of `{path}` for {access}; please report this"
    )]
    Pierced { path: AbsPath, access: AccessSet },
}
