//! Modes of OpenClaw's files, and its settings.

use serde_json::json;

use super::{SETTINGS, audit, clean, found, one, rows, set, subjects};
use crate::support::{User, World, for_every_user};

#[test]
fn every_open_file_of_openclaw_is_told_with_the_command_that_closes_it() {
    for_every_user(|world| {
        clean(&world);
        world.chmod("~/.openclaw", 0o755);
        world.chmod("~/.openclaw/openclaw.json", 0o644);
        world.chmod("~/.openclaw/memory/main.sqlite", 0o640);
        world.chmod("~/.openclaw/agents/main", 0o711);
        world.write("~/.openclaw/it's a.sqlite-wal", "");
        // The agent's work is not the guide's subject.
        world.write("~/.openclaw/workspace/notes.db", "");
        world.write("~/.openclaw/plugins/README", "");
        let paths = [
            "~/.openclaw",
            "~/.openclaw/agents/main",
            "~/.openclaw/it's a.sqlite-wal",
            "~/.openclaw/memory/main.sqlite",
            "~/.openclaw/openclaw.json",
        ];
        assert_eq!(subjects(&world, "state-mode"), set(paths));
        let rows = found(&world, "state-mode");
        let odd = rows.iter().find(|row| row["path"].as_str().unwrap().contains("it's")).unwrap();
        let quoted = world.text("~/.openclaw/it's a.sqlite-wal").replace('\'', r"'\''");
        assert_eq!(odd["command"], format!("chmod 600 '{quoted}'"));
        assert_eq!((&odd["severity"], &odd["fixable"]), (&json!("warning"), &json!(true)));
        assert_eq!(audit(&world, &["--only=state-mode"]).run().code(), 1);
    });
}

#[test]
fn what_others_can_change_is_critical_and_what_they_can_read_a_warning() {
    let world = World::mine();
    clean(&world);
    world.chmod("~/.openclaw", 0o777);
    assert_eq!(one(&world, "state-mode")["severity"], "critical");
    world.chmod("~/.openclaw", 0o750);
    assert_eq!(one(&world, "state-mode")["severity"], "warning");
}

#[test]
fn a_state_directory_behind_a_link_is_looked_at_where_it_is() {
    let world = World::mine();
    clean(&world);
    std::fs::rename(world.path("~/.openclaw"), world.path("~/elsewhere")).unwrap();
    world.symlink("~/elsewhere", "~/.openclaw");
    world.chmod("~/elsewhere/openclaw.json", 0o644);
    assert_eq!(subjects(&world, "state-mode"), set(["~/elsewhere/openclaw.json"]));
}

#[test]
fn a_file_of_somebody_else_in_the_state_is_told() {
    if User::current().uid != 0 {
        println!("only root can give files away");
        return;
    }
    let world = World::new(User::ordinary());
    clean(&world);
    assert!(found(&world, "state-owner").is_empty());
    let file = world.path("~/.openclaw/openclaw.json");
    for (owner, says) in [(0, "root"), (12345, "user 12345")] {
        std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
        let row = one(&world, "state-owner");
        assert!(row["reason"].as_str().unwrap().contains(says), "{row:#}");
        let chown = format!("sudo chown {} {}", world.user.uid, file.display());
        assert_eq!(row["command"], chown);
    }
}

#[test]
fn settings_of_openclaw_that_undo_the_protection_are_told() {
    for_every_user(|world| {
        clean(&world);
        let settings =
            ["openclaw-bind", "openclaw-config-unread", "openclaw-file-access", "openclaw-no-auth"];
        let ids = |text: &str| -> Vec<(String, String)> {
            world.write("~/.openclaw/openclaw.json", text);
            let only = settings.map(|id| format!("--only={id}"));
            let ran = world.shim_with(["-q", "audit", "--json"]).args(only).run();
            let word = |row: &serde_json::Value, key| row[key].as_str().unwrap().to_owned();
            rows(&ran).iter().map(|row| (word(row, "id"), word(row, "severity"))).collect()
        };
        let pair = |id: &str, severity: &str| (id.to_owned(), severity.to_owned());
        assert_eq!(ids(SETTINGS), []);
        assert_eq!(
            ids("{ gateway: { bind: 'lan' }, security: { file_access: { allowed_paths: [] } } }"),
            [
                pair("openclaw-file-access", "critical"),
                pair("openclaw-no-auth", "critical"),
                pair("openclaw-bind", "warning"),
            ]
        );
        assert_eq!(ids("{ gateway: {} }"), [pair("openclaw-no-auth", "warning")]);
        assert_eq!(ids("{ gateway: "), [pair("openclaw-config-unread", "info")]);
        assert_eq!(ids(&"[".repeat(1_000_000)), [pair("openclaw-config-unread", "info")]);
    });
}

#[test]
fn a_pipe_in_place_of_the_settings_keeps_nobody_waiting() {
    let world = World::mine();
    clean(&world);
    std::fs::remove_file(world.path("~/.openclaw/openclaw.json")).unwrap();
    let fifo = world.path("~/.openclaw/openclaw.json");
    assert!(std::process::Command::new("mkfifo").arg(fifo).status().unwrap().success());
    audit(&world, &["--only=openclaw-bind"]).run().works();
}

#[test]
fn profiles_and_places_that_variables_name_are_looked_at_too() {
    let world = World::mine();
    clean(&world);
    for directory in ["~/.openclaw-dev", "~/named"] {
        world.write(&format!("{directory}/openclaw.json"), "{ security: { file_access: {} } }");
    }
    world.write("~/other.json", "{ security: { file_access: {} } }");
    // A file whose name only begins like a profile's.
    world.write("~/.openclaw-notes", "");
    assert_eq!(subjects(&world, "openclaw-file-access"), set(["~/.openclaw-dev/openclaw.json"]));
    let shim = audit(&world, &["--json", "--only=openclaw-file-access"]);
    let shim = shim.env("OPENCLAW_STATE_DIR", world.text("~/named"));
    let ran = shim.env("OPENCLAW_CONFIG_PATH", world.text("~/other.json")).run();
    assert_eq!(rows(&ran).len(), 3);
}
