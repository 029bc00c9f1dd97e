//! `stop`: the end of a whole run, what has detached itself included.

#![forbid(unsafe_code)]

use std::io::Write;
use std::time::Duration;

use clawguard_core::{Host, Run, Stopped};
use serde::Serialize;

use super::{StopArguments, Whose, command_line, refuse_inside, runs};
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn stop(arguments: &StopArguments) -> Result<Exit, Failure> {
    refuse_inside()?;
    if arguments.pid.is_none() && !arguments.all {
        let text =
            "stop what? name a process of the run, or --all; `clawguard-exec ps` shows what runs";
        return Err(Failure::new(Exit::Ours, text));
    }
    let host = Host::current()?;
    let all = runs(&host, Whose::new(arguments.all_users))?;
    let chosen: Vec<Run> = match arguments.pid {
        None => all,
        Some(pid) => vec![find(pid, &all)?],
    };
    let grace = if arguments.now { Duration::ZERO } else { arguments.grace };
    // All at the same time, so that the bound of one is the bound of all.
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let stopping: Vec<_> =
            chosen.iter().map(|run| (run, scope.spawn(move || run.stop(grace)))).collect();
        stopping.into_iter().map(|(run, outcome)| (run, outcome.join())).collect()
    });
    let mut exit = Exit::Done;
    let mut failure = None;
    let mut out = std::io::stdout().lock();
    for (run, outcome) in outcomes {
        match outcome {
            Ok(Ok(stopped)) => {
                if !stopped.left.is_empty() {
                    exit = Exit::Denied;
                }
                tell(&mut out, arguments, run, &stopped)?;
            }
            Ok(Err(error)) => failure = Some(Failure::from(error)),
            Err(_) => {
                let text = format!("ending the run of process {} failed", run.pid);
                failure = Some(Failure::new(Exit::Ours, text));
            }
        }
    }
    out.flush()?;
    if chosen.is_empty() {
        report::line("nothing runs confined now");
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(exit),
    }
}

/// What `stop --json` says of a run.
#[derive(Serialize)]
struct Row<'a> {
    pid: u32,
    ended: usize,
    left: &'a [u32],
    by_force: bool,
}

fn tell(
    out: &mut impl Write,
    arguments: &StopArguments,
    run: &Run,
    stopped: &Stopped,
) -> Result<(), Failure> {
    let Stopped { ended, left, by_force } = stopped;
    if arguments.json {
        serde_json::to_writer(
            &mut *out,
            &Row { pid: run.pid, ended: *ended, left, by_force: *by_force },
        )?;
        writeln!(out)?;
        return Ok(());
    }
    let processes = match ended {
        1 => "1 process".to_owned(),
        more => format!("{more} processes"),
    };
    let force = if *by_force { " (its supervisor did not answer and was killed)" } else { "" };
    writeln!(out, "{}: ended, {processes}{force}", run.pid)?;
    if !left.is_empty() {
        let left: Vec<String> = left.iter().map(u32::to_string).collect();
        report::line(&format!("{}: these processes are left: {}", run.pid, left.join(" ")));
    }
    Ok(())
}

/// The run that a process is of; what runs is named in the error, so that the next try can be right.
fn find(pid: u32, all: &[Run]) -> Result<Run, Failure> {
    let named = all.iter().find(|run| run.pid == pid);
    if let Some(run) = named.or_else(|| all.iter().find(|run| run.includes(pid))) {
        return Ok(run.clone());
    }
    let name = |run: &Run| {
        let line = run.facts.as_ref().map(|facts| command_line(&facts.arguments));
        let line: String = line.unwrap_or_default().chars().take(40).collect();
        format!("{} ({line})", run.pid)
    };
    let known = match all {
        [] => "nothing runs confined now".to_owned(),
        some => format!("what runs: {}", some.iter().map(name).collect::<Vec<_>>().join(", ")),
    };
    Err(Failure::new(Exit::Ours, format!("process {pid} is of no run of yours; {known}")))
}
