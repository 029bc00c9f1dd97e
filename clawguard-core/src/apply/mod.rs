//! The point of no return: a prepared sandbox around a command, or around this process.

#![forbid(unsafe_code)]

mod keep;
mod prepare;
mod report;
mod steps;

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

pub use self::keep::KeepDescriptors;
pub use self::prepare::PrepareError;
use self::report::Report;
pub use self::steps::Step;
use self::steps::{Failed, Steps};
use crate::path::AbsPath;
use crate::resolve::ResolvedEnvironment;

/// Everything that confines a process, made beforehand; the last stage of the pipeline.
#[must_use = "nothing is confined yet"]
pub struct Sandbox {
    steps: Steps,
    environment: ResolvedEnvironment,
    temporary: Option<AbsPath>,
    not_made: Vec<PrepareError>,
}

impl Sandbox {
    /// Lets the command inherit these descriptors besides 0, 1 and 2.
    pub fn keep(mut self, keep: &KeepDescriptors) -> Sandbox {
        self.steps.close = keep.others();
        self
    }

    /// The directories of presets that could not be made, and why; the target gets nothing there.
    #[must_use]
    pub fn not_made(&self) -> &[PrepareError] {
        &self.not_made
    }

    /// The private temporary directory of the target.
    #[must_use]
    pub fn temporary(&self) -> Option<&AbsPath> {
        self.temporary.as_ref()
    }

    /// Confines this process and becomes the command: same process number, terminal and parent. Returns only if that
    /// failed; this process may then be confined already and should end.
    #[must_use]
    pub fn exec(mut self, mut command: Command) -> ApplyError {
        if let Err(error) = is_single_threaded() {
            return error;
        }
        self.set_environment(&mut command);
        crate::sys::before_exec(&mut command, crate::sys::restore_sigpipe);
        match self.steps.take() {
            Err(failed) => failed.into(),
            Ok(()) => ApplyError::Exec(command.exec()),
        }
    }

    /// Starts the command, confined; this process stays as it is.
    ///
    /// The target's private temporary directory stays until a later start removes it; [`Sandbox::run`] removes it at
    /// once.
    ///
    /// # Errors
    /// [`ApplyError`], with the step that failed in the child.
    pub fn spawn(self, command: &mut Command) -> Result<Child, ApplyError> {
        let Sandbox { mut steps, environment, .. } = self;
        apply_environment(&environment, command);
        let (report, mut reporter) = Report::new().map_err(ApplyError::Spawn)?;
        crate::sys::before_exec(command, move || {
            steps.take().map_err(|failed| {
                reporter.send(&failed);
                failed.source
            })
        });
        command.spawn().map_err(|error| match report.read() {
            Some((step, source)) => ApplyError::Step { step, source },
            None => ApplyError::Exec(error),
        })
    }

    /// Runs the command, confined, waits for it, and removes its private temporary directory.
    ///
    /// # Errors
    /// [`ApplyError`], as [`Sandbox::spawn`].
    pub fn run(self, mut command: Command) -> Result<ExitStatus, ApplyError> {
        let temporary = self.temporary.clone();
        let status =
            self.spawn(&mut command).and_then(|mut child| child.wait().map_err(ApplyError::Spawn));
        if let Some(directory) = temporary {
            crate::resolve::temporary::remove(&directory);
        }
        status
    }

    /// Confines this process, for good. Descriptors that are open stay open until it executes another program.
    ///
    /// # Errors
    /// [`ApplyError`]; the process may then be confined in part and should end.
    pub fn restrict_current_process(mut self) -> Result<(), ApplyError> {
        is_single_threaded()?;
        self.steps.take().map_err(ApplyError::from)
    }

    fn set_environment(&self, command: &mut Command) {
        apply_environment(&self.environment, command);
    }
}

fn apply_environment(environment: &ResolvedEnvironment, command: &mut Command) {
    for name in &environment.remove {
        command.env_remove(name);
    }
    for (name, value) in &environment.set {
        command.env(name, value);
    }
}

/// Landlock and seccomp confine a thread: another one would stay free.
fn is_single_threaded() -> Result<(), ApplyError> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(ApplyError::Spawn)?.count();
    if threads == 1 { Ok(()) } else { Err(ApplyError::Threads(threads)) }
}

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
    /// This process has more than one thread.
    #[error(
        "this process has {0} threads: only one that has a single thread can be confined as a whole"
    )]
    Threads(usize),
}

impl From<Failed> for ApplyError {
    fn from(failed: Failed) -> ApplyError {
        ApplyError::Step { step: failed.step, source: failed.source }
    }
}
