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

/// A policy that is wide by mistake says so at every start, and how to close it; `-q` silences no warning.
#[test]
fn a_policy_that_opens_a_well_known_secret_says_so_once() {
    let world = World::mine();
    world.write("~/.ssh/id_ed25519", "key");
    world.write("~/.aws/credentials", "key");
    world.policy("allowed_paths: ['~', '~/work']");
    let ran = world.confined().command(["true"]).works();
    let ssh = world.text("r on `{home}/.ssh` (SSH keys");
    let warnings = ran.stderr.lines().filter(|line| line.contains("well-known secret")).count();
    assert_eq!(warnings, 1, "{ran:#?}");
    ran.says([ssh.as_str(), "policy.yaml:4", "and 1 more", "`blocked_paths`"]);
    world.policy("allowed_paths: ['~/work', { path: '~/.ssh/id_*', access: r }]");
    let ran = world.confined().command(["true"]).works();
    ran.says([world.text("r on `{home}/.ssh/id_ed25519` (SSH keys")]);
    world.policy("allowed_paths: ['~', '~/work']\nblocked_paths: ['~/.*']");
    let ran = world.confined().command(["true"]).works();
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_start_in_a_directory_that_is_not_allowed_says_how_to_allow_it() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    world.mkdir("~/shop/src");
    let policy = world.text("~/policy.yaml");
    let start = |cwd: &str| {
        world
            .shim_with(["--policy", &policy])
            .cwd(cwd)
            .command(["sh", "-c", ": 'a b'"])
            .works()
            .stderr
    };
    assert!(!start("~/work").contains("working directory"));
    let said = start("~/shop/src");
    let line = format!("clawguard-exec --allow . --policy {policy} -- sh -c");
    for text in [
        world.text("does not allow the working directory `{home}/shop/src` (nothing allows it)"),
        line,
        world.text("put `- \"{home}/shop/src/\"` into `allowed_paths` of {home}/policy.yaml"),
    ] {
        assert!(said.contains(&text), "{text}: {said}");
    }
    // What it says works.
    let ran = world.shim_with(["--allow", ".", "--policy", &policy]).cwd("~/shop/src");
    let ran = ran.command(["touch", "made"]).works();
    assert!(world.has("~/shop/src/made") && !ran.stderr.contains("working directory"), "{ran:#?}");
    // The home directory is allowed to nobody.
    assert!(!start("~").contains("--allow"));
}

#[test]
fn a_path_of_an_option_that_does_not_exist_is_named() {
    let world = World::mine();
    let run = |allow: &str| {
        world.shim_with(["--allow", ".", "--allow", allow]).command(["true"]).works().stderr
    };
    let said = run("./nosuch");
    assert!(
        said.contains(&world.text("--allow ./nosuch: `{home}/work/nosuch` does not exist yet")),
        "{said}"
    );
    assert!(
        !run("./note").contains("does not exist") && !run("./made/").contains("does not exist")
    );
}
