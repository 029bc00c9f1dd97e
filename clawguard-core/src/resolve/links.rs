//! Symbolic links: a path into the real path that the kernel would reach.
//!
//! What does not exist, or cannot be looked at, stays as it is written. Answers are remembered, so that ten thousand
//! patterns or a million paths cost one look per directory.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;

use foldhash::HashMap;

use crate::path::{AbsPath, components};

/// The kernel's own limit (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// Looks remembered before they are forgotten.
const MAX_REMEMBERED: usize = 64 * 1024;

#[derive(Clone, Debug)]
enum Look {
    /// Not a link.
    Plain,
    /// A link to this text.
    Link(Vec<u8>),
    /// Nothing, or nothing that may be looked at: nothing beneath it can be a link for us either.
    Nothing,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtFront {
    Nothing,
    Directory,
    Other,
}

/// Reads links and remembers them.
#[derive(Debug, Default)]
pub struct Links {
    looks: HashMap<AbsPath, Look>,
    kinds: HashMap<AbsPath, AtFront>,
}

/// A path whose links were followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) path: AbsPath,
    /// The links on the way, by their own real paths.
    pub(crate) links: Vec<AbsPath>,
    /// The link that was not followed.
    pub(crate) stopped_at: Option<AbsPath>,
}

impl Links {
    /// The real path, all links followed.
    pub fn follow_all(&mut self, path: &AbsPath) -> AbsPath {
        self.follow(path.as_bytes(), |_| true).path
    }

    /// The real path of any absolute path, which may hold `..`: taken as the kernel takes it, after links.
    pub fn follow_raw(&mut self, path: &[u8]) -> AbsPath {
        self.follow(path, |_| true).path
    }

    /// The links that are followed on the way to the real path, by their own real paths.
    pub fn links_on(&mut self, path: &[u8]) -> Vec<AbsPath> {
        self.follow(path, |_| true).links
    }

    /// The path itself if it is absolute and normal, else its real path.
    pub(crate) fn follow_raw_unless_normal(&mut self, path: &[u8]) -> AbsPath {
        AbsPath::parse(path).unwrap_or_else(|_| self.follow_raw(path))
    }

    /// The real path, where `may_follow` decides on each link; one that is not followed ends the search, and the
    /// rest stays as written.
    pub(crate) fn follow(
        &mut self,
        path: &[u8],
        may_follow: impl Fn(&AbsPath) -> bool,
    ) -> Followed {
        let mut real = AbsPath::root();
        let mut links = Vec::new();
        let mut rest: VecDeque<Vec<u8>> = components(path).map(<[u8]>::to_vec).collect();
        let (mut looking, mut stopped_at) = (true, None);
        while let Some(name) = rest.pop_front() {
            match name.as_slice() {
                b"." => continue,
                b".." => {
                    real = real.parent().unwrap_or_else(AbsPath::root);
                    continue;
                }
                _ => {}
            }
            if !looking {
                return Followed { path: without_links(&real, &name, &rest), links, stopped_at };
            }
            let next = real.join(&name);
            let look = self.look(&next);
            match look {
                Look::Plain => real = next,
                Look::Nothing => {
                    looking = false;
                    real = next;
                }
                Look::Link(_) if links.len() >= MAX_LINKS || !may_follow(&next) => {
                    looking = false;
                    stopped_at = Some(next.clone());
                    real = next;
                }
                Look::Link(target) => {
                    if target.first() == Some(&b'/') {
                        real = AbsPath::root();
                    }
                    for name in components(&target).collect::<Vec<_>>().into_iter().rev() {
                        rest.push_front(name.to_vec());
                    }
                    links.push(next);
                }
            }
        }
        Followed { path: real, links, stopped_at }
    }

    /// What is at a path, links followed.
    pub(crate) fn look_at(&mut self, path: &AbsPath) -> AtFront {
        if let Some(kind) = self.kinds.get(path) {
            return *kind;
        }
        if matches!(self.looks.get(path), Some(Look::Nothing)) {
            return AtFront::Nothing;
        }
        let kind = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => AtFront::Directory,
            Ok(_) => AtFront::Other,
            Err(_) => AtFront::Nothing,
        };
        self.kinds.insert(path.clone(), kind);
        kind
    }

    fn look(&mut self, path: &AbsPath) -> Look {
        if let Some(look) = self.looks.get(path) {
            return look.clone();
        }
        let look = match std::fs::read_link(path) {
            Ok(target) => Look::Link(target.as_os_str().as_bytes().to_vec()),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Look::Plain,
            Err(_) => Look::Nothing,
        };
        if self.looks.len() >= MAX_REMEMBERED {
            self.looks.clear();
        }
        self.looks.insert(path.clone(), look.clone());
        look
    }
}

/// The path that `name` and `rest` lead to where nothing is a link any more; `..` takes away what is before it.
fn without_links(real: &AbsPath, name: &[u8], rest: &VecDeque<Vec<u8>>) -> AbsPath {
    let mut names: Vec<&[u8]> = real.components().collect();
    for name in std::iter::once(name).chain(rest.iter().map(Vec::as_slice)) {
        match name {
            b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    AbsPath::from_names(&names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_as_the_kernel_does_and_missing_names_stay() {
        let dir = tempfile::tempdir().unwrap();
        let top = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir_all(top.join("a/b")).unwrap();
        symlink("a/b", top.join("l")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        let at = |path: &str| format!("{}{path}", top.display());
        let mut links = Links::default();
        let mut real = |path: &str| links.follow_raw(at(path).as_bytes()).to_string();
        assert_eq!(real("/l/../new/x"), at("/a/new/x"));
        assert_eq!(real("/l/./deep/new"), at("/a/b/deep/new"));
        assert_eq!(real("/loop/x"), at("/loop/x"));
    }

    #[test]
    fn a_link_that_may_not_be_followed_ends_the_search() {
        let dir = tempfile::tempdir().unwrap();
        let top = std::fs::canonicalize(dir.path()).unwrap();
        symlink("/etc", top.join("l")).unwrap();
        let path = AbsPath::parse(top.join("l/x").as_os_str().as_bytes()).unwrap();
        let followed = Links::default().follow(path.as_bytes(), |_| false);
        assert_eq!(followed.path, path);
    }
}
