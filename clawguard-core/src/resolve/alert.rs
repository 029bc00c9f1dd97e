//! Which files an `on_denied` command names: what the target may write among them, it would run outside.
//!
//! A look at words, not a shell: what is put together by the shell is not seen. Warns, and decides nothing.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::host::Host;
use super::links::Links;
use crate::path::AbsPath;

/// The files, as they are written and with links followed.
pub(super) fn files(command: &str, host: &Host, links: &mut Links) -> Vec<AbsPath> {
    let is_between = |c: char| c.is_whitespace() || ";|&()<>\"'`=".contains(c);
    let mut files = BTreeSet::new();
    for word in command.split(is_between).filter(|word| !word.is_empty()) {
        let written = match word.contains('/') {
            true => absolute(word, host),
            false => host.find_command(OsStr::new(word)).map(|found| found.as_bytes().to_vec()),
        };
        if let Some(written) = written {
            files.extend(AbsPath::parse(&written).ok());
            files.insert(links.follow_raw(&written));
        }
    }
    files.into_iter().collect()
}

fn absolute(word: &str, host: &Host) -> Option<Vec<u8>> {
    let home = host.home.as_ref();
    let in_home = ["~/", "$HOME/", "${HOME}/"].iter().find_map(|front| word.strip_prefix(front));
    match in_home {
        Some(rest) => home.map(|home| [home.as_bytes(), b"/", rest.as_bytes()].concat()),
        None => word.starts_with('/').then(|| OsStr::new(word).as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_files_are_found() {
        let mut host = Host::current().unwrap();
        host.home = AbsPath::parse("/home/u").ok();
        let found = |command: &str| {
            let files = files(command, &host, &mut Links::default());
            files.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            found("~/bin/tell; \"$HOME/x\">/w/log"),
            ["/home/u/bin/tell", "/home/u/x", "/w/log"]
        );
        assert!(found("sh -c true").iter().any(|file| file.ends_with("/sh")));
        assert!(found("relative/tell no-such-command-anywhere").is_empty());
    }
}
