//! `plan`: who holds each rule, what the kernel is told, and what a person should look at.

use serde_json::Value;

use crate::support::{Ran, World};

fn plan(world: &World, arguments: &[&str]) -> Ran {
    world
        .shim_with(["-q", "plan", "--policy", &world.text("~/policy.yaml")])
        .args(arguments)
        .run()
        .works()
}

fn texts(rows: &Value, kind: &str) -> Vec<String> {
    let rows = rows["lints"].as_array().unwrap().iter().filter(|row| row["kind"] == kind);
    rows.map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn json_holds_the_ledger_the_rules_the_scopes_and_the_calls() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work', { path: '~/made/', access: rw }]\nblocked_paths: ['~/work/secret']");
    let plan = plan(&world, &["--json"]).json();
    let fields: Vec<&String> = plan.as_object().unwrap().keys().collect();
    for field in [
        "landlock_abi",
        "presets",
        "create",
        "needs_supervisor",
        "ledger",
        "landlock_rules",
        "supervised",
        "loose",
        "trapped_calls",
        "handled_rights",
        "scopes",
        "denied_calls",
        "not_enforced",
        "denied_more",
        "lints",
        "listen",
    ] {
        assert!(fields.iter().any(|known| *known == field), "{field} is not in {fields:?}");
    }
    let ledger = plan["ledger"].as_array().unwrap();
    let row = |line: u32, pattern: &str| {
        let is_it = |row: &&Value| row["rule"]["line"] == line && row["rule"]["pattern"] == pattern;
        ledger.iter().find(is_it).unwrap_or_else(|| panic!("no row for {pattern}"))
    };
    assert_eq!(plan["supervised"], true);
    assert_eq!(
        (row(4, "~/made/")["holder"].as_str(), row(4, "~/made/")["access"].as_str()),
        (Some("kernel"), Some("rw"))
    );
    assert_eq!(row(5, "~/work/secret")["holder"], "supervisor");
    assert_eq!(plan["needs_supervisor"][0]["rule"]["line"], 5);
    let loose = plan["loose"].as_array().unwrap();
    let work = world.text("~/work");
    let work = loose.iter().find(|row| row["path"] == work.as_str()).unwrap();
    assert_eq!((&work["access"], &work["blocks"][0]["line"]), (&"rx".into(), &5.into()));
    assert_eq!(plan["not_enforced"], serde_json::json!([]));
    let families = plan["trapped_calls"].as_array().unwrap().iter().map(|row| &row["family"]);
    let families: Vec<&str> = families.map(|family| family.as_str().unwrap()).collect();
    for family in ["open", "entry", "metadata", "socket", "exec", "process"] {
        assert!(families.contains(&family), "{families:?}");
    }
    assert_eq!(plan["create"][0], world.text("~/made").as_str());
    let made = world.text("~/made");
    let rules = plan["landlock_rules"].as_array().unwrap();
    let rights =
        rules.iter().find(|rule| rule["path"] == made.as_str()).unwrap()["rights"].to_string();
    assert!(
        rights.contains("write_file") && rights.contains("make_reg") && !rights.contains("execute"),
        "{rights}"
    );
    assert!(!plan["handled_rights"].to_string().contains("unknown"));
    assert_eq!(plan["scopes"].to_string(), r#"["abstract_unix_socket","signal"]"#);
    let calls = plan["denied_calls"].as_array().unwrap();
    for (call, errno) in
        [("clone3", "ENOSYS"), ("io_uring_setup", "EPERM"), ("bpf", "EPERM"), ("unshare", "EPERM")]
    {
        assert!(calls.iter().any(|row| row["call"] == call && row["errno"] == errno), "{call}");
    }
}

#[test]
fn kernel_mode_names_the_kernel_as_the_holder_and_what_it_denies_more() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/secret']");
    let plan = plan(&world, &["--json", "--mode", "kernel"]).json();
    let rows = plan["ledger"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["holder"] != "supervisor"));
    assert!(!plan["denied_more"].as_array().unwrap().is_empty());
    assert!(plan["not_enforced"].to_string().contains("metadata"));
    assert_eq!(plan["supervised"], false);
    assert_eq!(plan["loose"], serde_json::json!([]));
    assert_eq!(plan["trapped_calls"], serde_json::json!([]));
}

/// A filter cannot tell one's own number from another's; the supervisor can.
#[test]
fn what_the_supervisor_answers_is_not_told_as_refused() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    let refuses = |arguments: &[&str], call: &str| {
        let plan = plan(&world, arguments).json();
        plan["denied_calls"].as_array().unwrap().iter().any(|row| row["call"] == call)
    };
    assert!(!refuses(&["--json"], "sched_setaffinity"));
    assert!(refuses(&["--json", "--mode", "kernel"], "sched_setaffinity"));
    assert!(refuses(&["--json"], "mount"));
}

#[test]
fn text_lists_each_loose_directory_with_its_blocks_and_what_cannot_be_executed_later() {
    let world = World::mine();
    world.policy("allowed_paths: ['~']\nblocked_paths: ['**/.env']");
    let file = world.text("~/policy.yaml");
    let ran = plan(&world, &[]);
    ran.prints([
        "The supervisor holds what Landlock cannot say of these rules:",
        "held by the supervisor alone:",
        &world.text(&format!("rx {}: blocked rwx `**/.env` ({file}:5)", world.text("~/work"))),
        "only what existed at the start can be:",
        &format!("executing what is made in `{}` later", world.text("~")),
        "System calls that the supervisor answers:",
    ]);
}

#[test]
fn text_gives_every_rule_with_its_line_and_holder() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/.*']");
    plan(&world, &["--mode", "kernel"]).prints(["The kernel holds this policy alone"]);
    let ran = plan(&world, &[]);
    let file = world.text("~/policy.yaml");
    ran.prints([
        "The kernel holds every rule of this policy",
        "Presets: system",
        &format!("kernel     allowed rwx `~/work` ({file}:4)"),
        &format!("kernel     blocked rwx `~/.*` ({file}:5)"),
        "(preset system)",
        "Landlock rules:",
        "Landlock scopes: abstract_unix_socket, signal",
        "Denied system calls:",
    ]);
}

/// Every rule that a policy may have is in the ledger with a holder that is true.
#[test]
fn a_rule_of_a_preset_whose_path_is_missing_is_held_by_nobody_but_a_supervisor() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    for (mode, holder) in [("kernel", "nobody"), ("auto", "supervisor")] {
        let plan = plan(&world, &["--json", "--mode", mode]).json();
        missing_paths_are_held_by(&plan, holder);
    }
}

fn missing_paths_are_held_by(plan: &Value, holder: &str) {
    for row in plan["ledger"].as_array().unwrap() {
        let pattern = row["rule"]["pattern"].as_str().unwrap();
        let is_literal = pattern.starts_with('/') && !pattern.contains(['*', '[', '{']);
        if row["rule"]["origin"] == "preset system"
            && is_literal
            && !std::path::Path::new(pattern).exists()
        {
            assert_eq!(row["holder"], holder, "{row}");
        }
    }
}

#[test]
fn a_rule_that_a_block_shadows_is_remarked_on() {
    let world = World::mine();
    world.mkdir("~/data/sub");
    world.policy("allowed_paths: ['~/work', '~/data/s*']\nblocked_paths: ['~/data']");
    world.write(
        "~/policy.yaml",
        world
            .read("~/policy.yaml")
            .replace("'~/data/s*'", "'~/work/in'")
            .replace("['~/data']", "['~/work/in']"),
    );
    let plan = plan(&world, &["--json"]).json();
    let shadowed = texts(&plan, "shadowed");
    assert!(
        shadowed.iter().any(|text| text.contains("`~/work/in`") && text.contains("policy.yaml:5")),
        "{plan:#}"
    );
}

#[test]
fn an_exception_through_a_block_is_remarked_on_with_every_preset_that_makes_one() {
    let world = World::mine();
    world.mkdir("~/.claw");
    world.write("~/.profile", "");
    world.policy("allowed_paths: ['~/work', '~/.claw']\nblocked_paths: ['~/.*', '/etc']");
    let exceptions = texts(&plan(&world, &["--json"]).json(), "exception");
    let about = |block: &str| exceptions.iter().find(|text| text.starts_with(block)).unwrap();
    for part in ["policy.yaml:5", "rwx `~/.claw`", "r `~/.profile`", "preset system"] {
        assert!(about("`~/.*`").contains(part), "{part}: {exceptions:#?}");
    }
    assert!(about("`/etc`").contains("r `/etc/passwd`"), "{exceptions:#?}");
    plan(&world, &[]).prints(["exception: `/etc`"]);
}

#[test]
fn a_missing_path_and_a_redundant_rule_are_remarked_on() {
    let world = World::mine();
    world.mkdir("~/work/sub");
    world.policy("allowed_paths: ['~/work', '~/work/sub', '~/none', '~/made/']\nblocked_paths: ['~/secret/key']");
    let plan = plan(&world, &["--json"]).json();
    let missing = texts(&plan, "missing").join("\n");
    assert!(missing.contains("`~/none`") && !missing.contains("~/made"), "{missing}");
    let redundant = texts(&plan, "redundant").join("\n");
    assert!(redundant.contains("`~/work/sub`"), "{plan:#}");
}

#[test]
fn a_program_that_would_be_lost_when_replaced_is_remarked_on() {
    let world = World::mine();
    world.install("/usr/bin/true", "~/tools/run");
    world.policy("allowed_paths: ['~/work', { path: '~/tools/run', access: rx }]");
    let plan = plan(&world, &["--json"]).json();
    let replaceable = texts(&plan, "replaceable").join("\n");
    assert!(replaceable.contains("`~/tools/run`"), "{plan:#}");
}

#[test]
fn the_command_selects_its_preset() {
    let world = World::mine();
    world.write("~/policy.yaml", "security: { file_access: { allowed_paths: ['~/work'] } }");
    world.script("~/bin/openclaw", "#!/bin/sh\n");
    let names = |arguments: &[&str]| plan(&world, arguments).json()["presets"].to_string();
    assert!(!names(&["--json"]).contains("openclaw"));
    assert!(names(&["--json", "--", &world.text("~/bin/openclaw")]).contains("openclaw"));
    // A file that the target could have written selects nothing.
    world.script("~/work/openclaw", "#!/bin/sh\n");
    assert!(!names(&["--json", "--", &world.text("~/work/openclaw")]).contains("openclaw"));
    world.symlink("~/bin/openclaw", "~/work/link");
    world.symlink("~/work/openclaw", "~/bin/openclaw.mjs");
    assert!(!names(&["--json", "--", &world.text("~/work/link")]).contains("openclaw"));
    assert!(!names(&["--json", "--", &world.text("~/bin/openclaw.mjs")]).contains("openclaw"));
}

/// The user's own word wins; without one the preset decides. Kernel mode, which cannot hold it, says so.
#[test]
fn where_sockets_listen_is_told_with_what_says_so() {
    let world = World::mine();
    let policy = |network: &str| {
        let text = "security:\n  file_access: { presets: [system, openclaw], allowed_paths: ['~/work'] }\n";
        world.write("~/policy.yaml", format!("{text}{network}"));
    };
    let listen = || plan(&world, &["--json"]).json()["listen"].clone();
    let not_enforced =
        |mode| plan(&world, &["--json", "--mode", mode]).json()["not_enforced"].to_string();
    let open = "`network.listen: loopback`";
    policy("");
    let preset = serde_json::json!({"on": "loopback", "origin": "preset openclaw", "line": null});
    assert_eq!(listen(), preset);
    plan(&world, &[]).prints(["Sockets listen on loopback addresses only (preset openclaw)\n"]);
    assert!(!not_enforced("auto").contains(open));
    let kernel = not_enforced("kernel");
    assert!(kernel.contains(&format!("{open} (preset openclaw): any address")), "{kernel}");
    let ran = world.confined().args(["--mode", "kernel"]).command(["true"]).works();
    ran.says([format!("not enforced in kernel mode: {open} (preset openclaw): any address")]);
    policy("  network: { listen: any }\n");
    let file = world.text("~/policy.yaml");
    assert_eq!(listen(), serde_json::json!({"on": "any", "origin": file, "line": 3}));
    assert!(!plan(&world, &[]).stdout.contains("Sockets listen"));
    assert!(!not_enforced("kernel").contains(open));
    world.policy("allowed_paths: ['~/work']");
    assert_eq!(listen(), Value::Null);
}

#[test]
fn presets_that_a_policy_names_are_all_that_it_gets() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    world.script("~/bin/openclaw", "#!/bin/sh\n");
    let presets = plan(&world, &["--json", "--", &world.text("~/bin/openclaw")]).json()["presets"]
        .to_string();
    assert_eq!(presets, r#"["system"]"#);
    world.write(
        "~/policy.yaml",
        "security: { file_access: { presets: [], allowed_paths: ['~/work'] } }",
    );
    assert_eq!(plan(&world, &["--json"]).json()["presets"].to_string(), "[]");
}
