//! Why a command was not started, or this process not confined.

#![forbid(unsafe_code)]

use std::io;

use super::steps::{Failed, Step};

/// Why a command was not started, or this process not confined.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A step of confining failed.
    #[error("confining the process failed at {step}")]
    Step {
        /// The step.
        step: Step,
        /// The reason.
        source: io::Error,
    },
    /// The command cannot be executed.
    #[error("cannot execute the command")]
    Exec(#[source] io::Error),
    /// The process cannot be started or waited for.
    #[error("cannot start the command")]
    Spawn(#[source] io::Error),
    /// The supervisor cannot start.
    #[error("cannot start the supervisor")]
    Supervise(#[source] io::Error),
    /// This process has more than one thread.
    #[error(
        "this process has {0} threads: only one that has a single thread can be confined as a whole"
    )]
    Threads(usize),
    /// Another supervisor answers for this process already.
    #[error(
        "another program already answers this process's system calls (a container runtime, WSL or a second clawguard), \
         and the kernel allows only one to do so; without a supervisor: clawguard-exec --mode kernel -- COMMAND"
    )]
    SecondListener,
    /// A supervised policy cannot hold for a process that is its own supervisor.
    #[error(
        "a supervised policy needs a supervisor outside the process: use spawn, run or exec, or compile it for the \
         kernel alone"
    )]
    NeedsParent,
    /// The supervisor ended before the command did.
    #[error("the supervisor died; everything was ended")]
    SupervisorDied,
}

impl From<Failed> for ApplyError {
    fn from(failed: Failed) -> ApplyError {
        let busy = failed.source.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error());
        if failed.step == Step::Listener && busy {
            return ApplyError::SecondListener;
        }
        ApplyError::Step { step: failed.step, source: failed.source }
    }
}

impl ApplyError {
    /// As three numbers, for a process that cannot share memory.
    pub(super) fn to_numbers(&self) -> [i32; 3] {
        let errno = |source: &io::Error| source.raw_os_error().unwrap_or(0);
        match self {
            ApplyError::Step { step, source } => [1, i32::from(step.number()), errno(source)],
            ApplyError::Exec(source) => [2, 0, errno(source)],
            ApplyError::Spawn(source) => [3, 0, errno(source)],
            ApplyError::Supervise(source) => [4, 0, errno(source)],
            ApplyError::Threads(count) => [5, i32::try_from(*count).unwrap_or(i32::MAX), 0],
            ApplyError::SecondListener => [6, 0, 0],
            ApplyError::NeedsParent => [7, 0, 0],
            ApplyError::SupervisorDied => [8, 0, 0],
        }
    }

    pub(super) fn from_numbers([kind, detail, errno]: [i32; 3]) -> ApplyError {
        let source = match errno {
            0 => io::ErrorKind::Other.into(),
            errno => io::Error::from_raw_os_error(errno),
        };
        let step = u8::try_from(detail).ok().and_then(Step::from_number);
        match (kind, step) {
            (1, Some(step)) => ApplyError::Step { step, source },
            (2, _) => ApplyError::Exec(source),
            (4, _) => ApplyError::Supervise(source),
            (5, _) => ApplyError::Threads(usize::try_from(detail).unwrap_or(0)),
            (6, _) => ApplyError::SecondListener,
            (7, _) => ApplyError::NeedsParent,
            (8, _) => ApplyError::SupervisorDied,
            _ => ApplyError::Spawn(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_the_same_in_the_process_that_tells_it() {
        let source = || io::Error::from_raw_os_error(13);
        let errors = [
            ApplyError::Step { step: Step::Landlock, source: source() },
            ApplyError::Exec(source()),
            ApplyError::Spawn(source()),
            ApplyError::Supervise(source()),
            ApplyError::Threads(3),
            ApplyError::SecondListener,
            ApplyError::NeedsParent,
            ApplyError::SupervisorDied,
        ];
        for error in errors {
            let copy = ApplyError::from_numbers(error.to_numbers());
            assert_eq!(format!("{copy:?}"), format!("{error:?}"));
        }
    }
}
