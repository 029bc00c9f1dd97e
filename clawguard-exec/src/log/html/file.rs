//! Writing the page: whole or not at all, readable by its owner alone, and over nothing that is there unless asked.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat, renameat_with};
use rustix::io::Errno;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Refused,
    Replaced,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error(
        "`{}` is there already and was not changed: name another file, or add --force to replace it",
        shown(.0)
    )]
    Exists(PathBuf),
    #[error("`{}` is a directory: name a file in it", shown(.0))]
    Directory(PathBuf),
    #[error("`{}` cannot be written", shown(.path))]
    Write { path: PathBuf, source: io::Error },
}

fn shown(path: &Path) -> String {
    clawguard_core::escape(path.as_os_str().as_encoded_bytes())
}

/// Writes `text` beside `path` and gives it that name. A link that has the name is never followed.
pub(super) fn write(path: &Path, text: &str, existing: Existing) -> Result<(), PageError> {
    let present = path.symlink_metadata();
    let name = match (path.file_name(), &present) {
        (Some(_), Ok(present)) if present.is_dir() => None,
        (name, _) => name,
    };
    let Some(name) = name else { return Err(PageError::Directory(path.to_owned())) };
    // Asked early, so that nothing is made in vain; the last word has the rename.
    if existing == Existing::Refused && present.is_ok() {
        return Err(PageError::Exists(path.to_owned()));
    }
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(hidden);
    let error = |source| PageError::Write { path: path.to_owned(), source };
    // O_EXCL: a link or a file that is there is not opened.
    let made = File::options().write(true).create_new(true).mode(0o600).open(&beside);
    let mut file = made.map_err(error)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(error);
    let done = written.and_then(|()| {
        rename(&beside, path, existing).map_err(|errno| match errno {
            Errno::EXIST => PageError::Exists(path.to_owned()),
            errno => error(errno.into()),
        })
    });
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done
}

fn rename(from: &Path, to: &Path, existing: Existing) -> Result<(), Errno> {
    match existing {
        Existing::Replaced => renameat(CWD, from, CWD, to),
        Existing::Refused => match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // A file system without it (rename(2)): link(2) replaces nothing either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::link(from, to)?;
                rustix::fs::unlink(from)
            }
            renamed => renamed,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn what_is_there_is_refused_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("page.html");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(write(&file, "x", Existing::Refused), Err(PageError::Exists(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        write(&file, "x", Existing::Replaced).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "x");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "something is left");
    }

    #[test]
    fn a_link_is_never_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (link, target) = (directory.path().join("page.html"), directory.path().join("target"));
        fs::write(&target, "mine").unwrap();
        symlink(&target, &link).unwrap();
        assert!(matches!(write(&link, "x", Existing::Refused), Err(PageError::Exists(_))));
        write(&link, "x", Existing::Replaced).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_a_file_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        assert!(matches!(write(here, "x", Existing::Replaced), Err(PageError::Directory(_))));
        let missing = here.join("none/page.html");
        assert!(matches!(write(&missing, "x", Existing::Refused), Err(PageError::Write { .. })));
    }
}
