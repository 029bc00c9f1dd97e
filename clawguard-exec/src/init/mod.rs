//! `init`: writes a policy for this machine, once.
//!
//! Looks at what is here, makes the text, reads it back as the next start will, and only then writes it to a new file.
//! It must never write over anything, and never change anything else.

#![forbid(unsafe_code)]

mod add;
mod document;
mod dotenv;
mod draft;
mod error;
mod machine;
mod names;
mod openclaw;
mod place;
mod proof;
mod summary;
mod text;
mod tokens;
mod workspace;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clawguard_core::Host;

use self::draft::Draft;
use self::error::InitError;
use self::machine::Machine;
use self::place::Destination;
use self::proof::{Opened, Proof};
use crate::cli::{Cli, ModeArgument};
use crate::exit::{Exit, Failure};
use crate::known;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArguments {
    /// Print the policy and write nothing; works also where there is one already
    #[arg(long, conflicts_with = "output")]
    print: bool,

    /// Write it to this file instead of the place where every start looks for it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// For this agent, installed or not, instead of those that are found; may repeat
    #[arg(long, value_name = "NAME", value_parser = agent_names())]
    agent: Vec<String>,

    /// Give this agent's preset to the policy that is there already, comments and all; may repeat
    #[arg(
        long,
        value_name = "NAME",
        value_parser = agent_names(),
        conflicts_with_all = ["print", "output", "agent", "workspace", "json"]
    )]
    add: Vec<String>,

    /// Let agents work in this directory, which is made before the start if it is missing; may repeat
    #[arg(long, value_name = "DIR")]
    workspace: Vec<OsString>,

    /// One JSON object: what was found, what was written, and the text
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  clawguard-exec init                          write a policy for this machine
  clawguard-exec init --print                  show it, write nothing
  clawguard-exec init --workspace ~/shop       for agents that work there
  clawguard-exec init --agent codex --output codex.yaml
  clawguard-exec init --add claude             an agent more, in the policy

It is written to $XDG_CONFIG_HOME/clawguard/policy.yaml (~/.config/clawguard/policy.yaml), unless a policy is found \
already: then nothing is written. Exit status: 0; 125 if nothing was written.";

fn agent_names() -> PossibleValuesParser {
    PossibleValuesParser::new(known::every_agent().iter().map(|agent| agent.preset))
}

/// A policy and what was found out about it.
struct Made {
    text: String,
    draft: Draft,
    opened: Vec<Opened>,
    /// In which it would be enforced.
    mode: ModeArgument,
    not_enforced: Vec<String>,
    remarks: Vec<String>,
}

pub(crate) fn init(cli: &Cli, arguments: &InitArguments) -> Result<Exit, Failure> {
    let policy = &cli.policy;
    let refused = [
        (policy.policy.is_some() && arguments.add.is_empty(), "--policy"),
        (!policy.allow.is_empty(), "--allow"),
        (!policy.block.is_empty(), "--block"),
        (!policy.keep_env.is_empty(), "--keep-env"),
    ];
    if let Some((_, option)) = refused.into_iter().find(|(is_given, _)| *is_given) {
        return Err(InitError::Option(option).into());
    }
    let host = Host::current().map_err(InitError::from)?.with_preview_of_temporary();
    if !arguments.add.is_empty() {
        return add::add(cli, &host, &arguments.add);
    }
    let destination = match arguments.print {
        true => None,
        false => Some(Destination::choose(&host, arguments.output.as_deref())?),
    };
    let machine = Machine::look(&host, arguments)?;
    let made = make(&host, &machine, cli.mode)?;
    if let Some(destination) = &destination {
        destination.write(&made.text)?;
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if arguments.json {
        serde_json::to_writer_pretty(
            &mut out,
            &document::document(&machine, &made, destination.as_ref()),
        )?;
        writeln!(out)?;
    } else if let Some(destination) = &destination {
        summary::print(&machine, &made, destination, &mut out)?;
    } else {
        out.write_all(made.text.as_bytes())?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Makes the text, and proves it.
fn make(host: &Host, machine: &Machine, mode: ModeArgument) -> Result<Made, InitError> {
    let mut draft = Draft::new(host, machine)?;
    let mut remarks = machine.remarks.clone();
    let mut proof = Proof::new(&text::render(machine, &draft, &[]), host, machine)?;
    if !proof.selects_presets(machine) {
        draft.name_presets(machine)?;
        remarks.push(
            "an agent's program lies where agents may write, so its name does not select its preset: all presets are \
             given to every command, and each agent can use what the others keep"
                .to_owned(),
        );
        proof = Proof::new(&text::render(machine, &draft, &[]), host, machine)?;
    }
    draft.close(machine, &proof.opened(machine));
    let proof = Proof::new(&text::render(machine, &draft, &[]), host, machine)?;
    let opened = proof.opened(machine);
    let text = text::render(machine, &draft, &opened);
    let proof = Proof::new(&text, host, machine)?;
    proof.check(machine, &opened)?;
    remarks.extend(proof.cannot_start(machine));
    let not_enforced = proof.not_enforced(mode.into());
    Ok(Made { text, draft, opened, mode, not_enforced, remarks })
}
