//! `open`, `creat`, `openat`, `openat2`: reading, writing, creating, and files without a name.

use crate::site::{BY_AT, BY_LINK, BY_PATH, for_every_user_in_the_site};
use crate::support::{CANARY, World};
use crate::table::rows;

/// One row for each call that can open with these flags, and each form.
fn opens(path: &str, flags: &str, forms: &[&[&str]], outcome: &str) -> String {
    let mut table = String::new();
    for forms in forms {
        let is_at = forms == &BY_AT;
        if !is_at {
            table.push_str(&rows("open", forms, &format!("{path} {flags} 0600 {outcome}")));
        }
        table.push_str(&rows("openat", forms, &format!("{path} {flags} 0600 {outcome}")));
        let mode =
            if flags.contains("O_CREAT") || flags.contains("O_TMPFILE") { "0600" } else { "0" };
        table.push_str(&rows("openat2", forms, &format!("{path} {flags},{mode},0 {outcome}")));
    }
    table
}

const FOLLOWING: &[&[&str]] = &[BY_PATH, BY_LINK, BY_AT];
const BY_NAME: &[&[&str]] = &[BY_PATH, BY_AT];

#[test]
fn a_blocked_file_is_opened_by_no_call_in_no_form() {
    for_every_user_in_the_site(|world| {
        let directories = ["~/work/closed", "~/work/wild", "~/work/fixed", "~/work/blind"];
        for path in ["~/work/closed/file", "~/work/wild/.env"] {
            let mut table = String::new();
            for flags in [
                "O_RDONLY",
                "O_WRONLY",
                "O_RDWR",
                "O_WRONLY|O_APPEND",
                "O_WRONLY|O_TRUNC",
                "O_RDONLY|O_TRUNC",
            ] {
                table.push_str(&opens(path, flags, FOLLOWING, "EACCES"));
            }
            table.push_str(&opens(path, "O_WRONLY|O_CREAT", BY_NAME, "EACCES"));
            table.push_str(&opens(path, "O_RDONLY|O_NOFOLLOW", BY_NAME, "EACCES"));
            table.push_str(&rows("creat", BY_PATH, &format!("{path} 0600 EACCES")));
            world.answers_and_leaves(&directories, &table);
        }
        let mut table = String::new();
        for flags in ["O_WRONLY", "O_RDWR", "O_WRONLY|O_TRUNC", "O_RDONLY|O_TRUNC"] {
            table.push_str(&opens("~/work/fixed/file", flags, FOLLOWING, "EACCES"));
        }
        for flags in ["O_RDONLY", "O_RDWR"] {
            table.push_str(&opens("~/work/blind/file", flags, FOLLOWING, "EACCES"));
        }
        for path in ["~/work/closed", "~/work/closed/sub", "~/work/blind"] {
            table.push_str(&opens(path, "O_RDONLY|O_DIRECTORY", FOLLOWING, "EACCES"));
        }
        world.answers_and_leaves(&directories, &table);
        assert_eq!(world.read("~/work/closed/file"), CANARY);
    });
}

#[test]
fn an_allowed_file_is_opened_by_every_call_in_every_form() {
    for_every_user_in_the_site(|world| {
        let mut table = String::new();
        for flags in ["O_RDONLY", "O_RDWR", "O_WRONLY|O_APPEND"] {
            table.push_str(&opens("~/work/open/file", flags, FOLLOWING, "ok"));
            table.push_str(&opens("~/work/wild/file", flags, FOLLOWING, "ok"));
        }
        table.push_str(&opens("~/work/fixed/file", "O_RDONLY", FOLLOWING, "ok"));
        table.push_str(&opens("~/work/blind/file", "O_WRONLY", FOLLOWING, "ok"));
        for path in ["~/work", "~/work/open", "~/work/wild", "~/work/fixed"] {
            table.push_str(&opens(path, "O_RDONLY|O_DIRECTORY", FOLLOWING, "ok"));
        }
        table.push_str(&opens("~/work/open/file", "O_WRONLY|O_CREAT", BY_NAME, "ok"));
        table.push_str(&opens("~/work/open/file", "O_WRONLY|O_TRUNC", FOLLOWING, "ok"));
        table.push_str(&rows("creat", BY_PATH, "~/work/open/file 0600 ok"));
        // Names and sizes are not secret.
        for path in ["~/work/closed", "~/work/closed/file", "~/work/wild/.env", "~/work/blind/file"]
        {
            // In a loose directory the flags of openat2, which are in memory, cannot be trusted (docs/kernel.md).
            let row = |row: &str| match row.starts_with("openat2") {
                true => format!("{row}|ENOSYS\n"),
                false => format!("{row}\n"),
            };
            let all = opens(path, "O_PATH", &[BY_PATH, BY_AT], "ok");
            table.extend(all.lines().map(row));
            table.push_str(&format!(
                "stat {path} 100644:{}|40755:4096|40755:100|100644:5\n",
                CANARY.len()
            ));
        }
        world.answers(&table);
        assert_eq!(world.read("~/work/open/file"), "");
        assert_eq!(world.read("~/work/wild/file"), "wild");
    });
}

/// Makes a file by every call and form, each under a name of its own, and removes it again.
fn creations(directory: &str, name: &str, flags: &str, outcome: &str) -> String {
    let path = format!("{directory}/{name}");
    let all = opens(&path, flags, BY_NAME, outcome)
        + &rows("creat", BY_PATH, &format!("{path} 0600 {outcome}"));
    let unlink = format!("unlinkat {path} 0 {}", if outcome == "ok" { "ok" } else { "ENOENT" });
    all.lines().map(|row| format!("{row}\n{unlink}\n")).collect()
}

#[test]
fn a_file_is_made_where_it_may_be_written_and_nowhere_else() {
    for_every_user_in_the_site(|world| {
        let denied = [
            creations("~/work/closed", "new", "O_WRONLY|O_CREAT|O_EXCL", "EACCES"),
            creations("~/work/closed/sub", "new", "O_WRONLY|O_CREAT", "EACCES"),
            creations("~/work/fixed", "new", "O_RDONLY|O_CREAT", "EACCES"),
            creations("~/work", "late", "O_WRONLY|O_CREAT|O_EXCL", "EACCES"),
            creations("~/work/open", ".env", "O_WRONLY|O_CREAT|O_TRUNC", "EACCES"),
        ];
        let directories = ["~/work/closed", "~/work/fixed", "~/work/open"];
        world.answers_and_leaves(&directories, &denied.concat());
        let allowed = [
            creations("~/work/open", "new", "O_WRONLY|O_CREAT|O_EXCL", "ok"),
            creations("~/work/open/sub", ".envrc", "O_RDWR|O_CREAT", "ok"),
            creations("~/work", "later", "O_RDONLY|O_CREAT|O_EXCL", "ok"),
            creations("~/work/blind", "new", "O_WRONLY|O_CREAT|O_EXCL", "ok"),
        ];
        world.answers(&allowed.concat());
    });
}

#[test]
fn a_mode_that_reads_asks_for_r_on_the_new_name_too() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/blind"],
            "
            openat      ~/work/blind/new O_RDWR|O_CREAT 0600 EACCES
            openat      ~/work/blind/new O_RDONLY|O_CREAT 0600 EACCES
            openat2     ~/work/blind/new O_RDWR|O_CREAT,0600,0 EACCES
            ",
        );
        world.answers(
            "
            openat      ~/work/blind/new O_WRONLY|O_CREAT 0600 ok
            openat      ~/work/open/new O_RDWR|O_CREAT 0600 ok
            ",
        );
    });
}

#[test]
fn a_link_leads_where_it_leads_whatever_its_own_name_may() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/closed"],
            "
            openat      ~/work/open/to-closed O_RDONLY 0  EACCES
            openat      ~/work/open/to-closed O_RDWR 0    EACCES
            openat@at   ~/work/open/to-closed O_WRONLY|O_TRUNC 0 EACCES
            openat      ~/work/open/to-closed O_RDONLY|O_NOFOLLOW 0 ELOOP
            openat      ~/work/open/to-closed O_WRONLY|O_CREAT|O_EXCL 0600 EEXIST
            openat      ~/work/open/to-directory O_RDONLY 0 EACCES
            openat      ~/work/open/to-directory/file O_RDONLY 0 EACCES
            openat      ~/work/open/to-directory/none O_RDONLY 0 ENOENT
            openat      ~/work/open/to-directory/new O_WRONLY|O_CREAT 0600 EACCES
            openat@at   ~/work/open/to-directory/new O_WRONLY|O_CREAT 0600 EACCES
            openat2@cwd ~/work/open/to-directory/new O_WRONLY|O_CREAT,0600,0 EACCES
            openat      ~/work/open/to-late O_RDONLY 0    ENOENT
            openat      ~/work/open/to-late O_WRONLY|O_CREAT 0600 EACCES
            openat      ~/work/open/to-late O_WRONLY|O_CREAT|O_EXCL 0600 EEXIST
            openat2     ~/work/open/to-closed O_RDONLY,0,RESOLVE_NO_SYMLINKS ELOOP
            openat2     ~/work/open/to-closed O_RDONLY,0,RESOLVE_BENEATH EXDEV
            openat2@at  ~/work/open/to-closed O_RDONLY,0,RESOLVE_BENEATH EXDEV
            readlink    ~/work/open/to-closed             ../closed/file
            readlink    ~/work/closed/link                file
            cat         ~/work/open/link                  open
            ",
        );
        // A link in a blocked directory to an allowed file is followed: the real path counts.
        world.symlink("../open/file", "~/work/closed/out");
        world.answers("cat ~/work/closed/out open\nopenat ~/work/closed/out O_WRONLY 0 ok");
    });
}

#[test]
fn what_is_missing_or_malformed_is_told_before_what_is_denied() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/closed"],
            "
            openat      ~/work/closed/none O_RDONLY 0     ENOENT
            openat      ~/work/late O_RDWR 0              ENOENT
            openat      ~/work/closed/none/x O_WRONLY|O_CREAT 0600 ENOENT
            openat      ~/work/closed/file/x O_RDONLY 0   ENOTDIR
            openat      ~/work/closed/file/ O_RDONLY 0    ENOTDIR
            openat      ~/work/closed/file O_RDONLY|O_DIRECTORY 0 ENOTDIR
            openat      ~/work/closed/link O_RDONLY|O_NOFOLLOW 0 ELOOP
            openat      ~/work/closed/file O_WRONLY|O_CREAT|O_EXCL 0600 EEXIST
            openat      ~/work/closed O_WRONLY 0          EISDIR|EACCES
            openat      @null O_RDONLY 0                  EFAULT
            openat      @empty O_RDONLY 0                 ENOENT
            openat@cut  ~/work/closed/file O_RDONLY 0     EFAULT
            openat@fd:77 file O_RDONLY 0                  EBADF
            openat2     ~/work/closed/file 0x80000000,0,0 EINVAL
            openat2     ~/work/closed/file O_RDONLY,0600,0 EINVAL
            openat2     ~/work/closed/file O_RDONLY,0,0x8000 EINVAL
            openat2     ~/work/closed/file O_RDONLY,0,0,8 EINVAL
            ",
        );
    });
}

#[test]
fn a_file_without_a_name_is_made_where_files_may_be_made_and_named_where_they_may_be() {
    for_every_user_in_the_site(|world| {
        let mut table = String::new();
        for path in
            ["~/work/closed", "~/work/closed/sub", "~/work/fixed", "~/work/open/to-directory"]
        {
            table.push_str(&opens(path, "O_TMPFILE|O_WRONLY", FOLLOWING, "EACCES"));
            table.push_str(&opens(path, "O_TMPFILE|O_RDWR", FOLLOWING, "EACCES"));
        }
        let directories = ["~/work/closed", "~/work/fixed"];
        world.answers_and_leaves(&directories, &table);
        world.answers_and_leaves(
            &directories,
            &(opens("~/work/open", "O_TMPFILE|O_RDWR", FOLLOWING, "ok")
                + "
            openat      ~/work/open O_TMPFILE|O_RDWR 0600 >a ok
            write       %a text                           ok
            linkat@fd:%a,path @empty ~/work/closed/new 0  EACCES
            linkat@fd:%a,path @empty ~/work/open/.env 0   EACCES
            linkat      /proc/self/fd/%a ~/work/late AT_SYMLINK_FOLLOW EACCES
            linkat      /proc/self/fd/%a ~/work/fixed/new AT_SYMLINK_FOLLOW EACCES
            linkat      /proc/self/fd/%a ~/work/open/file AT_SYMLINK_FOLLOW EEXIST
            linkat      /proc/self/fd/%a ~/work/open/named AT_SYMLINK_FOLLOW ok
            cat         ~/work/open/named                 text
            openat      ~/work/open O_TMPFILE|O_WRONLY|O_EXCL 0600 >b ok
            linkat      /proc/self/fd/%b ~/work/open/never AT_SYMLINK_FOLLOW ENOENT
            "),
        );
        assert!(!world.has("~/work/open/.env") && !world.has("~/work/open/never"));
    });
}

#[test]
fn what_is_made_after_the_start_is_judged_by_its_name() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            mkdir       ~/work/open/new 0755              ok
            openat      ~/work/open/new/.env O_WRONLY|O_CREAT 0600 EACCES
            mkdir       ~/work/open/new/.env 0755         EACCES
            openat      ~/work/open/new/file O_WRONLY|O_CREAT 0600 ok
            put         ~/work/open/new/file text         ok
            cat         ~/work/open/new/file              text
            ",
        );
        outsider_makes(&world);
        world.answers_and_leaves(
            &["~/work/late", "~/work/open/new/.env"],
            "
            openat      ~/work/late O_RDONLY 0            EACCES
            openat      ~/work/late/file O_RDONLY 0       EACCES
            openat      ~/work/late/file O_WRONLY 0       EACCES
            openat      ~/work/open/to-late/file O_RDONLY 0 EACCES
            openat      ~/work/open/new/.env/file O_RDONLY 0 EACCES
            list        ~/work/open/new                   .env,file
            ",
        );
    });
}

fn outsider_makes(world: &World) {
    world.write("~/work/late/file", CANARY);
    world.write("~/work/open/new/.env/file", CANARY);
}
