/* Links: symbolic, hard and magic ones that lead from an allowed place to a blocked one. */
#include "attempt.h"

static long openat2(int at, const char *name, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve};
    return syscall(SYS_openat2, at, name, &how, sizeof how);
}

/* CVE-2025-53109, CVE-2026-39861: planted before the start. */
ATTEMPT(planted_link_to_a_secret, .expect = "EACCES")
{
    show(open("links/secret-key", O_RDONLY));
    show(open("links/absolute-secret", O_RDONLY));
    neighbour_reads("links/note");
}

ATTEMPT(planted_link_to_a_secret_directory, .expect = "EACCES")
{
    show(open("links/secret/key", O_RDONLY));
    show(open("links/ssh/id", O_RDONLY));
    neighbour_reads("links/sub/note");
}

ATTEMPT(planted_link_to_a_wildcard_name, .expect = "EACCES")
{
    show(open("links/env", O_RDONLY));
    show(open("links/sub/.env", O_RDONLY));
    neighbour_reads("links/sub/note");
}

ATTEMPT(planted_link_to_a_blocked_directory, .expect = "EACCES")
{
    show(open("links/locked/key", O_RDONLY));
    show(open("links/locked-key", O_RDONLY));
    neighbour_reads("links/locked/open/note");
}

ATTEMPT(planted_link_to_the_root, .expect = "EACCES")
{
    show(open(text("links/root%s", path("secret/key")), O_RDONLY));
    show(open("links/home/secret/key", O_RDONLY));
    neighbour_reads(text("links/root%s", path("work/note")));
}

/* What `..` means after a link is decided by where the link leads. */
ATTEMPT(dots_after_a_link, .expect = "EACCES")
{
    show(open("links/secret/../bystander", O_RDONLY));
    show(open("links/sub/../.env", O_RDONLY));
    neighbour_reads("links/sub/../note");
}

ATTEMPT(dangling_link_to_a_blocked_name, .expect = "EACCES")
{
    report(open("links/late", O_WRONLY | O_CREAT, 0644));
    MUST(symlink("fresh", "to-fresh"));
    neighbour(open("to-fresh", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(dangling_link_out_of_the_workspace, .expect = "EACCES")
{
    report(open("links/outside-new", O_WRONLY | O_CREAT, 0644));
    MUST(symlink("fresh", "to-fresh"));
    neighbour(open("to-fresh", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(own_link_to_a_secret, .expect = "EACCES")
{
    MUST(symlink(path("secret/key"), "own"));
    show(open("own", O_RDONLY));
    MUST(symlink("../secret", "own-directory"));
    show(open("own-directory/key", O_RDONLY));
    MUST(symlink("note", "own-note"));
    neighbour_reads("own-note");
}

/* The kernel follows forty links and no more. */
static void chain(const char *first, const char *target, int links)
{
    const char *before = target;
    for (int i = 1; i <= links; i++) {
        char *name = i == links ? strdup(first) : text("%s-%d", first, i);
        MUST(symlink(before, name));
        before = name;
    }
}

ATTEMPT(chain_of_forty_links, .expect = "EACCES")
{
    chain("chain", path("secret/key"), 40);
    show(open("chain", O_RDONLY));
    chain("ours", "note", 40);
    neighbour_reads("ours");
}

ATTEMPT(chain_of_links_as_long_as_each_component_allows, .expect = "EACCES")
{
    chain("chain", "../secret", 20);
    MUST(symlink("chain/key", "chained-0"));
    chain("chained", "chained-0", 19);
    show(open("chained", O_RDONLY));
    chain("ours", "note", 39);
    neighbour_reads("ours");
}

ATTEMPT(chain_of_forty_one_links, .expect = "ELOOP", .user = "the kernel follows forty", .root = "the kernel follows forty")
{
    chain("chain", path("secret/key"), 41);
    show(open("chain", O_RDONLY));
    chain("ours", "note", 40);
    neighbour_reads("ours");
}

ATTEMPT(link_at_a_blocked_name, .expect = "EACCES")
{
    report(symlink("note", "late"));
    report(symlink("note", "shelf/.env"));
    neighbour(symlink("note", "fresh"));
}

ATTEMPT(link_in_a_blocked_directory, .expect = "EACCES")
{
    int locked = (int)MUST(open("locked", O_PATH));
    report(symlinkat("open/note", locked, "new"));
    report(symlink("open/note", "links/locked/new"));
    neighbour(symlinkat("note", AT_FDCWD, "fresh"));
}

/* `ghost/inner/key` is blocked, and `ghost` does not exist: a link there would lead the name astray. */
static void haunt(void)
{
    MUST(mkdir("shelf/inner", 0755));
    make_file("shelf/inner/key", "planted");
}

ATTEMPT(link_that_leads_a_blocked_name_astray, .expect = "EACCES")
{
    haunt();
    report(symlink("shelf", "ghost"));
    neighbour(symlink("shelf", "fresh"));
}

ATTEMPT(link_renamed_to_lead_a_blocked_name_astray, .expect = "EACCES")
{
    haunt();
    MUST(symlink("shelf", "fresh"));
    report(rename("fresh", "ghost"));
    neighbour(rename("fresh", "fresher"));
}

ATTEMPT(link_exchanged_to_lead_a_blocked_name_astray, .expect = "EACCES|EXDEV")
{
    haunt();
    MUST(mkdir("ghost", 0755));
    MUST(symlink("shelf", "fresh"));
    report(renameat2(AT_FDCWD, "fresh", AT_FDCWD, "ghost", RENAME_EXCHANGE));
    MUST(symlink("shelf", "other"));
    neighbour(renameat2(AT_FDCWD, "fresh", AT_FDCWD, "other", RENAME_EXCHANGE));
}

ATTEMPT(hard_link_of_a_link_to_lead_a_blocked_name_astray, .expect = "EACCES")
{
    haunt();
    MUST(symlink("shelf", "fresh"));
    report(linkat(AT_FDCWD, "fresh", AT_FDCWD, "ghost", 0));
    neighbour(linkat(AT_FDCWD, "fresh", AT_FDCWD, "fresher", 0));
}

/* An exact blocked rule that names a link holds for its target too. */
ATTEMPT(target_of_a_link_that_a_blocked_rule_names, .expect = "EACCES")
{
    show(open("aliased/key", O_RDONLY));
    show(open("alias/key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(target_of_a_link_that_a_blocked_rule_names_moved, .expect = "EACCES")
{
    report(rename("aliased", "plain"));
    report(rename("alias", "plain"));
    report(unlink("alias"));
    report(link("aliased/key", "linked"));
    neighbour(rename("links/sub", "links/plain"));
}

ATTEMPT(hard_link_into_an_exception, .expect = "EACCES|EXDEV")
{
    report(link("locked/key", "locked/open/key"));
    report(rename("locked/key", "locked/open/key"));
    report(renameat2(AT_FDCWD, "locked/key", AT_FDCWD, "locked/open/note", RENAME_EXCHANGE));
    neighbour(link("note", "locked/open/linked"));
}

ATTEMPT(root_of_this_process, .expect = "EACCES")
{
    show(open(text("/proc/self/root%s", path("secret/key")), O_RDONLY));
    show(open(text("/proc/%d/root%s", getpid(), path("work/sub/.env")), O_RDONLY));
    neighbour_reads(text("/proc/self/root%s", path("work/note")));
}

ATTEMPT(root_of_a_task, .expect = "EACCES")
{
    const char *at = text("/proc/self/task/%d/root", gettid());
    show(open(text("%s%s", at, path("secret/key")), O_RDONLY));
    show(open(text("/proc/thread-self/root%s", path("secret/key")), O_RDONLY));
    neighbour_reads(text("%s%s", at, path("work/note")));
}

ATTEMPT(working_directory_of_a_task, .expect = "EACCES")
{
    show(open(text("/proc/self/task/%d/cwd/../secret/key", gettid()), O_RDONLY));
    show(open("/proc/self/cwd/.env", O_RDONLY));
    neighbour_reads("/proc/self/cwd/note");
}

ATTEMPT(working_directory_of_a_child, .expect = "EACCES")
{
    int ready[2];
    MUST(pipe(ready));
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        MUST(chdir(path("secret")));
        write(ready[1], "", 1);
        pause();
    }
    char byte;
    MUST(read(ready[0], &byte, 1));
    show(open(text("/proc/%d/cwd/key", child), O_RDONLY));
    neighbour_reads(text("/proc/%d/cwd/../work/note", child));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

ATTEMPT(root_of_an_outsider, .expect = "EACCES", .with = OUTSIDER)
{
    show(open(text("/proc/%d/root%s", outsider, path("secret/key")), O_RDONLY));
    show(open(text("/proc/%d/cwd/sub/.env", outsider), O_RDONLY));
    neighbour_reads(text("/proc/%d/root%s", getpid(), path("work/note")));
}

ATTEMPT(descriptor_of_a_secret_directory_as_a_path, .expect = "EACCES")
{
    int secret = (int)MUST(open(path("secret"), O_PATH));
    show(open(text("/proc/self/fd/%d/key", secret), O_RDONLY));
    show(open(text("/dev/fd/%d/key", secret), O_RDONLY));
    show(open(text("/proc/self/fd/%d/../bystander", secret), O_RDONLY));
    int sub = (int)MUST(open("sub", O_PATH));
    neighbour_reads(text("/proc/self/fd/%d/note", sub));
}

ATTEMPT(link_to_a_magic_link, .expect = "EACCES")
{
    int secret = (int)MUST(open(path("secret/key"), O_PATH));
    MUST(symlink(text("/proc/self/fd/%d", secret), "magic"));
    show(open("magic", O_RDONLY));
    MUST(symlink("/proc/self/cwd/../secret/key", "magic-cwd"));
    show(open("magic-cwd", O_RDONLY));
    MUST(symlink("/proc/self/cwd/note", "magic-note"));
    neighbour_reads("magic-note");
}

ATTEMPT(resolution_in_a_root_of_its_own, .expect = "EACCES")
{
    int at = (int)MUST(open(home, O_PATH));
    show(openat2(at, "/secret/key", O_RDONLY, RESOLVE_IN_ROOT));
    show(openat2(at, "/work/../../../../../secret/key", O_RDONLY, RESOLVE_IN_ROOT));
    neighbour_fd(openat2(at, "/work/../../work/note", O_RDONLY, RESOLVE_IN_ROOT));
}

ATTEMPT(resolution_beneath_a_directory, .expect = "EACCES")
{
    int at = (int)MUST(open(home, O_PATH));
    show(openat2(at, "secret/key", O_RDONLY, RESOLVE_BENEATH));
    show(openat2(at, "work/sub/../.env", O_RDONLY, RESOLVE_BENEATH));
    neighbour_fd(openat2(at, "work/sub/../note", O_RDONLY, RESOLVE_BENEATH));
}

ATTEMPT(resolution_without_links, .expect = "EACCES")
{
    show(openat2(AT_FDCWD, "sub/.env", O_RDONLY, RESOLVE_NO_SYMLINKS));
    show(openat2(AT_FDCWD, "links/secret-key", O_RDONLY, RESOLVE_NO_MAGICLINKS));
    show(openat2(AT_FDCWD, path("secret/key"), O_RDONLY, RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS));
    neighbour_fd(openat2(AT_FDCWD, "sub/note", O_RDONLY, RESOLVE_NO_SYMLINKS));
}

ATTEMPT(hard_link_of_a_blocked_file, .expect = "EACCES")
{
    report(link("sub/.env", "shelf/linked"));
    report(link("locked/key", "linked"));
    report(link(path("secret/key"), "linked"));
    neighbour(link("sub/note", "shelf/linked-note"));
}

ATTEMPT(hard_link_of_a_file_that_may_not_be_written, .expect = "EACCES")
{
    report(link("fixed/note", "linked"));
    neighbour(link("note", "linked-note"));
}

/* It may be written and not read: a second name would give more. */
ATTEMPT(hard_link_to_where_more_is_allowed, .expect = "EXDEV")
{
    report(link("blind/key", "shelf/linked"));
    neighbour(link("note", "shelf/linked-note"));
}

ATTEMPT(hard_link_through_a_symbolic_link, .expect = "EACCES")
{
    report(linkat(AT_FDCWD, "links/env", AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    neighbour(linkat(AT_FDCWD, "links/note", AT_FDCWD, "linked-note", AT_SYMLINK_FOLLOW));
}

ATTEMPT(hard_link_through_a_magic_link, .expect = "EACCES")
{
    int fd = (int)MUST(open("sub/.env", O_PATH));
    report(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    fd = (int)MUST(open("note", O_RDONLY));
    neighbour(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "linked-note", AT_SYMLINK_FOLLOW));
}

ATTEMPT(hard_link_of_a_descriptor, .expect = "EACCES|ENOENT")
{
    int fd = (int)MUST(open("sub/.env", O_PATH));
    report(linkat(fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
    neighbour(link("note", "linked-note"));
}

ATTEMPT(hard_link_to_a_blocked_name, .expect = "EACCES")
{
    report(link("note", "late"));
    report(link("note", "shelf/.env"));
    report(link("note", "fixed/new"));
    neighbour(link("note", "shelf/fresh"));
}

ATTEMPT(changes_through_a_link_to_a_blocked_directory, .expect = "EACCES")
{
    report(unlink("links/locked/key"));
    report(mkdir("links/locked/new", 0755));
    report(rename("links/locked/key", "moved"));
    report(rename("note", "links/locked/key"));
    report(open("links/locked/new", O_WRONLY | O_CREAT, 0644));
    neighbour(mkdir("links/sub/new", 0755));
}

ATTEMPT(write_through_a_link_to_a_fixed_file, .expect = "EACCES")
{
    report(truncate("links/fixed", 0));
    report(open("links/fixed", O_WRONLY | O_TRUNC));
    report(open("links/fixed", O_RDONLY | O_TRUNC));
    neighbour(open("links/note", O_WRONLY));
}

ATTEMPT(execution_through_a_link, .expect = "EACCES")
{
    MUST(symlink(path("secret/script"), "own"));
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        execl("own", "own", NULL);
        report(-1);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    /* Where it is executed, execve does not return, and only the script speaks. */
    MUST(symlink("run", "own-run"));
    neighbour_sh("./own-run");
}

ATTEMPT(programs_that_follow_links)
{
    sh("cat links/secret-key links/env links/secret/* links/locked/* ; cp -L links/secret-key copy ; dd if=links/env ;"
       " head -c 30 links/ssh/id ; tar chf all.tar links/secret links/env ; rsync -rL links/secret links/env copied ; git -c safe.directory='*' diff --no-index note links/secret-key");
    neighbour_sh("cat links/note > /dev/null && cp -L links/note copied-note");
}
