/* The process outside, which no attempt may touch. `outsider HOME NAME` keeps secrets: in its environment (OUTSIDER_CANARY)
 * and its memory, in the user's keyring, in the queue of a terminal (OUTSIDER_TYPED; `work/terminal` names it), and
 * `secret/key` as descriptor 20. Its working directory is `secret`. It has the POSIX message queue /NAME. It listens on sockets: `secret/stream`,
 * `secret/seqpacket`, `secret/dgram`, `work/locked/stream` and the abstract NAME-stream and NAME-dgram greet with
 * OUTSIDER_SOCKET; `work/stream` and `work/seqpacket` are allowed and greet with "neighbour". It says `ready ADDRESS`.
 * As long as there is a file `work/terminals`, it opens terminals, types OUTSIDER_TYPED into each, and closes them.
 * When its standard input ends, it prints what has happened to it, a line each, and then `alive`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define LIMITS 16
#define SOCKETS 8
/* Attempts know it. */
#define OPEN_SECRET 20

static char report[1 << 16];
static char memory[128];
static const char *home, *name;
static int slave;

struct state {
    struct rlimit limits[LIMITS];
    int priority, policy, io, group, session;
    cpu_set_t cpus;
    char name[16], files[3][64];
};

/* What others write to change a process. */
static const char *const files[3] = {"/proc/self/oom_score_adj", "/proc/self/coredump_filter", "/proc/self/timerslack_ns"};

/* Linux has no other way to ask for a key: there is no wrapper in libc. */
static long keep_key(const char *secret)
{
    /* Into the user's keyring, which each of his processes can search; readable by him; gone after two minutes. */
    long key = syscall(SYS_add_key, "user", name, secret, strlen(secret), -4);
    syscall(SYS_keyctl, 5, key, 0x3f3f0000);
    syscall(SYS_keyctl, 15, key, 120);
    return key;
}

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
    at->group = getpgid(0);
    at->session = getsid(0);
    sched_getaffinity(0, sizeof at->cpus, &at->cpus);
    prctl(PR_GET_NAME, at->name);
    for (int i = 0; i < 3; i++) {
        int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, at->files[i], sizeof at->files[i] - 1) < 0)
            die(files[i]);
        close(fd);
    }
}

/* A name with its own in it. */
static const char *text(const char *format)
{
    static char bytes[256];
    snprintf(bytes, sizeof bytes, format, name);
    return bytes;
}

static struct termios plain;

/* A terminal of the owner's: somebody has typed a secret into it, which nobody has read yet. */
static int sit_behind_a_terminal(const char *typed)
{
    char path[256], at[32];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, at, sizeof at) != 0)
        die("a terminal");
    slave = open(at, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || tcgetattr(slave, &plain) != 0)
        die(at);
    cfmakeraw(&plain);
    if (tcsetattr(slave, TCSANOW, &plain) != 0 || write(master, typed, strlen(typed)) < 0)
        die(at);
    /* The kernel takes its time. What is typed by somebody else from here on is echoed, and seen here. */
    for (int waiting = 0; waiting < (int)strlen(typed);)
        if (ioctl(slave, FIONREAD, &waiting) != 0)
            die(at);
    plain.c_lflag |= ECHO;
    if (tcsetattr(slave, TCSANOW, &plain) != 0)
        die(at);
    memset(&plain, 0, sizeof plain);
    if (tcgetattr(slave, &plain) != 0)
        die(at);
    snprintf(path, sizeof path, "%s/work/terminal", home);
    FILE *told = fopen(path, "w");
    if (told == NULL || fprintf(told, "%s", at) < 0 || fclose(told) != 0)
        die(path);
    return master;
}

/* Was anything written to the terminal, typed into it, or set? */
static void look_at_terminal(int master)
{
    char bytes[512] = "";
    struct termios now;
    memset(&now, 0, sizeof now);
    if (read(master, bytes, sizeof bytes - 1) > 0)
        note("terminal", strstr(bytes, "claw") ? "typed" : "written");
    if (tcgetattr(slave, &now) != 0 || memcmp(&now, &plain, sizeof now) != 0)
        note("terminal", "settings");
}

/* The owner opens a terminal, types into it, and closes it soon. */
static void use_a_terminal(void)
{
    char at[32];
    const char *typed = getenv("OUTSIDER_TYPED");
    int other = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (other < 0 || unlockpt(other) != 0 || ptsname_r(other, at, sizeof at) != 0)
        return;
    int end = open(at, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (write(other, typed, strlen(typed)) >= 0 && write(other, "\n", 1) == 1)
        usleep(3000);
    close(end);
    close(other);
}

/* Its own queue of messages; those of one user share a quota, so it is small. */
static void keep_queue(void)
{
    struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 16};
    mqd_t queue = mq_open(text("/%s"), O_RDWR | O_CREAT | O_EXCL, 0600, &small);
    if (queue >= 0)
        mq_close(queue);
    else if (errno != ENOSYS)
        die("a message queue");
}

/* Is it still there, empty, and is there another beside it? */
static void look_at_queues(void)
{
    mqd_t queue = mq_open(text("/%s"), O_RDONLY | O_NONBLOCK);
    struct mq_attr now;
    if (queue < 0 && errno != ENOSYS)
        note("queue", "removed");
    else if (queue >= 0 && mq_getattr(queue, &now) == 0 && now.mq_curmsgs != 0)
        note("queue", "written");
    mq_unlink(text("/%s"));
    if (mq_unlink(text("/%s-left")) == 0)
        note("queue", "left");
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
    long key = keep_key(memory);
    /* A file that it has read, and its working directory. */
    char path[256];
    snprintf(path, sizeof path, "%s/secret/key", home);
    if (dup2(open(path, O_RDONLY), OPEN_SECRET) < 0)
        die(path);
    int master = sit_behind_a_terminal(getenv("OUTSIDER_TYPED"));
    keep_queue();
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
    snprintf(path, sizeof path, "%s/secret", home);
    if (chdir(path) != 0)
        die(path);
    struct state before, after;
    look(&before);
    printf("ready %lx\n", (unsigned long)memory);
    fflush(stdout);
    snprintf(path, sizeof path, "%s/work/terminals", home);
    for (int is_busy = 0; poll(polled, SOCKETS + 2, is_busy ? 3 : 50) >= 0 || errno == EINTR;) {
        if ((is_busy = access(path, F_OK) == 0))
            use_a_terminal();
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
    look_at_terminal(master);
    look_at_queues();
    look(&after);
    if (memcmp(before.limits, after.limits, sizeof before.limits) != 0)
        note("changed", "limits");
    if (before.group != after.group || before.session != after.session)
        note("changed", "group");
    if (memcmp(before.name, after.name, sizeof before.name) != 0)
        note("changed", "name");
    for (int i = 0; i < 3; i++)
        if (strcmp(before.files[i], after.files[i]) != 0)
            note("changed", files[i]);
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
    syscall(SYS_keyctl, 9, key, -4);
    printf("%salive\n", report);
    return 0;
}
