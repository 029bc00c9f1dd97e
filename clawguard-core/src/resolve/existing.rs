//! Which paths exist now that a pattern matches: for those who tell a person what is on this machine.
//!
//! Decides nothing, and must never be asked what a policy grants: tomorrow other paths exist.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::host::Host;
use crate::decide::Folding;
use crate::path::AbsPath;
use crate::policy::{Component, Pattern, PatternError};

impl Host {
    /// The paths that exist now and that a pattern matches, in order, `most` of them at the most. A `**` is not
    /// followed: with one the pattern finds nothing. The links on the way are followed, the last one is not.
    ///
    /// # Errors
    /// [`PatternError`] for a variable that is not set.
    pub fn existing(&self, pattern: &Pattern, most: usize) -> Result<Vec<AbsPath>, PatternError> {
        let mut found = BTreeSet::new();
        for alternative in pattern.components(self)? {
            find(AbsPath::root(), &alternative.components, &self.folding, most, &mut found);
        }
        Ok(found.into_iter().collect())
    }
}

fn find(
    from: AbsPath,
    components: &[Component],
    folding: &Folding,
    most: usize,
    found: &mut BTreeSet<AbsPath>,
) {
    if found.len() >= most {
        return;
    }
    let Some((first, rest)) = components.split_first() else {
        if from.as_path().symlink_metadata().is_ok() {
            found.insert(from);
        }
        return;
    };
    match first {
        Component::Literal(name) => find(from.join(name), rest, folding, most, found),
        Component::Wild(wildcard) => {
            let case = folding.case(&from, from.depth());
            let Ok(entries) = from.as_path().read_dir() else { return };
            let names = entries.flatten().map(|entry| entry.file_name());
            let matching = |name: &OsStr| wildcard.matches(name.as_bytes(), case);
            for name in names.filter(|name| matching(name)) {
                find(from.join(name.as_bytes()), rest, folding, most, found);
            }
        }
        Component::Globstar => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Place;

    #[test]
    fn what_a_pattern_finds_is_there_and_bounded() {
        let top = tempfile::tempdir().unwrap();
        let home = top.path().canonicalize().unwrap();
        for name in ["a.kdbx", "b.kdbx", ".c.kdbx", "d.txt"] {
            std::fs::write(home.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", home.join("link")).unwrap();
        let mut host = Host::current().unwrap();
        host.home = AbsPath::parse(home.as_os_str().as_bytes()).ok();
        let names = |text: &str, most| -> Vec<String> {
            let pattern = Pattern::parse(text.as_bytes(), Place::File).unwrap();
            let found = host.existing(&pattern, most).unwrap();
            let name = |path: &AbsPath| path.as_path().strip_prefix(&home).unwrap().to_owned();
            found.iter().map(|path| name(path).display().to_string()).collect()
        };
        assert_eq!(names("~/*.kdbx", 9), [".c.kdbx", "a.kdbx", "b.kdbx"]);
        assert_eq!(names("~/*.kdbx", 2).len(), 2);
        assert_eq!(names("~/{d.txt,none,link}", 9), ["d.txt", "link"]);
        assert!(names("~/**/d.txt", 9).is_empty());
        let unset = Pattern::parse(b"$NOT_SET_HERE/x", Place::File).unwrap();
        assert!(host.existing(&unset, 9).is_err());
    }
}
