//! Mode, owner and length.

#![forbid(unsafe_code)]

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Stat, Uid};
use rustix::io::Errno;

use super::answer::{Answered, io_value, value};
use super::device::is_device;
use super::pin::{Name, Pinned, through};
use super::program::{self, EXECUTABLE};
use super::request::Request;
use super::worker::Worker;
use crate::access::Access;
use crate::journal::Refusal;
use crate::path::AbsPath;

/// The object, if the law allows to change it.
pub(super) fn changeable(worker: &mut Worker, request: &Request<'_>) -> Result<Pinned, Errno> {
    let object = worker.object(request, 0)?;
    worker.require(request, &object, Access::Write.into())?;
    request.target.is_waiting()?;
    Ok(object)
}

/// The object, if it may have another mode, owner or attribute.
pub(super) fn adjustable(worker: &mut Worker, request: &Request<'_>) -> Result<Pinned, Errno> {
    let object = changeable(worker, request)?;
    if let Name::Path(path) = &object.name {
        spare_device(worker, request, path, &rustix::fs::fstat(&object.fd)?)?;
    }
    Ok(object)
}

/// Refuses to change a device node of the host. `w` on one is meant for what it drives: root's target could else take
/// `/dev/null` from everybody, and nobody in it could make it again. Terminals come and go.
pub(super) fn spare_device(
    worker: &mut Worker,
    request: &Request<'_>,
    path: &AbsPath,
    stat: &Stat,
) -> Result<(), Errno> {
    if is_hosts_device(path, FileType::from_raw_mode(stat.st_mode)) {
        let write = Access::Write.into();
        return Err(worker.refuse_for(Refusal::Device, request, path, write, Errno::ACCESS));
    }
    Ok(())
}

/// Is what has this name and kind a device node of the host, and no terminal?
pub(super) fn is_hosts_device(path: &AbsPath, kind: FileType) -> bool {
    let mut names = path.components();
    let is_hosts = names.next() == Some(b"dev") && names.next() != Some(b"pts");
    is_hosts && is_device(kind)
}

/// Would a file with this mode lend its owner's rights, or its group's, to whoever executes it? A directory only passes
/// its group on. The bit of the group means nothing as long as the group may not execute; but an access control list adds
/// that at any time, and so does another run.
pub(super) fn lends_identity(kind: FileType, mode: Mode) -> bool {
    kind != FileType::Directory && mode.intersects(Mode::SUID | Mode::SGID)
}

/// Refuses to make such a file, or to make a file such. The target gains nothing by it, but whoever executes it later is
/// confined by nothing.
pub(super) fn refuse_to_lend(worker: &mut Worker, request: &Request<'_>, name: &Name) -> Errno {
    let write = Access::Write.into();
    match name {
        Name::Path(path) => worker.refuse_for(Refusal::Lends, request, path, write, Errno::PERM),
        Name::Nameless(_) => Errno::PERM,
    }
}

/// `chmod`, `fchmod`, `fchmodat`, `fchmodat2`.
pub(super) fn chmod(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let mode = match request.call.name {
        "chmod" | "fchmod" => request.word(1),
        "fchmodat2" => {
            request.only_flags(3, libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH)?;
            request.word(2)
        }
        _ => request.word(2),
    };
    let object = adjustable(worker, request)?;
    let present = rustix::fs::fstat(&object.fd)?.st_mode;
    let kind = FileType::from_raw_mode(present);
    if kind == FileType::Symlink {
        return Err(Errno::OPNOTSUPP);
    }
    let makes_program = mode & !present & EXECUTABLE != 0;
    if makes_program {
        program::may_be_made(worker, request, &object)?;
    }
    let mode = Mode::from_bits_retain(mode & 0o7777);
    if lends_identity(kind, mode) {
        return Err(refuse_to_lend(worker, request, &object.name));
    }
    let done = rustix::fs::chmodat(CWD, through(&object.fd), mode, AtFlags::empty());
    if makes_program && done.is_ok() {
        program::look_again(worker, &object.fd)?;
    }
    value(done)
}

/// `chown`, `lchown`, `fchown`, `fchownat`.
pub(super) fn chown(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let first = match request.call.name {
        "fchownat" => {
            request.only_flags(4, libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH)?;
            2
        }
        _ => 1,
    };
    // -1 leaves the owner as it is.
    let known = |word: u32| (word != u32::MAX).then_some(word);
    let (owner, group) = (known(request.word(first)), known(request.word(first + 1)));
    let object = adjustable(worker, request)?;
    value(rustix::fs::chownat(
        &object.fd,
        c"",
        owner.map(Uid::from_raw),
        group.map(Gid::from_raw),
        AtFlags::EMPTY_PATH,
    ))
}

/// `truncate`.
pub(super) fn truncate(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let length = request.arguments[1].cast_signed();
    if length < 0 {
        return Err(Errno::INVAL);
    }
    let object = changeable(worker, request)?;
    io_value(crate::sys::calls::truncate(&through(&object.fd), length))
}
