/* Makes every supervised call with every shape of its arguments, and prints what becomes of each: a line for a case,
 * with the shapes, a tab, and the outcome.
 *
 *     shapes [drop] DIRECTORY EVERY PAIRS [PREFIX...]
 *
 * The directory holds the tree. A case is a call with its usual arguments but for one,
     or for two. One in EVERY of the
 * former is made, and about PAIRS for each two arguments: always the same ones. PREFIX: only the calls that begin so.
 * `drop` gives up what a confined process has not: capabilities and new privileges.
 *
 * The outcome is the value or the errno; each byte of memory that changed; what a new descriptor is; every other
 * descriptor that came or went; what of the tree differs at the moment when the call has returned;
     what differs later;
 * and what watches on the tree saw. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#endif
#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE 0x10000000
#endif

#include "memory.h"

#include "tree.h"

#include "descriptors.h"

#include "arguments.h"

#include "calls.h"

enum { FIRST_NUMBER = 3, HIGH = 400, NUMBERS_SEEN = 160, LABEL = 1024, OUT = 1 << 17 };

/* What the child, and then the parent, says. */
static struct report {
    int is_made; /* the shapes exist */
    int has_tree;
    char label[LABEL];
    char outcome[OUT];
    char tree[TEXT];
} *report;

struct chosen {
    int argument, shape;
};

static unsigned long every = 1, pairs;
static char before_numbers[NUMBERS_SEEN];

/* Which numbers are those of open descriptors. */
static void look_at_numbers(char *numbers)
{
    struct pollfd all[NUMBERS_SEEN];
    for (int fd = 0; fd < NUMBERS_SEEN; fd++)
        all[fd] = (struct pollfd){ .fd = fd };
    poll(all, NUMBERS_SEEN, 0);
    for (int fd = 0; fd < NUMBERS_SEEN; fd++)
        numbers[fd] = !(all[fd].revents & POLLNVAL);
}

/* Is this a case that would change what is not ours? Only root's could. */
static int is_of_others(const struct call *call, const char *label)
{
    static const char *const CHANGES[] = { "chmod", "chown", "utim", "setxattr", "removexattr" };
    if (!strstr(label, "\"/\"") && !strstr(label, "\"//\"") && !strstr(label, "null_rw") && !strstr(label, "stdin")
        && !strstr(label, "master"))
        return 0;
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++)
        if (strstr(call->name, CHANGES[i]))
            return 1;
    return 0;
}

static void show_values(const struct call *call, char *out, size_t most)
{
    static const char *const NAMES[] = { "user.a", "user.none", "user.\xff" };
    if (!strstr(call->name, "setxattr") && !strstr(call->name, "removexattr"))
        return;
    for (int i = 0; i < KNOWN; i++)
        for (int j = 0; j < 3; j++) {
            char value[16] = "";
            ssize_t size = lgetxattr(TREE[i].name, NAMES[j], NULL, 0);
            if (size < 0)
                continue;
            if (size < 16)
                size = lgetxattr(TREE[i].name, NAMES[j], value, 15);
            snprintf(out + strlen(out), most - strlen(out), " %s:%s=%zd:%s", TREE[i].name, NAMES[j], size, value);
        }
}

static void show_address(int fd, char *out, size_t most)
{
    union { struct sockaddr any; struct sockaddr_un local; struct sockaddr_in in; char bytes[256]; } all;
    for (int peer = 0; peer < 2; peer++) {
        socklen_t size = sizeof all;
        memset(&all, 0, sizeof all);
        if ((peer ? getpeername(fd, &all.any, &size) : getsockname(fd, &all.any, &size)) != 0)
            continue;
        size_t used = strlen(out);
        used += (size_t)snprintf(out + used, most - used, " %s=%d/%d:", peer ? "peer" : "name", all.any.sa_family,
            size);
        if (all.any.sa_family == AF_UNIX && size > 2 && !all.bytes[2] && size == 8)
            snprintf(out + used, most - used, "chosen");
        else if (all.any.sa_family == AF_UNIX)
            for (int i = 2; i < (int)size && used + 4 < most; i++)
                used += (size_t)sprintf(out + used, all.bytes[i] > ' ' && all.bytes[i] < 127 ? "%c" : "\\%02x",
                    (unsigned char)all.bytes[i]);
        else if (all.any.sa_family == AF_INET)
            snprintf(out + used, most - used, "%x:%s", ntohl(all.in.sin_addr.s_addr), all.in.sin_port ? "port" : "0");
    }
}

static void by_signal(int signal)
{
    (void)signal;
    static const char text[] = "hangs";
    memcpy(report->outcome, text, sizeof text);
    _exit(98);
}

/* Makes one case. Ends the process, or becomes another program. */
static void make(const struct call *call, const struct chosen chosen[2])
{
    long values[6] = { 0 };
    /* Events are read where no call can be given their number. */
    dup2(events, HIGH);
    events = HIGH;
    close_range(FIRST_NUMBER, HIGH - 1, 0);
    close_range(HIGH + 1, ~0U, 0);
    size_t used = (size_t)sprintf(report->label, "%s(", call->name);
    for (int i = 0; i < 6 && call->arguments[i] != NONE; i++) {
        char label[512];
        int shape = chosen[0].argument == i ? chosen[0].shape : chosen[1].argument == i ? chosen[1].shape : 0;
        if (!shape_of(call->arguments[i], i, shape, &values[i], label))
            _exit(0);
        used += (size_t)snprintf(report->label + used, LABEL - used, "%s%s", i ? "," : "", label);
        must(used < LABEL, "label");
    }
    strcat(report->label, ")");
    if (is_of_others(call, report->label))
        _exit(0);
    if (strstr(report->label, "fd/5")) {
        descriptor(KIND_file_r);
        descriptor(KIND_link_path);
        descriptor(KIND_dir_r);
    }
    report->is_made = 1;
    umask(026);
    signal(SIGALRM, by_signal);
    alarm(20);
    wait_for_a_tick();
    remember_memory();
    look_at_numbers(before_numbers);
    forget_events();
    strcpy(report->outcome, "executed");
    errno = 0;
    long result = syscall(call->number, values[0], values[1], values[2], values[3], values[4], values[5]);
    int error = errno;
    if (result < 0)
        snprintf(report->outcome, OUT, "%s", strerrorname_np(error) ? strerrorname_np(error) : "unnamed");
    else
        snprintf(report->outcome, OUT, "%ld", result);
    show_events(report->outcome, OUT);
    if (!is_as_before()) {
        report->has_tree = 1;
        whole(report->tree);
    }
    show_memory(report->outcome, OUT);
    if (result >= 0 && call->gives == DESCRIPTOR)
        show_descriptor((int)result, report->outcome, OUT);
    if (result >= 0 && (strcmp(call->name, "bind") == 0 || strcmp(call->name, "connect") == 0 || strcmp(call->name,
        "listen") == 0))
        show_address((int)values[0], report->outcome, OUT);
    char numbers[NUMBERS_SEEN];
    look_at_numbers(numbers);
    for (int fd = 0; fd < NUMBERS_SEEN; fd++)
        if (numbers[fd] != before_numbers[fd] && !(call->gives == DESCRIPTOR && fd == result))
            sprintf(report->outcome + strlen(report->outcome), " number%d:%d->%d", fd, before_numbers[fd],
                numbers[fd]);
    if (result >= 0)
        show_values(call, report->outcome, OUT);
    if (strcmp(call->name, "prlimit64") == 0 && result == 0) {
        struct rlimit limit = { 0 };
        getrlimit((__rlimit_resource_t)values[1], &limit);
        sprintf(report->outcome + strlen(report->outcome), " limit=%lx,%lx", limit.rlim_cur, limit.rlim_max);
    }
    if (strstr(call->name, "sched_") || strstr(call->name, "prio"))
        sprintf(report->outcome + strlen(report->outcome), " policy=%d nice=%d io=%ld", sched_getscheduler(0),
            getpriority(PRIO_PROCESS, 0),
                syscall(SYS_ioprio_get, 1, 0));
    if (strcmp(call->name, "setpgid") == 0)
        strcat(report->outcome, getpgrp() == getpid() ? " group=own" : " group=parents");
    if (!report->has_tree && !is_as_before()) {
        report->has_tree = 1;
        whole(report->tree);
    }
    _exit(0);
}

/* Takes the place of the tree out of a text: it differs from run to run. */
static void without(char *text, const char *path)
{
    for (char *at; (at = strstr(text, path));)
        memmove(at, at + strlen(path), strlen(at + strlen(path)) + 1);
}

/* Makes a case in a process of its own and prints its line. */
static void one(const struct call *call, int a, int shape_a, int b, int shape_b)
{
    static char later[TEXT], text[OUT * 2];
    struct chosen chosen[2] = { { a, shape_a }, { b, shape_b } };
    report->is_made = report->has_tree = 0;
    report->label[0] = report->outcome[0] = report->tree[0] = 0;
    int status = 0;
    pid_t child;
    /* A machine with many processes may have no number for another one. */
    while ((child = fork()) < 0 && errno == EAGAIN)
        usleep(10000);
    if (child == 0)
        make(call, chosen);
    must(child > 0 && waitpid(child, &status, 0) == child, "child");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
        must(0, report->label);
    if (!report->is_made)
        return;
    snprintf(text, sizeof text, "%s", report->outcome);
    if (status != 0)
        sprintf(text + strlen(text), " status=%x", status);
    if (report->has_tree)
        differ(baseline, report->tree, text, sizeof text);
    int is_changed = !is_as_before();
    if (is_changed) {
        whole(later);
        if (report->has_tree && strcmp(later, report->tree) != 0) {
            strcat(text, " later:");
            differ(report->tree, later, text, sizeof text);
        } else if (!report->has_tree) {
            strcat(text, " later:");
            differ(baseline, later, text, sizeof text);
        }
    }
    for (char *at = text; *at; at++)
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    without(text, top);
    without(text, above);
    printf("%s\t%s\n", report->label, text);
    if (is_changed && (strstr(call->name, "setx") || strstr(call->name, "removex") || !repair()))
        build();
    for (int peer; (peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;)
        close(peer);
}

static int count_of(const struct call *call, int argument)
{
    int count = 0;
    char label[512];
    long value;
    /* Descriptors are not made to be counted. */
    switch (call->arguments[argument]) {
    case NONE: return 0;
    case FD: case FD_EXEC: case WATCH_FD: case SOCKET_FD: case LISTEN_FD: case TERMINAL_FD: return KIND_COUNT + 9;
    case DIRFD: case DIRFD_2: return KIND_COUNT + 10;
    default: break;
    }
    while (shape_of(call->arguments[argument], argument, count, &value, label))
        count++;
    return count;
}

static unsigned long mixed(unsigned long a, unsigned long b)
{
    a = (a ^ b) * 0x9e3779b97f4a7c15;
    return a ^ (a >> 29);
}

static void all_of(const struct call *call)
{
    int counts[6];
    pid_t child = fork();
    if (child == 0) {
        /* Counting writes into the places of arguments. */
        for (int i = 0; i < 6; i++)
            ((int *)report->outcome)[i] = count_of(call, i);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    memcpy(counts, report->outcome, sizeof counts);
    one(call, 0, 0, 1, 0);
    for (int a = 0; a < 6; a++)
        for (int i = 1; i < counts[a]; i++)
            if (mixed((unsigned long)call->number, (unsigned long)(a * 1000 + i)) % every == 0)
                one(call, a, i, a == 0 ? 1 : 0, 0);
    if (pairs == 0)
        return;
    for (int a = 0; a < 6; a++)
        for (int b = a + 1; b < 6; b++)
            for (int i = 1; i < counts[a]; i++)
                for (int j = 1; j < counts[b]; j++) {
                    unsigned long hash = mixed(mixed(mixed((unsigned long)call->number, (unsigned long)(a * 8 + b)),
                        (unsigned long)i), (unsigned long)j);
                    if (hash % ((unsigned long)(counts[a] * counts[b]) / pairs + 1) == 0)
                        one(call, a, i, b, j);
                }
}

static void drop(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { 0 } };
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    for (int i = 0; i < 64; i++)
        prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    must(syscall(SYS_capset, &header, none) == 0, "capabilities");
}

int main(int count, char **arguments)
{
    close_range(FIRST_NUMBER, ~0U, 0);
    if (count > 1 && strcmp(arguments[1], "drop") == 0) {
        drop();
        arguments++;
        count--;
    }
    if (count == 2 && strcmp(arguments[1], "names") == 0) {
        for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
            puts(CALLS[i].name);
        return 0;
    }
    must(count > 3, "arguments");
    snprintf(above, sizeof above, "%s", arguments[1]);
    snprintf(top, sizeof top, "%s/t", above);
    every = strtoul(arguments[2], NULL, 10);
    pairs = strtoul(arguments[3], NULL, 10);
    umask(0);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(report != MAP_FAILED, "report");
    map_arena();
    events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    build();
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        int is_wanted = count == 4;
        for (int j = 4; j < count; j++)
            is_wanted |= strncmp(CALLS[i].name, arguments[j], strlen(arguments[j])) == 0;
        if (is_wanted)
            all_of(&CALLS[i]);
        fflush(stdout);
    }
    if (chdir("/") == 0)
        remove_all(top);
    return 0;
}
