//! Sockets: performed on a duplicate, with a copy of the address, so that neither can be exchanged meanwhile.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::answer::{Answer, Answered, io_value};
use super::bound::Bound;
use super::lookup::{Follow, Kind, NO_LINKS, Ways};
use super::pin::{Entry, Name, Pinned, name_of};
use super::request::Request;
use super::target::Base;
use super::worker::Worker;
use crate::access::Access;
use crate::decide::Guards;
use crate::path::AbsPath;
use crate::policy::Listen;
use crate::sys::calls;

/// `struct sockaddr_storage` of linux/socket.h: no address is longer.
const MOST: u32 = 128;

/// The path of `struct sockaddr_un` begins here.
const PATH: usize = 2;

/// `sun_path` takes this many bytes.
const MOST_PATH: usize = 108;

/// `socket` and `socketpair` of a unix datagram socket, which could send to any path: the filter asks of no other.
pub(super) fn datagram(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let what = match request.word(0).cast_signed() {
        libc::AF_NETLINK => "socket of the events of all processes (NETLINK_CONNECTOR)",
        _ => "unix datagram socket",
    };
    Err(worker.refuse_unnamed(request, what.to_owned()))
}

/// An address, as far as it matters here.
enum Address {
    /// A unix socket's path.
    Path(Vec<u8>),
    /// An address of the network, and its port.
    Network(IpAddr, u16),
    /// What a socket of the network may take for the address that everybody reaches (net/ipv4/af_inet.c).
    Unspecified,
    /// Something that names no file: abstract, unnamed, or of another family.
    Other,
}

fn address(request: &Request<'_>) -> Result<(Vec<u8>, Address), Errno> {
    let length = request.word(2);
    if length > MOST {
        return Err(Errno::INVAL);
    }
    let mut bytes = vec![0u8; length as usize];
    request.target.fill(request.arguments[1], &mut bytes)?;
    let kind = match bytes.as_slice() {
        [a, b, ..] => i32::from(u16::from_ne_bytes([*a, *b])),
        _ => libc::AF_UNSPEC,
    };
    let address = match (kind, &bytes[..]) {
        (libc::AF_UNIX, bytes) if bytes.len() > PATH && bytes[PATH] != 0 => {
            let path = bytes[PATH..].split(|&byte| byte == 0).next().unwrap_or_default();
            Address::Path(path.to_vec())
        }
        (libc::AF_INET, [_, _, high, low, a, b, c, d, ..]) => {
            let ip = Ipv4Addr::new(*a, *b, *c, *d);
            Address::Network(IpAddr::V4(ip), u16::from_be_bytes([*high, *low]))
        }
        (libc::AF_INET6, bytes) if bytes.len() >= 24 => {
            let mut octets = [0; 16];
            octets.copy_from_slice(&bytes[8..24]);
            let port = u16::from_be_bytes([bytes[2], bytes[3]]);
            Address::Network(IpAddr::V6(Ipv6Addr::from(octets)), port)
        }
        (libc::AF_UNSPEC, _) => Address::Unspecified,
        _ => Address::Other,
    };
    Ok((bytes, address))
}

/// Where a socket may reach to, by its family and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Nothing of it leaves this machine.
    Machine,
    /// As far as its address says, and it has one address that only `bind` and the kernel give it.
    Address,
    /// Anything else: other families (vsock, bluetooth, tipc), and protocols with addresses beside the one that is
    /// bound (`sctp_bindx`), or of which nobody has found out.
    Unknown,
}

/// `IPPROTO_MPTCP` and `IPPROTO_UDPLITE` of linux/in.h, `NETLINK`, `ALG` and the like of linux/socket.h.
fn reach(socket: &OwnedFd) -> Result<Reach, Errno> {
    const ADDRESSED: [i32; 6] = [
        libc::IPPROTO_TCP,
        libc::IPPROTO_UDP,
        libc::IPPROTO_UDPLITE,
        libc::IPPROTO_MPTCP,
        libc::IPPROTO_ICMP,
        libc::IPPROTO_ICMPV6,
    ];
    let domain = rustix::net::sockopt::socket_domain(socket)?;
    Ok(match i32::from(domain.as_raw()) {
        libc::AF_UNIX | libc::AF_NETLINK | libc::AF_ALG => Reach::Machine,
        libc::AF_INET | libc::AF_INET6 => {
            let protocol = rustix::net::sockopt::socket_protocol(socket)?;
            let number = protocol.map_or(0, |protocol| protocol.as_raw().get());
            let is_addressed = ADDRESSED.iter().any(|known| u32::try_from(*known) == Ok(number));
            if is_addressed { Reach::Address } else { Reach::Unknown }
        }
        _ => Reach::Unknown,
    })
}

/// Refuses what `listen: loopback` says nothing good of.
fn refuse_unknown(
    worker: &Worker,
    request: &Request<'_>,
    socket: &OwnedFd,
) -> Result<Reach, Errno> {
    match reach(socket)? {
        Reach::Unknown => {
            let what = "a socket whose family or protocol may reach other machines";
            Err(worker.refuse_unnamed(request, what.to_owned()))
        }
        known => Ok(known),
    }
}

fn is_unix(socket: &OwnedFd) -> bool {
    rustix::net::sockopt::socket_domain(socket)
        .is_ok_and(|domain| domain == rustix::net::AddressFamily::UNIX)
}

/// An address of the unix family that is a link in /proc, which leads to the very object.
fn through(fd: &OwnedFd) -> Vec<u8> {
    let mut bytes = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    bytes.extend(super::pin::through(fd).into_bytes_with_nul());
    bytes
}

/// `connect`.
pub(super) fn connect(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let socket = request.target.duplicate(request.word(0).cast_signed())?;
    let (bytes, address) = address(request)?;
    let Address::Path(path) = address else {
        // This thread's Landlock domain holds the target's: abstract names outside are out of its reach too.
        request.target.is_waiting()?;
        return io_value(calls::connect(socket.as_fd(), &bytes));
    };
    if !is_unix(&socket) || bytes.len() > PATH + MOST_PATH {
        request.target.is_waiting()?;
        return io_value(calls::connect(socket.as_fd(), &bytes));
    }
    let ways = &worker.shared.ways;
    let pinned =
        ways.object(request.target, Base::WorkingDirectory, &path, Follow::Yes, Kind::Any)?;
    worker.require(request, &pinned, Access::Write.into())?;
    request.target.is_waiting()?;
    io_value(calls::connect(socket.as_fd(), &through(&pinned.fd)))
}

/// `listen`, which the filter asks of only where the policy says where: a socket without an address would get one
/// that everybody reaches.
pub(super) fn listen(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let socket = request.target.duplicate(request.word(0).cast_signed())?;
    let everywhere = || "an address that everybody reaches".to_owned();
    if worker.shared.listen == Some(Listen::Loopback) {
        let reach = refuse_unknown(worker, request, &socket)?;
        if is_open(&socket, reach)? {
            return Err(worker.refuse_unnamed(request, everywhere()));
        }
    }
    request.target.is_waiting()?;
    rustix::net::listen(&socket, request.word(1).cast_signed())?;
    if worker.shared.listen == Some(Listen::Loopback) && is_open(&socket, reach(&socket)?)? {
        // Its address was changed meanwhile.
        rustix::net::shutdown(&socket, rustix::net::Shutdown::Both)?;
        return Err(worker.refuse_unnamed(request, everywhere()));
    }
    Ok(Answer::Value(0))
}

/// Does it have an address that others reach?
fn is_open(socket: &OwnedFd, reach: Reach) -> Result<bool, Errno> {
    Ok(match rustix::net::getsockname(socket)?.try_into() {
        Ok(rustix::net::SocketAddr::V4(address)) => !address.ip().is_loopback(),
        Ok(rustix::net::SocketAddr::V6(address)) => !address.ip().to_canonical().is_loopback(),
        // An address that is none of these belongs to a socket of the machine.
        Err(_) => reach != Reach::Machine,
    })
}

/// `bind`.
pub(super) fn bind(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let (bytes, address) = address(request)?;
    let reached = match address {
        Address::Network(ip, _) if ip.to_canonical().is_loopback() => None,
        Address::Network(ip, _) => Some(format!("address {ip}")),
        Address::Unspecified => Some("address of no family".to_owned()),
        Address::Path(_) | Address::Other => None,
    };
    match address {
        Address::Network(..) | Address::Unspecified | Address::Other
            if worker.shared.listen == Some(Listen::Loopback) =>
        {
            let socket = request.target.duplicate(request.word(0).cast_signed())?;
            let is_addressed = refuse_unknown(worker, request, &socket)? == Reach::Address;
            if let Some(address) =
                reached.filter(|_| is_addressed && !is_of_client(&socket, &address))
            {
                return Err(worker.refuse_unnamed(request, address));
            }
            // Its memory may be rewritten, so the kernel does not read it again.
            request.target.is_waiting()?;
            io_value(calls::bind(socket.as_fd(), &bytes))
        }
        Address::Network(..) | Address::Unspecified | Address::Other => {
            Ok(Answer::Continue(worker.shared.floor.bind()))
        }
        Address::Path(path) => bind_to_path(worker, request, &bytes, &path),
    }
}

/// Is this what the kernel itself does at the first `sendto` of a datagram socket, where it asks nobody: any address,
/// any port? The resolver of musl asks for it before it sends, and so does every datagram socket of node.
fn is_of_client(socket: &OwnedFd, address: &Address) -> bool {
    let is_datagram = || {
        rustix::net::sockopt::socket_type(socket)
            .is_ok_and(|kind| kind == rustix::net::SocketType::DGRAM)
    };
    match address {
        Address::Network(ip, 0) => ip.to_canonical().is_unspecified() && is_datagram(),
        Address::Network(..) | Address::Unspecified | Address::Path(_) | Address::Other => false,
    }
}

fn bind_to_path(worker: &mut Worker, request: &Request<'_>, bytes: &[u8], path: &[u8]) -> Answered {
    let socket = request.target.duplicate(request.word(0).cast_signed())?;
    if !is_unix(&socket) || bytes.len() > PATH + MOST_PATH {
        if worker.shared.listen == Some(Listen::Loopback) {
            refuse_unknown(worker, request, &socket)?;
        }
        request.target.is_waiting()?;
        return io_value(calls::bind(socket.as_fd(), bytes));
    }
    // Its working directory may change at any moment, and is read once.
    let from = request.target.directory(Base::WorkingDirectory)?;
    let plain = plain_entry(&worker.shared.ways, &from, path)?;
    let is_plain = plain.is_some();
    let entry = match plain {
        Some(entry) => entry,
        None => worker.shared.ways.entry(request.target, Base::WorkingDirectory, path)?,
    };
    let Some(name) = entry.path() else { return Err(Errno::ADDRINUSE) };
    entry.is_free().map_err(|errno| match errno {
        Errno::EXIST => Errno::ADDRINUSE,
        errno => errno,
    })?;
    worker.require_at(request, &name, Access::Write.into())?;
    let bind = |directory: Option<&OwnedFd>, address: &[u8]| {
        // The thread has a working directory of its own.
        directory.map_or(Ok(()), rustix::process::fchdir)?;
        calls::bind(socket.as_fd(), address)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    };
    let bound = if is_plain && may_hold_sockets(worker, &entry.directory) {
        // As it was written, so that getsockname gives it back. The kernel looks the whole path up again, and a link
        // may have come into it: Landlock keeps the socket beneath the directory that was judged.
        let from = (!path.starts_with(b"/")).then_some(&from);
        let within = Bound::SocketsBeneath(&entry.parent);
        worker.with_umask(request.target, || within.act(|| bind(from, bytes)))
    } else {
        // The last component alone: `bind` follows no link there.
        let mut last = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
        last.extend_from_slice(entry.last.as_bytes_with_nul());
        // The longest name ends without a NUL byte (unix(7)).
        last.truncate(PATH + MOST_PATH);
        worker.with_umask(request.target, || bind(Some(&entry.parent), &last))
    };
    rustix::process::chdir(c"/")?;
    bound.map(Answer::Value)
}

/// Does the law allow a socket anywhere beneath this directory?
fn may_hold_sockets(worker: &mut Worker, directory: &AbsPath) -> bool {
    let state = worker.decider.walk_exactly(directory);
    let is_settled = worker.decider.is_settled(state, Access::Write, Guards::All);
    is_settled && worker.allows(directory, Access::Write.into())
}

/// The entry that a path names without links, `..` and /proc on its way, from this directory.
fn plain_entry(ways: &Ways, from: &OwnedFd, path: &[u8]) -> Result<Option<Entry>, Errno> {
    let is_odd = |name: &[u8]| matches!(name, b".." | b"proc");
    if path.split(|&byte| byte == b'/').any(is_odd) || path.ends_with(b"/") {
        return Ok(None);
    }
    let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let (parent, last) = path.split_at(start);
    let parent = if parent.is_empty() { b"." } else { parent };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(parent) = rustix::fs::openat2(from, parent, flags, Mode::empty(), NO_LINKS) else {
        return Ok(None);
    };
    let Some(directory) = name_of(&parent)? else { return Ok(None) };
    Entry::new(Pinned::new(ways, parent, Name::Path(directory))?, last).map(Some)
}
