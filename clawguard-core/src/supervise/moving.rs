//! Renames and links: an object under another name, where the law may say otherwise.

#![forbid(unsafe_code)]

use rustix::fs::{AtFlags, CWD, FileType, RenameFlags, Stat, StatxFlags, statx};
use rustix::io::Errno;

use super::answer::{Answered, value};
use super::astray::{Judged, Outcome, has_other_names, loses_reading};
use super::entry::{entry, may_be_link, may_go};
use super::metadata::spare_device;
use super::observe::Moved;
use super::pin::{Entry, Name, Pinned, name_of, through};
use super::program;
use super::request::Request;
use super::target::PATH_MAX;
use super::worker::Worker;
use crate::access::{Access, AccessSet};
use crate::journal::Refusal;
use crate::path::AbsPath;

/// Judgements of one rename, at most, while others exchange what its names mean.
const ATTEMPTS: u32 = 100;

/// `rename`, `renameat`, `renameat2`.
pub(super) fn rename(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let flags = match request.call.name {
        "renameat2" => RenameFlags::from_bits_retain(request.word(4)),
        _ => RenameFlags::empty(),
    };
    let known = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE | RenameFlags::WHITEOUT;
    let alone = RenameFlags::EXCHANGE;
    if !known.contains(flags) || flags.contains(alone) && flags != alone {
        return Err(Errno::INVAL);
    }
    if flags.contains(RenameFlags::WHITEOUT) {
        // It leaves a device node behind.
        return Err(Errno::ACCESS);
    }
    let (from, to) = (entry(worker, request, 0)?, entry(worker, request, 1)?);
    for _ in 0..ATTEMPTS {
        let judged = match (from.path(), to.path()) {
            (Some(a), Some(b)) => {
                let judged = judge(worker, request, [(&from, &a), (&to, &b)], flags);
                Some(judged.map_err(|errno| first_error(&from, &to, errno))?)
            }
            // `.`, `..` and `/` are the kernel's to refuse.
            _ => None,
        };
        request.target.is_waiting()?;
        let outcome = match &judged {
            Some(judged) => judged.act(worker, &from, &to, flags),
            None => Outcome::Done(super::astray::rename(&from, &to, flags)),
        };
        worker.shared.grants.look_again();
        match outcome {
            Outcome::Done(done) => {
                if let Some(judged) = judged.as_ref().filter(|_| done.is_ok()) {
                    program::moved(worker, (&from, &judged.a), (&to, &judged.b))?;
                }
                if let Some(judged) = &judged {
                    let is_directory = judged.moved == FileType::Directory;
                    let what = if is_directory { Moved::Directory } else { Moved::File };
                    worker.moves(&judged.a, &judged.b, what);
                }
                return value(done);
            }
            Outcome::Exchanged => {}
        }
    }
    Err(Errno::ACCESS)
}

/// The kernel compares the mounts of the two directories before it looks for the names in them.
fn first_error(from: &Entry, to: &Entry, errno: Errno) -> Errno {
    let mount = |entry: &Entry| {
        let seen = statx(&entry.parent, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID);
        seen.map(|seen| seen.stx_mnt_id)
    };
    match errno {
        Errno::NOENT | Errno::EXIST | Errno::NOTDIR | Errno::INVAL if mount(from) != mount(to) => {
            Errno::XDEV
        }
        errno => errno,
    }
}

/// What the names mean now, if the law allows to move it.
fn judge(
    worker: &mut Worker,
    request: &Request<'_>,
    [(from, a), (to, b)]: [(&Entry, &AbsPath); 2],
    flags: RenameFlags,
) -> Result<Judged, Errno> {
    let moved = from.stat()?;
    let replaced = match to.stat() {
        Ok(stat) => Some(stat),
        Err(Errno::NOENT) => None,
        Err(errno) => return Err(errno),
    };
    if flags.contains(RenameFlags::NOREPLACE) && replaced.is_some() {
        return Err(Errno::EXIST);
    }
    let exchanged = flags.contains(RenameFlags::EXCHANGE);
    if exchanged && replaced.is_none() {
        return Err(Errno::NOENT);
    }
    // A slash behind what is no directory, or a directory into itself: before the law (SPEC section 5).
    let is_directory = is(&moved, FileType::Directory);
    let becomes = replaced.as_ref().filter(|_| exchanged).unwrap_or(&moved);
    if from.has_slash() && !is_directory || to.has_slash() && !is(becomes, FileType::Directory) {
        return Err(Errno::NOTDIR);
    }
    let is_around = |a: &AbsPath, b: &AbsPath| a != b && b.starts_with(a);
    if is_directory && is_around(a, b) || exchanged && is_around(b, a) {
        return Err(Errno::INVAL);
    }
    let write = AccessSet::from(Access::Write);
    worker.require_at(request, a, write)?;
    worker.require_at(request, b, write)?;
    spare_device(worker, request, a, &moved)?;
    may_move(worker, request, &moved, a, b)?;
    if let Some(replaced) = &replaced {
        spare_device(worker, request, b, replaced)?;
        if is(replaced, FileType::Directory) {
            may_go(worker, request, b)?;
        }
        if exchanged {
            may_move(worker, request, replaced, b, a)?;
        }
    }
    Ok(Judged::new(worker, (a, &moved), (b, replaced.as_ref().filter(|_| exchanged))))
}

fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

/// Refuses a move that would change what the law decides about the object, or anything beneath it.
fn may_move(
    worker: &mut Worker,
    request: &Request<'_>,
    moved: &Stat,
    a: &AbsPath,
    b: &AbsPath,
) -> Result<(), Errno> {
    may_be_named(worker, request, moved, a, b)?;
    if is(moved, FileType::Directory) {
        may_go(worker, request, a)?;
        let (from, to) = (worker.decider.walk_exactly(a), worker.decider.walk_exactly(b));
        if !worker.decider.decides_alike(from, to) {
            let write = Access::Write.into();
            return Err(worker.refuse_for(Refusal::Contents, request, b, write, Errno::XDEV));
        }
    }
    Ok(())
}

/// Refuses a name that allows what the other one denies, and a link where links lead astray.
fn may_be_named(
    worker: &mut Worker,
    request: &Request<'_>,
    object: &Stat,
    a: &AbsPath,
    b: &AbsPath,
) -> Result<(), Errno> {
    let (before, after) = (worker.allowed(a), worker.allowed(b));
    let gained = Access::ALL.into_iter().find(|one| after.contains(*one) && !before.contains(*one));
    if let Some(access) = gained {
        return Err(worker.refuse_for(Refusal::Gain, request, a, access.into(), Errno::XDEV));
    }
    // A grant on the file itself would go with it.
    if worker.is_granted(object) && before != after {
        let write = Access::Write.into();
        return Err(worker.refuse_for(Refusal::Granted, request, b, write, Errno::XDEV));
    }
    // What is written by the new name later would be read by one that stays.
    if has_other_names(object) && loses_reading(worker, a, b) {
        return Err(worker.refuse_for(Refusal::Gain, request, b, Access::Read.into(), Errno::XDEV));
    }
    let is_renamed = is(object, FileType::Symlink) && a != b;
    if is_renamed { may_be_link(worker, request, b) } else { Ok(()) }
}

/// Refuses a second name that must not be read where the first may: what somebody outside puts into it later would be
/// read by the first. What may be read can be copied and executed, so execution alone is no reason.
fn may_keep_both(
    worker: &mut Worker,
    request: &Request<'_>,
    a: &AbsPath,
    b: &AbsPath,
) -> Result<(), Errno> {
    let read = AccessSet::from(Access::Read);
    if worker.allows(a, read) && !worker.allows(b, read) {
        return Err(worker.refuse_for(Refusal::Gain, request, b, read, Errno::XDEV));
    }
    Ok(())
}

/// After a link: the file may have come to another first name meanwhile, which would not have got this one. A rename
/// looks at the number of names after its act, so one of the two sees the other.
fn stays_alike(
    worker: &mut Worker,
    object: &Pinned,
    (to, b): (&Entry, &AbsPath),
) -> Result<(), Errno> {
    let Name::Path(a) = &object.name else { return Ok(()) };
    let now = match name_of(&object.fd) {
        // The name of a file deeper than any path is not told; it was as deep when it was judged.
        Err(Errno::NOTDIR) if a.as_bytes().len() >= PATH_MAX => return Ok(()),
        now => now?,
    };
    match now {
        Some(now) if now != *a && now != *b && !are_read_alike(worker, &now, b) => {
            let linked = rustix::fs::fstat(&object.fd)?;
            let is_it = |stat: Stat| (stat.st_dev, stat.st_ino) == (linked.st_dev, linked.st_ino);
            if to.stat().is_ok_and(is_it) {
                rustix::fs::unlinkat(&to.parent, &*to.last, AtFlags::empty())?;
            }
            Err(Errno::XDEV)
        }
        Some(_) | None => Ok(()),
    }
}

fn are_read_alike(worker: &mut Worker, a: &AbsPath, b: &AbsPath) -> bool {
    let read = AccessSet::from(Access::Read);
    worker.allows(a, read) == worker.allows(b, read)
}

/// `link`, `linkat`.
pub(super) fn link(worker: &mut Worker, request: &Request<'_>) -> Answered {
    if request.call.name == "linkat" {
        request.only_flags(4, libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH)?;
    }
    let object = worker.object(request, 0)?;
    let to = entry(worker, request, 1)?;
    if let Some(b) = to.path() {
        to.is_free()?;
        let write = AccessSet::from(Access::Write);
        let linked = rustix::fs::fstat(&object.fd)?;
        worker.require(request, &object, write)?;
        worker.require_at(request, &b, write)?;
        match &object.name {
            Name::Path(a) => {
                may_be_named(worker, request, &linked, a, &b)?;
                may_keep_both(worker, request, a, &b)?;
                program::may_be_linked(worker, request, &linked, a, &b)?;
                worker.moves(a, &b, Moved::File);
            }
            // A file that the target made without a name, and can write: it knows what is in it.
            Name::Nameless(allowed) if !allowed.contains(Access::Read) => {
                let reads = worker.allows(&b, Access::Read.into());
                if reads && linked.st_nlink != 0 {
                    return Err(Errno::XDEV);
                }
            }
            Name::Nameless(_) => {}
        }
    }
    request.target.is_waiting()?;
    // Through its link in /proc, so that it is the very object that was judged.
    let from = through(&object.fd);
    let done = rustix::fs::linkat(CWD, from, &to.parent, &*to.last, AtFlags::SYMLINK_FOLLOW);
    if let (Some(b), Ok(())) = (to.path(), done) {
        stays_alike(worker, &object, (&to, &b))?;
        program::linked(worker, &object, &b)?;
    }
    value(done)
}
