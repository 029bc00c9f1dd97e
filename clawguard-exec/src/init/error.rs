//! Why no policy is written.

#![forbid(unsafe_code)]

use std::path::Path;

use clawguard_core::{HostError, PolicyError, escape};

/// What is wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    #[error(
        "`{0}` is already the policy here, and init writes over nothing\nto give it an agent more: \
         clawguard-exec init --add NAME\nto see what init would write: clawguard-exec \
         init --print\nto write it to another place: clawguard-exec init --output FILE"
    )]
    Found(String),
    #[error(
        "there is a policy already that cannot be used, and init writes over nothing (repair or remove it, or write \
         another one: clawguard-exec init --output FILE)"
    )]
    Broken(#[source] PolicyError),
    #[error("`{0}` exists, and init writes over nothing: name another file")]
    Exists(String),
    #[error("init does not take {0}: it writes a policy of its own, which you can change later")]
    Option(&'static str),
    #[error("there is no policy to add an agent to: `clawguard-exec init` writes one")]
    NothingToAddTo,
    #[error(
        "`{file}` is written in a way that lines cannot be put into; add by hand to its `presets`: {presets}"
    )]
    ByHand { file: String, presets: String },
    #[error("there is no home directory: set HOME")]
    NoHome,
    #[error(
        "the home directory `{home}` belongs to user {owner}, and this is user {uid}: run init as the user whose \
         agents are to be confined, or use --print"
    )]
    ForeignHome { home: String, owner: u32, uid: u32 },
    #[error(
        "init will not allow the directory `{directory}`: it is {reason}; choose another: clawguard-exec init \
         --workspace ~/PROJECT"
    )]
    Workspace { directory: String, reason: String },
    #[error("`{0}` belongs to another user, who could exchange the policy in it")]
    ForeignDirectory(String),
    #[error("`{0}` is a link of another user, and is not followed")]
    ForeignLink(String),
    #[error("cannot write `{file}`")]
    Write { file: String, source: std::io::Error },
    #[error("the policy that was made does not hold what it should, so it was not written: {0}")]
    Unsound(String),
    #[error("the policy that was made cannot be read, so it was not written")]
    Unreadable(#[source] PolicyError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Host(#[from] HostError),
}

impl InitError {
    pub(super) fn write(file: &[u8], source: impl Into<std::io::Error>) -> InitError {
        InitError::Write { file: escape(file), source: source.into() }
    }

    pub(super) fn exists(file: &Path) -> InitError {
        InitError::Exists(escape(file.as_os_str().as_encoded_bytes()))
    }
}
