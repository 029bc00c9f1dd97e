//! What changes in the environment of the command: what presets and the policy set, and what is not handed on.
//!
//! A variable is taken away by its name alone; its value is never looked at.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::host::Host;
use super::program::Program;
use super::spell;
use crate::policy::{Environment, Mistake, Preset};

/// What changes in the command's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedEnvironment {
    /// Variables that are set; the last one of a name counts.
    pub set: Vec<(OsString, OsString)>,
    /// Variables of the host that are not handed on, and who says so.
    pub remove: BTreeMap<OsString, Removal>,
}

/// Who says that a variable is not handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// `security.environment.remove` of the policy.
    Policy,
    /// The default list, for what it says of such a variable.
    Default {
        /// The entry of the list, such as `*_TOKEN`.
        entry: &'static str,
        /// What such a variable is.
        why: &'static str,
    },
}

/// The default list: names and why, in order. A `*` at either end of a name takes the rest of it.
pub fn removed_by_default() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("environment.tsv").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

/// Puts together what presets and the policy say; the policy's word comes last and wins.
pub(super) fn resolve(
    host: &Host,
    presets: &[Preset],
    own: &Environment,
    program: &Program,
) -> Result<ResolvedEnvironment, Vec<Mistake>> {
    let mut set = Vec::new();
    let mut mistakes = Vec::new();
    let of_presets = presets.iter().map(|preset| &preset.environment);
    for environment in of_presets.clone().chain([own]) {
        for (name, (value, origin)) in &environment.set {
            match spell::text(value, origin, host, program) {
                Ok(Some(value)) => set.push((name.into(), value)),
                Ok(None) => {}
                Err(mistake) => mistakes.push(mistake),
            }
        }
    }
    if let Some(directory) = &host.temporary {
        set.push(("TMPDIR".into(), directory.as_path().as_os_str().to_owned()));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let kept: Vec<&BTreeSet<String>> = of_presets.map(|environment| &environment.keep).collect();
    // Read once: there are as many variables as lines.
    let default: Vec<(&str, &str)> = removed_by_default().collect();
    let removal = |name: &OsString| Some((name.clone(), removal(name, own, &kept, &default)?));
    let remove = host.environment.keys().filter_map(removal).collect();
    Ok(ResolvedEnvironment { set, remove })
}

/// Who takes this variable away, if anybody does.
fn removal(
    name: &OsStr,
    own: &Environment,
    of_presets: &[&BTreeSet<String>],
    default: &[(&'static str, &'static str)],
) -> Option<Removal> {
    let any = |entries: &BTreeSet<String>| entries.iter().any(|entry| takes(entry, name));
    if any(&own.keep) {
        return None;
    }
    if any(&own.remove) {
        return Some(Removal::Policy);
    }
    if of_presets.iter().any(|keep| any(keep)) {
        return None;
    }
    let taken = default.iter().find(|(entry, _)| takes(entry, name));
    taken.map(|&(entry, why)| Removal::Default { entry, why })
}

/// Does an entry of a list mean this variable?
fn takes(entry: &str, name: &OsStr) -> bool {
    let (entry, name) = (entry.as_bytes(), name.as_bytes());
    match (entry.strip_prefix(b"*"), entry.strip_suffix(b"*")) {
        (Some([]), _) => true,
        (Some(middle), Some(_)) => {
            let middle = middle.strip_suffix(b"*").unwrap_or(middle);
            middle.is_empty() || name.windows(middle.len()).any(|window| window == middle)
        }
        (Some(end), None) => name.ends_with(end),
        (None, Some(front)) => name.starts_with(front),
        (None, None) => name == entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn entries(of: &[&str]) -> BTreeSet<String> {
        of.iter().map(|entry| (*entry).to_owned()).collect()
    }

    fn is_removed(name: &str, keep: &[&str], remove: &[&str], preset: &[&str]) -> bool {
        let own =
            Environment { keep: entries(keep), remove: entries(remove), ..Default::default() };
        let default: Vec<_> = removed_by_default().collect();
        removal(OsStr::new(name), &own, &[&entries(preset)], &default).is_some()
    }

    #[test]
    fn secrets_and_injected_code_are_not_handed_on_and_the_rest_is() {
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "SSH_AUTH_SOCK",
            "LD_PRELOAD",
            "BASH_ENV",
            "BASH_FUNC_ls%%",
            "DB_PASSWORD",
            "TOKEN",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_COUNT",
        ] {
            assert!(is_removed(name, &[], &[], &[]), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "TERM",
            "LANG",
            "EDITOR",
            "TOKENIZERS_PARALLELISM",
            "GIT_AUTHOR_NAME",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
            "XDG_RUNTIME_DIR",
            "LISTEN_FDS",
            "NODE_CHANNEL_FD",
        ] {
            assert!(!is_removed(name, &[], &[], &[]), "{name}");
        }
    }

    #[test]
    fn the_policy_has_the_last_word() {
        assert!(!is_removed("GITHUB_TOKEN", &["GITHUB_TOKEN"], &[], &[]));
        assert!(!is_removed("GITHUB_TOKEN", &["*"], &["*"], &[]));
        assert!(!is_removed("OPENAI_API_KEY", &[], &[], &["OPENAI_API_KEY"]));
        assert!(is_removed("OPENAI_API_KEY", &[], &["*_KEY"], &["OPENAI_API_KEY"]));
        assert!(is_removed("EDITOR", &[], &["*DIT*"], &[]));
        assert!(!is_removed("EDITOR", &[], &["*DAT*"], &[]));
    }

    #[test]
    fn a_name_that_is_not_text_is_a_name_all_the_same() {
        let name = OsString::from_vec(b"\xff_TOKEN".to_vec());
        let default: Vec<_> = removed_by_default().collect();
        assert!(removal(&name, &Environment::default(), &[], &default).is_some());
    }

    #[test]
    fn each_entry_of_the_list_is_there_once_and_says_why() {
        let names: Vec<&str> = removed_by_default().map(|(name, _)| name).collect();
        let lines = include_str!("environment.tsv").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(names.len(), lines.count());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(removed_by_default().all(|(_, why)| !why.is_empty()));
        assert!(names.iter().all(|name| !name.trim_matches('*').contains('*')));
    }
}
