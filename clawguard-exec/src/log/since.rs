//! `--since`: a span back from now, a day, or a moment.

#![forbid(unsafe_code)]

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A moment, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before now.
    Ago(SignedDuration),
    /// In the zone in which times are shown.
    Local(DateTime),
    /// At this moment, whatever the zone.
    At(Timestamp),
}

impl Since {
    pub(super) fn parse(text: &str) -> Result<Since, String> {
        if let Some(ago) = ago(text) {
            return Ok(Since::Ago(ago));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Since::At(at));
        }
        text.parse::<DateTime>().map(Since::Local).map_err(|_| {
            "a time: `30m`, `2h`, `3d`, `2w`, `2026-11-22`, `2026-11-22T13:00` or `2026-11-22T13:00:00Z`"
                .to_owned()
        })
    }

    /// The moment itself.
    pub(super) fn moment(self, zone: &TimeZone) -> Timestamp {
        match self {
            Since::Ago(ago) => Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::MIN),
            Since::Local(civil) => zone.to_timestamp(civil).unwrap_or(Timestamp::MIN),
            Since::At(at) => at,
        }
    }
}

/// `2h` and its like.
fn ago(text: &str) -> Option<SignedDuration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..end].parse().ok()?;
    let seconds = match &text[end..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(SignedDuration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_days_and_moments_are_understood() {
        let at = |text: &str| Since::parse(text).unwrap();
        assert_eq!(at("90s"), Since::Ago(SignedDuration::from_secs(90)));
        assert_eq!(at("2w"), Since::Ago(SignedDuration::from_hours(14 * 24)));
        let utc = |text: &str| at(text).moment(&TimeZone::UTC).to_string();
        assert_eq!(utc("2026-11-22"), "2026-11-22T00:00:00Z");
        assert_eq!(utc("2026-11-22T13:05"), "2026-11-22T13:05:00Z");
        assert_eq!(utc("2026-11-22 13:05:07"), "2026-11-22T13:05:07Z");
        assert_eq!(utc("2026-11-22T13:05:00+01:00"), "2026-11-22T12:05:00Z");
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(at("2026-11-22").moment(&east).to_string(), "2026-11-21T22:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for text in ["", "h", "2", "2x", "yesterday", "2026-13-01", "-2h", "99999999999999999999h"]
        {
            assert!(Since::parse(text).is_err(), "{text}");
        }
        assert_eq!(Since::parse("999999999999d").unwrap().moment(&TimeZone::UTC), Timestamp::MIN);
        assert!(Since::parse("2").unwrap_err().contains("`2h`"));
    }
}
