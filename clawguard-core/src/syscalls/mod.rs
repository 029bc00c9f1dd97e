//! The one table of Linux system calls: number, arguments, and what clawguard does about each.
//!
//! A leaf that speaks the kernel's words and nothing else: it builds no filter and answers no
//! call. `compile::filter` turns the denied rows into BPF; the supervisor reads the judged ones.
//! A call that is not in the table does not exist for the target: a newer kernel's call gets
//! ENOSYS until somebody has read what it does and given it a row.
//!
//! The rows live in three files, by what is done: [`free`], [`judged`], [`denied`]. The numbers
//! are those of Linux 7.2 and are checked against lists made from the kernel's headers.

#![forbid(unsafe_code)]

mod arch;
#[cfg(test)]
mod audit;
pub(crate) mod constants;
mod denied;
mod free;
mod judged;
#[cfg(test)]
mod tests;

pub use arch::Arch;
use constants::Constant;
pub(crate) use denied::{Condition, Denial, Errno, Forbidden, Test, bits_but};
pub(crate) use free::Free;
pub(crate) use judged::{Family, Flag, Held, Judged, Last, Need, OpenFlags, Place};

/// One system call.
#[derive(Debug)]
pub(crate) struct Syscall {
    /// The kernel's name, as in `__NR_name`.
    pub(crate) name: &'static str,
    x86_64: u32,
    aarch64: Option<u32>,
    /// What is done when the target makes it.
    pub(crate) disposition: Disposition,
}

/// What is done when the target makes a system call.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "why a call is free is for readers and tests"))]
pub(crate) enum Disposition {
    /// Nothing is asked, for the reason stated.
    Free(Free),
    /// SPEC section 5 asks for an access to a path. The supervisor judges it; in kernel mode
    /// Landlock holds it, or nothing does ([`Judged::held`]).
    Judged(Judged),
    /// The filter answers with an errno when one of these denials applies, in every mode. When
    /// none applies the call is free: it then reaches nothing but the caller, or what one of its
    /// descriptors allows.
    Denied(&'static [Denial]),
}

impl Syscall {
    /// The number on `arch`; none when that architecture never had the call.
    pub(crate) fn number(&self, arch: Arch) -> Option<u32> {
        match arch {
            Arch::X86_64 => Some(self.x86_64),
            Arch::Aarch64 => self.aarch64,
        }
    }
}

impl Syscall {
    /// Its row, if the call is judged.
    pub(crate) fn judged(&self) -> Option<&Judged> {
        match &self.disposition {
            Disposition::Judged(judged) => Some(judged),
            Disposition::Free(_) | Disposition::Denied(_) => None,
        }
    }
}

/// Every system call, each once, in no order that matters.
pub(crate) fn table() -> impl Iterator<Item = &'static Syscall> {
    free::ROWS.iter().chain(judged::ROWS).chain(denied::ROWS)
}

/// Every number that is a system call on `arch`.
#[cfg(test)]
pub(crate) fn numbers(arch: Arch) -> std::collections::BTreeSet<u32> {
    table().filter_map(|call| call.number(arch)).collect()
}

/// A row for both architectures. aarch64 never had a call that x86_64 has not.
const fn both(name: &'static str, x86_64: u32, aarch64: u32, disposition: Disposition) -> Syscall {
    Syscall { name, x86_64, aarch64: Some(aarch64), disposition }
}

/// A row for x86_64 alone: mostly the old calls that have no directory descriptor.
const fn x86(name: &'static str, x86_64: u32, disposition: Disposition) -> Syscall {
    Syscall { name, x86_64, aarch64: None, disposition }
}
