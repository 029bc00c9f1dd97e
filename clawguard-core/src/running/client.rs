//! Asking runs what they are, and ending them.
//!
//! A run is asked through the socket that its supervisor serves. One that does not answer is ended from outside: its
//! supervisor is killed, and its guardian ends the rest. Everything is bounded in time.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, unlinkat};

use super::entry::{About, Id, Kind, Recorded};
use super::wire::{LONGEST, Request, Status};
use super::{RunningError, connection, ending, place, tree};
use crate::path::AbsPath;

/// How long runs have to say what they are.
const PATIENCE: Duration = Duration::from_secs(2);

/// An entry whose run is gone, but whose process cannot be judged from here, stays this long.
const YOUNG: Duration = Duration::from_secs(60);

/// More entries than this are looked through at a start: those of runs in kernel mode stay when the run ends.
const MANY: usize = 16;

/// The runs of one user.
#[derive(Debug)]
pub struct Runs {
    directory: Arc<OwnedFd>,
    path: PathBuf,
    owner: u32,
}

/// A command that runs confined.
#[derive(Clone, Debug)]
pub struct Run {
    /// The process that was started: the shim, and in kernel mode the command itself.
    pub pid: u32,
    /// Whose it is.
    pub owner: u32,
    /// What it says of itself; none when its supervisor does not answer.
    pub facts: Option<Facts>,
    pub(super) id: Id,
    pub(super) kind: Kind,
    pub(super) directory: Arc<OwnedFd>,
}

/// What a run is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// The command's process.
    pub command: u32,
    /// When it began.
    pub since: SystemTime,
    /// The policy's file, or the name of the built-in default.
    pub policy: Vec<u8>,
    /// The mode's name.
    pub mode: String,
    /// The presets in use.
    pub presets: Vec<String>,
    /// The command line, cut to some kilobytes.
    pub arguments: Vec<Vec<u8>>,
    /// The journal's file.
    pub journal: Option<Vec<u8>>,
    /// Processes of the target. In kernel mode those that can be told from outside.
    pub processes: usize,
    /// What was denied.
    pub denials: Denials,
}

/// What is known of a run's denials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denials {
    /// So many so far.
    Counted(u64),
    /// The policy says `log_denials: false`.
    NotLogged,
    /// In kernel mode nobody sees them.
    Unseen,
}

/// How a run ended by order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// How many processes of the target were ended.
    pub ended: usize,
    /// Processes that could not be ended.
    pub left: Vec<u32>,
    /// Its supervisor did not answer, and was killed.
    pub by_force: bool,
}

impl Runs {
    /// The runs that are listed in this state directory ([`Host::state_directory`](crate::Host::state_directory)) of
    /// user `owner`; none if there never was one.
    ///
    /// # Errors
    /// [`RunningError::Directory`], also when the directory is another user's or others may write to it.
    pub fn open(state: &AbsPath, owner: u32) -> Result<Option<Runs>, RunningError> {
        let path = state.as_path().join(place::NAME);
        let opened = place::open(state.as_path(), owner);
        let directory =
            opened.map_err(|source| RunningError::Directory { path: path.clone(), source })?;
        Ok(directory.map(|directory| Runs { directory: Arc::new(directory), path, owner }))
    }

    /// What runs now, oldest first. Entries of runs that are gone are removed.
    ///
    /// # Errors
    /// [`RunningError::Directory`].
    pub fn list(&self) -> Result<Vec<Run>, RunningError> {
        let failed = |errno: rustix::io::Errno| RunningError::Directory {
            path: self.path.clone(),
            source: errno.into(),
        };
        let entries = Dir::read_from(&*self.directory).map_err(failed)?;
        let names = entries.flatten().filter_map(|entry| Id::parse(entry.file_name().to_bytes()));
        // All are asked before the first answer is waited for.
        let asked: Vec<(Id, Kind, Asked)> =
            names.map(|(id, kind)| (id, kind, self.ask(id, kind))).collect();
        let deadline = Instant::now() + PATIENCE;
        let mut runs = Vec::new();
        for (id, kind, asked) in asked {
            let outcome = match asked {
                Asked::Waits(socket) => match heard(&socket, deadline) {
                    // It does not speak with this process, or ends just now.
                    Asked::Gone if stays(id) => Asked::Silent,
                    heard => heard,
                },
                told => told,
            };
            let facts = match outcome {
                Asked::Facts(facts) => Some(*facts),
                Asked::Silent | Asked::Waits(_) => None,
                Asked::Gone => {
                    self.remove_stale(id, kind);
                    continue;
                }
            };
            let directory = Arc::clone(&self.directory);
            runs.push(Run { pid: id.pid, owner: self.owner, facts, id, kind, directory });
        }
        runs.sort_by_key(|run| run.id.start);
        Ok(runs)
    }

    fn ask(&self, id: Id, kind: Kind) -> Asked {
        match kind {
            Kind::Socket => match connection::connect(&self.directory, id, self.owner) {
                Ok(socket) => match connection::ask(&socket, Request::Status) {
                    Ok(()) => Asked::Waits(socket),
                    Err(_) => Asked::Gone,
                },
                // So many wait that the socket takes nobody: it is there.
                Err(rustix::io::Errno::AGAIN) => Asked::Silent,
                Err(_) => Asked::Gone,
            },
            Kind::File => self.look_at(id).unwrap_or(Asked::Gone),
        }
    }

    /// What the file of a run in kernel mode says, if any of its processes is there.
    fn look_at(&self, id: Id) -> Option<Asked> {
        let recorded = self.read(id)?;
        let is_here = tree::boot().is_ok_and(|boot| boot == recorded.boot)
            && tree::namespace().is_ok_and(|own| own == recorded.namespace);
        let members = is_here.then(|| tree::members(id, self.owner))?;
        let first = members.first()?;
        let command = if id.is_alive() { id.pid } else { first.pid };
        let facts = Facts::new(recorded.about, command, members.len(), Denials::Unseen);
        Some(Asked::Facts(Box::new(facts)))
    }

    fn read(&self, id: Id) -> Option<Recorded> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&*self.directory, id.name(Kind::File), flags, Mode::empty()).ok()?;
        let stat = fstat(&file)
            .ok()
            .filter(|stat| place::is_entry(stat, self.owner, FileType::RegularFile))?;
        let length = usize::try_from(stat.st_size).ok().filter(|length| *length <= LONGEST)?;
        let mut text = vec![0; length];
        let read = rustix::io::read(&file, &mut text).ok()?;
        serde_json::from_slice(text.get(..read)?).ok()
    }

    /// Removes the entry of a run that is surely gone: its process is, and what it stands for was not made just now.
    fn remove_stale(&self, id: Id, kind: Kind) {
        let name = id.name(kind);
        let stat = rustix::fs::statat(&*self.directory, &name, AtFlags::SYMLINK_NOFOLLOW);
        let made = stat.map(|stat| Duration::from_secs(u64::try_from(stat.st_ctime).unwrap_or(0)));
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let is_young = made.is_ok_and(|made| now.saturating_sub(made) < YOUNG);
        let is_of_elsewhere = kind == Kind::File
            && self.read(id).is_some_and(|recorded| {
                tree::boot().is_ok_and(|boot| boot == recorded.boot)
                    && tree::namespace().is_ok_and(|own| own != recorded.namespace)
            });
        if !id.is_alive() && !is_of_elsewhere || kind == Kind::Socket && !is_young {
            let _ = unlinkat(&*self.directory, &name, AtFlags::empty());
        }
    }
}

/// Is a process still there when it has had the time to end?
fn stays(id: Id) -> bool {
    let end = Instant::now() + Duration::from_millis(500);
    while id.is_alive() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    id.is_alive()
}

/// Removes entries of runs that are gone, where there are more than a few.
pub(super) fn tidy(directory: &OwnedFd, path: PathBuf, owner: u32) {
    let Ok(directory) = directory.try_clone() else { return };
    let runs = Runs { directory: Arc::new(directory), path, owner };
    let Ok(entries) = Dir::read_from(&*runs.directory) else { return };
    let names = entries.flatten().filter_map(|entry| Id::parse(entry.file_name().to_bytes()));
    let names: Vec<(Id, Kind)> = names.collect();
    if names.len() <= MANY {
        return;
    }
    for (id, kind) in names {
        match runs.ask(id, kind) {
            Asked::Gone => runs.remove_stale(id, kind),
            Asked::Facts(_) | Asked::Waits(_) | Asked::Silent => {}
        }
    }
}

/// What is known of a run that was asked.
enum Asked {
    Facts(Box<Facts>),
    /// Its answer is yet to come.
    Waits(OwnedFd),
    /// It is there and does not answer.
    Silent,
    Gone,
}

fn heard(socket: &OwnedFd, deadline: Instant) -> Asked {
    let status: Status = match connection::answer(socket, deadline) {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Asked::Gone,
        Err(_) => return Asked::Silent,
    };
    let denials = status.denials.map_or(Denials::NotLogged, Denials::Counted);
    let facts = Facts::new(status.about, status.command, status.processes, denials);
    Asked::Facts(Box::new(facts))
}

impl Facts {
    fn new(about: About, command: u32, processes: usize, denials: Denials) -> Facts {
        Facts {
            command,
            since: about.since(),
            policy: about.policy.0,
            mode: about.mode,
            presets: about.presets,
            arguments: about.arguments.into_iter().map(|argument| argument.0).collect(),
            journal: about.journal.map(|journal| journal.0),
            processes,
            denials,
        }
    }
}

impl Run {
    /// Is this process of the run: its guardian, its supervisor, or one of the target?
    #[must_use]
    pub fn includes(&self, pid: u32) -> bool {
        pid == self.pid || ending::includes(self, pid)
    }

    /// Ends the run: SIGTERM for every process of the target, detached ones included, SIGKILL for those that are left
    /// after `grace`. Returns when nothing is left, or nothing more can be done; later than `grace` by 30 seconds at
    /// most.
    ///
    /// # Errors
    /// [`RunningError::Run`] when the run cannot be reached.
    pub fn stop(&self, grace: Duration) -> Result<Stopped, RunningError> {
        ending::stop(self, grace)
    }
}
