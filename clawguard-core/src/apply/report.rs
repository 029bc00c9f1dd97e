//! How a child tells its parent what became of it: which step failed, or the listener, through a socket that exec
//! closes.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg, socketpair,
};

use super::error::ApplyError;
use super::steps::{Failed, Step};

pub(super) struct Report(OwnedFd);

pub(super) struct Reporter(OwnedFd);

/// What the child told.
#[must_use]
pub(super) enum Told {
    /// The descriptor of its notifications.
    Listener(OwnedFd),
    /// It is not confined, or not the command.
    Failed(ApplyError),
    /// Nothing more: it became the command, or died.
    Nothing,
}

/// The step number of a message about exec, which is no step.
const EXEC: u8 = u8::MAX;
/// The step number of a message about what comes before the first step.
const START: u8 = u8::MAX - 2;
/// The step number of a message that carries the listener.
const LISTENER: u8 = u8::MAX - 1;

impl Report {
    pub(super) fn new() -> io::Result<(Report, Reporter)> {
        // Messages stay whole; both ends are close-on-exec.
        let (own, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Report(own), Reporter(theirs)))
    }

    /// Waits for the next message. The parent's copy of the reporter must be closed, or it waits for ever.
    pub(super) fn receive(&self) -> io::Result<Told> {
        self.next(RecvFlags::CMSG_CLOEXEC)
    }

    /// What is there already; none when nothing is.
    pub(super) fn failure(&self) -> Option<ApplyError> {
        loop {
            match self.next(RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT) {
                Ok(Told::Failed(error)) => return Some(error),
                Ok(Told::Listener(_)) => {}
                Ok(Told::Nothing) | Err(_) => return None,
            }
        }
    }

    fn next(&self, flags: RecvFlags) -> io::Result<Told> {
        let mut message = [0u8; 5];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(&self.0, &mut [IoSliceMut::new(&mut message)], &mut control, flags)
        })?;
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        let [number, errno @ ..] = message;
        let source = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
        Ok(match (received.bytes, number, descriptor) {
            (0, _, _) => Told::Nothing,
            (_, LISTENER, Some(listener)) => Told::Listener(listener),
            (_, EXEC, _) => Told::Failed(ApplyError::Exec(source)),
            (_, START, _) => Told::Failed(ApplyError::Spawn(source)),
            (_, number, _) => match Step::from_number(number) {
                Some(step) => Told::Failed(Failed { step, source }.into()),
                None => Told::Failed(ApplyError::Spawn(io::ErrorKind::InvalidData.into())),
            },
        })
    }
}

/// All of it is async-signal-safe. If the parent has gone, nobody wants to know.
impl Reporter {
    pub(super) fn send(&self, failed: &Failed) {
        self.tell(failed.step.number(), &failed.source);
    }

    pub(super) fn cannot_execute(&self, source: &io::Error) {
        self.tell(EXEC, source);
    }

    pub(super) fn cannot_start(&self, source: &io::Error) {
        self.tell(START, source);
    }

    fn tell(&self, number: u8, source: &io::Error) {
        let errno = source.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error());
        let [a, b, c, d] = errno.to_ne_bytes();
        let _ = send(&self.0, &[number, a, b, c, d], SendFlags::NOSIGNAL);
    }

    /// Gives the listener to whoever will answer.
    ///
    /// # Errors
    /// [`Step::HandOver`], when nobody is there to take it.
    pub(super) fn hand_over(&self, listener: &OwnedFd) -> Result<(), Failed> {
        let descriptors = [listener.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let message = [LISTENER, 0, 0, 0, 0];
        sendmsg(&self.0, &[IoSlice::new(&message)], &mut control, SendFlags::NOSIGNAL)
            .map(|_| ())
            .map_err(|errno| Failed { step: Step::HandOver, source: errno.into() })
    }
}
