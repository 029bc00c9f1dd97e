//! The oracle: random policies, trees and operations under the real shim, held to a model of SPEC sections 3 to 5 that was
//! written from the text (law.rs, guard.rs, beneath.rs, needs.rs, execution.rs, moves.rs, walk.rs) and shares nothing with clawguard-core.
//!
//! What the model denies never happens and leaves the tree unchanged; everything else gives what it gives in a bare twin
//! of the tree: result, errno and tree. In some cases the policy in use stands in the tree; in some, two runs act in it in
//! turn, each under a policy of its own. A disagreement is made small and printed as a script (shrink.rs).
//!
//! | variable | meaning |
//! |---|---|
//! | `CLAWGUARD_ORACLE_SEED` | the first seed; a fresh one if it is not set, and each run prints its own |
//! | `CLAWGUARD_ORACLE_OPERATIONS` | how many operations; without it the run ends after `CLAWGUARD_ORACLE_SECONDS` (100) |
//! | `CLAWGUARD_ORACLE_MODE` | `auto`, `supervised` or `kernel`; all of them if it is not set |
//! | `CLAWGUARD_ORACLE_STORM` | how many milliseconds each storm lasts (3000) |
//! | `CLAWGUARD_ORACLE_UID` | only this user |
//! | `CLAWGUARD_ORACLE_FAILURES` | go on until there are so many scripts for a user (1) |
//!
//! `cargo xtask oracle` sets them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod actor;
mod beneath;
mod execution;
mod generate;
mod guard;
mod kernel;
mod law;
mod moves;
mod needs;
mod operation;
mod outside;
mod policy;
mod processes;
mod run;
mod scene;
mod shrink;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod tree;
mod walk;

use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::run::{Case, Counts, Disagreement, Mode, Stage};
use self::support::{User, World};

/// Operations of one case. Long enough that trees change a lot, short enough that many policies are met.
const LENGTH: usize = 150;

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("CLAWGUARD_ORACLE_{name}")).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().unwrap())
}

/// Past the capture of the test harness: the seed is wanted when nothing fails, too.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "oracle: {text}");
}

/// The seed that was asked for, or a fresh one.
fn seed() -> u64 {
    number("SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_nanos() as u64 % 1_000_000_000_000
    })
}

fn modes() -> Vec<Mode> {
    match variable("MODE").as_deref() {
        None => vec![Mode::Supervised, Mode::Auto, Mode::Kernel],
        Some("auto") => vec![Mode::Auto],
        Some("supervised") => vec![Mode::Supervised],
        Some("kernel") => vec![Mode::Kernel],
        Some(other) => panic!("CLAWGUARD_ORACLE_MODE is `{other}`"),
    }
}

#[test]
fn the_shim_does_what_the_model_says_and_the_bare_twin_does() {
    let seed = seed();
    say(&format!("CLAWGUARD_ORACLE_SEED={seed}"));
    let wanted = number("OPERATIONS");
    let end = Instant::now() + Duration::from_secs(number("SECONDS").unwrap_or(100));
    let only = number("UID");
    let mut users = User::all();
    users.retain(|user| only.is_none_or(|uid| uid == u64::from(user.uid)));
    assert!(!users.is_empty(), "no such user");
    std::thread::scope(|scope| {
        let share = wanted.map(|wanted| wanted.div_ceil(users.len() as u64));
        let threads: Vec<_> = users
            .iter()
            .enumerate()
            .map(|(index, user)| {
                let seeds = (seed + index as u64..).step_by(users.len());
                scope.spawn(move || run_as(*user, seeds, share, end))
            })
            .collect();
        let texts: Vec<String> =
            threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect();
        assert!(texts.is_empty(), "\n{}", texts.join("\n"));
    });
}

#[test]
fn nothing_forbidden_happens_while_many_act_and_names_move() {
    let seed = seed();
    say(&format!("CLAWGUARD_ORACLE_SEED={seed}"));
    let length = Duration::from_millis(number("STORM").unwrap_or(3000));
    let mut failures = Vec::new();
    for user in User::all() {
        for mode in modes() {
            let name = format!("storm as uid {}, --mode {}", user.uid, mode.option());
            match storm::storm(user, mode, seed, length) {
                Ok(seen) => say(&format!("{name}: {seen}")),
                Err(why) => failures.push(format!("{name}: {why}")),
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Cases as one user, until there are enough; a disagreement, as a script.
fn run_as(
    user: User,
    seeds: impl Iterator<Item = u64>,
    wanted: Option<u64>,
    end: Instant,
) -> Result<(), String> {
    let world = World::new(user);
    world.install(actor::compiled().to_str().unwrap(), "{root}/bin/actor");
    let modes = modes();
    let mut counts = vec![Counts::default(); modes.len()];
    let started = Instant::now();
    let mut played = 0;
    let mut failures = Vec::new();
    for (at, seed) in seeds.enumerate() {
        let total: u64 = counts.iter().map(|counts| counts.operations).sum();
        if wanted.map_or(Instant::now() >= end, |wanted| total >= wanted) {
            break;
        }
        let which = at % modes.len();
        let stage = |number: u64| Stage { world: &world, mode: modes[which], number };
        played += 1;
        match stage(played).invent(seed, LENGTH) {
            Ok(seen) => counts[which].add(seen),
            Err(found) => {
                let (case, seen) = *found;
                let (case, seen) = shrink::shrink(case, seen, |candidate| {
                    played += 1;
                    stage(played).replay(candidate).err()
                });
                let head = format!(
                    "uid {}, --mode {}, CLAWGUARD_ORACLE_SEED={}",
                    user.uid,
                    modes[which].option(),
                    seed
                );
                failures.push(script(&head, &case, &seen));
                if failures.len() as u64 >= number("FAILURES").unwrap_or(1) {
                    break;
                }
            }
        }
    }
    for (mode, counts) in modes.iter().zip(&counts) {
        say(&format!("uid {} {}: {counts:?} in {:?}", user.uid, mode.option(), started.elapsed()));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn script(head: &str, case: &Case, seen: &Disagreement) -> String {
    let mut text = format!("{head}\npolicy:\n");
    for entry in &case.entries {
        text.push_str(&format!("  {entry}\n"));
    }
    for entry in case.others.iter().flatten() {
        text.push_str(&format!("  second run: {entry}\n"));
    }
    text.push_str("tree:\n");
    for node in &case.nodes {
        text.push_str(&format!("  {node}\n"));
    }
    text.push_str("operations:\n");
    for (number, operation) in case.operations.iter().enumerate() {
        text.push_str(&format!("  {}. {operation}\n", number + 1));
    }
    text.push_str(&format!(
        "the model says {:?} of the last one\nseen: {}\n",
        seen.verdict, seen.text
    ));
    text
}
