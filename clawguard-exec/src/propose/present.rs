//! The policy as it stands, as text: what a proposal is a difference to, and what it is tried with.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clawguard_core::{
    AccessSet, Effect, Host, JournalPlace, Origin, Pattern, Place, Policy, Preset, ResolvedPolicy,
    Rule, escape,
};

use super::edit::{self, Edited};
use super::shape::Unit;
use super::{Kept, Line, spell};
use crate::exit::{Exit, Failure};

/// Lines that a preset must save.
const WORTH: usize = 2;

/// A policy's text and where it is, or would be looked for.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    /// Is there such a file? Else the text is the built-in default's blocks, to begin a new one with.
    pub(crate) exists: bool,
    journal: JournalPlace,
}

impl Present {
    /// The policy that a start finds; without one, the beginning of a new file that blocks what the built-in default
    /// does.
    ///
    /// # Errors
    /// When the policy cannot be read, or there is none and no place for one.
    pub(crate) fn find(
        host: &Host,
        named: Option<&Path>,
        journal: JournalPlace,
    ) -> Result<Present, Failure> {
        let policy = Policy::locate(host, named)?;
        if let Some(file) = policy.file() {
            let file = host.cwd.as_path().join(file);
            let text = std::fs::read_to_string(&file).map_err(|source| Unreadable {
                file: escape(file.as_os_str().as_bytes()),
                source,
            })?;
            return Ok(Present { file, text, exists: true, journal });
        }
        let file = place(host).ok_or_else(|| {
            let text = "there is no home directory to keep a policy in: name one with --policy";
            Failure::new(Exit::Ours, text)
        })?;
        Ok(Present { file, text: beginning(host), exists: false, journal })
    }

    /// A rule and its place, in words. What begins a new file has no place yet.
    pub(super) fn told(&self, rule: &Rule) -> String {
        match rule.origin {
            Origin::File { .. } if !self.exists => {
                let Rule { pattern, effect, access, .. } = rule;
                format!("{} {access} `{pattern}` ({})", effect.name(), Origin::DEFAULT)
            }
            Origin::File { .. }
            | Origin::Preset { .. }
            | Origin::CommandLine { .. }
            | Origin::BuiltIn { .. } => rule.to_string(),
        }
    }

    /// What the command starts under: the policy itself, or the built-in default where this only begins a file.
    pub(crate) fn to_start_under(&self) -> Result<Policy, Failure> {
        if self.exists {
            return self.policy();
        }
        let mut policy = Policy::builtin();
        policy.log_to(self.journal.clone());
        Ok(policy)
    }

    /// On this host.
    ///
    /// # Errors
    /// As [`Policy::resolve`].
    pub(crate) fn resolve(&self, host: &Host) -> Result<ResolvedPolicy, Failure> {
        Ok(self.policy()?.resolve(host)?)
    }

    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        let mut policy = Policy::parse(&self.text, &self.file)?;
        policy.log_to(self.journal.clone());
        Ok(policy)
    }

    /// With these presets and lines in it.
    pub(super) fn resolve_with(
        &self,
        host: &Host,
        presets: &[&'static str],
        lines: &[Line],
    ) -> Result<ResolvedPolicy, Failure> {
        let mut policy = match presets {
            [] => self.policy()?,
            presets => {
                let names = self.presets_to_write(host, presets)?;
                let Some(edited) = edit::edit(&self.text, &names, &[]) else {
                    return Err(Failure::new(
                        Exit::Ours,
                        "the presets cannot be put into the policy",
                    ));
                };
                Present { text: edited.text, ..self.clone() }.policy()?
            }
        };
        for line in lines {
            let pattern = Pattern::parse(&line.pattern, Place::File)?;
            policy.allow(pattern, line.access, Origin::BuiltIn { part: "proposal" });
        }
        Ok(policy.resolve(host)?)
    }

    /// What is written into `presets`: the new ones, or all of them where the key is not there yet, since it takes the
    /// place of the default.
    fn presets_to_write(
        &self,
        host: &Host,
        more: &[&'static str],
    ) -> Result<Vec<&'static str>, Failure> {
        if edit::names_presets(&self.text) || more.is_empty() {
            return Ok(more.to_vec());
        }
        let resolved = self.resolve(host)?;
        Ok(resolved.presets().iter().chain(more).copied().collect())
    }

    /// The presets of programs that were seen, which allow so much of what was wanted that they are easier to read
    /// than lines.
    pub(super) fn worth_adding(
        &self,
        host: &Host,
        kept: &Kept<'_>,
        units: &[Unit],
    ) -> Result<Vec<&'static str>, Failure> {
        let base = self.resolve(host)?;
        let seen: BTreeSet<&[u8]> =
            kept.values().flat_map(|one| one.commands.iter().map(Vec::as_slice)).collect();
        let own = host.command.as_ref().and_then(|command| Path::new(command).file_name());
        let was_seen = |command: &String| {
            seen.contains(command.as_bytes()) || own == Some(OsStr::new(command))
        };
        let mut left: Vec<&Unit> = units.iter().collect();
        let mut worth = Vec::new();
        for preset in Preset::all()? {
            let is_new = !base.presets().contains(&preset.name);
            if !is_new || !preset.commands.iter().any(was_seen) {
                continue;
            }
            let Ok(with) = self.resolve_with(host, &[preset.name], &[]) else { continue };
            let mut decider = with.decider();
            let before = left.len();
            let still: Vec<&Unit> =
                left.iter().copied().filter(|unit| !unit.is_allowed(&mut decider, kept)).collect();
            if before - still.len() >= WORTH {
                left = still;
                worth.push(preset.name);
            }
        }
        Ok(worth)
    }

    /// Does the text name its presets, so that an agent is not given its own?
    pub(crate) fn names_presets(&self) -> bool {
        edit::names_presets(&self.text)
    }

    /// The text with these presets in it besides, and the difference.
    ///
    /// # Errors
    /// When the present policy cannot be resolved again.
    pub(crate) fn with_presets(
        &self,
        host: &Host,
        presets: &[&'static str],
    ) -> Result<Edited, Failure> {
        self.edited(host, presets, &[])
    }

    /// The text with these presets and lines in it, and the difference.
    ///
    /// What cannot be put into the text as it is written is to be added by hand.
    ///
    /// # Errors
    /// When the present policy cannot be resolved again.
    pub(super) fn edited(
        &self,
        host: &Host,
        presets: &[&'static str],
        lines: &[Line],
    ) -> Result<Edited, Failure> {
        let names = self.presets_to_write(host, presets)?;
        let entries: Vec<edit::Entry> = lines.iter().map(entry).collect();
        let edited = edit::edit(&self.text, &names, &entries);
        let fits = |edited: &edit::Text| self.says_the_same(&edited.text, host, presets, lines);
        let Some(edited) = edited.filter(fits) else {
            return Ok(Edited::ByHand { file: self.file.clone(), presets: names, entries });
        };
        let diff = match self.exists {
            true => super::diff::unified(&self.file, &self.text, &edited.changes),
            false => super::diff::new_file(&self.file, &edited.text),
        };
        Ok(Edited::File { text: edited.text, diff })
    }

    /// Does the new text say what the old one did, these lines and nothing else?
    fn says_the_same(
        &self,
        text: &str,
        host: &Host,
        presets: &[&'static str],
        lines: &[Line],
    ) -> bool {
        let Ok(new) = (Present { text: text.to_owned(), ..self.clone() }).policy() else {
            return false;
        };
        let Ok(old) = self.policy() else { return false };
        let key = |rule: &Rule| (rule.effect, rule.pattern.text().to_vec(), rule.access);
        let mut expected: Vec<(Effect, Vec<u8>, AccessSet)> = old.rules().iter().map(key).collect();
        expected
            .extend(lines.iter().map(|line| (Effect::Allowed, line.pattern.clone(), line.access)));
        let mut found: Vec<_> = new.rules().iter().map(key).collect();
        expected.sort();
        found.sort();
        let (Ok(old), Ok(new)) = (old.resolve(host), new.resolve(host)) else { return false };
        let has = |name: &&str| new.presets().contains(name);
        expected == found && presets.iter().all(has) && old.presets().iter().all(has)
    }
}

/// A line with the reason behind it.
fn entry(line: &Line) -> edit::Entry {
    let most = 3;
    let mut names: Vec<String> =
        line.commands.iter().take(most).map(|name| spell::comment(name)).collect();
    if line.commands.len() > most {
        names.push("others".to_owned());
    }
    let times = if line.count == 1 { "once".to_owned() } else { format!("{} times", line.count) };
    let paths = if line.paths == 1 { String::new() } else { format!(", {} paths", line.paths) };
    let who = if names.is_empty() { String::new() } else { format!("{}: ", names.join(", ")) };
    edit::Entry {
        value: spell::entry(&line.pattern, line.access),
        why: format!("{who}{times}{paths}"),
    }
}

/// Where a start looks first: `$XDG_CONFIG_HOME/clawguard/policy.yaml`.
fn place(host: &Host) -> Option<PathBuf> {
    let named = host.variable("XDG_CONFIG_HOME").map(Path::new).filter(|path| path.is_absolute());
    let config = match (named, &host.home) {
        (Some(named), _) => named.to_owned(),
        (None, Some(home)) => home.as_path().join(".config"),
        (None, None) => return None,
    };
    Some(config.join("clawguard/policy.yaml"))
}

/// A policy that allows what its presets do, and blocks what the built-in default blocks here.
fn beginning(host: &Host) -> String {
    let mut text = String::from(
        "# A policy of clawguard. `$PWD` is the directory that the command is started in. Without `presets` the\n\
         # default ones apply: system, git, node, python, cargo, go, and the command's own.\n\
         security:\n  file_access:\n    allowed_paths:\n    blocked_paths:\n",
    );
    for (pattern, access) in default_blocks(host) {
        text.push_str(&format!("      - {}\n", spell::entry(&pattern, access)));
    }
    text
}

/// What the built-in default blocks here. It is asked with a path of its own to allow, since the working directory may
/// be none that it would allow.
fn default_blocks(host: &Host) -> Vec<(Vec<u8>, AccessSet)> {
    let mut policy = Policy::builtin();
    let Ok(nothing) = Pattern::parse(b"/nonexistent", Place::File) else { return Vec::new() };
    policy.allow(nothing, AccessSet::ALL, Origin::BuiltIn { part: "proposal" });
    let Ok(resolved) = policy.resolve(host) else { return Vec::new() };
    let default = Origin::BuiltIn { part: Origin::DEFAULT };
    let blocks = resolved
        .rules()
        .map(|(_, rule)| rule)
        .filter(|rule| rule.effect == Effect::Blocked && rule.origin == default);
    let spelled = |rule: &Rule| {
        let text = rule.pattern.text();
        // The files of a repository are named by their path alone.
        let path = clawguard_core::AbsPath::parse(text).ok();
        let pattern = path.filter(|_| !text.starts_with(b"**"));
        (pattern.map_or_else(|| text.to_vec(), |path| spell::pattern(&path, host)), rule.access)
    };
    blocks.map(spelled).collect()
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read the policy `{file}` once more")]
struct Unreadable {
    file: String,
    source: std::io::Error,
}
