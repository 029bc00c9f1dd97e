//! What programs read of `log`. Field names and their order are a promise; those that the journal has mean the same.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{Access, AccessSet};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::fold::{Entry, Same, Seen};
use super::stats::{Command, Often, Stats};
use super::tree::Counts;
use crate::journal::{Event, Record, Request, RequestKind};
use crate::json::text;
use crate::propose::{Edited, Present, Proposal, Reason};

/// One row of the list, or one line of `--follow`.
#[derive(Debug, Default, Serialize)]
struct Row<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    session: &'a str,
    event: &'static str,
    #[serde(flatten)]
    request: Option<RequestOf<'a>>,
    #[serde(flatten)]
    start: Option<StartOf<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arguments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments_base64: Option<Vec<Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denials: Option<u64>,
}

#[derive(Debug, Serialize)]
struct RequestOf<'a> {
    pid: u32,
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_base64: Option<String>,
    operation: &'a str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    access: String,
    rule: Option<RuleOf<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct RuleOf<'a> {
    effect: &'a str,
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern_base64: Option<String>,
    origin: &'a str,
    line: Option<u32>,
}

#[derive(Debug, Serialize)]
struct StartOf<'a> {
    version: &'a str,
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_base64: Option<String>,
    mode: &'a str,
}

/// An entry of the list; `time` is that of the last request, `first` that of the first.
pub(super) fn entry(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::Requests(same, seen) => line(out, &requests(same, *seen)),
        Entry::Line(record, _) => self::record(out, record),
    }
}

/// A line of the journal.
pub(super) fn record(out: &mut impl Write, record: &Record) -> io::Result<()> {
    let mut row = Row { time: time(record.time), session: &record.session, ..Row::default() };
    match &record.event {
        Event::Request(kind, request) => {
            row.event = kind.name();
            row.request = Some(request_of(request));
            row.errno = request.errno;
            row.count = Some(request.count);
            (row.arguments, row.arguments_base64) = arguments(&request.arguments);
        }
        Event::Started(start) => {
            let (policy, policy_base64) = text(&start.policy);
            let (version, mode) = (&start.version, &start.mode);
            row.event = "started";
            row.start = Some(StartOf { version, policy, policy_base64, mode });
            (row.arguments, row.arguments_base64) = arguments(&start.arguments);
        }
        Event::Ended { status, signal, denials } => {
            row.event = "ended";
            (row.status, row.signal, row.denials) = (*status, *signal, Some(*denials));
        }
        Event::Lost(count) => {
            row.event = "lost";
            row.count = Some(*count);
        }
        Event::Unknown => return Ok(()),
    }
    line(out, &row)
}

fn requests<'a>(same: &'a Same, seen: Seen) -> Row<'a> {
    let (arguments, arguments_base64) = arguments(&same.arguments);
    let (command, command_base64) = text(&same.command);
    let (path, path_base64) = text(&same.path);
    Row {
        time: time(seen.last),
        first: Some(time(seen.first)),
        session: &same.session,
        event: same.kind.name(),
        request: Some(RequestOf {
            pid: seen.pid,
            command,
            command_base64,
            operation: &same.operation,
            path,
            path_base64,
            access: same.access.to_string(),
            rule: same.rule.as_deref().map(rule_of),
            refused: same.refused.as_deref(),
        }),
        errno: same.errno,
        count: Some(seen.count),
        arguments,
        arguments_base64,
        ..Row::default()
    }
}

fn request_of(request: &Request) -> RequestOf<'_> {
    let (command, command_base64) = text(&request.command);
    let (path, path_base64) = text(&request.path);
    RequestOf {
        pid: request.pid,
        command,
        command_base64,
        operation: &request.operation,
        path,
        path_base64,
        access: request.access.to_string(),
        rule: request.rule.as_ref().map(rule_of),
        refused: request.refused.as_deref(),
    }
}

fn rule_of(rule: &crate::journal::Rule) -> RuleOf<'_> {
    let (pattern, pattern_base64) = text(&rule.pattern);
    RuleOf { effect: &rule.effect, pattern, pattern_base64, origin: &rule.origin, line: rule.line }
}

fn arguments(all: &[Box<[u8]>]) -> (Vec<String>, Option<Vec<Option<String>>>) {
    let (texts, twins): (Vec<_>, Vec<_>) = all.iter().map(|argument| text(argument)).unzip();
    let twins = twins.iter().any(Option::is_some).then_some(twins);
    (texts, twins)
}

/// How often each access was asked for.
#[derive(Debug, Serialize)]
struct Letters {
    r: u64,
    w: u64,
    x: u64,
}

impl Letters {
    fn new(counts: &Counts, kind: RequestKind) -> Letters {
        let get = |access| counts.get(kind, access);
        Letters { r: get(Access::Read), w: get(Access::Write), x: get(Access::Execute) }
    }
}

/// A path of the tree, with what was asked for of itself.
#[derive(Debug, Serialize)]
struct Path {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    denied: Letters,
    allowed: Letters,
    executed: Letters,
}

/// A line of `--tree`.
pub(super) fn path(out: &mut impl Write, path: &[u8], counts: &Counts) -> io::Result<()> {
    let letters = |kind| Letters::new(counts, kind);
    let (path, path_base64) = text(path);
    let path = Path {
        path,
        path_base64,
        denied: letters(RequestKind::Denied),
        allowed: letters(RequestKind::Allowed),
        executed: letters(RequestKind::Executed),
    };
    line(out, &path)
}

#[derive(Debug, Serialize)]
struct Statistics {
    runs: usize,
    first: Option<String>,
    last: Option<String>,
    denied: u64,
    allowed: u64,
    executed: u64,
    commands: Vec<CommandOf>,
}

#[derive(Debug, Serialize)]
struct CommandOf {
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_base64: Option<String>,
    processes: usize,
    denied: u64,
    allowed: u64,
    executed: u64,
    most_denied: Vec<OftenOf>,
    programs: Vec<OftenOf>,
}

#[derive(Debug, Serialize)]
struct OftenOf {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    access: String,
    count: u64,
}

/// The object of `--stats`: so many commands, each with so many paths.
pub(super) fn stats(
    out: &mut impl Write,
    stats: &Stats,
    lines: usize,
    paths: usize,
) -> io::Result<()> {
    let [denied, allowed, executed] = RequestKind::ALL.map(|kind| stats.count(kind));
    let commands = stats.commands().into_iter().take(lines);
    let object = Statistics {
        runs: stats.runs(),
        first: stats.first.map(time),
        last: stats.last.map(time),
        denied,
        allowed,
        executed,
        commands: commands.map(|(name, command)| command_of(name, command, paths)).collect(),
    };
    line(out, &object)
}

fn command_of(name: &[u8], command: &Command, paths: usize) -> CommandOf {
    let often = |(path, access, count): Often<'_>| {
        let (path, path_base64) = text(path);
        let access: AccessSet = access;
        OftenOf { path, path_base64, access: access.to_string(), count }
    };
    let [denied, allowed, executed] = RequestKind::ALL.map(|kind| command.count(kind));
    let (name, command_base64) = text(name);
    CommandOf {
        command: name,
        command_base64,
        processes: command.processes(),
        denied,
        allowed,
        executed,
        most_denied: command.denied().into_iter().take(paths).map(often).collect(),
        programs: command.executed().into_iter().take(paths).map(often).collect(),
    }
}

#[derive(Debug, Serialize)]
struct ProposalOf {
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_base64: Option<String>,
    policy_exists: bool,
    presets: Vec<&'static str>,
    lines: Vec<LineOf>,
    refused: Vec<RefusedOf>,
    diff: Option<String>,
}

#[derive(Debug, Serialize)]
struct LineOf {
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern_base64: Option<String>,
    access: String,
    paths: usize,
    count: u64,
}

#[derive(Debug, Serialize)]
struct RefusedOf {
    reason: &'static str,
    because: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    access: String,
    count: u64,
}

/// The object of `--suggest`; its fields are those of `learn --json`.
pub(super) fn proposal(
    out: &mut impl Write,
    present: &Present,
    proposal: &Proposal,
) -> io::Result<()> {
    let (policy, policy_base64) = text(present.file.as_os_str().as_bytes());
    let lines = proposal.lines.iter().map(|line| {
        let (pattern, pattern_base64) = text(&line.pattern);
        let (paths, count) = (line.paths, line.count);
        LineOf { pattern, pattern_base64, access: line.access.to_string(), paths, count }
    });
    let refused = proposal.refused.iter().map(|one| {
        let (reason, because) = match &one.reason {
            Reason::Secret(secret) => ("secret", secret.what.to_owned()),
            Reason::Blocked(rule) => ("blocked", rule.clone()),
            Reason::TooWide(why) => ("too_wide", (*why).to_owned()),
        };
        let (path, path_base64) = text(one.wanted.path.as_bytes());
        let (access, count) = (one.wanted.access.to_string(), one.wanted.count);
        RefusedOf { reason, because, path, path_base64, access, count }
    });
    let diff = match &proposal.edited {
        Some(Edited::File { diff, .. }) if present.exists => Some(diff.clone()),
        Some(Edited::File { .. } | Edited::ByHand { .. }) | None => None,
    };
    let object = ProposalOf {
        policy,
        policy_base64,
        policy_exists: present.exists,
        presets: proposal.presets.clone(),
        lines: lines.collect(),
        refused: refused.collect(),
        diff,
    };
    line(out, &object)
}

#[derive(Debug, Serialize)]
struct Page {
    html: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_base64: Option<String>,
    denials: u64,
    rows: usize,
    left_out: usize,
}

/// The object of `--html`.
pub(super) fn page(
    out: &mut impl Write,
    file: &[u8],
    denials: u64,
    rows: usize,
    left_out: usize,
) -> io::Result<()> {
    let (html, html_base64) = text(file);
    line(out, &Page { html, html_base64, denials, rows, left_out })
}

fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// One line, in which no name can act on a terminal: as in the journal.
fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut json = serde_json::Serializer::with_formatter(&mut *out, Plain);
    value.serialize(&mut json)?;
    out.write_all(b"\n")
}

/// JSON in which every character that could act on a terminal is an escape sequence.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for c in fragment.chars() {
            let mut units = [0; 2];
            let mut bytes = [0; 4];
            let is_text = c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric();
            match is_text {
                true => writer.write_all(c.encode_utf8(&mut bytes).as_bytes())?,
                false => {
                    for unit in c.encode_utf16(&mut units) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
