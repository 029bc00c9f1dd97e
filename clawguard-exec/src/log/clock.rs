//! Times as a person reads them, and the sentence that says in which zone they are.

#![forbid(unsafe_code)]

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The zone in which times are shown.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    zone: TimeZone,
}

impl Clock {
    pub(super) fn utc() -> Clock {
        Clock { zone: TimeZone::UTC }
    }

    /// The zone of `TZ`, else of the system, else UTC.
    pub(super) fn local() -> Clock {
        Clock { zone: TimeZone::try_system().unwrap_or(TimeZone::UTC) }
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// `2026-11-22 14:03:11`.
    pub(super) fn show(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `14:03:11`.
    pub(super) fn show_time(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// `2026-11-22 14:03`.
    pub(super) fn show_minute(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// The day alone, to tell whether two times share one.
    pub(super) fn day(&self, time: Timestamp) -> jiff::civil::Date {
        time.to_zoned(self.zone.clone()).date()
    }

    /// `UTC`, or `local time (Europe/Berlin, UTC+01:00)`.
    pub(super) fn name(&self) -> String {
        if self.zone == TimeZone::UTC {
            return "UTC".to_owned();
        }
        let now = Timestamp::now().to_zoned(self.zone.clone());
        let offset = now.strftime("UTC%:z").to_string();
        match self.zone.iana_name() {
            Some("UTC" | "Etc/UTC") => "UTC".to_owned(),
            Some(name) => {
                format!("local time ({}, {offset})", clawguard_core::escape(name.as_bytes()))
            }
            None => format!("local time ({offset})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_named_with_its_offset() {
        let clock = Clock { zone: TimeZone::fixed(jiff::tz::offset(-3)) };
        let time = "2026-11-22T01:03:11.9Z".parse().unwrap();
        assert_eq!(clock.show(time), "2026-11-21 22:03:11");
        assert_eq!(clock.name(), "local time (UTC-03:00)");
        assert_eq!(Clock::utc().name(), "UTC");
        assert_eq!(Clock::utc().show_minute(time), "2026-11-22 01:03");
    }
}
