//! What the user meant, on this host: absolute paths, presets, guards. The only room that looks at the disk and the
//! environment to find out what a policy *means*.

#![forbid(unsafe_code)]

mod builtin;
pub(crate) mod folding;
mod host;
mod links;
mod locate;
mod program;
mod repository;
mod spell;
pub(crate) mod temporary;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

pub use self::host::{Host, HostError};
pub(crate) use self::links::AtFront;
pub use self::links::Links;
use self::program::{Found, Program};
use self::spell::Purpose;
pub(crate) use self::spell::Spelled;
use crate::access::{Access, AccessSet};
use crate::decide::{Decider, Folding, Law, RuleId, Verdict};
use crate::path::AbsPath;
use crate::policy::{
    Component, Effect, Environment, Listen, Logging, Mistake, Origin, Pattern, Policy, PolicyError,
    Preset, Rule, Temporary, preset,
};

/// A policy whose every rule is absolute; the second stage of the pipeline.
#[derive(Debug)]
pub struct ResolvedPolicy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) spelled: Vec<Spelled>,
    pub(crate) law: Arc<Law>,
    pub(crate) create: Vec<AbsPath>,
    pub(crate) temporary: Option<AbsPath>,
    pub(crate) environment: ResolvedEnvironment,
    pub(crate) listen: Option<Listen>,
    pub(crate) logging: Logging,
    pub(crate) uid: u32,
    presets: Vec<&'static str>,
    command: Option<Found>,
}

/// What changes in the command's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedEnvironment {
    /// Variables that are set.
    pub set: Vec<(OsString, OsString)>,
    /// Variables that are removed.
    pub remove: Vec<OsString>,
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

struct Resolver {
    policy: Policy,
    /// Without a private temporary directory where the policy gives none.
    host: Host,
    links: Links,
    rules: Vec<Rule>,
    presets: Vec<Preset>,
}

impl Resolver {
    fn new(policy: Policy, host: &Host) -> Result<Resolver, PolicyError> {
        let mut rules = policy.rules.clone();
        if policy.file.is_none() {
            let has_allowed = rules.iter().any(|rule| rule.effect == Effect::Allowed);
            let default = builtin::default_rules(host, has_allowed);
            rules.extend(default.map_err(|mistake| PolicyError::Mistakes(vec![mistake]))?);
        }
        let mut host = host.clone();
        if policy.temporary != Temporary::Private {
            host.temporary = None;
        }
        rules.extend(builtin::temporary_rules(&host, policy.temporary));
        let links = Links::default();
        let mut resolver = Resolver { policy, host, links, rules, presets: Vec::new() };
        resolver.named_presets()?;
        Ok(resolver)
    }

    fn resolve(mut self) -> Result<ResolvedPolicy, PolicyError> {
        let program = self.program()?;
        for preset in &self.presets {
            self.rules.extend(preset.rules.iter().cloned());
        }
        let guards = builtin::guards(&self.host, &self.policy, &mut self.links);
        self.rules.extend(guards);
        self.rules.push(working_directory(&self.host));
        let mut spelled = self.spell(&program)?;
        if self.policy.temporary == Temporary::Shared {
            self.leave_out_private_corners(&mut spelled);
        }
        let folding = self.folding(&spelled);
        let law = self.law(&mut spelled, &folding);
        let create = self.create(&spelled, &program)?;
        let environment = self.environment(&program)?;
        let named = self.policy.listen.as_ref().map(|(listen, _)| *listen);
        Ok(ResolvedPolicy {
            law,
            spelled,
            create,
            temporary: self.host.temporary.clone(),
            environment,
            listen: named.or_else(|| self.presets.iter().find_map(|preset| preset.listen)),
            logging: self.policy.logging.clone(),
            uid: self.host.uid,
            presets: self.presets.iter().map(|preset| preset.name).collect(),
            rules: self.rules,
            command: program.command,
        })
    }

    /// The presets that the policy names, or the default ones; every unknown name is reported.
    fn named_presets(&mut self) -> Result<(), PolicyError> {
        let origin = Origin::BuiltIn { part: "presets" };
        let default =
            || preset::DEFAULT.iter().map(|name| ((*name).to_owned(), origin.clone())).collect();
        let named: Vec<(String, Origin)> = self.policy.presets.clone().unwrap_or_else(default);
        let mut mistakes: Vec<Mistake> = Vec::new();
        for (name, origin) in named {
            match self.add_preset(&name, &origin) {
                Err(PolicyError::Mistakes(more)) => mistakes.extend(more),
                other => other?,
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(PolicyError::Mistakes(mistakes)) }
    }

    fn add_preset(&mut self, name: &str, origin: &Origin) -> Result<(), PolicyError> {
        if self.presets.iter().any(|preset| preset.name == name) {
            return Ok(());
        }
        let preset = Preset::named(name, origin)?;
        let include = preset.include.clone();
        self.presets.push(preset);
        include.iter().try_for_each(|name| self.add_preset(name, origin))
    }

    /// What is known of the command, as far as the target could not have made it up; adds the command's own preset.
    fn program(&mut self) -> Result<Program, PolicyError> {
        let mut program = Program::find(&self.host, &mut self.links);
        let mut rules = self.rules.clone();
        rules.extend(self.presets.iter().flat_map(|preset| preset.rules.iter().cloned()));
        let mut spelled =
            spell::spell(&rules, &self.host, &Program::default()).map_err(PolicyError::Mistakes)?;
        spell::canonicalise(&mut spelled, &rules, &mut self.links, |_| false);
        let law = Law::new(
            &spell::entries(&spelled, &rules, &mut self.links, Purpose::Changeability),
            Folding::default(),
        );
        let mut decider = Decider::new(Arc::new(law));
        let mut can_write =
            |path: &AbsPath| decider.decide(path).verdict(Access::Write).is_allowed();
        let mut is_made_up = |found: &Found| {
            found.rests_on().any(|path| {
                can_write(path) || path.parent().is_some_and(|parent| can_write(&parent))
            })
        };
        let command_made_up = program.command.as_ref().is_some_and(&mut is_made_up);
        if self.policy.presets.is_none() && !command_made_up {
            let names: Vec<&[u8]> = program.names().collect();
            for preset in Preset::selected_by(&names)? {
                self.add_preset(preset.name, &Origin::BuiltIn { part: "presets" })?;
            }
        }
        if command_made_up {
            program.command = None;
        }
        if program.node.as_ref().is_some_and(&mut is_made_up) {
            program.node = None;
        }
        Ok(program)
    }

    fn spell(&self, program: &Program) -> Result<Vec<Spelled>, PolicyError> {
        spell::spell(&self.rules, &self.host, program).map_err(PolicyError::Mistakes)
    }

    /// Where all of /tmp is allowed, what presets name in it grants nothing more, and would only pin directories.
    fn leave_out_private_corners(&self, spelled: &mut Vec<Spelled>) {
        let is_shared = |one: &Spelled| {
            ["/tmp", "/var/tmp"].iter().any(|top| one.front.as_path().starts_with(top))
        };
        let is_preset =
            |one: &Spelled| matches!(self.rules[one.rule.index()].origin, Origin::Preset { .. });
        spelled.retain(|one| !(is_preset(one) && is_shared(one)));
    }

    /// Follows links twice: first all of them, which gives the most that the target could ever change; then those
    /// that it could not.
    fn law(&mut self, spelled: &mut [Spelled], folding: &Folding) -> Arc<Law> {
        let followed = spell::canonicalise(spelled, &self.rules, &mut self.links, |_| false);
        let entries = spell::entries(spelled, &self.rules, &mut self.links, Purpose::Changeability);
        let law = Arc::new(Law::new(&entries, folding.clone()));
        let mut decider = Decider::new(Arc::clone(&law));
        let mut can_write =
            |link: &AbsPath| decider.decide(link).verdict(Access::Write).is_allowed();
        let changeable: BTreeSet<AbsPath> =
            followed.into_iter().filter(|link| can_write(link)).collect();
        if !changeable.is_empty() {
            let is_changeable = |link: &AbsPath| changeable.contains(link);
            spell::canonicalise(spelled, &self.rules, &mut self.links, is_changeable);
        }
        let entries = spell::entries(spelled, &self.rules, &mut self.links, Purpose::Law);
        Arc::new(Law::new(&entries, folding.clone()))
    }

    /// The host's folding mounts, and directories with the casefold flag that a pattern leads to.
    fn folding(&self, spelled: &[Spelled]) -> Folding {
        if !folding::is_supported() {
            return self.host.folding.clone();
        }
        let mut flagged = BTreeSet::new();
        for one in spelled {
            let mut at = Some(one.real_front().clone());
            while let Some(path) = at {
                if !flagged.insert(path.clone()) {
                    break;
                }
                at = path.parent();
            }
        }
        let flagged = flagged.into_iter().filter(folding::has_flag);
        self.host.folding.clone().with(flagged)
    }

    /// Directories that are made before the start: of presets, and allowed paths written with a trailing slash.
    fn create(
        &mut self,
        spelled: &[Spelled],
        program: &Program,
    ) -> Result<Vec<AbsPath>, PolicyError> {
        let is_directory = |one: &&Spelled| {
            one.is_exact
                && one.is_directory
                && self.rules[one.rule.index()].effect == Effect::Allowed
        };
        let mut create: BTreeSet<AbsPath> =
            spelled.iter().filter(is_directory).map(|one| one.real_front().clone()).collect();
        for (pattern, origin) in self.presets.iter().flat_map(|preset| &preset.create) {
            let alternatives = spell::alternatives(pattern, origin, &self.host, program)
                .map_err(|mistake| PolicyError::Mistakes(vec![mistake]))?;
            for alternative in alternatives {
                let names: Option<Vec<&[u8]>> =
                    alternative.components.iter().map(Component::literal).collect();
                let path = names.map(|names| {
                    names.into_iter().fold(AbsPath::root(), |path, name| path.join(name))
                });
                create.extend(path.map(|path| self.links.follow_all(&path)));
            }
        }
        let is_missing = |path: &AbsPath| self.links.look_at(path) == AtFront::Nothing;
        Ok(create.into_iter().filter(is_missing).collect())
    }

    fn environment(&self, program: &Program) -> Result<ResolvedEnvironment, PolicyError> {
        let mut resolved = ResolvedEnvironment::default();
        let of_presets = self.presets.iter().map(|preset| &preset.environment);
        let mut mistakes = Vec::new();
        // The user's own word comes last and wins.
        for environment in of_presets.chain([&self.policy.environment]) {
            for (name, (value, origin)) in &environment.set {
                match spell::text(value, origin, &self.host, program) {
                    Ok(Some(value)) => resolved.set.push((name.into(), value)),
                    Ok(None) => {}
                    Err(mistake) => mistakes.push(mistake),
                }
            }
        }
        if let Some(directory) = &self.host.temporary {
            resolved.set.push(("TMPDIR".into(), directory.as_path().as_os_str().to_owned()));
        }
        resolved.remove = removed(&self.host, &self.policy.environment);
        if mistakes.is_empty() { Ok(resolved) } else { Err(PolicyError::Mistakes(mistakes)) }
    }
}

/// The variables of the host that the policy removes and does not keep or set.
fn removed(host: &Host, environment: &Environment) -> Vec<OsString> {
    let matches = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(front) => name.starts_with(front),
        None => name == pattern,
    };
    let any = |patterns: &BTreeSet<String>, name: &OsStr| {
        name.to_str().is_some_and(|name| patterns.iter().any(|pattern| matches(pattern, name)))
    };
    let is_removed =
        |name: &&OsString| any(&environment.remove, name) && !any(&environment.keep, name);
    host.environment.keys().filter(is_removed).cloned().collect()
}

/// The rule that stands for the working directory's pin; it grants and denies nothing.
fn working_directory(host: &Host) -> Rule {
    Rule {
        pattern: Pattern::literal(&host.cwd),
        effect: Effect::Allowed,
        access: AccessSet::EMPTY,
        origin: Origin::BuiltIn { part: Origin::WORKING_DIRECTORY },
    }
}

impl ResolvedPolicy {
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

    /// The names of the presets in use.
    #[must_use]
    pub fn presets(&self) -> &[&'static str] {
        &self.presets
    }

    /// The directories that are made before the start, the private temporary one apart.
    #[must_use]
    pub fn create(&self) -> &[AbsPath] {
        &self.create
    }

    /// What changes in the command's environment.
    #[must_use]
    pub fn environment(&self) -> &ResolvedEnvironment {
        &self.environment
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

    /// The reason of a verdict, in words.
    #[must_use]
    pub fn reason(&self, verdict: Verdict) -> String {
        match verdict.rule() {
            Some(rule) => self.rule(rule).to_string(),
            None => "nothing allows it".to_owned(),
        }
    }
}
