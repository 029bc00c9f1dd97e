//! The section `logging`, and in it `on_denied`: a command, or a map that says for which
//! denials and how often.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::{Document, Reader};
use crate::path::escape;
use crate::policy::error::{MistakeKind, nearest};
use crate::policy::rule::{Effect, Origin};
use crate::policy::settings::{AlertOn, OnDenied, duration, size};
use crate::policy::yaml::{Node, Value};

const LOGGING: &str = "logging";
const SECTION: &str = "logging.on_denied";

/// How many unknown patterns are told, and with how many known ones each is compared: to find the nearest takes time.
const MOST: usize = 100;
const COMPARED: usize = 1000;

impl Reader {
    pub(super) fn logging(&mut self, node: &Node, document: &mut Document) {
        const KEYS: [&str; 6] = [
            "log_denials",
            "log_file_access",
            "log_commands",
            "max_size",
            "retention",
            "on_denied",
        ];
        for (key, name, node) in self.entries(node, LOGGING, LOGGING) {
            let logging = &mut document.logging;
            match name.as_str() {
                "log_file_access" => logging.file_access = self.flag(&name, &node),
                "log_commands" => logging.commands = self.flag(&name, &node),
                "log_denials" => logging.denials = Some(self.flag(&name, &node)),
                "max_size" => match size(&self.text(&name, &node)) {
                    Some(bytes) => logging.max_size = bytes,
                    None => self.wrong_type(&name, &node, "a size such as `100MB`"),
                },
                "retention" => match duration(&self.text(&name, &node)) {
                    Some(time) => logging.retention = time,
                    None => self.wrong_type(&name, &node, "a time such as `30d`"),
                },
                "on_denied" => logging.on_denied = self.on_denied(&node),
                _ => self.foreign(key.at, &name, LOGGING, &KEYS, document),
            }
        }
    }

    fn on_denied(&mut self, node: &Node) -> Option<OnDenied> {
        let origin = self.origin(node.at);
        let mut read =
            OnDenied { command: String::new(), rules: None, every: OnDenied::EVERY, origin };
        if !matches!(node.value, Value::Map(_)) {
            read.command = self.command("on_denied", node)?;
            return Some(read);
        }
        let mut has_command = false;
        for (key, name, node) in self.entries(node, SECTION, SECTION) {
            match name.as_str() {
                "command" => {
                    has_command = true;
                    read.command = self.command("command", &node).unwrap_or_default();
                }
                "rules" => read.rules = Some(self.alert_rules(&node)),
                "every" => match duration(&self.text(&name, &node)) {
                    Some(every) => read.every = every,
                    None => self.wrong_type(&name, &node, "a time such as `10s`"),
                },
                _ => self.unknown(key.at, &name, SECTION, &["command", "rules", "every"]),
            }
        }
        if !has_command {
            self.mistake(node.at, MistakeKind::MissingKey { key: "command", section: SECTION });
        }
        Some(read)
    }

    fn command(&mut self, key: &str, node: &Node) -> Option<String> {
        let text = self.text(key, node);
        if text.trim().is_empty() || text.contains('\0') {
            // A list or a map is told already.
            if matches!(node.value, Value::Scalar(_)) && !node.is_null() {
                self.wrong_type(key, node, "a command");
            }
            return None;
        }
        Some(text)
    }

    fn alert_rules(&mut self, node: &Node) -> Vec<(AlertOn, Origin)> {
        let named = self.named("rules", node).into_iter();
        named.map(|(text, origin)| (AlertOn::new(&text), origin)).collect()
    }

    /// What an alert names must be blocked here, or it would never come; and denials must be recorded.
    pub(super) fn check_alert(&mut self, document: &Document) {
        let Some(on_denied) = &document.logging.on_denied else { return };
        let blocked: BTreeSet<String> = document
            .rules
            .iter()
            .filter(|rule| rule.effect == Effect::Blocked)
            .map(|rule| escape(rule.pattern.text()))
            .collect();
        let unknown = on_denied.rules.iter().flatten().filter_map(|(on, origin)| match on {
            AlertOn::Pattern(text) => Some((escape(text.as_bytes()), origin)),
            AlertOn::NothingAllows | AlertOn::Guards => None,
        });
        for (pattern, origin) in unknown.filter(|(text, _)| !blocked.contains(text)).take(MOST) {
            let known = blocked.iter().map(String::as_str).take(COMPARED).chain(AlertOn::WORDS);
            let kind = MistakeKind::NotBlocked { nearest: nearest(&pattern, known), pattern };
            self.mistakes.push(super::Mistake { origin: origin.clone(), kind });
        }
        if document.logging.denials == Some(false) {
            let origin = on_denied.origin.clone();
            self.mistakes.push(super::Mistake { origin, kind: MistakeKind::AlertWithoutDenials });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::policy::{AlertOn, Policy};

    fn text(on_denied: &str) -> String {
        format!(
            "logging:\n  on_denied: {on_denied}\nsecurity:\n  file_access:\n    blocked_paths: ['**/.env', ~/.ssh]\n    \
             allowed_paths: [/work]\n"
        )
    }

    fn errors(on_denied: &str) -> String {
        Policy::parse(text(on_denied), "p.yaml").unwrap_err().to_string()
    }

    #[test]
    fn a_command_alone_is_for_every_denial() {
        let policy = Policy::parse(text("notify --all"), "p.yaml").unwrap();
        let on_denied = policy.logging().on_denied.as_ref().unwrap();
        assert_eq!(on_denied.command, "notify --all");
        assert_eq!((&on_denied.rules, on_denied.every), (&None, Duration::from_secs(60)));
    }

    #[test]
    fn a_map_says_for_which_and_how_often() {
        let on_denied = "{ command: x, rules: ['**/.env', guards, nothing allows it], every: 5m }";
        let policy = Policy::parse(text(on_denied), "p.yaml").unwrap();
        let on_denied = policy.logging().on_denied.as_ref().unwrap();
        let rules: Vec<_> = on_denied.rules.iter().flatten().map(|(on, _)| on.clone()).collect();
        let pattern = AlertOn::Pattern("**/.env".to_owned());
        assert_eq!(rules, [pattern, AlertOn::Guards, AlertOn::NothingAllows]);
        assert_eq!(on_denied.every, Duration::from_secs(300));
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        assert_eq!(
            errors("{ command: x, rules: [~/.shh, /work, guard], every: often, evry: 1s }"),
            "p.yaml:2:66: `every` takes a time such as `10s`, not `often`\n\
             p.yaml:2:73: unknown key `evry` in `logging.on_denied`; did you mean `every`?\n\
             p.yaml:2:36: `~/.shh` is not written so in `blocked_paths`, and neither `guards` nor `nothing allows it`; \
             did you mean `~/.ssh`?\n\
             p.yaml:2:44: `/work` is not written so in `blocked_paths`, and neither `guards` nor `nothing allows it`\n\
             p.yaml:2:51: `guard` is not written so in `blocked_paths`, and neither `guards` nor `nothing allows it`; \
             did you mean `guards`?"
        );
        assert!(errors("{ rules: [] }").contains("has no `command`"));
        for wrong in ["''", "' '", "[a, b]", "{ command: [a] }", "\"a\\0b\""] {
            let told = errors(wrong);
            assert!(told.contains("takes a") && told.lines().count() == 1, "{told}");
        }
        let both = text("x").replace("logging:\n", "logging:\n  log_denials: false\n");
        let told = Policy::parse(both, "p.yaml").unwrap_err().to_string();
        assert_eq!(
            told,
            "p.yaml:3:14: `on_denied` needs the denials that `log_denials: false` leaves out"
        );
    }

    #[test]
    fn nothing_is_no_alert() {
        let told = errors("");
        assert!(told.contains("`on_denied` takes a single value"), "{told}");
    }
}
