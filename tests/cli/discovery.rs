//! Which policy is used: the first that is found, and never one that the agent could have left in its directory.

use crate::support::{Ran, World};

/// A policy that allows only this directory: what is allowed tells which policy was used.
fn allowing(path: &str) -> String {
    format!("security: {{ file_access: {{ presets: [system], allowed_paths: ['{path}'] }} }}")
}

fn world() -> World {
    let world = World::mine();
    world.mkdir("~/work/project");
    for (name, path) in [
        ("~/named.yaml", "/from/option"),
        ("~/variable.yaml", "/from/variable"),
        ("~/xdg/clawguard/policy.yaml", "/from/xdg"),
        ("~/.config/clawguard/policy.yaml", "/from/config"),
        ("~/.openclaw/config.yaml", "/from/openclaw"),
        ("~/work/project/policy.yaml", "/from/cwd"),
        ("~/work/project/clawguard.yaml", "/from/cwd"),
        ("~/work/project/.clawguard/policy.yaml", "/from/cwd"),
    ] {
        world.write(name, allowing(path));
    }
    world
}

/// `check` in the project with these options and variables: the name on standard error and the directory allowed.
#[track_caller]
fn uses(world: &World, options: &[&str], variables: &[(&str, &str)], name: &str, path: &str) {
    let mut shim = world.shim_with(options).args(["check", path]).cwd("~/work/project");
    for (variable, value) in variables {
        shim = shim.env(variable, world.text(value));
    }
    let ran: Ran = shim.run().works();
    let ran = ran.says([format!("clawguard: policy: {}\n", world.text(name))]);
    assert!(ran.stdout.contains("r allowed"), "{ran:#?}");
}

#[test]
fn the_first_policy_of_the_order_is_used() {
    let world = world();
    let named = world.text("~/named.yaml");
    let all = [("CLAWGUARD_POLICY", "~/variable.yaml"), ("XDG_CONFIG_HOME", "~/xdg")];
    uses(&world, &["--policy", &named], &all, "~/named.yaml", "/from/option");
    uses(&world, &[], &all, "~/variable.yaml", "/from/variable");
    uses(&world, &[], &all[1..], "~/xdg/clawguard/policy.yaml", "/from/xdg");
    uses(&world, &[], &[], "~/.config/clawguard/policy.yaml", "/from/config");
    world.remove("~/.config");
    uses(&world, &[], &[], "~/.openclaw/config.yaml", "/from/openclaw");
    world.remove("~/.openclaw");
    uses(&world, &[], &[], "built-in default", &world.text("~/work/project"));
}

#[test]
fn a_config_of_openclaw_without_file_access_is_passed_over() {
    let world = world();
    world.remove("~/.config");
    world.write("~/.openclaw/config.yaml", "gateway: { port: 1 }\nsecurity: { other: 1 }\n");
    uses(&world, &[], &[], "built-in default", &world.text("~/work/project"));
    world.write("~/.openclaw/config.yaml", "security: { file_access: }\n");
    let ran = world.shim_with(["check", "/"]).run().works();
    ran.says([world.text("~/.openclaw/config.yaml")]);
}

#[test]
fn a_config_of_openclaw_that_is_wrong_is_an_error_and_not_passed_over() {
    let world = world();
    world.remove("~/.config");
    world.write("~/.openclaw/config.yaml", "security: { file_access: { allow_paths: [] } }\n");
    world
        .shim_with(["--", "touch", "started"])
        .run()
        .ends(125)
        .says([".openclaw/config.yaml:1:", "`allow_paths`"]);
    assert!(!world.has("~/work/started"));
}

#[test]
fn a_policy_that_the_variable_names_must_exist() {
    let world = world();
    let shim =
        world.shim_with(["--", "touch", "started"]).env("CLAWGUARD_POLICY", "/none/policy.yaml");
    shim.run().ends(125).says(["/none/policy.yaml"]);
    assert!(!world.has("~/work/started"));
}

#[test]
fn a_policy_that_is_there_and_cannot_be_read_is_an_error() {
    let world = world();
    world.remove("~/.config");
    world.mkdir("~/.config/clawguard/policy.yaml");
    world
        .shim_with(["--", "touch", "started"])
        .run()
        .ends(125)
        .says([".config/clawguard/policy.yaml"]);
    assert!(!world.has("~/work/started"));
}

#[test]
fn a_relative_xdg_directory_is_ignored() {
    let world = world();
    uses(
        &world,
        &[],
        &[("XDG_CONFIG_HOME", "xdg")],
        "~/.config/clawguard/policy.yaml",
        "/from/config",
    );
}

#[test]
fn rules_of_the_command_line_add_to_a_file() {
    let world = world();
    let named = world.text("~/named.yaml");
    let arguments = [
        "--policy",
        &named,
        "--allow",
        "./sub:rw",
        "--allow",
        "~/data",
        "--block",
        "~/data/x:w",
        "check",
        "--json",
    ];
    let paths =
        ["/from/option/x", "sub/x", "~/data", "~/data/x/y", "/other"].map(|path| world.text(path));
    let ran = world.shim_with(arguments).args(paths).run().works();
    let verdicts: Vec<String> = ran.json_lines().iter().map(letters).collect();
    assert_eq!(verdicts, ["rwx", "rw", "rwx", "rx", ""]);
}

#[test]
fn allow_replaces_the_working_directory_of_the_built_in_default() {
    let world = World::mine();
    world.mkdir("~/data");
    let paths = ["~/data/x", "~/work/x", "~/data/.env", "~/.ssh/id"].map(|path| world.text(path));
    let ran = world
        .shim_with(["--allow", &world.text("~/data"), "check", "--json"])
        .args(&paths)
        .run()
        .works();
    assert_eq!(ran.json_lines().iter().map(letters).collect::<Vec<_>>(), ["rwx", "", "w", ""]);
    let ran = world
        .shim_with(["--block", &world.text("~/work/x"), "check", "--json"])
        .args(&paths)
        .run()
        .works();
    assert_eq!(ran.json_lines().iter().map(letters).collect::<Vec<_>>(), ["", "", "", ""]);
    let ran = world.shim_with(["check", "--json"]).args(&paths).run().works();
    assert_eq!(ran.json_lines().iter().map(letters).collect::<Vec<_>>(), ["", "rwx", "", ""]);
}

fn letters(row: &serde_json::Value) -> String {
    ["r", "w", "x"].into_iter().filter(|access| row[access]["allowed"] == true).collect()
}
