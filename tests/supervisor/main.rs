//! What SPEC section 5 asks of the supervisor, call by call, through the real shim: written from the law, not from the
//! code. A denial is proved by its errno, by the tree that did not change, and by the neighbour that works.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod alerts;
mod answers;
mod attributes;
mod caches;
mod compiled;
mod devices;
mod differ;
mod entries;
mod execution;
mod git;
mod init;
mod journal;
mod lending;
mod links;
mod metadata;
mod mounted;
mod moves;
mod nameless;
mod opens;
mod order;
mod outsiders;
mod own_process;
mod pinned;
mod programs;
mod programs_build;
mod programs_files;
mod programs_secrets;
mod programs_services;
mod programs_tracing;
mod questions;
mod races;
mod refused;
mod rivals;
mod site;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod traps;
