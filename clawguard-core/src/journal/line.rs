//! One event, one line of JSON. Field names and their order are a promise.
//!
//! A name is the target's choice: a line must never contain a control character, or one that rearranges what a reader
//! sees, whatever the name. What is not UTF-8 is escaped and repeated in base64, as `check --json` does.

#![forbid(unsafe_code)]

use std::io;
use std::time::SystemTime;

use base64::Engine;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::Rules;
use crate::decide::RuleId;
use crate::path::{acts, escape};
use crate::redact::redact;

/// A line; what does not apply is left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line<'a> {
    time: String,
    session: &'a str,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<u32>,
    #[serde(flatten)]
    pub(super) request: Option<Request<'a>>,
    #[serde(flatten)]
    pub(super) start: Option<Beginning>,
    /// The word of a [`Refusal`](super::Refusal).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    #[serde(flatten)]
    pub(super) arguments: Option<Arguments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) denials: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<u64>,
    /// Of an alert alone: denials of the same rule before it for which there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suppressed: Option<u64>,
}

/// Who asked for what, and the rule that decided.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_base64: Option<String>,
    operation: &'a str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    access: String,
    rule: Option<RuleOf>,
}

/// A rule and where it was written; the fields are those of `check --json`.
#[derive(Debug, Serialize)]
struct RuleOf {
    effect: &'static str,
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern_base64: Option<String>,
    origin: String,
    line: Option<u32>,
}

/// What a run begins with.
#[derive(Debug, Serialize)]
pub(super) struct Beginning {
    version: &'static str,
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_base64: Option<String>,
    mode: &'static str,
}

/// A command line without its secrets. The twin has a null for every argument that is UTF-8.
#[derive(Debug, Serialize)]
pub(super) struct Arguments {
    arguments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments_base64: Option<Vec<Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments_omitted: Option<usize>,
}

impl<'a> Line<'a> {
    pub(super) fn new(session: &'a str, event: &'static str, time: SystemTime) -> Line<'a> {
        Line { time: rfc3339(time), session, event, ..Line::default() }
    }

    /// The bytes of the line, with the newline that ends it, in `buffer`.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        let mut json = serde_json::Serializer::with_formatter(&mut *buffer, Plain);
        self.serialize(&mut json)?;
        buffer.push(b'\n');
        Ok(())
    }
}

impl<'a> Request<'a> {
    pub(super) fn new(
        command: &[u8],
        operation: &'a str,
        path: &[u8],
        access: String,
        rule: Option<(&Rules, RuleId)>,
    ) -> Request<'a> {
        let (command, command_base64) = text(command);
        let (path, path_base64) = text(path);
        let rule = rule.and_then(|(rules, id)| rules.get(id)).map(|rule| {
            let (pattern, pattern_base64) = text(rule.pattern.text());
            RuleOf {
                effect: rule.effect.name(),
                pattern,
                pattern_base64,
                origin: rule.origin.name(),
                line: rule.origin.line(),
            }
        });
        Request { command, command_base64, operation, path, path_base64, access, rule }
    }
}

impl Beginning {
    pub(super) fn new(policy: &[u8], mode: &'static str) -> Beginning {
        let (policy, policy_base64) = text(policy);
        Beginning { version: env!("CARGO_PKG_VERSION"), policy, policy_base64, mode }
    }
}

impl Arguments {
    pub(super) fn new(arguments: &[Box<[u8]>], omitted: usize) -> Arguments {
        let (arguments, twins): (Vec<_>, Vec<_>) =
            redact(arguments.iter().map(|argument| &**argument)).map(|one| text(&one)).unzip();
        let arguments_base64 = twins.iter().any(Option::is_some).then_some(twins);
        let arguments_omitted = (omitted > 0).then_some(omitted);
        Arguments { arguments, arguments_base64, arguments_omitted }
    }
}

/// A time in UTC, with milliseconds, as the journal writes it: `2026-01-31T12:00:00.000Z`.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    format!("{:.3}", Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The time of a line, from its first bytes.
pub(super) fn time_of(beginning: &[u8]) -> Option<SystemTime> {
    let text = beginning.strip_prefix(b"{\"time\":\"")?;
    let text = text.split(|&byte| byte == b'"').next()?;
    let time: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(time.into())
}

/// Bytes as text, and as base64 where they are not UTF-8.
fn text(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (escape(bytes), Some(base64::engine::general_purpose::STANDARD.encode(bytes))),
    }
}

/// JSON without line breaks, in which every character that could act on a terminal is an escape sequence.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| acts(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_writes_a_control_character_and_none_is_lost() {
        let name = "a\n{\"event\":\"denied\"}\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{e0041}\"\\é";
        let mut line = Line::new("1", "denied", SystemTime::UNIX_EPOCH);
        line.request = Some(Request::new(b"sh\xff", "openat", name.as_bytes(), "r".into(), None));
        let mut bytes = Vec::new();
        line.write(&mut bytes).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        let text = std::str::from_utf8(&bytes[..bytes.len() - 1]).unwrap();
        assert!(!text.chars().any(acts), "{text}");
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(read["path"], name);
        assert_eq!(read["path_base64"], serde_json::Value::Null);
        assert_eq!(read["command"], "sh\\xff");
        assert_eq!(read["command_base64"], "c2j/");
        assert_eq!(read["event"], "denied");
    }

    #[test]
    fn arguments_that_are_not_text_have_a_twin() {
        let plain = Arguments::new(&[Box::from(&b"a"[..])], 0);
        assert_eq!(serde_json::to_string(&plain).unwrap(), r#"{"arguments":["a"]}"#);
        let odd = Arguments::new(&[Box::from(&b"a"[..]), Box::from(&b"\xff"[..])], 7);
        assert_eq!(
            serde_json::to_string(&odd).unwrap(),
            r#"{"arguments":["a","\\xff"],"arguments_base64":[null,"/w=="],"arguments_omitted":7}"#
        );
    }

    #[test]
    fn a_time_is_utc_with_milliseconds_and_is_read_back() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_007);
        assert_eq!(rfc3339(time), "2023-11-14T22:13:20.007Z");
        let mut bytes = Vec::new();
        Line::new("s", "lost", time).write(&mut bytes).unwrap();
        assert_eq!(
            bytes,
            b"{\"time\":\"2023-11-14T22:13:20.007Z\",\"session\":\"s\",\"event\":\"lost\"}\n"
        );
        assert_eq!(time_of(&bytes), Some(time));
        assert_eq!(time_of(b"{\"a\":1}"), None);
    }
}
