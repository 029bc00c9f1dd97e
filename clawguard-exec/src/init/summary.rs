//! What a person is told after it.

#![forbid(unsafe_code)]

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{AbsPath, escape, quote};

use super::draft;
use super::machine::{self, Machine};
use super::names;
use super::place::Destination;
use super::workspace::{Source, Workspace};
use super::{Made, proof::Opened};
use crate::cli::ModeArgument;
use crate::known::{FoundAgent, Kind};
use crate::paint::Paint;

/// How many paths of one kind are named.
const MOST_NAMED: usize = 8;

pub(super) fn print(
    machine: &Machine,
    made: &Made,
    destination: &Destination,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let file = escape(destination.path().as_os_str().as_bytes());
    writeln!(out, "{} {file}", paint.bold("Written:"))?;
    writeln!(out, "It is yours to change; init never writes over it.")?;
    let mut section = |title: &str, lines: &[String]| -> std::io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", paint.bold(title))?;
        lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
    };
    section("Agents", &agents(machine))?;
    section(
        "Workspace",
        &machine.workspaces.iter().map(|one| workspace(one, machine)).collect::<Vec<_>>(),
    )?;
    let (title, secrets) = blocked(machine, made);
    section(&title, &secrets)?;
    section("Open to be read", &opened(machine, &made.opened))?;
    section("Look at this", &made.remarks.iter().map(|text| shown(text)).collect::<Vec<_>>())?;
    section(
        "Not enforced here",
        &made.not_enforced.iter().map(|text| shown(text)).collect::<Vec<_>>(),
    )?;
    section("Next", &next(machine, made, Some(destination)))
}

fn shown(text: &str) -> String {
    escape(text.as_bytes())
}

fn name(path: &AbsPath, machine: &Machine) -> String {
    escape(&names::short(path, &machine.home))
}

fn agents(machine: &Machine) -> Vec<String> {
    let program = |found: &FoundAgent| match &found.command {
        Some(command) => escape(command.as_os_str().as_bytes()),
        None => "its program is not in PATH".to_owned(),
    };
    let mut lines: Vec<String> = machine
        .agents
        .iter()
        .map(|found| format!("{} ({})", found.agent.name, program(found)))
        .collect();
    if lines.is_empty() {
        lines.push("none in PATH: the policy holds for every command; an agent that is installed later gets its preset".to_owned());
    }
    lines.extend(machine.without_program.iter().map(|found| {
        format!(
            "not {}: its state is here and its program is not in PATH (--agent {})",
            found.agent.name, found.agent.preset
        )
    }));
    lines
}

fn workspace(workspace: &Workspace, machine: &Machine) -> String {
    let missing = if workspace.exists() { "" } else { "; made at the first start" };
    let why = match &workspace.source {
        Source::Option => String::new(),
        Source::OpenClaw => "as OpenClaw's configuration says".to_owned(),
        Source::OpenClawDefault => "OpenClaw's own".to_owned(),
        Source::WorkingDirectory => "the working directory; another: --workspace DIR".to_owned(),
        Source::Nobody(reason) => {
            format!(
                "not the working directory, which is {}; another: --workspace DIR",
                shown(reason)
            )
        }
    };
    let notes = format!("{why}{missing}");
    let notes = notes.trim_start_matches("; ");
    match notes.is_empty() {
        true => name(&workspace.path, machine),
        false => format!("{} ({notes})", name(&workspace.path, machine)),
    }
}

/// Is this path closed for all that the catalogue would not allow?
fn is_closed(path: &AbsPath, opened: &[Opened]) -> bool {
    !opened.iter().any(|one| one.path == *path)
}

fn blocked(machine: &Machine, made: &Made) -> (String, Vec<String>) {
    let closed = || machine.secret_paths().filter(|(_, path)| is_closed(path, &made.opened));
    let secrets = closed().filter(|(present, _)| machine::is_secret(present)).count();
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        let of_kind = closed().filter(|(present, _)| present.secret.kind == kind);
        let paths: Vec<String> = of_kind.map(|(_, path)| name(path, machine)).collect();
        if !paths.is_empty() {
            let title = match kind {
                Kind::Startup => "Not to be changed",
                Kind::Keys
                | Kind::Passwords
                | Kind::Cloud
                | Kind::Tokens
                | Kind::Browser
                | Kind::Messages
                | Kind::History
                | Kind::Sockets => kind.title(),
            };
            lines.push(format!("{title}: {}", draft::few(&paths, MOST_NAMED)));
        }
    }
    let files: Vec<String> = machine.dotenv.files.iter().map(|path| name(path, machine)).collect();
    let here = if files.is_empty() {
        String::new()
    } else {
        format!(", here {}", draft::few(&files, MOST_NAMED))
    };
    lines.push("every other hidden file of the home directory".to_owned());
    lines.push(format!("reading .env files, everywhere{here}"));
    let title = match secrets {
        0 => "Blocked; no secrets were found".to_owned(),
        1 => "Blocked: 1 secret on this machine, and more".to_owned(),
        secrets => format!("Blocked: {secrets} secrets on this machine, and more"),
    };
    (title, lines)
}

fn opened(machine: &Machine, opened: &[Opened]) -> Vec<String> {
    let line = |one: &Opened| {
        let to = match one.owner {
            Some(agent) => format!("{agent} uses it itself"),
            None => "a preset needs it; no token was found in it".to_owned(),
        };
        format!("{} ({}): {to}", name(&one.path, machine), one.secret.what)
    };
    opened.iter().map(line).collect()
}

/// The commands to try next.
pub(super) fn next(
    machine: &Machine,
    made: &Made,
    destination: Option<&Destination>,
) -> Vec<String> {
    let policy = match destination {
        Some(Destination::Named(file)) => {
            format!(" --policy {}", quote(file.as_os_str().as_bytes()))
        }
        Some(Destination::Own(_)) | None => String::new(),
    };
    let mode = match made.mode {
        ModeArgument::Auto => "",
        ModeArgument::Supervised => " --mode supervised",
        ModeArgument::Kernel => " --mode kernel",
    };
    let names: Vec<&'static str> = machine.agents.iter().map(|found| found.agent.preset).collect();
    let names = if names.is_empty() { vec!["bash"] } else { names };
    let commands = |name: &'static str| match name {
        // The first time it asks its questions; the gateway starts only when they are answered.
        "openclaw" if !machine.openclaw.is_configured => vec!["openclaw", "openclaw gateway run"],
        "openclaw" => vec!["openclaw gateway run"],
        // Its own sandbox cannot work inside another.
        "codex" => vec!["codex --sandbox danger-full-access"],
        other => vec![other],
    };
    let start = |name: &'static str| {
        let workspace = machine.workspaces.iter().find(|one| !one.is_in_a_preset());
        let front = match workspace {
            Some(workspace) if name != "openclaw" => into(workspace, machine),
            Some(_) | None => String::new(),
        };
        let start =
            |command| -> String { format!("{front}clawguard-exec{mode}{policy} -- {command}") };
        commands(name).into_iter().map(start).collect::<Vec<_>>()
    };
    let check = format!("clawguard-exec{policy} check ~/.ssh");
    std::iter::once(check).chain(names.into_iter().flat_map(start)).collect()
}

/// What leads into a workspace, for a shell; nothing where the person is there already.
fn into(workspace: &Workspace, machine: &Machine) -> String {
    let directory = quoted_home(&workspace.path, machine);
    match (&workspace.source, workspace.exists()) {
        (Source::WorkingDirectory, _) => String::new(),
        (_, true) => format!("cd {directory} && "),
        (_, false) => format!("mkdir -p {directory} && cd {directory} && "),
    }
}

/// For a shell, with `~` in front where the shell puts it in.
fn quoted_home(path: &AbsPath, machine: &Machine) -> String {
    let short = names::short(path, &machine.home);
    match short.strip_prefix(b"~/") {
        Some(rest) => format!("~/{}", quote(rest)),
        None => quote(&short),
    }
}
