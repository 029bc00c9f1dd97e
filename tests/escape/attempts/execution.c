/* Execution as a way of reading: the kernel reads a file that it executes, and hands what it read to others. The file is
 * blocked for `r` alone, so it may be written and made executable. */
#include "attempt.h"
#include "images.h"

/* The beginning of the secret becomes a first line, and its rest the arguments of `echo`. */
static void make_script(const char *name)
{
    int fd = (int)MUST(open(name, O_WRONLY));
    MUST(write(fd, "#!/bin/echo ", 12));
    close(fd);
    chmod(name, 0755);
}

static void execute(int from, const char *name, int flags)
{
    char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        report(syscall(SYS_execveat, from, name, words, environment, flags));
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
}

static void neighbour_executes(void)
{
    make_file("own", "#!/bin/echo neighbour\n");
    chmod("own", 0755);
    neighbour_sh("./own");
}

ATTEMPT(first_line_of_a_script, .expect = "EACCES")
{
    make_script("blind/key");
    execute(AT_FDCWD, "blind/key", 0);
    neighbour_executes();
}

ATTEMPT(first_line_of_a_script_by_its_descriptor, .expect = "EACCES")
{
    make_script("blind/key");
    execute((int)MUST(open("blind/key", O_PATH)), "", AT_EMPTY_PATH);
    neighbour_executes();
}

ATTEMPT(first_line_behind_a_chain_of_scripts, .expect = "EACCES")
{
    make_script("blind/key");
    const char *before = "blind/key";
    for (int i = 0; i < 4; i++) {
        char *name = text("step%d", i);
        make_file(name, text("#!%s\n", before));
        chmod(name, 0755);
        before = name;
    }
    execute(AT_FDCWD, before, 0);
    neighbour_executes();
}

ATTEMPT(script_without_a_name, .expect = "EACCES")
{
    make_script("blind/key");
    int fd = (int)MUST(open("blind/key", O_PATH));
    MUST(unlink("blind/key"));
    execute(fd, "", AT_EMPTY_PATH);
    neighbour_executes();
}

ATTEMPT(script_without_a_name_by_its_link_of_proc, .expect = "EACCES")
{
    make_script("blind/key");
    int fd = (int)MUST(open("blind/key", O_PATH));
    MUST(unlink("blind/key"));
    execute(AT_FDCWD, text("/proc/self/fd/%d", fd), 0);
    neighbour_executes();
}

ATTEMPT(image_behind_an_inserted_page, .expect = "EACCES", INSERTS)
{
    make_program();
    execute(AT_FDCWD, "blind/key", 0);
    neighbour_executes();
}

ATTEMPT(image_without_a_name, .expect = "EACCES", INSERTS)
{
    make_program();
    int fd = (int)MUST(open("blind/key", O_PATH));
    MUST(unlink("blind/key"));
    execute(fd, "", AT_EMPTY_PATH);
    neighbour_executes();
}

/* Another thread rewrites the path between the judgement and the kernel's own reading. */
static char raced[PATH_MAX];
static const char *blocked = "blind/key";
static volatile int is_over;

static void *rewrite(void *unused)
{
    (void)unused;
    while (!is_over) {
        strcpy(raced, blocked);
        __asm__ volatile("" ::: "memory");
        strcpy(raced, "true/true");
        __asm__ volatile("" ::: "memory");
    }
    return NULL;
}

/* Executes in children that share the memory of the thread that rewrites. */
static int execute_raced(void *unused)
{
    (void)unused;
    char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
    syscall(SYS_execve, raced, words, environment);
    _exit(1);
}

static void race(void)
{
    sh("mkdir -p true; cp /bin/true true/true");
    strcpy(raced, "true/true");
    fflush(stdout);
    pthread_t thread;
    MUST(-pthread_create(&thread, NULL, rewrite, NULL));
    char *stack = malloc(1 << 16);
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = clone(execute_raced, stack + (1 << 16), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        if (child > 0)
            waitpid(child, NULL, 0);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    neighbour_executes();
}

ATTEMPT(image_by_a_rewritten_path, INSERTS)
{
    make_program();
    race();
}

ATTEMPT(first_line_by_a_rewritten_path)
{
    make_script("blind/key");
    race();
}

/* Through the descriptor by which it was written, since its name is gone. */
ATTEMPT(first_line_of_a_removed_script_by_a_rewritten_path)
{
    int held = (int)MUST(open("blind/key", O_PATH));
    int fd = (int)MUST(open("blind/key", O_WRONLY));
    MUST(write(fd, "#!/bin/echo ", 12));
    MUST(unlink("blind/key"));
    fchmod(fd, 0755);
    close(fd);
    blocked = text("/proc/self/fd/%d", held);
    race();
}
