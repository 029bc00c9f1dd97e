//! Which lines of the journal are wanted. Decides nothing else, and shows nothing.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{
    AbsPath, Access, AccessSet, Decider, Effect, Host, Origin, Pattern, PatternErrorKind, Place,
    Policy, Verdict,
};
use jiff::Timestamp;

use super::arguments::{EventArgument, LogArguments};
use super::clock::Clock;
use super::sessions::Sessions;
use crate::exit::Failure;
use crate::journal::{Event, Record, Request, RequestKind, Rule};

/// The kernel keeps so many bytes of a process's name (proc_pid_comm(5)).
const COMM: usize = 15;

/// What a line must be to be shown.
pub(super) struct Filter {
    events: BTreeSet<EventArgument>,
    since: Option<Timestamp>,
    session: Option<String>,
    command: Option<OsString>,
    rule: Option<OsString>,
    paths: Option<Paths>,
}

/// The paths that a pattern covers.
///
/// A policy with this one block is asked, so that a pattern means here what it means there.
struct Paths {
    decider: Decider,
    is_block: Box<dyn Fn(Verdict) -> bool>,
}

impl Filter {
    pub(super) fn new(
        arguments: &LogArguments,
        host: &Host,
        clock: &Clock,
    ) -> Result<Filter, Failure> {
        let events = if arguments.all {
            EVENTS.into()
        } else if !arguments.event.is_empty() {
            arguments.event.iter().copied().collect()
        } else if arguments.stats || arguments.html.is_some() {
            RequestKind::ALL.map(argument).into()
        } else {
            [EventArgument::Denied].into()
        };
        Ok(Filter {
            events,
            since: arguments.since.map(|since| since.moment(clock.zone())),
            session: arguments.session.clone(),
            command: arguments.command.clone(),
            rule: arguments.rule.clone(),
            paths: arguments.path.as_deref().map(|path| Paths::new(path, host)).transpose()?,
        })
    }

    /// The same, but for one run: what `last` stands for is only known when all lines are read.
    pub(super) fn with_session(mut self, session: String) -> Filter {
        self.session = Some(session);
        self
    }

    pub(super) fn wants_last_session(&self) -> bool {
        self.session.as_deref() == Some("last")
    }

    /// Is this kind of event asked for?
    pub(super) fn wants(&self, event: EventArgument) -> bool {
        self.events.contains(&event)
    }

    /// Are there conditions besides the kind of event?
    pub(super) fn is_narrow(&self) -> bool {
        self.since.is_some() || self.session.is_some() || self.is_about_requests()
    }

    fn is_about_requests(&self) -> bool {
        self.command.is_some() || self.rule.is_some() || self.paths.is_some()
    }

    /// Is this line to be shown? `sessions` has heard of it.
    pub(super) fn matches(&mut self, record: &Record, sessions: &Sessions) -> bool {
        let event = match &record.event {
            Event::Request(kind, _) => argument(*kind),
            Event::Started(_) => EventArgument::Started,
            Event::Ended { .. } => EventArgument::Ended,
            Event::Lost(_) => EventArgument::Lost,
            Event::Unknown => return false,
        };
        if !self.wants(event) || self.since.is_some_and(|since| record.time < since) {
            return false;
        }
        if !self.session.as_deref().is_none_or(|wanted| is_session(&record.session, wanted)) {
            return false;
        }
        match &record.event {
            Event::Request(_, request) => self.matches_request(request, &record.session, sessions),
            Event::Started(_) | Event::Ended { .. } | Event::Lost(_) | Event::Unknown => {
                !self.is_about_requests()
            }
        }
    }

    fn matches_request(&mut self, request: &Request, session: &str, sessions: &Sessions) -> bool {
        let is_command = |wanted: &OsString| {
            let wanted = wanted.as_bytes();
            let name = &wanted[..wanted.len().min(COMM)];
            *request.command == *name || sessions.command(session) == Some(wanted)
        };
        self.command.as_ref().is_none_or(is_command)
            && self.rule.as_ref().is_none_or(|wanted| is_rule(request.rule.as_ref(), wanted))
            && self.paths.as_mut().is_none_or(|paths| paths.cover(&request.path))
    }
}

const EVENTS: [EventArgument; 6] = [
    EventArgument::Denied,
    EventArgument::Allowed,
    EventArgument::Executed,
    EventArgument::Started,
    EventArgument::Ended,
    EventArgument::Lost,
];

fn argument(kind: RequestKind) -> EventArgument {
    match kind {
        RequestKind::Denied => EventArgument::Denied,
        RequestKind::Allowed => EventArgument::Allowed,
        RequestKind::Executed => EventArgument::Executed,
    }
}

/// A run is named by its process and its start; the process alone will do.
fn is_session(session: &str, wanted: &str) -> bool {
    session == wanted || session.split_once('-').is_some_and(|(pid, _)| pid == wanted)
}

/// A rule is named by its pattern, or by where it is written: all of it, or the end of the file's path.
fn is_rule(rule: Option<&Rule>, wanted: &OsStr) -> bool {
    let Some(rule) = rule else { return wanted == "none" };
    let is_place = |place: &str| {
        let rest = place.as_bytes().strip_suffix(wanted.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"))
    };
    *rule.pattern == *wanted.as_bytes() || is_place(&rule.origin) || is_place(&rule.place())
}

impl Paths {
    fn new(text: &OsStr, host: &Host) -> Result<Paths, Failure> {
        let option = "log --path";
        let pattern = pattern(text.as_bytes())?;
        let nothing = "security: {file_access: {presets: [], temporary: none}}";
        let mut policy = Policy::parse(nothing, option)?;
        // Blocked, since a blocked pattern spares no hidden file.
        policy.block(pattern, AccessSet::from(Access::Read), Origin::CommandLine { option });
        // Where nothing is allowed a decision does not look at the blocks.
        let everything = Pattern::parse(b"/**", Place::File)?;
        policy.allow(everything, AccessSet::ALL, Origin::CommandLine { option });
        let policy = policy.resolve(host)?;
        let decider = policy.decider();
        let is_block = move |verdict: Verdict| {
            verdict.rule().is_some_and(|rule| policy.rule(rule).effect == Effect::Blocked)
        };
        Ok(Paths { decider, is_block: Box::new(is_block) })
    }

    fn cover(&mut self, path: &[u8]) -> bool {
        let path = AbsPath::parse(path);
        path.is_ok_and(|path| (self.is_block)(self.decider.decide(&path).verdict(Access::Read)))
    }
}

/// As in a policy; what is relative there is meant here: a name is looked for everywhere, a path from where we are.
fn pattern(text: &[u8]) -> Result<Pattern, Failure> {
    match Pattern::parse(text, Place::CommandLine) {
        Err(error) if error.kind == PatternErrorKind::Relative => {
            let name = text.strip_suffix(b"/").unwrap_or(text);
            let front: &[u8] = if name.contains(&b'/') { b"./" } else { b"**/" };
            Ok(Pattern::parse(&[front, text].concat(), Place::CommandLine)?)
        }
        pattern => Ok(pattern?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(text: &str, path: &str) -> bool {
        let mut host = Host::current().unwrap();
        host.cwd = AbsPath::parse("/q/w").unwrap();
        host.home = AbsPath::parse("/q/h").ok();
        Paths::new(OsStr::new(text), &host).unwrap().cover(path.as_bytes())
    }

    #[test]
    fn a_pattern_covers_what_is_beneath_it_hidden_or_not() {
        assert!(covers("/q/a", "/q/a") && covers("/q/a", "/q/a/.b/c") && !covers("/q/a", "/q/ab"));
        assert!(covers("~/.ssh", "/q/h/.ssh/id") && !covers("~/.ssh", "/q/h/x"));
        assert!(covers("**/.env", "/q/x/.env") && covers("/q/*", "/q/.x"));
        assert!(covers("/q/{a,b}/*.pem", "/q/b/x.pem") && !covers("/q/{a,b}/*.pem", "/q/c/x.pem"));
        assert!(covers("/", "/q/a") && !covers("/q", "pipe:[7]"));
    }

    #[test]
    fn a_name_is_looked_for_everywhere_and_a_path_from_here() {
        assert!(covers(".env", "/q/x/.env") && covers("*.pem", "/etc/a.pem"));
        assert!(covers("src/x", "/q/w/src/x/y") && !covers("src/x", "/q/src/x"));
        assert!(covers("./src", "/q/w/src") && covers("src/", "/any/src/x"));
    }

    #[test]
    fn a_rule_is_named_by_pattern_place_or_absence() {
        let rule = Rule {
            effect: "blocked".into(),
            pattern: Box::from(&b"**/.env"[..]),
            origin: "/h/policy.yaml".into(),
            line: Some(12),
        };
        let is = |wanted: &str| is_rule(Some(&rule), OsStr::new(wanted));
        assert!(is("**/.env") && is("policy.yaml") && is("policy.yaml:12") && is("/h/policy.yaml"));
        assert!(!is("policy.yaml:1") && !is("y.yaml:12") && !is("none") && !is(".env") && !is(""));
        assert!(is_rule(None, OsStr::new("none")) && !is_rule(None, OsStr::new("**/.env")));
    }
}
