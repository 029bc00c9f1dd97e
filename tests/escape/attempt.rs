//! The attempts: compiled once for each run of the suite, and asked what they are. A compiler that fails ends the run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/escape");

/// The known classes of ways round a path policy: each must have its file, `attempts/CLASS.c`. There may be more.
pub(crate) const CLASSES: &[&str] = &[
    "abi",
    "calls",
    "descriptors",
    "execution",
    "kernel",
    "links",
    "listeners",
    "metadata",
    "mounts",
    "names",
    "numbers",
    "processes",
    "races",
    "renames",
    "rivals",
    "settled",
    "signals",
    "sockets",
    "supervisor",
    "terminal",
    "threads",
    "time",
    "tracing",
    "trust",
    "uring",
];

/// What an attempt says of itself before it is run.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) class: String,
    pub(crate) name: String,
    /// The errnos that the law allows for the deciding call; none: no call decides.
    pub(crate) expect: Vec<String>,
    /// Why it cannot succeed without a sandbox, as an ordinary user and as root.
    pub(crate) user: Option<String>,
    pub(crate) root: Option<String>,
    /// Why it is never run without a sandbox.
    pub(crate) never_bare: Option<String>,
    /// The bits of `enum with`.
    pub(crate) with: u32,
    pub(crate) policy: String,
    pub(crate) after: Option<String>,
}

impl Attempt {
    pub(crate) fn has_outsider(&self) -> bool {
        self.with & 1 != 0
    }

    /// Does a second run of it act in the same tree?
    pub(crate) fn has_rival(&self) -> bool {
        self.with & 8 != 0
    }

    fn parse(class: &str, line: &str) -> Attempt {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, with, expect, user, root, never_bare, policy, after] = fields[..] else {
            panic!("{class}: {line}")
        };
        let text = |field: &str| (!field.is_empty()).then(|| field.to_owned());
        Attempt {
            class: class.to_owned(),
            name: name.to_owned(),
            expect: expect.split('|').filter_map(text).collect(),
            user: text(user),
            root: text(root),
            never_bare: text(never_bare),
            with: with.parse().unwrap(),
            policy: text(policy).unwrap_or_else(|| "rich".to_owned()),
            after: text(after),
        }
    }
}

/// The compiled programs, where every user can reach them, and what they attempt.
pub(crate) struct Programs {
    directory: TempDir,
    pub(crate) attempts: Vec<Attempt>,
}

impl Programs {
    pub(crate) fn compile() -> Programs {
        let directory = tempfile::Builder::new().prefix("clawescape-").tempdir_in("/tmp").unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(directory.path(), open).unwrap();
        let mut programs = Programs { directory, attempts: Vec::new() };
        // Each world has its own copy of the shim. What a debugger needs is nine tenths of it.
        let stripped = Command::new("strip")
            .arg("-o")
            .arg(programs.path("clawguard-exec"))
            .arg(env!("CARGO_BIN_EXE_clawguard-exec"))
            .status()
            .unwrap();
        assert!(stripped.success(), "strip: {stripped}");
        for name in ["launch", "outsider"] {
            programs.compile_one(&format!("{name}.c"), name);
        }
        for class in &classes() {
            programs.compile_one(&format!("attempts/{class}.c"), class);
            let table = Command::new(programs.path(class)).output().unwrap();
            assert!(table.status.success(), "{table:?}");
            let table = String::from_utf8(table.stdout).unwrap();
            programs.attempts.extend(table.lines().map(|line| Attempt::parse(class, line)));
        }
        programs
    }

    fn compile_one(&self, source: &str, name: &str) {
        let status = Command::new("cc")
            .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
            .arg(self.path(name))
            .arg(format!("{SOURCES}/{source}"))
            .status()
            .unwrap();
        assert!(status.success(), "cc cannot compile {source}");
    }

    /// `launch`, `outsider`, `clawguard-exec`, or the program of a class.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The end of the process runs no destructor of what it was lent for ever.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir_all(self.directory.path());
    }
}

/// The stems of all `attempts/*.c`, in order.
fn classes() -> Vec<String> {
    let entries = fs::read_dir(Path::new(SOURCES).join("attempts")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let sources = paths.filter(|path| path.extension().is_some_and(|end| end == "c"));
    let mut stems: Vec<String> =
        sources.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    stems.sort();
    stems
}
