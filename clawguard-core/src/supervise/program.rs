//! Which files may have a mode that lets them be executed.
//!
//! In a loose directory the law holds executions alone, and who exchanges a path wins against it. So a file that must
//! not be executed gets no such mode, by whatever call and under whatever name, and the kernel itself refuses it (SPEC
//! section 6). One that had it before keeps it.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::pin::{Entry, Name, Pinned, name_of, through};
use super::request::Request;
use super::worker::Worker;
use crate::access::Access;
use crate::path::AbsPath;

/// The bits of a mode that let a file be executed.
pub(super) const EXECUTABLE: u32 = 0o111;

/// Refuses to make a file executable that must not be.
pub(super) fn may_be_made(
    worker: &mut Worker,
    request: &Request<'_>,
    object: &Pinned,
) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(&object.fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(());
    }
    match &object.name {
        Name::Path(path) if worker.may_be_program(path) => Ok(()),
        Name::Path(path) => Err(refuse(worker, request, path, Errno::ACCESS)),
        // What is in it may be what its name was blocked for.
        Name::Nameless(_) if is_memory(worker, &stat) => Ok(()),
        Name::Nameless(_) => match last_name(&object.fd)? {
            Some(path) if worker.may_be_program(&path) => Ok(()),
            Some(_) | None => Err(Errno::ACCESS),
        },
    }
}

fn refuse(worker: &mut Worker, request: &Request<'_>, path: &AbsPath, errno: Errno) -> Errno {
    let rule = worker.decider.decide(path).verdict(Access::Execute).rule();
    worker.refuse(request, path, Access::Execute.into(), rule, errno)
}

/// A memfd never had a name.
fn is_memory(worker: &Worker, stat: &Stat) -> bool {
    worker.shared.memory == Some(stat.st_dev)
}

/// The name that a removed file had last, by the directory entry through which it is held (d_path in fs/d_path.c).
fn last_name(fd: &OwnedFd) -> Result<Option<AbsPath>, Errno> {
    let text = rustix::fs::readlink(through(fd), Vec::with_capacity(256))?.into_bytes();
    let name = text.strip_suffix(b" (deleted)").unwrap_or(&text);
    Ok(AbsPath::parse(name).ok())
}

/// After a file was made executable: it may have come to another name meanwhile.
pub(super) fn look_again(worker: &mut Worker, fd: &OwnedFd) -> Result<(), Errno> {
    match name_of(fd) {
        Ok(Some(path)) => take_back(worker, fd, &path),
        // The name of a file deeper than any path is not told. It was judged by the way that led to it.
        Ok(None) | Err(Errno::NOTDIR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// After a rename, or an exchange: what came to a name that must not be executed is executable no longer. What was
/// moved may have been made executable meanwhile, so it is looked at after the act: one of the two sees the other.
pub(super) fn moved(
    worker: &mut Worker,
    (from, a): (&Entry, &AbsPath),
    (to, b): (&Entry, &AbsPath),
) -> Result<(), Errno> {
    came_from(worker, a, (to, b))?;
    came_from(worker, b, (from, a))
}

fn came_from(
    worker: &mut Worker,
    before: &AbsPath,
    (entry, now): (&Entry, &AbsPath),
) -> Result<(), Errno> {
    if worker.may_be_program(now) || was_held(worker, before) {
        return Ok(());
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(&entry.parent, &*entry.last, flags, Mode::empty()) {
        Ok(fd) => take_back(worker, &fd, now),
        // It is gone again, or stands in nothing that this process can search; then it was not moved there either.
        Err(_) => Ok(()),
    }
}

/// Was it as little to be executed there, so that it has such a mode from before?
fn was_held(worker: &mut Worker, path: &AbsPath) -> bool {
    worker.is_loose(path) && !worker.may_be_program(path)
}

/// Refuses a second name that must not be executed for a file that can be.
pub(super) fn may_be_linked(
    worker: &mut Worker,
    request: &Request<'_>,
    object: &Stat,
    a: &AbsPath,
    b: &AbsPath,
) -> Result<(), Errno> {
    if !is_program(object) || worker.may_be_program(b) || was_held(worker, a) {
        return Ok(());
    }
    Err(refuse(worker, request, b, Errno::XDEV))
}

/// After a link: a file without a name had a mode that this one must not have, or it was made executable meanwhile.
pub(super) fn linked(worker: &mut Worker, object: &Pinned, now: &AbsPath) -> Result<(), Errno> {
    match &object.name {
        Name::Path(before) if was_held(worker, before) => Ok(()),
        Name::Path(_) | Name::Nameless(_) => take_back(worker, &object.fd, now),
    }
}

fn is_program(stat: &Stat) -> bool {
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    is_file && stat.st_mode & EXECUTABLE != 0
}

/// Takes from a file the right to be executed, unless its name may have it.
fn take_back(worker: &mut Worker, fd: &OwnedFd, path: &AbsPath) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(fd)?;
    if !is_program(&stat) || worker.may_be_program(path) {
        return Ok(());
    }
    let mode = Mode::from_bits_retain(stat.st_mode & 0o7777 & !EXECUTABLE);
    match rustix::fs::chmodat(CWD, through(fd), mode, AtFlags::empty()) {
        // Somebody else's, who made it so.
        Ok(()) | Err(Errno::PERM | Errno::ROFS | Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(errno),
    }
}
