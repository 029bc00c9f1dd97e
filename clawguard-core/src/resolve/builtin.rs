//! The rules that no file holds: the built-in default policy, the guards, the temporary directory.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;

use super::host::Host;
use super::links::Links;
use super::repository::Repository;
use crate::access::{Access, AccessSet};
use crate::path::AbsPath;
use crate::policy::{
    Component, Effect, Mistake, MistakeKind, Origin, Pattern, Place, Policy, Rule, Temporary,
};

/// Blocked by the default, with their accesses. Writing a `.env` stays possible, so that `git clone` and
/// `cp .env.example .env` work; reading it back is what leaks, and executing it is one way to read it.
const DEFAULT_BLOCKS: [(&str, &[Access]); 3] = [
    ("~/.*", &Access::ALL),
    ("**/.env", &[Access::Read, Access::Execute]),
    (
        "**/.env.{local,development,production,staging,test}{,.local}",
        &[Access::Read, Access::Execute],
    ),
];

impl Policy {
    /// What the built-in default blocks on every host: patterns as a policy file has them, and their accesses. What it
    /// does in the repository of the working directory is [`Repository::of`].
    pub fn default_blocks() -> impl Iterator<Item = (&'static str, AccessSet)> {
        let set = |accesses: &[Access]| accesses.iter().copied().collect();
        DEFAULT_BLOCKS.into_iter().map(move |(text, accesses)| (text, set(accesses)))
    }
}

/// The built-in default on a host.
#[derive(Default)]
pub(super) struct Default {
    pub(super) rules: Vec<Rule>,
    pub(super) remarks: Vec<String>,
}

/// The rules of the built-in default; `own` are those of the command line, whose allowed paths take the place of the
/// working directory.
pub(super) fn default(host: &Host, own: &[Rule]) -> Result<Default, Mistake> {
    let origin = Origin::BuiltIn { part: Origin::DEFAULT };
    let mut rules = Vec::new();
    let named = workspaces(own, host);
    if named.is_none() {
        if let Some(reason) = unfit(host, &host.cwd) {
            let kind = MistakeKind::Workspace { directory: host.cwd.to_string(), reason };
            return Err(Mistake { origin, kind });
        }
        let pattern = parse("$PWD", &origin)?;
        rules.push(Rule {
            pattern,
            effect: Effect::Allowed,
            access: AccessSet::ALL,
            origin: origin.clone(),
        });
    }
    for (text, access) in Policy::default_blocks() {
        if text.starts_with('~') && host.home.is_none() {
            continue;
        }
        let pattern = parse(text, &origin)?;
        rules.push(Rule { pattern, effect: Effect::Blocked, access, origin: origin.clone() });
    }
    let workspaces = named.as_deref().unwrap_or(std::slice::from_ref(&host.cwd));
    let mut remarks = Vec::new();
    for workspace in workspaces.iter().chain(named.as_ref().map(|_| &host.cwd)) {
        let repository = Repository::of(workspace, workspaces, host);
        rules.extend(trusted(&repository, &origin));
        if named.is_none() {
            rules.extend(granted(&repository, &origin));
            remarks.extend(repository.remarks);
        }
    }
    Ok(Default { rules, remarks })
}

/// The directories that rules of the command line allow for writing, by their real paths; none if nothing is allowed
/// there.
fn workspaces(own: &[Rule], host: &Host) -> Option<Vec<AbsPath>> {
    let mut allowed = own.iter().filter(|rule| rule.effect == Effect::Allowed).peekable();
    allowed.peek()?;
    let writable = allowed.filter(|rule| rule.access.contains(Access::Write));
    let alternatives = writable
        .filter_map(|rule| rule.pattern.components(host).ok())
        .flatten()
        .collect::<Vec<_>>();
    let paths = alternatives.iter().map(|alternative| {
        let names = alternative.components.iter().map_while(Component::literal);
        let front = names.fold(AbsPath::root(), |path, name| path.join(name));
        Links::default().follow_all(&front)
    });
    Some(paths.collect())
}

fn trusted<'a>(repository: &'a Repository, origin: &'a Origin) -> impl Iterator<Item = Rule> + 'a {
    repository.trusted.iter().map(|path| Rule {
        pattern: Pattern::literal(path),
        effect: Effect::Blocked,
        access: Access::Write.into(),
        origin: origin.clone(),
    })
}

/// What git needs beside the working directory. None of it is exact, so that a block of the user's goes first.
fn granted(repository: &Repository, origin: &Origin) -> Vec<Rule> {
    let rule = |text: Vec<u8>, access: AccessSet| {
        let pattern = Pattern::parse(&text, Place::File).ok()?;
        Some(Rule { pattern, effect: Effect::Allowed, access, origin: origin.clone() })
    };
    let trees = repository.directories.iter().map(|path| {
        let text = [Pattern::spell(path).as_slice(), b"/**"].concat();
        rule(text, AccessSet::ALL)
    });
    let files = repository.readable.iter().map(|path| {
        let mut text = Pattern::spell(path);
        if path.as_path().is_dir() {
            text.extend(b"/**");
        } else {
            let last = text.pop().map(|last| [b'[', last, b']']);
            text.extend(last.into_iter().flatten());
        }
        rule(text, Access::Read.into())
    });
    trees.chain(files).flatten().collect()
}

fn parse(text: &str, origin: &Origin) -> Result<Pattern, Mistake> {
    Pattern::parse(text.as_bytes(), Place::File)
        .map_err(|error| Mistake { origin: origin.clone(), kind: error.into() })
}

/// System directories: themselves, and for the second list whatever is beneath.
const SYSTEM: [&str; 34] = [
    "/bin",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/media",
    "/mnt",
    "/nix",
    "/nix/store",
    "/opt",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/spool",
    "/var/tmp",
    "/lost+found",
    "/snap",
];
const SYSTEM_TREES: [&str; 9] =
    ["/boot", "/dev", "/etc", "/proc", "/sys", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share"];

impl Host {
    /// Why a directory, named by its real path, cannot be a workspace: the words with which the built-in default refuses
    /// it. None if it can.
    #[must_use]
    pub fn unfit_workspace(&self, directory: &AbsPath) -> Option<String> {
        unfit(self, directory)
    }
}

/// Why a directory cannot be the workspace of the built-in default.
fn unfit(host: &Host, directory: &AbsPath) -> Option<String> {
    if *directory == AbsPath::root() {
        return Some("the root of the file system".to_owned());
    }
    if let Some(home) = &host.home {
        if directory == home {
            return Some("the home directory".to_owned());
        }
        if home.starts_with(directory) {
            return Some("an ancestor of the home directory".to_owned());
        }
        let beneath = directory.as_path().strip_prefix(home.as_path()).ok();
        let first = beneath.and_then(|beneath| beneath.iter().next());
        if first.is_some_and(|name| name.as_bytes().starts_with(b".")) {
            return Some("covered by the default block `~/.*`".to_owned());
        }
    }
    let is = |name: &&str| directory.as_bytes() == name.as_bytes();
    let within = |name: &&str| directory.as_path().starts_with(name);
    if is(&"/tmp") || is(&"/var/tmp") {
        return Some("shared by everybody for temporary files".to_owned());
    }
    let system = SYSTEM.iter().any(is) || SYSTEM_TREES.iter().any(within);
    if system {
        return Some("a system directory".to_owned());
    }
    let dotenv = directory.components().any(is_dotenv);
    dotenv.then(|| "covered by the default block `**/.env`".to_owned())
}

fn is_dotenv(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b".env") else { return false };
    let rest = rest.strip_suffix(b".local").unwrap_or(rest);
    matches!(rest, b"" | b".local" | b".development" | b".production" | b".staging" | b".test")
}

/// What nobody confined may change, whatever any rule says: the places of policies, the shim, the journal.
pub(super) fn guards(host: &Host, policy: &Policy, links: &mut Links) -> Vec<Rule> {
    let mut named = |path: &std::path::Path| {
        let path = path.as_os_str().as_bytes();
        let path = if path.starts_with(b"/") {
            path.to_vec()
        } else {
            [host.cwd.as_bytes(), b"/", path].concat()
        };
        links.follow_raw_unless_normal(&path)
    };
    let mut paths: Vec<AbsPath> = policy.file().into_iter().map(&mut named).collect();
    paths.extend(policy.journal.guarded().iter().map(|path| named(path)));
    paths.extend(super::locate::places(host).into_iter().map(|place| place.path));
    paths.extend(host.shim.clone());
    paths.extend(host.state_directory());
    // A later start may have another environment than this one.
    let defaults = [&b".config/clawguard/policy.yaml"[..], b".local/state/clawguard"];
    paths.extend(defaults.into_iter().filter_map(|path| host.beneath_home(path)));
    paths.sort();
    paths.dedup();
    let origin = Origin::BuiltIn { part: Origin::GUARD };
    let guard = |path: &AbsPath| Rule {
        pattern: Pattern::literal(path),
        effect: Effect::Guard,
        access: Access::Write.into(),
        origin: origin.clone(),
    };
    paths.iter().map(guard).collect()
}

/// What the policy's `temporary` grants.
pub(super) fn temporary_rules(host: &Host, temporary: Temporary) -> Vec<Rule> {
    let allowed = |path: AbsPath, part| Rule {
        pattern: Pattern::literal(&path),
        effect: Effect::Allowed,
        access: AccessSet::ALL,
        origin: Origin::BuiltIn { part },
    };
    match temporary {
        Temporary::Private => {
            host.temporary.iter().cloned().map(|path| allowed(path, Origin::TEMPORARY)).collect()
        }
        Temporary::Shared => {
            let paths =
                ["/tmp", "/var/tmp"].into_iter().filter_map(|path| AbsPath::parse(path).ok());
            paths.map(|path| allowed(path, Origin::SHARED_TEMPORARY)).collect()
        }
        Temporary::None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_dotenv_is_known() {
        for name in [".env", ".env.local", ".env.test", ".env.production.local"] {
            assert!(is_dotenv(name.as_bytes()), "{name}");
        }
        for name in [".envrc", ".env.example", "env", ".env.locale"] {
            assert!(!is_dotenv(name.as_bytes()), "{name}");
        }
    }
}
