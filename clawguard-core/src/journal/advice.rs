//! The smallest line that would allow a denied path, if there is one.
//!
//! Nothing is guessed: the law itself is asked what it would say with the line in it, or with a block taken out.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Rules;
use crate::access::{Access, AccessSet};
use crate::decide::{Accept, Decider, Meaning, RuleId, Verdict};
use crate::path::AbsPath;
use crate::policy::{Effect, Origin, Pattern};
use crate::quote::quote;

/// How many blocks of one path are named before it is said that there are too many.
const MAX_BLOCKS: usize = 4;

/// No rule of any policy.
const NEW: RuleId = RuleId(u32::MAX);

/// What stands between a path and an access.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// An exact allowed rule is enough, once these blocks are gone.
    Allow(Vec<RuleId>),
    /// Something else allows it, once these blocks are gone.
    Remove(Vec<RuleId>),
    /// Nothing goes through a guard.
    Guard,
    /// More than a few exact blocks.
    Blocked,
}

/// The accesses among `access` that the law denies at `path`, and what would allow them; none if the law does not
/// deny it.
pub(super) fn advice(rules: &Rules, path: &AbsPath, access: AccessSet) -> Option<String> {
    let decision = Decider::new(Arc::clone(&rules.law)).decide(path);
    let denied: AccessSet =
        access.iter().filter(|access| !decision.verdict(*access).is_allowed()).collect();
    if denied.is_empty() {
        return None;
    }
    let mut removed: Vec<RuleId> = Vec::new();
    let mut allowed = AccessSet::EMPTY;
    for access in denied.iter() {
        match way(rules, path, access) {
            Way::Guard => return Some("a guard, which no rule goes through".to_owned()),
            Way::Blocked => return Some("more than one line blocks it by name".to_owned()),
            Way::Allow(blocks) => {
                allowed = allowed.with(access);
                removed.extend(blocks);
            }
            Way::Remove(blocks) => removed.extend(blocks),
        }
    }
    removed.sort_unstable();
    removed.dedup();
    let mut steps: Vec<String> = removed
        .iter()
        .filter_map(|id| rules.get(*id))
        .map(|rule| format!("remove the block `{}` ({})", rule.pattern, rule.origin))
        .collect();
    if !allowed.is_empty() {
        // On top of the built-in default the first `--allow` takes the place of the working directory's rule.
        let keeps = if rules.has_default_workspace() { "--allow . " } else { "" };
        steps.push(format!("{keeps}--allow {}", argument(path, allowed)));
    }
    Some(format!("to allow it: {}", steps.join(" and ")))
}

fn way(rules: &Rules, path: &AbsPath, access: Access) -> Way {
    let mut removed = Vec::new();
    while removed.len() <= MAX_BLOCKS {
        if !removed.is_empty() && ask(rules, path, access, &removed, None).is_allowed() {
            return Way::Remove(removed);
        }
        match ask(rules, path, access, &removed, Some(Meaning::AllowedExact)) {
            Verdict::Allowed(_) => return Way::Allow(removed),
            Verdict::NothingAllows => return Way::Blocked,
            Verdict::Denied(rule) => match rules.get(rule).map(|rule| rule.effect) {
                Some(Effect::Guard) => return Way::Guard,
                Some(Effect::Blocked) if removed.contains(&rule) => return Way::Blocked,
                Some(Effect::Blocked) => removed.push(rule),
                Some(Effect::Allowed) | None => return Way::Blocked,
            },
        }
    }
    Way::Blocked
}

/// What the law would say of `path` without the rules `removed`, and with one of that very path that means `more`.
fn ask(
    rules: &Rules,
    path: &AbsPath,
    access: Access,
    removed: &[RuleId],
    more: Option<Meaning>,
) -> Verdict {
    let mut decider = Decider::new(Arc::clone(&rules.law));
    let folding = rules.law.folding();
    let stays = |accept: &&Accept| !removed.contains(&accept.rule);
    let mut at = decider.root();
    let mut above = before_any_rule(decider.standing(at, access));
    // Not `walk`: it stops where no present rule makes a difference any more.
    for (depth, name) in path.components().enumerate() {
        above = above.descend(access, decider.accepts(at).filter(stays));
        at = decider.step(at, name, folding.case(path, depth));
    }
    let new = more.map(|meaning| Accept { rule: NEW, meaning, access: access.into() });
    let here = decider.accepts(at).filter(stays).chain(new.as_ref());
    above.descend(access, here).verdict()
}

/// The standing above `/`.
fn before_any_rule<Standing: Default>(_: Standing) -> Standing {
    Standing::default()
}

/// `PATH:rwx` as the shell and the pattern language would have it written.
fn argument(path: &AbsPath, access: AccessSet) -> String {
    let mut pattern = Pattern::spell(path);
    pattern.extend_from_slice(format!(":{access}").as_bytes());
    quote(&pattern)
}

impl Rules {
    fn has_default_workspace(&self) -> bool {
        let default = Origin::BuiltIn { part: Origin::DEFAULT };
        self.rules.iter().any(|rule| rule.effect == Effect::Allowed && rule.origin == default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::rules;
    use crate::policy::{Component, Place};
    use crate::resolve::Host;

    fn ask(file_access: &str, path: &str, access: &str) -> Option<String> {
        let access = AccessSet::parse(access).unwrap();
        advice(&rules(file_access), &AbsPath::parse(path).unwrap(), access)
    }

    #[test]
    fn the_line_names_what_is_missing_and_no_more() {
        let policy = "allowed_paths: [/w, {path: /o, access: r}], blocked_paths: ['**/.env', /w/s]";
        let line = |path, access| ask(policy, path, access);
        assert_eq!(line("/w/.env", "r").unwrap(), "to allow it: --allow /w/.env:r");
        assert_eq!(line("/w/.env/x", "rw").unwrap(), "to allow it: --allow /w/.env/x:rw");
        assert_eq!(line("/w/s/pub", "r").unwrap(), "to allow it: --allow /w/s/pub:r");
        assert_eq!(line("/o/a", "rw").unwrap(), "to allow it: --allow /o/a:w");
        assert_eq!(line("/w/a", "rw"), None);
    }

    #[test]
    fn a_block_by_name_is_to_be_removed_and_a_guard_stays() {
        let policy =
            "allowed_paths: [/w], blocked_paths: [/w/s, /n, {path: /w/t, access: r}, '/w/t/**']";
        let removed = ask(policy, "/w/s", "r").unwrap();
        assert_eq!(removed, "to allow it: remove the block `/w/s` (p.yaml:1)");
        let both = ask(policy, "/n", "w").unwrap();
        assert_eq!(both, "to allow it: remove the block `/n` (p.yaml:1) and --allow /n:w");
        let two = ask(policy, "/w/t", "r").unwrap();
        assert_eq!(
            two,
            "to allow it: remove the block `/w/t` (p.yaml:1) and remove the block `/w/t/**` (p.yaml:1)"
        );
        let guard = ask("allowed_paths: [/]", "/home/u/.openclaw/config.yaml", "w").unwrap();
        assert_eq!(guard, "a guard, which no rule goes through");
    }

    #[test]
    fn a_block_beneath_what_no_rule_can_change_is_found() {
        let policy = "blocked_paths: [/b, /b/c/d]";
        assert_eq!(ask(policy, "/b/c", "r").unwrap(), "to allow it: --allow /b/c:r");
        let deep = ask(policy, "/b/c/d", "r").unwrap();
        assert_eq!(deep, "to allow it: remove the block `/b/c/d` (p.yaml:1) and --allow /b/c/d:r");
    }

    #[test]
    fn an_argument_is_the_path_again_for_shell_and_pattern() {
        let path = |bytes: &[u8]| AbsPath::parse(bytes).unwrap();
        let read = AccessSet::parse("r").unwrap();
        assert_eq!(argument(&path(b"/a b/[x]*$HOME{1,2}"), read), r"'/a b/\[x]\*\$HOME\{1,2\}:r'");
        assert_eq!(argument(&path(b"/it's"), read), r"'/it'\''s:r'");
        assert_eq!(argument(&path(b"/\n\xff\\"), read), r"$'/\012\377\\\\:r'");
        let host = Host::current().unwrap();
        for name in [&b"[x]*$HOME{1,2}"[..], b"a\\b?", b"~", b"\n}", b"${A}", b"\xff]"] {
            let path = path(&[b"/", name].concat());
            let pattern = Pattern::parse(&Pattern::spell(&path), Place::CommandLine).unwrap();
            let alternatives = pattern.components(&host).unwrap();
            assert_eq!(alternatives.len(), 1);
            assert_eq!(alternatives[0].components, [Component::Literal(Box::from(name))]);
        }
    }
}
