//! Where the agents may work: what the person says, what OpenClaw's configuration says, or the working directory, where
//! the built-in default would take it too.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;

use clawguard_core::{AbsPath, Access, Host, Links};

use super::error::InitError;
use super::openclaw::OpenClaw;
use crate::known::Secrets;

/// The directory that is made where nobody names one and the working directory will not do.
const FALLBACK: &[u8] = b"agent-workspace";

/// Who named a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `--workspace`.
    Option,
    /// OpenClaw's configuration.
    OpenClaw,
    /// OpenClaw's own default, which its preset allows.
    OpenClawDefault,
    /// The working directory of init.
    WorkingDirectory,
    /// Nobody; why the working directory will not do.
    Nobody(String),
}

impl Source {
    /// The word in `--json`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Source::Option => "option",
            Source::OpenClaw => "openclaw",
            Source::OpenClawDefault => "openclaw_default",
            Source::WorkingDirectory => "working_directory",
            Source::Nobody(_) => "default",
        }
    }
}

/// A directory to work in.
#[derive(Clone, Debug)]
pub(super) struct Workspace {
    pub(super) path: AbsPath,
    pub(super) source: Source,
}

impl Workspace {
    pub(super) fn exists(&self) -> bool {
        self.path.as_path().is_dir()
    }

    /// Does the policy need a line for it?
    pub(super) fn is_in_a_preset(&self) -> bool {
        match self.source {
            Source::OpenClawDefault => true,
            Source::Option | Source::OpenClaw | Source::WorkingDirectory | Source::Nobody(_) => {
                false
            }
        }
    }
}

/// What is asked for, and for whom.
pub(super) struct Wanted<'a> {
    pub(super) host: &'a Host,
    pub(super) home: &'a AbsPath,
    pub(super) options: &'a [std::ffi::OsString],
    /// Of OpenClaw, if it is among the agents.
    pub(super) openclaw: Option<&'a OpenClaw>,
    /// Are there agents that work wherever they are started, or none that is known?
    pub(super) works_anywhere: bool,
}

impl Wanted<'_> {
    /// The workspaces, and remarks on what was left out.
    pub(super) fn choose(
        &self,
        secrets: &mut Secrets,
    ) -> Result<(Vec<Workspace>, Vec<String>), InitError> {
        let (mut chosen, mut remarks) = (Vec::new(), Vec::new());
        for option in self.options {
            let path = self.named(option.as_bytes());
            if let Some(reason) = self.unfit(&path, secrets) {
                return Err(InitError::Workspace { directory: path.to_string(), reason });
            }
            add(&mut chosen, Workspace { path, source: Source::Option });
        }
        if let Some(openclaw) = self.openclaw {
            self.of_openclaw(openclaw, secrets, &mut chosen, &mut remarks);
        }
        if self.options.is_empty() && self.works_anywhere {
            let workspace = match self.unfit(&self.host.cwd, secrets) {
                None => Workspace { path: self.host.cwd.clone(), source: Source::WorkingDirectory },
                Some(reason) => {
                    let path = self.home.join(FALLBACK);
                    if let Some(reason) = self.unfit(&path, secrets) {
                        return Err(InitError::Workspace { directory: path.to_string(), reason });
                    }
                    Workspace { path, source: Source::Nobody(reason) }
                }
            };
            add(&mut chosen, workspace);
        }
        Ok((chosen, remarks))
    }

    fn of_openclaw(
        &self,
        openclaw: &OpenClaw,
        secrets: &mut Secrets,
        chosen: &mut Vec<Workspace>,
        remarks: &mut Vec<String>,
    ) {
        let state = self.home.join(b".openclaw");
        remarks.extend(openclaw.remarks.iter().cloned());
        for path in &openclaw.workspaces {
            if path.starts_with(&state) {
                add(chosen, Workspace { path: path.clone(), source: Source::OpenClawDefault });
            } else if let Some(reason) = self.unfit(path, secrets) {
                remarks.push(format!(
                    "OpenClaw's configuration names `{path}` as a workspace, which is {reason}: it is not allowed; let \
                     OpenClaw work in a directory of its own"
                ));
            } else {
                add(chosen, Workspace { path: path.clone(), source: Source::OpenClaw });
            }
        }
        if openclaw.workspaces.is_empty() {
            let path = state.join(b"workspace");
            add(chosen, Workspace { path, source: Source::OpenClawDefault });
        }
    }

    /// A directory as it was typed; `--workspace=~/x` reaches us with its tilde.
    fn named(&self, text: &[u8]) -> AbsPath {
        let whole = match text {
            [b'/', ..] => text.to_vec(),
            b"~" => self.home.as_bytes().to_vec(),
            [b'~', b'/', rest @ ..] => [self.home.as_bytes(), b"/", rest].concat(),
            _ => [self.host.cwd.as_bytes(), b"/", text].concat(),
        };
        Links::default().follow_raw(&whole)
    }

    /// Why a directory cannot be a workspace, in the built-in default's words where it would refuse it too.
    fn unfit(&self, path: &AbsPath, secrets: &mut Secrets) -> Option<String> {
        if let Some(reason) = self.host.unfit_workspace(path) {
            return Some(reason);
        }
        if path.as_path().exists() && !path.as_path().is_dir() {
            return Some("no directory".to_owned());
        }
        let secret = Access::ALL.into_iter().find_map(|access| secrets.find(path, access))?;
        Some(format!("within what should stay blocked: {}", secret.what))
    }
}

fn add(chosen: &mut Vec<Workspace>, workspace: Workspace) {
    if !chosen.iter().any(|one| one.path == workspace.path) {
        chosen.push(workspace);
    }
}
