//! What one line says: typed, with the names as bytes.
//!
//! Field names are the promise of docs/policy.md; what is missing or new never makes a line unreadable, but a line
//! without a time, a session or an event is none.

#![forbid(unsafe_code)]

use base64::Engine;
use clawguard_core::AccessSet;
use jiff::Timestamp;
use serde::Deserialize;

/// A line of the journal.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    /// The run: its process number and its start.
    pub(crate) session: String,
    pub(crate) event: Event,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A run began.
    Started(Start),
    /// One or more requests were decided.
    Request(RequestKind, Request),
    /// So many lines were lost before this one.
    Lost(u64),
    /// A run ended.
    Ended {
        /// The exit code.
        status: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// How many requests were denied.
        denials: u64,
    },
    /// Something that a later version writes.
    Unknown,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RequestKind {
    Denied,
    Allowed,
    /// A program was executed, and its arguments are there.
    Executed,
}

impl RequestKind {
    pub(crate) const ALL: [RequestKind; 3] =
        [RequestKind::Denied, RequestKind::Allowed, RequestKind::Executed];

    /// The event's name, as the journal has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RequestKind::Denied => "denied",
            RequestKind::Allowed => "allowed",
            RequestKind::Executed => "executed",
        }
    }

    /// The place in [`RequestKind::ALL`].
    pub(crate) fn index(self) -> usize {
        match self {
            RequestKind::Denied => 0,
            RequestKind::Allowed => 1,
            RequestKind::Executed => 2,
        }
    }
}

/// What a run begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) version: String,
    /// The policy's file or name.
    pub(crate) policy: Box<[u8]>,
    pub(crate) mode: String,
    /// The command line.
    pub(crate) arguments: Vec<Box<[u8]>>,
}

/// Who asked for what, how often, and the rule that decided.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) pid: u32,
    /// The name of the process, at most 15 bytes: `comm`.
    pub(crate) command: Box<[u8]>,
    /// The system call.
    pub(crate) operation: String,
    /// The real path that was judged.
    pub(crate) path: Box<[u8]>,
    pub(crate) access: AccessSet,
    /// None: nothing allows it, or the operation was refused for what it would have done.
    pub(crate) rule: Option<Rule>,
    /// What it would have done: a word of [`Refusal`](clawguard_core::Refusal), or of a later version.
    pub(crate) refused: Option<Box<str>>,
    pub(crate) errno: Option<i32>,
    /// How many requests this line stands for.
    pub(crate) count: u64,
    pub(crate) arguments: Vec<Box<[u8]>>,
}

/// A rule and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Rule {
    pub(crate) effect: String,
    pub(crate) pattern: Box<[u8]>,
    /// A file, `preset NAME`, `command line` or the built-in part; escaped by the writer.
    pub(crate) origin: String,
    pub(crate) line: Option<u32>,
}

impl Rule {
    /// `FILE:LINE`, or the origin alone.
    pub(crate) fn place(&self) -> String {
        self.line.map_or_else(|| self.origin.clone(), |line| format!("{}:{line}", self.origin))
    }
}

impl Record {
    /// Reads one line; none if it is not a line of a journal.
    pub(crate) fn parse(line: &[u8]) -> Option<Record> {
        let wire: Wire = serde_json::from_slice(line).ok()?;
        let time: Timestamp = wire.time.parse().ok()?;
        let session = wire.session.clone();
        let event = match wire.event.as_str() {
            "started" => Event::Started(wire.start()),
            "denied" => Event::Request(RequestKind::Denied, wire.request()?),
            "allowed" => Event::Request(RequestKind::Allowed, wire.request()?),
            "executed" => Event::Request(RequestKind::Executed, wire.request()?),
            "lost" => Event::Lost(wire.count.unwrap_or(1)),
            "ended" => Event::Ended {
                status: wire.status,
                signal: wire.signal,
                denials: wire.denials.unwrap_or(0),
            },
            _ => Event::Unknown,
        };
        Some(Record { time, session, event })
    }
}

/// A line as it is written.
#[derive(Deserialize)]
struct Wire {
    time: String,
    session: String,
    event: String,
    pid: Option<u32>,
    command: Option<String>,
    command_base64: Option<String>,
    operation: Option<String>,
    path: Option<String>,
    path_base64: Option<String>,
    access: Option<String>,
    rule: Option<WireRule>,
    refused: Option<String>,
    version: Option<String>,
    policy: Option<String>,
    policy_base64: Option<String>,
    mode: Option<String>,
    errno: Option<i32>,
    count: Option<u64>,
    arguments: Option<Vec<String>>,
    arguments_base64: Option<Vec<Option<String>>>,
    status: Option<i32>,
    signal: Option<i32>,
    denials: Option<u64>,
}

#[derive(Deserialize)]
struct WireRule {
    effect: String,
    pattern: String,
    pattern_base64: Option<String>,
    origin: String,
    line: Option<u32>,
}

impl Wire {
    fn start(self) -> Start {
        Start {
            version: self.version.unwrap_or_default(),
            policy: bytes(self.policy.unwrap_or_default(), self.policy_base64.as_deref()),
            mode: self.mode.unwrap_or_default(),
            arguments: all_bytes(self.arguments, self.arguments_base64),
        }
    }

    fn request(self) -> Option<Request> {
        Some(Request {
            pid: self.pid.unwrap_or(0),
            command: bytes(self.command.unwrap_or_default(), self.command_base64.as_deref()),
            operation: self.operation.unwrap_or_default(),
            path: bytes(self.path?, self.path_base64.as_deref()),
            access: AccessSet::parse(&self.access?).unwrap_or_default(),
            rule: self.rule.map(|rule| Rule {
                pattern: bytes(rule.pattern, rule.pattern_base64.as_deref()),
                effect: rule.effect,
                origin: rule.origin,
                line: rule.line,
            }),
            refused: self.refused.map(String::into_boxed_str),
            errno: self.errno,
            count: self.count.unwrap_or(1),
            arguments: all_bytes(self.arguments, self.arguments_base64),
        })
    }
}

/// The bytes of a name: of its twin, where it has one.
fn bytes(text: String, twin: Option<&str>) -> Box<[u8]> {
    let decoded = twin.and_then(|twin| base64::engine::general_purpose::STANDARD.decode(twin).ok());
    decoded.unwrap_or_else(|| text.into_bytes()).into_boxed_slice()
}

fn all_bytes(texts: Option<Vec<String>>, twins: Option<Vec<Option<String>>>) -> Vec<Box<[u8]>> {
    let mut twins = twins.unwrap_or_default().into_iter();
    let texts = texts.unwrap_or_default().into_iter();
    texts.map(|text| bytes(text, twins.next().flatten().as_deref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request {
        match Record::parse(line.as_bytes()).unwrap().event {
            Event::Request(_, request) => request,
            other => panic!("{other:?}"),
        }
    }

    const DENIED: &str = r#"{"time":"2026-11-22T13:03:11.123Z","session":"7-2026","event":"denied","pid":9,"command":"cat","operation":"openat","path":"/w/\\xff","path_base64":"L3cv/w==","access":"rw","rule":{"effect":"blocked","pattern":"**/.env","origin":"p.yaml","line":6},"errno":13,"count":3,"#;

    #[test]
    fn a_name_that_is_not_utf8_comes_back_as_its_bytes() {
        let request = request(&format!(r#"{DENIED}"x":1}}"#));
        assert_eq!(&*request.path, b"/w/\xff");
        assert_eq!((request.count, request.errno, request.pid), (3, Some(13), 9));
        assert_eq!(request.access.to_string(), "rw");
        assert_eq!(request.rule.unwrap().place(), "p.yaml:6");
    }

    #[test]
    fn fields_and_events_of_a_later_version_are_passed_over() {
        let line = format!(r#"{DENIED}"later":{{"deep":[1,null]}}}}"#);
        assert_eq!(request(&line).operation, "openat");
        let later = br#"{"time":"2026-11-22T13:03:11Z","session":"7","event":"paused","why":[]}"#;
        assert!(matches!(Record::parse(later).unwrap().event, Event::Unknown));
    }

    #[test]
    fn what_is_no_line_of_a_journal_is_none() {
        for line in ["", "{", "[]", "null", r#"{"time":"x","session":"7","event":"denied"}"#] {
            assert!(Record::parse(line.as_bytes()).is_none(), "{line}");
        }
        assert!(Record::parse(&DENIED.as_bytes()[..DENIED.len() - 30]).is_none());
    }

    #[test]
    fn a_twin_of_arguments_replaces_only_those_that_it_has() {
        let line = r#"{"time":"2026-11-22T13:03:11Z","session":"7","event":"executed","path":"/bin/a","access":"x","arguments":["a","\\xff"],"arguments_base64":[null,"/w=="]}"#;
        let arguments = request(line).arguments;
        assert_eq!(arguments, [Box::from(&b"a"[..]), Box::from(&b"\xff"[..])]);
    }
}
