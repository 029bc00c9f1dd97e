//! `mkdir`, `mknod`, `symlink`, `unlink`, `rmdir`: `w` on the path that is made or removed.

use crate::site::{BY_AT, BY_PATH, for_every_user_in_the_site};
use crate::support::for_every_user;
use crate::table::rows;

const BY_NAME: &[&[&str]] = &[BY_PATH, BY_AT];

/// Calls that make an entry: the name, what stands before the path, what after, whether it takes a descriptor.
const MAKERS: &[(&str, &str, &str, &[&[&str]])] = &[
    ("mkdir", "", "0755", &[BY_PATH]),
    ("mkdirat", "", "0755", BY_NAME),
    ("mknod", "", "S_IFREG|0600 0", &[BY_PATH]),
    ("mknod", "", "S_IFIFO|0600 0", &[BY_PATH]),
    ("mknodat", "", "S_IFREG|0600 0", BY_NAME),
    ("mknodat", "", "0600 0", BY_NAME),
    ("mknodat", "", "S_IFIFO|0600 0", BY_NAME),
    ("mknodat", "", "S_IFSOCK|0600 0", BY_NAME),
    ("symlink", "target ", "", &[BY_PATH]),
    ("symlinkat", "target ", "", BY_NAME),
];

/// One row for each maker and form; what was made is removed.
fn makings(path: &str, outcome: &str) -> String {
    let mut table = String::new();
    for (call, before, after, forms) in MAKERS {
        let remove = match (outcome, *call) {
            ("ok", "mkdir" | "mkdirat") => format!("unlinkat {path} AT_REMOVEDIR ok\n"),
            ("ok", _) => format!("unlinkat {path} 0 ok\n"),
            _ => String::new(),
        };
        for forms in *forms {
            for row in rows(call, forms, &format!("{before}{path} {after} {outcome}")).lines() {
                table.push_str(&format!("{row}\n{remove}"));
            }
        }
    }
    table
}

#[test]
fn no_entry_is_made_under_a_blocked_name() {
    for_every_user_in_the_site(|world| {
        let directories = ["~/work/closed", "~/work/fixed", "~/work/open"];
        let denied = [
            "~/work/closed/new",
            "~/work/closed/sub/new",
            "~/work/fixed/new",
            "~/work/late",
            "~/work/open/.env",
            "~/work/open/sub/.env",
            "~/work/open/to-directory/new",
        ];
        let table: String = denied.iter().map(|path| makings(path, "EACCES")).collect();
        // `to-directory/..` is not `open`.
        let table: String = table
            .lines()
            .filter(|row| !(row.contains("@dots") && row.contains("to-directory")))
            .map(|row| format!("{row}\n"))
            .collect();
        world.answers_and_leaves(&directories, &table);
        assert!(!world.has("~/work/late"));
    });
}

#[test]
fn every_entry_is_made_and_removed_under_an_allowed_name() {
    for_every_user_in_the_site(|world| {
        let allowed = [
            "~/work/new",
            "~/work/open/new",
            "~/work/open/sub/.envrc",
            "~/work/blind/new",
            "~/work/wild/x.env",
        ];
        let table: String = allowed.iter().map(|path| makings(path, "ok")).collect();
        world.answers(&table);
    });
}

#[test]
fn what_is_made_has_the_type_mode_and_target_that_were_asked_for() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            umask       027                               ok
            mkdir       ~/work/open/d 0777                ok
            lstat       ~/work/open/d                     40750:4096|40750:40
            mkdirat@at  ~/work/open/t 01777               ok
            lstat       ~/work/open/t                     41750:4096|41750:40
            mknodat     ~/work/open/f S_IFREG|0666 0      ok
            lstat       ~/work/open/f                     100640:0
            mknod       ~/work/open/p S_IFIFO|0666 0      ok
            lstat       ~/work/open/p                     10640:0
            mknodat     ~/work/open/s S_IFSOCK|0777 0     ok
            lstat       ~/work/open/s                     140750:0
            symlinkat@at ../over/there ~/work/open/l      ok
            readlink    ~/work/open/l                     ../over/there
            openat      ~/work/open/o O_WRONLY|O_CREAT 01777 ok
            lstat       ~/work/open/o                     101750:0
            ",
        );
    });
}

#[test]
fn device_nodes_are_never_made() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/open"],
            "
            mknodat     ~/work/open/null S_IFCHR|0600 0x103 EACCES|EPERM
            mknod       ~/work/open/null S_IFCHR|0600 0x103 EACCES|EPERM
            mknodat     ~/work/open/disk S_IFBLK|0600 0x103 EACCES|EPERM
            mknodat     ~/work/open/white S_IFCHR|0600 0  EACCES|EPERM
            mknodat     ~/work/open/dir S_IFDIR|0600 0    EPERM
            mknodat     ~/work/open/link S_IFLNK|0600 0   EINVAL
            mknodat     ~/work/open/none S_IFLNK|0600 0   EINVAL
            ",
        );
    });
}

#[test]
fn nothing_blocked_is_removed() {
    for_every_user_in_the_site(|world| {
        let mut table = String::new();
        for path in
            ["~/work/closed/file", "~/work/closed/link", "~/work/wild/.env", "~/work/fixed/file"]
        {
            table.push_str(&rows("unlink", BY_PATH, &format!("{path} EACCES")));
            for forms in BY_NAME {
                table.push_str(&rows("unlinkat", forms, &format!("{path} 0 EACCES")));
            }
        }
        for path in ["~/work/closed/empty", "~/work/fixed/empty", "~/work/closed"] {
            table.push_str(&rows("rmdir", BY_PATH, &format!("{path} EACCES")));
            for forms in BY_NAME {
                table.push_str(&rows("unlinkat", forms, &format!("{path} AT_REMOVEDIR EACCES")));
            }
        }
        world.answers_and_leaves(&["~/work/closed", "~/work/wild", "~/work/fixed"], &table);
        world.answers(
            "
            unlink      ~/work/open/file                  ok
            stat        ~/work/open/file                  ENOENT
            unlinkat@at ~/work/open/sub/file 0            ok
            rmdir       ~/work/open/sub                   ok
            unlinkat@cwd ~/work/open/empty AT_REMOVEDIR   ok
            # Entries of what may not be read are removed all the same.
            unlink      ~/work/blind/file                 ok
            rmdir       ~/work/blind/empty                ok
            # A link is an entry of its own directory.
            unlink      ~/work/open/to-closed             ok
            unlink      ~/work/open/to-directory          ok
            lstat       ~/work/open/to-closed             ENOENT
            stat        ~/work/closed/file                100644:20
            ",
        );
    });
}

#[test]
fn errors_of_existence_come_before_the_denial() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/closed", "~/work/open", "~/work/wild"],
            "
            mkdir       ~/work/closed/sub 0755            EEXIST
            mkdir       ~/work/closed/file 0755           EEXIST
            mkdir       ~/work/closed 0755                EEXIST
            mkdir       ~/work/closed/sub/ 0755           EEXIST
            mkdir       ~/work/wild/.env 0755             EEXIST
            mkdir       ~ 0755                            EEXIST
            mkdir       / 0755                            EEXIST
            mkdir       ~/work/closed/none/x 0755         ENOENT
            mkdir       ~/work/closed/file/x 0755         ENOTDIR
            mkdir       @empty 0755                       ENOENT
            mkdir       @null 0755                        EFAULT
            mkdir@cut   ~/work/closed/new 0755            EFAULT
            mkdirat@fd:77 new 0755                        EBADF
            symlink     x ~/work/closed/file              EEXIST
            symlink     @empty ~/work/open/new            ENOENT
            symlink     @bad ~/work/closed/new            EFAULT
            mknodat     ~/work/closed/file S_IFREG|0600 0 EEXIST
            mknodat     ~/work/closed/none/x S_IFREG|0600 0 ENOENT
            unlink      ~/work/closed/none                ENOENT
            unlink      ~/work/late                       ENOENT
            unlink      ~/work/closed/file/x              ENOTDIR
            unlink      ~/work/closed/file/               ENOTDIR
            rmdir       ~/work/closed/none                ENOENT
            rmdir       ~/work/closed/file                ENOTDIR|EACCES
            unlink      ~/work/closed/sub                 EISDIR|EACCES
            unlinkat    ~/work/closed/file 0x4            EINVAL
            rmdir       ~/work/open/sub                   ENOTEMPTY
            unlink      ~/work/open/sub                   EISDIR
            rmdir       ~/work/open/sub/.                 EINVAL
            rmdir       ~/work/open/sub/..                ENOTEMPTY
            rmdir       ~/work/open/file                  ENOTDIR
            mkdir       ~/work/open/sub/../new/. 0755     ENOENT
            ",
        );
    });
}

#[test]
fn a_link_cannot_lead_a_blocked_name_astray() {
    for_every_user(|world| {
        world.mkdir("~/work/a/hooks");
        world.mkdir("~/work/x/hooks");
        world.write("~/work/file", "file");
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: ['~/work/a/b/secret', '**/.env', { path: '**/.git/hooks', access: w }]",
        );
        world.answers_and_leaves(
            &["~/work"],
            "
            # Blocked rules still match beneath these names; beneath a link they would match elsewhere.
            symlink     ../x ~/work/a/b                   EACCES
            symlinkat@at ../x ~/work/a/b                  EACCES
            symlink     x ~/work/.git                     EACCES
            symlink     none ~/work/x/.git                EACCES
            symlinkat@cwd x ~/work/x/.git                 EACCES
            symlink     file ~/work/x/.env                EACCES
            ",
        );
        world.answers(
            "
            symlink     x ~/work/link                     ok
            symlink     x ~/work/.gitmodules              ok
            symlink     /nowhere ~/work/a/c               ok
            symlinkat@at ../file ~/work/a/hooks/link      ok
            # The same when a link is renamed, exchanged or linked to such a name.
            rename      ~/work/link ~/work/.git           EACCES
            renameat2   ~/work/link ~/work/a/b 0          EACCES
            renameat2@at ~/work/link ~/work/x/.git RENAME_NOREPLACE EACCES
            link        ~/work/link ~/work/.git           EACCES
            linkat      ~/work/link ~/work/a/b 0          EACCES
            rename      ~/work/link ~/work/other          ok
            mkdir       ~/work/.git 0755                  ok
            renameat2   ~/work/other ~/work/.git RENAME_EXCHANGE EACCES|EXDEV
            renameat2   ~/work/.git ~/work/other RENAME_EXCHANGE EACCES|EXDEV
            linkat      ~/work/other ~/work/second 0      ok
            renameat2   ~/work/second ~/work/file RENAME_EXCHANGE ok
            readlink    ~/work/file                       x
            lstat       ~/work/.git                       40755:4096|40755:40
            ",
        );
    });
}

#[test]
fn with_nothing_blocked_every_entry_is_made_moved_and_removed() {
    for_every_user(|world| {
        world.mkdir("~/work/sub");
        world.policy("allowed_paths: ['~/work']");
        let directories = ["~/work", "~/work/sub"];
        let table: String =
            directories.iter().map(|at| makings(&format!("{at}/new"), "ok")).collect();
        world.answers(&table);
        for at in directories {
            world.answers(&format!(
                "
                mkdir       {at}/d 0755                   ok
                rename      {at}/d {at}/e                 ok
                openat      {at}/f O_WRONLY|O_CREAT 0600  ok
                renameat2   {at}/f {at}/e RENAME_EXCHANGE ok
                link        {at}/e {at}/g                 ok
                chmod       {at}/g 0640                   ok
                bind        SOCK_STREAM {at}/s            ok
                rmdir       {at}/f                        ok
                "
            ));
        }
    });
}
