//! What is said of a command line that cannot be read: what is wrong with it, and one line that would work.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clawguard_core::{Host, nearest, quote};

use crate::cli::Cli;
use crate::report;

pub(crate) fn tell(error: &clap::Error) {
    let given: Vec<OsString> = std::env::args_os().skip(1).collect();
    let task = task(&given);
    let is_command = |word: &&str| !word.starts_with('-') && task.is_none();
    match word(error).filter(is_command) {
        Some(word) => report::line(&no_task(word, &given)),
        None => {
            let task = task.map_or_else(String::new, |task| format!(" {task}"));
            let text = without_usage(error);
            report::line(&format!("{text}\nmore: clawguard-exec{task} --help"));
        }
    }
}

/// The word that clap cannot place.
fn word(error: &clap::Error) -> Option<&str> {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return None,
    };
    match error.get(kind)? {
        ContextValue::String(word) => Some(word),
        _ => None,
    }
}

/// The task that is asked for, if one is.
fn task(given: &[OsString]) -> Option<String> {
    let names = tasks();
    let words = given.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    let mut known = words.filter(|word| names.iter().any(|name| name == word));
    known.next().map(str::to_owned)
}

fn tasks() -> Vec<String> {
    Cli::command().get_subcommands().map(|task| task.get_name().to_owned()).collect()
}

/// A word that is no task is a task misspelt, or a command without `--` before it.
fn no_task(word: &str, given: &[OsString]) -> String {
    let is_command =
        Host::current().is_ok_and(|host| host.find_command(OsStr::new(word)).is_some());
    let with_dashes = with_dashes(word, given);
    let names = tasks();
    let near = nearest(word, names.iter().map(String::as_str)).filter(|_| !is_command);
    match near {
        Some(task) => format!(
            "`{word}` is no task of clawguard-exec; did you mean `{task}`?\n\
             if it is a command, put `--` before it: {with_dashes}"
        ),
        None => format!("put `--` before the command: {with_dashes}"),
    }
}

/// The same command line with `--` before this word.
fn with_dashes(word: &str, given: &[OsString]) -> String {
    let at = given.iter().position(|one| one == word).unwrap_or(0);
    let (before, after) = given.split_at(at);
    // One that came too late is not wanted twice.
    let after = after.iter().filter(|one| *one != "--");
    let dashes = OsString::from("--");
    let words = before.iter().chain([&dashes]).chain(after);
    let quoted: Vec<String> = words.map(|one| quote(one.as_bytes())).collect();
    format!("clawguard-exec {}", quoted.join(" "))
}

/// What clap says, up to its list of usages.
fn without_usage(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:"))
        // "To pass it as a value" is right for no option of ours.
        .filter(|line| !line.trim().is_empty() && !line.contains("as a value, use"))
        .filter(|line| !line.starts_with("For more information"))
        .map(str::trim_end)
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_is_named_has_dashes_before_the_command() {
        let given = ["--mode", "auto", "openclaw", "run", "a b"].map(OsString::from);
        let text = no_task("openclaw", &given);
        let line = "clawguard-exec --mode auto -- openclaw run 'a b'";
        assert_eq!(text, format!("put `--` before the command: {line}"));
    }

    #[test]
    fn a_task_misspelt_is_named_and_a_command_is_none() {
        let text = no_task("lgo", &["lgo".into()]);
        let first = "`lgo` is no task of clawguard-exec; did you mean `log`?\n";
        assert!(text.starts_with(first) && text.ends_with(": clawguard-exec -- lgo"), "{text}");
        let text = no_task("ls", &["ls".into(), "-l".into()]);
        assert_eq!(text, "put `--` before the command: clawguard-exec -- ls -l");
    }
}
