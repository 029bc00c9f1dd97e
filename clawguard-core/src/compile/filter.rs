//! The BPF programs that answer the denied system calls, as pure data.
//!
//! Built from the table in `syscalls` for either architecture; of a policy only [`Traps`] is known.
//! Nothing is installed here.
//!
//! One program is ours (`front`): it kills foreign ABIs, refuses unknown numbers and asks the
//! supervisor, which seccompiler cannot express. seccompiler builds one more for each errno. The
//! kernel runs all of them at each system call and takes the strictest answer (seccomp(2)), so a
//! refusal beats a notification; it remembers, by number, the calls that all programs allow without
//! looking at arguments, and then runs none (Linux 5.11).

#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::front;
pub(crate) use super::front::{MARKER, MARKER_ERRNO};
use super::traps::{self, Traps};
use crate::syscalls::{self, Arch, Condition, Denial, Disposition, Errno, Test};

/// Why the programs could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// seccompiler refused the rules of one program.
    #[error("the seccomp program that answers {errno} on {arch} cannot be built")]
    Build {
        /// The architecture it is for.
        arch: Arch,
        /// Its answer.
        errno: Errno,
        /// What seccompiler said.
        source: BackendError,
    },
}

/// A refusal of the filter in words, for `plan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedCall {
    /// The kernel's name of the system call.
    pub call: &'static str,
    /// When it is refused: `always`, or a condition on its arguments.
    pub when: String,
    /// The name of the answer: `EPERM`, `ENOSYS` or `EACCES`.
    pub errno: String,
    /// What the refusal keeps from the target.
    pub forbids: &'static str,
}

/// The programs for `arch`, all of which are to be installed. Each allows what it does not answer,
/// `prctl` and `seccomp` included, so they can be installed in this order.
///
/// With `traps`, the first one and no other notifies: it is to be installed with a listener.
///
/// # Errors
/// [`FilterError`] when seccompiler refuses the rules, which no table row should cause.
pub(crate) fn programs(arch: Arch, traps: Option<&Traps>) -> Result<Vec<BpfProgram>, FilterError> {
    let mut programs = vec![front::program(arch, traps)];
    for errno in Errno::ALL {
        let program = refusals(arch, errno, traps).map_err(|source| FilterError::Build {
            arch,
            errno,
            source,
        })?;
        programs.push(program);
    }
    Ok(programs)
}

/// Every refusal on `arch`, in the order of the table. Beside these stand foreign ABIs, which are
/// killed, and unknown numbers, which get ENOSYS.
#[must_use]
pub fn denied_calls(arch: Arch) -> Vec<DeniedCall> {
    refused_calls(arch, None)
}

/// Those that the filter itself refuses: with a supervisor, it and not the filter tells whose process a number names.
pub(super) fn refused_calls(arch: Arch, traps: Option<&Traps>) -> Vec<DeniedCall> {
    let refused = denials(arch).filter(|(_, _, denial)| is_static(denial, traps));
    refused.map(|(_, call, denial)| describe(call, denial)).collect()
}

fn is_static(denial: &Denial, traps: Option<&Traps>) -> bool {
    match traps {
        None => !traps::is_for_the_supervisors_sake(denial),
        Some(_) => !traps::is_answered_by_supervisor(denial),
    }
}

fn describe(call: &'static str, denial: &Denial) -> DeniedCall {
    DeniedCall {
        call,
        when: match denial.when {
            [] => "always".to_owned(),
            all => all.iter().map(Condition::to_string).collect::<Vec<_>>().join(" and "),
        },
        errno: denial.errno.to_string(),
        forbids: denial.forbids.subject(),
    }
}

/// Number, name and refusal of each denied call that `arch` has.
fn denials(arch: Arch) -> impl Iterator<Item = (u32, &'static str, &'static Denial)> {
    syscalls::table()
        .filter_map(move |call| match call.disposition {
            Disposition::Denied(denials) => Some((call.number(arch)?, call.name, denials)),
            Disposition::Free(_) | Disposition::Judged(_) => None,
        })
        .flat_map(|(number, name, denials)| {
            denials.iter().map(move |denial| (number, name, denial))
        })
}

/// The program that answers `errno` to the calls refused with it, and allows every other.
fn refusals(arch: Arch, errno: Errno, traps: Option<&Traps>) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let is_static = |denial: &Denial| is_static(denial, traps);
    let refused = denials(arch).filter(|(_, _, denial)| denial.errno == errno && is_static(denial));
    for (number, _, denial) in refused {
        // A call with no rules is refused whatever its arguments are.
        rules.entry(i64::from(number)).or_default().extend(alternatives(denial)?);
    }
    let target = match arch {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
    };
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno.number()), target)?
        .try_into()
}

/// The rules, each of which alone causes the refusal: one for each choice of a constant.
fn alternatives(denial: &Denial) -> Result<Vec<SeccompRule>, BackendError> {
    let mut choices: Vec<Vec<SeccompCondition>> = vec![Vec::new()];
    for condition in denial.when {
        let tests = comparisons(condition)?;
        choices = choices
            .iter()
            .flat_map(|chosen| {
                tests.iter().map(|test| [chosen.as_slice(), std::slice::from_ref(test)].concat())
            })
            .collect();
    }
    choices.into_iter().filter(|chosen| !chosen.is_empty()).map(SeccompRule::new).collect()
}

/// The comparisons, any of which fulfils the condition.
fn comparisons(condition: &Condition) -> Result<Vec<SeccompCondition>, BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let compare = |length, operator, value: u32| {
        SeccompCondition::new(condition.argument.index, length, operator, u64::from(value))
    };
    match condition.test {
        Test::OneOf(constants) => {
            constants.iter().map(|one| compare(Dword, SeccompCmpOp::Eq, one.value)).collect()
        }
        Test::AnyBit(constants) => constants
            .iter()
            .map(|one| compare(Dword, SeccompCmpOp::MaskedEq(u64::from(one.value)), one.value))
            .collect(),
        Test::AnyBitBut(constants) => syscalls::bits_but(constants)
            .map(|bit| compare(Dword, SeccompCmpOp::MaskedEq(u64::from(bit)), bit))
            .collect(),
        Test::Not(constant) => Ok(vec![compare(Dword, SeccompCmpOp::Ne, constant.value)?]),
        Test::NotSelf => Ok(vec![compare(Dword, SeccompCmpOp::Ne, 0)?]),
        Test::NotNull => Ok(vec![compare(Qword, SeccompCmpOp::Ne, 0)?]),
    }
}
