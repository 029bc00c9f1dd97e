//! `clawguard-exec`: applies a policy to itself, then becomes the command.
//!
//! This file only chooses what to do; nothing in this crate knows the kernel or decides about a path.

#![forbid(unsafe_code)]

mod audit;
mod check;
mod cli;
mod closing;
mod completions;
mod exit;
mod init;
mod journal;
mod json;
mod known;
mod learn;
mod log;
mod man;
mod paint;
mod plan;
mod policy;
mod presets;
mod propose;
mod report;
mod run;
mod running;
mod start;
mod usage;
mod version;
mod yaml;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use rustix::process::{Resource, getrlimit};

use crate::cli::{Cli, Task};
use crate::exit::Exit;

/// Kibibytes of stack that every task has enough of, also in a build that is not optimised. With less the process would
/// abort somewhere on its way.
const STACK: u64 = 512;

fn main() -> ExitCode {
    let limit = getrlimit(Resource::Stack).current.map(|bytes| bytes / 1024);
    match limit.filter(|limit| *limit < STACK) {
        None => start(),
        Some(limit) => {
            report::line(&format!(
                "the limit on the stack is {limit} KiB and clawguard-exec needs {STACK}: run `ulimit -s {STACK}` first"
            ));
            Exit::Ours.into()
        }
    }
}

/// A function of its own, so that its variables are on the stack only when there is one.
#[inline(never)]
fn start() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // `--help` and `--version` are answers on stdout; a mistake is ours, so it is 125 like any other.
        Err(error) if !error.use_stderr() => {
            if error.kind() == ErrorKind::DisplayVersion && version::is_long(&error) {
                version::print(version::Form::of(std::env::args_os()));
                return ExitCode::SUCCESS;
            }
            return error.print().map_or(Exit::Ours.into(), |()| ExitCode::SUCCESS);
        }
        Err(error) => {
            usage::tell(&error);
            return Exit::Ours.into();
        }
    };
    let outcome = match &cli.task {
        Some(Task::Audit(arguments)) => audit::audit(&cli, arguments),
        Some(Task::Check(arguments)) => check::check(&cli, arguments),
        Some(Task::Completions(arguments)) => completions::completions(arguments),
        Some(Task::Init(arguments)) => init::init(&cli, arguments),
        Some(Task::Learn(arguments)) => learn::learn(&cli, arguments),
        Some(Task::Log(arguments)) => log::log(&cli, arguments),
        Some(Task::Man(arguments)) => man::man(arguments),
        Some(Task::Plan(arguments)) => plan::plan(&cli, arguments),
        Some(Task::Presets(arguments)) => presets::presets(arguments),
        Some(Task::Ps(arguments)) => running::ps(arguments),
        Some(Task::Stop(arguments)) => running::stop(arguments),
        None => run::run(&cli),
    };
    match outcome {
        Ok(exit) => exit.into(),
        // Whoever reads our output has read enough; that it was not all is still told.
        Err(failure) if failure.is_broken_pipe() => failure.exit.into(),
        Err(failure) => {
            report::error(failure.error.as_ref());
            failure.exit.into()
        }
    }
}
