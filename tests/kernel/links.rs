//! Symbolic and hard links, links of /proc, and links that an earlier run of the target left for the next start.

use crate::support::{CANARY, for_every_user};

#[test]
fn a_symbolic_link_opens_only_what_its_target_may() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', { path: '~/data', access: r }]");
        world.write("~/data/file", "data");
        world.symlink("~/secret/key", "~/work/to-key");
        world.symlink("~/secret", "~/work/to-secret");
        world.symlink("../secret/new", "~/work/dangling");
        world.symlink("~/data", "~/work/to-data");
        world.symlink("~/work/note", "~/secret/to-note");
        world.expect(
            "
            read        ~/work/to-key                     EACCES
            write       ~/work/to-key                     EACCES
            truncate    ~/work/to-key                     EACCES
            read        ~/work/to-secret/key              EACCES
            list        ~/work/to-secret                  EACCES
            create      ~/work/to-secret/new              EACCES
            unlink      ~/work/to-secret/key              EACCES
            create-or-open ~/work/dangling                EACCES
            read        ~/work/dangling                   ENOENT
            nofollow    ~/work/to-key                     ELOOP
            readlink    ~/work/to-key                     {home}/secret/key
            cat         ~/work/to-data/file               data
            write       ~/work/to-data/file               EACCES
            cat         ~/secret/to-note                  note
            # A link is an entry of its own directory.
            unlink      ~/work/to-key                     ok
            unlink      ~/secret/to-note                  EACCES
            symlink     ~/secret/key ~/work/made          ok
            read        ~/work/made                       EACCES
            ",
        );
        assert!(!world.has("~/secret/new"));
        assert_eq!(world.read("~/secret/key"), CANARY);
    });
}

#[test]
fn a_hard_link_cannot_be_made_from_outside() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', { path: '~/data', access: r }]");
        world.write("~/data/file", "data");
        world.expect(
            "
            link        ~/secret/key ~/work/key           EACCES|EXDEV
            link        ~/data/file ~/work/file           EACCES|EXDEV
            link        ~/work/note ~/work/second         ok
            cat         ~/work/second                     note
            ",
        );
        assert!(!world.has("~/work/key") && !world.has("~/work/file"));
    });
}

#[test]
fn links_of_proc_lead_where_the_path_itself_leads() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.expect(
            "
            read        /proc/self/root{home}/secret/key  EACCES
            read        /proc/self/cwd/../secret/key      EACCES
            read        /proc/self/task/{self}/root{home}/secret/key EACCES
            read        /proc/thread-self/root{home}/secret/key EACCES
            list        /proc/self/root{home}/secret      EACCES
            create      /proc/self/root{home}/secret/new  EACCES
            reopen      ~/secret/key                      EACCES
            reopen-for-writing ~/secret/key               EACCES
            cat         /proc/self/root{home}/work/note   note
            cat         /proc/self/cwd/note               note
            reopen      ~/work/note                       ok
            ",
        );
    });
}

/// SPEC section 3: a literal front is canonicalised without following links that the target could change.
#[test]
fn a_link_that_the_target_may_have_planted_is_not_followed_at_the_next_start() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', '~/work/in/out']");
        world.write("~/secret/out/key", CANARY);
        world.symlink("~/secret", "~/work/in");
        world.expect_in_kernel_mode(
            "
            read        ~/secret/out/key                  EACCES
            read        ~/work/in/out/key                 EACCES
            write       ~/work/in/out/key                 EACCES
            create      ~/work/in/out/new                 EACCES
            list        ~/secret/out                      EACCES
            read        ~/work/note                       ok
            ",
        );
        assert!(!world.has("~/secret/out/new"));
    });
}

#[test]
fn a_planted_link_as_the_allowed_path_itself_is_not_followed() {
    for_every_user(|world| {
        world
            .policy("allowed_paths: ['~/work', '~/work/out', { path: '~/work/file', access: rw }]");
        world.symlink("~/secret", "~/work/out");
        world.symlink("~/secret/key", "~/work/file");
        world.expect_in_kernel_mode(
            "
            read        ~/work/out/key                    EACCES
            read        ~/secret/key                      EACCES
            read        ~/work/file                       EACCES
            write       ~/work/file                       EACCES
            read        ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn no_directory_is_made_through_a_planted_link() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', '~/work/in/new/']");
        world.symlink("~/secret", "~/work/in");
        let before = world.tree("~/secret");
        world.confined().args(["--mode", "kernel"]).command(["true"]);
        assert_eq!(world.tree("~/secret"), before, "something was made where the link leads");
    });
}

#[test]
fn a_link_that_the_target_cannot_change_is_followed() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/link/open']");
        world.write("~/real/open/file", "open");
        world.write("~/real/closed/file", CANARY);
        world.symlink("~/real", "~/link");
        world.expect(
            "
            cat         ~/link/open/file                  open
            cat         ~/real/open/file                  open
            create      ~/link/open/new                   ok
            read        ~/link/closed/file                EACCES
            read        ~/real/closed/file                EACCES
            ",
        );
    });
}

#[test]
fn a_link_in_a_directory_of_everybody_is_nobodys_word() {
    for_every_user(|world| {
        world.mkdir("~/public");
        world.chmod("~/public", 0o1777);
        world.symlink("~/secret", "~/public/link");
        world.policy("allowed_paths: ['~/work', '~/public/link']");
        world.expect_in_kernel_mode(
            "
            read        ~/public/link/key                 EACCES
            read        ~/secret/key                      EACCES
            read        ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn a_blocked_path_that_is_a_link_blocks_the_link_and_its_target() {
    for_every_user(|world| {
        world.write("~/work/real/key", CANARY);
        world.symlink("real", "~/work/link");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/link']");
        world.expect_in_kernel_mode(
            "
            read        ~/work/link/key                   EACCES
            read        ~/work/real/key                   EACCES
            unlink      ~/work/link                       EACCES
            rename      ~/work/link ~/work/other          EACCES
            cat         ~/work/note                       note
            ",
        );
    });
}
