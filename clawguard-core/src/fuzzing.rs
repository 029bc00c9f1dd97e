//! What the fuzz targets ask of the crate's inside. No part of the interface: it is built only for them.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::access::Access;
use crate::decide::{Decider, Guards};
use crate::path::AbsPath;
use crate::policy::preset;
use crate::syscalls::Arch;

/// Reads a text as that of a preset. Is it one?
#[must_use]
pub fn is_preset(text: &[u8]) -> bool {
    preset::is_readable(text, Arc::from("fuzzed"))
}

/// Is `access` decided alike at and beneath this directory?
#[must_use]
pub fn is_settled(decider: &mut Decider, path: &AbsPath, access: Access) -> bool {
    let state = decider.walk_exactly(path);
    decider.is_settled(state, access, Guards::All)
}

/// Is everything beneath these two directories, and are they themselves, decided alike?
#[must_use]
pub fn decides_alike(decider: &mut Decider, one: &AbsPath, other: &AbsPath) -> bool {
    let one = decider.walk_exactly(one);
    let other = decider.walk_exactly(other);
    decider.decides_alike(one, other)
}

/// Can the blocked rules that match beneath one match beneath the other, and no others?
#[must_use]
pub fn blocks_alike_beneath(decider: &mut Decider, one: &AbsPath, other: &AbsPath) -> bool {
    let one = decider.walk_exactly(one);
    let other = decider.walk_exactly(other);
    decider.blocks_alike_beneath(one, other)
}

/// The calls that a supervisor may be asked about: name and number on this machine.
pub fn judged_calls() -> impl Iterator<Item = (&'static str, u32)> {
    let judged = crate::syscalls::table().filter(|call| call.judged().is_some());
    judged.filter_map(|call| Some((call.name, call.number(Arch::current())?)))
}
