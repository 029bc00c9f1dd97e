//! The journal's files: what is refused, rotated, removed, and shared by several runs.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::*;
use crate::journal::store::{Limits, SEGMENTS};

/// A state directory with a size of its own.
struct World {
    top: tempfile::TempDir,
    logging: Logging,
}

impl World {
    fn new(max_size: u64) -> World {
        let logging = Logging { max_size, ..Logging::default() };
        World { top: tempfile::tempdir().unwrap(), logging }
    }

    fn file(&self) -> PathBuf {
        self.top.path().join("j")
    }

    fn place(&self, naming: &str) -> JournalPlace {
        match naming {
            "dated" => JournalPlace::State { directory: self.top.path().to_owned() },
            _ => JournalPlace::File(self.file()),
        }
    }

    fn store(&self, naming: &str) -> Store {
        Store::open(&self.place(naming), Limits::new(&self.logging)).unwrap().unwrap()
    }

    /// Names and sizes, sorted.
    fn files(&self) -> Vec<(String, u64)> {
        let entries = fs::read_dir(self.top.path()).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
            })
            .collect();
        files.sort();
        files
    }

    fn total(&self) -> u64 {
        self.files().iter().map(|(_, size)| size).sum()
    }
}

fn put(store: &mut Store, line: &[u8]) -> Result<(), JournalError> {
    store.make_room(line.len() as u64)?;
    store.append(line)
}

#[test]
fn a_file_that_others_could_write_is_refused_and_said_so_once() {
    let top = tempfile::tempdir().unwrap();
    let at = |name: &str| top.path().join(name);
    fs::write(at("real"), "").unwrap();
    symlink(at("real"), at("link")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    fs::write(at("one"), "").unwrap();
    fs::hard_link(at("one"), at("two")).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::create_dir(at("directory")).unwrap();
    let mut refused = vec![
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("one", "it has a second name, a hard link"),
        ("fifo", "not a regular file"),
        ("directory", "not a regular file"),
    ];
    if rustix::process::geteuid().is_root() {
        fs::write(at("other"), "").unwrap();
        std::os::unix::fs::chown(at("other"), Some(12345), None).unwrap();
        refused.push(("other", "it belongs to user 12345"));
    }
    for (name, why) in refused {
        let told = Told::default();
        let journal = start(&Logging::default(), &JournalPlace::File(at(name)), &told);
        for number in 0..3 {
            journal.record(denied(format!("/{number}").as_bytes()));
        }
        let summary = journal.finish();
        assert_eq!((summary.denials(), summary.lost()), (3, 3));
        assert_eq!(
            told.all(),
            [format!("the journal `{}` is not used: {why}", at(name).display())]
        );
    }
    assert!(fs::read(at("real")).unwrap().is_empty());
    assert!(!at("nothing").exists());
}

#[test]
fn a_journal_that_cannot_be_opened_says_so_once_and_counts() {
    let top = tempfile::tempdir().unwrap();
    fs::write(top.path().join("state"), "").unwrap();
    let told = Told::default();
    let journal = start(&Logging::default(), &state(top.path()), &told);
    journal.record(denied(b"/a"));
    journal.record(denied(b"/b"));
    assert_eq!(journal.finish().denials(), 2);
    assert_eq!(told.all().len(), 1);
    assert!(told.all()[0].contains("cannot be opened"), "{told:?}", told = told.all());
    for place in ["/", "", "/proc/no-such/journal"] {
        let told = Told::default();
        start(&Logging::default(), &JournalPlace::File(place.into()), &told).finish();
        assert_eq!(told.all().len(), 1, "{place}");
    }
}

#[test]
fn a_full_file_is_rotated_and_all_files_together_stay_below_the_limit() {
    for naming in ["dated", "numbered"] {
        let world = World::new(8000);
        let mut store = world.store(naming);
        for number in 0..400 {
            let line = format!("{{\"number\":{number:>80}}}\n");
            put(&mut store, line.as_bytes()).unwrap();
            assert!(world.total() <= 8000, "{naming}: {:?}", world.files());
        }
        let files = world.files();
        assert!(files.len() > 6, "{files:?}");
        assert!(files.iter().all(|(_, size)| *size <= 8000 / SEGMENTS));
        // What is left is the end, without a gap.
        let mut numbers: Vec<u64> = Vec::new();
        for (name, _) in &files {
            let lines = read(&world.top.path().join(name));
            numbers.extend(lines.iter().map(|line| line["number"].as_u64().unwrap()));
        }
        numbers.sort_unstable();
        let first = numbers[0];
        assert!(numbers.iter().copied().eq(first..400), "{naming}: {numbers:?}");
        assert!(numbers.len() > 60);
    }
}

#[test]
fn rotated_files_have_names_that_sort_by_time_or_number() {
    let world = World::new(800);
    let mut dated = world.store("dated");
    let mut numbered = world.store("numbered");
    for _ in 0..4 {
        put(&mut dated, &[b'x'; 80]).unwrap();
        put(&mut numbered, &[b'x'; 80]).unwrap();
    }
    let names: Vec<String> = world.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..4], ["j", "j.1", "j.2", "j.3"]);
    assert_eq!(names.last().unwrap(), "journal.jsonl");
    assert!(names[4].starts_with("journal-2") && names[4].ends_with("Z.jsonl"), "{names:?}");
    let guarded = world.place("numbered").guarded();
    assert!(guarded.contains(&world.file()) && guarded.contains(&world.top.path().join("j.7")));
}

fn age(path: &Path, days: u64) {
    let time = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn what_is_older_than_the_retention_is_removed_at_the_start() {
    let world = World::new(100_000);
    let top = world.top.path();
    let old = ["journal-20200101T000000.000Z.jsonl", "journal-20200102T000000.000Z.jsonl"];
    let others = ["journal-notes.jsonl", "journal-20200101T000000.000Z.jsonl.bak", "other"];
    for name in old.into_iter().chain(others) {
        fs::write(top.join(name), "{}\n").unwrap();
        age(&top.join(name), 31);
    }
    // Its last line is new enough, whatever its name says.
    age(&top.join(old[1]), 29);
    let begun = "{\"time\":\"2020-01-01T00:00:00.000Z\"}\n";
    fs::write(top.join("journal.jsonl"), begun).unwrap();
    let journal = start(&world.logging, &world.place("dated"), &Told::default());
    journal.record(denied(b"/a"));
    journal.finish();
    let names: Vec<String> = world.files().into_iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&old[0].to_owned()), "{names:?}");
    assert!(names.contains(&old[1].to_owned()), "{names:?}");
    assert!(others.iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    // A file that began long ago is rotated although it is small.
    assert_eq!(read(&top.join("journal.jsonl")).len(), 1);
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn numbered_files_are_kept_as_long() {
    let world = World::new(100_000);
    for (name, days) in [("j.1", 2), ("j.2", 40), ("j.3", 1)] {
        fs::write(world.top.path().join(name), "{}\n").unwrap();
        age(&world.top.path().join(name), days);
    }
    start(&world.logging, &world.place("numbered"), &Told::default()).finish();
    let names: Vec<String> = world.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["j", "j.1", "j.3"]);
}

#[test]
fn runs_that_share_a_journal_neither_mix_nor_lose_lines() {
    for (naming, max_size) in
        [("dated", 100_000_000), ("dated", 2_000_000), ("numbered", 2_000_000)]
    {
        let world = World::new(max_size);
        std::thread::scope(|scope| {
            for run in 0..4 {
                let mut store = world.store(naming);
                scope.spawn(move || {
                    for number in 0..1000 {
                        if number % 50 == 0 {
                            store.refresh().unwrap();
                        }
                        let line = format!("{{\"run\":{run},\"number\":{number:>300}}}\n");
                        put(&mut store, line.as_bytes()).unwrap();
                    }
                });
            }
        });
        let mut seen: Vec<(u64, u64)> = Vec::new();
        for (name, _) in world.files() {
            let lines = read(&world.top.path().join(name));
            seen.extend(
                lines
                    .iter()
                    .map(|line| (line["run"].as_u64().unwrap(), line["number"].as_u64().unwrap())),
            );
        }
        seen.sort_unstable();
        let all: Vec<_> =
            (0..4).flat_map(|run| (0..1000).map(move |number| (run, number))).collect();
        assert_eq!(seen, all, "{naming} {max_size}");
        assert!(max_size > 2_000_000 || world.files().len() > 3);
    }
}

#[test]
fn whoever_holds_the_lock_cannot_stop_rotation() {
    for naming in ["dated", "numbered"] {
        let world = World::new(800);
        let mut store = world.store(naming);
        let lock = fs::File::open(world.top.path()).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        for _ in 0..3 {
            put(&mut store, &[b'x'; 90]).unwrap();
        }
        assert_eq!(world.files().len(), 3);
    }
}

#[test]
fn a_journal_that_was_taken_away_is_made_again() {
    let world = World::new(100_000);
    let mut store = world.store("dated");
    put(&mut store, b"{}\n").unwrap();
    fs::remove_file(world.top.path().join("journal.jsonl")).unwrap();
    store.refresh().unwrap();
    put(&mut store, b"{}\n").unwrap();
    assert_eq!(world.files(), [("journal.jsonl".to_owned(), 3)]);
}

#[test]
fn a_line_begins_anew_behind_a_torn_one() {
    let world = World::new(100_000);
    fs::write(world.file(), "{\"time\":\"2999").unwrap();
    put(&mut world.store("numbered"), b"{}\n").unwrap();
    assert_eq!(fs::read(world.file()).unwrap(), b"{\"time\":\"2999\n{}\n");
}

#[test]
fn where_rotation_is_impossible_one_file_takes_all_and_no_more() {
    let world = World::new(1000);
    let mut store = world.store("numbered");
    // Nothing can be moved into the place of a directory.
    fs::create_dir(world.top.path().join("j.7")).unwrap();
    for number in 1..7 {
        fs::write(world.top.path().join(format!("j.{number}")), "").unwrap();
    }
    for number in 0..20 {
        let line = [b'x'; 100];
        assert_eq!(store.make_room(100).is_err(), number >= 1);
        assert_eq!(store.append(&line).is_err(), number >= 10);
    }
    assert_eq!(fs::metadata(world.file()).unwrap().len(), 1000);
}

#[test]
fn a_line_longer_than_everything_is_lost_and_moves_nothing() {
    let world = World::new(100);
    let mut store = world.store("dated");
    put(&mut store, b"{}\n").unwrap();
    assert!(put(&mut store, &[b'x'; 101]).is_err());
    assert_eq!(world.files(), [("journal.jsonl".to_owned(), 3)]);
}

/// A real full disk: RLIMIT_FSIZE tears a write as ENOSPC does, and would then send SIGXFSZ.
#[test]
fn a_write_that_does_not_fit_is_taken_back_and_kills_nobody() {
    const INSIDE: &str = "CLAWGUARD_TEST_FSIZE";
    let name = "journal::tests::files::a_write_that_does_not_fit_is_taken_back_and_kills_nobody";
    let Some(directory) = std::env::var_os(INSIDE) else {
        let top = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let mut inside = Command::new(own);
        inside.args(["--exact", name, "--test-threads=1"]).env(INSIDE, top.path());
        let output = inside.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read(top.path().join("torn")).unwrap(), b"{}\n{}\n");
        return;
    };
    let file = |name: &str| JournalPlace::File(Path::new(&directory).join(OsStr::new(name)));
    let unlimited = Limits::new(&Logging::default());
    let mut torn = Store::open(&file("torn"), unlimited).unwrap().unwrap();
    setrlimit(Resource::Fsize, Rlimit { current: Some(1000), maximum: Some(1000) }).unwrap();
    torn.append(b"{}\n").unwrap();
    // It does not know the limit: 997 bytes are written and taken back.
    assert!(torn.append(&[b'x'; 2000]).is_err());
    torn.append(b"{}\n").unwrap();
    // It knows the limit, and never reaches it.
    let mut aware = Store::open(&file("aware"), Limits::new(&Logging::default())).unwrap().unwrap();
    for _ in 0..50 {
        put(&mut aware, &[b'x'; 400]).unwrap();
    }
    assert!(put(&mut aware, &[b'x'; 1001]).is_err());
}
