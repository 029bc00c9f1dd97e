//! What is on this machine that its policy should know of: agents, workspaces, secrets. Looks, and changes nothing.

#![forbid(unsafe_code)]

use std::ffi::OsStr;

use clawguard_core::{
    AbsPath, Access, AccessSet, Decider, Host, JournalPlace, Links, Origin, Pattern, Place, Policy,
    Repository,
};

use super::InitArguments;
use super::dotenv::{self, Dotenv};
use super::error::InitError;
use super::openclaw::{self, OpenClaw};
use super::workspace::{Wanted, Workspace};
use crate::known::{self, FoundAgent, Kind, Present, Secrets};

/// Programs that presets are for, and the names by which they are found.
const TOOLS: [(&str, &[&str]); 4] = [
    ("git", &["git"]),
    ("node", &["node", "nodejs", "bun"]),
    ("python", &["python3", "python", "uv", "pipx"]),
    ("cargo", &["cargo", "rustup"]),
];

/// What was found.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) home: AbsPath,
    /// The agents that the policy is for.
    pub(super) agents: Vec<FoundAgent>,
    /// Agents of which only their state is here.
    pub(super) without_program: Vec<FoundAgent>,
    pub(super) openclaw: OpenClaw,
    pub(super) workspaces: Vec<Workspace>,
    /// Presets of programs that are here, and the name of the program.
    pub(super) tools: Vec<(&'static str, &'static str)>,
    pub(super) secrets: Vec<Present>,
    pub(super) dotenv: Dotenv,
    pub(super) git: Vec<AbsPath>,
    /// Git directories outside of the workspaces that belong to them, and files that git reads above.
    pub(super) git_beside: Vec<(AbsPath, AccessSet)>,
    pub(super) remarks: Vec<String>,
}

impl Machine {
    pub(super) fn look(host: &Host, arguments: &InitArguments) -> Result<Machine, InitError> {
        let home = host.home.clone().ok_or(InitError::NoHome)?;
        let (agents, without_program) = agents(host, &arguments.agent);
        let is_openclaw = |found: &FoundAgent| found.agent.preset == "openclaw";
        let has_openclaw = agents.iter().any(is_openclaw);
        let openclaw = if has_openclaw { openclaw::read(host) } else { OpenClaw::default() };
        let wanted = Wanted {
            host,
            home: &home,
            options: &arguments.workspace,
            openclaw: has_openclaw.then_some(&openclaw),
            works_anywhere: agents.is_empty() || !agents.iter().all(is_openclaw),
        };
        let (workspaces, remarks) = wanted.choose(&mut Secrets::new(host)?)?;
        let there: Vec<AbsPath> =
            workspaces.iter().filter(|one| one.exists()).map(|one| one.path.clone()).collect();
        let blocks: Vec<Block> = default_blocks().collect();
        let dotenv = dotenv::search(&there, &mut decider(host, &blocks)?);
        let repositories: Vec<Repository> =
            there.iter().map(|one| Repository::of(one, &there, host)).collect();
        let mut git: Vec<AbsPath> =
            repositories.iter().flat_map(|one| one.trusted.iter().cloned()).collect();
        git.sort();
        git.dedup();
        let git_beside = beside(&repositories, &there);
        let remarks = remarks
            .into_iter()
            .chain(repositories.into_iter().flat_map(|one| one.remarks))
            .collect();
        let here = |names: &'static [&'static str]| {
            names.iter().find(|name| host.find_command(OsStr::new(name)).is_some())
        };
        let tools = TOOLS.iter().filter_map(|(preset, names)| Some((*preset, *here(names)?)));
        Ok(Machine {
            home,
            agents,
            without_program,
            openclaw,
            workspaces,
            tools: tools.collect(),
            secrets: known::present(host),
            dotenv,
            git,
            git_beside,
            remarks,
        })
    }

    /// Everything that is a secret and is here, by its real path.
    pub(super) fn secret_paths(&self) -> impl Iterator<Item = (&Present, &AbsPath)> {
        self.secrets
            .iter()
            .flat_map(|present| present.paths.iter().map(move |path| (present, path)))
    }

    /// Does a path belong to the state of one of the agents that the policy is for?
    pub(super) fn owner(&self, path: &AbsPath) -> Option<&FoundAgent> {
        let is_within =
            |found: &&FoundAgent| found.state.iter().any(|state| path.starts_with(state));
        self.agents.iter().find(is_within)
    }
}

/// What git in the workspaces needs outside of them.
fn beside(repositories: &[Repository], workspaces: &[AbsPath]) -> Vec<(AbsPath, AccessSet)> {
    let each = |one: &Repository| {
        let directories = one.directories.iter().map(|path| (path.clone(), AccessSet::ALL));
        let files = one.readable.iter().map(|path| (path.clone(), Access::Read.into()));
        directories.chain(files).collect::<Vec<_>>()
    };
    let is_outside =
        |path: &AbsPath| !workspaces.iter().any(|workspace| path.starts_with(workspace));
    let all: std::collections::BTreeMap<AbsPath, AccessSet> =
        repositories.iter().flat_map(each).filter(|(path, _)| is_outside(path)).collect();
    all.into_iter().collect()
}

/// Those that were named; else those with a program, and apart from them those that only left their state.
fn agents(host: &Host, named: &[String]) -> (Vec<FoundAgent>, Vec<FoundAgent>) {
    if named.is_empty() {
        return known::agents(host).into_iter().partition(|found| found.command.is_some());
    }
    let is_named = |agent: &&known::Agent| named.iter().any(|name| name == agent.preset);
    let chosen = known::every_agent().iter().filter(is_named);
    (chosen.map(|agent| known::look_for(agent, host)).collect(), Vec::new())
}

/// A blocked line.
pub(super) type Block = (Vec<u8>, AccessSet);

/// The lines that the built-in default has, as a file would have them.
pub(super) fn default_blocks() -> impl Iterator<Item = Block> {
    Policy::default_blocks().map(|(text, access)| (text.as_bytes().to_vec(), access))
}

/// Answers what these lines block, and nothing else.
pub(super) fn decider(host: &Host, blocks: &[Block]) -> Result<Decider, InitError> {
    let mut policy = Policy::parse("security: {file_access: {presets: []}}", "init")?;
    policy.log_to(JournalPlace::Nowhere);
    for (text, access) in blocks {
        if let Ok(pattern) = Pattern::parse(text, Place::File) {
            policy.block(pattern, *access, Origin::BuiltIn { part: "init" });
        }
    }
    Ok(policy.resolve(host)?.decider())
}

/// Is a secret blocked, where it is and where a link in its place leads?
pub(super) fn is_blocked(decider: &mut Decider, path: &AbsPath, access: AccessSet) -> bool {
    let real = Links::default().follow_all(path);
    [path, &real].into_iter().all(|path| {
        let decision = decider.decide(path);
        let is_ruled = |access: Access| decision.verdict(access).rule().is_some();
        access.iter().all(is_ruled)
    })
}

/// Is it something that must not be read? Else it is a place that must not be changed.
pub(super) fn is_secret(present: &Present) -> bool {
    present.secret.kind != Kind::Startup
}
