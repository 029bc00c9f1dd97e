//! The agents that have a preset, and which of them are on this machine.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::path::PathBuf;

use clawguard_core::{AbsPath, Host, Pattern, Place};

/// An agent that has a preset of its own.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The preset's name.
    pub(crate) preset: &'static str,
    /// What people call it.
    pub(crate) name: &'static str,
    /// The commands that start it.
    pub(crate) commands: &'static [&'static str],
    /// Where it keeps its state, its settings and its own logins: patterns.
    pub(crate) state: &'static [&'static str],
}

const AGENTS: &[Agent] = &[
    Agent {
        preset: "openclaw",
        name: "OpenClaw",
        commands: &["openclaw"],
        state: &["~/.openclaw"],
    },
    Agent { preset: "claude", name: "Claude Code", commands: &["claude"], state: &["~/.claude"] },
    Agent { preset: "codex", name: "Codex", commands: &["codex"], state: &["~/.codex"] },
    Agent { preset: "gemini", name: "Gemini CLI", commands: &["gemini"], state: &["~/.gemini"] },
    Agent { preset: "aider", name: "Aider", commands: &["aider"], state: &["~/.aider"] },
];

/// All of them, whether they are on this machine or not.
pub(crate) fn every_agent() -> &'static [Agent] {
    AGENTS
}

/// An agent of which something is on this machine.
#[derive(Debug)]
pub(crate) struct FoundAgent {
    pub(crate) agent: &'static Agent,
    /// Its program, as the shell finds it.
    pub(crate) command: Option<PathBuf>,
    /// What exists of its state.
    pub(crate) state: Vec<AbsPath>,
}

/// The agents with a program in PATH, or with state in the home directory.
pub(crate) fn agents(host: &Host) -> Vec<FoundAgent> {
    let found = AGENTS.iter().map(|agent| look_for(agent, host));
    found.filter(|found| found.command.is_some() || !found.state.is_empty()).collect()
}

/// What is on this machine of one agent, which may be nothing.
pub(crate) fn look_for(agent: &'static Agent, host: &Host) -> FoundAgent {
    let find = |name: &&str| host.find_command(OsStr::new(name));
    let command = agent.commands.iter().find_map(find);
    let patterns = agent.state.iter().flat_map(|text| Pattern::parse(text.as_bytes(), Place::File));
    let state = patterns.flat_map(|pattern| host.existing(&pattern, 1).unwrap_or_default());
    let command = command.map(|path| path.as_path().to_owned());
    FoundAgent { agent, command, state: state.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawguard_core::{Origin, Preset};

    #[test]
    fn each_agent_has_a_preset_that_its_commands_select() {
        for agent in AGENTS {
            let preset = Preset::named(agent.preset, &Origin::BuiltIn { part: "test" }).unwrap();
            for command in agent.commands {
                assert!(preset.commands.iter().any(|own| own == command), "{command}");
            }
        }
    }
}
