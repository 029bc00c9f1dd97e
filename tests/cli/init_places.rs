//! Where `init` writes, and that it writes over nothing and through nobody's link.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::World;

const OWN: &str = "~/.config/clawguard/policy.yaml";
const POLICY: &str = "security: { file_access: { presets: [system] } } # mine\n";

/// Contents, mode, number, size and times of a file.
fn state(world: &World, path: &str) -> (String, u32, u64, i64, i64) {
    let metadata = fs::symlink_metadata(world.path(path)).unwrap();
    (
        world.read(path),
        metadata.mode(),
        metadata.ino(),
        metadata.mtime_nsec(),
        metadata.ctime_nsec(),
    )
}

#[test]
fn the_file_is_new_and_its_owners_alone() {
    let world = World::mine();
    world.shim_with(["init"]).after("umask 0").run().works();
    let mode = |path: &str| fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(OWN), 0o600);
    assert_eq!(mode("~/.config/clawguard"), 0o700);
    assert_eq!(mode("~/.config"), 0o700);
    let names: Vec<_> = world.tree("~/.config/clawguard");
    assert_eq!(names, [world.path(OWN)], "a draft was left");
    // The next start uses it.
    let ran = world.shim_with(["check", "/"]).run().works();
    ran.says([format!("policy: {}", world.text(OWN))]);
}

#[test]
fn the_directory_of_xdg_is_the_place_where_it_is_set() {
    let world = World::mine();
    let xdg = world.text("~/etc");
    world
        .shim_with(["init"])
        .env("XDG_CONFIG_HOME", &xdg)
        .run()
        .works()
        .prints(["/etc/clawguard/policy.yaml"]);
    assert!(world.has("~/etc/clawguard/policy.yaml") && !world.has("~/.config"));
}

#[test]
fn a_policy_that_is_there_is_never_written_over() {
    let world = World::mine();
    for (file, variable) in
        [(OWN, None), ("~/.openclaw/config.yaml", None), ("~/other.yaml", Some("CLAWGUARD_POLICY"))]
    {
        world.write(file, POLICY);
        let before = state(&world, file);
        let tree = world.tree("~");
        let mut init = world.shim_with(["init"]);
        if let Some(variable) = variable {
            init = init.env(variable, world.text(file));
        }
        let ran = init.run().ends(125);
        let ran = ran
            .says([&format!("`{}` is already the policy here", world.text(file)), "init --print"]);
        assert!(ran.stdout.is_empty(), "{ran:#?}");
        assert_eq!(state(&world, file), before);
        assert_eq!(world.tree("~"), tree);
        fs::remove_file(world.path(file)).unwrap();
    }
}

#[test]
fn a_second_init_changes_nothing() {
    let world = World::mine();
    world.shim_with(["init"]).run().works();
    let before = state(&world, OWN);
    world.shim_with(["init"]).run().ends(125).says(["is already the policy here"]);
    world.shim_with(["init", "--output", &world.text(OWN)]).run().ends(125).says(["exists"]);
    assert_eq!(state(&world, OWN), before);
    let printed = world.shim_with(["init", "--print"]).run().works();
    assert_eq!(printed.stdout, before.0);
    assert_eq!(state(&world, OWN), before);
}

#[test]
fn a_policy_that_is_wrong_is_said_and_left() {
    let world = World::mine();
    world.write(OWN, "security: { file_access: { alowed_paths: [] } }\n");
    let before = state(&world, OWN);
    let ran = world.shim_with(["init"]).run().ends(125);
    ran.says(["there is a policy already that cannot be used", "did you mean `allowed_paths`?"]);
    assert_eq!(state(&world, OWN), before);
    let ran =
        world.shim_with(["init"]).env("CLAWGUARD_POLICY", "/none/policy.yaml").run().ends(125);
    ran.says(["cannot be used", "/none/policy.yaml"]);
}

#[test]
fn somebody_elses_configuration_without_a_policy_is_no_hindrance() {
    let world = World::mine();
    world.write("~/.openclaw/config.yaml", "gateway: { port: 1 }\n");
    world.shim_with(["init"]).run().works();
    assert!(world.has(OWN));
    assert_eq!(world.read("~/.openclaw/config.yaml"), "gateway: { port: 1 }\n");
}

#[test]
fn print_writes_nothing() {
    let world = World::mine();
    let tree = world.tree("{root}");
    let ran = world.shim_with(["init", "--print"]).run().works();
    assert!(ran.stdout.contains("blocked_paths:") && ran.stderr.is_empty(), "{ran:#?}");
    assert_eq!(world.tree("{root}"), tree);
}

#[test]
fn a_link_in_the_place_of_the_policy_is_not_written_through() {
    let world = World::mine();
    world.mkdir("~/.config/clawguard");
    world.symlink("~/victim", OWN);
    world.shim_with(["init"]).run().ends(125).says(["exists, and init writes over nothing"]);
    world.symlink("~/victim", "~/out.yaml");
    let output = world.text("~/out.yaml");
    world.shim_with(["init", "--output", &output]).run().ends(125).says(["exists"]);
    assert!(!world.has("~/victim"));
    assert_eq!(world.tree("~/.config/clawguard"), [world.path(OWN)]);
}

#[test]
fn the_users_own_link_on_the_way_is_followed() {
    let world = World::mine();
    world.mkdir("~/dotfiles");
    world.symlink("dotfiles", "~/.config");
    world.shim_with(["init"]).run().works();
    assert!(world.has("~/dotfiles/clawguard/policy.yaml"));
}

#[test]
fn the_home_directory_of_another_user_is_left_alone() {
    let world = World::mine();
    let is_root = world.user.uid == 0;
    if is_root {
        std::os::unix::fs::chown(world.home(), Some(65534), Some(65534)).unwrap();
    }
    let home = if is_root { world.home() } else { "/".into() };
    let ran = world.shim_with(["init"]).env("HOME", &home).run().ends(125);
    ran.says(["belongs to user", "--print"]);
    assert!(!world.has("~/.config"));
    world.shim_with(["init", "--print", "--workspace", "/srv/x"]).env("HOME", &home).run().works();
}

#[test]
fn what_cannot_be_written_whole_is_not_there() {
    let world = World::mine();
    // The kernel ends the writer after a kibibyte.
    let ran = world.shim_with(["init"]).after("ulimit -f 1").run();
    assert!(!ran.status.success(), "{ran:#?}");
    assert!(!world.has(OWN), "{ran:#?}");
    world.shim_with(["init"]).run().works();
    let missing = world.text("~/none/policy.yaml");
    world.shim_with(["init", "--output", &missing]).run().ends(125).says(["cannot write"]);
}

#[test]
fn options_of_other_tasks_are_refused() {
    let world = World::mine();
    for words in [["--policy", "p.yaml"], ["--allow", "/x"], ["--block", "/x"], ["--keep-env", "X"]]
    {
        let ran = world.shim_with(["init"]).args(words).run().ends(125);
        ran.says([format!("init does not take {}", words[0])]);
    }
    world
        .shim_with(["init", "--agent", "nobody"])
        .run()
        .ends(125)
        .says(["openclaw", "claude", "codex"]);
    assert!(!world.has("~/.config"));
}
