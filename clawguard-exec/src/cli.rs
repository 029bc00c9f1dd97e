//! The command line: words in, values out.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clawguard_core::{AccessSet, Mode};

use crate::audit::AuditArguments;
use crate::completions::CompletionsArguments;
use crate::init::InitArguments;
use crate::learn::LearnArguments;
use crate::log::LogArguments;
use crate::man::ManArguments;
use crate::running::{PsArguments, StopArguments};
use crate::version::LONG_VERSION;

/// Run a command confined to a written policy: no root, no container, no daemon.
#[derive(Debug, Parser)]
#[command(
    name = "clawguard-exec",
    version,
    long_version = LONG_VERSION,
    after_help = "Exit status: the command's own; 125 if clawguard failed and nothing was started, 126 if the \
                  command cannot be executed, 127 if it is not found.",
    after_long_help = EXAMPLES,
    override_usage = USAGE,
    term_width = 80
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,

    /// Who enforces: the kernel and a supervisor, or the kernel alone (denies more, and says what it leaves open)
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto", global = true)]
    pub(crate) mode: ModeArgument,

    /// Let the command inherit descriptor N besides 0, 1 and 2; `auto`: what systemd, node or make announce
    #[arg(long, value_name = "N|auto", value_parser = keep)]
    pub(crate) keep_fd: Vec<Keep>,

    /// When the command ends, wait for what it left running instead of ending it (not in kernel mode)
    #[arg(long)]
    pub(crate) wait_all: bool,

    /// Write the journal of denials to this file instead of `~/.local/state/clawguard/journal.jsonl`
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,

    /// Do not name the policy on stderr, nor what was denied; errors, and what a weaker mode leaves open, are still
    /// told
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    #[command(subcommand)]
    pub(crate) task: Option<Task>,

    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

const USAGE: &str = "\
clawguard-exec [OPTIONS] -- COMMAND [ARGUMENT]...
       clawguard-exec audit [--fix]
       clawguard-exec check [OPTIONS] [PATH]...
       clawguard-exec completions SHELL
       clawguard-exec init [OPTIONS]
       clawguard-exec learn [OPTIONS] -- COMMAND [ARGUMENT]...
       clawguard-exec log [OPTIONS]
       clawguard-exec man [DIRECTORY]
       clawguard-exec plan [OPTIONS] [-- COMMAND]
       clawguard-exec presets [NAME]
       clawguard-exec ps [OPTIONS]
       clawguard-exec stop [OPTIONS] <--all|PID>";

const EXAMPLES: &str = "\
Examples:
  clawguard-exec init                     write a policy for this machine
  clawguard-exec -- openclaw gateway run  under the policy that is found
  clawguard-exec --policy p.yaml -- make  under this policy
  clawguard-exec --allow ./shop -- bash   the built-in default, elsewhere
  clawguard-exec --log denied.log -- make with a journal of its own
  clawguard-exec check ~/.ssh             what is decided, and by which line
  clawguard-exec learn -- make            what a policy for it would need
  clawguard-exec log                      what was denied, newest first
  clawguard-exec ps                       what runs confined; `stop` ends it
  clawguard-exec plan -- openclaw         who enforces each line

A policy is looked for in this order: --policy, $CLAWGUARD_POLICY, \
$XDG_CONFIG_HOME/clawguard/policy.yaml, ~/.openclaw/config.yaml if it has security.file_access, the built-in default \
(the working directory, without secrets).

Exit status: the command's own; 125 if clawguard failed and nothing was started, 126 if the command cannot be \
executed, 127 if it is not found.";

#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyArguments {
    /// Use this policy
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) policy: Option<PathBuf>,

    /// Allow a path, with these accesses (default: rwx); may repeat
    #[arg(long, value_name = "PATH[:rwx]", global = true)]
    pub(crate) allow: Vec<OsString>,

    /// Block a path, for these accesses (default: rwx); may repeat
    #[arg(long, value_name = "PATH[:rwx]", global = true)]
    pub(crate) block: Vec<OsString>,

    /// Hand this variable on although the policy or the list of secrets takes it away; `*` at either end takes the rest
    /// of a name; may repeat
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) keep_env: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Look for what undoes the protection on this machine, and say what to do; `--fix` does the safe part
    Audit(AuditArguments),
    /// Say what the policy decides about paths, which line decides, and who else denies
    Check(CheckArguments),
    /// Print what completes this command line in a shell
    Completions(CompletionsArguments),
    /// Write a policy for this machine: the agents, workspaces and secrets that are found; never over another
    Init(InitArguments),
    /// Run a command that may do what nothing blocks, and propose the smallest policy that allows what it did
    Learn(LearnArguments),
    /// Read the journal: what was denied, where, by which rule; as a list, a tree, statistics or a page
    Log(LogArguments),
    /// Print the manual page, or write all of them to a directory
    Man(ManArguments),
    /// Print who enforces each rule, and what the kernel will be told; starts nothing
    Plan(PlanArguments),
    /// List the shipped presets, or print one
    Presets(PresetsArguments),
    /// List what runs confined now: since when, under which policy, how many denials
    Ps(PsArguments),
    /// End a run as a whole, what has detached itself included
    Stop(StopArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0; with --access 1 if the policy denies any of the accesses for any path; with --probe 2 \
    if policy and kernel disagree about any of them; 125 on errors.\n\n\
    Examples:\n  clawguard-exec check ~/.ssh/id_ed25519\n  \
    find . -print0 | clawguard-exec check --access r --stdin\n  \
    clawguard-exec check --probe --command openclaw ~/.openclaw ~/.ssh/id_ed25519"
)]
pub(crate) struct CheckArguments {
    /// One JSON object a line, in the order of the paths
    #[arg(long)]
    pub(crate) json: bool,

    /// Exit with 1 if any of these accesses is denied for any path
    #[arg(long, value_name = "rwx", value_parser = access)]
    pub(crate) access: Option<AccessSet>,

    /// Let a confined process try each access, and compare; changes nothing, executes nothing
    #[arg(long)]
    pub(crate) probe: bool,

    /// Read paths from standard input too, each ended by a NUL byte
    #[arg(long)]
    pub(crate) stdin: bool,

    /// Judge as for this command, which may select a preset
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<OsString>,

    /// Paths; links that exist are followed first
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clawguard-exec plan                  for the policy that is found\n  \
                  clawguard-exec plan -- openclaw      with the preset of this command\n  \
                  clawguard-exec --mode kernel plan    what the kernel alone leaves open"
)]
pub(crate) struct PlanArguments {
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Plan as for this command, which may select a preset
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clawguard-exec presets                        what is shipped\n  \
                  clawguard-exec presets openclaw               one of them, with its reasons"
)]
pub(crate) struct PresetsArguments {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Print this preset
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ModeArgument {
    /// The kernel, and a supervisor for what it cannot judge, which is so in practice always
    Auto,
    /// The kernel and a supervisor, whatever the policy says
    Supervised,
    /// The kernel alone: no block inside an allowed directory without denying its neighbours, no journal; metadata and
    /// unix sockets stay open
    Kernel,
}

impl From<ModeArgument> for Mode {
    fn from(mode: ModeArgument) -> Mode {
        match mode {
            ModeArgument::Auto => Mode::Auto,
            ModeArgument::Supervised => Mode::Supervised,
            ModeArgument::Kernel => Mode::Kernel,
        }
    }
}

/// A descriptor to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    Number(u32),
    Announced,
}

fn keep(text: &str) -> Result<Keep, String> {
    if text == "auto" {
        return Ok(Keep::Announced);
    }
    let number = text.parse::<u32>().ok().filter(|number| i32::try_from(*number).is_ok());
    number.map(Keep::Number).ok_or_else(|| "a descriptor's number, or `auto`".to_owned())
}

fn access(text: &str) -> Result<AccessSet, clawguard_core::AccessError> {
    AccessSet::parse(text)
}

/// Splits `PATH[:rwx]`. A colon before anything else belongs to the path.
pub(crate) fn split_rule(text: &OsString) -> (OsString, Option<String>) {
    let bytes = text.as_bytes();
    let Some(colon) = bytes.iter().rposition(|&byte| byte == b':') else {
        return (text.clone(), None);
    };
    let letters = &bytes[colon + 1..];
    if letters.is_empty() || !letters.iter().all(|letter| b"rwx".contains(letter)) {
        return (text.clone(), None);
    }
    let path = OsString::from_vec(bytes[..colon].to_vec());
    (path, Some(String::from_utf8_lossy(letters).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn only_letters_of_accesses_end_a_rule() {
        let split = |text: &str| {
            let (path, access) = split_rule(&OsString::from(text));
            (path.into_string().unwrap(), access)
        };
        assert_eq!(split("/a:rx"), ("/a".to_owned(), Some("rx".to_owned())));
        assert_eq!(split("/a:b"), ("/a:b".to_owned(), None));
        assert_eq!(split("/a:"), ("/a:".to_owned(), None));
        assert_eq!(split("/a:b:w"), ("/a:b".to_owned(), Some("w".to_owned())));
    }
}
