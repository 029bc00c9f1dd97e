//! `cargo xtask fuzz`: builds the fuzz targets with a stable compiler and runs them, as an ordinary user.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{is_root, root, run};

/// Every target, and how long an input may be that is worth trying. A new one needs a line here, in `fuzz/Cargo.toml` and
/// in `fuzz/tests/corpus.rs`.
const TARGETS: [(&str, u32); 4] =
    [("policy", 4096), ("pattern", 512), ("settled", 512), ("requests", 800)];

/// The user that the targets run as when root builds them: a finding must not hurt the host.
const ORDINARY: &str = "65534";

/// What `cargo fuzz` sets, with options that a stable compiler takes: counters for libFuzzer, no sanitizer.
const RUSTFLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cforce-frame-pointers=yes",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Flags for one target of compilation alone: build scripts must not be instrumented.
fn triple() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

/// What the command line asks for.
struct Wanted {
    targets: Vec<(&'static str, u32)>,
    seconds: u32,
    minimise: Option<PathBuf>,
}

impl Wanted {
    fn read(mut arguments: impl Iterator<Item = OsString>) -> Result<Wanted, String> {
        let mut wanted = Wanted { targets: Vec::new(), seconds: 60, minimise: None };
        while let Some(argument) = arguments.next() {
            let value = |next: Option<OsString>| next.ok_or(format!("{argument:?} needs a value"));
            match argument.to_str() {
                Some("--seconds") => {
                    let text = value(arguments.next())?;
                    let seconds = text.to_str().and_then(|text| text.parse().ok());
                    wanted.seconds = seconds.ok_or(format!("{text:?} is no number of seconds"))?;
                }
                Some("--minimise") => {
                    wanted.minimise = Some(PathBuf::from(value(arguments.next())?));
                }
                name => {
                    let known = TARGETS.iter().find(|(target, _)| Some(*target) == name);
                    let known = known.ok_or(format!(
                        "usage: cargo xtask fuzz [--seconds N] [--minimise DIRECTORY] [TARGET]...; not {argument:?}"
                    ))?;
                    wanted.targets.push(*known);
                }
            }
        }
        if wanted.targets.is_empty() {
            wanted.targets = TARGETS.to_vec();
        }
        Ok(wanted)
    }
}

/// `cargo xtask fuzz [--seconds N] [--minimise DIRECTORY] [TARGET]...`: every target for so long, or, with a directory
/// of inputs, the smallest part of them and of the corpus that reaches as much becomes the corpus.
pub(crate) fn fuzz(arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let wanted = Wanted::read(arguments)?;
    let programs = build()?;
    let rooms = Room::new()?;
    for (target, length) in wanted.targets {
        let start = Instant::now();
        match &wanted.minimise {
            Some(inputs) => rooms.minimise(&programs, target, inputs)?,
            None => rooms.fuzz(&programs, target, length, wanted.seconds)?,
        }
        eprintln!("xtask: {target}: {} s", start.elapsed().as_secs());
    }
    Ok(())
}

/// Cargo in `fuzz/`, which is a workspace of its own.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = super::cargo(arguments);
    cargo.current_dir(root().join("fuzz")).env("CARGO_TARGET_DIR", target_directory());
    cargo
}

fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("fuzz/target"), |target| PathBuf::from(target).join("fuzz"))
}

/// Builds all targets; where they are.
fn build() -> Result<PathBuf, String> {
    let triple = triple();
    let mut cargo = cargo(&["build", "--release", "--locked", "--features", "libfuzzer", "--bins"]);
    cargo.args(["--target", &triple]).env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    run(cargo)?;
    Ok(target_directory().join(triple).join("release"))
}

/// A directory that the ordinary user can work in, removed at the end unless it holds a finding.
struct Room(PathBuf);

impl Room {
    fn new() -> Result<Room, String> {
        let path = env::temp_dir().join(format!("clawfuzz-run-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Room(path))
    }

    /// The program and its corpus, where the ordinary user can reach them.
    fn furnish(&self, programs: &Path, target: &str) -> Result<PathBuf, String> {
        let room = self.0.join(target);
        let kept = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(room.join("findings")).map_err(|error| error.to_string())?;
        copy(&programs.join(target), &room.join("program"))?;
        copy(&kept, &room.join("corpus"))?;
        give(&room)?;
        Ok(room)
    }

    /// libFuzzer, in the room.
    fn program(&self, room: &Path) -> Command {
        let program = room.join("program");
        let mut command = if is_root() {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--reuid", ORDINARY, "--regid", ORDINARY, "--clear-groups"]).arg(program);
            setpriv
        } else {
            Command::new(program)
        };
        command.current_dir(room).env("TMPDIR", room).env_remove("RUST_BACKTRACE");
        command.args(["-rss_limit_mb=1024", "-timeout=30", "-artifact_prefix=findings/"]);
        command
    }

    fn fuzz(&self, programs: &Path, target: &str, length: u32, seconds: u32) -> Result<(), String> {
        let room = self.furnish(programs, target)?;
        let mut command = self.program(&room);
        command.arg(format!("-max_len={length}")).arg(format!("-max_total_time={seconds}"));
        command.args(["-print_final_stats=1", "-verbosity=0"]);
        let dictionary = root().join("fuzz/dictionaries").join(format!("{target}.txt"));
        if dictionary.exists() {
            copy(&dictionary, &room.join("dictionary"))?;
            command.arg("-dict=dictionary");
        }
        command.arg("corpus");
        run(command).map_err(|why| self.keep(&room, target, &why))
    }

    /// Brings the findings home.
    fn keep(&self, room: &Path, target: &str, why: &str) -> String {
        let home = root().join("fuzz/artifacts").join(target);
        let kept = fs::create_dir_all(&home)
            .map_err(|error| error.to_string())
            .and_then(|()| copy(&room.join("findings/."), &home));
        let kept = kept.map_or_else(|error| error, |()| format!("see {}", home.display()));
        format!("{target}: {why}: {kept}")
    }

    fn minimise(&self, programs: &Path, target: &str, inputs: &Path) -> Result<(), String> {
        let room = self.furnish(programs, target)?;
        let inputs = inputs.join(target);
        copy(&inputs, &room.join("inputs"))?;
        fs::create_dir(room.join("small")).map_err(|error| error.to_string())?;
        give(&room)?;
        let mut merge = self.program(&room);
        // By code that is reached, not by how often: a corpus that stays small.
        merge.args(["-merge=1", "-use_counters=0", "small", "corpus", "inputs"]);
        run(merge)?;
        let kept = root().join("fuzz/corpus").join(target);
        for entry in fs::read_dir(&kept).map_err(|error| error.to_string())?.flatten() {
            if is_libfuzzers(&entry.file_name()) {
                fs::remove_file(entry.path()).map_err(|error| error.to_string())?;
            }
        }
        copy(&room.join("small/."), &kept)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Did libFuzzer name this input, by its SHA-1? What a person named is kept.
fn is_libfuzzers(name: &OsStr) -> bool {
    name.len() == 40
        && name.to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Makes the ordinary user the owner.
fn give(directory: &Path) -> Result<(), String> {
    if !is_root() {
        return Ok(());
    }
    let mut chown = Command::new("chown");
    chown.arg("-R").arg(format!("{ORDINARY}:{ORDINARY}")).arg(directory);
    run(chown)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let mut cp = Command::new("cp");
    cp.arg("-r").arg(from).arg(to);
    run(cp)
}
