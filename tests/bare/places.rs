//! File systems on which the tree of a comparison can stand. What was mounted is unmounted when its place is dropped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{User, World};

/// A directory on a file system.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    directory: PathBuf,
    /// What is removed in the end, after it was unmounted.
    held: Option<TempDir>,
    is_mounted: bool,
}

impl Place {
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file system of `/tmp`.
    pub(crate) fn world(world: &World) -> Place {
        world.mkdir("~/work/shapes");
        let directory = world.path("~/work/shapes");
        Place { name: "/tmp", directory, held: None, is_mounted: false }
    }

    /// Those besides: a tmpfs, and what root can mount.
    pub(crate) fn others(world: &World) -> Vec<Place> {
        let mut places = vec![Place::temporary(world)];
        if User::current().uid == 0 {
            places.extend([Place::overlay(world), Place::btrfs(world)].into_iter().flatten());
        }
        places
    }

    fn temporary(world: &World) -> Place {
        let held = tempfile::Builder::new().prefix("clawtest-").tempdir_in("/dev/shm").unwrap();
        world.give(held.path());
        let directory = held.path().to_owned();
        Place { name: "tmpfs", directory, held: Some(held), is_mounted: false }
    }

    fn overlay(world: &World) -> Option<Place> {
        let held = tempfile::Builder::new().prefix("clawtest-").tempdir_in("/dev/shm").unwrap();
        let part = |name: &str| {
            let part = held.path().join(name);
            std::fs::create_dir(&part).unwrap();
            world.give(&part);
            part.to_str().unwrap().to_owned()
        };
        let (lower, upper, work) = (part("lower"), part("upper"), part("work"));
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let at = part("mounted");
        Place::mounted("overlayfs", world, held, &["-t", "overlay", "-o", &options, "overlay", &at])
    }

    fn btrfs(world: &World) -> Option<Place> {
        let held = tempfile::Builder::new().prefix("clawtest-").tempdir_in("/tmp").unwrap();
        let image = held.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(128 << 20).unwrap();
        let made = Command::new("mkfs.btrfs")
            .arg("-q")
            .arg(&image)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            println!("btrfs: mkfs.btrfs does not work here");
            return None;
        }
        let at = held.path().join("mounted");
        std::fs::create_dir(&at).unwrap();
        let (image, at) = (image.to_str().unwrap().to_owned(), at.to_str().unwrap().to_owned());
        Place::mounted("btrfs", world, held, &["-o", "loop", &image, &at])
    }

    fn mounted(
        name: &'static str,
        world: &World,
        held: TempDir,
        arguments: &[&str],
    ) -> Option<Place> {
        let directory = held.path().join("mounted");
        let mounted = Command::new("mount").args(arguments).output().unwrap();
        if !mounted.status.success() {
            println!("{name}: {}", String::from_utf8_lossy(&mounted.stderr));
            return None;
        }
        std::fs::set_permissions(held.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        world.give(&directory);
        Some(Place { name, directory, held: Some(held), is_mounted: true })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg(&self.directory).status();
        }
        drop(self.held.take());
    }
}
