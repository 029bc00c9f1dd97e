//! Random trees under random policies: what Landlock's rules grant is never more than the law, but in loose
//! directories, and there by what they are loose for; and what exists and may be executed can be.

#![forbid(unsafe_code)]

use landlock::AccessFs;

use super::*;
use crate::access::{Access, AccessSet};
use crate::compile::rights::{self, Rights};
use crate::decide::{Decider, Guards};
use crate::path::AbsPath;
use crate::policy::Case;

const NAMES: [&str; 5] = ["a", "b", ".h", "c.t", ".env"];
const FRESH: [&str; 3] = ["zz", ".zz", ".env"];
const WILDCARDS: [&str; 7] = ["*", "?", ".*", "*.t", "[ab]", "[!a]*", "**"];
const ACCESSES: [&str; 12] =
    ["rwx", "rwx", "rwx", "rwx", "rwx", "rwx", "r", "rw", "rx", "rx", "w", "x"];

/// splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub(super) fn grow(&mut self, tree: &mut Vec<String>, directory: &str, depth: usize) {
        for name in NAMES {
            match self.below(6) {
                0 | 1 if depth < 3 => {
                    let path = format!("{directory}{name}/");
                    tree.push(path.clone());
                    self.grow(tree, &path, depth + 1);
                }
                2 | 3 => tree.push(format!("{directory}{name}")),
                _ => {}
            }
        }
    }

    /// `rx /home/a/*`; half of the rules are about the home directory.
    pub(super) fn rule(&mut self) -> String {
        let mut pattern = (*self.pick(&["", "/home", "/home", "/w"])).to_owned();
        for _ in 0..self.below(4) {
            let component =
                if self.below(3) == 0 { self.pick(&WILDCARDS) } else { self.pick(&NAMES) };
            pattern.push('/');
            pattern.push_str(component);
        }
        if pattern.is_empty() {
            pattern.push('/');
        }
        format!("{} {pattern}", self.pick(&ACCESSES))
    }
}

/// What the rules grant for a path: for what it is, and for the entries in it.
fn granted(plan: &Plan, path: &AbsPath) -> Rights {
    let on_the_way = plan.rules.iter().filter(|rule| path.starts_with(&rule.path));
    on_the_way.fold(Rights::EMPTY, |all, rule| all | rule.rights)
}

struct Judge<'a> {
    plan: &'a Plan,
    decider: Decider,
}

impl Judge<'_> {
    fn law(&mut self, path: &AbsPath) -> AccessSet {
        let decision = self.decider.decide(path);
        Access::ALL.into_iter().filter(|access| decision.verdict(*access).is_allowed()).collect()
    }

    fn loose(&self, path: &AbsPath) -> AccessSet {
        let on_the_way = self.plan.loose().iter().filter(|loose| path.starts_with(&loose.path));
        on_the_way.fold(AccessSet::EMPTY, |all, loose| all.union(loose.access))
    }

    fn never_more(&mut self, path: &AbsPath) {
        let (law, loose, granted) = (self.law(path), self.loose(path), granted(self.plan, path));
        let may = |access| law.contains(access) || loose.contains(access);
        let why = format!("{path}: law {law}, loose {loose}, granted {:?}", rights::names(granted));
        assert!(may(Access::Read) || !granted.contains(AccessFs::ReadFile), "{why}");
        assert!(may(Access::Execute) || !granted.contains(AccessFs::Execute), "{why}");
        assert!(law.contains(Access::Read) || !law.contains(Access::Execute), "{why}");
        assert!(!loose.contains(Access::Write), "{why}");
        // A loose directory shows no names.
        assert!(law.contains(Access::Read) || !granted.contains(AccessFs::ReadDir), "{why}");
        let write = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
        assert!(law.contains(Access::Write) || !granted.intersects(write), "{why}");
    }

    /// Making, removing and moving entries: only where nothing beneath is decided otherwise, and nothing is guarded or
    /// must be found again.
    fn entries(&mut self, directory: &AbsPath) {
        if !granted(self.plan, directory).intersects(rights::entries(self.plan.kernel.abi())) {
            return;
        }
        // `walk` stops where nothing can change, and so at an ancestor's state.
        let mut state = self.decider.root();
        for name in directory.components() {
            state = self.decider.step(state, name, Case::Sensitive);
        }
        for access in Access::ALL {
            assert!(self.decider.is_settled(state, access, Guards::All), "{directory}: {access}");
        }
        assert!(!self.decider.live(state).pins(), "{directory}");
        assert!(self.law(directory).contains(Access::Write), "{directory}");
    }

    fn executes(&mut self, file: &AbsPath) {
        let law = self.law(file);
        if law.contains(Access::Execute) && law.contains(Access::Read) {
            let needed = AccessFs::Execute | AccessFs::ReadFile;
            assert!(granted(self.plan, file).contains(needed), "{file} cannot be executed");
        }
    }
}

fn judge(seed: u64) -> bool {
    let mut random = Random(seed);
    let mut tree: Vec<String> = vec!["/home/".to_owned(), "/w/".to_owned()];
    random.grow(&mut tree, "/home/", 0);
    random.grow(&mut tree, "/w/", 0);
    let world = World::new(&tree.iter().map(String::as_str).collect::<Vec<_>>());
    let rules = |random: &mut Random, count| (0..count).map(|_| random.rule()).collect::<Vec<_>>();
    let count = 1 + random.below(3);
    let allowed = rules(&mut random, count);
    let count = random.below(6);
    let blocked = rules(&mut random, count);
    fn words(rules: &[String]) -> Vec<&str> {
        rules.iter().map(String::as_str).collect()
    }
    let plan = world.plan(&words(&allowed), &words(&blocked));
    let text = format!("seed {seed}: allowed {allowed:?}, blocked {blocked:?}");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut judge = Judge { plan: &plan, decider: plan.policy().decider() };
        let path = |path: &String| AbsPath::parse(world.path(path)).unwrap();
        let all: Vec<AbsPath> = tree.iter().map(path).collect();
        for (path, text) in all.iter().zip(&tree) {
            judge.never_more(path);
            if text.ends_with('/') {
                judge.entries(path);
                FRESH.iter().for_each(|name| judge.never_more(&path.join(name.as_bytes())));
                let inner = path.join(b"zz");
                FRESH.iter().for_each(|name| judge.never_more(&inner.join(name.as_bytes())));
            } else {
                judge.executes(path);
            }
        }
        for loose in plan.loose() {
            let home = AbsPath::parse(world.path("/home")).unwrap();
            assert!(!home.starts_with(&loose.path), "{} is loose", loose.path);
            assert!(!loose.access.is_empty());
            let mut others = plan.loose().iter().filter(|other| other.path != loose.path);
            assert!(others.all(|other| !loose.path.starts_with(&other.path)));
        }
        !plan.loose().is_empty()
    }));
    match outcome {
        Ok(is_loose) => is_loose,
        Err(_) => panic!("{text}\n{:#?}\n{:?}", world.rules(&plan), plan.loose()),
    }
}

#[test]
fn landlock_grants_never_more_than_the_law_but_what_is_loose() {
    let cases = 300;
    let loose = (0..cases).filter(|seed| judge(*seed)).count();
    // A generator that makes nothing loose would prove nothing about looseness.
    assert!(loose * 8 > cases as usize, "only {loose} of {cases} policies were loose");
}
