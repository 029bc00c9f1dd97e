//! The private temporary directory: where it will be, and what earlier ones nobody uses any more.
//!
//! Its name tells who made it: user, process and the process's start time. In kernel mode the shim becomes the
//! command and nobody is left to remove it, so a later start does.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, unlinkat};

use crate::path::AbsPath;

/// Directories that may hold it, best first.
const PLACES: [&str; 2] = ["/tmp", "/var/tmp"];

const PREFIX: &str = "clawguard-";

/// A name for this process's private directory; nothing is made yet.
pub(super) fn plan(uid: u32) -> Option<AbsPath> {
    let place = PLACES.iter().find(|place| Path::new(place).is_dir())?;
    let pid = std::process::id();
    let start = start_time(pid)?;
    let namespace = namespace()?;
    // Another user may make any name in /tmp, but cannot guess this one.
    let mut random = [0u8; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).ok()?;
    let random = u64::from_ne_bytes(random);
    AbsPath::parse(format!("{place}/{PREFIX}{uid}-{pid}-{start}-{namespace}-{random:016x}")).ok()
}

/// Removes the directories of this user's processes that have ended. What cannot be removed stays.
pub(crate) fn remove_stale(uid: u32) {
    // A process can only be missed where its number means something: in the same namespace, and with a /proc.
    let Some(namespace) = namespace().filter(|_| start_time(std::process::id()).is_some()) else {
        return;
    };
    for place in PLACES {
        let Ok(entries) = std::fs::read_dir(place) else { continue };
        for entry in entries.flatten() {
            let is_ours = || {
                entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid)
            };
            if !is_stale(entry.file_name().as_bytes(), uid, namespace) || !is_ours() {
                continue;
            }
            if let Ok(path) = AbsPath::parse(entry.path().as_os_str().as_bytes()) {
                remove(&path);
            }
        }
    }
}

fn is_stale(name: &[u8], uid: u32, namespace: u64) -> bool {
    let fields = || {
        let name = std::str::from_utf8(name).ok()?.strip_prefix(PREFIX)?;
        let mut fields = name.split('-');
        let owner: u32 = fields.next()?.parse().ok()?;
        let pid: u32 = fields.next()?.parse().ok()?;
        let start: u64 = fields.next()?.parse().ok()?;
        let own: u64 = fields.next()?.parse().ok()?;
        (fields.next()?.len() == 16 && fields.next().is_none()).then_some((owner, own, pid, start))
    };
    fields().is_some_and(|(owner, own, pid, start)| {
        owner == uid && own == namespace && start_time(pid) != Some(start)
    })
}

/// The number of this process's PID namespace (pid_namespaces(7)).
fn namespace() -> Option<u64> {
    std::fs::metadata("/proc/self/ns/pid").ok().map(|metadata| metadata.ino())
}

/// Removes a directory and what is in it. The tree is the target's work: no link is followed, and directories that
/// stand too deep in each other are moved up first, so that neither descriptors nor the stack run out. What cannot be
/// removed stays.
pub(crate) fn remove(directory: &AbsPath) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(top) = rustix::fs::open(directory.as_path(), flags, Mode::empty()) else { return };
    // Each round removes at least one level of what was moved up in the round before.
    let mut moved = 0;
    loop {
        let before = moved;
        empty(&top, &top, 0, &mut moved);
        if moved == before {
            break;
        }
    }
    let _ = std::fs::remove_dir(directory);
}

/// Directories that `empty` opens in each other.
const DEPTH: usize = 64;

fn empty(top: &OwnedFd, directory: &OwnedFd, depth: usize, moved: &mut u64) {
    let Ok(entries) = Dir::read_from(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..")
            || unlinkat(directory, name, AtFlags::empty()).is_ok()
        {
            continue;
        }
        if depth == DEPTH {
            let up = format!("clawguard-removes-{moved}");
            *moved += u64::from(rustix::fs::renameat(directory, name, top, up).is_ok());
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(inner) = rustix::fs::openat(directory, name, flags, Mode::empty()) {
            empty(top, &inner, depth + 1, moved);
        }
        let _ = unlinkat(directory, name, AtFlags::REMOVEDIR);
    }
}

/// When a process started, in clock ticks since boot (proc_pid_stat(5), field 22); none if it has ended.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything: fields count from its end.
    let after = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(stat.get(after + 2..)?).ok()?;
    fields.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_keeps_its_directory_and_a_dead_one_does_not() {
        let pid = std::process::id();
        let start = start_time(pid).unwrap();
        let name = |pid: u32, start: u64| {
            format!("clawguard-7-{pid}-{start}-99-0123456789abcdef").into_bytes()
        };
        assert!(!is_stale(&name(pid, start), 7, 99));
        assert!(is_stale(&name(pid, start + 1), 7, 99), "the number was given to another process");
        assert!(is_stale(&name(4_194_305, start), 7, 99), "no process has this number");
        assert!(!is_stale(&name(4_194_305, start), 8, 99), "another user's");
        assert!(
            !is_stale(&name(4_194_305, start), 7, 98),
            "another namespace's: its processes are not seen"
        );
        assert!(!is_stale(b"clawguard-7-x", 7, 99));
    }

    #[test]
    fn a_deep_tree_is_removed_and_nothing_behind_its_links() {
        let top = tempfile::tempdir().unwrap();
        let kept = top.path().join("kept");
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("file"), "x").unwrap();
        let tree = top.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::os::unix::fs::symlink(&kept, tree.join("link")).unwrap();
        let mut at =
            rustix::fs::open(&tree, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, "d", OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
                .unwrap();
        }
        remove(&AbsPath::parse(tree.as_os_str().as_bytes()).unwrap());
        assert!(!tree.exists());
        assert!(kept.join("file").exists());
    }
}
