//! The machine that is looked at, as a value: a test can describe any.
//!
//! Reads who is who; changes nothing.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clawguard_core::{AbsPath, Host, Links};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, lstat, open};

/// Everything that the checks may ask.
pub(crate) struct Machine {
    pub(crate) host: Host,
    /// `/proc`, or a made one.
    pub(crate) proc: PathBuf,
    pub(crate) owners: Owners,
    /// Where something else is mounted.
    pub(crate) mounts: BTreeSet<AbsPath>,
}

impl Machine {
    pub(crate) fn current(host: Host) -> Machine {
        let proc = PathBuf::from("/proc");
        let mounts = mounts(&proc);
        let owners = Owners::new(&host, Path::new("/etc"));
        Machine { host, proc, owners, mounts }
    }

    /// OpenClaw's state directories, links followed: the usual one, those of its profiles (`~/.openclaw-NAME`), and
    /// those that its variables name.
    pub(crate) fn openclaw_states(&self) -> BTreeSet<AbsPath> {
        let mut states: Vec<PathBuf> = Vec::new();
        states.extend(self.named("OPENCLAW_STATE_DIR"));
        let own = self.host.home.as_ref().map(|home| home.as_path().to_owned());
        for home in self.named("OPENCLAW_HOME").into_iter().chain(own) {
            let entries = std::fs::read_dir(&home).into_iter().flatten().flatten();
            let is_profile = |name: &OsStr| name.as_bytes().starts_with(b".openclaw-");
            states.extend(
                entries
                    .filter(|entry| is_profile(&entry.file_name()))
                    .map(|entry| entry.path())
                    .filter(|path| path.is_dir()),
            );
            states.push(home.join(".openclaw"));
        }
        let real = |path: PathBuf| Links::default().follow_raw(path.as_os_str().as_bytes());
        states.into_iter().map(real).collect()
    }

    /// OpenClaw's settings, whether they exist or not.
    pub(crate) fn openclaw_settings(&self) -> BTreeSet<AbsPath> {
        let named = self.named("OPENCLAW_CONFIG_PATH");
        let named = named.map(|path| Links::default().follow_raw(path.as_os_str().as_bytes()));
        let states = self.openclaw_states().into_iter();
        states.map(|state| state.join(b"openclaw.json")).chain(named).collect()
    }

    /// An absolute path in a variable.
    fn named(&self, variable: &str) -> Option<PathBuf> {
        self.host.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// Is this command of a person who is asked for another's home directory?
    pub(crate) fn is_foreign_home(&self) -> bool {
        self.owners.owner != self.owners.us
    }
}

/// Whose files may be where.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    /// The user whose files are judged: the owner of the home directory where root looks at it, else ourselves.
    pub(crate) owner: u32,
    /// Ourselves.
    pub(crate) us: u32,
    /// Groups in which nobody is but the owner.
    private: BTreeSet<u32>,
}

impl Owners {
    pub(crate) fn new(host: &Host, etc: &Path) -> Owners {
        let home = host.home.as_ref().and_then(|home| lstat(home.as_path()).ok());
        let owner = home.filter(|_| host.uid == 0).map_or(host.uid, |stat| stat.st_uid);
        Owners { owner, us: host.uid, private: private_groups(etc, owner) }
    }

    /// May this process change it? Root's rights are not for the files of others.
    pub(crate) fn is_ours(&self, uid: u32) -> bool {
        uid == self.us && self.us == self.owner
    }

    /// Is this somebody who may own what the owner relies on?
    pub(crate) fn is_trusted(&self, uid: u32) -> bool {
        uid == self.owner || uid == 0
    }

    /// The bits of a mode that let somebody else change the object: those for others, and those for the group unless
    /// the owner is alone in it.
    pub(crate) fn loose_bits(&self, stat: &Stat) -> u32 {
        let group = if self.private.contains(&stat.st_gid) { 0 } else { 0o020 };
        stat.st_mode & (0o002 | group)
    }

    /// A directory whose entries nobody but the owner and root can exchange. In one with the sticky bit only the owner
    /// of an entry can.
    pub(crate) fn is_safe_directory(&self, stat: &Stat) -> bool {
        let is_sticky = stat.st_mode & 0o1000 != 0;
        self.is_trusted(stat.st_uid) && (is_sticky || self.loose_bits(stat) == 0)
    }
}

/// The groups of which `uid` is the only member, as far as the files in `etc` tell.
fn private_groups(etc: &Path, uid: u32) -> BTreeSet<u32> {
    let read = |name: &str| std::fs::read(etc.join(name)).unwrap_or_default();
    let (passwd, group) = (read("passwd"), read("group"));
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u32>().ok();
    let fields = |line: &[u8]| line.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect();
    let lines = |text: &[u8]| -> Vec<Vec<Vec<u8>>> {
        text.split(|byte| *byte == b'\n').map(fields).collect()
    };
    // (name, uid, gid)
    let users: Vec<(Vec<u8>, u32, u32)> = lines(&passwd)
        .into_iter()
        .filter_map(|row| Some((row.first()?.clone(), number(row.get(2)?)?, number(row.get(3)?)?)))
        .collect();
    let is_owner = |name: &[u8]| users.iter().any(|user| user.0 == name && user.1 == uid);
    let is_private = |row: &Vec<Vec<u8>>| {
        let gid = number(row.get(2)?)?;
        let mut members = row.get(3)?.split(|byte| *byte == b',').filter(|name| !name.is_empty());
        let mut primary = users.iter().filter(|user| user.2 == gid);
        let mine = users.iter().any(|user| user.1 == uid && user.2 == gid);
        (mine && members.all(is_owner) && primary.all(|user| user.1 == uid)).then_some(gid)
    };
    lines(&group).iter().filter_map(is_private).collect()
}

/// The mount points, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
fn mounts(proc: &Path) -> BTreeSet<AbsPath> {
    let text = std::fs::read(proc.join("self/mountinfo")).unwrap_or_default();
    let point = |line: &[u8]| {
        let field = line.split(|byte| *byte == b' ').nth(4)?;
        AbsPath::parse(unescape(field)).ok()
    };
    text.split(|byte| *byte == b'\n').filter_map(point).collect()
}

/// Octal escapes of spaces, tabs, newlines and backslashes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal.filter(|_| byte == b'\\') {
            Some(escaped) => {
                bytes.push(escaped);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    bytes
}

/// The beginning of a regular file; nothing of anything else, which could keep a reader waiting.
pub(crate) fn read_head(path: &Path, most: usize) -> Vec<u8> {
    let read = || {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::empty()).ok()?;
        let stat = fstat(&file).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        let mut bytes = Vec::new();
        File::from(file).take(u64::try_from(most).ok()?).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    read().unwrap_or_default()
}

/// The path of a file of the standard library's.
pub(crate) fn abs(path: &Path) -> Option<AbsPath> {
    AbsPath::parse(path.as_os_str().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_only_while_nobody_else_is_in_it() {
        let etc = tempfile::tempdir().unwrap();
        let private = |passwd: &str, group: &str| {
            std::fs::write(etc.path().join("passwd"), passwd).unwrap();
            std::fs::write(etc.path().join("group"), group).unwrap();
            private_groups(etc.path(), 1000).contains(&1000)
        };
        let me = "me:x:1000:1000::/home/me:/bin/sh\n";
        assert!(private(me, "me:x:1000:\n"));
        assert!(private(me, "me:x:1000:me\n"));
        assert!(!private(me, "me:x:1000:me,you\n"));
        assert!(!private(&format!("{me}you:x:1001:1000::/:/bin/sh\n"), "me:x:1000:\n"));
        assert!(!private("me:x:1000:100::/:/bin/sh\n", "me:x:1000:\n"), "not a member at all");
        assert!(!private(me, ""), "a group that nobody can look up is nobody's own");
    }

    #[test]
    fn the_names_of_mount_points_are_unescaped() {
        assert_eq!(unescape(b"/a\\040b\\134c"), b"/a b\\c");
        assert_eq!(unescape(b"/a\\"), b"/a\\");
    }
}
