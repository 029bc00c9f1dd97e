//! The journal's file: opened without following links, appended to line by line, never grown past its limits.
//!
//! A line is one `write(2)` with O_APPEND, so that runs that share a file never mix their lines. Nothing here decides
//! what is logged, and no error here may reach the target.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, ftruncate, openat, statat};
use rustix::io::Errno;
use rustix::process::{Resource, geteuid, getrlimit};

use super::line::time_of;
use super::{JournalError, JournalPlace, Unfit};
use crate::policy::Logging;

/// Into how many files the journal's greatest size is divided.
pub(super) const SEGMENTS: u64 = 8;

/// The journal's name in the state directory.
pub(super) const NAME: &str = "journal.jsonl";

/// Where lines go. A trait, so that a test can have a full disk.
pub(super) trait Sink {
    /// Called before each batch of lines: finds the file again that another run may have rotated away.
    fn refresh(&mut self) -> Result<(), JournalError>;
    /// Removes what is too old.
    fn prune(&mut self) -> Result<(), JournalError>;
    /// Makes room for a line of so many bytes. Where that fails the line may still find its place.
    fn make_room(&mut self, length: u64) -> Result<(), JournalError>;
    /// Writes one line, newline included, with one call: whole or not at all.
    fn append(&mut self, line: &[u8]) -> Result<(), JournalError>;
}

/// How rotated files are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `journal-<time>.jsonl`.
    Dated,
    /// `FILE.1`, the newest, to `FILE.7`.
    Numbered,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// All files together, in bytes.
    pub(super) total: u64,
    /// One file, in bytes, unless a single line is longer.
    pub(super) segment: u64,
    /// How long a file is kept after its last line.
    pub(super) retention: Duration,
    /// RLIMIT_FSIZE: a write beyond it would end this process with SIGXFSZ (setrlimit(2)).
    pub(super) file: Option<u64>,
}

impl Limits {
    pub(super) fn new(logging: &Logging) -> Limits {
        let file = getrlimit(Resource::Fsize).current;
        // Half of it is left to other runs that append to the same file.
        let segment = (logging.max_size / SEGMENTS).min(file.map_or(u64::MAX, |file| file / 2));
        Limits { total: logging.max_size, segment, retention: logging.retention, file }
    }
}

#[derive(Debug)]
pub(super) struct Current {
    pub(super) file: OwnedFd,
    pub(super) id: (u64, u64),
    /// The time of its first line.
    began: SystemTime,
    /// A piece of a line is at its end.
    is_torn: bool,
}

/// A journal in a directory.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) directory: OwnedFd,
    pub(super) name: OsString,
    pub(super) naming: Naming,
    pub(super) limits: Limits,
    pub(super) path: PathBuf,
    pub(super) current: Option<Current>,
}

impl Store {
    /// Opens the journal; none if it goes nowhere.
    pub(super) fn open(
        place: &JournalPlace,
        limits: Limits,
    ) -> Result<Option<Store>, JournalError> {
        let (directory, name, naming) = match place {
            JournalPlace::Nowhere => return Ok(None),
            JournalPlace::State { directory } => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
                made.map_err(|source| JournalError::Open { path: directory.clone(), source })?;
                (directory.as_path(), OsString::from(NAME), Naming::Dated)
            }
            JournalPlace::File(path) => {
                let refused = || JournalError::Refused { path: path.clone(), why: Unfit::NotAFile };
                let name = path.file_name().ok_or_else(refused)?;
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                (parent.unwrap_or(Path::new(".")), name.to_owned(), Naming::Numbered)
            }
        };
        let error = |errno: Errno| JournalError::Open {
            path: directory.to_path_buf(),
            source: errno.into(),
        };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(rustix::fs::CWD, directory, flags | OFlags::RDONLY, Mode::empty());
        let directory = match opened {
            // A directory that may be searched and not listed cannot be locked; the rest works.
            Err(Errno::ACCESS) => {
                openat(rustix::fs::CWD, directory, flags | OFlags::PATH, Mode::empty())
            }
            opened => opened,
        }
        .map_err(error)?;
        let path = match place {
            JournalPlace::State { directory } => directory.join(NAME),
            JournalPlace::File(path) => path.clone(),
            JournalPlace::Nowhere => PathBuf::new(),
        };
        let mut store = Store { directory, name, naming, limits, path, current: None };
        store.reopen()?;
        Ok(Some(store))
    }

    /// Opens the file by its name, and makes it if it is missing.
    pub(super) fn reopen(&mut self) -> Result<(), JournalError> {
        self.current = None;
        // Without O_NONBLOCK a FIFO, and without O_NOCTTY a terminal, would do harm before they are refused.
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let refused = |why| JournalError::Refused { path: self.path.clone(), why };
        let file = openat(&self.directory, &self.name, flags, Mode::RUSR | Mode::WUSR);
        let file = file.map_err(|errno| match errno {
            Errno::LOOP => refused(Unfit::Link),
            Errno::ISDIR | Errno::NXIO => refused(Unfit::NotAFile),
            errno => self.open_error(errno),
        })?;
        let stat = fstat(&file).map_err(|errno| self.open_error(errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refused(Unfit::NotAFile));
        }
        if stat.st_uid != geteuid().as_raw() {
            return Err(refused(Unfit::Owner(stat.st_uid)));
        }
        // A second name may be one that the target can write to.
        if stat.st_nlink > 1 {
            return Err(refused(Unfit::SecondName));
        }
        let (began, is_torn) = look(&file, &stat);
        self.current = Some(Current { file, id: id(&stat), began, is_torn });
        Ok(())
    }

    /// Does the name still lead to the open file?
    pub(super) fn is_current(&self) -> bool {
        let named = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        self.current.as_ref().is_some_and(|current| named.is_ok_and(|stat| id(&stat) == current.id))
    }

    pub(super) fn open_error(&self, errno: Errno) -> JournalError {
        JournalError::Open { path: self.path.clone(), source: errno.into() }
    }

    fn write_error(&self, errno: Errno) -> JournalError {
        JournalError::Write { path: self.path.clone(), source: errno.into() }
    }

    fn size(&self) -> Result<u64, JournalError> {
        let current = self.current.as_ref().ok_or_else(|| self.write_error(Errno::NOENT))?;
        let stat = fstat(&current.file).map_err(|errno| self.write_error(errno))?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// Is it time for a new file?
    pub(super) fn is_due(&self, size: u64, more: u64) -> bool {
        let age = |current: &Current| current.began.elapsed().unwrap_or_default();
        let is_old = self
            .current
            .as_ref()
            .is_some_and(|current| age(current) > self.limits.retention / SEGMENTS as u32);
        size > 0 && (size.saturating_add(more) > self.limits.segment || is_old)
    }
}

impl Sink for Store {
    fn refresh(&mut self) -> Result<(), JournalError> {
        if self.is_current() { Ok(()) } else { self.reopen() }
    }

    fn prune(&mut self) -> Result<(), JournalError> {
        self.remove_old(self.limits.segment)
    }

    fn make_room(&mut self, length: u64) -> Result<(), JournalError> {
        let size = self.size()?;
        if length <= self.limits.total && self.is_due(size, length) {
            self.rotate(length)?;
        }
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> Result<(), JournalError> {
        // Where rotation fails, the one file may take what all of them could.
        let size = self.size()?;
        let end = size.saturating_add(line.len() as u64);
        if end > self.limits.total || self.limits.file.is_some_and(|limit| end > limit) {
            return Err(self.write_error(Errno::FBIG));
        }
        let path = &self.path;
        let error = |errno: Errno| JournalError::Write { path: path.clone(), source: errno.into() };
        let current = self.current.as_mut().ok_or_else(|| error(Errno::NOENT))?;
        let line: Cow<'_, [u8]> =
            if current.is_torn { [b"\n", line].concat().into() } else { line.into() };
        let written = loop {
            match rustix::io::write(&current.file, &line) {
                Err(Errno::INTR) => {}
                written => break written.map_err(error)?,
            }
        };
        if written < line.len() {
            current.is_torn = !undo(&current.file, written as u64);
            return Err(error(Errno::NOSPC));
        }
        current.is_torn = false;
        if size == 0 {
            current.began = SystemTime::now();
        }
        Ok(())
    }
}

/// Takes back a piece of a line at the end of the file, unless another run has written behind it.
fn undo(file: &OwnedFd, written: u64) -> bool {
    let Ok(end) = rustix::fs::tell(file) else { return false };
    let Ok(stat) = fstat(file) else { return false };
    let is_last = u64::try_from(stat.st_size) == Ok(end);
    is_last && ftruncate(file, end.saturating_sub(written)).is_ok()
}

/// When the first line was written, and whether the last one has no end.
fn look(file: &OwnedFd, stat: &Stat) -> (SystemTime, bool) {
    let Some(last) = u64::try_from(stat.st_size).ok().and_then(|size| size.checked_sub(1)) else {
        return (SystemTime::now(), false);
    };
    let mut bytes = [0; 64];
    let read = rustix::io::pread(file, &mut bytes, 0).unwrap_or(0);
    let began = time_of(&bytes[..read]).unwrap_or_else(|| modified(stat));
    let mut end = [0; 1];
    let is_torn = rustix::io::pread(file, &mut end, last) == Ok(1) && end != *b"\n";
    (began, is_torn)
}

/// When a file was last written to.
pub(super) fn modified(stat: &Stat) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0))
}

pub(super) fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
