//! Exit codes, all of them.

use std::process::ExitCode;

/// How the shim ends when it does not become the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked is done.
    Done,
    /// `check --access`: something is denied. `stop`: something is left.
    Denied,
    /// `audit`: a warning or something critical is left.
    Found,
    /// `check --probe`: the policy and what a confined process could do disagree.
    Disagrees,
    /// The shim itself failed: nothing was started, or everything was ended.
    Ours,
    /// The command was found and cannot be executed.
    CannotExecute,
    /// The command was not found.
    NotFound,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Denied | Exit::Found => 1,
            Exit::Disagrees => 2,
            Exit::Ours => 125,
            Exit::CannotExecute => 126,
            Exit::NotFound => 127,
        })
    }
}

/// An error and the exit code that it means.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Box<dyn std::error::Error>,
    pub(crate) exit: Exit,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<Box<dyn std::error::Error>>) -> Failure {
        Failure { error: error.into(), exit }
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
        let json = self.error.downcast_ref::<serde_json::Error>();
        self.error.downcast_ref().is_some_and(broken)
            || json.and_then(serde_json::Error::io_error_kind)
                == Some(std::io::ErrorKind::BrokenPipe)
    }
}

/// Every error of the library is ours unless somebody knows better.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure { error: Box::new(error), exit: Exit::Ours }
    }
}
