//! The main task: run the command confined, and end as it ends.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clawguard_core::{
    AbsPath, Access, ApplyError, CONFINED_BY, Ending, Host, KeepDescriptors, KernelSupport, Links,
    Mode, Plan, ResolvedPolicy, Sandbox, escape, interpreter_of, quote,
};

use crate::cli::{Cli, Keep};
use crate::closing::Closing;
use crate::exit::{Exit, Failure};
use crate::{policy, report, start};

pub(crate) fn run(cli: &Cli) -> Result<Exit, Failure> {
    let Some(program) = cli.command.first() else {
        let usage = "no command: clawguard-exec [OPTIONS] -- COMMAND [ARGUMENT]... (more: clawguard-exec --help)";
        return Err(Failure::new(Exit::Ours, usage));
    };
    let host = Host::current()?;
    refuse_second(&host)?;
    let host = host.with_command(program);
    let resolved = policy::resolve(cli, &host)?;
    say(cli, &host, &resolved);
    launch(cli, &host, resolved, cli.mode.into(), &cli.command, Ok)
}

/// What a person should know of the policy before the command starts.
fn say(cli: &Cli, host: &Host, policy: &ResolvedPolicy) {
    if let Some(line) = start::opened_secrets(policy, host) {
        report::line(&line);
    }
    if cli.quiet {
        return;
    }
    start::not_there(policy).iter().for_each(|line| report::line(line));
    let again = |option: &str| {
        let words = std::env::args_os().skip(1).map(|word| quote(word.as_bytes()));
        let words: Vec<String> = words.collect();
        format!("clawguard-exec {option} {}", words.join(" "))
    };
    if let Some(line) = start::closed_directory(policy, host, &again) {
        report::line(&line);
    }
}

/// Runs a command under a policy and ends as it ends; `finish` has the last word on the sandbox.
pub(crate) fn launch(
    cli: &Cli,
    host: &Host,
    resolved: ResolvedPolicy,
    mode: Mode,
    command: &[OsString],
    finish: impl FnOnce(Sandbox) -> Result<Sandbox, Failure>,
) -> Result<Exit, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new(Exit::Ours, "no command"));
    };
    let keep = keep(cli, host)?;
    let file = find(program, host)?;
    let plan = resolved.compile(&KernelSupport::probe()?, mode)?;
    tell(&plan, cli);
    may_execute(plan.policy(), &file)?;
    let closing = Closing::new(cli, host);
    let mut sandbox = plan
        .prepare()?
        .keep(&keep)
        .at_lost_lines(|error| report::error(error))
        .at_failed_alert(|error| report::error(error))
        .at_end(move |ending| close(ending, &closing));
    if cli.wait_all {
        sandbox = sandbox.wait_all();
    }
    if let Some(state) = host.state_directory() {
        sandbox = sandbox.list_in(&state, unlisted);
    }
    for error in sandbox.not_made() {
        report::error(error);
    }
    let mut command = Command::new(&file);
    command.arg0(program).args(arguments).env(CONFINED_BY, std::process::id().to_string());
    let error = finish(sandbox)?.exec(command);
    let exit = match &error {
        ApplyError::Exec(source) if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
        ApplyError::Exec(_) => Exit::CannotExecute,
        ApplyError::Step { .. }
        | ApplyError::Spawn(_)
        | ApplyError::Supervise(_)
        | ApplyError::Threads(_)
        | ApplyError::SecondListener
        | ApplyError::NeedsParent
        | ApplyError::SupervisorDied => Exit::Ours,
    };
    if exit == Exit::Ours {
        return Err(Failure::new(exit, error));
    }
    let name = escape(file.as_os_str().as_bytes());
    if exit == Exit::NotFound
        && let Some(text) = missing_interpreter(&file)
    {
        return Err(Failure::new(exit, text));
    }
    Err(Failure::new(exit, Unexecuted { name, source: error }))
}

/// Why a file that is there cannot be found by the kernel: what it is to be run by is not there.
fn missing_interpreter(file: &std::path::Path) -> Option<String> {
    let opened = std::fs::File::open(file).ok()?;
    let interpreter = interpreter_of(&opened)?;
    let is_missing = !std::path::Path::new(OsStr::from_bytes(&interpreter)).exists();
    let (name, interpreter) = (escape(file.as_os_str().as_bytes()), escape(&interpreter));
    is_missing.then(|| {
        format!("`{name}` is there, and the interpreter that it names is not: `{interpreter}`")
    })
}

/// Said by the supervisor when everything has ended. `-q` silences the summary.
fn close(ending: &Ending, closing: &Closing) {
    for line in closing.lines(ending.status, &ending.summary) {
        report::line(&line);
    }
    if !ending.left.is_empty() {
        let left: Vec<String> = ending.left.iter().map(u32::to_string).collect();
        report::line(&format!(
            "these processes cannot be ended, the kernel does not let them go: {}",
            left.join(" ")
        ));
    }
}

/// The run goes on, and `stop` will not find it.
fn unlisted(error: &std::io::Error) {
    report::line(&format!(
        "warning: `clawguard-exec ps` and `stop` will not know of this run: {error}"
    ));
}

#[derive(Debug, thiserror::Error)]
#[error("`{name}`")]
struct Unexecuted {
    name: String,
    source: ApplyError,
}

/// What this run does not enforce, or denies although the policy allows it. `-q` silences what every run of this
/// version leaves open, never what this policy asks for in vain, and in the weaker mode nothing.
fn tell(plan: &Plan, cli: &Cli) {
    let (open, mode) = match plan.mode() {
        Mode::Auto | Mode::Supervised if cli.quiet => (plan.policy_left_open(), ""),
        Mode::Auto | Mode::Supervised => (plan.left_open(), ""),
        Mode::Kernel => (plan.left_open(), " in kernel mode"),
    };
    for open in open {
        report::line(&format!("not enforced{mode}: {open}"));
    }
    let removed = plan.policy().environment().remove.keys();
    let removed: Vec<String> = removed.map(|name| escape(name.as_bytes())).collect();
    if !removed.is_empty() && !cli.quiet {
        report::line(&format!(
            "variables not handed on: {} (to keep one: --keep-env NAME)",
            removed.join(", ")
        ));
    }
    // A rule that grants nothing is not seen in the kernel's answers.
    for lint in plan.unfollowed_links().into_iter().chain(plan.alert_lints()) {
        report::line(&format!("warning: {}", lint.text));
    }
    for remark in plan.policy().remarks() {
        report::line(&format!("warning: {remark}"));
    }
    // A supervisor tells apart what the kernel alone cannot.
    for denied in plan.denied_more().into_iter().filter(|_| !plan.is_supervised()) {
        report::line(&format!("denied{mode} although the policy may allow it: {denied}"));
    }
}

/// A target that starts clawguard again would get a policy that means something else than it says.
pub(crate) fn refuse_second(host: &Host) -> Result<(), Failure> {
    if !clawguard_core::is_confined() {
        return Ok(());
    }
    let by = host
        .variable(CONFINED_BY)
        .map(|by| format!(", which started process {}", escape(by.as_bytes())));
    let text = format!(
        "already confined by clawguard{}: a second policy inside it cannot mean what it says; run the command without \
         clawguard-exec",
        by.unwrap_or_default()
    );
    Err(Failure::new(Exit::Ours, text))
}

fn keep(cli: &Cli, host: &Host) -> Result<KeepDescriptors, Failure> {
    let mut keep = KeepDescriptors::none();
    for one in &cli.keep_fd {
        keep = match one {
            Keep::Announced => keep.and_announced(&host.environment, std::process::id()),
            Keep::Number(number)
                if !std::path::Path::new(&format!("/proc/self/fd/{number}")).exists() =>
            {
                return Err(Failure::new(
                    Exit::Ours,
                    format!("--keep-fd {number}: this descriptor is not open"),
                ));
            }
            Keep::Number(number) => keep.and(*number),
        };
    }
    Ok(keep)
}

/// The command's file, as the shell would find it.
fn find(program: &OsStr, host: &Host) -> Result<PathBuf, Failure> {
    if let Some(found) = host.find_command(program) {
        return Ok(found.as_path().to_owned());
    }
    let name = escape(program.as_bytes());
    let is_there = program.as_bytes().contains(&b'/') && host.cwd.as_path().join(program).exists();
    Err(if is_there {
        Failure::new(Exit::CannotExecute, format!("`{name}` is not an executable file"))
    } else {
        Failure::new(Exit::NotFound, format!("`{name}`: command not found"))
    })
}

/// Refuses a command that the policy itself denies, with the line that does: "Permission denied" would not tell.
fn may_execute(policy: &ResolvedPolicy, file: &std::path::Path) -> Result<(), Failure> {
    let real = Links::default().follow_raw(file.as_os_str().as_bytes());
    let decision = policy.decider().decide(&real);
    for access in [Access::Execute, Access::Read] {
        let verdict = decision.verdict(access);
        if !verdict.is_allowed() {
            let reason = policy.reason(verdict);
            let way = way_out(&real, verdict.rule().is_none());
            let text = format!("the policy denies {access} on the command `{real}`: {reason}{way}");
            return Err(Failure::new(Exit::CannotExecute, text));
        }
    }
    Ok(())
}

fn way_out(path: &AbsPath, nothing_allows: bool) -> String {
    let directory = path.parent().filter(|_| nothing_allows);
    directory.map_or_else(String::new, |directory| format!("; to allow it: --allow {directory}:rx"))
}
