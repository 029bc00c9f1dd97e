//! What the automaton sees of a name: which literals and which wildcards of the policy it matches.
//!
//! Names that match the same are the same symbol, so the tables of the lazy automaton stay small.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt};

use super::trie::Side;
use crate::policy::{ByteSet, Case, Wildcard};

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
    /// `*TEXT` by TEXT, and the lengths that occur; `TEXT*` likewise.
    suffixes: Affixes,
    prefixes: Affixes,
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
            suffixes: Affixes::default(),
            prefixes: Affixes::default(),
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

    /// Files each wildcard where the names that may match it are looked up.
    pub(super) fn finish(&mut self) {
        for (index, wildcard) in self.wild.iter().enumerate() {
            let id = WildId(u32::try_from(index).unwrap_or(u32::MAX));
            match (wildcard.suffix(), wildcard.prefix(), wildcard.first(), wildcard.last()) {
                (Some(suffix), _, _, last) => self.suffixes.insert(suffix, last, id),
                (None, Some(prefix), first, _) => self.prefixes.insert(prefix, first, id),
                (None, None, Some(first), _) => self.by_first[usize::from(first)].push(id),
                (None, None, None, Some(last)) => self.by_last[usize::from(last)].push(id),
                (None, None, None, None) => self.anywhere.push(id),
            }
        }
    }

    /// The wildcards that a name matches, sorted; most names match none, and that costs little.
    fn wildcards(&self, name: &[u8]) -> Vec<WildId> {
        let (Some(&first), Some(&last)) = (name.first(), name.last()) else { return Vec::new() };
        let mut wild: Vec<WildId> = Vec::new();
        let suffix = |length: usize| name.len().checked_sub(length).map(|from| &name[from..]);
        wild.extend(self.suffixes.lookup(last, suffix));
        wild.extend(self.prefixes.lookup(first, |length| name.get(..length)));
        let filed =
            self.by_first[usize::from(first)].iter().chain(&self.by_last[usize::from(last)]);
        let others = filed.chain(&self.anywhere).copied();
        wild.extend(others.filter(|id| self.wild[id.0 as usize].matches(name, Case::Sensitive)));
        wild.sort_unstable();
        wild
    }

    /// What a name matches; `Case::Folded` where the directory that holds it folds names.
    pub(super) fn read(&self, name: &[u8], case: Case) -> Name {
        let wild = self.wildcards(name);
        let plain = Plain {
            literal: self.literals.get(name).copied(),
            hidden: name.first() == Some(&b'.'),
        };
        match case {
            Case::Sensitive if wild.is_empty() => Name::Plain(plain),
            Case::Sensitive => Name::Symbol(Symbol { wild, ..Symbol::from(plain) }),
            Case::Folded => {
                let folded = Some(self.folded(name));
                Name::Symbol(Symbol { wild, folded, ..Symbol::from(plain) })
            }
        }
    }

    fn folded(&self, name: &[u8]) -> Folded {
        let literals = self.folded.get(&fold(name)).cloned().unwrap_or_default();
        let matches = |(index, wildcard): (usize, &Wildcard)| {
            wildcard.matches(name, Case::Folded).then_some(WildId(u32::try_from(index).ok()?))
        };
        Folded { literals, wild: self.wild.iter().enumerate().filter_map(matches).collect() }
    }
}

/// Wildcards that are a text and one `*`, by their text.
#[derive(Debug, Default)]
struct Affixes {
    ids: HashMap<Vec<u8>, WildId>,
    lengths: BTreeSet<usize>,
    /// The bytes at the outer end of the texts: a name that ends otherwise need not be looked up.
    ends: ByteSet,
}

impl Affixes {
    fn insert(&mut self, text: Vec<u8>, end: Option<u8>, id: WildId) {
        // `*` alone has no text and matches every end.
        match end {
            Some(end) => self.ends.insert(end),
            None => (0..=u8::MAX).for_each(|end| self.ends.insert(end)),
        }
        self.lengths.insert(text.len());
        self.ids.insert(text, id);
    }

    /// Those whose text a name has; `part` cuts the name to a length.
    fn lookup<'a>(
        &self,
        end: u8,
        part: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> impl Iterator<Item = WildId> {
        let lengths = self.ends.contains(end).then_some(&self.lengths).into_iter().flatten();
        lengths.filter_map(move |length| self.ids.get(part(*length)?).copied())
    }
}

/// A name as the automaton sees it.
pub(super) enum Name {
    /// It matches no wildcard: the fast path of a decision.
    Plain(Plain),
    /// Anything else.
    Symbol(Symbol),
}

/// A name that matches no wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plain {
    literal: Option<u32>,
    hidden: bool,
}

impl Plain {
    /// Literal and dot as one number, for a table's key.
    pub(super) fn number(self) -> u64 {
        u64::from(self.literal.unwrap_or(u32::MAX)) << 1 | u64::from(self.hidden)
    }
}

impl From<Plain> for Symbol {
    fn from(plain: Plain) -> Symbol {
        Symbol { hidden: plain.hidden, literal: plain.literal, wild: Vec::new(), folded: None }
    }
}

impl From<Name> for Symbol {
    fn from(name: Name) -> Symbol {
        match name {
            Name::Plain(plain) => plain.into(),
            Name::Symbol(symbol) => symbol,
        }
    }
}

/// A name without case: in Unicode where it is text, else in ASCII.
fn fold(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => name.to_ascii_lowercase(),
    }
}
