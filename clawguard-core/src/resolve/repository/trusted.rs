//! What the owner's git trusts in a repository: the files by which a target would choose what runs outside.
//!
//! Each was tried with real git (docs/limits.md, "What git trusts"). Only what exists is looked for: what the target
//! makes later is the target's own.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::place::{self, DotGit};
use super::settings::Settings;
use crate::path::AbsPath;

/// Of every git directory: what it runs, reads its settings from, and shares.
/// `remotes` and `branches` name where a remote without a configuration is: `git push` runs the hooks there.
const OF_GIT_DIRECTORY: [&[u8]; 6] =
    [b"hooks", b"config", b"config.worktree", b"commondir", b"remotes", b"branches"];

/// Of the git directory of a linked worktree: `gitdir` besides, by which it proves itself.
const OF_WORKTREE: [&[u8]; 4] = [b"commondir", b"config", b"config.worktree", b"gitdir"];

/// What git outside writes through a link, truncated or at its end, with words that the target may choose: it would
/// write them wherever the link leads. Inside git writes them too, so they stay writable, and only links are refused.
const NO_LINKS: [&[u8]; 22] = [
    b"ADD_EDIT.patch",
    b"BISECT_LOG",
    b"COMMIT_EDITMSG",
    b"EDIT_DESCRIPTION",
    b"FETCH_HEAD",
    b"MERGE_HEAD",
    b"MERGE_MODE",
    b"MERGE_MSG",
    b"MERGE_RR",
    b"NOTES_EDITMSG",
    b"SQUASH_MSG",
    b"TAG_EDITMSG",
    b"addp-hunk-edit.diff",
    b"gc.pid",
    b"index",
    b"info/sparse-checkout",
    b"logs/HEAD",
    b"logs/refs/stash",
    b"objects/info/commit-graph",
    b"packed-refs",
    b"rebase-merge",
    b"shallow",
];

/// Branches whose logs must be no links, at most.
const MOST_LOGS: usize = 256;

/// A name beneath one of [`NO_LINKS`]: where something blocked can stand beneath a name, no link gets that name.
const BENEATH: &[u8] = b"not-a-link";

/// What only git in that working tree changes: lists of commands to go on with, and which submodules it enters.
const STATE: [&[u8]; 4] = [b"index", b"rebase-apply", b"rebase-merge", b"sequencer"];

/// More git directories than anybody has: the search ends.
const MOST: usize = 4096;

/// Submodules have names with slashes, and submodules of their own.
const DEEPEST: usize = 8;

/// The search for the trusted files of one repository.
#[derive(Debug)]
pub(super) struct Search<'a> {
    /// Git in a working tree outside of these is nothing that the target runs.
    workspaces: &'a [AbsPath],
    /// The working trees that the workspaces are in.
    tops: BTreeSet<AbsPath>,
    home: Option<&'a AbsPath>,
    seen: BTreeSet<AbsPath>,
    pub(super) found: BTreeSet<AbsPath>,
    /// `.git` of each submodule that an index names: git looks into it for the state of the outer repository.
    pub(super) submodules: BTreeSet<AbsPath>,
    pub(super) was_cut_short: bool,
    /// Links that an earlier run may have left where git outside writes.
    pub(super) links: BTreeSet<AbsPath>,
}

impl<'a> Search<'a> {
    pub(super) fn new(workspaces: &'a [AbsPath], home: Option<&'a AbsPath>) -> Search<'a> {
        Search {
            workspaces,
            tops: workspaces.iter().filter_map(top).collect(),
            home,
            seen: BTreeSet::new(),
            found: BTreeSet::new(),
            submodules: BTreeSet::new(),
            was_cut_short: false,
            links: BTreeSet::new(),
        }
    }

    /// A working tree and its repository.
    pub(super) fn tree(&mut self, top: &AbsPath) {
        let dot_git = top.join(b".git");
        match place::dot_git(top) {
            DotGit::File => {
                if let Some(git) = place::named_by_file(top) {
                    self.git(&git, Some(top));
                }
            }
            // If it were no git directory any more, git would take the working tree itself for one.
            DotGit::Directory => {
                self.found.insert(top.join(b"HEAD"));
                self.git(&dot_git, Some(top));
                return;
            }
            DotGit::Link => self.git(&place::follow(dot_git.as_bytes(), top), Some(top)),
            DotGit::Nothing => return,
        }
        self.found.insert(dot_git);
    }

    /// A git directory, with the working tree that it belongs to.
    pub(super) fn git(&mut self, git: &AbsPath, top: Option<&AbsPath>) {
        if self.seen.len() >= MOST {
            self.was_cut_short = true;
            return;
        }
        if !self.seen.insert(git.clone()) {
            return;
        }
        self.add(git, &OF_GIT_DIRECTORY);
        self.without_links(git);
        self.settings_of(git, top.unwrap_or(git));
        match place::common(git) {
            Some(common) => {
                self.git(&common, None);
                self.settings_of(&common, top.unwrap_or(git));
                self.add(git, &OF_WORKTREE);
                // It is the git directory of the main working tree, which lies around it.
                if !common.parent().is_some_and(|main| self.is_in_workspace(&main)) {
                    self.add(&common, &STATE);
                }
            }
            None => self.worktrees(git),
        }
        self.modules(&git.join(b"modules"), DEEPEST);
        if let Some(top) = top {
            self.submodules(git, top);
        }
    }

    /// The files that the owner's own settings, outside of any repository, name in this one.
    pub(super) fn settings_of_owner(&mut self, files: &[AbsPath], top: &AbsPath) {
        let mut seen = BTreeSet::new();
        files.iter().for_each(|file| self.settings(file, top, &mut seen));
    }

    fn is_in_workspace(&self, path: &AbsPath) -> bool {
        self.tops.contains(path)
            || self.workspaces.iter().any(|workspace| path.starts_with(workspace))
    }

    fn add(&mut self, directory: &AbsPath, names: &[&[u8]]) {
        self.found.extend(names.iter().map(|name| directory.join(name)));
    }

    /// What git writes in a git directory stays free of links.
    fn without_links(&mut self, git: &AbsPath) {
        let names = NO_LINKS.iter().map(|name| {
            name.split(|byte| *byte == b'/').fold(git.clone(), |path, name| path.join(name))
        });
        let heads = [&b"logs"[..], b"refs", b"heads"];
        let heads = heads.iter().fold(git.clone(), |path, name| path.join(name));
        for path in names.chain(place::names_in(&heads).into_iter().take(MOST_LOGS)) {
            if std::fs::symlink_metadata(path.as_path()).is_ok_and(|is| is.is_symlink()) {
                self.links.insert(path);
            } else {
                self.found.insert(path.join(BENEATH));
            }
        }
    }

    /// The linked worktrees of a repository.
    fn worktrees(&mut self, common: &AbsPath) {
        for git in place::directories_in(&common.join(b"worktrees")) {
            self.add(&git, &OF_WORKTREE);
            self.without_links(&git);
            let top = place::back(&git).and_then(|dot_git| dot_git.parent());
            let top = top.filter(|top| place::named_by_file(top).as_ref() == Some(&git));
            if !top.as_ref().is_some_and(|top| self.is_in_workspace(top)) {
                self.add(&git, &STATE);
            }
            if let Some(top) = top {
                self.found.insert(top.join(b".git"));
                self.settings_of(common, &top);
                self.submodules(&git, &top);
            }
            self.modules(&git.join(b"modules"), DEEPEST);
        }
    }

    /// The git directories of submodules.
    fn modules(&mut self, directory: &AbsPath, deeper: usize) {
        for git in place::directories_in(directory) {
            if place::is_git_directory(&git) {
                let top = place::worktree(&git);
                let top = top.filter(|top| place::named_by_file(top).as_ref() == Some(&git));
                if let Some(top) = &top {
                    self.found.insert(top.join(b".git"));
                }
                self.git(&git, top.as_ref());
            } else if deeper > 0 {
                self.modules(&git, deeper - 1);
            }
        }
    }

    /// The submodules that the index names, wherever their git directories are.
    fn submodules(&mut self, git: &AbsPath, top: &AbsPath) {
        for entry in place::tracked(git).into_iter().filter(|entry| entry.is_submodule) {
            let submodule = place::follow(&entry.path, top);
            if submodule.starts_with(top) && submodule != *top {
                self.submodules.insert(submodule.join(b".git"));
                self.tree(&submodule);
            }
        }
    }

    /// What the configuration of a git directory names; relative to the working tree, where hooks are run.
    fn settings_of(&mut self, git: &AbsPath, top: &AbsPath) {
        let mut seen = BTreeSet::new();
        for name in [&b"config"[..], b"config.worktree"] {
            self.settings(&git.join(name), top, &mut seen);
        }
    }

    /// The hooks and settings that a configuration file names elsewhere, such as in the working tree.
    fn settings(&mut self, file: &AbsPath, base: &AbsPath, seen: &mut BTreeSet<AbsPath>) {
        const MOST_FILES: usize = 64;
        if seen.len() >= MOST_FILES || !seen.insert(file.clone()) {
            return;
        }
        let settings = Settings::of(file.as_path());
        for hooks in &settings.hooks {
            let path = self.expand(hooks, base);
            self.name(path);
        }
        for include in &settings.includes {
            let beside = file.parent().unwrap_or_else(AbsPath::root);
            // Git reads what a link leads to, and looks for what that includes beside the link.
            let (directory, name) = split(include);
            let path = self.expand(directory, &beside).join(name);
            let end = place::follow(path.as_bytes(), &beside);
            // A last name of `..` is no name.
            let path = AbsPath::parse(path.as_bytes()).unwrap_or_else(|_| end.clone());
            self.name(path.clone());
            self.name(end);
            self.settings(&path, base, seen);
        }
    }

    fn expand(&self, path: &[u8], base: &AbsPath) -> AbsPath {
        match (path.strip_prefix(b"~/"), self.home) {
            (Some(rest), Some(home)) => place::follow(rest, home),
            _absolute_or_relative => place::follow(path, base),
        }
    }

    /// A file that a setting names. The workspace itself, and what holds it, stay writable.
    fn name(&mut self, path: AbsPath) {
        if !self.workspaces.iter().any(|workspace| workspace.starts_with(&path)) {
            self.found.insert(path);
        }
    }
}

/// A path up to its last slash, and the rest.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    path.split_at(start)
}

/// The nearest directory with a `.git`.
fn top(directory: &AbsPath) -> Option<AbsPath> {
    std::iter::successors(Some(directory.clone()), AbsPath::parent)
        .find(|at| place::dot_git(at) != DotGit::Nothing)
}
