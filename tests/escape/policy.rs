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
    /// A name that is frozen wherever it appears in the workspace.
    pub(crate) wildcard: Option<&'static str>,
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

/// What the policy `trust` holds.
const GUARDED: &[&str] = &[
    "secret",
    ".ssh",
    "conf/policy.yaml",
    "bin/clawguard-exec",
    ".config/clawguard/policy.yaml",
    ".openclaw/config.yaml",
    "pwned",
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
    "work/pair/shut/key",
    "work/ghost/inner/key",
    "work/late (deleted)",
    "work/aliased",
    "work/alias",
];

/// What the default adds in the repository of the workspace.
const TRUSTED: &[&str] = &[
    "work/HEAD",
    "work/m/.git",
    "work/.git/modules/m/config",
    "work/.git/modules/m/commondir",
    "work/.git/modules/m/hooks",
    "work/.git/worktrees/tree/commondir",
    "work/.git/worktrees/tree/gitdir",
    "work/.git/worktrees/tree/config.worktree",
    "tree",
];

const RICH: &str = "allowed_paths: ['~/work', '~/work/locked/open', { path: '~/docs', access: r }, { path: '{root}/bin', access: rx }, { path: '~/blank.txt', access: rw }]
    blocked_paths: ['**/.env', '~/.*', '~/work/locked', '~/work/late', '~/work/late (deleted)', '~/work/late-directory', '~/work/alias', '~/work/box/inner/key', '~/work/pair/shut/key', '~/work/ghost/inner/key', { path: '~/work/fixed', access: w }, { path: '~/work/blind', access: r }, { path: '~/work/.git/{hooks,config,config.worktree,commondir}', access: w }]";

const SETTLED: &str = "allowed_paths: ['~/work', { path: '{root}/bin', access: rx }]";

const TRUST: &str = "allowed_paths: ['~/**', '~/work', { path: '{root}/bin', access: rx }]
    blocked_paths: ['~/secret', '~/.ssh']";

/// `rich`: every kind of block inside the workspace, so that the supervisor opens. `missing`: the same, among paths that
/// do not exist. `loopback`: `rich`, and sockets listen at loopback alone. `settled`: the workspace alone, which Landlock holds by itself. `default`: no policy file, so the built-in one.
/// `trust`: the whole home directory, and the policy file and the program lie in it, in `conf` and `bin`.
pub(crate) fn write(world: &World, name: &str) -> Vec<String> {
    let missing = RICH
        .replace("['~/work',", "['~/nowhere', '/nowhere/at/all', '~/nowhere-*/x', '~/work',")
        .replace("['**/.env',", "['~/nowhere/blocked', '/nowhere/**/x', '**/.env',");
    let (rules, file) = match name {
        "rich" | "default" => (RICH, "{root}/policy.yaml"),
        "missing" => (missing.as_str(), "{root}/policy.yaml"),
        "settled" => (SETTLED, "{root}/policy.yaml"),
        "loopback" => (RICH, "{root}/policy.yaml"),
        "trust" => (TRUST, "~/conf/policy.yaml"),
        other => panic!("no policy is named {other}"),
    };
    world.policy(&world.text(rules));
    if name == "loopback" {
        let text = world.read("~/policy.yaml");
        world.write("~/policy.yaml", text + "  network:\n    listen: loopback\n");
    }
    std::fs::rename(world.path("~/policy.yaml"), world.path(file)).unwrap();
    match name {
        "default" => vec!["-q".to_owned()],
        _ => vec!["-q".to_owned(), "--policy".to_owned(), world.text(file)],
    }
}

/// Where the shim of this policy is: in the policy `trust` a copy in the home directory.
pub(crate) fn shim(world: &World, name: &str) -> String {
    if name == "trust" {
        world.install(&world.text("{root}/bin/clawguard-exec"), "~/bin/clawguard-exec");
        world.text("~/bin/clawguard-exec")
    } else {
        world.text("{root}/bin/clawguard-exec")
    }
}

/// What the policy of this name protects.
pub(crate) fn protection(name: &str) -> Protection {
    let mut protection = Protection {
        frozen: OUTSIDE.to_vec(),
        holes: Vec::new(),
        blind: Vec::new(),
        pinned: vec![".", "work"],
        wildcard: None,
    };
    match name {
        "rich" | "missing" | "loopback" => {
            protection.frozen.extend(INSIDE);
            protection.pinned.push("work/locked/open");
            protection.holes.push("work/locked/open");
            protection.blind.push("work/blind");
            protection.wildcard = Some(".env");
        }
        "settled" => {}
        "default" => {
            let git = INSIDE.iter().filter(|path| path.starts_with("work/.git/"));
            protection.frozen.extend(git);
            protection.frozen.extend(TRUSTED);
            protection.blind.extend([
                "work/.env",
                "work/.env.local",
                "work/sub/.env",
                "work/sub/.env.production.local",
            ]);
        }
        "trust" => protection.frozen = GUARDED.to_vec(),
        other => panic!("no policy is named {other}"),
    }
    protection
}

/// Does the policy of this name keep the target from reading this file? Else it holds no canary.
pub(crate) fn is_secret(name: &str, path: &str) -> bool {
    if name == "trust" {
        return path.starts_with("secret") || path.starts_with(".ssh");
    }
    let Some(inside) = path.strip_prefix("work/") else { return true };
    match name {
        "rich" | "missing" | "loopback" => !inside.ends_with(".local"),
        "settled" => false,
        "default" => inside.contains(".env"),
        other => panic!("no policy is named {other}"),
    }
}
