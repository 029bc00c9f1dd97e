//! Reads the made policy back as the next start will, and asks it: is every secret closed, can the agents work?

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use clawguard_core::{
    AbsPath, Access, AccessSet, Host, KernelSupport, Links, Mode, Policy, ResolvedPolicy,
};

use super::error::InitError;
use super::machine::Machine;
use super::tokens;
use crate::known::{FoundAgent, Kind, Secret};

/// A policy as each agent would get it, and as any other command would.
pub(super) struct Proof {
    policies: Vec<(Option<&'static str>, ResolvedPolicy)>,
}

/// A secret that some command can use in spite of all blocks, because a preset names it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: AbsPath,
    pub(super) secret: &'static Secret,
    /// What is allowed of what the catalogue would not.
    pub(super) access: AccessSet,
    /// The agent whose own it is.
    pub(super) owner: Option<&'static str>,
    /// Not an agent's own, and with a token in it.
    pub(super) holds_a_token: bool,
}

impl Opened {
    /// An agent uses its own login, and presets let settings be read. Nothing else is open: no key, no settings with a
    /// token, no place whose content is run later.
    pub(super) fn may_stay_open(&self) -> bool {
        let is_settings = self.secret.kind == Kind::Tokens && !self.holds_a_token;
        self.owner.is_some() || (is_settings && self.access == Access::Read.into())
    }
}

impl Proof {
    pub(super) fn new(text: &str, host: &Host, machine: &Machine) -> Result<Proof, InitError> {
        let resolve = |host: &Host| {
            let policy = Policy::parse(text, "policy.yaml").map_err(InitError::Unreadable)?;
            policy.resolve(host).map_err(InitError::Unreadable)
        };
        let mut policies = vec![(None, resolve(host)?)];
        for found in &machine.agents {
            let command = found.command.as_ref().map(|path| path.as_os_str().to_owned());
            let command = command.or_else(|| found.agent.commands.first().map(Into::into));
            let host = command.map(|command| host.clone().with_command(command));
            if let Some(host) = host {
                policies.push((Some(found.agent.preset), resolve(&host)?));
            }
        }
        Ok(Proof { policies })
    }

    /// Does each agent that is installed get its own preset?
    pub(super) fn selects_presets(&self, machine: &Machine) -> bool {
        machine.agents.iter().filter(|found| found.command.is_some()).all(|found| {
            let own = self.policies.iter().find(|(agent, _)| *agent == Some(found.agent.preset));
            own.is_some_and(|(_, policy)| policy.presets().contains(&found.agent.preset))
        })
    }

    /// What is open of the secrets that are here.
    pub(super) fn opened(&self, machine: &Machine) -> Vec<Opened> {
        let mut opened: Vec<Opened> = Vec::new();
        let mut deciders: Vec<_> =
            self.policies.iter().map(|(_, policy)| policy.decider()).collect();
        for (present, path) in machine.secret_paths() {
            let real = Links::default().follow_all(path);
            let is_open = |access: &Access| {
                deciders
                    .iter_mut()
                    .any(|decider| decider.decide(&real).verdict(*access).is_allowed())
            };
            let access: AccessSet = present.secret.access.iter().filter(is_open).collect();
            if access.is_empty() || opened.iter().any(|one| one.path == *path) {
                continue;
            }
            let owner = machine.owner(path).map(|found| found.agent.name);
            let holds_a_token = owner.is_none() && tokens::holds_a_token(path.as_path());
            opened.push(Opened {
                path: path.clone(),
                secret: present.secret,
                access,
                owner,
                holds_a_token,
            });
        }
        opened
    }

    /// Refuses a policy that does not do what it is for.
    pub(super) fn check(&self, machine: &Machine, opened: &[Opened]) -> Result<(), InitError> {
        let unsound = |text: String| Err(InitError::Unsound(text));
        for (_, policy) in &self.policies {
            let mut decider = policy.decider();
            for workspace in machine.workspaces.iter().filter(|one| !one.is_in_a_preset()) {
                let decision = decider.decide(&workspace.path);
                if let Some(denied) =
                    Access::ALL.into_iter().find(|access| !decision.verdict(*access).is_allowed())
                {
                    let reason = policy.reason(decision.verdict(denied));
                    return unsound(format!(
                        "{denied} of the workspace `{}` is denied ({reason})",
                        workspace.path
                    ));
                }
            }
        }
        match opened.iter().find(|one| !one.may_stay_open()) {
            Some(one) => unsound(format!("{} of `{}` is allowed", one.access, one.path)),
            None => Ok(()),
        }
    }

    /// Agents whose program the policy would not execute, with the reason.
    pub(super) fn cannot_start(&self, machine: &Machine) -> Vec<String> {
        let look = |found: &FoundAgent| {
            let command = found.command.as_ref()?;
            let real = Links::default().follow_raw(command.as_os_str().as_encoded_bytes());
            let own = self.policies.iter().find(|(agent, _)| *agent == Some(found.agent.preset));
            let policy = &own?.1;
            let verdict = policy.decider().decide(&real).verdict(Access::Execute);
            let denied = !verdict.is_allowed();
            denied.then(|| {
                format!(
                    "{} cannot be started: x of `{real}` is denied ({})",
                    found.agent.name,
                    policy.reason(verdict)
                )
            })
        };
        machine.agents.iter().filter_map(look).collect()
    }

    /// What this kernel would not enforce in this mode, or why nothing would start.
    pub(super) fn not_enforced(self, mode: Mode) -> Vec<String> {
        let nothing = |error: &dyn std::error::Error| format!("no command starts here: {error}");
        let kernel = match KernelSupport::probe() {
            Ok(kernel) => kernel,
            Err(error) => return vec![nothing(&error)],
        };
        let of_policy = |(_, policy): (_, ResolvedPolicy)| match policy.compile(&kernel, mode) {
            Ok(plan) => plan.left_open(),
            Err(error) => vec![nothing(&error)],
        };
        let all: BTreeSet<String> = self.policies.into_iter().flat_map(of_policy).collect();
        all.into_iter().collect()
    }
}
