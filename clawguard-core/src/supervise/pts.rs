//! Whose a terminal in /dev/pts is. Its name is a number, and numbers come back: the next terminal that the owner opens
//! may have the name of one that the policy allows.
//!
//! What is acted on is the pinned node. That of a terminal which has gone leads to no other (EIO), so it is enough to
//! find out whose it was when it was asked.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;

use super::members::is_member;
use super::pin::Pinned;
use super::target::{Target, duplicate, field, read_proc};
use super::terminal;
use crate::decide::RuleId;
use crate::path::AbsPath;
use crate::resolve::ResolvedPolicy;

/// Descriptors of one process that are looked at, and processes above the caller.
const DESCRIPTORS: usize = 4096;
const ANCESTORS: usize = 64;

/// The terminal that the run was started in, which `${TERMINAL}` of a preset names.
///
/// Its node is held, not the terminal: it goes away when its owner closes it, as it does without clawguard.
#[derive(Debug)]
pub(super) struct OfRun {
    /// None if none of the standard descriptors has this terminal.
    node: Option<OwnedFd>,
    /// The rules that mean this terminal and no other with its number.
    pub(super) rules: Vec<RuleId>,
}

/// Who has a terminal.
#[derive(Debug)]
pub(super) enum Whose {
    /// It is the one that the run was started in.
    Run,
    /// The target made it. It is open as long as this is held.
    Target(Option<OwnedFd>),
    /// Somebody else.
    Other,
}

impl OfRun {
    /// Before the target starts.
    pub(super) fn find(policy: &ResolvedPolicy) -> OfRun {
        let is_found = |rule: RuleId| policy.rule(rule).pattern.to_string() == "${TERMINAL}";
        let spelled = || policy.spelled.iter().filter(|spelled| is_found(spelled.rule));
        OfRun {
            node: spelled().find_map(|spelled| node(spelled.real_front())),
            rules: spelled().map(|spelled| spelled.rule).collect(),
        }
    }

    fn is(&self, stat: &Stat) -> bool {
        // Its node has a name as long as its owner's end is open (`devpts_pty_kill`), and so long nothing else has
        // its number.
        let held = self.node.as_ref().and_then(|node| rustix::fs::fstat(node).ok());
        held.is_some_and(|held| held.st_nlink > 0 && is_same(&held, stat))
    }
}

/// The node of a terminal that one of the standard descriptors has open, so that its number is its own.
fn node(path: &AbsPath) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let node = rustix::fs::openat(CWD, path.as_path(), flags, Mode::empty()).ok()?;
    let found = rustix::fs::fstat(&node).ok()?;
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let open = [rustix::fs::fstat(input), rustix::fs::fstat(output), rustix::fs::fstat(error)];
    open.into_iter().flatten().any(|stat| is_same(&stat, &found)).then_some(node)
}

fn is_same(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino, a.st_rdev) == (b.st_dev, b.st_ino, b.st_rdev)
}

/// Is this a name beneath /dev/pts?
pub(super) fn is_name_of_one(path: &AbsPath) -> bool {
    path.as_bytes().starts_with(b"/dev/pts/")
}

/// Whose it is; none if it is no terminal.
pub(super) fn whose(
    target: Target<'_>,
    of_run: &OfRun,
    pinned: &Pinned,
) -> Result<Option<Whose>, Errno> {
    let stat = rustix::fs::fstat(&pinned.fd)?;
    let Some(number) = terminal::number(stat.st_rdev) else { return Ok(None) };
    if of_run.is(&stat) {
        return Ok(Some(Whose::Run));
    }
    if is_controlling(target, &stat)? {
        return Ok(Some(Whose::Target(None)));
    }
    let other_end = above(target).find_map(|process| other_end_in(process, number, &stat));
    Ok(Some(other_end.map_or(Whose::Other, |slave| Whose::Target(Some(slave)))))
}

/// Is it the terminal of a session that the target made? The kernel allows `/dev/tty` to it.
fn is_controlling(target: Target<'_>, stat: &Stat) -> Result<bool, Errno> {
    let encoded = terminal::controlling_device(target)?;
    if encoded == 0
        || terminal::device(encoded) != stat.st_rdev
        || !super::group::is_elsewhere(target)?
    {
        return Ok(false);
    }
    // A session keeps no number that has come back, so the node that has it now is its terminal's.
    let path = format!("/dev/pts/{}", terminal::number(stat.st_rdev).ok_or(Errno::NXIO)?);
    let named = rustix::fs::stat(path).is_ok_and(|named| is_same(&named, stat));
    let is_still = terminal::controlling_device(target)? == encoded;
    target.is_waiting()?;
    Ok(named && is_still)
}

/// The caller, and the processes of the target above it.
fn above(target: Target<'_>) -> impl Iterator<Item = u32> {
    let parent = |process: &u32| {
        let status = read_proc(&format!("/proc/{process}/status")).ok()?;
        let parent = field(&status, "PPid:")?.parse().ok()?;
        is_member(parent).then_some(parent)
    };
    std::iter::successors(Some(target.tid), parent).take(ANCESTORS)
}

/// The slave of this number, if a process has its master: opened through the master, so it is that one.
fn other_end_in(process: u32, number: u32, wanted: &Stat) -> Option<OwnedFd> {
    let directory = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let is_master = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path()).is_ok_and(|path| path.ends_with("ptmx"))
    };
    let entries = directory.flatten().take(DESCRIPTORS).filter(is_master);
    let mut numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.find_map(|descriptor| {
        let master = duplicate(process, descriptor).ok()?;
        if crate::sys::calls::number_of_pseudo_terminal(&master)? != number {
            return None;
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).ok()?;
        is_same(&rustix::fs::fstat(&slave).ok()?, wanted).then_some(slave)
    })
}
