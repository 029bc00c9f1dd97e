//! What a supervising thread can reach with a signal: the target, and nothing else.
//!
//! The thread enters a Landlock domain of its own before it starts the target, so the target's domain lies within it.
//! The domain scopes signals: a signal of this thread arrives in the target, whatever session, group or parent its
//! processes have moved to, and nowhere else (the kernel's landlock.rst, "IPC scoping"). So one call ends all of them
//! at once, and none can be forked away from it.

#![forbid(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use landlock::{
    AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{Pid, Signal, test_kill_process};

use super::error::ApplyError;
use super::steps::{Step, cause};
use crate::sys;

/// How long killed processes may take to disappear. Only one that is stuck in the kernel takes longer than a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// The calling thread's domain above the target. Not to be sent to another thread.
pub(super) struct Reach(PhantomData<*const ()>);

/// What else the domain forbids the supervising threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Also {
    /// Nothing.
    Nothing,
    /// Abstract unix sockets outside, which a supervisor must not connect for the target.
    AbstractSockets,
}

impl Reach {
    /// Enters the domain, for good. Needs a single thread, or holds for this one alone.
    pub(super) fn enter(also: Also) -> Result<Reach, ApplyError> {
        let scopes = match also {
            Also::Nothing => Scope::Signal.into(),
            Also::AbstractSockets => Scope::Signal | Scope::AbstractUnixSocket,
        };
        let failed = |source| ApplyError::Step { step: Step::Landlock, source };
        let root = PathFd::new("/")
            .map_err(|error| failed(io::Error::new(io::ErrorKind::NotFound, error)))?;
        let restrict = || -> Result<bool, RulesetError> {
            let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
            // In a domain within this one the kernel denies every move between directories that this one does not
            // grant, although it asks this one for nothing else of files (landlock.rst, LANDLOCK_ACCESS_FS_REFER).
            let ruleset = ruleset.handle_access(AccessFs::Refer)?.scope(scopes)?;
            let created: RulesetCreated = ruleset.create()?;
            let created = created.add_rule(PathBeneath::new(root, AccessFs::Refer))?;
            let status = created.restrict_self()?;
            Ok(status.ruleset == RulesetStatus::FullyEnforced)
        };
        match restrict() {
            Ok(true) => Ok(Reach(PhantomData)),
            Ok(false) => Err(failed(io::ErrorKind::Unsupported.into())),
            Err(error) => Err(failed(cause(error))),
        }
    }

    /// Proves that a process which this thread could signal before is out of reach now.
    pub(super) fn excludes(&self, outsider: Pid) -> Result<(), ApplyError> {
        is_out_of_reach(outsider)
            .map_err(|source| ApplyError::Step { step: Step::OutOfReach, source })
    }

    /// The processes of the target, this one's own aside.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let own = rustix::process::getpid();
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let numbers = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter_map(Pid::from_raw);
        numbers.filter(|pid| *pid != own && test_kill_process(*pid).is_ok()).collect()
    }

    /// Sends a signal to every process of the target.
    pub(super) fn signal(&self, number: i32) {
        // What the domain is relied on for is looked at once more: a mistake would end the user's whole session.
        let own = rustix::process::getpid();
        let outside = [Some(Pid::INIT).filter(|init| *init != own), rustix::process::getppid()];
        if outside.into_iter().flatten().all(|pid| is_out_of_reach(pid).is_ok()) {
            let _ = sys::send_signal_to_all(number);
        }
    }

    /// Kills the target, reaps what becomes this process's child, and returns the numbers of those that would not die
    /// in time; `other` is somebody else's to wait for.
    pub(super) fn end(&self, other: Option<Pid>, reap: impl Fn(&Reach)) -> Vec<u32> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_micros(200);
        loop {
            self.signal(Signal::KILL.as_raw());
            reap(self);
            let left: Vec<Pid> =
                self.processes().into_iter().filter(|pid| Some(*pid) != other).collect();
            if left.is_empty() || Instant::now() > deadline {
                let number = |pid: Pid| pid.as_raw_nonzero().get().cast_unsigned();
                return left.into_iter().map(number).collect();
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// Can a signal of this thread not arrive there? A process that does not exist is out of reach as well.
pub(super) fn is_out_of_reach(pid: Pid) -> io::Result<()> {
    match test_kill_process(pid) {
        Ok(()) => Err(io::ErrorKind::Unsupported.into()),
        Err(_) => Ok(()),
    }
}
