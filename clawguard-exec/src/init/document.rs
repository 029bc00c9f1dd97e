//! What a program is told after it: `--json`. Field names and their order are a promise.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use super::Made;
use super::draft::Presets;
use super::machine::Machine;
use super::place::Destination;
use super::summary::next;
use crate::json;
use crate::known::FoundAgent;

/// A path; a name that is not UTF-8 is there a second time.
#[derive(Serialize)]
struct PathRow {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
}

impl PathRow {
    fn new(bytes: &[u8]) -> PathRow {
        let (path, path_base64) = json::text(bytes);
        PathRow { path, path_base64 }
    }
}

#[derive(Serialize)]
struct AgentRow {
    name: &'static str,
    title: &'static str,
    command: Option<PathRow>,
    state: Vec<PathRow>,
}

#[derive(Serialize)]
struct WorkspaceRow {
    #[serde(flatten)]
    path: PathRow,
    source: &'static str,
    exists: bool,
}

#[derive(Serialize)]
struct SecretRow {
    #[serde(flatten)]
    path: PathRow,
    kind: &'static str,
    what: &'static str,
    /// What an agent should not have.
    access: String,
    /// What of it the policy allows all the same.
    open: String,
    owner: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Document {
    written: Option<PathRow>,
    agents: Vec<AgentRow>,
    presets: Option<Vec<&'static str>>,
    workspaces: Vec<WorkspaceRow>,
    secrets: Vec<SecretRow>,
    dotenv: Vec<PathRow>,
    dotenv_complete: bool,
    remarks: Vec<String>,
    not_enforced: Vec<String>,
    next: Vec<String>,
    text: String,
}

pub(super) fn document(
    machine: &Machine,
    made: &Made,
    destination: Option<&Destination>,
) -> Document {
    let agent = |found: &FoundAgent| AgentRow {
        name: found.agent.preset,
        title: found.agent.name,
        command: found.command.as_ref().map(|path| PathRow::new(path.as_os_str().as_bytes())),
        state: found.state.iter().map(|path| PathRow::new(path.as_bytes())).collect(),
    };
    let secrets = machine.secret_paths().map(|(present, path)| {
        let opened = made.opened.iter().find(|one| one.path == *path);
        SecretRow {
            path: PathRow::new(path.as_bytes()),
            kind: present.secret.kind.word(),
            what: present.secret.what,
            access: present.secret.access.to_string(),
            open: opened.map_or_else(String::new, |one| one.access.to_string()),
            owner: opened.and_then(|one| one.owner),
        }
    });
    Document {
        written: destination.map(|to| PathRow::new(to.path().as_os_str().as_bytes())),
        agents: machine.agents.iter().map(agent).collect(),
        presets: match &made.draft.presets {
            Presets::OfEachCommand => None,
            Presets::Named(presets) => Some(presets.iter().map(|(name, _)| *name).collect()),
        },
        workspaces: machine
            .workspaces
            .iter()
            .map(|one| WorkspaceRow {
                path: PathRow::new(one.path.as_bytes()),
                source: one.source.word(),
                exists: one.exists(),
            })
            .collect(),
        secrets: secrets.collect(),
        dotenv: machine.dotenv.files.iter().map(|path| PathRow::new(path.as_bytes())).collect(),
        dotenv_complete: !machine.dotenv.was_cut_short,
        remarks: made.remarks.clone(),
        not_enforced: made.not_enforced.clone(),
        next: next(machine, made, destination),
        text: made.text.clone(),
    }
}
