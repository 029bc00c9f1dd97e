//! The private temporary directory: where it will be, and what earlier ones nobody uses any more.
//!
//! Its name tells who made it: user, process and the process's start time. In kernel mode the shim becomes the
//! command and nobody is left to remove it, so a later start does.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::path::AbsPath;

/// Directories that may hold it, best first.
const PLACES: [&str; 2] = ["/tmp", "/var/tmp"];

const PREFIX: &str = "clawguard-";

/// A name for this process's private directory; nothing is made yet.
pub(super) fn plan(uid: u32) -> Option<AbsPath> {
    let place = PLACES.iter().find(|place| Path::new(place).is_dir())?;
    let pid = std::process::id();
    let start = start_time(pid)?;
    // Another user may make any name in /tmp, but cannot guess this one.
    let mut random = [0u8; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).ok()?;
    let random = u64::from_ne_bytes(random);
    AbsPath::parse(format!("{place}/{PREFIX}{uid}-{pid}-{start}-{random:016x}")).ok()
}

/// Removes the directories of this user's processes that have ended. What cannot be removed stays.
pub(crate) fn remove_stale(uid: u32) {
    for place in PLACES {
        let Ok(entries) = std::fs::read_dir(place) else { continue };
        for entry in entries.flatten() {
            let is_ours = || {
                entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid)
            };
            if is_stale(entry.file_name().as_bytes(), uid) && is_ours() {
                // Follows no link, even one that is exchanged meanwhile (CVE-2022-21658).
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn is_stale(name: &[u8], uid: u32) -> bool {
    let fields = || {
        let name = std::str::from_utf8(name).ok()?.strip_prefix(PREFIX)?;
        let mut fields = name.split('-');
        let owner: u32 = fields.next()?.parse().ok()?;
        let pid: u32 = fields.next()?.parse().ok()?;
        let start: u64 = fields.next()?.parse().ok()?;
        (fields.next()?.len() == 16 && fields.next().is_none()).then_some((owner, pid, start))
    };
    fields().is_some_and(|(owner, pid, start)| owner == uid && start_time(pid) != Some(start))
}

/// When a process started, in clock ticks since boot (proc_pid_stat(5), field 22); none if it has ended.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything: fields count from its end.
    let after = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(stat.get(after + 2..)?).ok()?;
    fields.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_keeps_its_directory_and_a_dead_one_does_not() {
        let pid = std::process::id();
        let start = start_time(pid).unwrap();
        let name = |pid: u32, start: u64| {
            format!("clawguard-7-{pid}-{start}-0123456789abcdef").into_bytes()
        };
        assert!(!is_stale(&name(pid, start), 7));
        assert!(is_stale(&name(pid, start + 1), 7), "the number was given to another process");
        assert!(is_stale(&name(4_194_305, start), 7), "no process has this number");
        assert!(!is_stale(&name(4_194_305, start), 8), "another user's");
        assert!(!is_stale(b"clawguard-7-x", 7));
    }
}
