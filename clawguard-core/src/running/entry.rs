//! What an entry says of its run, and how it is named.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use super::wire::Bytes;
use super::{client, place, tree};
use crate::redact::redact;

/// The bytes of the command line that are kept.
const MAX_ARGUMENTS: usize = 8 * 1024;

/// What is known of a run from its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct About {
    pub(super) version: String,
    pub(super) policy: Bytes,
    pub(super) mode: String,
    pub(super) presets: Vec<String>,
    pub(super) arguments: Vec<Bytes>,
    pub(super) journal: Option<Bytes>,
    /// Milliseconds since 1970.
    pub(super) since_ms: u64,
}

impl About {
    pub(crate) fn new(
        policy: &[u8],
        mode: &str,
        presets: &[&'static str],
        journal: Option<&[u8]>,
    ) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy: Bytes(policy.to_vec()),
            mode: mode.to_owned(),
            presets: presets.iter().map(|name| (*name).to_owned()).collect(),
            arguments: Vec::new(),
            journal: journal.map(|journal| Bytes(journal.to_vec())),
            since_ms: 0,
        }
    }

    pub(super) fn since(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.since_ms)
    }
}

/// Where a run shall be listed, and as what.
pub(crate) struct Listing {
    pub(super) state: PathBuf,
    pub(super) about: About,
    tell: Box<dyn Fn(&io::Error) + Send + Sync>,
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Listing {
    pub(crate) fn new(
        state: PathBuf,
        about: About,
        tell: impl Fn(&io::Error) + Send + Sync + 'static,
    ) -> Listing {
        Listing { state, about, tell: Box::new(tell) }
    }

    /// The run begins now, with this command.
    pub(crate) fn names(&mut self, command: &Command) {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let mut room = MAX_ARGUMENTS;
        let mut cut = |word: &[u8]| {
            let kept = word.get(..room.min(word.len())).unwrap_or_default().to_vec();
            room = room.saturating_sub(word.len() + 8);
            Bytes(kept)
        };
        let words = redact(words.take(MAX_ARGUMENTS / 8).map(OsStrExt::as_bytes));
        self.about.arguments = words.map(|word| cut(&word)).collect();
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.about.since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    }

    /// The run is not listed, for this reason.
    pub(crate) fn failed(&self, error: &io::Error) {
        (self.tell)(error);
    }
}

/// Which run an entry stands for: the process that was started, and when, in clock ticks since boot. A number that was
/// given to another process later is told by its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) pid: u32,
    pub(super) start: u64,
}

/// What kind of entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A supervisor's socket.
    Socket,
    /// A file: nobody answers.
    File,
}

impl Id {
    pub(super) fn of(pid: u32) -> Option<Id> {
        tree::start_time(pid).map(|start| Id { pid, start })
    }

    pub(super) fn name(self, kind: Kind) -> String {
        let suffix = match kind {
            Kind::Socket => "sock",
            Kind::File => "json",
        };
        format!("{}-{}.{suffix}", self.pid, self.start)
    }

    pub(super) fn parse(name: &[u8]) -> Option<(Id, Kind)> {
        let (front, suffix) = std::str::from_utf8(name).ok()?.split_once('.')?;
        let kind = match suffix {
            "sock" => Kind::Socket,
            "json" => Kind::File,
            _ => return None,
        };
        let (pid, start) = front.split_once('-')?;
        let id = Id { pid: pid.parse().ok()?, start: start.parse().ok()? };
        (id.name(kind).as_bytes() == name).then_some((id, kind))
    }

    pub(super) fn is_alive(self) -> bool {
        tree::start_time(self.pid) == Some(self.start)
    }
}

/// The file of a run that nobody supervises.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recorded {
    #[serde(flatten)]
    pub(super) about: About,
    /// Which boot, and which PID namespace, the numbers belong to.
    pub(super) boot: String,
    pub(super) namespace: u64,
}

/// Writes the entry of a run in kernel mode: this process becomes the command.
pub(crate) fn record(listing: &Listing) {
    if let Err(error) = try_record(listing) {
        listing.failed(&error);
    }
}

fn try_record(listing: &Listing) -> io::Result<()> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let owner = rustix::process::geteuid().as_raw();
    let directory = place::make(&listing.state, owner)?;
    client::tidy(&directory, listing.state.join(place::NAME), owner);
    let id = Id::of(std::process::id()).ok_or_else(missing)?;
    let recorded = Recorded {
        about: listing.about.clone(),
        boot: tree::boot()?,
        namespace: tree::namespace()?,
    };
    let text = serde_json::to_vec(&recorded)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&directory, id.name(Kind::File), flags, Mode::RUSR | Mode::WUSR)?;
    let written = rustix::io::write(&file, &text)?;
    if written == text.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_is_named_and_nothing_else_is() {
        let id = Id { pid: 7, start: 12345 };
        for kind in [Kind::Socket, Kind::File] {
            assert_eq!(Id::parse(id.name(kind).as_bytes()), Some((id, kind)));
        }
        for name in ["7-12345", "7-12345.txt", "07-1.sock", "-1-2.sock", "+7-1.sock", "7.sock", ""]
        {
            assert_eq!(Id::parse(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn a_number_that_another_process_has_now_is_no_living_run() {
        let own = Id::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(!Id { start: own.start + 1, ..own }.is_alive());
    }

    #[test]
    fn a_long_command_line_is_cut() {
        let about = About::new(b"p", "supervised", &[], None);
        let mut listing = Listing::new(PathBuf::new(), about, |_| ());
        let mut command = Command::new("a");
        command.args(vec!["x".repeat(1000); 1000]);
        listing.names(&command);
        let kept: usize = listing.about.arguments.iter().map(|one| one.0.len()).sum();
        assert!((7000..=MAX_ARGUMENTS).contains(&kept), "{kept}");
    }
}
