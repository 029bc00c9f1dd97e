//! The lazy deterministic automaton: sets of trie nodes and standings, cached as states.
//!
//! One per thread; the law that it reads is shared. Its memory is bounded: it starts anew when it grew too large.

#![forbid(unsafe_code)]

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::Law;
use super::accept::{Accept, Guards, Live, Meaning, RuleId};
use super::standing::{Behaviour, Standing, Standings, Verdict};
use super::symbol::{Name, Symbol};
use super::trie::NodeId;
use crate::access::{Access, AccessSet};
use crate::path::{AbsPath, components};
use crate::policy::Case;

/// States kept before the cache starts anew; about 200 bytes each.
const MAX_STATES: usize = 32 * 1024;

/// A place in the automaton: all that is known of a directory from its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StateId(u32);

/// The three verdicts for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    verdicts: [Verdict; 3],
}

impl Decision {
    /// Every access is denied, and no rule says so: what is denied before a rule is asked (docs/policy.md, section 5).
    #[must_use]
    pub fn denied() -> Decision {
        Decision { verdicts: [Verdict::NothingAllows; 3] }
    }

    /// The verdict for one access.
    pub fn verdict(&self, access: Access) -> Verdict {
        self.verdicts[access.index()]
    }
}

#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct Key {
    nodes: Box<[NodeId]>,
    standings: Standings,
}

#[derive(Debug)]
struct State {
    key: Key,
    live: Live,
    /// Nothing beneath is decided otherwise: a walk may end here.
    is_final: bool,
    /// And does no rule beneath give a better reason than that nothing allows it?
    is_told: bool,
}

/// Decides paths by the law; keeps what it learned.
#[derive(Debug)]
pub struct Decider {
    law: Arc<Law>,
    states: Vec<State>,
    ids: HashMap<Key, StateId>,
    plain: HashMap<(u32, u64), StateId>,
    symbols: HashMap<Symbol, u32>,
    steps: HashMap<(StateId, u32), StateId>,
}

impl Decider {
    /// A decider with an empty cache.
    #[must_use]
    pub fn new(law: Arc<Law>) -> Decider {
        let mut decider = Decider {
            law,
            states: Vec::new(),
            ids: HashMap::new(),
            plain: HashMap::new(),
            symbols: HashMap::new(),
            steps: HashMap::new(),
        };
        decider.forget();
        decider
    }

    /// Decides a real path: absolute, without links, `.` or `..`.
    pub fn decide(&mut self, path: &AbsPath) -> Decision {
        self.tidy();
        let state = self.walk(path);
        self.decision(state)
    }

    /// The verdict on an access if a rule did not exist ([`Law::without`]).
    pub(crate) fn without(&self, rule: RuleId, path: &AbsPath, access: Access) -> Verdict {
        let (verdict, _) = self.law.without(rule, path)[access.index()];
        verdict
    }

    /// Could the directory `from` be renamed to `to`, as far as the law is concerned with what is in it: no path
    /// beneath it is decided otherwise there, and the next start need not find it (SPEC section 5)?
    pub fn may_move_directory(&mut self, from: &AbsPath, to: &AbsPath) -> bool {
        self.tidy();
        let (from, to) = (self.walk_exactly(from), self.walk_exactly(to));
        !self.is_pinned(from) && self.decides_alike(from, to)
    }

    /// The state at `/`.
    pub(crate) fn root(&self) -> StateId {
        StateId(0)
    }

    /// The state at a path, or one above it beneath which every path is decided alike.
    pub(crate) fn walk(&mut self, path: &AbsPath) -> StateId {
        self.walk_while(path, |state| !state.is_told)
    }

    /// The state at a path itself: what matches here and beneath, not only what is decided.
    pub(crate) fn walk_exactly(&mut self, path: &AbsPath) -> StateId {
        self.walk_while(path, |_| true)
    }

    fn walk_while(&mut self, path: &AbsPath, goes_on: impl Fn(&State) -> bool) -> StateId {
        let folding = self.law.folding().is_some_and_beneath(path);
        let mut state = self.root();
        for (depth, name) in components(path.as_bytes()).enumerate() {
            if !goes_on(self.state(state)) {
                break;
            }
            let case = if folding { self.law.folding().case(path, depth) } else { Case::Sensitive };
            state = self.step(state, name, case);
        }
        state
    }

    /// The state one component deeper; `case` is that of the directory in which `name` stands.
    pub(crate) fn step(&mut self, from: StateId, name: &[u8], case: Case) -> StateId {
        match self.law.trie.alphabet.read(name, case) {
            Name::Plain(plain) => {
                if let Some(to) = self.plain.get(&(from.0, plain.number())) {
                    return *to;
                }
                let to = self.compute(from, &plain.into());
                self.plain.insert((from.0, plain.number()), to);
                to
            }
            Name::Symbol(symbol) => {
                let number = match self.symbols.get(&symbol) {
                    Some(number) => *number,
                    None => {
                        let number = u32::try_from(self.symbols.len()).unwrap_or(u32::MAX);
                        self.symbols.insert(symbol.clone(), number);
                        number
                    }
                };
                if let Some(to) = self.steps.get(&(from, number)) {
                    return *to;
                }
                let to = self.compute(from, &symbol);
                self.steps.insert((from, number), to);
                to
            }
        }
    }

    /// The verdicts at a state.
    pub(crate) fn decision(&self, state: StateId) -> Decision {
        let standings = self.state(state).key.standings;
        Decision { verdicts: Access::ALL.map(|access| standings.verdict(access)) }
    }

    /// One access by itself: `x` without the `r` that it needs.
    pub(crate) fn standing(&self, state: StateId, access: Access) -> Standing {
        self.state(state).key.standings.alone(access)
    }

    /// May this path, or any beneath, be allowed `access`?
    pub(crate) fn may_allow(&self, state: StateId, access: Access) -> bool {
        let state = self.state(state);
        state.key.standings.may_allow(access, state.live)
    }

    /// What may still match beneath a state.
    pub(crate) fn live(&self, state: StateId) -> Live {
        self.state(state).live
    }

    /// Is `access` decided alike at and beneath this state?
    pub(crate) fn is_settled(&self, state: StateId, access: Access, guards: Guards) -> bool {
        let state = self.state(state);
        state.key.standings.is_settled(access, state.live, guards)
    }

    /// The names that allowed patterns spell as the next component, sorted.
    pub(crate) fn allowed_names(&self, state: StateId) -> Vec<Vec<u8>> {
        let nodes = self.state(state).key.nodes.iter();
        let names = nodes.flat_map(|node| self.law.trie.allowed_names(*node));
        let mut names: Vec<Vec<u8>> = names.map(<[u8]>::to_vec).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The patterns that match at this very state.
    pub(crate) fn accepts(&self, state: StateId) -> impl Iterator<Item = &Accept> {
        self.state(state).key.nodes.iter().flat_map(|node| self.law.trie.accepts(*node))
    }

    /// The accesses that allowed patterns with a wildcard or `**` as the next component speak of.
    pub(crate) fn wildcards_allow(&self, state: StateId) -> AccessSet {
        let nodes = self.state(state).key.nodes.iter();
        nodes.fold(AccessSet::EMPTY, |set, node| set.union(self.law.trie.wildcards_allow(*node)))
    }

    /// Up to `limit` rules among the patterns that may still match beneath, sorted.
    pub(crate) fn beneath(
        &self,
        state: StateId,
        limit: usize,
        wanted: impl Fn(&Accept) -> bool,
    ) -> Vec<RuleId> {
        self.law.trie.beneath(&self.state(state).key.nodes, limit, wanted)
    }

    /// The same for patterns that a wildcard leads to: names that nobody spells.
    pub(crate) fn beneath_wildcards(
        &self,
        state: StateId,
        limit: usize,
        wanted: impl Fn(&Accept) -> bool,
    ) -> Vec<RuleId> {
        self.law.trie.beneath_wildcards(&self.state(state).key.nodes, limit, wanted)
    }

    /// Do these two directories decide alike whatever name comes beneath them? Equal answers are proofs, unequal
    /// ones are not: two sets of nodes may differ and still accept the same paths.
    pub(crate) fn decides_alike(&self, a: StateId, b: StateId) -> bool {
        self.behaviour(a) == self.behaviour(b)
    }

    /// Can a link at `a` lead no blocked name astray? So it is if the blocked patterns that may still match beneath it
    /// are those of `b`, where no pattern spells the name.
    pub(crate) fn blocks_alike_beneath(&self, a: StateId, b: StateId) -> bool {
        self.blocks_beneath(a).eq(self.blocks_beneath(b))
    }

    fn blocks_beneath(&self, state: StateId) -> impl Iterator<Item = NodeId> {
        let nodes = self.state(state).key.nodes.iter().copied();
        nodes.filter(|node| self.law.trie.blocks_beneath(*node))
    }

    /// Must the next start find a directory here, or beneath (SPEC section 5)?
    pub(crate) fn is_pinned(&self, state: StateId) -> bool {
        self.live(state).pins() || self.accepts(state).any(|accept| accept.meaning == Meaning::Pin)
    }

    /// The rule that pins the directory here, or one beneath.
    pub(crate) fn pinned_by(&self, state: StateId) -> Option<RuleId> {
        let is_pin = |accept: &&Accept| accept.meaning == Meaning::Pin;
        let here = self.accepts(state).find(is_pin).map(|accept| accept.rule);
        here.or_else(|| self.beneath(state, 1, |accept| is_pin(&accept)).into_iter().next())
    }

    /// The rule because of which a directory can be neither removed nor moved: it pins this path, or one beneath it
    /// (SPEC section 5).
    pub fn pin(&mut self, path: &AbsPath) -> Option<RuleId> {
        self.tidy();
        let state = self.walk_exactly(path);
        self.pinned_by(state)
    }

    /// Starts anew if the cache has grown too large. States from before mean nothing then.
    pub(crate) fn tidy(&mut self) {
        let sizes =
            [self.states.len(), self.symbols.len(), self.plain.len() / 4, self.steps.len() / 4];
        if sizes.into_iter().any(|size| size > MAX_STATES) {
            self.forget();
        }
    }

    fn behaviour(&self, state: StateId) -> (Vec<NodeId>, [Behaviour; 3]) {
        let state = self.state(state);
        let behaviours =
            Access::ALL.map(|access| state.key.standings.behaviour(access, state.live));
        let is_open =
            |access: &Access| !matches!(behaviours[access.index()], Behaviour::Settled { .. });
        // What speaks only of accesses that are settled, or of nothing, changes nothing.
        let open: Vec<Access> = Access::ALL.into_iter().filter(is_open).collect();
        let matters = |node: &NodeId| {
            let live = self.law.trie.live(*node);
            live.pins() || open.iter().any(|access| live.speaks_of(*access))
        };
        let nodes = state.key.nodes.iter().copied().filter(matters);
        let nodes = if state.is_final { Vec::new() } else { nodes.collect() };
        (nodes, behaviours)
    }

    fn compute(&mut self, from: StateId, symbol: &Symbol) -> StateId {
        let key = &self.state(from).key;
        let nodes = self.law.trie.step(&key.nodes, symbol);
        let standings = key.standings;
        self.intern(nodes, standings)
    }

    fn intern(&mut self, nodes: Vec<NodeId>, before: Standings) -> StateId {
        let trie = &self.law.trie;
        let standings = before.descend(|| nodes.iter().flat_map(|node| trie.accepts(*node)));
        let live = nodes.iter().fold(Live::default(), |live, node| live.union(trie.live(*node)));
        let settled = |access: Access| standings.is_settled(access, live, Guards::All);
        let is_final = Access::ALL.into_iter().all(settled);
        let is_named = |access: Access| standings.is_named(access, live);
        let is_told = is_final && Access::ALL.into_iter().all(is_named);
        let key = Key { nodes: nodes.into_boxed_slice(), standings };
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = StateId(u32::try_from(self.states.len()).unwrap_or(u32::MAX));
        self.states.push(State { key: key.clone(), live, is_final, is_told });
        self.ids.insert(key, id);
        id
    }

    fn state(&self, id: StateId) -> &State {
        &self.states[id.0 as usize]
    }

    fn forget(&mut self) {
        self.states.clear();
        self.ids.clear();
        self.plain.clear();
        self.symbols.clear();
        self.steps.clear();
        let start = self.law.trie.start();
        self.intern(start, Standings::default());
    }
}
