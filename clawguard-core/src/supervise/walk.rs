//! The slow way from a path to an object: one component at a time, links followed as the target would follow them.
//!
//! `/proc/self` means the target's process here, and a link to an open file or a working directory is followed only
//! when it belongs to the target: this process's own objects, and those of outsiders, are never reached.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, Stat};
use rustix::io::Errno;

use super::lookup::{Follow, Kind, Ways};
use super::members::is_member;
use super::pin::{Name, Pinned, name_of};
use super::target::{Base, Target};
use crate::access::{Access, AccessSet};
use crate::path::{AbsPath, components};
use crate::resolve::mounts::number;

/// Links on one way, at most (`MAXSYMLINKS` of linux/namei.h).
const LINKS: u32 = 40;

/// The inode of a procfs's root (`PROC_ROOT_INO`).
const PROC_ROOT: u64 = 1;

/// The object that a path names.
pub(super) fn object(
    ways: &Ways,
    target: Target<'_>,
    base: Base,
    path: &[u8],
    follow: Follow,
    kind: Kind,
) -> Result<Pinned, Errno> {
    let at = match path.first() {
        None => return Err(Errno::NOENT),
        Some(b'/') => root()?,
        Some(_) => target.directory(base)?,
    };
    let rest = reversed(path);
    let has_slash = path.ends_with(b"/");
    let walk = Walk {
        ways,
        target,
        at,
        rest,
        links: 0,
        nameless: AccessSet::EMPTY,
        from: None,
        has_slash,
    };
    walk.finish(follow, kind)
}

struct Walk<'a> {
    ways: &'a Ways,
    target: Target<'a>,
    at: OwnedFd,
    /// The directory in which `at` was found, and its name there.
    from: Option<(OwnedFd, Vec<u8>)>,
    /// The components still to go, the next one last.
    rest: Vec<Vec<u8>>,
    links: u32,
    /// What the descriptor allows through which `at` was reached, if it has no name.
    nameless: AccessSet,
    /// The path ends with a slash, so the last component is followed and must be a directory.
    has_slash: bool,
}

impl Walk<'_> {
    fn finish(mut self, follow: Follow, kind: Kind) -> Result<Pinned, Errno> {
        while let Some(name) = self.rest.pop() {
            match name.as_slice() {
                b"." => {
                    self.check_directory()?;
                    open(&self.at, &name)?;
                }
                b".." => {
                    self.check_directory()?;
                    self.enter(open(&self.at, &name)?);
                }
                _ => self.step(&name, follow)?,
            }
        }
        if self.has_slash || kind == Kind::Directory {
            self.check_directory()?;
        }
        let name = match self.name()? {
            Some(path) => Name::Path(path),
            // Nothing can be in a directory that was removed.
            None if self.check_directory().is_ok() => Name::Nameless(Access::Read.into()),
            None => Name::Nameless(self.nameless),
        };
        if let Name::Path(path) = &name {
            self.refuse_outsiders(path)?;
        }
        Pinned::new(self.ways, self.at, name)
    }

    /// What the walk came to, by its real path.
    fn name(&self) -> Result<Option<AbsPath>, Errno> {
        match (name_of(&self.at), &self.from) {
            // Only directories can be climbed from.
            (Err(Errno::NOTDIR), Some((directory, name))) => {
                Ok(name_of(directory)?.map(|path| path.join(name)))
            }
            (name, _) => name,
        }
    }

    fn step(&mut self, name: &[u8], follow: Follow) -> Result<(), Errno> {
        let is_proc = self.is_proc()?;
        if is_proc && self.is_proc_root()? && self.in_proc_root(name)? {
            return Ok(());
        }
        let next = open(&self.at, name)?;
        let stat = rustix::fs::fstat(&next)?;
        let is_last = self.rest.is_empty();
        let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        if !is_link || is_last && follow == Follow::No && !self.has_slash {
            let directory = std::mem::replace(&mut self.at, next);
            self.from = Some((directory, name.to_vec()));
            self.nameless = AccessSet::EMPTY;
            return if is_last { Ok(()) } else { self.check_directory() };
        }
        self.links += 1;
        if self.links > LINKS {
            return Err(Errno::LOOP);
        }
        if is_proc && is_magic(&self.at, name)? {
            return self.jump(name);
        }
        if is_last {
            self.may_follow(&stat)?;
        }
        let text = rustix::fs::readlinkat(&next, c"", Vec::new())?.into_bytes();
        if text.is_empty() {
            return Err(Errno::NOENT);
        }
        if is_last && text.ends_with(b"/") {
            self.has_slash = true;
        }
        if text.first() == Some(&b'/') {
            self.enter(root()?);
        }
        self.rest.extend(reversed(&text));
        Ok(())
    }

    fn enter(&mut self, next: OwnedFd) {
        self.at = next;
        self.from = None;
        self.nameless = AccessSet::EMPTY;
    }

    /// A name in the root of a procfs; true if it was replaced by others.
    fn in_proc_root(&mut self, name: &[u8]) -> Result<bool, Errno> {
        let tid = self.target.tid;
        match name {
            b"self" => {
                let process = self.target.process()?;
                self.rest.push(process.to_string().into_bytes());
                Ok(true)
            }
            b"thread-self" => {
                let process = self.target.process()?;
                self.rest.extend(reversed(format!("{process}/task/{tid}").as_bytes()));
                Ok(true)
            }
            _ => match number(name) {
                Some(process) if !is_member(process) => {
                    // Whoever is not there is not secret.
                    open(&self.at, name)?;
                    Err(Errno::ACCESS)
                }
                Some(_) | None => Ok(false),
            },
        }
    }

    /// Follows a link that leads to an object and not to a path: /proc/PID/fd/N, cwd, root, exe.
    fn jump(&mut self, name: &[u8]) -> Result<(), Errno> {
        let directory = name_of(&self.at)?.ok_or(Errno::NOENT)?;
        self.refuse_outsiders(&directory)?;
        let (next, allowed) = match directory.file_name() {
            Some(b"fd") => descriptor(&directory, name)?,
            // What runs may be executed again: that it has no name any more does not make it readable.
            Some(kind) => {
                let allowed = match (kind, name) {
                    (b"ns", _) => Access::Read.into(),
                    (_, b"exe") => Access::Execute.into(),
                    _ => AccessSet::EMPTY,
                };
                (jump_to(&self.at, name)?, allowed)
            }
            None => return Err(Errno::NOENT),
        };
        self.at = next;
        self.from = None;
        self.nameless = allowed;
        match self.rest.is_empty() {
            true => Ok(()),
            false => self.check_directory(),
        }
    }

    /// Nothing in /proc of a process outside the target, by whatever way it was reached.
    fn refuse_outsiders(&self, path: &AbsPath) -> Result<(), Errno> {
        if !self.ways.is_proc(path) && !self.is_proc()? {
            return Ok(());
        }
        if self.ways.is_of_target(path) { Ok(()) } else { Err(Errno::ACCESS) }
    }

    fn is_proc(&self) -> Result<bool, Errno> {
        Ok(rustix::fs::fstatfs(&self.at)?.f_type == PROC_SUPER_MAGIC)
    }

    fn is_proc_root(&self) -> Result<bool, Errno> {
        Ok(rustix::fs::fstat(&self.at)?.st_ino == PROC_ROOT)
    }

    fn check_directory(&self) -> Result<(), Errno> {
        let mode = rustix::fs::fstat(&self.at)?.st_mode;
        match FileType::from_raw_mode(mode) {
            FileType::Directory => Ok(()),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// fs.protected_symlinks (proc_sys_fs(5)): others' links in a shared sticky directory are not followed.
    fn may_follow(&self, link: &Stat) -> Result<(), Errno> {
        let parent = rustix::fs::fstat(&self.at)?;
        let is_shared =
            parent.st_mode & (libc::S_ISVTX | libc::S_IWOTH) == libc::S_ISVTX | libc::S_IWOTH;
        let is_own = link.st_uid == rustix::process::geteuid().as_raw();
        match self.ways.protected_symlinks && is_shared && !is_own && link.st_uid != parent.st_uid {
            true => Err(Errno::ACCESS),
            false => Ok(()),
        }
    }
}

/// The object of `/proc/PID/fd/N` and what its descriptor allows, both from one duplicate: the number may mean another
/// file at any moment.
fn descriptor(directory: &AbsPath, name: &[u8]) -> Result<(OwnedFd, AccessSet), Errno> {
    let thread = directory.parent().and_then(|of| of.file_name().and_then(number));
    let number = number(name).and_then(|number| i32::try_from(number).ok());
    let (Some(thread), Some(number)) = (thread, number) else { return Err(Errno::NOENT) };
    let duplicate = super::target::duplicate(thread, number).map_err(|errno| match errno {
        Errno::BADF => Errno::NOENT,
        errno => errno,
    })?;
    let allowed = mode_allows(rustix::fs::fcntl_getfl(&duplicate)?.bits() as i32);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let object = rustix::fs::openat(CWD, super::pin::through(&duplicate), flags, Mode::empty())?;
    Ok((object, allowed))
}

fn jump_to(at: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(at, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// What a descriptor with these flags of F_GETFL allows.
pub(super) fn mode_allows(flags: i32) -> AccessSet {
    match (flags & libc::O_PATH, flags & libc::O_ACCMODE) {
        (0, libc::O_RDONLY) => Access::Read.into(),
        (0, libc::O_WRONLY) => Access::Write.into(),
        (0, libc::O_RDWR) => AccessSet::EMPTY.with(Access::Read).with(Access::Write),
        _ => AccessSet::EMPTY,
    }
}

/// A link that jumps to an object is refused with this flag; one that is text is not.
fn is_magic(at: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match rustix::fs::openat2(at, name, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS) {
        Err(Errno::LOOP) => Ok(true),
        Ok(_) | Err(_) => Ok(false),
    }
}

fn open(at: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

fn root() -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

fn reversed(path: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = components(path).map(<[u8]>::to_vec).collect();
    names.reverse();
    names
}
