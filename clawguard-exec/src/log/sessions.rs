//! The runs that the journal tells of: what each was started with, and how it ended.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clawguard_core::escape;
use jiff::Timestamp;

use crate::journal::{Event, Record, Start};

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The time of its first line.
    pub(super) first: Timestamp,
    /// The time of its last line so far.
    pub(super) last: Timestamp,
    /// None if its beginning is no longer in the journal.
    pub(super) start: Option<Start>,
    pub(super) end: Option<End>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) status: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) denials: u64,
}

/// All runs, by name.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: BTreeMap<String, Session>,
    /// The run whose first line came last.
    newest: Option<String>,
}

impl Sessions {
    /// Hears of a line.
    pub(super) fn note(&mut self, record: &Record) {
        if !self.all.contains_key(&record.session) {
            let session = Session { first: record.time, last: record.time, start: None, end: None };
            self.all.insert(record.session.clone(), session);
            self.newest = Some(record.session.clone());
        }
        let Some(session) = self.all.get_mut(&record.session) else { return };
        session.first = session.first.min(record.time);
        session.last = session.last.max(record.time);
        match &record.event {
            Event::Started(start) => session.start = Some(start.clone()),
            Event::Ended { status, signal, denials } => {
                session.end = Some(End { status: *status, signal: *signal, denials: *denials });
            }
            Event::Request(..) | Event::Lost(_) | Event::Unknown => {}
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Session> {
        self.all.get(name)
    }

    /// Every run, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Session)> {
        self.all.iter().map(|(name, session)| (name.as_str(), session))
    }

    pub(super) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The last component of what a run was started with.
    pub(super) fn command(&self, name: &str) -> Option<&[u8]> {
        let word = self.get(name)?.start.as_ref()?.arguments.first()?;
        Path::new(std::ffi::OsStr::from_bytes(word)).file_name().map(OsStrExt::as_bytes)
    }
}

impl Session {
    /// The command line, on one line, escaped; long ones are cut.
    pub(super) fn command_line(&self) -> String {
        let Some(start) = &self.start else {
            return "(its start is no longer in the journal)".to_owned();
        };
        let words = start.arguments.iter().map(|word| {
            let is_plain = !word.is_empty()
                && word.iter().all(|byte| !byte.is_ascii_whitespace() && !b"'\"".contains(byte));
            let word = escape(word);
            if is_plain { word } else { format!("'{word}'") }
        });
        cut(&words.collect::<Vec<_>>().join(" "), 120)
    }

    /// How it stands, in words.
    pub(super) fn state(&self) -> String {
        match self.end {
            None => "not ended yet, or ended by force".to_owned(),
            Some(End { status: Some(status), .. }) => format!("ended with {status}"),
            Some(End { signal: Some(signal), .. }) => format!("ended by signal {signal}"),
            Some(End { status: None, signal: None, .. }) => "ended".to_owned(),
        }
    }
}

/// The process number that begins a run's name, which is enough to ask for it.
pub(super) fn short(name: &str) -> String {
    escape(name.split_once('-').map_or(name, |(pid, _)| pid).as_bytes())
}

/// The first characters, and a sign that there are more.
pub(super) fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
