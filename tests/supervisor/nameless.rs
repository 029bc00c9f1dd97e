//! Objects without a name, through their descriptors: as the descriptor allows.

use crate::site::for_every_user_in_the_site;

#[test]
fn a_deleted_file_is_used_through_its_descriptor_and_its_link_of_proc() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            openat      ~/work/open/file O_RDWR 0 >a      ok
            unlink      ~/work/open/file                  ok
            fchmod      %a 0600                           ok
            fchown      %a -1 -1                          ok
            fsetxattr   %a user.a x 0                     ok
            fgetxattr   %a user.a                         x
            utimensat@fd:%a @null 1,2 0                   ok
            fstat       %a                                100600:4
            openat      /proc/self/fd/%a O_RDONLY 0 >b    ok
            read        %b                                open
            openat      /dev/fd/%a O_RDWR 0               ok
            openat      /proc/{pid}/fd/%a O_WRONLY 0      ok
            chmod       /proc/self/fd/%a 0640             ok
            truncate    /proc/self/fd/%a 1                ok
            fstat       %a                                100640:1
            ",
        );
    });
}

#[test]
fn a_descriptor_gives_no_more_after_the_file_is_gone() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            openat      ~/work/blind/file O_WRONLY 0 >a   ok
            openat      ~/work/closed/file O_PATH 0 >b    ok
            unlink      ~/work/blind/file                 ok
            openat      /proc/self/fd/%a O_RDONLY 0       EACCES
            openat      /proc/self/fd/%a O_RDWR 0         EACCES
            openat      /proc/self/fd/%a O_WRONLY 0       ok
            fgetxattr   %a user.a                         EACCES
            ",
        );
        world.mkdir("~/work/open/gone");
        world.write("~/work/closed/other", crate::support::CANARY);
        world.answers(
            "
            openat      ~/work/closed/other O_PATH 0 >a   ok
            openat      ~/work/open/sub/file O_RDONLY 0 >b ok
            unlink      ~/work/open/sub/file              ok
            openat      /proc/self/fd/%a O_RDONLY 0       EACCES
            # It was opened for reading, in a place where it could be written.
            read        %b                                open
            openat      /proc/self/fd/%b O_RDONLY 0       ok
            ",
        );
    });
}

#[test]
fn a_name_that_ends_in_deleted_is_a_name_like_any_other() {
    for_every_user_in_the_site(|world| {
        world.write("~/work/open/x (deleted)", "named-so");
        world.write("~/work/closed/x (deleted)", crate::support::CANARY);
        world.write("~/work/open/x", "x");
        world.answers(
            r"
            cat         ~/work/open/x\s(deleted)          named-so
            chmod       ~/work/open/x\s(deleted) 0600     ok
            openat      ~/work/open/x\s(deleted) O_RDONLY 0 >a ok
            openat      /proc/self/fd/%a O_RDONLY 0       ok
            openat      ~/work/closed/x\s(deleted) O_RDONLY 0 EACCES
            openat      ~/work/closed/x O_RDONLY 0        ENOENT
            openat      ~/work/open/x O_RDWR 0 >b         ok
            unlink      ~/work/open/x                     ok
            # A descriptor for reading allows no change, not even of what has no name.
            openat      /proc/self/fd/%b O_RDONLY 0 >e    ok
            fchmod      %e 0600                           EACCES
            # The link of proc now reads like the other file.
            openat      /proc/self/fd/%b O_RDONLY 0 >c    ok
            read        %c                                x
            fchmod      %b 0640                           ok
            lstat       ~/work/open/x\s(deleted)          100600:8
            openat      ~/work/closed/file O_PATH 0 >d    ok
            openat      /proc/self/fd/%d O_RDONLY 0       EACCES
            ",
        );
    });
}

#[test]
fn a_removed_name_is_none_also_where_nobody_can_look_for_it() {
    for_every_user_in_the_site(|world| {
        world.mkdir("~/work/open/shut");
        world.answers(
            "
            link        ~/work/open/file ~/work/open/shut/file ok
            link        ~/work/open/file ~/work/open/shut/gone ok
            openat      ~/work/open/shut/gone O_RDONLY 0 >a ok
            openat      ~/work/open/shut/gone O_RDWR 0 >b ok
            openat      ~/work/open/shut/gone O_PATH 0 >c ok
            openat      ~/work/open/shut/file O_RDONLY 0 >d ok
            unlink      ~/work/open/shut/gone             ok
            chmod       ~/work/open/shut 0400             ok
            openat      /proc/self/fd/%a O_RDONLY 0       ok
            openat      /proc/self/fd/%a O_WRONLY 0       EACCES
            fchmod      %a 0600                           EACCES
            openat      /proc/self/fd/%b O_WRONLY 0       ok
            openat      /proc/self/fd/%c O_RDONLY 0       EACCES
            # A name that is there is judged, though nobody can look for it either.
            openat      /proc/self/fd/%d O_WRONLY 0       ok
            chmod       ~/work/open/shut 0700             ok
            ",
        );
    });
}

#[test]
fn pipes_memfds_and_sockets_are_reached_through_their_links() {
    for_every_user_in_the_site(|world| {
        let script = "
import os, socket, errno
r, w = os.pipe()
os.write(w, b'pipe')
assert os.read(os.open(f'/proc/self/fd/{r}', os.O_RDONLY), 4) == b'pipe'
os.write(os.open(f'/dev/fd/{w}', os.O_WRONLY), b'back')
assert os.read(r, 4) == b'back'
m = os.memfd_create('m')
os.write(m, b'memory')
n = os.open(f'/proc/self/fd/{m}', os.O_RDONLY)
assert os.read(n, 6) == b'memory'
os.fchmod(m, 0o600)
os.ftruncate(m, 3)
os.truncate(f'/proc/self/fd/{m}', 2)
a, b = socket.socketpair()
try: os.open(f'/proc/self/fd/{a.fileno()}', os.O_RDONLY)
except OSError as error: print(errno.errorcode[error.errno], flush=True)
open('/dev/stdout', 'w').write('out\\n')
print(open('/dev/stdin').read())
";
        // Pipes of its own: those of the test belong to who runs it, and are closed to others by their mode.
        let shell = "echo in | /usr/bin/python3 -I -S -c \"$0\" | cat";
        let ran = world
            .confined()
            .args(["--mode", "supervised"])
            .command(["sh", "-c", shell, script])
            .works();
        assert_eq!(ran.stdout, "ENXIO\nout\nin\n\n", "{ran:#?}");
    });
}
