//! The threads that answer, and the one that watches them.
//!
//! The first ones run under `SCHED_IDLE`, so that whoever they wake stays on its CPU (docs/kernel.md). Where all of
//! them are busy, or starve, more are started under the default policy, up to a bound: nobody waits for another's
//! FIFO or slow file system.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::answer;
use super::slots::{Slot, Work};
use super::worker::{Shared, Worker};
use crate::decide::{Decider, Law};
use crate::sys;

/// Threads at most.
const MOST: usize = 512;

/// Threads that are started at once where nobody takes a request.
const MORE: usize = 8;

/// After this long a call gives way to those that nobody answers, with EINTR: of FIFOs and connections that wait.
const TOO_LONG: Duration = Duration::from_secs(2);

/// How often the watcher looks while there is work, and how long it goes on without.
const TICK: Duration = Duration::from_millis(20);
const QUIET_TICKS: u32 = 50;

/// After this long a call whose caller has a signal to handle gives way to it.
const LONG: Duration = Duration::from_millis(200);

/// An additional thread that had nothing to do for this long ends.
const IDLE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// What the threads and the watcher share.
struct Pool {
    shared: Arc<Shared>,
    law: Arc<Law>,
    received: AtomicU64,
    running: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Regular,
    Additional,
}

/// Starts the threads; they end when nobody is left who could ask.
pub(super) fn start(shared: Arc<Shared>, law: Arc<Law>) -> io::Result<()> {
    let pool =
        Arc::new(Pool { shared, law, received: AtomicU64::new(0), running: AtomicUsize::new(0) });
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for _ in 0..cpus.clamp(1, 8) {
        pool.add(Rank::Regular)?;
    }
    Builder::new().name("watch".to_owned()).spawn(move || pool.watch()).map(drop)
}

impl Pool {
    fn add(self: &Arc<Pool>, rank: Rank) -> io::Result<()> {
        let pool = Arc::clone(self);
        self.running.fetch_add(1, Ordering::Relaxed);
        let started = Builder::new().name("answer".to_owned()).spawn(move || {
            pool.work(rank);
            pool.running.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            self.running.fetch_sub(1, Ordering::Relaxed);
        }
        started.map(drop)
    }

    fn work(&self, rank: Rank) {
        // Without a umask and a directory of its own, a thread must not answer.
        if sys::calls::own_directory_and_umask().is_err() || sys::interrupt::allow().is_err() {
            return;
        }
        rustix::process::umask(rustix::fs::Mode::empty());
        if rank == Rank::Regular {
            let _ = sys::calls::schedule_when_idle();
        }
        let slot = Slot::of_this_thread();
        self.shared.slots.add(&slot);
        self.serve(rank, &slot);
        self.shared.slots.remove(&slot);
    }

    fn serve(&self, rank: Rank, slot: &Slot) {
        let mut worker = self.worker();
        let listener = self.shared.listener.as_fd();
        while rank == Rank::Regular || self.is_asked(IDLE) {
            match sys::notify::receive(listener) {
                Ok(notification) => {
                    self.received.fetch_add(1, Ordering::Relaxed);
                    slot.begin(&notification);
                    // An impossible state denies, and the next request finds a new worker.
                    let answer = AssertUnwindSafe(|| worker.answer(&notification));
                    let answered = catch_unwind(answer).unwrap_or_else(|_| {
                        worker = self.worker();
                        Err(Errno::ACCESS)
                    });
                    slot.seal();
                    answer::send(listener, notification.id, answered, &self.shared.undelivered);
                    slot.end();
                }
                // The caller died before its request was taken.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => {
                    if self.is_over() {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
    }

    fn worker(&self) -> Worker {
        Worker {
            shared: Arc::clone(&self.shared),
            decider: Decider::new(Arc::clone(&self.law)),
            counted: HashMap::new(),
            call: Default::default(),
        }
    }

    fn ready(&self, timeout: Option<&Timespec>) -> PollFlags {
        let mut listener = [PollFd::new(&self.shared.listener, PollFlags::IN)];
        match poll(&mut listener, timeout) {
            Ok(_) => listener[0].revents(),
            Err(_) => PollFlags::empty(),
        }
    }

    /// Is somebody waiting for an answer, or does so within this time?
    fn is_asked(&self, time: Timespec) -> bool {
        self.ready(Some(&time)).contains(PollFlags::IN)
    }

    /// Has everybody gone who could ask?
    fn is_over(&self) -> bool {
        self.ready(Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).contains(PollFlags::HUP)
    }

    fn watch(self: Arc<Pool>) {
        loop {
            let ready = self.ready(None);
            if ready.contains(PollFlags::HUP) {
                return;
            }
            let mut quiet = 0;
            let mut before = self.received.load(Ordering::Relaxed);
            while quiet < QUIET_TICKS {
                std::thread::sleep(TICK);
                let received = self.received.load(Ordering::Relaxed);
                let waiting = self.is_asked(Timespec { tv_sec: 0, tv_nsec: 0 });
                let is_stuck = waiting && received == before;
                let room = MOST.saturating_sub(self.running.load(Ordering::Relaxed));
                if is_stuck {
                    // Nobody took a request in all this time. If no thread can be made, those that are busy go on.
                    let _ = (0..room.min(MORE)).try_for_each(|_| self.add(Rank::Additional));
                }
                let patience = if is_stuck && room == 0 { TOO_LONG } else { Duration::MAX };
                let busy = self.release_the_dead(patience);
                quiet = if waiting || busy || received != before { 0 } else { quiet + 1 };
                before = received;
                if self.is_over() {
                    return;
                }
            }
        }
    }

    /// Interrupts threads whose caller has died, or has a signal to handle: a FIFO may never be opened at its other
    /// end. Is any thread busy?
    fn release_the_dead(&self, patience: Duration) -> bool {
        self.shared.slots.interrupt(|work: &Work| {
            let target = self.shared.target(work);
            let age = work.age();
            target.is_waiting().is_err()
                || age > patience
                || age > LONG && target.has_caught_a_signal()
        })
    }
}
