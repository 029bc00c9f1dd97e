//! The entries of a policy: as a file for the shim, and as rules for the model.

#![forbid(unsafe_code)]

use std::fmt;

use crate::law::{Access, Effect, Name, Rule};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    effect: Effect,
    /// `{top}` stands for the tree.
    pattern: String,
    accesses: String,
}

impl Entry {
    pub(crate) fn new(effect: Effect, pattern: &str, accesses: &str) -> Entry {
        Entry { effect, pattern: pattern.to_owned(), accesses: accesses.to_owned() }
    }

    fn accesses(&self) -> Vec<Access> {
        let one = |letter: char| match letter {
            'r' => Access::Read,
            'w' => Access::Write,
            _ => Access::Execute,
        };
        self.accesses.chars().map(one).collect()
    }

    pub(crate) fn rules(&self, top: &str) -> Vec<Rule> {
        let pattern = self.pattern.replace("{top}", top);
        Rule::parse(pattern.as_bytes(), self.effect, &self.accesses())
    }

    /// The components before the first wildcard of each alternative, beneath the top.
    pub(crate) fn fronts(&self) -> Vec<Vec<Name>> {
        let front = |rule: Rule| -> Vec<Name> {
            rule.components.iter().map_while(crate::law::Component::literal).collect()
        };
        self.rules("").into_iter().map(front).collect()
    }

    /// As it stands in a policy.
    fn yaml(&self, top: &str) -> String {
        let pattern = self.pattern.replace("{top}", top);
        let quoted = pattern.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{{ path: \"{quoted}\", access: {} }}", self.accesses)
    }
}

/// The whole file.
pub(crate) fn yaml(entries: &[Entry], top: &str, program: &str) -> String {
    let list = |effect: Effect| -> String {
        let all = entries.iter().filter(|entry| entry.effect == effect);
        all.map(|entry| format!("      - {}\n", entry.yaml(top))).collect()
    };
    format!(
        "security:\n  file_access:\n    presets: []\n    temporary: none\n    allowed_paths:\n      - {{ path: \"{program}\", access: rx }}\n{}    blocked_paths:\n{}",
        list(Effect::Allowed),
        list(Effect::Blocked),
    )
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.effect, self.yaml("{top}"))
    }
}
