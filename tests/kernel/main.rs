//! What the kernel really does under the shim: every test starts it, as root and as an ordinary user, and looks at the
//! errno, at the effect, and at the neighbour that must go on working.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod descriptors;
mod environment;
mod files;
mod groups;
mod guards;
mod jobs;
mod links;
mod listed;
mod mixed;
mod names;
mod numbers;
mod one_way;
mod outsiders;
mod parent;
mod privileges;
mod process;
mod programs;
mod running;
mod start;
mod starts;
#[path = "../support/mod.rs"]
mod support;
mod syscalls;
mod temporary;
mod terminals;
mod tree;
