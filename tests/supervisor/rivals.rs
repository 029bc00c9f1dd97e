//! Acts on names while somebody else exchanges what they mean: a thread of the target, another confined run in the same
//! tree, or a process that is confined by nothing. None of them brings a directory, a link or a socket to a name that the
//! law keeps from it, not for a moment. Each race is first run without the shim, where it must be won.

use std::process::{Child, Stdio};

use crate::support::{User, World};

const ATTEMPTS: u32 = 5_000;
const BARE_ATTEMPTS: u32 = 20_000;

/// Who exchanges the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rival {
    Thread,
    OtherRun,
    Outside,
}

/// Ended with its test, and what it confines with it.
struct Running(Child);

impl Running {
    fn start(world: &World, kind: &str, rival: Rival) -> Option<Running> {
        let program = world.rivals();
        let directory = world.path("~/work/race");
        let words = [kind.into(), "0".into(), directory.into_os_string(), "rival".into()];
        let child = match rival {
            Rival::Thread => return None,
            Rival::OtherRun => {
                let shim = world.confined().args(["--mode", "supervised", "--"]);
                shim.args([program.into_os_string()]).args(words).start()
            }
            Rival::Outside => {
                world.bare(&program).args(words).stdout(Stdio::null()).spawn().unwrap()
            }
        };
        Some(Running(child))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn world(kind: &str) -> World {
    let world = World::new(User::ordinary());
    world.write("~/work/race/file", "harmless");
    world.write("~/work/race/prepared/hooks/post-checkout", "#!/bin/sh\n");
    world.write("~/work/race/granted", "of the start");
    world.symlink("prepared", "~/work/race/link");
    if kind == "exchange" {
        world.write("~/work/race/.git", "gitdir: elsewhere\n");
    }
    world.mkdir("~/work/race/plain/here");
    world.symlink("../shut", "~/work/race/plain/there");
    world.mkdir("~/work/race/shut");
    world.mkdir("~/work/race/mixed/here/inner");
    world.symlink("there/inner", "~/work/race/mixed/there");
    // Where the directory is not loose, and `x` is mixed in it, files have grants of their own.
    let access = if kind == "granted" { "rw" } else { "rwx" };
    world.write("~/work/race/program", "");
    world.policy(&format!(
        "allowed_paths: [{{ path: '~/work', access: {access} }}, {{ path: '~/work/race/program', access: rwx }}]
         blocked_paths: ['~/work/race/shut', {{ path: '~/work/race/quiet', access: r }}, {{ path: '~/work/race/.git/hooks', access: w }}, {{ path: '~/work/race/mixed/*/inner', access: w }}]",
    ));
    world
}

fn fields(output: &str) -> (u64, u64) {
    println!("{output}");
    let field = |name: &str| {
        let word = output.split_whitespace().find_map(|word| word.strip_prefix(name));
        word.unwrap_or_else(|| panic!("the race ended early: {output}")).parse().unwrap()
    };
    (field("opened="), field("leaked="))
}

/// Without the shim.
fn is_won(kind: &str) {
    let world = world(kind);
    let mut command = world.bare(&world.rivals());
    command.args([kind, &BARE_ATTEMPTS.to_string()]).arg(world.path("~/work/race")).arg("thread");
    let output = command.output().unwrap();
    let (_, leaked) = fields(&String::from_utf8_lossy(&output.stdout));
    assert!(leaked > 0, "the race is not won even without the shim: {output:?}");
}

fn race(kind: &str) {
    race_with(kind, &[Rival::Thread, Rival::OtherRun, Rival::Outside]);
}

fn race_with(kind: &str, rivals: &[Rival]) {
    is_won(kind);
    for &rival in rivals {
        println!("{rival:?}:");
        let world = world(kind);
        let running = Running::start(&world, kind, rival);
        let word = if rival == Rival::Thread { "thread" } else { "other" };
        let program = world.rivals();
        let directory = world.path("~/work/race");
        let attempts = ATTEMPTS.to_string();
        let command = [
            program.as_os_str(),
            kind.as_ref(),
            attempts.as_ref(),
            directory.as_os_str(),
            word.as_ref(),
        ];
        let ran = world.confined().args(["--mode", "supervised"]).command(command).works();
        drop(running);
        let (opened, leaked) = fields(&ran.stdout);
        assert_eq!(leaked, 0, "{rival:?}: {ran:#?}");
        assert!(opened > 0, "the allowed act never succeeded: {ran:#?}");
        // From outside: nothing has stayed where it must not be.
        assert!(!world.path("~/work/race/.git").is_dir(), "{rival:?}");
        for directory in ["shut", "mixed/here/inner", "mixed/there/inner"] {
            let path = world.path(&format!("~/work/race/{directory}"));
            let entries = std::fs::read_dir(path).map_or(0, Iterator::count);
            assert_eq!(entries, 0, "{rival:?}: {directory}");
        }
    }
}

#[test]
fn a_name_that_takes_a_file_gets_no_directory() {
    race("directory");
}

#[test]
fn a_name_that_takes_a_file_gets_no_link() {
    race("link");
}

#[test]
fn a_replaced_file_is_replaced_by_a_file() {
    race("over");
}

#[test]
fn an_exchange_of_files_moves_no_directory() {
    race("exchange");
}

#[test]
fn a_file_that_landlock_grants_takes_its_grant_to_no_name_that_allows_less() {
    let world = world("granted");
    world.answers("rename ~/work/race/granted ~/work/race/quiet EXDEV");
    race("granted");
}

#[test]
fn a_socket_stays_in_the_directory_that_was_judged() {
    race("bind");
}

#[test]
fn a_socket_gets_no_blocked_name_beneath_the_directory_that_was_judged() {
    race("within");
}

/// Somebody outside may make any link.
#[test]
fn a_file_that_gets_a_blocked_name_has_no_second_one() {
    race_with("second", &[Rival::Thread, Rival::OtherRun]);
}
