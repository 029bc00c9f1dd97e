//! The closing line of a run: what was denied last, why, and what `learn` would propose for it.

use crate::support::{Ran, World, for_every_user};

fn policy(world: &World) {
    world.write("~/data/notes", "notes");
    world.write("~/work/.env", "KEY=1");
    world.write("~/.ssh/id_ed25519", "key");
    world.policy("allowed_paths: ['~/work', '~/pinned']\nblocked_paths: ['**/.env']");
    world.mkdir("~/pinned");
}

fn sh(world: &World, script: &str) -> Ran {
    let policy = world.text("~/policy.yaml");
    world.shim_with(["--policy", &policy]).command(["sh", "-c", &world.text(script)])
}

/// The lines behind the one that names the policy.
fn lines(ran: &Ran) -> Vec<&str> {
    let ours = ran.stderr.lines().filter_map(|line| line.strip_prefix("clawguard: "));
    ours.filter(|line| !line.starts_with("policy: ")).collect()
}

const ALL: &str = "to see all denials: clawguard-exec log --session last";

#[test]
fn after_a_failure_the_last_denial_is_named_with_what_would_be_proposed() {
    for_every_user(|world| {
        policy(&world);
        let often = "for i in 1 2 3; do cat .env; done; ";
        let ran = sh(&world, &format!("{often} cat {{home}}/data/notes")).ends(1);
        let counts = "4 denials (4 openat r), the last: ";
        let notes = world.text("{home}/data/notes");
        assert_eq!(
            lines(&ran),
            [
                format!("{counts}{notes} r (nothing allows it)"),
                format!("to allow it: --allow {notes}:r"),
                ALL.to_owned()
            ]
        );
        // The advice does what it says.
        let allow = format!("{notes}:r");
        world.confined().args(["--allow", &allow]).command(["cat", &notes]).works();
    });
}

#[test]
fn nothing_is_advised_that_learn_would_not_propose() {
    for_every_user(|world| {
        policy(&world);
        for script in [
            "ls /",
            "ls /etc",
            "ls {home}",
            "ls /root /home",
            "mkdir /tmp/tmpab12cd3e && false",
            "cat {home}/.ssh/id_ed25519",
            "echo >> {home}/.bashrc",
            "cat .env",
            "rmdir {home}/pinned",
            "ln -s x /dev/log && false",
        ] {
            let ran = sh(&world, script);
            assert_ne!(ran.code(), 0, "{script}: {ran:#?}");
            let lines = lines(&ran);
            assert!(lines[0].contains("denial"), "{script}: {ran:#?}");
            let is_told = |line: &&str| line.contains("allow it") || line.contains("--allow");
            let told: Vec<&&str> = lines.iter().filter(|line| is_told(line)).collect();
            // A name in /tmp has a pattern of its own, and never the whole directory.
            let is_narrow =
                |line: &&str| line.contains("/tmp/tmp*:") && script.contains("/tmp/tmp");
            assert!(told.iter().all(|line| is_narrow(line)), "{script}: {ran:#?}");
            assert_eq!(lines.last(), Some(&ALL), "{script}");
        }
    });
}

#[test]
fn a_run_that_succeeded_gets_one_calm_line() {
    let world = World::mine();
    policy(&world);
    let ran = sh(&world, "cat {home}/data/notes; true").works();
    let more = "to see them: clawguard-exec log --session last";
    assert_eq!(lines(&ran), [format!("1 denial (1 openat r); the command succeeded; {more}")]);
    let log = world.text("~/a log");
    let policy = world.text("~/policy.yaml");
    let ran = world.shim_with(["--log", &log, "--policy", &policy]).command([
        "sh",
        "-c",
        &world.text("cat {home}/data/notes; true"),
    ]);
    ran.works().says([format!("clawguard-exec log --file '{log}' --session last")]);
}

#[test]
fn what_only_asks_is_no_denial_to_speak_of() {
    let world = World::mine();
    policy(&world);
    let ran = sh(&world, "test -r {home}/data/notes").ends(1);
    assert!(lines(&ran).is_empty(), "{ran:#?}");
}

#[test]
fn the_built_in_default_keeps_its_working_directory() {
    let world = World::mine();
    policy(&world);
    let notes = world.text("{home}/data/notes");
    let ran = world.shim_with([""; 0]).command(["cat", &notes]).ends(1);
    assert_eq!(lines(&ran)[1], format!("to allow it: --allow . --allow {notes}:r"));
    let allow = format!("{notes}:r");
    world.shim_with(["--allow", ".", "--allow", &allow]).command(["cat", &notes, "note"]).works();
}

/// One reason, in the closing line, in the journal, in `log`, in `check` and in `learn`.
#[test]
fn a_pinned_directory_is_refused_for_one_reason_everywhere() {
    const REASON: &str = "the directory is pinned: the next start must find it";
    for_every_user(|world| {
        policy(&world);
        let rule = world.text("{home}/policy.yaml:4");
        let ran = sh(&world, "rmdir {home}/pinned").ends(1);
        ran.says([format!("/pinned w ({REASON} (~/pinned, {rule}))")]);
        let journal = world.read("~/.local/state/clawguard/journal.jsonl");
        let line = journal.lines().find(|line| line.contains("\"denied\"")).unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&line["refused"], &line["rule"]["pattern"]),
            (&"pinned".into(), &"~/pinned".into())
        );
        let shown = format!("[{REASON} (`~/pinned`, {rule})]");
        world.shim_with(["log"]).run().works().prints([shown]);
        let policy = world.text("~/policy.yaml");
        let pinned = world.text("~/pinned");
        let ran = world.shim_with(["-q", "--policy", &policy, "check", &pinned]).run().works();
        ran.prints([format!("neither removed nor moved: {REASON} (`~/pinned`, {rule})")]);
        for option in ["--policy", "--output"] {
            let file = if option == "--policy" { policy.clone() } else { world.text("~/new.yaml") };
            let options = [option, file.as_str()];
            let remove = world.text("rmdir {home}/work/dir {home}/work 2>/dev/null");
            world.mkdir("~/work/dir");
            let ran = world.shim_with(["learn"]).args(options).command(["sh", "-c", &remove]);
            assert!(!ran.stderr.contains("please report"), "{ran:#?}");
            ran.ends(1).says([format!("/work (rmdir): {REASON}")]);
        }
    });
}

/// Each refusal "for what it would have done" says what that is, and not that nothing allows it.
#[test]
fn what_an_operation_would_have_done_is_said() {
    for_every_user(|world| {
        policy(&world);
        world.mkdir("~/work/a");
        world.policy(
            "allowed_paths: ['~/work', '~/pinned', { path: '~/data', access: w }]\nblocked_paths: ['~/work/b/key']",
        );
        for (script, word, reason) in [
            (
                "/usr/bin/python3 -c 'import os; os.rename(\"a\", \"b\")'",
                "contents",
                "decided differently",
            ),
            ("ln -s /etc b", "link", "could lead to what is blocked"),
            ("ln {home}/data/notes taken", "gain", "would allow what another one denies"),
            (
                "/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)'",
                "datagram",
                "nobody can judge where they send",
            ),
        ] {
            let ran = sh(&world, script).ends(1).says([reason]);
            assert!(!ran.stderr.contains("nothing allows"), "{script}: {ran:#?}");
            let journal = world.read("~/.local/state/clawguard/journal.jsonl");
            assert!(journal.contains(&format!("\"refused\":\"{word}\"")), "{script}: {journal}");
        }
        let ran = world.shim_with(["log"]).run().works();
        assert!(!ran.stdout.contains("nothing allows"), "{ran:#?}");
    });
}
