//! Ways round a policy, each tried by a real program: bare, where it must succeed, and in the sandbox, where it must not.
//!
//! As a test (`cargo test --test escape`) each attempt is a trial for each user. As `cargo xtask escape` it prints a score,
//! of clawguard or of any other sandbox. README.md says how an attempt is added. What an attempt says of itself is never
//! believed: the verdict is made here, from outside.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod after;
mod attempt;
mod canary;
mod outside;
mod outsider;
mod policy;
mod run;
mod score;
mod snapshot;
#[path = "../support/mod.rs"]
mod support;
mod tree;
mod trial;
mod verdict;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use self::attempt::{Attempt, Programs};
use self::run::Sandbox;
use self::support::User;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == "score") {
        return score::main(words.skip(1));
    }
    let programs: &'static Programs = Box::leak(Box::new(Programs::compile()));
    let mut trials = vec![Trial::test("suite::is_as_large_as_it_must_be", || {
        large_enough(&programs.attempts).map_err(Failed::from)
    })];
    for attempt in &programs.attempts {
        for user in User::all() {
            let name = format!("{}::{} (uid {})", attempt.class, attempt.name, user.uid);
            trials.push(Trial::test(name, move || {
                let trial = trial::run(programs, attempt, user, &Sandbox::clawguard());
                if trial.has_held() { Ok(()) } else { Err(trial.explain().into()) }
            }));
        }
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    programs.remove();
    conclusion.exit_code()
}

/// At least this many attempts in all, and some of each class.
const AT_LEAST: usize = 200;

fn large_enough(attempts: &[Attempt]) -> Result<(), String> {
    let mut lacking: Vec<String> = attempt::CLASSES
        .iter()
        .filter(|class| attempts.iter().all(|attempt| attempt.class != **class))
        .map(|class| format!("no attempt of the class {class}"))
        .collect();
    if attempts.len() < AT_LEAST {
        lacking.push(format!("{} attempts, not {AT_LEAST}", attempts.len()));
    }
    if lacking.is_empty() { Ok(()) } else { Err(lacking.join("; ")) }
}
