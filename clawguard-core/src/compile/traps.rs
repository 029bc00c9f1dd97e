//! Which system calls the target stops at, so that the supervisor answers them, and for which arguments.
//!
//! Only registers are proof: where a flag lies in memory the whole call stops. Whatever the filter refuses by itself
//! stays refused, since an errno is stricter than a notification (seccomp(2)).

#![forbid(unsafe_code)]

use crate::policy::Listen;
use crate::syscalls::{
    Denial, Disposition, Family, Forbidden, Held, Judged, Need, OpenFlags, Syscall, Test, bits_but,
    constants,
};

/// Since this ABI Landlock judges who may send to a unix socket by its path (`RESOLVE_UNIX`).
const RESOLVE_UNIX_ABI: u32 = 9;

/// What stops besides what always stops: the calls that Landlock never judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traps {
    /// Opens: Landlock does not hold them exactly, or they are to be seen.
    pub(crate) opens: bool,
    /// Executions: a directory is loose, or they are to be seen.
    pub(crate) execs: bool,
    /// Unix sockets by path: Landlock does not judge who connects and sends to them.
    pub(crate) unix_sockets: bool,
    /// Sockets that listen: the policy says where they may.
    pub(crate) listens: bool,
    /// Tracers, and what copies another process's memory: where a directory is loose for reading, a program that must
    /// not be read can be mapped.
    pub(crate) tracing: bool,
}

/// When a system call stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trap {
    Never,
    Always,
    /// When any of these holds; each is a list of checks that must all hold.
    When(Vec<Vec<Check>>),
}

/// A comparison of one half of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// 0 to 5.
    pub(super) argument: u8,
    pub(super) half: Half,
    /// The bits that count.
    pub(super) mask: u32,
    pub(super) is: Is,
}

/// A 32-bit argument is its lower half, whatever the caller puts into the upper one (CVE-2019-7303).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Lower,
    Upper,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Equal(u32),
    Other(u32),
}

/// A family of calls that stop, in words, for `plan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrappedCalls {
    /// A short name: `open`, `entry`, `metadata`, `socket`, `exec`, `process`.
    pub family: &'static str,
    /// What stops.
    pub what: String,
}

impl Traps {
    pub(super) fn new(opens: bool, execs: bool, landlock_abi: u32) -> Traps {
        let unix_sockets = landlock_abi < RESOLVE_UNIX_ABI;
        Traps { opens, execs, unix_sockets, listens: false, tracing: false }
    }

    /// The same, and where sockets may listen.
    pub(super) fn and_listens(self, listen: Option<Listen>) -> Traps {
        Traps { listens: listen == Some(Listen::Loopback), ..self }
    }

    /// The same, and whether tracers stop.
    pub(super) fn and_tracing(self, tracing: bool) -> Traps {
        Traps { tracing, ..self }
    }

    /// Where opens stop because Landlock withholds a directory that is mixed, it withholds the sockets in it too.
    fn connects(self) -> bool {
        self.unix_sockets || self.opens
    }

    pub(super) fn trap(self, call: &Syscall) -> Trap {
        match &call.disposition {
            Disposition::Free(_) => only(self.tracing && reads_memory(call.name), Trap::Always),
            Disposition::Judged(judged) => self.judged(call.name, judged),
            Disposition::Denied(denials) => denied(call.name, denials),
        }
    }

    fn judged(self, name: &str, judged: &Judged) -> Trap {
        match judged.family {
            Family::Open if self.opens => opening(judged),
            Family::Open => lending(judged, self.execs),
            Family::Entry => Trap::Always,
            Family::Metadata => asking(judged),
            Family::Socket => match judged.held {
                // `connect`.
                Held::Landlock { abi } if u32::from(abi) == RESOLVE_UNIX_ABI => {
                    only(self.connects(), Trap::Always)
                }
                // `bind`: where making entries is withheld, and addresses of the network.
                Held::Landlock { .. } => Trap::Always,
                // `socket` and `socketpair`.
                Held::Open => self.sockets(name),
                // `listen`.
                Held::Moot => only(self.listens, Trap::Always),
            },
            Family::Exec => only(self.execs, Trap::Always),
            Family::Process if name == "setpgid" => joining(),
            Family::Process => hiding(),
        }
    }

    /// Sockets that are refused when they are made: unix datagram sockets where Landlock does not judge what they send
    /// to, and the one that tells of every process of the host (`PROC_EVENT_FORK`, `EXEC` and others; any user may
    /// listen since Linux 6.6).
    fn sockets(self, name: &str) -> Trap {
        let mut alternatives = if self.unix_sockets { datagram() } else { Vec::new() };
        if name == "socket" {
            let protocol = equal(2, constants::NETLINK_CONNECTOR.value);
            alternatives.push(vec![equal(0, constants::AF_NETLINK.value), protocol]);
        }
        if alternatives.is_empty() { Trap::Never } else { Trap::When(alternatives) }
    }

    /// What stops, by family.
    pub(super) fn describe(self) -> Vec<TrappedCalls> {
        let row = |family, what: &str| TrappedCalls { family, what: what.to_owned() };
        let mut rows = Vec::new();
        if self.opens {
            rows.push(row("open", "every open, but for O_PATH in a register"));
        } else {
            let lending = "openat2, and making a set-user-ID or set-group-ID file";
            let executable = "openat2, and making a set-user-ID, set-group-ID or executable file";
            rows.push(row("open", if self.execs { executable } else { lending }));
        }
        rows.extend([
            row("entry", "making, removing, linking and moving entries"),
            row(
                "metadata",
                "mode, owner, times, length, extended attributes, access for r, w or x, inotify watches",
            ),
            row(
                "socket",
                match (self.unix_sockets, self.connects()) {
                    (true, _) => "bind, connect, and making unix datagram sockets",
                    (false, true) => "bind and connect",
                    (false, false) => "bind",
                },
            ),
        ]);
        if self.listens {
            rows.push(row("socket", "listen"));
        }
        if self.execs {
            rows.push(row("exec", "every execution"));
        }
        if self.tracing {
            rows.push(row("process", "ptrace, process_vm_readv and process_vm_writev"));
        }
        rows.push(row(
            "process",
            "hiding memory (PR_SET_DUMPABLE), the other end of a pseudo-terminal (TIOCGPTPEER), process groups \
             (setpgid, TIOCSPGRP), limits and scheduling of a process that is named by its number",
        ));
        rows
    }
}

/// Does the denial keep others' processes from being named? A filter cannot tell one's own number from another's; the
/// supervisor can, so where there is one, the call stops instead.
pub(super) fn is_answered_by_supervisor(denial: &Denial) -> bool {
    denial.when.iter().any(|condition| matches!(condition.test, Test::NotSelf))
}

/// Is the call harmless where nobody performs calls for the target?
pub(super) fn is_for_the_supervisors_sake(denial: &Denial) -> bool {
    denial.forbids == Forbidden::InnerLandlock
}

/// Does the call read what another process has in its memory or registers?
fn reads_memory(name: &str) -> bool {
    matches!(name, "ptrace" | "process_vm_readv" | "process_vm_writev")
}

fn only(is_wanted: bool, trap: Trap) -> Trap {
    if is_wanted { trap } else { Trap::Never }
}

/// The kernel runs every O_PATH open: Landlock allows it, and its descriptor reads nothing. ADDFD could not hand one
/// over (docs/kernel.md).
fn opening(judged: &Judged) -> Trap {
    let flags = judged.objects.iter().find_map(|object| match object.need {
        Need::Opening(OpenFlags::Argument(argument)) => Some(argument),
        Need::Opening(OpenFlags::OpenHow { .. } | OpenFlags::Creat)
        | Need::Access(_)
        | Need::AccessMode(_) => None,
    });
    match flags {
        Some(argument) => {
            let bit = constants::O_PATH.value;
            Trap::When(vec![vec![masked(argument, bit, Is::Equal(0))]])
        }
        None => Trap::Always,
    }
}

/// Making a file that would lend its owner's rights, or its group's, to whoever executes it; and, where executions are
/// judged, one that can be executed at all. The flags and the mode of `openat2` are in memory.
fn lending(judged: &Judged, execs: bool) -> Trap {
    let executable = if execs { EXECUTABLE } else { 0 };
    let bits = constants::S_ISUID.value | constants::S_ISGID.value | executable;
    let lends = |argument| masked(argument, bits, Is::Other(0));
    let need = judged.objects.iter().find_map(|object| match object.need {
        Need::Opening(flags) => Some(flags),
        Need::Access(_) | Need::AccessMode(_) => None,
    });
    match need {
        Some(OpenFlags::Argument(flags)) => {
            let makes = [constants::O_CREAT, constants::O_TMPFILE].map(|bit| set(flags, bit));
            Trap::When(makes.into_iter().map(|made| vec![made, lends(flags + 1)]).collect())
        }
        Some(OpenFlags::Creat) => Trap::When(vec![vec![lends(1)]]),
        Some(OpenFlags::OpenHow { .. }) | None => Trap::Always,
    }
}

/// The bits of a mode that let a file be executed.
const EXECUTABLE: u32 = 0o111;

/// One bit of a 32-bit argument is set.
fn set(argument: u8, bit: constants::Constant) -> Check {
    masked(argument, bit.value, Is::Other(0))
}

/// `access` with F_OK asks for nothing but existence.
fn asking(judged: &Judged) -> Trap {
    let mode = judged.objects.iter().find_map(|object| match object.need {
        Need::AccessMode(argument) => Some(argument),
        Need::Access(_) | Need::Opening(_) => None,
    });
    match mode {
        // R_OK, W_OK and X_OK; other bits are EINVAL (fs/open.c, `do_faccessat`).
        Some(argument) => Trap::When(vec![vec![masked(argument, 0b111, Is::Other(0))]]),
        None => Trap::Always,
    }
}

/// A unix datagram socket. The kernel makes one of SOCK_RAW too (net/unix/af_unix.c, `unix_create`), and looks at the
/// lowest four bits of the type alone (`SOCK_TYPE_MASK`).
fn datagram() -> Vec<Vec<Check>> {
    let of = |kind: constants::Constant| {
        vec![equal(0, constants::AF_UNIX.value), masked(1, SOCK_TYPE_MASK, Is::Equal(kind.value))]
    };
    vec![of(constants::SOCK_DGRAM), of(constants::SOCK_RAW)]
}

const SOCK_TYPE_MASK: u32 = 0xf;

/// `prctl(PR_SET_DUMPABLE, X)`: anything but 1 hides the target's memory from the supervisor. X is 64 bits wide.
fn hiding() -> Trap {
    const SUID_DUMP_USER: u64 = 1;
    let hides = different(1, SUID_DUMP_USER);
    let option = equal(0, constants::PR_SET_DUMPABLE.value);
    Trap::When(hides.map(|hides| vec![option, hides]).to_vec())
}

/// `setpgid(PID, GROUP)`: with 0 the group is a new one, or the process's own.
fn joining() -> Trap {
    Trap::When(vec![vec![masked(1, u32::MAX, Is::Other(0))]])
}

/// Denied calls are refused by the filter, but for those that name a process. `ioctl` is denied for certain requests,
/// and stops at two more: the other end of a pseudo-terminal is opened by no path, and the group that a terminal is
/// given to may be an outsider's.
fn denied(name: &str, denials: &[Denial]) -> Trap {
    let mut alternatives: Vec<Vec<Check>> = Vec::new();
    for denial in denials.iter().filter(|denial| is_answered_by_supervisor(denial)) {
        let mut choices: Vec<Vec<Check>> = vec![Vec::new()];
        for condition in denial.when {
            let tests = checks(condition.argument.index, &condition.test);
            let join = |chosen: &Vec<Check>| {
                let chosen = chosen.clone();
                tests.clone().into_iter().map(move |test| [chosen.as_slice(), &[test]].concat())
            };
            choices = choices.iter().flat_map(join).collect();
        }
        alternatives.extend(choices);
    }
    if name == "ioctl" {
        let requests = [constants::TIOCGPTPEER, constants::TIOCSPGRP];
        alternatives.extend(requests.map(|request| vec![equal(1, request.value)]));
    }
    if alternatives.is_empty() { Trap::Never } else { Trap::When(alternatives) }
}

/// The checks, any of which fulfils a test of the table.
fn checks(argument: u8, test: &Test) -> Vec<Check> {
    match test {
        Test::OneOf(constants) => constants.iter().map(|one| equal(argument, one.value)).collect(),
        Test::AnyBit(constants) => {
            constants.iter().map(|one| masked(argument, one.value, Is::Other(0))).collect()
        }
        Test::AnyBitBut(constants) => {
            bits_but(constants).map(|bit| masked(argument, bit, Is::Other(0))).collect()
        }
        Test::Not(constant) => vec![masked(argument, u32::MAX, Is::Other(constant.value))],
        Test::NotSelf => vec![masked(argument, u32::MAX, Is::Other(0))],
        Test::NotNull => different(argument, 0).to_vec(),
    }
}

fn equal(argument: u8, value: u32) -> Check {
    masked(argument, u32::MAX, Is::Equal(value))
}

/// A 32-bit argument.
fn masked(argument: u8, mask: u32, is: Is) -> Check {
    Check { argument, half: Half::Lower, mask, is }
}

/// A 64-bit argument that is not `value`: one of its halves is not.
fn different(argument: u8, value: u64) -> [Check; 2] {
    let lower = (value & u64::from(u32::MAX)) as u32;
    let upper = (value >> 32) as u32;
    [(Half::Lower, lower), (Half::Upper, upper)].map(|(half, value)| Check {
        argument,
        half,
        mask: u32::MAX,
        is: Is::Other(value),
    })
}
