//! What a person or a program sees of the command line: exit codes, texts, JSON, and which policy is used.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod audit;
mod check;
mod closing;
mod discovery;
mod documents;
mod exit;
mod fallback;
mod init;
mod init_places;
mod learn;
mod log;
mod mistakes;
mod needs;
mod pages;
mod plan;
mod presets;
mod probe;
mod quiet;
mod readme;
#[path = "../support/mod.rs"]
mod support;
