//! The program that the kernel runs first in our filter: foreign architectures, unknown numbers, and what stops for
//! the supervisor. seccompiler can express none of the three.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, sock_filter};

use super::traps::{Check, Half, Is, Trap, Traps};
use crate::syscalls::{self, Arch, Errno};

/// The architecture as the kernel tells it to a filter (linux/audit.h): the ELF machine, 64 bits
/// wide, little-endian. i386 differs here; x32 does not, its numbers do.
pub(super) const fn audit_arch(arch: Arch) -> u32 {
    const WIDE_LITTLE: u32 = 0xc000_0000;
    match arch {
        Arch::X86_64 => WIDE_LITTLE | libc::EM_X86_64 as u32,
        Arch::Aarch64 => WIDE_LITTLE | libc::EM_AARCH64 as u32,
    }
}

// Offsets in `struct seccomp_data` (linux/seccomp.h).
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

// Instructions of classic BPF (linux/bpf_common.h). Comparisons are unsigned.
const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const SKIP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Skips `jt` instructions when the test holds, else `jf`.
const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

const ALLOW: sock_filter = statement(RETURN, libc::SECCOMP_RET_ALLOW);
const NOTIFY: sock_filter = statement(RETURN, libc::SECCOMP_RET_USER_NOTIF);
const MISSING: sock_filter = statement(RETURN, libc::SECCOMP_RET_ERRNO | Errno::Enosys.number());

/// A number that no kernel will give to a call, and the answer that only this filter gives to it: so a process can
/// find out that it is confined, whatever its environment says.
pub(crate) const MARKER: u32 = 0x0c1a_96ad;
pub(crate) const MARKER_ERRNO: u32 = libc::EALREADY as u32;

/// Kills on a foreign architecture; ENOSYS for a number that is not in the table. That covers
/// calls of newer kernels, the holes that newer kernels fill, and x32, whose numbers have bit 30.
///
/// With `traps` it must be installed with a listener, without it cannot notify.
pub(super) fn program(arch: Arch, traps: Option<&Traps>) -> BpfProgram {
    let mut program = vec![
        statement(LOAD, ARCHITECTURE),
        jump(IF_EQUAL, audit_arch(arch), 1, 0),
        statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        statement(LOAD, NUMBER),
        jump(IF_EQUAL, MARKER, 0, 1),
        statement(RETURN, libc::SECCOMP_RET_ERRNO | MARKER_ERRNO),
    ];
    program.extend(search(&spans(arch, traps)));
    program
}

/// What is run for the numbers from the first one of a span to the next span.
struct Span {
    first: u32,
    program: BpfProgram,
}

/// All numbers, as few spans as possible.
fn spans(arch: Arch, traps: Option<&Traps>) -> Vec<Span> {
    let calls: BTreeMap<u32, BpfProgram> = syscalls::table()
        .filter_map(|call| {
            let trap = traps.map_or(Trap::Never, |traps| traps.trap(call));
            Some((call.number(arch)?, answer(&trap)))
        })
        .collect();
    let mut spans = vec![Span { first: 0, program: vec![MISSING] }];
    let mut add = |first: u32, program: BpfProgram| match spans.last_mut() {
        Some(last) if last.first == first => last.program = program,
        Some(last) if last.program == program => {}
        Some(_) | None => spans.push(Span { first, program }),
    };
    for (number, program) in &calls {
        add(*number, program.clone());
        if !calls.contains_key(&(number + 1)) {
            add(number + 1, vec![MISSING]);
        }
    }
    spans
}

/// Finds the span of the number that is loaded: the filter runs at each system call, and half of what is left is
/// put aside at each step.
fn search(spans: &[Span]) -> BpfProgram {
    let (before, after) = spans.split_at(spans.len() / 2);
    let (Some(middle), false) = (after.first(), before.is_empty()) else {
        return spans.iter().flat_map(|span| span.program.clone()).collect();
    };
    let (lower, upper) = (search(before), search(after));
    let mut program = match u8::try_from(lower.len()) {
        Ok(length) => vec![jump(IF_AT_LEAST, middle.first, length, 0)],
        // A conditional jump reaches 255 instructions; an unconditional one reaches all.
        Err(_) => {
            let length = u32::try_from(lower.len()).unwrap_or(u32::MAX);
            vec![jump(IF_AT_LEAST, middle.first, 0, 1), statement(SKIP, length)]
        }
    };
    program.extend(lower);
    program.extend(upper);
    program
}

/// The end of the program for one call.
fn answer(trap: &Trap) -> BpfProgram {
    match trap {
        Trap::Never => vec![ALLOW],
        Trap::Always => vec![NOTIFY],
        Trap::When(alternatives) => {
            let mut program: BpfProgram =
                alternatives.iter().flat_map(|checks| alternative(checks)).collect();
            program.push(ALLOW);
            program
        }
    }
}

/// Notifies when all checks hold, else goes on behind it.
fn alternative(checks: &[Check]) -> BpfProgram {
    let mut program = vec![NOTIFY];
    for check in checks.iter().rev() {
        // Far shorter than 255: a call has a handful of checks.
        let fails = u8::try_from(program.len()).unwrap_or(u8::MAX);
        let upper = match check.half {
            Half::Lower => 0,
            Half::Upper => 4,
        };
        let mut test = vec![statement(LOAD, ARGUMENTS + 8 * u32::from(check.argument) + upper)];
        if check.mask != u32::MAX {
            test.push(statement(AND, check.mask));
        }
        test.push(match check.is {
            Is::Equal(value) => jump(IF_EQUAL, value, 0, fails),
            Is::Other(value) => jump(IF_EQUAL, value, fails, 0),
        });
        program.splice(0..0, test);
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_begins_where_the_answer_changes_and_nowhere_else() {
        for arch in Arch::ALL {
            let spans = spans(arch, Some(&Traps::new(true, true, 6)));
            assert_eq!(spans[0].first, 0);
            assert!(spans.is_sorted_by(|a, b| a.first < b.first && a.program != b.program));
            assert!(spans.last().unwrap().program == [MISSING]);
        }
    }
}
