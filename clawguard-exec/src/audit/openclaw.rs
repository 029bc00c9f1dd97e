//! OpenClaw's own settings, as far as they undo what clawguard does. They are OpenClaw's: nothing here changes them.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use clawguard_core::AbsPath;
use serde_json::Value;

use super::finding::{Finding, Severity};
use super::id::Id;
use super::listeners::GATEWAY_PORT;
use super::machine::{Machine, read_head};

/// No settings are longer than this.
const MOST: usize = 4 * 1024 * 1024;

/// Nor nested deeper: the agent can write the file, and the parser recurses.
const DEEPEST: usize = 100;

/// What OpenClaw's settings say.
#[derive(Debug)]
pub(crate) struct Settings {
    path: AbsPath,
    read: Result<Value, String>,
}

impl Settings {
    /// Those that exist.
    pub(crate) fn read(machine: &Machine) -> Vec<Settings> {
        let paths = machine.openclaw_settings().into_iter();
        let read = |path: AbsPath| Settings { read: parse(&read_head(path.as_path(), MOST)), path };
        paths.filter(|path| path.as_path().is_file()).map(read).collect()
    }

    /// The ports on which gateways listen.
    pub(crate) fn ports(settings: &[Settings]) -> BTreeSet<u16> {
        let port = |settings: &Settings| {
            let port = settings.read.as_ref().ok().and_then(|value| value.pointer("/gateway/port"));
            let port = port.and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
            port.unwrap_or(GATEWAY_PORT)
        };
        match settings {
            [] => BTreeSet::from([GATEWAY_PORT]),
            settings => settings.iter().map(port).collect(),
        }
    }

    pub(crate) fn check(&self, machine: &Machine) -> Vec<Finding> {
        let settings = match &self.read {
            Ok(settings) => settings,
            Err(error) => {
                let reason =
                    format!("its settings cannot be read, so they were not looked at: {error}");
                let finding =
                    Finding::of_path(Id::OpenclawConfigUnread, Severity::Info, &self.path, reason);
                return vec![finding.command("openclaw doctor")];
            }
        };
        let mut findings = Vec::new();
        findings.extend(self.file_access(settings));
        findings.extend(self.gateway(settings, machine));
        findings
    }

    /// OpenClaw refuses to start with a key that it does not know, and would never act on this one.
    fn file_access(&self, settings: &Value) -> Option<Finding> {
        let is_ours = |key: &String| {
            let letters: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
            ["fileaccess", "securityfileaccess"].contains(&letters.to_lowercase().as_str())
        };
        let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect());
        let top: Vec<String> = keys(settings).unwrap_or_default();
        let inner: Vec<String> = settings.get("security").and_then(keys).unwrap_or_default();
        let inner = inner.iter().find(|key| is_ours(key)).map(|key| format!("security.{key}"));
        let key = top.iter().find(|key| is_ours(key)).cloned().or(inner)?;
        let key = clawguard_core::escape(key.as_bytes());
        let reason = format!(
            "OpenClaw does not know `{key}` and refuses to start with it; clawguard does not read it there either: \
             copy it to ~/.config/clawguard/policy.yaml, then let OpenClaw take it out"
        );
        let command = "openclaw doctor --fix";
        let finding =
            Finding::of_path(Id::OpenclawFileAccess, Severity::Critical, &self.path, reason);
        Some(finding.command(command))
    }

    fn gateway(&self, settings: &Value, machine: &Machine) -> Vec<Finding> {
        let mut findings = Vec::new();
        let at = |pointer: &str| settings.pointer(pointer).filter(|value| !value.is_null());
        let bind = at("/gateway/bind").and_then(Value::as_str).unwrap_or("loopback");
        let is_open = bind != "loopback";
        if is_open {
            let bind = clawguard_core::escape(bind.as_bytes());
            let reason = format!(
                "`gateway.bind` is `{bind}`: whoever reaches this machine over the network can talk to your agent"
            );
            let finding = Finding::of_path(Id::OpenclawBind, Severity::Warning, &self.path, reason);
            findings.push(finding.command("openclaw config set gateway.bind loopback"));
        }
        let is_set = |value: Option<&Value>| value.is_some_and(|value| value.as_str() != Some(""));
        let mode = at("/gateway/auth/mode").and_then(Value::as_str);
        let has_login = is_set(at("/gateway/auth/token"))
            || is_set(at("/gateway/auth/password"))
            || mode == Some("trusted-proxy");
        let in_environment = ["OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"]
            .iter()
            .any(|name| machine.host.variable(name).is_some());
        if mode == Some("none") || !(has_login || in_environment) {
            let (severity, who) = match is_open {
                true => (Severity::Critical, "whoever reaches this machine over the network"),
                false => (Severity::Warning, "every user and every program of this machine"),
            };
            let reason = format!(
                "`gateway.auth` names no token and no password: {who} can tell your agent what to do"
            );
            let finding = Finding::of_path(Id::OpenclawNoAuth, severity, &self.path, reason);
            findings
                .push(finding.command(
                    r#"openclaw config set gateway.auth.token "$(openssl rand -hex 32)""#,
                ));
        }
        findings
    }
}

fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut depth = 0usize;
    for byte in bytes {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _other => {}
        }
        if depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
    }
    json5::from_str(text).map_err(|error| clawguard_core::escape(error.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Id, Severity)> {
        let mut machine = Machine::current(clawguard_core::Host::current().unwrap());
        machine.host.environment.clear();
        let path = AbsPath::parse("/h/.openclaw/openclaw.json").unwrap();
        let settings = Settings { path, read: parse(text.as_bytes()) };
        let found = settings.check(&machine);
        found.into_iter().map(|finding| (finding.id, finding.severity)).collect()
    }

    const AUTH: &str = "auth: {mode: 'token', token: 't'}";

    #[test]
    fn settings_that_are_as_they_should_be_are_no_finding() {
        assert_eq!(
            found(&format!("// a comment\n{{gateway: {{bind: 'loopback', {AUTH},}},}}")),
            []
        );
        assert_eq!(found(&format!("{{gateway: {{{AUTH}}}}}")), []);
    }

    #[test]
    fn what_undoes_the_protection_is_told() {
        let with = |more: &str| found(&format!("{{gateway: {{{AUTH}}}, {more}}}"));
        let refused = [(Id::OpenclawFileAccess, Severity::Critical)];
        assert_eq!(with("security: {file_access: {allowed_paths: []}}"), refused);
        assert_eq!(with("security: {fileAccess: {}}"), refused);
        assert_eq!(with("'security.file_access': {}"), refused);
        assert_eq!(with("security: {audit: true}"), []);
        let open = [(Id::OpenclawBind, Severity::Warning)];
        assert_eq!(found(&format!("{{gateway: {{bind: 'lan', {AUTH}}}}}")), open);
        let no_auth = |severity| (Id::OpenclawNoAuth, severity);
        assert_eq!(found("{}"), [no_auth(Severity::Warning)]);
        assert_eq!(
            found("{gateway: {auth: {mode: 'none', token: 't'}}}"),
            [no_auth(Severity::Warning)]
        );
        assert_eq!(
            found("{gateway: {bind: 'lan', auth: {token: ''}}}"),
            [open[0], no_auth(Severity::Critical)]
        );
    }

    #[test]
    fn settings_that_cannot_be_read_are_told_and_break_nothing() {
        let unread = [(Id::OpenclawConfigUnread, Severity::Info)];
        assert_eq!(found("{gateway: "), unread);
        assert_eq!(found(&"[".repeat(1_000_000)), unread);
        assert!(parse(b"\xff").is_err());
    }
}
