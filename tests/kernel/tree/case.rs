//! A random tree and a random policy for it, from a seed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::World;

/// Names that trees and patterns share, so that they meet.
const NAMES: [&str; 5] = ["a", "b", ".h", "c.t", ".env"];

/// Names that are made by the probe: those of patterns, and two that no pattern spells.
pub(super) const FRESH: [&str; 7] = ["a", "b", ".h", "c.t", ".env", "zz", ".zz"];

const WILDCARDS: [&str; 7] = ["*", "?", ".*", "*.t", "[ab]", "[!a]*", "**"];
const ACCESSES: [&str; 7] = ["rwx", "rwx", "r", "rw", "rx", "w", "x"];

pub(super) struct Case {
    pub(super) policy: String,
    /// Deepest first; the top is the last.
    pub(super) directories: Vec<String>,
    pub(super) files: Vec<String>,
    /// A link's path and its target.
    symlinks: Vec<(String, String)>,
    /// A second name and the first.
    hard_links: BTreeMap<String, String>,
    /// Allowed patterns without a wildcard.
    exact: Vec<String>,
}

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

impl Case {
    pub(super) fn generate(seed: u64, top: &str) -> Case {
        let mut random = Random(seed);
        let mut case = Case {
            policy: String::new(),
            directories: vec![top.to_owned()],
            files: Vec::new(),
            symlinks: Vec::new(),
            hard_links: BTreeMap::new(),
            exact: Vec::new(),
        };
        case.grow(&mut random, top, 0);
        case.directories
            .sort_by_key(|path| std::cmp::Reverse((path.matches('/').count(), path.clone())));
        let allowed =
            (0..=random.below(3)).map(|_| case.rule(&mut random, top, true)).collect::<String>();
        let blocked =
            (0..random.below(3)).map(|_| case.rule(&mut random, top, false)).collect::<String>();
        case.policy = format!("allowed_paths: [{allowed}]\nblocked_paths: [{blocked}]\n");
        case
    }

    fn grow(&mut self, random: &mut Random, directory: &str, depth: usize) {
        for name in NAMES {
            let path = format!("{directory}/{name}");
            match random.below(8) {
                0 | 1 if depth < 2 => {
                    self.directories.push(path.clone());
                    self.grow(random, &path, depth + 1);
                }
                2 | 3 => self.files.push(path),
                4 if !self.files.is_empty() && random.below(2) == 0 => {
                    let first = random.pick(&self.files).clone();
                    let first = self.hard_links.get(&first).unwrap_or(&first).clone();
                    self.hard_links.insert(path.clone(), first);
                    self.files.push(path);
                }
                5 => {
                    let somewhere = random.pick(&self.directories).clone();
                    let target = match random.below(4) {
                        0 => somewhere,
                        1 => format!("{somewhere}/{}", random.pick(&NAMES)),
                        2 => format!("../{}", random.pick(&NAMES)),
                        _ => (*random.pick(&NAMES)).to_owned(),
                    };
                    self.symlinks.push((path, target));
                }
                _ => {}
            }
        }
    }

    fn rule(&mut self, random: &mut Random, top: &str, is_allowed: bool) -> String {
        let mut pattern = top.to_owned();
        let mut is_exact = true;
        // Often a path of the tree: a rule that matches nothing tests little.
        if random.below(3) == 0 {
            let all: Vec<String> = self.paths().cloned().collect();
            pattern.clone_from(random.pick(&all));
        } else {
            for _ in 0..random.below(4) {
                let is_wild = random.below(3) == 0;
                let component = if is_wild { random.pick(&WILDCARDS) } else { random.pick(&NAMES) };
                pattern = format!("{pattern}/{component}");
                is_exact &= !is_wild;
            }
        }
        if random.below(8) == 0 {
            pattern.push_str("/**");
            is_exact = false;
        }
        if is_allowed && is_exact {
            self.exact.push(pattern.clone());
        }
        format!("{{ path: '{pattern}', access: {} }}, ", random.pick(&ACCESSES))
    }

    /// Files are programs, so that all three accesses can be tried; no ordinary mode stands in the way.
    pub(super) fn build(&self, world: &World) {
        for directory in self.directories.iter().rev() {
            world.mkdir(directory);
        }
        for file in &self.files {
            match self.hard_links.get(file) {
                Some(first) => world.hard_link(first, file),
                None => {
                    world.write(file, "#!/usr/bin/true\n");
                    world.chmod(file, 0o755);
                }
            }
        }
        for (link, target) in &self.symlinks {
            world.symlink(target, link);
        }
    }

    /// Everything in the tree.
    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.directories.iter().chain(&self.files).chain(self.symlinks.iter().map(|(link, _)| link))
    }

    /// The other names of the file that has this real path.
    pub(super) fn names_of(&self, real: &Value) -> Vec<&str> {
        let real = real.as_str().unwrap();
        let first = |path: &str| self.hard_links.get(path).map_or(path.to_owned(), Clone::clone);
        self.files.iter().map(String::as_str).filter(|path| first(path) == first(real)).collect()
    }

    /// Must the next start find this directory: does an exact rule name it, or a directory that it leads to? None: a
    /// link on an exact rule's way makes it hard to tell.
    pub(super) fn is_pinned(&self, directory: &str) -> Option<bool> {
        let beneath = |path: &str, top: &str| path == top || path.starts_with(&format!("{top}/"));
        let has_link = |exact: &&String| self.symlinks.iter().any(|(link, _)| beneath(exact, link));
        let pins = |exact: &&String| !has_link(exact) && !self.files.contains(exact);
        let is_pinned = self.exact.iter().filter(pins).any(|exact| beneath(exact, directory));
        if is_pinned {
            Some(true)
        } else {
            (!self.exact.iter().any(|exact| has_link(&exact))).then_some(false)
        }
    }

    /// The tree, for a person.
    pub(super) fn text(&self) -> String {
        let links = self.symlinks.iter().map(|(link, target)| format!("{link} -> {target}"));
        let files = self.files.iter().map(|file| match self.hard_links.get(file) {
            Some(first) => format!("{file} = {first}"),
            None => file.clone(),
        });
        let directories = self.directories.iter().map(|directory| format!("{directory}/"));
        let mut all: Vec<String> = directories.chain(files).chain(links).collect();
        all.sort();
        all.iter().map(|line| format!("  tree: {line}\n")).collect()
    }
}
