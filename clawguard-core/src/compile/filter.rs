//! The BPF programs that answer the denied system calls, as pure data.
//!
//! Built from the table in `syscalls` for either architecture, independent of any policy.
//! Nothing is installed here, and no notification is asked for: every answer is an errno or death.
//!
//! One program is ours: it kills foreign ABIs and refuses unknown numbers, which seccompiler
//! cannot express. seccompiler builds one more for each errno. The kernel runs all of them at each
//! system call and takes the strictest answer (seccomp(2)); it remembers, by number, the calls
//! that all programs allow without looking at arguments, and then runs none (Linux 5.11).

#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

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
/// # Errors
/// [`FilterError`] when seccompiler refuses the rules, which no table row should cause.
pub(crate) fn programs(arch: Arch) -> Result<Vec<BpfProgram>, FilterError> {
    let mut programs = vec![front(arch)];
    for errno in Errno::ALL {
        let program =
            refusals(arch, errno).map_err(|source| FilterError::Build { arch, errno, source })?;
        programs.push(program);
    }
    Ok(programs)
}

/// Every refusal on `arch`, in the order of the table. Beside these stand foreign ABIs, which are
/// killed, and unknown numbers, which get ENOSYS.
#[must_use]
pub fn denied_calls(arch: Arch) -> Vec<DeniedCall> {
    let describe = |call: &'static str, denial: &Denial| DeniedCall {
        call,
        when: match denial.when {
            [] => "always".to_owned(),
            all => all.iter().map(Condition::to_string).collect::<Vec<_>>().join(" and "),
        },
        errno: denial.errno.to_string(),
        forbids: denial.forbids.subject(),
    };
    denials(arch).map(|(_, call, denial)| describe(call, denial)).collect()
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

/// The architecture as the kernel tells it to a filter (linux/audit.h): the ELF machine, 64 bits
/// wide, little-endian. i386 differs here; x32 does not, its numbers do.
const fn audit_arch(arch: Arch) -> u32 {
    const WIDE_LITTLE: u32 = 0xc000_0000;
    match arch {
        Arch::X86_64 => WIDE_LITTLE | libc::EM_X86_64 as u32,
        Arch::Aarch64 => WIDE_LITTLE | libc::EM_AARCH64 as u32,
    }
}

// Offsets in `struct seccomp_data` (linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

// Instructions of classic BPF (linux/bpf_common.h). Comparisons are unsigned.
const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const IF_GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Skips `jt` instructions when the test holds, else `jf`.
const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// A number that no kernel will give to a call, and the answer that only this filter gives to it: so a process can
/// find out that it is confined, whatever its environment says.
pub(crate) const MARKER: u32 = 0x0c1a_96ad;
pub(crate) const MARKER_ERRNO: u32 = libc::EALREADY as u32;

/// Kills on a foreign architecture; ENOSYS for a number that is not in the table. That covers
/// calls of newer kernels, the holes that newer kernels fill, and x32, whose numbers have bit 30.
fn front(arch: Arch) -> BpfProgram {
    let mut program = vec![
        statement(LOAD, ARCHITECTURE),
        jump(IF_EQUAL, audit_arch(arch), 1, 0),
        statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        statement(LOAD, NUMBER),
        jump(IF_EQUAL, MARKER, 0, 1),
        statement(RETURN, libc::SECCOMP_RET_ERRNO | MARKER_ERRNO),
    ];
    for (first, last) in runs(syscalls::numbers(arch)) {
        program.push(jump(IF_AT_LEAST, first, 0, 2));
        program.push(jump(IF_GREATER, last, 1, 0));
        program.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
    }
    program.push(statement(RETURN, libc::SECCOMP_RET_ERRNO | Errno::Enosys.number()));
    program
}

/// The first and last number of each unbroken run.
fn runs(numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

/// The program that answers `errno` to the calls refused with it, and allows every other.
fn refusals(arch: Arch, errno: Errno) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (number, _, denial) in denials(arch).filter(|(_, _, denial)| denial.errno == errno) {
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
        Test::Not(constant) => Ok(vec![compare(Dword, SeccompCmpOp::Ne, constant.value)?]),
        Test::NotSelf => Ok(vec![compare(Dword, SeccompCmpOp::Ne, 0)?]),
        Test::NotNull => Ok(vec![compare(Qword, SeccompCmpOp::Ne, 0)?]),
    }
}
