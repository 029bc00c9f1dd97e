//! The entries of an index of git (gitformat-index(5)), as far as they can be read.

#![forbid(unsafe_code)]

const GITLINK: u32 = 0o160_000;
const EXTENDED: u16 = 0x4000;
const LENGTH: u16 = 0x0fff;
/// Times, device, inode, mode, owner and size, before the name of the object.
const STAT: usize = 40;

/// The length of an object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    fn length(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
        }
    }
}

/// What is tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the top of the working tree.
    pub(super) path: Vec<u8>,
    /// The outer repository's `git status` runs git in a submodule, with the configuration that it finds there.
    pub(super) is_submodule: bool,
    /// When the file was changed last, in seconds, as git saw it.
    pub(super) changed: u32,
    /// The name of its contents.
    pub(super) object: Vec<u8>,
}

pub(super) fn entries(index: &[u8], hash: Hash) -> Vec<Entry> {
    let mut found = Vec::new();
    let _whole = read(index, hash, &mut found);
    found
}

fn read(index: &[u8], hash: Hash, found: &mut Vec<Entry>) -> Option<()> {
    let rest = index.strip_prefix(b"DIRC")?;
    let (version, entries) = (number(rest)?, number(rest.get(4..)?)?);
    let mut rest = rest.get(8..)?;
    let mut path = Vec::new();
    for _entry in 0..entries {
        let (changed, mode) = (number(rest.get(8..)?)?, number(rest.get(24..)?)?);
        let fixed = STAT + hash.length();
        let object = rest.get(STAT..fixed)?.to_vec();
        let flags = u16::from_be_bytes(*rest.get(fixed..)?.first_chunk()?);
        let is_extended = version >= 3 && flags & EXTENDED != 0;
        let at = fixed + if is_extended { 4 } else { 2 };
        let after = rest.get(at..)?;
        let next = if version >= 4 {
            compressed(after, &mut path)?
        } else {
            let length = usize::from(flags & LENGTH);
            let end = after.get(length..)?.iter().position(|byte| *byte == 0)? + length;
            path = after[..end].to_vec();
            // Padded with one to eight zeros to a multiple of eight.
            (at + end) / 8 * 8 + 8 - at
        };
        found.push(Entry { path: path.clone(), is_submodule: mode == GITLINK, changed, object });
        rest = after.get(next..)?;
    }
    Some(())
}

/// A name of version 4: how many bytes to take off the one before, and what to add. Says how long both are.
fn compressed(bytes: &[u8], name: &mut Vec<u8>) -> Option<usize> {
    let mut taken = usize::from(bytes.first()? & 0x7f);
    let mut at = 0;
    while bytes.get(at)? & 0x80 != 0 {
        at += 1;
        taken = taken.checked_add(1)?.checked_mul(0x80)? | usize::from(bytes.get(at)? & 0x7f);
    }
    let added = bytes.get(at + 1..)?;
    let end = added.iter().position(|byte| *byte == 0)?;
    name.truncate(name.len().checked_sub(taken)?);
    name.extend_from_slice(&added[..end]);
    Some(at + 1 + end + 1)
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(directory: &std::path::Path, words: &[&str]) -> Vec<u8> {
        let output = Command::new("git")
            .args(["-c", "safe.directory=*", "-c", "user.name=a", "-c", "user.email=a@b"])
            .args(words)
            .current_dir(directory)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {output:?}");
        output.stdout
    }

    fn submodules(index: &[u8], hash: Hash) -> Vec<Vec<u8>> {
        let found = entries(index, hash).into_iter().filter(|entry| entry.is_submodule);
        found.map(|entry| entry.path).collect()
    }

    #[test]
    fn submodules_are_found_in_every_version_of_the_index() {
        for (format, hash) in [("sha1", Hash::Sha1), ("sha256", Hash::Sha256)] {
            let dir = tempfile::tempdir().unwrap();
            git(dir.path(), &["init", "-q", "--object-format", format]);
            let names: Vec<String> =
                (0..40).map(|n| format!("d{}/{}", n % 3, "n".repeat(n + 1))).collect();
            let id = "1".repeat(2 * hash.length());
            for (n, name) in names.iter().enumerate() {
                let mode = if n % 4 == 0 { "160000" } else { "100644" };
                let entry = format!("{mode},{id},{name}");
                git(dir.path(), &["update-index", "--add", "--info-only", "--cacheinfo", &entry]);
            }
            let mut expected: Vec<&String> = names.iter().step_by(4).collect();
            expected.sort();
            for version in ["2", "3", "4"] {
                git(
                    dir.path(),
                    &["update-index", "--index-version", version, "--force-write-index"],
                );
                if version == "3" {
                    // Only an extended flag makes it version 3.
                    std::fs::write(dir.path().join("new"), "new").unwrap();
                    git(dir.path(), &["add", "-N", "new"]);
                }
                let index = std::fs::read(dir.path().join(".git/index")).unwrap();
                assert_eq!(index[7].to_string(), version);
                let mut found = submodules(&index, hash);
                found.sort();
                let found: Vec<String> =
                    found.into_iter().map(|name| String::from_utf8(name).unwrap()).collect();
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "version {version}");
                for end in (0..index.len()).step_by(7) {
                    let _any = submodules(&index[..end], hash);
                }
            }
        }
    }

    #[test]
    fn nonsense_ends_the_reading() {
        assert!(submodules(b"", Hash::Sha1).is_empty());
        assert!(submodules(&[b"DIRC".as_slice(), &[0xff; 400]].concat(), Hash::Sha1).is_empty());
    }
}
