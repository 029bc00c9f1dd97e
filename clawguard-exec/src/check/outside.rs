//! Who else denies: what stands between a process without capabilities and a path when the policy does not.
//!
//! Looks from outside, by access(2), statx(2) and statfs(2). Opens nothing, changes nothing, decides nothing.

#![forbid(unsafe_code)]

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

use clawguard_core::{AbsPath, Access};
use rustix::fs::{AtFlags, CWD, StatVfsMountFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

/// `security.selinux` and the like can deny what modes allow; the others of /sys/kernel/security/lsm cannot deny an
/// open.
const MODULES: [&str; 7] = ["selinux", "apparmor", "smack", "tomoyo", "ipe", "bpf", "landlock"];

/// The kind of thing that denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Nothing is there.
    Missing,
    /// Something on the way is no directory.
    NotADirectory,
    /// Symbolic links lead in a circle.
    Links,
    /// Mode and owner.
    Modes,
    /// An access control list, or modes: one cannot tell.
    AccessList,
    /// The file system is mounted to be read only.
    ReadOnly,
    /// It is mounted so that nothing can be executed.
    NoExec,
    /// The file may not be changed at all, or only be added to (chattr(1)).
    Attribute,
    /// Only the owner removes or renames it.
    Sticky,
    /// It is being executed, or written.
    Busy,
    /// Another security module, as far as one can tell.
    Module,
    /// The directory is pinned.
    Pin,
    /// An error that says it all.
    Other,
}

impl Who {
    /// The word for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Who::Missing => "missing",
            Who::NotADirectory => "not_a_directory",
            Who::Links => "links",
            Who::Modes => "modes",
            Who::AccessList => "access_list",
            Who::ReadOnly => "read_only_mount",
            Who::NoExec => "noexec_mount",
            Who::Attribute => "attribute",
            Who::Sticky => "sticky",
            Who::Busy => "busy",
            Who::Module => "security_module",
            Who::Pin => "pin",
            Who::Other => "other",
        }
    }
}

/// Something that denies an access, whatever the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) who: Who,
    /// What it denies the access at: the path itself, or one above it.
    pub(super) path: AbsPath,
    pub(super) text: String,
}

impl Other {
    fn new(who: Who, path: &AbsPath, text: String) -> Other {
        Other { who, path: path.clone(), text }
    }
}

/// What denies this access at a real path to the calling thread, if anything does. To be asked without capabilities.
pub(super) fn find(path: &AbsPath, access: Access) -> Option<Other> {
    match ask(path, access) {
        // Searching a directory is not what `x` means, and nothing else but a file is executed.
        _ if access == Access::Execute && is_no_file(path) => None,
        Ok(()) if access == Access::Write => sticky(path),
        Ok(()) => None,
        // What is missing can be made.
        Err(Errno::NOENT) if access == Access::Write && may_make(path) => None,
        Err(errno) => Some(explain(path, access, errno)),
    }
}

fn is_no_file(path: &AbsPath) -> bool {
    std::fs::symlink_metadata(path.as_path()).is_ok_and(|found| !found.is_file())
}

fn may_make(path: &AbsPath) -> bool {
    path.parent().is_some_and(|directory| ask(&directory, Access::Write).is_ok())
}

/// What made an attempt fail with this errno.
pub(super) fn explain(path: &AbsPath, access: Access, errno: Errno) -> Other {
    if let Some(other) = on_the_way(path) {
        return other;
    }
    match errno {
        Errno::NOENT if access == Access::Write => making(path),
        Errno::NOENT => missing(path),
        Errno::NOTDIR => {
            Other::new(Who::NotADirectory, path, format!("`{path}` is not a directory"))
        }
        Errno::LOOP => {
            Other::new(Who::Links, path, format!("symbolic links at `{path}` lead in a circle"))
        }
        Errno::ROFS => {
            let text = format!("`{path}` is on a file system that is mounted read-only");
            Other::new(Who::ReadOnly, path, text)
        }
        Errno::TXTBSY => {
            let text = match access {
                Access::Write => format!("`{path}` is being executed (ETXTBSY)"),
                Access::Read | Access::Execute => {
                    format!("`{path}` is open for writing (ETXTBSY)")
                }
            };
            Other::new(Who::Busy, path, text)
        }
        Errno::PERM => attribute(path).unwrap_or_else(|| module(path, errno)),
        Errno::ACCESS => refused(path, access),
        errno => {
            let text = format!("`{path}`: {}", io::Error::from(errno));
            Other::new(Who::Other, path, text)
        }
    }
}

fn ask(path: &AbsPath, access: Access) -> Result<(), Errno> {
    let mode = match access {
        Access::Read => rustix::fs::Access::READ_OK,
        Access::Write => rustix::fs::Access::WRITE_OK,
        Access::Execute => rustix::fs::Access::EXEC_OK,
    };
    rustix::fs::accessat(CWD, path.as_path(), mode, AtFlags::EACCESS)
}

/// The first directory above the path that cannot be gone through.
fn on_the_way(path: &AbsPath) -> Option<Other> {
    let mut above: Vec<AbsPath> = std::iter::successors(path.parent(), AbsPath::parent).collect();
    above.reverse();
    for directory in above {
        // Only of a directory is `x` the right to go through it.
        let found = std::fs::symlink_metadata(directory.as_path());
        if found.as_ref().is_ok_and(|found| !found.is_dir() && !found.is_symlink()) {
            let text = format!("`{directory}` is not a directory");
            return Some(Other::new(Who::NotADirectory, &directory, text));
        }
        match ask(&directory, Access::Execute) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Some(missing(&directory)),
            Err(Errno::ACCESS) => return Some(refused(&directory, Access::Execute)),
            Err(_) => return None,
        }
    }
    None
}

fn missing(path: &AbsPath) -> Other {
    Other::new(Who::Missing, path, format!("`{path}` does not exist"))
}

/// Nothing is there: who would keep it from being made?
fn making(path: &AbsPath) -> Other {
    let Some(directory) = path.parent() else { return missing(path) };
    match ask(&directory, Access::Write) {
        Ok(()) => missing(path),
        Err(errno) => {
            let other = explain(&directory, Access::Write, errno);
            let text = format!("`{path}` does not exist, and cannot be made: {}", other.text);
            Other { text, ..other }
        }
    }
}

/// EACCES at the very path: modes, an access control list, `noexec`, or another security module.
fn refused(path: &AbsPath, access: Access) -> Other {
    let Ok(found) = std::fs::symlink_metadata(path.as_path()) else {
        return module(path, Errno::ACCESS);
    };
    if access == Access::Execute && found.is_file() && is_on_noexec(path) {
        let text = format!("`{path}` is on a file system that is mounted noexec");
        return Other::new(Who::NoExec, path, text);
    }
    if access == Access::Execute && found.is_file() && found.mode() & 0o111 == 0 {
        let text = format!("`{path}` is not executable (mode {:04o})", found.mode() & 0o7777);
        return Other::new(Who::Modes, path, text);
    }
    let verb = match (access, found.is_dir()) {
        (Access::Read, false) => "read it",
        (Access::Read, true) => "list it",
        (Access::Write, false) => "write it",
        (Access::Write, true) => "make, remove or rename what is in it",
        (Access::Execute, false) => "execute it",
        (Access::Execute, true) => "go through it",
    };
    let text = format!(
        "`{path}` has mode {:04o} and belongs to user {} and group {}: user {} may not {verb}",
        found.mode() & 0o7777,
        found.uid(),
        found.gid(),
        rustix::process::geteuid()
    );
    if has_access_list(path) {
        let text =
            format!("{text}, or its access control list does not let him (getfacl shows it)");
        return Other::new(Who::AccessList, path, text);
    }
    if modes_allow(&found, access) {
        return module(path, Errno::ACCESS);
    }
    Other::new(Who::Modes, path, text)
}

/// As the kernel reads mode and owner for a process without capabilities (fs/namei.c, `acl_permission_check`).
fn modes_allow(found: &Metadata, access: Access) -> bool {
    let bit = match access {
        Access::Read => 0o4,
        Access::Write => 0o2,
        Access::Execute => 0o1,
    };
    let groups = rustix::process::getgroups().unwrap_or_default();
    let is_of_group = rustix::process::getegid().as_raw() == found.gid()
        || groups.iter().any(|group| group.as_raw() == found.gid());
    let shift = if rustix::process::geteuid().as_raw() == found.uid() {
        6
    } else if is_of_group {
        3
    } else {
        0
    };
    found.mode() >> shift & bit != 0
}

fn has_access_list(path: &AbsPath) -> bool {
    let mut list = [0u8; 4096];
    let read = rustix::fs::getxattr(path.as_path(), "system.posix_acl_access", &mut list);
    !matches!(read, Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT))
}

fn is_on_noexec(path: &AbsPath) -> bool {
    rustix::fs::statvfs(path.as_path())
        .is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// The attributes of chattr(1) that keep a file from being changed.
fn attribute(path: &AbsPath) -> Option<Other> {
    let found =
        rustix::fs::statx(CWD, path.as_path(), AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)
            .ok()?;
    let text = if found.stx_attributes.contains(StatxAttributes::IMMUTABLE) {
        format!("`{path}` is immutable (chattr +i)")
    } else if found.stx_attributes.contains(StatxAttributes::APPEND) {
        format!("`{path}` can only be added to (chattr +a)")
    } else {
        return None;
    };
    Some(Other::new(Who::Attribute, path, text))
}

/// In a sticky directory only the owner of an entry, or of the directory, removes or renames it.
fn sticky(path: &AbsPath) -> Option<Other> {
    let found = std::fs::symlink_metadata(path.as_path()).ok()?;
    let directory = path.parent()?;
    let above = std::fs::symlink_metadata(directory.as_path()).ok()?;
    let user = rustix::process::geteuid().as_raw();
    let is_owner = user == found.uid() || user == above.uid();
    let is_held = above.mode() & 0o1000 != 0 && !is_owner;
    is_held.then(|| {
        let text = format!(
            "`{directory}` is sticky and the file belongs to user {}: user {user} may not remove or rename it",
            found.uid()
        );
        Other::new(Who::Sticky, path, text)
    })
}

/// What is left when modes allow it: a suspicion, told as one.
fn module(path: &AbsPath, errno: Errno) -> Other {
    let active = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let active: Vec<&str> =
        active.trim().split(',').filter(|name| MODULES.contains(name)).collect();
    let suspects = match active.is_empty() {
        true => "such as SELinux or AppArmor, or a sandbox around this process".to_owned(),
        false => format!("active here: {}", active.join(", ")),
    };
    let context = std::fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
    let context =
        match context.trim_matches(|letter: char| letter == '\0' || letter.is_whitespace()) {
            "" => String::new(),
            context => {
                format!("; this process runs as `{}`", clawguard_core::escape(context.as_bytes()))
            }
        };
    let error = io::Error::from(errno);
    let text = format!(
        "`{path}`: {error}, although mode and owner allow it: probably another security module ({suspects}{context})"
    );
    Other::new(Who::Module, path, text)
}
