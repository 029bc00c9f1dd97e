//! SPEC section 3 (patterns) and section 4 (the decision), as slowly and as plainly as they can be read. Written from
//! the text; knows nothing of clawguard's code.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;

/// One component of a path.
pub(crate) type Name = Vec<u8>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Access {
    Read,
    Write,
    Execute,
}

pub(crate) const ACCESSES: [Access; 3] = [Access::Read, Access::Write, Access::Execute];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allowed,
    Blocked,
    /// "a built-in blocked rule that nothing pierces"
    Guard,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Byte(u8),
    /// `?`
    One,
    /// `*`
    Any,
    /// `[...]`: ranges, and whether it is negated
    Class(Vec<(u8, u8)>, bool),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    Units(Vec<Unit>),
    /// "`**` alone (zero or more components)"
    Stars,
}

impl Component {
    fn is_wild(&self) -> bool {
        match self {
            Component::Stars => true,
            Component::Units(units) => units.iter().any(|unit| !matches!(unit, Unit::Byte(_))),
        }
    }

    /// The name that it spells, if it has no wildcard.
    pub(crate) fn literal(&self) -> Option<Name> {
        let byte = |unit: &Unit| if let Unit::Byte(byte) = unit { Some(*byte) } else { None };
        match self {
            Component::Stars => None,
            Component::Units(units) => units.iter().map(byte).collect(),
        }
    }

    /// Does this component match one name? "In a *blocked* pattern wildcards and `**` match names that begin with a
    /// dot. In an *allowed* pattern they do not, unless the component itself begins with a literal dot."
    pub(crate) fn matches(&self, name: &[u8], effect: Effect) -> bool {
        let is_hidden = name.first() == Some(&b'.');
        match self {
            Component::Stars => !(is_hidden && effect == Effect::Allowed),
            Component::Units(units) => {
                let spells_dot = units.first() == Some(&Unit::Byte(b'.'));
                let spares = effect == Effect::Allowed && is_hidden && !spells_dot;
                !(spares && self.is_wild()) && units_match(units, name)
            }
        }
    }
}

/// "`?` and a class take one byte"; `*` takes any bytes.
fn units_match(units: &[Unit], name: &[u8]) -> bool {
    let Some((unit, rest)) = units.split_first() else { return name.is_empty() };
    let one = |takes: bool| takes && units_match(rest, &name[1..]);
    match unit {
        Unit::Any => (0..=name.len()).any(|taken| units_match(rest, &name[taken..])),
        Unit::Byte(byte) => one(name.first() == Some(byte)),
        Unit::One => one(!name.is_empty()),
        Unit::Class(ranges, is_negated) => one(name.first().is_some_and(|byte| {
            ranges.iter().any(|(low, high)| low <= byte && byte <= high) != *is_negated
        })),
    }
}

/// A rule: one pattern without braces, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) effect: Effect,
    pub(crate) accesses: Vec<Access>,
    /// Without a trailing `/**`.
    pub(crate) components: Vec<Component>,
    /// "`D/**` names D and everything in it, hidden or not"
    pub(crate) is_tree: bool,
}

impl Rule {
    /// Reads a pattern as it stands in a policy, into one rule for each alternative of its braces.
    pub(crate) fn parse(text: &[u8], effect: Effect, accesses: &[Access]) -> Vec<Rule> {
        let one = |text: Vec<u8>| {
            // "`**/` (short for `/**/`)"; "Empty components and `.` vanish".
            let parts = text.split(|byte| *byte == b'/');
            let parts = parts.filter(|part| !part.is_empty() && *part != b".");
            let mut components: Vec<Component> = parts.map(component).collect();
            let is_tree = components.last() == Some(&Component::Stars);
            if is_tree {
                components.pop();
            }
            Rule { effect, accesses: accesses.to_vec(), components, is_tree }
        };
        braces(text).into_iter().map(one).collect()
    }

    /// "a rule without any wildcard"; "`D/**` ... in an allowed rule it is not exact, in a blocked rule it is as exact
    /// as D".
    pub(crate) fn is_exact(&self) -> bool {
        let is_literal = !self.components.iter().any(Component::is_wild);
        is_literal && !(self.is_tree && self.effect == Effect::Allowed)
    }

    /// "A pattern *matches* a path when the whole path matches."
    pub(crate) fn matches(&self, path: &[Name]) -> bool {
        let ends = if self.is_tree { 0..=path.len() } else { path.len()..=path.len() };
        ends.into_iter().any(|end| matches(&self.components, &path[..end], self.effect))
    }

    /// The path that an exact rule names.
    pub(crate) fn literal(&self) -> Option<Vec<Name>> {
        self.components.iter().map(Component::literal).collect()
    }
}

fn matches(components: &[Component], path: &[Name], effect: Effect) -> bool {
    let Some((first, rest)) = components.split_first() else { return path.is_empty() };
    match (first, path.split_first()) {
        (Component::Stars, None) => matches(rest, path, effect),
        (Component::Stars, Some((name, beyond))) => {
            matches(rest, path, effect)
                || first.matches(name, effect) && matches(components, beyond, effect)
        }
        (Component::Units(_), None) => false,
        (Component::Units(_), Some((name, beyond))) => {
            first.matches(name, effect) && matches(rest, beyond, effect)
        }
    }
}

/// "`{a,b}` is expanded first. `\` takes the next character literally."
fn braces(text: &[u8]) -> Vec<Vec<u8>> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'{' => {
                let close = at + text[at..].iter().position(|byte| *byte == b'}').unwrap();
                let choices = text[at + 1..close].split(|byte| *byte == b',');
                let all = choices.map(|choice| [&text[..at], choice, &text[close + 1..]].concat());
                return all.flat_map(|text| braces(&text)).collect();
            }
            _ => {}
        }
        at += 1;
    }
    vec![text.to_vec()]
}

/// "A component is a literal, a wildcard (`*`, `?`, `[...]`, `[!...]` or `[^...]`), or `**` alone"; "a class is ASCII,
/// `]` first in it is literal and `\` an ordinary byte in it".
fn component(text: &[u8]) -> Component {
    if text == b"**" {
        return Component::Stars;
    }
    let mut units = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        units.push(match byte {
            b'*' => Unit::Any,
            b'?' => Unit::One,
            b'\\' => {
                let literal = rest[0];
                rest = &rest[1..];
                Unit::Byte(literal)
            }
            b'[' => {
                let is_negated = matches!(rest[0], b'!' | b'^');
                rest = &rest[usize::from(is_negated)..];
                let close = 1 + rest[1..].iter().position(|byte| *byte == b']').unwrap();
                let (class, after) = (&rest[..close], &rest[close + 1..]);
                rest = after;
                Unit::Class(ranges(class), is_negated)
            }
            byte => Unit::Byte(byte),
        });
    }
    Component::Units(units)
}

fn ranges(class: &[u8]) -> Vec<(u8, u8)> {
    match class {
        [] => Vec::new(),
        [low, b'-', high, rest @ ..] => [vec![(*low, *high)], ranges(rest)].concat(),
        [byte, rest @ ..] => [vec![(*byte, *byte)], ranges(rest)].concat(),
    }
}

/// All rules of a policy, as they hold for real paths.
#[derive(Debug, Default)]
pub(crate) struct Law {
    pub(crate) rules: Vec<Rule>,
    seen: RefCell<HashMap<(Access, Vec<Name>), bool>>,
}

impl Law {
    pub(crate) fn new(rules: Vec<Rule>) -> Law {
        Law { rules, seen: RefCell::default() }
    }

    /// The same, asked once.
    pub(crate) fn allows(&self, access: Access, path: &[Name]) -> bool {
        let key = (access, path.to_vec());
        let known = self.seen.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let verdict = self.decide(access, path);
            self.seen.borrow_mut().insert(key, verdict);
            verdict
        })
    }

    /// "`x` needs `r` besides: who executes a file reads it."
    pub(crate) fn decide(&self, access: Access, path: &[Name]) -> bool {
        let needs_read = access == Access::Execute;
        self.decide_alone(access, path) && (!needs_read || self.decide_alone(Access::Read, path))
    }

    /// "For one access A and one absolute real path p (`depth` = number of components)"
    fn decide_alone(&self, access: Access, path: &[Name]) -> bool {
        let rules = |effect: Effect| {
            self.rules
                .iter()
                .filter(move |rule| rule.effect == effect && rule.accesses.contains(&access))
        };
        // "A rule *covers* a path when its pattern matches the path or any ancestor of it."
        let covers = |rule: &Rule| (0..=path.len()).any(|depth| rule.matches(&path[..depth]));
        // "0. If a guard with A covers p: denied."
        if rules(Effect::Guard).any(covers) {
            return false;
        }
        // "1. `b` = the depth of the deepest ancestor-or-self of p that some blocked rule with A matches. None: go to 3."
        let blocked =
            |depth: &usize| rules(Effect::Blocked).any(|rule| rule.matches(&path[..*depth]));
        if let Some(b) = (0..=path.len()).rev().find(blocked) {
            // "2. `e` = the depth of the deepest ancestor-or-self of p that is named by an exact allowed rule with A."
            let exact = |depth: &usize| {
                rules(Effect::Allowed).any(|rule| rule.is_exact() && rule.matches(&path[..*depth]))
            };
            let Some(e) = (0..=path.len()).rev().find(exact) else { return false };
            // "unless `e > b`, or `e == b` and every blocked rule with A that matches at depth `b` has a wildcard."
            let all_wild = rules(Effect::Blocked)
                .filter(|rule| rule.matches(&path[..b]))
                .all(|rule| !rule.is_exact());
            return e > b || (e == b && all_wild);
        }
        // "3. p is allowed if some allowed rule with A covers p; else denied."
        rules(Effect::Allowed).any(covers)
    }

    /// Is an access allowed at `new` that is denied at `old`?
    pub(crate) fn gains(&self, old: &[Name], new: &[Name]) -> bool {
        ACCESSES.iter().any(|access| self.allows(*access, new) && !self.allows(*access, old))
    }
}

/// A path's components.
pub(crate) fn split(path: &[u8]) -> Vec<Name> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

/// The path that has these components.
pub(crate) fn join(path: &[Name]) -> Vec<u8> {
    let mut text: Vec<u8> = path.iter().flat_map(|name| [b"/", &name[..]].concat()).collect();
    if text.is_empty() {
        text.push(b'/');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SPEC section 4: "| policy | path | r | why |"
    #[test]
    fn the_table_of_the_law_reads_as_it_is_written() {
        let rows: [(&[&str], &[&str], &str, bool); 12] = [
            (&["/w"], &["**/.env"], "/w/a/.env", false),
            (&["/w"], &["**/.env"], "/w/a/.env/x", false),
            (&["/w"], &["**/.env"], "/w/a/.envrc", true),
            (&["/w", "/w/.env"], &["**/.env"], "/w/.env", true),
            (&["/w", "/w/s/pub"], &["/w/s"], "/w/s/pub/x", true),
            (&["/w", "/w/s/pub"], &["/w/s", "/w/s/pub/key"], "/w/s/pub/key", false),
            (&["/w/s"], &["/w/s"], "/w/s", false),
            (&["/w/s/*"], &["/w/s"], "/w/s/a", false),
            (&["/h/*"], &[], "/h/.ssh", false),
            (&["/h/**"], &[], "/h/.ssh", true),
            (&["/h/*"], &[], "/h/p/.git", true),
            (&["/h/.claw"], &["/h/.*"], "/h/.claw/db", true),
        ];
        for (allowed, blocked, path, expected) in rows {
            let parse = |effect| move |text: &&str| Rule::parse(text.as_bytes(), effect, &ACCESSES);
            let allowed = allowed.iter().flat_map(parse(Effect::Allowed));
            let law =
                Law::new(allowed.chain(blocked.iter().flat_map(parse(Effect::Blocked))).collect());
            assert_eq!(law.decide(Access::Read, &split(path.as_bytes())), expected, "{path}");
        }
    }
}
