//! What /proc tells of processes: their start, their parents, and by which run they say that they are confined.
//!
//! A process chooses its environment and its name, so both count only together with what it cannot choose: that a
//! seccomp filter and no_new_privs hold it, when it started, and who it belongs to.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::process::Pid;

use super::CONFINED_BY;
use super::entry::Id;

/// When a process started, in clock ticks since boot; none if it has gone.
pub(super) fn start_time(pid: u32) -> Option<u64> {
    let (_, start) = parent_and_start(pid)?;
    Some(start)
}

/// proc_pid_stat(5), fields 4 and 22.
fn parent_and_start(pid: u32) -> Option<(u32, u64)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything: fields count from its end.
    let after = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(stat.get(after + 2..)?).ok()?;
    let mut fields = fields.split(' ');
    // A zombie has ended, and only waits for its parent.
    let state = fields.next().filter(|state| *state != "Z")?;
    let parent = fields.next().filter(|_| !state.is_empty())?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some((parent, start))
}

/// Which boot this is.
pub(super) fn boot() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The number of this process's PID namespace (pid_namespaces(7)).
pub(super) fn namespace() -> io::Result<u64> {
    Ok(std::fs::metadata("/proc/self/ns/pid")?.ino())
}

/// The processes of a run that can be told from outside: the descendants of its first process that are confined, and
/// those that name it in their environment.
///
/// A process of another user, or one that changed both its parent and its environment, is not found.
pub(super) fn members(run: Id, owner: u32) -> Vec<Id> {
    let mut all: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if let Some(found) = parent_and_start(pid) {
            all.insert(pid, found);
        }
    }
    // Another process may have the number now, and then a run of its own.
    let number_is_given_on = all.get(&run.pid).filter(|(_, start)| *start != run.start);
    let until = number_is_given_on.map_or(u64::MAX, |(_, start)| *start);
    let is_first = |pid: u32| pid == run.pid && until == u64::MAX;
    let mut members = BTreeSet::new();
    for (&pid, &(_, start)) in &all {
        if start < run.start || start >= until || !is_confined(pid, owner) {
            continue;
        }
        let parent = |at: &u32| all.get(at).map(|(parent, _)| *parent);
        // No chain is longer than there are processes.
        let mut chain = std::iter::successors(Some(pid), parent).take(all.len());
        let is_descendant = chain.any(is_first);
        if is_descendant || names(pid, run.pid) {
            members.insert(Id { pid, start });
        }
    }
    members.into_iter().collect()
}

/// A field of /proc/PID/status that is a number.
fn field(status: &str, name: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Is a process of this user held by a seccomp filter and no_new_privs?
fn is_confined(pid: u32, owner: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let field = |name| field(&status, name);
    field("NoNewPrivs:") == Some(1) && field("Seccomp:") == Some(2) && field("Uid:") == Some(owner)
}

/// Is a process held by no_new_privs and more seccomp filters than this one, which has those of a container perhaps?
/// One that cannot be looked at is.
pub(super) fn is_held_more(pid: Pid) -> bool {
    let read =
        |pid: Pid| std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok();
    let (Some(its), Some(own)) = (read(pid), read(rustix::process::getpid())) else { return true };
    let filters = |status: &str| field(status, "Seccomp_filters:").unwrap_or(0);
    field(&its, "NoNewPrivs:") != Some(0) && filters(&its) > filters(&own)
}

fn names(pid: u32, run: u32) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let wanted = format!("{CONFINED_BY}={run}");
    environment.split(|&byte| byte == 0).any(|one| one == wanted.as_bytes())
}
