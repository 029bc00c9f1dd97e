//! The law of SPEC section 4, over one automaton of all patterns.
//!
//! Nothing else in the crate may decide. Knows no disk, no kernel and no YAML.

#![forbid(unsafe_code)]

mod accept;
mod decider;
mod folding;
mod standing;
mod symbol;
#[cfg(test)]
mod tests;
mod trie;

pub(crate) use self::accept::Accept;
use self::accept::Live;
pub use self::accept::RuleId;
pub(crate) use self::accept::{Guards, Meaning};
pub(crate) use self::decider::StateId;
pub use self::decider::{Decider, Decision};
pub use self::folding::Folding;
use self::standing::Standings;
pub use self::standing::Verdict;
use self::trie::{NodeId, Side, Trie};
use crate::access::Access;
use crate::path::AbsPath;
use crate::policy::Component;

/// Every pattern of a resolved policy, ready to decide. Shared between deciders, never changed.
#[derive(Debug)]
pub struct Law {
    trie: Trie,
    folding: Folding,
}

/// A law that is being written.
#[derive(Debug)]
pub(crate) struct LawBuilder(Trie);

impl Default for LawBuilder {
    fn default() -> LawBuilder {
        LawBuilder(Trie::new())
    }
}

impl LawBuilder {
    /// Adds a pattern, after variables, braces and links.
    pub(crate) fn insert(&mut self, components: &[Component], accept: Accept) {
        let side = match accept.meaning {
            Meaning::AllowedExact | Meaning::Allowed | Meaning::Pin => Side::Allowed,
            Meaning::BlockedExact
            | Meaning::BlockedWild
            | Meaning::Guard
            | Meaning::GuardOfNothing => Side::Blocked,
        };
        self.0.insert(side, components, accept);
    }

    pub(crate) fn finish(mut self, folding: Folding) -> Law {
        self.0.finish();
        Law { trie: self.0, folding }
    }
}

impl Law {
    /// How each access stands at a path if `rule` did not exist: the verdict, and whether it holds for all beneath.
    ///
    /// Slow, for `plan`: nothing is remembered.
    pub(crate) fn without(&self, rule: RuleId, path: &AbsPath) -> [(Verdict, bool); 3] {
        let mut nodes = self.trie.start();
        let descend = |nodes: &[NodeId], standings: Standings| {
            let accepts = || nodes.iter().flat_map(|node| self.trie.accepts(*node));
            standings.descend(|| accepts().filter(|accept| accept.rule != rule))
        };
        let mut standings = descend(&nodes, Standings::default());
        for (depth, name) in path.components().enumerate() {
            let symbol = self.trie.alphabet.read(name, self.folding.case(path, depth)).into();
            nodes = self.trie.step(&nodes, &symbol);
            standings = descend(&nodes, standings);
        }
        let live =
            nodes.iter().fold(Live::default(), |live, node| live.union(self.trie.live(*node)));
        Access::ALL.map(|access| {
            (standings.verdict(access), standings.is_settled(access, live, Guards::All))
        })
    }

    /// Where names are the same in any case.
    pub(crate) fn folding(&self) -> &Folding {
        &self.folding
    }
}
