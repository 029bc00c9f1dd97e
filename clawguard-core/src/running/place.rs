//! The directory of the entries, `run` in clawguard's state directory: mode 0700, its owner's, not a link.

#![forbid(unsafe_code)]

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat};
use rustix::io::Errno;

/// Its name in the state directory.
pub(super) const NAME: &str = "run";

/// Opens it, if it is there.
pub(super) fn open(state: &Path, owner: u32) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(CWD, state, flags | OFlags::PATH, Mode::empty())
        .and_then(|state| openat(state, NAME, flags | OFlags::NOFOLLOW, Mode::empty()));
    match opened {
        Ok(directory) => is_fit(&fstat(&directory)?, owner).map(|()| Some(directory)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes it, with the state directory, and opens it.
pub(super) fn make(state: &Path, owner: u32) -> io::Result<OwnedFd> {
    if let Some(directory) = open(state, owner)? {
        return Ok(directory);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(state)?;
    match mkdirat(CWD, state.join(NAME), Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    open(state, owner)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Whoever else could write there could name any process as a run.
fn is_fit(stat: &Stat, owner: u32) -> io::Result<()> {
    let is_open = stat.st_mode & (Mode::WGRP | Mode::WOTH).as_raw_mode() != 0;
    match (stat.st_uid == owner, is_open) {
        (true, false) => Ok(()),
        (false, _) => Err(io::Error::other(format!("it belongs to user {}", stat.st_uid))),
        (true, true) => Err(io::Error::other("others may write to it")),
    }
}

/// Is this an entry of that kind, and its owner's?
pub(super) fn is_entry(stat: &Stat, owner: u32, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind && stat.st_uid == owner
}
