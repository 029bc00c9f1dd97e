//! `learn --json`: one object. Field names are a promise.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;

use clap::ValueEnum;
use clawguard_core::{Refusal, Touched};
use serde::Serialize;

use super::Learned;
use crate::exit::Failure;
use crate::json::text;
use crate::propose::{Edited, Line, Reason, Refused};

#[derive(Serialize)]
struct Answer {
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_base64: Option<Vec<Option<String>>>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    level: String,
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_base64: Option<String>,
    policy_exists: bool,
    presets: Vec<&'static str>,
    lines: Vec<Proposed>,
    refused: Vec<NotProposed>,
    failed: Vec<Seen>,
    denied: Vec<Seen>,
    not_movable: Vec<Moved>,
    missed: u64,
    diff: Option<String>,
    text: Option<String>,
}

#[derive(Serialize)]
struct Proposed {
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern_base64: Option<String>,
    access: String,
    paths: usize,
    count: u64,
    operations: BTreeSet<String>,
    commands: Vec<String>,
}

#[derive(Serialize)]
struct Seen {
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    access: String,
    count: u64,
    operations: BTreeSet<String>,
    commands: Vec<String>,
}

#[derive(Serialize)]
struct NotProposed {
    reason: &'static str,
    because: String,
    #[serde(flatten)]
    seen: Seen,
}

#[derive(Serialize)]
struct Moved {
    from: String,
    to: String,
}

impl From<&Line> for Proposed {
    fn from(line: &Line) -> Proposed {
        let (pattern, pattern_base64) = text(&line.pattern);
        Proposed {
            pattern,
            pattern_base64,
            access: line.access.to_string(),
            paths: line.paths,
            count: line.count,
            operations: line.operations.clone(),
            commands: names(&line.commands),
        }
    }
}

impl From<&Touched> for Seen {
    fn from(touched: &Touched) -> Seen {
        let (path, path_base64) = text(touched.path.as_bytes());
        Seen {
            refused: touched.refusal.map(Refusal::word),
            path,
            path_base64,
            access: touched.access.to_string(),
            count: touched.count,
            operations: touched.operations.clone(),
            commands: names(&touched.commands),
        }
    }
}

impl From<&Refused> for NotProposed {
    fn from(refused: &Refused) -> NotProposed {
        let (reason, because) = match &refused.reason {
            Reason::Secret(secret) => ("secret", secret.what.to_owned()),
            Reason::Blocked(rule) => ("blocked", rule.clone()),
            Reason::TooWide(why) => ("too_wide", (*why).to_owned()),
        };
        let wanted = &refused.wanted;
        let (path, path_base64) = text(wanted.path.as_bytes());
        let seen = Seen {
            refused: None,
            path,
            path_base64,
            access: wanted.access.to_string(),
            count: wanted.count,
            operations: wanted.operations.clone(),
            commands: names(&wanted.commands),
        };
        NotProposed { reason, because, seen }
    }
}

fn names(commands: &BTreeSet<Vec<u8>>) -> Vec<String> {
    commands.iter().map(|name| text(name).0).collect()
}

pub(super) fn print(learned: &Learned) -> Result<(), Failure> {
    let words: Vec<(String, Option<String>)> =
        learned.command.iter().map(|word| text(word.as_bytes())).collect();
    let (command, base64): (Vec<String>, Vec<Option<String>>) = words.into_iter().unzip();
    let (policy, policy_base64) = text(learned.present.file.as_os_str().as_bytes());
    let proposal = &learned.proposal;
    let (diff, new) = match &proposal.edited {
        Some(Edited::File { diff, text, .. }) => (Some(diff.clone()), Some(text.clone())),
        Some(Edited::ByHand { .. }) | None => (None, None),
    };
    let level = learned.level.to_possible_value().map(|level| level.get_name().to_owned());
    let answer = Answer {
        command,
        command_base64: base64.iter().any(Option::is_some).then_some(base64),
        exit_code: learned.status.code(),
        signal: learned.status.signal(),
        level: level.unwrap_or_default(),
        policy,
        policy_base64,
        policy_exists: learned.present.exists,
        presets: proposal.presets.clone(),
        lines: proposal.lines.iter().map(Proposed::from).collect(),
        refused: proposal.refused.iter().map(NotProposed::from).collect(),
        failed: learned.failed.iter().map(Seen::from).collect(),
        denied: learned.odd.iter().map(Seen::from).collect(),
        not_movable: proposal
            .moves
            .iter()
            .map(|one| Moved { from: text(one.from.as_bytes()).0, to: text(one.to.as_bytes()).0 })
            .collect(),
        missed: learned.missed,
        diff,
        text: new,
    };
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &answer)?;
    writeln!(out)?;
    Ok(())
}
