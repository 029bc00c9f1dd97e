//! Times, questions about access, and watches.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, OFlags, Timespec, Timestamps, inotify};
use rustix::io::Errno;

use super::answer::{Answer, Answered, io_value, value};
use super::metadata::changeable;
use super::pin::{Name, through};
use super::request::Request;
use super::worker::Worker;
use crate::access::{Access, AccessSet};

/// `utime`, `utimes`, `futimesat`, `utimensat`.
pub(super) fn times(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let target = request.target;
    let address = match request.call.name {
        "utime" | "utimes" => request.arguments[1],
        _ => request.arguments[2],
    };
    let now = Timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW };
    let times = match (address, request.call.name) {
        (0, _) => [now, now],
        (_, "utime") => {
            let words = words::<16, 2>(target.bytes(address)?);
            words.map(|tv_sec| Timespec { tv_sec, tv_nsec: 0 })
        }
        (_, "utimensat") => {
            let [a, b, c, d] = words::<32, 4>(target.bytes(address)?);
            [Timespec { tv_sec: a, tv_nsec: b }, Timespec { tv_sec: c, tv_nsec: d }]
        }
        (_, _) => {
            let [a, b, c, d] = words::<32, 4>(target.bytes(address)?);
            if [b, d].iter().any(|micro| !(0..1_000_000).contains(micro)) {
                return Err(Errno::INVAL);
            }
            [Timespec { tv_sec: a, tv_nsec: b * 1000 }, Timespec { tv_sec: c, tv_nsec: d * 1000 }]
        }
    };
    if times.iter().all(|time| time.tv_nsec == libc::UTIME_OMIT) {
        // Nothing changes, and the kernel does not even look (fs/utimes.c).
        return Ok(Answer::Value(0));
    }
    if request.call.name == "utimensat" {
        request.only_flags(3, libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH)?;
    }
    let object = changeable(worker, request)?;
    let [last_access, last_modification] = times;
    let times = Timestamps { last_access, last_modification };
    value(rustix::fs::utimensat(&object.fd, c"", &times, AtFlags::EMPTY_PATH))
}

fn words<const BYTES: usize, const WORDS: usize>(bytes: [u8; BYTES]) -> [i64; WORDS] {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = i64::from_ne_bytes(*bytes);
    }
    words
}

/// `access`, `faccessat`, `faccessat2`.
pub(super) fn access(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let (index, flags) = match request.call.name {
        "access" => (1, 0),
        "faccessat" => (2, 0),
        _ => {
            let known = libc::AT_EACCESS | libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH;
            request.only_flags(3, known)?;
            (2, request.word(3) & libc::AT_EACCESS as u32)
        }
    };
    request.only_flags(index, libc::R_OK | libc::W_OK | libc::X_OK)?;
    let mode = request.word(index);
    let object = worker.object(request, 0)?;
    let fd = &object.fd;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode);
    let asks = [
        (libc::R_OK, Access::Read),
        (libc::W_OK, Access::Write),
        // To search a directory is free.
        (libc::X_OK, Access::Execute),
    ];
    let asked: AccessSet = asks
        .into_iter()
        .filter(|(bit, access)| {
            mode & *bit as u32 != 0 && (*access != Access::Execute || kind != FileType::Directory)
        })
        .map(|(_, access)| access)
        .collect();
    let asked = match &object.name {
        Name::Path(_) => asked,
        // As opening it again would be. Its descriptor says nothing of execution.
        Name::Nameless(_) => asked.difference(Access::Execute.into()),
    };
    let _held = worker.require(request, &object, asked)?;
    io_value(crate::sys::calls::access(std::os::fd::AsFd::as_fd(fd), mode, flags))
}

/// `ALL_INOTIFY_BITS` of linux/inotify.h.
const WATCH_BITS: u32 = 0xf700_efff;

/// `IN_MASK_CREATE` of linux/inotify.h.
const IN_MASK_CREATE: u32 = 0x1000_0000;

/// Does a descriptor come from `inotify_init`? The kernel asks before it looks at the path.
fn is_watcher(fd: &OwnedFd) -> Result<bool, Errno> {
    Ok(rustix::fs::readlink(through(fd), Vec::new())?.as_bytes() == b"anon_inode:inotify")
}

/// `inotify_add_watch`.
pub(super) fn watch(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let mask = request.word(2);
    if mask == 0 || mask & !WATCH_BITS != 0 {
        return Err(Errno::INVAL);
    }
    let watcher = request.target.duplicate(request.word(0).cast_signed())?;
    if rustix::fs::fcntl_getfl(&watcher)?.contains(OFlags::PATH) {
        return Err(Errno::BADF);
    }
    let both = libc::IN_MASK_ADD | IN_MASK_CREATE;
    if mask & both == both || !is_watcher(&watcher)? {
        return Err(Errno::INVAL);
    }
    let object = worker.object(request, 0)?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&object.fd)?.st_mode);
    if mask & libc::IN_ONLYDIR != 0 && kind != FileType::Directory {
        return Err(Errno::NOTDIR);
    }
    worker.require(request, &object, Access::Read.into())?;
    request.target.is_waiting()?;
    // The link was followed, or not, when the object was pinned.
    let mask = mask & !libc::IN_DONT_FOLLOW;
    let watch = inotify::add_watch(
        &watcher,
        through(&object.fd),
        inotify::WatchFlags::from_bits_retain(mask),
    )?;
    Ok(Answer::Value(i64::from(watch)))
}
