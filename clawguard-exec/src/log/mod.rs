//! `log`: reads the journal and answers a person: what was denied, where, by which rule, and what to do next.
//!
//! Reads and never judges; the one thing that it writes is the page of `--html`. Every name is the target's choice and
//! is escaped wherever it goes.

#![forbid(unsafe_code)]

mod arguments;
mod branches;
mod clock;
mod filter;
mod fold;
mod follow;
mod html;
mod json;
mod list;
mod reason;
mod remarks;
mod sessions;
mod since;
mod stats;
mod suggest;
mod tree;

use std::io::{BufWriter, Write};

use clawguard_core::{Host, escape};

use self::arguments::EventArgument;
pub(crate) use self::arguments::LogArguments;
use self::clock::Clock;
use self::filter::Filter;
use self::fold::Fold;
use self::follow::{Follower, Form};
use self::list::Words;
use self::sessions::Sessions;
use self::stats::Stats;
use self::tree::Tree;
use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::journal::{Event, Journal, Record, Unreadable};
use crate::known::Secrets;
use crate::paint::Paint;

/// Rows of the list, lines that `--follow` begins with, commands of the statistics.
const ROWS: usize = 20;
const FOLLOWED: usize = 10;
const COMMANDS: usize = 10;
/// Paths of each command in the statistics.
const PATHS: usize = 5;
/// Rows of one directory in the tree.
const BREADTH: usize = 12;

pub(crate) fn log(cli: &Cli, arguments: &LogArguments) -> Result<Exit, Failure> {
    let host = Host::current()?;
    let file = arguments.file.as_deref().or(cli.log.as_deref());
    let journal = Journal::locate(&host, file)?;
    let clock = if arguments.utc { Clock::utc() } else { Clock::local() };
    let filter = Filter::new(arguments, &host, &clock)?;
    let filter = last_session(filter, &journal)?;
    let is_narrow = filter.is_narrow();
    let log = Log { cli, arguments, host: &host, journal: &journal, clock: &clock, is_narrow };
    match &arguments.html {
        Some(file) => log.html(filter, file),
        None if arguments.follow => log.follow(filter),
        None if arguments.suggest => log.suggest(filter),
        None if arguments.tree => log.tree(filter),
        None if arguments.stats => log.stats(filter),
        None => log.list(filter),
    }
}

/// `--session last` is the run whose first line came last, whether anything was denied in it or not.
fn last_session(filter: Filter, journal: &Journal) -> Result<Filter, Failure> {
    if !filter.wants_last_session() {
        return Ok(filter);
    }
    let mut sessions = Sessions::default();
    for record in journal.read()? {
        sessions.note(&record?);
    }
    Ok(match sessions.newest() {
        Some(newest) => filter.with_session(newest.to_owned()),
        None => filter,
    })
}

/// What was read besides the lines that were asked for.
struct Read {
    sessions: Sessions,
    unreadable: Unreadable,
    /// Lines that the writer lost.
    lost: u64,
    matching: u64,
    records: u64,
}

struct Log<'a> {
    cli: &'a Cli,
    arguments: &'a LogArguments,
    host: &'a Host,
    journal: &'a Journal,
    clock: &'a Clock,
    /// There are conditions besides the kind of event.
    is_narrow: bool,
}

impl Log<'_> {
    /// Hands every line that is asked for to `take`, oldest first.
    fn read(&self, mut filter: Filter, mut take: impl FnMut(&Record)) -> Result<Read, Failure> {
        let mut read = Read {
            sessions: Sessions::default(),
            unreadable: Unreadable::default(),
            lost: 0,
            matching: 0,
            records: 0,
        };
        let mut reader = self.journal.read()?;
        for record in &mut reader {
            let record = record?;
            read.records += 1;
            read.sessions.note(&record);
            if let Event::Lost(count) = record.event {
                read.lost += count;
            }
            if filter.matches(&record, &read.sessions) {
                read.matching += 1;
                take(&record);
            }
        }
        read.unreadable = reader.unreadable();
        self.tell(&read);
        Ok(read)
    }

    fn list(&self, filter: Filter) -> Result<Exit, Failure> {
        let mut fold = Fold::default();
        let wants_denials = filter.wants(EventArgument::Denied);
        let read = self.read(filter, |record| fold.add(record))?;
        let entries = fold.finish();
        if entries.is_empty() {
            self.nothing(&read);
            return Ok(Exit::Done);
        }
        let shown = &entries[..self.rows(ROWS).min(entries.len())];
        let mut out = BufWriter::new(std::io::stdout().lock());
        if self.arguments.json {
            for entry in shown {
                json::entry(&mut out, entry)?;
            }
        } else {
            let mut words = self.words();
            words.list(&mut out, shown, &read.sessions)?;
        }
        out.flush()?;
        let left = entries.len() - shown.len();
        if left > 0 {
            self.note(&format!(
                "{left} older rows are not shown; -n {} shows all {}",
                0,
                entries.len()
            ));
        }
        if !self.arguments.json {
            self.note(&format!("newest first, times are {}", self.clock.name()));
            if wants_denials {
                self.note("next: --tree shows where, --stats which command; `clawguard-exec check PATH` says which line decides now");
            }
        }
        Ok(Exit::Done)
    }

    fn tree(&self, filter: Filter) -> Result<Exit, Failure> {
        let mut tree = Tree::default();
        let read = self.read(filter, |record| {
            if let Event::Request(kind, request) = &record.event {
                tree.add(*kind, request);
            }
        })?;
        if tree.counts.total() == 0 {
            self.nothing(&read);
            return Ok(Exit::Done);
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        if self.arguments.json {
            tree.paths(&mut |path, counts| json::path(&mut out, path, counts))?;
        } else {
            let row = tree.rows(self.arguments.depth, self.rows(BREADTH));
            branches::write(&mut out, &row, Paint::stdout())?;
        }
        out.flush()?;
        if !self.arguments.json {
            self.note(
                "next: --depth N shows more levels, -n 0 all rows, --path DIRECTORY one part",
            );
        }
        Ok(Exit::Done)
    }

    fn stats(&self, filter: Filter) -> Result<Exit, Failure> {
        let mut stats = Stats::default();
        let read = self.read(filter, |record| stats.add(record))?;
        let lines = self.rows(COMMANDS);
        let mut out = BufWriter::new(std::io::stdout().lock());
        if self.arguments.json {
            json::stats(&mut out, &stats, lines, PATHS)?;
        } else if stats.is_empty() {
            self.nothing(&read);
        } else {
            stats.write(&mut out, self.clock, Paint::stdout(), lines, PATHS)?;
        }
        out.flush()?;
        let left = stats.commands().len().saturating_sub(lines);
        if left > 0 {
            self.note(&format!("{left} commands with fewer denials are not shown; -n 0 shows all"));
        }
        if !self.arguments.json && !stats.is_empty() {
            self.note(&format!("times are {}", self.clock.name()));
            self.note("next: --command NAME shows what one of them was denied");
        }
        Ok(Exit::Done)
    }

    fn follow(&self, filter: Filter) -> Result<Exit, Failure> {
        let form = if self.arguments.json { Form::Json } else { Form::Text };
        let out = std::io::stdout();
        let follower = Follower::new(self.journal, filter, self.words(), form, out);
        follower.run(self.rows(FOLLOWED))?;
        Ok(Exit::Done)
    }

    /// The conditions, as they were typed.
    fn conditions(&self) -> String {
        let arguments = self.arguments;
        let text = |text: &std::ffi::OsString| escape(text.as_encoded_bytes());
        let since = arguments.since.map(|since| self.clock.show(since.moment(self.clock.zone())));
        let all = [
            ("--since", since),
            ("--session", arguments.session.as_ref().map(|session| escape(session.as_bytes()))),
            ("--path", arguments.path.as_ref().map(text)),
            ("--command", arguments.command.as_ref().map(text)),
            ("--rule", arguments.rule.as_ref().map(text)),
        ];
        let given = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(" ")
    }

    fn words(&self) -> Words<'_> {
        // Knowing them is a help; a host that they cannot be resolved on still has a journal.
        let secrets = Secrets::new(self.host).ok();
        Words { clock: self.clock, paint: Paint::stdout(), secrets }
    }

    /// What `-n` says; 0 is all.
    fn rows(&self, default: usize) -> usize {
        match self.arguments.lines {
            None => default,
            Some(0) => usize::MAX,
            Some(lines) => lines,
        }
    }
}
