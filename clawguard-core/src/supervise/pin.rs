//! Objects and directory entries that are held, so that nobody can exchange them between judging and acting.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::lookup::Ways;
use super::mounts::{is_same_place, leads_into_mount_of};
use crate::access::AccessSet;
use crate::path::AbsPath;

/// An object, held with `O_PATH` or open, that is nothing of an outsider in /proc.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) fd: OwnedFd,
    pub(super) name: Name,
    _checked: Checked,
}

/// Only this file makes one.
#[derive(Debug)]
struct Checked;

impl Pinned {
    /// Refuses what is in a procfs and not of the target, by whatever way it was reached: the kernel may have taken
    /// `/proc/self` for this process.
    pub(super) fn new(ways: &Ways, fd: OwnedFd, name: Name) -> Result<Pinned, Errno> {
        let path = match &name {
            Name::Path(path) => Some(path),
            Name::Nameless(_) => None,
        };
        ways.look_at(&fd, path)?;
        Ok(Pinned { fd, name, _checked: Checked })
    }
}

/// The name by which the law judges an object.
#[derive(Clone, Debug)]
pub(super) enum Name {
    /// Its real path.
    Path(AbsPath),
    /// It has none (a pipe, a deleted file): the descriptor that it was reached through allows this.
    Nameless(AccessSet),
}

/// A directory, held, and a name in it, of something or of nothing yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) parent: OwnedFd,
    /// The directory's real path.
    pub(super) directory: AbsPath,
    /// The last component as written: with the slashes behind it, and perhaps `.`, `..` or `/`.
    pub(super) last: CString,
    _checked: Checked,
}

impl Entry {
    /// A name in a directory. Nothing can be made in one that was removed.
    pub(super) fn new(directory: Pinned, last: &[u8]) -> Result<Entry, Errno> {
        let last = CString::new(last).map_err(|_| Errno::INVAL)?;
        match directory.name {
            Name::Path(path) => {
                Ok(Entry { parent: directory.fd, directory: path, last, _checked: Checked })
            }
            Name::Nameless(_) => Err(Errno::NOENT),
        }
    }

    /// The last component alone; none for `.`, `..` and `/`, which no call makes, moves or removes.
    pub(super) fn name(&self) -> Option<&[u8]> {
        let last = self.last.as_bytes();
        let end = last.iter().rposition(|&byte| byte != b'/')?;
        match &last[..=end] {
            b"." | b".." => None,
            name => Some(name),
        }
    }

    /// What stands there now, a link itself and whatever slash follows it.
    pub(super) fn stat(&self) -> Result<Stat, Errno> {
        let name = self.name().ok_or(Errno::NOENT)?;
        rustix::fs::statat(&self.parent, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Can something that is no directory be made there? A name that is taken, and a slash behind one that is not, are
    /// errors before the law is asked.
    pub(super) fn is_free(&self) -> Result<(), Errno> {
        match self.stat() {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) if !self.has_slash() => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// The entry's real path.
    pub(super) fn path(&self) -> Option<AbsPath> {
        self.name().map(|name| self.directory.join(name))
    }

    pub(super) fn has_slash(&self) -> bool {
        self.last.as_bytes().ends_with(b"/")
    }
}

/// Opening a link in /proc leads to the very object, whatever its name is by now.
pub(super) fn through(fd: &OwnedFd) -> CString {
    CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default()
}

/// Times that a name is read when it does not lead to its object: somebody may be moving it.
const READINGS: usize = 32;

/// What the kernel calls an object; none if it has no name, or no longer.
///
/// The kernel tells the way from the top of the object's mount, even when that mount is no longer anywhere or something
/// is mounted over the way (d_path in fs/d_path.c). So the name is followed, and must lead to the very object.
///
/// # Errors
/// EACCES when it does not.
pub(super) fn name_of(fd: &OwnedFd) -> Result<Option<AbsPath>, Errno> {
    for _ in 0..READINGS {
        let text = match rustix::fs::readlink(through(fd), Vec::with_capacity(256)) {
            Err(Errno::NAMETOOLONG) => return climb(fd).map(Some),
            text => text?.into_bytes(),
        };
        let Ok(path) = AbsPath::parse(&text) else { return Ok(None) };
        // "x (deleted)" is the name of a file, or what the kernel says of a deleted `x`.
        let may_be_deleted = text.ends_with(b" (deleted)");
        match leads_to(&path, fd)? {
            Leads::There => return Ok(Some(path)),
            // A descriptor gives no more than the law did when it was opened, so no name is the safe guess.
            Leads::Unseen if !may_be_deleted => return Ok(Some(path)),
            Leads::Elsewhere | Leads::Unseen if may_be_deleted => return Ok(None),
            Leads::Elsewhere | Leads::Unseen => {}
        }
    }
    Err(Errno::ACCESS)
}

/// Directories above each other whose names are found one by one, at most.
const HEIGHT: usize = 4096;

/// The name of a directory that is longer than the kernel tells: from the nearest directory above whose name it does
/// tell, by looking for each one in the one above it.
fn climb(fd: &OwnedFd) -> Result<AbsPath, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(fd, c".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for _ in 0..HEIGHT {
        let above = rustix::fs::openat(&at, c"..", flags, Mode::empty())?;
        names.push(name_in(&above, &at)?);
        match rustix::fs::readlink(through(&above), Vec::with_capacity(256)) {
            Err(Errno::NAMETOOLONG) => at = above,
            Err(errno) => return Err(errno),
            Ok(_) => {
                let path = name_of(&above)?.ok_or(Errno::NOENT)?;
                return Ok(names.iter().rev().fold(path, |path, name| path.join(name)));
            }
        }
    }
    Err(Errno::NAMETOOLONG)
}

fn name_in(directory: &OwnedFd, child: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let wanted = rustix::fs::fstat(child)?;
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let found = rustix::fs::statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|found| (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)) {
            return Ok(entry.file_name().to_bytes().to_vec());
        }
    }
    Err(Errno::NOENT)
}

/// Where a name leads that the kernel told.
enum Leads {
    /// To the object.
    There,
    Elsewhere,
    /// Into the object's mount, and this process may not follow it further.
    Unseen,
}

fn leads_to(path: &AbsPath, fd: &OwnedFd) -> Result<Leads, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(match rustix::fs::openat2(CWD, path.as_path(), flags, Mode::empty(), resolve) {
        Ok(found) if is_same_place(&found, fd)? => Leads::There,
        // The object must be there still, under this name or another.
        Err(Errno::ACCESS)
            if rustix::fs::fstat(fd)?.st_nlink > 0 && leads_into_mount_of(path, fd)? =>
        {
            Leads::Unseen
        }
        Ok(_) | Err(_) => Leads::Elsewhere,
    })
}

/// Are these the same inode?
pub(super) fn is_same(a: impl AsFd, b: impl AsFd) -> Result<bool, Errno> {
    let (a, b) = (rustix::fs::fstat(a)?, rustix::fs::fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}
