//! The tree that every attempt finds: a workspace with something blocked of every kind, and what lies beside it.

use crate::attempt::Programs;
use crate::canary::Canaries;
use crate::policy;
use crate::support::{User, World};

/// What an allowed file holds.
const NEIGHBOUR: &str = "neighbour\n";

/// Files that hold a canary each where the policy keeps them from being read.
const SECRETS: &[&str] = &[
    "work/.env",
    "work/.env.local",
    "work/sub/.env",
    "work/sub/.env.production.local",
    "work/locked/key",
    "work/locked/deep/key",
    "work/locked/open-evil/key",
    "work/locked/key (deleted)",
    "work/locked/new\nline",
    "work/late (deleted)/key",
    "work/aliased/key",
    "work/box/inner/key",
    "work/pair/shut/key",
    "work/blind/key",
    "work-evil/key",
    "secret/key",
    "secret/sub/key",
    "secret/sub/.env",
    ".ssh/id",
    ".*",
    ".config/app/key",
    "bystander",
];

/// Allowed files, and the blocked ones that can be read.
const NEIGHBOURS: &[&str] = &[
    "work/note",
    "work/.envrc",
    "work/env",
    "work/sub/note",
    "work/locked/open/note",
    "work/fixed/note",
    "work/fixed/sub/note",
    "work/box/note",
    "work/box/inner/note",
    "work/pair/open/key",
    "work/shelf/note",
    "docs/note",
    "conf/other.yaml",
    "blank.txt",
];

/// Files with a note in an extended attribute, and whether the note is a secret, and so is the name of another one.
const NOTED: &[(&str, bool)] = &[
    ("secret/noted", true),
    ("work/blind/noted", true),
    ("work/fixed/noted", false),
    ("work/noted", false),
];

const DIRECTORIES: &[&str] = &[
    "work/fixed/empty",
    "work/empty",
    "work/links",
    "work/.git/hooks",
    "work/.git/objects",
    "work/.git/refs/heads",
    "secret/empty",
    "secret/names",
    "work/locked/names",
    ".local/state/clawguard",
    ".openclaw",
    "work/m",
    "work/.git/modules/m/objects",
    "work/.git/modules/m/refs",
];

/// A repository as git makes it, with a submodule `m` and the linked worktree `~/tree`.
const REPOSITORY: &[(&str, &str)] = &[
    ("work/.git/HEAD", "ref: refs/heads/main\n"),
    ("work/.git/config", CONFIGURATION),
    ("work/.git/modules/m/HEAD", "ref: refs/heads/main\n"),
    (
        "work/.git/modules/m/config",
        "[core]\n\trepositoryformatversion = 0\n\tworktree = ../../../m\n",
    ),
    ("work/m/.git", "gitdir: ../.git/modules/m\n"),
    ("work/.git/worktrees/tree/HEAD", "ref: refs/heads/tree\n"),
    ("work/.git/worktrees/tree/commondir", "../..\n"),
    ("work/.git/worktrees/tree/gitdir", "{home}/tree/.git\n"),
    ("tree/.git", "gitdir: {home}/work/.git/worktrees/tree\n"),
];

const CONFIGURATION: &str =
    "[core]\n\trepositoryformatversion = 0\n[user]\n\tname = o\n\temail = o@localhost\n";

/// Links that somebody had planted before the start: (link, target).
const LINKS: &[(&str, &str)] = &[
    ("work/links/secret-key", "../../secret/key"),
    ("work/links/secret", "../../secret"),
    ("work/links/absolute-secret", "{home}/secret/key"),
    ("work/links/env", "../sub/.env"),
    ("work/links/locked", "../locked"),
    ("work/links/locked-key", "../locked/key"),
    ("work/links/late", "../late"),
    ("work/links/outside-new", "../../secret/new"),
    ("work/links/fixed", "../fixed/note"),
    ("work/links/ssh", "../../.ssh"),
    ("work/links/note", "../note"),
    ("work/links/sub", "../sub"),
    ("work/links/root", "/"),
    ("work/links/home", "../.."),
    ("work/alias", "aliased"),
];

/// Makes the tree in a fresh world.
pub(crate) fn plant(programs: &Programs, user: User, policy: &str) -> (World, Canaries) {
    let shim = programs.path("clawguard-exec");
    let world = World::with_shim(user, shim.to_str().unwrap());
    let mut canaries = Canaries::default();
    let mut hold = |path: &str| {
        let is_secret = policy::is_secret(policy, path);
        if is_secret { canaries.make(path) + "\n" } else { NEIGHBOUR.to_owned() }
    };
    for path in SECRETS {
        world.write(&format!("~/{path}"), hold(path));
    }
    let locked = world.text("~/work/locked/");
    let long = [locked.as_bytes(), &[b'n'; 255]].concat();
    let strange = [locked.as_bytes(), b"\xff\xfekey"].concat();
    for path in [long, strange] {
        world.write_bytes(&path, hold("work/locked/*"));
    }
    for path in NEIGHBOURS {
        world.write(&format!("~/{path}"), NEIGHBOUR);
    }
    for path in DIRECTORIES {
        world.mkdir(&format!("~/{path}"));
    }
    for (link, target) in LINKS {
        world.symlink(&world.text(target), &format!("~/{link}"));
    }
    for path in ["secret/script", "work/locked/script", "script"] {
        world.write(&format!("~/{path}"), format!("#!/bin/sh\necho {}", hold(path)));
        world.chmod(&format!("~/{path}"), 0o755);
    }
    // Names are no secret, but the list of a blocked directory is.
    for path in ["secret/names", "work/locked/names"] {
        world.write(&format!("~/{path}/{}", hold(path).trim_end()), "");
    }
    world.write("~/.local/state/clawguard/journal.jsonl", "{\"before\":true}\n");
    world.chmod("~/.local/state/clawguard", 0o700);
    world.chmod("~/.local/state/clawguard/journal.jsonl", 0o600);
    for (path, text) in REPOSITORY {
        world.write(&format!("~/{path}"), world.text(text));
    }
    world.write_bytes(
        world.text("~/work/blind/program").as_bytes(),
        program(&hold("work/blind/program")),
    );
    world.chmod("~/work/blind/program", 0o755);
    world.write("~/work/run", "#!/bin/sh\necho neighbour\n");
    world.chmod("~/work/run", 0o755);
    note(&world, &mut canaries, policy);
    (world, canaries)
}

/// A program whose loader is `loader`, and whose secret is mapped at 0x10002000 (attempts/images.h).
fn program(secret: &str) -> Vec<u8> {
    const SIZE: usize = 8192;
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut bytes = vec![0u8; SIZE];
    let mut put = |at: usize, value: u64, length: usize| {
        bytes[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
    };
    let length = (SIZE + secret.len()) as u64;
    // The header: type, machine, version, entry, where the program headers are, sizes and count.
    for (at, value, length) in [
        (16, 2, 2),
        (18, machine.into(), 2),
        (20, 1, 4),
        (24, 0x1000_0000, 8),
        (32, 64, 8),
        (52, 64, 2),
        (54, 56, 2),
        (56, 2, 2),
    ] {
        put(at, value, length);
    }
    // PT_INTERP, then PT_LOAD, readable and writable: type, flags, offset, address, sizes, alignment.
    for (at, value, length) in [(64, 3, 4), (72, SIZE as u64 - 64, 8), (96, 7, 8)] {
        put(at, value, length);
    }
    for (at, value, length) in [
        (120, 1, 4),
        (124, 6, 4),
        (136, 0x1000_0000, 8),
        (152, length, 8),
        (160, length + 64, 8),
        (168, 4096, 8),
    ] {
        put(at, value, length);
    }
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[SIZE - 64..SIZE - 58].copy_from_slice(b"loader");
    bytes.extend_from_slice(secret.as_bytes());
    bytes
}

/// Secrets that are not content: a name in a blocked directory, and attributes, their values and their names.
fn note(world: &World, canaries: &mut Canaries, policy: &str) {
    let name = canaries.make("a name in secret");
    world.write(&format!("~/secret/{name}"), "");
    for (path, is_secret) in NOTED {
        let (held, name) = if *is_secret && policy::is_secret(policy, path) {
            let name = canaries.make(&format!("the name of an attribute of {path}"));
            (canaries.make(&format!("an attribute of {path}")), name)
        } else {
            (NEIGHBOUR.to_owned(), "other".to_owned())
        };
        let path = format!("~/{path}");
        world.write(&path, NEIGHBOUR);
        for (name, value) in [("note", held.as_bytes()), (&name, b"x")] {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(world.path(&path), format!("user.{name}"), value, flags).unwrap();
        }
    }
}
