//! Tokens and the values of variables into components.

#![forbid(unsafe_code)]

use super::pattern::{Alternative, Component, PatternErrorKind, Variables};
use super::token::Token;
use super::wildcard::{Piece, Wildcard};
use crate::path::escape;

/// A pattern that is being put together.
#[derive(Default)]
pub(super) struct Assembly {
    components: Vec<Component>,
    /// The literal bytes of the component that is being read, while it has no wildcard.
    text: Vec<u8>,
    /// The whole component that is being read, once it has one.
    pieces: Vec<Piece>,
    has_begun: bool,
    ends_in_separator: bool,
}

impl Assembly {
    pub(super) fn assemble(
        mut self,
        tokens: &[Token],
        variables: &impl Variables,
    ) -> Result<Alternative, PatternErrorKind> {
        for token in tokens {
            match token {
                Token::Separator => self.separator()?,
                Token::Text(text) => self.literal(text)?,
                Token::Wild(piece) => self.wild(piece),
                Token::Home => {
                    let home = variables.home().ok_or(PatternErrorKind::NoHome)?;
                    self.literal(home.as_bytes())?;
                }
                Token::Variable(name) => {
                    let value = self.value(name, variables)?;
                    self.literal(&value)?;
                }
            }
            self.has_begun = true;
        }
        self.end()?;
        let is_directory = self.ends_in_separator && !self.components.is_empty();
        Ok(Alternative { components: self.components, is_directory })
    }

    fn value(&self, name: &str, variables: &impl Variables) -> Result<Vec<u8>, PatternErrorKind> {
        let value = variables.value(name);
        let value = value.ok_or_else(|| PatternErrorKind::UnknownVariable(name.to_owned()))?;
        if value.is_empty() {
            return Err(PatternErrorKind::EmptyVariable(name.to_owned()));
        }
        if !self.has_begun && value.first() != Some(&b'/') {
            return Err(PatternErrorKind::RelativeVariable(name.to_owned(), escape(&value)));
        }
        Ok(value)
    }

    fn separator(&mut self) -> Result<(), PatternErrorKind> {
        self.end()?;
        self.ends_in_separator = true;
        Ok(())
    }

    /// Literal bytes; those of a variable may hold slashes.
    fn literal(&mut self, bytes: &[u8]) -> Result<(), PatternErrorKind> {
        for (index, part) in bytes.split(|&byte| byte == b'/').enumerate() {
            if index > 0 {
                self.separator()?;
            }
            if part.contains(&0) {
                return Err(PatternErrorKind::Nul);
            }
            if !part.is_empty() {
                self.ends_in_separator = false;
            }
            if self.pieces.is_empty() {
                self.text.extend_from_slice(part);
            } else {
                self.pieces.extend(part.iter().copied().map(Piece::Byte));
            }
        }
        Ok(())
    }

    fn wild(&mut self, piece: &Piece) {
        self.ends_in_separator = false;
        if self.pieces.is_empty() {
            self.pieces.extend(self.text.drain(..).map(Piece::Byte));
        }
        self.pieces.push(piece.clone());
    }

    /// Ends the component that is being read.
    fn end(&mut self) -> Result<(), PatternErrorKind> {
        let pieces = std::mem::take(&mut self.pieces);
        let component = match (pieces.as_slice(), self.text.as_slice()) {
            ([], b"" | b".") => None,
            ([], b"..") => return Err(PatternErrorKind::DotDot),
            ([], name) => Some(Component::Literal(Box::from(name))),
            ([Piece::AnyBytes, Piece::AnyBytes], _) => Some(Component::Globstar),
            (_, _) => Some(Component::Wild(Wildcard::new(pieces))),
        };
        self.text.clear();
        self.components.extend(component);
        Ok(())
    }
}
