//! A resolved policy in the kernel's words: Landlock rules, seccomp programs, and the ledger of who holds what.
//!
//! Reads the disk to see what exists; changes nothing and applies nothing.

#![forbid(unsafe_code)]

pub(crate) mod filter;
mod front;
mod gap;
mod ledger;
mod lint;
mod region;
mod rights;
mod shortfall;
mod supervision;
#[cfg(test)]
mod tests;
pub(crate) mod traps;
mod wide;

use landlock::ABI;
use seccompiler::BpfProgram;

pub use self::filter::{DeniedCall, denied_calls};
use self::gap::Gap;
pub use self::ledger::{Holder, LedgerRow};
pub use self::lint::Lint;
pub use self::region::Loose;
use self::region::Regions;
pub(crate) use self::region::What;
use self::rights::Rights;
pub use self::shortfall::Need;
pub use self::traps::TrappedCalls;
use self::traps::Traps;
use crate::kernel::KernelSupport;
use crate::path::AbsPath;
use crate::resolve::ResolvedPolicy;

/// Who enforces a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The supervisor where the policy, or what Landlock never judges, needs it; the kernel alone otherwise.
    #[default]
    Auto,
    /// The supervisor, always.
    Supervised,
    /// The kernel alone: denies more where it cannot tell apart what the policy does, and leaves metadata, sockets
    /// and guards of missing files open.
    Kernel,
}

impl Mode {
    /// As the command line spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Auto => "auto",
            Mode::Supervised => "supervised",
            Mode::Kernel => "kernel",
        }
    }
}

/// A Landlock rule: rights that hold for a path and everything beneath it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandlockRule {
    /// The path, without links.
    pub path: AbsPath,
    pub(crate) rights: Rights,
    pub(crate) what: What,
}

impl LandlockRule {
    /// The kernel's names of the rights.
    #[must_use]
    pub fn rights(&self) -> Vec<&'static str> {
        rights::names(self.rights)
    }
}

/// What will be asked of the kernel, as data; the third stage of the pipeline.
#[derive(Debug)]
pub struct Plan {
    pub(crate) policy: ResolvedPolicy,
    pub(crate) kernel: KernelSupport,
    pub(crate) rules: Vec<LandlockRule>,
    pub(crate) programs: Vec<BpfProgram>,
    mode: Mode,
    traps: Option<Traps>,
    gaps: Vec<Gap>,
    is_cut_short: bool,
    loose: Vec<Loose>,
    /// What Landlock lets the process that becomes the command do in its own directory of `/proc`, which has no name
    /// before it runs.
    pub(crate) own_process: Rights,
}

impl ResolvedPolicy {
    /// Compiles the policy for a kernel.
    ///
    /// # Errors
    /// [`CompileError`] when the kernel has no Landlock, or, but for [`Mode::Kernel`], cannot hold the policy exactly:
    /// its Landlock is too old, or it lets no supervisor answer.
    pub fn compile(self, kernel: &KernelSupport, mode: Mode) -> Result<Plan, CompileError> {
        let enforcer = self.enforcer(mode);
        supervision::require(kernel, mode, enforcer)?;
        let abi: ABI = kernel.abi();
        let Regions { rules, gaps, loose, own_process, is_cut_short } =
            region::walk(&self, abi, enforcer);
        let rule = |(path, (rights, what))| LandlockRule { path, rights, what };
        let mut plan = Plan {
            policy: self,
            kernel: kernel.clone(),
            rules: rules.into_iter().map(rule).collect(),
            programs: Vec::new(),
            mode,
            traps: None,
            gaps,
            is_cut_short,
            loose,
            own_process,
        };
        plan.traps = plan.needed_traps(enforcer);
        plan.programs = filter::programs(kernel.arch, plan.traps.as_ref())
            .map_err(|error| CompileError::Filter(error.into()))?;
        Ok(plan)
    }
}

impl Plan {
    /// The policy that was compiled.
    #[must_use]
    pub fn policy(&self) -> &ResolvedPolicy {
        &self.policy
    }

    /// The mode that it was compiled for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The kernel that it was compiled for.
    #[must_use]
    pub fn kernel(&self) -> &KernelSupport {
        &self.kernel
    }

    /// The Landlock rules, by path.
    #[must_use]
    pub fn landlock_rules(&self) -> &[LandlockRule] {
        &self.rules
    }

    /// The Landlock rights that are denied wherever no rule grants them.
    #[must_use]
    pub fn handled_rights(&self) -> Vec<&'static str> {
        rights::names(rights::handled(self.kernel.abi()))
    }

    /// The Landlock scopes: what of other processes is out of reach.
    #[must_use]
    pub fn scopes(&self) -> &'static [&'static str] {
        if self.kernel.landlock_abi >= 6 { &["abstract_unix_socket", "signal"] } else { &[] }
    }
}

/// Why a policy cannot be compiled for a kernel.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The kernel has no Landlock.
    #[error(
        "this kernel has no Landlock (Linux 5.13 or newer, with `landlock` in the list of security modules, \
         CONFIG_LSM or lsm=): nothing can be enforced"
    )]
    NoLandlock,
    /// The kernel's Landlock is too old for the exact meaning of a policy.
    #[error(
        "this kernel's Landlock ABI is {abi}, which leaves open: {missing}. \
         To run with these gaps: clawguard-exec --mode kernel -- COMMAND"
    )]
    OldLandlock {
        /// The kernel's ABI.
        abi: u32,
        /// What it cannot hold.
        missing: String,
    },
    /// The kernel lets no supervisor answer system calls.
    #[error(
        "this kernel has no seccomp user notification that waits for its answer (Linux 5.19, CONFIG_SECCOMP_FILTER), \
         or something outside forbids it: the supervisor, which holds what Landlock cannot, could not answer. \
         To run without it: clawguard-exec --mode kernel -- COMMAND"
    )]
    NoNotification,
    /// Yama forbids the supervisor to read what the target asks for.
    #[error(
        "kernel.yama.ptrace_scope is {scope}: the supervisor, which holds what Landlock cannot, could not read which \
         paths the command names (0 and 1 let it). \
         To run without it: clawguard-exec --mode kernel -- COMMAND"
    )]
    NoTracing {
        /// The setting.
        scope: u8,
    },
    /// The seccomp programs cannot be built.
    #[error("the seccomp filter cannot be built")]
    Filter(#[source] Box<dyn std::error::Error + Send + Sync>),
}
