//! The tables of the page: denials, commands, programs, runs.

#![forbid(unsafe_code)]

use std::cmp::Reverse;

use super::super::clock::Clock;
use super::super::fold::{Entry, Same, Seen};
use super::super::list::Words;
use super::super::reason::of_same;
use super::super::sessions::{Session, Sessions, short};
use super::super::stats::Stats;
use super::markup::Markup;
use crate::journal::RequestKind;

/// Rows of the tables besides that of denials.
const ROWS: usize = 200;

/// The table of denials, newest first, with the box that filters it.
pub(super) fn denials(
    page: &mut Markup,
    words: &mut Words<'_>,
    shown: &[Entry],
    sessions: &Sessions,
    left_out: usize,
) {
    if shown.is_empty() {
        page.raw("<p>Nothing was denied.</p>\n");
        return;
    }
    page.raw("<div class=\"filter\" hidden><label for=\"filter\">Filter</label>");
    page.raw("<input id=\"filter\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\" placeholder=\"words in any column\">");
    page.raw("<span class=\"soft\" id=\"shown\" role=\"status\"></span></div>\n");
    page.raw("<table id=\"denials\" class=\"cards\"><thead><tr><th scope=\"col\">Last</th><th scope=\"col\" class=\"n\">Times</th><th scope=\"col\">Command</th><th scope=\"col\">Call</th><th scope=\"col\">Access</th><th scope=\"col\">Path</th><th scope=\"col\">Why</th><th scope=\"col\">Run</th></tr></thead><tbody>\n");
    for entry in shown {
        match entry {
            Entry::Requests(same, seen) => denial(page, words, same, *seen, sessions),
            Entry::Line(..) => {}
        }
    }
    page.raw("</tbody></table>\n");
    if left_out > 0 {
        page.raw("<p class=\"soft\">").count(u64::try_from(left_out).unwrap_or(u64::MAX));
        page.raw(" older rows are left out.</p>\n");
    }
}

fn denial(page: &mut Markup, words: &mut Words<'_>, same: &Same, seen: Seen, sessions: &Sessions) {
    page.raw("<tr data-count=\"")
        .number(seen.count)
        .raw("\"><td class=\"time\" data-label=\"Last\">");
    page.text(&words.clock.show(seen.last));
    page.raw("</td><td class=\"n\" data-label=\"Times\" data-sort=\"")
        .number(seen.count)
        .raw("\">");
    page.count(seen.count).raw("</td><td data-label=\"Command\"><code>").name(&same.command);
    page.raw("</code></td><td data-label=\"Call\"><code>").name(same.operation.as_bytes());
    page.raw("</code></td><td data-label=\"Access\"><span class=\"key\">");
    page.text(&same.access.to_string());
    page.raw("</span></td><td class=\"path\" data-label=\"Path\" data-sort=\"").name(&same.path);
    page.raw("\">").name(&same.path);
    if let Some(what) = words.what(&same.path, same.access) {
        page.raw("<span class=\"what\">").text(what).raw("</span>");
    }
    page.raw("</td><td class=\"why\" data-label=\"Why\">");
    page.text(&of_same(same));
    page.raw("</td><td data-label=\"Run\">");
    if let Some(command) = sessions.command(&same.session) {
        page.raw("<code>").name(command).raw("</code> ");
    }
    page.text(&short(&same.session)).raw("</td></tr>\n");
}

/// What each command did.
pub(super) fn commands(page: &mut Markup, stats: &Stats) {
    page.raw("<table class=\"cards commands\"><thead><tr><th scope=\"col\">Command</th><th scope=\"col\" class=\"n\">Processes</th><th scope=\"col\" class=\"n\">Denied</th><th scope=\"col\" class=\"n\">Allowed</th><th scope=\"col\" class=\"n\">Executed</th><th scope=\"col\">Most often denied</th></tr></thead><tbody>\n");
    let commands = stats.commands();
    for (name, command) in commands.iter().take(ROWS) {
        page.raw("<tr><td data-label=\"Command\"><code>").name(name).raw("</code></td>");
        let processes = u64::try_from(command.processes()).unwrap_or(u64::MAX);
        page.raw("<td class=\"n\" data-label=\"Processes\">").count(processes).raw("</td>");
        let label = |kind| match kind {
            RequestKind::Denied => "<td class=\"n\" data-label=\"Denied\">",
            RequestKind::Allowed => "<td class=\"n\" data-label=\"Allowed\">",
            RequestKind::Executed => "<td class=\"n\" data-label=\"Executed\">",
        };
        for kind in RequestKind::ALL {
            page.raw(label(kind)).count(command.count(kind)).raw("</td>");
        }
        page.raw("<td class=\"path\" data-label=\"Most often denied\">");
        if let Some((path, access, count)) = command.denied().first() {
            page.count(*count).raw("× ").text(&access.to_string()).raw(" ").name(path);
        }
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table>\n");
    more(page, commands.len());
}

/// The programs that were executed.
pub(super) fn programs(page: &mut Markup, stats: &Stats) {
    let programs = stats.programs();
    if programs.is_empty() {
        return;
    }
    page.raw("<h3>Executed programs</h3>\n<table class=\"programs\"><thead><tr><th scope=\"col\" class=\"n\">Times</th><th scope=\"col\">Program</th></tr></thead><tbody>\n");
    for (path, _, count) in programs.iter().take(ROWS) {
        page.raw("<tr><td class=\"n\">").count(*count).raw("</td><td class=\"path\">").name(path);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table>\n");
    more(page, programs.len());
}

/// The runs, newest first.
pub(super) fn runs<'a>(
    page: &mut Markup,
    runs: impl Iterator<Item = (&'a str, &'a Session)>,
    clock: &Clock,
) {
    page.raw("<table class=\"cards runs\"><thead><tr><th scope=\"col\">Began</th><th scope=\"col\">Command line</th><th scope=\"col\">State</th><th scope=\"col\" class=\"n\">Denials</th><th scope=\"col\">Policy</th><th scope=\"col\">Run</th></tr></thead><tbody>\n");
    let mut all: Vec<(&str, &Session)> = runs.collect();
    all.sort_by_key(|(_, session)| Reverse(session.first));
    for (name, session) in all.iter().take(ROWS) {
        page.raw("<tr><td class=\"time\" data-label=\"Began\">").text(&clock.show(session.first));
        page.raw("</td><td class=\"path\" data-label=\"Command line\">");
        page.text(&session.command_line()).raw("</td><td data-label=\"State\">");
        page.text(&session.state()).raw("</td><td class=\"n\" data-label=\"Denials\">");
        if let Some(end) = session.end {
            page.count(end.denials);
        }
        page.raw("</td><td class=\"path\" data-label=\"Policy\">");
        if let Some(start) = &session.start {
            page.name(&start.policy);
        }
        page.raw("</td><td data-label=\"Run\">").text(&short(name)).raw("</td></tr>\n");
    }
    page.raw("</tbody></table>\n");
    more(page, all.len());
}

fn more(page: &mut Markup, all: usize) {
    if all > ROWS {
        page.raw("<p class=\"soft\">… and ").count(u64::try_from(all - ROWS).unwrap_or(u64::MAX));
        page.raw(" more</p>\n");
    }
}
