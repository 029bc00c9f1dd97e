//! [`AbsPath`]: an absolute, normal path as the kernel would name it.
//!
//! A path is bytes, never text: names need not be UTF-8. Nothing here looks at the disk.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An absolute path without empty components, `.`, `..`, NUL bytes or a trailing slash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsPath(Box<[u8]>);

impl AbsPath {
    /// The path `/`.
    #[must_use]
    pub fn root() -> AbsPath {
        AbsPath(Box::from(*b"/"))
    }

    /// Reads a path; empty components, `.` and a trailing slash vanish.
    ///
    /// # Errors
    /// [`PathError`] when the path is relative, contains `..` or a NUL byte.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<AbsPath, PathError> {
        let bytes = bytes.as_ref();
        let error = |make: fn(String) -> PathError| Err(make(escape(bytes)));
        if bytes.first() != Some(&b'/') {
            return error(PathError::Relative);
        }
        if bytes.contains(&0) {
            return error(PathError::Nul);
        }
        let mut normal = Vec::with_capacity(bytes.len());
        for name in bytes.split(|&byte| byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => return error(PathError::DotDot),
                name => {
                    normal.push(b'/');
                    normal.extend_from_slice(name);
                }
            }
        }
        if normal.is_empty() {
            normal.push(b'/');
        }
        Ok(AbsPath(normal.into_boxed_slice()))
    }

    /// The path of these components, each of which must be a name.
    pub(crate) fn from_names(names: &[&[u8]]) -> AbsPath {
        if names.is_empty() {
            return AbsPath::root();
        }
        AbsPath(
            names
                .iter()
                .flat_map(|name| [&b"/"[..], name])
                .collect::<Vec<_>>()
                .concat()
                .into_boxed_slice(),
        )
    }

    /// The path as bytes; it begins with `/`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path for the standard library.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The names from the root down; `/` has none.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        components(&self.0)
    }

    /// The number of components.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.components().count()
    }

    /// This path with one more component. `name` must be a name: not empty, no slash, not `.` or `..`.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> AbsPath {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        if self.0.len() > 1 {
            bytes.extend_from_slice(&self.0);
        }
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        AbsPath(bytes.into_boxed_slice())
    }

    /// The directory that holds this path's last name; none for `/`.
    #[must_use]
    pub fn parent(&self) -> Option<AbsPath> {
        let slash = self.0.iter().rposition(|&byte| byte == b'/')?;
        match (slash, self.0.len()) {
            (0, 1) => None,
            (0, _) => Some(AbsPath::root()),
            (slash, _) => Some(AbsPath(Box::from(&self.0[..slash]))),
        }
    }

    /// The last component; none for `/`.
    #[must_use]
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().last()
    }

    /// Is `self` the path `ancestor` or beneath it?
    #[must_use]
    pub fn starts_with(&self, ancestor: &AbsPath) -> bool {
        self.as_path().starts_with(ancestor.as_path())
    }
}

/// The non-empty components of a path, whatever its form.
pub(crate) fn components(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

/// The bytes for a person at a terminal: control characters and bytes that are not UTF-8 are escaped.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if acts(c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Does this character do more than stand for itself? Controls, and what is hidden, breaks a line or rearranges what a
/// reader sees as much as an escape sequence does: bidirectional controls, line separators, tags.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

impl fmt::Debug for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_path())
    }
}

impl AsRef<Path> for AbsPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

/// Why bytes are not an [`AbsPath`]; each holds the bytes, escaped.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("`{0}` is not an absolute path")]
    Relative(String),
    /// It contains `..`, which cannot be judged without following links.
    #[error("`{0}` contains `..`")]
    DotDot(String),
    /// It contains a NUL byte.
    #[error("`{0}` contains a NUL byte")]
    Nul(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_components_and_dots_vanish() {
        assert_eq!(AbsPath::parse("//a/./b//").unwrap().as_bytes(), b"/a/b");
        assert_eq!(AbsPath::parse("/").unwrap(), AbsPath::root());
        assert_eq!(AbsPath::root().depth(), 0);
    }

    #[test]
    fn relative_paths_dot_dot_and_nul_are_errors() {
        assert!(matches!(AbsPath::parse("a"), Err(PathError::Relative(_))));
        assert!(matches!(AbsPath::parse(""), Err(PathError::Relative(_))));
        assert!(matches!(AbsPath::parse("/a/../b"), Err(PathError::DotDot(_))));
        assert!(matches!(AbsPath::parse("/a\0"), Err(PathError::Nul(_))));
    }

    #[test]
    fn parents_end_at_the_root() {
        let path = AbsPath::parse("/a/b").unwrap();
        assert_eq!(path.parent().unwrap().as_bytes(), b"/a");
        assert_eq!(path.parent().unwrap().parent().unwrap(), AbsPath::root());
        assert_eq!(AbsPath::root().parent(), None);
        assert_eq!(AbsPath::root().join(b"x").as_bytes(), b"/x");
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal() {
        assert_eq!(escape(b"a\x1b[31m\n\xff"), "a\\u{1b}[31m\\n\\xff");
        let hidden = "\u{202e}\u{61c}\u{2028}\u{e0041}\u{feff}";
        assert_eq!(escape(hidden.as_bytes()), "\\u{202e}\\u{61c}\\u{2028}\\u{e0041}\\u{feff}");
        assert_eq!(escape("é ✓ 文".as_bytes()), "é ✓ 文");
    }
}
