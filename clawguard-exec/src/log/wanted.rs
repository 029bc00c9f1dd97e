//! What was asked for in vain: the denied paths, each once, from which policy lines can be proposed.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use clawguard_core::{AbsPath, AccessSet};

use crate::journal::{Event, Record, RequestKind};

/// What was denied of one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) access: AccessSet,
    pub(crate) count: u64,
    /// The system calls.
    pub(crate) operations: BTreeSet<String>,
    /// The names of the processes, in any bytes.
    pub(crate) commands: BTreeSet<Vec<u8>>,
}

/// The denied paths, in their order.
#[derive(Debug, Default)]
pub(crate) struct WantedPaths(BTreeMap<AbsPath, Wanted>);

impl WantedPaths {
    /// Hears of a line; only denials of a path that a policy could name matter.
    pub(crate) fn add(&mut self, record: &Record) {
        let Event::Request(RequestKind::Denied, request) = &record.event else { return };
        let Ok(path) = AbsPath::parse(&request.path) else { return };
        let wanted = self.0.entry(path).or_default();
        wanted.access = wanted.access.union(request.access);
        wanted.count = wanted.count.saturating_add(request.count);
        wanted.operations.insert(request.operation.clone());
        wanted.commands.insert(request.command.to_vec());
    }

    pub(crate) fn finish(self) -> BTreeMap<AbsPath, Wanted> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_wanted_once_with_all_that_was_denied_of_it() {
        let mut all = WantedPaths::default();
        for (event, path, access, command) in [
            ("denied", "/a", "r", "cat"),
            ("denied", "/a", "w", "sh"),
            ("allowed", "/b", "r", "sh"),
            ("denied", "pipe:[7]", "r", "sh"),
        ] {
            let line = format!(
                r#"{{"time":"2026-11-22T13:03:11Z","session":"7","event":"{event}","command":"{command}","operation":"openat","path":"{path}","access":"{access}","rule":null,"count":2}}"#
            );
            all.add(&Record::parse(line.as_bytes()).unwrap());
        }
        let all = all.finish();
        let (path, wanted) = all.first_key_value().unwrap();
        assert_eq!((all.len(), path.as_bytes()), (1, &b"/a"[..]));
        assert_eq!((wanted.access.to_string(), wanted.count), ("rw".to_owned(), 4));
        assert_eq!(wanted.commands, [b"cat".to_vec(), b"sh".to_vec()].into());
    }
}
