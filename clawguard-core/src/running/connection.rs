//! One connection to a run's socket.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect as connect_to, recv, send, socket_with,
};
use serde::de::DeserializeOwned;

use super::entry::{Id, Kind};
use super::place;
use super::wire::{LONGEST, Request};

/// Connects to the socket of a run of `owner`, and to no other: an entry may be a link to what somebody else serves.
pub(super) fn connect(directory: &OwnedFd, id: Id, owner: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let entry = openat(directory, id.name(Kind::Socket), flags, Mode::empty())?;
    if !place::is_entry(&fstat(&entry)?, owner, FileType::Socket) {
        return Err(Errno::NOTSOCK);
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect_to(&socket, &SocketAddrUnix::new(format!("/proc/self/fd/{}", entry.as_raw_fd()))?)?;
    // Who listens is as much its owner's as the entry.
    let is_owners = socket_peercred(&socket)?.uid.as_raw() == owner;
    if is_owners { Ok(socket) } else { Err(Errno::ACCESS) }
}

/// Asks; the answer comes later.
pub(super) fn ask(socket: &OwnedFd, request: Request) -> io::Result<()> {
    send(socket, &serde_json::to_vec(&request)?, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The answer.
///
/// # Errors
/// `TimedOut` when there is none in time, `UnexpectedEof` when the other end is gone.
pub(super) fn answer<T: DeserializeOwned>(socket: &OwnedFd, deadline: Instant) -> io::Result<T> {
    let mut bytes = vec![0u8; LONGEST];
    loop {
        match recv(socket, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, length)) => {
                return Ok(serde_json::from_slice(bytes.get(..length).unwrap_or_default())?);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(errno) => return Err(errno.into()),
        }
        if !wait(socket, deadline) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// Is the other end still there? What it said meanwhile is lost.
pub(super) fn is_open(socket: &OwnedFd) -> bool {
    let mut bytes = vec![0u8; LONGEST];
    !matches!(recv(socket, &mut bytes, RecvFlags::DONTWAIT), Ok((_, 0)) | Err(Errno::CONNRESET))
}

/// Waits until there is something to read, or the other end is gone; false when that is not in time.
pub(super) fn wait(descriptor: &OwnedFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(_) if left.is_zero() => return false,
            Err(_) => {}
        }
    }
}
