//! The law against its own table, and against a naive reading that shares no code with the automaton.

mod naive;

use std::sync::Arc;

use proptest::prelude::*;

use super::{Decider, Guards, Law, StateId};
use crate::access::{Access, AccessSet};
use crate::path::AbsPath;
use crate::policy::Case;
use crate::policy::{Effect, Origin, Pattern, Place, Policy};
use crate::resolve::{Host, ResolvedPolicy};

const ORIGIN: Origin = Origin::CommandLine { option: "test" };

fn host() -> Host {
    Host {
        home: None,
        cwd: AbsPath::parse("/nowhere").unwrap(),
        uid: 1,
        environment: std::collections::BTreeMap::new(),
        shim: None,
        terminal: None,
        command: None,
        temporary: None,
        folding: super::Folding::default(),
        procfs: vec![crate::resolve::Procfs::usual()],
    }
}

/// Rules such as `block r /w/s`: effect, accesses, pattern.
fn resolve(rules: &[(Effect, &str, &str)]) -> ResolvedPolicy {
    let text = "security: {file_access: {presets: [], temporary: none}}";
    let mut policy = Policy::parse(text, "t").unwrap();
    for (effect, access, pattern) in rules {
        let pattern = Pattern::parse(pattern.as_bytes(), Place::File).unwrap();
        let access = AccessSet::parse(access).unwrap();
        match effect {
            Effect::Allowed => policy.allow(pattern, access, ORIGIN),
            Effect::Blocked | Effect::Guard => policy.block(pattern, access, ORIGIN),
        }
    }
    policy.resolve(&host()).unwrap()
}

fn allowed(rules: &[(Effect, &str, &str)], path: &str) -> bool {
    let policy = resolve(rules);
    let path = AbsPath::parse(path).unwrap();
    policy.decider().decide(&path).verdict(Access::Read).is_allowed()
}

use Effect::{Allowed as A, Blocked as B};

#[test]
fn a_block_is_the_reason_also_where_nothing_is_allowed_anyway() {
    let policy = resolve(&[(A, "rwx", "/w"), (B, "rwx", "/h/.ssh"), (B, "r", "**/.env")]);
    let why = |path: &str, access| {
        let path = AbsPath::parse(path).unwrap();
        policy.reason(policy.decider().decide(&path).verdict(access))
    };
    assert_eq!(why("/h/.ssh/id", Access::Read), "blocked rwx `/h/.ssh` (command line test)");
    assert_eq!(why("/x/y/.env", Access::Read), "blocked r `**/.env` (command line test)");
    assert_eq!(why("/x/y/.env", Access::Write), "nothing allows it");
    assert_eq!(why("/h/.sshd", Access::Read), "nothing allows it");
}

#[test]
fn every_row_of_the_table_in_the_law_holds() {
    let env = [(A, "rwx", "/w"), (B, "rwx", "**/.env")];
    assert!(!allowed(&env, "/w/a/.env"));
    assert!(!allowed(&env, "/w/a/.env/x"));
    assert!(allowed(&env, "/w/a/.envrc"));
    assert!(allowed(&[env[0], env[1], (A, "rwx", "/w/.env")], "/w/.env"));
    let inner = [(B, "rwx", "/w/s"), (A, "rwx", "/w"), (A, "rwx", "/w/s/pub")];
    assert!(allowed(&inner, "/w/s/pub/x"));
    assert!(!allowed(&[inner[0], inner[1], inner[2], (B, "rwx", "/w/s/pub/key")], "/w/s/pub/key"));
    assert!(!allowed(&[(B, "rwx", "/w/s"), (A, "rwx", "/w/s")], "/w/s"));
    assert!(!allowed(&[(B, "rwx", "/w/s"), (A, "rwx", "/w/s/*")], "/w/s/a"));
    assert!(!allowed(&[(B, "rwx", "/w/s"), (A, "rwx", "/w/s/a/**")], "/w/s/a"));
    assert!(!allowed(&[(A, "rwx", "/h/*")], "/h/.ssh"));
    assert!(allowed(&[(A, "rwx", "/h/**")], "/h/.ssh"));
    assert!(allowed(&[(A, "rwx", "/h/*")], "/h/p/.git"));
    assert!(allowed(&[(B, "rwx", "/h/.*"), (A, "rwx", "/h/.claw")], "/h/.claw/db"));
}

#[test]
fn a_neighbour_with_a_longer_name_is_another_path() {
    assert!(!allowed(&[(A, "rwx", "/work")], "/work-evil/x"));
    assert!(allowed(&[(A, "rwx", "/work")], "/work"));
}

#[test]
fn a_blocked_tree_is_as_exact_as_its_directory_and_lets_nothing_through() {
    assert!(!allowed(&[(A, "rwx", "/w"), (B, "rwx", "/w/s/**"), (A, "rwx", "/w/s")], "/w/s"));
    assert!(!allowed(&[(A, "rwx", "/w"), (B, "rwx", "/w/s/**"), (A, "rwx", "/w/s/a")], "/w/s/a"));
    assert!(allowed(&[(A, "rwx", "/w"), (B, "rwx", "/w/*/**"), (A, "rwx", "/w/s")], "/w/s"));
}

#[test]
fn each_access_is_decided_alone() {
    let policy = resolve(&[(A, "rwx", "/w"), (B, "w", "**/.github/workflows")]);
    let path = AbsPath::parse("/w/.github/workflows/ci.yml").unwrap();
    let decision = policy.decider().decide(&path);
    assert!(decision.verdict(Access::Read).is_allowed());
    assert!(!decision.verdict(Access::Write).is_allowed());
    assert_eq!(
        policy.reason(decision.verdict(Access::Write)),
        "blocked w `**/.github/workflows` (command line test)"
    );
}

#[test]
fn what_may_not_be_read_may_not_be_executed() {
    let policy =
        resolve(&[(A, "rwx", "/w"), (B, "r", "**/.env"), (A, "x", "/bin"), (B, "x", "/w/tool")]);
    let why = |path: &str| {
        let path = AbsPath::parse(path).unwrap();
        policy.reason(policy.decider().decide(&path).verdict(Access::Execute))
    };
    assert_eq!(why("/w/a"), "allowed rwx `/w` (command line test)");
    assert_eq!(why("/w/.env"), "blocked r `**/.env` (command line test)");
    assert_eq!(why("/w/.env/a"), "blocked r `**/.env` (command line test)");
    assert_eq!(why("/w/tool"), "blocked x `/w/tool` (command line test)");
    assert_eq!(why("/bin/ls"), "nothing allows it");
}

#[test]
fn folded_directories_match_blocked_patterns_in_any_case_and_allowed_ones_in_theirs() {
    let policy = resolve(&[
        (A, "rwx", "/w/Ok"),
        (A, "rwx", "/w/d"),
        (B, "r", "**/.env"),
        (B, "r", "**/*.pem"),
    ]);
    let step = |names: &[&str], case| {
        let mut decider = policy.decider();
        let mut state = decider.root();
        for name in names {
            state = decider.step(state, name.as_bytes(), case);
        }
        decider.decision(state).verdict(Access::Read).is_allowed()
    };
    assert!(step(&["w", "d", ".ENV"], Case::Sensitive));
    assert!(!step(&["w", "d", ".ENV"], Case::Folded));
    assert!(!step(&["w", "d", "K.Pem"], Case::Folded));
    assert!(!step(&["w", "oK", "x"], Case::Folded), "an allowed pattern does not widen");
}

#[test]
fn folding_is_found_by_place() {
    let place = AbsPath::parse("/media/stick").unwrap();
    let mut host = host();
    host.folding = super::Folding::new(vec![(place, true)]);
    let text = "security: {file_access: {presets: [], temporary: none, allowed_paths: [/], blocked_paths: ['**/.env']}}";
    let policy = Policy::parse(text, "t").unwrap().resolve(&host).unwrap();
    let mut decider = policy.decider();
    let mut read = |path: &str| {
        decider.decide(&AbsPath::parse(path).unwrap()).verdict(Access::Read).is_allowed()
    };
    assert!(!read("/media/stick/a/.Env"));
    assert!(read("/media/other/a/.Env"));
}

fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", ".c"]),
        3 => prop::sample::select(vec!["*", ".*", "?", "a*", "*b", "[ab]", "[!a]"]),
        2 => Just("**"),
    ]
    .prop_map(str::to_owned)
}

fn rule() -> impl Strategy<Value = naive::Rule> {
    let access = prop::sample::select(vec!["r", "w", "x", "rw", "rx", "rwx"]);
    (any::<bool>(), access, prop::collection::vec(component(), 0..4)).prop_map(
        |(allow, access, components)| naive::Rule {
            effect: if allow { Effect::Allowed } else { Effect::Blocked },
            access: AccessSet::parse(access).unwrap(),
            pattern: format!("/{}", components.join("/")).into_bytes(),
        },
    )
}

fn path() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", ".c", "ab", ".d", "c"]), 0..6)
}

fn decider(rules: &[naive::Rule]) -> Decider {
    let written: Vec<(Effect, String, String)> = rules
        .iter()
        .map(|rule| {
            let pattern = String::from_utf8(rule.pattern.clone()).unwrap();
            (rule.effect, rule.access.to_string(), pattern)
        })
        .collect();
    let borrowed: Vec<(Effect, &str, &str)> = written
        .iter()
        .map(|(effect, access, pattern)| (*effect, access.as_str(), pattern.as_str()))
        .collect();
    resolve(&borrowed).decider()
}

fn naive_decide(rules: &[naive::Rule], path: &[&str], access: Access) -> bool {
    let path: Vec<&[u8]> = path.iter().map(|name| name.as_bytes()).collect();
    naive::decide(&naive::read(rules), &path, access)
}

fn walk(decider: &mut Decider, path: &[&str]) -> StateId {
    path.iter()
        .fold(decider.root(), |state, name| decider.step(state, name.as_bytes(), Case::Sensitive))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_automaton_agrees_with_the_naive_reading(
        rules in prop::collection::vec(rule(), 0..7),
        paths in prop::collection::vec(path(), 12),
    ) {
        let mut decider = decider(&rules);
        for path in paths {
            let absolute = AbsPath::parse(format!("/{}", path.join("/"))).unwrap();
            let decision = decider.decide(&absolute);
            for access in Access::ALL {
                prop_assert_eq!(
                    decision.verdict(access).is_allowed(), naive_decide(&rules, &path, access),
                    "{} on {} under {:?}", access, absolute, rules
                );
            }
        }
    }

    #[test]
    fn what_is_settled_is_decided_alike_for_every_path_beneath(
        rules in prop::collection::vec(rule(), 0..6),
        front in path(),
        beneath in prop::collection::vec(path(), 12),
    ) {
        let mut decider = decider(&rules);
        let top = walk(&mut decider, &front);
        for access in Access::ALL {
            if decider.is_settled(top, access, Guards::All) {
                let verdict = decider.decision(top).verdict(access).is_allowed();
                for path in &beneath {
                    let whole: Vec<&str> = front.iter().chain(path).copied().collect();
                    prop_assert_eq!(naive_decide(&rules, &whole, access), verdict);
                }
            }
        }
    }

    #[test]
    fn directories_that_decide_alike_may_change_places(
        rules in prop::collection::vec(rule(), 0..5),
        one in path(), other in path(),
        beneath in prop::collection::vec(path(), 12),
    ) {
        let mut decider = decider(&rules);
        let (a, b) = (walk(&mut decider, &one), walk(&mut decider, &other));
        if decider.decides_alike(a, b) {
            for path in &beneath {
                let at = |front: &[&'static str]| -> Vec<&str> { front.iter().chain(path).copied().collect() };
                for access in Access::ALL {
                    prop_assert_eq!(
                        naive_decide(&rules, &at(&one), access), naive_decide(&rules, &at(&other), access)
                    );
                }
            }
        }
    }
}

#[test]
fn a_wildcard_everywhere_lets_directories_move() {
    let policy = resolve(&[(A, "rwx", "/w"), (B, "r", "**/.env"), (B, "rwx", "/w/a/secret")]);
    let mut decider = policy.decider();
    let mut at = |path: &[&str]| walk(&mut decider, path);
    let (a, b, c) = (at(&["w", "a"]), at(&["w", "b"]), at(&["w", "c"]));
    assert!(decider.decides_alike(b, c));
    assert!(!decider.decides_alike(a, b), "/w/a/secret would lose its name");
}

#[test]
fn what_is_settled_decides_alike_whatever_settled_it() {
    let rules = [(A, "rw", "/w"), (B, "r", "**/.*"), (B, "rx", "/w/c"), (A, "r", "/w/x/.e")];
    let policy = resolve(&rules);
    let mut decider = policy.decider();
    let mut at = |path: &[&str]| walk(&mut decider, path);
    let (hidden, exact, other) = (at(&["w", ".env"]), at(&["w", "c"]), at(&["w", "x"]));
    assert!(decider.decides_alike(hidden, exact), "nothing beneath can be read or executed");
    assert!(!decider.decides_alike(hidden, other));
}

#[test]
fn the_law_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let policy = resolve(&[(A, "r", "/w")]);
    is_shared::<Arc<Law>>(&policy.law);
}
