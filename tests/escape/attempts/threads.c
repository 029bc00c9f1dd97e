/* Processes that share what a call is made of: memory, the working directory, or a tracer who rewrites the call. */
#include "attempt.h"

#include <sys/ptrace.h>
#include <sys/user.h>

/* The parent of a vfork shares its memory: the path of the one is rewritten by the other. */
static volatile int is_over;
static char shared_path[PATH_MAX];

static int rewriter(void *unused)
{
    (void)unused;
    const char *secret = path("secret/key"), *allowed = path("work////note");
    while (!is_over) {
        strcpy(shared_path, secret);
        __asm__ volatile("" ::: "memory");
        strcpy(shared_path, allowed);
        __asm__ volatile("" ::: "memory");
    }
    return 0;
}

static void read_what_changes(int flags)
{
    char *stack = malloc(1 << 16);
    strcpy(shared_path, "note");
    fflush(stdout);
    MUST(clone(rewriter, stack + (1 << 16), flags | SIGCHLD, NULL));
    for (int64_t end_at = milliseconds() + 300; milliseconds() < end_at;) {
        int fd = open(shared_path, O_RDONLY);
        char bytes[64] = "";
        if (fd >= 0 && read(fd, bytes, sizeof bytes - 1) > 0 && strncmp(bytes, "neighbour", 9) != 0) {
            printf("%s\n", bytes);
            break;
        }
        close(fd);
    }
    is_over = 1;
    wait(NULL);
    neighbour_reads("note");
}

ATTEMPT(process_that_shares_memory_and_no_descriptors)
{
    read_what_changes(CLONE_VM);
}

ATTEMPT(process_that_shares_memory_and_its_directory)
{
    read_what_changes(CLONE_VM | CLONE_FS);
}

/* The working directory of all threads moves between the workspace and the secret. */
static int mover(void *unused)
{
    (void)unused;
    const char *there = path("secret"), *here = path("work/pair/right");
    while (!is_over) {
        if (chdir(there) != 0 || chdir(here) != 0)
            break;
    }
    return 0;
}

ATTEMPT(thread_that_moves_the_working_directory)
{
    char *stack = malloc(1 << 16);
    fflush(stdout);
    MUST(clone(mover, stack + (1 << 16), CLONE_VM | CLONE_FS | SIGCHLD, NULL));
    for (int64_t end_at = milliseconds() + 300; milliseconds() < end_at;) {
        int fd = open("key", O_RDONLY);
        char bytes[64] = "";
        if (fd >= 0 && read(fd, bytes, sizeof bytes - 1) > 0 && strncmp(bytes, "neighbour", 9) != 0) {
            printf("%s\n", bytes);
            break;
        }
        close(fd);
    }
    is_over = 1;
    wait(NULL);
    neighbour_reads(path("work/note"));
}

static int vfork_child(void *unused)
{
    (void)unused;
    spill(open(shared_path, O_RDONLY));
    _exit(0);
}

/* The parent waits in vfork, and another thread of it rewrites the path that the child opens. */
static void *rewrite(void *unused)
{
    rewriter(unused);
    return NULL;
}

ATTEMPT(vfork_child_whose_path_is_rewritten)
{
    pthread_t thread;
    pthread_create(&thread, NULL, rewrite, NULL);
    char *stack = malloc(1 << 16);
    for (int64_t end_at = milliseconds() + 300; milliseconds() < end_at;) {
        pid_t child = clone(vfork_child, stack + (1 << 16), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        waitpid(child, NULL, 0);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    neighbour_reads("note");
}

/* A tracer inside the target exchanges the call of its child after it was made. */
#ifdef __x86_64__
ATTEMPT(tracer_exchanges_the_path)
{
    fflush(stdout);
    static char names[2][PATH_MAX];
    strcpy(names[0], path("work/note"));
    strcpy(names[1], path("secret/key"));
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        spill((int)syscall(SYS_openat, AT_FDCWD, names[0], O_RDONLY));
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    while (WIFSTOPPED(status)) {
        struct user_regs_struct registers;
        ptrace(PTRACE_GETREGS, child, NULL, &registers);
        if (registers.orig_rax == SYS_openat && registers.rsi == (uintptr_t)names[0]) {
            registers.rsi = (uintptr_t)names[1];
            ptrace(PTRACE_SETREGS, child, NULL, &registers);
        }
        ptrace(PTRACE_SYSCALL, child, NULL, NULL);
        waitpid(child, &status, 0);
    }
    neighbour_reads("note");
}

ATTEMPT(tracer_exchanges_the_number)
{
    fflush(stdout);
    static char name[PATH_MAX];
    strcpy(name, path("secret/key"));
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        /* statx of a secret is free, with arguments that fit openat. */
        spill((int)syscall(SYS_statx, AT_FDCWD, name, O_RDONLY, 0, NULL));
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    while (WIFSTOPPED(status)) {
        struct user_regs_struct registers;
        ptrace(PTRACE_GETREGS, child, NULL, &registers);
        if (registers.orig_rax == SYS_statx) {
            registers.orig_rax = SYS_openat;
            ptrace(PTRACE_SETREGS, child, NULL, &registers);
        }
        ptrace(PTRACE_SYSCALL, child, NULL, NULL);
        waitpid(child, &status, 0);
    }
    neighbour_reads("note");
}
#endif
