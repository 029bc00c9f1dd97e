//! The closing line of a run: what was denied, and what to do about it.
//!
//! A run that succeeded gets one short line. After a failure the denial that came last is named, since it is most often
//! the cause, with what a proposal would add for it. It must never advise what `learn` would not propose.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use clawguard_core::{AbsPath, Host, JournalPlace, Refusal, Summary, quote};

use crate::cli::{Cli, PolicyArguments, Task};
use crate::policy;
use crate::propose::{self, Asked};

/// How much is said at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    /// `learn` proposes lines itself.
    Counts,
    Everything,
}

/// What the closing line is made from besides the summary: how this run was started.
#[derive(Debug)]
pub(crate) struct Closing {
    says: Says,
    host: Host,
    policy: PolicyArguments,
    journal: JournalPlace,
    /// `--log FILE`.
    log: Option<PathBuf>,
}

impl Closing {
    pub(crate) fn new(cli: &Cli, host: &Host) -> Closing {
        let says = match &cli.task {
            _ if cli.quiet => Says::Nothing,
            Some(Task::Learn(_)) => Says::Counts,
            _ => Says::Everything,
        };
        Closing {
            says,
            host: host.clone(),
            policy: cli.policy.clone(),
            journal: policy::journal(cli, host),
            log: cli.log.clone(),
        }
    }

    /// The lines; none where nothing was denied.
    pub(crate) fn lines(&self, status: ExitStatus, summary: &Summary) -> Vec<String> {
        let Some(counts) = summary.counts().filter(|_| self.says != Says::Nothing) else {
            return Vec::new();
        };
        if self.says == Says::Counts {
            return vec![counts];
        }
        let more = self.more();
        if status.success() {
            let more = more.map_or_else(String::new, |more| format!("; to see them: {more}"));
            return vec![format!("{counts}; the command succeeded{more}")];
        }
        let mut lines = vec![summary.line().unwrap_or(counts)];
        lines.extend(self.advice(summary).map(|advice| format!("to allow it: {advice}")));
        lines.extend(more.map(|more| format!("to see all denials: {more}")));
        lines
    }

    /// The command that shows all of it.
    fn more(&self) -> Option<String> {
        let file = match (&self.log, &self.journal) {
            (_, JournalPlace::Nowhere) => return None,
            (Some(file), _) => format!(" --file {}", quote(file.as_os_str().as_bytes())),
            (None, _) => String::new(),
        };
        Some(format!("clawguard-exec log{file} --session last"))
    }

    /// What would allow the denial that came last, if a proposal has it.
    fn advice(&self, summary: &Summary) -> Option<String> {
        let last = summary.last()?;
        match last.refusal {
            Some(Refusal::Address) => {
                return Some("`network: {listen: any}` in the policy's `security`".to_owned());
            }
            Some(_) => return None,
            None => {}
        }
        let asked = Asked {
            path: AbsPath::parse(&last.path).ok()?,
            access: last.access,
            operation: last.operation,
        };
        let option = propose::option(asked, &self.host, &self.policy, self.journal.clone())?;
        Some(option.join(" "))
    }
}
