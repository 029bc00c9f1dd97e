//! Confine a process to a written policy of allowed and blocked paths, with Landlock, seccomp and a supervisor beside
//! it: no root, no container, no daemon.
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
//!    Whether a supervisor is needed is decided here, by the [`Mode`]; a kernel that cannot hold the policy in that
//!    mode is refused with a [`CompileError`].
//! 4. [`Plan::prepare`] makes the directories that the policy names and opens everything.
//! 5. [`Sandbox::run`] and [`Sandbox::spawn`] start a confined [`std::process::Command`], and threads of this process
//!    answer it; [`Sandbox::exec`] ends this process as the command; [`Sandbox::restrict_current_process`] confines the
//!    caller, for a plan of [`Mode::Kernel`].
//!
//! # The supervisor
//!
//! What Landlock cannot judge stops at a seccomp filter and is answered from outside: a block inside an allowed
//! directory, metadata, unix sockets, names that are made later. The answer is never "the path is fine, go on": the
//! supervisor acts on an object that it holds and hands over the result. A [`Confined`] that is dropped ends its
//! target, and [`Sandbox::at_end`] tells the [`Summary`] of what was denied. [`Policy::log_to`] says where the journal
//! is; without it denials are counted and nothing is written.
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
//! | loose | a directory in which only the supervisor holds a block, so that programs in it can be executed: [`Loose`] |
//! | target | the confined process and its descendants |
//! | supervisor | the process, or the threads of one, that answer the target's system calls |
//!
//! # Invariants
//!
//! - Only the `decide` room decides; everything else asks it.
//! - What Landlock grants is never more than the policy allows, but in the directories of [`Plan::loose`]. Where it
//!   must be less, [`Plan::needs`] and [`Plan::denied_more`] say so.
//! - The kernel goes on with a call that the supervisor was asked about only where Landlock alone is sound for it;
//!   `execve` in a loose directory is the exception.
//! - An error confines nothing and starts nothing; a state that cannot be understood denies.
//! - Unsafe code is in one module, `sys`.

#![deny(unsafe_code)]

mod access;
mod apply;
mod compile;
mod decide;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod journal;
mod kernel;
mod path;
mod policy;
mod quote;
mod redact;
mod resolve;
mod running;
mod save;
mod supervise;
#[allow(unsafe_code, reason = "the only room with unsafe code")]
mod sys;
mod syscalls;

pub use self::access::{Access, AccessError, AccessSet};
pub use self::apply::{
    Act, AlertError, ApplyError, Attempt, AttemptError, Confined, Ending, KeepDescriptors, Outcome,
    PrepareError, Sandbox, Step, without_capabilities,
};
pub use self::compile::{
    CompileError, DeniedCall, Holder, LandlockRule, LedgerRow, Lint, Loose, Mode, Need, Plan,
    TrappedCalls, denied_calls,
};
pub use self::decide::{Decider, Decision, Folding, RuleId, Verdict};
pub use self::journal::{Denied, JournalError, Refusal, Summary, Unfit, rfc3339};
pub use self::kernel::{KernelError, KernelSupport, Notification, is_confined};
pub use self::path::{AbsPath, PathError, escape};
pub use self::policy::{
    AlertOn, Effect, Environment, JournalPlace, Listen, Logging, Mistake, MistakeKind, OnDenied,
    Origin, Pattern, PatternError, PatternErrorKind, Place, Policy, PolicyError, Preset, Rule,
    Temporary, nearest,
};
pub use self::quote::quote;
pub use self::resolve::{
    GitSetting, Host, HostError, Links, Procfs, Removal, Repository, ResolvedEnvironment,
    ResolvedPolicy, removed_by_default,
};
pub use self::running::{CONFINED_BY, Denials, Facts, Run, RunningError, Runs, Stopped};
pub use self::save::save;
pub use self::supervise::{Fate, Move, Moved, Observed, Touched, interpreter_of};
pub use self::syscalls::Arch;
