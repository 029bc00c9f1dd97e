//! The trees: how they are made, and how they are looked at afterwards.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::operation::{TOP, replace, show};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Directory,
    /// What it holds.
    File(Vec<u8>),
    /// Where it leads.
    Link(Vec<u8>),
    /// The other name, beneath the top.
    Hard(Vec<u8>),
    Socket,
    /// The policy in use; its text is written when the rules are known.
    Policy,
    /// A link that leads to the policy (a path beneath the top), by which it is named.
    PolicyLink(Vec<u8>),
    /// A directory that `$XDG_CONFIG_HOME` names.
    Config,
}

/// One entry of a tree; parents come first. The path is relative to the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) path: Vec<u8>,
    pub(crate) what: What,
    pub(crate) mode: u32,
}

pub(crate) fn at(top: &Path, relative: &[u8]) -> PathBuf {
    if relative.is_empty() { top.to_owned() } else { top.join(OsStr::from_bytes(relative)) }
}

/// Makes the tree. A node that cannot stand (its parent was taken out of the script) is left out.
pub(crate) fn build(top: &Path, nodes: &[Node], uid: u32) {
    fs::create_dir(top).unwrap();
    lchown(top, Some(uid), Some(uid)).unwrap();
    let text = top.as_os_str().as_bytes();
    for node in nodes {
        let path = at(top, &node.path);
        let made = match &node.what {
            What::Directory | What::Config => fs::create_dir(&path),
            What::Policy => fs::write(&path, ""),
            What::PolicyLink(target) => symlink(at(top, target), &path),
            What::File(bytes) => fs::write(&path, replace(bytes, TOP, text)),
            What::Link(target) => symlink(OsStr::from_bytes(&replace(target, TOP, text)), &path),
            What::Hard(other) => fs::hard_link(at(top, other), &path),
            What::Socket => UnixListener::bind(&path).map(drop),
        };
        if made.is_err() {
            continue;
        }
        lchown(&path, Some(uid), Some(uid)).unwrap();
        if matches!(node.what, What::File(_) | What::Directory | What::Policy | What::Config) {
            fs::set_permissions(&path, fs::Permissions::from_mode(node.mode)).unwrap();
        }
    }
}

/// Everything beneath a directory, itself included, by its relative path.
fn visit(top: &Path, see: &mut impl FnMut(&Path, &[u8], &fs::Metadata)) {
    let mut open = vec![Vec::new()];
    while let Some(relative) = open.pop() {
        let path = at(top, &relative);
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        see(&path, &relative, &found);
        if !found.is_dir() {
            continue;
        }
        let Ok(entries) = fs::read_dir(&path) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().into_vec();
            let is_top = relative.is_empty();
            open.push(if is_top { name } else { [&relative[..], b"/", &name[..]].concat() });
        }
    }
}

/// Paths and kinds, for whoever looks for something to act on.
pub(crate) fn paths(top: &Path) -> Vec<(Vec<u8>, fs::FileType)> {
    let mut all = Vec::new();
    visit(top, &mut |_, relative, found| all.push((relative.to_vec(), found.file_type())));
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// What changes whenever anything of an object changes: its number and the time of its last change.
pub(crate) type Stamps = BTreeMap<Vec<u8>, (u64, i64, i64, u64, u32)>;

pub(crate) fn stamps(top: &Path) -> Stamps {
    let mut all = BTreeMap::new();
    visit(top, &mut |_, relative, found| {
        let stamp = (found.ino(), found.ctime(), found.ctime_nsec(), found.size(), found.mode());
        all.insert(relative.to_vec(), stamp);
    });
    all
}

/// What twins have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    mode: u32,
    uid: u32,
    /// 0 for directories, whose size and links are the file system's business.
    links: u64,
    holds: Vec<u8>,
}

pub(crate) fn look(top: &Path) -> BTreeMap<Vec<u8>, Look> {
    let text = top.as_os_str().as_bytes();
    let mut all = BTreeMap::new();
    visit(top, &mut |path, relative, found| {
        let holds = if found.is_file() {
            fs::read(path).unwrap_or_default()
        } else if found.is_symlink() {
            fs::read_link(path).map(|target| target.into_os_string().into_vec()).unwrap_or_default()
        } else {
            Vec::new()
        };
        let links = if found.is_dir() { 0 } else { found.nlink() };
        let holds = replace(&holds, text, TOP);
        let look = Look { mode: found.mode(), uid: found.uid(), links, holds };
        all.insert(relative.to_vec(), look);
    });
    all
}

impl Look {
    /// What it holds, whatever its mode is.
    pub(crate) fn content(&self) -> String {
        show(&self.holds)
    }

    pub(crate) fn holds_secret(&self) -> bool {
        self.holds == crate::support::CANARY.as_bytes()
    }
}

/// Where two looks differ.
pub(crate) fn differences(
    one: &BTreeMap<Vec<u8>, Look>,
    other: &BTreeMap<Vec<u8>, Look>,
) -> Vec<String> {
    let mut keys: Vec<&Vec<u8>> = one.keys().chain(other.keys()).collect();
    keys.sort();
    keys.dedup();
    let differs = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differs
        .map(|key| {
            let text = |look: Option<&Look>| look.map_or("nothing".to_owned(), ToString::to_string);
            format!(
                "\"{}\": confined {}, bare {}",
                show(key),
                text(one.get(key)),
                text(other.get(key))
            )
        })
        .collect()
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = show(&self.holds[..self.holds.len().min(80)]);
        write!(f, "mode {:o} uid {} links {} \"{holds}\"", self.mode, self.uid, self.links)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = show(&self.path);
        match &self.what {
            What::Directory => write!(f, "mkdir -m {:o} \"{path}\"", self.mode),
            What::Policy => write!(f, "the policy stands in \"{path}\""),
            What::PolicyLink(target) => {
                write!(f, "ln -s \"{{top}}/{}\" \"{path}\", which --policy names", show(target))
            }
            What::Config => write!(f, "mkdir \"{path}\", which XDG_CONFIG_HOME names"),
            What::File(bytes) => {
                write!(f, "printf '{}' > \"{path}\"; chmod {:o} \"{path}\"", show(bytes), self.mode)
            }
            What::Link(target) => write!(f, "ln -s \"{}\" \"{path}\"", show(target)),
            What::Hard(other) => write!(f, "ln \"{}\" \"{path}\"", show(other)),
            What::Socket => write!(f, "bind \"{path}\""),
        }
    }
}
