//! The process that was started: it waits for the supervisor, passes signals on, stops and ends as the command does,
//! and ends what is left if the supervisor dies.
//!
//! Guardian, supervisor and command are one session and one process group, so a terminal's signals reach all three;
//! the first two keep every signal blocked and read it.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, set_dumpable_behavior, waitpid,
};

use super::alerter::{self, Alerting};
use super::error::ApplyError;
use super::forward::{LeadsSession, is_for_the_command};
use super::link::{Heard, Link, Message};
use super::reach::{Also, Reach};
use super::steps::{Failed, Step, Steps, drop_capabilities};
use super::{Afterwards, Epilogue, parent};
use crate::running::Listing;
use crate::supervise::{Observed, Supervisor};
use crate::sys::{self, Fork, SignalsBefore};

/// What is started, and what is done around it.
pub(super) struct Start {
    pub(super) steps: Steps,
    pub(super) supervisor: Supervisor,
    pub(super) command: Command,
    pub(super) afterwards: Afterwards,
    pub(super) listing: Option<Listing>,
    pub(super) alerting: Option<Alerting>,
}

/// Starts the command under a supervisor and ends as it ends; returns only why that failed.
pub(super) fn exec(start: Start) -> ApplyError {
    match guard(start) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn guard(mut start: Start) -> Result<Infallible, ApplyError> {
    // The copy of what is buffered now would be written a second time.
    let _ = io::stdout().flush();
    if let Some(alerting) = &start.alerting {
        // What it runs is the user's own, with all rights that this process has now.
        start.supervisor.alerts(alerter::fork(alerting).map_err(ApplyError::Spawn)?);
    }
    give_up_rights()?;
    let reach = Reach::enter(Also::Nothing)?;
    let (own, theirs) = Link::pair().map_err(ApplyError::Spawn)?;
    sys::continue_on_arrival(own.descriptor()).map_err(ApplyError::Spawn)?;
    let temporary = start.afterwards.temporary.clone();
    let before = sys::block_signals().map_err(ApplyError::Spawn)?;
    let watched = watch_over(start, own, theirs, &before, &reach);
    let error = match watched {
        Ok((status, last)) => end_as(status, last),
        Err(error) => error,
    };
    if let Some(directory) = temporary {
        crate::resolve::temporary::remove(&directory);
    }
    sys::restore_signals(&before).map_err(ApplyError::Spawn)?;
    Err(error)
}

/// What guardian and supervisor do without: capabilities, new privileges, being looked into by processes of their
/// user, and losing sight of the target's orphans.
fn give_up_rights() -> Result<(), ApplyError> {
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|errno| Failed { step: Step::NoNewPrivileges, source: errno.into() })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .and_then(|()| rustix::process::set_child_subreaper(Some(rustix::process::getpid())))
        .map_err(|errno| ApplyError::Spawn(errno.into()))
}

fn watch_over(
    mut start: Start,
    own: Link,
    theirs: Link,
    before: &SignalsBefore,
    reach: &Reach,
) -> Result<(ExitStatus, Option<Last>), ApplyError> {
    let signals = sys::signal_descriptor().map_err(ApplyError::Spawn)?;
    let guardian = rustix::process::getpid();
    let output = start.afterwards.before_exit.as_ref().map(|_| own_output()).transpose()?;
    match sys::fork().map_err(ApplyError::Spawn)? {
        Fork::Child => {
            drop((own, signals, output));
            parent::supervise(start, theirs, before, guardian)
        }
        Fork::Parent(supervisor) => {
            let epilogue = start.afterwards.before_exit.take();
            let last = epilogue.zip(output).map(|(epilogue, output)| Last { epilogue, output });
            // `start` is not dropped: what its parts do at their end is the supervisor's to do.
            std::mem::forget(start);
            drop(theirs);
            let watch = Watch {
                link: own,
                signals,
                supervisor,
                leads: LeadsSession::now(),
                last,
                is_started: false,
                is_stopped: false,
            };
            watch.until_the_end(reach)
        }
    }
}

struct Watch {
    link: Link,
    signals: OwnedFd,
    supervisor: Pid,
    leads: LeadsSession,
    last: Option<Last>,
    is_started: bool,
    /// The command was stopped and nobody has continued it since.
    is_stopped: bool,
}

impl Watch {
    fn until_the_end(mut self, reach: &Reach) -> Result<(ExitStatus, Option<Last>), ApplyError> {
        loop {
            let mut both = [
                PollFd::new(&self.signals, PollFlags::IN),
                PollFd::new(self.link.descriptor(), PollFlags::IN),
            ];
            // An error here is a signal that interrupted; both are looked at anyway.
            let _ = poll(&mut both, None);
            while let Some(received) = sys::next_signal(&self.signals) {
                if received.number == Signal::CONT.as_raw() && received.code <= 0 {
                    self.is_stopped = false;
                }
                if is_for_the_command(received, std::process::id(), self.leads) {
                    let (number, sender) = (received.number, received.sender);
                    self.link.tell(Message::Signal { number, sender });
                }
            }
            if let Some(outcome) = self.hear_all(reach) {
                return outcome.map(|status| (status, self.last));
            }
        }
    }

    /// Only the last state counts: a command that was stopped and goes on must not stop this process. The kernel may
    /// continue this process for a message that it has read already (`continue_on_arrival`): then it stops again.
    fn hear_all(&mut self, reach: &Reach) -> Option<Result<ExitStatus, ApplyError>> {
        loop {
            match self.link.hear() {
                Heard::Silence if self.is_stopped => {
                    // The parent, a shell perhaps, sees that its job is stopped.
                    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
                    return None;
                }
                Heard::Silence => return None,
                Heard::Message(Message::Started) => {
                    self.is_started = true;
                    let own = [self.link.descriptor().as_fd(), self.signals.as_fd()];
                    let last = self.last.iter().flat_map(Last::descriptors);
                    let_go(&own.into_iter().chain(last).collect::<Vec<_>>());
                }
                Heard::Message(Message::Stopped) => self.is_stopped = true,
                Heard::Message(Message::Continued) => self.is_stopped = false,
                Heard::Message(Message::Signal { .. }) => {}
                Heard::Message(Message::Ended(status)) => {
                    self.reap();
                    return Some(Ok(ExitStatus::from_raw(status)));
                }
                Heard::Message(Message::Failed(numbers)) => {
                    self.reap();
                    return Some(Err(ApplyError::from_numbers(numbers)));
                }
                Heard::End => {
                    self.reap();
                    if self.is_started {
                        reach.end(None, parent::reap_all);
                    }
                    return Some(Err(ApplyError::SupervisorDied));
                }
            }
        }
    }

    fn reap(&self) {
        let _ = rustix::io::retry_on_intr(|| waitpid(Some(self.supervisor), WaitOptions::empty()));
    }
}

/// Keeps standard error alone: a reader of the command's output must see its end when the command closes it.
fn let_go(keep: &[std::os::fd::BorrowedFd<'_>]) {
    parent::use_null_for_input_and_output();
    let _ = sys::close_all_but(keep);
}

/// Standard output for later, unless it was closed from the start.
fn own_output() -> Result<Option<OwnedFd>, ApplyError> {
    match rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3) {
        Ok(output) => Ok(Some(output)),
        Err(rustix::io::Errno::BADF) => Ok(None),
        Err(errno) => Err(ApplyError::Spawn(errno.into())),
    }
}

/// What is done last, and what it needs.
struct Last {
    epilogue: Epilogue,
    /// Standard output, which this process lets go of meanwhile.
    output: Option<OwnedFd>,
}

impl Last {
    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.epilogue.word.as_fd()).chain(self.output.iter().map(AsFd::as_fd))
    }

    fn call(self, status: ExitStatus) -> Option<u8> {
        if let Some(output) = &self.output {
            let _ = rustix::stdio::dup2_stdout(output);
        }
        let word = |file: &std::fs::File| {
            let length = file.metadata().ok()?.len();
            let mut bytes = vec![0; usize::try_from(length).ok()?];
            file.read_exact_at(&mut bytes, 0).ok()?;
            Observed::from_bytes(&bytes)
        };
        let observed = word(&self.epilogue.word);
        let code = (self.epilogue.call)(status, observed);
        let _ = io::stdout().flush();
        code
    }
}

/// Ends this process as the command ended.
fn end_as(status: ExitStatus, last: Option<Last>) -> ApplyError {
    if let Some(code) = last.and_then(|last| last.call(status)) {
        std::process::exit(code.into());
    }
    if let Some(number) = status.signal() {
        // Whoever wants a core has the command's own.
        rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
            .ok();
        sys::die_by(number);
    }
    std::process::exit(status.code().unwrap_or(125))
}
