//! Path resolution (path_resolution(7)), one component at a time, on the tree as it is now, seen from outside.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use crate::law::{Access, Name, join, split};

pub(crate) const ENOENT: i32 = 2;
pub(crate) const EACCES: i32 = 13;
pub(crate) const ENOTDIR: i32 = 20;
pub(crate) const ELOOP: i32 = 40;
pub(crate) const ENAMETOOLONG: i32 = 36;
pub(crate) const EXDEV: i32 = 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Directory,
    File,
    Link,
    Other,
}

/// How the last component of a path is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Name,
    /// `.`, `..` or `/`
    Dots,
    /// There is none: a descriptor.
    Magic,
}

/// What a path names.
#[derive(Clone, Debug)]
pub(crate) enum Spot {
    Found {
        path: Vec<Name>,
        kind: Kind,
        last: Last,
        has_slash: bool,
    },
    /// A name that nothing has, in a directory that is there.
    Missing {
        path: Vec<Name>,
        has_slash: bool,
    },
    /// An object without a name (a deleted file, one that never had a name), and what its descriptor allows.
    Nameless(Vec<Access>),
    /// Not in the tree: nothing is said of it.
    Elsewhere,
}

/// Is the last component followed if it is a link?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Always,
    /// `AT_SYMLINK_NOFOLLOW`: only if a slash follows
    WithSlash,
    /// Calls that make or remove a name
    Never,
}

/// `RESOLVE_*` of openat2(2), as far as it is tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resolve {
    pub(crate) no_symlinks: bool,
    pub(crate) beneath: bool,
    pub(crate) in_root: bool,
}

/// A process as /proc shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
}

/// An object that a process holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// None: it has no name.
    pub(crate) path: Option<Vec<Name>>,
    pub(crate) kind: Kind,
    pub(crate) is_path_only: bool,
    /// Its name ends in " (deleted)" and cannot be looked up: SPEC section 6, "a path that cannot be read from the target"
    /// is denied, so it may be taken for a deleted file.
    pub(crate) is_doubtful: bool,
    /// What it was opened for.
    pub(crate) allows: Vec<Access>,
}

pub(crate) fn os(path: &[Name]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&join(path)))
}

pub(crate) fn lstat(path: &[Name]) -> Option<Metadata> {
    fs::symlink_metadata(os(path)).ok()
}

pub(crate) fn kind(metadata: &Metadata) -> Kind {
    let is = metadata.file_type();
    if is.is_dir() {
        Kind::Directory
    } else if is.is_file() {
        Kind::File
    } else if is.is_symlink() {
        Kind::Link
    } else {
        debug_assert!(is.is_fifo() || is.is_socket() || is.is_char_device());
        Kind::Other
    }
}

impl Process {
    fn link(&self, name: &str) -> Option<(Option<Vec<Name>>, Kind)> {
        let magic = format!("/proc/{}/{name}", self.pid);
        let target = fs::read_link(&magic).ok()?.into_os_string().into_vec();
        let object = fs::metadata(&magic).ok()?;
        let path = split(&target);
        let same = |found: &Metadata| (found.dev(), found.ino()) == (object.dev(), object.ino());
        let has_name = target.starts_with(b"/") && lstat(&path).as_ref().is_some_and(same);
        Some((has_name.then_some(path), kind(&object)))
    }

    pub(crate) fn cwd(&self) -> Option<Vec<Name>> {
        self.link("cwd")?.0
    }

    pub(crate) fn held(&self, register: i32) -> Option<Held> {
        let fd = 100 + register;
        let link = format!("fd/{fd}");
        let magic = fs::symlink_metadata(format!("/proc/{}/{link}", self.pid)).ok()?;
        debug_assert!(magic.file_type().is_symlink());
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.pid)).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?.trim().to_owned();
        let flags = i64::from_str_radix(&flags, 8).ok()?;
        let is_path_only = flags & 0o10_000_000 != 0;
        let allows = match flags & 3 {
            _ if is_path_only => Vec::new(),
            0 => vec![Access::Read],
            1 => vec![Access::Write],
            _ => vec![Access::Read, Access::Write],
        };
        let (path, kind) = self.link(&link)?;
        let is_doubtful = path.as_ref().is_some_and(|path| self.is_doubtful(path, kind));
        Some(Held { path, kind, is_path_only, is_doubtful, allows })
    }

    /// Where a path begins: AT_FDCWD is -1.
    fn start(&self, register: i32) -> Result<Option<Vec<Name>>, i32> {
        if register < 0 {
            return Ok(self.cwd());
        }
        let held = self.held(register).ok_or(9)?;
        if held.kind == Kind::Directory { Ok(held.path) } else { Err(ENOTDIR) }
    }

    /// See [`Held::is_doubtful`].
    pub(crate) fn is_doubtful(&self, path: &[Name], kind: Kind) -> bool {
        let shows = path.last().is_some_and(|name| name.ends_with(b" (deleted)"));
        let is_closed = |end: usize| self.is_closed(&path[..end]);
        shows && kind != Kind::Directory && (0..path.len()).any(is_closed)
    }

    /// Is this a directory that this user cannot search?
    pub(crate) fn is_closed(&self, path: &[Name]) -> bool {
        lstat(path).is_some_and(|at| at.is_dir() && !self.searches(&at))
    }

    /// May this user search this directory? Capabilities are dropped, so root is like everybody.
    fn searches(&self, directory: &Metadata) -> bool {
        let shift = if directory.uid() == self.uid {
            6
        } else if directory.gid() == self.uid {
            3
        } else {
            0
        };
        directory.mode() >> shift & 1 != 0
    }

    /// Resolves a path, or says with which errno the kernel would fail before it looks at permissions.
    pub(crate) fn resolve(
        &self,
        register: i32,
        path: &[u8],
        follow: Follow,
        flags: Resolve,
    ) -> Result<Spot, i32> {
        if path.is_empty() {
            return Err(ENOENT);
        }
        let is_absolute = path.starts_with(b"/");
        if let Some(rest) = path.strip_prefix(b"/proc/self/fd/") {
            if flags.no_symlinks || flags.beneath || flags.in_root {
                return Ok(Spot::Elsewhere);
            }
            return self.through_descriptor(rest, follow);
        }
        // "absolute path ... with RESOLVE_BENEATH: EXDEV" (openat2(2))
        if flags.beneath && is_absolute {
            return Err(EXDEV);
        }
        let base = if is_absolute && !flags.in_root {
            Vec::new()
        } else {
            match self.start(register)? {
                Some(base) => base,
                // A working directory that is gone.
                None => return Ok(Spot::Elsewhere),
            }
        };
        self.walk(base, path, follow, flags)
    }

    fn through_descriptor(&self, rest: &[u8], follow: Follow) -> Result<Spot, i32> {
        let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let (number, rest) = rest.split_at(end);
        let number: i32 = String::from_utf8_lossy(number).parse().unwrap_or(-1);
        let Some(held) = self.held(number - 100) else { return Ok(Spot::Elsewhere) };
        let is_entry = follow == Follow::Never && rest.iter().all(|byte| *byte == b'/');
        if is_entry {
            return Ok(Spot::Elsewhere);
        }
        if held.is_doubtful {
            return Ok(Spot::Elsewhere);
        }
        if rest.is_empty() {
            return Ok(match (follow, held.path) {
                // The link in /proc itself.
                (Follow::Never | Follow::WithSlash, _) => Spot::Elsewhere,
                // An O_PATH descriptor of a link that is gone: no call does anything with it.
                (Follow::Always, None) if held.kind == Kind::Link => Spot::Elsewhere,
                (Follow::Always, None) => Spot::Nameless(held.allows),
                (Follow::Always, Some(path)) => {
                    Spot::Found { path, kind: held.kind, last: Last::Magic, has_slash: false }
                }
            });
        }
        match held.path {
            // A slash alone asks for a directory, and for no leave to search it.
            Some(path) if held.kind == Kind::Directory && rest.iter().all(|byte| *byte == b'/') => {
                Ok(Spot::Found { path, kind: held.kind, last: Last::Magic, has_slash: true })
            }
            _ if held.kind != Kind::Directory => Err(ENOTDIR),
            None => Ok(Spot::Elsewhere),
            Some(base) => {
                let rest: Vec<u8> = [b".", rest].concat();
                self.walk(base, &rest, follow, Resolve::default())
            }
        }
    }

    fn walk(
        &self,
        base: Vec<Name>,
        path: &[u8],
        follow: Follow,
        flags: Resolve,
    ) -> Result<Spot, i32> {
        let root = if flags.in_root { base.clone() } else { Vec::new() };
        let floor = base.len();
        let mut at = base;
        let mut todo: Vec<Name> = split(path);
        let mut has_slash = path.ends_with(b"/");
        let mut links = 0;
        let mut last = Last::Dots;
        todo.reverse();
        while let Some(name) = todo.pop() {
            let is_last = todo.is_empty();
            let here = lstat(&at).ok_or(ENOENT)?;
            if kind(&here) != Kind::Directory {
                return Err(ENOTDIR);
            }
            if !self.searches(&here) {
                return Err(EACCES);
            }
            last = Last::Dots;
            if name == b"." {
                continue;
            }
            if name == b".." {
                if flags.beneath && at.len() <= floor {
                    return Err(EXDEV);
                }
                if !(flags.in_root && at == root) {
                    at.pop();
                }
                continue;
            }
            last = Last::Name;
            if name.len() > 255 {
                return Err(ENAMETOOLONG);
            }
            at.push(name);
            let Some(found) = lstat(&at) else {
                return if is_last {
                    Ok(Spot::Missing { path: at, has_slash })
                } else {
                    Err(ENOENT)
                };
            };
            let is_followed =
                !is_last || follow == Follow::Always || follow == Follow::WithSlash && has_slash;
            if kind(&found) == Kind::Link && is_followed {
                links += 1;
                if links > 40 || flags.no_symlinks {
                    return Err(ELOOP);
                }
                let target = fs::read_link(os(&at)).map_err(|_| EACCES)?;
                let target = target.into_os_string().into_vec();
                at.pop();
                if target.starts_with(b"/") {
                    if flags.beneath {
                        return Err(EXDEV);
                    }
                    at.clone_from(&root);
                }
                has_slash |= is_last && target.ends_with(b"/");
                todo.extend(split(&target).into_iter().rev());
                last = Last::Dots;
            }
        }
        let found = lstat(&at).ok_or(ENOENT)?;
        let kind = kind(&found);
        if has_slash && kind != Kind::Directory && follow != Follow::Never {
            return Err(ENOTDIR);
        }
        Ok(Spot::Found { path: at, kind, last, has_slash })
    }
}
