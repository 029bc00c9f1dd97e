/* The process outside, which no attempt may touch. `outsider HOME NAME` keeps a secret in its environment
 * (OUTSIDER_CANARY) and its memory, and listens on sockets: `secret/stream`, `secret/seqpacket`, `secret/dgram`,
 * `work/locked/stream` and the abstract NAME-stream and NAME-dgram greet with OUTSIDER_SOCKET; `work/stream` and
 * `work/seqpacket` are allowed and greet with "neighbour". Its descriptor 20 is `secret/key`. It says `ready ADDRESS`. When its standard input ends, it
 * prints what has happened to it, a line each, and then `alive`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define LIMITS 16
#define SOCKETS 8

static char report[1 << 16];
static char memory[128];
static const char *home, *name;

struct state {
    struct rlimit limits[LIMITS];
    int priority, policy, io;
    cpu_set_t cpus;
};

static void note(const char *what, const char *detail)
{
    size_t used = strlen(report);
    snprintf(report + used, sizeof report - used, "%s %s\n", what, detail);
}

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* What another process could change in this one. */
static void look(struct state *at)
{
    memset(at, 0, sizeof *at);
    for (int i = 0; i < LIMITS; i++)
        getrlimit(i, &at->limits[i]);
    at->priority = getpriority(PRIO_PROCESS, 0);
    at->policy = sched_getscheduler(0);
    at->io = (int)syscall(SYS_ioprio_get, 1, 0);
    sched_getaffinity(0, sizeof at->cpus, &at->cpus);
}

struct listener {
    const char *path;
    int type, is_allowed, fd;
};

static void serve(struct listener *one)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    if (one->path[0] == '@') {
        int written = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s-%s", name, one->path + 1);
        length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)written);
    } else {
        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", home, one->path);
    }
    one->fd = socket(AF_UNIX, one->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (one->fd < 0 || bind(one->fd, (struct sockaddr *)&address, length) != 0)
        die(one->path);
    if (one->type != SOCK_DGRAM && listen(one->fd, 64) != 0)
        die("listen");
}

/* Whoever reaches a socket that nobody may reach has got through. */
static void visit(struct listener *one)
{
    char bytes[256] = "";
    if (one->type == SOCK_DGRAM) {
        if (recv(one->fd, bytes, sizeof bytes - 1, 0) >= 0)
            note("received", one->path);
        return;
    }
    int peer = accept4(one->fd, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0)
        return;
    if (!one->is_allowed)
        note("connected", one->path);
    const char *greeting = one->is_allowed ? "neighbour" : getenv("OUTSIDER_SOCKET");
    if (send(peer, greeting, strlen(greeting), MSG_NOSIGNAL) < 0 && !one->is_allowed)
        note("greeting", strerror(errno));
    close(peer);
}

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    home = words[1];
    name = words[2];
    snprintf(memory, sizeof memory, "%s", getenv("OUTSIDER_CANARY"));
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    struct listener listeners[SOCKETS] = {
        {"secret/stream", SOCK_STREAM, 0, -1},   {"secret/seqpacket", SOCK_SEQPACKET, 0, -1},
        {"secret/dgram", SOCK_DGRAM, 0, -1},     {"work/locked/stream", SOCK_STREAM, 0, -1},
        {"@stream", SOCK_STREAM, 0, -1},         {"@dgram", SOCK_DGRAM, 0, -1},
        {"work/stream", SOCK_STREAM, 1, -1},     {"work/seqpacket", SOCK_SEQPACKET, 1, -1},
    };
    struct pollfd polled[SOCKETS + 2];
    for (int i = 0; i < SOCKETS; i++) {
        serve(&listeners[i]);
        polled[i] = (struct pollfd){.fd = listeners[i].fd, .events = POLLIN};
    }
    polled[SOCKETS] = (struct pollfd){.fd = signals, .events = POLLIN};
    polled[SOCKETS + 1] = (struct pollfd){.fd = 0, .events = POLLIN};
    char key[256];
    snprintf(key, sizeof key, "%s/secret/key", home);
    if (dup2(open(key, O_RDONLY | O_CLOEXEC), 20) != 20)
        die(key);
    struct state before, after;
    look(&before);
    printf("ready %lx\n", (unsigned long)memory);
    fflush(stdout);
    while (poll(polled, SOCKETS + 2, -1) >= 0 || errno == EINTR) {
        for (int i = 0; i < SOCKETS; i++)
            if (polled[i].revents)
                visit(&listeners[i]);
        struct signalfd_siginfo got;
        if (polled[SOCKETS].revents && read(signals, &got, sizeof got) == sizeof got)
            note("signalled", strsignal((int)got.ssi_signo));
        char byte;
        if (polled[SOCKETS + 1].revents && read(0, &byte, 1) <= 0)
            break;
    }
    look(&after);
    if (memcmp(before.limits, after.limits, sizeof before.limits) != 0)
        note("changed", "limits");
    if (before.priority != after.priority)
        note("changed", "priority");
    if (before.policy != after.policy)
        note("changed", "scheduling");
    if (before.io != after.io)
        note("changed", "ioprio");
    if (memcmp(&before.cpus, &after.cpus, sizeof before.cpus) != 0)
        note("changed", "affinity");
    if (strcmp(memory, getenv("OUTSIDER_CANARY")) != 0)
        note("changed", "memory");
    printf("%salive\n", report);
    return 0;
}
