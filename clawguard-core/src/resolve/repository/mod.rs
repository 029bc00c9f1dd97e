//! The git repository of a working directory, as far as the built-in default must know it: what the owner's git trusts
//! there, and which git directories outside of the working directory belong to it.
//!
//! Found by reading what git reads; git itself is not run, since a repository decides what git runs. An earlier run may
//! have written `.git`: nothing is allowed because of what that says alone.

#![forbid(unsafe_code)]

mod index;
mod place;
mod settings;
mod sha1;
#[cfg(test)]
mod tests;
mod trusted;

use std::os::unix::fs::MetadataExt;

use self::place::DotGit;
pub use self::settings::GitSetting;
use self::trusted::Search;
use super::host::Host;
use crate::path::AbsPath;
use crate::quote::quote;

/// What git in a directory needs, and what nobody confined may change there.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Repository {
    /// What the owner's next git command would run, or be led by.
    pub trusted: Vec<AbsPath>,
    /// Git directories outside of the directory that are proven to belong to it.
    pub directories: Vec<AbsPath>,
    /// Files beside and above the directory by which git treats what lies in it, and git directories of submodules.
    pub readable: Vec<AbsPath>,
    /// Why git will not work, or is not protected, one sentence each.
    pub remarks: Vec<String>,
}

/// Where a repository was found.
struct Found {
    top: AbsPath,
    /// None for a bare repository: the directory itself.
    dot_git: Option<DotGit>,
}

/// Files of the working tree that git reads in each directory.
const IN_EVERY_DIRECTORY: [&[u8]; 2] = [b".gitattributes", b".gitignore"];
/// Files of the working tree that git reads at its top.
const AT_THE_TOP: [&[u8]; 2] = [b".gitmodules", b".mailmap"];

/// Rules for more files than this would slow the start down.
const MOST_RACY: usize = 1024;

impl Repository {
    /// The repository that holds `directory`, a real path; everything is empty outside of one. Git in the working trees
    /// of `workspaces` is the target's to run.
    #[must_use]
    pub fn of(directory: &AbsPath, workspaces: &[AbsPath], host: &Host) -> Repository {
        let mut search = Search::new(workspaces, host.home.as_ref());
        let Some(found) = find(directory, &mut search) else {
            // What is no repository as it stands can be made one again.
            let trusted = search.found.into_iter().collect();
            return Repository { trusted, ..Repository::default() };
        };
        search.settings_of_owner(&settings_of_owner(host), &found.top);
        let mut repository = Repository::default();
        if search.was_cut_short {
            repository.remarks.push(format!(
                "the repository of `{directory}` has more git directories than are looked at: the rest is not protected"
            ));
        }
        if let Some(link) = search.links.first() {
            repository.remarks.push(format!(
                "`{link}` is a symbolic link, which git outside would write through: remove it if you did not make it"
            ));
        }
        match proven(&found, directory, host) {
            Ok(directories) => {
                repository.directories = directories;
                repository.readable = readable(&found.top, directory, &search);
                repository.name_undeclared(&found.top, directory, &search);
                repository.read_racy(&found, directory);
            }
            Err(Unproven { git, reason }) => repository.remarks.push(format!(
                "git will not work in `{directory}`: its git directory `{git}` {reason}, so it is not allowed; if you \
                 know it, start with `--allow . --allow {}`",
                quote(git.as_bytes())
            )),
        }
        repository.trusted = search.found.into_iter().collect();
        repository
    }

    /// A repository in the index that nothing but the index calls a submodule.
    fn name_undeclared(&mut self, top: &AbsPath, directory: &AbsPath, search: &Search<'_>) {
        let is_undeclared =
            |path: &&AbsPath| path.as_path().is_dir() && !self.readable.contains(path);
        let beside = beside(top, directory, search);
        if let Some(path) = beside.iter().find(is_undeclared) {
            self.remarks.push(format!(
                "git will not work in `{directory}`: `{path}` is in its index, and `.gitmodules` names no submodule there, so \
                 it is not allowed"
            ));
        }
    }

    /// In a subdirectory of a tree that was just checked out, git must read files beside it; else it writes no index.
    fn read_racy(&mut self, found: &Found, directory: &AbsPath) {
        if found.top == *directory {
            return;
        }
        let git = match found.dot_git {
            Some(DotGit::File) => place::named_by_file(&found.top),
            Some(DotGit::Directory) => Some(found.top.join(b".git")),
            Some(DotGit::Link | DotGit::Nothing) | None => None,
        };
        let mut racy =
            git.map_or_else(Default::default, |git| place::racy(&git, &found.top, directory));
        let has_many = racy.known.len() > MOST_RACY;
        if has_many || racy.has_unknown {
            self.remarks.push(format!(
                "git will not write its index in `{directory}`, since files beside it changed when the index was \
                 written: run `git -C {} status` outside once",
                quote(found.top.as_bytes())
            ));
        }
        if !has_many {
            self.readable.append(&mut racy.known);
        }
        self.readable.sort();
        self.readable.dedup();
    }
}

/// Goes up as git does; adds what is trusted on the way.
fn find(directory: &AbsPath, search: &mut Search<'_>) -> Option<Found> {
    let device = place::device(directory.as_path());
    let mut at = directory.clone();
    loop {
        let dot_git = place::dot_git(&at);
        search.tree(&at);
        let is_here = match dot_git {
            DotGit::Directory | DotGit::Link => place::is_git_directory(&at.join(b".git")),
            DotGit::File => true,
            DotGit::Nothing => false,
        };
        if is_here {
            // In a directory of the working tree, git would take a repository planted there for its own.
            if at != *directory {
                search.found.extend([directory.join(b".git"), directory.join(b"HEAD")]);
            }
            return Some(Found { top: at, dot_git: Some(dot_git) });
        }
        if place::is_git_directory(&at) {
            search.git(&at, None);
            return Some(Found { top: at, dot_git: None });
        }
        let above = at.parent()?;
        if place::device(above.as_path()) != device {
            return None;
        }
        at = above;
    }
}

/// The files of settings that git reads in every repository.
fn settings_of_owner(host: &Host) -> Vec<AbsPath> {
    let user = host.beneath_home(b".gitconfig");
    let xdg = host.xdg("XDG_CONFIG_HOME", b".config").map(|config| {
        let git = config.join(b"git");
        git.join(b"config")
    });
    let system = AbsPath::parse("/etc/gitconfig").ok();
    [user, xdg, system].into_iter().flatten().collect()
}

/// A git directory that is not allowed.
struct Unproven {
    git: AbsPath,
    reason: String,
}

/// The git directories outside of `directory` that belong to it, whatever an earlier run may have written into it.
fn proven(found: &Found, directory: &AbsPath, host: &Host) -> Result<Vec<AbsPath>, Unproven> {
    let top = &found.top;
    let is_inside = |git: &AbsPath| git.starts_with(directory);
    let (git, belongs) = match found.dot_git {
        None => (top.clone(), Err("is a bare repository around the working directory")),
        Some(DotGit::Directory) => {
            let git = top.join(b".git");
            let shares = place::common(&git).is_some();
            (git.clone(), if shares { Err("shares another one") } else { Ok(git) })
        }
        Some(DotGit::File) => {
            let Some(git) = place::named_by_file(top) else { return Ok(Vec::new()) };
            (git.clone(), named_back(&git, top))
        }
        Some(DotGit::Link | DotGit::Nothing) => {
            let git = place::follow(b".git", top);
            (git, Err("is named by a symbolic link"))
        }
    };
    if is_inside(&git) && place::common(&git).is_none_or(|common| is_inside(&common)) {
        return Ok(Vec::new());
    }
    let unproven = |git: &AbsPath, reason: String| Err(Unproven { git: git.clone(), reason });
    match belongs {
        Err(reason) => unproven(&git, reason.to_owned()),
        Ok(shared) => match unfit(&shared, directory, host) {
            Some(reason) => unproven(&shared, reason),
            None => Ok(vec![shared]),
        },
    }
}

/// The directory to allow for a `.git` that is a file: the one that it names must name it back, which an earlier run
/// that could write the file alone cannot make it do.
fn named_back(git: &AbsPath, top: &AbsPath) -> Result<AbsPath, &'static str> {
    match place::common(git) {
        Some(common) => {
            let is_its = git.parent() == Some(common.join(b"worktrees"));
            let is_back = place::back(git) == Some(top.join(b".git"));
            if is_its && is_back { Ok(common) } else { Err("does not name this worktree back") }
        }
        None if place::worktree(git).as_ref() == Some(top) => Ok(git.clone()),
        None => Err("does not name this working tree back"),
    }
}

/// Why a git directory cannot be allowed, whatever belongs to it.
fn unfit(git: &AbsPath, directory: &AbsPath, host: &Host) -> Option<String> {
    if directory.starts_with(git) {
        return Some("holds the working directory".to_owned());
    }
    if !place::is_whole(git) {
        return Some("is no git directory".to_owned());
    }
    let owner = std::fs::symlink_metadata(git.as_path()).ok().map(|is| is.uid());
    if owner != Some(host.uid) {
        return Some("belongs to another user".to_owned());
    }
    host.unfit_workspace(git).map(|reason| format!("is {reason}"))
}

/// What exists between the top and `directory` by which git treats what lies in it, and what says of a submodule
/// elsewhere in the working tree where it is; without that, git ends.
fn readable(top: &AbsPath, directory: &AbsPath, search: &Search<'_>) -> Vec<AbsPath> {
    let above = std::iter::successors(directory.parent(), AbsPath::parent);
    let above = above.take_while(|at| at.starts_with(top));
    let mut files: Vec<AbsPath> =
        above.flat_map(|at| IN_EVERY_DIRECTORY.map(|name| at.join(name))).collect();
    if top != directory {
        files.extend(AT_THE_TOP.map(|name| top.join(name)));
        // Where it is a file, git begins with it.
        files.push(top.join(b".git"));
    }
    let kind = |path: &AbsPath| std::fs::symlink_metadata(path.as_path()).ok();
    files.retain(|file| kind(file).is_some_and(|is| is.is_file()));
    let beside = beside(top, directory, search);
    files.extend(beside.into_iter().filter(|path| is_submodules(path, top)));
    files.sort();
    files
}

/// `.git` of each submodule elsewhere in the working tree, as far as the index can be believed.
fn beside(top: &AbsPath, directory: &AbsPath, search: &Search<'_>) -> Vec<AbsPath> {
    let found = search.submodules.iter();
    found.filter(|path| path.starts_with(top) && !path.starts_with(directory)).cloned().collect()
}

/// Is this `.git` a submodule's? The index alone does not say so: the target may write it, and could name any repository
/// in the working tree. A file that leads elsewhere tells nothing else.
fn is_submodules(dot_git: &AbsPath, top: &AbsPath) -> bool {
    let Some(submodule) = dot_git.parent() else { return false };
    match place::dot_git(&submodule) {
        DotGit::File => place::named_by_file(&submodule).is_some(),
        DotGit::Directory => place::declared(top).contains(&submodule),
        DotGit::Link | DotGit::Nothing => false,
    }
}
