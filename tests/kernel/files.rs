//! Files and directory entries in settled directories: each access alone and together.

use crate::support::for_every_user;

#[test]
fn an_allowed_directory_takes_every_operation_on_what_is_in_it() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.install("/usr/bin/true", "~/work/true");
        world.mkdir("~/work/sub");
        world.expect(
            "
            read        ~/work/note                       ok
            change      ~/work/note                       ok
            append      ~/work/note                       ok
            truncate    ~/work/note                       ok
            truncating  ~/work/note                       ok
            directory   ~/work                            ok
            list        ~/work/sub                        empty
            create      ~/work/new                        ok
            create      ~/work/sub/new                    ok
            create      ~/work/new                        EEXIST
            mkdir       ~/work/dir                        ok
            rename      ~/work/new ~/work/newer           ok
            rename      ~/work/newer ~/work/sub/newer     ok
            rename      ~/work/dir ~/work/sub/dir         ok
            exchange    ~/work/sub/new ~/work/note        ok
            link        ~/work/note ~/work/sub/second     ok
            symlink     ~/work/note ~/work/link           ok
            cat         ~/work/link                       empty
            fifo        ~/work/fifo                       ok
            socket      ~/work/socket                     ok
            tmpfile     ~/work                            ok
            tmpfile-named ~/work ~/work/named             ok
            reopen      ~/work/note                       ok
            exec        ~/work/true                       ok
            unlink      ~/work/sub/newer                  ok
            unlink      ~/work/named                      ok
            rmdir       ~/work/sub/dir                    ok
            read        ~/work/sub/newer                  ENOENT
            ",
        );
        assert!(world.has("~/work/sub/second") && !world.has("~/work/dir"));
    });
}

#[test]
fn a_directory_that_nothing_allows_takes_no_operation() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.install("/usr/bin/true", "~/secret/true");
        world.mkdir("~/secret/sub");
        let before = world.tree("~/secret");
        world.expect(
            "
            read        ~/secret/key                      EACCES
            write       ~/secret/key                      EACCES
            change      ~/secret/key                      EACCES
            append      ~/secret/key                      EACCES
            truncate    ~/secret/key                      EACCES
            truncating  ~/secret/key                      EACCES
            directory   ~/secret                          EACCES
            list        ~/secret                          EACCES
            list        ~                                 EACCES
            create      ~/secret/new                      EACCES
            create-or-open ~/secret/key                   EACCES
            mkdir       ~/secret/dir                      EACCES
            rename      ~/secret/key ~/secret/other       EACCES
            rename      ~/secret/key ~/work/key           EACCES
            rename      ~/work/note ~/secret/note         EACCES
            rename      ~/work/note ~/secret/key          EACCES
            exchange    ~/work/note ~/secret/key          EACCES
            link        ~/secret/key ~/work/key           EACCES|EXDEV
            link        ~/work/note ~/secret/note         EACCES|EXDEV
            symlink     x ~/secret/link                   EACCES
            fifo        ~/secret/fifo                     EACCES
            socket      ~/secret/socket                   EACCES
            tmpfile     ~/secret                          EACCES
            tmpfile-named ~/work ~/secret/named           EACCES|EXDEV
            reopen      ~/secret/key                      EACCES
            reopen-for-writing ~/secret/key               EACCES
            exec        ~/secret/true                     EACCES
            unlink      ~/secret/key                      EACCES
            rmdir       ~/secret/sub                      EACCES
            # Names and sizes are not secret, and what does not exist is missing, not denied.
            stat        ~/secret/key                      ok
            path-only   ~/secret/key                      ok
            chdir       ~/secret                          ok
            read        key                               EACCES
            read        ~/secret/none                     ENOENT
            create      ~/secret/key                      EEXIST
            mkdir       ~/secret/sub                      EEXIST
            cat         ~/work/note                       note
            ",
        );
        assert_eq!(world.tree("~/secret"), before);
        assert_eq!(world.read("~/secret/key"), crate::support::CANARY);
    });
}

#[test]
fn the_name_of_an_allowed_directory_cannot_be_removed_moved_or_replaced() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', '~/other']");
        world.mkdir("~/other");
        world.mkdir("~/work/dir");
        world.expect(
            "
            rmdir       ~/other                           EACCES
            rename      ~/other ~/moved                   EACCES
            rename      ~/other ~/work/moved              EACCES
            rename      ~/work/dir ~/other                EACCES
            exchange    ~/work/dir ~/other                EACCES
            rename      ~/work/dir ~/other/dir            ok
            rmdir       ~/other/dir                       ok
            ",
        );
    });
}

#[test]
fn what_may_only_be_read_cannot_be_changed_or_executed() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', { path: '~/data', access: r }]");
        world.write("~/data/file", "data");
        world.install("/usr/bin/true", "~/data/true");
        world.expect(
            "
            cat         ~/data/file                       data
            list        ~/data                            file,true
            write       ~/data/file                       EACCES
            change      ~/data/file                       EACCES
            truncate    ~/data/file                       EACCES
            create      ~/data/new                        EACCES
            mkdir       ~/data/dir                        EACCES
            unlink      ~/data/file                       EACCES
            rename      ~/data/file ~/data/moved          EACCES
            rename      ~/data/file ~/work/moved          EACCES
            rename      ~/work/note ~/data/file           EACCES
            link        ~/data/file ~/work/second         EACCES|EXDEV
            symlink     x ~/data/link                     EACCES
            exec        ~/data/true                       EACCES
            write       ~/work/note                       ok
            ",
        );
        assert_eq!(world.read("~/data/file"), "data");
        assert_eq!(world.tree("~/data").len(), 2);
    });
}

#[test]
fn what_may_only_be_written_cannot_be_read_listed_or_executed() {
    for_every_user(|world| {
        world.policy("allowed_paths: [{ path: '~/drop', access: w }]");
        world.write("~/drop/file", "data");
        world.install("/usr/bin/true", "~/drop/true");
        world.expect(
            "
            write       ~/drop/file                       ok
            read        ~/drop/file                       EACCES
            change      ~/drop/file                       EACCES
            list        ~/drop                            EACCES
            exec        ~/drop/true                       EACCES
            create      ~/drop/new                        ok
            mkdir       ~/drop/dir                        ok
            rename      ~/drop/new ~/drop/dir/new         ok
            unlink      ~/drop/dir/new                    ok
            truncate    ~/drop/file                       ok
            ",
        );
        assert_eq!(world.read("~/drop/file"), "");
    });
}

#[test]
fn execution_needs_x_and_x_gives_no_right_to_write() {
    for_every_user(|world| {
        world.policy(
            "allowed_paths: [{ path: '~/tools', access: rx }, { path: '~/work', access: rw }]",
        );
        world.install("/usr/bin/true", "~/tools/true");
        world.install("/usr/bin/true", "~/work/true");
        world.script("~/tools/script", "#!/bin/sh\nexit 0\n");
        world.script("~/work/script", "#!/bin/sh\nexit 0\n");
        world.expect(
            "
            exec        ~/tools/true                      ok
            exec        ~/tools/script                    ok
            exec        ~/work/true                       EACCES
            exec        ~/work/script                     EACCES
            read        ~/work/true                       ok
            write       ~/work/true                       ok
            write       ~/tools/true                      EACCES
            create      ~/tools/new                       EACCES
            unlink      ~/tools/true                      EACCES
            # Moving a program to where it may run would be a gain.
            rename      ~/work/true ~/tools/other         EACCES
            link        ~/work/true ~/tools/other         EACCES|EXDEV
            ",
        );
    });
}

#[test]
fn no_file_is_moved_or_linked_to_where_it_may_do_more() {
    for_every_user(|world| {
        world.policy(
            "allowed_paths: [{ path: '~/drop', access: w }, { path: '~/work', access: rwx }]",
        );
        world.write("~/drop/file", "data");
        world.mkdir("~/drop/dir");
        world.expect(
            "
            rename      ~/drop/file ~/work/file           EXDEV
            link        ~/drop/file ~/work/file           EXDEV
            rename      ~/drop/dir ~/work/dir             EXDEV
            exchange    ~/drop/file ~/work/note           EXDEV
            read        ~/drop/file                       EACCES
            rename      ~/work/note ~/drop/note           ok
            ",
        );
    });
}

#[test]
fn device_nodes_are_never_made() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.expect(
            "
            device      ~/work/null char                  EACCES
            device      ~/work/disk block                 EACCES
            fifo        ~/work/fifo                       ok
            ",
        );
        assert!(!world.has("~/work/null") && !world.has("~/work/disk"));
    });
}
