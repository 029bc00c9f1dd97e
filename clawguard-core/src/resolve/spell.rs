//! Rules into automaton entries: variables, literal fronts, and the second spelling that links give.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use super::host::Host;
use super::links::{AtFront, Links};
use super::program::Program;
use crate::access::{Access, AccessSet};
use crate::decide::{Accept, Folding, Law, LawBuilder, Meaning, RuleId};
use crate::path::AbsPath;
use crate::policy::expand;
use crate::policy::pattern::{Alternative, Variables};
use crate::policy::{
    Component, Effect, Mistake, MistakeKind, Origin, PatternError, PatternErrorKind, Rule,
};

/// One alternative of a rule's pattern, as it was written, with its variables.
#[derive(Clone, Debug)]
pub(crate) struct Spelled {
    pub(crate) rule: RuleId,
    pub(crate) components: Vec<Component>,
    pub(crate) is_directory: bool,
    /// The leading literal components.
    pub(crate) front: AbsPath,
    /// Is the front the whole pattern? (SPEC: an exact rule.)
    pub(crate) is_exact: bool,
    /// Where the front really is, if following links changes it.
    pub(crate) canonical: Option<AbsPath>,
    /// The links on the way, by their own real paths.
    pub(super) links: Vec<AbsPath>,
    /// The link on the way that was not followed, since the target could change it.
    pub(crate) not_followed: Option<AbsPath>,
    /// What is at the front now.
    pub(crate) is_at_front: AtFront,
}

impl Spelled {
    /// The real path of the front, as far as links were followed.
    pub(crate) fn real_front(&self) -> &AbsPath {
        self.canonical.as_ref().unwrap_or(&self.front)
    }
}

/// The variables that only presets have, found from the command and its terminal.
const FOUND: [&str; 6] = [
    "COMMAND_ENVIRONMENT",
    "COMMAND_FILE",
    "COMMAND_MODULES",
    "NODE_BIN",
    "NODE_MODULES",
    "TERMINAL",
];

/// The host's variables and, for presets, those found from the command.
struct Known<'a> {
    host: &'a Host,
    program: Option<&'a Program>,
}

impl Variables for Known<'_> {
    fn value(&self, name: &str) -> Option<Vec<u8>> {
        match FOUND.contains(&name) {
            false => self.host.value(name),
            // Never from the environment: `TERMINAL` and its like are set there to other things.
            true => {
                let found = match name {
                    "TERMINAL" => self.host.terminal.clone(),
                    name => self.program.and_then(|program| program.variable(name)),
                };
                found.filter(|_| self.program.is_some()).map(|path| path.as_bytes().to_vec())
            }
        }
    }

    fn home(&self) -> Option<&AbsPath> {
        self.host.home.as_ref()
    }
}

/// Puts the variables into every rule. In a preset, an entry whose variable is not set is dropped.
///
/// The first rule has the number `first`.
pub(super) fn spell(
    rules: &[Rule],
    first: usize,
    host: &Host,
    program: &Program,
) -> Result<Vec<Spelled>, Vec<Mistake>> {
    let mut spelled = Vec::with_capacity(rules.len());
    let mut mistakes = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let id = RuleId(u32::try_from(first + index).unwrap_or(u32::MAX));
        match alternatives(&rule.pattern, &rule.origin, host, program) {
            Ok(alternatives) => {
                spelled.extend(alternatives.into_iter().map(|one| Spelled::new(id, one)))
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(spelled) } else { Err(mistakes) }
}

/// The alternatives of a pattern; none if a preset's variable is not set.
pub(super) fn alternatives(
    pattern: &crate::policy::Pattern,
    origin: &Origin,
    host: &Host,
    program: &Program,
) -> Result<Vec<Alternative>, Mistake> {
    let is_preset = matches!(origin, Origin::Preset { .. });
    let known = Known { host, program: is_preset.then_some(program) };
    match pattern.components(&known) {
        Ok(alternatives) => Ok(alternatives),
        Err(error) if is_preset && is_unset(&error.kind) => Ok(Vec::new()),
        Err(error) => Err(Mistake { origin: origin.clone(), kind: MistakeKind::Pattern(error) }),
    }
}

/// A value with `~` at its front and variables anywhere; none if a preset's variable is not set.
pub(super) fn text(
    value: &str,
    origin: &Origin,
    host: &Host,
    program: &Program,
) -> Result<Option<OsString>, Mistake> {
    let is_preset = matches!(origin, Origin::Preset { .. });
    let known = Known { host, program: is_preset.then_some(program) };
    match expand(value.as_bytes(), &known) {
        Ok(value) => Ok(Some(OsString::from_vec(value))),
        Err(kind) if is_preset && is_unset(&kind) => Ok(None),
        Err(kind) => {
            let error = PatternError { text: value.to_owned(), offset: 0, kind };
            Err(Mistake { origin: origin.clone(), kind: MistakeKind::Pattern(error) })
        }
    }
}

fn is_unset(kind: &PatternErrorKind) -> bool {
    matches!(
        kind,
        PatternErrorKind::UnknownVariable(_)
            | PatternErrorKind::EmptyVariable(_)
            | PatternErrorKind::RelativeVariable(..)
            | PatternErrorKind::NoHome
            | PatternErrorKind::DotDot
            | PatternErrorKind::Nul
    )
}

impl Spelled {
    fn new(rule: RuleId, alternative: Alternative) -> Spelled {
        let literal = |component: &Component| match component {
            Component::Literal(name) => Some(name.clone()),
            Component::Wild(_) | Component::Globstar => None,
        };
        let front: Vec<Box<[u8]>> = alternative.components.iter().map_while(literal).collect();
        let path = front.iter().fold(AbsPath::root(), |path, name| path.join(name));
        Spelled {
            rule,
            is_exact: front.len() == alternative.components.len(),
            is_directory: alternative.is_directory,
            front: path,
            components: alternative.components,
            canonical: None,
            links: Vec::new(),
            not_followed: None,
            is_at_front: AtFront::Nothing,
        }
    }
}

/// Follows the links in every literal front; `is_changeable` tells the links that the target could change.
///
/// A blocked rule follows them all: one more place blocked fails closed, one less would not.
pub(super) fn canonicalise(
    spelled: &mut [Spelled],
    rules: &[Rule],
    links: &mut Links,
    is_changeable: impl Fn(&AbsPath) -> bool,
) {
    for one in spelled {
        let allowed = match rules[one.rule.index()].effect {
            Effect::Allowed => true,
            Effect::Blocked | Effect::Guard => false,
        };
        let may_follow =
            |link: &AbsPath| !allowed || !is_changeable(link) && !is_in_shared_directory(link);
        let followed = links.follow(one.front.as_bytes(), may_follow);
        one.links = followed.links;
        one.not_followed = followed.stopped_at;
        one.canonical = (followed.path != one.front).then_some(followed.path);
        // What a blocked rule names need not exist.
        if rules[one.rule.index()].effect != Effect::Blocked {
            one.is_at_front = links.look_at(one.real_front());
        }
    }
}

/// A link where anybody may make one is nobody's word: an earlier run of the target may have left it.
pub(super) fn is_in_shared_directory(link: &AbsPath) -> bool {
    let parent = link.parent().and_then(|parent| std::fs::metadata(parent).ok());
    parent.is_none_or(|metadata| metadata.mode() & 0o002 != 0)
}

/// What a law is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To decide.
    Law,
    /// To find what the target could change: rules with `w` only.
    Changeability,
}

/// The automaton of all patterns.
///
/// For `Purpose::Changeability` an allowed rule that leads through a link speaks of the place behind it only: that
/// a rule names a link does not make the link the target's to change.
pub(super) fn law(spelled: &[Spelled], rules: &[Rule], purpose: Purpose, folding: Folding) -> Law {
    let mut law = LawBuilder::default();
    for one in spelled {
        let rule = &rules[one.rule.index()];
        let protects_links = rule.effect != Effect::Allowed && !one.links.is_empty();
        let speaks_of_w = rule.access.contains(Access::Write) || protects_links;
        if purpose == Purpose::Changeability && !speaks_of_w {
            continue;
        }
        let depth = one.front.depth();
        let with_front = |front: &AbsPath| -> Vec<Component> {
            literal(front).into_iter().chain(one.components[depth..].iter().cloned()).collect()
        };
        let mut add = |components: &[Component], meaning, access| {
            law.insert(components, Accept { rule: one.rule, meaning, access });
        };
        // Whoever replaces a link on the way decides what the rule holds for at the next start.
        let link_access = rule.access.with(Access::Write);
        match rule.effect {
            Effect::Allowed => {
                let meaning = if one.is_exact { Meaning::AllowedExact } else { Meaning::Allowed };
                if one.canonical.is_none() || purpose == Purpose::Law {
                    add(&one.components, meaning, rule.access);
                }
                if let Some(canonical) = &one.canonical {
                    add(&with_front(canonical), Meaning::Allowed, rule.access);
                }
                if is_pinned(one, rule) {
                    for pinned in one.links.iter().chain([one.real_front()]) {
                        add(&literal(pinned), Meaning::Pin, AccessSet::ALL);
                    }
                }
            }
            Effect::Blocked | Effect::Guard => {
                let (meaning, link_meaning) = match rule.effect {
                    Effect::Guard if one.is_at_front == AtFront::Nothing => {
                        (Meaning::GuardOfNothing, Meaning::Guard)
                    }
                    Effect::Guard => (Meaning::Guard, Meaning::Guard),
                    Effect::Blocked | Effect::Allowed => {
                        (blocked_meaning(one), Meaning::BlockedExact)
                    }
                };
                add(&one.components, meaning, rule.access);
                if let Some(canonical) = &one.canonical {
                    add(&with_front(canonical), meaning, rule.access);
                }
                for link in &one.links {
                    add(&literal(link), link_meaning, link_access);
                }
            }
        }
    }
    law.finish(folding)
}

fn literal(path: &AbsPath) -> Vec<Component> {
    path.components().map(|name| Component::Literal(Box::from(name))).collect()
}

/// A blocked `D/**` is as exact as `D`.
fn blocked_meaning(one: &Spelled) -> Meaning {
    let named = match one.components.as_slice() {
        [named @ .., Component::Globstar] => named,
        named => named,
    };
    let is_literal = |component: &Component| matches!(component, Component::Literal(_));
    if named.iter().all(is_literal) { Meaning::BlockedExact } else { Meaning::BlockedWild }
}

/// Must the next start find this directory again? One that a preset names counts only where it exists; the private
/// temporary directory is new at every start.
fn is_pinned(one: &Spelled, rule: &Rule) -> bool {
    one.is_exact
        && rule.origin != (Origin::BuiltIn { part: Origin::TEMPORARY })
        && match one.is_at_front {
            AtFront::Directory => true,
            AtFront::Nothing => rule.origin.is_user(),
            AtFront::Other => false,
        }
}
