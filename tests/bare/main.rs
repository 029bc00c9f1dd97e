//! A supervised call that is allowed cannot be told from the kernel's own: each call with every shape of its
//! arguments, made bare and confined by a policy that allows it, as shapes.c says. What differs is a fault, or a row of
//! [`expected`] with its heading in docs/limits.md.
//!
//! With `CLAWGUARD_BARE_PAIRS` every case with one unusual argument is made, and so many for each two arguments; without,
//! a part of them, always the same.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod expected;
mod places;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use expected::EXPECTED;
use places::Place;
use support::{User, World, for_every_user};

/// Everything is allowed. With the first policy the supervisor performs every open, since a block is beneath; with the
/// second the kernel goes on with those that are allowed, which matters to what opens alone.
const POLICIES: [(&str, &str, &[&str]); 2] = [
    ("opens are performed", "allowed_paths: ['/']\nblocked_paths: ['**/.env']", &[]),
    ("opens continue", "allowed_paths: ['/']", &["open", "creat", "exec"]),
];

/// How many cases are made.
struct Measure {
    /// One in so many of those where one argument is unusual.
    every: &'static str,
    /// About so many for each two arguments.
    pairs: String,
}

/// What was asked for, or this.
fn measure(every: &'static str, pairs: &str) -> Measure {
    match std::env::var("CLAWGUARD_BARE_PAIRS") {
        Ok(pairs) => Measure { every: "1", pairs },
        Err(_) => Measure { every, pairs: pairs.to_owned() },
    }
}

/// What became of each case, by its name.
type Outcomes = BTreeMap<String, String>;

/// shapes.c, compiled once.
fn compiled() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare-shapes");
        let fresh = to.with_extension(std::process::id().to_string());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/bare/shapes.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-o"]).arg(&fresh).arg(source);
        assert!(compiler.status().unwrap().success(), "cc cannot compile shapes.c");
        std::fs::rename(&fresh, &to).unwrap();
        to
    })
}

fn installed(world: &World) -> PathBuf {
    world.install(compiled().to_str().unwrap(), "{root}/bin/shapes");
    world.path("{root}/bin/shapes")
}

fn outcomes(bytes: &[u8]) -> Outcomes {
    let text = String::from_utf8_lossy(bytes);
    let line = |line: &str| {
        let (case, outcome) = line.split_once('\t').unwrap();
        (case.to_owned(), outcome.trim_end().to_owned())
    };
    text.lines().map(line).collect()
}

/// Without clawguard, and without what it takes from its target: capabilities and new privileges.
fn bare(world: &World, words: &[String]) -> Outcomes {
    let mut command = Command::new("setpriv");
    if world.user.is_other() {
        let uid = world.user.uid.to_string();
        command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]);
    } else {
        command.arg("--no-new-privs");
    }
    command.arg(&words[0]).arg("drop").args(&words[1..]).stdin(Stdio::null());
    let output = command.current_dir(world.path("~/work")).output().unwrap();
    assert!(output.status.success(), "bare: {}", String::from_utf8_lossy(&output.stderr));
    outcomes(&output.stdout)
}

/// Under a policy, supervised.
fn confined(world: &World, policy: &str, words: &[String]) -> Outcomes {
    world.policy(policy);
    let ran = world.confined().args(["--mode", "supervised"]).command(words);
    assert!(ran.status.success(), "confined: {} {}", ran.status, ran.stderr);
    outcomes(&ran.bytes)
}

/// A case that differs, with its outcomes.
struct Difference {
    case: String,
    bare: String,
    confined: String,
}

impl Difference {
    /// Is the result the same, and only a trace of the call another? Somebody outside may have left it.
    fn is_trace(&self) -> bool {
        self.bare.split(' ').next() == self.confined.split(' ').next()
    }

    fn call(&self) -> &str {
        self.case.split_inclusive('(').next().unwrap()
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Difference { case, bare, confined } = self;
        writeln!(f, "{case}\n    bare:     {bare}\n    confined: {confined}")
    }
}

/// The cases that differ, without those that are expected; the rows that came true are added to `seen`.
fn differences(
    bare: &Outcomes,
    confined: &Outcomes,
    seen: &mut BTreeSet<usize>,
) -> Vec<Difference> {
    let cases: BTreeSet<&String> = bare.keys().chain(confined.keys()).collect();
    let mut wrong = Vec::new();
    for case in cases {
        let outcome = |of: &Outcomes| of.get(case).cloned().unwrap_or("is not made".to_owned());
        let (bare, confined) = (outcome(bare), outcome(confined));
        if bare == confined {
            continue;
        }
        match EXPECTED.iter().position(|row| row.explains(case, &bare, &confined)) {
            Some(row) => {
                seen.insert(row);
            }
            None => wrong.push(Difference { case: case.clone(), bare, confined }),
        }
    }
    wrong
}

/// Tries at a case of which only a trace differs.
const TRIES: usize = 3;

/// The comparisons in one place.
struct Comparison<'w> {
    world: &'w World,
    place: &'w Place,
    measure: Measure,
    program: PathBuf,
}

impl Comparison<'_> {
    fn words(&self, name: &str, calls: &[&str]) -> Vec<String> {
        let directory = self.place.directory().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        self.world.give(&directory);
        let mut words = vec![self.program.to_str().unwrap(), directory.to_str().unwrap()];
        words.extend([self.measure.every, self.measure.pairs.as_str()]);
        words.extend(calls);
        words.into_iter().map(str::to_owned).collect()
    }

    /// Makes the cases, bare and under each policy, and compares them. Returns the rows that came true.
    #[track_caller]
    fn make(&self) -> BTreeSet<usize> {
        let all = bare(self.world, &self.words("bare", &[]));
        assert!(all.len() > 400, "{} cases only", all.len());
        let mut seen = BTreeSet::new();
        for (name, policy, calls) in POLICIES {
            let confined = confined(self.world, policy, &self.words(name, calls));
            let mut bare = all.clone();
            bare.retain(|case, _| {
                calls.is_empty() || calls.iter().any(|call| case.starts_with(call))
            });
            let mut wrong = differences(&bare, &confined, &mut seen);
            for _ in 0..TRIES {
                self.try_again(name, policy, &mut wrong);
            }
            let shown: String = wrong.iter().take(50).map(Difference::to_string).collect();
            let (uid, place, count) = (self.world.user.uid, self.place.name, wrong.len());
            assert!(wrong.is_empty(), "uid {uid}, {place}, {name}: {count} differ\n{shown}");
        }
        seen
    }

    /// Leaves those traces out that do not differ in another try.
    fn try_again(&self, name: &str, policy: &str, wrong: &mut Vec<Difference>) {
        let traces = wrong.iter().filter(|one| one.is_trace());
        let calls: BTreeSet<&str> = traces.map(|one| one.call().trim_end_matches('(')).collect();
        let calls: Vec<&str> = calls.into_iter().collect();
        if calls.is_empty() {
            return;
        }
        let bare = bare(self.world, &self.words("bare", &calls));
        let confined = confined(self.world, policy, &self.words(name, &calls));
        let again = differences(&bare, &confined, &mut BTreeSet::new());
        let again: BTreeSet<String> = again.into_iter().map(|one| one.case).collect();
        wrong.retain(|one| !one.is_trace() || again.contains(&one.case));
    }
}

#[track_caller]
fn compare(world: &World, place: &Place, measure: Measure) -> BTreeSet<usize> {
    Comparison { world, place, measure, program: installed(world) }.make()
}

#[test]
fn every_supervised_call_has_shapes() {
    let output = Command::new(compiled()).arg("names").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let made: BTreeSet<&str> = text.lines().collect();
    let source = include_str!("../../clawguard-core/src/supervise/handlers.rs");
    let (_, table) = source.split_once("Some(match name {").unwrap();
    let (table, _) = table.split_once("_ => return None").unwrap();
    let supervised: BTreeSet<&str> = table.split('"').skip(1).step_by(2).collect();
    assert!(supervised.len() > 60, "{supervised:?}");
    let missing: Vec<_> = supervised.difference(&made).collect();
    let is_there = |call: &&&str| cfg!(target_arch = "x86_64") || !OLD.contains(call);
    let missing: Vec<_> = missing.into_iter().filter(is_there).collect();
    assert!(missing.is_empty(), "without shapes: {missing:?}");
}

/// The calls that only x86_64 has.
const OLD: &[&str] = &[
    "open",
    "creat",
    "mkdir",
    "mknod",
    "symlink",
    "unlink",
    "rmdir",
    "rename",
    "link",
    "chmod",
    "chown",
    "lchown",
    "utime",
    "utimes",
    "futimesat",
    "access",
];

#[test]
fn a_supervised_call_that_is_allowed_cannot_be_told_from_the_kernels_own() {
    let world = World::new(User::ordinary());
    let seen = compare(&world, &Place::world(&world), measure("1", "1"));
    let idle = (0..EXPECTED.len()).filter(|row| !seen.contains(row));
    let idle: Vec<_> = idle.map(|row| &EXPECTED[row]).collect();
    assert!(idle.is_empty(), "these rows explain nothing: {idle:#?}");
}

#[test]
fn the_same_holds_for_root_without_capabilities() {
    let user = User::current();
    if user == User::ordinary() {
        println!("the suite is not run by root");
        return;
    }
    let world = World::new(user);
    compare(&world, &Place::world(&world), measure("3", "0"));
}

#[test]
fn the_same_holds_on_tmpfs_overlayfs_and_btrfs() {
    for_every_user(|world| {
        for place in Place::others(&world) {
            println!("{}", place.name);
            compare(&world, &place, measure("16", "0"));
        }
    });
}

#[test]
fn every_expected_difference_has_its_heading_in_the_limits() {
    let limits = include_str!("../../docs/limits.md");
    for row in EXPECTED {
        let heading = format!("\n### {}\n", row.heading);
        assert!(limits.contains(&heading), "docs/limits.md has no heading `{}`", row.heading);
    }
}
