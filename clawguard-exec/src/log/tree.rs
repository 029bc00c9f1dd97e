//! The paths as a tree of directories, with how often each access was asked for in each.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clawguard_core::Access;

use crate::journal::{Request, RequestKind};

/// No path that the kernel names has so many directories; deeper ones are counted here.
const DEEPEST: usize = 2048;

/// How many requests of each kind asked for each access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts([[u64; 3]; 3]);

impl Counts {
    fn add(&mut self, kind: RequestKind, request: &Request) {
        for access in request.access.iter() {
            let count = &mut self.0[kind.index()][access.index()];
            *count = count.saturating_add(request.count);
        }
    }

    pub(super) fn get(&self, kind: RequestKind, access: Access) -> u64 {
        self.0[kind.index()][access.index()]
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }
}

/// The columns that have something in them, with their headings.
pub(super) fn columns(counts: &Counts) -> Vec<(RequestKind, Access)> {
    let all = RequestKind::ALL.into_iter();
    all.flat_map(|kind| Access::ALL.map(|access| (kind, access)))
        .filter(|(kind, access)| counts.get(*kind, *access) > 0)
        .collect()
}

/// A directory or a file.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Of this path and all beneath it.
    pub(super) counts: Counts,
    /// Of this path itself.
    own: Counts,
    children: BTreeMap<Box<[u8]>, Tree>,
}

/// One row of the tree. A chain of directories with nothing else in them is one row.
#[derive(Debug)]
pub(super) struct Row {
    /// From the row above: `/home/you`, then `project`.
    pub(super) name: Vec<u8>,
    /// The whole path.
    pub(super) path: Vec<u8>,
    pub(super) counts: Counts,
    pub(super) rows: Vec<Row>,
    /// How many rows beneath this one are not shown.
    pub(super) hidden: usize,
}

impl Tree {
    pub(super) fn add(&mut self, kind: RequestKind, request: &Request) {
        let mut at = self;
        at.counts.add(kind, request);
        let names = request.path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        for name in names.take(DEEPEST) {
            if !at.children.contains_key(name) {
                at.children.insert(Box::from(name), Tree::default());
            }
            // It was just put there.
            let Some(child) = at.children.get_mut(name) else { return };
            at = child;
            at.counts.add(kind, request);
        }
        at.own.add(kind, request);
    }

    /// The tree to so many levels, and so many rows in each directory; the most frequent first.
    pub(super) fn rows(&self, depth: usize, breadth: usize) -> Row {
        self.row(b"/".to_vec(), b"/".to_vec(), depth, breadth)
    }

    fn row(&self, mut name: Vec<u8>, mut path: Vec<u8>, depth: usize, breadth: usize) -> Row {
        let mut at = self;
        while let (1, Some((child, tree)), 0) =
            (at.children.len(), at.children.first_key_value(), at.own.total())
        {
            name = joined(name, child);
            path = joined(path, child);
            at = tree;
        }
        let mut children: Vec<(&Box<[u8]>, &Tree)> = at.children.iter().collect();
        children.sort_by_key(|(_, tree)| Reverse(tree.counts.total()));
        let shown = if depth == 0 { 0 } else { breadth.min(children.len()) };
        let hidden = children[shown..].iter().map(|(_, tree)| tree.size()).sum();
        let rows = children[..shown].iter().map(|(name, tree)| {
            tree.row(name.to_vec(), joined(path.clone(), name), depth - 1, breadth)
        });
        let rows = rows.collect();
        Row { name, path, counts: at.counts, rows, hidden }
    }

    /// Every path that was asked for, with its own counts, in their order.
    pub(super) fn paths(
        &self,
        found: &mut impl FnMut(&[u8], &Counts) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        self.beneath(&mut b"/".to_vec(), found)
    }

    fn beneath(
        &self,
        path: &mut Vec<u8>,
        found: &mut impl FnMut(&[u8], &Counts) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        if self.own.total() > 0 {
            found(path, &self.own)?;
        }
        for (name, tree) in &self.children {
            let length = path.len();
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            tree.beneath(path, found)?;
            path.truncate(length);
        }
        Ok(())
    }

    /// How many paths were asked for here and beneath.
    fn size(&self) -> usize {
        usize::from(self.own.total() > 0) + self.children.values().map(Tree::size).sum::<usize>()
    }
}

/// A path or the beginning of one, with one more name.
fn joined(mut path: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Event, Record};

    fn tree(paths: &[(&str, &str, u64)]) -> Tree {
        let mut tree = Tree::default();
        for (path, access, count) in paths {
            let line = format!(
                r#"{{"time":"2026-11-22T13:03:11Z","session":"7","event":"denied","path":"{path}","access":"{access}","rule":null,"count":{count}}}"#
            );
            let Event::Request(kind, request) = Record::parse(line.as_bytes()).unwrap().event
            else {
                panic!("{line}")
            };
            tree.add(kind, &request);
        }
        tree
    }

    fn show(row: &Row, indent: usize, out: &mut Vec<String>) {
        let [r, w, x] = Access::ALL.map(|access| row.counts.get(RequestKind::Denied, access));
        let name = String::from_utf8_lossy(&row.name);
        let hidden = if row.hidden > 0 { format!(" +{}", row.hidden) } else { String::new() };
        out.push(format!("{}{name} {r}{w}{x}{hidden}", " ".repeat(indent)));
        row.rows.iter().for_each(|row| show(row, indent + 1, out));
    }

    fn shown(tree: &Tree, depth: usize, breadth: usize) -> Vec<String> {
        let mut out = Vec::new();
        show(&tree.rows(depth, breadth), 0, &mut out);
        out
    }

    const PATHS: [(&str, &str, u64); 4] = [
        ("/h/you/.ssh/id", "r", 1),
        ("/h/you/p/.env", "r", 5),
        ("/h/you/p/a/b", "rw", 1),
        ("/h/you/p", "w", 2),
    ];

    #[test]
    fn chains_are_one_row_and_the_most_frequent_comes_first() {
        let tree = tree(&PATHS);
        let rows = ["/h/you 730", " p 630", "  .env 500", "  a/b 110", " .ssh/id 100"];
        assert_eq!(shown(&tree, 9, 9), rows);
        assert_eq!(shown(&tree, 1, 9), ["/h/you 730", " p 630 +2", " .ssh/id 100"]);
        assert_eq!(shown(&tree, 9, 1), ["/h/you 730 +1", " p 630 +1", "  .env 500"]);
        assert_eq!(shown(&tree, 0, 9), ["/h/you 730 +4"]);
    }

    #[test]
    fn the_root_itself_is_a_path() {
        assert_eq!(shown(&tree(&[("/", "r", 1), ("/etc", "r", 2)]), 9, 9), ["/ 300", " etc 200"]);
    }

    #[test]
    fn a_path_of_a_million_names_breaks_nothing() {
        let deep = "/a".repeat(1_000_000);
        assert_eq!(shown(&tree(&[(&deep, "r", 1)]), 9, 9).len(), 1);
    }
}
