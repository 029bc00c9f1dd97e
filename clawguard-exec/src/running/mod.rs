//! `ps` and `stop`: what runs confined now, and its end.

#![forbid(unsafe_code)]

mod ps;
mod stop;

use std::os::unix::ffi::OsStrExt;

use clap::Args;
use clawguard_core::{AbsPath, CONFINED_BY, Host, Run, Runs, escape};

pub(crate) use self::ps::ps;
pub(crate) use self::stop::stop;
use crate::exit::{Exit, Failure};
use crate::report;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  clawguard-exec ps                          what runs, and since when
  clawguard-exec ps --json | jq .pid         for programs
  sudo clawguard-exec ps --all-users         everybody's

A run is listed when it has gone on for 20 ms. Exit status: 0, also when nothing runs; 125 on errors.")]
pub(crate) struct PsArguments {
    /// One JSON object a line
    #[arg(long)]
    json: bool,

    /// The runs of every user in /etc/passwd (root only)
    #[arg(long)]
    all_users: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  clawguard-exec stop 4711                   the run of this process
  clawguard-exec stop --all --now            everything, at once
  clawguard-exec stop --grace 10 4711        ten seconds to end by itself

Every process of the run gets SIGTERM, also one that has detached itself, and after the grace SIGKILL.
Exit status: 0 when nothing is left; 1 when something is, and which; 125 on errors.")]
pub(crate) struct StopArguments {
    /// End every run
    #[arg(long, conflicts_with = "pid")]
    all: bool,

    /// With --all or a PID: look at the runs of every user in /etc/passwd (root only)
    #[arg(long)]
    all_users: bool,

    /// Seconds between SIGTERM and SIGKILL
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    grace: std::time::Duration,

    /// SIGKILL at once
    #[arg(long, conflicts_with = "grace")]
    now: bool,

    /// One JSON object a run
    #[arg(long)]
    json: bool,

    /// Any process of the run: the shim, the command, or what it started
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
}

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=86400.0).contains(seconds));
    seconds
        .map(std::time::Duration::from_secs_f64)
        .ok_or_else(|| "a number of seconds, at most 86400".to_owned())
}

/// Whose runs are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Everybodys,
}

impl Whose {
    fn new(all_users: bool) -> Whose {
        if all_users { Whose::Everybodys } else { Whose::Own }
    }
}

/// A user's runs, oldest first.
fn runs(host: &Host, whose: Whose) -> Result<Vec<Run>, Failure> {
    let mut places: Vec<(AbsPath, u32)> =
        host.state_directory().map(|state| (state, host.uid)).into_iter().collect();
    if whose == Whose::Everybodys {
        if host.uid != 0 {
            return Err(Failure::new(
                Exit::Ours,
                "--all-users: only root can look at other users' runs",
            ));
        }
        places.extend(homes()?);
        places.sort();
        places.dedup();
    }
    let mut all = Vec::new();
    for (state, owner) in places {
        match (
            Runs::open(&state, owner)
                .and_then(|runs| runs.map_or(Ok(Vec::new()), |runs| runs.list())),
            whose,
        ) {
            (Ok(runs), _) => all.extend(runs),
            (Err(error), Whose::Own) => return Err(error.into()),
            // Another user's directory is his to spoil: the others are still looked at.
            (Err(error), Whose::Everybodys) => report::error(&error),
        }
    }
    Ok(all)
}

/// The state directory of each user; one that XDG_STATE_HOME names is not known here.
fn homes() -> Result<Vec<(AbsPath, u32)>, Failure> {
    let text = std::fs::read("/etc/passwd")?;
    let state = |line: &[u8]| {
        let mut fields = line.split(|&byte| byte == b':').skip(2);
        let uid = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let home = AbsPath::parse(fields.nth(2)?).ok()?;
        let path = [home.as_bytes(), b"/.local/state/clawguard"].concat();
        Some((AbsPath::parse(path).ok()?, uid))
    };
    Ok(text.split(|&byte| byte == b'\n').filter_map(state).collect())
}

/// From inside a target nothing is seen and nothing can be ended: say so instead of showing an empty list.
fn refuse_inside() -> Result<(), Failure> {
    if !clawguard_core::is_confined() {
        return Ok(());
    }
    let by = std::env::var_os(CONFINED_BY)
        .map(|by| format!(" (process {})", escape(by.as_bytes())))
        .unwrap_or_default();
    let text = format!(
        "confined by clawguard{by}: runs are seen and ended from outside only; ask the person who started this"
    );
    Err(Failure::new(Exit::Ours, text))
}

/// A command line as one would type it, escaped for terminals.
fn command_line(arguments: &[Vec<u8>]) -> String {
    let word = |word: &Vec<u8>| {
        let text = escape(word);
        let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+~^".contains(c);
        match !text.is_empty() && text.chars().all(is_plain) {
            true => text,
            false => format!("'{}'", text.replace('\'', "'\\''")),
        }
    };
    arguments.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_shown_as_it_would_be_typed() {
        let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
        assert_eq!(
            command_line(&words(&[b"sh", b"-c", b"echo it's", b""])),
            "sh -c 'echo it'\\''s' ''"
        );
        assert_eq!(command_line(&words(&[b"a\n\x1b[31m", b"\xff"])), "'a\\n\\u{1b}[31m' '\\xff'");
    }

    #[test]
    fn a_grace_is_bounded() {
        assert_eq!(seconds("0.5"), Ok(std::time::Duration::from_millis(500)));
        for text in ["-1", "nan", "inf", "1e9", "x", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
