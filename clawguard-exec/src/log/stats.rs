//! Statistics: per command, how many processes, what became of their requests, and what was denied most often.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

use clawguard_core::{AccessSet, escape};
use jiff::Timestamp;

use super::clock::Clock;
use crate::journal::{Event, Record, RequestKind};
use crate::paint::Paint;

/// Of one command.
#[derive(Debug, Default)]
pub(super) struct Command {
    processes: HashSet<(u32, u32)>,
    counts: [u64; 3],
    // The keys are the target's choice, so the standard library's hasher is used.
    denied: HashMap<(Box<[u8]>, AccessSet), u64>,
    executed: HashMap<Box<[u8]>, u64>,
}

/// A path, what was asked for, and how often.
pub(super) type Often<'a> = (&'a [u8], AccessSet, u64);

impl Command {
    pub(super) fn processes(&self) -> usize {
        self.processes.len()
    }

    pub(super) fn count(&self, kind: RequestKind) -> u64 {
        self.counts[kind.index()]
    }

    /// What was denied most often; of equals the first by name.
    pub(super) fn denied(&self) -> Vec<Often<'_>> {
        let all = self.denied.iter().map(|((path, access), count)| (&**path, *access, *count));
        sorted(all)
    }

    /// The programs that it executed, most often first.
    pub(super) fn executed(&self) -> Vec<Often<'_>> {
        sorted(self.executed.iter().map(|(path, count)| (&**path, AccessSet::EMPTY, *count)))
    }
}

fn sorted<'a>(all: impl Iterator<Item = Often<'a>>) -> Vec<Often<'a>> {
    let mut all: Vec<Often<'a>> = all.collect();
    all.sort_unstable_by_key(|(path, access, count)| (Reverse(*count), *path, *access));
    all
}

/// Of all lines that were asked for.
#[derive(Debug, Default)]
pub(super) struct Stats {
    sessions: HashMap<String, u32>,
    commands: BTreeMap<Box<[u8]>, Command>,
    counts: [u64; 3],
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

impl Stats {
    pub(super) fn add(&mut self, record: &Record) {
        let Event::Request(kind, request) = &record.event else { return };
        self.first = self.first.into_iter().chain([record.time]).min();
        self.last = self.last.max(Some(record.time));
        let next = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        let session = match self.sessions.get(&record.session) {
            Some(session) => *session,
            None => *self.sessions.entry(record.session.clone()).or_insert(next),
        };
        if !self.commands.contains_key(&request.command) {
            self.commands.insert(request.command.clone(), Command::default());
        }
        let Some(command) = self.commands.get_mut(&request.command) else { return };
        command.processes.insert((session, request.pid));
        for counts in [&mut command.counts, &mut self.counts] {
            let count = &mut counts[kind.index()];
            *count = count.saturating_add(request.count);
        }
        match kind {
            RequestKind::Denied => {
                let key = (request.path.clone(), request.access);
                *command.denied.entry(key).or_default() += request.count;
            }
            RequestKind::Executed => {
                *command.executed.entry(request.path.clone()).or_default() += request.count;
            }
            RequestKind::Allowed => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub(super) fn count(&self, kind: RequestKind) -> u64 {
        self.counts[kind.index()]
    }

    /// How many runs these requests come from.
    pub(super) fn runs(&self) -> usize {
        self.sessions.len()
    }

    /// Is there a request of this run?
    pub(super) fn has_run(&self, name: &str) -> bool {
        self.sessions.contains_key(name)
    }

    /// The programs that were executed by any command, most often first.
    pub(super) fn programs(&self) -> Vec<Often<'_>> {
        let mut all: BTreeMap<&[u8], u64> = BTreeMap::new();
        for command in self.commands.values() {
            for (path, count) in &command.executed {
                *all.entry(path).or_default() += count;
            }
        }
        sorted(all.into_iter().map(|(path, count)| (path, AccessSet::EMPTY, count)))
    }

    /// The commands, those with the most denials first.
    pub(super) fn commands(&self) -> Vec<(&[u8], &Command)> {
        let mut all: Vec<(&[u8], &Command)> =
            self.commands.iter().map(|(name, command)| (&**name, command)).collect();
        all.sort_by_key(|(_, command)| Reverse((command.counts, command.processes())));
        all
    }

    /// Prints so many commands, each with so many of its paths.
    pub(super) fn write(
        &self,
        out: &mut impl Write,
        clock: &Clock,
        paint: Paint,
        lines: usize,
        paths: usize,
    ) -> io::Result<()> {
        let [denied, allowed, executed] = self.counts;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let runs = self.runs();
            let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
            let (first, last) = (clock.show_minute(first), clock.show_minute(last));
            writeln!(
                out,
                "{runs} from {first} to {last}: {denied} denied, {allowed} allowed, {executed} executed\n"
            )?;
        }
        let commands = self.commands();
        let shown = &commands[..lines.min(commands.len())];
        let names: Vec<String> = shown.iter().map(|(name, _)| escape(name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(7);
        let heading = format!("{:width$}  processes    denied   allowed  executed", "command");
        writeln!(out, "{}", paint.bold(&heading))?;
        for (name, (_, command)) in names.iter().zip(shown) {
            let [denied, allowed, executed] = command.counts;
            let processes = command.processes();
            writeln!(
                out,
                "{name:width$}  {processes:>9}  {denied:>8}  {allowed:>8}  {executed:>8}"
            )?;
            for (path, access, count) in command.denied().into_iter().take(paths) {
                let path = paint.red(&escape(path));
                writeln!(out, "    {count:>6}x denied   {:3}  {path}", access.to_string())?;
            }
            for (path, _, count) in command.executed().into_iter().take(paths) {
                writeln!(out, "    {count:>6}x executed      {}", escape(path))?;
            }
        }
        Ok(())
    }
}
