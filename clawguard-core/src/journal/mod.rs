//! The journal: what was denied, and on request what was allowed and executed, one line of JSON each.
//!
//! Those who answer the target put events into a bounded queue and go on; one thread writes. Nothing here may delay
//! an answer, fail a run or allow anything: a full disk, a journal that cannot be opened or a flood of events loses
//! lines, which are counted. The target chooses the names in an event, so no name may end a line or reach a terminal
//! unescaped, and the places of [`JournalPlace::guarded`] are to be guarded from it.

#![forbid(unsafe_code)]

mod alert;
mod event;
mod line;
mod refusal;
mod repeat;
mod rotate;
mod store;
mod summary;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, SystemTime};

pub(crate) use self::alert::Alerts;
pub(crate) use self::event::{Event, Kind, Outcome};
use self::event::{FLOOR, cut};
pub use self::line::rfc3339;
pub use self::refusal::Refusal;
use self::store::{Limits, Sink, Store};
pub use self::summary::{Denied, Summary};
use self::writer::{Gate, Item, Writer, session};
use crate::decide::RuleId;
use crate::policy::{JournalPlace, Logging, Origin, Rule};
use crate::resolve::ResolvedPolicy;

/// The memory that waiting events may take, in bytes.
const BUDGET: usize = 2 * 1024 * 1024;

/// What of it events that are no denials may take: a flood of them must not hide a denial.
const BUDGET_OF_OTHERS: usize = BUDGET / 4 * 3;

/// The queue's length: events, and a few items that are none and are never refused.
const QUEUE: usize = BUDGET / FLOOR + 16;

/// How long `finish` waits for a disk that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl JournalPlace {
    /// The file that lines are written to.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            JournalPlace::State { directory } => Some(directory.join(store::NAME)),
            JournalPlace::File(file) => Some(file.clone()),
            JournalPlace::Nowhere => None,
        }
    }

    /// A journal that somebody names must be one: tries to open it.
    pub(crate) fn must_open(&self, logging: &Logging) -> Result<(), JournalError> {
        match self {
            JournalPlace::File(_) => Store::open(self, Limits::new(logging)).map(drop),
            JournalPlace::State { .. } | JournalPlace::Nowhere => Ok(()),
        }
    }

    /// Every path that the target must not write to, whether it exists or not.
    #[must_use]
    pub fn guarded(&self) -> Vec<PathBuf> {
        rotate::guarded(self)
    }
}

/// Why lines are lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file or its directory cannot be opened or made.
    #[error("the journal `{}` cannot be opened", shown(.path))]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something that the target or another user may write to.
    #[error("the journal `{}` is not used: {why}", shown(.path))]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: Unfit,
    },
    /// A line cannot be written.
    #[error("the journal `{}` cannot be written, so lines of it are lost", shown(.path))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A full file cannot be put away, or an old one not be removed.
    #[error("the journal `{}` cannot be rotated", shown(.path))]
    Rotate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An event cannot be put into words.
    #[error("a line of the journal cannot be made")]
    Line(#[source] io::Error),
    /// The thread that writes cannot be started.
    #[error("the journal's thread cannot be started, so nothing is logged")]
    Thread(#[source] io::Error),
}

/// Why a file cannot be the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is a symbolic link.
    #[error("a symbolic link")]
    Link,
    /// It is no regular file.
    #[error("not a regular file")]
    NotAFile,
    /// It belongs to another user, by this number.
    #[error("it belongs to user {0}")]
    Owner(u32),
    /// A hard link gives it a second name.
    #[error("it has a second name, a hard link")]
    SecondName,
}

fn shown(path: &std::path::Path) -> String {
    crate::path::escape(path.as_os_str().as_encoded_bytes())
}

/// The rules that lines and the summary name.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// What says that sockets listen on loopback addresses only, if anything does.
    loopback: Option<Origin>,
}

impl From<&ResolvedPolicy> for Rules {
    fn from(policy: &ResolvedPolicy) -> Rules {
        let loopback = policy.listen().filter(|_| policy.is_loopback_only());
        Rules { rules: policy.rules.clone(), loopback: loopback.map(|(_, origin)| origin.clone()) }
    }
}

impl Rules {
    fn get(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.index())
    }
}

/// Tells the user the first error, and only that one.
struct Teller {
    tell: Box<dyn Fn(&JournalError) + Send + Sync>,
    has_told: AtomicBool,
}

impl Teller {
    fn tell(&self, error: &JournalError) {
        if !self.has_told.swap(true, Ordering::Relaxed) {
            (self.tell)(error);
        }
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").field("has_told", &self.has_told).finish_non_exhaustive()
    }
}

/// What both ends of the queue know.
#[derive(Debug, Default)]
struct Counters {
    /// The memory of waiting events, in bytes.
    waiting: AtomicUsize,
    /// Events that found no room and that the writer has not heard of yet.
    lost: AtomicU64,
    /// Denials among all that found no room.
    lost_denials: AtomicU64,
    /// Denials, lost ones included.
    denials: AtomicU64,
    is_stopped: AtomicBool,
}

impl Counters {
    fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    fn waiting_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn lost_denials(&self) -> u64 {
        self.lost_denials.load(Ordering::Relaxed)
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    fn taken(&self, cost: usize) {
        self.waiting.fetch_sub(cost, Ordering::Relaxed);
    }

    fn see(&self, kind: Kind) {
        match kind {
            Kind::Denial => {
                self.denials.fetch_add(1, Ordering::Relaxed);
            }
            Kind::Access | Kind::Command => {}
        }
    }

    fn lose(&self, kind: Kind) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        match kind {
            Kind::Denial => {
                self.lost_denials.fetch_add(1, Ordering::Relaxed);
            }
            Kind::Access | Kind::Command => {}
        }
    }
}

/// A journal whose file is open and whose thread does not run yet: the process may still fork.
#[derive(Debug)]
#[must_use]
pub(crate) struct Prepared {
    wants: u8,
    store: Option<Store>,
    gate: Gate,
    rules: Arc<Rules>,
    teller: Arc<Teller>,
    alerts: Option<Alerts>,
}

impl Prepared {
    /// Tells denials there as well.
    pub(crate) fn alerting(mut self, alerts: Option<Alerts>) -> Prepared {
        self.alerts = alerts;
        self
    }

    /// Starts the thread that writes. It inherits the credentials and the Landlock domain of the calling thread.
    pub(crate) fn start(self) -> Journal {
        let store = NowhereOr(self.store);
        let session = session().into();
        Journal::with(self.wants, store, self.gate, self.rules, self.teller, session, self.alerts)
    }
}

/// A sink that may be nowhere.
struct NowhereOr(Option<Store>);

impl Sink for NowhereOr {
    fn refresh(&mut self) -> Result<(), JournalError> {
        self.0.as_mut().map_or(Ok(()), Sink::refresh)
    }

    fn prune(&mut self) -> Result<(), JournalError> {
        self.0.as_mut().map_or(Ok(()), Sink::prune)
    }

    fn make_room(&mut self, length: u64) -> Result<(), JournalError> {
        self.0.as_mut().map_or(Ok(()), |store| store.make_room(length))
    }

    fn append(&mut self, line: &[u8]) -> Result<(), JournalError> {
        self.0.as_mut().map_or(Ok(()), |store| store.append(line))
    }
}

/// Where events go. Clones share one queue and one thread.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    wants: u8,
    /// None if nothing is wanted or nobody writes.
    writing: Option<Writing>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Writing {
    queue: SyncSender<Item>,
    thread: Thread,
    summary: Mutex<Option<Receiver<Summary>>>,
}

impl Journal {
    /// Opens the journal and starts nothing. Fails never: the first error is told, and then nothing is written.
    ///
    /// With `log_denials: false` denials are neither written nor counted. `tell` is called once at most, here or on
    /// the writing thread.
    pub(crate) fn prepare(
        logging: &Logging,
        place: &JournalPlace,
        rules: Rules,
        tell: impl Fn(&JournalError) + Send + Sync + 'static,
    ) -> Prepared {
        let teller = Arc::new(Teller { tell: Box::new(tell), has_told: AtomicBool::new(false) });
        let rules = Arc::new(rules);
        let wanted = [
            (Kind::Denial, logging.denials.unwrap_or(true)),
            (Kind::Access, logging.file_access),
            (Kind::Command, logging.commands),
        ];
        let wants = wanted
            .into_iter()
            .filter(|(_, is_wanted)| *is_wanted)
            .fold(0, |bits, (kind, _)| bits | kind.bit());
        // Where nothing is wanted nothing is opened.
        let place = if wants == 0 { &JournalPlace::Nowhere } else { place };
        let opened = Store::open(place, Limits::new(logging));
        // What nobody will read is not asked for; denials are counted.
        let countable = wants & Kind::Denial.bit();
        let (wants, store, gate) = match opened {
            Ok(Some(store)) => (wants, Some(store), Gate::Open),
            Ok(None) => (countable, None, Gate::Open),
            Err(error) => {
                teller.tell(&error);
                (countable, None, Gate::Closed)
            }
        };
        Prepared { wants, store, gate, rules, teller, alerts: None }
    }

    fn with(
        wants: u8,
        sink: impl Sink + Send + 'static,
        gate: Gate,
        rules: Arc<Rules>,
        teller: Arc<Teller>,
        session: Arc<str>,
        alerts: Option<Alerts>,
    ) -> Journal {
        let counters = Arc::new(Counters::default());
        if wants == 0 {
            return Journal { shared: Arc::new(Shared { wants, writing: None, counters }) };
        }
        let (queue, items) = sync_channel(QUEUE);
        let (done, summary) = channel();
        let writer =
            Writer::new(sink, session, rules, Arc::clone(&teller), Arc::clone(&counters), gate);
        let writer = writer.alerting(alerts);
        let spawned = std::thread::Builder::new()
            .name("clawguard-log".to_owned())
            .spawn(move || drop(done.send(writer.run(&items))));
        let (wants, writing) = match spawned {
            Ok(handle) => {
                let thread = handle.thread().clone();
                (wants, Some(Writing { queue, thread, summary: Mutex::new(Some(summary)) }))
            }
            Err(error) => {
                teller.tell(&JournalError::Thread(error));
                (0, None)
            }
        };
        Journal { shared: Arc::new(Shared { wants, writing, counters }) }
    }

    /// Is an event of this kind to be recorded? Ask before building one.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        self.shared.wants & kind.bit() != 0
    }

    /// How many requests were denied so far; none when denials are not recorded.
    pub(crate) fn denials(&self) -> Option<u64> {
        let is_counted = self.wants(Kind::Denial) && self.shared.writing.is_some();
        is_counted.then(|| self.shared.counters.denials.load(Ordering::Relaxed))
    }

    /// Records one request. Never waits for the disk; an event that finds no room is counted as lost.
    pub(crate) fn record(&self, mut event: Event) {
        let kind = event.kind();
        let Some(writing) = self.shared.writing.as_ref().filter(|_| self.wants(kind)) else {
            return;
        };
        let omitted = event.arguments.as_mut().map_or(0, cut);
        let cost = event.cost();
        let room = match kind {
            Kind::Denial => BUDGET,
            Kind::Access | Kind::Command => BUDGET_OF_OTHERS,
        };
        let counters = &self.shared.counters;
        counters.see(kind);
        let before = counters.waiting.fetch_add(cost, Ordering::Relaxed);
        let after = before.saturating_add(cost);
        let item = Item::Event { event, time: SystemTime::now(), omitted };
        if after > room || writing.queue.try_send(item).is_err() {
            counters.taken(cost);
            counters.lose(kind);
        }
        // Wakes the writer from its nap, once.
        if before < BUDGET / 2 && after >= BUDGET / 2 {
            writing.thread.unpark();
        }
    }

    /// Writes the line that a run begins with: the policy's name, the mode, the command line.
    pub(crate) fn started(
        &self,
        policy: Box<[u8]>,
        mode: &'static str,
        mut arguments: Vec<Box<[u8]>>,
    ) {
        let omitted = cut(&mut arguments);
        self.put(Item::Started { policy, mode, arguments, omitted });
    }

    /// Writes the line that a run ends with: how the command ended, and how many denials there were.
    pub(crate) fn ended(&self, status: ExitStatus) {
        self.put(Item::Ended(status));
    }

    /// Writes what is left and stops the thread. What other clones record from now on is lost, and a second call gets
    /// an empty summary.
    pub(crate) fn finish(self) -> Summary {
        let Some(writing) = &self.shared.writing else { return Summary::default() };
        self.shared.counters.is_stopped.store(true, Ordering::Release);
        self.put(Item::Stop);
        writing.thread.unpark();
        let summary = writing.summary.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A disk that hangs must not keep a command that has ended.
        summary.and_then(|summary| summary.recv_timeout(PATIENCE).ok()).unwrap_or_default()
    }

    /// Room for a few of these is never given to events.
    fn put(&self, item: Item) {
        let Some(writing) = &self.shared.writing else { return };
        let _ = writing.queue.try_send(item);
    }
}
