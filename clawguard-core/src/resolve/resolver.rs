//! From a policy and a host to the law: presets chosen, variables put in, links followed, directories named.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::Arc;

use super::host::Host;
use super::links::{AtFront, Links};
use super::program::{Found, Program};
use super::spell::{self, Purpose, Spelled};
use super::{ResolvedEnvironment, ResolvedPolicy, alert, builtin, environment, folding};
use crate::access::{Access, AccessSet};
use crate::decide::{Decider, Folding, Law};
use crate::path::AbsPath;
use crate::policy::{
    Component, Effect, Listen, Mistake, Origin, Pattern, Policy, PolicyError, Preset, Rule,
    Temporary, preset,
};

/// Which paths the target could change, at most.
struct Changeable(Decider);

impl Changeable {
    fn new(spelled: &[Spelled], rules: &[Rule], folding: &Folding) -> Changeable {
        let law = spell::law(spelled, rules, Purpose::Changeability, folding.clone());
        Changeable(Decider::new(Arc::new(law)))
    }

    fn contains(&mut self, path: &AbsPath) -> bool {
        self.0.decide(path).verdict(Access::Write).is_allowed()
    }
}

pub(super) struct Resolver {
    policy: Policy,
    /// Without a private temporary directory where the policy gives none.
    host: Host,
    links: Links,
    rules: Vec<Rule>,
    presets: Vec<Preset>,
    /// What is wrong so far: everything that can be found is reported together.
    mistakes: Vec<Mistake>,
    /// What every start should say of the built-in default.
    remarks: Vec<String>,
}

impl Resolver {
    pub(super) fn new(policy: Policy, host: &Host) -> Result<Resolver, PolicyError> {
        let mut rules = policy.rules.clone();
        let (mut mistakes, mut remarks) = (Vec::new(), Vec::new());
        if policy.file.is_none() {
            match builtin::default(host, &rules) {
                Ok(default) => {
                    rules.extend(default.rules);
                    remarks = default.remarks;
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let mut host = host.clone();
        if policy.temporary != Temporary::Private {
            host.temporary = None;
        }
        rules.extend(builtin::temporary_rules(&host, policy.temporary));
        let links = Links::default();
        let presets = Vec::new();
        let mut resolver = Resolver { policy, host, links, rules, presets, mistakes, remarks };
        resolver.named_presets()?;
        Ok(resolver)
    }

    pub(super) fn resolve(mut self) -> Result<ResolvedPolicy, PolicyError> {
        let mut spelled = self.own()?;
        let program = self.program(&mut spelled)?;
        let first = self.rules.len();
        self.rules = self.all_rules();
        let guards = builtin::guards(&self.host, &self.policy, &mut self.links);
        self.rules.extend(guards);
        self.rules.push(working_directory(&self.host));
        self.others(&mut spelled, &self.rules.clone(), first, &program)?;
        let folding = self.folding(&spelled);
        let (law, mut changeable) = self.law(&mut spelled, &folding);
        let create = self.create(&spelled);
        let preset_create = self.preset_create(&program, &mut changeable)?;
        let environment = self.environment(&program).map_err(PolicyError::Mistakes)?;
        Ok(ResolvedPolicy {
            law,
            spelled,
            create,
            preset_create,
            temporary: self.host.temporary.clone(),
            environment,
            listen: self.listen(),
            logging: self.policy.logging.clone(),
            alert_files: self.alert_files(),
            journal: self.policy.journal.clone(),
            observe: self.policy.observe,
            name: self.policy.file.clone(),
            uid: self.host.uid,
            procfs: self.host.procfs.clone(),
            presets: self.presets.iter().map(|preset| preset.name).collect(),
            rules: self.rules,
            remarks: self.remarks,
            command: program.command,
        })
    }

    /// The presets that the policy names, or the default ones; every unknown name is reported.
    fn named_presets(&mut self) -> Result<(), PolicyError> {
        let origin = Origin::BuiltIn { part: "presets" };
        let default =
            || preset::DEFAULT.iter().map(|name| ((*name).to_owned(), origin.clone())).collect();
        let named: Vec<(String, Origin)> = self.policy.presets.clone().unwrap_or_else(default);
        for (name, origin) in named {
            match self.add_preset(&name, &origin) {
                Err(PolicyError::Mistakes(more)) => self.mistakes.extend(more),
                other => other?,
            }
        }
        Ok(())
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

    /// Puts the variables into the user's rules; everything that is wrong so far is reported together: presets, the
    /// default, variables in rules and in the environment.
    fn own(&mut self) -> Result<Vec<Spelled>, PolicyError> {
        let mut mistakes = std::mem::take(&mut self.mistakes);
        let program = Program::default();
        let spelled = spell::spell(&self.rules, 0, &self.host, &program);
        mistakes.extend(self.environment(&program).err().into_iter().flatten());
        match spelled {
            Ok(mut spelled) if mistakes.is_empty() => {
                spell::canonicalise(&mut spelled, &self.rules, &mut self.links, |_| false);
                Ok(spelled)
            }
            spelled => {
                mistakes.extend(spelled.err().into_iter().flatten());
                Err(PolicyError::Mistakes(mistakes))
            }
        }
    }

    /// Adds the rules from number `first` on, all links followed.
    fn others(
        &mut self,
        spelled: &mut Vec<Spelled>,
        rules: &[Rule],
        first: usize,
        program: &Program,
    ) -> Result<(), PolicyError> {
        let others = spell::spell(&rules[first..], first, &self.host, program);
        let mut others = others.map_err(PolicyError::Mistakes)?;
        if self.policy.temporary == Temporary::Shared {
            leave_out_private_corners(&mut others, rules);
        }
        spell::canonicalise(&mut others, rules, &mut self.links, |_| false);
        spelled.extend(others);
        Ok(())
    }

    fn all_rules(&self) -> Vec<Rule> {
        let presets = self.presets.iter().flat_map(|preset| preset.rules.iter());
        self.rules.iter().chain(presets).cloned().collect()
    }

    /// What is known of the command, as far as the target could not have made it up; adds the command's own preset.
    fn program(&mut self, own: &mut Vec<Spelled>) -> Result<Program, PolicyError> {
        let mut program = Program::find(&self.host, &mut self.links);
        let before = self.presets.len();
        if self.policy.presets.is_none() {
            let names: Vec<&[u8]> = program.names().collect();
            for preset in Preset::selected_by(&names)? {
                self.add_preset(preset.name, &Origin::BuiltIn { part: "presets" })?;
            }
        }
        // Judged with its own preset: what that lets the target write, it cannot be selected by.
        let (rules, first) = (self.all_rules(), own.len());
        self.others(own, &rules, self.rules.len(), &Program::default())?;
        let mut changeable = Changeable::new(own, &rules, &Folding::default());
        own.truncate(first);
        let mut is_made_up = |found: &Found| {
            found.rests_on().any(|path| {
                changeable.contains(path)
                    || path.parent().is_some_and(|parent| changeable.contains(&parent))
            })
        };
        if program.command.as_ref().is_some_and(&mut is_made_up) {
            self.presets.truncate(before);
            program = Program::without_command(&self.host, &mut self.links);
        }
        if program.node.as_ref().is_some_and(&mut is_made_up) {
            program.node = None;
        }
        if program.environment.as_ref().is_some_and(&mut is_made_up) {
            program.environment = None;
        }
        Ok(program)
    }

    /// Follows links once more where the target could change one: all of them were followed, which gives the most that
    /// it could ever change.
    fn law(&mut self, spelled: &mut [Spelled], folding: &Folding) -> (Arc<Law>, Changeable) {
        let mut changeable = Changeable::new(spelled, &self.rules, folding);
        let is_allowed = |one: &&Spelled| self.rules[one.rule.index()].effect == Effect::Allowed;
        let followed = spelled.iter().filter(is_allowed).flat_map(|one| &one.links);
        let links: BTreeSet<AbsPath> =
            followed.filter(|link| changeable.contains(link)).cloned().collect();
        if !links.is_empty() {
            let is_changeable = |link: &AbsPath| links.contains(link);
            spell::canonicalise(spelled, &self.rules, &mut self.links, is_changeable);
        }
        let law = spell::law(spelled, &self.rules, Purpose::Law, folding.clone());
        (Arc::new(law), changeable)
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

    /// Allowed paths written with a trailing slash: made before the start.
    fn create(&mut self, spelled: &[Spelled]) -> Vec<AbsPath> {
        let is_directory = |one: &&Spelled| {
            one.is_exact
                && one.is_directory
                && self.rules[one.rule.index()].effect == Effect::Allowed
        };
        let create: BTreeSet<AbsPath> =
            spelled.iter().filter(is_directory).map(|one| one.real_front().clone()).collect();
        let is_missing = |path: &AbsPath| self.links.look_at(path) == AtFront::Nothing;
        create.into_iter().filter(is_missing).collect()
    }

    /// The directories that presets make, through no link that the target could change.
    fn preset_create(
        &mut self,
        program: &Program,
        changeable: &mut Changeable,
    ) -> Result<Vec<AbsPath>, PolicyError> {
        let mut create = BTreeSet::new();
        for (pattern, origin) in self.presets.iter().flat_map(|preset| &preset.create) {
            let alternatives = spell::alternatives(pattern, origin, &self.host, program)
                .map_err(|mistake| PolicyError::Mistakes(vec![mistake]))?;
            for alternative in alternatives {
                let names: Option<Vec<&[u8]>> =
                    alternative.components.iter().map(Component::literal).collect();
                let Some(names) = names else { continue };
                let path = names.into_iter().fold(AbsPath::root(), |path, name| path.join(name));
                // All links first: whether one may be followed is asked of those that are there.
                let links = self.links.follow(path.as_bytes(), |_| true).links;
                let mut is_doubted = |link: &AbsPath| {
                    changeable.contains(link) || spell::is_in_shared_directory(link)
                };
                let doubted: BTreeSet<AbsPath> =
                    links.into_iter().filter(|link| is_doubted(link)).collect();
                let followed = self.links.follow(path.as_bytes(), |link| !doubted.contains(link));
                create.insert(followed.path);
            }
        }
        let is_missing = |path: &AbsPath| self.links.look_at(path) == AtFront::Nothing;
        Ok(create.into_iter().filter(is_missing).collect())
    }

    fn alert_files(&mut self) -> Vec<AbsPath> {
        let on_denied = self.policy.logging.on_denied.as_ref();
        on_denied.map_or(Vec::new(), |on_denied| {
            alert::files(&on_denied.command, &self.host, &mut self.links)
        })
    }

    /// Where sockets may listen: the user's own word, else the strictest of the presets.
    fn listen(&self) -> Option<(Listen, Origin)> {
        let of_presets = self.presets.iter().filter_map(|preset| preset.listen.as_ref());
        let strictest = of_presets.min_by_key(|(listen, _)| match listen {
            Listen::Loopback => 0,
            Listen::Any => 1,
        });
        self.policy.listen.as_ref().or(strictest).cloned()
    }

    fn environment(&self, program: &Program) -> Result<ResolvedEnvironment, Vec<Mistake>> {
        environment::resolve(&self.host, &self.presets, &self.policy.environment, program)
    }
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

/// Where all of /tmp is allowed, what presets grant in it is nothing more, and would only pin directories.
fn leave_out_private_corners(spelled: &mut Vec<Spelled>, rules: &[Rule]) {
    let is_shared =
        |one: &Spelled| ["/tmp", "/var/tmp"].iter().any(|top| one.front.as_path().starts_with(top));
    let is_grant_of_preset = |one: &Spelled| {
        let rule = &rules[one.rule.index()];
        rule.effect == Effect::Allowed && matches!(rule.origin, Origin::Preset { .. })
    };
    spelled.retain(|one| !(is_grant_of_preset(one) && is_shared(one)));
}
