//! The tree that the target lives in: an allowed directory with blocks of every kind, and a directory outside.
//!
//! Protected files must be the same after every list of calls: same place, inode, mode, owner, size, times and number
//! of links. Everything else in the allowed directories is made anew when it was changed.

use std::collections::BTreeMap;
use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::CANARY;

/// Files that nobody may change; those but `readable` hold the canary.
const PROTECTED: [&str; 6] = [
    "outside/key",
    "arena/.env",
    "arena/secret/key",
    "arena/kept/.env",
    "arena/kept/readable",
    "policy.yaml",
];
/// Directories that must stay where they are, with their mode and owner.
const PLACES: [&str; 7] = ["", "outside", "bin", "arena", "arena/kept", "arena/secret", "free"];
const OPEN: [&str; 3] = ["arena", "arena/kept", "free"];

type Seen = (u64, u32, u32, u64, u64, (i64, i64), (i64, i64));

pub(super) struct World {
    root: PathBuf,
    protected: BTreeMap<PathBuf, Seen>,
    fresh: BTreeMap<PathBuf, Seen>,
}

/// All that tells that an object was touched.
fn seen(metadata: &Metadata) -> Seen {
    let (inode, mode, owner) = (metadata.ino(), metadata.mode(), metadata.uid());
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    (inode, mode, owner, metadata.nlink(), metadata.size(), changed, modified)
}

impl World {
    pub(super) fn new() -> World {
        let owner = fs::metadata("/proc/self").expect("/proc is mounted").uid();
        assert_ne!(owner, 0, "not as root: a mistake that is found here must not hurt the host");
        let root = std::env::temp_dir().join(format!("clawfuzz-{}", std::process::id()));
        fs::create_dir(&root).expect("a fresh directory");
        let root = fs::canonicalize(root).expect("it was made just now");
        for place in PLACES {
            fs::create_dir_all(root.join(place)).expect("a directory");
            fs::set_permissions(root.join(place), Permissions::from_mode(0o755)).expect("a mode");
        }
        fs::write(root.join("policy.yaml"), policy(&root)).expect("a file");
        for file in PROTECTED.into_iter().filter(|file| *file != "policy.yaml") {
            let holds = if file.ends_with("readable") { b"readable" } else { CANARY };
            fs::write(root.join(file), holds).expect("a file");
        }
        let name = String::from_utf8_lossy(CANARY).into_owned();
        for directory in ["outside", "arena/secret"] {
            fs::write(root.join(directory).join(&name), "").expect("a file");
        }
        let executor = root.join("bin/executor");
        fs::write(&executor, include_bytes!(concat!(env!("OUT_DIR"), "/executor")))
            .expect("a file");
        fs::set_permissions(&executor, Permissions::from_mode(0o755)).expect("a mode");
        let mut world = World { root, protected: BTreeMap::new(), fresh: BTreeMap::new() };
        let look = |path: PathBuf| {
            let metadata = fs::symlink_metadata(&path).expect("it was made just now");
            (path, seen(&metadata))
        };
        world.protected = PROTECTED
            .into_iter()
            .chain(["bin/executor"])
            .map(|file| look(world.root.join(file)))
            .collect();
        world.reset();
        world
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn policy(&self) -> PathBuf {
        self.root.join("policy.yaml")
    }

    /// Makes what the target may change as it was, if it has changed.
    pub(super) fn reset(&mut self) {
        if !self.fresh.is_empty() && self.tree() == self.fresh {
            return;
        }
        self.reopen();
        let keep = |path: &Path| {
            let is_place = PLACES.iter().any(|place| path == self.root.join(place));
            is_place || self.protected.contains_key(path)
        };
        for directory in OPEN {
            for entry in fs::read_dir(self.root.join(directory)).expect("it stays").flatten() {
                if !keep(&entry.path()) {
                    remove(&entry.path());
                }
            }
        }
        for directory in ["arena/d", "arena/d/e", "free/d"] {
            fs::create_dir(self.root.join(directory)).expect("a directory");
        }
        let (arena, outside) = (self.root.join("arena"), self.root.join("outside"));
        for (file, holds) in [
            ("arena/f", &b"plain"[..]),
            ("arena/d/g", b"plain"),
            ("arena/d/.env", CANARY),
            ("arena/d/e/.env", CANARY),
            ("arena/blind", CANARY),
            ("arena/kept/f", b"plain"),
            ("free/f", b"plain"),
        ] {
            fs::write(self.root.join(file), holds).expect("a file");
        }
        for (link, to) in [
            ("link", PathBuf::from(".env")),
            ("dirlink", PathBuf::from("secret")),
            ("up", PathBuf::from("..")),
            ("loop", PathBuf::from("loop")),
            ("abs", outside.join("key")),
            ("root", PathBuf::from("/proc/self/root")),
            ("fdlink", PathBuf::from("/proc/self/fd/9")),
            ("dangling", PathBuf::from("kept/new")),
            ("long", arena.join("d/../d/./../../free//d")),
        ] {
            symlink(to, arena.join(link)).expect("a link");
        }
        mknodat(CWD, arena.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .expect("a FIFO");
        self.fresh = self.tree();
    }

    /// Everything in the allowed directories.
    fn tree(&self) -> BTreeMap<PathBuf, Seen> {
        let mut found = BTreeMap::new();
        let mut waiting: Vec<PathBuf> = ["arena", "free"].map(|name| self.root.join(name)).into();
        while let Some(path) = waiting.pop() {
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                waiting.extend(entries.map(|entry| entry.path()));
            }
            found.insert(path, seen(&metadata));
        }
        found
    }

    /// The target may close the allowed directories to everybody, by their modes.
    pub(super) fn reopen(&self) {
        for place in OPEN.map(|place| self.root.join(place)) {
            let mode = fs::metadata(&place).expect("it stays").mode() & 0o7777;
            if mode != 0o755 {
                fs::set_permissions(&place, Permissions::from_mode(0o755)).expect("a mode");
            }
        }
    }

    pub(super) fn assert_unchanged(&self) {
        for (path, before) in &self.protected {
            let now = fs::symlink_metadata(path).map(|metadata| seen(&metadata));
            assert!(
                now.as_ref().is_ok_and(|now| now == before),
                "{}: {before:?}, now {now:?}",
                path.display()
            );
        }
        for place in PLACES {
            let metadata = fs::symlink_metadata(self.root.join(place));
            assert!(metadata.is_ok_and(|metadata| metadata.is_dir()), "{place} is gone");
        }
        for (place, entries) in [("", 5), ("outside", 2), ("bin", 1), ("arena/secret", 2)] {
            let now = fs::read_dir(self.root.join(place)).expect("it stays").count();
            assert_eq!(now, entries, "something was made or removed in {place:?}");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn policy(root: &Path) -> String {
    let root = root.display();
    format!(
        "security:
  file_access:
    presets: [system]
    temporary: none
    allowed_paths:
      - {root}/arena
      - {root}/arena/kept
      - {{ path: {root}/arena/secret/pub, access: r }}
      - {root}/free
      - {{ path: {root}/bin, access: rx }}
    blocked_paths:
      - {root}/arena/**/.env
      - {root}/arena/secret
      - {{ path: {root}/arena/blind, access: r }}
      - {{ path: {root}/arena/kept/readable, access: w }}
      - {{ path: {root}/policy.yaml, access: w }}
"
    )
}

/// Removes an entry and what is in it, whatever modes the target gave it.
fn remove(path: &Path) {
    let is_directory = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    if is_directory {
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            remove(&entry.path());
        }
        fs::remove_dir(path).expect("an empty directory");
    } else {
        fs::remove_file(path).expect("an entry");
    }
}
