//! An interpreter of the classic BPF that seccomp accepts (kernel/seccomp.c, `seccomp_check_filter`).
//!
//! For tests. What it does not know, it refuses loudly: a program it runs, the kernel loads.

#![forbid(unsafe_code)]

use seccompiler::{BpfProgram, sock_filter};

/// A system call as a filter sees it, `struct seccomp_data`.
pub(super) struct Call([u32; 16]);

impl Call {
    /// `args` beyond those given are 0.
    pub(super) fn new(arch: u32, number: u32, args: &[u64]) -> Call {
        let mut words = [0; 16];
        words[..2].copy_from_slice(&[number, arch]);
        for (index, arg) in args.iter().enumerate() {
            // Little-endian on both architectures: the lower half first.
            words[4 + 2 * index] = *arg as u32;
            words[5 + 2 * index] = (arg >> 32) as u32;
        }
        Call(words)
    }
}

/// What a filter answers, the least strict first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    Allow,
    Notify,
    Errno(u32),
    KillProcess,
}

/// The strictest answer of all programs, as seccomp(2) has it.
pub(super) fn answer(programs: &[BpfProgram], call: &Call) -> Answer {
    programs.iter().map(|program| run(program, call).0).max().unwrap()
}

/// The offsets that the program reads on this call.
pub(super) fn loads(program: &[sock_filter], call: &Call) -> Vec<u32> {
    run(program, call).1
}

fn run(program: &[sock_filter], call: &Call) -> (Answer, Vec<u32>) {
    let (mut accumulator, mut next, mut loads) = (0_u32, 0_usize, Vec::new());
    loop {
        let sock_filter { code, jt, jf, k } = program[next].clone();
        next += 1;
        let mut branch = |holds: bool| next += usize::from(if holds { jt } else { jf });
        match code {
            // BPF_LD | BPF_W | BPF_ABS
            0x20 => {
                assert!(k % 4 == 0 && k < 64, "load at {k}");
                loads.push(k);
                accumulator = call.0[k as usize / 4];
            }
            // BPF_ALU | BPF_AND | BPF_K
            0x54 => accumulator &= k,
            // BPF_JMP | BPF_JA
            0x05 => next += k as usize,
            // BPF_JMP | BPF_JEQ, BPF_JGT, BPF_JGE | BPF_K
            0x15 => branch(accumulator == k),
            0x25 => branch(accumulator > k),
            0x35 => branch(accumulator >= k),
            // BPF_RET | BPF_K
            0x06 => {
                let answer = match k & 0xffff_0000 {
                    0x7fff_0000 => Answer::Allow,
                    0x7fc0_0000 => Answer::Notify,
                    0x0005_0000 => Answer::Errno(k & 0xffff),
                    0x8000_0000 => Answer::KillProcess,
                    other => panic!("unexpected action {other:#x}"),
                };
                return (answer, loads);
            }
            other => panic!("unexpected instruction {other:#x}"),
        }
    }
}
