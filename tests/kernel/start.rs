//! What the shim makes and changes before it becomes the command: directories and the environment.

use std::os::unix::fs::PermissionsExt;

use crate::support::{User, for_every_user};

#[test]
fn an_allowed_directory_with_a_trailing_slash_is_made_for_its_owner_alone() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/made/deep/', '~/work']");
        let ran = world.confined().after("umask 0").command([
            "sh",
            "-c",
            &world.text("touch {home}/made/deep/file && echo in"),
        ]);
        assert_eq!(ran.works().stdout, "in\n");
        for path in ["~/made", "~/made/deep"] {
            let mode = std::fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, 0o700, "{path}");
        }
    });
}

#[test]
fn an_allowed_directory_that_exists_keeps_its_mode() {
    for_every_user(|world| {
        world.mkdir("~/there");
        world.chmod("~/there", 0o750);
        world.policy("allowed_paths: ['~/there/']");
        world.confined().command(["true"]).works();
        let mode = std::fs::metadata(world.path("~/there")).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o750);
    });
}

#[test]
fn nothing_is_made_but_the_state_directory_with_the_journal_and_the_list_of_runs() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let mut expected = world.tree("~");
        for made in ["", "/state", "/state/clawguard"] {
            expected.push(world.path(&format!("~/.local{made}")));
        }
        expected.sort();
        let state = world.path("~/.local/state/clawguard");
        for (mode, has_journal) in [("kernel", false), ("auto", true)] {
            world.confined().args(["--mode", mode]).command(["true"]).works();
            let (own, others): (Vec<_>, Vec<_>) =
                world.tree("~").into_iter().partition(|path| path.starts_with(&state));
            let outside: Vec<_> =
                expected.iter().filter(|path| !path.starts_with(&state)).collect();
            assert_eq!(others.iter().collect::<Vec<_>>(), outside);
            assert_eq!(own.contains(&state.join("journal.jsonl")), has_journal);
            let is_known = |path: &&std::path::PathBuf| {
                let journal = *path == &state.join("journal.jsonl");
                **path == state || journal || path.starts_with(state.join("run"))
            };
            assert!(own.iter().all(|path| is_known(&path)), "{own:?}");
        }
    });
}

#[test]
fn variables_are_set_removed_and_kept_as_the_policy_says() {
    for_every_user(|world| {
        let text = "
security:
  file_access: { presets: [system], allowed_paths: ['~/work'] }
  environment:
    set: { GREETING: hello, PLACE: '~/work', NUMBER: 7 }
    remove: ['*_TOKEN', 'AWS_*', 'SECRET']
    keep: ['AWS_REGION']
";
        world.write("~/policy.yaml", text);
        let shim = world
            .confined()
            .env("SECRET", "s")
            .env("AWS_KEY", "k")
            .env("AWS_REGION", "eu")
            .env("OTHER", "o");
        let ran = shim.env("GREETING", "bye").command(["env"]).works();
        let has = |line: &str| ran.stdout.lines().any(|one| one == line);
        assert!(
            has("GREETING=hello") && has("NUMBER=7") && has("OTHER=o") && has("AWS_REGION=eu"),
            "{ran:#?}"
        );
        assert!(has(&format!("PLACE={}", world.text("~/work"))), "{ran:#?}");
        assert!(!ran.stdout.contains("SECRET=") && !ran.stdout.contains("AWS_KEY="), "{ran:#?}");
    });
}

#[test]
fn variables_that_are_not_text_reach_the_command() {
    use std::os::unix::ffi::OsStrExt;
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let value = std::ffi::OsStr::from_bytes(b"\xff\n\xfe");
        let ran =
            world.confined().env("BYTES", value).command(["sh", "-c", "printf %s \"$BYTES\""]);
        assert_eq!(ran.works().bytes, b"\xff\n\xfe");
    });
}

#[test]
fn a_proc_of_another_process_namespace_is_refused_in_every_mode_and_the_right_one_works() {
    let is_root = User::current().uid == 0;
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let own: &[&str] = &["unshare", "--pid", "--fork"];
        let as_user: &[&str] = &["unshare", "--user", "--map-current-user", "--pid", "--fork"];
        let starter = if is_root { own } else { as_user };
        for mode in ["auto", "supervised", "kernel"] {
            let shim = || world.confined().args(["--mode", mode]);
            let ran = shim().started_by(starter).command(["true"]).ends(125);
            ran.says(["`/proc` belongs to another PID namespace", "mount -t proc proc /proc"]);
            let mounted = [starter, &["--mount-proc"]].concat();
            shim().started_by(&mounted).command(["true"]).works();
            // The first process of a namespace has the number 1 in it, and so has one of the other.
            let hidden = ["sh", "-c", "mount -t tmpfs none /proc; exec \"$@\"", "sh"];
            let hidden = [&mounted[..], &hidden].concat();
            let ran = shim().started_by(&hidden).command(["true"]).ends(125);
            ran.says(["`/proc` does not show this process"]);
        }
    });
}
