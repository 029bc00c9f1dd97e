//! OpenClaw's own files: 0700 and 0600, as the published safety guide asks, and nobody else's.
//!
//! Looks at names and modes only, never at contents.

#![forbid(unsafe_code)]

use std::time::Duration;

use clawguard_core::{AbsPath, quote};
use rustix::fs::{FileType, Stat};

use super::finding::{Finding, Owned, Severity};
use super::fix::Fix;
use super::id::Id;
use super::machine::{Machine, Owners};
use super::walk::{Budget, Entry, Step, walk};

/// Directories of the state that hold logins, sessions and keys.
const SENSITIVE: [&[u8]; 9] = [
    b"agents",
    b"credentials",
    b"cron",
    b"devices",
    b"identity",
    b"memory",
    b"nodes",
    b"sessions",
    b"state",
];

/// Where the agent keeps other people's files, and locks without contents, which are not the guide's subject.
const OTHERS: [&[u8]; 5] = [b"node_modules", b".git", b"plugin-skills", b"cache", b"tmp"];

const DATABASES: [&[u8]; 6] = [b".sqlite", b".sqlite3", b".db", b"-wal", b"-shm", b"-journal"];

pub(crate) fn check(machine: &Machine) -> Vec<Finding> {
    let states = machine.openclaw_states();
    states.iter().flat_map(|state| one(machine, state)).collect()
}

fn one(machine: &Machine, state: &AbsPath) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_closed = true;
    let mut budget = Budget::new(50_000, Duration::from_secs(5));
    let ended = walk(state, &mut budget, |entry| {
        if entry.path == state {
            is_closed = entry.stat.st_mode & 0o011 == 0;
        }
        if is_judged(entry, state) {
            findings.extend(judge(entry, machine, is_closed));
        }
        let is_workspace =
            entry.path.parent().as_ref() == Some(state) && entry.name().starts_with(b"workspace");
        if is_workspace || OTHERS.contains(&entry.name()) { Step::Over } else { Step::Into }
    });
    findings.extend(super::not_looked_at(state, &ended));
    findings
}

/// Is it the state directory, a place of logins and sessions, a setting or a database?
fn is_judged(entry: &Entry<'_>, state: &AbsPath) -> bool {
    let depth = state.depth();
    let first = entry.path.components().nth(depth).unwrap_or_default();
    let is_top = entry.path.depth() == depth + 1;
    let name = entry.name();
    match entry.kind() {
        FileType::Directory => entry.path.depth() == depth || SENSITIVE.contains(&first),
        FileType::RegularFile => {
            let is_setting = is_top
                && (name.starts_with(b"openclaw.json")
                    || name.starts_with(b".env")
                    || name.starts_with(b"config.")
                    || name.ends_with(b".json"));
            let is_database = DATABASES.iter().any(|end| name.ends_with(end));
            is_setting || is_database || SENSITIVE.contains(&first)
        }
        _other => false,
    }
}

fn judge(entry: &Entry<'_>, machine: &Machine, is_closed: bool) -> Vec<Finding> {
    let (path, stat) = (entry.path, entry.stat);
    let mut findings = Vec::new();
    if stat.st_uid != machine.owners.owner {
        findings.push(foreign(path, stat, &machine.owners));
    }
    let open = stat.st_mode & 0o077;
    if open == 0 {
        return findings;
    }
    let what = match entry.kind() {
        FileType::Directory => "directory of the agent's state",
        _file => "file of the agent's settings, logins or sessions",
    };
    let is_writable = machine.owners.loose_bits(stat) != 0;
    let gain = match (is_writable, is_closed && entry.kind() != FileType::Directory) {
        (true, false) => {
            "other users of this machine can change it, and so tell the agent what to do"
        }
        (false, false) => "other users of this machine can look into it",
        (_, true) => "only the closed directory above keeps other users out of it",
    };
    let mode = stat.st_mode & 0o777;
    let severity = match (is_writable, is_closed) {
        (true, false) => Severity::Critical,
        (true, true) | (false, _) => Severity::Warning,
    };
    let reason = format!("the mode of this {what} is {mode:04o}: {gain}");
    let fix = Fix::take(path, stat, 0o077);
    let finding = Finding::of_path(Id::StateMode, severity, path, reason);
    findings.push(finding.mode(path, fix, owned(stat, &machine.owners)));
    findings
}

fn foreign(path: &AbsPath, stat: &Stat, owners: &Owners) -> Finding {
    let owner = stat.st_uid;
    let reason = match owner {
        0 => "it belongs to root, so the agent ran as root once; what root makes there the agent can no longer change"
            .to_owned(),
        owner => format!("it belongs to user {owner}, who can change what the agent reads there"),
    };
    let command = format!("sudo chown {} {}", owners.owner, quote(path.as_bytes()));
    Finding::of_path(Id::StateOwner, Severity::Warning, path, reason).command(command)
}

/// May this process change its mode?
pub(super) fn owned(stat: &Stat, owners: &Owners) -> Owned {
    let has_one_name =
        FileType::from_raw_mode(stat.st_mode) == FileType::Directory || stat.st_nlink == 1;
    match owners.is_ours(stat.st_uid) && has_one_name {
        true => Owned::ByUs,
        false => Owned::ByAnother,
    }
}
