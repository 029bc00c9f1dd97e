//! System calls of which nothing is asked, and why not.
//!
//! A call that takes a path may stand here only with a sentence of its own, [`Free::Path`], one that
//! takes an address only as [`Free::Socket`], and one that takes a descriptor only for a reason that
//! speaks of descriptors; `audit` holds the table to that.

#![forbid(unsafe_code)]

use super::{Disposition, Syscall, both, x86};

/// Why nothing is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Free {
    /// It reaches nothing but the caller, its threads and its children.
    Caller,
    /// It tells what `/proc` tells everybody, or asks for what harms nobody.
    Public,
    /// It acts on descriptors, as far as those allow: they were judged when they were opened.
    Descriptor,
    /// It tells or uses names, sizes and attributes, which are not secret (SPEC section 5).
    Name,
    /// It takes a path and does no more with it than this. Names and attributes are not secret
    /// (SPEC section 5).
    Path(&'static str),
    /// It sends on a socket that is connected, or to an address that is no path: a path as address
    /// takes a unix datagram socket, and making one is judged (`socket`, `socketpair`). Kernel mode
    /// does not judge that, so there this stays open with it.
    Socket,
    /// It acts on an object of the IPC namespace, which is no file. Landlock does not scope these.
    Ipc,
    /// It asks for the right to trace, which Landlock denies outside the domain
    /// (security/landlock/task.c, `hook_ptrace_access_check`).
    Traced,
    /// It sends a signal, which Landlock scopes to the domain (ABI 6).
    Signalled,
    /// It acts on others only with a capability, and all are dropped.
    Capability,
    /// It can only take rights from the caller. A second notification listener is EBUSY.
    Narrowing,
}

const CALLER: Disposition = Disposition::Free(Free::Caller);
const PUBLIC: Disposition = Disposition::Free(Free::Public);
const DESCRIPTOR: Disposition = Disposition::Free(Free::Descriptor);
const NAME: Disposition = Disposition::Free(Free::Name);
const SOCKET: Disposition = Disposition::Free(Free::Socket);
const IPC: Disposition = Disposition::Free(Free::Ipc);
const TRACED: Disposition = Disposition::Free(Free::Traced);
const SIGNALLED: Disposition = Disposition::Free(Free::Signalled);
const CAPABILITY: Disposition = Disposition::Free(Free::Capability);
const NARROWING: Disposition = Disposition::Free(Free::Narrowing);

/// A call that takes a path, and what it does with it.
const fn path(does: &'static str) -> Disposition {
    Disposition::Free(Free::Path(does))
}

const STAT: Disposition = path("tells type, size, mode, owner, times");
const STATFS: Disposition = path("tells size and kind of the file system");
const READLINK: Disposition = path("tells where a link leads, and never follows it");
const CHDIR: Disposition =
    path("every path from there on is judged by the name of its object; needs search permission");
const FILE_ATTRIBUTES: Disposition = path("tells inode flags, project and extent size");

/// The free rows of the table.
pub(super) const ROWS: &[Syscall] = &[
    // Memory. A file is mapped by its descriptor and as that allows: shared and writable only what is
    // open for writing. madvise punches a hole only there, and process_madvise below has ptrace's.
    both("mmap", 9, 222, DESCRIPTOR),
    both("mprotect", 10, 226, CALLER),
    both("munmap", 11, 215, CALLER),
    both("brk", 12, 214, CALLER),
    both("mremap", 25, 216, CALLER),
    both("msync", 26, 227, CALLER),
    both("mincore", 27, 232, CALLER),
    both("madvise", 28, 233, CALLER),
    both("mlock", 149, 228, CALLER),
    both("munlock", 150, 229, CALLER),
    both("mlockall", 151, 230, CALLER),
    both("munlockall", 152, 231, CALLER),
    both("remap_file_pages", 216, 234, CALLER),
    both("mbind", 237, 235, CALLER),
    both("set_mempolicy", 238, 237, CALLER),
    both("get_mempolicy", 239, 236, CALLER),
    both("membarrier", 324, 283, CALLER),
    both("mlock2", 325, 284, CALLER),
    both("pkey_mprotect", 329, 288, CALLER),
    both("pkey_alloc", 330, 289, CALLER),
    both("pkey_free", 331, 290, CALLER),
    both("set_mempolicy_home_node", 450, 450, CALLER),
    both("map_shadow_stack", 453, 453, CALLER),
    both("mseal", 462, 462, CALLER),
    // Threads, children, waiting.
    both("rt_sigaction", 13, 134, CALLER),
    both("rt_sigprocmask", 14, 135, CALLER),
    both("rt_sigreturn", 15, 139, CALLER),
    both("sched_yield", 24, 124, CALLER),
    x86("pause", 34, CALLER),
    x86("fork", 57, CALLER),
    x86("vfork", 58, CALLER),
    both("exit", 60, 93, CALLER),
    both("wait4", 61, 260, CALLER),
    both("rt_sigpending", 127, 136, CALLER),
    both("rt_sigtimedwait", 128, 137, CALLER),
    both("rt_sigsuspend", 130, 133, CALLER),
    both("sigaltstack", 131, 132, CALLER),
    both("gettid", 186, 178, CALLER),
    both("futex", 202, 98, CALLER),
    both("set_tid_address", 218, 96, CALLER),
    both("restart_syscall", 219, 128, CALLER),
    both("exit_group", 231, 94, CALLER),
    both("waitid", 247, 95, CALLER),
    both("set_robust_list", 273, 99, CALLER),
    both("rseq", 334, 293, CALLER),
    both("rseq_slice_yield", 471, 471, CALLER),
    both("futex_waitv", 449, 449, CALLER),
    both("futex_wake", 454, 454, CALLER),
    both("futex_wait", 455, 455, CALLER),
    both("futex_requeue", 456, 456, CALLER),
    // The caller's own identity, limits and settings. uretprobe and uprobe come from a probe that
    // root has set; the kernel does not even ask a filter about uretprobe (since 6.14).
    both("getpid", 39, 172, CALLER),
    both("umask", 95, 166, CALLER),
    both("getrlimit", 97, 163, CALLER),
    both("getrusage", 98, 165, CALLER),
    both("getuid", 102, 174, CALLER),
    both("getgid", 104, 176, CALLER),
    both("geteuid", 107, 175, CALLER),
    both("getegid", 108, 177, CALLER),
    both("getppid", 110, 173, CALLER),
    x86("getpgrp", 111, CALLER),
    both("setsid", 112, 157, CALLER),
    both("getgroups", 115, 158, CALLER),
    both("getresuid", 118, 148, CALLER),
    both("getresgid", 120, 150, CALLER),
    both("capget", 125, 90, CALLER),
    both("capset", 126, 91, CALLER),
    both("personality", 135, 92, CALLER),
    x86("modify_ldt", 154, CALLER),
    x86("arch_prctl", 158, CALLER),
    both("setrlimit", 160, 164, CALLER),
    x86("uretprobe", 335, CALLER),
    x86("uprobe", 336, CALLER),
    both("lsm_get_self_attr", 459, 459, CALLER),
    both("lsm_set_self_attr", 460, 460, CALLER),
    // Clocks and timers.
    both("nanosleep", 35, 101, CALLER),
    both("getitimer", 36, 102, CALLER),
    x86("alarm", 37, CALLER),
    both("setitimer", 38, 103, CALLER),
    both("gettimeofday", 96, 169, CALLER),
    both("times", 100, 153, CALLER),
    x86("time", 201, CALLER),
    both("timer_create", 222, 107, CALLER),
    both("timer_settime", 223, 110, CALLER),
    both("timer_gettime", 224, 108, CALLER),
    both("timer_getoverrun", 225, 109, CALLER),
    both("timer_delete", 226, 111, CALLER),
    both("clock_gettime", 228, 113, CALLER),
    both("clock_getres", 229, 114, CALLER),
    both("clock_nanosleep", 230, 115, CALLER),
    // Facts about the host and its processes. process_mrelease frees the memory of what is dying.
    both("uname", 63, 160, PUBLIC),
    both("sysinfo", 99, 179, PUBLIC),
    both("getpgid", 121, 155, PUBLIC),
    both("getsid", 124, 156, PUBLIC),
    x86("sysfs", 139, PUBLIC),
    both("getpriority", 140, 141, PUBLIC),
    both("sched_getparam", 143, 121, PUBLIC),
    both("sched_getscheduler", 145, 120, PUBLIC),
    both("sched_get_priority_max", 146, 125, PUBLIC),
    both("sched_get_priority_min", 147, 126, PUBLIC),
    both("sched_rr_get_interval", 148, 127, PUBLIC),
    both("sync", 162, 81, PUBLIC),
    both("sched_getaffinity", 204, 123, PUBLIC),
    both("ioprio_get", 252, 31, PUBLIC),
    both("getcpu", 309, 168, PUBLIC),
    both("sched_getattr", 315, 275, PUBLIC),
    both("getrandom", 318, 278, PUBLIC),
    both("pidfd_open", 434, 434, PUBLIC),
    both("process_mrelease", 448, 448, PUBLIC),
    both("lsm_list_modules", 461, 461, PUBLIC),
    // Descriptors made, duplicated, closed, waited for. What has no name is not judged (SPEC
    // section 5); the signal of fcntl F_SETOWN is scoped by Landlock (hook_file_send_sigiotask).
    both("close", 3, 57, DESCRIPTOR),
    x86("poll", 7, DESCRIPTOR),
    x86("pipe", 22, DESCRIPTOR),
    x86("select", 23, DESCRIPTOR),
    both("dup", 32, 23, DESCRIPTOR),
    x86("dup2", 33, DESCRIPTOR),
    both("fcntl", 72, 25, DESCRIPTOR),
    x86("epoll_create", 213, DESCRIPTOR),
    x86("epoll_wait", 232, DESCRIPTOR),
    both("epoll_ctl", 233, 21, DESCRIPTOR),
    x86("inotify_init", 253, DESCRIPTOR),
    both("inotify_rm_watch", 255, 28, DESCRIPTOR),
    both("pselect6", 270, 72, DESCRIPTOR),
    both("ppoll", 271, 73, DESCRIPTOR),
    both("epoll_pwait", 281, 22, DESCRIPTOR),
    x86("signalfd", 282, DESCRIPTOR),
    both("timerfd_create", 283, 85, DESCRIPTOR),
    x86("eventfd", 284, DESCRIPTOR),
    both("timerfd_settime", 286, 86, DESCRIPTOR),
    both("timerfd_gettime", 287, 87, DESCRIPTOR),
    both("signalfd4", 289, 74, DESCRIPTOR),
    both("eventfd2", 290, 19, DESCRIPTOR),
    both("epoll_create1", 291, 20, DESCRIPTOR),
    both("dup3", 292, 24, DESCRIPTOR),
    both("pipe2", 293, 59, DESCRIPTOR),
    both("inotify_init1", 294, 26, DESCRIPTOR),
    both("memfd_create", 319, 279, DESCRIPTOR),
    both("close_range", 436, 436, DESCRIPTOR),
    both("epoll_pwait2", 441, 441, DESCRIPTOR),
    both("memfd_secret", 447, 447, DESCRIPTOR),
    // Advisory locks need an open file, and stop only who asks for them.
    both("flock", 73, 32, DESCRIPTOR),
    // Reading and writing. ftruncate needs the right that Landlock tied to the descriptor (ABI 3).
    both("read", 0, 63, DESCRIPTOR),
    both("write", 1, 64, DESCRIPTOR),
    both("lseek", 8, 62, DESCRIPTOR),
    both("pread64", 17, 67, DESCRIPTOR),
    both("pwrite64", 18, 68, DESCRIPTOR),
    both("readv", 19, 65, DESCRIPTOR),
    both("writev", 20, 66, DESCRIPTOR),
    both("sendfile", 40, 71, DESCRIPTOR),
    both("fsync", 74, 82, DESCRIPTOR),
    both("fdatasync", 75, 83, DESCRIPTOR),
    both("ftruncate", 77, 46, DESCRIPTOR),
    x86("getdents", 78, DESCRIPTOR),
    both("readahead", 187, 213, DESCRIPTOR),
    both("io_setup", 206, 0, DESCRIPTOR),
    both("io_destroy", 207, 1, DESCRIPTOR),
    both("io_getevents", 208, 4, DESCRIPTOR),
    both("io_submit", 209, 2, DESCRIPTOR),
    both("io_cancel", 210, 3, DESCRIPTOR),
    both("getdents64", 217, 61, DESCRIPTOR),
    both("fadvise64", 221, 223, DESCRIPTOR),
    both("splice", 275, 76, DESCRIPTOR),
    both("tee", 276, 77, DESCRIPTOR),
    both("sync_file_range", 277, 84, DESCRIPTOR),
    both("vmsplice", 278, 75, DESCRIPTOR),
    both("fallocate", 285, 47, DESCRIPTOR),
    both("preadv", 295, 69, DESCRIPTOR),
    both("pwritev", 296, 70, DESCRIPTOR),
    both("syncfs", 306, 267, DESCRIPTOR),
    both("copy_file_range", 326, 285, DESCRIPTOR),
    both("preadv2", 327, 286, DESCRIPTOR),
    both("pwritev2", 328, 287, DESCRIPTOR),
    both("io_pgetevents", 333, 292, DESCRIPTOR),
    both("cachestat", 451, 451, DESCRIPTOR),
    // Sockets that exist.
    both("accept", 43, 202, DESCRIPTOR),
    both("recvfrom", 45, 207, DESCRIPTOR),
    both("recvmsg", 47, 212, DESCRIPTOR),
    both("shutdown", 48, 210, DESCRIPTOR),
    both("getsockname", 51, 204, DESCRIPTOR),
    both("getpeername", 52, 205, DESCRIPTOR),
    both("setsockopt", 54, 208, DESCRIPTOR),
    both("getsockopt", 55, 209, DESCRIPTOR),
    both("accept4", 288, 242, DESCRIPTOR),
    both("recvmmsg", 299, 243, DESCRIPTOR),
    // Names, sizes, attributes, working directory. statmount and listmount take no path, and tell
    // what is mounted where.
    x86("stat", 4, STAT),
    both("fstat", 5, 80, NAME),
    x86("lstat", 6, STAT),
    both("getcwd", 79, 17, NAME),
    both("chdir", 80, 49, CHDIR),
    both("fchdir", 81, 50, NAME),
    x86("readlink", 89, READLINK),
    x86("ustat", 136, NAME),
    both("statfs", 137, 43, STATFS),
    both("fstatfs", 138, 44, NAME),
    both("newfstatat", 262, 79, STAT),
    both("readlinkat", 267, 78, READLINK),
    both("statx", 332, 291, STAT),
    both("file_getattr", 468, 468, FILE_ATTRIBUTES),
    both("statmount", 457, 457, NAME),
    both("listmount", 458, 458, NAME),
    // Sending.
    both("sendto", 44, 206, SOCKET),
    both("sendmsg", 46, 211, SOCKET),
    both("sendmmsg", 307, 269, SOCKET),
    // System V and POSIX IPC. A queue of messages is made, opened and removed by nobody (`denied`): those below look at
    // descriptors that somebody handed over.
    both("shmget", 29, 194, IPC),
    both("shmat", 30, 196, IPC),
    both("shmctl", 31, 195, IPC),
    both("semget", 64, 190, IPC),
    both("semop", 65, 193, IPC),
    both("semctl", 66, 191, IPC),
    both("shmdt", 67, 197, IPC),
    both("msgget", 68, 186, IPC),
    both("msgsnd", 69, 189, IPC),
    both("msgrcv", 70, 188, IPC),
    both("msgctl", 71, 187, IPC),
    both("semtimedop", 220, 192, IPC),
    both("mq_timedsend", 242, 182, IPC),
    both("mq_timedreceive", 243, 183, IPC),
    both("mq_notify", 244, 184, IPC),
    both("mq_getsetattr", 245, 185, IPC),
    // Other processes, by the right to trace them.
    both("ptrace", 101, 117, TRACED),
    both("migrate_pages", 256, 238, TRACED),
    both("get_robust_list", 274, 100, TRACED),
    both("move_pages", 279, 239, TRACED),
    both("process_vm_readv", 310, 270, TRACED),
    both("process_vm_writev", 311, 271, TRACED),
    both("kcmp", 312, 272, TRACED),
    both("pidfd_getfd", 438, 438, TRACED),
    both("process_madvise", 440, 440, TRACED),
    // Signals.
    both("kill", 62, 129, SIGNALLED),
    both("rt_sigqueueinfo", 129, 138, SIGNALLED),
    both("tkill", 200, 130, SIGNALLED),
    both("tgkill", 234, 131, SIGNALLED),
    both("rt_tgsigqueueinfo", 297, 240, SIGNALLED),
    both("pidfd_send_signal", 424, 424, SIGNALLED),
    // Identities, and clocks of the host. syslog reads the kernel log where kernel.dmesg_restrict
    // is 0, as any user may.
    both("syslog", 103, 116, CAPABILITY),
    both("setuid", 105, 146, CAPABILITY),
    both("setgid", 106, 144, CAPABILITY),
    both("setreuid", 113, 145, CAPABILITY),
    both("setregid", 114, 143, CAPABILITY),
    both("setgroups", 116, 159, CAPABILITY),
    both("setresuid", 117, 147, CAPABILITY),
    both("setresgid", 119, 149, CAPABILITY),
    both("setfsuid", 122, 151, CAPABILITY),
    both("setfsgid", 123, 152, CAPABILITY),
    both("adjtimex", 159, 171, CAPABILITY),
    both("settimeofday", 164, 170, CAPABILITY),
    both("clock_settime", 227, 112, CAPABILITY),
    both("clock_adjtime", 305, 266, CAPABILITY),
    // Sandboxes inside the sandbox.
    both("seccomp", 317, 277, NARROWING),
    both("landlock_add_rule", 445, 445, NARROWING),
];
