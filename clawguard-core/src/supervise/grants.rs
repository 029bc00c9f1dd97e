//! Where Landlock's rules are: a grant belongs to an inode, so what was put in its place since gets nothing from the
//! kernel, although the law allows the name. There the supervisor acts itself.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::mounts;
use crate::path::AbsPath;

/// How long a look at the disk counts. In this time after somebody *outside* replaced a granted directory an open in it
/// may fail; the target's own changes are known at once.
const FRESH: Duration = Duration::from_millis(1);

/// Every path that a Landlock rule names.
#[derive(Debug)]
pub(super) struct Grants {
    by_path: HashMap<Box<[u8]>, Grant>,
    start: Instant,
}

#[derive(Debug)]
struct Grant {
    inode: Inode,
    /// Microseconds after the start.
    looked: AtomicU64,
    stands: AtomicBool,
}

impl Grants {
    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a AbsPath>) -> Grants {
        let grant = |path: &AbsPath| {
            let grant = Grant {
                inode: inode(path)?,
                looked: AtomicU64::new(0),
                stands: AtomicBool::new(true),
            };
            Some((path.as_bytes().into(), grant))
        };
        Grants { by_path: paths.filter_map(grant).collect(), start: Instant::now() }
    }

    /// Is the nearest rule above a path, or on it, still where it was?
    pub(super) fn stands(&self, path: &AbsPath) -> bool {
        let bytes = path.as_bytes();
        let slashes = (1..bytes.len()).rev().filter(|at| bytes[*at] == b'/');
        let above = std::iter::once(bytes.len()).chain(slashes).map(|end| &bytes[..end]);
        let mut found =
            above.chain([&b"/"[..]]).filter_map(|name| Some((name, self.by_path.get(name)?)));
        found.next().is_some_and(|(name, grant)| self.is_fresh(name, grant))
    }

    /// Is there a rule on a path, or above it?
    pub(super) fn covers(&self, path: &AbsPath) -> bool {
        let mut above = std::iter::successors(Some(path.clone()), AbsPath::parent);
        above.any(|path| self.by_path.contains_key(path.as_bytes()))
    }

    fn is_fresh(&self, name: &[u8], grant: &Grant) -> bool {
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let age = now.saturating_sub(grant.looked.load(Ordering::Relaxed));
        if u128::from(age) >= FRESH.as_micros() {
            let stands = AbsPath::parse(name).is_ok_and(|path| inode(&path) == Some(grant.inode));
            grant.stands.store(stands, Ordering::Relaxed);
            grant.looked.store(now, Ordering::Relaxed);
        }
        grant.stands.load(Ordering::Relaxed)
    }

    /// The target removed or moved something: whatever stood there, or beneath, is looked at again.
    pub(super) fn look_again(&self) {
        for grant in self.by_path.values() {
            grant.looked.store(0, Ordering::Relaxed);
        }
    }
}

/// The mount, by its unique number where the kernel has one, the device and the inode: another file system that is
/// mounted there later may have the same device and the same inode.
type Inode = (u64, u32, u32, u64);

fn inode(path: &AbsPath) -> Option<Inode> {
    let seen = mounts::look_up(path).ok()?;
    Some((seen.stx_mnt_id, seen.stx_dev_major, seen.stx_dev_minor, seen.stx_ino))
}
