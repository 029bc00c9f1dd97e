//! A rule as the user wrote it, and where it was written.

#![forbid(unsafe_code)]

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::pattern::Pattern;
use crate::access::AccessSet;
use crate::path::escape;

/// What a rule does to the paths that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It grants.
    Allowed,
    /// It denies; only an exact allowed rule inside it goes through.
    Blocked,
    /// It denies and nothing goes through. Built in, never written by a user.
    Guard,
}

impl Effect {
    /// The effect's name, as `check --json` prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Effect::Allowed => "allowed",
            Effect::Blocked => "blocked",
            Effect::Guard => "guard",
        }
    }
}

/// Where a rule or a setting was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// In a policy file; line and column start at 1.
    File {
        /// The file, as it was named.
        file: Arc<Path>,
        /// The line.
        line: u32,
        /// The column, in characters.
        column: u32,
    },
    /// In a shipped preset.
    Preset {
        /// The preset's name.
        name: Arc<str>,
        /// The line in the preset's file.
        line: u32,
    },
    /// On the command line.
    CommandLine {
        /// The option, such as `--allow`.
        option: &'static str,
    },
    /// In clawguard itself: the default policy, a guard, the temporary directory.
    BuiltIn {
        /// Which part of it.
        part: &'static str,
    },
}

impl Origin {
    /// The place without line and column: a file, `preset NAME`, `command line`, or the built-in part.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Origin::File { file, .. } => escape(file.as_os_str().as_encoded_bytes()),
            Origin::Preset { name, .. } => format!("preset {name}"),
            Origin::CommandLine { .. } => "command line".to_owned(),
            Origin::BuiltIn { part } => (*part).to_owned(),
        }
    }

    /// The line in the user's own file; none for what he did not write in a file.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        match self {
            Origin::File { line, .. } => Some(*line),
            Origin::Preset { .. } | Origin::CommandLine { .. } | Origin::BuiltIn { .. } => None,
        }
    }

    /// Is this the user's own word (his file, his command line, or the default that stands for it)?
    #[must_use]
    pub fn is_user(&self) -> bool {
        match self {
            Origin::File { .. } | Origin::CommandLine { .. } => true,
            Origin::BuiltIn { part } => [Origin::DEFAULT, Origin::SHARED_TEMPORARY].contains(part),
            Origin::Preset { .. } => false,
        }
    }

    /// The built-in default policy.
    pub const DEFAULT: &'static str = "built-in default";
    /// The guards of SPEC section 2.
    pub const GUARD: &'static str = "guard";
    /// What `temporary: shared` grants.
    pub const SHARED_TEMPORARY: &'static str = "temporary: shared";
    /// The working directory, which must be found again at the next start.
    pub const WORKING_DIRECTORY: &'static str = "working directory";
    /// The private temporary directory.
    pub const TEMPORARY: &'static str = "temporary directory";
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { line, .. } => write!(f, "{}:{line}", self.name()),
            Origin::CommandLine { option } => write!(f, "command line {option}"),
            Origin::Preset { .. } | Origin::BuiltIn { .. } => f.write_str(&self.name()),
        }
    }
}

/// A pattern, what it does, and for which accesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The pattern as written.
    pub pattern: Pattern,
    /// Allowed, blocked or guard.
    pub effect: Effect,
    /// The accesses it speaks of.
    pub access: AccessSet,
    /// Where it was written.
    pub origin: Origin,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The working directory's pin grants and denies nothing.
        if self.access.is_empty() {
            return write!(f, "`{}` ({})", self.pattern, self.origin);
        }
        write!(f, "{} {} `{}` ({})", self.effect.name(), self.access, self.pattern, self.origin)
    }
}
