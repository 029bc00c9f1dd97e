//! Real git under the built-in default, in every layout of a repository: what works inside, and what the owner's git
//! does outside after the target did what it could.

use crate::programs::bare;
use crate::support::{User, World, for_every_user};

const GITCONFIG: &str = "[user]\n\tname = A\n\temail = a@example.org\n[init]\n\tdefaultBranch = main\n\ttemplateDir =\n[gc]\n\tauto = 0\n\
    [protocol \"file\"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n\taddEmbeddedRepo = false\n";

/// `~/main` with a submodule `m`, a directory `sub/deep`, and the linked worktrees `~/tree` and `~/main/inside`; `~/project`
/// with `.bare` and the worktrees `one` and `two`; `~/lib` is where the submodule came from.
const LAYOUTS: &str = "set -e; cd ~
git init -q lib; (cd lib; echo l > l; git add l; git commit -qm l)
git init -q main; cd main; mkdir -p sub/deep; echo 1 > file; echo 1 > sub/file; echo 1 > sub/deep/file
echo '*.log' > .gitignore; git add .; git commit -qm one
for n in 2 3; do echo $n > sub/file; echo $n > sub/deep/file; git commit -qam $n; done
git submodule --quiet add ../lib m; git commit -qm m
git worktree add -q ../tree -b tree; git worktree add -q inside -b inside; cd ..
mkdir project; git clone -q --bare main project/.bare; cd project; echo 'gitdir: ./.bare' > .git
git worktree add -q one -b one; git worktree add -q two -b two";

/// Everyday work; each command must end with 0 and say nothing of what was denied.
const WORK: &str = r#"
export GIT_EDITOR=true
t() {
    said=$("$@" 2>&1 </dev/null); code=$?; said=$(printf '%s\n' "$said" | grep -v "${KNOWN:-^$}")
    case $code:$said in 0:*denied*|[1-9]*) echo "[$code] $*: $said";; esac
}
branch=$(git symbolic-ref --short HEAD || git rev-parse HEAD)
echo new > new; echo x > x.log; t git add .; t git commit -m new; t git log --oneline; t git diff HEAD~1
t git branch other; t git tag -a v1 -m v1; t git switch other; echo o > o; t git add o; t git commit -m o
t git checkout "$branch"; echo c >> new; t git commit -am c; t git switch other; t git rebase "$branch"
t git rebase -i --exec true HEAD~1
GIT_SEQUENCE_EDITOR="sed -i s/^pick/edit/" t git rebase -i HEAD~1; t git rebase --continue
t git checkout "$branch"; t git merge --no-ff other -m merged
echo s >> new; t git stash; t git stash pop; t git commit -am s
t git checkout -b pick HEAD~1; t git cherry-pick "$branch"@{0}; t git revert --no-edit HEAD; t git checkout "$branch"
t git worktree add made -b made; (cd made && echo z > z && t git add z && t git commit -m z && t git status)
t git worktree list; t git worktree remove made; t git worktree prune
t git init -q nested; (cd nested && echo 1 > 1 && t git add 1 && t git commit -m 1 && t git status); rm -rf nested
top=$(git rev-parse --show-toplevel); t git clone -q "$(git rev-parse --git-common-dir)" copy; t git fetch "$PWD/copy"; rm -rf copy
t git bisect start; t git bisect bad; t git bisect good HEAD~1; t git bisect reset
t git mv new moved; t git commit -m moved; t git commit --amend --no-edit; t git notes add -m n; t git blame moved
t git status; t git reset --hard; t git gc -q; t git fsck; t git reflog
echo done"#;

fn furnish(world: &World) {
    world.write("~/.gitconfig", GITCONFIG);
    let made = bare(world, LAYOUTS);
    assert!(made.status.success(), "{made:#?}");
}

/// What git says of the directories above, which it may not list.
const ABOVE: &str = "KNOWN='could not open directory'";

/// Everyday work in a directory, confined, leaves a sound repository.
fn works(directory: &str, before: &str) {
    for_every_user(|world| {
        furnish(&world);
        assert!(bare(&world, &format!("cd ~/{directory}; {before}")).status.success());
        let script = format!("{before}\n{WORK}");
        let shim = world.shim_with(["-q"]).cwd(&format!("~/{directory}"));
        let ran = shim.command(["bash", "-c", &script]);
        assert_eq!(ran.stdout, "done\n", "{directory}: {ran:#?}");
        let sound = bare(&world, &format!("cd ~/{directory} && git status && git fsck"));
        assert!(sound.status.success(), "{directory}: {sound:#?}");
    });
}

#[test]
fn git_works_in_a_repository() {
    works("main", "git rm -q --cached inside 2>/dev/null; echo inside >> .gitignore; :");
}

#[test]
fn git_works_in_a_subdirectory() {
    works("main/sub/deep", ABOVE);
}

#[test]
fn git_works_in_a_linked_worktree() {
    works("tree", ":");
    works("tree/sub", ABOVE);
}

#[test]
fn git_works_in_a_linked_worktree_inside_another() {
    works("main/inside", ":");
}

#[test]
fn git_works_beside_a_bare_directory() {
    works("project/one", ":");
}

#[test]
fn git_works_in_a_submodule() {
    works(
        "main/m",
        "git checkout -q -B work; for n in 1 2; do echo $n >> l; git commit -qam $n; done",
    );
}

/// In the directory that holds `.bare` and the worktrees, git has no working tree, and makes some.
#[test]
fn worktrees_are_made_and_removed_beside_a_bare_directory() {
    for_every_user(|world| {
        furnish(&world);
        let script = "set -e; git worktree add -q three -b three; cd three; echo 3 > 3; git add 3; git commit -qm 3
            cd ..; git worktree remove three; git log -1 --format=%s three
            git -C one status --short; cd two; echo 2 > 2; git add 2; git commit -qm 2; git log -1 --format=%s";
        let ran = world.shim_with(["-q"]).cwd("~/project").command(["bash", "-c", script]);
        assert_eq!((ran.code(), ran.stdout.as_str()), (0, "3\n2\n"), "{ran:#?}");
    });
}

/// Marks that code of the target's ran; `fsmonitor` is asked by every `git status`.
const MEANS: &str = r#"
fsmonitor() { printf '[core]\n\tfsmonitor = "touch %s/ran; false"\n' ~; }
plant() { # a bare repository in a directory, with this working tree
    mkdir -p $1/objects $1/refs; echo ref: refs/heads/main > $1/HEAD
    { printf '[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = %s\n' "$2"; fsmonitor; } > $1/config
}
link() { # something that git writes, led elsewhere
    g=$(git rev-parse --git-dir)/$1; rm -f $g; ln -s ~/ran $g
}
push() { # a repository to push to
    git init -q --bare e; mkdir e/hooks; printf '#!/bin/sh\ntouch %s/ran\n' ~ > e/hooks/post-receive
    chmod +x e/hooks/post-receive
}
"#;

/// What the target does in a directory, and what the owner does then in another; both are attacks that succeed bare.
const ATTACKS: &[(&str, &str, &str)] = &[
    ("main", "plant . ~/main; mv .git/HEAD .git/away", "cd ~/main; git status"),
    ("main", "plant . ~/main; mv .git/objects .git/away", "cd ~/main; git status"),
    ("main", "plant . ~/main; mv .git/refs .git/away", "cd ~/main; git status"),
    ("main", "plant . ~/main; echo no > .git/HEAD", "cd ~/main; git status"),
    ("main", "plant . ~/main; mv .git/HEAD .git/a; mkdir .git/HEAD", "cd ~/main; git status"),
    ("main", "plant e ~/main; mv .git g; ln -s e .git", "cd ~/main; git status"),
    ("main", "plant e ~/main; mv .git g; echo gitdir: e > .git", "cd ~/main; git status"),
    ("main", "plant e ~/main; mv .git g; mv e .git", "cd ~/main; git status"),
    ("main", "plant . ~/main; mv .git g; mkfifo .git", "cd ~/main; timeout 9 git status"),
    ("main", "fsmonitor >> .git/config", "cd ~/main; git status"),
    ("main", "plant e ~/main; echo ../e > .git/commondir", "cd ~/main; git status"),
    ("main", "fsmonitor >> .git/modules/m/config", "cd ~/main; git status"),
    ("main", "plant e ~/main/m; echo ../../../e > .git/modules/m/commondir", "cd ~/main; git status"),
    ("main", "cp -r .git/modules/m e; fsmonitor >> e/config; git config -f e/config core.worktree ../m
      echo gitdir: ../e > m/.git", "cd ~/main; git status"),
    ("main", "cp -r .git/modules/m e; fsmonitor >> e/config; git config -f e/config core.worktree ../m
      mv m n; mkdir m; mv e m/.git; git config -f m/.git/config core.worktree ..", "cd ~/main; git status"),
    ("main", "mv .git/modules/m .git/modules/n; cp -r .git/modules/n .git/modules/m
      fsmonitor >> .git/modules/m/config", "cd ~/main; git status"),
    ("main", "push; mkdir .git/remotes; echo URL: ./e > .git/remotes/origin", "cd ~/main; git push origin main"),
    ("main", "push; mkdir .git/branches; echo ./e > .git/branches/origin", "cd ~/main; git push"),
    ("main", "link COMMIT_EDITMSG", "cd ~/main; git commit -q --allow-empty -m x"),
    ("main", "git reset -q --hard HEAD~1; ln -s ~/ran .git/away; mv .git/away .git/SQUASH_MSG", "cd ~/main; git merge --squash tree"),
    ("main", "link packed-refs", "cd ~/main; git pack-refs --all"),
    ("main", "link FETCH_HEAD", "cd ~/main; git fetch -q ."),
    ("main", "link logs/HEAD", "cd ~/main; git commit -q --allow-empty -m x"),
    ("main", "link logs/refs/stash", "cd ~/main; echo x >> file; git stash"),
    ("main", "link logs/refs/heads/main", "cd ~/main; git commit -q --allow-empty -m x"),
    ("main", "mv .git/logs l; mkdir n; ln -s ~/ran n/HEAD; mv n .git/logs", "cd ~/main; git commit -q --allow-empty -m x"),
    ("tree", "link COMMIT_EDITMSG", "cd ~/tree; git commit -q --allow-empty -m x"),
    ("main/m", "g=../.git/modules/m; fsmonitor >> $g/config", "cd ~/main/m; git status"),
    ("main/m", "plant . ~/main/m; rm .git", "cd ~/main/m; git status"),
    ("main", "plant e ~/tree; echo ~/main/e > .git/worktrees/tree/commondir", "cd ~/tree; git status"),
    ("main", "plant e ~/tree; mv .git/worktrees/tree w; printf '%s' ~/main/e > w/commondir
      ln -s ../../w .git/worktrees/tree", "cd ~/tree; git status"),
    ("main", "plant e ~/tree; mkdir n; cp -r .git/worktrees/tree n; printf '%s' ~/main/e > n/tree/commondir
      mv .git/worktrees .git/old; mv n .git/worktrees", "cd ~/tree; git status"),
    ("main", "plant e ~/main/inside; echo gitdir: ../e > inside/.git", "cd ~/main/inside; git status"),
    ("main/sub", "plant . ~/main/sub", "cd ~/main/sub; git status"),
    ("main/sub", "git init -q .; fsmonitor >> .git/config", "cd ~/main/sub; git status"),
    ("main/sub", "fsmonitor >> ../.git/config", "cd ~/main; git status"),
    ("tree", "fsmonitor >> ~/main/.git/config", "cd ~/main; git status"),
    ("tree", "plant e ~/tree; echo gitdir: e > .git", "cd ~/tree; git status"),
    ("tree", "plant e ~/tree; printf '%s' ~/tree/e > ~/main/.git/worktrees/tree/commondir", "cd ~/tree; git status"),
    ("main/inside", "git init -q x; cd x; git commit -q --allow-empty -m x; fsmonitor >> .git/config; cd ..
      GIT_INDEX_FILE=~/main/.git/index git update-index --add --cacheinfo 160000,$(git -C x rev-parse HEAD),inside/x",
      "cd ~/main; rm inside/.git; git status"),
    ("project", "plant e ~/project/one; printf '%s' ~/project/e > .bare/worktrees/one/commondir", "cd ~/project/one; git status"),
    ("project", "fsmonitor >> .bare/config", "cd ~/project/one; git status"),
    ("project/one", "plant e ~/project/two; printf '%s' ~/project/one/e > ../.bare/worktrees/two/commondir",
      "cd ~/project/two; git status"),
    ("project/one", "d=$(git rev-parse --git-common-dir)/worktrees/two/rebase-merge; mkdir $d; cd $d; git rev-parse HEAD > onto
      cp onto orig-head; echo refs/heads/two > head-name; : > quiet; : > interactive; echo 1 > msgnum; echo 1 > end; : > done
      echo exec touch ~/ran > git-rebase-todo", "cd ~/project/two; git rebase --continue"),
    ("hooked", "echo 'touch ~/ran' >> .githooks/pre-commit", "cd ~/hooked; git commit -q --allow-empty -m x"),
    ("hooked", "mv .githooks h; mkdir .githooks; cp h/* .githooks; echo 'touch ~/ran' >> .githooks/pre-commit",
      "cd ~/hooked; git commit -q --allow-empty -m x"),
    ("hooked", "fsmonitor >> .gitshared", "cd ~/hooked; git status"),
];

/// `~/hooked`: hooks and settings in the working tree, because the owner's configuration says so.
const HOOKED: &str = "set -e; cd ~; git init -q hooked; cd hooked; mkdir .githooks; echo '#!/bin/sh' > .githooks/pre-commit
    chmod +x .githooks/pre-commit; : > .gitshared; git config core.hooksPath .githooks; git config include.path ../.gitshared
    git add .; git commit -qm one";

#[test]
fn the_owners_git_runs_nothing_that_the_target_left_in_a_repository() {
    hold(|directory| directory == "main");
}

#[test]
fn the_owners_git_runs_nothing_that_the_target_left_beside_a_repository() {
    hold(|directory| directory != "main");
}

/// Tries the attacks from some directories, bare and confined.
fn hold(is_meant: impl Fn(&str) -> bool) {
    for_every_user(|world| {
        furnish(&world);
        let made = bare(&world, &format!("{HOOKED}; cp -a ~ ~/../made"));
        assert!(made.status.success(), "{made:#?}");
        for (directory, attack, owner) in ATTACKS.iter().filter(|attack| is_meant(attack.0)) {
            let attack = format!("{MEANS}\n{attack}\n:");
            let mut ran = [false; 2];
            for (ran, is_confined) in ran.iter_mut().zip([false, true]) {
                // That it succeeds bare does not depend on the user.
                if !is_confined && world.user != User::ordinary() {
                    *ran = true;
                    continue;
                }
                let again = "find ~ -mindepth 1 -not -path ~/work -delete; cp -a ~/../made/. ~";
                assert!(bare(&world, again).status.success());
                if is_confined {
                    let shim = world.shim_with(["-q"]).cwd(&format!("~/{directory}"));
                    shim.command(["bash", "-c", &attack]);
                } else {
                    bare(&world, &format!("cd ~/{directory}; {attack}"));
                }
                bare(&world, owner);
                *ran = world.path("~/ran").exists();
            }
            assert_eq!(ran, [true, false], "[bare, confined] {directory}: {attack}\n{owner}");
        }
    });
}

/// What an earlier run could leave in a `.git` opens nothing that the working directory does not hold.
#[test]
fn a_forged_git_file_opens_no_other_repository() {
    for_every_user(|world| {
        furnish(&world);
        bare(&world, "mkdir -p ~/forged/x; cd ~/forged; echo gitdir: ../main/.git > .git");
        for directory in ["~/forged", "~/forged/x"] {
            let shim = world.shim_with(["-q"]).cwd(directory);
            let ran = shim.command(["cat", &world.text("~/main/.git/HEAD")]);
            assert_ne!(ran.code(), 0, "{ran:#?}");
            assert!(ran.stderr.contains("does not name this working tree back"), "{ran:#?}");
        }
        let shim = world.shim_with(["-q"]).cwd("~/main/sub");
        let ran = shim.command(["cat", &world.text("~/main/.git/HEAD")]);
        assert_eq!(ran.stdout, "ref: refs/heads/main\n", "{ran:#?}");
        let shim = world.shim_with(["-q"]).cwd("~/main/sub");
        // Not a tracked file: one that is as old as the index is open to git.
        world.write("~/main/untracked", "x");
        let ran = shim.command(["cat", &world.text("~/main/untracked")]);
        assert!(ran.stderr.contains("Permission denied"), "{ran:#?}");
    });
}

/// The target may write the index. What that names is readable beside the working directory only where something else
/// proves it: the contents, or `.gitmodules`.
#[test]
fn a_forged_index_opens_nothing_beside_the_working_directory() {
    for_every_user(|world| {
        furnish(&world);
        let made = bare(
            &world,
            "cd ~/main; mkdir keys; echo secret > keys/key; echo secret > key; git init -q nested; git init -q free
             mkfifo fifo; cd nested; git commit -q --allow-empty -m x",
        );
        assert!(made.status.success(), "{made:#?}");
        let forge = "id=$(git rev-parse HEAD:file); set -- --add
            for name in keys key fifo; do set -- \"$@\" --cacheinfo 100644,$id,$name; done
            for name in nested free; do set -- \"$@\" --cacheinfo 160000,$(git rev-parse HEAD),$name; done
            git update-index \"$@\" && touch -d @0 ../.git/index";
        let inside = |script: &str| {
            let shim = world.shim_with(["-q"]).cwd("~/main/sub");
            shim.command(["bash", "-c", script])
        };
        let forged = inside(forge);
        assert_eq!(forged.code(), 0, "{forged:#?}");
        for name in ["keys/key", "key", "nested/.git/HEAD", "free/.git/config"] {
            let ran = inside(&format!("cat ../{name}"));
            assert!(ran.stderr.contains("Permission denied"), "{name}: {ran:#?}");
            assert!(ran.stderr.contains("git will not"), "{name}: {ran:#?}");
        }
        let ran = inside("cat ../file ../m/.git");
        assert_eq!(ran.stdout, "1\ngitdir: ../.git/modules/m\n", "{ran:#?}");
        // What the start reads does not hold it up either.
        for index in ["mkfifo ../.git/sharedindex.x", "ln -s /dev/zero ../.git/sharedindex.y"] {
            assert_eq!(inside(index).code(), 0, "{index}");
            assert_eq!(inside("echo started").stdout, "started\n", "{index}");
        }
    });
}
