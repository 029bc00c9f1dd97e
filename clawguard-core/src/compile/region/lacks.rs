//! What the walk tells about the places where Landlock alone falls short of the law, and which rules make it so.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::places::is_device;
use super::{CAUSES, Enforcer, Place, Stand, Walk, allows, sorted};
use crate::access::{Access, AccessSet};
use crate::compile::gap::{Gap, Lack};
use crate::compile::rights;
use crate::decide::{Accept, Meaning, RuleId, StateId, Verdict};

impl Walk<'_> {
    pub(super) fn missing(&mut self, place: &Place) {
        let access = self.may_allow(place.state);
        let allows = |accept: &Accept| access.iter().any(|access| allows(accept, access));
        let here = self.decider.accepts(place.state).filter(|accept| allows(accept));
        let mut causes: Vec<RuleId> = here.map(|accept| accept.rule).collect();
        causes.extend(self.decider.beneath(place.state, CAUSES, allows));
        self.lack_of_what_was_found(place, Lack::Missing, access, causes);
    }

    /// A file or a missing path without a rule. A supervisor opens it by its name, but cannot execute it.
    pub(super) fn lack_of_what_was_found(
        &mut self,
        place: &Place,
        lack: Lack,
        access: AccessSet,
        causes: Vec<RuleId>,
    ) {
        let causes = sorted(causes);
        let execute = AccessSet::from(Access::Execute);
        let opened = match self.enforcer {
            Enforcer::Kernel => access,
            Enforcer::Supervisor => access.difference(execute),
        };
        if !opened.is_empty() {
            self.shared_gap(place, lack, opened, Arc::clone(&causes));
        }
        let executed = access.difference(opened);
        if !executed.is_empty() && !place.is_loose {
            self.shared_gap(place, lack.of_a_program(), executed, causes);
        }
    }

    /// Removing and replacing a file is a right of its directory, which no rule on the file can give.
    pub(super) fn file_name(&mut self, place: &Place, allowed: AccessSet) {
        let may_be_replaced = place.inherited.contains(rights::entries(self.abi));
        if allowed.contains(Access::Write) && !may_be_replaced && !is_device(&place.path) {
            let causes = self.written_here(place.state);
            if !causes.is_empty() {
                self.gap(place, Lack::FileName, Access::Write.into(), causes);
            }
        }
    }

    /// The law may let the granted directory itself be removed; its rights cannot, they begin beneath it.
    pub(super) fn directory_name(&mut self, place: &Place, write: Stand) {
        let is_pinned =
            self.decider.accepts(place.state).any(|accept| accept.meaning == Meaning::Pin);
        let may_be_removed = place.entered_with.contains(rights::entries(self.abi));
        if write.allowed && !is_pinned && !self.decider.live(place.state).pins() && !may_be_removed
        {
            let causes = self.written_here(place.state);
            if !causes.is_empty() {
                self.gap(place, Lack::DirectoryName, Access::Write.into(), causes);
            }
        }
    }

    /// The rules that let this very path be written.
    fn written_here(&self, state: StateId) -> Vec<RuleId> {
        let here = |accept: &&Accept| allows(accept, Access::Write);
        self.decider.accepts(state).filter(here).map(|accept| accept.rule).collect()
    }

    /// A directory beneath which an access is decided in more than one way.
    pub(super) fn mixed(&mut self, place: &Place, access: Access, allowed: bool) {
        let lack = Lack::Mixed(access);
        let causes = self.causes(place.state, lack, |walk| {
            // What is executed must be read.
            let needed = (access == Access::Execute).then_some(Access::Read);
            let all = needed.into_iter().chain([access]);
            all.flat_map(|access| walk.mixing(place.state, access, allowed)).collect()
        });
        self.shared_gap(place, lack, access.into(), causes);
    }

    /// A directory that may not be loose: what is made in it later cannot be executed, though it be allowed.
    pub(super) fn later_programs(&mut self, place: &Place, read: Stand, execute: Stand) {
        let lack = Lack::Mixed(Access::Execute);
        let causes = self.causes(place.state, lack, |walk| {
            let mut causes = Vec::new();
            for (access, stand) in [(Access::Read, read), (Access::Execute, execute)] {
                if !stand.settled {
                    causes.extend(walk.mixing(place.state, access, stand.allowed));
                }
            }
            causes
        });
        self.shared_gap(place, lack, Access::Execute.into(), causes);
    }

    /// The rules that decide something beneath otherwise than here.
    fn mixing(&self, state: StateId, access: Access, allowed: bool) -> Vec<RuleId> {
        match allowed {
            true => self.decider.beneath(state, CAUSES, |accept| self.denies(accept, access)),
            // What nobody spells may be allowed only by a wildcard.
            false => self.decider.beneath_wildcards(state, CAUSES, |accept| allows(accept, access)),
        }
    }

    pub(super) fn entries_gap(&mut self, place: &Place, others: [Stand; 2]) {
        let causes = self.causes(place.state, Lack::Entries, |walk| {
            let mut causes: Vec<RuleId> = Vec::new();
            for (access, stand) in [Access::Read, Access::Execute].into_iter().zip(others) {
                if !stand.settled {
                    let differs = |accept: &Accept| match stand.allowed {
                        true => walk.denies(accept, access),
                        false => allows(accept, access),
                    };
                    causes.extend(walk.decider.beneath(place.state, CAUSES, differs));
                }
            }
            let is_pin = |accept: &Accept| accept.meaning == Meaning::Pin;
            causes.extend(walk.decider.beneath(place.state, CAUSES, is_pin));
            causes
        });
        self.shared_gap(place, Lack::Entries, Access::Write.into(), causes);
    }

    /// The rules that make a directory lack something: a matter of its state, and of many directories at once.
    fn causes(
        &mut self,
        state: StateId,
        lack: Lack,
        find: impl FnOnce(&Self) -> Vec<RuleId>,
    ) -> Arc<[RuleId]> {
        if let Some(causes) = self.known_causes.get(&(state, lack)) {
            return Arc::clone(causes);
        }
        let causes = sorted(find(self));
        self.known_causes.insert((state, lack), Arc::clone(&causes));
        causes
    }

    fn gap(&mut self, place: &Place, lack: Lack, access: AccessSet, causes: Vec<RuleId>) {
        self.shared_gap(place, lack, access, sorted(causes));
    }

    pub(super) fn shared_gap(
        &mut self,
        place: &Place,
        lack: Lack,
        access: AccessSet,
        causes: Arc<[RuleId]>,
    ) {
        let decision = self.decider.decision(place.state);
        let allowed_by = access
            .iter()
            .map(|access| decision.verdict(access))
            .find(|verdict| verdict.is_allowed())
            .and_then(Verdict::rule);
        self.out.gaps.push(Gap { path: place.path.clone(), lack, access, causes, allowed_by });
    }
}
