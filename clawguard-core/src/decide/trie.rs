//! All patterns in one non-deterministic automaton: a trie whose edges are component matchers.
//!
//! Patterns that begin alike share nodes, so a set of nodes stays small however many rules there are. A `**` is a
//! node with an edge to itself that is entered without taking a component. Built once, never changed.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt};

use super::accept::{Accept, Live, RuleId};
use super::symbol::{Alphabet, Symbol, WildId};
use crate::access::AccessSet;
use crate::policy::{Component, Wildcard};

/// A node of the trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

/// Allowed patterns spare hidden names and are case-sensitive everywhere; blocked ones (and guards) do neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Allowed,
    Blocked,
}

/// What a `**` may pass over: in an allowed pattern only a last one takes hidden names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Globstar {
    Inner,
    Last,
}

#[derive(Debug)]
struct Node {
    side: Side,
    /// Set if this node is a `**`.
    globstar: Option<Globstar>,
    literals: HashMap<u32, NodeId>,
    wild: Vec<(WildId, NodeId)>,
    inner: Option<NodeId>,
    last: Option<NodeId>,
    accepts: Vec<Accept>,
    live: Live,
}

/// The trie of all patterns.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    pub(super) alphabet: Alphabet,
}

const ALLOWED_ROOT: NodeId = NodeId(0);
const BLOCKED_ROOT: NodeId = NodeId(1);

impl Trie {
    pub(super) fn new() -> Trie {
        Trie {
            nodes: vec![Node::new(Side::Allowed, None), Node::new(Side::Blocked, None)],
            alphabet: Alphabet::default(),
        }
    }

    pub(super) fn insert(&mut self, side: Side, components: &[Component], accept: Accept) {
        let mut at = match side {
            Side::Allowed => ALLOWED_ROOT,
            Side::Blocked => BLOCKED_ROOT,
        };
        for (index, component) in components.iter().enumerate() {
            at = match component {
                Component::Literal(name) => {
                    let literal = self.alphabet.literal(name);
                    match self.node(at).literals.get(&literal) {
                        Some(next) => *next,
                        None => {
                            let next = self.add(side, None);
                            self.node_mut(at).literals.insert(literal, next);
                            next
                        }
                    }
                }
                Component::Wild(wildcard) => self.wild_child(at, side, wildcard),
                Component::Globstar if index + 1 == components.len() => match self.node(at).last {
                    Some(next) => next,
                    None => {
                        let next = self.add(side, Some(Globstar::Last));
                        self.node_mut(at).last = Some(next);
                        next
                    }
                },
                // `**/**` names what `**` names.
                Component::Globstar if self.node(at).globstar == Some(Globstar::Inner) => at,
                Component::Globstar => match self.node(at).inner {
                    Some(next) => next,
                    None => {
                        let next = self.add(side, Some(Globstar::Inner));
                        self.node_mut(at).inner = Some(next);
                        next
                    }
                },
            };
        }
        let accepts = &mut self.node_mut(at).accepts;
        if !accepts.contains(&accept) {
            accepts.push(accept);
        }
    }

    fn wild_child(&mut self, at: NodeId, side: Side, wildcard: &Wildcard) -> NodeId {
        let wild = self.alphabet.wild(wildcard);
        if let Some((_, next)) = self.node(at).wild.iter().find(|(id, _)| *id == wild) {
            return *next;
        }
        let next = self.add(side, None);
        self.node_mut(at).wild.push((wild, next));
        next
    }

    fn add(&mut self, side: Side, globstar: Option<Globstar>) -> NodeId {
        self.nodes.push(Node::new(side, globstar));
        // A policy is far smaller than 2^32 components: its text is limited by memory long before.
        NodeId(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    /// Computes what may still match beneath each node; called once, after the last insertion.
    pub(super) fn finish(&mut self) {
        self.alphabet.finish();
        // Children stand behind their parents, so one pass from the end sees each child before its parent.
        let mut total = vec![Live::default(); self.nodes.len()];
        for index in (0..self.nodes.len()).rev() {
            let node = &self.nodes[index];
            let own = node.accepts.iter().fold(Live::default(), |live, accept| live.with(accept));
            let children =
                node.literals.values().copied().chain(node.wild.iter().map(|(_, next)| *next));
            let mut live =
                children.fold(Live::default(), |live, next| live.union(total[next.index()]));
            // A `**` matches again beneath itself.
            if node.globstar.is_some() {
                live = live.union(own);
            }
            let skipped = [node.inner, node.last].into_iter().flatten();
            total[index] =
                skipped.fold(own.union(live), |all, next| all.union(total[next.index()]));
            self.nodes[index].live = live;
        }
    }

    /// Is it of a blocked pattern that may still match beneath?
    pub(super) fn blocks_beneath(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.side == Side::Blocked && node.live != Live::default()
    }

    /// The set of nodes at `/`.
    pub(super) fn start(&self) -> Vec<NodeId> {
        let mut set = Vec::new();
        self.enter(ALLOWED_ROOT, &mut set);
        self.enter(BLOCKED_ROOT, &mut set);
        set
    }

    /// The set of nodes after one more component, sorted.
    pub(super) fn step(&self, from: &[NodeId], symbol: &Symbol) -> Vec<NodeId> {
        let mut to = Vec::new();
        for &id in from {
            let node = self.node(id);
            let hidden_passes = match (node.side, node.globstar) {
                (Side::Blocked, _) | (Side::Allowed, Some(Globstar::Last)) => true,
                (Side::Allowed, Some(Globstar::Inner) | None) => false,
            };
            if node.globstar.is_some() && (hidden_passes || !symbol.is_hidden()) {
                self.enter(id, &mut to);
            }
            for literal in symbol.literals(node.side) {
                if let Some(next) = node.literals.get(literal) {
                    self.enter(*next, &mut to);
                }
            }
            if node.wild.is_empty() {
                continue;
            }
            for wild in symbol.wildcards(node.side) {
                if node.side == Side::Allowed
                    && symbol.is_hidden()
                    && !self.alphabet.names_hidden(*wild)
                {
                    continue;
                }
                if let Some((_, next)) = node.wild.iter().find(|(id, _)| id == wild) {
                    self.enter(*next, &mut to);
                }
            }
        }
        to.sort_unstable();
        to.dedup();
        to
    }

    fn enter(&self, id: NodeId, set: &mut Vec<NodeId>) {
        set.push(id);
        let node = self.node(id);
        for next in [node.inner, node.last].into_iter().flatten() {
            self.enter(next, set);
        }
    }

    /// The rules that match at a node.
    pub(super) fn accepts(&self, id: NodeId) -> &[Accept] {
        &self.node(id).accepts
    }

    /// What may still match beneath a node.
    pub(super) fn live(&self, id: NodeId) -> Live {
        self.node(id).live
    }

    /// The accesses of allowed patterns whose next component after a node is a wildcard or `**`.
    pub(super) fn wildcards_allow(&self, id: NodeId) -> AccessSet {
        let node = self.node(id);
        let mut reached = Vec::new();
        for (_, next) in &node.wild {
            self.enter(*next, &mut reached);
        }
        if node.globstar.is_some() {
            reached.push(id);
        }
        reached.into_iter().fold(AccessSet::EMPTY, |set, id| {
            let node = self.node(id);
            let own = node.accepts.iter().fold(node.live, |live, accept| live.with(accept));
            set.union(own.allowed())
        })
    }

    /// Up to `limit` rules among those that may match strictly beneath a set of nodes, in the policy's order.
    pub(super) fn beneath(
        &self,
        set: &[NodeId],
        limit: usize,
        wanted: impl Fn(&Accept) -> bool,
    ) -> Vec<RuleId> {
        let mut reached = BTreeSet::new();
        for &id in set {
            let node = self.node(id);
            reached.extend(node.literals.values().copied());
            reached.extend(self.wildcard_edges(id));
        }
        self.collect(reached, limit, wanted)
    }

    /// The same where the next component is matched by a wildcard or `**`.
    pub(super) fn beneath_wildcards(
        &self,
        set: &[NodeId],
        limit: usize,
        wanted: impl Fn(&Accept) -> bool,
    ) -> Vec<RuleId> {
        let reached = set.iter().flat_map(|id| self.wildcard_edges(*id)).collect();
        self.collect(reached, limit, wanted)
    }

    /// Where a name that no pattern spells leads from a node.
    fn wildcard_edges(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let node = self.node(id);
        node.wild.iter().map(|(_, next)| *next).chain(node.globstar.map(|_| id))
    }

    /// Walks on from nodes that are reached; a node's number grows with the place of the rule that made it, so the
    /// answer is the same at every start.
    fn collect(
        &self,
        mut waiting: BTreeSet<NodeId>,
        limit: usize,
        wanted: impl Fn(&Accept) -> bool,
    ) -> Vec<RuleId> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        while let (Some(id), true) = (waiting.pop_first(), found.len() < limit) {
            if !seen.insert(id) {
                continue;
            }
            let node = self.node(id);
            found.extend(
                node.accepts.iter().filter(|accept| wanted(accept)).map(|accept| accept.rule),
            );
            waiting.extend(node.literals.values().copied());
            waiting.extend(self.wildcard_edges(id));
            waiting.extend([node.inner, node.last].into_iter().flatten());
        }
        found.into_iter().collect()
    }

    /// The names that allowed patterns spell as the next component after a node.
    pub(super) fn allowed_names(&self, id: NodeId) -> impl Iterator<Item = &[u8]> {
        let node = self.node(id);
        let allowed = (node.side == Side::Allowed).then_some(&node.literals);
        let literals = allowed.into_iter().flat_map(|literals| literals.keys());
        literals.map(|literal| self.alphabet.literal_name(*literal))
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }
}

impl NodeId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Node {
    fn new(side: Side, globstar: Option<Globstar>) -> Node {
        Node {
            side,
            globstar,
            literals: HashMap::new(),
            wild: Vec::new(),
            inner: None,
            last: None,
            accepts: Vec::new(),
            live: Live::default(),
        }
    }
}
