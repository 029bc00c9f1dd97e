//! The list, the tree and the statistics, in words and in JSON.

use serde_json::{Value, json};

use super::{Lines, log, paths, two_runs, world};
use crate::support::{World, for_every_user};

#[test]
fn a_real_run_is_told_with_the_line_that_denied() {
    for_every_user(|world| {
        world.write("~/work/.env", "KEY=1");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        world.sh("for i in 1 2 3; do cat .env; done; cat {home}/secret/key; cat note").works();
        let ran = log(&world, &[]).works();
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert_eq!(lines.len(), 3, "{ran:#?}");
        assert!(lines[0].starts_with("/usr/bin/sh -c ") && lines[0].ends_with("ended with 0)"));
        let secret = world.text("openat r  {home}/secret/key  [nothing allows it]");
        assert!(lines[1].contains(&secret), "{ran:#?}");
        let env = world.text(
            "3x  cat  openat r  {home}/work/.env  [blocked `**/.env` ({home}/policy.yaml:5)]",
        );
        assert!(lines[2].contains(&env), "{ran:#?}");
        assert!(!ran.stdout.contains("/note"), "what was allowed is no denial: {ran:#?}");
        ran.says(["newest first, times are UTC", "next: "]);
    });
}

#[test]
fn denials_come_newest_first_by_run_and_repeats_are_one_row() {
    let ran = log(&world(two_runs()), &[]).works();
    assert_eq!(
        ran.stdout,
        "/usr/bin/openclaw gateway  (run 40, began 2026-11-22 13:00:00, not ended yet, or ended by force)
  13:05:02  5x  cat  openat r  /h/p/.env  [blocked `**/.env` (/h/policy.yaml:12)]
  13:00:02      ls   openat r  /h  [nothing allows it]

make 'a b'  (run 50, began 2026-11-22 13:05:00, ended with 2)
  13:05:01  sh  openat w  /h/.bashrc  [nothing allows it]
"
    );
}

#[test]
fn a_row_in_json_has_the_fields_of_the_journal() {
    let rows = log(&world(two_runs()), &["--json", "-n", "1"]).works();
    let rule = r#"{"effect":"blocked","pattern":"**/.env","origin":"/h/policy.yaml","line":12}"#;
    let row = format!(
        r#"{{"time":"2026-11-22T13:05:02.000Z","first":"2026-11-22T13:00:01.000Z","session":"40-2026-11-22T13:00:00.000Z","event":"denied","pid":10,"command":"cat","operation":"openat","path":"/h/p/.env","access":"r","rule":{rule},"errno":13,"count":5}}"#
    );
    assert_eq!(rows.stdout, format!("{row}\n"));
    rows.says(["2 older rows are not shown"]);
}

#[test]
fn what_is_left_out_is_told_and_zero_leaves_out_nothing() {
    let mut lines = Lines::default();
    for number in 0..30 {
        lines = lines.denied("7", number, "sh", "r", &format!("/{number}"));
    }
    let world = world(lines);
    let shown = paths(&world, &[]);
    assert_eq!((shown.len(), shown[0].as_str()), (20, "/29"));
    log(&world, &[]).works().says(["10 older rows are not shown; -n 0 shows all 30"]);
    assert_eq!(paths(&world, &["-n", "0"]).len(), 30);
    assert!(!log(&world, &["-n", "0"]).works().stderr.contains("not shown"));
}

#[test]
fn times_are_local_and_the_zone_is_named() {
    let world = world(two_runs());
    let at = |zone: &str, arguments: &[&str]| {
        world.shim_with(["log"]).args(arguments).env("TZ", zone).run().works()
    };
    at("EST5", &[]).prints(["began 2026-11-22 08:00:00"]).says(["local time", "UTC-05:00"]);
    at("EST5", &["--utc"]).prints(["began 2026-11-22 13:00:00"]).says(["times are UTC"]);
    // The run began before midnight, and this row lies behind it.
    at("XXX-10:57", &[]).prints(["  2026-11-23 00:02:02  5x"]);
    assert!(at("EST5", &["--json"]).stdout.contains("13:05:02.000Z"), "JSON is always UTC");
}

#[test]
fn all_shows_runs_and_what_was_allowed() {
    let lines = two_runs()
        .add("50-2026-11-22T13:05:00.000Z", 304, "lost", json!({ "count": 3 }))
        .add(
            "50-2026-11-22T13:05:00.000Z",
            305,
            "executed",
            json!({ "pid": 1, "command": "sh", "operation": "execve", "path": "/bin/a", "access": "x", "rule": null, "arguments": ["a", "b c"] }),
        );
    let world = world(lines);
    let ran = log(&world, &["--all"]).works();
    ran.prints([
        "13:05:00  started",
        "policy /h/policy.yaml, mode auto",
        "ended",
        "with 2, 1 denied",
        "3 lines could not be written",
        "executed  sh  execve x  /bin/a b c\n",
    ])
    .says(["3 lines were lost"]);
    assert_eq!(paths(&world, &["--event", "executed"]), ["/bin/a"]);
    let row = log(&world, &["--json", "--event", "started"]).works().json_lines();
    assert_eq!(row[1]["arguments"], json!(["/usr/bin/openclaw", "gateway"]));
    assert_eq!(row[1]["policy"], "/h/policy.yaml");
}

#[test]
fn the_tree_counts_each_access_where_it_was_asked_for() {
    let world = world(two_runs());
    let ran = log(&world, &["--tree"]).works();
    assert_eq!(
        ran.stdout,
        "denied r  denied w
       6         1  /h/
       5         ·  ├─ p/.env
       ·         1  └─ .bashrc
"
    );
    let ran = log(&world, &["--tree", "--depth", "0"]).works();
    assert!(ran.stdout.ends_with("/h/\n                    └─ … 2 more paths\n"), "{ran:#?}");
    let rows = log(&world, &["--tree", "--json"]).works().json_lines();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2]["path"], "/h/p/.env");
    assert_eq!(rows[2]["denied"], json!({ "r": 5, "w": 0, "x": 0 }));
    assert_eq!(rows[0]["denied"]["r"], 1, "each path has its own counts alone");
}

#[test]
fn statistics_are_told_per_command() {
    let world = world(two_runs());
    let ran = log(&world, &["--stats"]).works();
    ran.prints([
        "2 runs from 2026-11-22 13:00 to 2026-11-22 13:05: 7 denied, 0 allowed, 0 executed",
        "cat              2         5         0         0\n",
        "5x denied   r    /h/p/.env",
    ]);
    let stats = log(&world, &["--stats", "--json"]).works().json();
    assert_eq!((&stats["runs"], &stats["denied"]), (&json!(2), &json!(7)));
    let cat = &stats["commands"][0];
    let expected = json!({
        "command": "cat", "processes": 2, "denied": 5, "allowed": 0, "executed": 0,
        "most_denied": [{ "path": "/h/p/.env", "access": "r", "count": 5 }], "programs": [],
    });
    assert_eq!(*cat, expected);
    log(&world, &["--stats", "-n", "1"]).works().says(["2 commands with fewer denials"]);
}

/// The names are the command's choice: none may reach the terminal or end a line.
#[test]
fn names_are_escaped_for_the_terminal_in_every_view() {
    let name = "/w/\u{1b}]0;owned\u{7}\u{9b}31m\n\u{202e}\r<b>";
    let hostile = json!({
        "pid": 9, "command": "\u{1b}[2J", "operation": "openat\u{1b}[1m", "path": name, "access": "r", "errno": 13,
        "rule": { "effect": "\u{1b}", "pattern": "\u{1b}[7m", "origin": "\u{9b}x", "line": null },
    });
    let lines = Lines::default()
        .started("1\u{1b}-x", 0, &["sh\u{1b}[5m", "\u{202e}"])
        .add("1\u{1b}-x", 1, "denied", hostile)
        .add(
            "1\u{1b}-x",
            2,
            "executed",
            json!({ "command": "\u{1b}", "operation": "execve", "path": name, "access": "x", "rule": null, "arguments": ["\u{1b}", "\u{1b}"] }),
        );
    let world = world(lines);
    for view in [
        &[][..],
        &["--all"],
        &["--tree"],
        &["--tree", "--all"],
        &["--stats"],
        &["--json"],
        &["--all", "--json"],
        &["--tree", "--json"],
        &["--stats", "--json"],
        &["--event", "allowed"],
    ] {
        let ran = log(&world, view).works();
        let acts =
            |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!ran.stdout.contains(acts) && !ran.stderr.contains(acts), "{view:?}: {ran:#?}");
    }
    let ran = log(&world, &[]).works();
    assert_eq!(ran.stdout.lines().count(), 2, "a name ended a line: {ran:#?}");
}

#[test]
fn a_name_that_is_not_utf8_has_its_bytes_in_base64() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    world.sh("true > \"$(printf '{home}/secret/\\377')\"; :").works();
    let row = log(&world, &["--json"]).works().json();
    assert_eq!(row["path"], json!(world.text("{home}/secret/\\xff")));
    let expected = [world.text("{home}/secret/").as_bytes(), b"\xff"].concat();
    let bytes = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        row["path_base64"].as_str().unwrap(),
    );
    assert_eq!(bytes.unwrap(), expected);
}

#[test]
fn without_a_journal_it_says_what_that_means_and_what_to_do() {
    let world = World::mine();
    for view in [&[][..], &["--tree"], &["--stats"], &["--session", "last"], &["--json"]] {
        let ran = log(&world, view).works();
        if view != ["--json"] {
            ran.says(["there is no journal yet", "nothing was denied so far", "next: "]);
        }
    }
    assert!(!world.has("~/.local"), "reading makes nothing");
    let world = self::world(Lines::default().started("7", 0, &["true"]).ended("7", 1, 0));
    log(&world, &[]).works().says(["one run, and nothing was denied in it"]);
}

#[test]
fn help_has_examples_and_views_exclude_each_other() {
    let world = World::mine();
    log(&world, &["--help"]).works().prints(["Examples:", "log --session last"]);
    log(&world, &["--tree", "--stats"]).ends(125).says(["cannot be used with"]);
    log(&world, &["--since", "soon"]).ends(125).says(["`2h`"]);
    log(&world, &["--path", "/a/../b"]).ends(125).says(["`..` is not allowed"]);
}

#[test]
fn whoever_stops_reading_is_no_error() {
    let mut lines = Lines::default();
    for number in 0..3000 {
        lines = lines.denied("7", number % 60, "sh", "r", &format!("/{number}/{}", "x".repeat(60)));
    }
    let world = world(lines);
    for view in [&["-n", "0"][..], &["-n", "0", "--json"], &["--tree", "--json"]] {
        let mut child = world.shim_with(["-q", "log"]).args(view).start();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{view:?}");
    }
}

#[test]
fn quiet_leaves_the_answer_alone() {
    let world = world(two_runs());
    let ran = world.shim_with(["-q", "log"]).env("TZ", "UTC").run().works();
    assert_eq!(ran.stderr, "");
    assert!(!ran.stdout.is_empty());
    let rows: Vec<Value> = log(&world, &["--json", "-q"]).works().json_lines();
    assert_eq!(rows.len(), 3);
}

/// docs/log.md shows what is printed, to the letter.
#[test]
fn the_document_shows_what_is_printed() {
    let session = "4071-2026-11-22T13:00:00.000Z";
    let rule = json!({ "effect": "blocked", "pattern": "**/.env", "origin": "/home/you/policy.yaml", "line": 12 });
    let mut lines = Lines::default()
        .started(session, 0, &["/usr/bin/openclaw", "gateway", "run"])
        .denied(session, 2, "node", "r", "/home/you/Documents");
    for second in 298..303 {
        let (path, rule) = ("/home/you/project/.env", rule.clone());
        lines = lines.denied_by(session, second, "cat", "r", path, rule);
    }
    let world = world(lines.ended(session, 304, 0));
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/log.md");
    let document = std::fs::read_to_string(document).unwrap();
    let shown = |command: &str| {
        let after = document.split(&format!("$ clawguard-exec {command}\n")).nth(1).unwrap();
        after.split("```").next().unwrap().to_owned()
    };
    assert_eq!(log(&world, &[]).works().stdout, shown("log"));
    world.write(
        "~/more",
        world.read(super::JOURNAL)
            + &Lines::default().denied(session, 305, "sh", "w", "/home/you/.bashrc").0,
    );
    let tree = log(&world, &["--tree", "--file", "~/more"]).works().stdout;
    assert_eq!(tree, shown("log --tree"));
}
