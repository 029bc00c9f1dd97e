//! Well-known secrets on this machine, and what the policy lets an agent do with them.
//!
//! The catalogue says what is a secret, the law says what is allowed; nothing here decides either. Contents are looked
//! at only to tell settings with a token from settings without one, and are never shown.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{AbsPath, Access, AccessSet, Host, Links, Origin, Pattern, Place};

use super::finding::{Finding, Severity};
use super::id::Id;
use super::law::View;
use super::machine::{Machine, read_head};
use crate::known::{self, Kind, Secret, Secrets};

/// Entries of one secret directory that are looked at.
const MOST_ENTRIES: usize = 200;

/// How much of a settings file is searched for a token.
const HEAD: usize = 64 * 1024;

pub(crate) fn check(machine: &Machine, views: &mut [View]) -> Vec<Finding> {
    let mut links = Links::default();
    let mut findings = Vec::new();
    let mut told: BTreeSet<AbsPath> = BTreeSet::new();
    for present in known::present(&machine.host) {
        for path in &present.paths {
            let real = links.follow_all(path);
            let whole = judge(machine, views, present.secret, path, &real);
            if let Some(finding) = whole {
                told.insert(path.clone());
                findings.push(finding);
                continue;
            }
            // A wildcard, such as `~/.ssh/id_*`, may open what is in it and not the place itself.
            for entry in entries(&real) {
                if let Some(finding) = judge(machine, views, present.secret, &entry, &entry) {
                    told.insert(entry);
                    findings.push(finding);
                }
            }
        }
    }
    findings.extend(inside(machine, views, &told));
    findings
}

/// What lies directly in a directory, sorted; nothing of what is none.
fn entries(directory: &AbsPath) -> Vec<AbsPath> {
    let Ok(entries) = std::fs::read_dir(directory.as_path()) else { return Vec::new() };
    let entries = entries.flatten().take(MOST_ENTRIES);
    let mut paths: Vec<AbsPath> =
        entries.map(|entry| directory.join(entry.file_name().as_bytes())).collect();
    paths.sort_unstable();
    paths
}

/// What is allowed inside a secret that is denied as a whole: an exception that somebody wrote.
fn inside(machine: &Machine, views: &mut [View], told: &BTreeSet<AbsPath>) -> Vec<Finding> {
    let Some(general) = views.first() else { return Vec::new() };
    let Ok(mut secrets) = Secrets::new(&machine.host) else { return Vec::new() };
    let places: BTreeSet<AbsPath> =
        general.policy.allowed_places().map(|(_, place)| place.clone()).collect();
    let mut findings = Vec::new();
    for place in places {
        let is_told = told.iter().any(|path| place.starts_with(path));
        let secret = [Access::Read, Access::Write]
            .into_iter()
            .find_map(|access| secrets.find(&place, access));
        if let Some(secret) = secret.filter(|_| !is_told && place.as_path().exists()) {
            findings.extend(judge(machine, views, secret, &place, &place));
        }
    }
    findings
}

fn judge(
    machine: &Machine,
    views: &mut [View],
    secret: &Secret,
    path: &AbsPath,
    real: &AbsPath,
) -> Option<Finding> {
    let wanted = accesses(secret, real);
    for view in views {
        if is_own(view, &machine.host, real) {
            continue;
        }
        let rules: Vec<(Access, String)> =
            wanted.iter().filter_map(|access| Some((access, view.allows(real, access)?))).collect();
        let Some((first, rule)) = rules.first() else { continue };
        let allowed: AccessSet = rules.iter().map(|(access, _)| *access).collect();
        let is_preset = matches!(view.origin(real, *first), Some(Origin::Preset { .. }));
        let severity = match (is_preset, secret.kind) {
            (true, _) | (false, Kind::History) => Severity::Warning,
            (false, _) => Severity::Critical,
        };
        let (id, gain) = match secret.kind {
            Kind::Startup => (Id::StartupWritable, "change"),
            Kind::Sockets => (Id::SocketLeadsOut, "talk to"),
            _secret if allowed.contains(Access::Read) => (Id::SecretAllowed, "read"),
            _secret => (Id::SecretAllowed, "change"),
        };
        let (who, what) = (view.who(), secret.what);
        let reason = format!("{who} could {gain} {what}: {rule}");
        let finding = Finding::of_path(id, severity, path, reason);
        let letters = match secret.access {
            AccessSet::ALL => "rwx".to_owned(),
            some => some.to_string(),
        };
        return Some(view.block(finding, real, &letters));
    }
    None
}

/// What an agent should not have there. Reading settings is harmless while no token is in them, and a socket is
/// talked to with `w`.
fn accesses(secret: &Secret, real: &AbsPath) -> AccessSet {
    let write: AccessSet = Access::Write.into();
    let both: AccessSet = [Access::Read, Access::Write].into_iter().collect();
    match secret.kind {
        Kind::Sockets => write,
        // Such settings are read by everybody's tools: the catalogue leaves `x` to them.
        Kind::Tokens if secret.access == both && !has_token(&read_head(real.as_path(), HEAD)) => {
            write
        }
        _secret => secret.access.intersection(both),
    }
}

/// Words that stand before a token or a password in settings of npm, yarn, pip and their like.
pub(super) fn has_token(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_lowercase();
    let is_word = ["_authtoken", "_password", "_auth=", "_auth =", "npmauthtoken", "npmauthident"]
        .iter()
        .any(|word| text.contains(word));
    // https://user:password@host
    let has_login = |rest: &str| {
        let host = rest.split(['/', ' ', '\n', '"']).next().unwrap_or_default();
        host.split_once('@').is_some_and(|(login, _)| login.contains(':'))
    };
    is_word || text.split("://").skip(1).any(has_login)
}

/// An agent's own login is its to read.
fn is_own(view: &View, host: &Host, path: &AbsPath) -> bool {
    let Some(agent) = view.agent else { return false };
    let patterns = agent.state.iter().flat_map(|text| Pattern::parse(text.as_bytes(), Place::File));
    let mut state = patterns.flat_map(|pattern| host.existing(&pattern, 8).unwrap_or_default());
    state.any(|state| path.starts_with(&state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_with_a_token_are_told_from_settings_without() {
        for text in [
            "//registry.example/:_authToken=abc",
            "npmAuthToken: abc",
            "index-url = https://me:secret@pypi.example/simple",
        ] {
            assert!(has_token(text.as_bytes()), "{text}");
        }
        for text in ["registry=https://registry.example/", "save-exact=true", "a: b@c", ""] {
            assert!(!has_token(text.as_bytes()), "{text}");
        }
    }
}
