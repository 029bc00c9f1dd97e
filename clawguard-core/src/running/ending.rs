//! The end of a run by order, from outside.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::client::{Run, Stopped};
use super::entry::{Id, Kind};
use super::server::deadline;
use super::wire::{Ended, Has, Request, Status};
use super::{RunningError, connection, tree};

/// How long a supervisor has for an answer that costs it nothing.
const ANSWER: Duration = Duration::from_secs(2);
/// How long, after the grace, it has to end everything: its own bound is five seconds.
const END: Duration = Duration::from_secs(8);
/// How long the guardian has to end, and for processes that are killed one by one.
const AFTERWARDS: Duration = Duration::from_secs(6);
/// How long a run has after its target has ended: to remove its temporary directory, and to close its journal.
const TIDYING: Duration = Duration::from_secs(15);
/// How often processes are looked for again.
const STEP: Duration = Duration::from_millis(20);

pub(super) fn includes(run: &Run, pid: u32) -> bool {
    match run.kind {
        Kind::File => tree::members(run.id, run.owner).iter().any(|member| member.pid == pid),
        Kind::Socket => {
            let ask = || -> io::Result<bool> {
                let socket = connection::connect(&run.directory, run.id, run.owner)?;
                if socket_peercred(&socket)?.pid.as_raw_nonzero().get().cast_unsigned() == pid {
                    return Ok(true);
                }
                connection::ask(&socket, Request::Has { pid })?;
                let has: Has = connection::answer(&socket, deadline(ANSWER))?;
                Ok(has.has)
            };
            // Who does not answer can be looked at.
            ask().unwrap_or_else(|_| {
                tree::members(run.id, run.owner).iter().any(|member| member.pid == pid)
            })
        }
    }
}

pub(super) fn stop(run: &Run, grace: Duration) -> Result<Stopped, RunningError> {
    match run.kind {
        Kind::File => Ok(end_one_by_one(run, grace)),
        Kind::Socket => {
            let stopped = ask_to_stop(run, grace);
            stopped.map_err(|source| RunningError::Run { pid: run.pid, source })
        }
    }
}

/// By its supervisor, who alone can end all at once.
fn ask_to_stop(run: &Run, grace: Duration) -> io::Result<Stopped> {
    let guardian = handle(run.id);
    let socket = match connection::connect(&run.directory, run.id, run.owner) {
        Ok(socket) => socket,
        // Its queue is full, and nobody takes it: it hangs.
        Err(Errno::AGAIN) => return Ok(end_by_force(run, guardian.as_ref())),
        Err(_) if wait_for(guardian.as_ref(), AFTERWARDS) => return Ok(Stopped::default()),
        Err(errno) => return Err(errno.into()),
    };
    let supervisor = socket_peercred(&socket)?.pid;
    let ask = || -> io::Result<Ended> {
        connection::ask(&socket, Request::Status)?;
        let _: Status = connection::answer(&socket, deadline(ANSWER))?;
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        connection::ask(&socket, Request::Stop { grace_ms })?;
        connection::answer(&socket, deadline(grace.saturating_add(END)))
    };
    match ask() {
        Ok(Ended { ended, left }) => {
            let is_over = wait_for(guardian.as_ref(), TIDYING);
            let mut stopped = Stopped { ended, left, by_force: false };
            if !is_over {
                stopped.left.push(run.pid);
            }
            Ok(stopped)
        }
        // It ended by itself meanwhile, and took its supervisor with it.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            if wait_for(guardian.as_ref(), AFTERWARDS) {
                return Ok(Stopped::default());
            }
            Ok(end_by_force(run, guardian.as_ref()))
        }
        Err(_) => {
            // Taken while the connection stands, so it is the supervisor's and nobody's who has its number later.
            let process = pidfd_open(supervisor, PidfdFlags::empty());
            if let Ok(process) = process
                && connection::is_open(&socket)
            {
                pidfd_send_signal(&process, Signal::KILL)?;
            }
            Ok(end_by_force(run, guardian.as_ref()))
        }
    }
}

/// Without the supervisor: the guardian ends everything, and what it cannot is ended here.
fn end_by_force(run: &Run, guardian: Option<&OwnedFd>) -> Stopped {
    let before = tree::members(run.id, run.owner);
    if let Some(guardian) = guardian {
        // One that was stopped must go on to do it.
        let _ = pidfd_send_signal(guardian, Signal::CONT);
    }
    if !wait_for(guardian, AFTERWARDS)
        && let Some(guardian) = guardian
    {
        let _ = pidfd_send_signal(guardian, Signal::KILL);
        wait_for(Some(guardian), AFTERWARDS);
    }
    let rest = end_one_by_one(run, Duration::ZERO);
    let ended = before.len().max(rest.ended).saturating_sub(rest.left.len());
    Stopped { ended, left: rest.left, by_force: true }
}

/// Every process that can be told from outside, again and again until none is left.
fn end_one_by_one(run: &Run, grace: Duration) -> Stopped {
    let mut seen = std::collections::BTreeSet::new();
    let grace_ends = deadline(grace);
    let mut is_asked = std::collections::BTreeSet::new();
    let end = deadline(grace.saturating_add(AFTERWARDS));
    loop {
        let members = tree::members(run.id, run.owner);
        seen.extend(members.iter().copied());
        let left: Vec<u32> = members.iter().map(|member| member.pid).collect();
        if members.is_empty() || Instant::now() > end {
            let ended = seen.len().saturating_sub(left.len());
            return Stopped { ended, left, by_force: false };
        }
        let is_killed = Instant::now() >= grace_ends;
        for member in members {
            let Some(process) = handle(member) else { continue };
            if is_killed {
                let _ = pidfd_send_signal(&process, Signal::KILL);
            } else if is_asked.insert(member) {
                let _ = pidfd_send_signal(&process, Signal::TERM);
                let _ = pidfd_send_signal(&process, Signal::CONT);
            }
        }
        std::thread::sleep(STEP);
    }
}

/// A process that cannot be mistaken for one that has its number later.
fn handle(id: Id) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(id.pid).ok()?)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    id.is_alive().then_some(process)
}

/// Waits for a process to end; one that has gone has ended.
fn wait_for(process: Option<&OwnedFd>, time: Duration) -> bool {
    process.is_none_or(|process| connection::wait(process, deadline(time)))
}
