//! What a person is told: before the run that it is a free one, and after it what was not proposed. The proposal itself
//! is the answer, on standard output.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use clawguard_core::{Touched, escape};

use super::Learned;
use crate::exit::Failure;
use crate::propose::{self, Edited, Reason, Refused};
use crate::report;

/// Lines of one kind at most: the rest is counted.
const MOST: usize = 12;

/// Nothing silences this.
pub(super) fn warning(command: &[OsString], closed: usize) {
    let name = command.first().map(|name| escape(name.as_bytes())).unwrap_or_default();
    report::line(&format!(
        "learning: `{name}` is NOT confined as usual: it may read, change and run whatever nothing blocks"
    ));
    report::line(&format!(
        "still closed: what the policy blocks, clawguard's own files, and {closed} well-known places of secrets"
    ));
}

/// How it ended, in words; nothing to say of success.
fn end(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("the command ended with {code}")),
        (None, Some(signal)) => Some(format!("the command was ended by signal {signal}")),
        (None, None) => Some("the command ended".to_owned()),
    }
}

/// Everything that is not in the proposal.
pub(super) fn refused(learned: &Learned) {
    if let Some(end) = end(learned.status) {
        report::line(&format!("{end}: what it did until then was learned"));
    }
    if learned.missed > 0 {
        report::line(&format!(
            "too much for one lesson: {} accesses were not kept, and the proposal lacks them",
            learned.missed
        ));
    }
    let reasons = |wanted: fn(&Reason) -> bool| {
        learned.proposal.refused.iter().filter(move |one| wanted(&one.reason))
    };
    let blocked: Vec<&Refused> = reasons(|one| matches!(one, Reason::Blocked(_))).collect();
    lines("left blocked", &blocked, |one| match &one.reason {
        Reason::Blocked(rule) => format!("{} {} by {rule}", one.wanted.access, one.wanted.path),
        Reason::Secret(_) | Reason::TooWide(_) => String::new(),
    });
    if !blocked.is_empty() {
        let (more, some) = allow_again(&blocked);
        let others = if more { " (and others)" } else { "" };
        report::line(&format!("to learn them too, repeat with: {some}{others}"));
    }
    let secrets: Vec<&Refused> = reasons(|one| matches!(one, Reason::Secret(_))).collect();
    lines("a secret, left closed", &secrets, |one| match &one.reason {
        Reason::Secret(secret) => {
            let pattern = propose::pattern(&one.wanted.path, &learned.host);
            let entry = propose::entry(&pattern, one.wanted.access);
            let what = format!("{} {} ({})", one.wanted.access, one.wanted.path, secret.what);
            format!("{what}; if you mean it, write into allowed_paths: - {entry}")
        }
        Reason::Blocked(_) | Reason::TooWide(_) => String::new(),
    });
    let wide: Vec<&Refused> = reasons(|one| matches!(one, Reason::TooWide(_))).collect();
    lines("not proposed", &wide, |one| match &one.reason {
        Reason::TooWide(why) => format!("{} {}: {why}", one.wanted.access, one.wanted.path),
        Reason::Blocked(_) | Reason::Secret(_) => String::new(),
    });
    let touched = |one: &&Touched| format!("{} {}", one.access, one.path);
    let failed: Vec<&Touched> = learned.failed.iter().collect();
    lines("not proposed, the file system's own rights deny it anyway", &failed, touched);
    let odd: Vec<&Touched> = learned.odd.iter().collect();
    lines("denied whatever the policy says", &odd, |one| {
        let operations: Vec<&str> = one.operations.iter().map(String::as_str).collect();
        let why = one.refusal.map_or_else(String::new, |refusal| format!(": {}", refusal.reason()));
        format!("{} {} ({}){why}", one.access, one.path, operations.join(", "))
    });
    let moves: Vec<_> = learned.proposal.moves.iter().collect();
    lines(
        "would be copied instead of moved, since the two places are allowed differently",
        &moves,
        |one| format!("{} to {}", one.from, one.to),
    );
}

fn lines<T>(title: &str, all: &[T], line: impl Fn(&T) -> String) {
    for one in all.iter().take(MOST) {
        report::line(&format!("{title}: {}", line(one)));
    }
    if all.len() > MOST {
        report::line(&format!("{title}: and {} more (--json has all)", all.len() - MOST));
    }
}

/// Options that let the next lesson go through the blocks, each for the highest directory inside one that a line may
/// stand for: all that a program keeps there, not a file each time.
fn allow_again(blocked: &[&Refused]) -> (bool, String) {
    let mut options: BTreeMap<String, ()> = BTreeMap::new();
    for one in blocked {
        let path = escape(one.through.as_ref().unwrap_or(&one.wanted.path).as_bytes());
        let shell = format!("'{}'", path.replace('\'', "'\\''"));
        let plain =
            path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@%".contains(&byte));
        options.insert(format!("--allow {}", if plain { path } else { shell }), ());
    }
    let shown: Vec<String> = options.keys().take(4).cloned().collect();
    (options.len() > shown.len(), shown.join(" "))
}

/// The difference, or the lines where it cannot be made.
pub(super) fn proposed(learned: &Learned) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match &learned.proposal.edited {
        None => {
            report::line("nothing to add: the policy allows all that the command did and may do")
        }
        Some(Edited::File { diff, .. }) => out.write_all(diff.as_bytes())?,
        Some(Edited::ByHand { file, presets, entries }) => {
            let file = escape(file.as_os_str().as_bytes());
            report::line(&format!(
                "`{file}` is written in a way that lines cannot be put into; add by hand:"
            ));
            for preset in presets {
                writeln!(out, "presets: - {preset}")?;
            }
            for entry in entries {
                writeln!(out, "allowed_paths: - {}  # {}", entry.value, entry.why)?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
