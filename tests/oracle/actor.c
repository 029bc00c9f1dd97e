/* Does operations that it is told, one at a time, and answers what became of each: confined and bare alike.
 *
 * A request ends with 0x1e and has eleven words, each ended by 0x1f:
 *
 *     WHO CALL FORM DIR1 PATH1 DIR2 PATH2 FLAGS NUMBER TEXT REGISTER
 *
 * WHO is 0 (the first process), 1 (a child with its own descriptors and working directory), 2 (a thread of the first
 * process, which shares both) or 3 (a child of the child's). DIR is a register with a descriptor, or -1. An answer is
 * the errno, 0x1f, what was seen, and 0x1e (acts.h). Started with `drop`, it first gives up what a confined process
 * does not have: capabilities and new privileges. As an interpreter (`#!`) it ends with 42.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 11, ROOM = 1 << 16, WORKERS = 4, PATIENCE = 60, FIRST_REGISTER = 100 };

struct request {
    int who, form, dir1, dir2, reg;
    const char *call, *path1, *path2, *text;
    size_t text_size;
    long flags, number;
};

/* What is answered: an errno, and what was seen. */
struct answer {
    int error;
    size_t size;
    char seen[ROOM];
};

#include "acts.h"

/* Where the requests of each worker go, and where its answers come from. */
static int to[WORKERS], from[WORKERS];

static void must(int is_done)
{
    if (!is_done)
        abort();
}

static void write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done <= 0)
            _exit(97);
        bytes += done;
        size -= (size_t)done;
    }
}

/* Reads up to and with 0x1e. 0: there is nothing more. */
static size_t read_message(int fd, char *buffer)
{
    size_t size = 0;
    while (size == 0 || buffer[size - 1] != 0x1e) {
        ssize_t got = read(fd, buffer + size, ROOM * 2 - size);
        if (got <= 0)
            return 0;
        size += (size_t)got;
    }
    return size;
}

static void perform(char *message, size_t size, int out)
{
    char *words[WORDS];
    char *at = message;
    size_t text_size = 0;
    for (int i = 0; i < WORDS; i++) {
        char *end = memchr(at, 0x1f, size - (size_t)(at - message));
        must(end != NULL);
        *end = 0;
        words[i] = at;
        if (i == 9)
            text_size = (size_t)(end - at);
        at = end + 1;
    }
    struct request request = {
        .who = atoi(words[0]), .call = words[1], .form = atoi(words[2]),
        .dir1 = descriptor(words[3]), .path1 = words[4], .dir2 = descriptor(words[5]), .path2 = words[6],
        .flags = atol(words[7]), .number = atol(words[8]), .text = words[9], .text_size = text_size,
        .reg = atoi(words[10]),
    };
    static _Thread_local struct answer answer;
    answer.error = 0;
    answer.size = 0;
    act(&request, &answer);
    static _Thread_local char line[ROOM + 64];
    int head = sprintf(line, "%d\x1f", answer.error);
    memcpy(line + head, answer.seen, answer.size);
    line[(size_t)head + answer.size] = 0x1e;
    write_all(out, line, (size_t)head + answer.size + 1);
}

static int whose(const char *message) { return atoi(message); }

/* Serves one worker; the first one hands on what is not its own. */
static void serve(int who, int in, int out)
{
    char *message = malloc(ROOM * 2);
    for (size_t size; (size = read_message(in, message)) > 0;) {
        int other = whose(message);
        if (who == 0) {
            struct itimerspec after = { .it_value = { .tv_sec = PATIENCE } };
            static timer_t timer;
            static int has_timer;
            struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
            if (!has_timer)
                has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
            timer_settime(timer, 0, &after, NULL);
        }
        if (other == who || other >= WORKERS) {
            perform(message, size, out);
            continue;
        }
        write_all(to[other], message, size);
        size = read_message(from[other], message);
        must(size > 0);
        write_all(out, message, size);
    }
}

struct ends {
    int who, in, out;
};

static void *in_thread(void *argument)
{
    struct ends *ends = argument;
    serve(ends->who, ends->in, ends->out);
    return NULL;
}

static struct ends pipes(int who)
{
    int request[2], reply[2];
    must(pipe2(request, O_CLOEXEC) == 0 && pipe2(reply, O_CLOEXEC) == 0);
    to[who] = request[1];
    from[who] = reply[0];
    return (struct ends){ who, request[0], reply[1] };
}

/* A child that serves; `below` makes it the grandchild of the first process. */
static void fork_worker(int who, int below, pid_t *pid)
{
    struct ends ends = pipes(who);
    int told[2];
    must(pipe(told) == 0);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0 && (!below || fork() == 0)) {
        for (int i = 0; i < WORKERS; i++) {
            close(to[i]);
            close(from[i]);
        }
        pid_t own = getpid();
        write_all(told[1], (char *)&own, sizeof own);
        close(told[0]);
        close(told[1]);
        serve(who, ends.in, ends.out);
        _exit(0);
    }
    if (child == 0)
        _exit(0);
    if (below)
        waitpid(child, NULL, 0);
    must(read(told[0], pid, sizeof *pid) == sizeof *pid);
    close(told[0]);
    close(told[1]);
    close(ends.in);
    close(ends.out);
}

static void drop(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { 0 };
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, none) == 0);
}

int main(int count, char **arguments)
{
    if (count >= 2 && strcmp(arguments[1], "drop") != 0)
        return 42;
    if (count >= 2)
        drop();
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    for (int i = 0; i < WORKERS; i++)
        to[i] = from[i] = -1;
    pid_t child, grandchild;
    fork_worker(1, 0, &child);
    fork_worker(3, 1, &grandchild);
    struct ends ends = pipes(2);
    pthread_t thread;
    must(pthread_create(&thread, NULL, in_thread, &ends) == 0);
    char line[64];
    int size = snprintf(line, sizeof line, "%d %d %d\x1e", getpid(), child, grandchild);
    write_all(1, line, (size_t)size);
    serve(0, 0, 1);
    return 0;
}
