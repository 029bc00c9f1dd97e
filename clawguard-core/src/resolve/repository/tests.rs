//! Repositories made by real git, and what an earlier run could have made of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// A directory with repositories, and the host that it is on.
struct Scene {
    _directory: tempfile::TempDir,
    root: PathBuf,
    host: Host,
}

impl Scene {
    fn new() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        std::fs::create_dir(root.join("home")).unwrap();
        let mut host = Host::current().unwrap();
        host.home = Some(path(&root.join("home")));
        host.environment.clear();
        Scene { _directory: directory, root, host }
    }

    fn git(&self, directory: &str, words: &str) -> String {
        let output = Command::new("git")
            .args(["-c", "protocol.file.allow=always", "-c", "user.name=a", "-c", "user.email=a@b"])
            .args(words.split(' '))
            .current_dir(self.root.join(directory))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A repository with one commit.
    fn repository(&self, name: &str) {
        std::fs::create_dir_all(self.root.join(name).join("sub/deep")).unwrap();
        self.write(&format!("{name}/sub/deep/file"), "file");
        self.git(name, "init -q -b main");
        self.git(name, "add .");
        self.git(name, "commit -q -m one");
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.root.join(name).parent().unwrap()).unwrap();
        std::fs::write(self.root.join(name), text).unwrap();
    }

    fn of(&self, directory: &str) -> Repository {
        let directory = path(&self.root.join(directory));
        Repository::of(&directory, std::slice::from_ref(&directory), &self.host)
    }

    /// As if the working tree had been checked out long ago.
    fn age(&self, directory: &str) {
        let status = Command::new("find")
            .args([directory, "-type", "f", "-exec", "touch", "-d", "2020-01-01", "{}", "+"])
            .current_dir(&self.root)
            .status();
        assert!(status.unwrap().success());
        self.git(directory, "update-index -q --refresh --force-write-index");
    }

    fn names(&self, paths: &[AbsPath]) -> Vec<String> {
        let name = |path: &AbsPath| match path.as_path().strip_prefix(&self.root) {
            Ok(name) => name.display().to_string(),
            Err(_) => path.to_string(),
        };
        paths.iter().map(name).collect()
    }

    fn trusts(&self, directory: &str, name: &str) -> bool {
        self.names(&self.of(directory).trusted).contains(&name.to_owned())
    }

    fn allows(&self, directory: &str) -> Vec<String> {
        self.names(&self.of(directory).directories)
    }
}

fn path(path: &Path) -> AbsPath {
    use std::os::unix::ffi::OsStrExt;
    AbsPath::parse(path.as_os_str().as_bytes()).unwrap()
}

#[test]
fn a_repository_protects_what_its_owner_trusts_and_stays_usable() {
    let scene = Scene::new();
    scene.repository("main");
    for name in ["HEAD", ".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir"] {
        assert!(scene.trusts("main", &format!("main/{name}")), "{name}");
    }
    for name in [".git/HEAD", ".git/index", ".git/objects", ".git", ".git/rebase-merge"] {
        assert!(!scene.trusts("main", &format!("main/{name}")), "{name}");
    }
    assert_eq!(scene.allows("main"), [""; 0], "it lies in the working directory");
    assert!(scene.of("main").remarks.is_empty());
    assert!(scene.of("home").trusted.is_empty(), "no repository, nothing to trust");
    std::fs::remove_file(scene.root.join("main/.git/HEAD")).unwrap();
    assert!(scene.trusts("main", "main/.git/config"), "an invalid one is protected all the same");
}

#[test]
fn in_a_subdirectory_git_finds_its_directory_and_what_it_is_told_above() {
    let scene = Scene::new();
    scene.repository("main");
    scene.repository("lib");
    for name in [".gitignore", "sub/.gitattributes", "sub/deep/.gitignore", "other/.gitignore"] {
        scene.write(&format!("main/{name}"), "x");
    }
    scene.git("main", "submodule --quiet add ../lib m");
    scene.age("main");
    let repository = scene.of("main/sub/deep");
    assert_eq!(scene.names(&repository.directories), ["main/.git"]);
    assert_eq!(
        scene.names(&repository.readable),
        ["main/.gitignore", "main/.gitmodules", "main/m/.git", "main/sub/.gitattributes"]
    );
    for name in ["main/.git/hooks", "main/sub/deep/HEAD", "main/sub/deep/.git"] {
        assert!(scene.trusts("main/sub/deep", name), "{name}");
    }
}

#[test]
fn a_linked_worktree_allows_the_shared_directory_and_no_other_worktrees_state() {
    let scene = Scene::new();
    scene.repository("main");
    scene.git("main", "worktree add -q ../tree -b tree");
    scene.git("main", "worktree add -q inside -b inside");
    let tree = "main/.git/worktrees/tree";
    assert_eq!(scene.allows("tree"), ["main/.git"]);
    assert_eq!(scene.allows("tree/sub"), ["main/.git"]);
    scene.age("tree");
    assert_eq!(scene.names(&scene.of("tree/sub").readable), ["tree/.git"]);
    scene.write("tree/other", "x");
    scene.git("tree", "add other");
    // Changed no earlier than the index: git must read it again.
    let index = std::fs::File::options().write(true).open(scene.root.join(tree).join("index"));
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_590_000_000);
    index.unwrap().set_modified(long_ago).unwrap();
    assert_eq!(scene.names(&scene.of("tree/sub").readable), ["tree/.git", "tree/other"]);
    for name in ["tree/.git", "main/.git/hooks", "main/.git/config", "main/.git/index"] {
        assert!(scene.trusts("tree", name), "{name}");
    }
    for name in ["commondir", "gitdir", "config.worktree"] {
        assert!(scene.trusts("tree", &format!("{tree}/{name}")), "{name}");
        assert!(scene.trusts("main", &format!("{tree}/{name}")), "{name}");
    }
    for name in ["index", "rebase-merge", "rebase-apply", "sequencer"] {
        assert!(!scene.trusts("tree", &format!("{tree}/{name}")), "its own {name}");
        assert!(!scene.trusts("tree/sub", &format!("{tree}/{name}")), "its own {name}");
        assert!(scene.trusts("main/inside", &format!("main/.git/{name}")), "the main one's {name}");
        assert!(scene.trusts("main", &format!("{tree}/{name}")), "another's {name}");
        assert!(!scene.trusts("main", &format!("main/.git/worktrees/inside/{name}")), "{name}");
    }
    assert!(scene.trusts("main", "main/inside/.git"));
    let both = ["main", "tree"].map(|name| path(&scene.root.join(name)));
    let repository = Repository::of(&both[1], &both, &scene.host);
    assert!(!scene.names(&repository.trusted).contains(&"main/.git/index".to_owned()));
}

#[test]
fn a_bare_directory_beside_its_worktrees_is_found() {
    let scene = Scene::new();
    scene.repository("main");
    std::fs::create_dir(scene.root.join("project")).unwrap();
    scene.git("project", "clone -q --bare ../main .bare");
    scene.write("project/.git", "gitdir: ./.bare\n");
    scene.git("project", "worktree add -q one -b one");
    assert_eq!(scene.allows("project/one"), ["project/.bare"]);
    assert_eq!(scene.allows("project"), [""; 0]);
    for name in ["project/.git", "project/.bare/config", "project/.bare/worktrees/one/commondir"] {
        assert!(scene.trusts("project", name), "{name}");
    }
    assert!(scene.trusts("project/.bare", "project/.bare/hooks"), "in a bare repository");
    assert!(!scene.trusts("project/.bare", "project/.bare/HEAD"));
}

#[test]
fn submodules_are_protected_wherever_their_git_directory_is() {
    let scene = Scene::new();
    scene.repository("lib");
    scene.repository("main");
    scene.git("main", "submodule --quiet add --name group/m ../lib m");
    scene.git("main", "clone -q ../lib embedded");
    scene.git("main", "-c advice.addEmbeddedRepo=false add embedded");
    for name in [
        "main/m/.git",
        "main/.git/modules/group/m/config",
        "main/.git/modules/group/m/hooks",
        "main/.git/modules/group/m/commondir",
        "main/embedded/.git/config",
        "main/embedded/HEAD",
    ] {
        assert!(scene.trusts("main", name), "{name}: {:?}", scene.names(&scene.of("main").trusted));
    }
    assert_eq!(scene.allows("main/m"), ["main/.git/modules/group/m"]);
    assert_eq!(scene.allows("main/m/sub"), ["main/.git/modules/group/m"]);
    // Checked out nowhere, and kept for another branch.
    scene.git("main", "rm -q -f --cached m");
    std::fs::remove_file(scene.root.join("main/m/.git")).unwrap();
    assert!(scene.trusts("main", "main/.git/modules/group/m/config"));
}

#[test]
fn hooks_and_settings_that_lie_in_the_working_tree_are_protected() {
    let scene = Scene::new();
    scene.repository("main");
    scene.write("main/.settings", "[core]\n\thooksPath = .husky/_\n[include]\n\tpath = more\n");
    scene.git("main", "config include.path ../.settings");
    scene.write("home/.gitconfig", "[core]\n\thooksPath = scripts/hooks\n");
    for name in ["main/.settings", "main/.husky/_", "main/more", "main/scripts/hooks"] {
        assert!(scene.trusts("main", name), "{name}");
    }
    // What is included is looked for beside the link that leads to the file.
    scene.write("main/deep/real", "[include]\n\tpath = beside\n");
    std::os::unix::fs::symlink("deep/real", scene.root.join("main/linked")).unwrap();
    scene.git("main", "config include.path ../linked");
    for name in ["main/linked", "main/deep/real", "main/beside"] {
        assert!(scene.trusts("main", name), "{name}");
    }
    scene.git("main", "config core.hooksPath .");
    assert!(!scene.trusts("main", "main"), "the working directory stays the target's");
}

/// What was written by an earlier run is no proof.
#[test]
fn a_git_file_that_names_a_directory_which_does_not_name_it_back_allows_nothing() {
    let scene = Scene::new();
    scene.repository("other");
    scene.git("other", "worktree add -q ../tree -b tree");
    let refused = |directory: &str, why: &str| {
        let repository = scene.of(directory);
        assert!(repository.directories.is_empty(), "{why}: {:?}", repository.directories);
        assert!(repository.readable.is_empty(), "{why}");
        assert!(!repository.remarks.is_empty(), "{why}: nothing was said");
    };
    let at = |name: &str| scene.root.join(name).display().to_string();
    scene.write("planted/.git", &format!("gitdir: {}\n", at("other/.git")));
    refused("planted", "a repository elsewhere");
    scene.write("planted/.git", &format!("gitdir: {}\n", at("other/.git/worktrees/tree")));
    refused("planted", "a worktree elsewhere");
    scene.write("planted/.git", &format!("gitdir: {}\n", at("other")));
    refused("planted", "no git directory");
    // A git directory of its own making that shares another.
    let fake = "planted/worktrees/x";
    scene.write(&format!("{fake}/commondir"), &at("other/.git"));
    scene.write(&format!("{fake}/gitdir"), &at("planted/.git"));
    scene.write("planted/.git", &format!("gitdir: {}\n", at(fake)));
    refused("planted", "a shared directory elsewhere");
    scene.write("linked/note", "x");
    std::os::unix::fs::symlink(at("other/.git"), scene.root.join("linked/.git")).unwrap();
    refused("linked", "a link");
    std::os::unix::fs::symlink(at("other/.git"), scene.root.join("home/.git")).unwrap();
    scene.write("home/.git-real/note", "x");
    refused("home", "a link in the home directory");
}

#[test]
fn a_git_directory_that_the_default_blocks_or_another_owns_is_not_allowed() {
    let mut scene = Scene::new();
    scene.repository("home");
    scene.write("home/project/note", "x");
    let repository = scene.of("home/project");
    assert!(repository.directories.is_empty());
    assert!(repository.remarks[0].contains("covered by the default block"), "{repository:?}");
    scene.repository("main");
    assert_eq!(scene.allows("main/sub"), ["main/.git"]);
    scene.host.uid += 1;
    let repository = scene.of("main/sub");
    assert!(repository.directories.is_empty());
    assert!(repository.remarks[0].contains("belongs to another user"), "{repository:?}");
    assert!(!repository.trusted.is_empty(), "protected all the same");
}
