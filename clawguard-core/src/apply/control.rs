//! The keeper's side of `ps` and `stop`: when the run is listed, and how its end by order goes.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, test_kill_process};

use super::reach::Reach;
use crate::running::{LISTED_AFTER, Listing, Order, Server, View, deadline};
use crate::supervise::Serving;

/// Is the run listed?
enum Entry {
    /// Never.
    Nowhere,
    /// At this time.
    Later(Listing, Instant),
    /// Yes.
    Open(Server),
}

/// An end that somebody ordered.
struct Stopping {
    /// When the rest is killed.
    deadline: Instant,
    /// How many processes there were.
    processes: usize,
}

/// The run's entry, and what was ordered through it.
pub(super) struct Control {
    entry: Entry,
    guardian: Pid,
    command: Pid,
    stopping: Option<Stopping>,
}

/// Nobody asks twice for a longer grace than this.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

impl Control {
    pub(super) fn new(listing: Option<Listing>, guardian: Pid, command: Pid) -> Control {
        let later = |listing| Entry::Later(listing, Instant::now() + LISTED_AFTER);
        let entry = listing.map_or(Entry::Nowhere, later);
        Control { entry, guardian, command, stopping: None }
    }

    /// When something is to be done without being asked.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let listed = match &self.entry {
            Entry::Later(_, at) => Some(*at),
            Entry::Nowhere | Entry::Open(_) => None,
        };
        listed.into_iter().chain(self.stopping.as_ref().map(|stopping| stopping.deadline)).min()
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        let server = match &self.entry {
            Entry::Open(server) => Some(server),
            Entry::Nowhere | Entry::Later(..) => None,
        };
        server.into_iter().flat_map(Server::descriptors)
    }

    /// Lists the run when it is time, answers, and begins what is ordered.
    pub(super) fn serve(&mut self, reach: &Reach, serving: &Serving) {
        if let Entry::Later(listing, at) = &self.entry
            && *at <= Instant::now()
        {
            self.entry = match Server::open(listing, self.guardian, self.command) {
                Ok(server) => Entry::Open(server),
                Err(error) => {
                    listing.failed(&error);
                    Entry::Nowhere
                }
            };
        }
        let Entry::Open(server) = &mut self.entry else { return };
        if let Some(Order::Stop(grace)) = server.serve(&Seen { reach, serving }) {
            self.begin(reach, grace.min(LONGEST_GRACE));
        }
    }

    fn begin(&mut self, reach: &Reach, grace: Duration) {
        let mut deadline = deadline(grace);
        let processes = match &self.stopping {
            Some(earlier) => {
                // A second order never prolongs the first.
                deadline = deadline.min(earlier.deadline);
                earlier.processes
            }
            None => reach.processes().len(),
        };
        if !grace.is_zero() {
            reach.signal(Signal::TERM.as_raw());
            // What was stopped must go on to end.
            reach.signal(Signal::CONT.as_raw());
        }
        self.stopping = Some(Stopping { deadline, processes });
    }

    /// Has somebody ordered the end?
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Has the time passed that the target had to end by itself?
    pub(super) fn is_out_of_grace(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| stopping.deadline <= Instant::now())
    }

    /// The target has ended but for these.
    pub(super) fn finish(self, left: &[u32]) {
        if let Entry::Open(server) = self.entry {
            let were = self.stopping.map_or(0, |stopping| stopping.processes);
            server.finish(were.saturating_sub(left.len()), left);
        }
    }
}

/// What the server may know.
struct Seen<'a> {
    reach: &'a Reach,
    serving: &'a Serving,
}

impl View for Seen<'_> {
    fn processes(&self) -> Vec<Pid> {
        self.reach.processes()
    }

    fn is_of_target(&self, pid: Pid) -> bool {
        pid != getpid() && test_kill_process(pid).is_ok()
    }

    fn denials(&self) -> Option<u64> {
        self.serving.denials()
    }
}
