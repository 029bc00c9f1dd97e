//! Exactly the result that the kernel would have given: the same calls in two fresh trees, bare and under the shim with
//! everything in the tree allowed and `**/.env` blocked for reading, so that nearly every call is answered by the
//! supervisor. The outcomes and the trees must be equal.

mod errors;
mod modes;
mod names;
mod opens;

use std::collections::BTreeMap;

use crate::support::{User, World};

/// What two runs of the same calls cannot have in common.
const OWN: &[&str] = &["inode", "accessed", "modified", "changed"];

struct Pair {
    bare: World,
    confined: World,
}

impl Pair {
    fn new(user: User) -> Pair {
        let pair = Pair { bare: World::new(user), confined: World::new(user) };
        pair.both(|world| {
            world.write("~/work/file", "file");
            world.write("~/work/dir/file", "in dir");
            world.mkdir("~/work/dir/empty");
            world.symlink("file", "~/work/link");
            world.symlink("dir", "~/work/to-dir");
            world.symlink("none", "~/work/dangling");
            world.symlink("loop", "~/work/loop");
            world.symlink("~/work/file", "~/work/absolute");
            world.symlink("../work/dir/../file", "~/work/dir/around");
            world.write("~/work/closed-mode", "x");
            world.chmod("~/work/closed-mode", 0o000);
            world.mkdir("~/work/closed-dir/in");
            world.chmod("~/work/closed-dir", 0o000);
            world.policy(
                "allowed_paths: ['~/work']\nblocked_paths: [{ path: '**/.env', access: r }]",
            );
        });
        pair
    }

    fn both(&self, act: impl Fn(&World)) {
        act(&self.bare);
        act(&self.confined);
    }

    /// Does the calls in both trees and compares everything.
    #[track_caller]
    fn agrees(&self, table: &str) {
        // The bare half is not confined by anything, and may be root: it stays in its tree.
        // `/file` stands in openat2 alone, which does not write.
        for word in
            table.split_whitespace().filter(|word| word.starts_with('/') && *word != "/file")
        {
            let is_harmless =
                ["/proc/", "/dev/null", "/dev/full"].iter().any(|safe| word.starts_with(safe));
            assert!(is_harmless, "`{word}` lies outside the tree");
        }
        let bare = self.bare.bare_outcomes(table);
        let confined = self.confined.outcomes(table);
        let calls =
            table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut wrong = String::new();
        for (number, call) in calls.enumerate() {
            let [bare, confined] =
                [&bare, &confined].map(|all| all.get(number).map_or("nothing", String::as_str));
            if bare != confined {
                let short: String = call.chars().take(200).collect();
                wrong.push_str(&format!("{short}: bare {bare}, confined {confined}\n"));
            }
        }
        let [bare, confined]: [BTreeMap<_, _>; 2] =
            [&self.bare, &self.confined].map(|world| world.look_without("~/work", OWN));
        for path in bare.keys().chain(confined.keys()) {
            let [bare, confined] = [&bare, &confined].map(|tree| tree.get(path));
            if bare != confined {
                wrong.push_str(&format!("{path}: bare {bare:?}, confined {confined:?}\n"));
            }
        }
        assert!(wrong.is_empty(), "as uid {}:\n{wrong}", self.bare.user.uid);
    }
}

/// Compares for each user, in fresh trees.
#[track_caller]
fn agree(table: &str) {
    for user in User::all() {
        println!("as uid {}:", user.uid);
        Pair::new(user).agrees(table);
    }
}
