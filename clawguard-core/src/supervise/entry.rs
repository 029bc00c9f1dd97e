//! Making and removing directory entries, beneath a directory that is held.

#![forbid(unsafe_code)]

use rustix::fs::{AtFlags, FileType, Mode, makedev};
use rustix::io::Errno;

use super::answer::{Answered, value};
use super::metadata::{lends_identity, refuse_to_lend, spare_device};
use super::pin::{Entry, Name};
use super::program::EXECUTABLE;
use super::request::{Named, Request};
use super::target::PATH_MAX;
use super::worker::Worker;
use crate::access::{Access, AccessSet};
use crate::journal::Refusal;
use crate::path::AbsPath;
use crate::policy::Case;

/// A name that no pattern spells.
const FRESH: &[u8] = b"\x01clawguard\x01";

/// The entry that the object with this index names.
pub(super) fn entry(worker: &Worker, request: &Request<'_>, index: usize) -> Result<Entry, Errno> {
    match request.named(index)? {
        Named::Path { base, path, .. } => worker.shared.ways.entry(request.target, base, &path),
        Named::Itself { .. } => Err(Errno::NOENT),
    }
}

/// Makes an entry if the law allows its name. A name that is taken is an error before the law is asked.
fn make(
    worker: &mut Worker,
    request: &Request<'_>,
    entry: &Entry,
    kind: FileType,
    judge: impl FnOnce(&mut Worker, &AbsPath) -> Result<(), Errno>,
    act: impl FnOnce(&Entry) -> Result<(), Errno>,
) -> Answered {
    if let Some(path) = entry.path() {
        match entry.is_free() {
            Err(Errno::NOENT) if kind == FileType::Directory => {}
            free => free?,
        }
        judge(worker, &path)?;
    }
    // `.`, `..` and `/` are the kernel's to refuse.
    value(worker.with_umask(request.target, || act(entry)))
}

/// `mkdir`, `mkdirat`.
pub(super) fn mkdir(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let mode =
        Mode::from_bits_retain(request.word(if request.call.name == "mkdir" { 1 } else { 2 }));
    let entry = entry(worker, request, 0)?;
    make(
        worker,
        request,
        &entry,
        FileType::Directory,
        |worker, path| worker.require_at(request, path, Access::Write.into()),
        |entry| rustix::fs::mkdirat(&entry.parent, &*entry.last, mode),
    )
}

/// `mknod`, `mknodat`: FIFOs, sockets and regular files.
pub(super) fn mknod(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let first = if request.call.name == "mknod" { 1 } else { 2 };
    // The kernel takes 16 bits of the mode.
    let bits = request.word(first) & 0xffff;
    let kind = match bits & libc::S_IFMT {
        0 => FileType::RegularFile,
        bits => FileType::from_raw_mode(bits),
    };
    match kind {
        FileType::RegularFile | FileType::Fifo | FileType::Socket => {}
        FileType::CharacterDevice | FileType::BlockDevice => return Err(Errno::ACCESS),
        FileType::Directory => return Err(Errno::PERM),
        FileType::Symlink | FileType::Unknown => return Err(Errno::INVAL),
    }
    let entry = entry(worker, request, 0)?;
    let mode = Mode::from_bits_retain(bits & 0o7777);
    let is_program = kind == FileType::RegularFile && bits & EXECUTABLE != 0;
    make(
        worker,
        request,
        &entry,
        kind,
        |worker, path| {
            worker.require_at(request, path, Access::Write.into())?;
            if lends_identity(kind, mode) {
                return Err(refuse_to_lend(worker, request, &Name::Path(path.clone())));
            }
            match is_program && !worker.may_be_program(path) {
                true => worker.require_at(request, path, Access::Execute.into()),
                false => Ok(()),
            }
        },
        |entry| rustix::fs::mknodat(&entry.parent, &*entry.last, kind, mode, makedev(0, 0)),
    )
}

/// `symlink`, `symlinkat`.
pub(super) fn symlink(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let text = request.target.text(request.arguments[0], PATH_MAX)?;
    if text.is_empty() {
        return Err(Errno::NOENT);
    }
    let entry = entry(worker, request, 0)?;
    make(
        worker,
        request,
        &entry,
        FileType::Symlink,
        |worker, path| {
            worker.require_at(request, path, Access::Write.into())?;
            may_be_link(worker, request, path)
        },
        |entry| rustix::fs::symlinkat(&*text, &entry.parent, &*entry.last),
    )
}

/// Refuses a link where it could lead a blocked name astray, or stand in for a directory that must be found again.
pub(super) fn may_be_link(
    worker: &mut Worker,
    request: &Request<'_>,
    path: &AbsPath,
) -> Result<(), Errno> {
    let Some(refusal) = link_refusal(worker, path) else { return Ok(()) };
    Err(worker.refuse_for(refusal, request, path, Access::Write.into(), Errno::ACCESS))
}

/// Why no link may have this name; none if one may.
pub(super) fn link_refusal(worker: &mut Worker, path: &AbsPath) -> Option<Refusal> {
    let state = worker.decider.walk_exactly(path);
    let parent = path.parent().unwrap_or_else(AbsPath::root);
    let above = worker.decider.walk_exactly(&parent);
    let sibling = worker.decider.step(above, FRESH, Case::Sensitive);
    if worker.decider.is_pinned(state) {
        return Some(Refusal::Pinned);
    }
    (!worker.decider.blocks_alike_beneath(state, sibling)).then_some(Refusal::Link)
}

/// Refuses to remove or replace a directory that the next start must find.
pub(super) fn may_go(
    worker: &mut Worker,
    request: &Request<'_>,
    path: &AbsPath,
) -> Result<(), Errno> {
    let state = worker.decider.walk_exactly(path);
    if worker.decider.is_pinned(state) {
        let write = Access::Write.into();
        return Err(worker.refuse_for(Refusal::Pinned, request, path, write, Errno::ACCESS));
    }
    Ok(())
}

/// What is no directory cannot be removed as one, and the kernel says so, unless a directory stands there by then. One
/// that the next start must find is not left to that chance: the kernel's error is given without asking it.
fn may_become_none(worker: &mut Worker, entry: &Entry, path: &AbsPath) -> Result<(), Errno> {
    let state = worker.decider.walk_exactly(path);
    if !worker.decider.is_pinned(state) {
        return Ok(());
    }
    let both = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::accessat(&entry.parent, c".", both, AtFlags::EACCESS)?;
    Err(Errno::NOTDIR)
}

/// `unlink`, `unlinkat`, `rmdir`.
pub(super) fn unlink(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let flags = match request.call.name {
        "unlinkat" => {
            request.only_flags(2, libc::AT_REMOVEDIR)?;
            AtFlags::from_bits_retain(request.word(2))
        }
        "rmdir" => AtFlags::REMOVEDIR,
        _ => AtFlags::empty(),
    };
    let entry = entry(worker, request, 0)?;
    if let Some(path) = entry.path() {
        let stat = entry.stat()?;
        let found = FileType::from_raw_mode(stat.st_mode);
        let is_file = found != FileType::Directory && !flags.contains(AtFlags::REMOVEDIR);
        if is_file && entry.has_slash() {
            return Err(Errno::NOTDIR);
        }
        worker.require_at(request, &path, AccessSet::from(Access::Write))?;
        spare_device(worker, request, &path, &stat)?;
        // Without the flag, a directory is EISDIR, whatever stood there before.
        if flags.contains(AtFlags::REMOVEDIR) {
            match found {
                FileType::Directory => may_go(worker, request, &path)?,
                _ => may_become_none(worker, &entry, &path)?,
            }
        }
    }
    request.target.is_waiting()?;
    let outcome = rustix::fs::unlinkat(&entry.parent, &*entry.last, flags);
    worker.shared.grants.look_again();
    value(outcome)
}
