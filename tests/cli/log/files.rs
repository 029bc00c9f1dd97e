//! Which files are read: those that were put away, those that are torn, and those that are not ours.

use std::process::Command;

use super::{JOURNAL, Lines, log, paths, two_runs, world};
use crate::support::{User, World};

#[test]
fn files_that_were_put_away_are_read_too_in_order() {
    let world = World::mine();
    let line = |second, path: &str| Lines::default().denied("7", second, "sh", "r", path).0;
    let state = "~/.local/state/clawguard";
    world.write(&format!("{state}/journal-20261121T100000.000Z.jsonl"), line(1, "/1"));
    world.write(&format!("{state}/journal-20261122T100000.000Z.jsonl"), line(2, "/2"));
    world.write(&format!("{state}/journal-notes.jsonl"), line(9, "/notes"));
    world.write(JOURNAL, line(3, "/3"));
    assert_eq!(paths(&world, &[]), ["/3", "/2", "/1"]);
    world.write("~/my.log", line(3, "/c"));
    world.write("~/my.log.1", line(2, "/b"));
    world.write("~/my.log.2", line(1, "/a"));
    assert_eq!(paths(&world, &["--file", "~/my.log"]), ["/c", "/b", "/a"]);
    // The journal's file alone may be named as well.
    assert_eq!(paths(&world, &["--file", JOURNAL]), ["/3", "/2", "/1"]);
    let before = world.shim_with(["--log", &world.text("~/my.log"), "log", "--json"]).run().works();
    assert_eq!(before.json_lines().len(), 3);
}

/// A journal that the shim itself has rotated while it was full.
#[test]
fn no_line_of_a_rotated_journal_is_missed() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    let policy = world.read("~/policy.yaml") + "logging: { max_size: 400KB }\n";
    world.write("~/policy.yaml", policy);
    world.sh("for i in $(seq 1 600); do true > {home}/secret/$i; done 2>/dev/null; :").works();
    let files = world.tree("~/.local/state/clawguard");
    assert!(files.len() > 2, "it was not rotated: {files:?}");
    let mut found = paths(&world, &["-n", "0"]);
    found.sort();
    let mut expected: Vec<String> =
        (1..=600).map(|number| world.text(&format!("~/secret/{number}"))).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_line_is_counted_and_passed_over() {
    let whole = two_runs().0;
    let torn = &whole[..40];
    let world = World::mine();
    world.write(JOURNAL, format!("{torn}\n{whole}\u{0}\u{0}\n[1]\n{whole}{torn}"));
    assert_eq!(paths(&world, &[]).len(), 3);
    log(&world, &[]).works().says([
        "3 lines could not be read and were passed over",
        "the last line has no end and was passed over",
    ]);
    let stats = log(&world, &["--json", "--stats"]).works().json();
    assert_eq!(stats["denied"], 14);
}

#[test]
fn fields_and_events_of_a_later_version_do_no_harm() {
    let later = r#"{"time":"2026-11-22T13:09:00.000Z","session":"7","event":"paused","path":7}
{"time":"2026-11-22T13:09:01.000Z","session":"7","event":"denied","pid":1,"command":"sh","operation":"openat2","path":"/later","access":"r","rule":null,"errno":13,"why":{"deep":[1]}}
"#;
    let world = World::mine();
    world.write(JOURNAL, later);
    assert_eq!(paths(&world, &[]), ["/later"]);
}

#[test]
fn the_journal_of_another_user_is_refused_by_name() {
    let world = World::new(User::ordinary());
    let file = world.path("~/work/theirs.jsonl");
    std::fs::write(&file, two_runs().0).unwrap();
    world.chmod("~/work/theirs.jsonl", 0);
    let ran = log(&world, &["--file", "~/work/theirs.jsonl"]).ends(125);
    let text = world.text("the journal `{home}/work/theirs.jsonl`");
    if world.user.is_other() {
        let user = world.user.uid;
        ran.says([
            text.as_str(),
            &format!("belongs to user 0 and cannot be read by user {user}: run this as that user"),
        ]);
    } else {
        ran.says([text.as_str(), "cannot be read"]);
    }
    // Its neighbour works.
    world.write("~/work/mine.jsonl", two_runs().0);
    assert_eq!(paths(&world, &["--file", "~/work/mine.jsonl"]).len(), 3);
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let world = world(two_runs());
    log(&world, &["--file", "~/work"]).ends(125).says(["is not a regular file"]);
    assert!(Command::new("mkfifo").arg(world.path("~/fifo")).status().unwrap().success());
    log(&world, &["--file", "~/fifo"]).ends(125).says(["is not a regular file"]);
    log(&world, &["--file", "~/none.jsonl"]).works().says(["there is no journal yet"]);
}
