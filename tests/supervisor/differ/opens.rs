//! Open flags, resolve flags, and what can be read back from a descriptor.

use super::agree;

const FLAGS: &[&str] = &[
    "O_RDONLY",
    "O_WRONLY",
    "O_RDWR",
    "3",
    "O_RDONLY|O_CLOEXEC",
    "O_RDWR|O_NONBLOCK",
    "O_RDONLY|O_NOFOLLOW",
    "O_RDONLY|O_DIRECTORY",
    "O_RDONLY|O_DIRECTORY|O_NOFOLLOW",
    "O_WRONLY|O_APPEND",
    "O_RDWR|O_APPEND|O_NONBLOCK",
    "O_WRONLY|O_SYNC",
    "O_WRONLY|O_DSYNC",
    "O_RDWR|O_NOATIME",
    "O_RDONLY|O_NOCTTY",
    "O_RDWR|O_ASYNC",
    "O_WRONLY|O_TRUNC",
    "O_RDONLY|O_TRUNC",
    "O_RDONLY|0100000",
    "O_RDONLY|0x40000000",
    "O_RDONLY|O_EXCL",
    "O_PATH",
    "O_PATH|O_NOFOLLOW",
    "O_PATH|O_DIRECTORY",
    "O_PATH|O_CLOEXEC",
    "O_PATH|O_RDWR|O_TRUNC",
    "O_DIRECT|O_RDONLY",
];

const OBJECTS: &[&str] = &[
    "~/work/file",
    "~/work/dir",
    "~/work/link",
    "~/work/to-dir",
    "~/work/dangling",
    "~/work/loop",
    "~/work/none",
    "~/work/none/x",
    "~/work/file/x",
    "~/work/file/",
    "~/work/dir/",
    "~/work/dir/.",
    "~/work/dir/..",
    "~/work/to-dir/",
    "~/work/link/",
    "~/work/dir/around",
    "~/work/absolute",
    "~/work/closed-mode",
    "~/work/closed-dir",
    "~/work/closed-dir/in",
    "file",
    "./dir/../file",
    "../work/file",
    "/proc//self/./cwd/file",
    "/dev/null",
    "/dev/full",
    "~/work/fifo",
];

/// Calls that need the other end, or that another thread would have to wait for, are left to traps.rs.
fn waits(object: &str, flags: &str) -> bool {
    object.ends_with("fifo") && !flags.contains("O_NONBLOCK") && !flags.contains("O_PATH")
}

#[test]
fn every_flag_on_every_kind_of_object() {
    let mut table = String::from("mknodat ~/work/fifo S_IFIFO|0600 0\n");
    for object in OBJECTS {
        for flags in FLAGS.iter().filter(|flags| !waits(object, flags)) {
            for form in ["path", "at"] {
                if form == "at" && !object.starts_with("~/") {
                    continue;
                }
                table.push_str(&format!(
                    "openat@{form} {object} {flags} 0 >a ; getfl %a ; getfd %a ; close %a\n"
                ));
            }
        }
    }
    agree(&table);
}

#[test]
fn every_flag_of_creation() {
    let mut table = String::from("umask 022\n");
    let objects = [
        "new",
        "file",
        "dir",
        "link",
        "to-dir",
        "dangling",
        "loop",
        "dir/new",
        "to-dir/new",
        "none/x",
        "file/x",
        "new/",
        "dir/",
        "dir/.",
        "dir/..",
        "closed-dir/new",
        "closed-mode",
        "dangling/",
        "link/",
    ];
    for object in objects {
        for access in ["O_RDONLY", "O_WRONLY", "O_RDWR"] {
            for flags in [
                "O_CREAT",
                "O_CREAT|O_EXCL",
                "O_CREAT|O_TRUNC",
                "O_CREAT|O_NOFOLLOW",
                "O_CREAT|O_DIRECTORY",
                "O_CREAT|O_EXCL|O_NOFOLLOW",
                "O_CREAT|O_APPEND|O_CLOEXEC",
            ] {
                table.push_str(&format!("openat@path ~/work/{object} {access}|{flags} 0640 >a ; getfl %a ; getfd %a ; close %a ; lstat ~/work/{object}\n"));
                table.push_str(
                    "unlinkat ~/work/new 0 ; unlinkat ~/work/dir/new 0 ; unlinkat ~/work/none 0\n",
                );
            }
        }
    }
    agree(&table);
}

#[test]
fn openat2_holds_its_rules_for_files_that_are_made_too() {
    agree(
        "
        openat2 .. O_TMPFILE|O_RDWR,0600,RESOLVE_BENEATH
        openat2 dir/../.. O_TMPFILE|O_RDWR,0600,RESOLVE_BENEATH
        openat2 dir O_TMPFILE|O_RDWR,0600,RESOLVE_BENEATH
        openat2 /file O_TMPFILE|O_RDWR,0600,RESOLVE_IN_ROOT
        openat2 to-dir O_TMPFILE|O_RDWR,0600,RESOLVE_NO_SYMLINKS
        openat2 .. O_WRONLY|O_CREAT|O_EXCL,0600,RESOLVE_BENEATH
        openat2 .. O_WRONLY|O_CREAT,0600,RESOLVE_BENEATH
        openat2 dir/none/ O_WRONLY|O_CREAT,0600,RESOLVE_NO_SYMLINKS
        openat2 none/ O_WRONLY|O_CREAT,0600,RESOLVE_NO_SYMLINKS
        openat2 closed-dir/none/ O_WRONLY|O_CREAT,0600,RESOLVE_NO_SYMLINKS
        openat file O_RDONLY 0 >a ; openat2 /proc/self/fd/%a O_RDONLY,0,RESOLVE_NO_MAGICLINKS
        openat2 /proc/self/fd/25 O_RDONLY,0,RESOLVE_NO_MAGICLINKS
        openat2 /proc/self/fd/%a O_RDONLY,0,RESOLVE_NO_SYMLINKS
        ",
    );
}

#[test]
fn directories_that_cannot_be_searched() {
    agree(
        "
        rename closed-dir/none none/x
        rename file closed-dir/none
        linkat closed-dir/none none/x 0
        openat closed-dir O_RDONLY|O_CREAT 0600
        openat closed-dir O_WRONLY|O_CREAT 0600
        mkdir dir/plain 0755 ; chmod dir/plain 0644
        openat dir/plain O_RDONLY|O_NOFOLLOW 0
        openat dir/plain O_RDONLY|O_DIRECTORY|O_NOFOLLOW 0
        mkdir dir/here 0755 ; chdir dir/here ; chmod . 0644 ; bind SOCK_STREAM ~/work/sock ; bind SOCK_STREAM sock2 ; chdir ~/work
        ",
    );
}

#[test]
fn openat2_and_its_resolve_flags() {
    let mut table = String::new();
    let resolve = [
        "0",
        "RESOLVE_BENEATH",
        "RESOLVE_IN_ROOT",
        "RESOLVE_NO_SYMLINKS",
        "RESOLVE_NO_MAGICLINKS",
        "RESOLVE_NO_XDEV",
        "RESOLVE_BENEATH|RESOLVE_IN_ROOT",
        "RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS",
    ];
    table.push_str("openat ~/work/dir O_PATH 0 >d\nopenat ~/work O_PATH 0 >w\n");
    for resolve in resolve {
        for path in [
            "file",
            "../file",
            "/file",
            "around",
            "../work/file",
            "empty",
            "empty/../file",
            ".",
            "..",
            "none",
        ] {
            table.push_str(&format!("openat2@fd:%d {path} O_RDONLY,0,{resolve} >a ; fstat %a ; getfl %a ; getfd %a ; close %a\n"));
        }
        for path in [
            "link",
            "absolute",
            "to-dir/file",
            "loop",
            "/proc/self/cwd/file",
            "/proc/self/fd/%d/file",
            "dangling",
        ] {
            table.push_str(&format!(
                "openat2@fd:%w {path} O_RDONLY,0,{resolve} >a ; fstat %a ; close %a\n"
            ));
            table.push_str(&format!(
                "openat2@fd:%w {path} O_WRONLY|O_CREAT,0600,{resolve} >a ; fstat %a ; close %a\n"
            ));
        }
    }
    for how in [
        "O_RDONLY,0,0,0",
        "O_RDONLY,0,0,16",
        "O_RDONLY,0,0,23",
        "O_RDONLY,0,0,24",
        "O_RDONLY,0,0,5000",
        "O_RDONLY,0600,0",
        "O_CREAT,010000,0",
        "O_CREAT|O_RDWR,0777,0",
        "0x80000000,0,0",
        "O_TMPFILE,0600,0",
        "O_RDONLY,0,0x40",
    ] {
        table.push_str(&format!("openat2 ~/work/file {how}\n"));
    }
    agree(&table);
}

#[test]
fn files_without_a_name_and_their_names() {
    agree(
        "
        umask 027
        openat ~/work O_TMPFILE|O_RDWR 0666 >a ; getfl %a ; getfd %a ; fstat %a
        openat2 ~/work O_TMPFILE|O_RDWR|O_CLOEXEC,0666,0 >b ; getfl %b ; getfd %b ; fstat %b
        openat ~/work/dir O_TMPFILE|O_WRONLY|O_EXCL 0600 >c ; getfl %c
        openat ~/work O_TMPFILE|O_RDONLY 0600
        openat ~/work/file O_TMPFILE|O_RDWR 0600
        openat ~/work/none O_TMPFILE|O_RDWR 0600
        openat ~/work/to-dir O_TMPFILE|O_RDWR 0600
        openat ~/work O_TMPFILE|O_RDWR|O_CREAT 0600
        write %a text
        linkat /proc/self/fd/%a ~/work/named AT_SYMLINK_FOLLOW
        linkat /proc/self/fd/%a ~/work/named AT_SYMLINK_FOLLOW
        linkat /proc/self/fd/%a ~/work/again AT_SYMLINK_FOLLOW
        linkat@fd:%b,path @empty ~/work/by-empty 0
        linkat /proc/self/fd/%c ~/work/never AT_SYMLINK_FOLLOW
        linkat@fd:%c,path @empty ~/work/never 0
        fstat %a
        cat ~/work/named
        ",
    );
}

#[test]
fn times_of_access_and_change() {
    agree(
        "
        utimensat ~/work/file 1000,2000 0 ; times ~/work/file
        cat ~/work/file ; times ~/work/file
        utimensat ~/work/file 3000,2000 0
        openat ~/work/file O_RDONLY|O_NOATIME 0 >a ; read %a ; times ~/work/file
        utimensat ~/work/file 1000,2000 0
        openat ~/work/file O_RDONLY|O_NOATIME 0 >b ; read %b ; times ~/work/file
        openat ~/work/file O_WRONLY 0 >c ; times ~/work/file ; write %c x ; times ~/work/file
        utimensat ~/work/dir 1000,2000 0 ; list ~/work/dir ; times ~/work/dir
        utimensat ~/work/dir 1000,2000 0 ; openat ~/work/dir/new O_WRONLY|O_CREAT 0600 ; times ~/work/dir
        utimensat ~/work/dir 1000,2000 0 ; openat ~/work/dir/new O_WRONLY|O_CREAT 0600 ; times ~/work/dir
        utimensat ~/work/link 1000,2000 AT_SYMLINK_NOFOLLOW ; cat ~/work/link ; times ~/work/link
        chmod ~/work/file 0600 ; times ~/work/file
        utimensat ~/work/file 5000,6000 0 ; openat ~/work/file O_WRONLY|O_TRUNC 0 ; times ~/work/file
        ",
    );
}
