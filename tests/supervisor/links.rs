//! Hard links: `w` on both names, and nothing gained by the second.

use crate::site::{BY_PATH, for_every_user_in_the_site};
use crate::support::{CANARY, for_every_user};

fn links(old: &str, new: &str, outcome: &str) -> String {
    let mut table = String::new();
    for form in BY_PATH {
        let form = match *form {
            "cwd" | "magic" => format!("path,{form}"),
            form => format!("{form},{form}"),
        };
        table.push_str(&format!("link@{form} {old} {new} {outcome}\n"));
        table.push_str(&format!("linkat@{form} {old} {new} 0 {outcome}\n"));
    }
    for form in ["at,at", "high,high"] {
        table.push_str(&format!("linkat@{form} {old} {new} 0 {outcome}\n"));
    }
    // By way of a descriptor.
    table.push_str(&format!("linkat@proc-fd,path {old} {new} AT_SYMLINK_FOLLOW {outcome}\n"));
    table.push_str(&format!("linkat@thread-fd,at {old} {new} AT_SYMLINK_FOLLOW {outcome}\n"));
    table
}

#[test]
fn a_blocked_file_gets_no_second_name_and_a_blocked_name_no_file() {
    for_every_user_in_the_site(|world| {
        let denied = [
            ("~/work/closed/file", "~/work/open/taken"),
            ("~/work/wild/.env", "~/work/wild/env"),
            ("~/work/wild/.env", "~/work/open/.env"),
            ("~/work/fixed/file", "~/work/open/taken"),
            ("~/work/open/file", "~/work/closed/new"),
            ("~/work/open/file", "~/work/open/.env"),
            ("~/work/open/file", "~/work/late"),
            ("~/work/open/file", "~/work/fixed/new"),
        ];
        let table: String = denied.iter().map(|(old, new)| links(old, new, "EACCES")).collect();
        let directories = ["~/work/closed", "~/work/wild", "~/work/fixed", "~/work/open"];
        world.answers_and_leaves(&directories, &table);
        let denied = "
            linkat@empty,path ~/work/closed/file ~/work/open/taken 0 EACCES|ENOENT
            linkat@r-empty,path ~/work/fixed/file ~/work/open/taken 0 EACCES|ENOENT
            linkat@r-proc,path ~/work/fixed/file ~/work/open/taken AT_SYMLINK_FOLLOW EACCES
            linkat      ~/work/open/to-closed ~/work/open/taken AT_SYMLINK_FOLLOW EACCES
            ";
        world.answers_and_leaves(&directories, denied);
    });
}

#[test]
fn an_allowed_file_gets_a_second_name_by_every_call() {
    for_every_user_in_the_site(|world| {
        let table = links("~/work/open/file", "~/work/wild/second", "ok");
        let table: String =
            table.lines().map(|row| format!("{row}\nunlinkat ~/work/wild/second 0 ok\n")).collect();
        world.answers(&table);
        world.answers(
            "
            linkat      ~/work/open/link ~/work/open/link-too 0 ok
            readlink    ~/work/open/link-too              file
            linkat      ~/work/open/link ~/work/open/file-too AT_SYMLINK_FOLLOW ok
            cat         ~/work/open/file-too              open
            linkat      ~/work/open/to-closed ~/work/open/same 0 ok
            readlink    ~/work/open/same                  ../closed/file
            linkat      ~/work/open/file ~/work/open/file-too 0 EEXIST
            linkat      ~/work/open/none ~/work/open/x 0  ENOENT
            linkat      ~/work/closed/none ~/work/open/x 0 ENOENT
            linkat      ~/work/open/file ~/work/closed/file 0 EEXIST
            linkat      ~/work/open/sub ~/work/open/x 0   EPERM
            linkat      ~/work/open/file ~/work/open/x 0x80 EINVAL
            linkat      @null ~/work/open/x 0             EFAULT
            link        ~/work/open/file ~/work/none/x    ENOENT
            link        ~/work/open/file ~/work/open/file/x ENOTDIR
            ",
        );
    });
}

#[test]
fn no_access_is_gained_by_a_second_name() {
    for_every_user(|world| {
        world.write("~/work/.env", CANARY);
        world.write("~/work/blind/key", CANARY);
        world.write("~/work/tools/run", "#!/bin/sh\n");
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: [{ path: '**/.env', access: r }, { path: '~/work/blind', access: r }, { path: '~/work/tools', access: x }]",
        );
        let gains = [
            links("~/work/.env", "~/work/env", "EXDEV"),
            links("~/work/blind/key", "~/work/key", "EXDEV"),
            links("~/work/tools/run", "~/work/run", "EXDEV"),
        ];
        world.answers_and_leaves(&["~/work"], &gains.concat());
        world.answers(
            "
            link        ~/work/blind/key ~/work/blind/two ok
            link        ~/work/.env ~/work/blind/.env     ok
            ",
        );
    });
}

/// Somebody outside may put a secret into what has a blocked name.
#[test]
fn what_has_a_blocked_name_has_no_other_that_allows_more() {
    for_every_user(|world| {
        world.write("~/work/tools/run", "#!/bin/sh\n");
        world.write("~/work/blind/key", CANARY);
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: [{ path: '**/.env', access: r }, { path: '~/work/blind', access: r }, { path: '~/work/tools', access: x }]",
        );
        let kept = [
            links("~/work/note", "~/work/.env", "EXDEV"),
            links("~/work/note", "~/work/blind/note", "EXDEV"),
        ];
        world.answers_and_leaves(&["~/work"], &kept.concat());
        world.answers(
            "
            # What may be read there can be copied and executed here.
            link        ~/work/note ~/work/tools/note     ok
            unlink      ~/work/tools/note                 ok
            link        ~/work/note ~/work/second         ok
            rename      ~/work/second ~/work/.env         EXDEV
            rename      ~/work/second ~/work/third        ok
            unlink      ~/work/note                       ok
            rename      ~/work/third ~/work/.env          ok
            openat      ~/work/.env O_RDONLY 0            EACCES
            ",
        );
    });
}
