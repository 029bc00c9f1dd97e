//! The keys of a policy file and of a preset: a tree of YAML in, a [`Document`] out.
//!
//! Every mistake is collected, so that one run shows them all. `security` and `logging` are ours, but in OpenClaw's own
//! file; every other key belongs to others.

#![forbid(unsafe_code)]

mod logging;

use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::error::{Mistake, MistakeKind, nearest};
use super::pattern::{Pattern, Place};
use super::rule::{Effect, Origin, Rule};
use super::settings::{Environment, Listen, Logging, Temporary};
use super::yaml::{Node, Position, Style, Value};
use crate::access::AccessSet;
use crate::path::escape;

/// What a text is: the user's file, or a shipped preset.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(Arc<Path>),
    Preset(Arc<str>),
}

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Does it have `security.file_access` at all?
    pub(crate) has_file_access: bool,
    pub(crate) presets: Option<Vec<(String, Origin)>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) temporary: Option<Temporary>,
    pub(crate) environment: Environment,
    pub(crate) listen: Option<(Listen, Origin)>,
    pub(crate) logging: Logging,
    /// Keys of others that look like a misspelt section of ours.
    pub(crate) near_misses: Vec<Mistake>,
    pub(crate) preset: PresetKeys,
}

/// The keys that only a preset has.
#[derive(Debug, Default)]
pub(crate) struct PresetKeys {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) commands: Vec<String>,
    pub(crate) include: Vec<(String, Origin)>,
    pub(crate) create: Vec<(Pattern, Origin)>,
}

/// Reads one text.
pub(crate) fn read(bytes: &[u8], source: Source) -> Result<Document, Vec<Mistake>> {
    let mut reader = Reader { source, mistakes: Vec::new(), room: Some(ROOM) };
    let mut document = Document::default();
    match super::yaml::parse(bytes) {
        Err(error) => reader.mistake(error.at, MistakeKind::Yaml(error.why)),
        Ok(root) => {
            reader.document(&root, &mut document);
            reader.check_alert(&document);
        }
    }
    if reader.mistakes.is_empty() { Ok(document) } else { Err(reader.mistakes) }
}

/// How much a policy may stand for, in bytes: forty thousand rules. An alias is short and may stand for anything.
const ROOM: usize = 8 * 1024 * 1024;

/// What a value costs besides its text.
const VALUE: usize = 64;

/// How many mistakes are told: one that is repeated by aliases would fill the memory.
const MOST_MISTAKES: usize = 1000;

struct Reader {
    source: Source,
    mistakes: Vec<Mistake>,
    /// What is left of [`ROOM`]; none when it was told that nothing is.
    room: Option<usize>,
}

const TOP: &str = "the policy";

/// Keys that mean nothing at the top level, where they would protect nothing.
const BELONGS_INSIDE: [&str; 4] = ["file_access", "presets", "allowed_paths", "blocked_paths"];

const FILE_ACCESS: &str = "security.file_access";
const ENVIRONMENT: &str = "security.environment";
const NETWORK: &str = "security.network";
const RULE: &str = "an entry";

impl Reader {
    fn origin(&self, at: Position) -> Origin {
        match &self.source {
            Source::File(file) => {
                Origin::File { file: Arc::clone(file), line: at.line, column: at.column }
            }
            Source::Preset(name) => Origin::Preset { name: Arc::clone(name), line: at.line },
        }
    }

    fn mistake(&mut self, at: Position, kind: MistakeKind) {
        let origin = self.origin(at);
        if self.mistakes.len() < MOST_MISTAKES {
            self.mistakes.push(Mistake { origin, kind });
        }
    }

    /// Takes room for this much. There is none: one mistake tells it, and nothing more is read.
    fn has_room(&mut self, at: Position, bytes: usize) -> bool {
        let Some(room) = self.room else { return false };
        self.room = room.checked_sub(bytes + VALUE);
        if self.room.is_none() {
            // Whatever else is wrong, this must be among what is told.
            self.mistakes.truncate(MOST_MISTAKES - 1);
            self.mistake(at, MistakeKind::TooLarge(ROOM / 1024 / 1024));
        }
        self.room.is_some()
    }

    fn wrong_type(&mut self, key: &str, node: &Node, expected: &'static str) {
        let found = match &node.value {
            Value::Scalar(scalar) if !node.is_null() => format!("`{}`", escape(&scalar.bytes)),
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => node.kind().to_owned(),
        };
        self.mistake(node.at, MistakeKind::Type { key: key.to_owned(), expected, found });
    }

    fn document(&mut self, root: &Node, document: &mut Document) {
        let is_preset = matches!(self.source, Source::Preset(_));
        for (key, name, node) in self.entries(root, TOP, TOP) {
            match (name.as_str(), is_preset) {
                ("security", _) => self.security(&node, document),
                ("logging", false) => self.logging(&node, document),
                ("name", true) => document.preset.name = self.text("name", &node),
                ("description", true) => {
                    document.preset.description = self.text("description", &node)
                }
                ("commands", true) => document.preset.commands = self.names("commands", &node),
                ("include", true) => document.preset.include = self.named("include", &node),
                ("create", true) => document.preset.create = self.patterns("create", &node),
                ("environment", true) => {
                    self.variables("environment", &node, &mut document.environment)
                }
                (_, true) => self.unknown(
                    key.at,
                    &name,
                    "a preset",
                    &[
                        "name",
                        "description",
                        "commands",
                        "include",
                        "create",
                        "environment",
                        "security",
                    ],
                ),
                (_, false) => {
                    self.foreign(key.at, &name, TOP, &["security", "logging"], document);
                }
            }
        }
    }

    fn security(&mut self, node: &Node, document: &mut Document) {
        for (key, name, node) in self.entries(node, "security", "security") {
            match name.as_str() {
                "file_access" => {
                    document.has_file_access = true;
                    self.file_access(&node, document);
                }
                "environment" => self.environment(&node, &mut document.environment),
                "network" => self.network(&node, document),
                _ => self.foreign(
                    key.at,
                    &name,
                    "security",
                    &["file_access", "environment", "network"],
                    document,
                ),
            }
        }
    }

    fn file_access(&mut self, node: &Node, document: &mut Document) {
        const KEYS: [&str; 4] = ["presets", "allowed_paths", "blocked_paths", "temporary"];
        for (key, name, node) in self.entries(node, "file_access", FILE_ACCESS) {
            match name.as_str() {
                "presets" => document.presets = Some(self.named("presets", &node)),
                "allowed_paths" => self.rules("allowed_paths", &node, Effect::Allowed, document),
                "blocked_paths" => self.rules("blocked_paths", &node, Effect::Blocked, document),
                "temporary" => {
                    document.temporary = self.choice(
                        "temporary",
                        &node,
                        "`private`, `shared` or `none`",
                        &[
                            ("private", Temporary::Private),
                            ("shared", Temporary::Shared),
                            ("none", Temporary::None),
                        ],
                    );
                }
                _ => self.unknown(key.at, &name, FILE_ACCESS, &KEYS),
            }
        }
    }

    fn rules(&mut self, key: &str, node: &Node, effect: Effect, document: &mut Document) {
        for entry in self.list(key, node) {
            let origin = self.origin(entry.at);
            let (pattern, access) = match &entry.value {
                Value::Map(_) => self.rule_map(&entry),
                Value::Scalar(_) => (self.pattern(&entry), Some(AccessSet::ALL)),
                Value::List(_) => {
                    self.wrong_type(key, &entry, "paths, or maps of `path` and `access`");
                    continue;
                }
            };
            if let (Some(pattern), Some(access)) = (pattern, access) {
                document.rules.push(Rule { pattern, effect, access, origin });
            }
        }
    }

    fn rule_map(&mut self, entry: &Node) -> (Option<Pattern>, Option<AccessSet>) {
        let (mut pattern, mut access, mut has_path) = (None, Some(AccessSet::ALL), false);
        for (key, name, node) in self.entries(entry, RULE, RULE) {
            match name.as_str() {
                "path" => {
                    has_path = true;
                    pattern = self.pattern(&node);
                }
                "access" => {
                    let text = self.text("access", &node);
                    access = match AccessSet::parse(&text) {
                        Ok(access) => Some(access),
                        Err(error) => {
                            self.mistake(node.at, error.into());
                            None
                        }
                    };
                }
                _ => self.unknown(key.at, &name, RULE, &["path", "access"]),
            }
        }
        if !has_path {
            self.mistake(entry.at, MistakeKind::MissingKey { key: "path", section: RULE });
        }
        (pattern, access)
    }

    fn pattern(&mut self, node: &Node) -> Option<Pattern> {
        let Value::Scalar(scalar) = &node.value else {
            self.wrong_type("path", node, "a path");
            return None;
        };
        // `- |` and `- >` end in a newline that nobody means, and a block with it would block nothing.
        if scalar.style == Style::Block && scalar.bytes.ends_with(b"\n") {
            self.wrong_type("path", node, "a path on one line");
            return None;
        }
        if !self.has_room(node.at, scalar.bytes.len()) {
            return None;
        }
        match Pattern::parse(&scalar.bytes, Place::File) {
            Ok(pattern) => self.has_room(node.at, pattern.weight()).then_some(pattern),
            Err(error) => {
                // Exact for a plain or quoted scalar on one line; elsewhere the scalar's beginning is the best place.
                let quote = match scalar.style {
                    Style::Plain => Some(0),
                    Style::Quoted => Some(1),
                    Style::Block | Style::Binary => None,
                };
                let before =
                    String::from_utf8_lossy(&scalar.bytes[..error.offset.min(scalar.bytes.len())])
                        .chars()
                        .count();
                let shift = match (quote, before) {
                    (None, _) | (Some(_), 0) => 0,
                    (Some(quote), before) => u32::try_from(quote + before).unwrap_or(0),
                };
                let at = Position { line: node.at.line, column: node.at.column + shift };
                self.mistake(at, error.into());
                None
            }
        }
    }

    fn patterns(&mut self, key: &str, node: &Node) -> Vec<(Pattern, Origin)> {
        let entries = self.list(key, node);
        entries
            .iter()
            .filter_map(|entry| Some((self.pattern(entry)?, self.origin(entry.at))))
            .collect()
    }

    fn environment(&mut self, node: &Node, environment: &mut Environment) {
        for (key, name, node) in self.entries(node, "environment", ENVIRONMENT) {
            match name.as_str() {
                "keep" => environment.keep.extend(self.variable_names("keep", &node)),
                "remove" => environment.remove.extend(self.variable_names("remove", &node)),
                "set" => self.variables("set", &node, environment),
                _ => self.unknown(key.at, &name, ENVIRONMENT, &["keep", "remove", "set"]),
            }
        }
    }

    /// Names, each perhaps with a `*` at either end.
    fn variable_names(&mut self, key: &str, node: &Node) -> Vec<String> {
        let mut names = Vec::new();
        for item in self.list(key, node) {
            let before = self.mistakes.len();
            let name = self.text(key, &item);
            if self.mistakes.len() > before {
                continue;
            }
            let middle = name.strip_prefix('*').unwrap_or(&name);
            let middle = middle.strip_suffix('*').unwrap_or(middle);
            match name.is_empty() || middle.contains(['*', '=', '\0']) {
                true => self.wrong_type(key, &item, "names of variables, with `*` at either end"),
                false => names.push(name),
            }
        }
        names
    }

    fn variables(&mut self, key: &'static str, node: &Node, environment: &mut Environment) {
        for (at, name, node) in self.entries(node, key, key) {
            if name.is_empty() || name.contains(['=', '\0']) {
                self.wrong_type(key, &at, "names of variables");
                continue;
            }
            let value = self.text(&name, &node);
            if value.contains('\0') {
                self.wrong_type(&name, &node, "a value without a NUL byte");
            }
            environment.set.insert(name, (value, self.origin(node.at)));
        }
    }

    fn network(&mut self, node: &Node, document: &mut Document) {
        for (key, name, node) in self.entries(node, "network", NETWORK) {
            match name.as_str() {
                "listen" => {
                    let choices = [("loopback", Listen::Loopback), ("any", Listen::Any)];
                    document.listen = self
                        .choice("listen", &node, "`loopback` or `any`", &choices)
                        .map(|listen| (listen, self.origin(node.at)));
                }
                _ => self.unknown(key.at, &name, NETWORK, &["listen"]),
            }
        }
    }

    /// The entries of a map, without doubles; nothing is an empty map.
    fn entries(
        &mut self,
        node: &Node,
        key: &str,
        section: &'static str,
    ) -> Vec<(Rc<Node>, String, Rc<Node>)> {
        let Value::Map(entries) = &node.value else {
            if !node.is_null() {
                self.wrong_type(key, node, "a map");
            }
            return Vec::new();
        };
        let mut named: Vec<(Rc<Node>, String, Rc<Node>)> = Vec::with_capacity(entries.len());
        let mut seen = HashSet::new();
        for (name, value) in entries {
            let Value::Scalar(scalar) = &name.value else {
                self.wrong_type(key, name, "keys that are names");
                continue;
            };
            if !self.has_room(name.at, scalar.bytes.len()) {
                break;
            }
            let text = String::from_utf8_lossy(&scalar.bytes).into_owned();
            if text == "<<" && scalar.style == Style::Plain {
                self.mistake(name.at, MistakeKind::Merge { section });
                continue;
            }
            if !seen.insert(text.clone()) {
                self.mistake(name.at, MistakeKind::Duplicate { key: text, section });
                continue;
            }
            named.push((Rc::clone(name), text, Rc::clone(value)));
        }
        named
    }

    /// The entries of a list; nothing is an empty list.
    fn list(&mut self, key: &str, node: &Node) -> Vec<Rc<Node>> {
        match &node.value {
            Value::List(items) => items.clone(),
            Value::Scalar(_) | Value::Map(_) => {
                if !node.is_null() {
                    self.wrong_type(key, node, "a list");
                }
                Vec::new()
            }
        }
    }

    fn named(&mut self, key: &str, node: &Node) -> Vec<(String, Origin)> {
        let items = self.list(key, node);
        items.iter().map(|item| (self.text(key, item), self.origin(item.at))).collect()
    }

    fn names(&mut self, key: &str, node: &Node) -> Vec<String> {
        self.named(key, node).into_iter().map(|(name, _)| name).collect()
    }

    /// A single value as text; a mistake gives an empty one.
    fn text(&mut self, key: &str, node: &Node) -> String {
        match &node.value {
            Value::Scalar(scalar) if !node.is_null() => {
                match self.has_room(node.at, scalar.bytes.len()) {
                    true => String::from_utf8_lossy(&scalar.bytes).into_owned(),
                    false => String::new(),
                }
            }
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
                self.wrong_type(key, node, "a single value");
                String::new()
            }
        }
    }

    fn flag(&mut self, key: &str, node: &Node) -> bool {
        let choices = [
            ("true", true),
            ("True", true),
            ("TRUE", true),
            ("false", false),
            ("False", false),
            ("FALSE", false),
        ];
        self.choice(key, node, "`true` or `false`", &choices).unwrap_or(false)
    }

    fn choice<T: Copy>(
        &mut self,
        key: &str,
        node: &Node,
        expected: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let chosen = match &node.value {
            Value::Scalar(scalar) => {
                choices.iter().find(|(name, _)| name.as_bytes() == scalar.bytes)
            }
            Value::List(_) | Value::Map(_) => None,
        };
        if chosen.is_none() {
            self.wrong_type(key, node, expected);
        }
        chosen.map(|(_, value)| *value)
    }

    fn unknown(&mut self, at: Position, key: &str, section: &'static str, known: &[&str]) {
        let nearest = nearest(key, known.iter().copied());
        self.mistake(at, MistakeKind::UnknownKey { key: key.to_owned(), section, nearest });
    }

    /// A key that is none of ours. In a section that is ours it is a mistake; beside our sections, and in a file that
    /// another program owns, it is somebody else's, unless a policy would silently be lost.
    fn foreign(
        &mut self,
        at: Position,
        key: &str,
        section: &'static str,
        known: &[&str],
        document: &mut Document,
    ) {
        let is_section = section != TOP;
        match (self.is_of_openclaw(), is_section) {
            (true, _) => self.near_miss(at, key, section, known, document),
            (false, true) => self.unknown(at, key, section, known),
            (false, false) if close(key, known).is_some() => self.unknown(at, key, section, known),
            (false, false) if BELONGS_INSIDE.contains(&key) => {
                self.mistake(at, MistakeKind::Misplaced { key: key.to_owned() });
            }
            (false, false) => {}
        }
    }

    /// Is it the file that OpenClaw keeps its own settings in?
    fn is_of_openclaw(&self) -> bool {
        matches!(&self.source, Source::File(file) if file.ends_with(".openclaw/config.yaml"))
    }

    /// Somebody else's key, unless it is so near to one of ours that a policy would silently be lost.
    fn near_miss(
        &mut self,
        at: Position,
        key: &str,
        section: &'static str,
        known: &[&str],
        document: &mut Document,
    ) {
        let close = close(key, known);
        if let Some(close) = close {
            let kind = MistakeKind::UnknownKey {
                key: key.to_owned(),
                section,
                nearest: Some(close.to_owned()),
            };
            document.near_misses.push(Mistake { origin: self.origin(at), kind });
        }
    }
}

/// The known key that this one is two letters away from at most.
fn close<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    known.iter().copied().find(|known| strsim::damerau_levenshtein(key, known) <= 2)
}
