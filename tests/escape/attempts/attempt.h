/* What every attempt has at hand. A class is one file, `CLASS.c`, which includes this header and defines attempts:
 *
 *     ATTEMPT(sibling_with_the_same_prefix, .expect = "EACCES")
 *     {
 *         show(open(path("work-evil/key"), O_RDONLY));
 *         neighbour_reads("note");
 *     }
 *
 * An attempt attacks and reports; it does not judge. Whatever it prints and leaves behind is judged by the harness. */
#ifndef ATTEMPT_H
#define ATTEMPT_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* What the harness gives an attempt besides the tree. */
enum with {
    /* A process outside: `outsider` is its pid, `outsider_memory` the address of its secret. It serves sockets too. */
    OUTSIDER = 1,
    /* Descriptors that are open before the sandbox starts: the numbers below. */
    INHERITED = 2,
    /* With OUTSIDER: the terminal behind which it sits is the controlling one, and standard input. */
    TERMINAL = 4,
    /* A second run of the same program, in the same sandbox and tree: it does `.rival` all the time. */
    RIVAL = 8,
};

/* Inherited descriptors. */
enum {
    INHERITED_KEY = 5,       /* secret/key, for reading */
    INHERITED_DIRECTORY = 6, /* secret, for reading */
    INHERITED_KEY_PATH = 7,  /* secret/key, O_PATH */
    INHERITED_PATH = 8,      /* secret, O_PATH */
    INHERITED_WRITE = 9,     /* .ssh/id, for reading and writing */
    INHERITED_SOCKET = 10,   /* with OUTSIDER: datagrams to secret/dgram */
    INHERITED_PIDFD = 11,    /* with OUTSIDER: of the outsider */
    INHERITED_ROOT = 12,     /* `/`, for reading */
};

struct attempt {
    const char *name;
    void (*run)(void);
    /* What each errno line may say, with `|` between; NULL: no call decides, the effect alone counts. */
    const char *expect;
    /* Why it does not succeed without a sandbox: as an ordinary user, as root. NULL: it must succeed. */
    const char *user, *root;
    /* These two hold only on a host where this is not 0. NULL: everywhere. */
    int (*only_if)(void);
    /* Why it is never run without a sandbox. */
    const char *never_bare;
    int with;
    void (*rival)(void);
    /* The policy, by its name in policy.rs; NULL: "rich". */
    const char *policy;
    /* What the owner does afterwards, by its name in after.rs. */
    const char *after;
};

static const struct attempt *attempts[256];
static int attempts_count;
static const char *root, *outsider_memory_text;
static char home[64];
static pid_t outsider;
static unsigned long outsider_memory;

#define ATTEMPT(NAME, ...)                                                                                             \
    static void NAME(void);                                                                                            \
    __attribute__((constructor)) static void register_##NAME(void)                                                     \
    {                                                                                                                  \
        static const struct attempt one = {.name = #NAME, .run = NAME, __VA_ARGS__};                                  \
        attempts[attempts_count++] = &one;                                                                             \
    }                                                                                                                  \
    static void NAME(void)

#define UNUSED __attribute__((unused)) static

/* An attempt that cannot be made ready has proved nothing: the harness sees the missing neighbour. */
UNUSED void fail(const char *what)
{
    printf("\nunready=%s: %s\n", what, strerrorname_np(errno));
    fflush(stdout);
    exit(3);
}

/* A step of preparation that must work. */
UNUSED long must(long result, const char *what)
{
    if (result < 0)
        fail(what);
    return result;
}
#define MUST(CALL) must((CALL), #CALL)

/* An absolute path: `name` beneath the home directory. */
UNUSED char *path(const char *name)
{
    char *text = malloc(strlen(home) + strlen(name) + 2);
    sprintf(text, "%s/%s", home, name);
    return text;
}

UNUSED char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
UNUSED char *text(const char *format, ...)
{
    char *to;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&to, format, arguments) < 0)
        abort();
    va_end(arguments);
    return to;
}

/* The reported calls are the steps of an attempt. All are made, unless the harness wants one alone: without a sandbox the
 * first that succeeds may leave nothing for the others to do. */
static int step_wanted = -1, steps;

UNUSED int is_wanted(void)
{
    int step = steps++;
    if (step_wanted < 0 || step == step_wanted)
        return 1;
    errno = ECANCELED;
    return 0;
}

UNUSED long report_result(long result)
{
    int why = errno;
    printf("\nerrno=%s\n", result < 0 ? strerrorname_np(why) : "0");
    fflush(stdout);
    errno = why;
    return result;
}

/* Makes the deciding call and says what it gave: its errno, or that it succeeded. */
#define report(...) (is_wanted() ? report_result(__VA_ARGS__) : -1)

/* Prints all that a descriptor gives, from where it stands. */
UNUSED void spill(int fd)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    fflush(stdout);
}

UNUSED int show_result(long fd)
{
    report_result(fd);
    if (fd >= 0)
        spill((int)fd);
    return (int)fd;
}

/* Makes the deciding open, reports it and prints what can be read. */
#define show(...) (is_wanted() ? show_result(__VA_ARGS__) : -1)

/* The allowed neighbour did what it was asked for, by the same call. */
UNUSED void neighbour(long result)
{
    int why = errno;
    printf("\nneighbour=%s\n", result >= 0 ? "ok" : strerrorname_np(why));
    fflush(stdout);
}

/* A descriptor of an allowed file that holds "neighbour". */
UNUSED void neighbour_fd(long fd)
{
    char bytes[16] = "";
    if (fd >= 0 && read((int)fd, bytes, sizeof bytes - 1) < 0)
        fd = -1;
    if (fd >= 0 && strncmp(bytes, "neighbour", 9) != 0) {
        errno = EIO;
        fd = -1;
    }
    neighbour(fd);
}

/* open(2) of an allowed file, relative to the workspace. */
UNUSED void neighbour_reads(const char *name)
{
    neighbour_fd(open(name, O_RDONLY));
}

/* Makes a file that holds `bytes`. */
UNUSED void make_file(const char *name, const char *bytes)
{
    int fd = (int)MUST(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    MUST(write(fd, bytes, strlen(bytes)));
    close(fd);
}

/* Somebody outside does something in the tree; the words are those of outside.rs. `at` leads to the workspace. */
UNUSED void outside_from(const char *at, const char *words)
{
    int directory = (int)MUST(open(at, O_RDONLY | O_DIRECTORY));
    int fd = (int)MUST(openat(directory, "ask.part", O_WRONLY | O_CREAT | O_TRUNC, 0644));
    MUST(write(fd, words, strlen(words)));
    close(fd);
    MUST(renameat(directory, "ask.part", directory, "ask"));
    struct stat status;
    for (int i = 0; i < 20000; i++) {
        if (fstatat(directory, "ask", &status, AT_SYMLINK_NOFOLLOW) != 0) {
            close(directory);
            return;
        }
        usleep(1000);
    }
    errno = ETIMEDOUT;
    fail("outside");
}

UNUSED void outside(const char *words)
{
    outside_from(".", words);
}

/* A program, with its output on ours: its exit code, or -1. */
UNUSED int program(const char *const words[])
{
    pid_t child = fork();
    if (child == 0) {
        dup2(1, 2);
        execvp(words[0], (char *const *)words);
        _exit(127);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The same for a line of sh(1), with $HOME as in the tree. */
UNUSED int sh(const char *line)
{
    fflush(stdout);
    return program((const char *const[]){"sh", "-c", line, NULL});
}

/* A program that exits with 0 if the allowed neighbour works. */
UNUSED void neighbour_sh(const char *line)
{
    errno = EIO;
    neighbour(sh(line) == 0 ? 0 : -1);
}

UNUSED int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Without arguments: the table, for the harness. With NAME ROOT PID ADDRESS STEP: one attempt. */
int main(int count, char **words)
{
    if (count < 6) {
        for (int i = 0; i < attempts_count; i++) {
            const struct attempt *one = attempts[i];
            int holds = one->only_if == NULL || one->only_if() != 0;
            const char *user = holds ? one->user : NULL, *superuser = holds ? one->root : NULL;
            const char *fields[] = {one->expect, user, superuser, one->never_bare, one->policy, one->after};
            printf("%s\t%d", one->name, one->with);
            for (size_t j = 0; j < sizeof fields / sizeof *fields; j++)
                printf("\t%s", fields[j] ? fields[j] : "");
            putchar('\n');
        }
        return 0;
    }
    root = words[2];
    snprintf(home, sizeof home, "%s/home", root);
    outsider = (pid_t)atoi(words[3]);
    outsider_memory_text = words[4];
    outsider_memory = strtoul(words[4], NULL, 16);
    step_wanted = atoi(words[5]);
    const char *of_rival = strncmp(words[1], "rival:", 6) == 0 ? words[1] + 6 : NULL;
    for (int i = 0; of_rival && i < attempts_count; i++)
        while (strcmp(attempts[i]->name, of_rival) == 0)
            attempts[i]->rival();
    for (int i = 0; i < attempts_count; i++)
        if (strcmp(attempts[i]->name, words[1]) == 0) {
            attempts[i]->run();
            printf("\nsteps=%d\nended=%s\n", steps, words[1]);
            return 0;
        }
    return 2;
}
#endif
