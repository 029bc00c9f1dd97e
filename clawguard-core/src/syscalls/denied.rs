//! System calls that the filter answers with an errno, always or for certain arguments.
//!
//! Only arguments in registers are proof: what a pointer leads to can change after the filter has
//! looked (seccomp_unotify(2)). Nothing here depends on a policy.

#![forbid(unsafe_code)]

use std::fmt;

use super::constants::*;
use super::{Constant, Disposition, Syscall, both, x86};

/// A refusal: the errno, and when it is given.
#[derive(Debug)]
pub(crate) struct Denial {
    /// What is kept from the target.
    pub(crate) forbids: Forbidden,
    /// The answer.
    pub(crate) errno: Errno,
    /// All of these must hold; without any, the call is always refused.
    pub(crate) when: &'static [Condition],
}

/// What the denied calls would give the target (SPEC section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// A namespace: it brings capabilities, and mounts that lead round the policy.
    Namespaces,
    /// Flags that a filter cannot read: libc falls back to the call that has them in a register.
    HiddenFlags,
    /// Another view of the file tree.
    Mounts,
    /// Settings of the whole host (swap, accounting, quotas, names, ports), and old ways into it.
    HostSettings,
    /// System calls that no filter sees.
    IoUring,
    /// Files opened without a path.
    FileHandles,
    /// Code in the kernel.
    KernelCode,
    /// Sight of other processes, or of the kernel, through its counters.
    Performance,
    /// Secrets of the user's sessions.
    Keyrings,
    /// Events of whole file systems.
    Fanotify,
    /// Page faults handled in user space: they stop the kernel in the middle of a copy.
    Userfaultfd,
    /// Limits and priorities of other processes. A filter cannot tell one's own number from
    /// another's, so only 0, which means the caller, is let through.
    OtherProcesses,
    /// Keys typed for the owner (CVE-2017-5226).
    TerminalInput,
    /// Files changed through a descriptor that is open for reading only.
    FileAttributes,
    /// Contents compared: with a file that may be written and not read, each guess at what is in it is answered.
    Comparing,
    /// A Landlock domain of the target's own: a supervisor that performs its calls stands outside it, so a sandbox
    /// that believes in it would be none. Refused only where there is a supervisor.
    InnerLandlock,
    /// POSIX message queues: the kernel makes and removes them by a name that no path of a policy leads to, and Landlock
    /// is asked only when a queue is opened, after it was made; of `mq_unlink` it is never asked (ipc/mqueue.c).
    MessageQueues,
    /// Calls that Linux no longer has, in case an out-of-tree module brings one back.
    Retired,
}

impl Forbidden {
    /// The subject in words, for a person.
    pub(crate) fn subject(self) -> &'static str {
        match self {
            Forbidden::Namespaces => "namespaces",
            Forbidden::HiddenFlags => "flags in memory",
            Forbidden::Mounts => "mounts",
            Forbidden::HostSettings => "settings of the host",
            Forbidden::IoUring => "io_uring",
            Forbidden::FileHandles => "file handles",
            Forbidden::KernelCode => "kernel code",
            Forbidden::Performance => "performance events",
            Forbidden::Keyrings => "keyrings",
            Forbidden::Fanotify => "fanotify",
            Forbidden::Userfaultfd => "userfaultfd",
            Forbidden::OtherProcesses => "limits and priorities of other processes",
            Forbidden::TerminalInput => "terminal input",
            Forbidden::FileAttributes => "files changed through read-only descriptors",
            Forbidden::Comparing => "contents compared through write-only descriptors",
            Forbidden::InnerLandlock => "a Landlock sandbox inside this one",
            Forbidden::MessageQueues => "POSIX message queues",
            Forbidden::Retired => "retired calls",
        }
    }
}

/// The answer to a denied call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Errno {
    /// Not for this process.
    Eperm,
    /// As if the kernel did not have the call: the caller falls back to an older one.
    Enosys,
    /// As for a file that the policy denies.
    Eacces,
}

impl Errno {
    /// Every answer, in the order in which their programs are built.
    pub(crate) const ALL: [Errno; 3] = [Errno::Eperm, Errno::Enosys, Errno::Eacces];

    /// The kernel's number (asm-generic/errno-base.h, asm-generic/errno.h).
    pub(crate) const fn number(self) -> u32 {
        match self {
            Errno::Eperm => 1,
            Errno::Eacces => 13,
            Errno::Enosys => 38,
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Errno::Eperm => "EPERM",
            Errno::Enosys => "ENOSYS",
            Errno::Eacces => "EACCES",
        })
    }
}

/// A test of one argument.
#[derive(Debug)]
pub(crate) struct Condition {
    /// Which argument.
    pub(crate) argument: Argument,
    /// What is asked of it.
    pub(crate) test: Test,
}

/// The place of an argument, and its name in the manual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Argument {
    /// 0 to 5.
    pub(crate) index: u8,
    /// As the manual calls it.
    pub(crate) name: &'static str,
}

/// What is asked of an argument. All but [`Test::NotNull`] look at its lower 32 bits, as the
/// kernel does: comparing 64 let callers slip past by setting high bits (CVE-2019-7303).
#[derive(Debug)]
pub(crate) enum Test {
    /// It is one of these.
    OneOf(&'static [Constant]),
    /// It has a bit of one of these; each is one bit.
    AnyBit(&'static [Constant]),
    /// It has a bit that none of these is; each is one bit.
    AnyBitBut(&'static [Constant]),
    /// It is something else.
    Not(Constant),
    /// It is not 0, which is how a call names its own thread.
    NotSelf,
    /// It is a pointer: not 0 in 64 bits.
    NotNull,
}

/// Each bit that none of `constants` is.
pub(crate) fn bits_but(constants: &[Constant]) -> impl Iterator<Item = u32> {
    let known = constants.iter().fold(0, |known, one| known | one.value);
    (0..u32::BITS).map(|bit| 1 << bit).filter(move |bit| known & bit == 0)
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, verb: &str, constants: &[Constant]| {
            write!(f, "{} {verb}", self.argument.name)?;
            constants.iter().enumerate().try_for_each(|(index, constant)| {
                write!(f, "{} {constant}", if index == 0 { "" } else { "," })
            })
        };
        match self.test {
            Test::OneOf([one]) => write!(f, "{} is {one}", self.argument.name),
            Test::OneOf(constants) => list(f, "is one of", constants),
            Test::AnyBit(constants) => list(f, "has any of", constants),
            Test::AnyBitBut(constants) => list(f, "has any but", constants),
            Test::Not(constant) => write!(f, "{} is not {constant}", self.argument.name),
            Test::NotSelf => write!(f, "{} is not 0", self.argument.name),
            Test::NotNull => write!(f, "{} is not null", self.argument.name),
        }
    }
}

const fn always(forbids: Forbidden, errno: Errno) -> Denial {
    Denial { forbids, errno, when: &[] }
}

const fn eperm_when(forbids: Forbidden, when: &'static [Condition]) -> Denial {
    Denial { forbids, errno: Errno::Eperm, when }
}

const fn arg(index: u8, name: &'static str, test: Test) -> Condition {
    Condition { argument: Argument { index, name }, test }
}

const fn denied(denials: &'static [Denial]) -> Disposition {
    Disposition::Denied(denials)
}

/// Namespaces that `clone` can make.
const CLONE_NAMESPACES: &[Constant] = &[
    CLONE_NEWNS,
    CLONE_NEWCGROUP,
    CLONE_NEWUTS,
    CLONE_NEWIPC,
    CLONE_NEWUSER,
    CLONE_NEWPID,
    CLONE_NEWNET,
];

/// What `unshare` may take apart: the caller's own tables. Every other bit is a namespace, or may
/// become one: Linux 7.1 gave UNSHARE_EMPTY_MNTNS to a bit that had meant nothing.
const UNSHARE_OWN: &[Constant] =
    &[CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM];

/// Requests that change a file, or the tree, through a descriptor that may be open for reading
/// only: the file system looks at the owner, and Landlock only at device files. FICLONE,
/// FICLONERANGE and FIDEDUPERANGE need proper descriptors, and stay free. So do defragmentation
/// and extent migration: they move bytes on the disk, and every reader finds what it found before.
const CHANGING_REQUESTS: &[Constant] = &[
    FS_IOC_SETFLAGS,
    FS_IOC32_SETFLAGS,
    FS_IOC_SETVERSION,
    FS_IOC32_SETVERSION,
    FS_IOC_FSSETXATTR,
    FS_IOC_ENABLE_VERITY,
    FS_IOC_SET_ENCRYPTION_POLICY,
    FS_IOC_ADD_ENCRYPTION_KEY,
    FS_IOC_REMOVE_ENCRYPTION_KEY,
    FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS,
    FAT_IOCTL_SET_ATTRIBUTES,
    EXT4_IOC_SETVERSION,
    EXT4_IOC32_SETVERSION,
    BTRFS_IOC_SUBVOL_CREATE,
    BTRFS_IOC_SUBVOL_CREATE_V2,
    BTRFS_IOC_SNAP_CREATE,
    BTRFS_IOC_SNAP_CREATE_V2,
    BTRFS_IOC_SNAP_DESTROY,
    BTRFS_IOC_SNAP_DESTROY_V2,
    BTRFS_IOC_SUBVOL_SETFLAGS,
    BTRFS_IOC_DEFAULT_SUBVOL,
    BTRFS_IOC_SET_RECEIVED_SUBVOL,
    BTRFS_IOC_SET_RECEIVED_SUBVOL_32,
    OCFS2_IOC_REFLINK,
    BCH_IOCTL_SUBVOLUME_CREATE,
    BCH_IOCTL_SUBVOLUME_DESTROY,
    BCHFS_IOC_REINHERIT_ATTRS,
    CEPH_IOC_SET_LAYOUT,
    CEPH_IOC_SET_LAYOUT_POLICY,
    F2FS_IOC_SET_PIN_FILE,
    ZFS_IOC_SETDOSFLAGS,
];

const CLONE: &[Denial] =
    &[eperm_when(Forbidden::Namespaces, &[arg(0, "flags", Test::AnyBit(CLONE_NAMESPACES))])];
const UNSHARE: &[Denial] =
    &[eperm_when(Forbidden::Namespaces, &[arg(0, "flags", Test::AnyBitBut(UNSHARE_OWN))])];
const IOCTL: &[Denial] = &[
    eperm_when(Forbidden::TerminalInput, &[arg(1, "op", Test::OneOf(&[TIOCSTI, TIOCLINUX]))]),
    eperm_when(Forbidden::Comparing, &[arg(1, "op", Test::OneOf(&[FIDEDUPERANGE]))]),
    Denial {
        forbids: Forbidden::FileAttributes,
        errno: Errno::Eacces,
        when: &[arg(1, "op", Test::OneOf(CHANGING_REQUESTS))],
    },
];
/// Reading the limits of another process is free; so is changing one's own.
const PRLIMIT: &[Denial] = &[eperm_when(
    Forbidden::OtherProcesses,
    &[arg(0, "pid", Test::NotSelf), arg(2, "new_limit", Test::NotNull)],
)];
const SETPRIORITY: &[Denial] = &[
    eperm_when(Forbidden::OtherProcesses, &[arg(0, "which", Test::Not(PRIO_PROCESS))]),
    eperm_when(Forbidden::OtherProcesses, &[arg(1, "who", Test::NotSelf)]),
];
const IOPRIO_SET: &[Denial] = &[
    eperm_when(Forbidden::OtherProcesses, &[arg(0, "which", Test::Not(IOPRIO_WHO_PROCESS))]),
    eperm_when(Forbidden::OtherProcesses, &[arg(1, "who", Test::NotSelf)]),
];
const SCHEDULING: &[Denial] =
    &[eperm_when(Forbidden::OtherProcesses, &[arg(0, "pid", Test::NotSelf)])];

const NAMESPACES: &[Denial] = &[always(Forbidden::Namespaces, Errno::Eperm)];
const HIDDEN_FLAGS: &[Denial] = &[always(Forbidden::HiddenFlags, Errno::Enosys)];
const MOUNTS: &[Denial] = &[always(Forbidden::Mounts, Errno::Eperm)];
const HOST: &[Denial] = &[always(Forbidden::HostSettings, Errno::Eperm)];
const IO_URING: &[Denial] = &[always(Forbidden::IoUring, Errno::Eperm)];
const FILE_HANDLES: &[Denial] = &[always(Forbidden::FileHandles, Errno::Eperm)];
const KERNEL_CODE: &[Denial] = &[always(Forbidden::KernelCode, Errno::Eperm)];
const PERFORMANCE: &[Denial] = &[always(Forbidden::Performance, Errno::Eperm)];
const KEYRINGS: &[Denial] = &[always(Forbidden::Keyrings, Errno::Eperm)];
const FANOTIFY: &[Denial] = &[always(Forbidden::Fanotify, Errno::Eperm)];
const USERFAULTFD: &[Denial] = &[always(Forbidden::Userfaultfd, Errno::Eperm)];
const FILE_ATTRIBUTES: &[Denial] = &[always(Forbidden::FileAttributes, Errno::Eacces)];
const MESSAGE_QUEUES: &[Denial] = &[always(Forbidden::MessageQueues, Errno::Eacces)];
/// As if the kernel had none: whoever wants a sandbox then knows that there is none.
const INNER_LANDLOCK: &[Denial] = &[always(Forbidden::InnerLandlock, Errno::Enosys)];
const RETIRED: &[Denial] = &[always(Forbidden::Retired, Errno::Enosys)];

/// The denied rows of the table.
pub(super) const ROWS: &[Syscall] = &[
    // Denied for certain arguments, otherwise free.
    both("ioctl", 16, 29, denied(IOCTL)),
    both("clone", 56, 220, denied(CLONE)),
    both("unshare", 272, 97, denied(UNSHARE)),
    both("prlimit64", 302, 261, denied(PRLIMIT)),
    both("setpriority", 141, 140, denied(SETPRIORITY)),
    both("ioprio_set", 251, 30, denied(IOPRIO_SET)),
    both("sched_setparam", 142, 118, denied(SCHEDULING)),
    both("sched_setscheduler", 144, 119, denied(SCHEDULING)),
    both("sched_setaffinity", 203, 122, denied(SCHEDULING)),
    both("sched_setattr", 314, 274, denied(SCHEDULING)),
    // Denied always.
    both("setns", 308, 268, denied(NAMESPACES)),
    // Tells the identifiers of namespaces that a process of the user made anywhere, which /proc does
    // not; they open by a file handle, and nothing that works in here asks for them.
    both("listns", 470, 470, denied(NAMESPACES)),
    both("clone3", 435, 435, denied(HIDDEN_FLAGS)),
    both("pivot_root", 155, 41, denied(MOUNTS)),
    both("chroot", 161, 51, denied(MOUNTS)),
    both("mount", 165, 40, denied(MOUNTS)),
    both("umount2", 166, 39, denied(MOUNTS)),
    both("open_tree", 428, 428, denied(MOUNTS)),
    both("move_mount", 429, 429, denied(MOUNTS)),
    both("fsopen", 430, 430, denied(MOUNTS)),
    both("fsconfig", 431, 431, denied(MOUNTS)),
    both("fsmount", 432, 432, denied(MOUNTS)),
    both("fspick", 433, 433, denied(MOUNTS)),
    both("mount_setattr", 442, 442, denied(MOUNTS)),
    both("open_tree_attr", 467, 467, denied(MOUNTS)),
    x86("uselib", 134, denied(HOST)),
    both("vhangup", 153, 58, denied(HOST)),
    both("acct", 163, 89, denied(HOST)),
    both("swapon", 167, 224, denied(HOST)),
    both("swapoff", 168, 225, denied(HOST)),
    both("reboot", 169, 142, denied(HOST)),
    both("sethostname", 170, 161, denied(HOST)),
    both("setdomainname", 171, 162, denied(HOST)),
    x86("iopl", 172, denied(HOST)),
    x86("ioperm", 173, denied(HOST)),
    both("quotactl", 179, 60, denied(HOST)),
    both("quotactl_fd", 443, 443, denied(HOST)),
    both("nfsservctl", 180, 42, denied(HOST)),
    both("lookup_dcookie", 212, 18, denied(HOST)),
    both("io_uring_setup", 425, 425, denied(IO_URING)),
    both("io_uring_enter", 426, 426, denied(IO_URING)),
    both("io_uring_register", 427, 427, denied(IO_URING)),
    both("name_to_handle_at", 303, 264, denied(FILE_HANDLES)),
    both("open_by_handle_at", 304, 265, denied(FILE_HANDLES)),
    both("init_module", 175, 105, denied(KERNEL_CODE)),
    both("delete_module", 176, 106, denied(KERNEL_CODE)),
    both("finit_module", 313, 273, denied(KERNEL_CODE)),
    both("kexec_load", 246, 104, denied(KERNEL_CODE)),
    both("kexec_file_load", 320, 294, denied(KERNEL_CODE)),
    both("bpf", 321, 280, denied(KERNEL_CODE)),
    both("perf_event_open", 298, 241, denied(PERFORMANCE)),
    both("add_key", 248, 217, denied(KEYRINGS)),
    both("request_key", 249, 218, denied(KEYRINGS)),
    both("keyctl", 250, 219, denied(KEYRINGS)),
    both("fanotify_init", 300, 262, denied(FANOTIFY)),
    both("fanotify_mark", 301, 263, denied(FANOTIFY)),
    both("userfaultfd", 323, 282, denied(USERFAULTFD)),
    both("file_setattr", 469, 469, denied(FILE_ATTRIBUTES)),
    both("mq_open", 240, 180, denied(MESSAGE_QUEUES)),
    both("mq_unlink", 241, 181, denied(MESSAGE_QUEUES)),
    both("landlock_create_ruleset", 444, 444, denied(INNER_LANDLOCK)),
    both("landlock_restrict_self", 446, 446, denied(INNER_LANDLOCK)),
    x86("_sysctl", 156, denied(RETIRED)),
    x86("create_module", 174, denied(RETIRED)),
    x86("get_kernel_syms", 177, denied(RETIRED)),
    x86("query_module", 178, denied(RETIRED)),
    x86("getpmsg", 181, denied(RETIRED)),
    x86("putpmsg", 182, denied(RETIRED)),
    x86("afs_syscall", 183, denied(RETIRED)),
    x86("tuxcall", 184, denied(RETIRED)),
    x86("security", 185, denied(RETIRED)),
    x86("set_thread_area", 205, denied(RETIRED)),
    x86("get_thread_area", 211, denied(RETIRED)),
    x86("epoll_ctl_old", 214, denied(RETIRED)),
    x86("epoll_wait_old", 215, denied(RETIRED)),
    x86("vserver", 236, denied(RETIRED)),
];
