//! What somebody outside does while an attempt runs, because the attempt asks for it in the file `work/ask`. Only in the
//! tree; what is protected is looked at again before the attempt goes on, so that it is not blamed for it.
//!
//! `secret PATH`: a new file with a canary. `name DIRECTORY`: one whose name is a canary. `file PATH`, `directory PATH`: an ordinary one. `move A B`, `link TARGET PATH`,
//! `hard A B`, `remove PATH`, `mode PATH OCTAL`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::canary::Canaries;
use crate::policy::Protection;
use crate::snapshot::Snapshot;
use crate::support::World;

/// What is known of the tree so far.
pub(crate) struct Watched<'w> {
    pub(crate) world: &'w World,
    pub(crate) protection: Protection,
    pub(crate) canaries: Canaries,
    pub(crate) before: Snapshot,
    /// Protected since somebody outside made it.
    pub(crate) made: Vec<PathBuf>,
}

impl Watched<'_> {
    pub(crate) fn look(&self) -> Snapshot {
        Snapshot::take(self.world, &self.protection, &self.made)
    }

    /// Serves requests until the attempt is over.
    pub(crate) fn serve(&mut self, is_over: &AtomicBool) {
        let ask = self.world.path("~/work/ask");
        while !is_over.load(Ordering::Acquire) {
            if let Ok(line) = fs::read_to_string(&ask) {
                let words: Vec<&str> = line.split_whitespace().collect();
                self.act(&words);
                self.before = self.look();
                let _ = fs::remove_file(&ask);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn act(&mut self, words: &[&str]) {
        let home = self.world.home();
        let within = |path: &str| {
            let is_plain =
                Path::new(path).components().all(|one| matches!(one, Component::Normal(_)));
            assert!(is_plain, "outside the tree: {path}");
            home.join(path)
        };
        match *words {
            ["secret", path] => {
                let word = self.canaries.make(path);
                self.world.write(&format!("~/{path}"), word + "\n");
                self.made.push(within(path));
            }
            ["name", directory] => {
                let word = self.canaries.make(&format!("a name in {directory}"));
                self.world.write(&format!("~/{directory}/{word}"), "");
            }
            ["file", path] => self.world.write(&format!("~/{path}"), "neighbour\n"),
            ["directory", path] => self.world.mkdir(&format!("~/{path}")),
            ["move", from, to] => fs::rename(within(from), within(to)).unwrap(),
            ["link", target, path] => self.world.symlink(target, &format!("~/{path}")),
            ["hard", from, to] => fs::hard_link(within(from), within(to)).unwrap(),
            ["remove", path] => fs::remove_file(within(path)).unwrap(),
            ["mode", path, octal] => {
                let mode = u32::from_str_radix(octal, 8).unwrap();
                fs::set_permissions(within(path), PermissionsExt::from_mode(mode)).unwrap();
            }
            _ => panic!("nobody outside knows how to {words:?}"),
        }
    }
}
