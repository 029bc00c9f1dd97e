//! `--mode kernel`: never more than the law, in what Landlock holds. SPEC section 6: it "is weaker in two ways: it denies more
//! (in a mixed directory, what it cannot tell apart), and it leaves open, and prints, metadata, sockets and guards of files
//! that do not exist".

#![forbid(unsafe_code)]

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::law::{Access, Name, split};
use crate::needs::{Judge, O_ACCMODE, O_CREAT, O_WRONLY, Verdict};
use crate::operation::{Call, Operation};
use crate::walk::{Process, Spot, lstat};

/// What a denial looks like there: EACCES, EXDEV, EPERM.
pub(crate) const DENIALS: [i32; 3] = [13, 18, 1];

/// The files of a tree that have several names.
pub(crate) fn linked(top: &Path) -> Vec<(u64, u64)> {
    let top_path = split(std::os::unix::ffi::OsStrExt::as_bytes(top.as_os_str()));
    let paths = crate::tree::paths(top);
    let found = paths.iter().filter_map(|(path, _)| lstat(&[&top_path[..], &split(path)].concat()));
    found
        .filter(|found| !found.is_dir() && found.nlink() > 1)
        .map(|found| (found.dev(), found.ino()))
        .collect()
}

fn is_single(found: &Metadata, linked: &[(u64, u64)]) -> bool {
    found.is_dir() || found.nlink() == 1 && !linked.contains(&(found.dev(), found.ino()))
}

/// docs/limits.md, "A file that is made and not opened": what makes the same file, if the operation does that.
pub(crate) fn made_only(
    judge: &Judge<'_>,
    process: &Process,
    operation: &Operation,
) -> Option<Operation> {
    if operation.call != Call::Open || operation.flags & O_CREAT == 0 {
        return None;
    }
    let flags = operation.flags & !O_ACCMODE | O_WRONLY;
    let made = Operation { flags, register: -1, ..operation.clone() };
    let is_new = matches!(judge.object(process, operation), Some(Spot::Missing { .. }));
    (is_new && judge.verdict(process, &made) == Verdict::Natural).then_some(made)
}

/// Must what the law denies be denied here too?
pub(crate) fn holds(
    judge: &Judge<'_>,
    process: &Process,
    operation: &Operation,
    linked: &[(u64, u64)],
) -> bool {
    match operation.call {
        Call::Open if crate::processes::is_outside(operation) => true,
        Call::Mkdir | Call::Mknod | Call::Bind | Call::Unlink | Call::Rmdir => true,
        // docs/limits.md, "Links below a block that changes nothing".
        Call::Symlink => match judge.made(process, operation) {
            Some(path) => judge.denies(Access::Write, &path) || judge.leads_to_a_pin(&path),
            None => true,
        },
        Call::Link | Call::Rename => {
            let is_single =
                |path: &Vec<Name>| lstat(path).is_none_or(|found| is_single(&found, linked));
            match judge.moved(process, operation) {
                Some(names) if names.iter().any(|name| judge.denies(Access::Write, name)) => true,
                // docs/limits.md, "Files with several names" and "Moving a directory to where less is allowed".
                Some(names) => {
                    names.iter().all(is_single)
                        && !judge.only_changes(process, operation)
                        && !lstat(&names[0]).is_some_and(|found| found.is_symlink())
                }
                // A file that has no name any more, as below.
                None => false,
            }
        }
        Call::Execute => match judge.executed(process, operation) {
            Some(Spot::Found { path, .. }) => {
                let denied = judge.denied_programs(process, &path);
                denied.iter().any(|path| lstat(path).is_none_or(|found| is_single(&found, linked)))
            }
            Some(Spot::Nameless(_)) => false,
            Some(Spot::Missing { .. } | Spot::Elsewhere) | None => true,
        },
        Call::Open | Call::Truncate => match judge.object(process, operation) {
            // docs/limits.md, "Files with several names": a rule on a file holds for all of them.
            Some(Spot::Found { path, .. }) => {
                lstat(&path).is_none_or(|found| is_single(&found, linked))
            }
            // SPEC section 7, "Landlock's grants follow the object": a file without a name is judged by where it was.
            Some(Spot::Nameless(_)) => false,
            Some(Spot::Missing { .. } | Spot::Elsewhere) | None => true,
        },
        // "metadata, sockets"
        _ => false,
    }
}
