//! The files of a git repository that its owner's next git command would run or trust.
//!
//! Found by reading what git reads; git itself is not run, since a repository decides what git runs.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;

use crate::path::AbsPath;

/// Hooks and configuration of the repository that holds `directory`; nothing outside a repository.
///
/// In a worktree or submodule `.git` is a file that names the git directory: whoever writes it chooses the hooks, so
/// it is one of them.
pub(super) fn trusted_files(directory: &AbsPath) -> Vec<AbsPath> {
    let mut files = Vec::new();
    let Some((git, pointer)) = git_directory(directory) else { return files };
    files.extend(pointer);
    // A worktree has its own `config.worktree`, and shares hooks and `config` with its repository.
    let common = read_path(&git.join(b"commondir"), b"", &git);
    for directory in [Some(git), common].into_iter().flatten() {
        for name in [&b"hooks"[..], b"config", b"config.worktree", b"commondir"] {
            files.push(directory.join(name));
        }
    }
    files.sort();
    files.dedup();
    files
}

fn git_directory(directory: &AbsPath) -> Option<(AbsPath, Option<AbsPath>)> {
    let mut at = Some(directory.clone());
    while let Some(directory) = at {
        let dot_git = directory.join(b".git");
        if dot_git.as_path().is_dir() {
            return Some((dot_git, None));
        }
        if dot_git.as_path().is_file() {
            let git = read_path(&dot_git, b"gitdir:", &directory)?;
            return Some((git, Some(dot_git)));
        }
        at = directory.parent();
    }
    None
}

/// The path that a file of git's holds after `prefix`, relative to `base`.
fn read_path(file: &AbsPath, prefix: &[u8], base: &AbsPath) -> Option<AbsPath> {
    let text = std::fs::read(file).ok()?;
    let path = text.strip_prefix(prefix)?.trim_ascii();
    let joined = base.as_path().join(std::ffi::OsStr::from_bytes(path));
    let real = std::fs::canonicalize(joined).ok()?;
    AbsPath::parse(real.as_os_str().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(top: &std::path::Path, directory: &str) -> Vec<String> {
        let path = AbsPath::parse(top.join(directory).as_os_str().as_bytes()).unwrap();
        let relative =
            |path: &AbsPath| path.as_path().strip_prefix(top).unwrap().display().to_string();
        trusted_files(&path).iter().map(relative).collect()
    }

    #[test]
    fn a_repository_and_its_worktree_protect_the_same_hooks() {
        let dir = tempfile::tempdir().unwrap();
        let top = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir_all(top.join("repo/.git/worktrees/w")).unwrap();
        std::fs::create_dir_all(top.join("tree/sub")).unwrap();
        std::fs::write(top.join("repo/.git/worktrees/w/commondir"), "../..\n").unwrap();
        let pointer = format!("gitdir: {}\n", top.join("repo/.git/worktrees/w").display());
        std::fs::write(top.join("tree/.git"), pointer).unwrap();
        assert!(names(&top, "repo").contains(&"repo/.git/hooks".to_owned()));
        let tree = names(&top, "tree");
        for name in
            ["tree/.git", "repo/.git/hooks", "repo/.git/config", "repo/.git/worktrees/w/commondir"]
        {
            assert!(tree.contains(&name.to_owned()), "{name}: {tree:?}");
        }
        assert_eq!(names(&top, "tree/sub"), tree, "a directory beneath is in the same repository");
    }
}
