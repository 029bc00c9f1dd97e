//! Devices: what may not be written must not be driven by `ioctl` either.
//!
//! A descriptor keeps the Landlock rights of the thread that opened it (`hook_file_open` of security/landlock/fs.c), and
//! those of this process are not limited. So a device on which the law denies `w` is opened by a thread that has given up
//! `ioctl_dev`, as the target itself would have it.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::bound::Bound;
use super::open::How;
use super::pin::{Name, Pinned};
use super::pts;
use super::request::Request;
use super::worker::{OfTerminal, Worker};
use crate::access::Access;
use crate::path::AbsPath;

/// Is this driven by `ioctl`?
pub(super) fn is_device(kind: FileType) -> bool {
    match kind {
        FileType::CharacterDevice | FileType::BlockDevice => true,
        FileType::RegularFile
        | FileType::Directory
        | FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::Unknown => false,
    }
}

/// May a device of this name be opened by this thread? What was asked for is allowed already.
pub(super) fn is_open(worker: &mut Worker, path: &AbsPath, how: &How) -> bool {
    how.access().contains(Access::Write) || worker.allows(path, Access::Write.into())
}

/// Opens a device that is held, as `open` does. What was asked for is allowed already.
pub(super) fn open(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    pinned: &Pinned,
    open: impl FnOnce() -> Result<OwnedFd, Errno> + Send,
) -> Result<OwnedFd, Errno> {
    if how.access().contains(Access::Write) || may_be_driven(worker, request, pinned)? {
        return open();
    }
    let target = request.target;
    let slots = &worker.shared.slots;
    // An open may wait, for the carrier of a serial line, so it is interrupted like any other.
    Bound::WithoutDeviceIoctl.act(|| slots.help(target.id, target.tid, open))
}

/// Does the law allow `w`?
fn may_be_driven(
    worker: &mut Worker,
    request: &Request<'_>,
    pinned: &Pinned,
) -> Result<bool, Errno> {
    let write = Access::Write;
    Ok(match &pinned.name {
        Name::Nameless(allowed) => allowed.contains(write),
        Name::Path(path) if pts::is_name_of_one(path) => {
            match worker.judge_terminal(request, pinned, path, write.into())? {
                OfTerminal::AsNamed => worker.allows(path, write.into()),
                OfTerminal::Open(_) => true,
                OfTerminal::Refused(..) => false,
            }
        }
        Name::Path(path) => worker.allows(path, write.into()),
    })
}
