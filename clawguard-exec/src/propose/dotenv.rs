//! Files of secrets that a project has in it, and the catalogue of well-known places cannot name: `.env` and its kin, as
//! the built-in default blocks them.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use clawguard_core::{AbsPath, Access, Host};

use super::Wanted;
use super::places::may_stand;
use crate::known::{Kind, Present, Secret};

/// Entries of the working directory's tree that are looked at.
const MOST: usize = 50_000;

static DOTENV: LazyLock<Secret> = LazyLock::new(|| Secret {
    pattern: "**/.env",
    access: Access::Read.into(),
    kind: Kind::Tokens,
    what: "passwords and tokens of a project",
});

/// Is it the name of one?
pub(super) fn is_dotenv(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b".env") else { return false };
    let rest = rest.strip_suffix(b".local").unwrap_or(rest);
    matches!(rest, b"" | b".development" | b".production" | b".staging" | b".test")
}

/// The secret that reading this path would open.
pub(super) fn find(path: &AbsPath, access: Access) -> Option<&'static Secret> {
    let opens = access == Access::Read && path.components().any(is_dotenv);
    opens.then(|| &*DOTENV)
}

/// Those that exist: beside what was wanted, and in the working directory's tree as far as it is looked at.
pub(super) fn present(host: &Host, wanted: &[Wanted]) -> Present {
    let mut directories = BTreeSet::new();
    for one in wanted {
        let mut at = one.path.parent();
        while let Some(directory) = at.filter(|at| !directories.contains(at)) {
            at = directory.parent();
            directories.insert(directory);
        }
    }
    let mut paths: BTreeSet<AbsPath> =
        directories.iter().flat_map(entries).map(|(path, _)| path).filter(named).collect();
    if may_stand(&host.cwd, Access::Write.into(), host) {
        let mut open = vec![host.cwd.clone()];
        let mut seen = 0;
        while let Some(directory) = open.pop().filter(|_| seen < MOST) {
            for (path, is_directory) in entries(&directory) {
                seen += 1;
                if named(&path) {
                    paths.insert(path);
                } else if is_directory {
                    open.push(path);
                }
            }
        }
    }
    Present { secret: &DOTENV, paths: paths.into_iter().collect() }
}

fn named(path: &AbsPath) -> bool {
    path.file_name().is_some_and(is_dotenv)
}

fn entries(directory: &AbsPath) -> Vec<(AbsPath, bool)> {
    use std::os::unix::ffi::OsStrExt;
    let Ok(entries) = std::fs::read_dir(directory.as_path()) else { return Vec::new() };
    let entry = |entry: std::fs::DirEntry| {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (directory.join(entry.file_name().as_bytes()), is_directory)
    };
    entries.flatten().map(entry).collect()
}
