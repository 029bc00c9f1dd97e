//! Differences that follow from what clawguard is, each with its heading in docs/limits.md.

/// A row is about the cases of some calls.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) calls: &'static [&'static str],
    /// Each is a part of a case's name, and one must be there; every case if there is none.
    pub(crate) shapes: &'static [&'static str],
    /// A part of the outcome without clawguard.
    pub(crate) bare: &'static str,
    /// How the outcome with clawguard begins.
    pub(crate) confined: &'static str,
    /// Is the result the same, and only a trace of the call another?
    pub(crate) result: Result,
    /// Where docs/limits.md explains it.
    pub(crate) heading: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Result {
    Same,
    Another,
}

impl Row {
    /// Is this the difference that the row is about?
    pub(crate) fn explains(&self, case: &str, bare: &str, confined: &str) -> bool {
        let call = case.split('(').next().unwrap_or_default();
        let result = |outcome: &str| outcome.split(' ').next().unwrap_or_default().to_owned();
        self.calls.contains(&call)
            && (self.shapes.is_empty() || self.shapes.iter().any(|shape| case.contains(shape)))
            && bare.contains(self.bare)
            && confined.starts_with(self.confined)
            && (self.result == Result::Another || result(bare) == result(confined))
    }
}

const fn row(
    calls: &'static [&'static str],
    shapes: &'static [&'static str],
    bare: &'static str,
    confined: &'static str,
    heading: &'static str,
) -> Row {
    Row { calls, shapes, bare, confined, result: Result::Another, heading }
}

const fn trace(
    calls: &'static [&'static str],
    shapes: &'static [&'static str],
    bare: &'static str,
    heading: &'static str,
) -> Row {
    Row { calls, shapes, bare, confined: "", result: Result::Same, heading }
}

const NAMELESS: &[&str] =
    &["fchmod", "fchown", "fsetxattr", "fremovexattr", "fgetxattr", "flistxattr"];

const SCHEDULING: &[&str] = &[
    "sched_setparam",
    "sched_setscheduler",
    "sched_setaffinity",
    "sched_setattr",
    "prlimit64",
    "setpriority",
    "ioprio_set",
];

const MAKING: &[&str] = &[
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "mknod",
    "mknodat",
    "open",
    "openat",
    "creat",
    "openat2",
];

pub(crate) const EXPECTED: &[Row] = &[
    row(
        MAKING,
        &["0x9ed", "0x5ed", "0xfff", "0xffffffffffffffff"],
        "",
        "EPERM",
        "Set-user-ID and set-group-ID files",
    ),
    row(&["unlink", "rmdir", "unlinkat"], &["/fd/5"], "E", "EACCES", "Removing a name in `/proc`"),
    row(&["openat2"], &["{0x200000,"], "[3 ", "ENOSYS", "`openat2` with O_PATH"),
    row(&["ioctl"], &["5441,"], "[3 /dev/pts/", "EBADF", "`openat2` with O_PATH"),
    row(&["renameat2"], &[",0x4)", ",0x5)"], "", "EACCES", "Device nodes"),
    row(
        NAMELESS,
        &["(pipe_r", "(pipe_w", "(inotify", "(removed_dir"],
        "",
        "EACCES",
        "Objects without a name",
    ),
    row(
        &["socket", "socketpair"],
        &["01,0x3,", "(0x1,0x3,"],
        "",
        "EACCES",
        "Unix datagram sockets",
    ),
    trace(&["bind"], &[], "name=1/", "Where a socket was bound"),
    trace(&["execve", "execveat"], &[], "", "Programs are read before they run"),
    trace(&["prlimit64"], &["(0,4,"], "limit=", "Other processes"),
    row(&["prctl"], &["(0x15,"], "0", "2", "Programs are read before they run"),
    row(SCHEDULING, &[], "E", "EPERM", "Other processes"),
];
