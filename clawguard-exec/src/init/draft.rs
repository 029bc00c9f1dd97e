//! Which lines the policy has, and why. The text around them is made elsewhere.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use clawguard_core::{AbsPath, AccessSet, Host, Origin, Preset};

use super::error::InitError;
use super::machine::{self, Block, Machine};
use super::names;
use super::proof::Opened;
use super::workspace::Source;
use crate::known::Present;
use crate::yaml;

/// One entry of a list and its reason.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) pattern: Vec<u8>,
    pub(super) access: AccessSet,
    pub(super) why: String,
}

/// Which presets a command gets.
#[derive(Clone, Debug)]
pub(super) enum Presets {
    /// The default ones and its own: the line is left out.
    OfEachCommand,
    /// These, for every command, each with its reason.
    Named(Vec<(&'static str, String)>),
}

/// The lines.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) presets: Presets,
    pub(super) allowed: Vec<Line>,
    /// Secrets that no hidden name covers.
    pub(super) elsewhere: Vec<Line>,
    /// Secrets that a preset would open, such as settings with a token in them.
    pub(super) closed: Vec<Line>,
    pub(super) git: Vec<Line>,
}

impl Draft {
    pub(super) fn new(host: &Host, machine: &Machine) -> Result<Draft, InitError> {
        // A list would keep every other command, and every agent that is installed later, from its own preset.
        let presets = Presets::OfEachCommand;
        let git = git(machine).into_iter().map(|pattern| Line {
            pattern,
            access: clawguard_core::Access::Write.into(),
            why: String::new(),
        });
        Ok(Draft {
            presets,
            allowed: allowed(machine),
            elsewhere: elsewhere(host, machine)?,
            closed: Vec::new(),
            git: git.collect(),
        })
    }

    /// Names the presets of all agents, where a command would not be given its own.
    pub(super) fn name_presets(&mut self, machine: &Machine) -> Result<(), InitError> {
        self.presets = named(machine)?;
        Ok(())
    }

    /// Blocks by name what a preset opens and should not be open.
    pub(super) fn close(&mut self, machine: &Machine, opened: &[Opened]) {
        let wrong = opened.iter().filter(|one| !one.may_stay_open());
        let line = |one: &Opened| Line {
            pattern: names::pattern(&one.path, &machine.home),
            access: one.secret.access,
            why: match one.holds_a_token {
                true => format!("{}: there is one in it", one.secret.what),
                false => one.secret.what.to_owned(),
            },
        };
        self.closed = wrong.map(line).collect();
    }
}

/// One pattern for each git directory: its files in braces.
fn git(machine: &Machine) -> Vec<Vec<u8>> {
    let mut directories: BTreeMap<AbsPath, Vec<&[u8]>> = BTreeMap::new();
    for file in &machine.git {
        if let (Some(parent), Some(name)) = (file.parent(), file.file_name()) {
            directories.entry(parent).or_default().push(name);
        }
    }
    let pattern = |(directory, names): (AbsPath, Vec<&[u8]>)| match names.as_slice() {
        [name] => names::pattern(&directory.join(name), &machine.home),
        // Names that git gave, without a special character.
        names => {
            let front = names::pattern(&directory, &machine.home);
            [front.as_slice(), b"/{", names.join(&b","[..]).as_slice(), b"}"].concat()
        }
    };
    directories.into_iter().map(pattern).collect()
}

/// `system`, the agents, and the presets of programs that are here and that the agents do not bring.
fn named(machine: &Machine) -> Result<Presets, InitError> {
    let mut presets =
        vec![("system", "programs, libraries, devices, name service, TLS".to_owned())];
    let mut brought = BTreeSet::new();
    for found in &machine.agents {
        let origin = Origin::BuiltIn { part: "init" };
        let includes = Preset::named(found.agent.preset, &origin)?.include;
        let with = if includes.is_empty() {
            String::new()
        } else {
            format!(" (with {})", includes.join(", "))
        };
        brought.extend(includes);
        let state = found.agent.state.join(", ");
        let why = format!("{}, which keeps its own in {state}{with}", found.agent.name);
        presets.push((found.agent.preset, why));
    }
    for (preset, program) in &machine.tools {
        if !brought.contains(*preset) {
            presets.push((preset, format!("{program} is here: its packages, caches and settings")));
        }
    }
    Ok(Presets::Named(presets))
}

fn allowed(machine: &Machine) -> Vec<Line> {
    let lines = machine.workspaces.iter().filter(|workspace| !workspace.is_in_a_preset());
    let line = |workspace: &super::workspace::Workspace| {
        let mut pattern = names::pattern(&workspace.path, &machine.home);
        // Made before the start if it is missing.
        pattern.push(b'/');
        let why = match &workspace.source {
            Source::Option => "named with --workspace".to_owned(),
            Source::OpenClaw => {
                "OpenClaw's workspace, as ~/.openclaw/openclaw.json says".to_owned()
            }
            Source::OpenClawDefault => String::new(),
            Source::WorkingDirectory => "where init was started".to_owned(),
            Source::Nobody(_) => "a directory for agents to work in".to_owned(),
        };
        Line { pattern, access: AccessSet::ALL, why }
    };
    let beside = machine.git_beside.iter().map(|(path, access)| Line {
        pattern: names::pattern(path, &machine.home),
        access: *access,
        why: "git in a workspace needs it".to_owned(),
    });
    lines.map(line).chain(beside).collect()
}

/// The lines for secrets that `~/.*` does not cover, here or where a link leads.
fn elsewhere(host: &Host, machine: &Machine) -> Result<Vec<Line>, InitError> {
    let mut blocks: Vec<Block> = machine::default_blocks().collect();
    let mut lines: Vec<Line> = Vec::new();
    // A socket that only the environment names is last: another line may cover it.
    let (by_variable, others): (Vec<&Present>, Vec<&Present>) =
        machine.secrets.iter().partition(|present| is_by_variable(present));
    for present in others.into_iter().chain(by_variable) {
        let secret = present.secret;
        let mut decider = machine::decider(host, &blocks)?;
        let open: Vec<&AbsPath> = present
            .paths
            .iter()
            .filter(|path| !machine::is_blocked(&mut decider, path, secret.access))
            .collect();
        if open.is_empty() {
            continue;
        }
        let list: Vec<String> =
            open.iter().map(|path| yaml::comment(&names::short(path, &machine.home))).collect();
        let is_wild = secret.pattern.contains(['*', '?', '[']);
        if is_wild || (secret.pattern.contains("$UID") && !secret.pattern.contains('{')) {
            let why = if is_wild {
                format!("{}: {}", secret.what, few(&list, 3))
            } else {
                secret.what.to_owned()
            };
            lines.push(Line {
                pattern: secret.pattern.as_bytes().to_vec(),
                access: secret.access,
                why,
            });
        } else {
            lines.extend(open.iter().map(|path| Line {
                pattern: names::pattern(path, &machine.home),
                access: secret.access,
                why: secret.what.to_owned(),
            }));
        }
        blocks.truncate(machine::default_blocks().count());
        blocks.extend(lines.iter().map(|line| (line.pattern.clone(), line.access)));
    }
    Ok(lines)
}

/// A variable that another login may not have: a pattern with it would be a mistake there.
fn is_by_variable(present: &Present) -> bool {
    present.secret.pattern.starts_with('$')
}

/// The first few of a list, and how many more there are.
pub(super) fn few(list: &[String], most: usize) -> String {
    let shown = list.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match list.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
