//! What stops for the supervisor, and for which arguments.

#![forbid(unsafe_code)]

use std::sync::LazyLock;

use super::bpf::{self, Answer, Call, answer};
use super::{EACCES, ENOSYS, EPERM, HIGH};
use crate::compile::filter::{programs, refused_calls};
use crate::compile::front::{ARCHITECTURE, audit_arch};
use crate::compile::traps::Traps;
use crate::syscalls::{self, Arch, Disposition, Family};
use seccompiler::BpfProgram;

const OPEN: Traps =
    Traps { opens: true, execs: true, unix_sockets: true, listens: true, tracing: true };
const CLOSED: Traps =
    Traps { opens: false, execs: false, unix_sockets: false, listens: false, tracing: false };

/// Every combination of what may stop.
fn all() -> impl Iterator<Item = Traps> {
    (0..32).map(|bits| Traps {
        opens: bits & 1 != 0,
        execs: bits & 2 != 0,
        unix_sockets: bits & 4 != 0,
        listens: bits & 8 != 0,
        tracing: bits & 16 != 0,
    })
}

fn ask(traps: Option<&Traps>, arch: Arch, name: &str, args: &[u64]) -> Option<Answer> {
    type Built = Vec<(Option<Traps>, Arch, Vec<BpfProgram>)>;
    static BUILT: LazyLock<Built> = LazyLock::new(|| {
        let kinds = all().map(Some).chain([None]);
        let both = kinds.flat_map(|traps| Arch::ALL.map(|arch| (traps, arch)));
        both.map(|(traps, arch)| (traps, arch, programs(arch, traps.as_ref()).unwrap())).collect()
    });
    let is_it = |built: &&(Option<Traps>, Arch, Vec<BpfProgram>)| {
        (built.0.as_ref(), built.1) == (traps, arch)
    };
    let (_, _, programs) = BUILT.iter().find(is_it).unwrap();
    let number = syscalls::table().find(|call| call.name == name).unwrap().number(arch)?;
    Some(answer(programs, &Call::new(audit_arch(arch), number, args)))
}

/// On every architecture that has the call.
#[track_caller]
fn expect(traps: Traps, name: &str, args: &[u64], expected: Answer) {
    let answers: Vec<Answer> =
        Arch::ALL.into_iter().filter_map(|arch| ask(Some(&traps), arch, name, args)).collect();
    assert!(!answers.is_empty());
    assert!(
        answers.iter().all(|one| *one == expected),
        "{name} {args:x?}: {answers:?}, not {expected:?}"
    );
}

/// The same when every argument has high bits: its arguments are 32 bits wide.
#[track_caller]
fn expect_32(traps: Traps, name: &str, args: &[u64], expected: Answer) {
    expect(traps, name, args, expected);
    let high: Vec<u64> = args.iter().map(|arg| arg | HIGH).collect();
    expect(traps, name, &high, expected);
}

use Answer::{Allow, Notify};

#[test]
fn nothing_stops_without_a_supervisor() {
    for call in syscalls::table() {
        for arch in Arch::ALL {
            for args in [[0; 6], [1; 6], [2; 6], [4; 6], [0x5441; 6], [u64::MAX; 6]] {
                assert_ne!(ask(None, arch, call.name, &args), Some(Notify), "{}", call.name);
            }
        }
    }
}

#[test]
fn every_judged_call_stops_as_its_family_says() {
    for (call, judged) in syscalls::table().filter_map(|call| match &call.disposition {
        Disposition::Judged(judged) => Some((call, judged)),
        Disposition::Free(_) | Disposition::Denied(_) => None,
    }) {
        for traps in all() {
            // With no flag set: F_OK, O_RDONLY, AF_UNSPEC, no option.
            let stops = match (judged.family, call.name) {
                (Family::Entry, _) | (Family::Socket, "bind") => true,
                (Family::Metadata, "access" | "faccessat" | "faccessat2") => false,
                (Family::Metadata, _) => true,
                // What it makes is in memory.
                (Family::Open, "openat2") => true,
                (Family::Open, _) => traps.opens,
                (Family::Exec, _) => traps.execs,
                (Family::Socket, "connect") => traps.unix_sockets || traps.opens,
                (Family::Socket, "listen") => traps.listens,
                (Family::Socket, "socket" | "socketpair")
                | (Family::Process, "prctl" | "setpgid") => false,
                (Family::Socket | Family::Process, name) => panic!("{name} has no test"),
            };
            expect(traps, call.name, &[0; 6], if stops { Notify } else { Allow });
        }
    }
}

#[test]
fn free_calls_never_stop() {
    // But for tracers.
    let quiet = Traps { tracing: false, ..OPEN };
    for call in syscalls::table().filter(|call| matches!(call.disposition, Disposition::Free(_))) {
        expect(quiet, call.name, &[0; 6], Allow);
        expect(quiet, call.name, &[u64::MAX; 6], Allow);
    }
}

#[test]
fn denied_calls_stay_denied() {
    for traps in [OPEN, CLOSED] {
        expect(traps, "mount", &[0; 6], EPERM);
        expect(traps, "clone3", &[0; 6], ENOSYS);
        expect(traps, "clone", &[0x0002_0000], EPERM);
        expect(traps, "file_setattr", &[0; 6], EACCES);
        expect(traps, "ioctl", &[0, 0x5412, 0], EPERM);
        expect(traps, "ioctl", &[3, 0x4008_6602, 0], EACCES);
        // The supervisor stands outside a domain that the target makes.
        expect(traps, "landlock_create_ruleset", &[0; 6], ENOSYS);
        expect(traps, "landlock_restrict_self", &[0; 6], ENOSYS);
    }
}

#[test]
fn an_o_path_open_runs_where_its_flag_is_in_a_register() {
    const O_PATH: u64 = 0x0020_0000;
    for flags in [O_PATH, O_PATH | 0x8_0000, O_PATH | 0o100, O_PATH | 0o2, u64::from(u32::MAX)] {
        expect_32(OPEN, "open", &[1, flags, 0], Allow);
        expect_32(OPEN, "openat", &[1, 1, flags, 0], Allow);
        // The high half is no flag, and hides none.
        expect(OPEN, "openat", &[1, 1, flags << 32, 0], Notify);
    }
    for flags in [0, 0o1, 0o2, 0o100, 0x8_0000, 0x0010_0000, 0x0040_0000] {
        expect_32(OPEN, "open", &[1, flags, 0], Notify);
        expect_32(OPEN, "openat", &[1, 1, flags, 0], Notify);
        expect(CLOSED, "openat", &[1, 1, flags, 0], Allow);
    }
    // In memory, or none.
    for args in [[0; 6], [O_PATH; 6], [u64::MAX; 6]] {
        expect(OPEN, "openat2", &args, Notify);
        expect(OPEN, "creat", &args, Notify);
        expect(CLOSED, "openat2", &args, Notify);
    }
    expect(CLOSED, "creat", &[0; 6], Allow);
    expect(CLOSED, "creat", &[O_PATH; 6], Allow);
}

#[test]
fn an_open_that_makes_a_file_which_lends_its_owners_rights_always_stops() {
    const O_CREAT: u64 = 0o100;
    const O_TMPFILE: u64 = 0o2020_0000;
    for mode in [0o4755, 0o2755, 0o6000] {
        for flags in [O_CREAT, O_CREAT | 0o1, O_TMPFILE | 0o2] {
            expect_32(CLOSED, "open", &[1, flags, mode], Notify);
            expect_32(CLOSED, "openat", &[1, 1, flags, mode], Notify);
        }
        expect_32(CLOSED, "creat", &[1, mode], Notify);
        // Nothing is made.
        expect_32(CLOSED, "open", &[1, 0o1, mode], Allow);
    }
    for mode in [0o644, 0o1777] {
        expect_32(CLOSED, "open", &[1, O_CREAT, mode], Allow);
        expect_32(CLOSED, "openat", &[1, 1, O_TMPFILE | 0o2, mode], Allow);
        expect_32(CLOSED, "creat", &[1, mode], Allow);
    }
}

#[test]
fn a_question_about_existence_is_free() {
    for (name, at) in [("access", 1), ("faccessat", 2), ("faccessat2", 2)] {
        for mode in 0..16_u64 {
            let mut args = [7; 6];
            args[at] = mode;
            let expected = if mode & 7 == 0 { Allow } else { Notify };
            expect(CLOSED, name, &args, expected);
            args[at] = mode | HIGH;
            expect(CLOSED, name, &args, expected);
        }
    }
    expect(CLOSED, "inotify_add_watch", &[0; 6], Notify);
    expect(CLOSED, "truncate", &[0; 6], Notify);
}

#[test]
fn only_what_hides_memory_is_asked_of_prctl() {
    const PR_SET_DUMPABLE: u64 = 4;
    let ask =
        |option, value, expected| expect(CLOSED, "prctl", &[option, value, 0, 0, 0], expected);
    for option in [0, 1, 3, 5, 15, 22, 38, 0x5961_6d61] {
        ask(option, 0, Allow);
        ask(option, 1, Allow);
        ask(option, u64::MAX, Allow);
    }
    for option in [PR_SET_DUMPABLE, PR_SET_DUMPABLE | HIGH] {
        ask(option, 1, Allow);
        // The kernel compares all 64 bits.
        for value in [0, 2, 1 << 32, 1 << 32 | 1, HIGH | 1, u64::MAX] {
            ask(option, value, Notify);
        }
    }
}

#[test]
fn unix_datagram_sockets_stop_until_landlock_judges_what_they_send() {
    let (landlock, bare) = (Traps { unix_sockets: false, ..OPEN }, OPEN);
    for name in ["socket", "socketpair"] {
        for flags in [0, 0o4000, 0x8_0000, 0x8_0800] {
            for kind in [2, 3] {
                expect_32(bare, name, &[1, kind | flags, 0], Notify);
                expect(landlock, name, &[1, kind | flags, 0], Allow);
                // Not unix.
                for domain in [0, 2, 10, 16, 0x101] {
                    expect_32(bare, name, &[domain, kind | flags, 0], Allow);
                }
            }
            for kind in [0, 1, 4, 5, 10, 0x12 & !0xf] {
                expect_32(bare, name, &[1, kind | flags, 0], Allow);
            }
        }
    }
    expect(bare, "connect", &[3, 1, 110], Notify);
    // Where opens stop, what Landlock withholds of a mixed directory is the supervisor's: its sockets too.
    expect(landlock, "connect", &[3, 1, 110], Notify);
    expect(CLOSED, "connect", &[3, 1, 110], Allow);
    expect(landlock, "bind", &[3, 1, 110], Notify);
    for (abi, stops) in [(6, true), (7, true), (8, true), (9, false), (10, false)] {
        assert_eq!(Traps::new(false, false, abi).unix_sockets, stops, "{abi}");
    }
}

#[test]
fn the_other_end_of_a_terminal_stops_and_other_requests_do_not() {
    expect_32(CLOSED, "ioctl", &[3, 0x5441, 0], Notify);
    for request in [0, 0x5401, 0x5402, 0x5413, 0x541b, 0x5451, 0x5440, 0x5442, 0x8004_5430] {
        expect_32(CLOSED, "ioctl", &[3, request, 0], Allow);
    }
    expect(CLOSED, "ioctl", &[3, 0x5441 << 32, 0], Allow);
}

#[test]
fn a_process_that_is_named_by_its_number_stops_instead_of_being_refused() {
    for name in ["sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr"] {
        expect_32(CLOSED, name, &[0, 8, 8], Allow);
        for pid in [1, 4711, 0xffff_ffff] {
            expect_32(CLOSED, name, &[pid, 8, 8], Notify);
        }
    }
    expect_32(CLOSED, "setpriority", &[0, 0, 10], Allow);
    expect_32(CLOSED, "setpriority", &[0, 1, 10], Notify);
    expect_32(CLOSED, "ioprio_set", &[1, 0, 0], Allow);
    expect_32(CLOSED, "ioprio_set", &[1, 1, 0], Notify);
    // Groups and users are refused by the filter itself.
    for (which, who) in [(1, 0), (2, 0), (2, 1000), (1, 77)] {
        expect_32(CLOSED, "setpriority", &[which, who, 10], EPERM);
    }
    for (which, who) in [(0, 0), (2, 0), (3, 0), (2, 77), (3, 1000)] {
        expect_32(CLOSED, "ioprio_set", &[which, who, 0], EPERM);
    }
    let pointer = 0x7fff_1234_5678;
    let prlimit = |pid, new, expected| expect(CLOSED, "prlimit64", &[pid, 0, new, 0], expected);
    prlimit(0, pointer, Allow);
    prlimit(HIGH, pointer, Allow);
    prlimit(1, 0, Allow);
    // A pointer whose lower or upper half alone is not zero is a pointer.
    for new in [pointer, 1, 0x7fff_0000_0000, u64::MAX] {
        prlimit(1, new, Notify);
        prlimit(HIGH | 1, new, Notify);
    }
}

#[test]
fn what_stops_is_not_told_as_refused() {
    let told = |traps: Option<&Traps>, name: &str| -> Vec<String> {
        let calls = refused_calls(Arch::X86_64, traps);
        calls.into_iter().filter(|call| call.call == name).map(|call| call.when).collect()
    };
    assert_eq!(told(None, "setpriority"), ["which is not PRIO_PROCESS", "who is not 0"]);
    assert_eq!(told(Some(&CLOSED), "setpriority"), ["which is not PRIO_PROCESS"]);
    assert!(told(Some(&CLOSED), "prlimit64").is_empty());
    assert_eq!(told(Some(&CLOSED), "mount"), ["always"]);
}

#[test]
fn the_programs_fit_the_kernel_which_remembers_what_they_always_allow() {
    for arch in Arch::ALL {
        let programs = programs(arch, Some(&OPEN)).unwrap();
        // BPF_MAXINSNS is 4096.
        assert!(programs.iter().map(Vec::len).sum::<usize>() < 1536, "{arch}");
        for (name, is_remembered) in [("read", true), ("futex", true), ("prctl", false)] {
            let number = syscalls::table().find(|call| call.name == name).unwrap().number(arch);
            let call = Call::new(audit_arch(arch), number.unwrap(), &[]);
            let loads = programs.iter().flat_map(|program| bpf::loads(program, &call));
            let reads_nothing = loads.into_iter().all(|offset| offset <= ARCHITECTURE);
            assert_eq!(reads_nothing, is_remembered, "{name} on {arch}");
        }
    }
}

#[test]
fn tracers_and_copies_of_memory_stop_where_a_program_must_not_be_read() {
    for name in ["ptrace", "process_vm_readv", "process_vm_writev"] {
        for args in [[0, 0, 0], [1, 5, 0], [0x4206, 7, 1 << 40]] {
            expect(OPEN, name, &args, Notify);
            expect(CLOSED, name, &args, Allow);
        }
    }
    expect(OPEN, "kcmp", &[1, 2, 0], Allow);
}
