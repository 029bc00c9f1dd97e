//! The supervisor's process: parent of the command and of every orphan of the target (PR_SET_CHILD_SUBREAPER), which
//! Yama wants of whoever reads their memory. It starts the command, serves it, and ends what the command leaves.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, set_dumpable_behavior,
    set_parent_process_death_signal, wait, waitpid,
};

use super::control::Control;
use super::error::ApplyError;
use super::forward::{Forwards, Group};
use super::guardian::Start;
use super::link::{Heard, Link, Message};
use super::reach::{Also, Reach};
use super::report::{Report, Reporter, Told};
use super::steps::Steps;
use super::{Afterwards, Ending, Leftovers};
use crate::supervise::{Serving, Supervisor};
use crate::sys::{self, Fork, SignalsBefore};

/// How long after a command went on its guardian is told once more: it may have been about to stop itself.
const REMINDER: Duration = Duration::from_millis(100);

/// Runs in the forked process, and ends it.
pub(super) fn supervise(start: Start, link: Link, before: &SignalsBefore, guardian: Pid) -> ! {
    let Start { steps, supervisor, command, afterwards, listing, .. } = start;
    let started = prepare(guardian).and_then(|(reach, signals)| {
        let (command, serving) = start_command(steps, supervisor, command, before, guardian)?;
        Ok((reach, signals, command, serving))
    });
    match started {
        Ok((reach, signals, command, serving)) => {
            link.tell(Message::Started);
            use_null_for_input_and_output();
            let _ = sys::close_inherited();
            let keeper = Keeper {
                link,
                signals,
                reach,
                command,
                status: None,
                forwards: Forwards::default(),
                remind: None,
                leftovers: afterwards.leftovers,
                serving,
                control: Control::new(listing, guardian, command),
            };
            keeper.keep(afterwards)
        }
        Err(error) => {
            link.tell(Message::Failed(error.to_numbers()));
            sys::exit_now(125)
        }
    }
}

fn prepare(guardian: Pid) -> Result<(Reach, OwnedFd), ApplyError> {
    let reach = Reach::enter(Also::AbstractSockets)?;
    // The guardian has the same user: only the new domain keeps a signal from it.
    reach.excludes(guardian)?;
    let signals = sys::signal_descriptor().map_err(ApplyError::Spawn)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|errno| ApplyError::Spawn(errno.into()))?;
    Ok((reach, signals))
}

fn start_command(
    steps: Steps,
    supervisor: Supervisor,
    mut command: Command,
    before: &SignalsBefore,
    guardian: Pid,
) -> Result<(Pid, Serving), ApplyError> {
    let (report, reporter) = Report::new().map_err(ApplyError::Spawn)?;
    let parent = rustix::process::getpid();
    let pid = match sys::fork().map_err(ApplyError::Spawn)? {
        Fork::Child => {
            drop(report);
            announce_to_the_right_process(&mut command, guardian);
            become_command(steps, command, &reporter, before, parent)
        }
        Fork::Parent(pid) => pid,
    };
    drop(reporter);
    let serve = || {
        let serving = match report.receive().map_err(ApplyError::Spawn)? {
            Told::Listener(listener) => {
                supervisor.serve(listener).map_err(ApplyError::Supervise)?
            }
            Told::Failed(error) => return Err(error),
            Told::Nothing => return Err(ApplyError::Spawn(io::ErrorKind::UnexpectedEof.into())),
        };
        // Its execve may have to be answered first; nothing more is told when it succeeds.
        match report.receive().map_err(ApplyError::Spawn)? {
            Told::Failed(error) => Err(error),
            Told::Nothing | Told::Listener(_) => Ok(serving),
        }
    };
    match serve() {
        Ok(serving) => Ok((pid, serving)),
        Err(error) => {
            // Nothing runs unsupervised.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
            Err(error)
        }
    }
}

/// In the process that becomes the command. Forked from a process with one thread, so anything may be called here.
fn become_command(
    mut steps: Steps,
    mut command: Command,
    reporter: &Reporter,
    before: &SignalsBefore,
    parent: Pid,
) -> ! {
    let own = || {
        // The supervisor reads its memory while its execve waits for an answer.
        set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::NotFound.into());
        }
        sys::restore_signals(before)
    };
    if let Err(source) = own() {
        reporter.cannot_start(&source);
        sys::exit_now(125)
    }
    if super::confine_child(&mut steps, reporter).is_err() {
        sys::exit_now(125)
    }
    reporter.cannot_execute(&command.exec());
    sys::exit_now(125)
}

/// Descriptors that systemd passed to the shim (sd_listen_fds(3)) are the command's, which has another number.
fn announce_to_the_right_process(command: &mut Command, guardian: Pid) {
    let name = OsStr::new("LISTEN_PID");
    let guardian = guardian.as_raw_nonzero().to_string();
    let set = command.get_envs().find(|(one, _)| *one == name).map(|(_, value)| value);
    let value = set.map_or_else(|| std::env::var_os(name), |value| value.map(OsStr::to_owned));
    if value.is_some_and(|value| value.to_str() == Some(&guardian)) {
        command.env(name, std::process::id().to_string());
    }
}

struct Keeper {
    link: Link,
    signals: OwnedFd,
    reach: Reach,
    command: Pid,
    /// How the command ended.
    status: Option<ExitStatus>,
    forwards: Forwards,
    /// When to tell the guardian again that the command goes on.
    remind: Option<Instant>,
    leftovers: Leftovers,
    serving: Serving,
    control: Control,
}

/// Are there children left?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Children {
    /// None of them has anything to tell now.
    Quiet,
    /// More may have ended.
    Ending,
    None,
}

/// How many children are reaped before signals and the command are looked at again: descendants that fork and end
/// without pause would else hold the supervisor here.
const BATCH: usize = 64;

impl Keeper {
    fn keep(mut self, afterwards: Afterwards) -> ! {
        self.until_the_end();
        let left = self.reach.end(None, reap_all);
        let status = self.status.unwrap_or_else(|| ExitStatus::from_raw(Signal::KILL.as_raw()));
        self.control.finish(&left);
        let observed = self.serving.observed();
        if let Some(epilogue) = &afterwards.before_exit {
            // Word that is not whole is none, and the guardian knows.
            let _ = epilogue.word.write_all_at(&observed.to_bytes(), 0);
        }
        let summary = self.serving.finish(Some(status));
        afterwards.finish(&Ending { status, left, summary, observed });
        self.link.tell(Message::Ended(status.into_raw()));
        sys::exit_now(0)
    }

    /// Until the command, with [`Leftovers::Await`] all of the target, has ended, or the guardian.
    fn until_the_end(&mut self) {
        loop {
            let children = self.reap();
            let is_over = match (self.status, self.leftovers) {
                (None, _) => children == Children::None,
                // Who is ordered to end has the same time as the command.
                (Some(_), Leftovers::End) if !self.control.is_stopping() => true,
                (Some(_), Leftovers::End | Leftovers::Await) => children == Children::None,
            };
            if is_over || self.control.is_out_of_grace() {
                return;
            }
            self.sleep(children);
            self.control.serve(&self.reach, &self.serving);
            while let Some(received) = sys::next_signal(&self.signals) {
                if received.code <= 0 {
                    let group = self.group();
                    self.forwards.copied(received.number, received.sender, group, Instant::now());
                }
            }
            loop {
                match self.link.hear() {
                    Heard::Message(Message::Signal { number, sender }) => {
                        let group = self.group();
                        self.forwards.ask(number, sender, group, Instant::now());
                    }
                    Heard::Message(_) => {}
                    Heard::Silence => break,
                    // The guardian died: so does the target.
                    Heard::End => return,
                }
            }
            while let Some(number) = self.forwards.due(Instant::now()) {
                self.pass_on(number);
            }
            if self.remind.is_some_and(|at| at <= Instant::now()) {
                self.remind = None;
                self.link.tell(Message::Continued);
            }
        }
    }

    fn reap(&mut self) -> Children {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        for _ in 0..BATCH {
            match wait(options) {
                Ok(Some((pid, status))) if untraced(pid, status) => {}
                Ok(Some((pid, status))) if pid == self.command && self.status.is_none() => {
                    if status.stopped() {
                        self.remind = None;
                        self.link.tell(Message::Stopped);
                    } else if status.continued() {
                        self.remind = Some(Instant::now() + REMINDER);
                        self.link.tell(Message::Continued);
                    } else {
                        self.status = Some(ExitStatus::from_raw(status.as_raw()));
                    }
                }
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return Children::Quiet,
                Err(_) => return Children::None,
            }
        }
        Children::Ending
    }

    fn sleep(&self, children: Children) {
        let due = [self.forwards.next_due(), self.remind, self.control.next_due()];
        let next = due.into_iter().flatten().min();
        let pause = match children {
            Children::Quiet | Children::None => {
                next.map(|at| at.saturating_duration_since(Instant::now()))
            }
            Children::Ending => Some(Duration::ZERO),
        };
        let timeout = pause.map(|pause| Timespec {
            tv_sec: i64::try_from(pause.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: pause.subsec_nanos().into(),
        });
        let own = [&self.signals, self.link.descriptor()];
        let all = own.into_iter().chain(self.control.descriptors());
        let mut all: Vec<PollFd<'_>> = all.map(|one| PollFd::new(one, PollFlags::IN)).collect();
        // An error here is a signal that interrupted; everything is looked at anyway.
        let _ = poll(&mut all, timeout.as_ref());
    }

    fn group(&self) -> Group {
        if sys::is_in_our_group(self.command) { Group::Shared } else { Group::ItsOwn }
    }

    /// To the command; when it has ended, to all that it left.
    fn pass_on(&self, number: i32) {
        match self.status {
            None => drop(sys::send_signal(self.command, number)),
            Some(_) => self.reach.signal(number),
        }
    }
}

/// A child can make its parent its tracer (PTRACE_TRACEME), and would then stop at each signal until its tracer lets
/// it go on. This one traces nobody. What execve sends to the traced is not handed on: it would end the program.
fn untraced(pid: Pid, status: WaitStatus) -> bool {
    let at = status.stopping_signal().filter(|at| *at != Signal::TRAP.as_raw());
    status.stopped() && sys::let_go(pid, at.unwrap_or(0))
}

/// Reaps every child that has ended: this process has no other children than the target's.
pub(super) fn reap_all(_: &Reach) {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// A reader of the command's output must see its end when the command closes it.
pub(super) fn use_null_for_input_and_output() {
    use rustix::fs::{Mode, OFlags, open};
    let Ok(null) = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) else { return };
    let _ = rustix::stdio::dup2_stdin(&null);
    let _ = rustix::stdio::dup2_stdout(&null);
}
