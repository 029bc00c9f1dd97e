//! From a path in the target's words to a pinned object: the quick ways.
//!
//! A path without links and `..` is its own real path, so what is judged is what is opened. Everything else goes to
//! [`super::walk`], which follows links as the target would, and never as this process would.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Statx};
use rustix::io::Errno;

use super::grants::Grants;
use super::members::is_member;
use super::mounts::{self, Mounts};
use super::pin::{Entry, Name, Pinned, name_of};
use super::target::{Base, PATH_MAX, Target};
use super::walk;
use crate::access::Access;
use crate::decide::Decider;
use crate::path::{AbsPath, components};
use crate::resolve::Procfs;

/// What becomes of a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    Yes,
    No,
}

/// What the object must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Directory,
}

/// The flags with which a string is its own real path.
pub(super) const NO_LINKS: ResolveFlags =
    ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);

/// What of the host makes lookups quick and right; found once.
#[derive(Debug)]
pub(super) struct Ways {
    /// Links in `/` that the target cannot change: name and where it leads.
    links: Vec<(Vec<u8>, AbsPath)>,
    /// Names in a procfs mean something else to the target.
    pub(super) mounts: Mounts,
    pub(super) protected_symlinks: bool,
}

/// An absolute path without links, if it is one.
pub(super) struct Quick {
    pub(super) text: CString,
    pub(super) path: AbsPath,
    /// Is an error of this path the answer? A working directory may lie where its own path does not lead.
    pub(super) is_conclusive: bool,
}

impl Ways {
    pub(super) fn find(decider: &mut Decider, procfs: &[Procfs]) -> Ways {
        let protected = std::fs::read("/proc/sys/fs/protected_symlinks").unwrap_or_default();
        Ways {
            links: links(decider),
            mounts: Mounts::new(procfs),
            protected_symlinks: protected.first() == Some(&b'1'),
        }
    }

    /// What an object is; refused if it is an outsider's in a procfs, wherever that is mounted.
    pub(super) fn look_at(&self, fd: &OwnedFd, path: Option<&AbsPath>) -> Result<Statx, Errno> {
        let seen = mounts::look_at(fd)?;
        match path {
            _ if !self.mounts.is_in_procfs(fd, &seen)? => Ok(seen),
            Some(path) if self.is_of_target(path) => Ok(seen),
            Some(_) | None => Err(Errno::ACCESS),
        }
    }

    /// Is this path of a procfs of the target's own, or of no process?
    pub(super) fn is_of_target(&self, path: &AbsPath) -> bool {
        self.mounts.processes(path).is_some_and(|numbers| numbers.into_iter().all(is_member))
    }

    /// Is this in a procfs?
    pub(super) fn is_proc(&self, path: &AbsPath) -> bool {
        self.mounts.is_proc(path)
    }

    /// Begins to follow what is mounted.
    pub(super) fn watch(&mut self, grants: &Grants) {
        self.mounts.watch(grants);
    }

    /// The absolute path that a path means if no link is on its way.
    pub(super) fn quick(
        &self,
        target: Target<'_>,
        base: Base,
        path: &[u8],
    ) -> Result<Option<Quick>, Errno> {
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        if path.split(|&byte| byte == b'/').any(|name| name == b"..") {
            return Ok(None);
        }
        let is_absolute = path.first() == Some(&b'/');
        let text = match is_absolute {
            true => self.rewrite(path),
            false => {
                let mut text = match self.directory_name(target, base) {
                    Err(Errno::NAMETOOLONG) => return Ok(None),
                    text => text?,
                };
                if text.first() != Some(&b'/') || text.ends_with(b" (deleted)") {
                    return Ok(None);
                }
                text.push(b'/');
                text.extend_from_slice(path);
                text
            }
        };
        let (Ok(path), Ok(text)) = (AbsPath::parse(&text), CString::new(text)) else {
            return Ok(None);
        };
        if self.is_proc(&path) || text.as_bytes().len() >= PATH_MAX {
            return Ok(None);
        }
        Ok(Some(Quick { text, path, is_conclusive: is_absolute }))
    }

    /// The name of the directory from which a relative path begins. As long as nothing was mounted or unmounted since
    /// the start, the kernel's word is enough: what is opened is what the name leads to, in any case.
    fn directory_name(&self, target: Target<'_>, base: Base) -> Result<Vec<u8>, Errno> {
        if !self.mounts.have_changed() {
            return target.directory_name(base);
        }
        let name = name_of(&target.directory(base)?)?;
        Ok(name.map(|name| name.as_bytes().to_vec()).unwrap_or_default())
    }

    fn rewrite(&self, path: &[u8]) -> Vec<u8> {
        let first = components(path).next().unwrap_or_default();
        match self.links.iter().find(|(name, _)| name == first) {
            // A link that is the whole path may not be meant to be followed.
            Some((_, to)) if components(path).nth(1).is_some() => {
                let start = path.iter().position(|&byte| byte != b'/').unwrap_or(0);
                [to.as_bytes(), &path[start + first.len()..]].concat()
            }
            Some(_) | None => path.to_vec(),
        }
    }

    /// The object that a path names.
    pub(super) fn object(
        &self,
        target: Target<'_>,
        base: Base,
        path: &[u8],
        follow: Follow,
        kind: Kind,
    ) -> Result<Pinned, Errno> {
        let mut flags = OFlags::PATH | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, follow == Follow::No);
        flags.set(OFlags::DIRECTORY, kind == Kind::Directory);
        if let Some(quick) = self.quick(target, base, path)? {
            match rustix::fs::openat2(CWD, &*quick.text, flags, Mode::empty(), NO_LINKS) {
                Ok(fd) => return Pinned::new(self, fd, Name::Path(quick.path)),
                Err(Errno::LOOP) => {}
                Err(errno) if quick.is_conclusive => return Err(errno),
                Err(_) => {}
            }
        }
        match self.by_the_kernel(target, base, path, flags) {
            Some((fd, name)) => Pinned::new(self, fd, Name::Path(name)),
            None => walk::object(self, target, base, path, follow, kind),
        }
    }

    /// Lets the kernel follow ordinary links; none where the way or the end lies in /proc.
    fn by_the_kernel(
        &self,
        target: Target<'_>,
        base: Base,
        path: &[u8],
        flags: OFlags,
    ) -> Option<(OwnedFd, AbsPath)> {
        let from: Option<OwnedFd> = match path.first() {
            Some(b'/') => None,
            Some(_) | None => Some(target.directory(base).ok()?),
        };
        if let Some(from) = &from {
            let name = name_of(from).ok()??;
            if self.is_proc(&name) {
                return None;
            }
        }
        let dirfd = from.as_ref().map_or(CWD, |from| from.as_fd());
        let resolve = ResolveFlags::NO_MAGICLINKS;
        let fd = rustix::fs::openat2(dirfd, path, flags, Mode::empty(), resolve).ok()?;
        let name = name_of(&fd).ok()??;
        // A link may have led through `/proc/self`, which means this process here.
        (!self.is_proc(&name)).then_some((fd, name))
    }

    /// The directory entry that a path names: its directory pinned, the last component untouched.
    pub(super) fn entry(
        &self,
        target: Target<'_>,
        base: Base,
        path: &[u8],
    ) -> Result<Entry, Errno> {
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        let Some(end) = path.iter().rposition(|&byte| byte != b'/') else {
            let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            return Entry::new(Pinned::new(self, root, Name::Path(AbsPath::root()))?, b"/");
        };
        let start =
            path[..=end].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (parent, last) = path.split_at(start);
        // The dot asks for leave to search the directory, as the kernel does before it looks at anything else.
        let parent = [parent, b"."].concat();
        let pinned = self.object(target, base, &parent, Follow::Yes, Kind::Directory)?;
        Entry::new(pinned, last)
    }
}

/// The links in `/` whose end the target cannot change, nor any directory on the way.
fn links(decider: &mut Decider) -> Vec<(Vec<u8>, AbsPath)> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut is_fixed = |path: &AbsPath| !decider.decide(path).verdict(Access::Write).is_allowed();
    let mut links = Vec::new();
    for entry in std::fs::read_dir("/").into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            continue;
        }
        let name = entry.file_name().into_vec();
        let Ok(to) = std::fs::canonicalize(entry.path()) else { continue };
        let Ok(to) = AbsPath::parse(to.as_os_str().as_bytes()) else { continue };
        let mut ancestors = std::iter::successors(Some(to.clone()), AbsPath::parent);
        let is_plain = to.as_path().is_dir() && !to.starts_with(&AbsPath::root().join(b"proc"));
        if is_plain
            && is_fixed(&AbsPath::root().join(&name))
            && ancestors.all(|ancestor| is_fixed(&ancestor))
        {
            links.push((name, to));
        }
    }
    links
}
