//! A resolved policy in the kernel's words: Landlock rules, seccomp programs, and the ledger of who holds what.
//!
//! Reads the disk to see what exists; changes nothing and applies nothing.

#![forbid(unsafe_code)]

pub(crate) mod filter;
mod gap;
mod ledger;
mod lint;
mod region;
mod rights;
#[cfg(test)]
mod tests;
mod wide;

use std::collections::{BTreeMap, HashSet};

use landlock::ABI;
use seccompiler::BpfProgram;

pub use self::filter::{DeniedCall, denied_calls};
use self::gap::{Gap, Lack};
pub use self::ledger::{Holder, LedgerRow};
pub use self::lint::Lint;
pub(crate) use self::region::What;
use self::rights::Rights;
use crate::decide::RuleId;
use crate::kernel::KernelSupport;
use crate::path::AbsPath;
use crate::policy::Origin;
use crate::resolve::ResolvedPolicy;

/// Who enforces a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Whatever the policy needs; what cannot be enforced exactly is refused.
    #[default]
    Auto,
    /// The kernel alone: denies more where it cannot tell apart what the policy does, and leaves metadata, sockets
    /// and guards of missing files open.
    Kernel,
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

/// A rule that needs the supervisor, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The rule.
    pub rule: RuleId,
    /// What Landlock alone would deny although the policy allows it.
    pub what: String,
}

/// Who is to blame for a gap, so that the policy needs the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    /// The user's rules among its causes.
    Causes,
    /// The user's rule that allows what is denied here.
    Allowed(RuleId),
    /// No rule of the user.
    Nobody,
}

/// What will be asked of the kernel, as data; the third stage of the pipeline.
#[derive(Debug)]
pub struct Plan {
    pub(crate) policy: ResolvedPolicy,
    pub(crate) kernel: KernelSupport,
    pub(crate) rules: Vec<LandlockRule>,
    pub(crate) programs: Vec<BpfProgram>,
    mode: Mode,
    gaps: Vec<Gap>,
    is_cut_short: bool,
}

impl ResolvedPolicy {
    /// Compiles the policy for a kernel.
    ///
    /// # Errors
    /// [`CompileError`] when the kernel has no Landlock, or, in [`Mode::Auto`], too old a one.
    pub fn compile(self, kernel: &KernelSupport, mode: Mode) -> Result<Plan, CompileError> {
        match (kernel.landlock_abi, mode) {
            (0, Mode::Auto | Mode::Kernel) => return Err(CompileError::NoLandlock),
            (abi, Mode::Auto) if abi < KernelSupport::FULL_ABI => {
                return Err(CompileError::OldLandlock {
                    abi,
                    missing: kernel.missing().join("; "),
                });
            }
            (_, Mode::Auto | Mode::Kernel) => {}
        }
        let abi: ABI = kernel.abi();
        let regions = region::walk(&self, abi, mode);
        let rule = |(path, (rights, what))| LandlockRule { path, rights, what };
        Ok(Plan {
            programs: filter::programs(kernel.arch)
                .map_err(|error| CompileError::Filter(error.into()))?,
            rules: regions.rules.into_iter().map(rule).collect(),
            gaps: regions.gaps,
            is_cut_short: regions.is_cut_short,
            kernel: kernel.clone(),
            policy: self,
            mode,
        })
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

    /// The user's rules for which Landlock alone would answer an open, create, remove or exec otherwise than the law.
    ///
    /// Empty: the kernel holds the policy.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let mut needs: BTreeMap<RuleId, &Gap> = BTreeMap::new();
        // The best examples lie in what the user himself allows; gaps with the same causes add no rule.
        let mut seen: HashSet<*const RuleId> = HashSet::new();
        let (users, others): (Vec<&Gap>, Vec<&Gap>) =
            self.gaps.iter().partition(|gap| self.is_users(gap));
        for gap in users.into_iter().chain(others) {
            match self.blame(gap) {
                Blame::Nobody => {}
                Blame::Allowed(rule) => drop(needs.entry(rule).or_insert(gap)),
                Blame::Causes if seen.insert(gap.causes.as_ptr()) => {
                    for rule in gap.causes.iter().filter(|rule| self.is_user(**rule)) {
                        needs.entry(*rule).or_insert(gap);
                    }
                }
                Blame::Causes => {}
            }
        }
        let need = |(rule, gap): (RuleId, &Gap)| Need { rule, what: gap.lack.describe(&gap.path) };
        needs.into_iter().map(need).collect()
    }

    /// Which rules of the user make a gap: his own, or his allowed one that a preset's directory stands in.
    fn blame(&self, gap: &Gap) -> Blame {
        // The names of the granted directories themselves are told, like guards and the working directory's pin.
        if gap.lack == Lack::DirectoryName {
            return Blame::Nobody;
        }
        if gap.causes.iter().any(|rule| self.is_user(*rule)) {
            return Blame::Causes;
        }
        let is_preset =
            |rule: &RuleId| matches!(self.policy.rule(*rule).origin, Origin::Preset { .. });
        let in_the_way = gap.lack != Lack::Missing && gap.causes.iter().any(is_preset);
        match gap.allowed_by {
            Some(rule) if in_the_way && self.is_user(rule) => Blame::Allowed(rule),
            Some(_) | None => Blame::Nobody,
        }
    }

    fn is_user(&self, rule: RuleId) -> bool {
        self.policy.rule(rule).origin.is_user()
    }

    /// What the kernel denies although the policy allows it, one sentence for each rule that makes it so.
    #[must_use]
    pub fn denied_more(&self) -> Vec<String> {
        let mut by_rule: BTreeMap<Option<RuleId>, Vec<&Gap>> = BTreeMap::new();
        // What a preset or guard lacks is told only where it meddles with what the user allows.
        let counts = |gap: &&Gap| {
            self.blame(gap) != Blame::Nobody || gap.lack != Lack::Missing && self.is_users(gap)
        };
        for gap in self.gaps.iter().filter(counts) {
            by_rule.entry(gap.causes.first().copied()).or_default().push(gap);
        }
        let sentence = |(rule, gaps): (Option<RuleId>, Vec<&Gap>)| {
            let example = gaps.iter().find(|gap| self.is_users(gap)).or(gaps.first())?;
            let more = match gaps.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more like it"),
            };
            let cause =
                rule.map_or_else(String::new, |rule| format!("{}: ", self.policy.rule(rule)));
            Some(format!("{cause}{}{more}", example.lack.describe(&example.path)))
        };
        let nobodys = by_rule.remove(&None).map(|gaps| (None, gaps));
        let mut sentences: Vec<String> =
            by_rule.into_iter().chain(nobodys).filter_map(sentence).collect();
        if self.is_cut_short {
            sentences.push(
                "directories that hold more than can be told apart at the start: the rest of them"
                    .to_owned(),
            );
        }
        sentences
    }

    fn is_users(&self, gap: &Gap) -> bool {
        gap.allowed_by.is_some_and(|rule| self.is_user(rule))
    }

    /// What this very policy asks for and nobody holds in this mode, one sentence each.
    #[must_use]
    pub fn policy_left_open(&self) -> Vec<String> {
        let unguarded = self.unguarded().map(|rule| {
            format!("making `{}`, which does not exist yet (guard)", self.policy.rule(rule).pattern)
        });
        let mut open: Vec<String> = unguarded.collect();
        open.extend(self.kernel.missing().into_iter().map(str::to_owned));
        if self.policy.listen == Some(crate::policy::Listen::Loopback) {
            open.push("`network.listen: loopback`: any address can be listened on".to_owned());
        }
        let logging = &self.policy.logging;
        let logs = logging.file_access || logging.commands || logging.denials == Some(true);
        if logs || logging.on_denied.is_some() {
            open.push("logging: nobody sees what is denied, opened or run".to_owned());
        }
        open
    }

    /// What nobody holds in this mode, one sentence each.
    #[must_use]
    pub fn left_open(&self) -> Vec<String> {
        let mut open = self.policy_left_open();
        open.extend([
            "metadata: chmod, chown, times and extended attributes, even of blocked files".to_owned(),
            "watching with inotify, and listing extended attributes".to_owned(),
            "background processes that outlive the command: they stay confined, but nobody ends them".to_owned(),
        ]);
        if self.kernel.landlock_abi < 9 {
            open.push("connecting to unix sockets by path (Landlock ABI 9)".to_owned());
        }
        open
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
    /// The seccomp programs cannot be built.
    #[error("the seccomp filter cannot be built")]
    Filter(#[source] Box<dyn std::error::Error + Send + Sync>),
}
