//! The list: entries grouped by run, newest first, one line each; and the same line alone, for `--follow`.
//!
//! Every name is escaped here: the target chose it.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{self, Write};

use clawguard_core::{AbsPath, AccessSet, escape};

use super::clock::Clock;
use super::fold::{Entry, Same, Seen};
use super::reason;
use super::sessions::{Session, Sessions, cut, short};
use crate::journal::{Event, Record, Request, RequestKind};
use crate::known::Secrets;
use crate::paint::Paint;

/// How entries are put into words.
pub(super) struct Words<'a> {
    pub(super) clock: &'a Clock,
    pub(super) paint: Paint,
    pub(super) secrets: Option<Secrets>,
}

/// The cells of a line, before they are aligned.
struct Cells {
    time: String,
    count: String,
    event: &'static str,
    command: String,
    operation: String,
    rest: String,
}

impl Words<'_> {
    /// Prints these entries, newest first, each run once.
    pub(super) fn list(
        &mut self,
        out: &mut impl Write,
        entries: &[Entry],
        sessions: &Sessions,
    ) -> io::Result<()> {
        // In the order of the newest entry of each.
        let mut order: Vec<&str> = Vec::new();
        let mut groups: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            let group = groups.entry(entry.session()).or_default();
            if group.is_empty() {
                order.push(entry.session());
            }
            group.push(entry);
        }
        for (number, name) in order.into_iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            let session = sessions.get(name);
            if let Some(session) = session {
                writeln!(out, "{}", self.heading(name, session))?;
            }
            let group = groups.get(name).into_iter().flatten();
            let cells: Vec<Cells> = group.map(|entry| self.cells(entry, session)).collect();
            write_aligned(out, &cells)?;
        }
        Ok(())
    }

    /// The command line of a run, and how to ask for it.
    fn heading(&self, name: &str, session: &Session) -> String {
        let about = format!(
            "  (run {}, began {}, {})",
            short(name),
            self.clock.show(session.first),
            session.state()
        );
        format!("{}{}", self.paint.bold(&session.command_line()), self.paint.dim(&about))
    }

    fn cells(&mut self, entry: &Entry, session: Option<&Session>) -> Cells {
        let time = entry.time();
        let is_same_day =
            session.is_some_and(|session| self.clock.day(session.first) == self.clock.day(time));
        let time = if is_same_day { self.clock.show_time(time) } else { self.clock.show(time) };
        match entry {
            Entry::Requests(same, seen) => self.request_cells(time, same, *seen),
            Entry::Line(record, _) => line_cells(time, record),
        }
    }

    fn request_cells(&mut self, time: String, same: &Same, seen: Seen) -> Cells {
        let operation = if same.access.is_empty() {
            escape(same.operation.as_bytes())
        } else {
            format!("{} {}", escape(same.operation.as_bytes()), same.access)
        };
        Cells {
            time,
            count: if seen.count > 1 { format!("{}x", seen.count) } else { String::new() },
            event: same.kind.name(),
            command: escape(&same.command),
            operation,
            rest: self.rest(
                same.kind,
                &same.path,
                same.access,
                &same.arguments,
                &reason::of_same(same),
            ),
        }
    }

    /// The path, why, and what it is if it is a secret.
    fn rest(
        &mut self,
        kind: RequestKind,
        path: &[u8],
        access: AccessSet,
        arguments: &[Box<[u8]>],
        reason: &str,
    ) -> String {
        let name = escape(path);
        let name = match kind {
            RequestKind::Denied => self.paint.red(&name),
            RequestKind::Allowed | RequestKind::Executed => name,
        };
        let words: Vec<String> = arguments.iter().skip(1).map(|word| escape(word)).collect();
        let words = if words.is_empty() {
            String::new()
        } else {
            cut(&format!(" {}", words.join(" ")), 200)
        };
        let what = self.what(path, access).map(|what| self.paint.yellow(&format!("  ({what})")));
        let reason = if reason.is_empty() { String::new() } else { format!("  [{reason}]") };
        let reason = self.paint.dim(&reason);
        format!("{name}{words}{reason}{}", what.unwrap_or_default())
    }

    /// What it is, if it is a well-known secret.
    pub(super) fn what(&mut self, path: &[u8], access: AccessSet) -> Option<&'static str> {
        let secrets = self.secrets.as_mut()?;
        let path = AbsPath::parse(path).ok()?;
        let mut found = access.iter().filter_map(|access| secrets.find(&path, access));
        found.next().map(|secret| secret.what)
    }

    /// One line for `--follow`: everything that is needed to understand it alone.
    pub(super) fn line(&mut self, out: &mut impl Write, record: &Record) -> io::Result<()> {
        let time = self.clock.show(record.time);
        let cells = match &record.event {
            Event::Request(kind, request) => self.following(time, *kind, request),
            Event::Started(_) | Event::Ended { .. } | Event::Lost(_) | Event::Unknown => {
                line_cells(time, record)
            }
        };
        let Cells { time, count, event, command, operation, rest } = cells;
        let words =
            [time, short(&record.session), event.to_owned(), count, command, operation, rest];
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        writeln!(out, "{}", words.join("  "))
    }

    fn following(&mut self, time: String, kind: RequestKind, request: &Request) -> Cells {
        let why = reason::of_request(kind, request);
        Cells {
            time,
            count: if request.count > 1 { format!("{}x", request.count) } else { String::new() },
            event: kind.name(),
            command: escape(&request.command),
            operation: format!("{} {}", escape(request.operation.as_bytes()), request.access),
            rest: self.rest(kind, &request.path, request.access, &request.arguments, &why),
        }
    }
}

fn line_cells(time: String, record: &Record) -> Cells {
    let (event, rest) = match &record.event {
        Event::Started(start) => {
            let mode = escape(start.mode.as_bytes());
            ("started", format!("policy {}, mode {mode}", escape(&start.policy)))
        }
        Event::Ended { status: Some(status), denials, .. } => {
            ("ended", format!("with {status}, {denials} denied"))
        }
        Event::Ended { signal: Some(signal), denials, .. } => {
            ("ended", format!("by signal {signal}, {denials} denied"))
        }
        Event::Ended { denials, .. } => ("ended", format!("{denials} denied")),
        Event::Lost(count) => ("lost", format!("{count} lines could not be written")),
        Event::Request(..) | Event::Unknown => ("", String::new()),
    };
    let empty = String::new;
    Cells { time, count: empty(), event, command: empty(), operation: empty(), rest }
}

fn write_aligned(out: &mut impl Write, all: &[Cells]) -> io::Result<()> {
    let width = |cell: fn(&Cells) -> &str| {
        all.iter().map(|cells| cell(cells).chars().count()).max().unwrap_or(0)
    };
    let time = width(|cells| &cells.time);
    let count = width(|cells| &cells.count);
    let command = width(|cells| &cells.command);
    let operation = width(|cells| &cells.operation);
    // The kind of event is only told where there is more than one.
    let is_mixed = all.iter().any(|cells| cells.event != all[0].event || cells.command.is_empty());
    let event = if is_mixed { width(|cells| cells.event) } else { 0 };
    for cells in all {
        write!(out, "  {:time$}", cells.time)?;
        if count > 0 {
            write!(out, "  {:>count$}", cells.count)?;
        }
        if event > 0 {
            write!(out, "  {:event$}", cells.event)?;
        }
        if !cells.command.is_empty() || !cells.operation.is_empty() {
            write!(out, "  {:command$}  {:operation$}", cells.command, cells.operation)?;
        }
        writeln!(out, "  {}", cells.rest)?;
    }
    Ok(())
}
