//! Paths in the words of a person and of a policy: `~` for the home directory.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;

use clawguard_core::{AbsPath, Pattern};

/// A path for a person, not yet escaped.
pub(super) fn short(path: &AbsPath, home: &AbsPath) -> Vec<u8> {
    match beneath(path, home) {
        Some(rest) => [b"~", rest.as_slice()].concat(),
        None => path.as_bytes().to_vec(),
    }
}

/// The pattern of a path alone: every character of its names taken literally.
pub(super) fn pattern(path: &AbsPath, home: &AbsPath) -> Vec<u8> {
    match beneath(path, home) {
        Some(rest) if rest.is_empty() => b"~".to_vec(),
        Some(rest) => match AbsPath::parse(rest) {
            Ok(rest) => [b"~", Pattern::spell(&rest).as_slice()].concat(),
            Err(_) => Pattern::spell(path),
        },
        None => Pattern::spell(path),
    }
}

/// What follows the home directory, with its slash; nothing for the home directory itself.
fn beneath(path: &AbsPath, home: &AbsPath) -> Option<Vec<u8>> {
    // Where the home directory is `/`, every path would be one of it.
    let rest = path.as_path().strip_prefix(home.as_path()).ok().filter(|_| home.depth() > 0)?;
    let rest = rest.as_os_str().as_bytes();
    Some(if rest.is_empty() { Vec::new() } else { [b"/", rest].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beneath_the_home_directory_is_named_by_it() {
        let named = |path: &str, home: &str| {
            let (path, home) = (AbsPath::parse(path).unwrap(), AbsPath::parse(home).unwrap());
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (text(short(&path, &home)), text(pattern(&path, &home)))
        };
        let both = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(named("/home/u/a*b", "/home/u"), both("~/a*b", r"~/a\*b"));
        assert_eq!(named("/home/u", "/home/u"), both("~", "~"));
        assert_eq!(named("/home/user2/x", "/home/u"), both("/home/user2/x", "/home/user2/x"));
        assert_eq!(named("/etc", "/"), both("/etc", "/etc"));
    }
}
