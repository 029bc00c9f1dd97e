//! The settings of a git configuration file (git-config(1), "Syntax"), and those among them that name other files.
//!
//! A reader of its own, since git itself would run what the file says. What it cannot read it leaves out.

#![forbid(unsafe_code)]

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A configuration that is longer than this was not written by git.
const LONGEST: u64 = 4 << 20;

/// One `key = value` of a git configuration file, in its own words: nothing is expanded or followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GitSetting {
    /// In lower case, such as `filter`.
    pub section: Vec<u8>,
    /// As written, such as `lfs` of `[filter "lfs"]`; empty if there is none.
    pub subsection: Vec<u8>,
    /// In lower case.
    pub key: Vec<u8>,
    /// Without its quotes, escapes and comment.
    pub value: Vec<u8>,
}

impl GitSetting {
    /// Every setting with a value in the text of a git configuration file, in order. Nothing is included, and git is
    /// not run.
    #[must_use]
    pub fn all(text: &[u8]) -> Vec<GitSetting> {
        let mut settings = Vec::new();
        let (mut section, mut subsection) = (Vec::new(), Vec::new());
        // Git passes over the mark that some editors begin a file with.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for line in joined(text) {
            let mut rest = line.trim_ascii();
            // A line may have several.
            while let Some(header) = rest.strip_prefix(b"[") {
                let Some(end) = end_of_header(header) else { break };
                (section, subsection) = names(&header[..end]);
                rest = header[end + 1..].trim_ascii();
            }
            let name = rest.split(|byte| *byte == b'=').next().unwrap_or_default();
            if name.len() < rest.len() {
                settings.push(GitSetting {
                    section: section.clone(),
                    subsection: subsection.clone(),
                    key: name.trim_ascii().to_ascii_lowercase(),
                    value: value(&rest[name.len() + 1..]),
                });
            }
        }
        settings
    }
}

/// What a file says that leads to other files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// `core.hooksPath`
    pub(super) hooks: Vec<Vec<u8>>,
    /// `include.path`, and `includeIf.CONDITION.path` whatever the condition.
    pub(super) includes: Vec<Vec<u8>>,
    /// `core.worktree`
    pub(super) worktree: Option<Vec<u8>>,
    /// `extensions.objectFormat`
    pub(super) object_format: Option<Vec<u8>>,
}

impl Settings {
    pub(super) fn of(file: &Path) -> Settings {
        let is_sane = std::fs::metadata(file).is_ok_and(|is| is.is_file() && is.size() <= LONGEST);
        let text = if is_sane { std::fs::read(file).unwrap_or_default() } else { Vec::new() };
        Settings::parse(&text)
    }

    fn parse(text: &[u8]) -> Settings {
        let mut settings = Settings::default();
        for GitSetting { section, key, value, .. } in GitSetting::all(text) {
            match (section.as_slice(), key.as_slice()) {
                (b"core", b"hookspath") => settings.hooks.push(value),
                (b"core", b"worktree") => settings.worktree = Some(value),
                (b"include" | b"includeif", b"path") => settings.includes.push(value),
                (b"extensions", b"objectformat") => settings.object_format = Some(value),
                _other => {}
            }
        }
        settings
    }
}

/// Section and subsection of a header: `[a "B"]`, or `[a.b]` as it was once written.
fn names(header: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let header = header.trim_ascii();
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'.' || *byte == b'"';
    let end = header.iter().position(is_end).unwrap_or(header.len());
    let rest = header[end..].trim_ascii();
    let subsection = match rest.strip_prefix(b".") {
        Some(rest) => rest.to_vec(),
        None => value(rest),
    };
    (header[..end].to_ascii_lowercase(), subsection)
}

/// The lines, where one that ends in a backslash goes on in the next.
fn joined(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut goes_on = false;
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (line, more) = match line.strip_suffix(b"\\") {
            Some(line) => (line, !line.ends_with(b"\\")),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some(last) => last.extend(line),
            None => lines.push(line.to_vec()),
        }
        goes_on = more;
    }
    lines
}

/// Where the bracket is that ends a section's name; one in quotes does not.
fn end_of_header(header: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    header.iter().position(|byte| {
        let is_end = *byte == b']' && !quoted;
        match (*byte, escaped) {
            (b'\\', false) if quoted => escaped = true,
            (b'"', false) => quoted = !quoted,
            _other => escaped = false,
        }
        is_end
    })
}

/// A value without its quotes, escapes and comment.
fn value(text: &[u8]) -> Vec<u8> {
    let (mut value, mut kept) = (Vec::new(), 0);
    let mut quoted = false;
    let mut bytes = text.trim_ascii().iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'#' | b';' if !quoted => break,
            b'"' => quoted = !quoted,
            b'\\' => value.extend(bytes.next().map(|byte| match byte {
                b'n' => b'\n',
                b't' => b'\t',
                b'b' => 8,
                other => *other,
            })),
            other => value.push(*other),
        }
        if quoted || !byte.is_ascii_whitespace() {
            kept = value.len();
        }
    }
    value.truncate(kept);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_other_files_is_read_as_git_reads_it() {
        let text = b"# [core]\n[core] hooksPath = .husky/_ ; why\n\tbare = false\n[Core]\n\tHooksPath=\"a b\" # x\n\
            [include]\npath = one\\\n/two\n[includeIf \"gitdir:~/x]/\"]\n\tpath = \"th\\\"ree\"\n\
            [core \"x\"]\n\tworktree = ../../w\n[extensions]\n\tobjectformat = sha256\n[other]\n\thooksPath = no\npath";
        let settings = Settings::parse(text);
        assert_eq!(settings.hooks, [b".husky/_".to_vec(), b"a b".to_vec()]);
        assert_eq!(settings.includes, [b"one/two".to_vec(), b"th\"ree".to_vec()]);
        assert_eq!(settings.worktree, Some(b"../../w".to_vec()));
        assert_eq!(settings.object_format, Some(b"sha256".to_vec()));
    }

    #[test]
    fn a_mark_at_the_front_and_a_second_section_in_a_line_are_read_as_git_reads_them() {
        let text = b"\xef\xbb\xbf[include] path = one\n[core] [x \"]\"][include]path = two";
        assert_eq!(Settings::parse(text).includes, [b"one".to_vec(), b"two".to_vec()]);
    }

    #[test]
    fn a_setting_has_the_name_that_git_gives_it() {
        let text = b"[Filter \"Lfs x\"] Clean = a\n[diff.Word]\ntextConv = b c\n[alias] x = \"!c\"\nflag\n";
        let name = |setting: &GitSetting| {
            let parts = [&setting.section, &setting.subsection, &setting.key, &setting.value];
            parts.map(|part| String::from_utf8(part.clone()).unwrap()).join("|")
        };
        let names: Vec<String> = GitSetting::all(text).iter().map(name).collect();
        assert_eq!(names, ["filter|Lfs x|clean|a", "diff|Word|textconv|b c", "alias||x|!c"]);
    }

    #[test]
    fn nonsense_is_no_setting() {
        for text in [&b"[core"[..], b"hooksPath = x", b"[core]\nhooksPath", b"\\", b"[\"", b"\"="] {
            assert_eq!(Settings::parse(text), Settings::default(), "{text:?}");
        }
    }
}
