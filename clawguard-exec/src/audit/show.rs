//! Findings as a person and as a program read them.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};

use clawguard_core::escape;
use serde::Serialize;

use super::finding::{Finding, PolicyLine, Severity, Subject};
use super::id::Id;
use super::{AuditArguments, Outcome, Told};
use crate::exit::Failure;
use crate::json::text;
use crate::paint::Paint;

/// Findings of one kind that a person is shown.
const SHOWN: usize = 5;

/// A finding for programs. Field names and their order are a promise.
#[derive(Serialize)]
struct Row<'a> {
    id: String,
    severity: &'static str,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    reason: &'a str,
    command: Option<&'a str>,
    policy_line: Option<Line<'a>>,
    fixable: bool,
    fixed: Option<Modes>,
    fix_error: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    key: &'static str,
    line: &'a str,
}

#[derive(Serialize)]
struct Modes {
    was: String,
    now: String,
}

pub(crate) fn json(told: &[Told]) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for told in told {
        serde_json::to_writer(&mut out, &row(told))?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

fn row(told: &Told) -> Row<'_> {
    let finding = &told.finding;
    let (path, path_base64) = match &finding.subject {
        Subject::Path(path) => {
            let (path, base64) = text(path.as_bytes());
            (Some(path), base64)
        }
        Subject::Process { .. } | Subject::Other(_) => (None, None),
    };
    let pid = match finding.subject {
        Subject::Process { pid, .. } => Some(pid),
        Subject::Path(_) | Subject::Other(_) => None,
    };
    let (fixed, fix_error) = match &told.outcome {
        Outcome::Left => (None, None),
        Outcome::Fixed(fixed) => {
            let mode = |mode: u32| format!("{mode:04o}");
            (Some(Modes { was: mode(fixed.was), now: mode(fixed.now) }), None)
        }
        Outcome::Failed(error) => (None, Some(with_cause(error.as_ref()))),
    };
    Row {
        id: finding.id.name(),
        severity: finding.severity.name(),
        subject: subject(&finding.subject),
        path,
        path_base64,
        pid,
        reason: &finding.reason,
        command: finding.command.as_deref(),
        policy_line: finding.line.as_ref().map(|PolicyLine { file, key, text }| Line {
            file,
            key,
            line: text,
        }),
        fixable: finding.fix.is_some(),
        fixed,
        fix_error,
    }
}

pub(crate) fn people(told: &[Told], arguments: &AuditArguments) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let paint = Paint::stdout();
    done(&mut out, paint, told)?;
    for severity in Severity::ALL {
        let left = told.iter().filter(|told| told.finding.severity == severity && is_left(told));
        let left: Vec<&Told> = left.collect();
        if left.is_empty() {
            continue;
        }
        writeln!(out, "{}", heading(paint, severity))?;
        let mut kinds: BTreeMap<Id, Vec<&Told>> = BTreeMap::new();
        left.iter().for_each(|told| kinds.entry(told.finding.id).or_default().push(told));
        for (id, told) in kinds {
            told.iter().take(SHOWN).try_for_each(|told| one(&mut out, paint, told))?;
            if let Some(more) = told.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                let all = format!("clawguard-exec audit --json --only {}", id.name());
                writeln!(out, "  and {more} more like these; all of them: {all}")?;
            }
        }
        writeln!(out)?;
    }
    summary(&mut out, paint, told, arguments)?;
    out.flush()?;
    Ok(())
}

fn is_left(told: &Told) -> bool {
    !matches!(told.outcome, Outcome::Fixed(_))
}

/// The modes that were changed, each once: two findings may ask for the same change.
fn changes(told: &[Told]) -> BTreeSet<String> {
    let change = |told: &Told| match &told.outcome {
        Outcome::Fixed(fixed) => {
            let (what, was, now) = (subject(&told.finding.subject), fixed.was, fixed.now);
            Some(format!("{what}: was {was:04o}, now {now:04o}"))
        }
        Outcome::Left | Outcome::Failed(_) => None,
    };
    told.iter().filter_map(change).collect()
}

/// What was changed, first: it is done.
fn done(out: &mut impl Write, paint: Paint, told: &[Told]) -> std::io::Result<()> {
    let lines = changes(told);
    let fixed = paint.green("fixed");
    lines.iter().try_for_each(|line| writeln!(out, "{fixed} {line}"))?;
    if lines.is_empty() { Ok(()) } else { writeln!(out) }
}

fn heading(paint: Paint, severity: Severity) -> String {
    match severity {
        Severity::Critical => paint.red("Critical"),
        Severity::Warning => paint.yellow("Warnings"),
        Severity::Info => paint.bold("Good to know"),
    }
}

fn one(out: &mut impl Write, paint: Paint, told: &Told) -> std::io::Result<()> {
    let Finding { id, subject: about, reason, command, line, .. } = &told.finding;
    writeln!(out, "  {}  {}", subject(about), paint.dim(&id.name()))?;
    writeln!(out, "      {}", escape(reason.as_bytes()))?;
    if let Some(PolicyLine { file, key, text }) = line {
        writeln!(out, "      add to `{key}` in {file}: {}", escape(text.as_bytes()))?;
    }
    if let Some(command) = command {
        let word = if line.is_some() { "look" } else { "type" };
        writeln!(out, "      {word}: {}", escape(command.as_bytes()))?;
    }
    if let Outcome::Failed(error) = &told.outcome {
        writeln!(out, "      not fixed: {}", escape(with_cause(error.as_ref()).as_bytes()))?;
    }
    Ok(())
}

fn summary(
    out: &mut impl Write,
    paint: Paint,
    told: &[Told],
    arguments: &AuditArguments,
) -> std::io::Result<()> {
    let left = |severity| {
        told.iter().filter(|told| told.finding.severity == severity && is_left(told)).count()
    };
    let (critical, warnings, info) =
        (left(Severity::Critical), left(Severity::Warning), left(Severity::Info));
    let fixed = changes(told).len();
    let fixable = told.iter().filter(|told| told.finding.fix.is_some() && is_left(told)).count();
    let plural = if warnings == 1 { "" } else { "s" };
    let counts = format!("{critical} critical, {warnings} warning{plural}, {info} good to know");
    let counts = if fixed > 0 { format!("{fixed} fixed; left: {counts}") } else { counts };
    writeln!(out, "{}", paint.bold(&counts))?;
    let next = match (critical + warnings, fixable) {
        (0, _) if info == 0 => "Next: nothing to do.".to_owned(),
        (0, _) => "Next: nothing has to be done.".to_owned(),
        (_, fixable) if fixable > 0 && !arguments.fix => {
            format!(
                "Next: clawguard-exec audit --fix puts {fixable} of them right; then do what stands under each."
            )
        }
        _rest => {
            "Next: do what stands under each, worst first; then run the audit again.".to_owned()
        }
    };
    writeln!(out, "{next}")
}

fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Path(path) => path.to_string(),
        Subject::Process { pid, name } => format!("process {pid} (`{name}`)"),
        Subject::Other(text) => escape(text.as_bytes()),
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
