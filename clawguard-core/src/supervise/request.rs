//! A system call of the target, with its arguments in the words of the table of system calls.

#![forbid(unsafe_code)]

use std::sync::OnceLock;

use rustix::fs::CWD;
use rustix::io::Errno;

use super::lookup::Follow;
use super::target::{Base, Target};
use crate::syscalls::{Flag, Judged, Last, Place, Syscall};

/// A call that waits for its answer.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) target: Target<'a>,
    pub(super) call: &'static Syscall,
    pub(super) arguments: [u64; 6],
}

/// An object as the target names it.
#[derive(Clone, Debug)]
pub(super) enum Named {
    Path {
        base: Base,
        path: Vec<u8>,
        follow: Follow,
    },
    /// The object of a descriptor, or the working directory itself.
    Itself {
        base: Base,
        by: By,
    },
}

/// How a descriptor is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// As an argument of its own, or with a null path: one that was opened with `O_PATH` is no good then.
    Number,
    /// With an empty path and AT_EMPTY_PATH.
    EmptyPath,
}

impl Request<'_> {
    pub(super) fn judged(&self) -> Result<&'static Judged, Errno> {
        self.call.judged().ok_or(Errno::NOSYS)
    }

    /// An argument that is 32 bits wide, as the kernel reads it.
    pub(super) fn word(&self, index: usize) -> u32 {
        self.arguments[index] as u32
    }

    /// The object with this index in the table's row.
    pub(super) fn named(&self, index: usize) -> Result<Named, Errno> {
        let objects = self.judged()?.objects;
        let object = objects.get(index).ok_or(Errno::NOSYS)?;
        match object.place {
            Place::Path { path, last } => self.path(Base::WorkingDirectory, path, last),
            Place::At { dirfd, path, last } => {
                let base = Base::from_argument(self.arguments[usize::from(dirfd)]);
                self.path(base, path, last)
            }
            Place::Descriptor(index) => {
                let argument = self.arguments[usize::from(index)];
                let base = match Base::from_argument(argument) {
                    Base::WorkingDirectory if !self.takes_working_directory() => {
                        Base::Descriptor(libc::AT_FDCWD)
                    }
                    base => base,
                };
                Ok(Named::Itself { base, by: By::Number })
            }
            Place::Address { .. } => Err(Errno::NOSYS),
        }
    }

    /// Since Linux 6.13, two calls that want a descriptor take AT_FDCWD for the working directory (fs/xattr.c).
    fn takes_working_directory(&self) -> bool {
        static TAKES: OnceLock<bool> = OnceLock::new();
        let asked = || {
            let answer = rustix::fs::fgetxattr(CWD, c"user.none", &mut [0u8; 1][..]);
            answer != Err(Errno::BADF)
        };
        matches!(self.call.name, "fgetxattr" | "fsetxattr") && *TAKES.get_or_init(asked)
    }

    fn path(&self, base: Base, index: u8, last: Last) -> Result<Named, Errno> {
        let address = self.arguments[usize::from(index)];
        let sets_times = matches!(self.call.name, "utimensat" | "futimesat");
        if address == 0 && sets_times && base != Base::WorkingDirectory {
            return Ok(Named::Itself { base, by: By::Number });
        }
        let path = self.target.path(address)?;
        if path.is_empty() && self.takes_empty_path(last) {
            // These read the descriptor itself (fs/xattr.c).
            let is_xattr = self.call.name.ends_with("xattrat");
            let by = if is_xattr { By::Number } else { By::EmptyPath };
            return Ok(Named::Itself { base, by });
        }
        Ok(Named::Path { base, path, follow: self.follow(last) })
    }

    fn follow(&self, last: Last) -> Follow {
        let has = |index: u8, flag: Flag| self.word(usize::from(index)) & flag.0 != 0;
        let follows = match last {
            Last::Followed | Last::AsOpened => true,
            Last::Itself => false,
            Last::FollowedUnless(index, flag) => !has(index, flag),
            Last::ItselfUnless(index, flag) => has(index, flag),
        };
        if follows { Follow::Yes } else { Follow::No }
    }

    fn takes_empty_path(&self, last: Last) -> bool {
        match last {
            // The flags of inotify are others.
            Last::FollowedUnless(index, flag) | Last::ItselfUnless(index, flag)
                if flag.0 != libc::IN_DONT_FOLLOW =>
            {
                self.word(usize::from(index)) & libc::AT_EMPTY_PATH as u32 != 0
            }
            Last::FollowedUnless(..) | Last::ItselfUnless(..) => false,
            Last::Followed | Last::Itself | Last::AsOpened => false,
        }
    }

    /// Refuses flags that the call does not know.
    pub(super) fn only_flags(&self, index: usize, known: i32) -> Result<(), Errno> {
        if self.word(index) & !(known as u32) == 0 { Ok(()) } else { Err(Errno::INVAL) }
    }
}
