//! The private temporary directory, and the other choices of `temporary`.

use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::support::for_every_user;

#[test]
fn the_target_gets_a_temporary_directory_of_its_own() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let script = "stat -c '%a %F %u' \"$TMPDIR\"; cp /bin/true \"$TMPDIR/t\" && \"$TMPDIR/t\" && echo ran; \
                      mktemp >\"$TMPDIR/name\" && cat \"$TMPDIR/name\"; ls /tmp; touch /tmp/clawtest-new; touch /var/tmp/clawtest-new";
        let ran = world.sh(script);
        let uid = world.user.uid;
        let pid = ran.pid;
        let ran = ran.prints([format!("700 directory {uid}\nran\n/tmp/clawguard-{uid}-{pid}-")]);
        let ran = ran.says(["ls: cannot open directory '/tmp': Permission denied"]);
        ran.says(["cannot touch '/tmp/clawtest-new'", "cannot touch '/var/tmp/clawtest-new'"]);
        assert!(!Path::new("/tmp/clawtest-new").exists());
    });
}

#[test]
fn a_later_start_removes_what_an_ended_run_left() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let first = world
            .sh("mkdir -p $TMPDIR/a/b; touch $TMPDIR/a/b/c; chmod 0 $TMPDIR/a/b/c; echo $TMPDIR")
            .works();
        let directory = first.stdout.trim();
        assert!(directory.starts_with("/tmp/clawguard-"), "{directory}");
        world.sh("true").works();
        assert!(!Path::new(directory).exists(), "{directory} is still there");
    });
}

#[test]
fn a_start_leaves_the_directory_of_a_run_that_goes_on() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let script = "echo $TMPDIR; read line; cat $TMPDIR/file; echo end";
        let mut first = world.confined().args(["--", "sh", "-c", script]).start();
        let mut lines = BufReader::new(first.stdout.take().unwrap()).lines().map(Result::unwrap);
        let directory = lines.next().unwrap();
        world.sh("true").works();
        std::fs::write(format!("{directory}/file"), "still here\n").unwrap();
        std::fs::set_permissions(
            format!("{directory}/file"),
            std::os::unix::fs::PermissionsExt::from_mode(0o644),
        )
        .unwrap();
        drop(first.stdin.take());
        assert_eq!(lines.collect::<Vec<_>>(), ["still here", "end"]);
        assert!(first.wait().unwrap().success());
    });
}

#[test]
fn the_directory_of_somebody_elses_name_is_not_removed() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        // A dead process's number, but not a name that clawguard makes.
        let prefix = format!("clawguard-{}-4194305-1-", world.user.uid);
        let foreign = tempfile::Builder::new().prefix(&prefix).tempdir_in("/tmp").unwrap();
        world.sh("true").works();
        assert!(foreign.path().exists());
    });
}

#[test]
fn shared_temporary_opens_the_directories_of_everybody() {
    for_every_user(|world| {
        // The world itself lies in /tmp, where its guards keep the entries of /tmp from being granted as a whole.
        let others = ["/tmp", "/var/tmp"].map(|place| {
            let directory = tempfile::Builder::new().prefix("clawtest-").tempdir_in(place).unwrap();
            world.give(directory.path());
            directory
        });
        let script = "echo [$TMPDIR]; for d; do echo x >$d/new && cat $d/new && rm $d/new && mkdir $d/dir; done";
        let paths = others.each_ref().map(|other| other.path().to_str().unwrap());
        let run = || world.confined().args(["--", "sh", "-c", script, "sh"]).args(paths).run();
        world.policy("temporary: shared\nallowed_paths: ['~/work']");
        assert_eq!(run().works().stdout, "[]\nx\nx\n");
        assert!(world.temporaries().is_empty());
        world.policy("temporary: private\nallowed_paths: ['~/work']");
        assert!(!run().stdout.contains('x'));
    });
}

#[test]
fn no_temporary_directory_is_made_or_allowed_with_none() {
    for_every_user(|world| {
        world.policy("temporary: none\nallowed_paths: ['~/work']");
        let ran = world.sh("echo [$TMPDIR]; touch /tmp/clawtest-none; touch here && echo here");
        assert_eq!(ran.stdout, "[]\nhere\n");
        assert!(!Path::new("/tmp/clawtest-none").exists());
        assert!(world.temporaries().is_empty());
    });
}
