//! What the process that will be confined does to itself, in this order. System calls only: it also runs between
//! fork and exec, where nothing may be allocated and no lock taken.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use landlock::{
    AccessFs, BitFlags, PathBeneath, RestrictSelfError, RulesetCreated, RulesetCreatedAttr,
    RulesetError, RulesetStatus,
};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::BpfProgram;

use super::attempt::Attempts;
use super::reach::is_out_of_reach;
use crate::sys;

/// A step of confining oneself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Marking inherited descriptors close-on-exec.
    CloseDescriptors,
    /// Emptying the bounding and ambient capability sets.
    DropBoundingSet,
    /// Emptying the effective, permitted and inheritable capability sets.
    DropCapabilities,
    /// Setting no_new_privs.
    NoNewPrivileges,
    /// Setting the limit of core dumps to 0.
    NoCoreDumps,
    /// Entering the Landlock domain.
    Landlock,
    /// Installing the seccomp programs.
    Seccomp,
    /// Checking that signals do not reach processes outside.
    OutOfReach,
    /// Installing the seccomp program that asks the supervisor.
    Listener,
    /// Giving the supervisor what is asked.
    HandOver,
}

impl Step {
    const ALL: [Step; 10] = [
        Step::CloseDescriptors,
        Step::DropBoundingSet,
        Step::DropCapabilities,
        Step::NoNewPrivileges,
        Step::NoCoreDumps,
        Step::Landlock,
        Step::Seccomp,
        Step::OutOfReach,
        Step::Listener,
        Step::HandOver,
    ];

    /// The number by which a child tells its parent.
    pub(super) fn number(self) -> u8 {
        // There are ten.
        Step::ALL
            .iter()
            .position(|step| *step == self)
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or(u8::MAX)
    }

    pub(super) fn from_number(number: u8) -> Option<Step> {
        Step::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::CloseDescriptors => "closing inherited descriptors",
            Step::DropBoundingSet => "emptying the capability bounding set",
            Step::DropCapabilities => "dropping capabilities",
            Step::NoNewPrivileges => "setting no_new_privs",
            Step::NoCoreDumps => "turning core dumps off",
            Step::Landlock => "entering the Landlock domain",
            Step::Seccomp => "installing the seccomp filter",
            Step::OutOfReach => "keeping signals from processes outside",
            Step::Listener => "installing the seccomp filter that asks the supervisor",
            Step::HandOver => "reaching the supervisor",
        })
    }
}

/// A step that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) step: Step,
    pub(super) source: io::Error,
}

/// Who answers what the seccomp programs do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answering {
    /// Nobody: no program asks.
    Nobody,
    /// A supervisor, whom the first program asks.
    Supervisor,
}

/// Everything that the steps need, made beforehand.
pub(super) struct Steps {
    pub(super) answering: Answering,
    pub(super) ruleset: Option<RulesetCreated>,
    /// Its rights on its own directory of `/proc`.
    pub(super) own_process: BitFlags<AccessFs>,
    pub(super) programs: Vec<BpfProgram>,
    /// May a core dump show a program that must not be read?
    pub(super) spares_dumps: bool,
    /// Ranges of descriptors that the command must not inherit.
    pub(super) close: Vec<(u32, u32)>,
    /// What a process does that never becomes a command.
    pub(super) attempts: Option<Attempts>,
}

impl Steps {
    /// Confines the calling thread for good. Returns the listener of a supervised one: from then on somebody must
    /// answer.
    pub(super) fn take(&mut self) -> Result<Option<OwnedFd>, Failed> {
        let failed = |step| move |source: io::Error| Failed { step, source };
        for (first, last) in &self.close {
            sys::close_on_exec(*first, *last).map_err(failed(Step::CloseDescriptors))?;
        }
        drop_capabilities()?;
        rustix::thread::set_no_new_privs(true)
            .map_err(|errno| failed(Step::NoNewPrivileges)(errno.into()))?;
        if self.spares_dumps {
            // The limit that nobody here can raise again.
            let none = Rlimit { current: Some(0), maximum: Some(0) };
            rustix::process::setrlimit(Resource::Core, none)
                .map_err(|errno| failed(Step::NoCoreDumps)(errno.into()))?;
        }
        // Taken out once: a second call must not pass for confined.
        let ruleset = self
            .ruleset
            .take()
            .ok_or_else(|| failed(Step::Landlock)(io::ErrorKind::Other.into()))?;
        let ruleset = self.with_own_process(ruleset).map_err(failed(Step::Landlock))?;
        let status =
            ruleset.restrict_self().map_err(|error| failed(Step::Landlock)(cause(error)))?;
        if status.ruleset != RulesetStatus::FullyEnforced {
            return Err(failed(Step::Landlock)(io::ErrorKind::Unsupported.into()));
        }
        let (asking, others) = match (self.answering, self.programs.split_first()) {
            (Answering::Supervisor, Some((first, others))) => (Some(first), others),
            (Answering::Supervisor, None) => {
                return Err(failed(Step::Listener)(io::ErrorKind::Other.into()));
            }
            (Answering::Nobody, _) => (None, self.programs.as_slice()),
        };
        for program in others {
            seccompiler::apply_filter(program)
                .map_err(|error| failed(Step::Seccomp)(refused(error)))?;
        }
        let Some(asking) = asking else { return Ok(None) };
        // The supervisor is this process's parent and has its user: only the domain keeps a signal from it.
        if let Some(supervisor) = rustix::process::getppid() {
            is_out_of_reach(supervisor).map_err(failed(Step::OutOfReach))?;
        }
        // Last, so that nothing stands half asked if another program is refused.
        sys::install_with_listener(asking).map(Some).map_err(failed(Step::Listener))
    }
}

impl Steps {
    /// The directory of the process that will be confined has its name only now. One that cannot be opened is granted
    /// nothing.
    fn with_own_process(&self, ruleset: RulesetCreated) -> io::Result<RulesetCreated> {
        if self.own_process.is_empty() {
            return Ok(ruleset);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(own) = rustix::fs::open(c"/proc/self", flags, Mode::empty()) else {
            return Ok(ruleset);
        };
        ruleset.add_rule(PathBeneath::new(own, self.own_process)).map_err(cause)
    }
}

/// Empties every capability set of the calling thread.
pub(super) fn drop_capabilities() -> Result<(), Failed> {
    match sys::drop_bounding_set() {
        // An ordinary user cannot, and with no_new_privs nothing comes out of the set.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
            return Err(Failed { step: Step::DropBoundingSet, source: error });
        }
        Ok(()) | Err(_) => {}
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::clear_ambient_capability_set()
        .and_then(|()| rustix::thread::set_capabilities(None, none))
        .map_err(|errno| Failed { step: Step::DropCapabilities, source: errno.into() })
}

/// The kernel's own error.
pub(super) fn cause(error: RulesetError) -> io::Error {
    match error {
        RulesetError::RestrictSelf(
            RestrictSelfError::RestrictSelfCall { source, .. }
            | RestrictSelfError::SetNoNewPrivsCall { source, .. },
        ) => source,
        _ => io::ErrorKind::Other.into(),
    }
}

fn refused(error: seccompiler::Error) -> io::Error {
    match error {
        seccompiler::Error::Prctl(source) | seccompiler::Error::Seccomp(source) => source,
        _ => io::ErrorKind::Other.into(),
    }
}
