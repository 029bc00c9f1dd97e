//! What is asked and answered through a run's socket: one JSON object a message. Unknown fields are passed over, so that
//! another version can be asked.

#![forbid(unsafe_code)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::entry::About;

/// No message is longer, in bytes.
pub(super) const LONGEST: usize = 128 * 1024;

/// What a client asks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(super) enum Request {
    /// What runs here?
    Status,
    /// Is this process of the run?
    Has {
        /// Its number.
        pid: u32,
    },
    /// End it; answered when that is done.
    Stop {
        /// How long after SIGTERM the rest is killed, in milliseconds.
        grace_ms: u64,
    },
}

/// The answer to [`Request::Status`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Status {
    #[serde(flatten)]
    pub(super) about: About,
    pub(super) command: u32,
    /// Processes of the target.
    pub(super) processes: usize,
    /// None when denials are not logged.
    pub(super) denials: Option<u64>,
}

/// The answer to [`Request::Has`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Has {
    pub(super) has: bool,
}

/// The answer to [`Request::Stop`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) ended: usize,
    pub(super) left: Vec<u32>,
}

/// Any bytes, as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes).map_err(D::Error::custom)
    }
}
