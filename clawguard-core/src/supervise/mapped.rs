//! The files that a process has mapped (proc_pid_maps(5)).

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use crate::path::AbsPath;

/// A file that is mapped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct File {
    /// As the kernel writes it, with ` (deleted)` behind it if it has no name.
    text: Vec<u8>,
    device: (u32, u32),
}

/// Behind the name of what was removed.
const REMOVED: &[u8] = b" (deleted)";

/// Each once; none if they cannot be read.
pub(super) fn files(process: u32) -> Option<BTreeSet<File>> {
    let maps = std::fs::read(format!("/proc/{process}/maps")).ok()?;
    let lines = maps.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut files = BTreeSet::new();
    for line in lines {
        files.extend(parse(line)?);
    }
    Some(files)
}

/// The file in a line, if there is one; none outside if the line is none.
fn parse(line: &[u8]) -> Option<Option<File>> {
    // Range, permissions, offset, device, inode, and the name behind blanks.
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(3)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    let device = (number(major)?, number(minor)?);
    fields.next()?;
    let text = fields.next().unwrap_or_default().trim_ascii_start();
    // `[stack]` and the like are no files.
    let is_file = text.first() == Some(&b'/');
    Some(is_file.then(|| File { text: unescaped(text), device }))
}

/// A line feed is written as `\\012` there, and nothing else in another way.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        let (byte, behind) = match rest.strip_prefix(b"\\012") {
            Some(behind) => (b'\n', behind),
            None => (*first, others),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

impl File {
    /// Is it no file of any file system that has names: a memfd, shared memory, a queue of the kernel's own?
    pub(super) fn is_memory(&self, memory: Option<u64>) -> bool {
        let number = |device| (rustix::fs::major(device), rustix::fs::minor(device));
        let is_queue = self.text.starts_with(b"/[aio]") || self.text.starts_with(b"/anon_hugepage");
        self.text.ends_with(REMOVED) && (is_queue || memory.map(number) == Some(self.device))
    }

    /// Its name, if it has one.
    pub(super) fn name(&self) -> Option<AbsPath> {
        if self.text.ends_with(REMOVED) {
            return None;
        }
        AbsPath::parse(&self.text).ok()
    }

    /// Is it what one of these holds, by the name that the kernel writes for both?
    pub(super) fn is_one_of(&self, held: &[&OwnedFd]) -> bool {
        held.iter().any(|fd| {
            let link = rustix::fs::readlink(super::pin::through(fd), Vec::with_capacity(256));
            link.is_ok_and(|text| text.as_bytes() == self.text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(line: &str) -> Option<Option<File>> {
        parse(line.as_bytes())
    }

    #[test]
    fn files_are_told_from_what_is_none() {
        let found =
            file("10000000-10003000 rw-p 00000000 fe:01 77      /w/a b\\012c").unwrap().unwrap();
        assert_eq!(found.text, b"/w/a b\nc");
        assert_eq!(found.device, (0xfe, 1));
        for line in [
            "7ffc0-7ffc1 rw-p 00000000 00:00 0                          [stack]",
            "7ffc0-7ffc1 rw-p 00000000 00:00 0 ",
        ] {
            assert_eq!(file(line), Some(None), "{line}");
        }
        assert_eq!(file("nonsense"), None);
        let removed = file("1-2 r--p 0 00:01 7 /memfd:x (deleted)").unwrap().unwrap();
        assert_eq!(removed.name(), None);
        assert!(removed.is_memory(Some(rustix::fs::makedev(0, 1))));
        assert!(!removed.is_memory(Some(rustix::fs::makedev(0, 2))) && !removed.is_memory(None));
    }

    #[test]
    fn ones_own_program_is_among_what_is_mapped() {
        let own = std::fs::File::open("/proc/self/exe").unwrap().into();
        let files = files(std::process::id()).unwrap();
        assert!(files.iter().any(|file| file.is_one_of(&[&own])));
    }
}
