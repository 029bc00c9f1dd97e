//! The tree that most tables walk: an allowed directory with a block of every kind in it.

use crate::support::{CANARY, World, for_every_user};

/// The forms in which a call that takes a path can name an object, whatever follows links.
pub(crate) const BY_PATH: &[&str] =
    &["path", "edge", "cwd", "dots", "root", "pid-root", "task-root", "magic", "within"];

/// Further forms of a call that takes a directory descriptor.
pub(crate) const BY_AT: &[&str] = &["at", "high"];

/// Magic links to the object itself, for calls that follow the last link.
pub(crate) const BY_LINK: &[&str] = &["proc-fd", "dev-fd", "thread-fd", "pid-fd"];

/// Runs a test for each user in the tree
///
/// - `~/work/open`: `file`, `sub/file`, `link` to `file`
/// - `~/work/closed`: the same, blocked exactly; `~/work/late` is blocked too, and is not there
/// - `~/work/wild/.env`: blocked by a wildcard; `~/work/wild/file` is not
/// - `~/work/fixed`: blocked for `w`; `~/work/blind`: blocked for `r`
///
/// Every file but those of `closed` and `.env` holds its directory's name.
pub(crate) fn for_every_user_in_the_site(test: impl Fn(World)) {
    for_every_user(|world| {
        for name in ["open", "closed", "fixed", "blind"] {
            let bytes = if name == "closed" { CANARY } else { name };
            world.write(&format!("~/work/{name}/file"), bytes);
            world.write(&format!("~/work/{name}/sub/file"), bytes);
            world.mkdir(&format!("~/work/{name}/empty"));
            world.symlink("file", &format!("~/work/{name}/link"));
        }
        world.write("~/work/wild/.env", CANARY);
        world.write("~/work/wild/file", "wild");
        world.symlink("../closed/file", "~/work/open/to-closed");
        world.symlink("../closed", "~/work/open/to-directory");
        world.symlink("../late", "~/work/open/to-late");
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: ['~/work/closed', '~/work/late', '**/.env', { path: '~/work/fixed', access: w }, { path: '~/work/blind', access: r }]",
        );
        test(world);
    });
}
