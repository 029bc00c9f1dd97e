//! What the owner does outside when an attempt is over: what was planted for it leaves `~/pwned`.

use std::process::{Command, Stdio};

use crate::attempt::Programs;
use crate::support::World;

/// `git`: commits in the workspace. `status`, `submodule`, `worktree`: asks git for the state of the workspace, of `m` in
/// it, of `~/tree`. `shell`: starts a login shell.
pub(crate) fn act(programs: &Programs, world: &World, what: &str) {
    const STATUS: &[&str] = &["git", "-c", "safe.directory=*", "status"];
    let (words, directory): (&[&str], &str) = match what {
        "status" => (STATUS, "~/work"),
        "submodule" => (STATUS, "~/work/m"),
        "worktree" => (STATUS, "~/tree"),
        "git" => (
            &["git", "-c", "safe.directory=*", "commit", "-q", "--allow-empty", "-m", "owner"],
            "~/work",
        ),
        "shell" => (&["bash", "-lic", "true"], "~/work"),
        other => panic!("the owner does not know how to {other}"),
    };
    let status = Command::new(programs.path("launch"))
        .arg(world.user.uid.to_string())
        .arg("0")
        .arg(world.home())
        .args(["0", "0"])
        .args(words)
        .current_dir(world.path(directory))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", world.home())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok(), "{what}: {status:?}");
}
