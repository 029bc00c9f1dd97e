//! `cargo xtask package`: the program as others get it, the same bytes from every clone.
//!
//! Writes beneath the target directory only: `package/clawguard-exec`, `package/man`, `package/completions`, the
//! Debian package and `package/SHA256SUMS`. Installs nothing.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const USAGE: &str = "usage: cargo xtask package [--static] [--no-deb]";

/// What `--static` is built for where its standard library is installed, and else: clawguard runs on no others.
const STATIC: [&str; 2] = if cfg!(target_arch = "aarch64") {
    ["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"]
} else {
    ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"]
};

/// How the program finds the C library.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Linkage {
    /// At its start, on the host.
    Dynamic,
    /// It holds its own.
    Static,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deb {
    Made,
    LeftOut,
}

/// Builds the program, its manual pages and completions, and the Debian package.
pub(crate) fn package(options: impl Iterator<Item = OsString>) -> Result<(), String> {
    let (mut linkage, mut deb) = (Linkage::Dynamic, Deb::Made);
    for option in options {
        match option.to_str() {
            Some("--static") => linkage = Linkage::Static,
            Some("--no-deb") => deb = Deb::LeftOut,
            _ => return Err(format!("package: what is {option:?}? {USAGE}")),
        }
    }
    let build = Build::new(linkage)?;
    let program = build.program()?;
    let to = build.target.join("package");
    // Where `[package.metadata.deb]` finds them.
    let generated = build.target.join("release/package");
    for directory in [&to, &generated.join("completions")] {
        fs::create_dir_all(directory).map_err(|error| told(directory, &error))?;
    }
    let mut files = vec![to.join("clawguard-exec")];
    copy(&program, &files[0])?;
    document(&program, &generated)?;
    for part in ["man", "completions"] {
        let directory = to.join(part);
        fs::create_dir_all(&directory).map_err(|error| told(&directory, &error))?;
        let from = generated.join(part);
        let entries = fs::read_dir(&from).map_err(|error| told(&from, &error))?;
        for entry in entries.flatten() {
            copy(&entry.path(), &directory.join(entry.file_name()))?;
        }
    }
    if deb == Deb::Made {
        compress(&generated.join("man"))?;
        files.push(build.deb(&to)?);
    }
    sums(&to, &files)
}

struct Build {
    root: PathBuf,
    target: PathBuf,
    /// Named where it is not the host's own.
    triple: Option<&'static str>,
    flags: Vec<String>,
    /// Seconds, for whatever needs a time.
    epoch: String,
}

impl Build {
    fn new(linkage: Linkage) -> Result<Build, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root.canonicalize().map_err(|error| told(&root, &error))?;
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        fs::create_dir_all(&target).map_err(|error| told(&target, &error))?;
        let target = target.canonicalize().map_err(|error| told(&target, &error))?;
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home = cargo_home
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
            .ok_or("package: neither CARGO_HOME nor HOME is set")?;
        // Where things lie is nobody's business, and would be in messages and hashes. The last one that fits counts.
        let mut flags = Vec::new();
        for (from, to) in [(&root, "/clawguard"), (&target, "/target"), (&cargo_home, "/cargo")] {
            let from = from.to_str().ok_or("package: a directory whose name is not text")?;
            flags.push(format!("--remap-path-prefix={from}={to}"));
        }
        let triple = match linkage {
            Linkage::Dynamic => None,
            Linkage::Static => Some(static_target(&mut flags)?),
        };
        let epoch = match env::var("SOURCE_DATE_EPOCH") {
            Ok(epoch) => epoch,
            Err(_) => {
                time_of_commit(&root).ok_or("package: no commit here: set SOURCE_DATE_EPOCH")?
            }
        };
        Ok(Build { root, target, triple, flags, epoch })
    }

    /// Builds it; gives its path.
    fn program(&self) -> Result<PathBuf, String> {
        // Flags of its own would else throw away what other builds left there.
        let target = self.target.join("package/build");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--release", "--locked", "-p", "clawguard-exec"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .env("SOURCE_DATE_EPOCH", &self.epoch)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags.join("\u{1f}"))
            .env_remove("RUSTFLAGS");
        if let Some(triple) = self.triple {
            cargo.args(["--target", triple]);
        }
        super::run(cargo)?;
        Ok(target.join(self.triple.unwrap_or_default()).join("release/clawguard-exec"))
    }

    /// Makes the Debian package of what was built.
    fn deb(&self, to: &Path) -> Result<PathBuf, String> {
        let program = self.target.join("release/clawguard-exec");
        copy(&to.join("clawguard-exec"), &program)?;
        let mut deb = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let is_there = Command::new("cargo-deb").arg("--version").output();
        if !is_there.is_ok_and(|output| output.status.success()) {
            return Err(
                "package: cargo-deb is missing: cargo install cargo-deb --locked, or --no-deb"
                    .into(),
            );
        }
        deb.args([
            "deb",
            "--no-build",
            "--no-strip",
            "--locked",
            "-p",
            "clawguard-exec",
            "--output",
        ])
        .arg(to)
        .current_dir(&self.root)
        .env("CARGO_TARGET_DIR", &self.target)
        .env("SOURCE_DATE_EPOCH", &self.epoch);
        super::run(deb)?;
        let entries = fs::read_dir(to).map_err(|error| told(to, &error))?;
        let made = entries.flatten().map(|entry| entry.path());
        let mut made: Vec<PathBuf> =
            made.filter(|path| path.extension().is_some_and(|end| end == "deb")).collect();
        made.sort();
        made.pop().ok_or_else(|| "package: cargo deb made nothing".to_owned())
    }
}

/// The target of a static build: musl's where its standard library is installed, else glibc's, and says so.
fn static_target(flags: &mut Vec<String>) -> Result<&'static str, String> {
    let [musl, gnu] = STATIC;
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library = Command::new(rustc).args(["--print", "target-libdir", "--target", musl]).output();
    let library = library.map_err(|error| format!("rustc: {error}"))?.stdout;
    let library = String::from_utf8_lossy(&library).trim().to_owned();
    if !library.is_empty() && Path::new(&library).is_dir() {
        return Ok(musl);
    }
    eprintln!(
        "xtask: the standard library for {musl} is not installed (rustup target add {musl}): a static program with \
         glibc instead, which asks the host's libraries for a home directory where HOME is not set"
    );
    flags.push("-Ctarget-feature=+crt-static".to_owned());
    Ok(gnu)
}

/// The manual pages and completions of this program, by itself.
fn document(program: &Path, to: &Path) -> Result<(), String> {
    let pages = to.join("man");
    if pages.exists() {
        fs::remove_dir_all(&pages).map_err(|error| told(&pages, &error))?;
    }
    let mut man = Command::new(program);
    man.arg("man").arg(&pages);
    super::run(man)?;
    for (shell, name) in [
        ("bash", "clawguard-exec"),
        ("zsh", "_clawguard-exec"),
        ("fish", "clawguard-exec.fish"),
        ("elvish", "clawguard-exec.elv"),
    ] {
        let output = Command::new(program).args(["completions", shell]).output();
        let output = output.map_err(|error| told(program, &error))?;
        let file = to.join("completions").join(name);
        if !output.status.success() {
            return Err(format!("completions {shell}: {}", output.status));
        }
        fs::write(&file, output.stdout).map_err(|error| told(&file, &error))?;
    }
    Ok(())
}

/// When the commit was made that is built: every clone agrees about it.
fn time_of_commit(root: &Path) -> Option<String> {
    let log = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root).output();
    let time = log.ok().filter(|output| output.status.success());
    let time = time.and_then(|output| String::from_utf8(output.stdout).ok());
    time.map(|time| time.trim().to_owned())
}

/// Debian wants pages compressed, without a time in them.
fn compress(pages: &Path) -> Result<(), String> {
    let entries = fs::read_dir(pages).map_err(|error| told(pages, &error))?;
    let mut pages: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    pages.sort();
    let mut gzip = Command::new("gzip");
    gzip.args(["-9", "--no-name", "--force"]).args(pages);
    super::run(gzip)
}

fn sums(to: &Path, files: &[PathBuf]) -> Result<(), String> {
    let names = files.iter().filter_map(|file| file.file_name());
    let output = Command::new("sha256sum").args(names).current_dir(to).output();
    let output = output.map_err(|error| format!("sha256sum: {error}"))?;
    let file = to.join("SHA256SUMS");
    fs::write(&file, &output.stdout).map_err(|error| told(&file, &error))?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    println!("in {}", to.display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| told(from, &error))
}

fn told(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
