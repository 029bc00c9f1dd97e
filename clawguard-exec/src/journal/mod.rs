//! Reading the journal back: which files it has, in order, and what their lines say.
//!
//! Whoever reads it sees the target's names as bytes and must escape them. A line that cannot be understood is counted
//! and passed over; it must never end the reading, and neither may a field or an event of a later version.

#![forbid(unsafe_code)]

mod files;
mod lines;
mod record;

use std::path::PathBuf;

pub(crate) use self::files::{Journal, Open};
pub(crate) use self::lines::{Lines, Reader, Unreadable};
pub(crate) use self::record::{Event, Record, Request, RequestKind, Rule, Start};

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalReadError {
    /// There is neither a home directory nor a named file.
    #[error(
        "there is no home directory, so it is not known where the journal is: name it with --file FILE"
    )]
    NoPlace,
    /// The file belongs to somebody else.
    #[error(
        "the journal `{}` belongs to user {owner} and cannot be read by user {reader}: run this as that user",
        shown(.path)
    )]
    OtherUser {
        /// The file.
        path: PathBuf,
        /// Whose it is, by number.
        owner: u32,
        /// Who asks, by number.
        reader: u32,
    },
    /// A directory, a pipe or a device.
    #[error("the journal `{}` is not a regular file", shown(.path))]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Anything else.
    #[error("the journal `{}` cannot be read", shown(.path))]
    Read {
        /// The file or its directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn shown(path: &std::path::Path) -> String {
    clawguard_core::escape(path.as_os_str().as_encoded_bytes())
}
