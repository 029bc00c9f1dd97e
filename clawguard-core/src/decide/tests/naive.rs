//! SPEC sections 3 and 4, read slowly: patterns as text, recursion for everything, no state between two questions. It
//! shares no code with the automaton. `fuzz/` includes this file too, so it names nothing but its parent's imports.
//!
//! Only for patterns that the library took: mistakes are not found here. Variables and links are not known here.

use super::{Access, AccessSet, Effect};

/// A rule, by its pattern's text.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) effect: Effect,
    pub(crate) access: AccessSet,
    pub(crate) pattern: Vec<u8>,
}

/// One alternative of a rule, ready to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Alternative {
    effect: Effect,
    access: AccessSet,
    components: Vec<Vec<Piece>>,
}

/// A piece of a component.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Byte(u8),
    Any,
    Star,
    Class { negated: bool, ranges: Vec<(u8, u8)> },
}

/// Every rule's alternatives.
pub(crate) fn read(rules: &[Rule]) -> Vec<Alternative> {
    let alternatives = |rule: &Rule| -> Vec<Alternative> {
        let one = |text: Vec<u8>| Alternative {
            effect: rule.effect,
            access: rule.access,
            components: components(&text),
        };
        expand(&rule.pattern).into_iter().map(one).collect()
    };
    rules.iter().flat_map(alternatives).collect()
}

/// The length of what begins a text and is no brace: an escaped byte, a class, or one byte.
fn unit(text: &[u8]) -> usize {
    match text {
        [b'\\', _, ..] => 2,
        [b'[', rest @ ..] => {
            let first = if matches!(rest, [b'!' | b'^', ..]) { 2 } else { 1 };
            first + rest[first..].iter().position(|byte| *byte == b']').unwrap() + 2
        }
        _ => 1,
    }
}

/// `{a,b}`: the first group is replaced by each of its parts, and what comes out is expanded again.
fn expand(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut depth, mut open, mut cuts) = (0, 0, 0, Vec::new());
    while at < text.len() {
        match text[at] {
            b'{' => {
                depth += 1;
                if depth == 1 {
                    (open, cuts) = (at, vec![at]);
                }
            }
            b',' if depth == 1 => cuts.push(at),
            b'}' if depth == 1 => {
                cuts.push(at);
                let parts = cuts.windows(2).map(|cut| &text[cut[0] + 1..cut[1]]);
                let whole = parts.map(|part| [&text[..open], part, &text[at + 1..]].concat());
                return whole.flat_map(|text| expand(&text)).collect();
            }
            b'}' if depth > 1 => depth -= 1,
            _ => {}
        }
        at += unit(&text[at..]);
    }
    vec![text.to_vec()]
}

fn components(text: &[u8]) -> Vec<Vec<Piece>> {
    let mut all = vec![Vec::new()];
    let mut at = 0;
    while at < text.len() {
        let length = unit(&text[at..]);
        let piece = match &text[at..at + length] {
            b"/" => {
                all.push(Vec::new());
                at += 1;
                continue;
            }
            b"*" => Piece::Star,
            b"?" => Piece::Any,
            [b'\\', byte] | [byte] => Piece::Byte(*byte),
            class => self::class(&class[1..class.len() - 1]),
        };
        all.last_mut().unwrap().push(piece);
        at += length;
    }
    all.retain(|pieces| !pieces.is_empty() && pieces.as_slice() != [Piece::Byte(b'.')]);
    all
}

fn class(body: &[u8]) -> Piece {
    let negated = matches!(body, [b'!' | b'^', ..]);
    let mut rest = if negated { &body[1..] } else { body };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            [] => return Piece::Class { negated, ranges },
            [from, b'-', to, more @ ..] => {
                ranges.push((*from, *to));
                more
            }
            [one, more @ ..] => {
                ranges.push((*one, *one));
                more
            }
        };
    }
}

fn is_globstar(component: &[Piece]) -> bool {
    component == [Piece::Star, Piece::Star]
}

fn is_literal(component: &[Piece]) -> bool {
    component.iter().all(|piece| matches!(piece, Piece::Byte(_)))
}

fn glob(pieces: &[Piece], name: &[u8]) -> bool {
    match (pieces, name) {
        ([], rest) => rest.is_empty(),
        ([Piece::Star, more @ ..], rest) => {
            glob(more, rest) || !rest.is_empty() && glob(pieces, &rest[1..])
        }
        (_, []) => false,
        ([first, more @ ..], [byte, rest @ ..]) => {
            let takes = match first {
                Piece::Byte(own) => own == byte,
                Piece::Any | Piece::Star => true,
                Piece::Class { negated, ranges } => {
                    ranges.iter().any(|(from, to)| from <= byte && byte <= to) != *negated
                }
            };
            takes && glob(more, rest)
        }
    }
}

fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".")
}

fn matches(pattern: &[Vec<Piece>], path: &[&[u8]], effect: Effect) -> bool {
    let spares = effect == Effect::Allowed;
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    if is_globstar(first) {
        let spares_hidden = spares && !rest.is_empty();
        return matches(rest, path, effect)
            || path.split_first().is_some_and(|(name, deeper)| {
                !(spares_hidden && is_hidden(name)) && matches(pattern, deeper, effect)
            });
    }
    path.split_first().is_some_and(|(name, deeper)| {
        let spared = spares
            && is_hidden(name)
            && !is_literal(first)
            && first.first() != Some(&Piece::Byte(b'.'));
        !spared && glob(first, name) && matches(rest, deeper, effect)
    })
}

fn has_wildcard(rule: &Alternative) -> bool {
    let named = match rule.components.as_slice() {
        [named @ .., last] if is_globstar(last) && rule.effect != Effect::Allowed => named,
        all => all,
    };
    !named.iter().all(|component| is_literal(component))
}

/// Does a blocked rule or guard with this access match this very path?
#[allow(dead_code, reason = "only the fuzz target about links asks")]
pub(crate) fn is_blocked_by_name(rules: &[Alternative], path: &[&[u8]], access: Access) -> bool {
    let blocks =
        |rule: &Alternative| rule.effect != Effect::Allowed && rule.access.contains(access);
    rules.iter().any(|rule| blocks(rule) && matches(&rule.components, path, rule.effect))
}

/// SPEC section 4: "`x` needs `r` besides".
pub(crate) fn decide(rules: &[Alternative], path: &[&[u8]], access: Access) -> bool {
    let needs_read = access == Access::Execute;
    decide_alone(rules, path, access) && (!needs_read || decide_alone(rules, path, Access::Read))
}

fn decide_alone(rules: &[Alternative], path: &[&[u8]], access: Access) -> bool {
    let with = |effect: Effect| -> Vec<&Alternative> {
        let speaks = |rule: &&Alternative| rule.effect == effect && rule.access.contains(access);
        rules.iter().filter(speaks).collect()
    };
    let is_here =
        |rule: &Alternative, depth: usize| matches(&rule.components, &path[..depth], rule.effect);
    let deepest = |rules: &[&Alternative]| {
        (0..=path.len()).rev().find(|depth| rules.iter().any(|rule| is_here(rule, *depth)))
    };
    let (allowed, blocked, guards) =
        (with(Effect::Allowed), with(Effect::Blocked), with(Effect::Guard));
    if deepest(&guards).is_some() {
        return false;
    }
    let Some(b) = deepest(&blocked) else { return deepest(&allowed).is_some() };
    let exact: Vec<&Alternative> =
        allowed.iter().copied().filter(|rule| !has_wildcard(rule)).collect();
    match deepest(&exact) {
        Some(e) if e > b => true,
        Some(e) if e == b => {
            blocked.iter().filter(|rule| is_here(rule, b)).all(|rule| has_wildcard(rule))
        }
        Some(_) | None => false,
    }
}
