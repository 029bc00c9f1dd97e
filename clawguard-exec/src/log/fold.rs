//! Repeats as one entry: the same request of the same run, how often, first and last.
//!
//! The journal is the target's choice and may be large: what is the same in many entries is kept once.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use clawguard_core::AccessSet;
use jiff::Timestamp;

use crate::journal::{Event, Record, Request, RequestKind, Rule};

/// What makes two requests the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Same {
    pub(super) kind: RequestKind,
    pub(super) session: Rc<str>,
    pub(super) command: Rc<[u8]>,
    pub(super) operation: Rc<str>,
    pub(super) path: Box<[u8]>,
    pub(super) access: AccessSet,
    pub(super) rule: Option<Rc<Rule>>,
    pub(super) refused: Option<Box<str>>,
    pub(super) errno: Option<i32>,
    pub(super) arguments: Vec<Box<[u8]>>,
}

/// How often, when, and by whom last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) count: u64,
    pub(super) pid: u32,
    /// The order of arrival, which tells apart what happened in the same millisecond.
    number: u64,
}

/// One row of the list.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Requests(Same, Seen),
    /// A run's beginning or end, or lines that were lost.
    Line(Record, u64),
}

impl Entry {
    pub(super) fn time(&self) -> Timestamp {
        match self {
            Entry::Requests(_, seen) => seen.last,
            Entry::Line(record, _) => record.time,
        }
    }

    pub(super) fn session(&self) -> &str {
        match self {
            Entry::Requests(same, _) => &same.session,
            Entry::Line(record, _) => &record.session,
        }
    }

    fn order(&self) -> (Timestamp, u64) {
        match self {
            Entry::Requests(_, seen) => (seen.last, seen.number),
            Entry::Line(record, number) => (record.time, *number),
        }
    }
}

/// Entries in the making.
#[derive(Debug, Default)]
pub(super) struct Fold {
    texts: BTreeSet<Rc<str>>,
    names: BTreeSet<Rc<[u8]>>,
    rules: BTreeSet<Rc<Rule>>,
    // The keys are the target's choice, so the standard library's hasher is used.
    requests: HashMap<Same, Seen>,
    lines: Vec<(Record, u64)>,
    number: u64,
}

impl Fold {
    pub(super) fn add(&mut self, record: &Record) {
        self.number += 1;
        let number = self.number;
        match &record.event {
            Event::Request(kind, request) => {
                let (time, pid) = (record.time, request.pid);
                let new = Seen { first: time, last: time, count: 0, pid, number };
                let same = self.same(*kind, &record.session, request);
                let seen = self.requests.entry(same).or_insert(new);
                seen.first = seen.first.min(time);
                seen.last = seen.last.max(time);
                seen.count = seen.count.saturating_add(request.count);
                (seen.pid, seen.number) = (pid, number);
            }
            Event::Started(_) | Event::Ended { .. } | Event::Lost(_) => {
                self.lines.push((record.clone(), number));
            }
            Event::Unknown => {}
        }
    }

    /// All entries, newest first.
    pub(super) fn finish(self) -> Vec<Entry> {
        let requests = self.requests.into_iter().map(|(same, seen)| Entry::Requests(same, seen));
        let lines = self.lines.into_iter().map(|(record, number)| Entry::Line(record, number));
        let mut entries: Vec<Entry> = requests.chain(lines).collect();
        entries.sort_unstable_by_key(|entry| Reverse(entry.order()));
        entries
    }

    fn same(&mut self, kind: RequestKind, session: &str, request: &Request) -> Same {
        Same {
            kind,
            session: once(&mut self.texts, session),
            command: once(&mut self.names, &*request.command),
            operation: once(&mut self.texts, request.operation.as_str()),
            path: request.path.clone(),
            access: request.access,
            rule: request.rule.as_ref().map(|rule| self.rule(rule)),
            refused: request.refused.clone(),
            errno: request.errno,
            arguments: request.arguments.clone(),
        }
    }

    fn rule(&mut self, rule: &Rule) -> Rc<Rule> {
        if let Some(known) = self.rules.get(rule) {
            return Rc::clone(known);
        }
        let new = Rc::new(rule.clone());
        self.rules.insert(Rc::clone(&new));
        new
    }
}

/// The one copy of a text.
fn once<T: ?Sized + Ord>(known: &mut BTreeSet<Rc<T>>, text: &T) -> Rc<T>
where
    for<'a> Rc<T>: From<&'a T>,
{
    if let Some(known) = known.get(text) {
        return Rc::clone(known);
    }
    let new: Rc<T> = Rc::from(text);
    known.insert(Rc::clone(&new));
    new
}
