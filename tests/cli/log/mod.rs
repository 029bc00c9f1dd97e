//! `log`: what a person and a program are told of the journal.

mod files;
mod filters;
mod follow;
mod page;
mod suggest;
mod views;

use serde_json::{Value, json};

use crate::support::{Ran, World};

const JOURNAL: &str = "~/.local/state/clawguard/journal.jsonl";

/// A journal in the making: lines whose times are seconds of one day.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(mut self, session: &str, second: u32, event: &str, more: Value) -> Lines {
        let time = format!("2026-11-22T13:{:02}:{:02}.000Z", second / 60, second % 60);
        let mut line = json!({ "time": time, "session": session, "event": event });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.0.push_str(&format!("{line}\n"));
        self
    }

    fn started(self, session: &str, second: u32, arguments: &[&str]) -> Lines {
        let more = json!({ "version": "0.1.0", "policy": "/h/policy.yaml", "mode": "auto", "arguments": arguments });
        self.add(session, second, "started", more)
    }

    fn denied(self, session: &str, second: u32, command: &str, access: &str, path: &str) -> Lines {
        self.denied_by(session, second, command, access, path, Value::Null)
    }

    fn denied_by(
        self,
        session: &str,
        second: u32,
        command: &str,
        access: &str,
        path: &str,
        rule: Value,
    ) -> Lines {
        let more = json!({
            "pid": 9, "command": command, "operation": "openat", "path": path, "access": access, "rule": rule, "errno": 13,
        });
        self.add(session, second, "denied", more)
    }

    fn ended(self, session: &str, second: u32, status: i32) -> Lines {
        self.add(session, second, "ended", json!({ "status": status, "denials": 1, "lost": 0 }))
    }
}

fn block() -> Value {
    json!({ "effect": "blocked", "pattern": "**/.env", "origin": "/h/policy.yaml", "line": 12 })
}

/// Two runs, one of which has ended.
fn two_runs() -> Lines {
    Lines::default()
        .started("40-2026-11-22T13:00:00.000Z", 0, &["/usr/bin/openclaw", "gateway"])
        .denied_by("40-2026-11-22T13:00:00.000Z", 1, "cat", "r", "/h/p/.env", block())
        .denied("40-2026-11-22T13:00:00.000Z", 2, "ls", "r", "/h")
        .started("50-2026-11-22T13:05:00.000Z", 300, &["make", "a b"])
        .denied("50-2026-11-22T13:05:00.000Z", 301, "sh", "w", "/h/.bashrc")
        .add(
            "40-2026-11-22T13:00:00.000Z",
            302,
            "denied",
            json!({
                "pid": 10, "command": "cat", "operation": "openat", "path": "/h/p/.env", "access": "r", "rule": block(),
                "errno": 13, "count": 4,
            }),
        )
        .ended("50-2026-11-22T13:05:00.000Z", 303, 2)
}

/// A world with this journal.
fn world(lines: Lines) -> World {
    let world = World::mine();
    world.write(JOURNAL, lines.0);
    world
}

fn log(world: &World, arguments: &[&str]) -> Ran {
    let arguments = arguments.iter().map(|argument| world.text(argument));
    world.shim_with(["log"]).args(arguments).env("TZ", "UTC").run()
}

/// The paths of the rows, in their order.
fn paths(world: &World, arguments: &[&str]) -> Vec<String> {
    let ran = log(world, &[&["--json"], arguments].concat()).works();
    let path = |row: &Value| row["path"].as_str().unwrap_or_default().to_owned();
    ran.json_lines().iter().map(path).collect()
}
