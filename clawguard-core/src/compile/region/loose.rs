//! The one loose place (SPEC section 6): directories in which Landlock lets be read and executed what the law may
//! deny, since a program that is made later could not be executed otherwise.
//!
//! Only where the supervisor answers every open that the looseness could serve.

#![forbid(unsafe_code)]

use std::sync::Arc;

use landlock::AccessFs;

use super::places::is_made_by_the_kernel;
use super::{CAUSES, Enforcer, Place, Stand, Walk, sorted};
use crate::access::{Access, AccessSet};
use crate::compile::rights::Rights;
use crate::decide::{Accept, RuleId};
use crate::path::AbsPath;

/// A directory in which Landlock grants more than the law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loose {
    /// The directory; what lies beneath it is as loose.
    pub path: AbsPath,
    /// What is granted beyond the law: `x` alone, where `r` holds for everything beneath, or both.
    pub access: AccessSet,
    /// The rules that deny it somewhere beneath: only the supervisor holds them.
    pub blocks: Arc<[RuleId]>,
    /// The rule that allows execution here.
    pub(crate) allowed_by: Option<RuleId>,
}

impl Loose {
    /// What only the supervisor holds here, in words.
    pub(crate) fn describe(&self) -> String {
        let words = |access: Access| match access {
            Access::Read => "reading",
            Access::Write => "writing",
            Access::Execute => "executing",
        };
        let what: Vec<&str> = self.access.iter().map(words).collect();
        format!("{} what is denied in `{}`", what.join(" and "), self.path)
    }
}

/// What lets a file be executed.
pub(super) fn program() -> Rights {
    AccessFs::Execute | AccessFs::ReadFile
}

impl Walk<'_> {
    /// Are there programs beneath that the rights so far let nobody execute, although they may be allowed to be? What
    /// is there at the start can be visited.
    pub(super) fn seeks_programs(&self, place: &Place) -> bool {
        match self.enforcer {
            Enforcer::Kernel => false,
            Enforcer::Supervisor => {
                !place.inherited.contains(program())
                    && !is_made_by_the_kernel(&place.path)
                    && self.may_allow(place.state).contains(Access::Execute)
            }
        }
    }

    /// Would a visit make this directory loose?
    pub(super) fn would_be_loose(&self, place: &Place) -> bool {
        let is_allowed = self.decider.decision(place.state).verdict(Access::Execute).is_allowed();
        self.seeks_programs(place) && is_allowed && self.may_be_loose(&place.path)
    }

    /// Makes the directory loose if it must be to let what is in it be executed, and may be.
    pub(super) fn loosen(&mut self, place: &mut Place, stand: [Stand; 3], own: &mut Rights) {
        let [read, _, execute] = stand;
        let holds = |stand: Stand| stand.allowed && stand.settled;
        let with_own = Place { inherited: place.inherited | *own, ..place.clone() };
        if (holds(read) && holds(execute)) || !self.would_be_loose(&with_own) {
            return;
        }
        let pairs = [(Access::Read, read), (Access::Execute, execute)];
        let access: AccessSet = pairs
            .into_iter()
            .filter(|(_, stand)| !holds(*stand))
            .map(|(access, _)| access)
            .collect();
        *own |= program();
        place.is_loose = true;
        let blocks = self.blocks(place, access);
        let allowed_by = self.decider.decision(place.state).verdict(Access::Execute).rule();
        self.out.loose.push(Loose { path: place.path.clone(), access, blocks, allowed_by });
    }

    /// The rules that deny any of these accesses here or beneath. Which accesses they are depends on the state alone.
    fn blocks(&mut self, place: &Place, access: AccessSet) -> Arc<[RuleId]> {
        if let Some(blocks) = self.known_blocks.get(&place.state) {
            return Arc::clone(blocks);
        }
        let is_block = |accept: &Accept| access.iter().any(|access| self.denies(accept, access));
        let mut blocks = self.decider.beneath(place.state, CAUSES, is_block);
        let decision = self.decider.decision(place.state);
        let here = access.iter().map(|access| decision.verdict(access));
        blocks.extend(here.filter(|verdict| !verdict.is_allowed()).filter_map(|one| one.rule()));
        let blocks = sorted(blocks);
        self.known_blocks.insert(place.state, Arc::clone(&blocks));
        blocks
    }

    /// Never the root, the home directory or what it lies in: too much that is secret lies beneath them.
    fn may_be_loose(&self, path: &AbsPath) -> bool {
        *path != AbsPath::root()
            && !is_made_by_the_kernel(path)
            && !self.homes.iter().any(|home| home.starts_with(path))
    }
}
