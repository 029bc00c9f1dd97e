//! `cargo xtask escape`: the same attempts as a score table, of clawguard or of whatever command prefix is given.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::attempt::{Attempt, Programs};
use crate::run::Sandbox;
use crate::support::User;
use crate::trial::{self, Score, Trial};

const USAGE: &str = "usage: escape [--prefix 'COMMAND {policy} {work} {home} {root} {bin}'] [--json] [--filter TEXT] [--as-user UID] [--verbose]";

struct Options {
    sandbox: Sandbox,
    is_json: bool,
    is_verbose: bool,
    filter: String,
    uid: Option<u32>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            sandbox: Sandbox::Clawguard,
            is_json: false,
            is_verbose: false,
            filter: String::new(),
            uid: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--prefix" => options.sandbox = Sandbox::from_prefix(&value()?),
                "--filter" => options.filter = value()?,
                "--as-user" => {
                    let uid =
                        value()?.parse().map_err(|_| "--as-user needs a number".to_owned())?;
                    options.uid = Some(uid);
                }
                "--json" => options.is_json = true,
                "--verbose" => options.is_verbose = true,
                other => return Err(format!("unknown: {other}")),
            }
        }
        Ok(options)
    }
}

pub(crate) fn main(words: impl Iterator<Item = String>) -> ExitCode {
    let options = match Options::parse(words) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let programs = Programs::compile();
    let mut pairs: Vec<(&Attempt, User)> = Vec::new();
    for attempt in &programs.attempts {
        for user in User::all() {
            let name = format!("{}::{}", attempt.class, attempt.name);
            if name.contains(&options.filter) && options.uid.is_none_or(|uid| uid == user.uid) {
                pairs.push((attempt, user));
            }
        }
    }
    let trials = run_all(&programs, &pairs, &options.sandbox);
    if options.is_json {
        trials.iter().for_each(|trial| println!("{}", as_json(trial)));
    } else {
        print_table(&trials);
        for trial in trials.iter().filter(|trial| !trial.has_held()) {
            let why = trial.explain();
            let why =
                if options.is_verbose { &why } else { why.lines().next().unwrap_or_default() };
            println!("{} (uid {}): {why}", name(trial), trial.user.uid);
        }
    }
    let is_all = trials.len() == pairs.len() && trials.iter().all(Trial::has_held);
    if is_all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As many at a time as the machine has processors, in the order of the list.
fn run_all<'a>(
    programs: &Programs,
    pairs: &[(&'a Attempt, User)],
    sandbox: &Sandbox,
) -> Vec<Trial<'a>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Trial<'a>>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((attempt, user)) = pairs.get(index) else { break };
                    let act = || trial::run(programs, attempt, *user, sandbox);
                    // A panic is printed and counts as a failure: its trial is missing.
                    if let Ok(trial) = catch_unwind(AssertUnwindSafe(act)) {
                        done.lock().unwrap().insert(index, trial);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

fn name(trial: &Trial<'_>) -> String {
    format!("{}::{}", trial.attempt.class, trial.attempt.name)
}

const COLUMNS: &[(Score, &str)] = &[
    (Score::Held, "held"),
    (Score::Through, "through"),
    (Score::WrongErrno, "wrong errno"),
    (Score::NeighbourBroken, "neighbour broken"),
    (Score::NotProven, "not proven"),
];

fn print_table(trials: &[Trial<'_>]) {
    let mut rows: BTreeMap<String, BTreeMap<Score, usize>> = BTreeMap::new();
    for trial in trials {
        for class in [trial.attempt.class.as_str(), "~ all"] {
            *rows.entry(class.to_owned()).or_default().entry(trial.score()).or_default() += 1;
        }
    }
    print!("{:12}", "class");
    COLUMNS.iter().for_each(|(_, title)| print!(" {title:>16}"));
    println!();
    for (class, counts) in &rows {
        print!("{:12}", class.trim_start_matches("~ "));
        COLUMNS.iter().for_each(|(score, _)| print!(" {:>16}", counts.get(score).unwrap_or(&0)));
        println!();
    }
    let excused: Vec<_> =
        trials.iter().filter_map(|trial| Some((trial, trial.excuse()?))).collect();
    println!("\n{} not shown to succeed without a sandbox:", excused.len());
    for (trial, why) in excused {
        println!("  {} (uid {}): {why}", name(trial), trial.user.uid);
    }
    println!();
}

fn as_json(trial: &Trial<'_>) -> Value {
    let title = COLUMNS.iter().find(|(score, _)| *score == trial.score()).map(|(_, title)| title);
    json!({
        "class": trial.attempt.class,
        "name": trial.attempt.name,
        "uid": trial.user.uid,
        "score": title,
        "expected_errno": trial.attempt.expect,
        "errno": trial.confined.errnos,
        "leaks": trial.confined.leaks,
        "changes": trial.confined.changes,
        "effects": trial.confined.effects,
        "neighbour": trial.confined.neighbour.as_deref().unwrap_or("works"),
        "bare": trial.bare.as_ref().map(|bare| json!({
            "through": bare.is_through(),
            "errno": bare.errnos,
            "leaks": bare.leaks,
            "changes": bare.changes,
            "effects": bare.effects,
        })),
        "not_bare_because": trial.excuse(),
    })
}
