//! What a policy says besides its rules: temporary files, environment, network, logging.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::rule::Origin;

/// What the target gets for temporary files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temporary {
    /// A fresh directory of its own, named by TMPDIR.
    #[default]
    Private,
    /// All of /tmp and /var/tmp.
    Shared,
    /// Nothing.
    None,
}

/// Changes to the environment of the command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Variables that stay although `remove` or the default list would take them; `*` at either end of a name takes
    /// the rest of it.
    pub keep: BTreeSet<String>,
    /// Variables that are removed; `*` as in `keep`.
    pub remove: BTreeSet<String>,
    /// Variables that are set. `~` and variables are expanded as in a pattern.
    pub set: BTreeMap<String, (String, Origin)>,
}

/// Where the command may listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On loopback addresses only.
    Loopback,
    /// Anywhere.
    Any,
}

impl Listen {
    /// The word that means it in a policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Listen::Loopback => "loopback",
            Listen::Any => "any",
        }
    }
}

/// Where the journal is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum JournalPlace {
    /// `journal.jsonl` in this directory, which is made (mode 0700) when it is missing.
    State {
        /// The directory, such as [`Host::state_directory`](crate::Host::state_directory).
        directory: PathBuf,
    },
    /// This file; rotated ones are `FILE.1` to `FILE.7`.
    File(PathBuf),
    /// Nowhere: denials are counted, nothing is written.
    #[default]
    Nowhere,
}

/// What is logged, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// Log every decision, not only denials.
    pub file_access: bool,
    /// Log every execve.
    pub commands: bool,
    /// Log denials; none when the policy does not say.
    pub denials: Option<bool>,
    /// The journal's greatest size, in bytes.
    pub max_size: u64,
    /// How long a journal is kept.
    pub retention: Duration,
    /// What is run on a denial.
    pub on_denied: Option<OnDenied>,
}

/// A command that is run, outside the sandbox, when something was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDenied {
    /// For `/bin/sh -c`. The event is its standard input.
    pub command: String,
    /// For which denials; none: for all.
    pub rules: Option<Vec<(AlertOn, Origin)>>,
    /// The least time between two runs for the same rule.
    pub every: Duration,
    /// Where it was written.
    pub origin: Origin,
}

impl OnDenied {
    /// The least time between two runs, when the policy does not say.
    pub const EVERY: Duration = Duration::from_secs(60);
}

/// Which denials an alert is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertOn {
    /// Those of the blocked path that is written so.
    Pattern(String),
    /// Those that no rule makes: nothing allows the path.
    NothingAllows,
    /// Those of clawguard's own files: its policies, its journal, itself.
    Guards,
}

impl AlertOn {
    /// What is no pattern. No pattern begins with a letter.
    pub(super) const WORDS: [&'static str; 2] = ["nothing allows it", "guards"];

    pub(super) fn new(text: &str) -> AlertOn {
        let [nothing_allows, guards] = AlertOn::WORDS;
        match text {
            text if text == nothing_allows => AlertOn::NothingAllows,
            text if text == guards => AlertOn::Guards,
            pattern => AlertOn::Pattern(pattern.to_owned()),
        }
    }
}

impl Default for Logging {
    fn default() -> Logging {
        Logging {
            file_access: false,
            commands: false,
            denials: None,
            max_size: 100 * 1000 * 1000,
            retention: Duration::from_secs(30 * 24 * 60 * 60),
            on_denied: None,
        }
    }
}

/// A size such as `100MB` or `64KiB`, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = quantity(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A time such as `30d`, `12h` or `2w`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = quantity(text)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        "y" => 365 * 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

fn quantity(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(size("100MB"), Some(100_000_000));
        assert_eq!(size("64 KiB"), Some(65536));
        assert_eq!(size("5"), Some(5));
        assert_eq!(size("MB"), None);
        assert_eq!(size("99999999999GB"), None);
        assert_eq!(duration("30d"), Some(Duration::from_secs(2_592_000)));
        assert_eq!(duration("30"), None);
    }
}
