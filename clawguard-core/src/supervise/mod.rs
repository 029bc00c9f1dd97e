//! The supervisor: answers the system calls that Landlock alone cannot judge (seccomp_unotify(2)).
//!
//! A request is judged on objects that are held, and performed here; the target gets the result. The kernel goes on
//! with a call only by a [`floor::Proof`]. Whatever cannot be read, found or understood is denied.
//!
//! Nothing here decides: every answer asks the law of `decide`. This process's own authority is never lent: `/proc/self`
//! is the target's, other processes' `/proc` is nobody's, and no terminal becomes this process's.

#![forbid(unsafe_code)]

mod answer;
mod astray;
mod attributes;
mod bound;
mod create;
mod device;
mod entry;
mod exec;
mod executing;
mod floor;
mod grants;
mod group;
mod handlers;
mod image;
mod lookup;
mod mapped;
mod members;
mod memory;
mod metadata;
mod mounts;
mod moving;
mod observe;
mod open;
mod pin;
mod pool;
mod process;
mod program;
mod pts;
mod request;
mod slots;
mod socket;
mod target;
mod terminal;
mod tracing;
mod walk;
mod worker;
mod xattr;

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use self::floor::Floor;
use self::grants::Grants;
pub use self::image::interpreter_of;
use self::lookup::Ways;
use self::observe::Observer;
pub use self::observe::{Fate, Move, Moved, Observed, Touched};
use self::pts::OfRun;
use self::slots::Slots;
use self::worker::Shared;
use crate::compile::{Plan, What};
use crate::decide::{Decider, Law};
use crate::journal::{Alerts, Journal, JournalError, Rules, Summary};
use crate::path::AbsPath;
use crate::policy::{JournalPlace, Listen, Logging, Origin};

/// Everything that is needed to answer for one target, made before it starts.
pub(crate) struct Supervisor {
    law: Arc<Law>,
    ways: Ways,
    floor: Floor,
    watches_executions: bool,
    loose: Vec<AbsPath>,
    grants: Grants,
    granted: HashSet<(u64, u64)>,
    listen: Option<Listen>,
    of_run: OfRun,
    observer: Option<Arc<Observer>>,
    diary: Diary,
}

/// What the journal will need.
struct Diary {
    logging: Logging,
    place: JournalPlace,
    rules: Rules,
    policy: Box<[u8]>,
    mode: &'static str,
    arguments: Vec<Box<[u8]>>,
    tell: Box<dyn Fn(&JournalError) + Send + Sync>,
    alerts: Option<Alerts>,
}

/// The threads that answer, and the journal.
pub(crate) struct Serving {
    journal: Journal,
    observer: Option<Arc<Observer>>,
}

impl Supervisor {
    /// Prepares to answer as the plan says.
    pub(crate) fn new(plan: &Plan) -> Supervisor {
        let policy = plan.policy();
        let law = Arc::clone(&policy.law);
        let mut decider = Decider::new(Arc::clone(&law));
        let files = plan.rules.iter().filter(|rule| rule.what == What::File);
        let inode = |path: &Path| {
            std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
        };
        let name = policy
            .name
            .as_ref()
            .map_or(Origin::DEFAULT.as_bytes(), |file| file.as_os_str().as_bytes());
        let loose = plan.loose_access();
        Supervisor {
            ways: Ways::find(&mut decider, &policy.procfs),
            // What the kernel goes on with, nobody sees the end of.
            floor: Floor::new(loose, plan.holds_opens() && !policy.observe),
            watches_executions: !loose.is_empty(),
            loose: plan.loose().iter().map(|loose| loose.path.clone()).collect(),
            grants: Grants::new(plan.rules.iter().map(|rule| &rule.path)),
            granted: files.filter_map(|rule| inode(rule.path.as_path())).collect(),
            listen: policy.listen().map(|(listen, _)| listen),
            of_run: OfRun::find(policy),
            observer: policy.observe.then(Arc::default),
            diary: Diary {
                logging: policy.logging.clone(),
                place: policy.journal.clone(),
                rules: policy.into(),
                policy: name.into(),
                mode: plan.mode().name(),
                arguments: Vec::new(),
                tell: Box::new(|_| ()),
                alerts: None,
            },
            law,
        }
    }

    /// Writes nothing down.
    pub(crate) fn keeps_no_journal(&mut self) {
        self.diary.place = JournalPlace::Nowhere;
    }

    /// The command that the journal's first line tells of.
    pub(crate) fn names(&mut self, command: &Command) {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        self.diary.arguments = words.map(|word| word.as_bytes().into()).collect();
    }

    /// Calls this, once at most, if lines of the journal are lost.
    pub(crate) fn tells(&mut self, tell: impl Fn(&JournalError) + Send + Sync + 'static) {
        self.diary.tell = Box::new(tell);
    }

    /// Tells denials there as well.
    pub(crate) fn alerts(&mut self, alerts: Alerts) {
        self.diary.alerts = Some(alerts);
    }

    /// Starts the threads that answer. They inherit the credentials and the Landlock domain of the calling thread.
    ///
    /// # Errors
    /// When no thread can be made, or the kernel's structures are unknown.
    pub(crate) fn serve(mut self, listener: OwnedFd) -> io::Result<Serving> {
        if !crate::sys::notify::is_supported_size() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        crate::sys::notify::wake_on_same_cpu(listener.as_fd());
        self.ways.watch(&self.grants);
        let diary = self.diary;
        let journal = Journal::prepare(&diary.logging, &diary.place, diary.rules, diary.tell);
        let journal = journal.alerting(diary.alerts).start();
        journal.started(diary.policy, diary.mode, diary.arguments);
        let shared = Shared {
            listener,
            calls: worker::calls(),
            ways: self.ways,
            floor: self.floor,
            journal: journal.clone(),
            listen: self.listen,
            of_run: self.of_run,
            observer: self.observer.clone(),
            granted: self.granted,
            grants: self.grants,
            executing: Mutex::default(),
            watches_executions: self.watches_executions,
            loose: self.loose,
            memory: memory(),
            slots: Slots::default(),
            undelivered: AtomicU64::new(0),
        };
        pool::start(Arc::new(shared), self.law)?;
        Ok(Serving { journal, observer: self.observer })
    }
}

/// The device of memfds: a mount of the kernel's own, so no path leads to it.
fn memory() -> Option<u64> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let memory = rustix::fs::memfd_create(c"clawguard", flags).ok()?;
    rustix::fs::fstat(memory).ok().map(|stat| stat.st_dev)
}

impl Serving {
    /// How many requests were denied so far; none when denials are not logged.
    pub(crate) fn denials(&self) -> Option<u64> {
        self.journal.denials()
    }

    /// What was touched so far; nothing unless the policy is observed.
    pub(crate) fn observed(&self) -> Observed {
        self.observer.as_ref().map(|observer| observer.observed()).unwrap_or_default()
    }

    /// Closes the journal, when nobody of the target is left. The threads that answered end by themselves.
    pub(crate) fn finish(self, status: Option<ExitStatus>) -> Summary {
        if let Some(status) = status {
            self.journal.ended(status);
        }
        self.journal.finish()
    }
}
