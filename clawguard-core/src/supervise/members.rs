//! Which processes belong to the target: the descendants of this process that a filter confines.

#![forbid(unsafe_code)]

use super::target::{field, read_proc};

/// Generations that are looked at, at most: deeper than any real tree, so that a loop ends.
const GENERATIONS: usize = 4096;

/// Does a process, by the number of one of its threads, belong to the target?
///
/// Its ancestors are followed up to this process, which adopts orphans. Whatever cannot be read is an outsider.
pub(super) fn is_member(number: u32) -> bool {
    let own = std::process::id();
    let mut at = number;
    for generation in 0..GENERATIONS {
        if at == own || at <= 1 {
            return at == own && generation > 0;
        }
        let Ok(status) = read_proc(&format!("/proc/{at}/status")) else { return false };
        // A mere sibling of the command is not confined.
        if generation == 0 && field(&status, "Seccomp:") != Some("2") {
            return false;
        }
        let Some(parent) = field(&status, "PPid:").and_then(|text| text.parse().ok()) else {
            return false;
        };
        at = parent;
    }
    false
}
