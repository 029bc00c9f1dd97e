//! Lines put into the text of a policy, so that everything else in it stays as its owner wrote it: comments, order,
//! spacing.
//!
//! It knows the two ways in which YAML is usually written and guesses nothing: whoever calls it reads the result again
//! and compares what it says.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::diff::{self, Change};

/// A policy's new text, or what a person has to add.
#[derive(Clone, Debug)]
pub(crate) enum Edited {
    File { text: String, diff: String },
    ByHand { file: PathBuf, presets: Vec<&'static str>, entries: Vec<Entry> },
}

/// An entry of `allowed_paths`, and the comment behind it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: String,
    pub(crate) why: String,
}

/// The new text and how it came about.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) changes: Vec<Change>,
}

const SECTION: [&str; 2] = ["security", "file_access"];

/// Puts presets and entries in; none where the text is written in some other way.
pub(super) fn edit(text: &str, presets: &[&str], entries: &[Entry]) -> Option<Text> {
    let mut changes = Vec::new();
    let mut text = text.to_owned();
    if !presets.is_empty() {
        let values: Vec<Entry> = presets
            .iter()
            .map(|name| Entry { value: (*name).to_owned(), why: String::new() })
            .collect();
        let change = change(&text, "presets", &values)?;
        text = diff::apply(&text, std::slice::from_ref(&change));
        changes.push(change);
    }
    if !entries.is_empty() {
        let mut second = change(&text, "allowed_paths", entries)?;
        text = diff::apply(&text, std::slice::from_ref(&second));
        changes = match changes.pop() {
            None => vec![second],
            Some(first) => {
                let shift = first.add.len().cast_signed() - first.remove.cast_signed();
                // Both in the same lines: that is not told apart.
                let touches =
                    second.at < first.at + first.add.len() && second.at + second.remove > first.at;
                if touches {
                    return None;
                }
                if second.at >= first.at + first.add.len() {
                    second.at = second.at.checked_add_signed(-shift)?;
                    vec![first, second]
                } else {
                    vec![second, first]
                }
            }
        };
    }
    Some(Text { text, changes })
}

/// Does `security.file_access` have the key `presets`?
pub(super) fn names_presets(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    matches!(locate(&lines, "presets"), Some(At::Items { .. } | At::Flow { .. } | At::Value { .. }))
}

/// Where entries go.
#[derive(Debug, PartialEq, Eq)]
enum At {
    /// As items of a list, before this line.
    Items { line: usize, indent: usize },
    /// Behind the opening bracket of a list, at this byte of this line.
    Flow { line: usize, byte: usize },
    /// In place of the value of the key in this line, which has none.
    Value { line: usize, indent: usize },
    /// With the key, and the keys above it that are missing, before this line.
    Key { line: usize, indent: usize, missing: Vec<String> },
    /// With the key behind the opening brace of a map, at this byte of this line.
    FlowKey { line: usize, byte: usize },
}

fn change(text: &str, key: &str, entries: &[Entry]) -> Option<Change> {
    let lines: Vec<&str> = text.lines().collect();
    let items = |indent: usize| entries.iter().map(move |entry| item(entry, indent));
    Some(match locate(&lines, key)? {
        At::Items { line, indent } => Change { at: line, remove: 0, add: items(indent).collect() },
        At::Flow { line, byte } => in_flow(&lines, line, byte, "", "", entries)?,
        At::FlowKey { line, byte } => {
            in_flow(&lines, line, byte, &format!("{key}: ["), "], ", entries)?
        }
        At::Value { line, indent } => {
            let (name, rest) = lines[line].split_once(':')?;
            let comment = rest.find(" #").map_or("", |at| &rest[at..]);
            let comment = if comment.is_empty() { String::new() } else { format!(" {comment}") };
            let own = format!("{name}:{comment}");
            Change {
                at: line,
                remove: 1,
                add: std::iter::once(own).chain(items(indent + 2)).collect(),
            }
        }
        At::Key { line, indent, missing } => {
            let mut add: Vec<String> = Vec::new();
            let mut indent = indent;
            for name in missing {
                add.push(format!("{}{name}:", " ".repeat(indent)));
                indent += 2;
            }
            add.extend(items(indent));
            Change { at: line, remove: 0, add }
        }
    })
}

fn item(entry: &Entry, indent: usize) -> String {
    let comment = if entry.why.is_empty() { String::new() } else { format!("  # {}", entry.why) };
    format!("{}- {}{comment}", " ".repeat(indent), entry.value)
}

/// Breaks a line after `byte` and puts entries in between.
fn in_flow(
    lines: &[&str],
    line: usize,
    byte: usize,
    before: &str,
    after: &str,
    entries: &[Entry],
) -> Option<Change> {
    let (front, rest) = lines.get(line)?.split_at_checked(byte)?;
    let is_plain = entries.iter().all(|entry| entry.why.is_empty());
    if is_plain {
        let values: Vec<&str> = entries.iter().map(|entry| entry.value.as_str()).collect();
        let separator = if rest.trim_start().starts_with(']') { "" } else { ", " };
        let separator = if after.is_empty() { separator } else { "" };
        let own = format!("{front}{before}{}{separator}{after}{rest}", values.join(", "));
        return Some(Change { at: line, remove: 1, add: vec![own] });
    }
    let inner = " ".repeat(indent(lines[line]) + 4);
    let mut add = vec![format!("{front}{before}")];
    add.extend(entries.iter().map(|entry| format!("{inner}{},  # {}", entry.value, entry.why)));
    add.push(format!("{inner}{after}{}", rest.trim_start()));
    Some(Change { at: line, remove: 1, add })
}

fn locate(lines: &[&str], last: &str) -> Option<At> {
    let keys: Vec<&str> = SECTION.iter().copied().chain([last]).collect();
    let (mut first, mut end, mut own) = (0, lines.len(), 0);
    for (depth, key) in keys.iter().enumerate() {
        let missing = |from: usize| keys[from..].iter().map(|key| (*key).to_owned()).collect();
        let Some(line) = find_key(lines, first, end, key) else {
            // The first key of all comes last: a file may begin with what belongs to somebody else.
            let line = if depth == 0 { end } else { first };
            return Some(At::Key { line, indent: own, missing: missing(depth) });
        };
        own = indent(lines[line]);
        let value = value(lines[line])?;
        let children = line + 1..block_end(lines, line, own, end);
        let is_last = depth + 1 == keys.len();
        match (value, is_last) {
            ("" | "null" | "~", true) => {
                let mut items =
                    children.clone().filter(|at| lines[*at].trim_start().starts_with('-'));
                return Some(match items.next() {
                    Some(item) if value.is_empty() => {
                        At::Items { line: children.end, indent: indent(lines[item]) }
                    }
                    Some(_) => return None,
                    None => At::Value { line, indent: own },
                });
            }
            ("[]", true) => return Some(At::Value { line, indent: own }),
            (value, true) if value.starts_with('[') => {
                return Some(At::Flow { line, byte: opening(lines[line], '[')? });
            }
            ("", false) => {
                let mut inner = children.clone().filter(|at| is_content(lines[*at]));
                let Some(child) = inner.next() else {
                    let line = line + 1;
                    return Some(At::Key { line, indent: own + 2, missing: missing(depth + 1) });
                };
                (first, end, own) = (child, children.end, indent(lines[child]));
            }
            (value, false) if value.starts_with('{') => {
                let byte = opening(lines[line], '{')?;
                return flow(lines, line, byte, &keys[depth + 1..]);
            }
            (_, true | false) => return None,
        }
    }
    None
}

/// The line of a key among these, of which the first with content gives the indentation.
fn find_key(lines: &[&str], first: usize, end: usize, key: &str) -> Option<usize> {
    let own = lines[first..end].iter().find(|line| is_content(line)).map(|line| indent(line))?;
    (first..end)
        .find(|at| indent(lines[*at]) == own && is_content(lines[*at]) && has_key(lines[*at], key))
}

fn has_key(line: &str, key: &str) -> bool {
    let name = line.trim_start().split_once(':').map(|(name, _)| name.trim());
    name.is_some_and(|name| name.trim_matches(['"', '\'']) == key)
}

/// What stands behind a key in its line, without the comment.
fn value(line: &str) -> Option<&str> {
    let rest = line.split_once(':')?.1;
    Some(rest.find(" #").map_or(rest, |at| &rest[..at]).trim())
}

/// The line behind the last one with content that belongs to the key in `line`.
fn block_end(lines: &[&str], line: usize, own: usize, end: usize) -> usize {
    let mut last = line + 1;
    for (at, text) in lines.iter().enumerate().take(end).skip(line + 1) {
        if !is_content(text) {
            continue;
        }
        // The items of a list may stand as far left as its key.
        let belongs =
            indent(text) > own || indent(text) == own && text.trim_start().starts_with("- ");
        if !belongs {
            break;
        }
        last = at + 1;
    }
    last
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#') && line != "---"
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The byte behind the bracket that opens a key's value.
fn opening(line: &str, bracket: char) -> Option<usize> {
    let colon = line.find(':')?;
    Some(colon + line[colon..].find(bracket)? + 1)
}

/// The same in a map that is written with braces, from the byte behind its brace on.
fn flow(lines: &[&str], line: usize, byte: usize, keys: &[&str]) -> Option<At> {
    let (key, deeper) = keys.split_first()?;
    let mut depth = 0usize;
    let mut quote = None;
    let mut name = String::new();
    let mut is_key = false;
    for (at, text) in lines.iter().enumerate().skip(line) {
        let from = if at == line { byte } else { 0 };
        let mut before = ' ';
        for (offset, one) in text.char_indices().filter(|(offset, _)| *offset >= from) {
            let next = offset + one.len_utf8();
            match (quote, one) {
                (Some(open), _) if one == open && before != '\\' => quote = None,
                (Some(_), _) => name.push(one),
                (None, '"' | '\'') => quote = Some(one),
                (None, '#') if before == ' ' => break,
                (None, '[') if is_key && depth == 0 => {
                    return deeper.is_empty().then_some(At::Flow { line: at, byte: next });
                }
                (None, '{') if is_key && depth == 0 => {
                    return if deeper.is_empty() { None } else { flow(lines, at, next, deeper) };
                }
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') if depth == 0 => {
                    // The map ends without the key.
                    return deeper.is_empty().then_some(At::FlowKey { line, byte });
                }
                (None, ']' | '}') => depth -= 1,
                (None, ',') if depth == 0 => {
                    name.clear();
                    is_key = false;
                }
                (None, ':') if depth == 0 => is_key = name.trim() == *key,
                (None, ' ') => {}
                (None, _) if is_key && depth == 0 => return None,
                (None, other) => name.push(other),
            }
            before = one;
        }
    }
    None
}

#[cfg(test)]
mod tests;
