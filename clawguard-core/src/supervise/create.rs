//! Opens that may make a file.

#![forbid(unsafe_code)]

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::answer::Answered;
use super::lookup::{Kind, NO_LINKS};
use super::metadata::{lends_identity, refuse_to_lend};
use super::open::{How, existing, open_pinned, pin_restricted};
use super::pin::{Entry, Name, Pinned, name_of};
use super::program::EXECUTABLE;
use super::request::Request;
use super::target::Base;
use super::worker::Worker;
use crate::access::Access;
use crate::path::AbsPath;

/// Links at the end of a path, at most.
const LINKS: u32 = 40;

/// Attempts at a name that others make and remove meanwhile.
const ATTEMPTS: u32 = 1000;

/// `O_TMPFILE`: a file without a name in a directory.
pub(super) fn unnamed(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Answered {
    let ways = &worker.shared.ways;
    let directory = if how.is_restricted() {
        pin_restricted(ways, request, how, base, path)?
    } else {
        ways.object(request.target, base, path, how.follow(), Kind::Directory)?
    };
    worker.require(request, &directory, Access::Write.into())?;
    if lends_identity(FileType::RegularFile, how.mode) {
        return Err(refuse_to_lend(worker, request, &directory.name));
    }
    let fd = worker.with_umask(request.target, || {
        rustix::fs::openat2(&directory.fd, c".", how.making(), how.mode, NO_LINKS)
    })?;
    Ok(how.answer(fd))
}

/// `O_CREAT`.
pub(super) fn open(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Answered {
    if !how.has(libc::O_EXCL) && !path.ends_with(b"/") {
        // Most files that may be made are there already.
        match existing(worker, request, how, base, path) {
            Err(Errno::NOENT) => {}
            answered => return answered,
        }
    }
    let mut path = path.to_vec();
    let mut entry = entry(worker, request, how, base, &path)?;
    let mut links = 0;
    for _ in 0..ATTEMPTS {
        if entry.name().is_none() && how.is_restricted() {
            // Its rules for the way come first.
            let directory =
                How { flags: OFlags::DIRECTORY, mode: Mode::empty(), resolve: how.resolve };
            pin_restricted(&worker.shared.ways, request, &directory, base, &path)?;
        }
        if entry.name().is_none() && how.has(libc::O_EXCL) {
            return Err(Errno::EXIST);
        }
        if entry.has_slash() || entry.name().is_none() {
            return Err(Errno::ISDIR);
        }
        match attempt(worker, request, how, &entry)? {
            Attempt::Answered(answer) => return Ok(answer),
            Attempt::Again => {}
            Attempt::Link(to) => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP);
                }
                path = match to.first() {
                    Some(b'/') => to,
                    // Relative to where the link stands, and by the way that led there.
                    Some(_) | None => [parent(&path), &to].concat(),
                };
                entry = self::entry(worker, request, how, base, &path)?;
            }
        }
    }
    Err(Errno::AGAIN)
}

fn entry(
    worker: &Worker,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Result<Entry, Errno> {
    if !how.is_restricted() {
        return worker.shared.ways.entry(request.target, base, path);
    }
    // The way is the kernel's affair, so it must find the directory itself.
    let end = path.iter().rposition(|&byte| byte != b'/').unwrap_or(0);
    let slash = path[..end].iter().rposition(|&byte| byte == b'/');
    let (parent, last) = match slash {
        Some(slash) => (&path[..=slash], &path[slash + 1..]),
        None => (&b""[..], path),
    };
    let directory = How { flags: OFlags::DIRECTORY, mode: Mode::empty(), resolve: how.resolve };
    let ways = &worker.shared.ways;
    // The dot asks for leave to search the directory, as in `Ways::entry`.
    let parent = [parent, b"."].concat();
    Entry::new(pin_restricted(ways, request, &directory, base, &parent)?, last)
}

enum Attempt {
    Answered(super::answer::Answer),
    /// The last component is a link to this.
    Link(Vec<u8>),
    /// Somebody made or removed the name meanwhile.
    Again,
}

fn attempt(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    entry: &Entry,
) -> Result<Attempt, Errno> {
    let path = entry.path().ok_or(Errno::ISDIR)?;
    match rustix::fs::statat(&entry.parent, &*entry.last, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) if how.has(libc::O_EXCL) => Err(Errno::EXIST),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
            if how.has(libc::O_NOFOLLOW) || how.resolve.contains(ResolveFlags::NO_SYMLINKS) {
                return Err(Errno::LOOP);
            }
            let text = rustix::fs::readlinkat(&entry.parent, &*entry.last, Vec::new())?;
            Ok(Attempt::Link(text.into_bytes()))
        }
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            Err(Errno::ISDIR)
        }
        // It exists now: only what it holds is asked for.
        Ok(_) => {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(&entry.parent, &*entry.last, flags, Mode::empty()) {
                Ok(fd) => {
                    // The directory may have been moved, and this into it.
                    let Some(name) = name_of(&fd)? else { return Ok(Attempt::Again) };
                    let pinned = Pinned::new(&worker.shared.ways, fd, Name::Path(name))?;
                    open_pinned(worker, request, how, &pinned).map(Attempt::Answered)
                }
                Err(Errno::NOENT) => Ok(Attempt::Again),
                Err(errno) => Err(errno),
            }
        }
        Err(Errno::NOENT) => {
            worker.require_at(request, &path, how.access().with(Access::Write))?;
            if lends_identity(FileType::RegularFile, how.mode) {
                return Err(refuse_to_lend(worker, request, &Name::Path(path)));
            }
            // What stands there by then was not judged.
            let flags = how.making() | OFlags::EXCL;
            let mode = mode_of_new(worker, &path, how.mode);
            let made = worker.with_umask(request.target, || {
                rustix::fs::openat2(&entry.parent, &*entry.last, flags, mode, NO_LINKS)
            });
            match made {
                Ok(fd) => Ok(Attempt::Answered(how.answer(fd))),
                Err(Errno::EXIST) if how.has(libc::O_EXCL) => Err(Errno::EXIST),
                Err(Errno::EXIST | Errno::LOOP) => Ok(Attempt::Again),
                Err(errno) => Err(errno),
            }
        }
        Err(errno) => Err(errno),
    }
}

/// The mode of a file that is made: one that must not be executed is not made executable.
fn mode_of_new(worker: &mut Worker, path: &AbsPath, mode: Mode) -> Mode {
    let executable = Mode::from_bits_retain(EXECUTABLE);
    if !mode.intersects(executable) || worker.may_be_program(path) {
        return mode;
    }
    mode.difference(executable)
}

/// A path up to its last component, with the slash; empty if there is none.
fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte != b'/').unwrap_or(0);
    let slash = path[..end].iter().rposition(|&byte| byte == b'/');
    slash.map_or(&[], |slash| &path[..=slash])
}
