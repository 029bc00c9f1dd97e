//! `--follow`: what is there already, oldest first, and then what comes, across rotations.
//!
//! Looks at the name a few times a second: a journal that does not exist yet, or that is put away, needs no more. It
//! must never stop because of a line.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::filter::Filter;
use super::json;
use super::list::Words;
use super::sessions::Sessions;
use crate::exit::Failure;
use crate::journal::{Journal, Lines, Open, Record};
use crate::report;

/// Between two looks.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// How a line is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

/// What is followed, how far it was read, and how it is printed.
pub(super) struct Follower<'a, W> {
    journal: &'a Journal,
    filter: Filter,
    words: Words<'a>,
    form: Form,
    out: W,
    sessions: Sessions,
    present: Option<Present>,
}

/// The file that is read, by device and inode.
struct Present {
    id: (u64, u64),
    lines: Lines<BufReader<File>>,
}

impl<'a, W: Write + AsFd> Follower<'a, W> {
    pub(super) fn new(
        journal: &'a Journal,
        filter: Filter,
        words: Words<'a>,
        form: Form,
        out: W,
    ) -> Follower<'a, W> {
        let sessions = Sessions::default();
        Follower { journal, filter, words, form, out, sessions, present: None }
    }

    /// Prints the last `lines` that are there, and then what comes. Ends when nobody reads its output any more.
    pub(super) fn run(mut self, lines: usize) -> Result<(), Failure> {
        let mut found = self.catch_up(lines)?;
        if self.present.is_none() {
            let path = clawguard_core::escape(self.journal.path().as_os_str().as_encoded_bytes());
            report::line(&format!("{path}: there is no journal yet; waiting for it"));
        }
        loop {
            for record in found {
                match self.form {
                    Form::Text => self.words.line(&mut self.out, &record)?,
                    Form::Json => json::record(&mut self.out, &record)?,
                }
            }
            self.out.flush()?;
            if !self.wait() {
                return Ok(());
            }
            found = self.catch_up(usize::MAX)?;
        }
    }

    /// The last `keep` of the lines that are wanted and that have come since the last look.
    fn catch_up(&mut self, keep: usize) -> Result<VecDeque<Record>, Failure> {
        let mut found = VecDeque::new();
        self.drain(keep, &mut found)?;
        let named = std::fs::metadata(self.journal.path());
        let named = named.ok().map(|metadata| (metadata.dev(), metadata.ino()));
        let present = self.present.as_ref().map(|present| present.id);
        // Put away, and no new one made yet: what is open may still grow.
        if named == present || (named.is_none() && present.is_some()) {
            return Ok(found);
        }
        let files = self.journal.open()?;
        let known = files.iter().position(|open| Some(open.id) == present);
        let passed = match (present, known) {
            (Some(_), Some(at)) => at + 1,
            // It was removed: of those that are there only the present one is surely new.
            (Some(_), None) => files.len().saturating_sub(1),
            (None, _) => 0,
        };
        for Open { file, id, .. } in files.into_iter().skip(passed) {
            // What was written between the last look and the rotation.
            self.drain(keep, &mut found)?;
            self.present = Some(Present { id, lines: Lines::new(BufReader::new(file)) });
        }
        self.drain(keep, &mut found)?;
        Ok(found)
    }

    fn drain(&mut self, keep: usize, found: &mut VecDeque<Record>) -> Result<(), Failure> {
        let Some(present) = &mut self.present else { return Ok(()) };
        while let Some(record) = present.lines.next_record()? {
            self.sessions.note(&record);
            if keep > 0 && self.filter.matches(&record, &self.sessions) {
                if found.len() == keep {
                    found.pop_front();
                }
                found.push_back(record);
            }
        }
        Ok(())
    }

    /// Waits a moment; false if nobody reads our output any more.
    fn wait(&self) -> bool {
        // A pipe whose reader is gone is an error, though nothing is asked for (poll(2)).
        let mut output = [PollFd::new(&self.out, PollFlags::empty())];
        match poll(&mut output, Some(&PAUSE)) {
            Ok(0) | Err(_) => true,
            Ok(_) => !output[0].revents().contains(PollFlags::ERR),
        }
    }
}
