/* Attempts to read, change or reach what is blocked by changing a call's arguments or the file tree while it is
 * answered. `races KIND COUNT DIRECTORY` prints `attempts=N opened=N leaked=N`: how often the allowed object was
 * reached, and how often the blocked one. In DIRECTORY: `open/key` is harmless, `shut/key` and `blind/key` (only for
 * reading) are blocked and hold the canary.
 *
 *     argument  another thread rewrites the path               shared    another process does, in shared memory
 *     link      another thread exchanges the last link         parent    a directory and a link to the blocked one
 *     cwd       another thread changes the working directory   moved     somebody moves it: `../key`
 *     beneath   the same through a directory descriptor        how       another thread rewrites the open_how
 *     change    chmod, with the path rewritten                 remove    unlink, with the path rewritten
 *     create    open with O_CREAT, with a link exchanged       rename    rename, with the old path rewritten
 *     connect   the descriptor and the address of a connect are replaced
 *
 * Two partners run outside: `races move COUNT DIRECTORY` carries `open/m` to `shut/m` and back for ever, and `races
 * serve COUNT DIRECTORY` greets at `open/sock` and `shut/sock`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CANARY "canary"
#define HARMLESS "harmless"

static char directory[80];
static volatile int is_over, is_running;
static long opened, leaked;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static char *path(const char *name)
{
    char *text = malloc(PATH_MAX);
    snprintf(text, PATH_MAX, "%s/%s", directory, name);
    return text;
}

/* Counts what a descriptor gives. */
static void count(long fd)
{
    char bytes[16] = "";
    if (fd < 0)
        return;
    ssize_t got = read((int)fd, bytes, sizeof bytes - 1);
    if (strncmp(bytes, CANARY, strlen(CANARY)) == 0)
        leaked++;
    else if (got >= 0 || errno == EBADF)
        opened++;
    close((int)fd);
}

/* Writes `open` and `shut` in turn over four bytes. */
static void *rewrite(void *at)
{
    volatile unsigned *word = at;
    unsigned open_name, shut_name;
    memcpy(&open_name, "open", 4);
    memcpy(&shut_name, "shut", 4);
    while (!is_over) {
        *word = shut_name;
        for (volatile int i = 0; i < 100; i++)
            ;
        *word = open_name;
        for (volatile int i = 0; i < 100; i++)
            ;
        is_running = 1;
    }
    return NULL;
}

static void *exchange(void *names)
{
    char **pair = names;
    while (!is_over) {
        if (syscall(SYS_renameat2, AT_FDCWD, pair[0], AT_FDCWD, pair[1], RENAME_EXCHANGE) != 0)
            die("exchange");
        is_running = 1;
    }
    return NULL;
}

static void *change_directory(void *descriptors)
{
    int *pair = descriptors;
    while (!is_over) {
        if (fchdir(pair[0]) != 0 || fchdir(pair[1]) != 0)
            die("fchdir");
        is_running = 1;
    }
    return NULL;
}

static void *rewrite_how(void *at)
{
    volatile unsigned long long *flags = at;
    while (!is_over) {
        *flags = O_WRONLY;
        *flags = O_RDONLY;
        is_running = 1;
    }
    return NULL;
}

static pthread_t start(void *(*act)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, act, argument) != 0)
        die("pthread_create");
    while (!is_running)
        usleep(100);
    return thread;
}

static void stop(pthread_t thread)
{
    is_over = 1;
    pthread_join(thread, NULL);
}

/* A path `DIRECTORY/open/NAME` whose `open` lies on a word of its own, and the place of that word. */
static char *aligned(char *memory, const char *name, char **word)
{
    size_t length = strlen(directory) + 1, shift = (4 - length % 4) % 4;
    char *text = memory + shift;
    sprintf(text, "%s/open/%s", directory, name);
    *word = text + length;
    return text;
}

static void with_arguments(const char *kind, long attempts)
{
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *word;
    int is_shared = strcmp(kind, "shared") == 0;
    int is_removal = strcmp(kind, "remove") == 0, is_rename = strcmp(kind, "rename") == 0;
    char *text = aligned(memory, is_removal || is_rename ? "victim" : "key", &word);
    char *safe = path("open/victim"), *target = path(is_removal || is_rename ? "shut/victim" : "shut/key"), *moved = path("open/moved");
    pid_t child = is_shared ? fork() : 0;
    if (is_shared && child == 0) {
        rewrite(word);
        _exit(0);
    }
    if (is_shared)
        usleep(50000);
    pthread_t thread = 0;
    if (!is_shared)
        thread = start(rewrite, word);
    for (long i = 0; i < attempts; i++) {
        if (strcmp(kind, "change") == 0) {
            struct stat at;
            opened += syscall(SYS_fchmodat, AT_FDCWD, text, 0600) == 0;
            if (i % 100 == 0 && stat(target, &at) == 0 && (at.st_mode & 0777) == 0600)
                leaked++;
        } else if (is_removal || is_rename) {
            long fd = open(safe, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            if (fd >= 0)
                close((int)fd);
            long result = is_removal ? syscall(SYS_unlinkat, AT_FDCWD, text, 0)
                                     : syscall(SYS_renameat2, AT_FDCWD, text, AT_FDCWD, moved, 0);
            if (result != 0)
                continue;
            if (access(target, F_OK) != 0) {
                leaked++;
                fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                if (fd >= 0)
                    close((int)fd);
            } else
                opened++;
        } else
            count(syscall(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0));
    }
    if (is_shared)
        kill(child, SIGKILL);
    else
        stop(thread);
}

static void with_tree(const char *kind, long attempts)
{
    char *names[2] = { path("one"), path("two") };
    char *text = names[0];
    int flags = O_RDONLY | O_CLOEXEC;
    if (strcmp(kind, "link") == 0) {
        if (symlink("open/key", names[0]) != 0 || symlink("shut/key", names[1]) != 0)
            die("symlink");
    } else if (strcmp(kind, "create") == 0) {
        /* What is made through the second link would be blocked. */
        if (symlink("open/new", names[0]) != 0 || symlink("shut/new", names[1]) != 0)
            die("symlink");
        flags = O_WRONLY | O_CREAT | O_CLOEXEC;
    } else {
        int fd = mkdir(names[0], 0755) == 0 ? open(path("one/key"), O_WRONLY | O_CREAT, 0600) : -1;
        if (fd < 0 || write(fd, HARMLESS, sizeof HARMLESS) < 0 || symlink("shut", names[1]) != 0)
            die("parent");
        close(fd);
        text = path("one/key");
    }
    pthread_t thread = start(exchange, names);
    for (long i = 0; i < attempts; i++)
        count(syscall(SYS_openat, AT_FDCWD, text, flags, 0600));
    stop(thread);
    if (strcmp(kind, "create") == 0)
        leaked = access(path("shut/new"), F_OK) == 0;
}

static void with_place(const char *kind, long attempts)
{
    int pair[2] = { open(path("open"), O_PATH | O_DIRECTORY), open(path("shut"), O_PATH | O_DIRECTORY) };
    int moved = -1;
    for (int i = 0; i < 1000000 && moved < 0 && strcmp(kind, "cwd") != 0; i++)
        moved = open(path("open/m"), O_PATH | O_DIRECTORY);
    /* The partner carries it. */
    for (int i = 0; i < 1000000 && moved >= 0 && access(path("open/m"), F_OK) == 0; i++)
        ;
    pthread_t thread = 0;
    if (strcmp(kind, "cwd") == 0)
        thread = start(change_directory, pair);
    else if (moved < 0 || fchdir(moved) != 0)
        die("open/m");
    int from = strcmp(kind, "beneath") == 0 ? moved : AT_FDCWD;
    const char *text = strcmp(kind, "cwd") == 0 ? "key" : "../key";
    for (long i = 0; i < attempts; i++)
        count(syscall(SYS_openat, from, text, O_RDONLY | O_CLOEXEC, 0));
    if (strcmp(kind, "cwd") == 0)
        stop(thread);
}

static void with_how(long attempts)
{
    static struct open_how how = { .flags = O_WRONLY };
    char *text = path("blind/key");
    pthread_t thread = start(rewrite_how, &how.flags);
    for (long i = 0; i < attempts; i++)
        count(syscall(SYS_openat2, AT_FDCWD, text, &how, sizeof how));
    stop(thread);
}

enum { NUMBER = 100 };
static volatile int current, other;

static void *replace(void *word)
{
    unsigned open_name, shut_name;
    memcpy(&open_name, "open", 4);
    memcpy(&shut_name, "shut", 4);
    while (!is_over) {
        dup2(other, NUMBER);
        *(volatile unsigned *)word = shut_name;
        dup2(current, NUMBER);
        *(volatile unsigned *)word = open_name;
        is_running = 1;
    }
    return NULL;
}

static void with_sockets(long attempts)
{
    static char memory[256] __attribute__((aligned(8)));
    struct sockaddr_un *to = (struct sockaddr_un *)memory;
    char *word;
    /* The path begins two bytes into the address, and its `open` must lie on a word. */
    char text[sizeof to->sun_path];
    int slashes = (int)((8 - (2 + strlen(directory) + 1) % 4) % 4);
    snprintf(text, sizeof text, "%.*s%s/open/sock", slashes, "////", directory);
    to->sun_family = AF_UNIX;
    strcpy(to->sun_path, text);
    word = to->sun_path + slashes + strlen(directory) + 1;
    other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    current = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread = start(replace, word);
    for (long i = 0; i < attempts; i++) {
        int fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), old = current;
        current = fresh;
        close(old);
        syscall(SYS_connect, i % 2 ? NUMBER : fresh, to, sizeof *to);
        /* Connected, if at all, is the socket that was there: both are looked at. */
        char bytes[16] = "";
        struct sockaddr_un peer;
        socklen_t size = sizeof peer;
        if (getpeername(fresh, (struct sockaddr *)&peer, &size) != 0 || recv(fresh, bytes, sizeof bytes - 1, 0) <= 0)
            continue;
        if (strncmp(bytes, CANARY, strlen(CANARY)) == 0)
            leaked++;
        else
            opened++;
    }
    stop(thread);
}

static void move(void)
{
    char *from = path("open/m"), *to = path("shut/m");
    for (;;)
        if (rename(from, to) != 0 || rename(to, from) != 0)
            die("rename");
}

static void serve(void)
{
    struct pollfd both[2];
    for (int i = 0; i < 2; i++) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        snprintf(to.sun_path, sizeof to.sun_path, "%s", path(i ? "shut/sock" : "open/sock"));
        both[i] = (struct pollfd){ socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), POLLIN, 0 };
        if (bind(both[i].fd, (struct sockaddr *)&to, sizeof to) != 0 || listen(both[i].fd, 128) != 0)
            die("bind");
        chmod(to.sun_path, 0777);
    }
    puts("ready");
    fflush(stdout);
    while (poll(both, 2, -1) > 0)
        for (int i = 0; i < 2; i++) {
            int client = both[i].revents ? accept(both[i].fd, NULL, NULL) : -1;
            if (client < 0)
                continue;
            send(client, i ? CANARY : HARMLESS, i ? sizeof CANARY : sizeof HARMLESS, MSG_NOSIGNAL);
            close(client);
        }
}

int main(int argc, char **arguments)
{
    if (argc != 4)
        return 2;
    const char *kind = arguments[1];
    long attempts = atol(arguments[2]);
    snprintf(directory, sizeof directory, "%s", arguments[3]);
    if (strcmp(kind, "move") == 0)
        move();
    if (strcmp(kind, "serve") == 0)
        serve();
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
    struct itimerspec patience = { .it_value = { .tv_sec = 300 } };
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &patience, NULL);
    if (strcmp(kind, "link") == 0 || strcmp(kind, "parent") == 0 || strcmp(kind, "create") == 0)
        with_tree(kind, attempts);
    else if (strcmp(kind, "cwd") == 0 || strcmp(kind, "moved") == 0 || strcmp(kind, "beneath") == 0)
        with_place(kind, attempts);
    else if (strcmp(kind, "how") == 0)
        with_how(attempts);
    else if (strcmp(kind, "connect") == 0)
        with_sockets(attempts);
    else
        with_arguments(kind, attempts);
    printf("attempts=%ld opened=%ld leaked=%ld\n", attempts, opened, leaked);
    return 0;
}
