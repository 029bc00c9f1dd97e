//! When it happened: bars over time, one strip for each kind of event, and the same as a table.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::clock::Clock;
use super::markup::Markup;
use crate::journal::{Event, Record, RequestKind};

/// How many bars a strip has at the most, and for how many there is always room.
const BARS: i64 = 72;
const PLACES: i64 = 24;

/// What a bar may stand for, in minutes, and its name.
const SPANS: [(i64, &str); 11] = [
    (1, "minute"),
    (5, "5 minutes"),
    (15, "15 minutes"),
    (30, "30 minutes"),
    (60, "hour"),
    (180, "3 hours"),
    (360, "6 hours"),
    (720, "12 hours"),
    (1440, "day"),
    (10_080, "week"),
    (525_600, "year"),
];

/// The drawing's units: a bar is so wide, and the highest so high.
const WIDTH: u64 = 10;
const HEIGHT: u64 = 100;

/// How many requests of each kind in each minute.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    minutes: BTreeMap<i64, [u64; 3]>,
}

/// The same in bars.
struct Bars<'a> {
    counts: BTreeMap<i64, [u64; 3]>,
    /// Minutes.
    span: i64,
    name: &'static str,
    begin: i64,
    end: i64,
    clock: &'a Clock,
}

impl Timeline {
    pub(super) fn add(&mut self, record: &Record) {
        if let Event::Request(kind, request) = &record.event {
            let counts = self.minutes.entry(record.time.as_second().div_euclid(60)).or_default();
            let count = &mut counts[kind.index()];
            *count = count.saturating_add(request.count);
        }
    }

    /// The strips of all kinds that there are.
    pub(super) fn write(&self, page: &mut Markup, clock: &Clock) {
        let Some(bars) = self.bars(clock) else { return };
        let kinds = RequestKind::ALL.into_iter();
        let kinds: Vec<RequestKind> = kinds.filter(|kind| bars.highest(*kind) > 0).collect();
        for kind in &kinds {
            bars.strip(page, *kind);
        }
        page.raw("<p class=\"axis\"><span>").text(&bars.time(bars.begin)).raw("</span>");
        // Where there are few bars the right edge is yet to come.
        if bars.end - bars.begin + 1 >= PLACES {
            page.raw("<span>").text(&bars.time(bars.end)).raw("</span>");
        }
        page.raw("</p>\n");
        bars.table(page, &kinds);
    }

    fn bars<'a>(&self, clock: &'a Clock) -> Option<Bars<'a>> {
        let (first, _) = self.minutes.first_key_value()?;
        let (last, _) = self.minutes.last_key_value()?;
        let fits =
            |(span, _): &&(i64, &str)| last.div_euclid(*span) - first.div_euclid(*span) < BARS;
        let (span, name) = *SPANS.iter().find(fits).unwrap_or(&SPANS[SPANS.len() - 1]);
        let mut counts: BTreeMap<i64, [u64; 3]> = BTreeMap::new();
        for (minute, more) in &self.minutes {
            let bar = counts.entry(minute.div_euclid(span)).or_default();
            bar.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
        }
        let (begin, end) = (first.div_euclid(span), last.div_euclid(span));
        Some(Bars { counts, span, name, begin, end, clock })
    }
}

impl Bars<'_> {
    fn highest(&self, kind: RequestKind) -> u64 {
        self.counts.values().map(|counts| counts[kind.index()]).max().unwrap_or(0)
    }

    /// Few bars stay narrow.
    fn places(&self) -> i64 {
        (self.end - self.begin + 1).max(PLACES)
    }

    fn time(&self, bar: i64) -> String {
        let second = bar.saturating_mul(self.span).saturating_mul(60);
        self.clock.show_minute(Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    fn strip(&self, page: &mut Markup, kind: RequestKind) {
        let highest = self.highest(kind);
        page.raw("<figure class=\"strip ").raw(kind.name()).raw("\"><figcaption>");
        page.raw(kind.name()).raw(" per ").raw(self.name).raw(", at most ").count(highest);
        page.raw("</figcaption><svg role=\"img\" preserveAspectRatio=\"none\" viewBox=\"0 0 ");
        page.number(self.places().unsigned_abs() * WIDTH).raw(" ").number(HEIGHT);
        page.raw("\"><title>").raw(kind.name()).raw(" over time</title>");
        let bars = self.counts.iter().map(|(bar, counts)| (*bar, counts[kind.index()]));
        for (bar, count) in bars.filter(|(_, count)| *count > 0) {
            let share = u128::from(count) * u128::from(HEIGHT) / u128::from(highest);
            // The smallest is still seen.
            let height = u64::try_from(share).unwrap_or(HEIGHT).max(3);
            let x = (bar - self.begin).unsigned_abs() * WIDTH;
            page.raw("<rect x=\"").number(x + 1).raw("\" y=\"").number(HEIGHT - height);
            page.raw("\" width=\"").number(WIDTH - 2).raw("\" height=\"").number(height);
            page.raw("\"><title>").text(&self.time(bar)).raw(": ").count(count).raw(" ");
            page.raw(kind.name()).raw("</title></rect>");
        }
        page.raw("</svg></figure>\n");
    }

    fn table(&self, page: &mut Markup, kinds: &[RequestKind]) {
        page.raw("<details><summary>As a table</summary><table class=\"numbers\"><thead><tr>");
        page.raw("<th scope=\"col\">From</th>");
        for kind in kinds {
            page.raw("<th scope=\"col\" class=\"n\">").raw(kind.name()).raw("</th>");
        }
        page.raw("</tr></thead><tbody>");
        for (bar, counts) in &self.counts {
            page.raw("<tr><td class=\"time\">").text(&self.time(*bar)).raw("</td>");
            for kind in kinds {
                page.raw("<td class=\"n\">").count(counts[kind.index()]).raw("</td>");
            }
            page.raw("</tr>");
        }
        page.raw("</tbody></table></details>\n");
    }
}
