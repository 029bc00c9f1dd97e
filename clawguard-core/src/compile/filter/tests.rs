//! The programs, run by an interpreter of classic BPF, for both architectures on either.

#![forbid(unsafe_code)]

mod bpf;
mod traps;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::*;
use crate::compile::front::{ARCHITECTURE, audit_arch};
use crate::syscalls::Forbidden;
use bpf::{Answer, Call, answer};

const I386: u32 = 0x4000_0003;
const ARM: u32 = 0x4000_0028;
const HIGH: u64 = 0xdead_beef_0000_0000;

/// What all programs together answer to `name` with `args` on `arch`.
fn ask(arch: Arch, name: &str, args: &[u64]) -> Answer {
    let call = syscalls::table().find(|call| call.name == name).unwrap();
    number(arch, call.number(arch).unwrap(), args)
}

fn number(arch: Arch, number: u32, args: &[u64]) -> Answer {
    static PROGRAMS: LazyLock<[Vec<BpfProgram>; 2]> =
        LazyLock::new(|| Arch::ALL.map(|arch| programs(arch, None).unwrap()));
    let programs = match arch {
        Arch::X86_64 => &PROGRAMS[0],
        Arch::Aarch64 => &PROGRAMS[1],
    };
    answer(programs, &Call::new(audit_arch(arch), number, args))
}

/// On every architecture: the same answer, and also when each argument has high bits set.
#[track_caller]
fn expect(name: &str, args: &[u64], expected: Answer) {
    let high: Vec<u64> = args.iter().map(|arg| arg | HIGH).collect();
    for arch in Arch::ALL {
        assert_eq!(ask(arch, name, args), expected, "{name} {args:x?} on {arch}");
        assert_eq!(ask(arch, name, &high), expected, "{name} {high:x?} on {arch}");
    }
}

fn errno(errno: Errno) -> Answer {
    Answer::Errno(errno.number())
}

const EPERM: Answer = Answer::Errno(1);
const EACCES: Answer = Answer::Errno(13);
const ENOSYS: Answer = Answer::Errno(38);

#[test]
fn every_call_gets_the_answer_of_its_row() {
    for arch in Arch::ALL {
        for call in syscalls::table() {
            let Some(nr) = call.number(arch) else { continue };
            let expected = match call.disposition {
                Disposition::Free(_) | Disposition::Judged(_) => Answer::Allow,
                // Harmless where nobody performs calls for the target.
                Disposition::Denied([Denial { forbids: Forbidden::InnerLandlock, .. }]) => {
                    Answer::Allow
                }
                Disposition::Denied([Denial { when: [], errno: code, .. }]) => errno(*code),
                // Conditions have tests of their own; zeros name the caller and set no flag.
                Disposition::Denied(_) if call.name == "ioprio_set" => EPERM,
                Disposition::Denied(_) => Answer::Allow,
            };
            assert_eq!(number(arch, nr, &[0; 6]), expected, "{} on {arch}", call.name);
        }
    }
}

#[test]
fn a_foreign_architecture_is_killed_whatever_it_calls() {
    for arch in Arch::ALL {
        let programs = programs(arch, None).unwrap();
        for foreign in [I386, ARM, 0, u32::MAX]
            .into_iter()
            .chain(Arch::ALL.into_iter().filter(|other| *other != arch).map(audit_arch))
        {
            for nr in [0, 1, 11, 435, 100_000, u32::MAX] {
                assert_eq!(answer(&programs, &Call::new(foreign, nr, &[])), Answer::KillProcess);
            }
        }
    }
}

#[test]
fn the_architecture_is_the_one_that_seccompiler_checks() {
    for arch in Arch::ALL {
        let programs = programs(arch, None).unwrap();
        assert!(programs.iter().all(|program| program[..3] == programs[0][..3]), "{arch}");
    }
}

#[test]
fn a_number_without_a_row_does_not_exist() {
    for arch in Arch::ALL {
        let known = syscalls::numbers(arch);
        for nr in (0..=1200).filter(|nr| !known.contains(nr)) {
            assert_eq!(number(arch, nr, &[]), ENOSYS, "{nr} on {arch}");
        }
    }
    // The newest, its successor, and a hole that Linux may fill.
    assert_eq!(number(Arch::X86_64, 471, &[]), Answer::Allow);
    assert_eq!(number(Arch::X86_64, 472, &[]), ENOSYS);
    assert_eq!(number(Arch::X86_64, 337, &[]), ENOSYS);
    assert_eq!(number(Arch::Aarch64, 244, &[]), ENOSYS);
}

#[test]
fn x32_and_negative_numbers_do_not_exist() {
    for arch in Arch::ALL {
        for nr in syscalls::numbers(arch).into_iter().chain(512..=547) {
            assert_eq!(number(arch, nr | 0x4000_0000, &[]), ENOSYS, "x32 {nr}");
            assert_eq!(number(arch, nr | 0x8000_0000, &[]), ENOSYS, "negative {nr}");
        }
        assert_eq!(number(arch, u32::MAX, &[]), ENOSYS);
        assert_eq!(number(arch, 0x7fff_ffff, &[]), ENOSYS);
    }
}

#[test]
fn namespaces_are_refused_and_threads_and_forks_are_not() {
    // What glibc passes for pthread_create, fork, vfork and posix_spawn, and musl for fork.
    for flags in [0x003d_0f00, 0x0120_0011, 0x4111, 0x4100, 0x11, 0] {
        expect("clone", &[flags, 0, 0, 0, 0], Answer::Allow);
    }
    for bit in 0..32 {
        let flag = 1_u64 << bit;
        let namespace = flag & 0x7e02_0000 != 0;
        let expected = if namespace { EPERM } else { Answer::Allow };
        expect("clone", &[flag], expected);
        expect("clone", &[flag | 0x11], expected);
        // CLONE_VM, FS, FILES, SIGHAND, THREAD and SYSVSEM: the caller's own. In clone 0x80 belongs
        // to the exit signal and 0x100000 is CLONE_PARENT_SETTID; in unshare they are CLONE_NEWTIME
        // and UNSHARE_EMPTY_MNTNS.
        let own = flag & 0x0005_0f00 != 0;
        expect("unshare", &[flag], if own { Answer::Allow } else { EPERM });
    }
    expect("unshare", &[0x0005_0f00], Answer::Allow);
    expect("unshare", &[0x0010_0200], EPERM);
    expect("unshare", &[0x7e02_0080], EPERM);
    expect("setns", &[3, 0], EPERM);
    expect("listns", &[0, 0, 0, 0], EPERM);
    expect("clone3", &[0x7fff_0000, 88], ENOSYS);
}

#[test]
fn terminal_input_is_refused_and_terminal_settings_are_not() {
    expect("ioctl", &[0, 0x5412, 0], EPERM);
    expect("ioctl", &[0, 0x541c, 0], EPERM);
    // TCGETS, TCSETS, TIOCGWINSZ, FIONREAD, FIOCLEX, TIOCGPTPEER.
    for request in [0x5401, 0x5402, 0x5413, 0x541b, 0x5451, 0x5441] {
        expect("ioctl", &[0, request, 0], Answer::Allow);
    }
}

#[test]
fn requests_that_change_files_are_refused_and_clone_ranges_are_not() {
    // FS_IOC_SETFLAGS, FSSETXATTR, SETVERSION, ENABLE_VERITY, FAT, BTRFS_IOC_SNAP_DESTROY_V2.
    for request in [0x4008_6602, 0x4004_6602, 0x401c_5820, 0x4008_7602, 0x4080_6685, 0x4004_7211] {
        expect("ioctl", &[3, request, 0], EACCES);
    }
    expect("ioctl", &[3, 0x5000_943f, 0], EACCES);
    // CEPH_IOC_SET_LAYOUT, F2FS_IOC_SET_PIN_FILE, ZFS_IOC_SETDOSFLAGS.
    for request in [0x4028_9702, 0x4004_f50d, 0x4008_8302] {
        expect("ioctl", &[3, request, 0], EACCES);
    }
    // FS_IOC_GETFLAGS, FSGETXATTR, FICLONE, FICLONERANGE.
    for request in [0x8008_6601, 0x801c_581f, 0x4004_9409, 0x4020_940d] {
        expect("ioctl", &[3, request, 0], Answer::Allow);
    }
    // FIDEDUPERANGE tells whether two files are alike, of which one may be open for writing alone.
    expect("ioctl", &[3, 0xc018_9436, 0], EPERM);
    expect("file_setattr", &[0, 0, 0, 0, 0], EACCES);
    expect("file_getattr", &[0, 0, 0, 0, 0], Answer::Allow);
}

#[test]
fn only_ones_own_limits_can_be_set() {
    let pointer = 0x7fff_1234_5678;
    for arch in Arch::ALL {
        let prlimit = |pid, new| ask(arch, "prlimit64", &[pid, 0, new, 0]);
        assert_eq!(prlimit(0, pointer), Answer::Allow);
        assert_eq!(prlimit(1, 0), Answer::Allow);
        assert_eq!(prlimit(1, pointer), EPERM);
        assert_eq!(prlimit(HIGH | 1, pointer), EPERM);
        assert_eq!(prlimit(HIGH, pointer), Answer::Allow);
        // A pointer whose lower or upper half alone is not zero is a pointer.
        assert_eq!(prlimit(1, 0x7fff_0000_0000), EPERM);
        assert_eq!(prlimit(1, 1), EPERM);
        assert_eq!(prlimit(u64::MAX, u64::MAX), EPERM);
    }
}

#[test]
fn only_ones_own_priority_can_be_set() {
    expect("setpriority", &[0, 0, 10], Answer::Allow);
    for (which, who) in [(0, 1), (0, 0xffff_ffff), (1, 0), (2, 0), (2, 1000)] {
        expect("setpriority", &[which, who, 10], EPERM);
    }
    expect("ioprio_set", &[1, 0, 0], Answer::Allow);
    for (which, who) in [(1, 1), (2, 0), (3, 0), (0, 0)] {
        expect("ioprio_set", &[which, who, 0], EPERM);
    }
    for call in ["sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr"] {
        expect(call, &[0, 8, 8], Answer::Allow);
        expect(call, &[1, 8, 8], EPERM);
        expect(call, &[0xffff_ffff, 8, 8], EPERM);
    }
}

#[test]
fn the_programs_fit_the_kernel_and_read_only_what_it_can_remember_by_number() {
    // BPF_MAXINSNS is 4096; one process may have 32768 of them in all (seccomp.c).
    for arch in Arch::ALL {
        let programs = programs(arch, None).unwrap();
        assert_eq!(programs.len(), 1 + Errno::ALL.len());
        assert!(programs.iter().map(Vec::len).sum::<usize>() < 1024, "{arch}");
    }
    // For `read` no argument is looked at, so the kernel caches the answer (since Linux 5.11).
    for (arch, nr) in [(Arch::X86_64, 0), (Arch::Aarch64, 63)] {
        let call = Call::new(audit_arch(arch), nr, &[]);
        for program in programs(arch, None).unwrap() {
            assert!(bpf::loads(&program, &call).iter().all(|offset| *offset <= ARCHITECTURE));
        }
    }
}

#[test]
fn refusals_are_told_in_words() {
    let rows = denied_calls(Arch::X86_64);
    let words = |call| -> Vec<_> {
        rows.iter().filter(|row| row.call == call).map(|row| (&*row.when, &*row.errno)).collect()
    };
    assert_eq!(words("mount"), [("always", "EPERM")]);
    assert_eq!(words("clone3"), [("always", "ENOSYS")]);
    assert_eq!(words("prlimit64"), [("pid is not 0 and new_limit is not null", "EPERM")]);
    assert_eq!(
        words("setpriority"),
        [("which is not PRIO_PROCESS", "EPERM"), ("who is not 0", "EPERM")]
    );
    assert_eq!(words("ioctl")[0], ("op is one of TIOCSTI, TIOCLINUX", "EPERM"));
    assert!(words("unshare")[0].0.starts_with("flags has any but CLONE_VM, CLONE_FS,"));
    let arm: BTreeSet<_> = denied_calls(Arch::Aarch64).iter().map(|row| row.call).collect();
    assert!(arm.contains("mount") && !arm.contains("iopl"));
}
