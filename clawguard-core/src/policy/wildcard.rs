//! One component of a pattern that has a wildcard: `*`, `?`, `[...]`.
//!
//! Names are bytes, so `globset`, whose patterns are text, cannot say it; a property test holds this matcher to
//! `globset` wherever both can speak.

#![forbid(unsafe_code)]

use std::fmt;

/// A set of bytes, as `[...]` writes it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & 1 << (byte & 63) != 0
    }

    fn contains_in_any_case(&self, byte: u8) -> bool {
        self.contains(byte)
            || self.contains(byte.to_ascii_lowercase())
            || self.contains(byte.to_ascii_uppercase())
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries((0..=255u8).filter(|&byte| self.contains(byte)).map(char::from))
            .finish()
    }
}

/// A piece of a wildcard component.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// This byte.
    Byte(u8),
    /// `?`: any one byte.
    AnyByte,
    /// `[...]`: one byte of a set.
    Class(ByteSet),
    /// `[!...]`: one byte that is not in the set.
    NotClass(ByteSet),
    /// `*`: any bytes, also none.
    AnyBytes,
}

/// Whether upper and lower case are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Folded,
}

impl Piece {
    fn takes(&self, byte: u8, case: Case) -> bool {
        match (self, case) {
            (Piece::Byte(own), Case::Sensitive) => *own == byte,
            (Piece::Byte(own), Case::Folded) => own.eq_ignore_ascii_case(&byte),
            (Piece::Class(set), Case::Sensitive) => set.contains(byte),
            (Piece::Class(set), Case::Folded) => set.contains_in_any_case(byte),
            (Piece::NotClass(set), Case::Sensitive) => !set.contains(byte),
            (Piece::NotClass(set), Case::Folded) => !set.contains_in_any_case(byte),
            (Piece::AnyByte | Piece::AnyBytes, _) => true,
        }
    }
}

/// A component with at least one wildcard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Wildcard {
    pieces: Vec<Piece>,
}

impl Wildcard {
    pub(crate) fn new(mut pieces: Vec<Piece>) -> Wildcard {
        // `a**b` means `a*b`; one run keeps the matcher linear in what it may retry.
        pieces.dedup_by(|a, b| *a == Piece::AnyBytes && *b == Piece::AnyBytes);
        Wildcard { pieces }
    }

    /// Does the component itself begin with a literal dot?
    pub(crate) fn begins_with_dot(&self) -> bool {
        self.first() == Some(b'.')
    }

    /// The byte that every matching name begins with, if it is fixed.
    pub(crate) fn first(&self) -> Option<u8> {
        literal(self.pieces.first())
    }

    /// The byte that every matching name ends with, if it is fixed.
    pub(crate) fn last(&self) -> Option<u8> {
        literal(self.pieces.last())
    }

    /// The text of `*TEXT`, if it is of this shape: most wildcards are.
    pub(crate) fn suffix(&self) -> Option<Vec<u8>> {
        match self.pieces.as_slice() {
            [Piece::AnyBytes, text @ ..] => text.iter().map(|piece| literal(Some(piece))).collect(),
            _ => None,
        }
    }

    /// The text of `TEXT*`, if it is of this shape.
    pub(crate) fn prefix(&self) -> Option<Vec<u8>> {
        match self.pieces.as_slice() {
            [text @ .., Piece::AnyBytes] => text.iter().map(|piece| literal(Some(piece))).collect(),
            _ => None,
        }
    }

    /// Does the whole name match?
    pub(crate) fn matches(&self, name: &[u8], case: Case) -> bool {
        let (mut piece, mut at) = (0, 0);
        // The last `*` seen and where it would take up again: only the last one ever needs a second try.
        let mut retry: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.pieces.get(piece) {
                Some(Piece::AnyBytes) => {
                    retry = Some((piece + 1, at));
                    piece += 1;
                }
                Some(own) if own.takes(name[at], case) => {
                    piece += 1;
                    at += 1;
                }
                _ => match retry {
                    None => return false,
                    Some((after, from)) => {
                        retry = Some((after, from + 1));
                        piece = after;
                        at = from + 1;
                    }
                },
            }
        }
        self.pieces[piece..].iter().all(|piece| *piece == Piece::AnyBytes)
    }
}

fn literal(piece: Option<&Piece>) -> Option<u8> {
    match piece {
        Some(Piece::Byte(byte)) => Some(*byte),
        Some(Piece::AnyByte | Piece::Class(_) | Piece::NotClass(_) | Piece::AnyBytes) | None => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::token::component_for_tests;

    #[test]
    fn a_question_mark_takes_one_byte_of_any_kind() {
        let pattern = component_for_tests("a?");
        assert!(pattern.matches(b"a\xff", Case::Sensitive));
        assert!(!pattern.matches("aé".as_bytes(), Case::Sensitive), "é is two bytes");
    }

    #[test]
    fn folding_ignores_case_in_bytes_and_classes() {
        let pattern = component_for_tests("*.e[m-o]v");
        assert!(!pattern.matches(b"A.ENV", Case::Sensitive));
        assert!(pattern.matches(b"A.ENV", Case::Folded));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn it_agrees_with_globset_on_text(
            pattern in r"(\*|\?|[abA.]|\[[ab]\]|\[!a-c\]|\[\]a\]|\\\*){0,5}(\*|\?)(\*|\?|[abA.]|\[\^\.b\]){0,4}",
            name in "[abcA.*\\]]{1,7}",
            folded in any::<bool>(),
        ) {
            let case = if folded { Case::Folded } else { Case::Sensitive };
            let reference = globset::GlobBuilder::new(&pattern)
                .literal_separator(true).backslash_escape(true).case_insensitive(folded)
                .build().unwrap().compile_matcher();
            // In globset `**` that touches no slash is `*` twice as well.
            prop_assert_eq!(
                component_for_tests(&pattern).matches(name.as_bytes(), case),
                reference.is_match(&name),
                "{} against {}", pattern, name
            );
        }
    }
}
