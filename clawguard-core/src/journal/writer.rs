//! The thread that writes: it takes events from the queue, counts them and turns them into lines.
//!
//! Only this thread waits for the disk. It must never stop because of it.

#![forbid(unsafe_code)]

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use super::alert::LONGEST;
use super::event::{Event, Kind, Outcome};
use super::line::{Arguments, Beginning, Line, Request, rfc3339};
use super::repeat::{Denial, Noted, Repeats, Seen};
use super::store::Sink;
use super::summary::{Summary, Tally};
use super::{Alerts, Counters, JournalError, QUEUE, Refusal, Rules, Teller};

/// After a batch the writer sleeps, so that a flood wakes it once for hundreds of events; `finish` ends the sleep.
const NAP: Duration = Duration::from_millis(5);

/// How long a file that could not be opened again is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// What is taken from the queue at one time. No less than it holds, so that the last batch has all that came before.
const BATCH: usize = QUEUE + 1;

/// What stands in the queue.
#[derive(Debug)]
pub(super) enum Item {
    Event {
        event: Event,
        time: SystemTime,
        omitted: usize,
    },
    Started {
        policy: Box<[u8]>,
        mode: &'static str,
        arguments: Vec<Box<[u8]>>,
        omitted: usize,
    },
    Ended(ExitStatus),
    /// Wakes the writer; that it is to stop is said elsewhere.
    Stop,
}

/// Lines, and the account of those that were lost.
struct Output<S> {
    sink: S,
    session: Arc<str>,
    teller: Arc<Teller>,
    counters: Arc<Counters>,
    rules: Arc<Rules>,
    buffer: Vec<u8>,
    /// Lost since the last line that told so.
    untold: u64,
    lost: u64,
    gate: Gate,
}

/// May lines be written?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Not before this time: the file could not be opened again.
    Paused(Instant),
    /// Never: the journal could not be opened.
    Closed,
}

/// The writer, on its thread.
pub(super) struct Writer<S> {
    output: Output<S>,
    alerts: Option<Alerts>,
    repeats: Repeats,
    tally: Tally,
}

impl<S: Sink> Output<S> {
    fn write(&mut self, line: &Line<'_>) {
        let written = self.tell_lost() && self.try_append(line);
        if !written {
            self.untold += 1;
            self.lost += 1;
        }
    }

    /// Writes how many lines were lost; false if nothing can be written.
    fn tell_lost(&mut self) -> bool {
        let overrun = self.counters.take_lost();
        self.untold += overrun;
        self.lost += overrun;
        if self.gate != Gate::Open {
            return false;
        }
        if self.untold > 0 {
            let session = Arc::clone(&self.session);
            let mut line = Line::new(&session, "lost", SystemTime::now());
            line.count = Some(self.untold);
            if !self.try_append(&line) {
                return false;
            }
            self.untold = 0;
        }
        true
    }

    fn try_append(&mut self, line: &Line<'_>) -> bool {
        let result = self.append(line);
        if let Err(error) = &result {
            self.teller.tell(error);
        }
        result.is_ok()
    }

    fn append(&mut self, line: &Line<'_>) -> Result<(), JournalError> {
        line.write(&mut self.buffer).map_err(JournalError::Line)?;
        if let Err(error) = self.sink.make_room(self.buffer.len() as u64) {
            self.teller.tell(&error);
        }
        self.sink.append(&self.buffer)
    }

    fn refresh(&mut self) {
        match self.gate {
            Gate::Closed => return,
            Gate::Paused(until) if until > Instant::now() => return,
            Gate::Open | Gate::Paused(_) => self.gate = Gate::Open,
        }
        if let Err(error) = self.sink.refresh() {
            self.teller.tell(&error);
            self.gate = Gate::Paused(Instant::now() + PAUSE);
        }
    }
}

impl<S: Sink> Writer<S> {
    pub(super) fn new(
        sink: S,
        session: Arc<str>,
        rules: Arc<Rules>,
        teller: Arc<Teller>,
        counters: Arc<Counters>,
        gate: Gate,
    ) -> Writer<S> {
        let output = Output {
            sink,
            session,
            teller,
            counters,
            rules,
            buffer: Vec::new(),
            untold: 0,
            lost: 0,
            gate,
        };
        Writer { output, alerts: None, repeats: Repeats::default(), tally: Tally::default() }
    }

    /// Tells denials there as well.
    pub(super) fn alerting(mut self, alerts: Option<Alerts>) -> Writer<S> {
        self.alerts = alerts;
        self
    }

    /// Writes until it is told to stop, or until nobody is left who could tell.
    pub(super) fn run(mut self, queue: &Receiver<Item>) -> Summary {
        if let Err(error) = self.output.sink.prune() {
            self.output.teller.tell(&error);
        }
        loop {
            // Asked before the queue is emptied, so that all that was put in before the word to stop is taken out.
            let first = if self.output.counters.is_stopped() {
                Err(RecvTimeoutError::Disconnected)
            } else {
                match self.repeats.soonest() {
                    None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    Some(soonest) => {
                        queue.recv_timeout(soonest.saturating_duration_since(Instant::now()))
                    }
                }
            };
            let is_last = matches!(first, Err(RecvTimeoutError::Disconnected));
            self.output.refresh();
            let more = std::iter::from_fn(|| queue.try_recv().ok());
            let mut taken = 0;
            for item in first.into_iter().chain(more).take(BATCH) {
                self.take(item);
                taken += 1;
            }
            let (output, tally) = (&mut self.output, &mut self.tally);
            self.repeats
                .expire(Instant::now(), |denial, seen| repeated(output, tally, denial, seen));
            if is_last {
                return self.end();
            }
            if taken < BATCH {
                std::thread::park_timeout(NAP);
            }
        }
    }

    fn end(mut self) -> Summary {
        self.flush();
        self.output.tell_lost();
        let lost_denials = self.output.counters.lost_denials();
        self.tally.finish(&self.output.rules, lost_denials, self.output.lost)
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Event { event, time, omitted } => {
                self.output.counters.taken(event.cost());
                self.event(event, time, omitted);
            }
            Item::Started { policy, mode, arguments, omitted } => {
                let session = Arc::clone(&self.output.session);
                let mut line = Line::new(&session, "started", SystemTime::now());
                line.start = Some(Beginning::new(&policy, mode));
                line.arguments = Some(Arguments::new(&arguments, omitted));
                self.output.write(&line);
            }
            Item::Ended(status) => {
                self.flush();
                let session = Arc::clone(&self.output.session);
                let mut line = Line::new(&session, "ended", SystemTime::now());
                line.status = status.code();
                line.signal = status.signal();
                line.denials = Some(self.tally.total() + self.output.counters.lost_denials());
                line.lost = Some(self.output.lost + self.output.counters.waiting_lost());
                self.output.write(&line);
            }
            Item::Stop => {}
        }
    }

    fn event(&mut self, event: Event, time: SystemTime, omitted: usize) {
        let (rule, errno, refusal) = match event.outcome {
            Outcome::Denied { rule, errno, refusal } => (rule, errno, refusal),
            Outcome::Allowed { rule } => {
                let name = match event.kind() {
                    Kind::Command => "executed",
                    Kind::Access | Kind::Denial => "allowed",
                };
                let session = Arc::clone(&self.output.session);
                let rules = Arc::clone(&self.output.rules);
                let mut line = Line::new(&session, name, time);
                line.pid = Some(event.pid);
                line.request = Some(Request::new(
                    &event.command,
                    event.operation,
                    &event.path,
                    event.access.to_string(),
                    rule.map(|rule| (&*rules, rule)),
                ));
                line.arguments = event.arguments.map(|all| Arguments::new(&all, omitted));
                self.output.write(&line);
                return;
            }
        };
        let Event { pid, command, operation, path, access, arguments, .. } = event;
        let denial =
            Denial { command, operation, path, access, rule, errno, refusal, arguments, omitted };
        self.tally.note_last(&denial);
        self.alert(&denial, Seen { count: 0, pid, time });
        if let Noted::First(denial) = self.repeats.note(denial, pid, time) {
            if self.repeats.is_full() {
                self.flush();
            }
            denied(&mut self.output, &denial, Seen { count: 0, pid, time });
            self.tally.add(&denial, 1);
            self.repeats.remember(denial, pid, time, Instant::now());
        }
    }

    /// Tells a denial to the one who runs `on_denied`, if it is time.
    fn alert(&mut self, denial: &Denial, seen: Seen) {
        let Some(alerts) = &mut self.alerts else { return };
        let now = Instant::now();
        let Some(before) = alerts.is_due(denial.rule, &self.output.rules, now) else { return };
        let (session, rules) = (Arc::clone(&self.output.session), Arc::clone(&self.output.rules));
        let mut line = line_of(denial, seen, &session, &rules);
        line.suppressed = Some(before);
        let mut bytes = Vec::new();
        let mut written = line.write(&mut bytes);
        if bytes.len() > LONGEST {
            line.arguments = None;
            written = line.write(&mut bytes);
        }
        if written.is_ok() {
            alerts.tell(denial.rule, &bytes, before, now);
        }
    }

    fn flush(&mut self) {
        let (output, tally) = (&mut self.output, &mut self.tally);
        self.repeats.flush(|denial, seen| repeated(output, tally, denial, seen));
    }
}

fn repeated<S: Sink>(output: &mut Output<S>, tally: &mut Tally, denial: &Denial, seen: Seen) {
    tally.add(denial, seen.count);
    denied(output, denial, seen);
}

fn denied<S: Sink>(output: &mut Output<S>, denial: &Denial, seen: Seen) {
    let session = Arc::clone(&output.session);
    let rules = Arc::clone(&output.rules);
    output.write(&line_of(denial, seen, &session, &rules));
}

/// The line of a denial; a count stands for so many more of them.
fn line_of<'a>(denial: &'a Denial, seen: Seen, session: &'a str, rules: &'a Rules) -> Line<'a> {
    let mut line = Line::new(session, "denied", seen.time);
    line.pid = Some(seen.pid);
    line.request = Some(Request::new(
        &denial.command,
        denial.operation,
        &denial.path,
        denial.access.to_string(),
        denial.rule.map(|rule| (rules, rule)),
    ));
    line.refused = denial.refusal.map(Refusal::word);
    line.errno = Some(denial.errno);
    line.count = (seen.count > 0).then_some(seen.count);
    line.arguments = denial.arguments.as_ref().map(|all| Arguments::new(all, denial.omitted));
    line
}

/// The name of a run: its process and its start.
pub(super) fn session() -> String {
    format!("{}-{}", std::process::id(), rfc3339(SystemTime::now()))
}
