//! What the process that will be confined does to itself, in this order. System calls only: it also runs between
//! fork and exec, where nothing may be allocated and no lock taken.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;

use landlock::{RestrictSelfError, RulesetCreated, RulesetError, RulesetStatus};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::BpfProgram;

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
    /// Entering the Landlock domain.
    Landlock,
    /// Installing the seccomp programs.
    Seccomp,
}

impl Step {
    const ALL: [Step; 6] = [
        Step::CloseDescriptors,
        Step::DropBoundingSet,
        Step::DropCapabilities,
        Step::NoNewPrivileges,
        Step::Landlock,
        Step::Seccomp,
    ];

    /// The number by which a child tells its parent.
    pub(super) fn number(self) -> u8 {
        // There are six.
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
            Step::Landlock => "entering the Landlock domain",
            Step::Seccomp => "installing the seccomp filter",
        })
    }
}

/// A step that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) step: Step,
    pub(super) source: io::Error,
}

/// Everything that the steps need, made beforehand.
pub(super) struct Steps {
    pub(super) ruleset: Option<RulesetCreated>,
    pub(super) programs: Vec<BpfProgram>,
    /// Ranges of descriptors that the command must not inherit.
    pub(super) close: Vec<(u32, u32)>,
}

impl Steps {
    /// Confines the calling thread for good.
    pub(super) fn take(&mut self) -> Result<(), Failed> {
        let failed = |step| move |source: io::Error| Failed { step, source };
        for (first, last) in &self.close {
            sys::close_on_exec(*first, *last).map_err(failed(Step::CloseDescriptors))?;
        }
        drop_capabilities()?;
        rustix::thread::set_no_new_privs(true)
            .map_err(|errno| failed(Step::NoNewPrivileges)(errno.into()))?;
        // Taken out once: a second call must not pass for confined.
        let ruleset = self
            .ruleset
            .take()
            .ok_or_else(|| failed(Step::Landlock)(io::ErrorKind::Other.into()))?;
        let status =
            ruleset.restrict_self().map_err(|error| failed(Step::Landlock)(cause(error)))?;
        if status.ruleset != RulesetStatus::FullyEnforced {
            return Err(failed(Step::Landlock)(io::ErrorKind::Unsupported.into()));
        }
        for program in &self.programs {
            seccompiler::apply_filter(program)
                .map_err(|error| failed(Step::Seccomp)(refused(error)))?;
        }
        Ok(())
    }
}

fn drop_capabilities() -> Result<(), Failed> {
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

fn cause(error: RulesetError) -> io::Error {
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
