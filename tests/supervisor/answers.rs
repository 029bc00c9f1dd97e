//! No answer exists that was not given, and nothing is held here that the target has closed, whatever holds up the
//! supervisor: other programs that take its CPU, signals, stops.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{User, World, for_every_user};

/// Every open stops, and the supervisor performs it.
const LIVE: &str = "allowed_paths: ['~/work']\nblocked_paths: ['**/.env']";

/// Processes that are ended with the test.
struct Burners(Vec<Child>);

impl Drop for Burners {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Programs that do nothing but use the first CPU, for this user.
fn burners(count: usize, scheduling: &[&str], user: User) -> Burners {
    let uid = user.uid.to_string();
    let switch = ["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups"];
    let mut words = vec!["taskset", "-c", "0"];
    words.extend(scheduling);
    if user.is_other() {
        words.extend(switch);
    }
    words.extend(["sh", "-c", "while :; do :; done"]);
    let start = |_| Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).spawn().unwrap();
    Burners((0..count).map(start).collect())
}

/// Starts the checking program on the first CPU, by a command that changes its scheduling.
fn checking(world: &World, seconds: &str, scheduling: &[&str]) -> Child {
    world.mkdir("~/work/d");
    let program = world.answers_program();
    let directory = world.path("~/work/d");
    let mut line = vec!["taskset", "-c", "0"];
    line.extend(scheduling);
    line.push(program.to_str().unwrap());
    line.extend([directory.to_str().unwrap(), seconds, "4"]);
    world.confined().args(["--mode", "supervised", "--"]).args(line).start()
}

fn ends_without_a_wrong_answer(child: Child) {
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(printed.ends_with(" wrong 0\n"), "{printed}{said}");
    // The check has checked something.
    assert!(!printed.starts_with("done 0 "), "{printed}");
    assert!(output.status.success(), "{printed}{said}");
}

/// An open gave 0, its caller's standard input, where the caller did not run for 200 ms after the descriptor was sent.
#[test]
fn a_starved_caller_gets_the_answers_that_were_given() {
    for_every_user(|world| {
        world.policy(LIVE);
        // What an ordinary user can do.
        let _burners = burners(4, &[], world.user);
        ends_without_a_wrong_answer(checking(&world, "8", &["nice", "-n", "19"]));
    });
}

#[test]
fn a_caller_that_real_time_programs_starve_gets_the_answers_that_were_given() {
    assert_eq!(
        User::current().uid,
        0,
        "only root starts real-time programs: run the suite as root"
    );
    for_every_user(|world| {
        world.policy(LIVE);
        let child = checking(&world, "6", &[]);
        let _burners = burners(1, &["chrt", "-f", "10"], User::current());
        // Real-time programs may use 95 % of each second (sched(7)).
        std::thread::sleep(Duration::from_secs(6));
        drop(_burners);
        ends_without_a_wrong_answer(child);
    });
}

/// A signal that stops the supervisor interrupts each call of its threads, and so do freezers and tracers.
#[test]
fn a_supervisor_that_is_stopped_again_and_again_gives_each_answer_once() {
    for_every_user(|world| {
        world.policy(LIVE);
        let child = checking(&world, "4", &[]);
        let supervisor = child_of(child.id());
        let end = Instant::now() + Duration::from_secs(4);
        while Instant::now() < end {
            for signal in ["-STOP", "-CONT"] {
                let _ =
                    Command::new("kill").args([signal, &supervisor]).stderr(Stdio::null()).status();
                std::thread::sleep(Duration::from_millis(3));
            }
        }
        ends_without_a_wrong_answer(child);
    });
}

/// The first child of a process: of the guardian, its supervisor.
fn child_of(pid: u32) -> String {
    let file = format!("/proc/{pid}/task/{pid}/children");
    for _ in 0..500 {
        let children = std::fs::read_to_string(&file).unwrap_or_default();
        if let Some(child) = children.split_whitespace().next() {
            return child.to_owned();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the guardian {pid} has no supervisor");
}

#[test]
fn what_the_target_has_closed_is_held_by_nobody() {
    for_every_user(|world| {
        world.policy(LIVE);
        let program = world.lifetimes();
        let bare = world.bare(&program).output().unwrap();
        let bare = String::from_utf8(bare.stdout).unwrap();
        assert_eq!(bare, "locks 0 leases 0 children 0 readers 0 writers 0\n");
        for name in ["lock", "fifo"] {
            std::fs::remove_file(world.path(&format!("~/work/{name}"))).unwrap();
        }
        let ran = world.confined().args(["--mode", "supervised"]).command([&program]);
        assert_eq!(ran.stdout, bare, "{ran:#?}");
    });
}
