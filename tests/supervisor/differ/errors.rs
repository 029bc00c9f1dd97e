//! Bad pointers, bad descriptors, bad flags, and no room: the kernel's errno, and nothing made on the way.

use super::agree;

/// The calls that take one path: what stands before it, and after.
const CALLS: &[(&str, &str, &str)] = &[
    ("open", "", "O_RDONLY 0"),
    ("creat", "", "0600"),
    ("openat", "", "O_WRONLY|O_CREAT 0600"),
    ("openat2", "", "O_RDONLY,0,0"),
    ("mkdir", "", "0755"),
    ("mkdirat", "", "0755"),
    ("mknod", "", "S_IFIFO|0600 0"),
    ("mknodat", "", "S_IFREG|0600 0"),
    ("symlink", "x ", ""),
    ("symlinkat", "x ", ""),
    ("unlink", "", ""),
    ("unlinkat", "", "0"),
    ("rmdir", "", ""),
    ("chmod", "", "0755"),
    ("fchmodat", "", "0755"),
    ("fchmodat2", "", "0755 0"),
    ("chown", "", "-1 -1"),
    ("lchown", "", "-1 -1"),
    ("fchownat", "", "-1 -1 0"),
    ("utime", "", "1000,2000"),
    ("utimes", "", "1000,2000"),
    ("futimesat", "", "1000,2000"),
    ("utimensat", "", "1000,2000 0"),
    ("truncate", "", "4"),
    ("setxattr", "", "user.a x 0"),
    ("lsetxattr", "", "user.a x 0"),
    ("setxattrat", "", "0 user.a x"),
    ("getxattr", "", "user.a"),
    ("lgetxattr", "", "user.a"),
    ("getxattrat", "", "0 user.a"),
    ("listxattr", "", ""),
    ("llistxattr", "", ""),
    ("listxattrat", "", "0"),
    ("removexattr", "", "user.a"),
    ("lremovexattr", "", "user.a"),
    ("removexattrat", "", "0 user.a"),
    ("access", "", "R_OK"),
    ("faccessat", "", "W_OK"),
    ("faccessat2", "", "X_OK 0"),
    ("inotify", "", "IN_CREATE"),
    ("execve", "", ""),
    ("execveat", "", "0"),
];

/// Brings the tree back to where it was after a call that worked.
const RESET: &str = "unlinkat none 0 ; unlinkat none AT_REMOVEDIR ; unlinkat dir/none 0 ; unlinkat dir/none AT_REMOVEDIR ; mkdir dir 0755 ; \
                     openat file O_WRONLY|O_CREAT 0600 ; openat dir/file O_WRONLY|O_CREAT 0600 ; symlinkat file link ; symlinkat none dangling ; symlinkat loop loop\n";

#[test]
fn every_call_with_every_bad_path() {
    let mut table = String::new();
    for (call, before, after) in CALLS {
        for path in [
            "@null",
            "@bad",
            "@empty",
            "none",
            "none/x",
            "file/x",
            "file/",
            "loop",
            "loop/x",
            "dangling",
            "dir",
            "dir/",
            ".",
            "closed-dir/in",
            "closed-dir/none",
            "closed-mode",
            "link",
            "file",
        ] {
            table.push_str(&format!("{call} {before}{path} {after}\n{RESET}"));
        }
        for form in ["edge", "cut"] {
            table.push_str(&format!("{call}@{form} {before}~/work/dir/file {after}\n"));
            table.push_str(&format!("{call}@{form} {before}none {after}\n{RESET}"));
        }
    }
    agree(&table);
}

#[test]
fn every_call_with_every_bad_descriptor() {
    let mut table = String::from(
        "openat ~/work/kept O_RDWR|O_CREAT 0600 >f\nopenat ~/work/kept O_PATH 0 >p\nopenat ~/work/dir O_RDONLY 0 >d\nsocketpair AF_UNIX SOCK_STREAM >s\n",
    );
    for (call, before, after) in CALLS {
        let takes = call.ends_with("at") || call.ends_with("at2");
        for fd in ["77", "-1", "0x7fffffff", "%f", "%p", "%s", "%d"].iter().filter(|_| takes) {
            for path in ["file", "none", "@empty", "~/work/file"] {
                table.push_str(&format!("{call}@fd:{fd} {before}{path} {after}\n{RESET}"));
            }
        }
    }
    for fd in ["77", "-1", "%f", "%p", "%d"] {
        for (call, after) in [
            ("fchmod", "0755"),
            ("fchown", "-1 -1"),
            ("fsetxattr", "user.a x 0"),
            ("fgetxattr", "user.a"),
            ("flistxattr", ""),
            ("fremovexattr", "user.a"),
        ] {
            table.push_str(&format!("{call} {fd} {after}\n"));
        }
        table.push_str(&format!("utimensat@fd:{fd} @null 1000,2000 0\n"));
        table.push_str(&format!("fchmodat2@fd:{fd} @empty 0644 AT_EMPTY_PATH\n"));
        table.push_str(&format!("fchownat@fd:{fd} @empty -1 -1 AT_EMPTY_PATH\n"));
    }
    agree(&table);
}

#[test]
fn every_call_with_bad_flags() {
    let mut table = String::new();
    for flag in
        ["0x1", "0x2", "0x80", "0x100", "0x200", "0x400", "0x800", "0x1000", "0x2000", "0x80000000"]
    {
        for (call, after) in [
            ("fchmodat2", format!("0644 {flag}")),
            ("fchownat", format!("-1 -1 {flag}")),
            ("utimensat", format!("1000,2000 {flag}")),
            ("unlinkat", flag.to_owned()),
            ("faccessat2", format!("R_OK {flag}")),
            ("faccessat2", format!("{flag} 0")),
            ("faccessat", flag.to_owned()),
            ("setxattrat", format!("{flag} user.a x")),
            ("getxattrat", format!("{flag} user.a")),
            ("listxattrat", flag.to_owned()),
            ("removexattrat", format!("{flag} user.b")),
            ("execveat", flag.to_owned()),
            ("inotify", flag.to_owned()),
        ] {
            for path in ["link", "none"] {
                table.push_str(&format!("{call} {path} {after}\n"));
            }
        }
        table.push_str(&format!(
            "linkat file hard {flag} ; unlinkat hard 0\nrenameat2 file file {flag}\n"
        ));
        table.push_str(&format!("renameat2 none other {flag}\nsetxattr file user.a x {flag}\n"));
    }
    agree(&table);
}

#[test]
fn no_room_for_descriptors() {
    agree(
        "
        descriptors 30
        fill
        openat file O_RDONLY 0
        openat none O_RDONLY 0
        openat new O_WRONLY|O_CREAT 0600
        openat file O_WRONLY|O_TRUNC 0
        openat file O_PATH 0
        openat2 file O_RDONLY,0,0
        openat . O_TMPFILE|O_RDWR 0600
        openat @null O_RDONLY 0
        mkdir made 0755
        chmod file 0600
        socket AF_UNIX SOCK_STREAM
        empty-out
        openat file O_RDONLY 0 >a ; read %a
        ",
    );
}
