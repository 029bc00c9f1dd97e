//! Random policies and trees over a small alphabet of names, so that they meet.

#![forbid(unsafe_code)]

use crate::law::{Effect, split};
use crate::operation::TOP;
use crate::policy::Entry;
use crate::tree::{Node, What};

/// splitmix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

const NAMES: [&[u8]; 10] =
    [b"a", b"b", b"s", b".env", b".h", b"c.t", b"x y", b"n\nl", b"\xff\xfe", b"a (deleted)"];

/// Names that stand in patterns too.
const SPELLED: [&str; 8] = ["a", "b", "s", ".env", ".h", "c.t", "x y", "n\nl"];

const WILDCARDS: [&str; 10] = ["*", "?", ".*", "*.t", "[ab]", "[!a]*", "[a-s]", ".?*", "**", "**"];

pub(crate) fn name(random: &mut Random) -> Vec<u8> {
    let reach = if random.once_in(3) { NAMES.len() } else { 6 };
    NAMES[random.below(reach)].to_vec()
}

/// A tree of a few levels; `interpreter` is what scripts name in their first line.
pub(crate) fn tree(random: &mut Random, interpreter: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut directories: Vec<Vec<u8>> = vec![Vec::new()];
    let mut files: Vec<Vec<u8>> = Vec::new();
    for _ in 0..6 + random.below(22) {
        let parent = random.pick(&directories);
        if parent.iter().filter(|byte| **byte == b'/').count() >= 3 {
            continue;
        }
        let name = name(random);
        let path = if parent.is_empty() { name } else { [&parent[..], b"/", &name].concat() };
        if nodes.iter().any(|node: &Node| node.path == path) {
            continue;
        }
        let what = match random.below(12) {
            0..=3 => What::Directory,
            4..=7 => What::File(content(random, &path, interpreter, &files)),
            8 if !files.is_empty() => What::Hard(random.pick(&files)),
            9 if random.once_in(4) => What::Socket,
            _ => What::Link(target(random, &directories, &files)),
        };
        let mode = match what {
            What::Directory if random.once_in(25) => random.pick(&[0o555, 0o300, 0o000, 0o711]),
            What::Directory => 0o755,
            _ if random.once_in(8) => random.pick(&[0o444, 0o200, 0o000, 0o600, 0o111, 0o300]),
            _ => 0o755,
        };
        match what {
            What::Directory => directories.push(path.clone()),
            What::File(_) => files.push(path.clone()),
            _ => {}
        }
        nodes.push(Node { path, what, mode });
    }
    nodes
}

/// A script, also one whose interpreter is another script of the tree, or a file that is none. Such an interpreter is named
/// from the working directory: the twins' own paths, half overwritten, would differ.
fn content(random: &mut Random, path: &[u8], interpreter: &str, files: &[Vec<u8>]) -> Vec<u8> {
    match random.below(6) {
        0..=2 => format!("#!{interpreter}\n").into_bytes(),
        3 if !files.is_empty() => [b"#!", &random.pick(files)[..], b"\n"].concat(),
        4 if !files.is_empty() => [b"#!", &random.pick(files)[..], b" -a\n"].concat(),
        _ => [b"holds ", path].concat(),
    }
}

/// Puts what is guarded into the tree: the policy, now and then behind a link, and a directory in which a later start would
/// look for one. `may_lack`: also where nothing is yet, which kernel mode does not hold.
pub(crate) fn guards(random: &mut Random, nodes: &mut Vec<Node>, may_lack: bool) {
    let (policy, link, config) = (free(random, nodes), free(random, nodes), free(random, nodes));
    nodes.push(Node { path: policy.clone(), what: What::Policy, mode: 0o644 });
    if random.once_in(3) && link != policy {
        nodes.push(Node {
            path: link.clone(),
            what: What::PolicyLink(policy.clone()),
            mode: 0o777,
        });
    }
    if may_lack && random.once_in(2) && config != policy && config != link {
        nodes.push(Node { path: config, what: What::Config, mode: 0o755 });
    }
}

/// A path that nothing has, in a directory that anybody can search.
fn free(random: &mut Random, nodes: &[Node]) -> Vec<u8> {
    let is_open = |path: &[u8]| {
        let mut above = nodes
            .iter()
            .filter(|node| path == node.path || path.starts_with(&[&node.path[..], b"/"].concat()));
        above.all(|node| node.what == What::Directory && node.mode == 0o755)
    };
    let mut directories: Vec<Vec<u8>> =
        nodes.iter().map(|node| node.path.clone()).filter(|path| is_open(path)).collect();
    directories.push(Vec::new());
    let mut end = Vec::new();
    loop {
        let (parent, name) = (random.pick(&directories), [name(random), end.clone()].concat());
        let path = if parent.is_empty() { name } else { [&parent[..], b"/", &name].concat() };
        if std::str::from_utf8(&path).is_ok() && nodes.iter().all(|node| node.path != path) {
            return path;
        }
        end.push(b'p');
    }
}

/// Where a link leads: somewhere in the tree, absolutely or not, or nowhere.
pub(crate) fn target(random: &mut Random, directories: &[Vec<u8>], files: &[Vec<u8>]) -> Vec<u8> {
    let somewhere = if random.once_in(2) || files.is_empty() {
        random.pick(directories)
    } else {
        random.pick(files)
    };
    match random.below(6) {
        0 => [TOP, b"/", &somewhere].concat(),
        1 => [TOP, b"/", &somewhere, b"/", &name(random)].concat(),
        2 => [b"../", &name(random)[..]].concat(),
        3 => [&name(random)[..], b"/", &name(random)].concat(),
        4 => b".".to_vec(),
        _ => name(random),
    }
}

/// The entries of a policy. Literal fronts avoid links: what a rule through a link means depends on who may change it,
/// which other tests hold to docs/policy.md.
pub(crate) fn policy(random: &mut Random, nodes: &[Node]) -> Vec<Entry> {
    let mut entries = Vec::new();
    if random.once_in(2) {
        let tree = random.pick(&["", "", "/**"]);
        let accesses = random.pick(&["rwx", "rwx", "rw"]);
        entries.push(Entry::new(Effect::Allowed, &format!("{{top}}{tree}"), accesses));
    }
    for _ in 0..1 + random.below(4) {
        entries.push(entry(random, nodes, Effect::Allowed));
    }
    for _ in 0..random.below(5) {
        entries.push(entry(random, nodes, Effect::Blocked));
    }
    if random.once_in(3) {
        let accesses = random.pick(&["r", "rw", "rwx"]);
        entries.push(Entry::new(Effect::Allowed, "/proc", accesses));
    }
    entries
}

fn entry(random: &mut Random, nodes: &[Node], effect: Effect) -> Entry {
    loop {
        let mut pattern = "{top}".to_owned();
        if effect == Effect::Blocked && random.once_in(3) {
            pattern = format!("**/{}", component(random));
        } else if random.once_in(2) && !nodes.is_empty() {
            let path = random.pick(nodes).path;
            let Ok(path) = String::from_utf8(path) else { continue };
            pattern = format!("{pattern}/{path}");
            if random.once_in(4) {
                pattern = format!("{pattern}/{}", component(random));
            }
        } else {
            for _ in 0..random.below(4) {
                pattern = format!("{pattern}/{}", component(random));
            }
        }
        if random.once_in(8) && !pattern.ends_with("**") {
            pattern.push_str("/**");
        }
        let accesses = random.pick(&["rwx", "rwx", "rwx", "r", "rw", "rx", "w", "x", "wx"]);
        let entry = Entry::new(effect, &pattern, accesses);
        let links: Vec<&Node> = nodes
            .iter()
            .filter(|node| matches!(node.what, What::Link(_) | What::PolicyLink(_)))
            .collect();
        let meets_link =
            |node: &&Node| entry.fronts().iter().any(|front| front.starts_with(&split(&node.path)));
        if !links.iter().any(meets_link) {
            return entry;
        }
    }
}

fn component(random: &mut Random) -> String {
    match random.below(10) {
        0..=5 => random.pick(&SPELLED).to_owned(),
        6 => format!("{{{},{}}}", random.pick(&SPELLED), random.pick(&SPELLED)),
        _ => random.pick(&WILDCARDS).to_owned(),
    }
}
