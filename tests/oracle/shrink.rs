//! A disagreement made small: fewer operations, then fewer rules, then a smaller tree, as long as it still disagrees.

#![forbid(unsafe_code)]

use crate::run::{Case, Disagreement};

/// Plays, at most: each costs two processes and a start of the shim.
const PLAYS: usize = 600;

pub(crate) fn shrink(
    case: Case,
    seen: Disagreement,
    mut play: impl FnMut(&Case) -> Option<Disagreement>,
) -> (Case, Disagreement) {
    let mut best = (case, seen);
    let mut left = PLAYS;
    let mut is_smaller = true;
    while is_smaller && left > 0 {
        is_smaller = false;
        is_smaller |= reduce(&mut best, &mut left, &mut play, |case| &mut case.operations);
        is_smaller |= reduce(&mut best, &mut left, &mut play, |case| &mut case.others);
        is_smaller |= reduce(&mut best, &mut left, &mut play, |case| &mut case.entries);
        if !best.0.others.is_empty() {
            is_smaller |= reduce(&mut best, &mut left, &mut play, |case| &mut case.others[0]);
        }
        is_smaller |= reduce(&mut best, &mut left, &mut play, |case| &mut case.nodes);
    }
    best
}

/// Takes out runs of items, long ones first.
fn reduce<T>(
    best: &mut (Case, Disagreement),
    left: &mut usize,
    play: &mut impl FnMut(&Case) -> Option<Disagreement>,
    part: impl Fn(&mut Case) -> &mut Vec<T>,
) -> bool {
    let mut is_smaller = false;
    let mut length = part(&mut best.0).len().div_ceil(2);
    while length > 0 {
        // From the end: what comes first is most often what the rest stands on.
        let mut end = part(&mut best.0).len();
        while end > 0 && *left > 0 {
            let start = end.saturating_sub(length);
            let mut candidate = best.0.clone();
            part(&mut candidate).drain(start..end);
            *left -= 1;
            if let Some(seen) = play(&candidate) {
                *best = (candidate, seen);
                is_smaller = true;
            }
            end = start.min(part(&mut best.0).len());
        }
        length /= 2;
    }
    is_smaller
}
