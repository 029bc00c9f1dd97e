//! `audit`: what on this machine undoes the protection, worst first, and what to do about it.
//!
//! A check looks and never changes anything; only `--fix` does, and only what `fix` can.

#![forbid(unsafe_code)]

mod allowed;
mod confined;
mod finding;
mod fix;
mod git;
mod id;
mod kernel;
mod law;
mod links;
mod listeners;
mod machine;
mod modes;
mod openclaw;
mod own;
mod process;
mod search_path;
mod secrets;
mod show;
mod sockets;
mod walk;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use clap::Args;
use clawguard_core::{AbsPath, Host, KernelSupport, quote};

use self::finding::{Finding, Severity};
use self::fix::{Fix, FixError, Fixed};
use self::id::Id;
use self::law::Used;
use self::machine::{Machine, abs};
use self::openclaw::Settings;
use self::process::Processes;
use self::walk::Ended;
use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::known;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 if nothing is worse than `info`, 1 if a warning or something critical is left, 125 on \
                  errors.\n\n\
                  Examples:\n  \
                  clawguard-exec audit                       look, and change nothing\n  \
                  clawguard-exec audit --fix                 tighten what is safe to tighten\n  \
                  clawguard-exec audit --only state-mode     one kind of finding\n  \
                  clawguard-exec -q audit --json | jq -r .id for a program\n\n\
                  docs/audit.md lists every finding: why it matters, and what to do."
)]
pub(crate) struct AuditArguments {
    /// Take away bits of modes that let others in, of your own files only; show what each was and is
    #[arg(long)]
    pub(crate) fix: bool,

    /// One JSON object a line, one line for each finding
    #[arg(long)]
    pub(crate) json: bool,

    /// Tell only this kind of finding; may repeat
    #[arg(long, value_name = "ID", value_enum, hide_possible_values = true)]
    pub(crate) only: Vec<Id>,

    /// Do not tell this kind of finding, and do not count it; may repeat
    #[arg(long, value_name = "ID", value_enum, hide_possible_values = true)]
    pub(crate) ignore: Vec<Id>,
}

/// A finding, and what `--fix` did about it.
pub(crate) struct Told {
    pub(crate) finding: Finding,
    pub(crate) outcome: Outcome,
}

/// What became of a finding.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// Nothing was tried.
    Left,
    Fixed(Fixed),
    Failed(Rc<FixError>),
}

pub(crate) fn audit(cli: &Cli, arguments: &AuditArguments) -> Result<Exit, Failure> {
    if clawguard_core::is_confined() {
        let text = "already confined by clawguard: the audit looks at what a confined process cannot see; run it \
                    outside";
        return Err(Failure::new(Exit::Ours, text));
    }
    let machine = Machine::current(Host::current()?.with_preview_of_temporary());
    let mut findings = look(cli, &machine)?;
    let is_asked = |id: &Id| {
        (arguments.only.is_empty() || arguments.only.contains(id)) && !arguments.ignore.contains(id)
    };
    findings.retain(|finding| is_asked(&finding.id));
    findings.sort_by(|a, b| {
        (b.severity, a.id, &a.subject, &a.reason).cmp(&(a.severity, b.id, &b.subject, &b.reason))
    });
    findings.dedup();
    let told = match arguments.fix {
        true => fix(findings, &machine),
        false => {
            findings.into_iter().map(|finding| Told { finding, outcome: Outcome::Left }).collect()
        }
    };
    match arguments.json {
        true => show::json(&told)?,
        false => show::people(&told, arguments)?,
    }
    let is_bad = |told: &Told| {
        told.finding.severity > Severity::Info && !matches!(told.outcome, Outcome::Fixed(_))
    };
    Ok(if told.iter().any(is_bad) { Exit::Found } else { Exit::Done })
}

/// Every check.
fn look(cli: &Cli, machine: &Machine) -> Result<Vec<Finding>, Failure> {
    let processes = Processes::read(&machine.proc);
    let settings = Settings::read(machine);
    let mut findings = Vec::new();
    findings.extend(another_home(machine));
    findings.extend(modes::check(machine));
    findings.extend(own::journal(machine));
    findings.extend(own::program(machine));
    findings.extend(settings.iter().flat_map(|settings| settings.check(machine)));
    findings.extend(listeners::check(machine, &processes, &Settings::ports(&settings)));
    findings.extend(confined::check(machine, &processes));
    match law::locate(cli, &machine.host) {
        Ok(used) => findings.extend(look_at_policy(cli, machine, &processes, &used)?),
        Err(failure) => {
            findings.extend(own::policy(machine, None));
            findings.push(unusable(&failure));
        }
    }
    Ok(findings)
}

/// The checks that ask the law.
fn look_at_policy(
    cli: &Cli,
    machine: &Machine,
    processes: &Processes,
    used: &Used,
) -> Result<Vec<Finding>, Failure> {
    let file = used.policy.file();
    let mut findings = own::policy(machine, file);
    findings.extend(own::shadowed(machine, file));
    findings.extend(used.policy.warnings().into_iter().map(|warning| {
        Finding::of_host(Id::PolicyWarning, Severity::Warning, "the policy", warning)
            .command("clawguard-exec plan")
    }));
    if file.is_none() {
        findings.push(default(used));
    }
    let agents = known::agents(&machine.host);
    let mut views = law::views(used, machine, &agents)?;
    findings.extend(secrets::check(machine, &mut views));
    findings.extend(search_path::check(machine, &mut views));
    findings.extend(allowed::check(machine, &mut views, processes));
    let policy = used.policy.clone().resolve(&machine.host)?;
    findings.extend(match KernelSupport::probe() {
        Ok(kernel) => kernel::check(policy, &kernel, cli.mode.into()),
        Err(error) => vec![kernel::unknown(&error)],
    });
    Ok(findings)
}

fn unusable(failure: &Failure) -> Finding {
    let text: Vec<String> = failure.error.to_string().lines().map(str::to_owned).collect();
    let reason =
        format!("no command starts under clawguard until it is put right: {}", text.join("; "));
    Finding::of_host(Id::PolicyError, Severity::Critical, "the policy", reason)
        .command("clawguard-exec plan")
}

fn default(used: &Used) -> Finding {
    let reason = match &used.unfit {
        None => "there is no policy, so the built-in default is used: the working directory, whichever that is, without \
                 secrets"
            .to_owned(),
        Some(error) => format!(
            "there is no policy, and the built-in default starts nothing here: {}",
            error.to_string().trim_start_matches("built-in default: ")
        ),
    };
    Finding::of_host(Id::PolicyDefault, Severity::Info, "the policy", reason)
        .command("clawguard-exec init")
}

/// Root's look at somebody else's home directory changes nothing in it.
fn another_home(machine: &Machine) -> Option<Finding> {
    let home = machine.host.home.as_ref().filter(|_| machine.is_foreign_home())?;
    let owner = machine.owners.owner;
    let reason = format!(
        "it belongs to user {owner}: root looks, and does not change the modes of another user's files"
    );
    let finding = Finding::of_path(Id::HomeOfAnother, Severity::Info, home, reason);
    Some(finding.command(format!("sudo -u '#{owner}' clawguard-exec audit --fix")))
}

/// Directories first, since what lies in one that others can change is not touched; and each object once, whatever
/// the number of findings that speak of it.
fn fix(findings: Vec<Finding>, machine: &Machine) -> Vec<Told> {
    let mut by_path: BTreeMap<AbsPath, Fix> = BTreeMap::new();
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        let whole = match by_path.remove(fix.path()) {
            Some(other) => other.and(fix),
            None => fix.clone(),
        };
        by_path.insert(fix.path().clone(), whole);
    }
    // A path sorts behind the directories that it lies in.
    let outcomes: BTreeMap<AbsPath, Outcome> = by_path
        .into_iter()
        .map(|(path, fix)| {
            let outcome = match fix.apply(&machine.owners) {
                Ok(fixed) => Outcome::Fixed(fixed),
                Err(error) => Outcome::Failed(Rc::new(error)),
            };
            (path, outcome)
        })
        .collect();
    let outcome = |finding: &Finding| {
        let fixed = finding.fix.as_ref().and_then(|fix| outcomes.get(fix.path()));
        fixed.cloned().unwrap_or(Outcome::Left)
    };
    findings.into_iter().map(|finding| Told { outcome: outcome(&finding), finding }).collect()
}

/// A walk that was too long, or that came to a closed door.
fn not_looked_at(root: &AbsPath, ended: &Ended) -> Option<Finding> {
    let (path, reason, command) = match ended {
        Ended::Whole => return None,
        Ended::CutShort => (
            root,
            "it holds more than one audit looks at, so what lies deep in it was not judged",
            format!("find {} -xdev | wc -l", quote(root.as_bytes())),
        ),
        Ended::Closed(path) => (
            path,
            "it cannot be read, so what lies in it was not judged",
            format!("ls -ld {}", quote(path.as_bytes())),
        ),
    };
    Some(Finding::of_path(Id::NotAllLookedAt, Severity::Info, path, reason).command(command))
}

/// A directory of the XDG base directory specification; a relative value is ignored, as it says.
fn xdg(machine: &Machine, variable: &str, default: &str) -> Option<AbsPath> {
    let named = machine.host.variable(variable).filter(|value| value.as_bytes().starts_with(b"/"));
    let home = machine.host.home.as_ref()?;
    named.and_then(|named| abs(named.as_ref())).or_else(|| abs(&home.as_path().join(default)))
}
