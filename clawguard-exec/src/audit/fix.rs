//! The only changes that the audit makes: bits of a mode are taken away from files of our own.
//!
//! Nothing is deleted, moved or written, and no bit is ever added. A fix holds for the very object that was found: it
//! is opened without following a link, beneath directories that nobody else can change, and its owner, its number and
//! its names are looked at again before its mode is changed through that descriptor. So a link or a file that somebody
//! puts in its place in between is not touched.

#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use clawguard_core::AbsPath;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, chmodat, fstat, openat};
use rustix::io::Errno;

use super::machine::Owners;

/// Bits to take from the mode of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    path: AbsPath,
    /// Which object was found there.
    id: (u64, u64),
    was: u32,
    take: u32,
}

/// A mode that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) was: u32,
    pub(crate) now: u32,
}

/// Why a mode was left as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FixError {
    #[error("`{0}` cannot be opened without following links")]
    Open(AbsPath, #[source] std::io::Error),
    #[error("`{0}` is not what was found there a moment ago")]
    Exchanged(AbsPath),
    #[error("`{path}` belongs to user {owner}: run the audit as that user")]
    Owner { path: AbsPath, owner: u32 },
    #[error(
        "`{0}` has a second name elsewhere (a hard link), whose mode would change too: look at it first"
    )]
    SecondName(AbsPath),
    #[error("others may change the directory `{0}`, so what lies in it is not touched")]
    Parent(AbsPath),
    #[error("the mode of `{0}` cannot be changed")]
    Change(AbsPath, #[source] std::io::Error),
}

impl Fix {
    /// Takes these bits from what `stat` found at `path`.
    pub(crate) fn take(path: &AbsPath, stat: &Stat, take: u32) -> Fix {
        Fix { path: path.clone(), id: id(stat), was: stat.st_mode & 0o7777, take }
    }

    /// The mode as it will be.
    pub(crate) fn mode(&self) -> u32 {
        self.was & !self.take
    }

    pub(crate) fn path(&self) -> &AbsPath {
        &self.path
    }

    /// The same, and what another finding asks of the same object.
    #[must_use]
    pub(crate) fn and(self, other: &Fix) -> Fix {
        Fix { take: self.take | other.take, ..self }
    }

    /// Changes the mode, if everything is still as it was found.
    ///
    /// # Errors
    /// [`FixError`], with nothing changed.
    pub(crate) fn apply(&self, owners: &Owners) -> Result<Fixed, FixError> {
        let opened = self.open(owners)?;
        let failed = |errno: Errno| FixError::Change(self.path.clone(), errno.into());
        let stat = fstat(&opened).map_err(failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if id(&stat) != self.id || !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return Err(FixError::Exchanged(self.path.clone()));
        }
        if !owners.is_ours(stat.st_uid) {
            return Err(FixError::Owner { path: self.path.clone(), owner: stat.st_uid });
        }
        if kind == FileType::RegularFile && stat.st_nlink > 1 {
            return Err(FixError::SecondName(self.path.clone()));
        }
        let was = stat.st_mode & 0o7777;
        let mode = Mode::from_raw_mode(was & !self.take);
        // A descriptor of O_PATH cannot be given to fchmod(2); its link in /proc leads to the very object.
        let name = format!("/proc/self/fd/{}", opened.as_raw_fd());
        chmodat(CWD, name, mode, AtFlags::empty()).map_err(failed)?;
        let now = fstat(&opened).map_err(failed)?.st_mode & 0o7777;
        Ok(Fixed { was, now })
    }

    /// Opens the object from the root down, through no link, and only through directories that nobody else can change.
    fn open(&self, owners: &Owners) -> Result<OwnedFd, FixError> {
        let failed = |errno: Errno| FixError::Open(self.path.clone(), errno.into());
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = AbsPath::root();
        let mut opened = openat(CWD, "/", flags | OFlags::DIRECTORY, Mode::empty());
        for name in self.path.components() {
            let parent = opened.map_err(failed)?;
            let stat = fstat(&parent).map_err(failed)?;
            if !owners.is_safe_directory(&stat) {
                return Err(FixError::Parent(at));
            }
            at = at.join(name);
            opened = openat(&parent, name, flags, Mode::empty());
        }
        opened.map_err(failed)
    }
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
