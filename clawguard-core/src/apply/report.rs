//! How a child tells its parent which step failed: two numbers through a pipe that exec closes.

#![forbid(unsafe_code)]

use std::io::{self, PipeReader, PipeWriter, Read, Write};

use super::steps::{Failed, Step};

pub(super) struct Report(PipeReader);

pub(super) struct Reporter(PipeWriter);

impl Report {
    pub(super) fn new() -> io::Result<(Report, Reporter)> {
        // Both ends are close-on-exec.
        let (reader, writer) = io::pipe()?;
        Ok((Report(reader), Reporter(writer)))
    }

    /// The step that failed; none if none did. To be read when the child has ended or become the command.
    pub(super) fn read(mut self) -> Option<(Step, io::Error)> {
        rustix::fs::fcntl_setfl(&self.0, rustix::fs::OFlags::NONBLOCK).ok()?;
        let mut message = [0u8; 5];
        self.0.read_exact(&mut message).ok()?;
        let [number, errno @ ..] = message;
        Some((Step::from_number(number)?, io::Error::from_raw_os_error(i32::from_ne_bytes(errno))))
    }
}

impl Reporter {
    /// Async-signal-safe; a message of five bytes is written whole.
    pub(super) fn send(&mut self, failed: &Failed) {
        let [a, b, c, d] = failed.source.raw_os_error().unwrap_or(0).to_ne_bytes();
        // If the parent has gone, nobody wants to know.
        let _ = self.0.write(&[failed.step.number(), a, b, c, d]);
    }
}
