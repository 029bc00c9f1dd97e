//! Where a procfs is mounted: what lies in it is the target's, an outsider's or no process's, and only the supervisor
//! can tell (SPEC section 5). So Landlock grants nothing in it with a supervisor, and without one only what belongs to no
//! process.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStringExt;

use landlock::BitFlags;

use super::{Enforcer, Named, Place, Walk, allows, sorted};
use crate::access::{Access, AccessSet};
use crate::compile::gap::Lack;
use crate::compile::rights::{self, Rights};
use crate::decide::{Accept, Decider, RuleId, Verdict};
use crate::path::AbsPath;
use crate::policy::Case;
use crate::resolve::mounts::number;

impl Walk<'_> {
    /// Each procfs, and what of it may be opened. Nothing in it is a program: `/proc/PID/exe` leads to one elsewhere.
    pub(super) fn find_processes(&mut self) -> Vec<(AbsPath, AccessSet)> {
        let places: Vec<AbsPath> =
            self.policy.procfs.iter().map(|one| one.place().clone()).collect();
        let may_be_opened = |place: AbsPath| {
            let state = self.decider.walk_exactly(&place);
            let access = self.may_allow(state).difference(Access::Execute.into());
            (place, access)
        };
        places.into_iter().map(may_be_opened).collect()
    }

    pub(super) fn is_of_processes(&self, path: &AbsPath) -> bool {
        self.processes.iter().any(|(place, _)| place == path)
    }

    /// Does a procfs lie beneath, in which this access may be allowed?
    pub(super) fn has_processes(&self, path: &AbsPath, access: Access) -> bool {
        let is_beneath = |place: &AbsPath| place != path && place.starts_with(path);
        self.processes.iter().any(|(place, allowed)| allowed.contains(access) && is_beneath(place))
    }

    /// Is the child settled where the parent is not, since no procfs lies beneath it?
    pub(super) fn settles(&self, parent: &AbsPath, child: &AbsPath) -> bool {
        let any = |path| Access::ALL.into_iter().any(|access| self.has_processes(path, access));
        any(parent) && !any(child)
    }

    /// The top of a procfs.
    pub(super) fn processes(&mut self, place: &Place) {
        let opened = self.may_allow(place.state).difference(Access::Execute.into());
        if opened.is_empty() {
            return;
        }
        let allows = |accept: &Accept| opened.iter().any(|access| allows(accept, access));
        let here = self.decider.accepts(place.state).filter(|accept| allows(accept));
        let mut causes: Vec<RuleId> = here.map(|accept| accept.rule).collect();
        causes.extend(self.decider.beneath(place.state, super::CAUSES, allows));
        let decision = self.decider.decision(place.state);
        let verdicts = opened.iter().map(|access| decision.verdict(access));
        causes.extend(verdicts.filter(|one| one.is_allowed()).filter_map(Verdict::rule));
        self.shared_gap(place, Lack::Processes, opened, sorted(causes));
        match self.enforcer {
            Enforcer::Kernel if self.is_whole(&place.path) => self.of_no_process(place),
            Enforcer::Supervisor | Enforcer::Kernel => {}
        }
    }

    /// Is it a whole procfs that is mounted here, and not what one process has in it?
    fn is_whole(&self, path: &AbsPath) -> bool {
        let here = self.policy.procfs.iter().filter(|one| one.place() == path);
        here.filter_map(|one| one.first(path)).all(|name| number(name).is_none())
    }

    /// What the kernel lets the process read that becomes the command: its own, where nothing in `/proc` is denied.
    pub(super) fn own_process(&self) -> Rights {
        let Some((place, _)) = self.processes.first() else { return BitFlags::EMPTY };
        let mut decider = Decider::new(std::sync::Arc::clone(&self.policy.law));
        let state = decider.walk_exactly(place);
        let is_read = decider.decision(state).verdict(Access::Read).is_allowed()
            && decider.is_settled(state, Access::Read, self.enforcer.guards());
        match self.enforcer {
            Enforcer::Kernel if is_read => rights::contents(Access::Read.into(), self.abi),
            Enforcer::Kernel | Enforcer::Supervisor => BitFlags::EMPTY,
        }
    }

    /// What has no number for a name. Links (`self`, `net`, `mounts`) lead to processes, and get nothing.
    fn of_no_process(&mut self, place: &Place) {
        let entries = std::fs::read_dir(&place.path).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_vec());
        let mut names: Vec<Vec<u8>> = names.filter(|name| number(name).is_none()).collect();
        names.sort_unstable();
        for name in names {
            self.child(place, &name, Case::Sensitive, Named::Found);
        }
    }
}
