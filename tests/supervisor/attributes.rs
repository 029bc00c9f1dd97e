//! Extended attributes: `w` to set and remove, `r` to read and list, by path, by link and by descriptor.

use crate::site::{BY_AT, BY_LINK, BY_PATH, for_every_user_in_the_site};
use crate::support::World;
use crate::table::rows;

const CHANGES: &[(&str, &str, &[&[&str]])] = &[
    ("setxattr", "user.a new 0", &[BY_PATH, BY_LINK]),
    ("lsetxattr", "user.a new 0", &[BY_PATH]),
    ("setxattrat", "0 user.a new", &[BY_PATH, BY_LINK, BY_AT]),
    ("setxattrat", "AT_SYMLINK_NOFOLLOW user.a new", &[BY_PATH, BY_AT]),
];

const REMOVALS: &[(&str, &str, &[&[&str]])] = &[
    ("removexattr", "user.a", &[BY_PATH, BY_LINK]),
    ("lremovexattr", "user.a", &[BY_PATH]),
    ("removexattrat", "0 user.a", &[BY_PATH, BY_LINK, BY_AT]),
    ("removexattrat", "AT_SYMLINK_NOFOLLOW user.a", &[BY_PATH, BY_AT]),
];

const QUESTIONS: &[(&str, &str, &[&[&str]])] = &[
    ("getxattr", "user.a", &[BY_PATH, BY_LINK]),
    ("lgetxattr", "user.a", &[BY_PATH]),
    ("getxattrat", "0 user.a", &[BY_PATH, BY_LINK, BY_AT]),
    ("getxattrat", "AT_SYMLINK_NOFOLLOW user.a", &[BY_PATH, BY_AT]),
];

const LISTS: &[(&str, &str, &[&[&str]])] = &[
    ("listxattr", "", &[BY_PATH, BY_LINK]),
    ("llistxattr", "", &[BY_PATH]),
    ("listxattrat", "0", &[BY_PATH, BY_LINK, BY_AT]),
    ("listxattrat", "AT_SYMLINK_NOFOLLOW", &[BY_PATH, BY_AT]),
];

fn table(calls: &[(&str, &str, &[&[&str]])], path: &str, outcome: &str) -> String {
    let one = |(call, arguments, forms): &(&str, &str, &[&[&str]])| -> String {
        forms
            .iter()
            .map(|forms| rows(call, forms, &format!("{path} {arguments} {outcome}")))
            .collect()
    };
    calls.iter().map(one).collect()
}

/// Gives every file of the site the attribute `user.a` with the value `old`.
fn mark(world: &World) {
    let files = [
        "closed/file",
        "wild/.env",
        "wild/file",
        "fixed/file",
        "blind/file",
        "open/file",
        "closed",
        "open",
    ];
    let table: String =
        files.iter().map(|file| format!("setxattr ~/work/{file} user.a old 0\n")).collect();
    let outcomes = world.bare_outcomes(&table);
    assert!(outcomes.iter().all(|one| one == "ok"), "no extended attributes here: {outcomes:?}");
}

#[test]
fn no_call_sets_or_removes_an_attribute_of_a_blocked_file() {
    for_every_user_in_the_site(|world| {
        mark(&world);
        for path in ["~/work/closed/file", "~/work/wild/.env", "~/work/fixed/file", "~/work/closed"]
        {
            let mut all = table(CHANGES, path, "EACCES");
            all.push_str(&table(REMOVALS, path, "EACCES"));
            world.answers_and_leaves(&["~/work/closed", "~/work/wild", "~/work/fixed"], &all);
        }
        world.answers_and_leaves(
            &["~/work/fixed"],
            "
            fsetxattr@r-fd ~/work/fixed/file user.a new 0 EACCES
            fremovexattr@r-fd ~/work/fixed/file user.a    EACCES
            setxattrat@r-empty ~/work/fixed/file 0 user.a new EACCES
            removexattrat@r-empty ~/work/fixed/file 0 user.a EACCES
            setxattr@r-proc ~/work/fixed/file user.a new 0 EACCES
            fgetxattr@r-fd ~/work/fixed/file user.a       old
            ",
        );
    });
}

#[test]
fn every_call_sets_and_removes_an_attribute_of_an_allowed_file() {
    for_every_user_in_the_site(|world| {
        mark(&world);
        for path in ["~/work/open/file", "~/work/wild/file", "~/work/blind/file", "~/work/open"] {
            world.answers(&table(CHANGES, path, "ok"));
            let removals = table(REMOVALS, path, "ok");
            let again = format!("setxattr {path} user.a again 0 ok\n");
            let all: String = removals.lines().map(|row| format!("{again}{row}\n")).collect();
            world.answers(&all);
        }
        world.answers(
            "
            fsetxattr@r-fd ~/work/open/file user.a by-fd 0 ok
            fgetxattr@r-fd ~/work/open/file user.a        by-fd
            flistxattr@r-fd ~/work/open/file              user.a\\x00
            setxattrat@r-empty ~/work/open/file 0 user.a again ok
            getxattrat@r-empty ~/work/open/file 0 user.a  again
            listxattrat@r-empty ~/work/open/file 0        user.a\\x00
            removexattrat@r-empty ~/work/open/file 0 user.a ok
            fsetxattr@r-fd ~/work/open/file user.a by-fd 0 ok
            fremovexattr@r-fd ~/work/open/file user.a     ok
            fgetxattr@r-fd ~/work/open/file user.a        ENODATA
            fsetxattr@w-fd ~/work/blind/file user.a by-fd 0 ok
            ",
        );
    });
}

#[test]
fn no_call_reads_or_lists_the_attributes_of_a_blocked_file() {
    for_every_user_in_the_site(|world| {
        mark(&world);
        for path in ["~/work/closed/file", "~/work/wild/.env", "~/work/blind/file", "~/work/closed"]
        {
            let mut all = table(QUESTIONS, path, "EACCES");
            all.push_str(&table(LISTS, path, "EACCES"));
            world.answers(&all);
        }
        // A descriptor for writing alone says as little.
        world.answers(
            "
            fgetxattr@w-fd ~/work/blind/file user.a       EACCES
            flistxattr@w-fd ~/work/blind/file             EACCES
            getxattrat@w-empty ~/work/blind/file 0 user.a EACCES
            listxattrat@w-empty ~/work/blind/file 0       EACCES
            getxattr@w-proc ~/work/blind/file user.a      EACCES
            fgetxattr@r-fd ~/work/open/file user.a        old
            ",
        );
    });
}

#[test]
fn every_call_reads_and_lists_the_attributes_of_an_allowed_file() {
    for_every_user_in_the_site(|world| {
        mark(&world);
        for path in ["~/work/open/file", "~/work/wild/file", "~/work/fixed/file", "~/work/open"] {
            world.answers(&table(QUESTIONS, path, "old"));
            world.answers(&table(LISTS, path, "user.a\\x00"));
        }
    });
}

#[test]
fn errors_of_attributes_are_the_kernels_own() {
    for_every_user_in_the_site(|world| {
        mark(&world);
        world.answers(
            "
            getxattr    ~/work/open/file user.none        ENODATA
            removexattr ~/work/open/file user.none        ENODATA
            getxattr    ~/work/closed/none user.a         ENOENT
            setxattr    ~/work/late user.a x 0            ENOENT
            getxattr    ~/work/closed/file/x user.a       ENOTDIR
            getxattr    @null user.a                      EFAULT
            getxattr    ~/work/open/file @bad             EFAULT
            setxattr    ~/work/open/file user.a x 0x100   EINVAL
            setxattr    ~/work/open/file user.a x XATTR_CREATE EEXIST
            setxattr    ~/work/open/file user.b x XATTR_REPLACE ENODATA
            setxattr    ~/work/open/file nothing.a x 0    EOPNOTSUPP
            setxattr    ~/work/open/file @empty x 0       ERANGE
            lsetxattr   ~/work/open/link user.a x 0       EPERM
            lgetxattr   ~/work/open/link user.a           ENODATA|EPERM
            lsetxattr   ~/work/closed/link user.a x 0     EACCES
            lgetxattr   ~/work/open/to-closed user.a      ENODATA|EPERM
            getxattr    ~/work/open/to-closed user.a      EACCES
            getxattrat  ~/work/open/to-closed AT_SYMLINK_NOFOLLOW user.a ENODATA|EPERM
            getxattrat  ~/work/open/to-closed 0 user.a    EACCES
            fgetxattr@p-fd ~/work/open/file user.a        EBADF
            fsetxattr   77 user.a x 0                     EBADF
            setxattrat  ~/work/open/file 0x4000 user.a x  EINVAL
            # AT_EMPTY_PATH of these calls takes no O_PATH descriptor (fs/xattr.c).
            setxattrat@empty ~/work/open/file 0 user.a x  EBADF
            getxattrat@empty ~/work/open/file 0 user.a    EBADF
            listxattrat@empty ~/work/closed/file 0        EBADF
            removexattrat@empty ~/work/closed/file 0 user.a EBADF
            setxattr    ~/work/open/file trusted.a x 0    EPERM
            setxattr    ~/work/open/file user.empty @empty 0 ok
            ",
        );
    });
}
