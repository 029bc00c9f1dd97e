//! The journal and the closing line, as a person and a program find them after a run.

use serde_json::Value;

use crate::support::{CANARY, Ran, World, for_every_user};

const JOURNAL: &str = "~/.local/state/clawguard/journal.jsonl";

/// A policy file: two accesses are denied, one of them by a line of it.
fn policy(world: &World, logging: &str) {
    world.write("~/work/.env", CANARY);
    let text = format!(
        "security:\n  file_access:\n    presets: [system]\n    allowed_paths: ['~/work']\n    blocked_paths:\n      \
         - {{ path: '**/.env', access: r }}\nlogging: {{ {logging} }}\n"
    );
    world.write("~/policy.yaml", text);
}

fn sh(world: &World, script: &str) -> Ran {
    let policy = world.text("~/policy.yaml");
    world.shim_with(["--policy", &policy]).command(["sh", "-c", &world.text(script)])
}

fn lines(world: &World, event: &str) -> Vec<Value> {
    let lines = world.read(JOURNAL);
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == event).collect()
}

#[test]
fn a_denial_tells_who_asked_for_what_and_which_line_denied_it() {
    for_every_user(|world| {
        policy(&world, "");
        let last = world.text("the last: {home}/secret/key r (nothing allows it)");
        sh(&world, "cat .env {home}/secret/key").ends(1).says(["2 denials", &last]);
        let denied = lines(&world, "denied");
        assert_eq!(denied.len(), 2, "{denied:#?}");
        let line = &denied[0];
        assert_eq!(line["path"], world.text("{home}/work/.env"));
        assert_eq!(line["command"], "cat");
        assert_eq!(line["operation"], "openat");
        assert_eq!(line["access"], "r");
        assert_eq!(line["errno"], 13);
        assert_eq!(line["rule"]["pattern"], "**/.env");
        assert_eq!(line["rule"]["origin"], world.text("{home}/policy.yaml"));
        assert_eq!(line["rule"]["line"], 6);
        assert!(line["pid"].as_u64().unwrap() > 1 && line["time"].as_str().unwrap().ends_with('Z'));
        assert_eq!(denied[1]["rule"], Value::Null);
        let ended = lines(&world, "ended");
        assert_eq!((ended[0]["status"].clone(), ended[0]["denials"].clone()), (1.into(), 2.into()));
        let rule = world.text("{home}/work/.env r (blocked r **/.env, {home}/policy.yaml:6)");
        sh(&world, "cat .env").ends(1).says([rule]);
    });
}

#[test]
fn what_is_denied_again_and_again_is_counted() {
    for_every_user(|world| {
        policy(&world, "");
        sh(&world, "for i in 1 2 3 4 5 6 7 8 9; do read x < .env; done 2>/dev/null; :")
            .works()
            .says(["9 denials"]);
        let denied = lines(&world, "denied");
        assert!(denied.len() < 9, "{denied:#?}");
        let counted = |line: &Value| line["count"].as_u64().unwrap_or(1);
        assert_eq!(denied.iter().map(counted).sum::<u64>(), 9);
    });
}

#[test]
fn accesses_and_commands_are_logged_where_the_policy_says_so() {
    for_every_user(|world| {
        policy(&world, "log_file_access: true, log_commands: true");
        sh(&world, "cat note 'a b' 2>/dev/null; :").works();
        let note = world.text("{home}/work/note");
        assert!(lines(&world, "allowed").iter().any(|line| line["path"] == note.as_str()));
        let executed = lines(&world, "executed");
        let words = serde_json::json!(["cat", "note", "a b"]);
        assert!(executed.iter().any(|line| line["arguments"] == words), "{executed:#?}");
    });
}

/// The command line of a run, those of programs in it, and the page.
#[test]
fn no_secret_of_a_command_line_is_written_down() {
    for_every_user(|world| {
        policy(&world, "log_commands: true");
        let script = "/usr/bin/true --api-key 4711canary https://me:4711canary@host; TOKEN=4711canary env >/dev/null; \
                      true";
        let policy = world.text("~/policy.yaml");
        let ran = world.shim_with(["--policy", &policy]).command([
            "sh",
            "-c",
            &world.text(script),
            "--password=4711canary",
            "--token",
            "4711canary",
        ]);
        ran.works();
        let journal = world.read(JOURNAL);
        assert!(journal.contains("--api-key [redacted]"), "{journal}");
        assert!(journal.contains(r#""--password=[redacted]","--token","[redacted]""#), "{journal}");
        let executed = lines(&world, "executed");
        let words = serde_json::json!([
            "/usr/bin/true",
            "--api-key",
            "[redacted]",
            "https://me:[redacted]@host"
        ]);
        let is_true = |line: &Value| line["arguments"] == words;
        assert!(executed.iter().any(is_true), "{executed:#?}");
        world.shim_with(["log", "--html", &world.text("~/page.html")]).run().works();
        for text in [journal, world.read("~/page.html")] {
            assert!(!text.contains("4711canary"), "{text}");
        }
    });
}

#[test]
fn nothing_is_logged_where_the_policy_says_so() {
    for_every_user(|world| {
        policy(&world, "log_denials: false");
        let ran = sh(&world, "cat .env; :").works();
        assert!(!ran.stderr.contains("denial"), "{ran:#?}");
        assert!(!world.has(JOURNAL));
    });
}

#[test]
fn a_name_with_a_newline_forges_no_line() {
    for_every_user(|world| {
        policy(&world, "");
        let script = "mkdir \"$(printf 'x\\n{\"event\":\"denied\",\"path\":\"forged\"}')\"; cat x*/.env; cd x*; echo x > .env; cat .env; :";
        let ran = sh(&world, script).works();
        let denied = lines(&world, "denied");
        assert!(denied.iter().all(|line| line["path"] != "forged"), "{denied:#?}");
        assert!(denied.iter().any(|line| line["path"].as_str().unwrap().contains("x\n{")));
        assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("clawguard: ")).count(), 2);
    });
}

#[test]
fn the_target_cannot_change_the_journal() {
    for_every_user(|world| {
        let rules =
            "security: { file_access: { presets: [system], allowed_paths: ['~', '{root}'] } }\n";
        world.write("~/policy.yaml", world.text(rules));
        let policy = world.text("~/policy.yaml");
        let state = world.text("~/.local/state/clawguard");
        let script = "for f in $1/journal.jsonl $2; do
              echo forged >> $f; echo forged > $f; rm -f $f; mv $f {home}/gone; ln -f $f {home}/second; chmod 666 $f; truncate -s 0 $f; touch -d @0 $f
            done 2>/dev/null
            mv $1 {home}/elsewhere 2>/dev/null; mv {home}/.local {home}/.other 2>/dev/null; rm -rf $1 2>/dev/null; ln -s /tmp {home}/my.log.1 2>/dev/null; :";
        let (script, log) = (world.text(script), world.text("~/my.log"));
        let run = |options: &[&str], files: &[&str]| {
            let shim = world.shim_with(["-q", "--policy", &policy]).args(options);
            let words = ["sh", "-c", &script, "sh"].into_iter().chain(files.iter().copied());
            shim.command(words).works();
        };
        run(&["--log", &log], &[&state, &log]);
        run(&[], &[&state]);
        for file in [JOURNAL, "~/my.log"] {
            let journal = world.read(file);
            let is_ours = |line: &str| serde_json::from_str::<Value>(line).is_ok();
            assert!(journal.lines().all(is_ours), "{journal}");
            assert!(journal.starts_with('{') && journal.contains("\"started\""), "{journal}");
            assert!(journal.contains("\"ended\"") && journal.contains("\"denied\""), "{journal}");
        }
        assert!(!world.has("~/second") && !world.has("~/gone"));
        assert!(std::fs::symlink_metadata(world.path("~/my.log")).unwrap().is_file());
    });
}

#[test]
fn a_journal_that_cannot_be_opened_is_told_once_and_loses_no_enforcement() {
    for_every_user(|world| {
        policy(&world, "");
        world.mkdir("~/.local/state/clawguard");
        world.symlink("~/work/note", JOURNAL);
        let policy = world.text("~/policy.yaml");
        let ran = world
            .shim_with(["-q", "--policy", &policy])
            .command(["sh", "-c", "cat .env; cat .env; echo done"])
            .works();
        assert_eq!(ran.stdout, "done\n");
        let told = ran.stderr.lines().filter(|line| line.contains("journal")).count();
        assert_eq!(told, 1, "{ran:#?}");
        assert_eq!(ran.stderr.matches("Permission denied").count(), 2, "{ran:#?}");
        assert_eq!(world.read("~/work/note"), "note\n");
    });
}

/// Whoever names a file wants it written: without it nothing is started.
#[test]
fn a_journal_that_is_named_and_cannot_be_opened_starts_nothing() {
    for_every_user(|world| {
        policy(&world, "");
        world.symlink("~/work/note", "~/link");
        let policy = world.text("~/policy.yaml");
        for (log, why) in [
            ("~/link", "a symbolic link"),
            ("~/none/log", "No such file"),
            ("~/work", "not a regular file"),
            ("/dev/null", "not a regular file"),
        ] {
            let log = world.text(log);
            let ran = world
                .shim_with(["-q", "--policy", &policy, "--log", &log])
                .command(["touch", "started"])
                .ends(125);
            assert!(!world.has("~/work/started"), "{ran:#?}");
            ran.says(["nothing was started", why]);
        }
        let log = world.text("~/log");
        world.shim_with(["--policy", &policy, "--log", &log]).command(["true"]).works();
        assert!(world.has("~/log"));
    });
}

#[test]
fn quiet_silences_the_closing_line_and_not_the_journal() {
    for_every_user(|world| {
        policy(&world, "");
        let ran = world.confined().command(["sh", "-c", "cat .env; :"]).works();
        assert!(!ran.stderr.contains("clawguard:"), "{ran:#?}");
        assert_eq!(lines(&world, "denied").len(), 1);
    });
}
