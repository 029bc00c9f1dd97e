//! What SPEC section 5 asks about everything that may ever lie beneath a directory: may it move, may a link stand there.

#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

use crate::law::{ACCESSES, Access, Component, Effect, Law, Name, Rule};

/// What a rule can still match beneath a path: the components that are left, and whether the path is in its tree.
type Left = (BTreeSet<usize>, bool);

/// What was said of a path for one access: is it covered, is every deepest block wild, and how `e` stands to `b`.
type Said = (bool, bool, Option<Ordering>);

/// "a fresh sibling (a name that occurs in no pattern)"
const FRESH: &[u8] = b"fresh-1c9f";

fn left(rule: &Rule, path: &[Name]) -> Left {
    let skip_stars = |positions: BTreeSet<usize>| {
        let mut all = positions.clone();
        for start in positions {
            let mut at = start;
            while rule.components.get(at) == Some(&Component::Stars) {
                at += 1;
                all.insert(at);
            }
        }
        all
    };
    let ends =
        |positions: &BTreeSet<usize>| rule.is_tree && positions.contains(&rule.components.len());
    let mut positions = skip_stars(BTreeSet::from([0]));
    let mut is_inside = ends(&positions);
    for name in path {
        let step = |at: &usize| match rule.components.get(*at) {
            Some(stars @ Component::Stars) => stars.matches(name, rule.effect).then_some(*at),
            Some(units) => units.matches(name, rule.effect).then_some(at + 1),
            None => None,
        };
        positions = skip_stars(positions.iter().filter_map(step).collect());
        is_inside |= ends(&positions);
    }
    (positions, is_inside)
}

impl Law {
    /// "no path beneath it, existing or future, may be decided differently at its new place"
    pub(crate) fn is_same_beneath(&self, old: &[Name], new: &[Name]) -> bool {
        let names = self.representatives();
        let mut seen = HashSet::new();
        let mut open = vec![(old.to_vec(), new.to_vec())];
        while let Some((old, new)) = open.pop() {
            // Two places where the same is left and the same was said cannot come apart further down.
            if !seen.insert((self.standing(&old), self.standing(&new))) {
                continue;
            }
            for name in &names {
                let child = |path: &[Name]| [path, std::slice::from_ref(name)].concat();
                let (old, new) = (child(&old), child(&new));
                if ACCESSES
                    .iter()
                    .any(|access| self.decide(*access, &old) != self.decide(*access, &new))
                {
                    return false;
                }
                open.push((old, new));
            }
        }
        true
    }

    /// "the blocked rules that can still match beneath it must be those that can match beneath a fresh sibling": what is
    /// left of each must be the same, since a rule that goes on everywhere (`**/a/**`) may match more at one place.
    pub(crate) fn is_like_a_fresh_sibling(&self, path: &[Name]) -> bool {
        let Some((_, parent)) = path.split_last() else { return false };
        let fresh = [parent, &[FRESH.to_vec()]].concat();
        let unfinished = |rule: &Rule, path: &[Name]| {
            let (mut positions, is_inside) = left(rule, path);
            positions.retain(|at| *at < rule.components.len());
            (positions, is_inside)
        };
        let mut blocked = self.rules.iter().filter(|rule| rule.effect != Effect::Allowed);
        blocked.all(|rule| unfinished(rule, path) == unfinished(rule, &fresh))
    }

    /// Is the same left of every rule?
    pub(crate) fn is_left_alike(&self, old: &[Name], new: &[Name]) -> bool {
        self.rules.iter().all(|rule| left(rule, old) == left(rule, new))
    }

    /// All that later decisions beneath a path can depend on.
    fn standing(&self, path: &[Name]) -> Vec<(Left, Vec<Said>)> {
        let said = |rule: &Rule| {
            let deepest = |access: &Access| self.depths(*access, path);
            let is_covered = (0..=path.len()).any(|depth| rule.matches(&path[..depth]));
            let one = |access: &Access| {
                let (b, e, all_wild) = deepest(access);
                (is_covered, all_wild, b.map(|b| e.cmp(&Some(b))))
            };
            ACCESSES.iter().map(one).collect()
        };
        self.rules.iter().map(|rule| (left(rule, path), said(rule))).collect()
    }

    /// `b`, `e`, and whether every block at `b` has a wildcard.
    fn depths(&self, access: Access, path: &[Name]) -> (Option<usize>, Option<usize>, bool) {
        let rules = |effect: Effect| {
            self.rules
                .iter()
                .filter(move |rule| rule.effect == effect && rule.accesses.contains(&access))
        };
        let b = (0..=path.len())
            .rev()
            .find(|depth| rules(Effect::Blocked).any(|rule| rule.matches(&path[..*depth])));
        let e = (0..=path.len()).rev().find(|depth| {
            rules(Effect::Allowed).any(|rule| rule.is_exact() && rule.matches(&path[..*depth]))
        });
        let at_b = |b: usize| rules(Effect::Blocked).filter(move |rule| rule.matches(&path[..b]));
        let all_wild = b.is_some_and(|b| at_b(b).all(|rule| !rule.is_exact()));
        (b, e, all_wild)
    }

    /// A name for each way in which the components of the policy can match a name.
    pub(crate) fn representatives(&self) -> Vec<Name> {
        let mut kinds: Vec<(&Component, Effect)> = Vec::new();
        for rule in &self.rules {
            for component in &rule.components {
                if !kinds.contains(&(component, rule.effect)) {
                    kinds.push((component, rule.effect));
                }
            }
        }
        let mut pool: Vec<Name> = vec![FRESH.to_vec(), b".fresh".to_vec()];
        pool.extend(self.rules.iter().filter_map(Rule::literal).flatten());
        pool.extend(
            self.rules
                .iter()
                .flat_map(|rule| rule.components.iter().filter_map(Component::literal)),
        );
        let letters = b"abst.e zx";
        for length in 1..=3 {
            for number in 0..letters.len().pow(length) {
                let digit = |place: u32| letters[number / letters.len().pow(place) % letters.len()];
                pool.push((0..length).map(digit).collect());
            }
        }
        let mut seen = HashSet::new();
        pool.retain(|name| {
            let matched: Vec<bool> =
                kinds.iter().map(|(component, effect)| component.matches(name, *effect)).collect();
            !matches!(&name[..], b"." | b"..") && seen.insert(matched)
        });
        pool
    }
}
