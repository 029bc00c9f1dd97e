//! From bytes to records, in bounded memory: one line at a time, and no line longer than a writer can make it.

#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use super::{JournalReadError, Open, Record};

/// No line of a journal is as long: 32 KiB of arguments, each byte six characters of JSON and twice so with its twin.
const LONGEST: usize = 4 * 1024 * 1024;

/// What could not be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Lines that are no lines of a journal.
    pub(crate) lines: u64,
    /// Files whose last line has no end.
    pub(crate) torn: u64,
}

/// The lines of one file, which may grow while it is read.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    bytes: R,
    line: Vec<u8>,
    /// The present line is too long and is passed over.
    is_skipping: bool,
    pub(crate) unreadable: Unreadable,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(bytes: R) -> Lines<R> {
        Lines { bytes, line: Vec::new(), is_skipping: false, unreadable: Unreadable::default() }
    }

    /// The next record whose line has ended; none where there is no more for now.
    pub(crate) fn next_record(&mut self) -> std::io::Result<Option<Record>> {
        loop {
            let room = (LONGEST + 1).saturating_sub(self.line.len()) as u64;
            let read = self.bytes.by_ref().take(room).read_until(b'\n', &mut self.line)?;
            if self.line.last() == Some(&b'\n') {
                let record = Record::parse(&self.line);
                let is_empty = self.line.len() == 1;
                let was_skipping = std::mem::take(&mut self.is_skipping);
                self.line.clear();
                match record.filter(|_| !was_skipping) {
                    Some(record) => return Ok(Some(record)),
                    None => self.unreadable.lines += u64::from(!is_empty || was_skipping),
                }
            } else if self.line.len() > LONGEST {
                self.line.clear();
                self.is_skipping = true;
            } else if read == 0 {
                return Ok(None);
            }
        }
    }

    /// At the end of a file to which nothing is written any more: the last line, if only its newline is missing.
    pub(crate) fn last_record(&mut self) -> Option<Record> {
        let line = std::mem::take(&mut self.line);
        let was_skipping = std::mem::take(&mut self.is_skipping);
        if line.is_empty() && !was_skipping {
            return None;
        }
        let record = Record::parse(&line).filter(|_| !was_skipping);
        self.unreadable.torn += u64::from(record.is_none());
        record
    }
}

/// The records of several files, one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    waiting: std::vec::IntoIter<Open>,
    present: Option<(PathBuf, Lines<BufReader<std::fs::File>>)>,
    unreadable: Unreadable,
}

impl Reader {
    pub(super) fn new(files: Vec<Open>) -> Reader {
        Reader { waiting: files.into_iter(), present: None, unreadable: Unreadable::default() }
    }

    /// What was passed over so far.
    pub(crate) fn unreadable(&self) -> Unreadable {
        self.unreadable
    }
}

impl Iterator for Reader {
    type Item = Result<Record, JournalReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((path, lines)) = &mut self.present else {
                let open = self.waiting.next()?;
                self.present = Some((open.path, Lines::new(BufReader::new(open.file))));
                continue;
            };
            let next = match lines.next_record() {
                Ok(Some(record)) => return Some(Ok(record)),
                Ok(None) => lines.last_record().map(Ok),
                Err(source) => Some(Err(JournalReadError::Read { path: path.clone(), source })),
            };
            self.unreadable.lines += lines.unreadable.lines;
            self.unreadable.torn += lines.unreadable.torn;
            self.present = None;
            if next.is_some() {
                return next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"{"time":"2026-11-22T13:03:11.123Z","session":"7","event":"lost","count":1}"#;

    fn read(text: &[u8]) -> (usize, Unreadable) {
        let mut lines = Lines::new(text);
        let mut found = 0;
        while lines.next_record().unwrap().is_some() {
            found += 1;
        }
        found += usize::from(lines.last_record().is_some());
        (found, lines.unreadable)
    }

    #[test]
    fn a_torn_line_is_counted_and_costs_only_itself() {
        let torn = &LINE[..30];
        let (found, unreadable) = read(format!("{LINE}\n{torn}\n{LINE}\n{torn}").as_bytes());
        assert_eq!((found, unreadable), (2, Unreadable { lines: 1, torn: 1 }));
        assert_eq!(read(b""), (0, Unreadable::default()));
        assert_eq!(read(b"\n\n"), (0, Unreadable::default()));
    }

    #[test]
    fn a_last_line_that_lacks_only_its_newline_counts() {
        assert_eq!(read(format!("{LINE}\n{LINE}").as_bytes()), (2, Unreadable::default()));
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_longest() {
        let mut text = vec![b'x'; 3 * LONGEST];
        text.extend_from_slice(format!("\n{LINE}\n").as_bytes());
        let mut lines = Lines::new(text.as_slice());
        assert!(lines.next_record().unwrap().is_some());
        assert!(lines.line.capacity() <= 2 * LONGEST + 2, "{}", lines.line.capacity());
        assert_eq!(lines.unreadable, Unreadable { lines: 1, torn: 0 });
    }

    /// What is appended between two looks completes the piece that was there.
    #[test]
    fn a_line_may_come_in_pieces() {
        struct Pieces(Vec<&'static [u8]>);
        impl Read for Pieces {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                if self.0.is_empty() {
                    return Ok(0);
                }
                let piece = self.0.remove(0);
                buffer[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let (start, end) = LINE.as_bytes().split_at(20);
        // The end of the file is met twice: by the line that seeks its end, and by the look for more.
        let pieces = Pieces(vec![start, b"", b"", end, b"\n"]);
        let mut lines = Lines::new(BufReader::new(pieces));
        assert!(lines.next_record().unwrap().is_none());
        assert!(lines.next_record().unwrap().is_some());
    }
}
