//! A run's socket, served between other things by the process that keeps the run. Never waits.
//!
//! Whoever can connect could end the run, so more than the guard of the directory stands before that: the peer's user
//! (SO_PEERCRED, unix(7)), that it is not of the target, which the kernel tells by letting a signal reach it or not, and
//! that it is no confined process at all. The target of another run in kernel mode can connect to any socket of its user
//! before Landlock ABI 9.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, chmodat, unlinkat};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    bind, listen, recv, send, socket_with,
};
use rustix::process::Pid;

use super::entry::{About, Id, Kind, Listing};
use super::wire::{Ended, Has, Request, Status};
use super::{client, place, tree};

/// Clients at one time; the next one takes the place of the longest idle.
const CLIENTS: usize = 8;

/// The socket and those who are connected to it.
#[derive(Debug)]
pub(crate) struct Server {
    listener: OwnedFd,
    directory: OwnedFd,
    name: String,
    about: About,
    command: u32,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    /// It asked for the end, and is told when that has come.
    awaits_end: bool,
}

/// What the server may know of the run.
pub(crate) trait View {
    /// The processes of the target.
    fn processes(&self) -> Vec<Pid>;
    /// Is this a process of the target, or one that acts for it?
    fn is_of_target(&self, pid: Pid) -> bool;
    /// How many requests were denied; none when denials are not logged.
    fn denials(&self) -> Option<u64>;
}

/// What a client asked for that the server cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Order {
    /// SIGTERM for all of the target, and after this time SIGKILL.
    Stop(Duration),
}

/// What becomes of a client.
enum Fate {
    Stays,
    Goes,
    Orders(Order),
}

impl Server {
    /// Makes the entry of a run.
    pub(crate) fn open(listing: &Listing, guardian: Pid, command: Pid) -> io::Result<Server> {
        let owner = rustix::process::geteuid().as_raw();
        let directory = place::make(&listing.state, owner)?;
        let number = |pid: Pid| pid.as_raw_nonzero().get().cast_unsigned();
        let id = Id::of(number(guardian)).ok_or(io::ErrorKind::NotFound)?;
        let name = id.name(Kind::Socket);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        // An address has room for 108 bytes, and the directory's own path may be longer.
        let path = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
        bind(&listener, &SocketAddrUnix::new(path)?)?;
        chmodat(&directory, &name, Mode::RUSR | Mode::WUSR, AtFlags::empty())?;
        let about = listing.about.clone();
        let server = Server {
            listener,
            directory,
            name,
            about,
            command: number(command),
            clients: Vec::new(),
        };
        listen(&server.listener, 16)?;
        client::tidy(&server.directory, listing.state.join(place::NAME), owner);
        Ok(server)
    }

    /// What to wait for.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        std::iter::once(&self.listener).chain(self.clients.iter().map(|client| &client.socket))
    }

    /// Answers what is asked now. Of several orders at one time the last one counts.
    pub(crate) fn serve(&mut self, view: &impl View) -> Option<Order> {
        self.accept(view);
        let mut order = None;
        let mut clients = std::mem::take(&mut self.clients);
        clients.retain_mut(|client| match self.hear(client, view) {
            Fate::Stays => true,
            Fate::Goes => false,
            Fate::Orders(ordered) => {
                client.awaits_end = true;
                order = Some(ordered);
                true
            }
        });
        self.clients = clients;
        order
    }

    fn accept(&mut self, view: &impl View) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No more than those who can be heard: the rest waits.
        for _ in 0..CLIENTS {
            let Ok(socket) = accept_with(&self.listener, flags) else { return };
            if !is_welcome(&socket, view) {
                continue;
            }
            if self.clients.len() >= CLIENTS {
                match self.clients.iter().position(|client| !client.awaits_end) {
                    Some(idle) => drop(self.clients.remove(idle)),
                    None => continue,
                }
            }
            self.clients.push(Client { socket, awaits_end: false });
        }
    }

    fn hear(&self, client: &Client, view: &impl View) -> Fate {
        let mut bytes = [0u8; 256];
        let length = match recv(&client.socket, &mut bytes, RecvFlags::empty()) {
            Ok((_, 0)) => return Fate::Goes,
            Ok((_, length)) => length,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Fate::Stays,
            Err(_) => return Fate::Goes,
        };
        let request = bytes.get(..length).and_then(|bytes| serde_json::from_slice(bytes).ok());
        let answered = match request {
            None => return Fate::Goes,
            Some(Request::Stop { grace_ms }) => {
                return Fate::Orders(Order::Stop(Duration::from_millis(grace_ms)));
            }
            Some(Request::Status) => tell(
                client,
                &Status {
                    about: self.about.clone(),
                    command: self.command,
                    processes: view.processes().len(),
                    denials: view.denials(),
                },
            ),
            Some(Request::Has { pid }) => {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                tell(client, &Has { has: pid.is_some_and(|pid| view.is_of_target(pid)) })
            }
        };
        if answered { Fate::Stays } else { Fate::Goes }
    }

    /// Removes the entry, and tells those who wait that the target has ended.
    pub(crate) fn finish(self, ended: usize, left: &[u32]) {
        let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
        for client in self.clients.iter().filter(|client| client.awaits_end) {
            tell(client, &Ended { ended, left: left.to_vec() });
        }
    }
}

/// False when the client does not take its answers.
fn tell(client: &Client, answer: &impl serde::Serialize) -> bool {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    serde_json::to_vec(answer).is_ok_and(|text| send(&client.socket, &text, flags).is_ok())
}

/// The owner or root, and no process of the target. This process itself connects for the target alone.
fn is_welcome(socket: &OwnedFd, view: &impl View) -> bool {
    let Ok(peer) = socket_peercred(socket) else { return false };
    let is_own = peer.uid == rustix::process::geteuid() || peer.uid.is_root();
    let is_ours = peer.pid == rustix::process::getpid() || view.is_of_target(peer.pid);
    // Nothing that is confined has another user's number than this process, and root's programs may not be seen.
    let is_confined = || peer.uid == rustix::process::geteuid() && tree::is_held_more(peer.pid);
    is_own && !is_ours && !is_confined()
}

/// How long a run goes on before it is listed: one that ends at once pays nothing.
pub(crate) const LISTED_AFTER: Duration = Duration::from_millis(20);

/// A bound for what is asked of a run.
pub(crate) fn deadline(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after).unwrap_or(now + Duration::from_secs(24 * 60 * 60))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Nobody;

    impl View for Nobody {
        fn processes(&self) -> Vec<Pid> {
            Vec::new()
        }

        fn is_of_target(&self, _: Pid) -> bool {
            false
        }

        fn denials(&self) -> Option<u64> {
            Some(7)
        }
    }

    #[test]
    fn a_peer_that_may_act_for_the_target_is_not_heard() {
        let top = tempfile::tempdir().unwrap();
        let about = About::new(b"p", "supervised", &[], None);
        let state = PathBuf::from(top.path());
        let listing = Listing::new(state.clone(), about, |_| ());
        let own = rustix::process::getpid();
        let mut server = Server::open(&listing, own, own).unwrap();
        let id = Id::of(std::process::id()).unwrap();
        let owner = rustix::process::geteuid().as_raw();
        let directory = place::open(&state, owner).unwrap().unwrap();
        // The supervisor connects for the target, so a connection of its own process is the target's.
        let socket = super::super::connection::connect(&directory, id, owner).unwrap();
        super::super::connection::ask(&socket, Request::Stop { grace_ms: 0 }).unwrap();
        assert_eq!(server.serve(&Nobody), None);
        assert!(server.clients.is_empty());
        assert!(!super::super::connection::is_open(&socket));
        server.finish(0, &[]);
        assert_eq!(rustix::fs::Dir::read_from(&directory).unwrap().count(), 2, "only . and ..");
    }
}
