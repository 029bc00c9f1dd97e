//! The directories of PATH: who can put a program there has it run by whoever types its name.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{AbsPath, Access, Links, escape, quote};
use rustix::fs::{FileType, Stat, lstat};

use super::finding::{Finding, Severity};
use super::fix::Fix;
use super::id::Id;
use super::law::View;
use super::machine::Machine;
use super::modes::owned;

pub(crate) fn check(machine: &Machine, views: &mut [View]) -> Vec<Finding> {
    let path = machine.host.environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in path.as_bytes().split(|byte| *byte == b':') {
        if !entry.starts_with(b"/") {
            findings.push(relative(entry));
            continue;
        }
        let real = Links::default().follow_raw(entry);
        if !seen.insert(real.clone()) {
            continue;
        }
        findings.extend(by_agent(&real, views));
        let Ok(stat) = lstat(real.as_path()) else { continue };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            findings.extend(by_others(machine, &real, &stat));
        }
    }
    findings.dedup();
    findings
}

/// An empty entry, `.` and their like mean the working directory, whichever that is.
fn relative(entry: &[u8]) -> Finding {
    let subject = match entry {
        b"" => "an empty entry of PATH".to_owned(),
        entry => format!("`{}` in PATH", escape(entry)),
    };
    let reason = "it means the directory that you stand in: a program that an agent left there runs by the name of \
                  another";
    Finding::of_host(Id::PathRelative, Severity::Warning, &subject, reason)
        .command(r#"echo "$PATH" | tr : '\n' | grep -v '^/'"#)
}

fn by_others(machine: &Machine, path: &AbsPath, stat: &Stat) -> Option<Finding> {
    let owners = &machine.owners;
    let id = Id::PathDirectoryWritable;
    if !owners.is_trusted(stat.st_uid) {
        let reason = format!(
            "it belongs to user {}, who can put a program there that you run by the name of another",
            stat.st_uid
        );
        let command = format!("ls -ld {}", quote(path.as_bytes()));
        return Some(Finding::of_path(id, Severity::Warning, path, reason).command(command));
    }
    // The sticky bit keeps others from replacing a program, not from adding one.
    let loose = owners.loose_bits(stat);
    let (severity, who) = match (loose & 0o002, loose) {
        (_, 0) => return None,
        (0, _) => (Severity::Warning, "everybody in its group"),
        (_, _) => (Severity::Critical, "every user of this machine"),
    };
    let mode = stat.st_mode & 0o7777;
    let reason = format!(
        "its mode is {mode:04o}: {who} can put a program there that you run by the name of another"
    );
    let fix = Fix::take(path, stat, 0o022);
    Some(Finding::of_path(id, severity, path, reason).mode(path, fix, owned(stat, owners)))
}

/// Where an agent may make files, it can make `git`.
fn by_agent(path: &AbsPath, views: &mut [View]) -> Option<Finding> {
    // What is made in it is judged, not the directory itself.
    let new = path.join(b"clawguard-audit-new-program");
    let mut allowing = views.iter_mut().filter_map(|view| {
        let rule = view.allows(&new, Access::Write)?;
        Some((view, rule))
    });
    let (view, rule) = allowing.next()?;
    let who = view.who();
    let reason = format!(
        "{who} can put a program there, `git` for instance, that you run outside the next time: {rule}"
    );
    let finding = Finding::of_path(Id::PathAgentWritable, Severity::Critical, path, reason);
    Some(view.block(finding, path, "w"))
}
