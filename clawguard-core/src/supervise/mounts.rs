//! What is mounted, followed while the target runs: where each procfs is, and whether a name that the kernel told may
//! lead elsewhere by now.
//!
//! Mounts come and go by the hand of somebody outside. Nothing here is remembered by a number that can come back: a
//! mount is known by its unique number (`STATX_MNT_ID_UNIQUE`), which the kernel gives once.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, PROC_SUPER_MAGIC, Statx, StatxFlags, Timespec};
use rustix::io::Errno;

use super::grants::Grants;
use super::pin::name_of;
use crate::path::AbsPath;
use crate::resolve::Procfs;
use crate::resolve::mounts::{self, Shown, number};

/// `STATX_MNT_ID_UNIQUE` of linux/stat.h (Linux 6.8).
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// Mounts that are remembered, at most.
const PLAIN: usize = 256;

/// A procfs that is mounted now.
#[derive(Debug)]
struct Known {
    procfs: Procfs,
    numbers: Numbers,
}

/// What a number in a procfs means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    /// The process that has it here.
    Own,
    /// Some other process: the procfs is of another PID namespace, or that cannot be told.
    Foreign,
}

impl Known {
    fn new(procfs: &Procfs) -> Known {
        let numbers = match mounts::shows_this_process(procfs.place()) {
            Shown::AsItself => Numbers::Own,
            Shown::As(_) | Shown::Not => Numbers::Foreign,
        };
        Known { procfs: procfs.clone(), numbers }
    }
}

/// The mounts of this process's namespace.
#[derive(Debug)]
pub(super) struct Mounts {
    /// Each procfs that the plan knew: Landlock grants nothing in it.
    planned: Vec<Procfs>,
    procfs: RwLock<Arc<[Known]>>,
    /// Mounts of file systems that are no procfs, by their unique numbers.
    plain: RwLock<HashSet<u64>>,
    /// Polls as changed when something was mounted or unmounted; none if it cannot be had.
    events: Option<File>,
    /// May a working directory or a descriptor lie where its name does not lead?
    has_changed: AtomicBool,
    /// Is there a procfs in what Landlock grants as a whole?
    is_granted: AtomicBool,
}

impl Mounts {
    pub(super) fn new(planned: &[Procfs]) -> Mounts {
        Mounts {
            planned: planned.to_vec(),
            procfs: RwLock::new(planned.iter().map(Known::new).collect()),
            plain: RwLock::default(),
            events: None,
            has_changed: AtomicBool::new(true),
            is_granted: AtomicBool::new(true),
        }
    }

    /// Begins to follow what is mounted.
    pub(super) fn watch(&mut self, grants: &Grants) {
        self.events = File::open("/proc/self/mountinfo").ok();
        // The first look counts as no change.
        self.is_new();
        self.read(grants);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let here = rustix::fs::openat(CWD, c".", flags, Mode::empty());
        let is_named = here.is_ok_and(|here| matches!(name_of(&here), Ok(Some(_))));
        self.has_changed.store(!is_named || self.events.is_none(), Ordering::Relaxed);
    }

    /// Was anything mounted or unmounted since the last look?
    fn is_new(&self) -> bool {
        let Some(events) = &self.events else { return true };
        let mut polled = [PollFd::new(events, PollFlags::PRI)];
        let ready = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        ready.is_err() || polled[0].revents().intersects(PollFlags::PRI | PollFlags::ERR)
    }

    /// Looks whether anything changed.
    pub(super) fn look(&self, grants: &Grants) {
        if self.is_new() {
            self.has_changed.store(true, Ordering::Relaxed);
            self.read(grants);
        }
    }

    fn read(&self, grants: &Grants) {
        let found = mounts::procfs(&mounts::read());
        let is_granted = |one: &Procfs| !self.planned.contains(one) && grants.covers(one.place());
        self.is_granted.store(found.iter().any(is_granted), Ordering::Relaxed);
        *self.procfs.write().unwrap_or_else(PoisonError::into_inner) =
            found.iter().map(Known::new).collect();
    }

    /// May a name that the kernel told of a directory lead elsewhere?
    pub(super) fn have_changed(&self) -> bool {
        self.has_changed.load(Ordering::Relaxed)
    }

    /// Does Landlock let no process outside be read? Else no open goes on.
    pub(super) fn keep_processes(&self) -> bool {
        !self.is_granted.load(Ordering::Relaxed)
    }

    fn procfs(&self) -> Arc<[Known]> {
        Arc::clone(&self.procfs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Is this in a procfs?
    pub(super) fn is_proc(&self, path: &AbsPath) -> bool {
        self.procfs().iter().any(|one| path.starts_with(one.procfs.place()))
    }

    /// The numbers of the processes whose part of a procfs a path lies in; none if nobody can say whose it is: it lies in
    /// no procfs that is known, or in one of another PID namespace.
    pub(super) fn processes(&self, path: &AbsPath) -> Option<Vec<u32>> {
        let all = self.procfs();
        let mut around = all.iter().filter(|one| path.starts_with(one.procfs.place())).peekable();
        around.peek()?;
        let number_in = |one: &Known| one.procfs.first(path).and_then(number);
        let told = around.map(|one| match (number_in(one), one.numbers) {
            (Some(_), Numbers::Foreign) => Err(()),
            (number, Numbers::Own | Numbers::Foreign) => Ok(number),
        });
        let numbers: Vec<Option<u32>> = told.collect::<Result<_, ()>>().ok()?;
        Some(numbers.into_iter().flatten().collect())
    }

    /// Is an object in a procfs, wherever that is mounted?
    pub(super) fn is_in_procfs(&self, fd: &OwnedFd, seen: &Statx) -> Result<bool, Errno> {
        let mount = unique(seen);
        let plain = self.plain.read().unwrap_or_else(PoisonError::into_inner);
        if mount.is_some_and(|mount| plain.contains(&mount)) {
            return Ok(false);
        }
        drop(plain);
        if rustix::fs::fstatfs(fd)?.f_type == PROC_SUPER_MAGIC {
            return Ok(true);
        }
        let mut plain = self.plain.write().unwrap_or_else(PoisonError::into_inner);
        if plain.len() >= PLAIN {
            plain.clear();
        }
        plain.extend(mount);
        Ok(false)
    }
}

/// What never changes about an object: its kind, its inode, and in which mount it lies.
const LASTING: StatxFlags =
    StatxFlags::TYPE.union(StatxFlags::MODE).union(StatxFlags::INO).union(MNT_ID_UNIQUE);

/// `AT_STATX_DONT_SYNC` of linux/fcntl.h: what never changes needs no question to a server.
const DONT_SYNC: AtFlags = AtFlags::from_bits_retain(0x4000);

/// What an object is, and in which mount it lies.
pub(super) fn look_at(fd: impl AsFd) -> Result<Statx, Errno> {
    rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH | DONT_SYNC, LASTING)
}

/// The same for what a path names, a link itself.
pub(super) fn look_up(path: &AbsPath) -> Result<Statx, Errno> {
    rustix::fs::statx(CWD, path.as_path(), AtFlags::SYMLINK_NOFOLLOW | DONT_SYNC, LASTING)
}

/// The number of a mount that no other one will have; none where the kernel cannot say.
pub(super) fn unique(seen: &Statx) -> Option<u64> {
    (seen.stx_mask & MNT_ID_UNIQUE.bits() != 0).then_some(seen.stx_mnt_id)
}

/// Is this the same object, by the same mount? Both are held, so neither number can be another's.
pub(super) fn is_same_place(a: impl AsFd, b: impl AsFd) -> Result<bool, Errno> {
    let place =
        |seen: Statx| (seen.stx_mnt_id, seen.stx_dev_major, seen.stx_dev_minor, seen.stx_ino);
    Ok(place(look_at(a)?) == place(look_at(b)?))
}

/// Does a path that this process may not follow lead into the mount in which an object lies?
pub(super) fn leads_into_mount_of(path: &AbsPath, fd: &OwnedFd) -> Result<bool, Errno> {
    let seen = rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    Ok(mounts::governing(&mounts::read(), path) == Some(seen.stx_mnt_id))
}
