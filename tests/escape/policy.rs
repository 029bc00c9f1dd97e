//! The policies that an attempt can ask for, and what each protects of the tree.

use crate::support::World;

/// What must stay as it is, relative to the home directory.
pub(crate) struct Protection {
    /// Whole trees, or names where nothing may appear.
    pub(crate) frozen: Vec<&'static str>,
    /// What is allowed inside a frozen tree.
    pub(crate) holes: Vec<&'static str>,
    /// What may be written and not read: a secret that is found there has not moved.
    pub(crate) blind: Vec<&'static str>,
    /// Single directories that must be the same ones at the same path; not what is in them.
    pub(crate) pinned: Vec<&'static str>,
}

/// Everything outside the workspace. `pwned` is where whatever ran outside leaves its mark.
const OUTSIDE: &[&str] = &[
    "work-evil",
    "secret",
    ".ssh",
    ".config",
    ".openclaw",
    "docs",
    "bystander",
    "script",
    "pwned",
    "../bin",
];

/// Blocked in the workspace by the policy `rich`.
const INSIDE: &[&str] = &[
    "work/.env",
    "work/sub/.env",
    "work/locked",
    "work/late",
    "work/late-directory",
    "work/fixed",
    "work/box/inner/key",
    "work/.git/hooks",
    "work/.git/config",
    "work/.git/commondir",
    "work/.git/config.worktree",
    "work/pair/left/key",
];

/// `rich`: every kind of block inside the workspace, so that the supervisor opens. `settled`: the workspace alone, which
/// Landlock holds by itself. `default`: no policy file, so the built-in one. `trust`: `rich`, and the policy file and the
/// program lie in the workspace.
pub(crate) fn write(world: &World, name: &str) -> Vec<String> {
    let policy = world.text("{root}/policy.yaml");
    let rich = "allowed_paths: ['~/work', '~/work/locked/open', { path: '~/docs', access: r }, { path: '{root}/bin', access: rx }, { path: '~/blank.txt', access: rw }]
         blocked_paths: ['**/.env', '~/.*', '~/work/locked', '~/work/late', '~/work/late-directory', '~/work/box/inner/key', '~/work/pair/left/key', { path: '~/work/fixed', access: w }, { path: '~/work/blind', access: r }, { path: '~/work/.git/{hooks,config,config.worktree,commondir}', access: w }]";
    let settled = "allowed_paths: ['~/work', { path: '{root}/bin', access: rx }]";
    let (rules, arguments) = match name {
        "rich" => (rich, vec!["-q", "--policy", policy.as_str()]),
        "settled" => (settled, vec!["-q", "--policy", policy.as_str()]),
        "default" => (rich, vec!["-q"]),
        other => panic!("no policy is named {other}"),
    };
    world.policy(&world.text(rules));
    let file = world.path("~/policy.yaml");
    std::fs::rename(file, world.path("{root}/policy.yaml")).unwrap();
    arguments.into_iter().map(str::to_owned).collect()
}

/// What the policy of this name protects.
pub(crate) fn protection(name: &str) -> Protection {
    let mut frozen = OUTSIDE.to_vec();
    let mut pinned = vec![".", "work"];
    let (mut holes, mut blind) = (Vec::new(), Vec::new());
    match name {
        "rich" => {
            frozen.extend(INSIDE);
            pinned.push("work/locked/open");
            holes.push("work/locked/open");
            blind.push("work/blind");
        }
        "settled" => {}
        "default" => {
            frozen.extend(INSIDE.iter().filter(|path| path.starts_with("work/.git/")));
            blind.extend(["work/.env", "work/sub/.env"]);
        }
        other => panic!("no policy is named {other}"),
    }
    Protection { frozen, holes, blind, pinned }
}

/// Does the policy of this name keep the target from reading this file? Else it holds no canary.
pub(crate) fn is_secret(name: &str, path: &str) -> bool {
    match path.strip_prefix("work/") {
        None => true,
        Some(inside) => match name {
            "rich" => true,
            "settled" => false,
            "default" => inside.ends_with(".env"),
            other => panic!("no policy is named {other}"),
        },
    }
}
