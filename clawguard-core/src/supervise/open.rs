//! Opens: the target gets a descriptor of what was judged, or the errno that the kernel would have given.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::answer::{Answer, Answered, OnExec};
use super::create;
use super::device::{self, is_device};
use super::lookup::{Follow, Kind, NO_LINKS, Ways};
use super::metadata::lends_identity;
use super::pin::{Name, Pinned, through};
use super::program::EXECUTABLE;
use super::request::Request;
use super::target::{Base, Target};
use super::terminal::{self, is_controlling};
use super::worker::Worker;
use crate::access::{Access, AccessSet};
use crate::syscalls::{Need, OpenFlags, Place};

/// `VALID_OPEN_FLAGS` of linux/fcntl.h: the others mean nothing to `open`, and are an error to `openat2`.
const VALID: OFlags = OFlags::from_bits_retain(0o37_777_703);

/// The permissions that a mode may have (`S_IALLUGO`).
const MODES: u64 = 0o7777;

/// `__O_TMPFILE` of asm-generic/fcntl.h: O_TMPFILE without O_DIRECTORY.
const NAMELESS: u32 = 0o20_000_000;

/// `O_PATH_FLAGS` of fs/open.c.
const OF_PATH: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Bytes of `struct open_how`, and of the page beyond which the kernel reads none.
const OPEN_HOW: u64 = 24;
const MOST_OPEN_HOW: u64 = 4096;

/// How a file is opened, copied once.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) flags: OFlags,
    pub(super) mode: Mode,
    pub(super) resolve: ResolveFlags,
}

impl How {
    pub(super) fn has(&self, flag: i32) -> bool {
        self.flags.bits() & flag as u32 == flag as u32
    }

    /// What the open asks of a file that exists.
    pub(super) fn access(&self) -> AccessSet {
        let bits = self.flags.bits() as i32;
        let mut access = match bits & libc::O_ACCMODE {
            libc::O_RDONLY => AccessSet::from(Access::Read),
            libc::O_WRONLY => AccessSet::from(Access::Write),
            // 3 is for ioctl alone, and asks for both (man open(2)).
            _ => AccessSet::from(Access::Read).with(Access::Write),
        };
        if bits & libc::O_TRUNC != 0 {
            access = access.with(Access::Write);
        }
        access
    }

    /// The flags that go together, in the order of build_open_flags (fs/open.c), before anything is looked up.
    fn check(&self) -> Result<(), Errno> {
        let nameless = self.flags.bits() & NAMELESS != 0;
        let modes = if self.has(libc::O_CREAT) || nameless { MODES } else { 0 };
        let opens = self.flags.bits() as i32 & libc::O_ACCMODE;
        let is_wrong = !VALID.contains(self.flags)
            || !ways_known().contains(self.resolve)
            || self.resolve.contains(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT)
            || u64::from(self.mode.bits()) & !modes != 0
            || self.has(libc::O_CREAT | libc::O_DIRECTORY)
            || nameless && (!self.has(libc::O_DIRECTORY) || opens == libc::O_RDONLY)
            || self.has(libc::O_PATH) && !OF_PATH.contains(self.flags);
        if is_wrong {
            return Err(Errno::INVAL);
        }
        // What may have to be made or cut is not answered from what is known already.
        let changes = self.has(libc::O_CREAT) || self.has(libc::O_TRUNC) || nameless;
        if self.resolve.bits() & RESOLVE_CACHED != 0 && changes {
            return Err(Errno::AGAIN);
        }
        Ok(())
    }

    fn on_exec(&self) -> OnExec {
        if self.has(libc::O_CLOEXEC) { OnExec::Close } else { OnExec::Keep }
    }

    pub(super) fn answer(&self, fd: OwnedFd) -> Answer {
        Answer::Descriptor(fd, self.on_exec())
    }

    pub(super) fn follow(&self) -> Follow {
        if self.has(libc::O_NOFOLLOW) { Follow::No } else { Follow::Yes }
    }

    /// Is anything asked of the way there, besides no links?
    pub(super) fn is_restricted(&self) -> bool {
        !self.resolve.is_empty()
    }

    /// For opening a pinned object: its name is no longer looked up.
    fn of_pinned(&self) -> OFlags {
        self.flags.difference(OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL)
            | OFlags::NOCTTY
            | OFlags::CLOEXEC
    }

    /// Opens an object that is held.
    fn open_object(&self, object: &OwnedFd) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(CWD, through(object), self.of_pinned(), Mode::empty())
    }

    /// For opening what exists by name.
    fn by_name(&self) -> OFlags {
        self.making().difference(OFlags::CREATE | OFlags::EXCL)
    }

    /// For making a file.
    pub(super) fn making(&self) -> OFlags {
        self.flags | OFlags::NOCTTY | OFlags::CLOEXEC
    }

    /// A directory is never what an open was asked to make.
    fn refuse_directory(&self, kind: FileType) -> Result<(), Errno> {
        let writes = self.access().contains(Access::Write) || self.has(libc::O_CREAT);
        if kind == FileType::Directory && writes { Err(Errno::ISDIR) } else { Ok(()) }
    }

    /// Does a failed open change anything, if it fails only when the descriptor is handed over?
    fn changes(&self) -> bool {
        self.has(libc::O_CREAT) || self.has(libc::O_TRUNC) || self.has(libc::O_TMPFILE)
    }
}

/// `open`, `openat`, `creat`, `openat2`.
pub(super) fn open(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let judged = request.judged()?;
    let object = judged.objects.first().ok_or(Errno::NOSYS)?;
    let how = how(request, object.need)?;
    how.check()?;
    let (base, address) = match object.place {
        Place::Path { path, .. } => (Base::WorkingDirectory, path),
        Place::At { dirfd, path, .. } => {
            (Base::from_argument(request.arguments[usize::from(dirfd)]), path)
        }
        Place::Descriptor(_) | Place::Address { .. } => return Err(Errno::NOSYS),
    };
    if how.has(libc::O_PATH) {
        // Only openat2 comes here: an O_PATH descriptor cannot be handed over, and its flags are no proof.
        return Err(Errno::NOSYS);
    }
    let path = request.target.path(request.arguments[usize::from(address)])?;
    if path.is_empty() {
        return Err(Errno::NOENT);
    }
    // Flags and mode in memory may be others by the time the kernel reads them: it could make a file that lends its
    // owner's rights. So may the path be, and it could be the name of what must not be executed.
    let makes_program =
        worker.shared.watches_executions && how.mode.intersects(Mode::from_bits_retain(EXECUTABLE));
    let is_delicate = request.call.name == "openat2"
        || makes_program
        || lends_identity(FileType::RegularFile, how.mode);
    if !is_delicate
        && worker.shared.floor.holds_opens()
        && let Some(proof) = worker.shared.floor.open(&worker.shared.ways.mounts)
        && is_allowed(worker, request, &how, base, &path)?
    {
        return Ok(Answer::Continue(proof));
    }
    if how.changes() {
        request.target.has_room()?;
    }
    let opened = match (how.has(libc::O_TMPFILE), how.has(libc::O_CREAT)) {
        (true, _) => create::unnamed(worker, request, &how, base, &path),
        (false, true) => create::open(worker, request, &how, base, &path),
        (false, false) => existing(worker, request, &how, base, &path),
    };
    let opened = opened.and_then(|answer| {
        if let Answer::Descriptor(fd, _) = &answer {
            worker.spare_memory(fd)?;
        }
        Ok(answer)
    });
    opened.map_err(|errno| worker.error_of_open(request.target, errno))
}

/// Would the law allow it, by a path that is its own real path? Then there is nothing to tell, and the kernel goes on.
fn is_allowed(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Result<bool, Errno> {
    let Some(quick) = worker.shared.ways.quick(request.target, base, path)? else {
        return Ok(false);
    };
    let mut access = how.access();
    if how.has(libc::O_CREAT) || how.has(libc::O_TMPFILE) {
        access = access.with(Access::Write);
    }
    if !worker.allows(&quick.path, access) || !worker.shared.grants.stands(&quick.path) {
        return Ok(false);
    }
    worker.note_allowed(request, &quick.path, access);
    Ok(true)
}

/// The flags, wherever they are.
fn how(request: &Request<'_>, need: Need) -> Result<How, Errno> {
    let of_open = |flags: u32, mode: u32| {
        let flags = OFlags::from_bits_retain(flags) & VALID;
        let makes = flags.intersects(OFlags::CREATE) || flags.contains(OFlags::TMPFILE);
        let mode = if makes { u64::from(mode) & MODES } else { 0 };
        How { flags, mode: Mode::from_bits_retain(mode as u32), resolve: ResolveFlags::empty() }
    };
    match need {
        Need::Opening(OpenFlags::Argument(index)) => {
            let index = usize::from(index);
            Ok(of_open(request.word(index), request.word(index + 1)))
        }
        Need::Opening(OpenFlags::Creat) => {
            let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
            Ok(of_open(flags as u32, request.word(1)))
        }
        Need::Opening(OpenFlags::OpenHow { how, size }) => {
            let size = request.arguments[usize::from(size)];
            open_how(request, request.arguments[usize::from(how)], size)
        }
        Need::Access(_) | Need::AccessMode(_) => Err(Errno::NOSYS),
    }
}

/// `struct open_how`, as copy_struct_from_user reads it.
fn open_how(request: &Request<'_>, address: u64, size: u64) -> Result<How, Errno> {
    if size < OPEN_HOW {
        return Err(Errno::INVAL);
    }
    if size > MOST_OPEN_HOW {
        return Err(Errno::TOOBIG);
    }
    let mut bytes = vec![0u8; usize::try_from(size).map_err(|_| Errno::TOOBIG)?];
    request.target.fill(address, &mut bytes)?;
    let word = |index: usize| {
        let mut word = [0u8; 8];
        word.copy_from_slice(&bytes[index * 8..index * 8 + 8]);
        u64::from_ne_bytes(word)
    };
    if bytes[OPEN_HOW as usize..].iter().any(|&byte| byte != 0) {
        return Err(Errno::TOOBIG);
    }
    let narrow = |wide: u64| u32::try_from(wide).map_err(|_| Errno::INVAL);
    Ok(How {
        flags: OFlags::from_bits_retain(narrow(word(0))?),
        mode: Mode::from_bits_retain(narrow(word(1))?),
        resolve: ResolveFlags::from_bits_retain(word(2)),
    })
}

/// Opens what exists.
pub(super) fn existing(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Answered {
    if how.is_restricted() {
        return restricted(worker, request, how, base, path);
    }
    if let Some(answered) = quickly(worker, request, how, base, path)? {
        return Ok(answered);
    }
    let kind = if how.has(libc::O_DIRECTORY) { Kind::Directory } else { Kind::Any };
    let pinned = worker.shared.ways.object(request.target, base, path, how.follow(), kind)?;
    open_pinned(worker, request, how, &pinned)
}

/// One judgement and one open, where the path is its own real path; none if it may not be.
fn quickly(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Result<Option<Answer>, Errno> {
    let Some(quick) = worker.shared.ways.quick(request.target, base, path)? else {
        return Ok(None);
    };
    if is_special(quick.path.as_bytes()) || !worker.allows(&quick.path, how.access()) {
        return Ok(None);
    }
    let undelivered = worker.shared.undelivered.load(Ordering::SeqCst);
    match rustix::fs::openat2(CWD, &*quick.text, how.by_name(), Mode::empty(), NO_LINKS) {
        Ok(fd) => {
            let seen = worker.shared.ways.look_at(&fd, Some(&quick.path))?;
            let kind = FileType::from_raw_mode(seen.stx_mode.into());
            if kind == FileType::CharacterDevice && is_controlling(&rustix::fs::fstat(&fd)?) {
                return Ok(None);
            }
            if is_device(kind) && !device::is_open(worker, &quick.path, how) {
                return Ok(None);
            }
            if how.has(libc::O_CREAT) {
                how.refuse_directory(kind)?;
            }
            let fd = match kind {
                FileType::Fifo => {
                    let flags = OFlags::PATH | OFlags::CLOEXEC;
                    let fifo = rustix::fs::openat(CWD, through(&fd), flags, Mode::empty())?;
                    connected(worker, request.target, undelivered, fd, || how.open_object(&fifo))?
                }
                _ => fd,
            };
            worker.note_allowed(request, &quick.path, how.access());
            Ok(Some(how.answer(fd)))
        }
        Err(Errno::LOOP) => Ok(None),
        // A directory that cannot be read, perhaps: with O_CREAT it is EISDIR.
        Err(Errno::ACCESS) if how.has(libc::O_CREAT) => Ok(None),
        Err(errno) if quick.is_conclusive => Err(errno),
        Err(_) => Ok(None),
    }
}

/// Devices may be terminals, or block.
fn is_special(path: &[u8]) -> bool {
    const PLAIN: [&[u8]; 5] =
        [b"/dev/null", b"/dev/zero", b"/dev/full", b"/dev/random", b"/dev/urandom"];
    path.starts_with(b"/dev/") && !path.starts_with(b"/dev/shm/") && !PLAIN.contains(&path)
}

/// Opens an object that is held, by its real name's leave.
pub(super) fn open_pinned(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    pinned: &Pinned,
) -> Answered {
    let kind = kind_of(&pinned.fd)?;
    if kind == FileType::Symlink {
        return Err(Errno::LOOP);
    }
    how.refuse_directory(kind)?;
    let _held = worker.require(request, pinned, how.access())?;
    if kind == FileType::CharacterDevice
        && let Some(fd) = terminal::controlling(worker, request, how, pinned)?
    {
        return Ok(how.answer(fd));
    }
    if how.has(libc::O_NOFOLLOW)
        && let Some(fd) = open_again(how, pinned, kind)?
    {
        return Ok(how.answer(fd));
    }
    if is_device(kind) {
        let open = || how.open_object(&pinned.fd);
        return device::open(worker, request, how, pinned, open).map(|fd| how.answer(fd));
    }
    let undelivered = worker.shared.undelivered.load(Ordering::SeqCst);
    let mut fd = how.open_object(&pinned.fd)?;
    if kind == FileType::Fifo {
        let again = || how.open_object(&pinned.fd);
        fd = connected(worker, request.target, undelivered, fd, again)?;
    }
    Ok(how.answer(fd))
}

/// An end of a FIFO whose other end is held by a caller that lives. This process opens FIFOs for its callers, and where
/// one has died that waited for the other end, this process still waits for a moment in its place: a caller that met
/// that one must wait again. `undelivered` is how many descriptors had not reached their callers before the open.
fn connected(
    worker: &Worker,
    target: Target<'_>,
    mut undelivered: u64,
    mut fd: OwnedFd,
    open: impl Fn() -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    let shared = &worker.shared;
    loop {
        let had_dead = shared.release_the_dead(target);
        let now = shared.undelivered.load(Ordering::SeqCst);
        if !had_dead && now == undelivered || !is_alone(&fd)? {
            return Ok(fd);
        }
        undelivered = now;
        // Closed first: a reader of its own must not make a writer's open succeed.
        drop(fd);
        fd = open()?;
    }
}

/// Is the other end of this FIFO closed?
fn is_alone(fd: &OwnedFd) -> Result<bool, Errno> {
    let mut ends = [PollFd::new(fd, PollFlags::IN | PollFlags::OUT)];
    rustix::event::poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    let found = ends[0].revents();
    // What a writer has left is there to be read, though the writer has gone.
    Ok(found.intersects(PollFlags::HUP | PollFlags::ERR) && !found.contains(PollFlags::IN))
}

/// O_NOFOLLOW stays among the flags that F_GETFL gives, and a link in /proc must be followed: so the object is opened
/// by name, if the name still leads to it.
fn open_again(how: &How, pinned: &Pinned, kind: FileType) -> Result<Option<OwnedFd>, Errno> {
    let Name::Path(path) = &pinned.name else { return Ok(None) };
    if !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Ok(None);
    }
    let flags = how.by_name().difference(OFlags::TRUNC);
    match rustix::fs::openat2(CWD, path.as_path(), flags, Mode::empty(), NO_LINKS) {
        Ok(fd) if super::pin::is_same(&fd, &pinned.fd)? => {
            if how.has(libc::O_TRUNC) {
                let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
                rustix::fs::openat(CWD, through(&pinned.fd), flags, Mode::empty())?;
            }
            Ok(Some(fd))
        }
        Ok(_) | Err(_) if kind == FileType::Directory => {
            // Its own name may not be found, but it may be searched.
            Ok(rustix::fs::openat(&pinned.fd, c".", how.by_name(), Mode::empty()).ok())
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

fn kind_of(fd: &OwnedFd) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode))
}

/// `openat2` with rules for the way: the kernel applies them, from the target's own directory.
fn restricted(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Answered {
    let pinned = pin_restricted(&worker.shared.ways, request, how, base, path)?;
    open_pinned(worker, request, how, &pinned)
}

/// `RESOLVE_CACHED` of linux/openat2.h.
const RESOLVE_CACHED: u64 = 0x20;

/// The rules for the way that the kernel knows.
fn ways_known() -> ResolveFlags {
    ResolveFlags::NO_XDEV
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::BENEATH
        | ResolveFlags::IN_ROOT
        | ResolveFlags::from_bits_retain(RESOLVE_CACHED)
}

pub(super) fn pin_restricted(
    ways: &Ways,
    request: &Request<'_>,
    how: &How,
    base: Base,
    path: &[u8],
) -> Result<Pinned, Errno> {
    let from = request.target.directory(base)?;
    let kept = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    let flags = OFlags::PATH | OFlags::CLOEXEC | how.flags.intersection(kept);
    let resolve = how.resolve.difference(ResolveFlags::from_bits_retain(RESOLVE_CACHED))
        | ResolveFlags::NO_MAGICLINKS;
    // `/proc/self` is the target's. Where no link is followed, the kernel refuses it as one.
    let own = match path.strip_prefix(b"/proc/self/") {
        Some(rest)
            if !how.resolve.intersects(ResolveFlags::NO_SYMLINKS | ResolveFlags::IN_ROOT) =>
        {
            let process = request.target.process()?;
            Some([format!("/proc/{process}/").as_bytes(), rest].concat())
        }
        Some(_) | None => None,
    };
    let path = own.as_deref().unwrap_or(path);
    let fd = rustix::fs::openat2(&from, path, flags, Mode::empty(), resolve)?;
    match super::pin::name_of(&fd)? {
        Some(name) => Pinned::new(ways, fd, Name::Path(name)),
        None => Err(Errno::NOENT),
    }
}
