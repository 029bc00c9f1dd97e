//! What the walk knows of certain places, whatever the policy says.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;

use crate::path::AbsPath;
use crate::policy::{Case, Effect};
use crate::resolve::ResolvedPolicy;

/// Where names fold, an allowed pattern holds for the name as the disk has it: any other spelling reaches the same
/// file, but is not its real path.
pub(super) fn is_spelled_so(directory: &AbsPath, name: &[u8], case: Case) -> bool {
    case == Case::Sensitive
        || std::fs::symlink_metadata(directory.join(name)).is_err()
        || std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().as_bytes() == name)
}

/// Where only the system's packages make files: the loader and perl have second names there, and need them.
pub(super) fn is_of_the_system(path: &AbsPath) -> bool {
    let tops = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/nix/store",
        "/gnu/store",
    ];
    tops.iter().any(|top| path.as_path().starts_with(top))
        && !path.as_path().starts_with("/usr/local")
}

/// Directories whose entries are processes and kernel objects, some of them other people's. Nothing in them is a
/// program: `/proc/PID/exe` leads to one elsewhere.
pub(super) fn is_made_by_the_kernel(path: &AbsPath) -> bool {
    ["/proc", "/sys"].iter().any(|top| path.as_path().starts_with(top))
}

pub(super) fn is_device(path: &AbsPath) -> bool {
    let kind = std::fs::symlink_metadata(path).map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
}

/// The home directory, and whatever might be one: a guard stands at `~/.openclaw/config.yaml` on every host that has a
/// home directory, whatever the policy says, and a policy tells of it nowhere else.
pub(super) fn homes(policy: &ResolvedPolicy) -> Vec<AbsPath> {
    let guards = policy.spelled.iter().filter(|one| policy.rule(one.rule).effect == Effect::Guard);
    let is_in_home = |front: &&AbsPath| front.as_path().ends_with(".openclaw/config.yaml");
    let fronts = guards.map(|one| &one.front).filter(is_in_home);
    fronts.filter_map(|front| front.parent()?.parent()).collect()
}
