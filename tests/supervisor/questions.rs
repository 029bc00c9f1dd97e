//! `access` and its kin, answered as the operation would be, and `inotify_add_watch`, which reads.

use crate::site::{BY_AT, BY_LINK, BY_PATH, for_every_user_in_the_site};
use crate::table::rows;

fn questions(path: &str, mode: &str, outcome: &str) -> String {
    let mut table = String::new();
    for forms in [BY_PATH, BY_LINK] {
        table.push_str(&rows("access", forms, &format!("{path} {mode} {outcome}")));
    }
    for forms in [BY_PATH, BY_LINK, BY_AT] {
        table.push_str(&rows("faccessat", forms, &format!("{path} {mode} {outcome}")));
        table.push_str(&rows("faccessat2", forms, &format!("{path} {mode} 0 {outcome}")));
        table.push_str(&rows("faccessat2", forms, &format!("{path} {mode} AT_EACCESS {outcome}")));
    }
    table + &rows("faccessat2", &["empty"], &format!("{path} {mode} 0 {outcome}"))
}

#[test]
fn a_question_is_answered_as_the_operation_would_be() {
    for_every_user_in_the_site(|world| {
        let mut table = String::new();
        for path in ["~/work/closed/file", "~/work/wild/.env"] {
            for mode in ["R_OK", "W_OK", "R_OK|W_OK"] {
                table.push_str(&questions(path, mode, "EACCES"));
            }
        }
        table.push_str(&questions("~/work/closed", "R_OK|X_OK", "EACCES"));
        table.push_str(&questions("~/work/fixed/file", "W_OK", "EACCES"));
        table.push_str(&questions("~/work/fixed/file", "R_OK|W_OK", "EACCES"));
        table.push_str(&questions("~/work/blind/file", "R_OK", "EACCES"));
        world.answers_and_leaves(&["~/work"], &table);
    });
}

#[test]
fn a_question_about_an_allowed_file_or_about_existence_is_answered_by_the_kernel() {
    for_every_user_in_the_site(|world| {
        let mut table = String::new();
        table.push_str(&questions("~/work/open/file", "R_OK|W_OK", "ok"));
        table.push_str(&questions("~/work/open", "R_OK|W_OK|X_OK", "ok"));
        table.push_str(&questions("~/work/fixed/file", "R_OK", "ok"));
        table.push_str(&questions("~/work/blind/file", "W_OK", "ok"));
        for path in ["~/work/closed/file", "~/work/closed", "~/work/wild/.env"] {
            table.push_str(&questions(path, "F_OK", "ok"));
        }
        world.answers(&table);
        world.answers(
            "
            # The kernel's own reasons: no execute bit, no permission bits, nothing there.
            faccessat   ~/work/open/file X_OK             EACCES
            chmod       ~/work/open/sub/file 0            ok
            faccessat   ~/work/open/sub/file R_OK         EACCES
            faccessat   ~/work/closed/none R_OK           ENOENT
            faccessat   ~/work/late F_OK                  ENOENT
            faccessat   ~/work/late W_OK                  ENOENT
            faccessat   ~/work/closed/file/x R_OK         ENOTDIR
            faccessat   ~/work/open/to-closed R_OK        EACCES
            faccessat2  ~/work/open/to-closed R_OK AT_SYMLINK_NOFOLLOW ok
            faccessat2  ~/work/closed/link R_OK AT_SYMLINK_NOFOLLOW EACCES
            faccessat   @null R_OK                        EFAULT
            faccessat   ~/work/closed/file 0x10           EINVAL
            faccessat2  ~/work/closed/file R_OK 0x40000000 EINVAL
            faccessat@fd:77 file R_OK                     EBADF
            ",
        );
    });
}

#[test]
fn only_what_may_be_read_is_watched() {
    for_every_user_in_the_site(|world| {
        let forms: Vec<&str> = [BY_PATH, BY_LINK].concat();
        let mut table = String::new();
        for path in [
            "~/work/closed",
            "~/work/closed/file",
            "~/work/wild/.env",
            "~/work/blind",
            "~/work/blind/file",
        ] {
            table.push_str(&rows("inotify", &forms, &format!("{path} IN_ALL_EVENTS EACCES")));
        }
        for path in ["~/work/open", "~/work/open/file", "~/work/fixed/file", "~/work/wild"] {
            table.push_str(&rows("inotify", &forms, &format!("{path} IN_ALL_EVENTS ok")));
        }
        world.answers(&table);
        world.answers(
            "
            inotify     ~/work/open IN_CREATE >a          ok
            openat      ~/work/open/new O_WRONLY|O_CREAT 0600 ok
            event       %a                                new
            inotify     ~/work/open/file IN_MODIFY >b     ok
            put         ~/work/open/file longer           ok
            event       %b                                2
            event       %b                                2|none
            inotify     ~/work/open/to-closed IN_MODIFY   EACCES
            inotify     ~/work/open/to-closed IN_MODIFY|IN_DONT_FOLLOW ok
            inotify     ~/work/closed/link IN_MODIFY|IN_DONT_FOLLOW EACCES
            inotify     ~/work/closed/none IN_MODIFY      ENOENT
            inotify     ~/work/closed/file IN_MODIFY|IN_ONLYDIR ENOTDIR
            inotify     ~/work/open 0                     EINVAL
            inotify     @null IN_MODIFY                   EFAULT
            ",
        );
    });
}
