//! `--follow`: what comes is printed when it comes.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::{JOURNAL, Lines, two_runs, world};
use crate::support::World;

/// Longer than any of it takes, and shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(30);

struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn new(world: &World, arguments: &[&str]) -> Following {
        let mut child =
            world.shim_with(["log", "--follow"]).args(arguments).env("TZ", "UTC").start();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Following { child, lines }
    }

    #[track_caller]
    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn append(world: &World, path: &str, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(world.path(path)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn line(path: &str) -> String {
    Lines::default().denied("7-x", 400, "sh", "r", path).0
}

#[test]
fn what_is_there_comes_oldest_first_and_then_what_comes() {
    let world = world(two_runs());
    let following = Following::new(&world, &["-n", "2"]);
    let first = following.next();
    assert_eq!(
        first,
        "2026-11-22 13:05:01  50  denied  sh  openat w  /h/.bashrc  [nothing allows it]"
    );
    assert!(following.next().contains("4x  cat"), "repeats are counted as they were written");
    append(&world, JOURNAL, &line("/new"));
    assert!(following.next().contains("/new"));
    // A line in two pieces is one line.
    let (start, end) = (line("/halves"), line("/after"));
    append(&world, JOURNAL, &start[..50]);
    std::thread::sleep(Duration::from_millis(500));
    append(&world, JOURNAL, &format!("{}{end}", &start[50..]));
    assert!(following.next().contains("/halves"));
    assert!(following.next().contains("/after"));
}

#[test]
fn a_rotation_loses_no_line_and_repeats_none() {
    let world = world(Lines::default().denied("7-x", 0, "sh", "r", "/0"));
    let following = Following::new(&world, &["--json"]);
    let number = |line: String| {
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        row["path"].as_str().unwrap()[1..].parse::<u32>().unwrap()
    };
    assert_eq!(number(following.next()), 0);
    let mut written = 1;
    for rotation in 0..3 {
        append(&world, JOURNAL, &line(&format!("/{written}")));
        let away = format!("~/.local/state/clawguard/journal-2026112{rotation}T100000.000Z.jsonl");
        fs::rename(world.path(JOURNAL), world.path(&away)).unwrap();
        // The run that is still writing finds out later.
        append(&world, &away, &line(&format!("/{}", written + 1)));
        append(&world, JOURNAL, &line(&format!("/{}", written + 2)));
        written += 3;
    }
    for expected in 1..written {
        assert_eq!(number(following.next()), expected);
    }
}

#[test]
fn a_journal_that_does_not_exist_yet_is_waited_for() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    let mut following = Following::new(&world, &[]);
    let mut told = String::new();
    BufReader::new(following.child.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("there is no journal yet; waiting for it"), "{told}");
    world.sh("cat {home}/secret/key; :").works();
    assert!(following.next().contains(&world.text("{home}/secret/key")));
}

#[test]
fn it_ends_when_nobody_reads_it_any_more() {
    let world = world(two_runs());
    let mut child = world.shim_with(["-q", "log", "--follow"]).start();
    drop(child.stdout.take());
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    let output = ended.recv_timeout(PATIENCE).expect("it follows for nobody");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn filters_hold_for_what_comes_too() {
    let world = world(two_runs());
    let following = Following::new(&world, &["--path", "/h/p", "-n", "1"]);
    assert!(following.next().contains("/h/p/.env"));
    append(&world, JOURNAL, &format!("{}{}", line("/other"), line("/h/p/new")));
    assert!(following.next().contains("/h/p/new"));
}
