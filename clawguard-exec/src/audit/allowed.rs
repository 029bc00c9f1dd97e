//! One walk through what the policy allows: files that look like secrets, names that lead out, sockets that answer.
//!
//! Only the first bytes of files with a telling name are read, and never shown.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use clawguard_core::{AbsPath, Access, Origin};
use rustix::fs::FileType;

use super::finding::{Finding, Severity};
use super::git;
use super::id::Id;
use super::law::View;
use super::links::{Names, mounts};
use super::machine::Machine;
use super::process::Processes;
use super::sockets::Sockets;
use super::walk::{Budget, Entry, Step, walk};
use crate::known::Secrets;

/// Directories full of other people's files, tests and examples among them.
const OTHERS: [&[u8]; 4] = [b"node_modules", b"site-packages", b".git", b"dist-packages"];

/// Names that tell by themselves.
const NAMES: [&[u8]; 14] = [
    b".git-credentials",
    b".htpasswd",
    b".netrc",
    b".pgpass",
    b".pypirc",
    b".vault-token",
    b"_netrc",
    b"credentials.json",
    b"id_dsa",
    b"id_ecdsa",
    b"id_ed25519",
    b"id_rsa",
    b"client_secret.json",
    b"secrets.json",
];

const ENDS: [&[u8]; 6] = [b".kdbx", b".kdb", b".p12", b".pfx", b".ppk", b".jks"];

/// The ends of `.env` files that are there to be copied.
const EXAMPLES: [&[u8]; 6] =
    [b".example", b".sample", b".template", b".dist", b".defaults", b".schema"];

pub(crate) fn check(machine: &Machine, views: &mut [View], processes: &Processes) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut budget = Budget::new(200_000, Duration::from_secs(10));
    let mut secrets = Secrets::new(&machine.host).ok();
    let mut sockets = Sockets::read(machine, processes);
    let places: Vec<AbsPath> = views
        .first()
        .into_iter()
        .flat_map(|view| view.policy.allowed_places())
        .map(|(_, place)| place.clone())
        .collect();
    for (root, at) in roots(machine, views) {
        let Some(view) = views.get_mut(at) else { continue };
        findings.extend(mounts(machine, &root, view));
        let mut names = Names::default();
        let ended = walk(&root, &mut budget, |entry| {
            let is_others = within_others(entry.path, &root);
            match entry.kind() {
                FileType::RegularFile => {
                    let is_read = view.allows(entry.path, Access::Read).is_some();
                    names.see(entry, is_read);
                    findings.extend(git::check(entry, view));
                    if is_read && !is_others {
                        findings.extend(secret(entry, view, secrets.as_mut()));
                    }
                }
                FileType::Socket => findings.extend(sockets.judge(entry.path, view)),
                _other => {}
            }
            // A block is gone through only by an exact rule, and then its place is known.
            match entry.kind() == FileType::Directory && view.blocks(entry.path) {
                true if !places.iter().any(|place| place.starts_with(entry.path)) => Step::Over,
                true | false => Step::Into,
            }
        });
        findings.extend(super::not_looked_at(&root, &ended));
        findings.extend(names.findings(&root, &ended));
    }
    findings
}

/// Where the user's own rules begin, and the workspace that OpenClaw's preset allows; with the view that judges it.
fn roots(machine: &Machine, views: &[View]) -> BTreeMap<AbsPath, usize> {
    let mut roots = BTreeMap::new();
    let openclaw =
        views.iter().position(|view| view.agent.is_some_and(|agent| agent.preset == "openclaw"));
    if let Some(view) = openclaw {
        let states = machine.openclaw_states().into_iter();
        roots.extend(states.map(|state| (state.join(b"workspace"), view)));
    }
    let own = views.first().into_iter().flat_map(|view| view.policy.allowed_places());
    roots.extend(own.map(|(_, place)| (place.clone(), 0)));
    let places: Vec<AbsPath> = roots.keys().cloned().collect();
    roots.retain(|root, _| !places.iter().any(|other| root != other && root.starts_with(other)));
    roots
}

fn within_others(path: &AbsPath, root: &AbsPath) -> bool {
    path.components().skip(root.depth()).any(|name| OTHERS.contains(&name))
}

fn secret(entry: &Entry<'_>, view: &mut View, known: Option<&mut Secrets>) -> Option<Finding> {
    let what = looks_like(entry)?;
    // The catalogue has said it already.
    if known.is_some_and(|known| known.find(entry.path, Access::Read).is_some()) {
        return None;
    }
    // Presets are ours to keep tidy; what lies in an agent's workspace is its owner's.
    let is_preset = matches!(view.origin(entry.path, Access::Read), Some(Origin::Preset { .. }));
    if is_preset && view.agent.is_none() {
        return None;
    }
    let rule = view.allows(entry.path, Access::Read)?;
    let who = view.who();
    let reason = format!("{who} could read {what}: {rule}");
    let finding = Finding::of_path(Id::SecretLikeFile, Severity::Warning, entry.path, reason);
    Some(view.block(finding, entry.path, "r"))
}

/// What a file seems to hold, by its name and, where the name is not enough, by its first bytes.
fn looks_like(entry: &Entry<'_>) -> Option<&'static str> {
    let name = entry.name();
    if entry.stat.st_size == 0 {
        return None;
    }
    let is_env = name == b".env" || name.starts_with(b".env.");
    if is_env && !EXAMPLES.iter().any(|end| name.ends_with(end)) {
        return Some("a file of settings, often with passwords and keys");
    }
    if NAMES.contains(&name) {
        return Some("a file whose name says that it holds keys or passwords");
    }
    if ENDS.iter().any(|end| name.ends_with(end)) {
        return Some("a store of keys or passwords");
    }
    let has = |text: &[u8]| {
        let head = entry.head(4096);
        head.windows(text.len()).any(|window| window == text)
    };
    let is_key = [&b".pem"[..], b".key"].iter().any(|end| name.ends_with(end));
    if is_key && has(b"PRIVATE KEY-----") {
        return Some("a private key");
    }
    if name.ends_with(b".json") && entry.stat.st_size < 16 * 1024 && has(b"BEGIN PRIVATE KEY") {
        return Some("the private key of a service account");
    }
    let is_settings = [&b".npmrc"[..], b".yarnrc.yml", b"pip.conf"].contains(&name);
    (is_settings && super::secrets::has_token(&entry.head(64 * 1024)))
        .then_some("settings with a token or a password")
}
