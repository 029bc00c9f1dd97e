//! `{a,b}`: one pattern text into its alternatives, before anything else is read.

#![forbid(unsafe_code)]

use super::pattern::PatternErrorKind;
use super::token::class_end;

/// How many patterns the braces of one pattern may stand for.
pub(super) const MAX_ALTERNATIVES: usize = 4096;

/// How long all of them may be together, in bytes.
pub(super) const MAX_EXPANDED: usize = 1024 * 1024;

/// The alternatives in the order in which they are written. An error comes with its place in the text.
pub(super) fn expand(text: &[u8]) -> Result<Vec<Vec<u8>>, (usize, PatternErrorKind)> {
    let mut done = Vec::new();
    let mut waiting = vec![text.to_vec()];
    let mut bytes = text.len();
    while let Some(text) = waiting.pop() {
        match group(&text)? {
            None => done.push(text),
            Some(group) => {
                let alternative =
                    |part: &[u8]| [&text[..group.open], part, &text[group.close + 1..]].concat();
                let start = waiting.len();
                bytes -= text.len();
                for &(from, to) in &group.parts {
                    let part = alternative(&text[from..to]);
                    bytes += part.len();
                    if bytes > MAX_EXPANDED {
                        return Err((0, PatternErrorKind::TooMuchText));
                    }
                    waiting.push(part);
                }
                waiting[start..].reverse();
            }
        }
        if done.len() + waiting.len() > MAX_ALTERNATIVES {
            return Err((0, PatternErrorKind::TooManyAlternatives));
        }
    }
    Ok(done)
}

/// The first outermost `{...}` of a text.
struct Group {
    open: usize,
    close: usize,
    parts: Vec<(usize, usize)>,
}

fn group(text: &[u8]) -> Result<Option<Group>, (usize, PatternErrorKind)> {
    let mut opened: Vec<usize> = Vec::new();
    let mut parts = Vec::new();
    let mut part = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => {
                let end =
                    class_end(&text[at + 1..]).ok_or((at, PatternErrorKind::Unclosed('[')))?;
                at += 1 + end;
            }
            // `${NAME}` is a variable, not a group.
            b'$' if text.get(at + 1) == Some(&b'{') => {
                let end = text[at..].iter().position(|&byte| byte == b'}');
                at += end.ok_or((at, PatternErrorKind::VariableSyntax))?;
            }
            b'{' => {
                opened.push(at);
                if opened.len() == 1 {
                    part = at + 1;
                }
            }
            b',' if opened.len() == 1 => {
                parts.push((part, at));
                part = at + 1;
            }
            b'}' => {
                if let (Some(open), true) = (opened.pop(), opened.is_empty()) {
                    parts.push((part, at));
                    return Ok(Some(Group { open, close: at, parts }));
                }
            }
            _ => {}
        }
        at += 1;
    }
    match opened.first() {
        Some(&open) => Err((open, PatternErrorKind::Unclosed('{'))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> Vec<String> {
        let alternatives = expand(text.as_bytes()).unwrap();
        alternatives.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn groups_nest_and_may_be_empty() {
        assert_eq!(show("a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(show("a{,b}"), ["a", "ab"]);
        assert_eq!(show(r"a\{b,c}"), [r"a\{b,c}"]);
        assert_eq!(show("${A}{x,y}"), ["${A}x", "${A}y"]);
    }

    #[test]
    fn an_explosion_is_refused() {
        let bomb = "{a,b}".repeat(40);
        assert_eq!(expand(bomb.as_bytes()).unwrap_err().1, PatternErrorKind::TooManyAlternatives);
        let long = format!("{}{}", "{a,b}".repeat(10), "x".repeat(2000));
        assert_eq!(expand(long.as_bytes()).unwrap_err().1, PatternErrorKind::TooMuchText);
    }
}
