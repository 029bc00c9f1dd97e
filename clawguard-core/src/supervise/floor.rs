//! The strict floor (SPEC section 6.2) as a type: only a [`Proof`] lets the kernel go on with a call, and only this
//! file makes one, from what Landlock alone is known to hold.
//!
//! Nothing here looks at memory of the target: what is there can change after it was looked at.

#![forbid(unsafe_code)]

use super::mounts::Mounts;
use crate::access::{Access, AccessSet};

/// The proof that, whatever a request ends up naming, Landlock alone allows nothing that the law denies. For `execve`
/// in a loose directory it is the law's own exception (SPEC section 6.3).
#[derive(Debug)]
pub(super) struct Proof(());

/// What Landlock holds without the supervisor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    /// The accesses that Landlock grants somewhere although the law denies them.
    loose: AccessSet,
    /// Outside a procfs, Landlock also denies no open that the law allows, so that the kernel's answer is the right one.
    holds_opens: bool,
}

impl Floor {
    /// From the accesses that loose directories leave to the supervisor.
    pub(super) fn new(loose: AccessSet, holds_opens: bool) -> Floor {
        Floor { loose, holds_opens }
    }

    /// Does Landlock let something be read that the law denies?
    pub(super) fn is_loose_for_reading(self) -> bool {
        self.loose.contains(Access::Read)
    }

    /// Is the kernel's answer to an open also never stricter than the law?
    pub(super) fn holds_opens(self) -> bool {
        self.holds_opens
    }

    /// An open whose path, or flags, are in memory: any access.
    ///
    /// What is denied before any rule is asked counts too (SPEC section 4): Landlock grants nothing in a procfs that the
    /// plan knew, and in one that was mounted since it must grant nothing either.
    pub(super) fn open(self, mounts: &Mounts) -> Option<Proof> {
        let is_tight = !self.loose.contains(Access::Read) && mounts.keep_processes();
        is_tight.then_some(Proof(()))
    }

    /// Landlock never grants the making of a socket where the law denies it, and an address of another family names
    /// no file.
    pub(super) fn bind(self) -> Proof {
        Proof(())
    }

    /// The kernel executes; nobody can do it for the target. Landlock denies what is not in a loose directory.
    pub(super) fn execute(self) -> Proof {
        Proof(())
    }

    /// What names a process group: in a session of the target's own there is no other, and elsewhere registers name one
    /// that is the target's.
    pub(super) fn group(self) -> Proof {
        Proof(())
    }

    /// A request of a tracer: its tracee is stopped, and runs nothing that must not be read (`tracing`).
    pub(super) fn traced(self) -> Proof {
        Proof(())
    }

    /// A call whose arguments are registers that name nobody but the caller.
    pub(super) fn own_thread(self) -> Proof {
        Proof(())
    }
}
