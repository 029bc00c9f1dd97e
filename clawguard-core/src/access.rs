//! The three accesses that a policy speaks of, and sets of them.
//!
//! A leaf: it knows no path, no rule and no kernel.

#![forbid(unsafe_code)]

use std::fmt;

/// One kind of access to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// `r`: open for reading, list a directory, read extended attributes, watch with inotify.
    Read,
    /// `w`: whatever changes the file, its name or its metadata.
    Write,
    /// `x`: `execve` of the file.
    Execute,
}

impl Access {
    /// Every access, in the order in which they are written.
    pub const ALL: [Access; 3] = [Access::Read, Access::Write, Access::Execute];

    /// The letter that stands for this access in a policy.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Access::Read => 'r',
            Access::Write => 'w',
            Access::Execute => 'x',
        }
    }

    /// The place of this access in [`Access::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Access::Read => 0,
            Access::Write => 1,
            Access::Execute => 2,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

/// A set of accesses, written as letters: `rx`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessSet(u8);

impl AccessSet {
    /// No access.
    pub const EMPTY: AccessSet = AccessSet(0);
    /// `rwx`, the default of a rule.
    pub const ALL: AccessSet = AccessSet(0b111);

    /// Reads letters in any order: `r`, `w`, `x`.
    ///
    /// # Errors
    /// [`AccessError`] when the text is empty, or names another letter or one letter twice.
    pub fn parse(text: &str) -> Result<AccessSet, AccessError> {
        let mut set = AccessSet::EMPTY;
        for letter in text.chars() {
            let access = Access::ALL
                .into_iter()
                .find(|access| access.letter() == letter)
                .ok_or_else(|| AccessError::Letter { letter, text: text.to_owned() })?;
            if set.contains(access) {
                return Err(AccessError::Twice { letter, text: text.to_owned() });
            }
            set = set.with(access);
        }
        if set.is_empty() { Err(AccessError::Empty) } else { Ok(set) }
    }

    /// Is `access` in the set?
    #[must_use]
    pub fn contains(self, access: Access) -> bool {
        self.0 & (1 << access.index()) != 0
    }

    /// The set with `access` in it.
    #[must_use]
    pub fn with(self, access: Access) -> AccessSet {
        AccessSet(self.0 | 1 << access.index())
    }

    /// What is in either set.
    #[must_use]
    pub fn union(self, other: AccessSet) -> AccessSet {
        AccessSet(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(self, other: AccessSet) -> AccessSet {
        AccessSet(self.0 & other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn difference(self, other: AccessSet) -> AccessSet {
        AccessSet(self.0 & !other.0)
    }

    /// Is nothing in the set?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The accesses in the set, in the order of [`Access::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Access> {
        Access::ALL.into_iter().filter(move |access| self.contains(*access))
    }
}

impl From<Access> for AccessSet {
    fn from(access: Access) -> AccessSet {
        AccessSet::EMPTY.with(access)
    }
}

impl FromIterator<Access> for AccessSet {
    fn from_iter<I: IntoIterator<Item = Access>>(accesses: I) -> AccessSet {
        accesses.into_iter().fold(AccessSet::EMPTY, AccessSet::with)
    }
}

impl fmt::Display for AccessSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|access| write!(f, "{access}"))
    }
}

impl fmt::Debug for AccessSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessSet({self})")
    }
}

/// What is wrong with the letters of an access.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// There is no letter.
    #[error("an access is one or more of the letters r, w and x")]
    Empty,
    /// A letter that is no access.
    #[error("`{text}`: an access is one or more of the letters r, w and x, not `{letter}`")]
    Letter {
        /// The letter.
        letter: char,
        /// The whole text.
        text: String,
    },
    /// A letter that is there twice.
    #[error("`{text}`: the letter `{letter}` is there twice")]
    Twice {
        /// The letter.
        letter: char,
        /// The whole text.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_in_any_order_and_written_in_one() {
        assert_eq!(AccessSet::parse("xr").unwrap().to_string(), "rx");
        assert_eq!(AccessSet::parse("rwx").unwrap(), AccessSet::ALL);
    }

    #[test]
    fn other_letters_doubles_and_nothing_are_errors() {
        assert_eq!(AccessSet::parse(""), Err(AccessError::Empty));
        assert!(matches!(AccessSet::parse("rq"), Err(AccessError::Letter { letter: 'q', .. })));
        assert!(matches!(AccessSet::parse("rr"), Err(AccessError::Twice { letter: 'r', .. })));
    }
}
