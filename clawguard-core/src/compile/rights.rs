//! Accesses in Landlock's words.

#![forbid(unsafe_code)]

use landlock::{ABI, Access as _, AccessFs, BitFlags};

use crate::access::{Access, AccessSet};

/// A set of Landlock access rights.
pub(super) type Rights = BitFlags<AccessFs>;

/// Every right that the ruleset handles: what no rule grants is denied.
pub(super) fn handled(abi: ABI) -> Rights {
    AccessFs::from_all(abi)
}

/// The rights of a file or of everything in a directory, for accesses that hold for all of it.
///
/// Making and removing entries is not among them: see [`entries`].
pub(super) fn contents(access: AccessSet, abi: ABI) -> Rights {
    let of = |access: Access| match access {
        Access::Read => AccessFs::ReadFile | AccessFs::ReadDir,
        // Connecting to a socket needs `w` on it (SPEC section 5).
        Access::Write => {
            AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev | AccessFs::ResolveUnix
        }
        Access::Execute => AccessFs::Execute.into(),
    };
    access.iter().fold(BitFlags::EMPTY, |rights, access| rights | of(access)) & handled(abi)
}

/// The same for something that is not a directory.
pub(super) fn file(access: AccessSet, abi: ABI) -> Rights {
    contents(access, abi) & AccessFs::from_file(abi)
}

/// Making, removing and moving entries. Device nodes are never made.
pub(super) fn entries(abi: ABI) -> Rights {
    let made = AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::MakeSock
        | AccessFs::MakeFifo
        | AccessFs::MakeSym;
    let moved = AccessFs::RemoveDir | AccessFs::RemoveFile | AccessFs::Refer;
    (made | moved) & handled(abi)
}

/// The kernel's names of rights (landlock.rst), in the order of their bits.
pub(super) fn names(rights: Rights) -> Vec<&'static str> {
    rights.iter().map(name).collect()
}

fn name(right: AccessFs) -> &'static str {
    match right {
        AccessFs::Execute => "execute",
        AccessFs::WriteFile => "write_file",
        AccessFs::ReadFile => "read_file",
        AccessFs::ReadDir => "read_dir",
        AccessFs::RemoveDir => "remove_dir",
        AccessFs::RemoveFile => "remove_file",
        AccessFs::MakeChar => "make_char",
        AccessFs::MakeDir => "make_dir",
        AccessFs::MakeReg => "make_reg",
        AccessFs::MakeSock => "make_sock",
        AccessFs::MakeFifo => "make_fifo",
        AccessFs::MakeBlock => "make_block",
        AccessFs::MakeSym => "make_sym",
        AccessFs::Refer => "refer",
        AccessFs::Truncate => "truncate",
        AccessFs::IoctlDev => "ioctl_dev",
        AccessFs::ResolveUnix => "resolve_unix",
        // The library's enum may grow; a right that it does not know here is never granted.
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_abi_grants_a_device_node_or_a_right_that_it_does_not_know() {
        for abi in [ABI::V1, ABI::V2, ABI::V3, ABI::V5, ABI::V6, ABI::V7, ABI::V9] {
            let all = contents(AccessSet::ALL, abi) | entries(abi);
            assert!(!all.intersects(AccessFs::MakeChar | AccessFs::MakeBlock));
            assert_eq!(all & handled(abi), all);
        }
    }

    #[test]
    fn a_file_takes_no_right_of_directories() {
        assert_eq!(
            names(file(AccessSet::ALL, ABI::V7)),
            ["execute", "write_file", "read_file", "truncate", "ioctl_dev"]
        );
    }
}
