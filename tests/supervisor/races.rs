//! Time of check, time of use: a hundred thousand attempts of each kind, none of which may reach what is blocked. Each
//! race is first run without the shim, where it must be won: else it would prove nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::support::{CANARY, User, World};

const ATTEMPTS: u32 = 100_000;
const BARE_ATTEMPTS: u32 = 50_000;

/// A process outside, ended with its test.
struct Partner(Child);

impl Partner {
    fn start(world: &World, kind: &str) -> Partner {
        let mut command = world.bare(&world.races());
        let command = command.args([kind, "0"]).arg(world.path("~/work/race"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        if kind == "serve" {
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
        }
        Partner(child)
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Outcome {
    opened: u64,
    leaked: u64,
}

fn outcome(output: &str) -> Outcome {
    let field = |name: &str| {
        let word = output.split_whitespace().find_map(|word| word.strip_prefix(name));
        word.unwrap_or_else(|| panic!("the race ended early: {output}")).parse().unwrap()
    };
    println!("{output}");
    Outcome { opened: field("opened="), leaked: field("leaked=") }
}

/// A fresh tree for one race.
fn world() -> World {
    let world = World::new(User::ordinary());
    world.write("~/work/race/open/key", "harmless");
    for path in ["shut/key", "blind/key", "shut/victim"] {
        world.write(&format!("~/work/race/{path}"), CANARY);
    }
    world.mkdir("~/work/race/open/m");
    world.policy(
        "allowed_paths: ['~/work']
         blocked_paths: ['~/work/race/shut', { path: '~/work/race/blind', access: r }]",
    );
    world
}

/// Runs one race without the shim, then under it.
fn race(kind: &str, partner: Option<&str>) {
    let bare = world();
    let running = partner.map(|kind| Partner::start(&bare, kind));
    let mut command = bare.bare(&bare.races());
    let command = command.args([kind, &BARE_ATTEMPTS.to_string()]).arg(bare.path("~/work/race"));
    let output = command.output().unwrap();
    drop(running);
    let control = outcome(&format!("{output:?}").replace("\\n", " ").replace('"', " "));
    assert!(control.leaked > 0, "the race is not won even without the shim: {output:?}");

    let world = world();
    let running = partner.map(|kind| Partner::start(&world, kind));
    let races = world.races();
    let directory = world.path("~/work/race");
    let attempts = ATTEMPTS.to_string();
    let command = [races.as_os_str(), kind.as_ref(), attempts.as_ref(), directory.as_os_str()];
    let ran = world.confined().args(["--mode", "supervised"]).command(command);
    drop(running);
    let seen = outcome(&ran.stdout);
    assert_eq!(seen.leaked, 0, "{ran:#?}");
    assert!(seen.opened > 0, "the allowed neighbour was never reached: {ran:#?}");
    assert_eq!(world.read("~/work/race/shut/victim"), CANARY);
    assert_eq!(world.read("~/work/race/shut/key"), CANARY);
    assert!(!world.has("~/work/race/shut/new"));
    world.answers("lstat ~/work/race/shut/key 100644:20\ncat ~/work/race/open/key harmless");
}

#[test]
fn a_path_rewritten_by_another_thread_opens_nothing_blocked() {
    race("argument", None);
}

#[test]
fn a_path_rewritten_by_another_process_opens_nothing_blocked() {
    race("shared", None);
}

#[test]
fn an_exchanged_link_opens_nothing_blocked() {
    race("link", None);
}

#[test]
fn a_directory_exchanged_with_a_link_opens_nothing_blocked() {
    race("parent", None);
}

#[test]
fn a_working_directory_changed_by_another_thread_opens_nothing_blocked() {
    race("cwd", None);
}

#[test]
fn a_working_directory_moved_by_somebody_else_opens_nothing_blocked() {
    race("moved", Some("move"));
}

#[test]
fn a_directory_descriptor_moved_by_somebody_else_opens_nothing_blocked() {
    race("beneath", Some("move"));
}

#[test]
fn open_flags_rewritten_by_another_thread_read_nothing_blocked() {
    race("how", None);
}

#[test]
fn a_path_rewritten_by_another_thread_changes_nothing_blocked() {
    race("change", None);
}

#[test]
fn a_path_rewritten_by_another_thread_removes_nothing_blocked() {
    race("remove", None);
}

#[test]
fn a_path_rewritten_by_another_thread_moves_nothing_blocked() {
    race("rename", None);
}

#[test]
fn an_exchanged_link_makes_nothing_under_a_blocked_name() {
    race("create", None);
}

#[test]
fn a_replaced_descriptor_and_address_connect_to_nothing_blocked() {
    race("connect", Some("serve"));
}

/// A file that was unlinked has no name, and its descriptor decides: one that was opened with O_PATH allows nothing,
/// whatever else takes its number meanwhile.
#[test]
fn a_number_that_means_two_files_in_turn_leaks_nothing() {
    let race = |attempts: u32, is_confined: Confined| {
        let world = World::new(User::ordinary());
        world.write("~/work/.env", CANARY);
        world.policy("allowed_paths: ['~/work', '{root}/bin']\nblocked_paths: [{ path: '**/.env', access: r }]");
        world.write("~/policy.yaml", world.text(&world.read("~/policy.yaml")));
        let program = world.unlinked();
        let words = [world.path("~/work/.env").into_os_string(), attempts.to_string().into()];
        match is_confined {
            Confined::Yes => {
                let command = std::iter::once(program.into_os_string()).chain(words);
                outcome(&world.confined().command(command).works().stdout)
            }
            Confined::No => {
                let output = world.bare(&program).args(words).output().unwrap();
                outcome(&String::from_utf8(output.stdout).unwrap())
            }
        }
    };
    let bare = race(BARE_ATTEMPTS, Confined::No);
    assert!(bare.leaked > 0 && bare.opened > 0, "this race proves nothing");
    let confined = race(ATTEMPTS, Confined::Yes);
    assert_eq!(confined.leaked, 0);
    assert!(confined.opened > 0, "the allowed object was never reached");
}

#[derive(Clone, Copy)]
enum Confined {
    Yes,
    No,
}
