//! A policy and paths, one a line: `A rwx /a/{b,*}`, `B w **/.env`, `P /a/b`. A line that is none of these, or whose
//! pattern or path the library refuses, counts for nothing.

use std::collections::BTreeMap;

use clawguard_core::{
    AbsPath, AccessSet, Decider, Effect, Folding, Host, Origin, Pattern, Place, Policy,
    ResolvedPolicy,
};

use super::naive;

/// Everything is beneath this directory, which is nowhere: no link of the host changes what a pattern means.
const TOP: &str = "/-";
/// What no rule lets anybody write: the program, and the policy.
const SHIM: &str = "/-/a/shim";
const POLICY: &str = "/-/b/policy";

const RULES: usize = 12;
const PATHS: usize = 8;
const DEPTH: usize = 8;
/// Of all rules together.
const ALTERNATIVES: usize = 48;

/// A policy, in the library's reading and in the naive one, and paths to ask both about.
pub(super) struct Case {
    pub(super) resolved: ResolvedPolicy,
    pub(super) naive: Vec<naive::Alternative>,
    pub(super) paths: Vec<AbsPath>,
}

impl Case {
    pub(super) fn read(data: &[u8]) -> Case {
        let (mut rules, mut paths) = (Vec::new(), Vec::new());
        let mut room = ALTERNATIVES;
        for line in data.split(|byte| *byte == b'\n') {
            match line {
                [b'P', b' ', path @ ..] if paths.len() < PATHS => paths.extend(self::path(path)),
                [b'A', b' ', rule @ ..] if rules.len() < RULES => {
                    rules.extend(self::rule(Effect::Allowed, rule, &mut room));
                }
                [b'B', b' ', rule @ ..] if rules.len() < RULES => {
                    rules.extend(self::rule(Effect::Blocked, rule, &mut room));
                }
                _ => {}
            }
        }
        let resolved = resolve(&rules);
        let guard = |path: &str| naive::Rule {
            effect: Effect::Guard,
            access: AccessSet::parse("w").expect("an access"),
            pattern: path.as_bytes().to_vec(),
        };
        rules.extend([SHIM, POLICY].map(guard));
        Case { resolved, naive: naive::read(&rules), paths }
    }

    pub(super) fn decider(&self) -> Decider {
        self.resolved.decider()
    }
}

fn path(text: &[u8]) -> Option<AbsPath> {
    let path = AbsPath::parse([TOP.as_bytes(), b"/", text].concat()).ok()?;
    (path.depth() <= DEPTH).then_some(path)
}

fn rule(effect: Effect, text: &[u8], room: &mut usize) -> Option<naive::Rule> {
    let cut = text.iter().position(|byte| *byte == b' ')?;
    let access = AccessSet::parse(std::str::from_utf8(&text[..cut]).ok()?).ok()?;
    let text = &text[cut + 1..];
    // Variables and `~` are another matter, and long patterns only make the naive reading slow.
    if text.len() > 64 || text.contains(&b'$') || text.contains(&b'~') {
        return None;
    }
    let pattern = match text {
        [b'/', ..] => [TOP.as_bytes(), text].concat(),
        text => text.to_vec(),
    };
    Pattern::parse(&pattern, Place::File).ok()?;
    let rule = naive::Rule { effect, access, pattern };
    *room = room.checked_sub(naive::read(std::slice::from_ref(&rule)).len())?;
    Some(rule)
}

fn resolve(rules: &[naive::Rule]) -> ResolvedPolicy {
    let text = "security: {file_access: {presets: [], temporary: none}}";
    let mut policy = Policy::parse(text, POLICY).expect("a policy");
    let origin = Origin::CommandLine { option: "fuzz" };
    for rule in rules {
        let pattern = Pattern::parse(&rule.pattern, Place::File).expect("it was read before");
        match rule.effect {
            Effect::Allowed => policy.allow(pattern, rule.access, origin.clone()),
            Effect::Blocked | Effect::Guard => policy.block(pattern, rule.access, origin.clone()),
        }
    }
    policy.resolve(&host()).expect("patterns without variables")
}

fn host() -> Host {
    Host {
        home: None,
        cwd: AbsPath::parse("/-/cwd").expect("an absolute path"),
        uid: 1,
        environment: BTreeMap::new(),
        shim: AbsPath::parse(SHIM).ok(),
        terminal: None,
        command: None,
        temporary: None,
        folding: Folding::default(),
        procfs: vec![clawguard_core::Procfs::usual()],
    }
}
