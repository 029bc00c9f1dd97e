//! "Errors of arguments, path resolution and existence come before" a denial (SPEC section 5), also where a slash or an odd
//! mode stands in the way. Each of these was found by the oracle.

use crate::support::for_every_user;

#[test]
fn what_the_kernel_sees_before_it_looks_at_permissions_comes_before_a_denial() {
    for_every_user(|world| {
        world.write("~/work/closed/file", "closed");
        world.mkdir("~/work/closed/dir/sub");
        world.symlink("dir", "~/work/closed/link");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/closed']");
        world.answers_and_leaves(
            &["~/work/closed"],
            "
            mkdir       ~/work/closed/file/ 0755          EEXIST
            mkdir       ~/work/closed/link/ 0755          EEXIST
            mkdir       ~/work/closed/new/ 0755           EACCES
            mknod       ~/work/closed/file/ S_IFIFO|0600 0 EEXIST
            mknod       ~/work/closed/new/ S_IFIFO|0600 0 ENOENT
            symlink     x ~/work/closed/new/              ENOENT
            link        ~/work/closed/file ~/work/closed/new/ ENOENT
            bind        SOCK_STREAM ~/work/closed/file    EADDRINUSE
            bind        SOCK_STREAM ~/work/closed/new/    ENOENT
            unlink      ~/work/closed/file/               ENOTDIR
            unlink      ~/work/closed/link/               ENOTDIR
            rename      ~/work/closed/file/ ~/work/closed/x ENOTDIR
            rename      ~/work/closed/file ~/work/closed/x/ ENOTDIR
            rename      ~/work/closed/dir ~/work/closed/dir/sub/x EINVAL
            renameat2   ~/work/closed/dir/sub ~/work/closed/dir RENAME_EXCHANGE EINVAL|ENOTEMPTY|EACCES
            ",
        );
    });
}

#[test]
fn a_pin_holds_directories_only() {
    for_every_user(|world| {
        world.write("~/work/a", "a file, where a rule speaks of something in a directory");
        world.mkdir("~/work/dir");
        world.policy("allowed_paths: ['~/work', '~/work/a/b', '~/work/later']");
        world.answers(
            "
            rmdir       ~/work/a                          ENOTDIR
            # Nothing is replaced: like mkdir.
            rename      ~/work/dir ~/work/later           ok|EXDEV
            ",
        );
    });
}

#[test]
fn a_link_that_stays_where_it_is_leads_nobody_astray() {
    for_every_user(|world| {
        world.symlink("none", "~/work/a");
        world.policy(
            "allowed_paths: ['~/work']\nblocked_paths: [{ path: '~/work/[a-s]/x/y', access: rw }]",
        );
        world.answers(
            "
            renameat2   ~/work/a ~/work/a RENAME_EXCHANGE ok
            rename      ~/work/a ~/work/a                 ok
            rename      ~/work/a ~/work/b                 EACCES
            ",
        );
    });
}

#[test]
fn access_to_an_object_without_a_name_is_answered_as_opening_it_again_would_be() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: [{ path: '**/.env', access: r }]");
        world.answers(
            "
            openat      ~/work/gone O_WRONLY|O_CREAT 0600 >a ok
            unlink      ~/work/gone                       ok
            openat      /proc/self/fd/%a O_RDONLY 0       EACCES
            access      /proc/self/fd/%a R_OK             EACCES
            openat      /proc/self/fd/%a O_WRONLY 0       ok
            access      /proc/self/fd/%a W_OK             ok
            ",
        );
    });
}
