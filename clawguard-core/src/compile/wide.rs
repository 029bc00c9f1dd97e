//! The order in which the walk goes on where everything beneath is mixed and its budget decides how far.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::region::Place;

/// Names that are visited last when the budget is short: programs do not need them to run.
const LATER: [&[u8]; 6] = [b"share", b"include", b"src", b"doc", b"man", b"locale"];

/// Directories beneath which everything is mixed, nearest first.
#[derive(Default)]
pub(super) struct Wide {
    users: VecDeque<Place>,
    others: VecDeque<Place>,
    later: VecDeque<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// Allowed by a rule of the user.
    Users,
    /// Allowed by presets.
    Others,
}

impl Wide {
    pub(super) fn add(&mut self, queue: Queue, place: Place, name: &[u8]) {
        match queue {
            Queue::Users => self.users.push_back(place),
            Queue::Others if LATER.contains(&name) => self.later.push_back(place),
            Queue::Others => self.others.push_back(place),
        }
    }

    pub(super) fn next(&mut self, queue: Queue) -> Option<Place> {
        match queue {
            Queue::Users => self.users.pop_front(),
            Queue::Others => self.others.pop_front().or_else(|| self.later.pop_front()),
        }
    }
}
