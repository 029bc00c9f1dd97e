//! `learn`: runs a command that may do whatever nothing blocks, and proposes the smallest policy that allows what it
//! did.
//!
//! The run itself is the run of every command: the same supervisor, terminal, signals and exit code. Nothing is written
//! unless the user asks for it, and never through a link that the command could have planted.

#![forbid(unsafe_code)]

mod json;
mod secrets;
mod told;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use clap::Args;
use clawguard_core::{
    AbsPath, Decider, Fate, Host, Links, Mode, Observed, Policy, Touched, escape,
};

use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::propose::{self, Edited, Evidence, Level, Present, Proposal, Wanted};
use crate::{policy, report, run};

#[derive(Debug, Args)]
#[command(
    after_help = "The command may read and change whatever nothing blocks: learn only what you would run without \
                  clawguard as well. Blocks, guards and well-known places of secrets stay closed.\n\n\
                  Exit status: the command's own; 125 if nothing was started, or nothing could be proposed.",
    after_long_help = EXAMPLES
)]
pub(crate) struct LearnArguments {
    /// How far a line may reach beyond what was seen
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "directories")]
    pub(crate) level: Level,

    /// Write the whole proposed policy to this file, in place of the difference on standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Write the proposal into the policy file, after it was shown
    #[arg(long)]
    pub(crate) apply: bool,

    /// One JSON object: the lines, what is not proposed and why, and the new text
    #[arg(long)]
    pub(crate) json: bool,

    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND", required = true)]
    pub(crate) command: Vec<OsString>,
}

const EXAMPLES: &str = "\
The command may read and change whatever nothing blocks: learn only what you would run without clawguard as well. \
Blocks, guards and well-known places of secrets stay closed.

Examples:
  clawguard-exec learn -- make                  show what a policy would need
  clawguard-exec learn --output p.yaml -- make  write the proposed policy
  clawguard-exec --policy p.yaml -- make        and run under it
  clawguard-exec learn --apply -- make          add it to the policy in use
  clawguard-exec learn --allow ~/.tool -- tool  also what `~/.*` blocks

Exit status: the command's own; 125 if nothing was started, or nothing could be proposed.";

/// What was learned, besides the proposal.
pub(crate) struct Learned {
    pub(crate) proposal: Proposal,
    pub(crate) present: Present,
    pub(crate) host: Host,
    pub(crate) level: Level,
    pub(crate) command: Vec<OsString>,
    pub(crate) status: ExitStatus,
    /// What the file system's own rights denied.
    pub(crate) failed: Vec<Touched>,
    /// What is denied whatever the policy says, such as removing the working directory.
    pub(crate) odd: Vec<Touched>,
    pub(crate) missed: u64,
}

pub(crate) fn learn(cli: &Cli, arguments: &LearnArguments) -> Result<Exit, Failure> {
    let Some((program, _)) = arguments.command.split_first() else {
        return Err(Failure::new(Exit::Ours, "no command: clawguard-exec learn -- COMMAND"));
    };
    if Mode::from(cli.mode) == Mode::Kernel {
        let text = "learning needs the supervisor: leave `--mode kernel` out";
        return Err(Failure::new(Exit::Ours, text));
    }
    let host = Host::current()?;
    run::refuse_second(&host)?;
    let host = host.with_command(program);
    let present = Present::find(&host, cli.policy.policy.as_deref(), policy::journal(cli, &host))?;
    let own = policy::with_arguments(present.policy()?, &cli.policy)?;
    let start = policy::with_arguments(present.to_start_under()?, &cli.policy)?;
    let mut learning = propose::with_everything(&start)?;
    let closed = secrets::close(&mut learning, &own, &host)?;
    learning.observe();
    if !cli.quiet {
        let name = if present.exists {
            escape(present.file.as_os_str().as_bytes())
        } else {
            "built-in default".to_owned()
        };
        report::line(&format!("policy: {name}"));
    }
    told::warning(&arguments.command, closed);
    let save = Save::new(arguments, &present, &host);
    let level = arguments.level;
    let command = arguments.command.clone();
    let shows = if arguments.json { Shows::Json } else { Shows::Text };
    let resolved = learning.clone().resolve(&host)?;
    let epilogue_host = host.clone();
    let epilogue = move |status: ExitStatus, observed: Option<Observed>| {
        let material = Material { own, learning, host: epilogue_host, present, level, command };
        match material.conclude(status, observed, &save, shows) {
            Ok(()) => None,
            Err(failure) => {
                report::error(failure.error.as_ref());
                Some(125)
            }
        }
    };
    run::launch(cli, &host, resolved, Mode::Supervised, &arguments.command, |sandbox| {
        Ok(sandbox.before_exit(epilogue)?)
    })
}

#[derive(Clone, Copy)]
enum Shows {
    Text,
    Json,
}

/// What is concluded from, when the command has ended.
struct Material {
    own: Policy,
    learning: Policy,
    host: Host,
    present: Present,
    level: Level,
    command: Vec<OsString>,
}

impl Material {
    fn conclude(
        self,
        status: ExitStatus,
        observed: Option<Observed>,
        save: &Save,
        shows: Shows,
    ) -> Result<(), Failure> {
        let observed = observed.ok_or_else(|| {
            Failure::new(
                Exit::Ours,
                "what the command touched did not arrive whole: nothing is proposed",
            )
        })?;
        let mut decider = self.learning.resolve(&self.host)?.decider();
        let mut wanted = Vec::new();
        let (mut failed, mut odd) = (Vec::new(), Vec::new());
        for touched in observed.touched {
            match touched.fate {
                Fate::Allowed => wanted.push(of(touched)),
                Fate::Denied if touched.refusal.is_none() && is_denied(&mut decider, &touched) => {
                    wanted.push(of(touched));
                }
                Fate::Denied => odd.push(touched),
                Fate::Failed => failed.push(touched),
            }
        }
        let evidence = Evidence {
            wanted: &wanted,
            moves: &observed.moves,
            host: &self.host,
            present: &self.present,
            own: &self.own,
            level: self.level,
        };
        let proposal = propose::propose(evidence)?;
        let Material { present, host, level, command, .. } = self;
        let learned = Learned {
            proposal,
            present,
            host,
            level,
            command,
            status,
            failed,
            odd,
            missed: observed.missed,
        };
        match shows {
            Shows::Json => json::print(&learned)?,
            Shows::Text => {
                told::refused(&learned);
                if matches!(save, Save::Nowhere | Save::Policy(_)) {
                    told::proposed(&learned)?;
                }
            }
        }
        save.save(&learned)
    }
}

fn of(touched: Touched) -> Wanted {
    let Touched { path, access, count, operations, commands, .. } = touched;
    Wanted { path, access, count, operations, commands }
}

fn is_denied(decider: &mut Decider, touched: &Touched) -> bool {
    let decision = decider.decide(&touched.path);
    touched.access.iter().any(|access| !decision.verdict(access).is_allowed())
}

/// Where the proposal is written. Every path is real, and was so before the command could plant a link.
enum Save {
    Nowhere,
    File(AbsPath),
    Policy(AbsPath),
}

impl Save {
    fn new(arguments: &LearnArguments, present: &Present, host: &Host) -> Save {
        let real = |file: &std::path::Path| {
            Links::default().follow_raw(host.cwd.as_path().join(file).as_os_str().as_bytes())
        };
        match (&arguments.output, arguments.apply) {
            (_, true) => Save::Policy(real(&present.file)),
            (Some(output), false) => Save::File(real(output)),
            (None, false) => Save::Nowhere,
        }
    }

    fn save(&self, learned: &Learned) -> Result<(), Failure> {
        let old = learned.present.exists.then_some(learned.present.text.as_str());
        let text = match &learned.proposal.edited {
            Some(Edited::File { text, .. }) => text,
            None => match self {
                Save::File(_) => &learned.present.text,
                Save::Nowhere | Save::Policy(_) => return Ok(()),
            },
            Some(Edited::ByHand { .. }) => match self {
                Save::Nowhere => return Ok(()),
                Save::File(_) | Save::Policy(_) => {
                    let text = "nothing is written: add the lines above by hand";
                    return Err(Failure::new(Exit::Ours, text));
                }
            },
        };
        match self {
            Save::Nowhere => Ok(()),
            Save::File(path) => write(path, text),
            Save::Policy(path) => {
                let now = std::fs::read_to_string(path.as_path()).ok();
                if now.as_deref() != old {
                    let text = format!("`{path}` has changed meanwhile: nothing is written");
                    return Err(Failure::new(Exit::Ours, text));
                }
                write(path, text)
            }
        }
    }
}

fn write(path: &AbsPath, text: &str) -> Result<(), Failure> {
    clawguard_core::save(path, text.as_bytes())
        .map_err(|source| Failure::new(Exit::Ours, Unwritten { path: path.clone(), source }))?;
    report::line(&format!("written: {path}"));
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`")]
struct Unwritten {
    path: AbsPath,
    source: std::io::Error,
}
