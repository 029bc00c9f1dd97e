//! Modes, masks, sticky and setgid directories, default ACLs, moves and links.

use super::agree;

#[test]
fn modes_under_every_mask() {
    let mut table = String::new();
    for (number, mask) in ["0", "022", "027", "077", "0777", "0111"].iter().enumerate() {
        for (who, name) in [
            ("", "own"),
            ("thread ", "thread"),
            ("child ", "child"),
            ("thread-fs ", "thread-fs"),
            ("child-fs ", "child-fs"),
        ] {
            let at = |kind: &str| format!("~/work/{kind}-{name}-{number}");
            table.push_str(&format!(
                "umask {mask}
                 {who}openat {file} O_WRONLY|O_CREAT 0777 ; openat2 {other} O_WRONLY|O_CREAT,01767,0 ; mkdir {dir} 0777 ; mkdirat@at {sticky} 01777
                 {who}mknodat {fifo} S_IFIFO|0777 0 ; mknodat {socket} S_IFSOCK|0666 0 ; symlinkat x {link} ; bind SOCK_STREAM {bound} ; creat {creat} 01666
                 {who}umask 0752 ; openat {changed} O_RDWR|O_CREAT|O_EXCL 0777
                 openat {after} O_RDWR|O_CREAT|O_EXCL 0777\n",
                file = at("file"), other = at("other"), dir = at("dir"), sticky = at("sticky"), fifo = at("fifo"),
                socket = at("socket"), link = at("link"), bound = at("bound"), creat = at("creat"), changed = at("changed"), after = at("after"),
            ));
        }
    }
    agree(&table);
}

#[test]
fn setgid_and_sticky_directories_and_default_acls() {
    // posix_acl_xattr_header, then tag, permissions and id: user::rwx, group::r-x, mask::r-x, other::---.
    let acl = "\\x02\\x00\\x00\\x00\\x01\\x00\\x07\\x00\\xff\\xff\\xff\\xff\\x04\\x00\\x05\\x00\\xff\\xff\\xff\\xff\\x10\\x00\\x05\\x00\\xff\\xff\\xff\\xff\\x20\\x00\\x00\\x00\\xff\\xff\\xff\\xff";
    agree(&format!(
        "
        umask 002
        mkdir ~/work/group 0755 ; chmod ~/work/group 02775 ; mkdir ~/work/group/dir 0777 ; lstat ~/work/group/dir
        openat ~/work/group/file O_WRONLY|O_CREAT 0767 ; lstat ~/work/group/file
        mkdir ~/work/sticky 0755 ; chmod ~/work/sticky 01777 ; openat ~/work/sticky/file O_WRONLY|O_CREAT 0666 ; unlinkat ~/work/sticky/file 0
        mkdir ~/work/acl 0777
        setxattr ~/work/acl system.posix_acl_default {acl} 0
        umask 077
        mkdir ~/work/acl/dir 0777 ; openat ~/work/acl/file O_WRONLY|O_CREAT 0666 ; lstat ~/work/acl/file
        mknodat ~/work/acl/fifo S_IFIFO|0666 0 ; mknodat ~/work/acl/node S_IFREG|0666 0
        bind SOCK_STREAM ~/work/acl/bound
        openat ~/work/acl O_TMPFILE|O_RDWR 0666 >a ; linkat /proc/self/fd/%a ~/work/acl/temporary AT_SYMLINK_FOLLOW
        getxattr ~/work/acl system.posix_acl_default
        getxattr ~/work/acl/dir system.posix_acl_default
        getxattr ~/work/acl/file system.posix_acl_access
        listxattr ~/work/acl/dir
        chmod ~/work/acl/file 0640 ; getxattr ~/work/acl/file system.posix_acl_access
        removexattr ~/work/acl system.posix_acl_default
        "
    ));
}

#[test]
fn moves_and_links_in_one_tree_and_between_file_systems() {
    agree(
        "
        rename ~/work/file ~/work/moved ; lstat ~/work/moved
        rename ~/work/moved ~/work/dir/file
        renameat2 ~/work/dir/file ~/work/link RENAME_EXCHANGE ; readlink ~/work/dir/file
        renameat2 ~/work/dir ~/work/to-dir RENAME_EXCHANGE ; list ~/work/to-dir
        rename ~/work/to-dir ~/work/to-dir/inside
        rename ~/work/to-dir/empty ~/work/empty
        rename ~/work/empty ~/work/to-dir
        rename ~/work/to-dir ~/work/empty
        rename ~/work/dangling ~/work/dangling2
        rename ~/work/loop ~/work/loop
        linkat ~/work/loop ~/work/loop2 0
        linkat ~/work/loop ~/work/loop3 AT_SYMLINK_FOLLOW
        linkat ~/work/dangling2 ~/work/d3 AT_SYMLINK_FOLLOW
        rename ~/work/closed-dir ~/work/closed-two
        rename ~/work/closed-two/in ~/work/in
        rename ~/work/closed-mode ~/work/empty/x
        renameat2 ~/work/empty ~/work/none RENAME_NOREPLACE
        renameat2 ~/work/none ~/work/absolute RENAME_NOREPLACE
        renameat2 ~/work/none ~/work/link RENAME_EXCHANGE
        linkat ~/work/link ~/work/hard 0 ; lstat ~/work/hard
        rename ~/work/link ~/work/hard ; lstat ~/work/link
        linkat /dev/null ~/work/null 0
        rmdir ~/work/none
        rmdir ~/work/empty/.
        rmdir ~/work/../work/closed-two
        unlink ~/work/none/.
        unlink ~/work/link/.
        ",
    );
}

/// Found by the model: a directory that cannot be changed comes before what is no directory.
#[test]
fn what_is_no_directory_is_not_removed_as_one() {
    agree(
        "
        rmdir ~/work/file
        unlinkat ~/work/link AT_REMOVEDIR
        rmdir ~/work/dir/around
        chmod ~/work/dir 0555 ; rmdir ~/work/dir/around
        chmod ~/work/dir 0755 ; rmdir ~/work/dir/around
        ",
    );
}
