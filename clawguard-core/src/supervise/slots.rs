//! What each answering thread is doing, so that a thread whose caller has died can be interrupted.
//!
//! A thread is interrupted only while it works, never while it gives its answer: an interrupted answer may count as
//! given without having been given (docs/kernel.md).

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::sys::interrupt;
use crate::sys::notify::Notification;

/// The request that a thread answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// The kernel's name for the call.
    pub(super) id: u64,
    /// The thread that made it.
    pub(super) caller: u32,
    since: Instant,
}

impl Work {
    /// How long it has lasted.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

#[derive(Debug)]
enum State {
    Idle,
    /// It may be interrupted; `is_interrupted` if it was.
    Working {
        work: Work,
        is_interrupted: bool,
    },
    /// It must not be interrupted.
    Answering(Work),
}

impl State {
    fn work(&self) -> Option<Work> {
        match self {
            State::Idle => None,
            State::Working { work, .. } | State::Answering(work) => Some(*work),
        }
    }
}

/// One answering thread.
#[derive(Debug)]
pub(super) struct Slot {
    thread: i32,
    state: Mutex<State>,
}

impl Slot {
    /// Of the calling thread.
    pub(super) fn of_this_thread() -> Arc<Slot> {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        Arc::new(Slot { thread, state: Mutex::new(State::Idle) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It took this request.
    pub(super) fn begin(&self, notification: &Notification) {
        self.work_on(notification.id, notification.tid);
    }

    fn work_on(&self, id: u64, caller: u32) {
        let work = Work { id, caller, since: Instant::now() };
        *self.state() = State::Working { work, is_interrupted: false };
    }

    /// It is going to answer: from now on no signal reaches it, not even one that was sent before.
    pub(super) fn seal(&self) {
        let mut state = self.state();
        let State::Working { work, is_interrupted } = *state else { return };
        *state = State::Answering(work);
        drop(state);
        if is_interrupted {
            interrupt::consume();
        }
    }

    /// It has answered.
    pub(super) fn end(&self) {
        *self.state() = State::Idle;
    }

    /// The thread may hold the lock and be starved, so the watcher never waits for it.
    fn try_state(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Interrupts the thread if it still works on this request.
    fn interrupt(&self, id: u64) {
        let Some(mut state) = self.try_state() else { return };
        if let State::Working { work, is_interrupted } = &mut *state
            && work.id == id
        {
            *is_interrupted = true;
            // The lock is held, so the thread cannot begin to answer before the signal is pending.
            interrupt::interrupt(self.thread);
        }
    }
}

/// All answering threads.
#[derive(Debug, Default)]
pub(super) struct Slots {
    list: Mutex<Vec<Arc<Slot>>>,
}

/// How long a call waits for threads whose callers have died, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);

impl Slots {
    fn list(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, slot: &Arc<Slot>) {
        self.list().push(Arc::clone(slot));
    }

    pub(super) fn remove(&self, slot: &Arc<Slot>) {
        self.list().retain(|one| !Arc::ptr_eq(one, slot));
    }

    /// Does a part of the work on this request in the calling thread, which is not one of those that answer. It is
    /// interrupted as the thread is that waits for it.
    pub(super) fn help<T>(
        &self,
        id: u64,
        caller: u32,
        act: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        interrupt::allow().map_err(|_| Errno::NOMEM)?;
        let slot = Slot::of_this_thread();
        slot.work_on(id, caller);
        self.add(&slot);
        let done = act();
        slot.seal();
        self.remove(&slot);
        done
    }

    /// Interrupts each thread whose work this says to end. Is any thread busy?
    pub(super) fn interrupt(&self, ends: impl Fn(&Work) -> bool) -> bool {
        let slots = self.list().clone();
        let mut is_busy = false;
        for slot in slots {
            // A thread that holds the lock is changing its state just now.
            let Some(work) = slot.try_state().and_then(|state| state.work()) else { continue };
            is_busy = true;
            if ends(&work) {
                slot.interrupt(work.id);
            }
        }
        is_busy
    }

    /// Interrupts each thread whose caller has died, and waits until it has closed what it held. Was there any?
    pub(super) fn release(&self, is_dead: impl Fn(&Work) -> bool) -> bool {
        let since = Instant::now();
        let mut was_any = false;
        loop {
            let mut is_any = false;
            for slot in self.list().clone() {
                let work = slot.state().work();
                if let Some(work) = work.filter(&is_dead) {
                    is_any = true;
                    slot.interrupt(work.id);
                }
            }
            if !is_any || since.elapsed() > PATIENCE {
                return was_any;
            }
            was_any = true;
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_helps_is_interrupted_with_the_work_that_it_is_part_of() {
        let slots = Slots::default();
        let (reading, _writing) = rustix::pipe::pipe().unwrap();
        std::thread::scope(|scope| {
            let helper =
                scope.spawn(|| slots.help(7, 1, || rustix::io::read(&reading, &mut [0u8; 1])));
            while !helper.is_finished() {
                slots.interrupt(|work| work.id == 7);
                std::thread::sleep(PAUSE);
            }
            assert_eq!(helper.join().unwrap(), Err(Errno::INTR));
        });
        assert!(slots.list().is_empty());
    }
}
