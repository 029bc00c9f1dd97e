//! What the guardian and the supervisor tell each other, through a socket: whoever hears its end knows that the other
//! is gone.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

/// One end.
pub(super) struct Link(OwnedFd);

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// The command runs.
    Started,
    /// Nothing runs, for this reason.
    Failed([i32; 3]),
    /// The command was stopped.
    Stopped,
    /// The command goes on.
    Continued,
    /// The command ended with this wait status, and nothing is left.
    Ended(i32),
    /// A signal for the command, and who sent it.
    Signal {
        /// Its number.
        number: i32,
        /// The sender's process.
        sender: u32,
    },
}

/// What a look at a link finds.
#[must_use]
pub(super) enum Heard {
    Message(Message),
    /// Nothing for now.
    Silence,
    /// The other end is gone.
    End,
}

impl Link {
    pub(super) fn pair() -> io::Result<(Link, Link)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Link(one), Link(other)))
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }

    /// Sends a message; to nobody if the other end is gone.
    pub(super) fn tell(&self, message: Message) {
        let words: [i32; 4] = match message {
            Message::Started => [0, 0, 0, 0],
            Message::Failed([a, b, c]) => [1, a, b, c],
            Message::Stopped => [2, 0, 0, 0],
            Message::Continued => [3, 0, 0, 0],
            Message::Ended(status) => [4, status, 0, 0],
            Message::Signal { number, sender } => [5, number, sender.cast_signed(), 0],
        };
        let bytes = words.map(i32::to_ne_bytes);
        // A socket holds hundreds of these; one that is full belongs to a process that is stopped or gone.
        let _ = send(&self.0, bytes.as_flattened(), SendFlags::NOSIGNAL);
    }

    pub(super) fn hear(&self) -> Heard {
        let mut bytes = [[0u8; 4]; 4];
        match recv(&self.0, bytes.as_flattened_mut(), RecvFlags::empty()) {
            Ok((_, 16)) => {}
            Ok(_) => return Heard::End,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Heard::Silence,
            Err(_) => return Heard::End,
        }
        let [kind, a, b, c] = bytes.map(i32::from_ne_bytes);
        Heard::Message(match kind {
            0 => Message::Started,
            1 => Message::Failed([a, b, c]),
            2 => Message::Stopped,
            3 => Message::Continued,
            4 => Message::Ended(a),
            5 => Message::Signal { number: a, sender: b.cast_unsigned() },
            _ => return Heard::End,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_and_the_end_is_heard() {
        let (one, other) = Link::pair().unwrap();
        assert!(matches!(other.hear(), Heard::Silence));
        let messages = [
            Message::Started,
            Message::Failed([1, -2, 3]),
            Message::Stopped,
            Message::Continued,
            Message::Ended(256),
            Message::Signal { number: 15, sender: u32::MAX },
        ];
        messages.iter().for_each(|message| one.tell(*message));
        for message in messages {
            assert!(matches!(other.hear(), Heard::Message(heard) if heard == message));
        }
        drop(one);
        assert!(matches!(other.hear(), Heard::End));
        other.tell(Message::Started);
    }
}
