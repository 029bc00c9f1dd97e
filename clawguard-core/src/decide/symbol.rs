//! What the automaton sees of a name: which literals and which wildcards of the policy it matches.
//!
//! Names that match the same are the same symbol, so the tables of the lazy automaton stay small.

#![forbid(unsafe_code)]

use foldhash::{HashMap, HashMapExt};

use super::trie::Side;
use crate::policy::{Case, Wildcard};

/// A wildcard component of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WildId(u32);

/// What a name matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Symbol {
    hidden: bool,
    literal: Option<u32>,
    wild: Vec<WildId>,
    /// What it matches besides when case is ignored; only in directories that fold names.
    folded: Option<Folded>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Folded {
    literals: Vec<u32>,
    wild: Vec<WildId>,
}

impl Symbol {
    pub(super) fn is_hidden(&self) -> bool {
        self.hidden
    }

    pub(super) fn literals(&self, side: Side) -> &[u32] {
        match (&self.folded, side) {
            (Some(folded), Side::Blocked) => &folded.literals,
            (_, Side::Allowed) | (None, Side::Blocked) => self.literal.as_slice(),
        }
    }

    pub(super) fn wildcards(&self, side: Side) -> &[WildId] {
        match (&self.folded, side) {
            (Some(folded), Side::Blocked) => &folded.wild,
            (_, Side::Allowed) | (None, Side::Blocked) => &self.wild,
        }
    }
}

/// Every literal and wildcard of the policy, filed so that a name meets only those that it might match.
#[derive(Debug)]
pub(super) struct Alphabet {
    literals: HashMap<Box<[u8]>, u32>,
    names: Vec<Box<[u8]>>,
    folded: HashMap<Vec<u8>, Vec<u32>>,
    wild: Vec<Wildcard>,
    ids: HashMap<Wildcard, WildId>,
    by_first: Vec<Vec<WildId>>,
    by_last: Vec<Vec<WildId>>,
    anywhere: Vec<WildId>,
}

impl Default for Alphabet {
    fn default() -> Alphabet {
        Alphabet {
            literals: HashMap::new(),
            names: Vec::new(),
            folded: HashMap::new(),
            wild: Vec::new(),
            ids: HashMap::new(),
            by_first: vec![Vec::new(); 256],
            by_last: vec![Vec::new(); 256],
            anywhere: Vec::new(),
        }
    }
}

impl Alphabet {
    pub(super) fn literal(&mut self, name: &[u8]) -> u32 {
        if let Some(id) = self.literals.get(name) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.literals.insert(Box::from(name), id);
        self.names.push(Box::from(name));
        self.folded.entry(fold(name)).or_default().push(id);
        id
    }

    pub(super) fn literal_name(&self, id: u32) -> &[u8] {
        &self.names[id as usize]
    }

    pub(super) fn wild(&mut self, wildcard: &Wildcard) -> WildId {
        if let Some(id) = self.ids.get(wildcard) {
            return *id;
        }
        let id = WildId(u32::try_from(self.wild.len()).unwrap_or(u32::MAX));
        self.ids.insert(wildcard.clone(), id);
        self.wild.push(wildcard.clone());
        id
    }

    /// Does the wildcard itself begin with a dot, so that it means hidden names?
    pub(super) fn names_hidden(&self, wild: WildId) -> bool {
        self.wild[wild.0 as usize].begins_with_dot()
    }

    /// Files each wildcard under its fixed first byte, else its fixed last one.
    pub(super) fn finish(&mut self) {
        for (index, wildcard) in self.wild.iter().enumerate() {
            let id = WildId(u32::try_from(index).unwrap_or(u32::MAX));
            match (wildcard.first(), wildcard.last()) {
                (Some(first), _) => self.by_first[usize::from(first)].push(id),
                (None, Some(last)) => self.by_last[usize::from(last)].push(id),
                (None, None) => self.anywhere.push(id),
            }
        }
    }

    /// What a name matches; `Case::Folded` where the directory that holds it folds names.
    pub(super) fn symbol(&self, name: &[u8], case: Case) -> Symbol {
        let hidden = name.first() == Some(&b'.');
        let candidates = match (name.first(), name.last()) {
            (Some(&first), Some(&last)) => {
                let filed = self.by_first[usize::from(first)]
                    .iter()
                    .chain(&self.by_last[usize::from(last)]);
                filed.chain(&self.anywhere)
            }
            _ => return Symbol::default(),
        };
        let mut wild: Vec<WildId> = candidates
            .copied()
            .filter(|id| self.wild[id.0 as usize].matches(name, Case::Sensitive))
            .collect();
        wild.sort_unstable();
        let folded = match case {
            Case::Sensitive => None,
            Case::Folded => Some(self.folded(name)),
        };
        Symbol { hidden, literal: self.literals.get(name).copied(), wild, folded }
    }

    fn folded(&self, name: &[u8]) -> Folded {
        let literals = self.folded.get(&fold(name)).cloned().unwrap_or_default();
        let matches = |(index, wildcard): (usize, &Wildcard)| {
            wildcard.matches(name, Case::Folded).then_some(WildId(u32::try_from(index).ok()?))
        };
        Folded { literals, wild: self.wild.iter().enumerate().filter_map(matches).collect() }
    }

    /// Can this name only be the plain symbol, which matches nothing? The fast path of a decision.
    pub(super) fn plain(&self, name: &[u8]) -> Option<Plain> {
        let (&first, &last) = (name.first()?, name.last()?);
        let no_wildcard = self.anywhere.is_empty()
            && self.by_first[usize::from(first)].is_empty()
            && self.by_last[usize::from(last)].is_empty();
        no_wildcard
            .then(|| Plain { literal: self.literals.get(name).copied(), hidden: first == b'.' })
    }
}

/// A name that no wildcard can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plain {
    pub(super) literal: Option<u32>,
    pub(super) hidden: bool,
}

/// A name without case: in Unicode where it is text, else in ASCII.
fn fold(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => name.to_ascii_lowercase(),
    }
}
