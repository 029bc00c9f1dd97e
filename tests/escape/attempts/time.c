/* Time: names that appear later, made by the target or by somebody outside. races.c has what changes between check and
 * use. */
#include "attempt.h"

/* CVE-2026-25725: a blocked name that did not exist at the start. */
ATTEMPT(late_file_made_outside, .expect = "EACCES")
{
    outside("secret work/late");
    show(open("late", O_RDONLY));
    outside("file work/early");
    neighbour_reads("early");
}

ATTEMPT(late_directory_made_outside, .expect = "EACCES")
{
    outside("secret work/late-directory/deep/key");
    show(open("late-directory/deep/key", O_RDONLY));
    report(open("late-directory/new", O_WRONLY | O_CREAT, 0644));
    outside("file work/early/deep/note");
    neighbour_reads("early/deep/note");
}

ATTEMPT(late_wildcard_name_in_a_late_directory, .expect = "EACCES")
{
    outside("secret work/early/deep/.env");
    show(open("early/deep/.env", O_RDONLY));
    outside("file work/early/deep/note");
    neighbour_reads("early/deep/note");
}

ATTEMPT(late_file_beside_the_workspace, .expect = "EACCES")
{
    outside("secret late-sibling");
    show(open("../late-sibling", O_RDONLY));
    outside("file work/early");
    neighbour_reads("early");
}

ATTEMPT(late_file_beside_a_settled_workspace, .expect = "EACCES", .policy = "settled")
{
    outside("secret late-sibling");
    show(open("../late-sibling", O_RDONLY));
    outside("secret work-late/key");
    show(open("../work-late/key", O_RDONLY));
    outside("file work/early");
    neighbour_reads("early");
}

ATTEMPT(late_file_made_by_the_target, .expect = "EACCES")
{
    report(open("late", O_WRONLY | O_CREAT, 0644));
    report(open("late", O_RDWR | O_CREAT | O_EXCL, 0644));
    report(creat("late", 0644));
    neighbour(open("early", O_WRONLY | O_CREAT | O_EXCL, 0644));
}

ATTEMPT(late_directory_made_by_the_target, .expect = "EACCES")
{
    report(mkdir("late-directory", 0755));
    MUST(mkdir("ghost", 0755));
    MUST(mkdir("ghost/inner", 0755));
    report(mkdir("ghost/inner/key", 0755));
    neighbour(mkdir("ghost/inner/other", 0755));
}

ATTEMPT(late_node_made_by_the_target, .expect = "EACCES")
{
    report(mknod("late", S_IFIFO | 0644, 0));
    report(mknod("late", S_IFREG | 0644, 0));
    report(mknodat(AT_FDCWD, "shelf/.env", S_IFSOCK | 0644, 0));
    neighbour(mknod("early", S_IFIFO | 0644, 0));
}

ATTEMPT(nameless_file_gets_a_late_name, .expect = "EACCES")
{
    int fd = (int)MUST(open(".", O_TMPFILE | O_RDWR, 0644));
    report(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "late", AT_SYMLINK_FOLLOW));
    report(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "shelf/.env", AT_SYMLINK_FOLLOW));
    neighbour(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "early", AT_SYMLINK_FOLLOW));
}

ATTEMPT(nameless_file_in_a_blocked_directory, .expect = "EACCES|ENOENT")
{
    int fd = (int)report(open("fixed", O_TMPFILE | O_RDWR, 0644));
    report(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "fixed/new", AT_SYMLINK_FOLLOW));
    neighbour(open("sub", O_TMPFILE | O_RDWR, 0644));
}

ATTEMPT(directory_replaced_outside, .expect = "EACCES")
{
    outside("move work/shelf work/old");
    outside("secret work/shelf/.env");
    show(open("shelf/.env", O_RDONLY));
    outside("file work/shelf/note");
    neighbour_reads("shelf/note");
}

/* Whoever asks from here is elsewhere now. */
ATTEMPT(working_directory_moved_outside, .expect = "EACCES")
{
    MUST(chdir("shelf"));
    outside_from("..", "move work/shelf secret/shelf");
    show(open("../key", O_RDONLY));
    neighbour_reads(path("work/note"));
}

ATTEMPT(directory_descriptor_moved_outside, .expect = "EACCES")
{
    int shelf = (int)MUST(open("shelf", O_RDONLY | O_DIRECTORY));
    outside("move work/shelf secret/shelf");
    show(openat(shelf, "../key", O_RDONLY));
    show(openat(shelf, "../sub/key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(directory_descriptor_moved_outside_a_settled_workspace, .expect = "EACCES", .policy = "settled")
{
    int shelf = (int)MUST(open("shelf", O_RDONLY | O_DIRECTORY));
    outside("move work/shelf secret/shelf");
    show(openat(shelf, "../key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(link_planted_outside, .expect = "EACCES")
{
    outside("link ../secret/key work/trap");
    show(open("trap", O_RDONLY));
    outside("remove work/note");
    outside("link locked/key work/note");
    show(open("note", O_RDONLY));
    neighbour_reads("sub/note");
}

ATTEMPT(link_planted_outside_in_a_settled_workspace, .expect = "EACCES", .policy = "settled")
{
    outside("link ../secret/key work/trap");
    show(open("trap", O_RDONLY));
    outside("link ../secret work/trap-directory");
    show(open("trap-directory/key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(blocked_file_replaced_outside, .expect = "EACCES")
{
    outside("remove work/locked/key");
    outside("secret work/locked/key");
    show(open("locked/key", O_RDONLY));
    outside("remove work/note");
    outside("file work/note");
    neighbour_reads("note");
}
