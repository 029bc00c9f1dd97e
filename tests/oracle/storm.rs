//! Two runs at once, each of several processes and threads and under a policy of its own, and somebody outside who moves names about meanwhile. What became of each call
//! cannot be told then; what may never happen can: nothing of a file that no rule allows to be read is read, nothing that no
//! rule allows to be written changes, and nobody hangs.

#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{lchown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::actor::{self, Actor, Answer};
use crate::generate::Random;
use crate::operation::{Call, Operation, Who};
use crate::run::Mode;
use crate::support::{CANARY, User, World};
use crate::tree::{self, Node, What};

/// Blocked by its path, and blocked by a name wherever it stands; allowed to be read alone.
const NEVER_READ: [&str; 4] = ["open/s/key", "open/s/in/key", "open/d1/.env", "open/d2/.env"];
const NEVER_WRITTEN: &str = "ro/file";

/// The policies of the two runs that act at once: what neither may read or write is the same.
const POLICIES: [&str; 2] = [FIRST, SECOND];

const FIRST: &str = "    allowed_paths:\n      - { path: \"{actor}\", access: rx }\n      - \"{top}/open\"\n      - { path: \"{top}/ro\", access: r }\n    blocked_paths:\n      - \"{top}/open/s\"\n      - \"**/.env\"\n";

const SECOND: &str = "    allowed_paths:\n      - { path: \"{actor}\", access: rx }\n      - \"{top}/open/**\"\n      - \"{top}/open/a\"\n      - { path: \"{top}/ro/*\", access: r }\n    blocked_paths:\n      - \"{top}/open/s/**\"\n      - \"**/.env\"\n";

fn nodes() -> Vec<Node> {
    let node = |path: &str, what| Node { path: path.into(), what, mode: 0o755 };
    let directories =
        ["open", "ro", "open/s", "open/s/in", "open/a", "open/b", "open/d1", "open/d2"];
    let mut nodes: Vec<Node> = directories.iter().map(|path| node(path, What::Directory)).collect();
    nodes.extend(NEVER_READ.iter().map(|path| node(path, What::File(CANARY.into()))));
    nodes.push(node(NEVER_WRITTEN, What::File(b"never changes".to_vec())));
    nodes
        .extend(["open/a/file", "open/b/key"].map(|path| node(path, What::File(b"open".to_vec()))));
    nodes
}

/// Until told to stop: exchanges names in the open part for links to the closed one, moves directories with a `.env` in
/// them, makes and removes. No secret gets another name here, and nothing is done through a name that the target may have
/// made a link: whatever comes is made elsewhere and moved in, whatever goes is moved out.
fn disturb(root: &Path, uid: u32, mut random: Random, is_over: &AtomicBool) {
    let (open, spare) = (root.join("storm/open"), root.join("spare"));
    fs::create_dir(&spare).unwrap();
    let own = |path: &Path| lchown(path, Some(uid), Some(uid)).unwrap();
    for number in 0u32.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let path = open.join(random.pick(&["a", "b", "d2"]));
        let fresh = spare.join(number.to_string());
        let is_made = match random.below(8) {
            0 => {
                let _ = fs::rename(&path, &fresh);
                false
            }
            1 => {
                let (one, other) = (open.join("d1"), open.join("d3"));
                let _ = fs::rename(&one, &other).or_else(|_| fs::rename(&other, &one));
                false
            }
            2 | 3 => {
                let to = random.pick(&["s", "s/in", "d1", "d3", "../ro"]);
                symlink(to, &fresh).unwrap();
                own(&fresh);
                true
            }
            _ => {
                fs::create_dir(&fresh).unwrap();
                for name in ["file", "key", "a"] {
                    fs::write(fresh.join(name), "outside").unwrap();
                    own(&fresh.join(name));
                }
                own(&fresh);
                true
            }
        };
        if is_made && fs::rename(&fresh, &path).is_err() {
            let away = spare.join(format!("{number}-away"));
            let _ = fs::rename(&path, away).and_then(|()| fs::rename(&fresh, &path));
        }
        std::thread::sleep(Duration::from_micros(random.below(300) as u64));
    }
}

/// One storm; what went wrong.
pub(crate) fn storm(user: User, mode: Mode, seed: u64, length: Duration) -> Result<String, String> {
    let world = World::new(user);
    world.install(actor::compiled().to_str().unwrap(), "{root}/bin/actor");
    let top = world.root().join("storm");
    tree::build(&top, &nodes(), user.uid);
    let (top_text, program) = (top.to_str().unwrap(), world.text("{root}/bin/actor"));
    for (run, rules) in POLICIES.iter().enumerate() {
        let rules = rules.replace("{top}", top_text).replace("{actor}", &program);
        world.write(
            &format!("~/policy{run}.yaml"),
            format!("security:\n  file_access:\n    presets: []\n    temporary: none\n{rules}"),
        );
    }
    let before = sealed(world.root(), mode);
    let start = |run: usize| {
        let policy = world.text(&format!("~/policy{run}.yaml"));
        let shim = world.shim_with(["-q", "--policy", &policy]);
        let shim = shim.args(["--mode", mode.option(), "--", &program]).cwd(top_text);
        Actor::greet(shim.start(), user.uid, top_text.as_bytes())
    };
    let mut actors = [start(0)?, start(1)?];
    let mut request = Operation::new(Who::Worker(0), Call::Storm);
    request.paths[0] = top.as_os_str().as_bytes().to_vec();
    request.text = CANARY.into();
    request.number = length.as_millis() as i64;
    request.flags = (seed & 0xffff_ffff) as i64;
    if mode != Mode::Kernel {
        request.paths[1] = b"held".to_vec();
    }
    let root = world.root();
    let is_over = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        scope.spawn(|| disturb(root, user.uid, Random(seed), &is_over));
        let request = &request;
        let acts = actors.each_mut().map(|actor| scope.spawn(move || actor.act(request)));
        let answers = acts.map(|act| act.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
        answers
    });
    let mut told = Vec::new();
    for (answer, actor) in answers.into_iter().zip(actors) {
        let Some(answer) = answer else { return Err(format!("it hangs: {}", actor.last_words())) };
        told.push(account(&answer)?);
    }
    let after = sealed(world.root(), mode);
    if before != after {
        return Err(format!("what may not be written changed: {before:?} became {after:?}"));
    }
    Ok(told.join("; "))
}

/// What one run did; what went wrong.
fn account(answer: &Answer) -> Result<String, String> {
    let seen = String::from_utf8_lossy(&answer.seen).into_owned();
    let words: Vec<&str> = seen.splitn(4, ' ').collect();
    if answer.errno != 0 || words[2] != "0" {
        return Err(format!("a secret was read, or a worker died ({}): {seen}", answer.errno));
    }
    let count = |word: usize| words[word].parse::<u64>().unwrap();
    if count(0) < 100 || count(1) == 0 {
        return Err(format!("it hardly did anything: {seen}"));
    }
    Ok(format!("{} operations, {} of them done", words[0], words[1]))
}

/// All that is beneath what no rule allows to be written, and every `.env` wherever it is.
fn sealed(root: &Path, mode: Mode) -> Vec<String> {
    let all = tree::look(root);
    let is_sealed = |path: &[u8]| {
        path == b"storm/open/s"
            || path.starts_with(b"storm/open/s/")
            || path.starts_with(b"storm/ro")
    };
    let mut seen: Vec<String> = all
        .iter()
        .filter(|(path, _)| is_sealed(path))
        .map(|(path, look)| {
            // Modes are open there: SPEC section 6, "it leaves open, and prints, metadata".
            let look = if mode == Mode::Kernel { look.content() } else { look.to_string() };
            format!("{}: {look}", String::from_utf8_lossy(path))
        })
        .collect();
    let secrets = all.iter().filter(|(path, _)| path.ends_with(b"/.env"));
    seen.push(format!("{} times .env", secrets.filter(|(_, look)| look.holds_secret()).count()));
    seen
}
