//! Random trees under random policies: what the kernel allows is never more than the law of `check`, and where `plan`
//! says that no rule needs the supervisor, it is the law.
//!
//! `CLAWGUARD_TEST_SEED` and `CLAWGUARD_TEST_CASES` repeat or widen a run; a failure names its seed.

mod case;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::case::Case;
use crate::support::{World, for_every_user};

const PROBE: &str = include_str!("probe.py");

/// Enough to meet every kind of rule in every kind of place; a run takes seconds.
const CASES: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn the_kernel_never_allows_more_than_the_law_and_exactly_the_law_without_needs() {
    let first = number("CLAWGUARD_TEST_SEED").unwrap_or(1);
    let cases = number("CLAWGUARD_TEST_CASES").unwrap_or(CASES);
    for_every_user(|world| {
        let mut exact = 0;
        let mut failures = String::new();
        for seed in first..first + cases {
            match judge(&world, seed) {
                Ok(is_exact) => exact += u64::from(is_exact),
                Err(text) => failures.push_str(&text),
            }
        }
        assert!(failures.is_empty(), "as uid {}:\n{failures}", world.user.uid);
        // A generator that only makes mixed policies would prove nothing about equality.
        assert!(
            cases < CASES || exact * 5 > cases,
            "only {exact} of {cases} policies were the kernel's alone"
        );
    });
}

/// What `check` says of paths.
struct Law(BTreeMap<String, Value>);

impl Law {
    fn ask(world: &World, paths: &BTreeSet<String>) -> Law {
        let input: String = paths.iter().map(|path| format!("{path}\0")).collect();
        let policy = world.text("~/policy.yaml");
        let ran = world
            .shim_with(["-q", "check", "--policy", &policy, "--json", "--stdin"])
            .input(input)
            .run()
            .works();
        let rows =
            ran.json_lines().into_iter().map(|row| (row["path"].as_str().unwrap().to_owned(), row));
        Law(rows.collect())
    }

    fn allows(&self, path: &str, access: &str) -> bool {
        self.0[path][access]["allowed"].as_bool().unwrap()
    }

    /// Does `new` allow what `old` does not?
    fn gains(&self, old: &str, new: &str) -> bool {
        ["r", "w", "x"].iter().any(|access| self.allows(new, access) && !self.allows(old, access))
    }
}

/// One operation: what the kernel must not exceed, and what it must equal if the policy is its own alone.
struct Verdict {
    at_most: bool,
    exactly: Option<bool>,
}

/// Who enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Kernel,
    Supervised,
}

/// Runs one case in both modes; true if the kernel alone held the policy.
fn judge(world: &World, seed: u64) -> Result<bool, String> {
    let is_exact = judge_in(Mode::Kernel, world, seed)?;
    judge_in(Mode::Supervised, world, seed)?;
    Ok(is_exact)
}

fn judge_in(mode: Mode, world: &World, seed: u64) -> Result<bool, String> {
    let top = format!("{}/t{seed}", world.root().display());
    let case = Case::generate(seed, &top);
    case.build(world);
    world.policy(&case.policy);
    let mut asked: BTreeSet<String> = case.paths().cloned().collect();
    for directory in &case.directories {
        asked.extend(
            case::FRESH
                .iter()
                .chain(&["zz-one", "zz-two"])
                .map(|name| format!("{directory}/{name}")),
        );
    }
    let law = Law::ask(world, &asked);
    let policy = world.text("~/policy.yaml");
    let plan = ["-q", "plan", "--json", "--mode", "kernel", "--policy", &policy];
    let plan = world.shim_with(plan).run().works().json();
    let held_by_kernel = plan["needs_supervisor"].as_array().unwrap().is_empty();
    let is_exact = match mode {
        Mode::Kernel => held_by_kernel,
        Mode::Supervised => true,
    };

    let command = ["/usr/bin/python3", "-I", "-S", "-c", PROBE];
    let input = json!({
        "paths": case.paths().collect::<Vec<_>>(), "files": case.files,
        "directories": case.directories, "fresh": case::FRESH,
    });
    let option = match mode {
        Mode::Kernel => "kernel",
        Mode::Supervised => "supervised",
    };
    let shim = world.confined().input(input.to_string()).args(["--mode", option]);
    let rows = shim.command(command).works().json();
    let mut wrong = String::new();
    for row in rows.as_array().unwrap() {
        let word = |index: usize| row[index].as_str().unwrap_or_default();
        let (operation, path, other, outcome) = (word(0), word(1), word(2), word(3));
        if matches!(outcome, "ENOENT" | "ELOOP" | "ENOTDIR" | "ENXIO") {
            continue;
        }
        let is_allowed = !matches!(outcome, "EACCES" | "EPERM" | "EXDEV");
        let Some(verdict) = verdict(mode, &case, &law, operation, path, other) else { continue };
        let is_more = is_allowed && !verdict.at_most;
        let is_other = is_exact && verdict.exactly.is_some_and(|exactly| exactly != is_allowed);
        if is_more || is_other {
            let kind = if is_more { "more than the law" } else { "less than the law" };
            wrong.push_str(&format!("  {kind}, {mode:?}: {operation} {path} {other}: {outcome}\n"));
        }
    }
    world.remove(&top);
    if wrong.is_empty() {
        Ok(is_exact)
    } else {
        Err(format!("seed {seed}:\n{}{}{wrong}", case.policy, case.text()))
    }
}

fn verdict(
    mode: Mode,
    case: &Case,
    law: &Law,
    operation: &str,
    path: &str,
    other: &str,
) -> Option<Verdict> {
    let same = |is_allowed| Some(Verdict { at_most: is_allowed, exactly: Some(is_allowed) });
    match operation {
        "r" | "w" => {
            // A rule on a file holds for the file: its other names too (SPEC section 7).
            let names = case.names_of(&law.0[path]["real_path"]);
            let at_most =
                law.allows(path, operation) || names.iter().any(|name| law.allows(name, operation));
            let exactly = (at_most == law.allows(path, operation)).then_some(at_most);
            Some(Verdict { at_most, exactly })
        }
        "x" => {
            // The kernel reads what it executes.
            let names = case.names_of(&law.0[path]["real_path"]);
            let any = |access| {
                law.allows(path, access) || names.iter().any(|name| law.allows(name, access))
            };
            let at_most = any("x") && (mode == Mode::Supervised || any("r"));
            // Only where a directory is loose is executed what may not be read, or has another name.
            let is_plain = law.allows(path, "r") && names.len() <= 1;
            let is_told = mode == Mode::Kernel || is_plain || !at_most;
            let exactly = (is_told && at_most == law.allows(path, "x")).then_some(at_most);
            Some(Verdict { at_most, exactly })
        }
        "create" | "remove" => same(law.allows(path, "w")),
        "link" | "rename" => {
            // Both names of a link stay, so both may be read or neither; Landlock asks only about the new one.
            let is_both_ways = operation == "link" && mode == Mode::Supervised;
            let is_kept = is_both_ways && law.allows(path, "r") && !law.allows(other, "r");
            let gains = law.gains(path, other);
            same(law.allows(path, "w") && law.allows(other, "w") && !gains && !is_kept)
        }
        "rmdir" => {
            let is_pinned = case.is_pinned(path)?;
            let is_allowed = law.allows(path, "w") && !is_pinned;
            // The name of a granted directory stands in one that is not granted, and stays.
            let parent = path.rsplit_once('/').unwrap().0;
            let is_inside = law.0.get(parent).is_some_and(|row| row["w"]["allowed"] == true);
            let is_exact = is_inside || mode == Mode::Supervised;
            Some(Verdict { at_most: is_allowed, exactly: is_exact.then_some(is_allowed) })
        }
        other => panic!("the probe reports {other}"),
    }
}
