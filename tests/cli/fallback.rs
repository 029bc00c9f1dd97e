//! The built-in default: the working directory, but only one that is a project.

use crate::support::World;

#[test]
fn the_working_directory_is_the_workspace_and_secrets_are_closed() {
    let world = World::mine();
    world.write("~/work/.env.example", "x");
    let row = |path: &str| {
        let ran = world.shim_with(["check", "--json", &world.text(path)]).run().works();
        let row = ran.json();
        ["r", "w", "x"]
            .into_iter()
            .filter(|access| row[access]["allowed"] == true)
            .collect::<String>()
    };
    assert_eq!(row("~/work/new"), "rwx");
    assert_eq!(row("~/work/.hidden"), "rwx");
    assert_eq!(row("~/work/sub/.env"), "w");
    assert_eq!(row("~/work/.env.production.local"), "w");
    assert_eq!(row("~/work/.env.example"), "rwx");
    assert_eq!(row("~/work/.envrc"), "rwx");
    assert_eq!(row("~/.ssh/id"), "");
    assert_eq!(row("~/secret/key"), "");
    assert_eq!(row("/etc/shadow"), "");
    assert_eq!(row("/etc/passwd"), "r");
}

#[test]
fn what_git_trusts_in_a_repository_is_not_written() {
    let world = World::mine();
    for name in ["config", "hooks/run", "HEAD"] {
        world.write(&format!("~/work/.git/{name}"), "x");
    }
    world.mkdir("~/work/.git/refs");
    world.mkdir("~/work/.git/objects");
    let ran = world
        .shim_with([
            "check",
            "--json",
            ".git/config",
            ".git/hooks/run",
            ".git/config.worktree",
            ".git/commondir",
            ".git/HEAD",
        ])
        .run();
    let written: Vec<bool> =
        ran.works().json_lines().iter().map(|row| row["w"]["allowed"] == true).collect();
    assert_eq!(written, [false, false, false, false, true]);
}

/// 125, the reason, and a command line that works instead.
#[track_caller]
fn refused(world: &World, cwd: &str, reason: &str) {
    let ran =
        world.shim_with(["--mode", "kernel", "--", "touch", "started"]).cwd(cwd).run().ends(125);
    ran.says(["clawguard-exec --allow ./PROJECT -- COMMAND", reason, &world.text(cwd)]);
}

#[test]
fn places_that_are_no_project_are_refused_with_a_command_line_that_works() {
    let world = World::mine();
    world.mkdir("~/.config/x");
    world.mkdir("~/work/.env/sub");
    refused(&world, "~", "the home directory");
    refused(&world, "{root}", "an ancestor of the home directory");
    refused(&world, "/", "the root");
    refused(&world, "/tmp", "");
    refused(&world, "/var/tmp", "temporary files");
    refused(&world, "/usr", "a system directory");
    refused(&world, "/usr/lib", "a system directory");
    refused(&world, "/etc/ssl", "a system directory");
    refused(&world, "~/.config/x", "`~/.*`");
    refused(&world, "~/work/.env/sub", "`**/.env`");
    // The same with check and plan, and the way out that the text names.
    world.shim_with(["check", "x"]).cwd("~").run().ends(125).says(["--allow ./PROJECT"]);
    world.shim_with(["plan"]).cwd("~").run().ends(125).says(["--allow ./PROJECT"]);
    let ran =
        world.shim_with(["--allow", "./work", "check", "--access", "rwx", "work/x"]).cwd("~").run();
    ran.works();
    assert!(!world.has("~/started"));
}

#[test]
fn a_link_to_the_home_directory_is_the_home_directory() {
    let world = World::mine();
    world.symlink("~", "{root}/link");
    world.shim_with(["--", "true"]).cwd("{root}/link").run().ends(125).says(["the home directory"]);
}

#[test]
fn the_built_in_default_runs_with_a_supervisor_and_in_kernel_mode() {
    let world = World::mine();
    world.write("~/work/.env", "secret");
    let ran = world.shim_with(["--", "sh", "-c", "touch started; cat .env"]).run();
    assert!(!ran.status.success() && !ran.stdout.contains("secret"), "{ran:#?}");
    assert!(world.has("~/work/started"));
    world.shim_with(["plan"]).run().works().prints(["The supervisor holds", "built-in default"]);
    let ran = world.shim_with(["--mode", "kernel", "--", "true"]).run().works();
    ran.says(["built-in default", "denied in kernel mode", "not enforced in kernel mode"]);
}
