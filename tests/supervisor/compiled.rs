//! The C programs of this suite, compiled once for each run of it. A compiler that fails is a failed test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::World;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/supervisor");

fn compiled(name: &str) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("supervisor-{name}"));
    let fresh = to.with_extension(std::process::id().to_string());
    let status = Command::new("cc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-pthread", "-o"])
        .arg(&fresh)
        .arg(format!("{SOURCES}/{name}.c"))
        .status()
        .unwrap();
    assert!(status.success(), "cc cannot compile {name}.c");
    std::fs::rename(&fresh, &to).unwrap();
    to
}

fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| compiled("probe"))
}

fn races() -> &'static Path {
    static RACES: OnceLock<PathBuf> = OnceLock::new();
    RACES.get_or_init(|| compiled("races"))
}

impl World {
    /// The probe (probe.c), in this world.
    pub(crate) fn probe(&self) -> PathBuf {
        self.installed(probe(), "{root}/bin/probe")
    }

    /// The racing program (races.c), in this world.
    pub(crate) fn races(&self) -> PathBuf {
        self.installed(races(), "{root}/bin/races")
    }

    /// The program of rivals.c, in this world.
    pub(crate) fn rivals(&self) -> PathBuf {
        static RIVALS: OnceLock<PathBuf> = OnceLock::new();
        let program = RIVALS.get_or_init(|| compiled("rivals"));
        self.installed(program, "{root}/bin/rivals")
    }

    /// The program of unlinked.c, in this world.
    pub(crate) fn unlinked(&self) -> PathBuf {
        static UNLINKED: OnceLock<PathBuf> = OnceLock::new();
        let program = UNLINKED.get_or_init(|| compiled("unlinked"));
        self.installed(program, "{root}/bin/unlinked")
    }

    /// The program of answers.c, in this world.
    pub(crate) fn answers_program(&self) -> PathBuf {
        static ANSWERS: OnceLock<PathBuf> = OnceLock::new();
        self.installed(ANSWERS.get_or_init(|| compiled("answers")), "~/work/answers")
    }

    /// The program of lifetimes.c, in this world.
    pub(crate) fn lifetimes(&self) -> PathBuf {
        static LIFETIMES: OnceLock<PathBuf> = OnceLock::new();
        self.installed(LIFETIMES.get_or_init(|| compiled("lifetimes")), "{root}/bin/lifetimes")
    }

    /// The racing program of outsiders.c, in this world.
    pub(crate) fn outsiders(&self) -> PathBuf {
        static OUTSIDERS: OnceLock<PathBuf> = OnceLock::new();
        let program = OUTSIDERS.get_or_init(|| compiled("outsiders"));
        self.installed(program, "{root}/bin/outsiders")
    }

    fn installed(&self, program: &Path, path: &str) -> PathBuf {
        if !self.has(path) {
            self.install(program.to_str().unwrap(), path);
        }
        self.path(path)
    }
}
