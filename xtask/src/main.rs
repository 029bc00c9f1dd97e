//! `cargo xtask ci` does here what continuous integration does; each of its parts is a task of its own:
//!
//! - `check`, `test`, `e2e`: lints and documentation, the README's test command, turns of the real OpenClaw by hand and as
//!   a service, and the page of `log --html` in a real browser;
//! - `escape`: scores a sandbox, ours or another, by what gets out of it;
//! - `oracle`: holds the shim to a model of the law, for a million operations;
//! - `transparency`: runs other people's tests bare and confined, and compares;
//! - `fuzz`: runs the fuzz targets;
//! - `bench`: measures real work, bare and confined;
//! - `package`: the program as others get it: binary, manual pages, completions, Debian package, sums.

#![forbid(unsafe_code)]

mod fuzz;
mod package;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask ci | check | test | e2e | bench [OPTIONS] | escape [OPTIONS] \
                     | fuzz [OPTIONS] | oracle [OPTIONS] | package [OPTIONS] | transparency [OPTIONS]";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let task = arguments.next().unwrap_or_default();
    let outcome = match task.to_str().unwrap_or_default() {
        "ci" => checks()
            .and_then(|()| tests())
            .and_then(|()| fuzz::fuzz(["--seconds", "5"].map(OsString::from).into_iter()))
            .and_then(|()| e2e())
            .and_then(|()| transparency(std::iter::empty())),
        "check" => checks(),
        "test" => tests(),
        "e2e" => e2e(),
        "bench" => bench(arguments),
        "transparency" => transparency(arguments),
        "escape" => escape(arguments),
        "oracle" => oracle(arguments),
        "fuzz" => fuzz::fuzz(arguments),
        "package" => package::package(arguments),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Format, lints and documentation, all without a warning.
fn checks() -> Result<(), String> {
    run(cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    run(fuzz::cargo(&["fmt", "--check"]))?;
    run(fuzz::cargo(&["clippy", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    let mut doc =
        cargo(&["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc)
}

/// The README's test command, and what fuzzing has found.
fn tests() -> Result<(), String> {
    run(cargo(&["test", "--workspace", "--locked"]))?;
    run(fuzz::cargo(&["test", "--tests", "--locked"]))
}

/// The real OpenClaw, installed once into a cache that an ordinary user can read; then the journal's page in Chromium.
fn e2e() -> Result<(), String> {
    let shim = release_shim()?;
    let cache = env::var_os("CLAWGUARD_E2E_CACHE").map_or_else(default_cache, PathBuf::from);
    let test = root().join("tests/e2e/openclaw");
    let mut install = Command::new(test.join("install.sh"));
    install.arg(&cache);
    run(install)?;
    for test in ["run.py", "service.py"].map(|name| test.join(name)) {
        let mut turn = Command::new(test);
        turn.arg(&shim).arg(&cache);
        run(turn)?;
    }
    let mut page = Command::new(root().join("tests/e2e/log/run.py"));
    page.arg(&shim);
    run(page)
}

/// `benches/workloads/run.py`, with the caller's options; its own `--help` lists them.
fn bench(options: impl Iterator<Item = OsString>) -> Result<(), String> {
    let mut workloads = Command::new(root().join("benches/workloads/run.py"));
    workloads.arg("--shim").arg(release_shim()?).args(options);
    run(workloads)
}

/// `tests/transparency/run.py`, with the caller's options; a later `--shim` among them wins.
fn transparency(options: impl Iterator<Item = OsString>) -> Result<(), String> {
    let mut suites = Command::new(root().join("tests/transparency/run.py"));
    suites.arg("--shim").arg(release_shim()?).args(options);
    run(suites)
}

/// `tests/escape` as a score table; a wrong option prints the right ones.
fn escape(options: impl Iterator<Item = OsString>) -> Result<(), String> {
    let mut score = cargo(&["test", "-q", "-p", "clawguard-exec", "--locked", "--test", "escape"]);
    score.args(["--", "score"]).args(options);
    run(score)
}

/// `tests/oracle`, optimised, until it has done so many operations: `--operations N`, `--seed S`, `--mode M`, `--uid U`,
/// `--failures F`. tests/oracle/main.rs says what they mean.
fn oracle(mut options: impl Iterator<Item = OsString>) -> Result<(), String> {
    let mut test =
        cargo(&["test", "--release", "--locked", "-p", "clawguard-exec", "--test", "oracle"]);
    test.env("CLAWGUARD_ORACLE_OPERATIONS", "1000000");
    while let Some(option) = options.next() {
        let name = option.to_str().and_then(|option| option.strip_prefix("--")).unwrap_or_default();
        let known = ["operations", "seed", "mode", "uid", "failures"].contains(&name);
        match (known, options.next()) {
            (true, Some(value)) => {
                test.env(format!("CLAWGUARD_ORACLE_{}", name.to_uppercase()), value);
            }
            _ => return Err(format!("oracle: what is {option:?}, or where is its value?")),
        }
    }
    run(test)
}

fn release_shim() -> Result<PathBuf, String> {
    run(cargo(&["build", "--release", "--locked", "-p", "clawguard-exec"]))?;
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/clawguard-exec"))
}

/// Root's home directory is closed to the ordinary user that the test becomes.
fn default_cache() -> PathBuf {
    let shared = Path::new("/var/cache/clawguard-e2e");
    let parent = shared.parent().and_then(|parent| parent.metadata().ok());
    let home = env::var_os("HOME").map(PathBuf::from);
    match (parent.filter(|_| is_root()), home) {
        (None, Some(home)) => home.join(".cache/clawguard-e2e"),
        (Some(_), _) | (None, None) => shared.to_owned(),
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(root());
    cargo
}

fn run(mut command: Command) -> Result<(), String> {
    eprintln!("xtask: {command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
