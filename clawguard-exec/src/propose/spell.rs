//! A real path in the words of a policy: `$PWD`, `~`, `$UID`, and what YAML wants of them.

#![forbid(unsafe_code)]

use base64::Engine;
use clawguard_core::{AbsPath, AccessSet, Host, escape};

use super::places::may_stand;

/// The pattern for `path` and nothing else.
pub(crate) fn pattern(path: &AbsPath, host: &Host) -> Vec<u8> {
    let (mut text, rest) = front(path, host);
    for name in rest {
        text.push(b'/');
        text.extend(component(&name, path, host));
    }
    if text.is_empty() { b"/".to_vec() } else { text }
}

/// The shortest beginning, and the names that are left.
fn front(path: &AbsPath, host: &Host) -> (Vec<u8>, Vec<Vec<u8>>) {
    let rest = |of: &AbsPath| path.components().skip(of.depth()).map(<[u8]>::to_vec).collect();
    // `$PWD` moves with whoever starts the command: not where a wrong start would mean too much.
    if path.starts_with(&host.cwd) && may_stand(&host.cwd, AccessSet::ALL, host) {
        return (b"$PWD".to_vec(), rest(&host.cwd));
    }
    match &host.home {
        Some(home) if path.starts_with(home) => (b"~".to_vec(), rest(home)),
        Some(_) | None => (Vec::new(), path.components().map(<[u8]>::to_vec).collect()),
    }
}

/// `$UID` where programs write it into names: in the places that all users share.
fn component(name: &[u8], path: &AbsPath, host: &Host) -> Vec<u8> {
    let is_shared = ["/tmp", "/var/tmp", "/run/user", "/dev/shm"]
        .iter()
        .any(|top| path.as_path().starts_with(top));
    let uid = host.uid.to_string();
    let front = name.strip_suffix(uid.as_bytes()).filter(|front| {
        is_shared && uid.len() > 2 && !front.last().is_some_and(u8::is_ascii_digit)
    });
    match front {
        Some(front) => [&literal(front)[..], b"$UID"].concat(),
        None => literal(name),
    }
}

/// A name with nothing in it that the pattern language would read otherwise.
pub(super) fn literal(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len());
    for &byte in name {
        if b"\\*?[]{}$".contains(&byte) {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text
}

/// A pattern as a YAML value.
pub(crate) fn yaml(pattern: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(pattern) else {
        return format!("!!binary {}", base64::engine::general_purpose::STANDARD.encode(pattern));
    };
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            // Whatever could write to a terminal or end a line, and what YAML forbids.
            _ if u32::from(character) <= 0xffff => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    quoted.push('"');
    quoted
}

/// An entry of `allowed_paths` or `blocked_paths`.
pub(crate) fn entry(pattern: &[u8], access: AccessSet) -> String {
    let path = yaml(pattern);
    if access == AccessSet::ALL { path } else { format!("{{ path: {path}, access: {access} }}") }
}

/// Text for a comment: one line, and nothing that a terminal would act on.
pub(crate) fn comment(bytes: &[u8]) -> String {
    let shown = escape(bytes);
    shown.chars().map(|one| if one.is_ascii_graphic() || one == ' ' { one } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawguard_core::Policy;

    fn host() -> Host {
        let mut host = Host::current().unwrap();
        host.home = Some(AbsPath::parse("/home/ann").unwrap());
        host.cwd = AbsPath::parse("/home/ann/p").unwrap();
        host.uid = 1000;
        host
    }

    fn spelled(path: &str) -> String {
        String::from_utf8(pattern(&AbsPath::parse(path).unwrap(), &host())).unwrap()
    }

    #[test]
    fn the_shortest_spelling_is_taken() {
        assert_eq!(spelled("/home/ann/p"), "$PWD");
        assert_eq!(spelled("/home/ann/p/a b"), "$PWD/a b");
        assert_eq!(spelled("/home/ann/pp"), "~/pp");
        assert_eq!(spelled("/tmp/agent-1000/x"), "/tmp/agent-$UID/x");
        assert_eq!(spelled("/opt/agent-1000"), "/opt/agent-1000");
        assert_eq!(spelled("/tmp/11000"), "/tmp/11000");
        assert_eq!(spelled("/"), "/");
    }

    #[test]
    fn every_name_comes_back_from_the_policy_as_it_was() {
        let host = host();
        for name in [
            &b"[x]*$HOME{1,2}"[..],
            b"a\\b?",
            b"~",
            b"\n}",
            b"${A}",
            b"\xff]",
            "ä\u{2028}\u{1f600}".as_bytes(),
            b"\"'#: ",
        ] {
            let path = AbsPath::parse("/srv/x").unwrap().join(name);
            let text = format!(
                "security: {{file_access: {{presets: [], allowed_paths: [ {} ]}}}}",
                entry(&pattern(&path, &host), AccessSet::parse("r").unwrap())
            );
            let policy = Policy::parse(&text, "p.yaml").unwrap().resolve(&host).unwrap();
            let mut decider = policy.decider();
            let mut reads = |path: &AbsPath| {
                decider.decide(path).verdict(clawguard_core::Access::Read).is_allowed()
            };
            assert!(reads(&path), "{text}");
            assert!(!reads(&AbsPath::parse("/srv/x/other").unwrap()), "{text}");
        }
    }
}
