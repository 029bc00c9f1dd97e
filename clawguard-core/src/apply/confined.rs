//! A confined command beside the program that started it: a thread of that program supervises it.

#![forbid(unsafe_code)]

use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, set_dumpable_behavior,
    set_parent_process_death_signal, waitpid,
};

use super::error::ApplyError;
use super::reach::{Also, Reach};
use super::report::{Report, Reporter, Told};
use super::steps::{Failed, Step, Steps, drop_capabilities};
use super::{Afterwards, Ending, Leftovers};
use crate::supervise::{Serving, Supervisor};
use crate::sys;

/// How often orphans that ended are reaped.
const SWEEP: Duration = Duration::from_secs(2);
/// How often it is looked whether the last one ended.
const LOOK: Duration = Duration::from_millis(20);

/// A confined command that runs.
///
/// Dropping it ends the command and what it started: without its supervisor it could not go on.
pub struct Confined {
    /// The command's standard input, if it was piped.
    pub stdin: Option<ChildStdin>,
    /// The command's standard output, if it was piped.
    pub stdout: Option<ChildStdout>,
    /// The command's standard error, if it was piped.
    pub stderr: Option<ChildStderr>,
    child: Child,
    keeper: Option<Keeper>,
    afterwards: Option<Afterwards>,
}

impl Confined {
    pub(super) fn new(
        mut child: Child,
        keeper: Option<Keeper>,
        afterwards: Afterwards,
    ) -> Confined {
        Confined {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            keeper,
            afterwards: Some(afterwards),
        }
    }

    /// The command's process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the command; what it started is ended by [`Confined::wait`].
    ///
    /// # Errors
    /// As [`Child::kill`].
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    /// Closes standard input, waits for the command, ends what it left, or with `Sandbox::wait_all` waits for that
    /// too, and removes the private temporary directory.
    ///
    /// # Errors
    /// As [`Child::wait`].
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        self.finish(status);
        Ok(status)
    }

    /// As [`Confined::wait`] if the command has ended; nothing, and `None`, if it has not.
    ///
    /// # Errors
    /// As [`Child::try_wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if let Some(status) = status {
            self.finish(status);
        }
        Ok(status)
    }

    fn finish(&mut self, status: ExitStatus) {
        let Some(afterwards) = self.afterwards.take() else { return };
        let finish = |keeper: Keeper| keeper.finish(afterwards.leftovers);
        let rest = self.keeper.take().map(finish).unwrap_or_default();
        afterwards.finish(&rest.ending(status));
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        if let (Some(keeper), Some(afterwards)) = (self.keeper.take(), self.afterwards.take()) {
            let rest = keeper.finish(Leftovers::End);
            if let Ok(status) = self.child.wait() {
                afterwards.finish(&rest.ending(status));
            }
        }
    }
}

/// What the keeper leaves when it is done.
#[derive(Default)]
struct Rest {
    left: Vec<u32>,
    serving: Option<Serving>,
}

impl Rest {
    fn ending(self, status: ExitStatus) -> Ending {
        let observed = self.serving.as_ref().map(Serving::observed).unwrap_or_default();
        let finish = |serving: Serving| serving.finish(Some(status));
        let summary = self.serving.map(finish).unwrap_or_default();
        Ending { status, left: self.left, summary, observed }
    }
}

/// The thread that started the command and lives as long as it: the command is killed if the thread ends
/// (PR_SET_PDEATHSIG), and its Landlock domain holds the target's.
pub(super) struct Keeper {
    orders: Sender<Leftovers>,
    thread: JoinHandle<Rest>,
}

impl Keeper {
    /// Starts the command, supervised.
    pub(super) fn start(
        steps: Steps,
        supervisor: Supervisor,
        command: Command,
    ) -> Result<(Child, Keeper), ApplyError> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| ApplyError::Spawn(errno.into()))?;
        let (orders, ordered) = channel();
        let (started, outcome) = channel();
        let body = move || match begin(steps, supervisor, command) {
            Ok((reach, child, serving)) => {
                let id = child.id();
                match started.send(Ok(child)) {
                    Ok(()) => keep(&reach, id, serving, &ordered),
                    Err(_) => Rest::default(),
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
                Rest::default()
            }
        };
        let thread = std::thread::Builder::new()
            .name("clawguard-keeper".to_owned())
            .spawn(body)
            .map_err(ApplyError::Spawn)?;
        let died = || ApplyError::SupervisorDied;
        let child = outcome.recv().map_err(|_| died())??;
        Ok((child, Keeper { orders, thread }))
    }

    fn finish(self, leftovers: Leftovers) -> Rest {
        // A thread that is gone has nobody left.
        let _ = self.orders.send(leftovers);
        self.thread.join().unwrap_or_default()
    }
}

fn begin(
    mut steps: Steps,
    supervisor: Supervisor,
    mut command: Command,
) -> Result<(Reach, Child, Serving), ApplyError> {
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|errno| Failed { step: Step::NoNewPrivileges, source: errno.into() })?;
    let reach = Reach::enter(Also::AbstractSockets)?;
    let (report, reporter) = Report::new().map_err(ApplyError::Spawn)?;
    let parent = rustix::process::getpid();
    sys::before_exec(&mut command, move || step_by_step(&mut steps, &reporter, parent));
    // The command's execve may have to be answered while `spawn` waits for it.
    std::thread::scope(|scope| {
        let server = scope.spawn(|| match report.receive().map_err(ApplyError::Spawn)? {
            Told::Listener(listener) => supervisor.serve(listener).map_err(ApplyError::Supervise),
            Told::Failed(error) => Err(error),
            Told::Nothing => Err(ApplyError::Spawn(io::ErrorKind::UnexpectedEof.into())),
        });
        let spawned = command.spawn();
        // With its copy of the reporter, so that the server hears the end of a child that told nothing.
        drop(command);
        let served = server.join().unwrap_or(Err(ApplyError::SupervisorDied));
        match (spawned, served) {
            (Ok(child), Ok(serving)) => Ok((reach, child, serving)),
            (Ok(mut child), Err(error)) => {
                // Nothing runs unsupervised.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
            (Err(error), Ok(serving)) => {
                serving.finish(None);
                Err(ApplyError::Exec(error))
            }
            (Err(_), Err(error @ ApplyError::Supervise(_))) => Err(error),
            // The child told nothing: there was none, or it cannot have come to its steps.
            (Err(source), Err(ApplyError::Spawn(_))) => Err(ApplyError::Spawn(source)),
            (Err(_), Err(error)) => Err(error),
        }
    })
}

/// In the child, after the fork of a program with many threads: system calls only.
fn step_by_step(steps: &mut Steps, reporter: &Reporter, parent: Pid) -> io::Result<()> {
    // The supervisor reads its memory while its execve waits for an answer.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(parent) {
        return Err(rustix::io::Errno::SRCH.into());
    }
    super::confine_child(steps, reporter)
}

/// Until there is an order to end, or nobody left to give one.
fn keep(reach: &Reach, command: u32, serving: Serving, orders: &Receiver<Leftovers>) -> Rest {
    let command = i32::try_from(command).ok().and_then(Pid::from_raw);
    // The command itself is the caller's to wait for.
    let reap = |reach: &Reach| {
        for pid in reach.processes().into_iter().filter(|pid| Some(*pid) != command) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    };
    let order = loop {
        match orders.recv_timeout(SWEEP) {
            Ok(order) => break order,
            Err(RecvTimeoutError::Timeout) => reap(reach),
            Err(RecvTimeoutError::Disconnected) => break Leftovers::End,
        }
    };
    while order == Leftovers::Await && reach.processes().iter().any(|pid| Some(*pid) != command) {
        reap(reach);
        std::thread::sleep(LOOK);
    }
    Rest { left: reach.end(command, reap), serving: Some(serving) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Stdio;
    use std::time::Instant;

    use super::*;
    use crate::apply::Sandbox;
    use crate::{Host, KernelSupport, Mode, Policy};

    fn sandbox() -> Sandbox {
        let text = "security: {file_access: {presets: [system], allowed_paths: [/usr]}}";
        let policy = Policy::parse(text, "test").unwrap();
        let resolved = policy.resolve(&Host::current().unwrap()).unwrap();
        let plan = resolved.compile(&KernelSupport::probe().unwrap(), Mode::Supervised).unwrap();
        plan.prepare().unwrap()
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    fn read(confined: &mut Confined) -> String {
        let mut text = String::new();
        confined.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_command_beside_other_threads_and_children_is_ended_with_all_it_left() {
        let mut other = Command::new("sleep").arg("300").spawn().unwrap();
        let (told, ending) = channel();
        let sandbox = sandbox().at_end(move |ending| told.send(ending.clone()).unwrap());
        let directory = sandbox.temporary().unwrap().as_path().to_owned();
        let script = "cd $TMPDIR && touch here; setsid sh -c 'sleep 300 & sleep 300' >/dev/null & \
                      cat /etc/shadow 2>/dev/null; echo $PPID; exit 3";
        let mut confined = sandbox.spawn(sh(script)).unwrap();
        assert_eq!(read(&mut confined), format!("{}\n", std::process::id()));
        assert_eq!(confined.wait().unwrap().code(), Some(3));
        assert_eq!(confined.wait().unwrap().code(), Some(3));
        let ending = ending.recv().unwrap();
        assert!(ending.status.code() == Some(3) && ending.left.is_empty(), "{ending:?}");
        assert!(!directory.exists());
        assert!(other.try_wait().unwrap().is_none(), "somebody else's child was ended");
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn what_is_left_can_be_waited_for() {
        let mut confined =
            sandbox().wait_all().spawn(sh("(sleep 0.3; echo late) & exit 4")).unwrap();
        let started = Instant::now();
        assert_eq!(confined.wait().unwrap().code(), Some(4));
        assert!(started.elapsed() > Duration::from_millis(200));
        assert_eq!(read(&mut confined), "late\n");
    }

    #[test]
    fn a_dropped_command_is_ended() {
        let mut confined = sandbox().spawn(sh("echo ready; exec sleep 300")).unwrap();
        let pid = Pid::from_raw(confined.id().cast_signed()).unwrap();
        let mut ready = [0u8; 6];
        confined.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        drop(confined);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn a_command_that_cannot_run_leaves_nothing() {
        let sandbox = sandbox();
        let directory = sandbox.temporary().unwrap().as_path().to_owned();
        let error = sandbox.run(Command::new("/usr/bin/no-such-command")).unwrap_err();
        assert!(
            matches!(&error, ApplyError::Exec(source) if source.kind() == io::ErrorKind::NotFound),
            "{error:?}"
        );
        assert!(!directory.exists());
    }

    #[test]
    fn a_process_cannot_be_its_own_supervisor() {
        let error = sandbox().restrict_current_process().unwrap_err();
        assert!(matches!(error, ApplyError::NeedsParent));
    }
}
