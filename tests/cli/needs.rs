//! Policies that Landlock alone cannot hold: the supervisor does, and `plan` names them; kernel mode says what it costs.

use crate::support::World;

/// It runs, and `plan` names the rule and its line as one that the supervisor holds; in kernel mode it says what it
/// costs.
#[track_caller]
fn needs(file_access: &str, rule: &str) {
    let world = World::mine();
    world.mkdir("~/work/sub");
    world.write("~/work/sub/file", "x");
    world.policy(file_access);
    let plan = |mode: &str| {
        let policy = world.text("~/policy.yaml");
        let shim = world.shim_with(["-q", "plan", "--json", "--mode", mode, "--policy", &policy]);
        shim.run().works().json()
    };
    let line = rule.rsplit_once(':').unwrap().1.trim_end_matches(')');
    for mode in ["auto", "supervised", "kernel"] {
        let named = plan(mode)["needs_supervisor"].to_string();
        assert!(named.contains(&format!("\"line\":{line}")), "{mode}: {named}");
    }
    let held = plan("auto");
    assert_eq!(
        (&held["supervised"], &held["not_enforced"]),
        (&true.into(), &serde_json::json!([]))
    );
    let row = held["ledger"].as_array().unwrap().iter().find(|row| {
        row["rule"]["line"] == line.parse::<u32>().unwrap() && row["holder"] == "supervisor"
    });
    assert!(
        row.is_some(),
        "no rule of line {line} is held by the supervisor: {:#}",
        held["ledger"]
    );
    world.confined().command(["true"]).works();
    let ran = world.confined().args(["--mode", "kernel"]).command(["true"]).works();
    ran.says(["not enforced in kernel mode", "denied in kernel mode", rule]);
}

/// The kernel holds it: it runs, and `plan` names no rule that needs more.
#[track_caller]
fn is_held(file_access: &str) {
    let world = World::mine();
    world.mkdir("~/data");
    world.policy(file_access);
    world.confined().command(["true"]).works();
    let plan = world
        .shim_with(["-q", "plan", "--json", "--policy", &world.text("~/policy.yaml")])
        .run()
        .works()
        .json();
    assert_eq!(plan["needs_supervisor"], serde_json::json!([]));
}

#[test]
fn a_block_inside_an_allowed_directory_needs_the_supervisor() {
    needs("allowed_paths: ['~/work']\nblocked_paths: ['~/work/secret']", "policy.yaml:5)");
    needs(
        "allowed_paths: ['~/work']\nblocked_paths: [{ path: '~/work/sub/file', access: w }]",
        "policy.yaml:5)",
    );
}

#[test]
fn a_block_at_every_depth_needs_the_supervisor() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
    let ran = world.confined().command(["sh", "-c", "touch started && touch .env"]);
    assert!(!ran.status.success(), "{ran:#?}");
    assert!(world.has("~/work/started") && !world.has("~/work/.env"));
    let plan = world.shim_with(["-q", "plan", "--policy", &world.text("~/policy.yaml")]).run();
    plan.works().prints(["The supervisor holds", "`**/.env`", "policy.yaml:5)"]);
}

#[test]
fn a_wildcard_that_allows_needs_the_supervisor() {
    needs("allowed_paths: ['~/work', '~/*']", "policy.yaml:4)");
    needs("allowed_paths: ['~/*']", "policy.yaml:4)");
    needs("allowed_paths: ['~/work/sub', '~/work/*.txt']", "policy.yaml:4)");
    needs("allowed_paths: ['~/work/sub', '~/work/[!a]*/**']", "policy.yaml:4)");
    needs("allowed_paths: ['~/work/sub', { path: '~/work/*', access: w }]", "policy.yaml:4)");
}

#[test]
fn a_path_of_the_user_that_is_missing_needs_the_supervisor() {
    needs("allowed_paths: ['~/work', '~/missing']", "policy.yaml:4)");
}

#[test]
fn execution_without_reading_lets_nothing_be_executed_and_is_remarked_on() {
    let world = World::mine();
    world.write("~/work/tool", "x");
    world.policy("allowed_paths: [{ path: '~/work', access: x }]");
    let told =
        world.shim_with(["-q", "plan", "--policy", &world.text("~/policy.yaml")]).run().works();
    let remark = "allows x without r, which lets nothing be executed";
    assert!(told.stdout.contains(remark), "{told:#?}");
    let checked = world.confined().args(["check", &world.text("~/work/tool")]).run();
    assert!(checked.works().stdout.contains("nothing allows it"));
}

#[test]
fn a_file_that_may_be_written_needs_the_supervisor_to_be_replaced() {
    needs("allowed_paths: [{ path: '~/work/note', access: rw }]", "policy.yaml:4)");
    // The same file, named by a rule that is not exact.
    needs("allowed_paths: [{ path: '~/work/note/**', access: rw }]", "policy.yaml:4)");
    needs("allowed_paths: [{ path: '~/**/note', access: rw }]", "policy.yaml:4)");
}

#[test]
fn a_directory_that_is_more_open_within_needs_the_supervisor() {
    // Entries could be moved in and out, with other accesses.
    let work = "{ path: '~/work', access: w }";
    needs(
        &format!("allowed_paths: [{work}, {{ path: '~/work/sub/**', access: r }}]"),
        "policy.yaml:4)",
    );
    needs(
        &format!("allowed_paths: [{work}, {{ path: '~/work/sub', access: r }}]"),
        "policy.yaml:4)",
    );
}

#[test]
fn whole_directories_and_blocks_outside_them_are_held_by_the_kernel() {
    is_held("allowed_paths: ['~/work']");
    is_held("allowed_paths: ['~/work', { path: '~/data', access: r }]");
    is_held("allowed_paths: ['~/work']\nblocked_paths: ['~/.*', '/etc', '/var', '~/data']");
    is_held("allowed_paths: ['~/work', '~/data/**']");
    is_held("allowed_paths: ['~/work', '~/made/']");
    is_held("allowed_paths: []");
    is_held("allowed_paths: [{ path: '~/work/note', access: r }]");
}

#[test]
fn what_presets_miss_and_guards_of_ours_refuse_nothing() {
    let world = World::mine();
    // Presets name many paths that are not here; the home directory holds every guard.
    world.write("~/policy.yaml", "security: { file_access: { presets: [system, node, python, git], allowed_paths: ['~/work'] } }");
    world.confined().command(["true"]).works();
    world.policy("allowed_paths: ['~']");
    let ran = world.shim_with(["--policy", &world.text("~/policy.yaml")]).command(["true"]).works();
    assert!(!ran.stderr.contains("denied although"), "{ran:#?}");
    let kernel = ["--mode", "kernel", "--policy", &world.text("~/policy.yaml")];
    let ran = world.shim_with(kernel).command(["true"]).works();
    ran.says(["denied in kernel mode although the policy may allow it"]);
}

#[test]
fn all_rules_that_need_the_supervisor_are_named_together() {
    let world = World::mine();
    world.policy("allowed_paths:\n  - ~/work\n  - ~/one\n  - ~/two\nblocked_paths:\n  - ~/work/a\n  - ~/work/b");
    let text = "security:\n  file_access:\n    presets: [system]\n    allowed_paths:\n      - ~/work\n      - ~/one\n      - ~/two\n    blocked_paths:\n      - ~/work/a\n      - ~/work/b\n";
    world.write("~/policy.yaml", text);
    let ran =
        world.shim_with(["-q", "plan", "--policy", &world.text("~/policy.yaml")]).run().works();
    let named = ran.stdout.split("\nPresets:").next().unwrap();
    for line in ["policy.yaml:6)", "policy.yaml:7)", "policy.yaml:9)", "policy.yaml:10)"] {
        assert!(named.contains(line), "{line}: {named}");
    }
}
