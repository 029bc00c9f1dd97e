//! What one run of the target leaves behind for the next start: no link, file or variable of its making may widen what
//! the next one is allowed, or make the shim act for it.

use crate::support::{CANARY, for_every_user};

#[test]
fn a_variable_of_the_environment_is_not_taken_for_what_presets_find() {
    for_every_user(|world| {
        world.script("~/.local/bin/kitty", "#!/bin/sh\n");
        world.write("~/.private/token", CANARY);
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/.*']");
        let run = |script: &str| {
            let mut shim = world.confined().env("TERMINAL", world.path("~/.local/bin/kitty"));
            for name in [
                "COMMAND_ENVIRONMENT",
                "COMMAND_FILE",
                "COMMAND_MODULES",
                "NODE_BIN",
                "NODE_MODULES",
            ] {
                shim = shim.env(name, world.path("~/.private"));
            }
            shim.command(["sh", "-c", &world.text(script)])
        };
        run("echo planted >>~/.local/bin/kitty").says(["Permission denied"]);
        assert_eq!(world.read("~/.local/bin/kitty"), "#!/bin/sh\n");
        assert!(!run("cat ~/.private/token").stdout.contains(CANARY));
        assert_eq!(run("cat ~/work/note").stdout, "note\n");
    });
}

#[test]
fn a_link_in_the_middle_of_the_way_to_the_policy_cannot_be_replaced() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.write("~/secret/key", CANARY);
        std::fs::rename(world.path("~/policy.yaml"), world.path("~/real.yaml")).unwrap();
        world.symlink("~/real.yaml", "~/work/middle");
        world.symlink("~/work/middle", "~/policy.yaml");
        let attack = "rm -f ~/work/middle; echo 'security: {file_access: {allowed_paths: [\"~/secret\"]}}' >~/work/middle";
        world.sh(attack);
        assert!(!world.sh("cat ~/secret/key").stdout.contains(CANARY));
        assert_eq!(world.sh("cat ~/work/note").works().stdout, "note\n");
    });
}

#[test]
fn a_link_in_the_middle_of_the_way_to_a_blocked_path_cannot_be_replaced() {
    for_every_user(|world| {
        world.write("~/data/creds", CANARY);
        world.write("~/data/empty", "");
        world.symlink("~/data/creds", "~/work/middle");
        world.symlink("~/work/middle", "~/creds");
        world.policy("allowed_paths: ['~/work', '~/data']\nblocked_paths: ['~/creds']");
        let run = |script: &str| {
            let script = world.text(script);
            world.confined().args(["--mode", "kernel"]).command(["sh", "-c", &script])
        };
        run("ln -sfn ~/data/empty ~/work/middle");
        assert!(!run("cat ~/data/creds").stdout.contains(CANARY));
        assert_eq!(run("cat ~/work/note").works().stdout, "note\n");
    });
}

#[test]
fn a_directory_of_a_preset_is_not_made_through_a_planted_link() {
    for_every_user(|world| {
        world.mkdir("~/.openclaw");
        world.write(
            "~/policy.yaml",
            "security: {file_access: {presets: [system, openclaw], blocked_paths: ['~/.*']}}",
        );
        world.sh("rmdir ~/.openclaw/agents; ln -s ~/.ssh ~/.openclaw/agents").works();
        world.sh("true").works().says(["cannot make the directory"]);
        assert!(!world.has("~/.ssh"));
        assert!(world.has("~/.openclaw/state"), "its neighbour was made");
    });
}

#[test]
fn the_first_line_of_a_script_of_the_target_finds_nothing() {
    for_every_user(|world| {
        world.install("/bin/true", "~/.private/node");
        world.write("~/.private/token", CANARY);
        world.script("~/work/tool", &world.text("#!~/.private/node\n"));
        world.write(
            "~/policy.yaml",
            "security: {file_access: {allowed_paths: ['~/work'], blocked_paths: ['~/.*']}}",
        );
        let (tool, token) = (world.text("~/work/tool"), world.text("~/.private/token"));
        let check = |access: &str, path: &str| {
            let shim = world.confined().args(["check", "--command", &tool, "--access", access]);
            shim.args([path]).run()
        };
        check("r", &token).ends(1);
        check("r", &world.text("~/work/note")).works();
    });
}

#[test]
fn a_preset_is_not_selected_by_a_file_that_it_lets_the_target_write() {
    for_every_user(|world| {
        world.script("~/.private/run.sh", "#!/bin/sh\n");
        world.mkdir("~/.claude/local");
        world.symlink("~/.private/run.sh", "~/.claude/local/claude");
        world.write(
            "~/policy.yaml",
            "security: {file_access: {allowed_paths: ['~/work'], blocked_paths: ['~/.*']}}",
        );
        let check = |path: &str| {
            let shim = world.confined().args(["check", "--access", "r", "--command"]);
            shim.args([world.text("~/.claude/local/claude"), world.text(path)]).run()
        };
        check("~/.private/run.sh").ends(1);
        check("~/.claude/settings.json").ends(1);
        check("~/work/note").works();
    });
}

#[test]
fn a_home_directory_is_understood_however_it_is_written_or_refused() {
    for_every_user(|world| {
        world.write("~/.ssh/id", CANARY);
        let check = |home: &str| {
            let shim =
                world.shim_with(["check", "--access", "r"]).cwd("~").env("HOME", world.text(home));
            shim.args([world.text("~/.ssh/id")]).run()
        };
        check("~/../home").ends(125).says(["it is the home directory"]);
        check("~").ends(125);
        let relative = world.shim_with(["check", "/x"]).env("HOME", "home").run();
        relative.ends(125).says(["home directory"]);
    });
}

#[test]
fn a_second_clawguard_is_refused_whatever_its_environment_says() {
    for_every_user(|world| {
        let shim = world.shim().display().to_string();
        world.policy(&format!(
            "temporary: none\nallowed_paths: ['~/work', {{path: '~/policy.yaml', access: r}}, {{path: '{shim}', access: rx}}]"
        ));
        let nested = format!("env -u CLAWGUARD_PID {shim} --policy ~/policy.yaml -- echo nested");
        let ran = world.sh(&nested).ends(125).says(["already confined"]);
        assert!(!ran.stdout.contains("nested"));
        let stale = world.confined().env("CLAWGUARD_PID", "1").command(["echo", "runs"]);
        assert_eq!(stale.works().stdout, "runs\n");
    });
}

#[test]
fn an_allowed_path_behind_a_link_that_anybody_could_have_made_is_not_granted_and_said() {
    for_every_user(|world| {
        world.write("~/secret/key", CANARY);
        world.mkdir("~/open");
        world.chmod("~/open", 0o777);
        world.symlink("~/secret", "~/open/link");
        world.policy("allowed_paths: ['~/work', {path: '~/open/link', access: r}]");
        let ran = world.sh("cat ~/secret/key").says(["is not followed"]);
        assert!(!ran.stdout.contains(CANARY), "{ran:#?}");
        assert_eq!(world.sh("cat ~/work/note").works().stdout, "note\n");
    });
}
