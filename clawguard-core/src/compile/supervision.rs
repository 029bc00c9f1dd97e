//! Whether a policy needs the supervisor, what the kernel must offer for it, and what has to stop for it.

#![forbid(unsafe_code)]

use super::filter::{self, DeniedCall};
use super::gap::{Gap, Lack};
use super::region::{Enforcer, Loose};
use super::traps::{TrappedCalls, Traps};
use super::{CompileError, Mode, Plan};
use crate::access::{Access, AccessSet};
use crate::kernel::{KernelSupport, Notification};
use crate::resolve::ResolvedPolicy;

impl ResolvedPolicy {
    /// Who enforces the policy in this mode.
    pub(super) fn enforcer(&self, mode: Mode) -> Enforcer {
        match mode {
            Mode::Kernel => Enforcer::Kernel,
            // Also where everything is allowed: `/proc` of processes outside never is.
            Mode::Auto | Mode::Supervised => Enforcer::Supervisor,
        }
    }

    /// Is anything to be written down? Denials are, unless the policy says otherwise (SPEC section 2).
    fn wants_a_journal(&self) -> bool {
        let logging = &self.logging;
        self.observe || logging.denials != Some(false) || logging.file_access || logging.commands
    }
}

/// Refuses a kernel that cannot hold the policy in this mode.
pub(super) fn require(
    kernel: &KernelSupport,
    mode: Mode,
    enforcer: Enforcer,
) -> Result<(), CompileError> {
    match (kernel.landlock_abi, mode) {
        (0, Mode::Auto | Mode::Supervised | Mode::Kernel) => return Err(CompileError::NoLandlock),
        (abi, Mode::Auto | Mode::Supervised) if abi < KernelSupport::FULL_ABI => {
            return Err(CompileError::OldLandlock { abi, missing: kernel.missing().join("; ") });
        }
        (_, Mode::Auto | Mode::Supervised | Mode::Kernel) => {}
    }
    match (enforcer, kernel.notification, kernel.forbids_tracing()) {
        (Enforcer::Kernel, _, _) => Ok(()),
        (Enforcer::Supervisor, Notification::Missing | Notification::Interruptible, _) => {
            Err(CompileError::NoNotification)
        }
        (Enforcer::Supervisor, Notification::Killable, Some(scope)) => {
            Err(CompileError::NoTracing { scope })
        }
        (Enforcer::Supervisor, Notification::Killable, None) => Ok(()),
    }
}

impl Plan {
    /// Does a supervisor answer what Landlock cannot judge?
    #[must_use]
    pub fn is_supervised(&self) -> bool {
        self.traps.is_some()
    }

    /// Does the supervisor see every open?
    pub(crate) fn traps_opens(&self) -> bool {
        self.traps.is_some_and(|traps| traps.opens)
    }

    /// Does the policy allow opening anything in a procfs? Landlock grants nothing there to the supervisor's target.
    fn opens_processes(&self) -> bool {
        self.gaps.iter().any(|gap| gap.lack == Lack::Processes)
    }

    /// Outside a procfs, does Landlock answer every open as the law does, so that the kernel may go on with it?
    pub(crate) fn holds_opens(&self) -> bool {
        self.loose.is_empty()
            && !self.is_cut_short
            && !self.gaps.iter().any(|gap| self.falls_short_of_opens(gap))
    }

    /// The directories in which Landlock grants more than the law, in the order of the walk.
    #[must_use]
    pub fn loose(&self) -> &[Loose] {
        &self.loose
    }

    /// What any loose directory leaves to the supervisor. Whatever is not in it, Landlock never grants beyond the law.
    pub(crate) fn loose_access(&self) -> AccessSet {
        self.loose.iter().fold(AccessSet::EMPTY, |all, loose| all.union(loose.access))
    }

    /// The families of system calls at which the target stops; none without a supervisor.
    #[must_use]
    pub fn trapped_calls(&self) -> Vec<TrappedCalls> {
        self.traps.map(Traps::describe).unwrap_or_default()
    }

    /// The system calls that the filter itself refuses.
    #[must_use]
    pub fn denied_calls(&self) -> Vec<DeniedCall> {
        filter::refused_calls(self.kernel.arch, self.traps.as_ref())
    }

    pub(super) fn needed_traps(&self, enforcer: Enforcer) -> Option<Traps> {
        match enforcer {
            Enforcer::Kernel => None,
            Enforcer::Supervisor => {
                let seen = self.policy.wants_a_journal();
                let logging = &self.policy.logging;
                let opens_seen =
                    self.policy.observe || logging.file_access || logging.denials != Some(false);
                let opens = opens_seen || !self.holds_opens() || self.opens_processes();
                let execs = seen || !self.loose.is_empty();
                let traps = Traps::new(opens, execs, self.kernel.landlock_abi)
                    .and_tracing(self.loose_access().contains(Access::Read));
                Some(traps.and_listens(self.policy.listen().map(|(listen, _)| listen)))
            }
        }
    }

    /// Does Landlock deny an open here that the law allows? What presets name and this host lacks, what they allow by
    /// a wildcard where nothing else is allowed, and their directories that the target itself removes, are left aside:
    /// they would make every open under every policy stop.
    pub(super) fn falls_short_of_opens(&self, gap: &Gap) -> bool {
        match gap.lack {
            Lack::Missing => self.is_made_by_user(gap),
            Lack::DirectoryName => self.is_users(gap),
            Lack::Mixed(Access::Read | Access::Write)
            | Lack::Entries
            | Lack::SecondName
            | Lack::FileName => gap.allowed_by.is_some() || self.is_made_by_user(gap),
            // The kernel goes on with no open there.
            Lack::Processes => false,
            // No open.
            Lack::Mixed(Access::Execute) | Lack::MissingProgram | Lack::SecondProgram => false,
        }
    }

    /// Does the supervisor do what Landlock denies here?
    pub(super) fn is_made_up_for(&self, gap: &Gap) -> bool {
        match gap.lack {
            // Entries are always the supervisor's.
            Lack::Entries | Lack::DirectoryName | Lack::FileName => self.is_supervised(),
            Lack::Mixed(Access::Read | Access::Write)
            | Lack::Missing
            | Lack::SecondName
            | Lack::Processes => self.traps_opens(),
            // It cannot execute for the target.
            Lack::Mixed(Access::Execute) | Lack::MissingProgram | Lack::SecondProgram => false,
        }
    }
}
