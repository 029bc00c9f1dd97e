//! Which policy is used: SPEC section 2's order, first hit wins. Never one in the working directory.

#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::host::Host;
use crate::path::AbsPath;
use crate::policy::{Policy, PolicyError};

/// A place that is looked at when nobody names a policy.
pub(super) struct Candidate {
    pub(super) path: AbsPath,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Named by the user: it must be there.
    Named,
    /// Taken if it is there.
    Ours,
    /// Somebody else's file: taken if it has `security.file_access`.
    Shared,
}

/// The places, first one first.
pub(super) fn places(host: &Host) -> Vec<Candidate> {
    let named = host.variable("CLAWGUARD_POLICY").map(|file| {
        let file = file.as_bytes();
        let joined = if file.starts_with(b"/") {
            file.to_vec()
        } else {
            [host.cwd.as_bytes(), b"/", file].concat()
        };
        super::links::Links::default().follow_raw_unless_normal(&joined)
    });
    let own = host
        .xdg("XDG_CONFIG_HOME", b".config")
        .map(|config| config.join(b"clawguard").join(b"policy.yaml"));
    let shared = host.beneath_home(b".openclaw/config.yaml");
    let candidate = |kind| move |path| Candidate { path, kind };
    [
        named.map(candidate(Kind::Named)),
        own.map(candidate(Kind::Ours)),
        shared.map(candidate(Kind::Shared)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Policy {
    /// Where the user's own policy is looked for when nobody names one: `$XDG_CONFIG_HOME/clawguard/policy.yaml`. None
    /// without a home directory.
    #[must_use]
    pub fn own_place(host: &Host) -> Option<AbsPath> {
        places(host).into_iter().find(|place| place.kind == Kind::Ours).map(|place| place.path)
    }

    /// Finds and reads the policy: `file` if the user named one, else `$CLAWGUARD_POLICY`,
    /// `$XDG_CONFIG_HOME/clawguard/policy.yaml`, `~/.openclaw/config.yaml` if it has `security.file_access`, else the
    /// built-in default.
    ///
    /// # Errors
    /// [`PolicyError`] when a file that is named or present cannot be read, or is wrong: it is never passed over.
    pub fn locate(host: &Host, file: Option<&Path>) -> Result<Policy, PolicyError> {
        if let Some(file) = file {
            return read(file);
        }
        for Candidate { path, kind } in places(host) {
            match (read_found(path.as_path(), kind), kind) {
                (Err(PolicyError::Read { source, .. }), Kind::Ours | Kind::Shared)
                    if is_missing(&source) => {}
                (Ok(policy), Kind::Shared) if !policy.has_file_access() => {
                    policy.refuse_near_misses()?
                }
                (result, Kind::Named | Kind::Ours | Kind::Shared) => return result,
            }
        }
        Ok(Policy::builtin())
    }
}

/// What is not there is passed over; what is there and cannot be read is an error.
fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// A file that nobody named must be a file: a pipe in its place would keep every start waiting.
fn read_found(file: &Path, kind: Kind) -> Result<Policy, PolicyError> {
    let failed = |source| PolicyError::Read { file: PathBuf::from(file), source };
    if kind != Kind::Named && !std::fs::metadata(file).map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("not a regular file")));
    }
    read(file)
}

fn read(file: &Path) -> Result<Policy, PolicyError> {
    let text = std::fs::read(file)
        .map_err(|source| PolicyError::Read { file: PathBuf::from(file), source })?;
    Policy::parse(text, file)
}
