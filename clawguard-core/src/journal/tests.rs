//! The journal as the supervisor sees it: events in, lines and a summary out.

#![forbid(unsafe_code)]

mod files;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::store::Sink;
use super::*;
use crate::access::AccessSet;
use crate::path::AbsPath;
use crate::policy::Policy;
use crate::resolve::Host;

fn host(cwd: &str) -> Host {
    let mut host = Host::current().unwrap();
    host.home = AbsPath::parse("/home/u").ok();
    host.cwd = AbsPath::parse(cwd).unwrap();
    host.environment = BTreeMap::new();
    host
}

/// The rules of `security.file_access` in p.yaml, without presets.
pub(super) fn rules(file_access: &str) -> Rules {
    let comma = if file_access.is_empty() { "" } else { ", " };
    let text = format!("security: {{file_access: {{presets: []{comma}{file_access}}}}}");
    Rules::from(&Policy::parse(&text, "p.yaml").unwrap().resolve(&host("/srv/project")).unwrap())
}

fn denied(path: &[u8]) -> Event {
    Event {
        pid: 7,
        command: Box::from(&b"cat"[..]),
        operation: "openat",
        path: Box::from(path),
        access: AccessSet::parse("r").unwrap(),
        outcome: Outcome::Denied { rule: None, errno: 13, refusal: None },
        arguments: None,
    }
}

fn allowed(path: &[u8]) -> Event {
    Event { outcome: Outcome::Allowed { rule: None }, ..denied(path) }
}

/// What was told, in words.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn teller(&self) -> impl Fn(&JournalError) + Send + Sync + 'static {
        let told = Arc::clone(&self.0);
        move |error| told.lock().unwrap().push(error.to_string())
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn state(top: &Path) -> JournalPlace {
    JournalPlace::State { directory: top.join("state/clawguard") }
}

fn start(logging: &Logging, place: &JournalPlace, told: &Told) -> Journal {
    Journal::prepare(logging, place, rules("allowed_paths: [/w]"), told.teller()).start()
}

fn read(path: &Path) -> Vec<Value> {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"));
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[test]
fn a_run_is_written_from_its_start_to_its_end() {
    let top = tempfile::tempdir().unwrap();
    let told = Told::default();
    let logging = Logging { file_access: true, commands: true, ..Logging::default() };
    let policy = "allowed_paths: [/w], blocked_paths: [/w/s]";
    let journal = Journal::prepare(&logging, &state(top.path()), rules(policy), told.teller());
    let journal = journal.start();
    journal.started(Box::from(&b"p.yaml"[..]), "auto", vec![Box::from(&b"make"[..])]);
    let block = Some(RuleId(1));
    journal.record(Event {
        outcome: Outcome::Denied { rule: block, errno: 13, refusal: None },
        ..denied(b"/w/s")
    });
    journal.record(allowed(b"/w/a"));
    let arguments = Some(vec![Box::from(&b"ls"[..]), Box::from(&b"-l\n"[..])]);
    journal.record(Event { operation: "execve", arguments, ..allowed(b"/bin/ls") });
    journal.ended(ExitStatus::from_raw(3 << 8));
    let summary = journal.finish();
    assert_eq!(summary.denials(), 1);

    let file = top.path().join("state/clawguard/journal.jsonl");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let lines = read(&file);
    assert_eq!(events(&lines), ["started", "denied", "allowed", "executed", "ended"]);
    assert_eq!(lines[0]["policy"], "p.yaml");
    assert_eq!(lines[0]["arguments"][0], "make");
    assert_eq!(lines[1]["errno"], 13);
    assert_eq!(lines[1]["pid"], 7);
    assert_eq!(lines[1]["command"], "cat");
    assert_eq!(lines[1]["access"], "r");
    assert_eq!(lines[1]["rule"]["pattern"], "/w/s");
    assert_eq!(lines[1]["rule"]["origin"], "p.yaml");
    assert_eq!(lines[1]["rule"]["line"], 1);
    assert_eq!(lines[3]["arguments"][1], "-l\n");
    assert_eq!(lines[4]["status"], 3);
    assert_eq!(lines[4]["denials"], 1);
    assert!(lines.iter().all(|line| line["session"] == lines[0]["session"]));
    assert!(told.all().is_empty());
}

#[test]
fn only_what_the_policy_asks_for_is_wanted() {
    let top = tempfile::tempdir().unwrap();
    let wants = |logging: &Logging, place| {
        let journal = start(logging, &place, &Told::default());
        let wants = [Kind::Denial, Kind::Access, Kind::Command].map(|kind| journal.wants(kind));
        // What nobody wants is not written even if it comes.
        journal.record(allowed(b"/w"));
        journal.finish();
        wants
    };
    let all = Logging { file_access: true, commands: true, ..Logging::default() };
    let none = Logging { denials: Some(false), ..Logging::default() };
    assert_eq!(wants(&none, state(top.path())), [false; 3]);
    assert!(!top.path().join("state").exists(), "a journal that nobody wants is not made");
    assert_eq!(wants(&Logging::default(), state(top.path())), [true, false, false]);
    assert_eq!(wants(&all, state(top.path())), [true; 3]);
    assert_eq!(wants(&all, JournalPlace::Nowhere), [true, false, false]);
    assert_eq!(read(&top.path().join("state/clawguard/journal.jsonl")).len(), 1);
}

#[test]
fn repeated_denials_are_one_line_and_a_count() {
    let top = tempfile::tempdir().unwrap();
    let journal = start(&Logging::default(), &state(top.path()), &Told::default());
    for pid in 0..100 {
        journal.record(Event { pid, ..denied(b"/etc/shadow") });
    }
    journal.record(denied(b"/etc/passwd"));
    journal.ended(ExitStatus::from_raw(9));
    let summary = journal.finish();
    assert_eq!(summary.denials(), 101);
    assert_eq!(
        summary.line().unwrap(),
        "101 denials (101 openat r), the last: /etc/passwd r (nothing allows it)"
    );
    let lines = read(&top.path().join("state/clawguard/journal.jsonl"));
    assert_eq!(events(&lines), ["denied", "denied", "denied", "ended"]);
    assert_eq!(lines[0]["count"], Value::Null);
    assert_eq!(lines[2]["count"], 99);
    assert_eq!(lines[2]["pid"], 99);
    assert_eq!((&lines[3]["signal"], &lines[3]["denials"]), (&9.into(), &101.into()));
}

#[test]
fn a_window_ends_without_further_events() {
    let top = tempfile::tempdir().unwrap();
    let journal = start(&Logging::default(), &state(top.path()), &Told::default());
    journal.record(denied(b"/a"));
    journal.record(denied(b"/a"));
    let file = top.path().join("state/clawguard/journal.jsonl");
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read(&file).unwrap().split(|&byte| byte == b'\n').count() < 3 {
        assert!(Instant::now() < deadline, "the count is written when its window ends");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(read(&file)[1]["count"], 1);
    journal.finish();
}

#[test]
fn names_cannot_forge_lines() {
    let top = tempfile::tempdir().unwrap();
    let journal = start(&Logging::default(), &state(top.path()), &Told::default());
    let forged = b"/w/a\n{\"time\":\"x\",\"event\":\"allowed\"}\n";
    journal.record(denied(forged));
    journal.record(denied(b"/w/\xff\xfe"));
    journal.finish();
    let lines = read(&top.path().join("state/clawguard/journal.jsonl"));
    assert_eq!(events(&lines), ["denied", "denied"]);
    assert_eq!(lines[0]["path"].as_str().unwrap().as_bytes(), forged);
    assert_eq!(lines[1]["path_base64"], "L3cv//4=");
}

#[test]
fn a_journal_nowhere_still_counts() {
    let journal = start(&Logging::default(), &JournalPlace::Nowhere, &Told::default());
    let other = journal.clone();
    other.record(denied(b"/etc/shadow"));
    assert_eq!(journal.finish().denials(), 1);
    other.record(denied(b"/etc/shadow"));
    assert_eq!(other.finish().denials(), 0);
}

#[test]
fn finishing_does_not_wait_for_a_nap() {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let journal = start(&Logging::default(), &JournalPlace::Nowhere, &Told::default());
        journal.record(denied(b"/a"));
        std::thread::sleep(Duration::from_millis(1));
        let begin = Instant::now();
        journal.finish();
        fastest = fastest.min(begin.elapsed());
    }
    assert!(fastest < Duration::from_millis(2), "{fastest:?}");
}

/// A disk that can be full, or hang.
#[derive(Clone, Default)]
struct Disk {
    lines: Arc<Mutex<Vec<Value>>>,
    is_full: Arc<AtomicBool>,
    tries: Arc<Mutex<u64>>,
}

impl Sink for Disk {
    fn refresh(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn prune(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn make_room(&mut self, _length: u64) -> Result<(), JournalError> {
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> Result<(), JournalError> {
        // Held by a test, this is a disk that does not answer.
        *self.tries.lock().unwrap() += 1;
        if self.is_full.load(Ordering::Relaxed) {
            let source = io::ErrorKind::StorageFull.into();
            return Err(JournalError::Write { path: "/j".into(), source });
        }
        self.lines.lock().unwrap().push(serde_json::from_slice(line).unwrap());
        Ok(())
    }
}

impl Disk {
    fn journal(&self, told: &Told) -> Journal {
        let tell = Box::new(told.teller());
        let teller = Arc::new(Teller { tell, has_told: AtomicBool::new(false) });
        Journal::with(7, self.clone(), Gate::Open, Arc::new(rules("")), teller, "s".into(), None)
    }

    fn wait_for(&self, tries: u64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while *self.tries.lock().unwrap() < tries {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_full_disk_loses_lines_says_so_once_and_tells_how_many_when_it_has_room() {
    let (disk, told) = (Disk::default(), Told::default());
    disk.is_full.store(true, Ordering::Relaxed);
    let journal = disk.journal(&told);
    for number in 0..10 {
        journal.record(denied(format!("/{number}").as_bytes()));
    }
    disk.wait_for(10);
    disk.is_full.store(false, Ordering::Relaxed);
    journal.record(denied(b"/last"));
    let summary = journal.finish();
    assert_eq!((summary.denials(), summary.lost()), (11, 10));
    let lines = disk.lines.lock().unwrap();
    assert_eq!(events(&lines), ["lost", "denied"]);
    assert_eq!(lines[0]["count"], 10);
    assert_eq!(told.all(), ["the journal `/j` cannot be written, so lines of it are lost"]);
}

#[test]
fn a_disk_that_hangs_holds_nobody_up_and_fills_no_memory() {
    let (disk, told) = (Disk::default(), Told::default());
    let hangs = disk.tries.lock().unwrap();
    let journal = disk.journal(&told);
    let path = vec![b'a'; 4096];
    let begin = Instant::now();
    for _ in 0..20_000 {
        journal.record(allowed(&path));
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    let waiting = || journal.shared.counters.waiting.load(Ordering::Relaxed);
    assert!(waiting() <= BUDGET_OF_OTHERS);
    // Whatever floods the queue, a denial finds room.
    for number in 0..50 {
        journal.record(denied(format!("/{number}").as_bytes()));
    }
    assert_eq!(journal.shared.counters.lost_denials(), 0);
    for number in 0..20_000 {
        journal.record(denied(format!("/more/{number}").as_bytes()));
    }
    assert!(waiting() <= BUDGET);
    let lost_denials = journal.shared.counters.lost_denials();
    assert!(lost_denials > 0);
    journal.ended(ExitStatus::from_raw(0));
    drop(hangs);
    let summary = journal.finish();
    assert_eq!(summary.denials(), 20_050);
    let lines = disk.lines.lock().unwrap();
    let count = |event| events(&lines).into_iter().filter(|one| *one == event).count() as u64;
    assert_eq!(count("denied"), 20_050 - lost_denials);
    assert_eq!(count("denied") + count("allowed") + summary.lost(), 40_050);
    let told: u64 = lines
        .iter()
        .filter(|line| line["event"] == "lost")
        .map(|line| line["count"].as_u64().unwrap())
        .sum();
    assert_eq!(told, summary.lost());
    assert_eq!(lines.last().unwrap()["denials"], 20_050);
}

#[test]
fn a_disk_that_never_answers_does_not_keep_the_run() {
    let disk = Disk::default();
    let hangs = disk.tries.lock().unwrap();
    let journal = disk.journal(&Told::default());
    journal.record(denied(b"/a"));
    let begin = Instant::now();
    assert_eq!(journal.finish().denials(), 0);
    assert!(begin.elapsed() < PATIENCE * 2);
    drop(hangs);
}

#[test]
fn many_threads_record_at_once() {
    let disk = Disk::default();
    let journal = disk.journal(&Told::default());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let journal = journal.clone();
            scope.spawn(move || {
                for number in 0..2000 {
                    journal.record(denied(format!("/{thread}/{number}").as_bytes()));
                }
            });
        }
    });
    let summary = journal.finish();
    assert_eq!(summary.denials(), 8000);
    assert_eq!(
        disk.lines.lock().unwrap().iter().filter(|line| line["event"] == "denied").count() as u64
            + summary.lost(),
        8000
    );
}
