//! Every mistake of a policy, each with its place and the user's own words, reported together.

#![forbid(unsafe_code)]

use std::fmt;
use std::path::PathBuf;

use super::pattern::PatternError;
use super::rule::Origin;
use crate::access::AccessError;

/// A mistake and where it stands.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong.
    pub kind: MistakeKind,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { line, column, .. } => {
                write!(f, "{}:{line}:{column}: {}", self.origin.name(), self.kind)
            }
            Origin::Preset { line, .. } => {
                write!(f, "{}:{line}: {}", self.origin.name(), self.kind)
            }
            Origin::CommandLine { .. } | Origin::BuiltIn { .. } => {
                write!(f, "{}: {}", self.origin, self.kind)
            }
        }
    }
}

/// What can be wrong in a policy.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MistakeKind {
    /// The text is not YAML.
    #[error("bad YAML: {0}")]
    Yaml(String),
    /// A key that nobody knows, inside a section that is ours alone.
    #[error("unknown key `{key}` in `{section}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// The section that it stands in.
        section: &'static str,
        /// The nearest known key.
        nearest: Option<String>,
    },
    /// A key of ours at the top level, where it would mean nothing.
    #[error("`{key}` means nothing at the top level; it belongs into {}", section_of(.key))]
    Misplaced {
        /// The key.
        key: String,
    },
    /// A key that is there twice, of which one would be lost.
    #[error("the key `{key}` is there twice in `{section}`")]
    Duplicate {
        /// The key.
        key: String,
        /// The section that it stands in.
        section: &'static str,
    },
    /// A YAML merge, which YAML 1.2 does not have and which would hide what is merged.
    #[error("`<<` in `{section}`: merge keys are not supported; write the entries out")]
    Merge {
        /// The section that it stands in.
        section: &'static str,
    },
    /// A key that must be there.
    #[error("`{section}` has no `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The section that should hold it.
        section: &'static str,
    },
    /// A value of another kind than the key takes.
    #[error("`{key}` takes {expected}, not {found}")]
    Type {
        /// The key.
        key: String,
        /// What it takes.
        expected: &'static str,
        /// What is there, with the user's own text.
        found: String,
    },
    /// Aliases or braces that stand for more than a policy can hold.
    #[error(
        "the policy stands for more than {0} MiB, from here on: too much is repeated by aliases or braces"
    )]
    TooLarge(usize),
    /// A preset that is not shipped.
    #[error("unknown preset `{name}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownPreset {
        /// The name.
        name: String,
        /// The nearest shipped name.
        nearest: Option<String>,
    },
    /// An alert for what is no blocked path of the policy.
    #[error(
        "`{pattern}` is not written so in `blocked_paths`, and neither `guards` nor `nothing allows it`{}",
        did_you_mean(.nearest.as_deref())
    )]
    NotBlocked {
        /// What is named.
        pattern: String,
        /// The nearest that could be.
        nearest: Option<String>,
    },
    /// Alerts, and nothing that could cause one.
    #[error("`on_denied` needs the denials that `log_denials: false` leaves out")]
    AlertWithoutDenials,
    /// A pattern that cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Letters that are no access.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The working directory cannot be the workspace of the built-in default.
    #[error(
        "the built-in default policy will not allow the working directory `{directory}`: it is {reason}; \
         choose a directory: clawguard-exec --allow ./PROJECT -- COMMAND (or write a policy: clawguard-exec init)"
    )]
    Workspace {
        /// The working directory.
        directory: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn section_of(key: &str) -> &'static str {
    if key == "file_access" { "`security`" } else { "`security.file_access`" }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The known name that is nearest to `name`, if any is near at all.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 2))
        .map(|(_, known)| known.to_owned())
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The policy's text is wrong; every mistake that was found, in the order of the text.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
    /// A policy file cannot be read.
    #[error("cannot read the policy {}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
