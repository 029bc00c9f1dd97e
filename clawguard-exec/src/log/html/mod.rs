//! `--html`: one page that needs nothing else. Timeline, denials, tree, statistics, runs.
//!
//! Its content security policy forbids everything but its own style and script, which carry a number that is drawn
//! when the page is written: no name in the journal can have known it. No name becomes markup in the first place
//! ([`markup`]), and the script never makes any.

#![forbid(unsafe_code)]

mod file;
mod markup;
mod tables;
mod timeline;
mod twigs;

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use base64::Engine;
use jiff::Timestamp;

use self::file::Existing;
use self::markup::Markup;
use self::timeline::Timeline;
use super::fold::{Entry, Fold};
use super::stats::Stats;
use super::tree::Tree;
use super::{Filter, Log, Read, json};
use crate::exit::{Exit, Failure};
use crate::journal::{Event, RequestKind};
use crate::report;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Rows of the table of denials: what a browser shows without delay.
const ROWS: usize = 2000;

/// Everything that the page shows.
#[derive(Default)]
struct Survey {
    timeline: Timeline,
    denials: Fold,
    tree: Tree,
    stats: Stats,
}

/// What is said besides.
struct About<'a> {
    log: &'a Log<'a>,
    read: &'a Read,
    nonce: &'a str,
}

impl Log<'_> {
    pub(super) fn html(&self, filter: Filter, file: &Path) -> Result<Exit, Failure> {
        let existing = if self.arguments.force { Existing::Replaced } else { Existing::Refused };
        let mut survey = Survey::default();
        let read = self.read(filter, |record| {
            let Event::Request(kind, request) = &record.event else { return };
            survey.timeline.add(record);
            survey.stats.add(record);
            survey.tree.add(*kind, request);
            if *kind == RequestKind::Denied {
                survey.denials.add(record);
            }
        })?;
        let denials = survey.stats.count(RequestKind::Denied);
        let entries = std::mem::take(&mut survey.denials).finish();
        let shown = &entries[..self.rows(ROWS).min(entries.len())];
        let left_out = entries.len() - shown.len();
        let nonce = nonce()?;
        let about = About { log: self, read: &read, nonce: &nonce };
        let page = page(&about, &survey, shown, left_out);
        let path = self.host.cwd.as_path().join(file);
        file::write(&path, &page, existing)?;
        let name = path.as_os_str().as_bytes();
        let mut out = std::io::stdout().lock();
        if self.arguments.json {
            json::page(&mut out, name, denials, shown.len(), left_out)?;
        } else {
            let name = clawguard_core::escape(name);
            writeln!(out, "{name}: {denials} denials in {} rows", shown.len())?;
            self.note("next: open it in a browser; it shows names of files, so think before you hand it on");
        }
        if left_out > 0 {
            report::line(&format!("{left_out} older rows are not in the page; -n 0 writes all"));
        }
        Ok(Exit::Done)
    }
}

/// A number that nobody could have known before.
fn nonce() -> Result<String, std::io::Error> {
    let mut bytes = [0; 16];
    let mut source = std::fs::File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn page(about: &About<'_>, survey: &Survey, shown: &[Entry], left_out: usize) -> String {
    let mut page = Markup::default();
    head(&mut page, about.nonce);
    opening(&mut page, about, survey);
    if survey.stats.is_empty() {
        page.raw("<section><h2>Nothing to show</h2><p>The journal has no line that was asked for.</p></section>\n");
    } else {
        page.raw("<section id=\"timeline\"><h2>Timeline</h2>\n");
        survey.timeline.write(&mut page, about.log.clock);
        page.raw("</section>\n<section><h2 id=\"table\">Denials</h2>\n");
        tables::denials(&mut page, &mut about.log.words(), shown, &about.read.sessions, left_out);
        page.raw("</section>\n<section id=\"tree\"><h2>Where</h2>\n");
        twigs::write(&mut page, &survey.tree);
        page.raw("</section>\n<section id=\"statistics\"><h2>Statistics</h2>\n");
        tables::commands(&mut page, &survey.stats);
        tables::programs(&mut page, &survey.stats);
        page.raw("</section>\n<section id=\"runs\"><h2>Runs</h2>\n");
        let is_shown = |name: &str| !about.log.is_narrow || survey.stats.has_run(name);
        let runs = about.read.sessions.all().filter(|(name, _)| is_shown(name));
        tables::runs(&mut page, runs, about.log.clock);
        page.raw("</section>\n");
    }
    page.raw("</main>\n<script nonce=\"").text(about.nonce).raw("\">").raw(SCRIPT);
    page.raw("</script>\n</body>\n</html>\n");
    page.into_string()
}

fn head(page: &mut Markup, nonce: &str) {
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'nonce-");
    page.text(nonce).raw("'; script-src 'nonce-").text(nonce);
    page.raw("'; base-uri 'none'; form-action 'none'\">\n");
    page.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.raw("<meta name=\"generator\" content=\"clawguard-exec log --html\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<title>clawguard: what was denied</title>\n<style nonce=\"").text(nonce).raw("\">\n");
    page.raw(STYLE).raw("</style>\n</head>\n<body>\n");
}

fn opening(page: &mut Markup, about: &About<'_>, survey: &Survey) {
    let (clock, stats) = (about.log.clock, &survey.stats);
    page.raw("<header>\n<h1>What clawguard denied</h1>\n<p class=\"soft\">");
    if let (Some(first), Some(last)) = (stats.first, stats.last) {
        let (first, last) = (clock.show_minute(first), clock.show_minute(last));
        page.text(&first);
        if first != last {
            page.raw(" to ").text(&last);
        }
        page.raw(". ");
    }
    page.raw("Times are ").text(&clock.name()).raw(". Written at ");
    page.text(&clock.show_minute(Timestamp::now())).raw(" from <code>");
    page.name(about.log.journal.path().as_os_str().as_bytes()).raw("</code>.</p>\n");
    lacks(page, about);
    page.raw("<nav aria-label=\"On this page\"><a href=\"#timeline\">Timeline</a><a href=\"#table\">Denials</a><a href=\"#tree\">Where</a><a href=\"#statistics\">Statistics</a><a href=\"#runs\">Runs</a></nav>\n");
    page.raw("<ul class=\"tiles\">\n");
    let count = |kind| stats.count(kind);
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let tiles = [
        ("<li class=\"denied\"><b>", count(RequestKind::Denied), "denied"),
        ("<li><b>", number(stats.runs()), "runs"),
        ("<li><b>", number(stats.commands().len()), "commands"),
        ("<li><b>", count(RequestKind::Allowed), "allowed"),
        ("<li><b>", count(RequestKind::Executed), "executed"),
    ];
    // What is not logged would only seem not to have happened.
    let is_logged = |label| !["allowed", "executed"].contains(&label);
    for (open, number, label) in tiles.into_iter().filter(|one| one.1 > 0 || is_logged(one.2)) {
        page.raw(open).count(number).raw("</b><span>").raw(label).raw("</span></li>\n");
    }
    page.raw("</ul>\n</header>\n<main>\n");
}

/// What the page does not show.
fn lacks(page: &mut Markup, about: &About<'_>) {
    let narrow = about.log.conditions();
    if !narrow.is_empty() {
        page.raw("<p class=\"soft\">Only what was asked for: <code>")
            .text(&narrow)
            .raw("</code></p>\n");
    }
    if about.read.lost > 0 {
        page.raw("<p class=\"soft\">").count(about.read.lost);
        page.raw(" lines were lost when the journal was written: there were more events.</p>\n");
    }
    let unreadable = about.read.unreadable.lines + about.read.unreadable.torn;
    if unreadable > 0 {
        page.raw("<p class=\"soft\">").count(unreadable);
        page.raw(" lines could not be read and were passed over.</p>\n");
    }
}
