//! What happens where a pattern matches, and what may still happen beneath.

#![forbid(unsafe_code)]

use crate::access::{Access, AccessSet};

/// A rule, by its place in the resolved policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(crate) u32);

impl RuleId {
    /// The place in the resolved policy's list of rules.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a matching pattern means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An allowed rule without any wildcard.
    AllowedExact,
    /// An allowed rule with a wildcard, or the canonical spelling of an exact one.
    Allowed,
    /// A blocked rule without any wildcard.
    BlockedExact,
    /// A blocked rule with a wildcard.
    BlockedWild,
    /// A guard of something that exists.
    Guard,
    /// A guard of a path where nothing is yet.
    GuardOfNothing,
    /// A directory that must be found again at the next start; no access of its own.
    Pin,
}

/// A pattern that ends at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accept {
    pub(crate) rule: RuleId,
    pub(crate) meaning: Meaning,
    pub(crate) access: AccessSet,
}

/// For each meaning, the accesses of rules that may still match beneath.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Live {
    /// Allowed rules, exact ones included.
    allowed: AccessSet,
    exact: AccessSet,
    blocked: AccessSet,
    guards: AccessSet,
    guards_of_nothing: AccessSet,
    pins: bool,
}

/// Which guards count: those of paths where nothing is yet bind a supervisor only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guards {
    All,
    OfWhatExists,
}

impl Live {
    pub(crate) fn with(self, accept: &Accept) -> Live {
        let mut live = self;
        match accept.meaning {
            Meaning::AllowedExact => {
                live.allowed = live.allowed.union(accept.access);
                live.exact = live.exact.union(accept.access);
            }
            Meaning::Allowed => live.allowed = live.allowed.union(accept.access),
            Meaning::BlockedExact | Meaning::BlockedWild => {
                live.blocked = live.blocked.union(accept.access)
            }
            Meaning::Guard => live.guards = live.guards.union(accept.access),
            Meaning::GuardOfNothing => {
                live.guards_of_nothing = live.guards_of_nothing.union(accept.access)
            }
            Meaning::Pin => live.pins = true,
        }
        live
    }

    pub(crate) fn union(self, other: Live) -> Live {
        Live {
            allowed: self.allowed.union(other.allowed),
            exact: self.exact.union(other.exact),
            blocked: self.blocked.union(other.blocked),
            guards: self.guards.union(other.guards),
            guards_of_nothing: self.guards_of_nothing.union(other.guards_of_nothing),
            pins: self.pins || other.pins,
        }
    }

    /// The accesses that allowed rules beneath speak of.
    pub(crate) fn allowed(self) -> AccessSet {
        self.allowed
    }

    /// May an allowed rule match beneath?
    pub(crate) fn allows(self, access: Access) -> bool {
        self.allowed.contains(access)
    }

    /// May an exact allowed rule match beneath?
    pub(crate) fn allows_exactly(self, access: Access) -> bool {
        self.exact.contains(access)
    }

    /// May a blocked rule match beneath?
    pub(crate) fn blocks(self, access: Access) -> bool {
        self.blocked.contains(access)
    }

    /// May a blocked rule or a guard match beneath?
    pub(crate) fn denies(self, access: Access, guards: Guards) -> bool {
        self.blocks(access)
            || self.guards.contains(access)
            || guards == Guards::All && self.guards_of_nothing.contains(access)
    }

    /// May any rule or guard match beneath?
    pub(crate) fn speaks_of(self, access: Access) -> bool {
        self.allows(access) || self.denies(access, Guards::All)
    }

    /// Does a pinned directory lie strictly beneath?
    pub(crate) fn pins(self) -> bool {
        self.pins
    }
}
