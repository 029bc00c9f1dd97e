/* Settled: the ways of the other classes under a policy that Landlock holds by itself, where opens do not ask and all else
 * does. */
#include "attempt.h"
#include <sys/inotify.h>

ATTEMPT(opens_outside, .expect = "EACCES", .policy = "settled")
{
    show(open("../secret/key", O_RDONLY));
    show(open("links/secret-key", O_RDONLY));
    show(open("links/secret/../bystander", O_RDONLY));
    show(open(text("/proc/self/root%s", path(".ssh/id")), O_RDONLY));
    show(openat((int)MUST(open(path("secret"), O_PATH)), "key", O_RDONLY));
    neighbour_reads("links/note");
}

ATTEMPT(path_descriptor_of_what_lies_outside, .expect = "EACCES", .policy = "settled")
{
    int fd = (int)MUST(open(path("secret/key"), O_PATH));
    show(open(text("/proc/self/fd/%d", fd), O_RDONLY));
    show(open(text("/dev/fd/%d", fd), O_RDWR));
    MUST(fchdir((int)MUST(open(path("secret"), O_PATH))));
    show(open("key", O_RDONLY));
    neighbour_fd(open(text("/proc/self/fd/%d", (int)MUST(open(path("work/note"), O_PATH))), O_RDONLY));
}

ATTEMPT(hard_link_from_outside, .expect = "EACCES", .policy = "settled")
{
    report(link(path("secret/key"), "linked"));
    report(linkat(AT_FDCWD, "links/secret-key", AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    report(link("note", path("secret/new")));
    neighbour(link("note", "linked-note"));
}

ATTEMPT(rename_across_the_edge, .expect = "EACCES", .policy = "settled")
{
    report(rename(path("secret/key"), "plain"));
    report(rename(path("work-evil"), "plain"));
    report(rename("note", path("secret/key")));
    report(renameat2(AT_FDCWD, "note", AT_FDCWD, path("bystander"), RENAME_EXCHANGE));
    report(renameat2(AT_FDCWD, "shelf", AT_FDCWD, path("secret"), RENAME_EXCHANGE));
    neighbour(rename("note", "plain"));
}

ATTEMPT(workspace_itself_moved, .expect = "EACCES|EXDEV", .policy = "settled")
{
    report(rename(path("work"), path("other")));
    report(renameat2(AT_FDCWD, path("work"), AT_FDCWD, path("work-evil"), RENAME_EXCHANGE));
    neighbour(rename("shelf", "other"));
}

ATTEMPT(entries_made_and_removed_outside, .expect = "EACCES", .policy = "settled")
{
    report(open("../secret/new", O_WRONLY | O_CREAT, 0644));
    report(open("links/outside-new", O_WRONLY | O_CREAT, 0644));
    report(mkdir("../secret/new", 0755));
    report(symlink("x", "links/secret/new"));
    report(mknod("../secret/new", S_IFIFO | 0644, 0));
    report(unlink("../secret/key"));
    report(rmdir("../secret/empty"));
    neighbour(mkdir("new", 0755));
}

ATTEMPT(metadata_outside, .expect = "EACCES", .policy = "settled")
{
    report(chmod("links/secret-key", 0666));
    report(utimensat(AT_FDCWD, "../secret/key", NULL, 0));
    report(setxattr("../secret/key", "user.x", "x", 1, 0));
    report(fchmodat((int)MUST(open(path("secret"), O_PATH)), "key", 0666, 0));
    report(chown("../secret/key", getuid(), getgid()));
    report(truncate("../secret/key", 0));
    neighbour(chmod("links/note", 0640));
}

ATTEMPT(directory_outside_watched, .expect = "EACCES", .policy = "settled")
{
    int watch = (int)MUST(inotify_init1(IN_NONBLOCK));
    report(inotify_add_watch(watch, "../secret", IN_ALL_EVENTS));
    outside("name secret");
    char bytes[4096];
    ssize_t got = read(watch, bytes, sizeof bytes);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour(inotify_add_watch(watch, "sub", IN_ALL_EVENTS));
}

ATTEMPT(script_outside_executed, .expect = "EACCES", .policy = "settled")
{
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        execl("../secret/script", "script", NULL);
        report(-1);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    neighbour_sh("./run");
}

ATTEMPT(programs_that_reach_outside, .policy = "settled")
{
    sh("cat ../secret/key links/secret-key ; cp -a ../secret copied ; mv ../bystander . ; rm -rf ../work-evil ; ln ../secret/key hard ;"
       " touch ../secret/new ; sh ../secret/script ; tar cf all.tar ../secret ../.ssh");
    neighbour_sh("cp -a shelf copied-shelf && tar cf ours.tar shelf && rm -rf shelf");
}
