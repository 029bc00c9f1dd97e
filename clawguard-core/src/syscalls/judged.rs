//! System calls for which SPEC section 5 asks for an access to a path, and where they name it.
//!
//! The rows say what is asked and in which argument; how a call is answered without a race is the
//! supervisor's affair, one file of `supervise` for each [`Family`]. Kernel mode has no
//! supervisor: there [`Held`] says which of these calls Landlock judges, and which stay open.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "each handler of `supervise` knows its own access; the audit reads it"
    )
)]

use super::constants::{AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, IN_DONT_FOLLOW};
use super::{Disposition, Syscall, both, x86};
use crate::access::Access;
use Last::{AsOpened, Followed, FollowedUnless, Itself, ItselfUnless};
use Need::{AccessMode, Opening};

/// What is asked before a call is performed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    /// Who answers it.
    pub(crate) family: Family,
    /// The objects that it names, in the order of its arguments. None: the call names nothing, and
    /// its other arguments decide (`socket`, `socketpair`, `prctl`).
    pub(crate) objects: &'static [Object],
    /// Who judges it without a supervisor.
    pub(crate) held: Held,
}

/// Calls that are answered in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Opens, and so hands over a descriptor.
    Open,
    /// Makes, removes or moves a directory entry.
    Entry,
    /// Reads or changes what an inode carries beside its bytes, watches it, or cuts it short.
    Metadata,
    /// Makes a socket or gives it an address.
    Socket,
    /// Runs a file.
    Exec,
    /// Would take the target out of the supervisor's sight: no path, but an answer is needed.
    Process,
}

/// Who judges a call in kernel mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Landlock, from this ABI on; an older kernel leaves it open, but for moves between
    /// directories, which it denies.
    Landlock {
        /// `landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)`.
        abi: u8,
    },
    /// Nothing.
    Open,
    /// There is nothing to hold without a supervisor.
    Moot,
}

/// An object that a call names, and what is asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    /// Where it is named.
    pub(crate) place: Place,
    /// What is asked.
    pub(crate) need: Need,
}

/// The arguments that name an object, by their index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// A path, relative to the working directory.
    Path {
        /// The pointer to the path.
        path: u8,
        /// What becomes of a symbolic link at its end.
        last: Last,
    },
    /// A path, relative to a directory descriptor.
    At {
        /// The descriptor, or AT_FDCWD: 32 bits.
        dirfd: u8,
        /// The pointer to the path. Empty with AT_EMPTY_PATH, or null for the calls that set
        /// times, it means the descriptor itself.
        path: u8,
        /// What becomes of a symbolic link at its end.
        last: Last,
    },
    /// An open descriptor: 32 bits.
    Descriptor(u8),
    /// A `struct sockaddr` in memory; only a pathname unix address names a file.
    Address {
        /// The socket: 32 bits.
        socket: u8,
        /// The pointer to the address.
        address: u8,
        /// Its length: 32 bits.
        length: u8,
    },
}

/// What becomes of a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Last {
    /// It is followed.
    Followed,
    /// It is the object.
    Itself,
    /// It is followed unless this argument has the flag.
    FollowedUnless(u8, Flag),
    /// It is the object unless this argument has the flag.
    ItselfUnless(u8, Flag),
    /// As the open flags say: O_NOFOLLOW, and O_CREAT with O_EXCL.
    AsOpened,
}

/// A flag that decides about the last symbolic link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag(pub(crate) u32);

/// What is asked for an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// This access.
    Access(Access),
    /// What the open flags ask for; O_CREAT and O_TMPFILE make an entry.
    Opening(OpenFlags),
    /// What R_OK, W_OK and X_OK in this argument ask for; nothing for F_OK.
    AccessMode(u8),
}

/// Where a call's open flags are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OpenFlags {
    /// In this argument: proof.
    Argument(u8),
    /// In a `struct open_how` in memory, to be copied once.
    OpenHow {
        /// The pointer to the structure.
        how: u8,
        /// Its size.
        size: u8,
    },
    /// O_CREAT, O_WRONLY and O_TRUNC, always.
    Creat,
}

const NOFOLLOW: Flag = Flag(AT_SYMLINK_NOFOLLOW.value);
const FOLLOW: Flag = Flag(AT_SYMLINK_FOLLOW.value);
const DONT_FOLLOW: Flag = Flag(IN_DONT_FOLLOW.value);
const READ: Need = Need::Access(Access::Read);
const WRITE: Need = Need::Access(Access::Write);
const EXECUTE: Need = Need::Access(Access::Execute);

/// `path` relative to the working directory.
const fn path(path: u8, last: Last, need: Need) -> Object {
    Object { place: Place::Path { path, last }, need }
}

/// `path` relative to the directory `dirfd`.
const fn at(dirfd: u8, path: u8, last: Last, need: Need) -> Object {
    Object { place: Place::At { dirfd, path, last }, need }
}

/// The open descriptor in the first argument.
const fn fd(need: Need) -> Object {
    Object { place: Place::Descriptor(0), need }
}

/// The socket address in the arguments of `bind` and `connect`.
const ADDRESS: &[Object] =
    &[Object { place: Place::Address { socket: 0, address: 1, length: 2 }, need: WRITE }];

const fn judged(family: Family, held: Held, objects: &'static [Object]) -> Disposition {
    Disposition::Judged(Judged { family, objects, held })
}

const fn open(objects: &'static [Object]) -> Disposition {
    judged(Family::Open, Held::Landlock { abi: 1 }, objects)
}

const fn entry(objects: &'static [Object]) -> Disposition {
    judged(Family::Entry, Held::Landlock { abi: 1 }, objects)
}

/// A link or a rename: between directories Landlock needs `REFER`, of ABI 2.
const fn moving(objects: &'static [Object]) -> Disposition {
    judged(Family::Entry, Held::Landlock { abi: 2 }, objects)
}

const fn metadata(objects: &'static [Object]) -> Disposition {
    judged(Family::Metadata, Held::Open, objects)
}

const fn exec(objects: &'static [Object]) -> Disposition {
    judged(Family::Exec, Held::Landlock { abi: 1 }, objects)
}

/// The flags of `openat2`.
const OPEN_HOW: Need = Opening(OpenFlags::OpenHow { how: 2, size: 3 });

/// Landlock judges the length since ABI 3; before, any file may be cut.
const TRUNCATE: Disposition =
    judged(Family::Metadata, Held::Landlock { abi: 3 }, &[path(0, Followed, WRITE)]);

/// The judged rows of the table.
pub(super) const ROWS: &[Syscall] = &[
    x86("open", 2, open(&[path(0, AsOpened, Opening(OpenFlags::Argument(1)))])),
    x86("creat", 85, open(&[path(0, AsOpened, Opening(OpenFlags::Creat))])),
    both("openat", 257, 56, open(&[at(0, 1, AsOpened, Opening(OpenFlags::Argument(2)))])),
    both("openat2", 437, 437, open(&[at(0, 1, AsOpened, OPEN_HOW)])),
    // Directory entries. The old name of a rename is the link, never what it points to.
    x86("mkdir", 83, entry(&[path(0, Itself, WRITE)])),
    both("mkdirat", 258, 34, entry(&[at(0, 1, Itself, WRITE)])),
    x86("mknod", 133, entry(&[path(0, Itself, WRITE)])),
    both("mknodat", 259, 33, entry(&[at(0, 1, Itself, WRITE)])),
    x86("symlink", 88, entry(&[path(1, Itself, WRITE)])),
    both("symlinkat", 266, 36, entry(&[at(1, 2, Itself, WRITE)])),
    x86("unlink", 87, entry(&[path(0, Itself, WRITE)])),
    both("unlinkat", 263, 35, entry(&[at(0, 1, Itself, WRITE)])),
    x86("rmdir", 84, entry(&[path(0, Itself, WRITE)])),
    x86("rename", 82, moving(&[path(0, Itself, WRITE), path(1, Itself, WRITE)])),
    both("renameat", 264, 38, moving(&[at(0, 1, Itself, WRITE), at(2, 3, Itself, WRITE)])),
    both("renameat2", 316, 276, moving(&[at(0, 1, Itself, WRITE), at(2, 3, Itself, WRITE)])),
    x86("link", 86, moving(&[path(0, Itself, WRITE), path(1, Itself, WRITE)])),
    both(
        "linkat",
        265,
        37,
        moving(&[at(0, 1, ItselfUnless(4, FOLLOW), WRITE), at(2, 3, Itself, WRITE)]),
    ),
    // Mode, owner, times, length.
    x86("chmod", 90, metadata(&[path(0, Followed, WRITE)])),
    both("fchmod", 91, 52, metadata(&[fd(WRITE)])),
    both("fchmodat", 268, 53, metadata(&[at(0, 1, Followed, WRITE)])),
    both("fchmodat2", 452, 452, metadata(&[at(0, 1, FollowedUnless(3, NOFOLLOW), WRITE)])),
    x86("chown", 92, metadata(&[path(0, Followed, WRITE)])),
    x86("lchown", 94, metadata(&[path(0, Itself, WRITE)])),
    both("fchown", 93, 55, metadata(&[fd(WRITE)])),
    both("fchownat", 260, 54, metadata(&[at(0, 1, FollowedUnless(4, NOFOLLOW), WRITE)])),
    x86("utime", 132, metadata(&[path(0, Followed, WRITE)])),
    x86("utimes", 235, metadata(&[path(0, Followed, WRITE)])),
    x86("futimesat", 261, metadata(&[at(0, 1, Followed, WRITE)])),
    both("utimensat", 280, 88, metadata(&[at(0, 1, FollowedUnless(3, NOFOLLOW), WRITE)])),
    both("truncate", 76, 45, TRUNCATE),
    // Extended attributes.
    both("setxattr", 188, 5, metadata(&[path(0, Followed, WRITE)])),
    both("lsetxattr", 189, 6, metadata(&[path(0, Itself, WRITE)])),
    both("fsetxattr", 190, 7, metadata(&[fd(WRITE)])),
    both("setxattrat", 463, 463, metadata(&[at(0, 1, FollowedUnless(2, NOFOLLOW), WRITE)])),
    both("removexattr", 197, 14, metadata(&[path(0, Followed, WRITE)])),
    both("lremovexattr", 198, 15, metadata(&[path(0, Itself, WRITE)])),
    both("fremovexattr", 199, 16, metadata(&[fd(WRITE)])),
    both("removexattrat", 466, 466, metadata(&[at(0, 1, FollowedUnless(2, NOFOLLOW), WRITE)])),
    both("getxattr", 191, 8, metadata(&[path(0, Followed, READ)])),
    both("lgetxattr", 192, 9, metadata(&[path(0, Itself, READ)])),
    both("fgetxattr", 193, 10, metadata(&[fd(READ)])),
    both("getxattrat", 464, 464, metadata(&[at(0, 1, FollowedUnless(2, NOFOLLOW), READ)])),
    both("listxattr", 194, 11, metadata(&[path(0, Followed, READ)])),
    both("llistxattr", 195, 12, metadata(&[path(0, Itself, READ)])),
    both("flistxattr", 196, 13, metadata(&[fd(READ)])),
    both("listxattrat", 465, 465, metadata(&[at(0, 1, FollowedUnless(2, NOFOLLOW), READ)])),
    // Questions and watches.
    x86("access", 21, metadata(&[path(0, Followed, AccessMode(1))])),
    both("faccessat", 269, 48, metadata(&[at(0, 1, Followed, AccessMode(2))])),
    both("faccessat2", 439, 439, metadata(&[at(0, 1, FollowedUnless(3, NOFOLLOW), AccessMode(2))])),
    both("inotify_add_watch", 254, 27, metadata(&[path(1, FollowedUnless(2, DONT_FOLLOW), READ)])),
    // Sockets. Only a unix datagram socket is refused: its `sendto` cannot be judged.
    both("socket", 41, 198, judged(Family::Socket, Held::Open, &[])),
    both("socketpair", 53, 199, judged(Family::Socket, Held::Open, &[])),
    both("bind", 49, 200, judged(Family::Socket, Held::Landlock { abi: 1 }, ADDRESS)),
    both("connect", 42, 203, judged(Family::Socket, Held::Landlock { abi: 9 }, ADDRESS)),
    // A socket that listens without an address gets one that everybody reaches (`network.listen`).
    both("listen", 50, 201, judged(Family::Socket, Held::Moot, &[])),
    // Execution.
    both("execve", 59, 221, exec(&[path(0, Followed, EXECUTE)])),
    both("execveat", 322, 281, exec(&[at(0, 1, FollowedUnless(4, NOFOLLOW), EXECUTE)])),
    // PR_SET_DUMPABLE would hide the target's memory from the supervisor. PR_SET_PDEATHSIG may be
    // cleared: the guardian ends the target of a supervisor that died.
    both("prctl", 157, 167, judged(Family::Process, Held::Moot, &[])),
    // In the session of the run there are groups of the owner's. A filter cannot tell whose a number is, so in kernel
    // mode this stays open.
    both("setpgid", 109, 154, judged(Family::Process, Held::Moot, &[])),
];
