//! `rename` in all its forms: `w` on both names, nothing gained, and no directory away from its blocks.

use crate::site::{BY_AT, BY_PATH, for_every_user_in_the_site};
use crate::support::{CANARY, for_every_user};

/// Every call that renames without flags, and every form, the same for both names.
fn renames(old: &str, new: &str, outcome: &str) -> String {
    let mut table = String::new();
    for forms in [BY_PATH, BY_AT] {
        for form in forms {
            // The two names of the forms that change the working directory would be beneath the second's parent.
            let form = match *form {
                "cwd" | "magic" => format!("path,{form}"),
                form => format!("{form},{form}"),
            };
            let is_at = form.starts_with("at") || form.starts_with("high");
            if !is_at {
                table.push_str(&format!("rename@{form} {old} {new} {outcome}\n"));
            }
            table.push_str(&format!("renameat@{form} {old} {new} {outcome}\n"));
            table.push_str(&format!("renameat2@{form} {old} {new} 0 {outcome}\n"));
            table.push_str(&format!("renameat2@{form} {old} {new} RENAME_NOREPLACE {outcome}\n"));
        }
    }
    // Some platforms have no renameat.
    if cfg!(target_arch = "x86_64") {
        table
    } else {
        table
            .lines()
            .filter(|row| !row.starts_with("renameat@"))
            .map(|row| format!("{row}\n"))
            .collect()
    }
}

#[test]
fn nothing_is_moved_from_or_to_a_blocked_name() {
    for_every_user_in_the_site(|world| {
        let moves = [
            ("~/work/closed/file", "~/work/open/taken"),
            ("~/work/closed/file", "~/work/closed/other"),
            ("~/work/closed/sub", "~/work/open/taken"),
            ("~/work/closed", "~/work/other"),
            ("~/work/wild/.env", "~/work/wild/env"),
            ("~/work/wild/.env", "~/work/open/.env"),
            ("~/work/fixed/file", "~/work/open/taken"),
            ("~/work/open/file", "~/work/closed/new"),
            ("~/work/open/file", "~/work/open/.env"),
            ("~/work/open/file", "~/work/late"),
            ("~/work/open/sub", "~/work/late"),
            ("~/work/open/file", "~/work/fixed/new"),
        ];
        let table: String = moves.iter().map(|(old, new)| renames(old, new, "EACCES")).collect();
        let directories = ["~/work/closed", "~/work/wild", "~/work/fixed", "~/work/open"];
        world.answers_and_leaves(
            &directories,
            &(table
                + "
            rename      ~/work/open/file ~/work/open/to-directory/new EACCES
            renameat2@at,at ~/work/open/file ~/work/open/to-directory/new 0 EACCES
            rename      ~/work/open/file ~/work/closed/file EACCES
            rename      ~/work/open/file ~/work/wild/.env EACCES
            rename      ~/work/open/file ~/work/fixed/file EACCES
            rename      ~/work/open/empty ~/work/closed/empty EACCES
            renameat2   ~/work/open/file ~/work/closed/file RENAME_EXCHANGE EACCES
            renameat2   ~/work/closed/file ~/work/open/file RENAME_EXCHANGE EACCES
            renameat2@at ~/work/wild/.env ~/work/wild/file RENAME_EXCHANGE EACCES
            renameat2@at ~/work/wild/file ~/work/wild/.env RENAME_EXCHANGE EACCES
            renameat2   ~/work/fixed/file ~/work/open/file RENAME_EXCHANGE EACCES
            renameat2   ~/work/open ~/work/closed RENAME_EXCHANGE EACCES
            "),
        );
    });
}

#[test]
fn an_allowed_name_is_moved_by_every_call() {
    for_every_user_in_the_site(|world| {
        let there = renames("~/work/open/file", "~/work/moved", "ok");
        let back = "renameat2 ~/work/moved ~/work/open/file 0 ok\n";
        let table: String = there.lines().map(|row| format!("{row}\n{back}")).collect();
        world.answers(&table);
        world.answers(
            "
            rename      ~/work/open/sub ~/work/wild/sub   ok
            cat         ~/work/wild/sub/file              open
            rename      ~/work/wild/sub ~/work/wild/sub   ok
            rename      ~/work/wild/sub ~/work/open/sub   ok
            renameat2   ~/work/open/file ~/work/wild/file RENAME_EXCHANGE ok
            cat         ~/work/wild/file                  open
            renameat2@at ~/work/wild/file ~/work/open/file RENAME_EXCHANGE ok
            cat         ~/work/wild/file                  wild
            renameat2   ~/work/open/sub ~/work/wild/file RENAME_EXCHANGE ok
            renameat2   ~/work/open/sub ~/work/wild/file RENAME_EXCHANGE ok
            rename      ~/work/open/link ~/work/open/link2 ok
            readlink    ~/work/open/link2                 file
            rename      ~/work/open/to-closed ~/work/open/renamed ok
            rename      ~/work/open/file ~/work/wild/file ok
            cat         ~/work/wild/file                  open
            rename      ~/work/open/empty ~/work/open/sub ENOTEMPTY
            ",
        );
    });
}

#[test]
fn errors_of_a_rename_are_the_kernels_own() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/closed", "~/work/open"],
            "
            rename      ~/work/closed/none ~/work/open/x  ENOENT
            rename      ~/work/open/none ~/work/closed/x  ENOENT
            rename      ~/work/open/file ~/work/none/x    ENOENT
            rename      ~/work/open/none /proc/none       EXDEV
            rename      ~/work/open/file ~/work/open/file/x ENOTDIR
            rename      ~/work/open/sub ~/work/open/sub/x EINVAL
            rename      ~/work/open/sub ~/work/open/file  ENOTDIR
            rename      ~/work/open/file ~/work/open/sub  EISDIR
            rename      ~/work/open/file/ ~/work/open/x   ENOTDIR
            rename      ~/work/open/file ~/work/open/x/   ENOTDIR
            rename      ~/work/open/. ~/work/open/x       EBUSY
            rename      ~/work/open/sub/.. ~/work/open/x  EBUSY
            rename      @null ~/work/open/x               EFAULT
            rename      ~/work/open/file @bad             EFAULT
            rename      ~/work/open/file @empty           ENOENT
            renameat2   ~/work/open/file ~/work/closed/file RENAME_NOREPLACE EEXIST
            renameat2   ~/work/open/file ~/work/open/link RENAME_NOREPLACE EEXIST
            renameat2   ~/work/open/file ~/work/open/none RENAME_EXCHANGE ENOENT
            renameat2   ~/work/open/file ~/work/open/x 0x80 EINVAL
            renameat2   ~/work/open/file ~/work/open/x RENAME_EXCHANGE|RENAME_NOREPLACE EINVAL
            renameat2@fd:77,path file ~/work/open/x 0     EBADF
            renameat2   ~/work/open/file ~/work/open/x RENAME_WHITEOUT EACCES|EPERM
            ",
        );
    });
}

#[test]
fn no_access_is_gained_by_a_move() {
    for_every_user(|world| {
        world.write("~/work/.env", CANARY);
        world.write("~/work/sub/file", "file");
        world.write("~/work/blind/key", CANARY);
        world.mkdir("~/work/blind/dir");
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: [{ path: '**/.env', access: r }, { path: '~/work/blind', access: r }, { path: '~/work/tools', access: x }]",
        );
        world.mkdir("~/work/tools");
        world.write("~/work/tools/run", "#!/bin/sh\n");
        world.answers_and_leaves(
            &["~/work"],
            "
            rename      ~/work/.env ~/work/env            EXDEV
            renameat2   ~/work/.env ~/work/env RENAME_NOREPLACE EXDEV
            rename      ~/work/.env ~/work/sub/file       EXDEV
            rename      ~/work/blind/key ~/work/key       EXDEV
            rename      ~/work/blind/dir ~/work/dir       EXDEV
            rename      ~/work/tools/run ~/work/run       EXDEV
            # Each direction of an exchange.
            renameat2   ~/work/.env ~/work/sub/file RENAME_EXCHANGE EXDEV
            renameat2   ~/work/sub/file ~/work/.env RENAME_EXCHANGE EXDEV
            renameat2@at ~/work/sub/file ~/work/blind/key RENAME_EXCHANGE EXDEV
            openat      ~/work/.env O_RDONLY 0            EACCES
            ",
        );
        world.answers(
            "
            rename      ~/work/.env ~/work/sub/.env       ok
            renameat2   ~/work/sub/.env ~/work/.env RENAME_NOREPLACE ok
            rename      ~/work/sub/file ~/work/sub/.env   ok
            openat      ~/work/sub/.env O_RDONLY 0        EACCES
            rename      ~/work/sub/.env ~/work/blind/one  ok
            rename      ~/work/blind/one ~/work/blind/two ok
            rename      ~/work/note ~/work/tools/note     ok
            ",
        );
    });
}

#[test]
fn a_directory_stays_where_its_blocks_are() {
    for_every_user(|world| {
        world.write("~/work/p/a/secret", CANARY);
        world.write("~/work/p/a/file", "file");
        world.write("~/work/q/file", "other");
        world.mkdir("~/work/empty");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/p/a/secret', '~/work/p/later/*', '**/.env']");
        world.answers_and_leaves(
            &["~/work"],
            "
            rename      ~/work/p ~/work/r                 EXDEV
            rename      ~/work/p/a ~/work/q/a             EXDEV
            rename      ~/work/p/a ~/work/p/b             EXDEV
            renameat2   ~/work/p ~/work/q RENAME_EXCHANGE EXDEV
            renameat2   ~/work/q ~/work/p RENAME_EXCHANGE EXDEV
            renameat2@at ~/work/p/a ~/work/q RENAME_EXCHANGE EXDEV
            renameat2@at ~/work/q ~/work/p/a RENAME_EXCHANGE EXDEV
            # Future paths count: what was harmless elsewhere would be blocked, or no longer.
            rename      ~/work/empty ~/work/p/later       EXDEV
            rename      ~/work/q ~/work/p/later           EXDEV
            openat      ~/work/p/a/secret O_RDONLY 0      EACCES
            ",
        );
        world.answers(
            "
            rename      ~/work/q ~/work/s                 ok
            rename      ~/work/s ~/work/p/s               ok
            rename      ~/work/p/a/file ~/work/q          ok
            mkdir       ~/work/one 0755                   ok
            mkdir       ~/work/one/two 0755               ok
            rename      ~/work/one ~/work/p/one           ok
            renameat2   ~/work/p/one ~/work/empty RENAME_EXCHANGE ok
            ",
        );
    });
}

#[test]
fn a_wildcard_that_holds_everywhere_keeps_no_directory_in_its_place() {
    for_every_user(|world| {
        world.write("~/work/d/.env", CANARY);
        world.write("~/work/d/sub/file", "file");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        world.answers(
            "
            rename      ~/work/d ~/work/e                 ok
            openat      ~/work/e/.env O_RDONLY 0          EACCES
            cat         ~/work/e/sub/file                 file
            rename      ~/work/e/sub ~/work/sub           ok
            mkdir       ~/work/f 0755                     ok
            renameat2   ~/work/e ~/work/f RENAME_EXCHANGE ok
            openat      ~/work/f/.env O_RDONLY 0          EACCES
            rename      ~/work/f ~/work/.env              EACCES
            ",
        );
        assert_eq!(world.read("~/work/f/.env"), CANARY);
    });
}

#[test]
fn mv_of_a_directory_with_a_block_in_it_copies_what_may_be_copied() {
    for_every_user(|world| {
        world.write("~/work/p/secret", CANARY);
        world.write("~/work/p/file", "file");
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/p/secret']");
        let ran = world.confined().args(["--mode", "supervised"]).command(["mv", "p", "r"]);
        assert!(!ran.status.success() && ran.stderr.contains("secret"), "{ran:#?}");
        assert_eq!(world.read("~/work/r/file"), "file");
        assert_eq!(world.read("~/work/p/secret"), CANARY);
        assert!(!world.has("~/work/r/secret"));
    });
}

#[test]
fn a_tree_prepared_under_another_name_does_not_take_a_blocked_one() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: [{ path: '**/.git/hooks', access: w }, { path: '**/.git/config', access: w }]");
        world.answers(
            "
            mkdir       ~/work/x 0755                     ok
            mkdir       ~/work/x/hooks 0755               ok
            openat      ~/work/x/hooks/pre-commit O_WRONLY|O_CREAT 0755 ok
            rename      ~/work/x ~/work/.git              EXDEV
            mkdir       ~/work/.git 0755                  ok
            rename      ~/work/x/hooks ~/work/.git/hooks  EACCES
            renameat2   ~/work/x ~/work/.git RENAME_EXCHANGE EXDEV
            rename      ~/work/.git ~/work/git            EXDEV
            mkdir       ~/work/.git/hooks 0755            EACCES
            openat      ~/work/.git/config O_WRONLY|O_CREAT 0644 EACCES
            openat      ~/work/.git/HEAD O_WRONLY|O_CREAT 0644 ok
            rename      ~/work/x ~/work/y                 ok
            mkdir       ~/work/repository 0755            ok
            rename      ~/work/.git ~/work/repository/.git ok
            ",
        );
        assert!(!world.has("~/work/repository/.git/hooks"));
    });
}
