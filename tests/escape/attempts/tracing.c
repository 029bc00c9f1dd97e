/* Tracing across exec: what the kernel mapped for a program that must not run is seen by another process before the
 * supervisor has looked at it. The path is rewritten between the judgement and the kernel's own reading. */
#include "attempt.h"
#include "images.h"

#include <sys/ptrace.h>
#include <sys/uio.h>

/* Where the secret lies in the image of images.h. */
#define SECRET 0x10002000UL

static char *shared;
static pid_t rewriter;

static void start_rewriting(void)
{
    make_program();
    sh("mkdir -p true; cp /bin/true true/true");
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(shared, "true/true");
    fflush(stdout);
    rewriter = (pid_t)MUST(fork());
    while (rewriter == 0) {
        strcpy(shared, "blind/key");
        __asm__ volatile("" ::: "memory");
        strcpy(shared, "true/true");
        __asm__ volatile("" ::: "memory");
    }
}

static void stop_rewriting(void)
{
    kill(rewriter, SIGKILL);
    waitpid(rewriter, NULL, 0);
    make_file("own", "#!/bin/echo neighbour\n");
    chmod("own", 0755);
    neighbour_sh("./own");
}

static void executes(void)
{
    char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
    close(1);
    syscall(SYS_execve, shared, words, environment);
    _exit(1);
}

/* Prints what lies there in another process, if it is no program's beginning. */
static void tell(const char *bytes)
{
    if (memcmp(bytes, "\0\0\0\0", 4) != 0)
        printf("%.32s\n", bytes);
    fflush(stdout);
}

ATTEMPT(image_peeked_at_the_exec_stop, INSERTS)
{
    start_rewriting();
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            ptrace(PTRACE_TRACEME, 0, NULL, NULL);
            executes();
        }
        int status;
        if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
            long words[4];
            for (unsigned i = 0; i < 4; i++)
                words[i] = ptrace(PTRACE_PEEKDATA, child, SECRET + i * sizeof(long), NULL);
            if (words[0] != -1)
                tell((char *)words);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
        }
    }
    stop_rewriting();
}

/* A pipe without room: the loader waits in its write, and can be looked at. */
static int full_pipe(void)
{
    int ends[2];
    MUST(pipe2(ends, O_NONBLOCK));
    char bytes[4096] = "";
    while (write(ends[1], bytes, sizeof bytes) > 0)
        ;
    MUST(fcntl(ends[1], F_SETFL, 0));
    return ends[1];
}

ATTEMPT(image_copied_while_it_executes, INSERTS)
{
    start_rewriting();
    int full = full_pipe();
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            dup2(full, 1);
            char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
            syscall(SYS_execve, shared, words, environment);
            _exit(1);
        }
        char bytes[33] = "";
        struct iovec to = {bytes, 32}, from = {(void *)SECRET, 32};
        int64_t patience = milliseconds() + 50;
        while (waitpid(child, NULL, WNOHANG) == 0) {
            if (process_vm_readv(child, &to, 1, &from, 1, 0) == 32)
                tell(bytes);
            if (milliseconds() > patience)
                kill(child, SIGKILL);
        }
    }
    stop_rewriting();
}

ATTEMPT(image_read_from_its_memory_file, INSERTS)
{
    start_rewriting();
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            ptrace(PTRACE_TRACEME, 0, NULL, NULL);
            executes();
        }
        int status;
        if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
            char bytes[33] = "";
            int memory = open(text("/proc/%d/mem", child), O_RDONLY);
            if (memory >= 0 && pread(memory, bytes, 32, (off_t)SECRET) == 32)
                tell(bytes);
            close(memory);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
        }
    }
    stop_rewriting();
}
