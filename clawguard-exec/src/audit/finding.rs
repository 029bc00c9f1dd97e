//! What the audit has to say about one thing: how bad, of what, why, and what to type.
//!
//! A finding is data. Nothing here looks at the machine, prints or changes anything.

#![forbid(unsafe_code)]

use clawguard_core::{AbsPath, quote};

use super::fix::Fix;
use super::id::Id;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Good to know; nothing has to be done.
    Info,
    /// A hole for somebody who gets that far, or a protection that is not there although it could be.
    Warning,
    /// An open door now.
    Critical,
}

impl Severity {
    /// Worst first.
    pub(crate) const ALL: [Severity; 3] = [Severity::Critical, Severity::Warning, Severity::Info];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Path(AbsPath),
    Process {
        pid: u32,
        name: String,
    },
    /// A setting, or the kernel: a name in plain words.
    Other(String),
}

/// One thing that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) id: Id,
    pub(crate) severity: Severity,
    pub(crate) subject: Subject,
    /// One plain sentence: what an attacker or an agent gains by it.
    pub(crate) reason: String,
    /// What to type, ready for a shell.
    pub(crate) command: Option<String>,
    /// What to write into the policy.
    pub(crate) line: Option<PolicyLine>,
    pub(crate) fix: Option<Fix>,
}

/// A line that is missing in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyLine {
    /// The policy's file, for a person.
    pub(crate) file: String,
    /// The key that it belongs to.
    pub(crate) key: &'static str,
    /// The line, as YAML.
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn new(
        id: Id,
        severity: Severity,
        subject: Subject,
        reason: impl Into<String>,
    ) -> Finding {
        Finding {
            id,
            severity,
            subject,
            reason: reason.into(),
            command: None,
            line: None,
            fix: None,
        }
    }

    pub(crate) fn of_path(
        id: Id,
        severity: Severity,
        path: &AbsPath,
        reason: impl Into<String>,
    ) -> Finding {
        Finding::new(id, severity, Subject::Path(path.clone()), reason)
    }

    pub(crate) fn of_host(
        id: Id,
        severity: Severity,
        what: &str,
        reason: impl Into<String>,
    ) -> Finding {
        Finding::new(id, severity, Subject::Other(what.to_owned()), reason)
    }

    #[must_use]
    pub(crate) fn command(mut self, command: impl Into<String>) -> Finding {
        self.command = Some(command.into());
        self
    }

    /// A change of mode, as a command for the person and, where this process may do it, as a fix.
    #[must_use]
    pub(crate) fn mode(mut self, path: &AbsPath, fix: Fix, owned: Owned) -> Finding {
        self.command = Some(format!("chmod {:o} {}", fix.mode(), quote(path.as_bytes())));
        self.fix = match owned {
            Owned::ByUs => Some(fix),
            Owned::ByAnother => None,
        };
        self
    }
}

/// Whose a file is: only our own may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    ByUs,
    ByAnother,
}
