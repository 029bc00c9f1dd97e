//! What is mounted where, as the kernel tells this process (proc_pid_mountinfo(5)). Decides nothing.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;

use crate::path::AbsPath;

/// One mount of this process's namespace.
pub(crate) struct Mount {
    /// Its number, which statx(2) gives as `stx_mnt_id` for whatever lies in it.
    pub(crate) id: u64,
    /// The number of the mount that it stands in.
    parent: u64,
    pub(crate) place: AbsPath,
    /// What of its file system is mounted: `/`, but for a bind mount of a directory in it.
    pub(crate) root: AbsPath,
    pub(crate) kind: Box<[u8]>,
}

/// A procfs that a path leads to: what lies in it belongs to processes, most of them not the target's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Procfs {
    pub(crate) place: AbsPath,
    pub(crate) root: AbsPath,
}

impl Procfs {
    /// The one that every host has.
    #[must_use]
    pub fn usual() -> Procfs {
        Procfs { place: AbsPath::root().join(b"proc"), root: AbsPath::root() }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn place(&self) -> &AbsPath {
        &self.place
    }

    /// The first component of a path beneath it, counted from the root of the file system: a process's number, or
    /// something of no process.
    pub(crate) fn first<'a>(&'a self, path: &'a AbsPath) -> Option<&'a [u8]> {
        self.root.components().next().or_else(|| path.components().nth(self.place.depth()))
    }

    /// The number of the process in whose part a path lies, if there is one now.
    pub(crate) fn running(&self, path: &AbsPath) -> Option<u32> {
        let number = number(self.first(path).filter(|_| path.starts_with(&self.place))?)?;
        let place = match self.root == AbsPath::root() {
            true => self.place.join(number.to_string().as_bytes()),
            false => self.place.clone(),
        };
        std::fs::symlink_metadata(place).is_ok().then_some(number)
    }
}

/// A process's or thread's number, as a name in a procfs.
pub(crate) fn number(name: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(name).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// By which numbers a procfs shows this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// By its own, so that a number in it means the same process here.
    AsItself,
    /// By another one: the procfs belongs to a PID namespace around this process's own.
    As(u32),
    /// Not at all: to a namespace in which this process is not, or it is no procfs.
    Not,
}

/// Asks a procfs that is mounted here. A number may be the same by chance, so the kernel's list is read as well: it
/// begins in the namespace of the procfs and ends in that of the process (`NSpid` of proc_pid_status(5)).
pub(crate) fn shows_this_process(place: &AbsPath) -> Shown {
    let own = std::process::id();
    let link = std::fs::read_link(place.join(b"self")).ok();
    let number = link.and_then(|link| number(link.as_os_str().as_bytes()));
    let status = std::fs::read_to_string(place.join(b"self/status")).unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    // A kernel without PID namespaces has no list.
    let is_one = list.is_none_or(|list| list.split_whitespace().count() == 1);
    match number {
        Some(number) if number == own && is_one && !status.is_empty() => Shown::AsItself,
        Some(number) => Shown::As(number),
        None => Shown::Not,
    }
}

/// Every mount, the later of two at one place last.
pub(crate) fn read() -> Vec<Mount> {
    std::fs::read("/proc/self/mountinfo").map(|text| parse(&text)).unwrap_or_default()
}

/// Each procfs among the mounts, and `/proc` whether it is mounted or not.
pub(crate) fn procfs(mounts: &[Mount]) -> Vec<Procfs> {
    let is_proc = |mount: &&Mount| &*mount.kind == b"proc";
    let found = mounts.iter().filter(is_proc);
    let mut all: Vec<Procfs> = found
        .map(|mount| Procfs { place: mount.place.clone(), root: mount.root.clone() })
        .chain([Procfs::usual()])
        .collect();
    all.sort();
    all.dedup();
    all
}

/// The number of the mount that a path without links leads into: at each step down it is the mount that stands nearest
/// to the root, whatever that one hides.
pub(crate) fn governing(mounts: &[Mount], path: &AbsPath) -> Option<u64> {
    let is_top = |mount: &&Mount| {
        mount.place == AbsPath::root() && mounts.iter().all(|other| other.id != mount.parent)
    };
    let mut at = mounts.iter().find(is_top)?.id;
    // Each mount stands in one other, so there are no more steps than mounts.
    for _ in mounts {
        let stands_here =
            |mount: &&Mount| mount.parent == at && mount.id != at && path.starts_with(&mount.place);
        match mounts.iter().filter(stands_here).min_by_key(|mount| mount.place.depth()) {
            Some(next) => at = next.id,
            None => break,
        }
    }
    Some(at)
}

/// The first field is the number, the second that of the mount above, the fourth field is the root, the fifth the place, the first after `-` the type.
pub(super) fn parse(mountinfo: &[u8]) -> Vec<Mount> {
    let mount = |line: &[u8]| {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let path = |index: usize| AbsPath::parse(unescape(fields.get(index)?)).ok();
        let number = |index: usize| std::str::from_utf8(fields.get(index)?).ok()?.parse().ok();
        let dash = fields.iter().position(|field| *field == b"-")?;
        let kind = Box::from(*fields.get(dash + 1)?);
        let root = path(3).unwrap_or_else(AbsPath::root);
        Some(Mount { id: number(0)?, parent: number(1)?, place: path(4)?, root, kind })
    };
    mountinfo.split(|&byte| byte == b'\n').filter_map(mount).collect()
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) if byte == b'\\' => {
                out.push(escaped);
                rest = &after[3..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_procfs_is_found_with_what_of_it_is_mounted() {
        let text = b"21 1 0:5 / /proc rw - proc proc rw\n\
            30 1 0:5 /123 /w/one\\040process rw - proc proc rw\n\
            31 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n";
        let all = procfs(&parse(text));
        let places: Vec<String> = all.iter().map(|one| one.place.to_string()).collect();
        assert_eq!(places, ["/proc", "/w/one process"]);
        let path = |text: &str| AbsPath::parse(text).unwrap();
        let first = |text: &str| {
            let path = path(text);
            let of = all.iter().find(|one| path.starts_with(&one.place)).unwrap();
            of.first(&path).and_then(number)
        };
        assert_eq!(first("/proc/77/status"), Some(77));
        assert_eq!(first("/proc/meminfo"), None);
        assert_eq!(first("/proc"), None);
        assert_eq!(first("/w/one process/status"), Some(123), "a bind mount of a process");
        assert_eq!(procfs(&[]), [Procfs::usual()]);
    }

    #[test]
    fn a_path_leads_into_the_mount_that_hides_the_others() {
        let text = b"1 0 8:1 / / rw - ext4 a rw\n\
            5 1 0:5 / /a/b rw - tmpfs b rw\n\
            6 1 0:6 / /a rw - tmpfs c rw\n\
            7 6 0:7 / /a rw - tmpfs d rw\n\
            8 1 0:8 / /x rw - tmpfs e rw\n\
            9 8 0:9 / /x/y rw - tmpfs f rw\n";
        let mounts = parse(text);
        let at = |path: &str| governing(&mounts, &AbsPath::parse(path).unwrap());
        assert_eq!(at("/a/b/c"), Some(7), "what was mounted over it hides /a/b");
        assert_eq!(at("/x/y/z"), Some(9));
        assert_eq!(at("/x/yy"), Some(8));
        assert_eq!(at("/"), Some(1));
        assert_eq!(governing(&[], &AbsPath::root()), None);
    }
}
