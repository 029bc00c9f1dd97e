//! SPEC section 4, one access at a time and one component at a time.
//!
//! The depths `b` and `e` of the law are never kept: on the way down only their order matters, and that is one of
//! three standings. This is the only place where a decision is made. Who executes a file reads it, so `x` is allowed
//! only where `r` is: [`Standings`] puts the two together.

#![forbid(unsafe_code)]

use super::accept::{Accept, Guards, Live, Meaning, RuleId};
use crate::access::Access;

/// How things stand for one access after the components so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Standing {
    guard: Option<RuleId>,
    block: Block,
    cover: Option<RuleId>,
}

/// The order of the deepest block and the deepest exact allowed rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Block {
    /// No blocked rule matched: there is no `b`.
    #[default]
    None,
    /// Blocked by this rule, and nothing goes through: `e < b`, or a tie that the block wins.
    Blocked(RuleId),
    /// This exact rule goes through: `e > b`, or a tie with wildcards only.
    Exception(RuleId),
}

/// A decision for one access, with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Allowed by this rule.
    Allowed(RuleId),
    /// Denied by this blocked rule or guard.
    Denied(RuleId),
    /// Denied because nothing allows it.
    NothingAllows,
}

impl Verdict {
    /// Is it allowed?
    #[must_use]
    pub fn is_allowed(self) -> bool {
        match self {
            Verdict::Allowed(_) => true,
            Verdict::Denied(_) | Verdict::NothingAllows => false,
        }
    }

    /// The rule that decided; none if nothing allows it.
    #[must_use]
    pub fn rule(self) -> Option<RuleId> {
        match self {
            Verdict::Allowed(rule) | Verdict::Denied(rule) => Some(rule),
            Verdict::NothingAllows => None,
        }
    }
}

impl Standing {
    /// The standing one component deeper, where `accepts` match.
    fn descend<'a>(self, access: Access, accepts: impl Iterator<Item = &'a Accept>) -> Standing {
        let mut next = self;
        let (mut guard, mut exact_block, mut wild_block, mut exact, mut cover) =
            (None, None, None, None, None);
        for accept in accepts.filter(|accept| accept.access.contains(access)) {
            // Of several rules that match at one depth, the first in the policy is the reason.
            let first = |slot: &mut Option<RuleId>| {
                *slot = Some(slot.map_or(accept.rule, |rule| rule.min(accept.rule)));
            };
            match accept.meaning {
                Meaning::AllowedExact => {
                    first(&mut exact);
                    first(&mut cover);
                }
                Meaning::Allowed => first(&mut cover),
                Meaning::BlockedExact => first(&mut exact_block),
                Meaning::BlockedWild => first(&mut wild_block),
                Meaning::Guard | Meaning::GuardOfNothing => first(&mut guard),
                Meaning::Pin => {}
            }
        }
        next.guard = next.guard.or(guard);
        next.cover = cover.or(next.cover);
        next.block = match (exact_block, wild_block, exact) {
            // A block at this depth: b is here.
            (Some(rule), _, _) | (None, Some(rule), None) => Block::Blocked(rule),
            // e == b, and every block here has a wildcard.
            (None, Some(_), Some(rule)) => Block::Exception(rule),
            (None, None, Some(rule)) => match self.block {
                Block::None => Block::None,
                Block::Blocked(_) | Block::Exception(_) => Block::Exception(rule),
            },
            (None, None, None) => self.block,
        };
        next
    }

    /// The decision for the path so far.
    fn verdict(self) -> Verdict {
        match (self.guard, self.block, self.cover) {
            (Some(rule), _, _) | (None, Block::Blocked(rule), _) => Verdict::Denied(rule),
            (None, Block::Exception(rule), _) | (None, Block::None, Some(rule)) => {
                Verdict::Allowed(rule)
            }
            (None, Block::None, None) => Verdict::NothingAllows,
        }
    }

    /// Does an exact allowed rule go through a block here?
    pub(crate) fn is_exception(self) -> bool {
        self.guard.is_none() && matches!(self.block, Block::Exception(_))
    }

    /// Can any path beneath be decided otherwise than the path so far?
    fn is_settled(self, access: Access, live: Live, guards: Guards) -> bool {
        match (self.guard, self.block, self.cover) {
            (Some(_), _, _) => true,
            (None, Block::Blocked(_), _) => !live.allows_exactly(access),
            (None, Block::None, None) => !live.allows(access),
            (None, Block::None, Some(_)) | (None, Block::Exception(_), _) => {
                !live.denies(access, guards)
            }
        }
    }

    /// Is a rule the reason, or can none beneath be? What nothing allows may still be blocked by name further down, and
    /// then a person wants that line.
    fn is_named(self, access: Access, live: Live) -> bool {
        self.guard.is_some()
            || self.block != Block::None
            || self.cover.is_some()
            || !live.denies(access, Guards::All)
    }

    /// May any path beneath, or this one, be allowed?
    fn may_allow(self, access: Access, live: Live) -> bool {
        self.verdict().is_allowed() || !self.is_settled(access, live, Guards::All)
    }

    /// The standing without its reasons: equal ones decide alike whatever comes beneath. `live`: what may.
    fn behaviour(self, access: Access, live: Live) -> Behaviour {
        if self.is_settled(access, live, Guards::All) {
            return Behaviour::Settled { is_allowed: self.verdict().is_allowed() };
        }
        match (self.block, self.cover) {
            (Block::Blocked(_), _) => Behaviour::Blocked,
            // A block beneath ends both, and an exact rule changes neither.
            (Block::Exception(_), _) | (Block::None, Some(_)) => Behaviour::Allowed,
            (Block::None, None) => Behaviour::Uncovered,
        }
    }
}

/// How things stand for every access after the components so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Standings([Standing; 3]);

impl Standings {
    /// The standings one component deeper, where `accepts` match.
    pub(crate) fn descend<'a, I: Iterator<Item = &'a Accept>>(
        self,
        accepts: impl Fn() -> I,
    ) -> Standings {
        Standings(Access::ALL.map(|access| self.alone(access).descend(access, accepts())))
    }

    /// One access by itself, whatever it needs besides.
    pub(crate) fn alone(self, access: Access) -> Standing {
        self.0[access.index()]
    }

    /// What an access needs besides itself.
    fn needed(self, access: Access) -> Option<Standing> {
        match access {
            Access::Read | Access::Write => None,
            Access::Execute => Some(self.alone(Access::Read)),
        }
    }

    /// The decision for the path so far.
    pub(crate) fn verdict(self, access: Access) -> Verdict {
        let own = self.alone(access).verdict();
        match self.needed(access) {
            Some(needed) if own.is_allowed() && !needed.verdict().is_allowed() => needed.verdict(),
            Some(_) | None => own,
        }
    }

    /// Can no path beneath be decided otherwise than the path so far? A proof if so; if not, perhaps.
    pub(crate) fn is_settled(self, access: Access, live: Live, guards: Guards) -> bool {
        let alone = |standing: Standing, access| {
            let is_settled = standing.is_settled(access, live, guards);
            (is_settled, is_settled && !standing.verdict().is_allowed())
        };
        let (own, own_denies) = alone(self.alone(access), access);
        let Some(needed) = self.needed(access) else { return own };
        let (other, other_denies) = alone(needed, Access::Read);
        own_denies || other_denies || own && other
    }

    /// Is a rule the reason, or can none beneath be?
    pub(crate) fn is_named(self, access: Access, live: Live) -> bool {
        self.alone(access).is_named(access, live)
    }

    /// May any path beneath, or this one, be allowed?
    pub(crate) fn may_allow(self, access: Access, live: Live) -> bool {
        let needed = self.needed(access);
        self.alone(access).may_allow(access, live)
            && needed.is_none_or(|needed| needed.may_allow(Access::Read, live))
    }

    /// The standing of an access without its reasons: where all three are equal, they decide alike whatever comes
    /// beneath. `live`: what may.
    pub(crate) fn behaviour(self, access: Access, live: Live) -> Behaviour {
        if self.is_settled(access, live, Guards::All) {
            return Behaviour::Settled { is_allowed: self.verdict(access).is_allowed() };
        }
        self.alone(access).behaviour(access, live)
    }
}

/// A [`Standing`] without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Behaviour {
    /// Nothing beneath is decided otherwise, so it does not matter why.
    Settled {
        is_allowed: bool,
    },
    Blocked,
    Allowed,
    Uncovered,
}
