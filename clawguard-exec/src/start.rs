//! What is said of a policy when a command starts under it: secrets that it opens, and what it names in vain.
//!
//! Looks and says; it must never decide, and costs no walk through directories.

#![forbid(unsafe_code)]

use clawguard_core::{
    AbsPath, Access, AccessSet, Decider, Host, Origin, Pattern, Place, ResolvedPolicy, Rule, escape,
};

use crate::known::{self, Kind, Secret};

/// One sentence, if a line of the user's own opens a well-known secret that exists here. A security warning, so `-q`
/// does not silence it.
pub(crate) fn opened_secrets(policy: &ResolvedPolicy, host: &Host) -> Option<String> {
    let home = host.home.as_ref()?;
    let mut decider = policy.decider();
    let mut opened = Vec::new();
    for secret in known::secrets().iter().filter(|secret| is_secret(secret.kind)) {
        let Some(place) = literal(secret, home) else { continue };
        let within = within(policy, host, &place);
        let found = std::iter::once(place)
            .chain(within)
            .find_map(|path| Some((allowed(policy, &mut decider, &path, secret.access)?, path)));
        if let Some(((access, rule), path)) = found {
            opened.push(format!("{access} on `{path}` ({}) by {rule}", secret.what));
        }
    }
    let more = match opened.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let first = opened.first()?;
    Some(format!(
        "warning: the policy opens a well-known secret: {first}{more}; to close it, put it into `blocked_paths` \
         (all that is open: clawguard-exec audit)"
    ))
}

/// What a line of the user's own allows at a path that exists. What an agent keeps for itself, its preset opens.
fn allowed<'a>(
    policy: &'a ResolvedPolicy,
    decider: &mut Decider,
    path: &AbsPath,
    access: AccessSet,
) -> Option<(Access, &'a Rule)> {
    let decision = decider.decide(path);
    let mut allowed = access.iter().filter(|access| decision.verdict(*access).is_allowed());
    let found =
        allowed.find_map(|access| Some((access, policy.rule(decision.verdict(access).rule()?))));
    found
        .filter(|(_, rule)| rule.origin.is_user())
        .filter(|_| std::fs::symlink_metadata(path.as_path()).is_ok())
}

/// What exists of the user's allowed paths in a place: `~/.ssh/id_*` opens no directory.
fn within(policy: &ResolvedPolicy, host: &Host, place: &AbsPath) -> Vec<AbsPath> {
    let rules = policy.allowed_places().filter(|(_, front)| front.starts_with(place));
    let found =
        rules.flat_map(|(id, _)| host.existing(&policy.rule(id).pattern, MOST).unwrap_or_default());
    found.collect()
}

/// Paths of one rule that are looked at.
const MOST: usize = 8;

fn is_secret(kind: Kind) -> bool {
    match kind {
        Kind::Keys
        | Kind::Passwords
        | Kind::Cloud
        | Kind::Tokens
        | Kind::Browser
        | Kind::Messages => true,
        Kind::History | Kind::Sockets | Kind::Startup => false,
    }
}

/// The path of a secret beneath the home directory; none where its pattern has more than a path.
fn literal(secret: &Secret, home: &AbsPath) -> Option<AbsPath> {
    let rest = secret.pattern.strip_prefix("~/")?;
    let is_plain = !rest.contains(['*', '?', '[', '{', '$', '\\']);
    let path = [home.as_bytes(), b"/", rest.as_bytes()].concat();
    AbsPath::parse(path).ok().filter(|_| is_plain)
}

/// The paths of `--allow` that do not exist, one sentence each: most often they are misspelt.
pub(crate) fn not_there(policy: &ResolvedPolicy) -> Vec<String> {
    let is_option =
        |origin: &Origin| matches!(origin, Origin::CommandLine { option } if *option == "--allow");
    let made: Vec<&AbsPath> = policy.create().collect();
    let places = policy.allowed_places().map(|(id, place)| (policy.rule(id), place));
    let missing = places.filter(|(rule, place)| {
        is_option(&rule.origin) && !made.contains(place) && !place.as_path().exists()
    });
    missing
        .map(|(rule, place)| {
            let given = escape(rule.pattern.text());
            format!(
                "--allow {given}: `{place}` does not exist yet (a slash at the end makes the directory before the start)"
            )
        })
        .collect()
}

/// The working directory, if the command may neither read nor change it: what to do about it. Most often the person
/// forgot to allow the place where they work.
pub(crate) fn closed_directory(
    policy: &ResolvedPolicy,
    host: &Host,
    again: &dyn Fn(&str) -> String,
) -> Option<String> {
    let decision = policy.decider().decide(&host.cwd);
    let is_allowed = |access| decision.verdict(access).is_allowed();
    if is_allowed(Access::Read) || is_allowed(Access::Write) {
        return None;
    }
    let reason = policy.reason(decision.verdict(Access::Read));
    let cwd = &host.cwd;
    let front = format!("the policy does not allow the working directory `{cwd}` ({reason})");
    if decision.verdict(Access::Read).rule().is_some() || host.unfit_workspace(cwd).is_some() {
        return Some(format!("{front}: start in a directory that it allows"));
    }
    let line = Pattern::parse(&Pattern::spell(cwd), Place::File).ok()?;
    let file = policy_file(policy);
    Some(format!(
        "{front}\nto allow it for this run: {}\nto allow it always: put `- \"{}/\"` into `allowed_paths`{file}",
        again("--allow ."),
        escape(line.text())
    ))
}

fn policy_file(policy: &ResolvedPolicy) -> String {
    let file = policy.file().map(|file| escape(file.as_os_str().as_encoded_bytes()));
    file.map_or_else(String::new, |file| format!(" of {file}"))
}
