//! Where Landlock alone would answer otherwise than the law: always by denying more, never by denying less.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::access::{Access, AccessSet};
use crate::decide::RuleId;
use crate::path::AbsPath;

/// What Landlock cannot say at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lack {
    /// Beneath this directory the access is decided in more than one way: the directory cannot be listed, and a name
    /// made later gets nothing.
    Mixed(Access),
    /// Entries of this directory cannot be made, removed or moved, although `w` holds for all of them.
    Entries,
    /// Nothing is there, so nothing can be granted.
    Missing,
    /// A file that was found has another name, which the law may judge otherwise: the file is granted nothing.
    SecondName,
    /// A directory can be changed, but not itself removed: that is a right of the one above it.
    DirectoryName,
    /// A file can be written, but not removed and made again: that is a right of its directory.
    FileName,
    /// A procfs: what lies in it belongs to processes, and Landlock cannot tell the target's from others'.
    Processes,
    /// Nothing is there, and what will be there has no rule that lets it be executed.
    MissingProgram,
    /// A file that has another name: the supervisor opens it by this one, and nobody can execute it for the target.
    SecondProgram,
}

/// One such place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) path: AbsPath,
    pub(crate) lack: Lack,
    /// The accesses that are denied although the law may allow them.
    pub(crate) access: AccessSet,
    /// The rules that make it so, sorted; shared by the gaps of directories that stand alike.
    pub(crate) causes: Arc<[RuleId]>,
    /// The rule that allows what is denied here, if one does.
    pub(crate) allowed_by: Option<RuleId>,
}

impl Lack {
    /// Is it execution that is denied? A supervisor holds everything else: it opens files and changes directories
    /// itself, but cannot execute for the target.
    pub(crate) fn is_of_execution(self) -> bool {
        match self {
            Lack::Mixed(access) => access == Access::Execute,
            Lack::MissingProgram | Lack::SecondProgram => true,
            Lack::Entries
            | Lack::Missing
            | Lack::SecondName
            | Lack::DirectoryName
            | Lack::FileName
            | Lack::Processes => false,
        }
    }

    /// The same for execution.
    pub(crate) fn of_a_program(self) -> Lack {
        match self {
            Lack::Missing => Lack::MissingProgram,
            Lack::SecondName => Lack::SecondProgram,
            other @ (Lack::Mixed(_)
            | Lack::Entries
            | Lack::DirectoryName
            | Lack::FileName
            | Lack::Processes
            | Lack::MissingProgram
            | Lack::SecondProgram) => other,
        }
    }

    /// What is denied although the law allows it, in words.
    pub(crate) fn describe(self, path: &AbsPath) -> String {
        match self {
            Lack::Mixed(Access::Read) => {
                format!("listing `{path}`, and reading what is made in it later")
            }
            Lack::Mixed(Access::Execute) => format!("executing what is made in `{path}` later"),
            Lack::Mixed(Access::Write) | Lack::Entries => {
                format!("making, removing and moving entries of `{path}`")
            }
            Lack::Missing => format!("`{path}`, which does not exist"),
            Lack::SecondName => format!("`{path}`, which has another name (a hard link)"),
            Lack::DirectoryName => format!("removing the directory `{path}` itself"),
            Lack::FileName => format!("removing or replacing the file `{path}`"),
            Lack::Processes => {
                format!("opening what processes have in `{path}`")
            }
            Lack::MissingProgram => {
                format!("executing `{path}`, which does not exist at the start")
            }
            Lack::SecondProgram => {
                format!("executing `{path}`, which has another name (a hard link)")
            }
        }
    }
}
