//! Pinned directories: those that an exact allowed rule or `$PWD` names, and those on the way to one.

use crate::support::for_every_user;

#[test]
fn a_pinned_directory_keeps_its_name_and_its_place() {
    for_every_user(|world| {
        world.write("~/work/a/b/file", "file");
        world.mkdir("~/work/other");
        world.mkdir("~/work/free");
        world.policy("allowed_paths: ['~/work', '~/work/a/b', '~/work/tree/**', '~/work/gone']");
        world.mkdir("~/work/tree");
        world.answers_and_leaves(
            &["~/work/a", "~/work/other"],
            "
            rename      ~/work/a/b ~/work/a/c             EACCES
            rename      ~/work/a/b ~/work/a/b             EACCES
            rename      ~/work/a ~/work/z                 EACCES
            rename      ~/work/a ~/work/a                 EACCES
            rename      ~/work ~/elsewhere                EACCES
            renameat2@at ~/work/a/b ~/work/a/c 0          EACCES
            rename@within,within ~/work/a/b ~/work/a/c    EACCES
            renameat2   ~/work/a/b ~/work/other RENAME_EXCHANGE EACCES
            renameat2   ~/work/other ~/work/a/b RENAME_EXCHANGE EACCES
            renameat2   ~/work/other ~/work/a RENAME_EXCHANGE EACCES
            renameat2   ~/work/a ~/work/a/b RENAME_EXCHANGE EINVAL
            rename      ~/work/a ~/work/a/b/c           EINVAL
            rename      ~/work/other ~/work/a/b           EACCES|ENOTEMPTY
            rmdir       ~/work/a/b                        EACCES
            unlinkat@at ~/work/a AT_REMOVEDIR             EACCES
            # No link at a name that the next start would follow.
            symlink     other ~/work/gone                 EACCES
            ",
        );
        world.answers(
            "
            # What is in it, beside it, or was only named with a wildcard moves.
            rename      ~/work/a/b/file ~/work/a/b/moved  ok
            mkdir       ~/work/a/c 0755                   ok
            rename      ~/work/a/c ~/work/c               ok
            rename      ~/work/tree ~/work/wood           ok
            rename      ~/work/other ~/work/another       ok
            mkdir       ~/work/gone 0755                  ok
            rmdir       ~/work/gone                       EACCES
            rename      ~/work/free ~/work/gone           EACCES
            symlink     other ~/work/here                 ok
            rename      ~/work/here ~/work/gone           EACCES|EISDIR
            ",
        );
    });
}

#[test]
fn the_working_directory_of_the_start_is_pinned_where_the_policy_names_it() {
    for_every_user(|world| {
        world.mkdir("~/work/project");
        world.mkdir("~/work/beside");
        world.policy("allowed_paths: ['~/work', '$PWD']");
        let script =
            "mv ../project ../elsewhere; rmdir ../project; mv ../beside ../moved && echo moved";
        let ran = world
            .confined()
            .args(["--mode", "supervised"])
            .cwd("~/work/project")
            .command(["sh", "-c", script])
            .works();
        assert_eq!(ran.stdout, "moved\n");
        assert_eq!(ran.stderr.matches("Permission denied").count(), 2, "{ran:#?}");
        assert!(world.has("~/work/project"));
    });
}
