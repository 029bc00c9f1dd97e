//! A world for each test: a home directory of its own with a policy, canaries and a copy of the shim, and the ways to
//! run the shim in it. Whatever a test makes is removed with its world. Nothing here knows what a policy means.

#![allow(dead_code, unused_imports, reason = "each suite uses its own part")]

mod probe;
mod run;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

#[allow(unused_imports, reason = "each suite uses its own part")]
pub(crate) use self::run::{Ran, Shim};

/// What a secret file holds: a test that finds it in an output has found a leak.
pub(crate) const CANARY: &str = "canary-7c9e6679-7425";

/// The user that an ordinary user's half of a test runs as when the suite is run by root (`nobody` on Debian).
const ORDINARY: u32 = 65534;

/// Who runs the shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    /// Not the user who runs the suite.
    is_other: bool,
}

impl User {
    /// The user who runs the suite.
    pub(crate) fn current() -> User {
        User { uid: fs::metadata("/proc/self").unwrap().uid(), is_other: false }
    }

    /// Must a process become this user first?
    pub(crate) fn is_other(self) -> bool {
        self.is_other
    }

    /// An ordinary user: the current one unless that is root.
    pub(crate) fn ordinary() -> User {
        let current = User::current();
        if current.uid == 0 { User { uid: ORDINARY, is_other: true } } else { current }
    }

    /// Everybody that a kernel test must hold for: root, where the suite is run by root, and an ordinary user.
    pub(crate) fn all() -> Vec<User> {
        let mut all = vec![User::current(), User::ordinary()];
        all.dedup();
        all
    }
}

/// A directory tree with a home directory, owned by one user.
pub(crate) struct World {
    directory: TempDir,
    root: PathBuf,
    pub(crate) user: User,
    started: Mutex<Vec<u32>>,
}

/// Runs a test once for each user.
pub(crate) fn for_every_user(test: impl Fn(World)) {
    for user in User::all() {
        println!("as uid {}:", user.uid);
        test(World::new(user));
    }
}

impl World {
    /// A home with `work`, `secret` (a canary in `key`) and nothing else.
    pub(crate) fn new(user: User) -> World {
        World::with_shim(user, env!("CARGO_BIN_EXE_clawguard-exec"))
    }

    /// The same with a copy of another shim.
    pub(crate) fn with_shim(user: User, shim: &str) -> World {
        let directory = tempfile::Builder::new().prefix("clawtest-").tempdir_in("/tmp").unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let world = World { directory, root, user, started: Mutex::default() };
        world.own(&world.root);
        fs::set_permissions(&world.root, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home/work", "home/secret", "bin"] {
            world.mkdir(&format!("{{root}}/{name}"));
        }
        world.write("~/secret/key", CANARY);
        world.write("~/work/note", "note\n");
        world.install(shim, "{root}/bin/clawguard-exec");
        world
    }

    /// A world of the user who runs the suite, for what does not depend on the user.
    pub(crate) fn mine() -> World {
        World::new(User::current())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub(crate) fn shim(&self) -> PathBuf {
        self.root.join("bin/clawguard-exec")
    }

    /// `~` at the beginning and `{home}` and `{root}` anywhere.
    pub(crate) fn text(&self, text: &str) -> String {
        let home = self.home().to_str().unwrap().to_owned();
        let root = self.root.to_str().unwrap();
        let text = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
            _ => text.to_owned(),
        };
        text.replace("{home}", &home).replace("{root}", root)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(self.text(path))
    }

    /// Makes a directory and its parents.
    pub(crate) fn mkdir(&self, path: &str) {
        self.mkdir_all(&self.path(path));
    }

    fn mkdir_all(&self, path: &Path) {
        let missing: Vec<&Path> = path.ancestors().take_while(|at| !at.exists()).collect();
        fs::create_dir_all(path).unwrap();
        missing.into_iter().for_each(|at| self.own(at));
    }

    /// Writes a file, and makes the directories on its way.
    pub(crate) fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        self.write_bytes(self.text(path).as_bytes(), contents);
    }

    /// The same for a name that is not text.
    pub(crate) fn write_bytes(&self, path: &[u8], contents: impl AsRef<[u8]>) {
        let path = Path::new(OsStr::from_bytes(path));
        self.mkdir_all(path.parent().unwrap());
        fs::write(path, contents).unwrap();
        self.own(path);
    }

    /// Writes an executable script.
    pub(crate) fn script(&self, path: &str, contents: &str) {
        self.write("{root}/bin/script", self.text(contents));
        self.install(&self.text("{root}/bin/script"), path);
    }

    /// Puts a program of the host at `path`.
    ///
    /// Another process copies it: a descriptor that is open for writing here would be inherited by what another test
    /// starts at the same moment, and executing the file would be ETXTBSY.
    pub(crate) fn install(&self, program: &str, path: &str) {
        let to = self.path(path);
        self.mkdir_all(to.parent().unwrap());
        let copied = Command::new("cp").arg(program).arg(&to).status().unwrap();
        assert!(copied.success());
        self.own(&to);
        self.chmod(path, 0o755);
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn symlink(&self, target: &str, link: &str) {
        symlink(self.text(target), self.path(link)).unwrap();
        if self.user.is_other {
            std::os::unix::fs::lchown(self.path(link), Some(self.user.uid), Some(self.user.uid))
                .unwrap();
        }
    }

    pub(crate) fn hard_link(&self, original: &str, link: &str) {
        fs::hard_link(self.path(original), self.path(link)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(path)).unwrap()).into_owned()
    }

    pub(crate) fn remove(&self, directory: &str) {
        fs::remove_dir_all(self.path(directory)).unwrap();
    }

    /// Is anything at this path, a dangling link included?
    pub(crate) fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// Everything beneath a directory, sorted, to see that nothing was made.
    pub(crate) fn tree(&self, path: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.path(path)];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                }
                found.push(entry.path());
            }
        }
        found.sort();
        found
    }

    /// Makes the world's user the owner of something outside the world.
    pub(crate) fn give(&self, path: &Path) {
        self.own(path);
    }

    fn own(&self, path: &Path) {
        if self.user.is_other {
            chown(path, Some(self.user.uid), Some(self.user.uid)).unwrap();
        }
    }

    /// The private temporary directories that this world's runs left for a later start.
    pub(crate) fn temporaries(&self) -> Vec<PathBuf> {
        let started = self.started.lock().unwrap();
        let own = started.iter().map(|pid| format!("clawguard-{}-{pid}-", self.user.uid));
        let own: Vec<String> = own.collect();
        let entries = fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path());
        let is_own = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            own.iter().any(|prefix| name.starts_with(prefix))
        };
        entries.filter(is_own).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for directory in self.temporaries() {
            let _ = fs::remove_dir_all(directory);
        }
    }
}
