//! `check`: what the policy decides, in words and in JSON, without making or enforcing anything.

use base64::Engine;
use serde_json::json;

use crate::support::World;

fn world() -> World {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work', { path: '~/data', access: r }]\nblocked_paths: ['~/work/secret']");
    world.write("~/data/x", "");
    world
}

fn check(world: &World, arguments: &[&str]) -> crate::support::Ran {
    let arguments = arguments.iter().map(|argument| world.text(argument));
    world.shim_with(["-q", "--policy", &world.text("~/policy.yaml"), "check"]).args(arguments).run()
}

#[test]
fn a_line_gives_three_verdicts_and_the_rule_of_each() {
    let world = world();
    let ran = check(&world, &["~/data/x", "/usr/bin/id", "/q/none", "~/work/secret"]).works();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{ran:#?}");
    let file = world.text("~/policy.yaml");
    let data = world.text("~/data/x");
    assert_eq!(
        lines[0],
        format!(
            "{data}: r allowed [allowed r `~/data` ({file}:4)], w denied [nothing allows it], x denied [nothing allows it]"
        )
    );
    assert!(lines[1].starts_with("/usr/bin/id: r allowed [allowed rx `/usr` (preset system)], w denied [nothing allows it], x allowed"));
    assert_eq!(
        lines[2],
        "/q/none: r denied [nothing allows it], w denied [nothing allows it], x denied [nothing allows it]"
    );
    let secret = world.text("~/work/secret");
    let block = format!("[blocked rwx `~/work/secret` ({file}:5)]");
    assert_eq!(lines[3], format!("{secret}: r denied {block}, w denied {block}, x denied {block}"));
}

#[test]
fn json_is_one_object_a_line_with_its_fields_in_order() {
    let world = world();
    let ran = check(&world, &["--json", "~/data/x", "/q/none"]).works();
    let file = world.text("~/policy.yaml");
    let path = world.text("~/data/x");
    let rule = format!(r#"{{"effect":"allowed","pattern":"~/data","origin":"{file}","line":4}}"#);
    let denied = r#"{"allowed":false,"rule":null}"#;
    let first = format!(
        r#"{{"path":"{path}","real_path":"{path}","r":{{"allowed":true,"rule":{rule}}},"w":{denied},"x":{denied}}}"#
    );
    let second = format!(
        r#"{{"path":"/q/none","real_path":"/q/none","r":{denied},"w":{denied},"x":{denied}}}"#
    );
    assert_eq!(ran.stdout, format!("{first}\n{second}\n"));
}

#[test]
fn a_rule_of_a_preset_and_a_guard_say_so_and_have_no_line() {
    let world = world();
    let ran = check(&world, &["--json", "/usr/x", "~/policy.yaml"]).works();
    let rows = ran.json_lines();
    assert_eq!(
        rows[0]["r"]["rule"],
        json!({"effect": "allowed", "pattern": "/usr", "origin": "preset system", "line": null})
    );
    let guard = &rows[1]["w"];
    assert_eq!(
        (&guard["allowed"], &guard["rule"]["effect"], &guard["rule"]["line"]),
        (&json!(false), &json!("guard"), &json!(null))
    );
}

#[test]
fn names_that_are_not_text_are_there_in_base64() {
    let world = world();
    let mut input = world.text("~/work/").into_bytes();
    input.extend(b"\xff\xfe\0");
    let policy = world.text("~/policy.yaml");
    let ran = world
        .shim_with(["-q", "check", "--json", "--stdin", "--policy", &policy])
        .input(&input)
        .run()
        .works();
    let row = ran.json();
    let bytes = base64::engine::general_purpose::STANDARD.encode(&input[..input.len() - 1]);
    assert_eq!((&row["path_base64"], &row["real_path_base64"]), (&json!(bytes), &json!(bytes)));
    assert_eq!(row["path"], json!(format!("{}\\xff\\xfe", world.text("~/work/"))));
    assert_eq!(row["r"]["allowed"], json!(true));
    let plain = check(&world, &["--json", "/x"]).works().json();
    assert!(plain.get("path_base64").is_none() && plain.get("real_path_base64").is_none());
}

#[test]
fn standard_input_is_read_by_nul_bytes_and_answered_in_order() {
    let world = world();
    let paths = ["/z", "/a\nb", "/m", "/z"];
    let policy = world.text("~/policy.yaml");
    let shim = world.shim_with(["-q", "check", "--json", "--stdin", "--policy", &policy, "/first"]);
    let ran = shim.input(paths.join("\0")).run().works();
    let seen: Vec<String> =
        ran.json_lines().iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, ["/first", "/z", "/a\nb", "/m", "/z"]);
    let empty =
        world.shim_with(["-q", "check", "--json", "--stdin", "--policy", &policy]).run().works();
    assert!(empty.stdout.is_empty());
    // As a line of text, a newline in a name must not look like another answer.
    let ran = world
        .shim_with(["-q", "check", "--stdin", "--policy", &policy])
        .input("/a\n/b: r allowed\0")
        .run()
        .works();
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:#?}");
}

#[test]
fn access_makes_a_denial_the_exit_status() {
    let world = world();
    check(&world, &["--access", "r", "~/data/x"]).ends(0);
    check(&world, &["--access", "rw", "~/data/x"]).ends(1);
    check(&world, &["--access", "w", "~/data/x"]).ends(1);
    check(&world, &["--access", "r", "~/data/x", "/q"]).ends(1);
    check(&world, &["--access", "rwx", "~/work/x", "--json"]).ends(0);
    check(&world, &["~/data/x", "/q"]).ends(0);
}

#[test]
fn links_that_exist_are_resolved_and_dots_come_after_them() {
    let world = world();
    world.write("~/data/deep/file", "x");
    world.symlink("~/data/deep", "~/work/link");
    world.symlink("~/none/file", "~/work/dangling");
    let real = |path: &str| {
        let row = check(&world, &["--json", path]).works().json();
        row["real_path"].as_str().unwrap().to_owned()
    };
    assert_eq!(real("~/work/link/file"), world.text("~/data/deep/file"));
    assert_eq!(real("~/work/link/../x"), world.text("~/data/x"));
    assert_eq!(real("~/work/link/new/y"), world.text("~/data/deep/new/y"));
    assert_eq!(real("~/work/dangling"), world.text("~/none/file"));
    assert_eq!(real("~/work//./x/"), world.text("~/work/x"));
    assert_eq!(real("link"), world.text("~/data/deep"));
    assert_eq!(real("/../q/../q/none"), "/q/none");
    let ran = check(&world, &["~/work/link/file"]).works();
    let line = format!(
        "{} -> {}: r allowed",
        world.text("~/work/link/file"),
        world.text("~/data/deep/file")
    );
    ran.prints([line]);
}

#[test]
fn paths_that_do_not_exist_are_decided_all_the_same() {
    let world = world();
    let ran =
        check(&world, &["--json", "/q/a/b/c", "~/work/new/deep", "~/work/secret/deep"]).works();
    let reads: Vec<bool> = ran.json_lines().iter().map(|row| row["r"]["allowed"] == true).collect();
    assert_eq!(reads, [false, true, false]);
}

#[test]
fn the_command_selects_a_preset_for_check_too() {
    let world = World::mine();
    world.write("~/policy.yaml", "security: { file_access: { allowed_paths: ['~/work'] } }");
    world.script("~/bin/openclaw", "#!/bin/sh\n");
    let row = |arguments: &[&str]| check(&world, arguments).works().json()["w"].clone();
    let path = "~/.cache/openclaw/x";
    assert_eq!(row(&["--json", path])["allowed"], json!(false));
    let command = world.text("~/bin/openclaw");
    let with = row(&["--json", "--command", &command, path]);
    assert_eq!(
        (&with["allowed"], &with["rule"]["origin"]),
        (&json!(true), &json!("preset openclaw"))
    );
}

#[test]
fn check_and_plan_make_nothing() {
    let world = World::mine();
    world.policy(
        "presets: [openclaw, python]\nallowed_paths: ['~/made/', '~/work']"
            .replace("presets: [openclaw, python]\n", "")
            .as_str(),
    );
    let text = world.read("~/policy.yaml").replace("[system]", "[system, openclaw, python]");
    world.write("~/policy.yaml", text);
    let before = world.tree("{root}");
    check(&world, &["~/made/x"]).works().prints(["r allowed"]);
    let plan = world
        .shim_with(["-q", "plan", "--policy", &world.text("~/policy.yaml"), "--json"])
        .run()
        .works()
        .json();
    assert_eq!(world.tree("{root}"), before);
    assert!(world.temporaries().is_empty());
    let create: Vec<&str> =
        plan["create"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert!(
        create.contains(&world.text("~/made").as_str())
            && create.contains(&world.text("~/.openclaw").as_str()),
        "{create:?}"
    );
}

#[test]
fn many_paths_are_answered_as_they_are_asked() {
    let world = world();
    let input: String =
        (0..20_000).map(|number| format!("{}/{number}\0", world.text("~/work"))).collect();
    let policy = world.text("~/policy.yaml");
    let ran = world
        .shim_with(["-q", "check", "--stdin", "--access", "rwx", "--policy", &policy])
        .input(input)
        .run();
    assert_eq!(ran.works().stdout.lines().count(), 20_000);
}

/// "denied, before section 4": also where a rule allows all of /proc.
#[test]
fn what_proc_has_of_a_process_outside_is_denied_and_what_it_has_of_the_targets_own_is_not() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work', '/proc', '/nowhere']");
    let own = std::process::id().to_string();
    let outside = ["/proc/1/status", "/proc/1", &format!("/proc/{own}/environ"), "/proc/1/none"];
    let ran = check(&world, &outside).works();
    for (line, path) in ran.stdout.lines().zip(outside) {
        let number = path.split('/').nth(2).unwrap();
        let reason = format!("denied [process {number} is outside of the target]");
        assert_eq!(line, format!("{path}: r {reason}, w {reason}, x {reason}"));
    }
    for access in ["r", "w", "x"] {
        assert_eq!(check(&world, &["--access", access, "/proc/1/status"]).status.code(), Some(1));
    }
    let row = check(&world, &["--json", "/proc/1/status"]).works().json();
    let denied = json!({"allowed": false, "rule": null});
    assert_eq!([&row["r"], &row["w"], &row["x"]], [&denied, &denied, &denied]);
    assert_eq!(row["outside_process"], 1);
    // By a link of a process outside, wherever it leads.
    world.symlink(&format!("/proc/{own}/cwd"), "~/work/link");
    let ran = check(&world, &["~/work/link/Cargo.toml"]).works();
    assert!(ran.stdout.contains(&format!("r denied [process {own} is outside")), "{ran:#?}");

    for path in ["/proc/self/status", "/proc/thread-self/comm", "/proc/4194304/status"] {
        let ran = check(&world, &[path]).works();
        assert!(ran.stdout.contains("r allowed [allowed rwx `/proc`"), "{ran:#?}");
        assert!(ran.stdout.contains("(of the target's own processes"), "{ran:#?}");
        assert!(check(&world, &["--json", path]).works().json()["outside_process"].is_null());
    }
    for path in ["/proc/cpuinfo", "/proc", "/proc/sys/kernel/ostype", "/nowhere/1/status"] {
        let ran = check(&world, &["--access", "r", path]).works();
        assert!(!ran.stdout.contains("process"), "{ran:#?}");
    }
}
