//! What the files of a git directory lead to: another git directory, its working tree, the directory that it shares.
//!
//! Looks at single files, and believes none of them; who asks decides what it proves.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::index::{self, Entry, Hash};
use super::settings::Settings;
use crate::path::AbsPath;
use crate::resolve::links::Links;

/// What `.git` in a directory is, its own link not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DotGit {
    Directory,
    /// A file that names the git directory.
    File,
    Link,
    Nothing,
}

pub(super) fn dot_git(directory: &AbsPath) -> DotGit {
    match std::fs::symlink_metadata(directory.join(b".git").as_path()) {
        Ok(is) if is.is_dir() => DotGit::Directory,
        Ok(is) if is.is_file() => DotGit::File,
        Ok(is) if is.is_symlink() => DotGit::Link,
        Ok(_) | Err(_) => DotGit::Nothing,
    }
}

/// Does git take this for a git directory (`is_git_directory` in its setup.c)? What a worktree shares is looked for
/// in the shared directory.
pub(super) fn is_git_directory(git: &AbsPath) -> bool {
    let shared = common(git).unwrap_or_else(|| git.clone());
    let is_there = |path: AbsPath| std::fs::symlink_metadata(path.as_path()).is_ok();
    let is_directory = |path: AbsPath| path.as_path().is_dir();
    is_there(git.join(b"HEAD"))
        && is_directory(shared.join(b"objects"))
        && is_directory(shared.join(b"refs"))
}

/// The same, with everything in its own place: no link leads out of it.
pub(super) fn is_whole(git: &AbsPath) -> bool {
    let is = |name: &[u8]| std::fs::symlink_metadata(git.join(name).as_path());
    is(b"HEAD").is_ok()
        && is(b"objects").is_ok_and(|is| is.is_dir())
        && is(b"refs").is_ok_and(|is| is.is_dir())
}

/// The git directory that the file `.git` in a directory names.
pub(super) fn named_by_file(directory: &AbsPath) -> Option<AbsPath> {
    path_in(&directory.join(b".git"), b"gitdir:", directory)
}

/// The git directory that a worktree's shares.
pub(super) fn common(git: &AbsPath) -> Option<AbsPath> {
    path_in(&git.join(b"commondir"), b"", git)
}

/// Where the linked worktree of a git directory has its `.git`.
pub(super) fn back(git: &AbsPath) -> Option<AbsPath> {
    path_in(&git.join(b"gitdir"), b"", git)
}

/// The working tree that the configuration of a git directory names, as that of each submodule does.
pub(super) fn worktree(git: &AbsPath) -> Option<AbsPath> {
    let named = [&b"config.worktree"[..], b"config"].into_iter();
    let mut named = named.filter_map(|name| Settings::of(git.join(name).as_path()).worktree);
    named.next().map(|named| follow(&named, git))
}

/// The path that a file holds after `prefix`, relative to `base`, with all links followed.
fn path_in(file: &AbsPath, prefix: &[u8], base: &AbsPath) -> Option<AbsPath> {
    const LONGEST: u64 = 1 << 16;
    let is = std::fs::metadata(file.as_path()).ok()?;
    if !is.is_file() || is.size() > LONGEST {
        return None;
    }
    let text = std::fs::read(file.as_path()).ok()?;
    let path = text.strip_prefix(prefix)?.trim_ascii();
    (!path.is_empty()).then(|| follow(path, base))
}

/// A path relative to `base`, with all links followed.
pub(super) fn follow(path: &[u8], base: &AbsPath) -> AbsPath {
    let whole = match path {
        [b'/', ..] => path.to_vec(),
        _relative => [base.as_bytes(), b"/", path].concat(),
    };
    Links::default().follow_raw(&whole)
}

/// What the index of a working tree tracks, and the parts that it is split into.
pub(super) fn tracked(git: &AbsPath) -> Vec<Entry> {
    let shared = common(git).unwrap_or_else(|| git.clone());
    let format = Settings::of(shared.join(b"config").as_path()).object_format;
    let is_sha256 = format.is_some_and(|format| format.eq_ignore_ascii_case(b"sha256"));
    let hash = if is_sha256 { Hash::Sha256 } else { Hash::Sha1 };
    let names = std::fs::read_dir(git.as_path()).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name());
    let is_index =
        |name: &std::ffi::OsString| name == "index" || name.as_bytes().starts_with(b"sharedindex.");
    let read = |name: std::ffi::OsString| std::fs::read(git.join(name.as_bytes()).as_path());
    let indices = names.filter(is_index).filter_map(|name| read(name).ok());
    indices.flat_map(|bytes| index::entries(&bytes, hash)).collect()
}

/// The tracked files that git must read before it can write its index, since they changed in the second in which that
/// was written (racy-git in git's documentation).
pub(super) fn racy(git: &AbsPath, top: &AbsPath) -> Vec<AbsPath> {
    let Ok(is) = std::fs::symlink_metadata(git.join(b"index").as_path()) else { return Vec::new() };
    let racy = |entry: &Entry| !entry.is_submodule && i64::from(entry.changed) >= is.mtime();
    let found = tracked(git).into_iter().filter(racy).map(|entry| follow(&entry.path, top));
    found.filter(|path| path.starts_with(top)).collect()
}

/// The directories in a directory, in order, without links.
pub(super) fn directories_in(directory: &AbsPath) -> Vec<AbsPath> {
    let entries = std::fs::read_dir(directory.as_path()).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|is| is.is_dir()));
    let mut found: Vec<AbsPath> =
        directories.map(|entry| directory.join(entry.file_name().as_bytes())).collect();
    found.sort();
    found
}

/// The file system that a path is on; git does not look for a repository across its borders.
pub(super) fn device(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|is| is.dev())
}
