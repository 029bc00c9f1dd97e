//! [`Arch`]: the instruction set that a filter is built for.
//!
//! A value, so that the programs of either architecture can be built and tested on the other.

#![forbid(unsafe_code)]

use std::fmt;

/// An architecture whose system calls clawguard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// 64-bit x86. Its two other faces, i386 (`int 0x80`) and x32, are foreign.
    X86_64,
    /// 64-bit Arm, little-endian. 32-bit Arm is foreign.
    Aarch64,
}

// x32 is `x86_64` with 32-bit pointers: its calls have other numbers.
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    target_endian = "little",
    any(target_arch = "x86_64", target_arch = "aarch64"),
)))]
compile_error!("clawguard knows the system calls of 64-bit Linux on x86_64 and aarch64 only");

impl Arch {
    /// Every architecture.
    pub const ALL: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];

    /// The architecture that this program was compiled for.
    #[must_use]
    pub const fn current() -> Arch {
        if cfg!(target_arch = "x86_64") { Arch::X86_64 } else { Arch::Aarch64 }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        })
    }
}
