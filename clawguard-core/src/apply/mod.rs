//! The point of no return: a prepared sandbox around a command, or around this process.

#![forbid(unsafe_code)]

mod alerter;
mod attempt;
mod confined;
mod control;
mod error;
mod forward;
mod guardian;
mod keep;
mod link;
mod parent;
mod prepare;
mod reach;
mod report;
mod steps;

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

pub use self::alerter::AlertError;
use self::alerter::Alerting;
pub use self::attempt::{Act, Attempt, AttemptError, Outcome, without_capabilities};
pub use self::confined::Confined;
use self::confined::Keeper;
pub use self::error::ApplyError;
use self::guardian::Start;
pub use self::keep::KeepDescriptors;
pub use self::prepare::PrepareError;
use self::report::{Report, Reporter};
pub use self::steps::Step;
use self::steps::Steps;
use crate::journal::{JournalError, Summary};
use crate::path::AbsPath;
use crate::policy::OnDenied;
use crate::resolve::{Removal, ResolvedEnvironment};
use crate::running::{About, Listing};
use crate::supervise::{Observed, Supervisor};

/// Everything that confines a process, made beforehand; the last stage of the pipeline.
#[must_use = "nothing is confined yet"]
pub struct Sandbox {
    steps: Steps,
    supervisor: Option<Supervisor>,
    environment: ResolvedEnvironment,
    not_made: Vec<PrepareError>,
    afterwards: Afterwards,
    about: About,
    listing: Option<Listing>,
    alerting: Option<Alerting>,
}

/// How a supervised command ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ending {
    /// The command's own end.
    pub status: ExitStatus,
    /// Processes of the target that could not be ended: the kernel does not let them go.
    pub left: Vec<u32>,
    /// What was denied.
    pub summary: Summary,
    /// What was touched, if the policy is observed ([`Policy::observe`](crate::Policy::observe)).
    pub observed: Observed,
}

/// What becomes of descendants that outlive the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leftovers {
    /// They are killed.
    End,
    /// They are waited for.
    Await,
}

/// Whoever embeds this may hand them to another thread.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Sandbox>();
    is_send::<Confined>();
};

type AtEnd = Box<dyn FnOnce(&Ending) + Send>;
type BeforeExit = Box<dyn FnOnce(ExitStatus, Option<Observed>) -> Option<u8> + Send>;

/// What is done when everything has ended.
struct Afterwards {
    leftovers: Leftovers,
    temporary: Option<AbsPath>,
    at_end: Option<AtEnd>,
    before_exit: Option<Epilogue>,
}

/// What the process that was started does last, and the file in which the supervisor leaves word for it.
struct Epilogue {
    word: std::fs::File,
    call: BeforeExit,
}

impl Afterwards {
    fn finish(self, ending: &Ending) {
        self.remove_temporary();
        if let Some(at_end) = self.at_end {
            at_end(ending);
        }
    }

    fn remove_temporary(&self) {
        if let Some(directory) = &self.temporary {
            crate::resolve::temporary::remove(directory);
        }
    }
}

impl Sandbox {
    fn new(
        steps: Steps,
        supervisor: Option<Supervisor>,
        environment: ResolvedEnvironment,
        temporary: Option<AbsPath>,
        not_made: Vec<PrepareError>,
        about: About,
        on_denied: Option<OnDenied>,
    ) -> Sandbox {
        let alerting = on_denied.map(|on_denied| Alerting { on_denied, tell: Arc::new(|_| ()) });
        let afterwards =
            Afterwards { leftovers: Leftovers::End, temporary, at_end: None, before_exit: None };
        Sandbox {
            steps,
            supervisor,
            environment,
            not_made,
            afterwards,
            about,
            listing: None,
            alerting,
        }
    }

    /// Lets the command inherit these descriptors besides 0, 1 and 2.
    pub fn keep(mut self, keep: &KeepDescriptors) -> Sandbox {
        self.steps.close = keep.others();
        self
    }

    /// When the command ends, waits for the last of its descendants instead of ending them. In kernel mode nobody
    /// ends them anyway, nor waits.
    pub fn wait_all(mut self) -> Sandbox {
        self.afterwards.leftovers = Leftovers::Await;
        self
    }

    /// Calls this when a supervised command and everything it left have ended, before the caller hears of it: in the
    /// supervisor's process with [`Sandbox::exec`], else in the thread that waits. It may write to standard error,
    /// and not to standard output, which belonged to the command.
    pub fn at_end(mut self, call: impl FnOnce(&Ending) + Send + 'static) -> Sandbox {
        self.afterwards.at_end = Some(Box::new(call));
        self
    }

    /// Calls this in the process that was started, when a supervised command and everything it left have ended, with
    /// the command's end and what was touched, or none if that did not arrive whole. Only for [`Sandbox::exec`]. Standard output is open there again; every
    /// other descriptor above 2 is closed, whoever owned it, so the call must not own any. All signals are blocked.
    /// A number that it returns is this process's exit code; else the process ends as the command did.
    ///
    /// # Errors
    /// [`ApplyError::Spawn`] when there is no memory file for the word between the processes.
    pub fn before_exit(
        mut self,
        call: impl FnOnce(ExitStatus, Option<Observed>) -> Option<u8> + Send + 'static,
    ) -> Result<Sandbox, ApplyError> {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let word = rustix::fs::memfd_create(c"clawguard", flags)
            .map_err(|errno| ApplyError::Spawn(errno.into()))?;
        self.afterwards.before_exit = Some(Epilogue { word: word.into(), call: Box::new(call) });
        Ok(self)
    }

    /// Calls this, once at most, when lines of the journal are lost: in the supervisor, on any thread.
    pub fn at_lost_lines(
        mut self,
        call: impl Fn(&JournalError) + Send + Sync + 'static,
    ) -> Sandbox {
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.tells(call);
        }
        self
    }

    /// Lists the run among the [`Runs`](crate::Runs) of this state directory, and lets it be stopped from there. Holds
    /// for [`Sandbox::exec`]: what [`Sandbox::spawn`] starts is its caller's to list and to end. Calls `tell`, once at
    /// most, if the run cannot be listed; it goes on then.
    pub fn list_in(
        mut self,
        state: &AbsPath,
        tell: impl Fn(&io::Error) + Send + Sync + 'static,
    ) -> Sandbox {
        let state = state.as_path().to_owned();
        self.listing = Some(Listing::new(state, self.about.clone(), tell));
        self
    }

    /// Calls this, once at most, when a command of `logging.on_denied` fails: in the process or thread that runs it.
    pub fn at_failed_alert(
        mut self,
        call: impl Fn(&AlertError) + Send + Sync + 'static,
    ) -> Sandbox {
        if let Some(alerting) = &mut self.alerting {
            alerting.tell = Arc::new(call);
        }
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
        self.afterwards.temporary.as_ref()
    }

    /// Ends this process as the command: for a program that does nothing after it.
    ///
    /// In kernel mode this process is confined and becomes the command: same process number, terminal and parent.
    /// With a supervisor it stays, in the same session and process group as the command, passes signals on, stops
    /// when the command is stopped, and ends with its exit code or by its signal when everything has ended.
    ///
    /// Returns only if the command could not be started, or if its supervisor died and everything was ended; this
    /// process has then given up rights and should end.
    #[must_use]
    pub fn exec(self, mut command: Command) -> ApplyError {
        if let Err(error) = is_single_threaded() {
            return error;
        }
        let Sandbox {
            mut steps, supervisor, environment, afterwards, mut listing, alerting, ..
        } = self;
        if let Some(listing) = &mut listing {
            listing.names(&command);
        }
        apply_environment(&environment, &mut command);
        crate::sys::before_exec(&mut command, crate::sys::restore_sigpipe);
        if let Some(mut supervisor) = supervisor {
            supervisor.names(&command);
            return guardian::exec(Start {
                steps,
                supervisor,
                command,
                afterwards,
                listing,
                alerting,
            });
        }
        listing.iter().for_each(crate::running::record);
        match steps.take() {
            Err(failed) => failed.into(),
            Ok(_) => ApplyError::Exec(command.exec()),
        }
    }

    /// Starts the command, confined; this process stays as it is, except that with a supervisor it becomes the
    /// parent of the command's orphans (PR_SET_CHILD_SUBREAPER), and threads of it answer the command's calls.
    ///
    /// # Errors
    /// [`ApplyError`], with the step that failed in the child.
    pub fn spawn(self, mut command: Command) -> Result<Confined, ApplyError> {
        let Sandbox { steps, supervisor, environment, afterwards, alerting, .. } = self;
        apply_environment(&environment, &mut command);
        let started = match supervisor {
            Some(mut supervisor) => {
                supervisor.names(&command);
                let alerts = alerting.map(alerter::spawn).transpose().map_err(ApplyError::Spawn);
                alerts.and_then(|alerts| {
                    alerts.into_iter().for_each(|alerts| supervisor.alerts(alerts));
                    let (child, keeper) = Keeper::start(steps, supervisor, command)?;
                    Ok((child, Some(keeper)))
                })
            }
            None => spawn_alone(steps, command).map(|child| (child, None)),
        };
        match started {
            Ok((child, keeper)) => Ok(Confined::new(child, keeper, afterwards)),
            Err(error) => {
                afterwards.remove_temporary();
                Err(error)
            }
        }
    }

    /// Runs the command, confined, waits for it and its end, and removes its private temporary directory.
    ///
    /// # Errors
    /// [`ApplyError`], as [`Sandbox::spawn`].
    pub fn run(self, command: Command) -> Result<ExitStatus, ApplyError> {
        self.spawn(command)?.wait().map_err(ApplyError::Spawn)
    }

    /// Confines this process, for good. Descriptors that are open stay open until it executes another program.
    ///
    /// # Errors
    /// [`ApplyError::NeedsParent`] for a supervised policy: compile it for the kernel alone. With any other error the
    /// process may be confined in part and should end.
    pub fn restrict_current_process(mut self) -> Result<(), ApplyError> {
        if self.supervisor.is_some() {
            return Err(ApplyError::NeedsParent);
        }
        is_single_threaded()?;
        self.steps.take().map(|_| ()).map_err(ApplyError::from)
    }
}

/// Starts a command that the kernel alone confines.
fn spawn_alone(mut steps: Steps, mut command: Command) -> Result<std::process::Child, ApplyError> {
    let (report, reporter) = Report::new().map_err(ApplyError::Spawn)?;
    crate::sys::before_exec(&mut command, move || confine_child(&mut steps, &reporter));
    let spawned = command.spawn();
    spawned.map_err(|error| report.failure().unwrap_or(ApplyError::Exec(error)))
}

/// Confines a child, and gives its listener to whoever answers; one that is there for attempts makes them and ends.
/// System calls only.
fn confine_child(steps: &mut Steps, reporter: &Reporter) -> io::Result<()> {
    let handed_over = steps.take().and_then(|listener| match listener {
        Some(listener) => reporter.hand_over(&listener),
        None => Ok(()),
    });
    handed_over.map_err(|failed| {
        reporter.send(&failed);
        failed.source
    })?;
    match &steps.attempts {
        Some(attempts) => attempts.make_and_exit(),
        None => Ok(()),
    }
}

fn apply_environment(environment: &ResolvedEnvironment, command: &mut Command) {
    for (name, removal) in &environment.remove {
        let is_set = command.get_envs().any(|(own, value)| own == name && value.is_some());
        match removal {
            // Whoever calls this library and sets it himself means it.
            Removal::Default { .. } if is_set => {}
            Removal::Default { .. } | Removal::Policy => drop(command.env_remove(name)),
        }
    }
    for (name, value) in &environment.set {
        command.env(name, value);
    }
}

/// Landlock and seccomp confine a thread, and a fork copies one: another would stay free, or be lost.
fn is_single_threaded() -> Result<(), ApplyError> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(ApplyError::Spawn)?.count();
    if threads == 1 { Ok(()) } else { Err(ApplyError::Threads(threads)) }
}
