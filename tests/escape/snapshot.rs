//! What blocked things are: everything that can be seen of them from outside, but for the time of the last access.
//!
//! The time of change (ctime) of an inode moves with its content, mode, owner, times, extended attributes, flags and
//! number of names, and nobody can set it back: so a change that was undone is seen as well.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::policy::Protection;
use crate::support::World;

#[derive(PartialEq, Eq)]
struct Entry {
    device: u64,
    inode: u64,
    mode: u32,
    owner: (u32, u32),
    names: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    content: Vec<u8>,
}

/// One look at all that must not change.
pub(crate) struct Snapshot {
    home: PathBuf,
    frozen: Vec<PathBuf>,
    holes: Vec<PathBuf>,
    entries: BTreeMap<PathBuf, Entry>,
    pinned: BTreeMap<PathBuf, Option<(u64, u64, u32)>>,
    journal: Vec<u8>,
}

impl Snapshot {
    pub(crate) fn take(world: &World, protection: &Protection, more: &[PathBuf]) -> Snapshot {
        let home = world.home();
        let mut frozen: Vec<PathBuf> = protection.frozen.iter().map(|at| home.join(at)).collect();
        frozen.extend_from_slice(more);
        frozen.push(home.join("../policy.yaml"));
        let mut entries = BTreeMap::new();
        let holes: Vec<PathBuf> = protection.holes.iter().map(|at| home.join(at)).collect();
        frozen.iter().for_each(|path| walk(path, &holes, &mut entries));
        if let Some(name) = protection.wildcard {
            let mut named = Vec::new();
            find(&home.join("work"), name, &mut named);
            named.iter().for_each(|path| walk(path, &holes, &mut entries));
            frozen.extend(named);
        }
        let identity = |path: &PathBuf| {
            let found = fs::symlink_metadata(path).ok()?;
            Some((found.dev(), found.ino(), found.mode() & 0o170_000))
        };
        let pinned = protection.pinned.iter().map(|at| home.join(at));
        let pinned = pinned.map(|path| (path.clone(), identity(&path))).collect();
        let journal =
            fs::read(home.join(".local/state/clawguard/journal.jsonl")).unwrap_or_default();
        Snapshot { home, frozen, holes, entries, pinned, journal }
    }

    /// Is this one of the paths that must not change?
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let lies_in = |trees: &[PathBuf]| trees.iter().any(|tree| path.starts_with(tree));
        lies_in(&self.frozen) && !lies_in(&self.holes)
    }

    /// What is no longer as it was.
    pub(crate) fn differences(&self, after: &Snapshot) -> Vec<String> {
        let name = |path: &Path| {
            path.strip_prefix(&self.home).unwrap_or(path).to_string_lossy().into_owned()
        };
        let mut found = Vec::new();
        for (path, entry) in &self.entries {
            match after.entries.get(path) {
                None => found.push(format!("{} is gone", name(path))),
                Some(now) if now != entry => {
                    found.push(format!("{}: {}", name(path), entry.difference(now)));
                }
                Some(_) => {}
            }
        }
        let new = after.entries.keys().filter(|path| !self.entries.contains_key(*path));
        found.extend(new.map(|path| format!("{} is new", name(path))));
        for (path, identity) in &self.pinned {
            if after.pinned.get(path) != Some(identity) {
                found.push(format!("{} is another", name(path)));
            }
        }
        let has_forged =
            after.journal.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"{\"forged\""));
        if !after.journal.starts_with(&self.journal) || has_forged {
            found.push(
                "the journal holds what clawguard did not write, or lacks what it wrote".to_owned(),
            );
        }
        found
    }
}

impl Entry {
    fn look(path: &Path) -> Option<Entry> {
        let found = fs::symlink_metadata(path).ok()?;
        let kind = found.file_type();
        let content = if kind.is_file() {
            fs::read(path).unwrap_or_default()
        } else if kind.is_symlink() {
            fs::read_link(path).ok()?.into_os_string().into_encoded_bytes()
        } else {
            Vec::new()
        };
        Some(Entry {
            device: found.dev(),
            inode: found.ino(),
            mode: found.mode(),
            owner: (found.uid(), found.gid()),
            names: found.nlink(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            content,
        })
    }

    fn difference(&self, now: &Entry) -> String {
        let mut fields = Vec::new();
        let mut field = |name, differs| {
            if differs {
                fields.push(name);
            }
        };
        field("another file", (self.device, self.inode) != (now.device, now.inode));
        field("mode", self.mode != now.mode);
        field("owner", self.owner != now.owner);
        field("number of names", self.names != now.names);
        field("content", self.content != now.content || self.size != now.size);
        field("time of modification", self.modified != now.modified);
        field("time of change", self.changed != now.changed);
        fields.join(", ")
    }
}

/// Directories first; no link is followed.
fn walk(path: &Path, holes: &[PathBuf], entries: &mut BTreeMap<PathBuf, Entry>) {
    if holes.iter().any(|hole| hole == path) {
        return;
    }
    let Some(entry) = Entry::look(path) else { return };
    let is_directory = entry.mode & 0o170_000 == 0o040_000;
    entries.insert(path.to_owned(), entry);
    if !is_directory {
        return;
    }
    for child in fs::read_dir(path).into_iter().flatten().flatten() {
        walk(&child.path(), holes, entries);
    }
}

/// Everything of this name in a tree.
fn find(directory: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for child in fs::read_dir(directory).into_iter().flatten().flatten() {
        if child.file_name() == name {
            found.push(child.path());
        } else if child.file_type().is_ok_and(|kind| kind.is_dir()) {
            find(&child.path(), name, found);
        }
    }
}
