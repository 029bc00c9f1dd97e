//! What is guarded in the tree (docs/policy.md, "Guards"): the policy file in use, "every other path of the list above", and
//! "links on the way to them".

#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::law::{Access, Component, Effect, Rule, Unit, split};
use crate::tree::{self, Node, What};

/// Beneath a directory that `$XDG_CONFIG_HOME` names.
const CONFIG: &[u8] = b"/clawguard/policy.yaml";

/// The guarded paths beneath the top.
pub(crate) fn paths(nodes: &[Node]) -> Vec<Vec<u8>> {
    let one = |node: &Node| match &node.what {
        What::Policy | What::PolicyLink(_) => Some(node.path.clone()),
        What::Config => Some([&node.path[..], CONFIG].concat()),
        _ => None,
    };
    nodes.iter().filter_map(one).collect()
}

/// The guards, as rules. A node that could not be made guards nothing, except where a policy may be made later.
pub(crate) fn rules(nodes: &[Node], top: &Path) -> Vec<Rule> {
    let is_there = |node: &&Node| fs::symlink_metadata(tree::at(top, &node.path)).is_ok();
    let made: Vec<Node> = nodes.iter().filter(is_there).cloned().collect();
    let has_policy = named(nodes, top).is_some();
    let guarded = paths(&made).into_iter().filter(|path| has_policy || path.ends_with(CONFIG));
    guarded.map(|path| rule(&tree::at(top, &path))).collect()
}

/// "These paths are blocked for `w`, whatever any rule says".
fn rule(path: &Path) -> Rule {
    let component = |name: Vec<u8>| Component::Units(name.into_iter().map(Unit::Byte).collect());
    Rule {
        effect: Effect::Guard,
        accesses: vec![Access::Write],
        components: split(path.as_os_str().as_bytes()).into_iter().map(component).collect(),
        is_tree: false,
    }
}

fn find(nodes: &[Node], top: &Path, is_it: impl Fn(&What) -> bool) -> Option<PathBuf> {
    let found = nodes.iter().find(|node| is_it(&node.what))?;
    Some(tree::at(top, &found.path)).filter(|path| path.exists())
}

/// What `--policy` names, if the policy stands in the tree.
pub(crate) fn named(nodes: &[Node], top: &Path) -> Option<PathBuf> {
    find(nodes, top, |what| matches!(what, What::PolicyLink(_)))
        .or_else(|| find(nodes, top, |what| *what == What::Policy))
}

pub(crate) fn config(nodes: &[Node], top: &Path) -> Option<PathBuf> {
    find(nodes, top, |what| *what == What::Config)
}

/// Writes the policy into the tree, if it stands there.
pub(crate) fn write(nodes: &[Node], top: &Path, text: &str) {
    if let Some(path) = find(nodes, top, |what| *what == What::Policy) {
        fs::write(path, text).unwrap();
    }
}
