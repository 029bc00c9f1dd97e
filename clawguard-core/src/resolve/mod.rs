//! What the user meant, on this host: absolute paths, presets, guards. The only room that looks at the disk and the
//! environment to find out what a policy *means*.

#![forbid(unsafe_code)]

mod alert;
mod builtin;
mod environment;
mod existing;
pub(crate) mod folding;
mod host;
mod links;
mod locate;
pub(crate) mod mounts;
mod program;
mod repository;
mod resolver;
mod spell;
pub(crate) mod temporary;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use self::environment::{Removal, ResolvedEnvironment, removed_by_default};
pub use self::host::{Host, HostError};
pub(crate) use self::links::AtFront;
pub use self::links::Links;
pub use self::mounts::Procfs;
use self::program::Found;
pub use self::repository::{GitSetting, Repository};
use self::resolver::Resolver;
pub(crate) use self::spell::Spelled;
use crate::decide::{Decider, Law, RuleId, Verdict};
use crate::path::AbsPath;
use crate::policy::{Effect, JournalPlace, Listen, Logging, Origin, Policy, PolicyError, Rule};

/// A policy whose every rule is absolute; the second stage of the pipeline.
#[derive(Debug)]
pub struct ResolvedPolicy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) spelled: Vec<Spelled>,
    pub(crate) law: Arc<Law>,
    pub(crate) create: Vec<AbsPath>,
    pub(crate) preset_create: Vec<AbsPath>,
    pub(crate) temporary: Option<AbsPath>,
    pub(crate) environment: ResolvedEnvironment,
    pub(crate) listen: Option<(Listen, Origin)>,
    pub(crate) logging: Logging,
    /// What the command of `on_denied` names.
    pub(crate) alert_files: Vec<AbsPath>,
    pub(crate) journal: JournalPlace,
    pub(crate) observe: bool,
    /// The policy's file.
    pub(crate) name: Option<Arc<Path>>,
    pub(crate) uid: u32,
    /// Each procfs of the host.
    pub(crate) procfs: Vec<Procfs>,
    presets: Vec<&'static str>,
    remarks: Vec<String>,
    command: Option<Found>,
}

impl Policy {
    /// Puts in what the host knows: variables, links, presets, guards, the built-in default.
    ///
    /// Reads the disk, changes nothing.
    ///
    /// # Errors
    /// [`PolicyError::Mistakes`] for variables that are not set, unknown presets, and a working directory that the
    /// built-in default will not allow.
    pub fn resolve(self, host: &Host) -> Result<ResolvedPolicy, PolicyError> {
        Resolver::new(self, host)?.resolve()
    }
}

impl ResolvedPolicy {
    /// The file that it was read from; none for the built-in default.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.name.as_deref()
    }

    /// A decider over this policy's law: `check` without enforcement.
    #[must_use]
    pub fn decider(&self) -> Decider {
        Decider::new(Arc::clone(&self.law))
    }

    /// The rule of an id that a decision gave.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.index()]
    }

    /// Every rule: the user's first, then those of presets, then the guards.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        self.rules
            .iter()
            .enumerate()
            .map(|(index, rule)| (RuleId(u32::try_from(index).unwrap_or(u32::MAX)), rule))
    }

    /// Where the user's own allowed rules begin: the real path of each pattern's literal front, as far as links were
    /// followed, existing or not. What is allowed there, or beneath, is for [`ResolvedPolicy::decider`] to say.
    pub fn allowed_places(&self) -> impl Iterator<Item = (RuleId, &AbsPath)> {
        let is_own = |one: &&Spelled| {
            let rule = self.rule(one.rule);
            rule.effect == Effect::Allowed && rule.origin.is_user()
        };
        self.spelled.iter().filter(is_own).map(|one| (one.rule, one.real_front()))
    }

    /// The names of the presets in use.
    #[must_use]
    pub fn presets(&self) -> &[&'static str] {
        &self.presets
    }

    /// The directories that are made before the start, the private temporary one apart.
    pub fn create(&self) -> impl Iterator<Item = &AbsPath> {
        self.create.iter().chain(&self.preset_create)
    }

    /// What every start should say of the built-in default where it stands, one sentence each.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What changes in the command's environment.
    #[must_use]
    pub fn environment(&self) -> &ResolvedEnvironment {
        &self.environment
    }

    /// Where sockets may listen, and which line says so; none if nothing does, which is anywhere.
    #[must_use]
    pub fn listen(&self) -> Option<(Listen, &Origin)> {
        self.listen.as_ref().map(|(listen, origin)| (*listen, origin))
    }

    /// Are loopback addresses the only ones that sockets may listen on?
    pub(crate) fn is_loopback_only(&self) -> bool {
        match self.listen {
            Some((Listen::Loopback, _)) => true,
            Some((Listen::Any, _)) | None => false,
        }
    }

    /// The real path of the command being started, unless the target could exchange it.
    #[must_use]
    pub fn command(&self) -> Option<&AbsPath> {
        self.command.as_ref().map(|command| &command.real)
    }

    /// Directories in which blocked patterns match in any case.
    pub fn folding(&self) -> impl Iterator<Item = &AbsPath> {
        self.law.folding().folded()
    }

    /// The process that runs now in whose part of a procfs a path lies. Unless it is one of the target's, every access is
    /// denied before a rule is asked.
    #[must_use]
    pub fn process_at(&self, path: &AbsPath) -> Option<u32> {
        self.procfs.iter().find_map(|one| one.running(path))
    }

    /// The reason of a verdict, in words.
    #[must_use]
    pub fn reason(&self, verdict: Verdict) -> String {
        match verdict.rule() {
            Some(rule) => self.rule(rule).to_string(),
            None => "nothing allows it".to_owned(),
        }
    }
}
