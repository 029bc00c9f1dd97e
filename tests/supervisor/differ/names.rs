//! Names and paths of every length and kind, and working directories that are gone.

use super::agree;

#[test]
fn long_names_and_long_paths() {
    let name = |length: usize| "n".repeat(length);
    let padded = |length: usize, tail: &str| {
        // `.///./` up to the length, relative to the working directory.
        let rest = length - tail.len();
        format!("{}{}{tail}", "./".repeat(rest / 2), if rest % 2 == 1 { "/" } else { "" })
    };
    let mut table = String::new();
    for length in [254, 255, 256, 300] {
        let name = name(length);
        table.push_str(&format!("openat ~/work/{name} O_WRONLY|O_CREAT 0600\nmkdir ~/work/dir/{name} 0755\nstat ~/work/{name}\nsymlinkat {name} ~/work/to-{length}\ncat ~/work/to-{length}\nrename ~/work/{name} ~/work/renamed-{length}\nchmod ~/work/dir/{name} 0700\n"));
    }
    for length in [1000, 4000, 4094, 4095, 4096, 4097, 5000] {
        for (call, rest) in [
            ("openat", "O_RDONLY 0"),
            ("chmod", "0640"),
            ("openat@edge", "O_RDONLY 0"),
            ("access", "R_OK"),
            ("openat2", "O_RDONLY,0,0"),
            ("getxattr", "user.a"),
            ("inotify", "2"),
        ] {
            table.push_str(&format!("{call} {} {rest}\n", padded(length, "file")));
        }
        table.push_str(&format!("mkdir {} 0755\n", padded(length, &format!("d{length}"))));
        table.push_str(&format!(
            "symlink {} ~/work/s{length} ; cat ~/work/s{length}\n",
            padded(length, "file")
        ));
    }
    agree(&table);
}

#[test]
fn trees_deeper_than_any_path() {
    let name = "d".repeat(200);
    agree(&format!(
        "
        descend {name} 30
        openat file O_WRONLY|O_CREAT 0640 >a ; write %a deep
        cat file
        chmod file 0600 ; stat file
        mkdir sub 0755 ; rename file sub/file ; cat sub/file
        openat . O_PATH 0 >d
        openat@fd:%d sub/file O_RDWR 0
        truncate sub/file 2 ; stat sub/file
        openat ../sub/file O_RDONLY 0
        openat ../{name}/sub/file O_RDONLY 0
        openat .env O_WRONLY|O_CREAT 0600 ; openat .env O_WRONLY 0
        symlink sub/file link ; cat link
        linkat sub/file hard 0 ; unlinkat hard 0
        getxattr sub/file user.a
        access sub/file R_OK
        chdir sub ; cat file
        unlinkat file 0 ; chdir .. ; rmdir sub
        "
    ));
}

#[test]
fn names_that_are_not_text() {
    let mut table = String::new();
    for name in [
        r"\xff\xfe",
        r"two\nlines",
        r"gone\s(deleted)",
        r"\s",
        r"\x01\x7f",
        r"...",
        r"-rf",
        r"a\\b",
        r"caf\xe9",
        r"\sleading",
        r"trailing\s",
        r"*",
        r"[a]",
        r"%41",
    ] {
        table.push_str(&format!(
            "openat ~/work/{name} O_RDWR|O_CREAT 0600 >a ; write %a x ; cat ~/work/{name}
             openat /proc/self/fd/%a O_RDONLY 0 ; chmod /proc/self/fd/%a 0640 ; lstat ~/work/{name}
             rename ~/work/{name} ~/work/dir/{name} ; cat ~/work/dir/{name} ; close %a
             mkdir ~/work/{name} 0755 ; openat ~/work/{name}/{name} O_WRONLY|O_CREAT 0600 ; chdir ~/work/{name} ; cat ./{name} ; chdir ~/work
             symlinkat {name} ~/work/to{name} ; readlink ~/work/to{name}\n"
        ));
    }
    agree(&table);
}

#[test]
fn dots_slashes_and_empty_paths() {
    let mut table = String::new();
    let paths = [
        "@empty",
        ".",
        "./",
        ".//",
        "./.",
        "dir/empty/../..",
        "dir/.",
        "dir/..",
        "dir//file",
        "dir/./file",
        "dir/../dir/file",
        "./dir/",
        "file/.",
        "file/..",
        "none/..",
        "none/.",
        "link/..",
        "to-dir/..",
        "to-dir/../file",
        "to-dir/.",
        "dir/around",
        "dangling/..",
        "loop/x",
        "file//",
        "closed-dir/..",
        "closed-dir/in",
        "closed-dir/../file",
    ];
    for path in paths {
        table.push_str(&format!(
            "openat {path} O_RDONLY 0 >a ; fstat %a ; close %a
             openat {path} O_WRONLY 0
             mkdir {path} 0755
             faccessat {path} R_OK
             faccessat2 {path} W_OK AT_SYMLINK_NOFOLLOW
             utimensat {path} 1000,2000 0
             symlink x {path}
             mknodat {path} S_IFIFO|0600 0
             unlink {path}x
             rename {path} {path}
             getxattr {path} user.none\n"
        ));
    }
    agree(&table);
}

#[test]
fn a_working_directory_that_is_gone() {
    agree(
        "
        mkdir ~/work/gone 0755 ; openat ~/work/gone/file O_WRONLY|O_CREAT 0600
        chdir ~/work/gone ; unlinkat file 0 ; rmdir ~/work/gone
        openat file O_RDONLY 0
        openat new O_WRONLY|O_CREAT 0600
        mkdir new 0755
        mknodat new S_IFREG|0600 0
        symlink x new
        openat .. O_RDONLY|O_DIRECTORY 0
        openat ../file O_RDONLY 0
        cat ../file
        rename ../file new
        linkat ../file new 0
        unlink new
        bind SOCK_STREAM new
        openat ~/work/file O_RDONLY 0
        openat /proc/self/cwd/new O_WRONLY|O_CREAT 0600
        mkdir ~/work/gone 0755
        openat new O_WRONLY|O_CREAT 0600
        list ~/work/gone
        chdir ~/work ; cat file
        openat ~/work/dir/empty O_PATH 0 >d ; rmdir ~/work/dir/empty
        openat@fd:%d new O_WRONLY|O_CREAT 0600
        mkdirat@fd:%d new 0755
        openat@fd:%d ../file O_RDONLY 0
        ",
    );
}
