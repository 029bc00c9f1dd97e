//! Walking through a directory that a hostile program may be changing meanwhile.
//!
//! Never through a link, never onto another mount, never longer than allowed: what was not looked at is told. Nearer
//! entries come first, so that a deep tree cannot hide what lies beside it.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use clawguard_core::AbsPath;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, openat2, statat};
use rustix::io::Errno;

/// How much is looked at: what one walk leaves, the next one may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    entries: usize,
    until: Instant,
}

impl Budget {
    pub(crate) fn new(entries: usize, time: Duration) -> Budget {
        Budget { entries, until: Instant::now() + time }
    }

    fn is_spent(&self) -> bool {
        self.entries == 0 || Instant::now() > self.until
    }
}

/// An entry, as it was when it was looked at.
pub(crate) struct Entry<'a> {
    pub(crate) path: &'a AbsPath,
    pub(crate) stat: &'a Stat,
    directory: BorrowedFd<'a>,
}

/// What to do with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Into,
    Over,
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Whole,
    /// This directory, the first of perhaps several, could not be read.
    Closed(AbsPath),
    /// There was more than the budget allows.
    CutShort,
}

impl Entry<'_> {
    pub(crate) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.path.file_name().unwrap_or_default()
    }

    /// The first bytes of a regular file: the one that was looked at, or nothing.
    pub(crate) fn head(&self, length: usize) -> Vec<u8> {
        let read = || {
            if self.kind() != FileType::RegularFile {
                return None;
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file =
                rustix::fs::openat(self.directory, self.name(), flags, Mode::empty()).ok()?;
            let stat = rustix::fs::fstat(&file).ok()?;
            if (stat.st_dev, stat.st_ino) != (self.stat.st_dev, self.stat.st_ino) {
                return None;
            }
            let mut bytes = vec![0; length];
            let read = rustix::io::pread(&file, &mut bytes, 0).ok()?;
            bytes.truncate(read);
            Some(bytes)
        };
        read().unwrap_or_default()
    }
}

/// Visits `root` and what lies beneath it. `visit` says of each directory whether to go into it.
pub(crate) fn walk(
    root: &AbsPath,
    budget: &mut Budget,
    mut visit: impl FnMut(&Entry<'_>) -> Step,
) -> Ended {
    let Some(top) = root.parent().and_then(|parent| open(CWD, &parent).ok()) else {
        return Ended::Whole;
    };
    let Ok(stat) = statat(&top, root.file_name().unwrap_or_default(), AtFlags::SYMLINK_NOFOLLOW)
    else {
        return Ended::Whole;
    };
    let entry = Entry { path: root, stat: &stat, directory: top.as_fd() };
    if visit(&entry) == Step::Over || entry.kind() != FileType::Directory {
        return Ended::Whole;
    }
    let base = match open(CWD, root) {
        Ok(base) => base,
        Err(errno) => return closed(errno, root).map_or(Ended::Whole, Ended::Closed),
    };
    let mut first_closed = None;
    let mut open_directories = VecDeque::from([root.clone()]);
    while let Some(path) = open_directories.pop_front() {
        let opened = beneath(&base, root, &path);
        let read = opened.and_then(|opened| Ok((Dir::read_from(&opened)?, opened)));
        let (mut entries, directory) = match read {
            Ok(read) => read,
            Err(errno) => {
                first_closed = first_closed.or_else(|| closed(errno, &path));
                continue;
            }
        };
        let mut names: Vec<Vec<u8>> = Vec::new();
        while let Some(Ok(entry)) = entries.read() {
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
            // A directory of a million names must not be held in memory either.
            if names.len() > budget.entries || Instant::now() > budget.until {
                return Ended::CutShort;
            }
        }
        // The same order at every run.
        names.sort_unstable();
        for name in names {
            if budget.is_spent() {
                return Ended::CutShort;
            }
            budget.entries -= 1;
            let path = path.join(&name);
            let Ok(stat) = statat(&directory, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let entry = Entry { path: &path, stat: &stat, directory: directory.as_fd() };
            if visit(&entry) == Step::Into && entry.kind() == FileType::Directory {
                open_directories.push_back(path);
            }
        }
    }
    first_closed.map_or(Ended::Whole, Ended::Closed)
}

/// What is gone or is another mount by now is nobody's fault; anything else was there and was not looked at.
fn closed(errno: Errno, path: &AbsPath) -> Option<AbsPath> {
    let is_gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV].contains(&errno);
    (!is_gone).then(|| path.clone())
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn open(at: BorrowedFd<'_>, path: &AbsPath) -> Result<OwnedFd, Errno> {
    openat2(at, path.as_path(), DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

/// Opens a directory of the walk again, by its name beneath the walk's root: neither a link nor a mount that appeared
/// since leads it astray.
fn beneath(base: &OwnedFd, root: &AbsPath, path: &AbsPath) -> Result<OwnedFd, Errno> {
    let name = path.as_path().strip_prefix(root.as_path()).unwrap_or(path.as_path());
    let name = if name.as_os_str().is_empty() { std::path::Path::new(".") } else { name };
    let flags = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    openat2(base, name, DIRECTORY, Mode::empty(), flags)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::audit::machine::abs;

    const LONG: Duration = Duration::from_secs(600);

    fn paths(root: &AbsPath, mut budget: Budget) -> (Vec<String>, Ended) {
        let mut paths = Vec::new();
        let ended = walk(root, &mut budget, |entry| {
            paths.push(entry.path.to_string());
            Step::Into
        });
        (paths, ended)
    }

    #[test]
    fn links_are_seen_and_not_followed_and_near_entries_come_first() {
        let tree = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(tree.path()).unwrap();
        std::fs::create_dir_all(root.join("d/e")).unwrap();
        std::fs::write(root.join("d/e/f"), "").unwrap();
        std::fs::write(root.join("z"), "").unwrap();
        symlink("/etc", root.join("l")).unwrap();
        let at = |name: &str| format!("{}{name}", root.display());
        let (paths, ended) = paths(&abs(&root).unwrap(), Budget::new(100, LONG));
        assert_eq!(paths, ["", "/d", "/l", "/z", "/d/e", "/d/e/f"].map(at));
        assert_eq!(ended, Ended::Whole);
    }

    #[test]
    fn what_is_too_much_is_told() {
        let tree = tempfile::tempdir().unwrap();
        let root = abs(&std::fs::canonicalize(tree.path()).unwrap()).unwrap();
        (0..20).for_each(|name| {
            std::fs::write(root.as_path().join(name.to_string()), "").unwrap();
        });
        assert_eq!(paths(&root, Budget::new(10, LONG)).1, Ended::CutShort);
        assert_eq!(paths(&root, Budget::new(100, Duration::ZERO)).1, Ended::CutShort);
        assert_eq!(paths(&root, Budget::new(20, LONG)).1, Ended::Whole);
    }

    #[test]
    fn a_mount_inside_is_seen_and_not_entered() {
        let mut budget = Budget::new(100_000, LONG);
        let mut seen = Vec::new();
        let top = AbsPath::root().join(b"dev");
        walk(&top, &mut budget, |entry| {
            seen.push(entry.path.to_string());
            Step::Into
        });
        assert!(seen.contains(&"/dev/pts".to_owned()));
        assert!(!seen.contains(&"/dev/pts/ptmx".to_owned()), "another file system was entered");
    }
}
