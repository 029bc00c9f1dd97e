//! The words of `log`: which journal, which of its lines, which view.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::since::Since;
use crate::propose::Level;

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("view").args(["tree", "stats", "follow", "html", "suggest"]),
    after_help = "Examples:\n  \
        clawguard-exec log                              the newest denials\n  \
        clawguard-exec log --session last               those of the last run\n  \
        clawguard-exec log --since 2h --path '~/.ssh'   beneath a directory, lately\n  \
        clawguard-exec log --rule '**/.env'             what one line denied\n  \
        clawguard-exec log --rule none                  what nothing allows\n  \
        clawguard-exec log --tree                       where the denials are\n  \
        clawguard-exec log --stats                      which command was denied what\n  \
        clawguard-exec log --session last --suggest     the lines that would allow it\n  \
        clawguard-exec log --follow                     while it happens\n  \
        clawguard-exec log --html journal.html          one page for a browser\n  \
        clawguard-exec log --json | jq .path            for a program\n\n\
        Exit status: 0, also where there is nothing to show; 125 on errors."
)]
pub(crate) struct LogArguments {
    /// Read this journal, with the files that were put away beside it, instead of your own
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Show so many rows; 0 shows all (the list has 20, the statistics 10 commands; a tree, what fits)
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<usize>,

    /// Show everything that is in the journal, not only denials
    #[arg(long, conflicts_with = "event")]
    pub(crate) all: bool,

    /// Show this kind of event instead of denials; may repeat
    #[arg(long, value_enum, value_name = "EVENT")]
    pub(crate) event: Vec<EventArgument>,

    /// Only what this pattern covers: itself and all beneath it, as in a policy; a name without `/` is looked for
    /// everywhere
    #[arg(long, value_name = "PATTERN")]
    pub(crate) path: Option<OsString>,

    /// Only processes of this name, and runs of this command
    #[arg(long, value_name = "NAME")]
    pub(crate) command: Option<OsString>,

    /// Only what this rule decided: its pattern, or where it is written (`policy.yaml`, `policy.yaml:12`,
    /// `preset git`); `none`: nothing allows it
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Option<OsString>,

    /// Only since then: `30m`, `2h`, `3d`, `2026-11-22`, `2026-11-22T13:00`, or a time with its zone
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    pub(crate) since: Option<Since>,

    /// Only this run, by its name or its process number; `last`: the run that started last
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,

    /// A tree of directories, with how often what was asked for in each
    #[arg(long)]
    pub(crate) tree: bool,

    /// How many levels of the tree are shown
    #[arg(long, value_name = "N", requires = "tree", default_value_t = 4)]
    pub(crate) depth: usize,

    /// Per command: processes, denials, accesses, executed programs, the paths that were denied most often
    #[arg(long)]
    pub(crate) stats: bool,

    /// Propose the lines that would allow what was denied, as a difference to the policy that a start here would use;
    /// writes nothing
    #[arg(long)]
    pub(crate) suggest: bool,

    /// How far a proposed line may reach beyond what was denied
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        requires = "suggest",
        default_value = "directories"
    )]
    pub(crate) level: Level,

    /// Print the newest lines, oldest first, and then what comes, until it is interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Write one page for a browser: timeline, denials, tree, statistics; it needs no network
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// With --html: replace the file if it is there
    #[arg(long, requires = "html")]
    pub(crate) force: bool,

    /// Times in UTC instead of local time; JSON always has UTC
    #[arg(long)]
    pub(crate) utc: bool,

    /// One JSON object a line; with --stats, --suggest and --html one object
    #[arg(long)]
    pub(crate) json: bool,
}

/// The events of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum EventArgument {
    /// Requests that were denied
    Denied,
    /// Requests that were allowed: logged with `log_file_access: true`
    Allowed,
    /// Programs that were executed: logged with `log_commands: true`
    Executed,
    /// Runs that began
    Started,
    /// Runs that ended
    Ended,
    /// Lines that were lost
    Lost,
}
