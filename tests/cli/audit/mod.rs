//! `audit` through the real program, in made homes: every finding is provoked once and absent from a clean neighbour.
//!
//! What needs another kernel or another network than this one is tested beside the code.

mod agents;
mod fix;
mod git;
mod output;
mod places;
mod policy;
mod settings;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Ran, Shim, World};

/// OpenClaw's settings as they should be.
const SETTINGS: &str = "// OpenClaw\n{ gateway: { mode: 'local', bind: 'loopback', auth: { mode: 'token', token: 't' } } }\n";

/// What other tests, and other people's agents, may do on this machine meanwhile.
const OTHERS: [&str; 4] = [
    "--ignore=agent-exposed",
    "--ignore=agent-unconfined",
    "--ignore=gateway-exposed",
    "--ignore=kernel-limits",
];

/// A home as the safety guide wants it, with a policy that is used without being named.
fn clean(world: &World) {
    world.write("~/.openclaw/openclaw.json", SETTINGS);
    world.write("~/.openclaw/credentials/channel.json", "{}");
    world.write("~/.openclaw/agents/main/sessions/one.jsonl", "{}\n");
    world.write("~/.openclaw/memory/main.sqlite", "");
    for file in [
        "openclaw.json",
        "credentials/channel.json",
        "agents/main/sessions/one.jsonl",
        "memory/main.sqlite",
    ] {
        world.chmod(&format!("~/.openclaw/{file}"), 0o600);
    }
    for directory in ["", "credentials", "agents", "agents/main", "agents/main/sessions", "memory"]
    {
        world.chmod(&format!("~/.openclaw/{directory}"), 0o700);
    }
    with_policy(world, "allowed_paths: ['~/work']\nblocked_paths: ['~/.*']");
}

/// Writes the policy that is found without being named.
fn with_policy(world: &World, file_access: &str) {
    world.policy(file_access);
    let text = world.read("~/policy.yaml");
    world.write("~/.config/clawguard/policy.yaml", text);
}

fn audit<'w>(world: &'w World, arguments: &[&str]) -> Shim<'w> {
    // Some machines have a /usr/local/bin that everybody may write.
    world.shim_with(["-q", "audit"]).args(arguments).env("PATH", "/usr/bin:/bin")
}

/// The findings of a run that did not fail.
#[track_caller]
fn rows(ran: &Ran) -> Vec<Value> {
    assert!([0, 1].contains(&ran.code()), "{ran:#?}");
    let rows = ran.json_lines();
    rows.iter().for_each(is_documented);
    rows
}

/// The rows of one kind.
#[track_caller]
fn found(world: &World, id: &str) -> Vec<Value> {
    rows(&audit(world, &["--json", "--only", id]).run())
}

/// Their subjects, in the world's words.
#[track_caller]
fn subjects(world: &World, id: &str) -> BTreeSet<String> {
    found(world, id).iter().map(|row| subject(world, row)).collect()
}

fn subject(world: &World, row: &Value) -> String {
    let subject = row["subject"].as_str().unwrap();
    subject.replace(world.home().to_str().unwrap(), "~")
}

/// One row, of this kind.
#[track_caller]
fn one(world: &World, id: &str) -> Value {
    let rows = found(world, id);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows[0].clone()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// Does `docs/audit.md` list this finding with this severity?
#[track_caller]
fn is_documented(row: &Value) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (id, severity) = (row["id"].as_str().unwrap(), row["severity"].as_str().unwrap());
    let line = page.lines().find(|line| line.starts_with(&format!("| `{id}` |"))).unwrap();
    let severities = line.split(" | ").nth(1).unwrap();
    assert!(severities.split(", ").any(|one| one == severity), "{row:#}\n{line}");
}

#[test]
fn a_clean_home_has_no_finding_worse_than_info() {
    crate::support::for_every_user(|world| {
        clean(&world);
        let ran = audit(&world, &["--json"]).args(OTHERS).run().works();
        let bad = rows(&ran).into_iter().filter(|row| row["severity"] != "info");
        assert_eq!(bad.collect::<Vec<_>>(), Vec::<Value>::new());
        let ran = audit(&world, &OTHERS).run().works();
        ran.prints(["0 critical, 0 warnings", "Next: "]);
    });
}

#[test]
fn without_any_configuration_it_works_and_says_what_to_do_first() {
    crate::support::for_every_user(|world| {
        for (cwd, says) in [("~/work", "built-in default is used"), ("~", "the home directory")] {
            let ran = audit(&world, &OTHERS).cwd(cwd).run().works();
            ran.prints(["policy-default", says, "type: clawguard-exec init"]);
        }
    });
}
