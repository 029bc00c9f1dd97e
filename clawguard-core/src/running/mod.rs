//! Which commands run confined now: one entry for each run in clawguard's state directory.
//!
//! A supervised run has a socket there, which its supervisor answers: what it is, how many were denied, whether a
//! process is its own, and that it shall end. A run in kernel mode has nobody who could answer, so its entry is a file.
//!
//! The directory is guarded from every target, and connecting to a socket needs `w` on it; a peer is looked at besides
//! (`server`). Nothing here may delay an answer or fail a run, and nothing that is read here is believed without a look
//! at the process that it names.

#![forbid(unsafe_code)]

mod client;
mod connection;
mod ending;
mod entry;
mod place;
mod server;
mod tree;
mod wire;

pub use self::client::{Denials, Facts, Run, Runs, Stopped};
pub(crate) use self::entry::{About, Listing, record};
pub(crate) use self::server::{LISTED_AFTER, Order, Server, View, deadline};

/// The variable that tells the target's processes by which run they are confined: the number of the process that was
/// started.
pub const CONFINED_BY: &str = "CLAWGUARD_PID";

/// Why runs cannot be listed, or one not be ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunningError {
    /// The directory of the entries cannot be read.
    #[error("cannot look for runs in `{}`", crate::path::escape(.path.as_os_str().as_encoded_bytes()))]
    Directory {
        /// The directory.
        path: std::path::PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A run that was there has gone, or cannot be signalled.
    #[error("cannot reach the run of process {pid}")]
    Run {
        /// The process that was started.
        pid: u32,
        /// The reason.
        source: std::io::Error,
    },
}
