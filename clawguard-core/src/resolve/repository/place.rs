//! What the files of a git directory lead to: another git directory, its working tree, the directory that it shares.
//!
//! Looks at single files, and believes none of them; who asks decides what it proves.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::index::{self, Entry, Hash};
use super::settings::{GitSetting, Settings};
use super::sha1;
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
    /// An index of some millions of files.
    const LARGEST: u64 = 512 << 20;
    let shared = common(git).unwrap_or_else(|| git.clone());
    let format = Settings::of(shared.join(b"config").as_path()).object_format;
    let is_sha256 = format.is_some_and(|format| format.eq_ignore_ascii_case(b"sha256"));
    let hash = if is_sha256 { Hash::Sha256 } else { Hash::Sha1 };
    let names = std::fs::read_dir(git.as_path()).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name());
    let is_index =
        |name: &std::ffi::OsString| name == "index" || name.as_bytes().starts_with(b"sharedindex.");
    let read = |name: std::ffi::OsString| contents(&regular(&git.join(name.as_bytes()))?, LARGEST);
    let indices = names.filter(is_index).filter_map(read);
    indices.flat_map(|bytes| index::entries(&bytes, hash)).collect()
}

/// Files that git must read before it can write its index, since they changed in the second in which that was written
/// (racy-git in git's documentation).
#[derive(Debug, Default)]
pub(super) struct Racy {
    /// Those that have the very contents that the index names. The target may write the index, so an entry alone says
    /// nothing; but contents are named only by who knows them.
    pub(super) known: Vec<AbsPath>,
    /// Are there others?
    pub(super) has_unknown: bool,
}

/// The racy files of a working tree, outside of `directory`.
pub(super) fn racy(git: &AbsPath, top: &AbsPath, directory: &AbsPath) -> Racy {
    /// Of all files together. A start must not take long.
    const MOST_BYTES: u64 = 16 << 20;
    let mut racy = Racy::default();
    let Ok(is) = std::fs::symlink_metadata(git.join(b"index").as_path()) else { return racy };
    let is_racy = |entry: &Entry| !entry.is_submodule && i64::from(entry.changed) >= is.mtime();
    // One guess for each name: the contents of a file must not be tried out.
    let entries = tracked(git).into_iter().filter(is_racy).map(|entry| (entry.path, entry.object));
    let entries: std::collections::BTreeMap<Vec<u8>, Vec<u8>> = entries.collect();
    let mut left = MOST_BYTES;
    for (name, object) in entries {
        let Some(path) = plain(&name, top).filter(|path| !path.starts_with(directory)) else {
            continue;
        };
        let Some(file) = regular(&path) else { continue };
        let contents = contents(&file, left);
        left -= contents.as_ref().map_or(0, |contents| contents.len() as u64);
        match contents {
            Some(contents) if sha1::blob(&contents)[..] == object[..] => racy.known.push(path),
            Some(_) | None => racy.has_unknown = true,
        }
    }
    racy
}

/// A name in the working tree with no link on its way.
fn plain(name: &[u8], top: &AbsPath) -> Option<AbsPath> {
    let path = follow(name, top);
    let is_plain = path.as_bytes() == [top.as_bytes(), b"/", name].concat();
    is_plain.then_some(path)
}

/// A regular file, open. What the target may have put there instead is not waited for.
fn regular(path: &AbsPath) -> Option<File> {
    let is_file = std::fs::symlink_metadata(path.as_path()).is_ok_and(|is| is.is_file());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = is_file.then(|| rustix::fs::open(path.as_path(), flags, Mode::empty()));
    let file = File::from(fd?.ok()?);
    file.metadata().is_ok_and(|is| is.is_file()).then_some(file)
}

/// What a file holds, if that is not more than `most`.
fn contents(file: &File, most: u64) -> Option<Vec<u8>> {
    let mut contents = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut contents).ok()?;
    (contents.len() as u64 <= most).then_some(contents)
}

/// The submodules that `.gitmodules` at the top names: a file that is not the target's where git beneath it is.
pub(super) fn declared(top: &AbsPath) -> Vec<AbsPath> {
    const LONGEST: u64 = 4 << 20;
    let file = regular(&top.join(b".gitmodules"));
    let text = file.and_then(|file| contents(&file, LONGEST)).unwrap_or_default();
    let settings = GitSetting::all(&text).into_iter();
    let paths = settings.filter(|one| one.section == b"submodule" && one.key == b"path");
    paths.filter_map(|one| plain(&one.value, top)).collect()
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

/// What is in a directory, in order.
pub(super) fn names_in(directory: &AbsPath) -> Vec<AbsPath> {
    let entries = std::fs::read_dir(directory.as_path()).into_iter().flatten().flatten();
    let names = entries.map(|entry| directory.join(entry.file_name().as_bytes()));
    let mut found: Vec<AbsPath> = names.collect();
    found.sort();
    found
}

/// The file system that a path is on; git does not look for a repository across its borders.
pub(super) fn device(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|is| is.dev())
}
