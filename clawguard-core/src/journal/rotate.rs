//! A full journal makes room: it is renamed, a new one is made, and what is too old or too much is removed.
//!
//! Several runs share the files. Each rotates under a lock of the directory, but does not depend on it, since anybody
//! who can read the directory could hold the lock: no rename here ever replaces a file.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, RenameFlags, Stat, flock, renameat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;

use super::line::rfc3339;
use super::store::{Naming, SEGMENTS, Store, modified};
use super::{JournalError, JournalPlace};

/// How long another run's rotation is waited for.
const PATIENCE: u32 = 25;
const STEP: Duration = Duration::from_millis(2);

/// How many names are tried for a rotated file; each is a millisecond's.
const NAMES: u32 = 50;

const PREFIX: &[u8] = b"journal-";
const SUFFIX: &[u8] = b".jsonl";

/// A lock that ends with its scope.
struct Locked<'a>(&'a OwnedFd);

impl<'a> Locked<'a> {
    fn new(directory: &'a OwnedFd) -> Locked<'a> {
        for _ in 0..PATIENCE {
            match flock(directory, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::AGAIN | Errno::INTR) => sleep(STEP),
                Ok(()) | Err(_) => break,
            }
        }
        Locked(directory)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

impl Store {
    /// Renames the file and makes a new one, in which `room` bytes will be written at once.
    pub(super) fn rotate(&mut self, room: u64) -> Result<(), JournalError> {
        let directory = self.directory.try_clone();
        let directory =
            directory.map_err(|source| JournalError::Rotate { path: self.path.clone(), source })?;
        let _locked = Locked::new(&directory);
        // While this run waited, another one may have done it.
        if !self.is_current() {
            self.reopen()?;
            let stat = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
            let size = stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
            if !self.is_due(size, room) {
                return Ok(());
            }
        }
        let moved = match self.naming {
            Naming::Dated => self.move_to_date(),
            Naming::Numbered => self.move_to_number(),
        };
        moved.map_err(|errno| self.rotate_error(errno))?;
        self.reopen()?;
        self.remove_old(room.max(self.limits.segment))
    }

    fn move_to_date(&self) -> Result<(), Errno> {
        for _ in 0..NAMES {
            let time = rfc3339(SystemTime::now()).replace(['-', ':'], "");
            match self.rename(&self.name, OsStr::new(&format!("journal-{time}.jsonl"))) {
                Err(Errno::EXIST) => sleep(Duration::from_millis(1)),
                renamed => return renamed,
            }
        }
        Err(Errno::EXIST)
    }

    /// Moves `FILE.1` to `FILE.2` and so on, as far as a number is free; the last one gives way.
    fn move_to_number(&self) -> Result<(), Errno> {
        let last = SEGMENTS - 1;
        let free = (1..=last).find(|number| self.stat(&self.numbered(*number)).is_none());
        let free = match free {
            Some(free) => free,
            None => {
                unlinkat(&self.directory, self.numbered(last), AtFlags::empty())?;
                last
            }
        };
        for number in (1..free).rev() {
            self.rename(&self.numbered(number), &self.numbered(number + 1))?;
        }
        self.rename(&self.name, &self.numbered(1))
    }

    /// Removes rotated files that are too old, and the oldest ones where all would be too much once the present file
    /// has `room` bytes.
    pub(super) fn remove_old(&self, room: u64) -> Result<(), JournalError> {
        let mut left = self.limits.total.saturating_sub(room);
        let mut result = Ok(());
        for (name, stat) in self.rotated() {
            let age = modified(&stat).elapsed().unwrap_or_default();
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            if age <= self.limits.retention && size <= left {
                left -= size;
                continue;
            }
            if age <= self.limits.retention {
                // What is older than the first that is too much goes too.
                left = 0;
            }
            match unlinkat(&self.directory, &name, AtFlags::empty()) {
                // Another run was faster.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => result = Err(self.rotate_error(errno)),
            }
        }
        result
    }

    /// The rotated files, newest first.
    fn rotated(&self) -> Vec<(OsString, Stat)> {
        let mut names: Vec<OsString> = match self.naming {
            Naming::Numbered => (1..SEGMENTS).map(|number| self.numbered(number)).collect(),
            Naming::Dated => {
                let entries = Dir::read_from(&self.directory).into_iter().flatten().flatten();
                let names = entries.map(|entry| entry.file_name().to_bytes().to_vec());
                names
                    .filter(|name| is_dated(name))
                    .map(|name| OsStr::from_bytes(&name).to_owned())
                    .collect()
            }
        };
        if self.naming == Naming::Dated {
            names.sort_unstable();
            names.reverse();
        }
        let stats = names.into_iter().filter_map(|name| self.stat(&name).map(|stat| (name, stat)));
        stats
            .filter(|(_, stat)| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
            .collect()
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        let directory = &self.directory;
        match renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE) {
            // A file system without it (rename(2)): here only the lock keeps two runs apart.
            Err(Errno::INVAL | Errno::NOSYS) if self.stat(to).is_none() => {
                renameat(directory, from, directory, to)
            }
            renamed => renamed,
        }
    }

    fn stat(&self, name: &OsStr) -> Option<Stat> {
        statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    fn numbered(&self, number: u64) -> OsString {
        numbered(&self.name, number)
    }

    fn rotate_error(&self, errno: Errno) -> JournalError {
        JournalError::Rotate { path: self.path.clone(), source: errno.into() }
    }
}

fn numbered(name: &OsStr, number: u64) -> OsString {
    let mut numbered = name.to_owned();
    numbered.push(format!(".{number}"));
    numbered
}

fn is_dated(name: &[u8]) -> bool {
    let time = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    time.is_some_and(|time| {
        !time.is_empty() && time.iter().all(|byte| byte.is_ascii_digit() || b"TZ.".contains(byte))
    })
}

/// Every path that the target must not write to, whether it exists or not, so that the journal cannot be forged.
pub(super) fn guarded(place: &JournalPlace) -> Vec<PathBuf> {
    match place {
        JournalPlace::Nowhere => Vec::new(),
        JournalPlace::State { directory } => vec![directory.clone()],
        JournalPlace::File(path) => {
            let rotated = (1..SEGMENTS).map(|number| numbered(path.as_os_str(), number).into());
            [path.clone()].into_iter().chain(rotated).collect()
        }
    }
}
