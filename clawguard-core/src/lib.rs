//! Confine a process to a written policy of allowed and blocked paths, with Landlock and seccomp: no root, no
//! container, no daemon.
//!
//! # The pipeline
//!
//! Five stages; each consumes the one before, and only the last one changes anything.
//!
//! ```no_run
//! use std::process::Command;
//! use clawguard_core::{Host, KernelSupport, Mode, Policy};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "
//! security:
//!   file_access:
//!     allowed_paths: [~/project/]
//!     blocked_paths: ['~/.*']
//! ";
//! let policy   = Policy::parse(text, "policy.yaml")?;                      // YAML    -> what the user meant
//! let resolved = policy.resolve(&Host::current()?)?;                       // meaning -> absolute paths on this host
//! let plan     = resolved.compile(&KernelSupport::probe()?, Mode::Auto)?;  // paths   -> the kernel's words, pure data
//! let sandbox  = plan.prepare()?;                                          // data    -> open descriptors, BPF programs
//! let status   = sandbox.run(Command::new("make"))?;                       // the point of no return
//! # Ok(())
//! # }
//! ```
//!
//! 1. [`Policy::parse`] reads YAML; every mistake is reported with file, line and column, all of them together.
//!    [`Policy::locate`] finds the file where the shim does, [`Policy::builtin`] is the default without a file.
//! 2. [`Policy::resolve`] puts in what the [`Host`] knows: variables, symbolic links, presets, guards. A `Host` is a
//!    value, so that any host can be described in a test.
//! 3. [`ResolvedPolicy::compile`] finds the largest directories for which one Landlock rule says exactly what the
//!    policy says. A [`KernelSupport`] is a value too. The [`Plan`] prints who enforces what ([`Plan::ledger`]) and
//!    what a person should look at ([`Plan::lints`]).
//! 4. [`Plan::prepare`] makes the directories that the policy names and opens everything. It refuses a policy that
//!    the kernel alone would not enforce exactly, unless it was compiled for [`Mode::Kernel`].
//! 5. [`Sandbox::run`] and [`Sandbox::spawn`] start a confined [`std::process::Command`], [`Sandbox::exec`] becomes
//!    it, [`Sandbox::restrict_current_process`] confines the caller.
//!
//! # Asking without enforcing
//!
//! ```
//! use clawguard_core::{AbsPath, Access, Host, Policy};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "security: {file_access: {allowed_paths: [/srv/app], blocked_paths: ['**/.env']}}";
//! let policy = Policy::parse(text, "policy.yaml")?.resolve(&Host::current()?)?;
//! let mut decider = policy.decider();
//!
//! let verdict = decider.decide(&AbsPath::parse("/srv/app/.env")?).verdict(Access::Read);
//! assert!(!verdict.is_allowed());
//! assert_eq!(policy.reason(verdict), "blocked rwx `**/.env` (policy.yaml:1)");
//! # Ok(())
//! # }
//! ```
//!
//! # Terms
//!
//! | term | meaning |
//! |---|---|
//! | access | `r`, `w` or `x` on a path: [`Access`] |
//! | rule | a path pattern, an effect, a set of accesses, and where it was written: [`Rule`] |
//! | exact rule | a rule without any wildcard; only an exact allowed rule goes through a block |
//! | guard | a built-in block that nothing goes through |
//! | settled, mixed | a directory beneath which an access is decided alike everywhere, or is not |
//! | target | the confined process and its descendants |
//!
//! # Invariants
//!
//! - Only the `decide` room decides; everything else asks it.
//! - What Landlock grants is never more than the policy allows. Where it must be less, [`Plan::needs`] and
//!   [`Plan::denied_more`] say so.
//! - An error confines nothing and starts nothing; a state that cannot be understood denies.
//! - Unsafe code is in one module, `sys`.

#![deny(unsafe_code)]

mod access;
mod apply;
mod compile;
mod decide;
mod journal;
mod kernel;
mod path;
mod policy;
mod resolve;
mod supervise;
#[allow(unsafe_code, reason = "the only room with unsafe code")]
mod sys;
mod syscalls;

pub use self::access::{Access, AccessError, AccessSet};
pub use self::apply::{ApplyError, Confined, Ending, KeepDescriptors, PrepareError, Sandbox, Step};
pub use self::compile::{
    CompileError, DeniedCall, Holder, LandlockRule, LedgerRow, Lint, Loose, Mode, Need, Plan,
    TrappedCalls, denied_calls,
};
pub use self::decide::{Decider, Decision, Folding, RuleId, Verdict};
pub use self::journal::{JournalError, Summary, Unfit};
pub use self::kernel::{KernelError, KernelSupport, Notification, is_confined};
pub use self::path::{AbsPath, PathError, escape};
pub use self::policy::{
    Effect, Environment, JournalPlace, Listen, Logging, Mistake, MistakeKind, Origin, Pattern,
    PatternError, PatternErrorKind, Place, Policy, PolicyError, Preset, Rule, Temporary,
};
pub use self::resolve::{Host, HostError, Links, ResolvedEnvironment, ResolvedPolicy};
pub use self::syscalls::Arch;
