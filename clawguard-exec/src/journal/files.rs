//! Which files the journal has: the present one and those that were put away, oldest first.
//!
//! All are opened before the first is read, so that a rotation meanwhile loses no line and repeats none. The names are
//! those that the writer gives (docs/policy.md, "The journal").

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clawguard_core::Host;
use rustix::fs::OFlags;

use super::{JournalReadError, Reader};

const NAME: &str = "journal.jsonl";
const PREFIX: &[u8] = b"journal-";
const SUFFIX: &[u8] = b".jsonl";

/// `FILE.1`, the newest, to `FILE.7`.
const NUMBERS: std::ops::RangeInclusive<u32> = 1..=7;

/// Where a journal is.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    naming: Naming,
}

/// How the files that were put away are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// `journal-TIME.jsonl`, in the state directory.
    Dated,
    /// `FILE.N`, beside a file that was named with `--log`.
    Numbered,
}

/// One open file of it.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// Device and inode: a name may lead to another file the next moment.
    pub(crate) id: (u64, u64),
}

impl Journal {
    /// The journal that was named, else the one of clawguard's state directory.
    pub(crate) fn locate(host: &Host, named: Option<&Path>) -> Result<Journal, JournalReadError> {
        if let Some(named) = named {
            return Ok(Journal { path: host.cwd.as_path().join(named), naming: Naming::Numbered });
        }
        let directory = host.state_directory().ok_or(JournalReadError::NoPlace)?;
        Ok(Journal { path: directory.as_path().join(NAME), naming: Naming::Dated })
    }

    /// The present file, which need not exist.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All files, oldest first; none where there is no journal yet.
    pub(crate) fn open(&self) -> Result<Vec<Open>, JournalReadError> {
        let mut files = Vec::new();
        let mut seen = BTreeSet::new();
        // Newest first: a file that is put away meanwhile moves to where it will still be looked for.
        for path in [vec![self.path.clone()], self.put_away()?].concat() {
            if let Some(open) = self.open_one(path)?.filter(|open| seen.insert(open.id)) {
                files.push(open);
            }
        }
        files.reverse();
        Ok(files)
    }

    /// All lines of all files, oldest first.
    pub(crate) fn read(&self) -> Result<Reader, JournalReadError> {
        Ok(Reader::new(self.open()?))
    }

    fn open_one(&self, path: PathBuf) -> Result<Option<Open>, JournalReadError> {
        // Without O_NONBLOCK a FIFO would be waited for.
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
        let opened = File::options().read(true).custom_flags(flags).open(&path);
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error(path, error)),
            Ok(file) => file,
        };
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => {
                let id = (metadata.dev(), metadata.ino());
                Ok(Some(Open { path, file, id }))
            }
            Ok(_) => Err(JournalReadError::NotAFile { path }),
            Err(source) => Err(JournalReadError::Read { path, source }),
        }
    }

    /// The files that were put away, newest first.
    fn put_away(&self) -> Result<Vec<PathBuf>, JournalReadError> {
        let numbered = NUMBERS.map(|number| numbered(&self.path, number));
        match self.naming {
            // The journal of a state directory may be named too.
            Naming::Numbered if self.path.file_name() == Some(OsStr::new(NAME)) => {
                Ok(numbered.chain(self.dated()?).collect())
            }
            Naming::Numbered => Ok(numbered.collect()),
            Naming::Dated => self.dated(),
        }
    }

    fn dated(&self) -> Result<Vec<PathBuf>, JournalReadError> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let entries = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.error(directory.to_owned(), error)),
            Ok(entries) => entries,
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<OsString> = names.filter(|name| is_dated(name.as_bytes())).collect();
        names.sort_unstable();
        Ok(names.into_iter().rev().map(|name| directory.join(name)).collect())
    }

    fn error(&self, path: PathBuf, source: io::Error) -> JournalReadError {
        let reader = rustix::process::geteuid().as_raw();
        // Of a file in a closed directory nothing is known, so the nearest directory that can be seen tells.
        let mut owners = path.ancestors().filter_map(|at| at.metadata().ok());
        let owner = owners.next().map(|metadata| metadata.uid());
        match (source.kind(), owner) {
            (io::ErrorKind::PermissionDenied, Some(owner)) if owner != reader => {
                JournalReadError::OtherUser { path, owner, reader }
            }
            _ => JournalReadError::Read { path, source },
        }
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn is_dated(name: &[u8]) -> bool {
    let time = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    time.is_some_and(|time| {
        !time.is_empty() && time.iter().all(|byte| byte.is_ascii_digit() || b"TZ.".contains(byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(journal: &Journal) -> Vec<String> {
        let name = |open: Open| open.path.file_name().unwrap().to_str().unwrap().to_owned();
        journal.open().unwrap().into_iter().map(name).collect()
    }

    #[test]
    fn the_files_come_oldest_first_and_nothing_else_is_a_journal() {
        let directory = tempfile::tempdir().unwrap();
        let dated = ["journal-20261121T080000.000Z.jsonl", "journal-20261122T080000.000Z.jsonl"];
        let others = ["journal-.jsonl", "journal-old.jsonl", "journal.jsonl.bak", "x.jsonl"];
        for name in dated.iter().chain(&others).chain(&["journal.jsonl"]) {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let journal = Journal { path: directory.path().join(NAME), naming: Naming::Dated };
        assert_eq!(names(&journal), [dated[0], dated[1], NAME]);
        let file = directory.path().join("my.log");
        let journal = Journal { path: file.clone(), naming: Naming::Numbered };
        assert!(names(&journal).is_empty());
        for name in ["my.log.2", "my.log.1", "my.log", "my.log.8"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(names(&journal), ["my.log.2", "my.log.1", "my.log"]);
    }

    #[test]
    fn a_file_that_has_two_names_for_a_moment_is_read_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("my.log");
        std::fs::write(&file, "").unwrap();
        std::fs::hard_link(&file, directory.path().join("my.log.1")).unwrap();
        assert_eq!(names(&Journal { path: file, naming: Naming::Numbered }), ["my.log"]);
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal { path: directory.path().to_owned(), naming: Naming::Numbered };
        assert!(matches!(journal.open(), Err(JournalReadError::NotAFile { .. })));
    }
}
