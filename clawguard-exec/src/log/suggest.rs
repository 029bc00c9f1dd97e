//! `--suggest`: the lines that would allow what was denied, as a difference to the policy that a start here would use.
//!
//! Writes nothing. What may be proposed at all is decided in `propose`: no secret, and nothing that a block names.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{AbsPath, Host, Origin, escape};

use super::filter::Filter;
use super::sessions::Sessions;
use super::{Log, json};
use crate::exit::{Exit, Failure};
use crate::journal::{Event, Record, RequestKind};
use crate::propose::{self, Edited, Evidence, Line, Present, Proposal, Reason, Refused, Wanted};
use crate::{policy, report};

/// Lines of one kind of refusal that are told one by one.
const REFUSED: usize = 12;

/// The denied paths, each once, and the runs in which they were.
#[derive(Debug, Default)]
struct Denied {
    paths: BTreeMap<AbsPath, Wanted>,
    sessions: BTreeSet<String>,
}

impl Denied {
    /// Hears of a line; only denials of a path that a policy could name matter.
    fn add(&mut self, record: &Record) {
        let Event::Request(RequestKind::Denied, request) = &record.event else { return };
        // No line would allow what was refused for what it would have done.
        if request.refused.is_some() {
            return;
        }
        let Ok(path) = AbsPath::parse(&request.path) else { return };
        self.sessions.insert(record.session.clone());
        let wanted = self.paths.entry(path.clone()).or_insert(Wanted {
            path,
            access: request.access,
            count: 0,
            operations: BTreeSet::new(),
            commands: BTreeSet::new(),
        });
        wanted.access = wanted.access.union(request.access);
        wanted.count = wanted.count.saturating_add(request.count);
        wanted.operations.insert(request.operation.clone());
        wanted.commands.insert(request.command.to_vec());
    }

    /// The policies of these runs, as they were named.
    fn policies<'a>(&self, sessions: &'a Sessions) -> BTreeSet<&'a [u8]> {
        let policy = |name: &String| Some(&*sessions.get(name)?.start.as_ref()?.policy);
        self.sessions.iter().filter_map(policy).collect()
    }

    /// What all these runs were started with, which selects a preset; none where they differ.
    fn program<'a>(&self, sessions: &'a Sessions) -> Option<&'a OsStr> {
        let word = |name: &String| sessions.get(name)?.start.as_ref()?.arguments.first();
        let words: BTreeSet<_> = self.sessions.iter().map(word).collect();
        let mut words = words.into_iter();
        match (words.next(), words.next()) {
            (Some(Some(word)), None) => Some(OsStr::from_bytes(word)),
            _ => None,
        }
    }
}

impl Log<'_> {
    /// A proposal for another policy than the one that denied would be none.
    fn tell_other_policies(&self, policies: &BTreeSet<&[u8]>, present: &Present) {
        for policy in policies {
            let file = self.host.cwd.as_path().join(OsStr::from_bytes(policy));
            let is_present = match present.exists {
                true => file == present.file,
                false => *policy == Origin::DEFAULT.as_bytes(),
            };
            if !is_present {
                report::line(&format!(
                    "some of this was denied under another policy, {}: name the one that you mean with --policy FILE",
                    escape(policy)
                ));
            }
        }
    }

    pub(super) fn suggest(&self, filter: Filter) -> Result<Exit, Failure> {
        let mut denied = Denied::default();
        let read = self.read(filter, |record| denied.add(record))?;
        if denied.paths.is_empty() {
            self.nothing(&read);
            return Ok(Exit::Done);
        }
        let host = match denied.program(&read.sessions) {
            Some(program) => self.host.clone().with_command(program),
            None => self.host.clone(),
        };
        let named = self.cli.policy.policy.as_deref();
        let present = Present::find(&host, named, policy::journal(self.cli, &host))?;
        self.tell_other_policies(&denied.policies(&read.sessions), &present);
        let own = policy::with_arguments(present.policy()?, &self.cli.policy)?;
        let wanted: Vec<Wanted> = denied.paths.into_values().collect();
        let proposal = propose::propose(Evidence {
            wanted: &wanted,
            moves: &[],
            host: &host,
            present: &present,
            own: &own,
            level: self.arguments.level,
        })?;
        if self.arguments.json {
            let mut out = std::io::stdout().lock();
            json::proposal(&mut out, &present, &proposal)?;
            return Ok(Exit::Done);
        }
        tell_refused(&proposal.refused, &host);
        self.show(&present, &proposal)?;
        Ok(Exit::Done)
    }

    fn show(&self, present: &Present, proposal: &Proposal) -> Result<(), Failure> {
        let file = escape(present.file.as_os_str().as_bytes());
        let mut out = std::io::stdout().lock();
        match &proposal.edited {
            None => report::line(&format!("{file}: there is nothing to add for what was denied")),
            Some(Edited::File { diff, .. }) if present.exists => {
                out.write_all(diff.as_bytes())?;
                self.note(&format!("next: read it, and put the lines into {file} if you agree"));
            }
            // A file takes the place of the whole default, also of the working directory, which no denial tells of.
            Some(Edited::File { .. }) => {
                write_lines(&mut out, &proposal.lines)?;
                self.note(
                    "next: a start here finds no policy file: write one with `clawguard-exec init`, and put the lines \
                     that you agree with into its `allowed_paths`",
                );
            }
            Some(Edited::ByHand { .. }) => {
                write_lines(&mut out, &proposal.lines)?;
                self.note(&format!(
                    "next: read them, and put those that you agree with into `allowed_paths` of {file}"
                ));
            }
        }
        if !proposal.presets.is_empty() && !present.exists {
            self.note(&format!("next: or add the presets {}", proposal.presets.join(", ")));
        }
        Ok(())
    }
}

fn write_lines(out: &mut impl Write, lines: &[Line]) -> std::io::Result<()> {
    for line in lines {
        writeln!(out, "- {}", propose::entry(&line.pattern, line.access))?;
    }
    Ok(())
}

/// What stays denied, and why.
fn tell_refused(all: &[Refused], host: &Host) {
    for one in all.iter().take(REFUSED) {
        let wanted = format!("{} {}", one.wanted.access, one.wanted.path);
        report::line(&match &one.reason {
            Reason::Blocked(rule) => format!("left blocked: {wanted} by {rule}"),
            Reason::TooWide(why) => format!("not proposed: {wanted}: {why}"),
            Reason::Secret(secret) => {
                let pattern = propose::pattern(&one.wanted.path, host);
                let entry = propose::entry(&pattern, one.wanted.access);
                format!(
                    "a secret, left closed: {wanted} ({}); if you mean it, write into allowed_paths: - {entry}",
                    secret.what
                )
            }
        });
    }
    if all.len() > REFUSED {
        report::line(&format!("and {} more (--json has all)", all.len() - REFUSED));
    }
}
