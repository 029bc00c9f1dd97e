//! `presets`: the shipped list, and each as the YAML that it is.

use crate::support::World;

const SHIPPED: [&str; 12] = [
    "system", "openclaw", "node", "python", "git", "cargo", "go", "claude", "codex", "gemini",
    "opencode", "aider",
];

#[test]
fn every_shipped_preset_is_listed_with_its_purpose() {
    let world = World::mine();
    let ran = world.shim_with(["presets"]).run().works();
    for name in SHIPPED {
        let line = ran.stdout.lines().find(|line| line.split_whitespace().next() == Some(name));
        assert!(line.is_some_and(|line| line.len() > 30), "{name}: {ran:#?}");
    }
    assert!(ran.stderr.is_empty(), "{ran:#?}");
}

#[test]
fn a_preset_is_printed_as_it_is_written() {
    let world = World::mine();
    for name in SHIPPED {
        let ran = world.shim_with(["presets", name]).run().works();
        let name = format!("\nname: {name}\n");
        ran.prints([name.as_str(), "allowed_paths:"]);
    }
}

#[test]
fn json_is_one_preset_a_line() {
    let world = World::mine();
    let rows = world.shim_with(["presets", "--json"]).run().works().json_lines();
    let openclaw = rows.iter().find(|row| row["name"] == "openclaw").unwrap();
    assert!(
        openclaw["commands"].to_string().contains("openclaw")
            && openclaw["include"].to_string().contains("node")
    );
    assert_eq!(rows.len(), SHIPPED.len());
}

#[test]
fn a_preset_of_each_name_can_be_used_alone_and_with_all_others() {
    let world = World::mine();
    let all = SHIPPED.join(", ");
    for presets in SHIPPED.iter().map(|name| format!("system, {name}")).chain([all]) {
        world.write(
            "~/policy.yaml",
            format!(
                "security: {{ file_access: {{ presets: [{presets}], allowed_paths: ['~/work'] }} }}"
            ),
        );
        world.shim_with(["-q", "plan", "--policy", &world.text("~/policy.yaml")]).run().works();
    }
}

/// SPEC 2: the command's preset is chosen by what it really is, not by a file that the target could write.
#[test]
fn a_command_in_a_writable_directory_gets_no_preset() {
    let world = World::mine();
    world.write("~/policy.yaml", "security: { file_access: { allowed_paths: ['~/work'] } }");
    let script = "#!/bin/sh\nmkdir -p ~/.gemini/x 2>/dev/null && echo made\ntrue\n";
    world.mkdir("~/.gemini");
    world.script("~/work/gemini", script);
    world.script("~/bin/gemini", script);
    let ran = world.confined().command([world.text("~/work/gemini")]).works();
    assert_eq!(ran.stdout, "", "{ran:#?}");
    let ran = world.confined().command([world.text("~/bin/gemini")]).works();
    assert_eq!(ran.stdout, "made\n", "{ran:#?}");
}
