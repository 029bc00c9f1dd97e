//! YAML text as a tree in which every value knows its line and column.
//!
//! The only file that names the YAML parser. It knows nothing of policies; limits on depth and size keep a
//! hostile document from using up the stack or the memory (an alias shares its node, so it cannot multiply).

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::rc::Rc;

use base64::Engine;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

/// How deep lists and maps may stand in each other.
const MAX_DEPTH: usize = 64;

const TOO_DEEP: &str = "lists and maps stand more than 64 deep in each other";

/// A place in a text; both numbers start at 1, the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it begins.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
    /// How deep lists and maps stand in each other within it, through aliases too.
    depth: usize,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// A scalar as written: the reader of a key decides what `~`, `true` or `7` mean there.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) bytes: Vec<u8>,
    pub(crate) style: Style,
}

/// Whether a scalar was written with quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Quoted,
    Block,
    Binary,
}

/// Why a text is not one YAML document.
#[derive(Debug)]
pub(crate) struct YamlError {
    pub(crate) at: Position,
    pub(crate) why: String,
}

impl Node {
    /// Is this an absent value: nothing, `~` or `null`, without quotes?
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.style == Style::Plain
            && matches!(scalar.bytes.as_slice(), b"" | b"~" | b"null" | b"Null" | b"NULL"))
    }

    /// What a person would call this kind of value.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) if self.is_null() => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads one document; an empty text is a document that holds nothing.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, YamlError> {
    let text = text_of(bytes)?;
    let mut builder = Builder::default();
    let end = end_of(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| YamlError {
            at: position_of(error.marker()).min(end),
            why: error.info().to_owned(),
        })?;
        builder.take(event, position_of(&span.start).min(end))?;
    }
    let nothing = || Node {
        at: Position { line: 1, column: 1 },
        value: Value::Scalar(Scalar { bytes: Vec::new(), style: Style::Plain }),
        depth: 0,
    };
    // Nobody else holds the root: anchors were dropped with the builder's table.
    let Builder { root, anchors, .. } = builder;
    drop(anchors);
    match root {
        None => Ok(nothing()),
        Some(root) => Rc::into_inner(root).ok_or_else(|| YamlError {
            at: Position { line: 1, column: 1 },
            why: "the document holds itself".to_owned(),
        }),
    }
}

/// The text, if it is UTF-8 and holds no NUL: the scanner takes NUL for the end and would drop what follows.
fn text_of(bytes: &[u8]) -> Result<&str, YamlError> {
    let place = |valid: &[u8]| end_of(&String::from_utf8_lossy(valid));
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(YamlError { at: place(&bytes[..at]), why: "a NUL byte".to_owned() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| YamlError {
        at: place(&bytes[..error.valid_up_to()]),
        why: format!(
            "the byte 0x{:02x} is not UTF-8 (write such a name with `!!binary` and base64)",
            bytes[error.valid_up_to()]
        ),
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Right behind the last character, with the line breaks of YAML. The scanner ends a last line that nobody ended, and
/// so leaves the text.
fn end_of(text: &str) -> Position {
    let is_break = |(at, byte): &(usize, &u8)| match byte {
        b'\n' => true,
        b'\r' => text.as_bytes().get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    let breaks = text.as_bytes().iter().enumerate().filter(is_break).count();
    let last = text.rfind(['\n', '\r']).map_or(text, |at| &text[at + 1..]);
    Position { line: number(breaks + 1), column: number(last.chars().count() + 1) }
}

fn position_of(marker: &saphyr_parser::Marker) -> Position {
    Position { line: number(marker.line().max(1)), column: number(marker.col() + 1) }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A list or map that is still open; a map's key waits for its value.
enum Open {
    List { at: Position, anchor: usize, items: Vec<Rc<Node>> },
    Map { at: Position, anchor: usize, entries: Vec<(Rc<Node>, Rc<Node>)>, key: Option<Rc<Node>> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), YamlError> {
        let fail = |why: &str| Err(YamlError { at, why: why.to_owned() });
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    fail("a second document: a policy is one document")
                } else {
                    Ok(())
                }
            }
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => self.add(node, 0, at),
                None => fail("an alias to a value that is not complete"),
            },
            Event::Scalar(text, style, anchor, tag) => {
                let value = Value::Scalar(scalar(&text, style, tag.as_deref(), at)?);
                self.add(Rc::new(Node { at, value, depth: 0 }), anchor, at)
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if self.open.len() >= MAX_DEPTH => {
                fail(TOO_DEEP)
            }
            Event::SequenceStart(anchor, _) => {
                self.open.push(Open::List { at, anchor, items: Vec::new() });
                Ok(())
            }
            Event::MappingStart(anchor, _) => {
                self.open.push(Open::Map { at, anchor, entries: Vec::new(), key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { at, anchor, items }) => {
                    let depth = 1 + items.iter().map(|item| item.depth).max().unwrap_or(0);
                    self.add(Rc::new(Node { at, value: Value::List(items), depth }), anchor, at)
                }
                Some(Open::Map { at, anchor, entries, .. }) => {
                    let both = entries.iter().flat_map(|(key, value)| [key.depth, value.depth]);
                    let depth = 1 + both.max().unwrap_or(0);
                    self.add(Rc::new(Node { at, value: Value::Map(entries), depth }), anchor, at)
                }
                None => fail("an end without a beginning"),
            },
        }
    }

    fn add(&mut self, node: Rc<Node>, anchor: usize, at: Position) -> Result<(), YamlError> {
        if self.open.len() + node.depth > MAX_DEPTH {
            return Err(YamlError { at, why: TOO_DEEP.to_owned() });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(name) => entries.push((name, node)),
            },
        }
        if self.open.is_empty() && self.root.is_none() {
            return Err(YamlError { at, why: "a value outside the document".to_owned() });
        }
        Ok(())
    }
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Position,
) -> Result<Scalar, YamlError> {
    if tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "binary") {
        let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|error| {
            YamlError { at, why: format!("`!!binary {text}` is not base64: {error}") }
        })?;
        return Ok(Scalar { bytes, style: Style::Binary });
    }
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    Ok(Scalar { bytes: text.as_bytes().to_vec(), style })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &[u8]) -> (u32, u32, String) {
        let error = parse(text).unwrap_err();
        (error.at.line, error.at.column, error.why)
    }

    #[test]
    fn every_value_knows_its_place() {
        let root = parse(b"a:\n  - \"x\"\n  - {k: v}\n").unwrap();
        let Value::Map(entries) = &root.value else { panic!("{root:?}") };
        let Value::List(items) = &entries[0].1.value else { panic!("{root:?}") };
        assert_eq!(items[0].at, Position { line: 2, column: 5 });
        assert_eq!(items[1].at.line, 3);
    }

    #[test]
    fn a_nul_byte_does_not_end_the_policy_early() {
        assert_eq!(error(b"a: 1\nb: \0x").0, 2);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_an_error_with_a_place() {
        let (line, column, why) = error(b"a: 1\nb: \xffx");
        assert_eq!((line, column), (2, 4));
        assert!(why.contains("0xff"), "{why}");
        assert_eq!(error(b"a: 1\rb: \xffx").0, 2);
    }

    #[test]
    fn a_mistake_at_the_end_stands_in_the_last_line() {
        let (line, column, _) = error(b"a: 1\r\nb: 'x");
        assert!(line == 2 && column <= 6, "{line}:{column}");
        let root = parse(b"a: 1\nb:").unwrap();
        let Value::Map(entries) = &root.value else { panic!("{root:?}") };
        assert_eq!(entries[1].1.at.line, 2);
    }

    #[test]
    fn binary_scalars_are_bytes() {
        let root = parse(b"!!binary L3cv/w==").unwrap();
        let Value::Scalar(scalar) = &root.value else { panic!("{root:?}") };
        assert_eq!(scalar.bytes, b"/w/\xff");
    }

    #[test]
    fn a_second_document_and_deep_nesting_are_errors() {
        assert!(error(b"a: 1\n---\nb: 2\n").2.contains("second document"));
        assert!(error("[".repeat(100).as_bytes()).2.contains("64 deep"));
    }

    #[test]
    fn aliases_share_and_do_not_multiply() {
        let mut text = String::from("a0: &a0 [x, x]\n");
        for i in 1..40 {
            let before = i - 1;
            text.push_str(&format!("a{i}: &a{i} [*a{before}, *a{before}]\n"));
        }
        assert!(parse(text.as_bytes()).is_ok());
        let chain: String = (1..100_000).map(|i| format!("- &a{i} [*a{}]\n", i - 1)).collect();
        assert!(error(format!("- &a0 [x]\n{chain}").as_bytes()).2.contains("64 deep"));
    }

    #[test]
    fn nothing_is_a_document() {
        assert!(parse(b"").unwrap().is_null());
        assert!(parse(b"# only a comment\n").unwrap().is_null());
    }
}
