//! Directories in which the policy decides in more than one way: Landlock never gives more than the law, and in kernel
//! mode gives less where it cannot tell apart.

use crate::support::{CANARY, for_every_user};

#[test]
fn a_blocked_file_in_an_allowed_directory_stays_closed_and_its_neighbours_open() {
    for_every_user(|world| {
        world.write("~/work/.env", CANARY);
        world.write("~/work/sub/file", "sub");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/.env']");
        world.expect_in_kernel_mode(
            "
            read        ~/work/.env                       EACCES
            write       ~/work/.env                       EACCES
            truncate    ~/work/.env                       EACCES
            unlink      ~/work/.env                       EACCES
            rename      ~/work/.env ~/work/sub/env        EACCES
            link        ~/work/.env ~/work/sub/env        EACCES|EXDEV
            rename      ~/work/sub/file ~/work/.env       EACCES
            cat         ~/work/note                       note
            write       ~/work/note                       ok
            create      ~/work/sub/new                    ok
            unlink      ~/work/sub/new                    ok
            # What Landlock cannot say is denied.
            create      ~/work/new                        EACCES
            unlink      ~/work/note                       EACCES
            list        ~/work                            EACCES
            ",
        );
        assert_eq!(world.read("~/work/.env"), CANARY);
    });
}

#[test]
fn a_blocked_name_that_does_not_exist_yet_cannot_be_made() {
    // CVE-2026-25725: a blocked file that appears after the start.
    for_every_user(|world| {
        world.mkdir("~/work/sub");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/sub/hooks']");
        world.expect_in_kernel_mode(
            "
            mkdir       ~/work/sub/hooks                  EACCES
            create      ~/work/sub/hooks                  EACCES
            mkdir       ~/work/hooks                      EACCES
            rename      ~/work/sub ~/work/moved           EACCES
            write       ~/work/note                       ok
            ",
        );
        assert!(!world.has("~/work/sub/hooks"));
    });
}

#[test]
fn the_directory_of_a_blocked_file_cannot_be_moved_away_from_its_name() {
    for_every_user(|world| {
        world.write("~/work/a/b/key", CANARY);
        world.mkdir("~/work/c");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/a/b/key']");
        world.expect_in_kernel_mode(
            "
            rename      ~/work/a/b ~/work/c/b             EACCES|EXDEV
            rename      ~/work/a ~/work/c/a               EACCES|EXDEV
            exchange    ~/work/a ~/work/c                 EACCES|EXDEV
            read        ~/work/a/b/key                    EACCES
            create      ~/work/c/new                      ok
            rename      ~/work/c/new ~/work/c/newer       ok
            ",
        );
    });
}

#[test]
fn a_block_with_a_wildcard_holds_at_every_depth_in_kernel_mode() {
    for_every_user(|world| {
        for name in ["~/work/.env", "~/work/a/.env", "~/work/a/b/.env"] {
            world.write(name, CANARY);
        }
        world.write("~/work/a/.envrc", "open");
        world.write("~/work/a/b/file", "open");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        // A shell and cat: an interpreter that lists its library does not start where every directory is mixed.
        let script = "cd ~/work; cat .env a/.env a/b/.env; mv a/.env a/y; touch b; \
                      cat a/.envrc; echo more >> a/b/file; cat a/b/file";
        let ran = world.confined().args(["--mode", "kernel"]).command(["/bin/sh", "-c", script]);
        assert_eq!(ran.stdout, "openopenmore\n", "{ran:#?}");
        assert!(world.has("~/work/a/.env") && !world.has("~/work/b"), "{ran:#?}");
        assert_eq!(ran.stderr.matches("Permission denied").count(), 5, "{ran:#?}");
    });
}

#[test]
fn an_exact_exception_goes_through_a_block_and_nothing_beside_it() {
    for_every_user(|world| {
        world.write("~/.claw/db", "db");
        world.write("~/.ssh/id", CANARY);
        world.write("~/data/closed/key", CANARY);
        world.write("~/data/closed/public/file", "open");
        world.policy(
            "allowed_paths: ['~/.claw', '~/data/closed/public']
             blocked_paths: ['~/.*', '~/data/closed']",
        );
        world.expect(
            "
            cat         ~/.claw/db                        db
            create      ~/.claw/new                       ok
            read        ~/.ssh/id                         EACCES
            mkdir       ~/.new                            EACCES
            cat         ~/data/closed/public/file         open
            create      ~/data/closed/public/new          ok
            read        ~/data/closed/key                 EACCES
            list        ~/data/closed                     EACCES
            create      ~/data/closed/new                 EACCES
            unlink      ~/.claw/new                       ok
            rename      ~/.claw/db ~/data/closed/public/db ok
            ",
        );
    });
}

#[test]
fn a_block_for_writing_leaves_reading_and_execution() {
    for_every_user(|world| {
        world.write("~/work/.git/config", "config");
        world.script("~/work/.git/hooks/run", "#!/bin/sh\nexit 0\n");
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: [{ path: '~/work/.git/config', access: w }, { path: '~/work/.git/hooks', access: w }]",
        );
        world.expect_in_kernel_mode(
            "
            cat         ~/work/.git/config                config
            write       ~/work/.git/config                EACCES
            unlink      ~/work/.git/config                EACCES
            rename      ~/work/.git ~/work/git            EACCES
            exec        ~/work/.git/hooks/run             ok
            write       ~/work/.git/hooks/run             EACCES
            create      ~/work/.git/hooks/new             EACCES
            unlink      ~/work/.git/hooks/run             EACCES
            list        ~/work/.git/hooks                 run
            write       ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn a_wildcard_never_grants_a_hidden_name() {
    for_every_user(|world| {
        world.write("~/data/open/file", "open");
        world.write("~/data/.closed/key", CANARY);
        world.write("~/data/a.txt", "a");
        world.write("~/data/b.md", CANARY);
        world.policy(
            "allowed_paths: ['~/work', '~/data/open*', { path: '~/data/*.txt', access: r }]",
        );
        world.expect_in_kernel_mode(
            "
            cat         ~/data/open/file                  open
            cat         ~/data/a.txt                      a
            write       ~/data/a.txt                      EACCES
            read        ~/data/b.md                       EACCES
            read        ~/data/.closed/key                EACCES
            create      ~/data/.new                       EACCES
            ",
        );
    });
}

/// A file found by a wildcard may be another file's second name, and a rule on it would hold for both.
#[test]
fn a_hard_link_that_existed_before_gives_its_other_name_nothing() {
    for_every_user(|world| {
        world.write("~/data/one.txt", "one");
        world.hard_link("~/secret/key", "~/data/two.txt");
        world.policy("allowed_paths: [{ path: '~/data/*.txt', access: r }]");
        world.expect_in_kernel_mode(
            "
            cat         ~/data/one.txt                    one
            read        ~/secret/key                      EACCES
            ",
        );
    });
}

#[test]
fn x_without_r_executes_nothing_in_any_mode() {
    for_every_user(|world| {
        world.install("/usr/bin/true", "~/tools/true");
        world.policy("allowed_paths: ['~/work', { path: '~/tools', access: x }]");
        world.install("/usr/bin/true", "~/work/true");
        world.expect_in_kernel_mode(
            "
            exec        ~/tools/true                      EACCES
            read        ~/tools/true                      EACCES
            exec        ~/work/true                       ok
            ",
        );
    });
}
