//! `ps`: what runs confined now.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime};

use clawguard_core::{Denials, Facts, Host, Run, escape, rfc3339};
use serde::Serialize;

use super::{PsArguments, Whose, command_line, refuse_inside, runs};
use crate::exit::{Exit, Failure};
use crate::{json, report};

pub(crate) fn ps(arguments: &PsArguments) -> Result<Exit, Failure> {
    refuse_inside()?;
    let host = Host::current()?;
    let runs = runs(&host, Whose::new(arguments.all_users))?;
    let mut out = std::io::stdout().lock();
    for run in &runs {
        if arguments.json {
            serde_json::to_writer(&mut out, &Row::new(run))?;
            writeln!(out)?;
        } else {
            out.write_all(block(run, &host, width()).as_bytes())?;
        }
    }
    out.flush()?;
    if runs.is_empty() && !arguments.json {
        report::line("nothing runs confined now");
    }
    Ok(Exit::Done)
}

/// What `ps --json` says of a run. Null where the run does not answer.
#[derive(Serialize)]
struct Row {
    pid: u32,
    command_pid: Option<u32>,
    uid: u32,
    answers: bool,
    since: Option<String>,
    elapsed_seconds: Option<u64>,
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_base64: Option<String>,
    mode: Option<String>,
    presets: Option<Vec<String>>,
    arguments: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments_base64: Option<Vec<Option<String>>>,
    processes: Option<usize>,
    denials: Option<u64>,
    journal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_base64: Option<String>,
}

impl Row {
    fn new(run: &Run) -> Row {
        let facts = run.facts.as_ref();
        let twin = |bytes: Option<&Vec<u8>>| {
            bytes.map_or((None, None), |bytes| {
                let (text, base64) = json::text(bytes);
                (Some(text), base64)
            })
        };
        let (policy, policy_base64) = twin(facts.map(|facts| &facts.policy));
        let (journal, journal_base64) = twin(facts.and_then(|facts| facts.journal.as_ref()));
        let words = facts.map(|facts| facts.arguments.iter().map(|word| json::text(word)).unzip());
        let (arguments, twins): (Option<Vec<_>>, Option<Vec<Option<_>>>) = words.unzip();
        Row {
            pid: run.pid,
            command_pid: facts.map(|facts| facts.command),
            uid: run.owner,
            answers: facts.is_some(),
            since: facts.map(|facts| rfc3339(facts.since)),
            elapsed_seconds: facts.map(|facts| elapsed(facts.since).as_secs()),
            policy,
            policy_base64,
            mode: facts.map(|facts| facts.mode.clone()),
            presets: facts.map(|facts| facts.presets.clone()),
            arguments,
            arguments_base64: twins.filter(|twins| twins.iter().any(Option::is_some)),
            processes: facts.map(|facts| facts.processes),
            denials: facts.and_then(|facts| match facts.denials {
                Denials::Counted(count) => Some(count),
                Denials::NotLogged | Denials::Unseen => None,
            }),
            journal,
            journal_base64,
        }
    }
}

fn elapsed(since: SystemTime) -> Duration {
    since.elapsed().unwrap_or_default()
}

/// A run for a person.
fn block(run: &Run, host: &Host, width: Option<usize>) -> String {
    let owner =
        if run.owner == host.uid { String::new() } else { format!(" of user {}", run.owner) };
    let Some(facts) = &run.facts else {
        return format!(
            "{}{owner}: its supervisor does not answer; to end it: clawguard-exec stop {}\n",
            run.pid, run.pid
        );
    };
    let title = fit(&format!("{}{owner}  {}", run.pid, command_line(&facts.arguments)), width);
    let since = rfc3339(facts.since);
    let since = since.split('.').next().unwrap_or_default().replace('T', " ");
    let processes = match facts.processes {
        1 => "1 process".to_owned(),
        more => format!("{more} processes"),
    };
    let mut text = format!(
        "{title}\n  since {since} UTC ({}), {processes}, {}\n  policy {}, mode {}, {}\n",
        period(elapsed(facts.since)),
        denials(facts),
        escape(&facts.policy),
        escape(facts.mode.as_bytes()),
        presets(facts),
    );
    if facts.command != run.pid {
        text.push_str(&format!("  command: process {}", facts.command));
        if let Some(journal) = &facts.journal {
            text.push_str(&format!("; journal {}", escape(journal)));
        }
        text.push('\n');
    }
    text
}

fn denials(facts: &Facts) -> String {
    match facts.denials {
        Denials::Counted(1) => "1 denial".to_owned(),
        Denials::Counted(count) => format!("{count} denials"),
        Denials::NotLogged => "denials not counted (log_denials: false)".to_owned(),
        Denials::Unseen => "denials not counted in kernel mode".to_owned(),
    }
}

fn presets(facts: &Facts) -> String {
    if facts.presets.is_empty() {
        return "no presets".to_owned();
    }
    escape(format!("presets {}", facts.presets.join(", ")).as_bytes())
}

/// A time in its two largest units.
fn period(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A line that is cut at the terminal's edge; whole where there is no terminal.
fn fit(line: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if line.chars().count() > width => {
            let kept: String = line.chars().take(width.saturating_sub(3)).collect();
            format!("{kept}...")
        }
        Some(_) | None => line.to_owned(),
    }
}

fn width() -> Option<usize> {
    let out = std::io::stdout();
    let size = rustix::termios::tcgetwinsize(&out).ok().filter(|_| out.is_terminal())?;
    Some(usize::from(size.ws_col)).filter(|width| *width >= 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_told_in_two_units() {
        let told = |seconds| period(Duration::from_secs(seconds));
        assert_eq!(told(59), "59 s");
        assert_eq!(told(61), "1 min 1 s");
        assert_eq!(told(3 * 3600 + 720), "3 h 12 min");
        assert_eq!(told(90_000), "1 d 1 h");
    }

    #[test]
    fn a_long_line_is_cut_for_a_terminal_alone() {
        assert_eq!(fit("0123456789", Some(8)), "01234...");
        assert_eq!(fit("0123456789", Some(10)), "0123456789");
        assert_eq!(fit("0123456789", None), "0123456789");
    }
}
