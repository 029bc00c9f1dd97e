//! `man`: the manual pages, one for the program and one for each task, made from the description of the command line.
//!
//! What a task says after its help becomes sections here: a paragraph that begins with `Examples:`, `Exit status:` or
//! another title and a colon at the end of a line, and notes else.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::Stdio;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  clawguard-exec man
  clawguard-exec man ~/.local/share/man/man1")]
pub(crate) struct ManArguments {
    /// Write a page for the program and one for each task to this directory, which is made if it is missing
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(crate) fn man(arguments: &ManArguments) -> Result<Exit, Failure> {
    let pages = pages()?;
    match &arguments.directory {
        Some(directory) => {
            std::fs::create_dir_all(directory)?;
            for page in pages {
                std::fs::write(directory.join(format!("{}.1", page.name)), page.text)?;
            }
        }
        None => {
            let page = pages.into_iter().next().map(|page| page.text).unwrap_or_default();
            show(&page)?;
        }
    }
    Ok(Exit::Done)
}

/// On a terminal as a page that a person reads, else as it is, for man(1) or a file.
fn show(page: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if !out.is_terminal() {
        out.write_all(page)?;
        return out.flush();
    }
    match through_man(page) {
        Ok(()) => Ok(()),
        // There is no man(1): the same words without its layout.
        Err(_) => {
            let text = Cli::command().render_long_help().to_string();
            out.write_all(text.as_bytes())?;
            out.flush()
        }
    }
}

fn through_man(page: &[u8]) -> std::io::Result<()> {
    let mut man =
        std::process::Command::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = man.stdin.take() {
        input.write_all(page)?;
    }
    match man.wait()?.success() {
        true => Ok(()),
        false => Err(std::io::Error::other("man failed")),
    }
}

struct Page {
    /// `clawguard-exec` or `clawguard-exec-TASK`.
    name: String,
    text: Vec<u8>,
}

/// The program's page, then those of the tasks in alphabetical order.
fn pages() -> std::io::Result<Vec<Page>> {
    let mut program = Cli::command();
    program.build();
    let mut tasks: Vec<Command> = program
        .get_subcommands()
        .filter(|task| task.get_name() != "help" && !task.is_hide_set())
        .cloned()
        .collect();
    tasks.sort_by(|a, b| a.get_name().cmp(b.get_name()));
    let names: Vec<String> =
        tasks.iter().map(|task| format!("{}-{}", program.get_name(), task.get_name())).collect();
    let mut pages = Vec::new();
    for task in &mut tasks {
        let name = format!("{}-{}", program.get_name(), task.get_name());
        let others = [vec![program.get_name().to_owned()], names.clone()].concat();
        pages.push(page(task, name, &others, "")?);
    }
    let name = program.get_name().to_owned();
    pages.insert(0, page(&mut program, name, &names, PROGRAM)?);
    Ok(pages)
}

/// What only the program's own page says.
const PROGRAM: &str = "\
Files:
  ~/.config/clawguard/policy.yaml            the policy, unless --policy or $CLAWGUARD_POLICY names another
  ~/.openclaw/config.yaml                    the policy, if it has security.file_access and the file above is missing
  ~/.local/state/clawguard/journal.jsonl     what was denied, one JSON object a line
  ~/.local/state/clawguard/journal-*.jsonl   older parts of it

Environment:
  CLAWGUARD_POLICY   the policy's file
  XDG_CONFIG_HOME    where clawguard/policy.yaml is looked for; ~/.config if it is not set
  XDG_STATE_HOME     where clawguard keeps its journal; ~/.local/state if it is not set
  NO_COLOR           no colours, whatever the terminal can do
  CLAWGUARD_PID      set for the command: the process that confines it";

fn page(
    command: &mut Command,
    name: String,
    others: &[String],
    more: &str,
) -> std::io::Result<Page> {
    let usage = command.render_usage().to_string();
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    // Without a date: the same program has the same pages.
    let version = env!("CARGO_PKG_VERSION");
    let title = name.to_uppercase();
    writeln!(text, ".TH \"{title}\" \"1\" \"\" \"clawguard {version}\" \"clawguard\"")?;
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut own = Roff::new();
    own.control("SH", ["NAME"]);
    own.text([roman(format!("{name} - {}", about.trim_end_matches('.')))]);
    own.control("SH", ["SYNOPSIS"]);
    verbatim(&mut own, usage.trim_start_matches("Usage:").lines());
    own.to_writer(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let mut rest = Roff::new();
    if command.has_subcommands() {
        rest.control("SH", ["TASKS"]);
        for task in command.get_subcommands().filter(|task| !task.is_hide_set()) {
            let about = task.get_about().map(ToString::to_string).unwrap_or_default();
            rest.control("TP", []);
            rest.text([bold(task.get_name())]);
            rest.text([roman(about)]);
        }
    }
    let mut last = "";
    for paragraph in [after.as_str(), more].join("\n\n").split("\n\n") {
        last = section(&mut rest, paragraph, last);
    }
    rest.control("SH", ["SEE ALSO"]);
    let others: Vec<String> =
        others.iter().filter(|other| **other != name).map(|other| format!("{other}(1)")).collect();
    rest.text([roman(others.join(", "))]);
    rest.to_writer(&mut text)?;
    Ok(Page { name, text })
}

/// A paragraph of the text after the help, beneath its heading unless that was the last one. Gives the heading.
fn section<'a>(roff: &mut Roff, paragraph: &'a str, last: &'a str) -> &'a str {
    if paragraph.trim().is_empty() {
        return last;
    }
    let (first, rest) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
    let known = ["Exit status", "Examples", "Example"].into_iter();
    let known = known
        .filter_map(|title| Some((title, paragraph.strip_prefix(title)?.strip_prefix(':')?)))
        .next();
    let (title, text) = match (known, first.strip_suffix(':')) {
        (Some(("Example", text)), _) => ("Examples", text),
        (Some((title, text)), _) => (title, text),
        (None, Some(title)) if rest.starts_with("  ") => (title, rest),
        (None, _) => ("Notes", paragraph),
    };
    if title == last {
        roff.control("PP", []);
    } else {
        roff.control("SH", [title.to_uppercase().as_str()]);
    }
    if text.trim_start_matches('\n').starts_with("  ") {
        verbatim(roff, text.lines().filter(|line| !line.is_empty()));
    } else {
        roff.text([roman(text.split_whitespace().collect::<Vec<_>>().join(" "))]);
    }
    title
}

/// Lines that stay as they are.
fn verbatim<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line.trim())]);
    }
    roff.control("fi", []);
}
