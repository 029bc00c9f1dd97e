//! What the shim says on standard error, and what `-q` leaves of it.

use crate::support::World;

#[test]
fn the_policy_is_named_unless_quiet() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    let policy = world.text("~/policy.yaml");
    let ran = world.shim_with(["--policy", &policy]).command(["echo", "out"]).works();
    assert_eq!(ran.stdout, "out\n");
    assert!(ran.stderr.lines().all(|line| line.starts_with("clawguard: ")), "{ran:#?}");
    ran.says([format!("clawguard: policy: {policy}\n")]);
    for quiet in ["-q", "--quiet"] {
        let ran = world.shim_with([quiet, "--policy", &policy]).command(["echo", "out"]).works();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", ""));
    }
}

#[test]
fn what_kernel_mode_leaves_open_is_never_silenced() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/secret']");
    let ran = world.confined().args(["--mode", "kernel"]).command(["true"]).works();
    ran.says([
        "not enforced in kernel mode: metadata",
        "unix sockets",
        "denied in kernel mode",
        "policy.yaml:5",
    ]);
    let ran = world.confined().args(["--mode=kernel"]).command(["true"]).works();
    ran.says(["background processes"]);
}

/// Nothing is left open with a supervisor, so there is nothing to say.
#[test]
fn a_supervised_run_is_quiet_where_a_policy_is_mixed() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/secret']");
    for mode in ["auto", "supervised"] {
        let ran = world.confined().args(["--mode", mode]).command(["echo", "out"]).works();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", ""));
    }
}

#[test]
fn an_error_is_never_silenced() {
    let world = World::mine();
    world
        .shim_with(["-q", "--policy", "/none", "--", "true"])
        .run()
        .ends(125)
        .says(["clawguard: ", "/none"]);
}

/// "What it does not enforce is printed, rule by rule" (SPEC section 6): not directory by directory of the host.
#[test]
fn kernel_mode_says_in_few_lines_what_a_wildcard_costs() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
    let ran = world.confined().args(["--mode", "kernel"]).command(["true"]);
    let lines = ran.stderr.lines().count();
    assert!(lines < 100, "{lines} lines on standard error");
}

#[test]
fn a_closed_standard_error_stops_nothing() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    let ran = world
        .shim_with(["--policy", &world.text("~/policy.yaml")])
        .after("exec 2>&-")
        .command(["echo", "out"]);
    assert_eq!(ran.works().stdout, "out\n");
}

#[test]
fn a_key_that_looks_like_ours_is_warned_of_in_openclaws_own_file() {
    let world = World::mine();
    let text = "security:\n  file_acess: { allowed_paths: ['/'] }\n  file_access: { presets: [system], allowed_paths: ['~/work'] }\n";
    world.write("~/.openclaw/config.yaml", text);
    let ran = world.shim_with(["-q"]).command(["true"]).works();
    ran.says(["config.yaml:2:3", "`file_acess`", "`file_access`"]);
}
