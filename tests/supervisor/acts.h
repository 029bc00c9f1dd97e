/* What is not one judged system call of the table: sockets, execution, watches, and the means to look at an outcome. */

static char *text_of(struct row *row, int index) { return index < row->count ? row->words[index].text : ""; }

static int fd_of(struct row *row, int index) { return atoi(text_of(row, index)); }

static void read_some(struct row *row, int fd)
{
    char buffer[4096];
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0) {
        fail(row, "", errno);
        return;
    }
    while (got > 0 && buffer[got - 1] == '\n')
        got--;
    show(row, buffer, (size_t)got);
}

/* The first bytes of a file. */
static void cat(struct row *row, const char *path)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        fail(row, "", errno);
        return;
    }
    read_some(row, (int)fd);
    close((int)fd);
}

static void put(struct row *row, const char *path, struct word bytes)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_TRUNC | O_CLOEXEC, 0);
    if (fd >= 0 && write((int)fd, bytes.text, bytes.size) != (ssize_t)bytes.size) {
        close((int)fd);
        fd = -1;
    }
    done(row, fd);
    if (fd >= 0)
        close((int)fd);
}

static void list(struct row *row, DIR *directory)
{
    if (!directory) {
        fail(row, "", errno);
        return;
    }
    char *names[256], joined[OUT / 5] = "";
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) && count < 256;)
        if (!is(entry->d_name, ".") && !is(entry->d_name, ".."))
            names[count++] = strdup(entry->d_name);
    closedir(directory);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i ? "," : "", names[i]);
        free(names[i]);
    }
    show(row, joined, strlen(joined));
}

static void status(struct row *row, int result, const struct stat *at)
{
    if (result != 0)
        fail(row, "", errno);
    else
        snprintf(row->out, OUT, "%o:%lld", at->st_mode, (long long)at->st_size);
}

/* A time as the tests set it; one that the clock gave is `now`. */
static void time_of(struct row *row, const char *path)
{
    struct stat at;
    if (lstat(path, &at) != 0) {
        fail(row, "", errno);
        return;
    }
    char texts[2][32];
    for (int i = 0; i < 2; i++) {
        long long seconds = i ? at.st_mtim.tv_sec : at.st_atim.tv_sec;
        snprintf(texts[i], sizeof texts[i], seconds > 1000000000 ? "now" : "%lld", seconds);
    }
    snprintf(row->out, OUT, "%s:%s", texts[0], texts[1]);
}

/* Runs a file in a child: `ok` if it ended with 0, `statusN` or `signalN`, or the errno of execve. */
static void execute(struct row *row, const char *form, int is_at)
{
    static struct object object;
    if (address(&object, form ? form : "path", row->words[1]) != 0) {
        fail(row, "setup:", errno);
        return;
    }
    long flags = is_at && row->count > 2 ? number_of(text_of(row, 2)) : 0;
    char *arguments[WORDS] = { row->words[1].text };
    for (int i = 1; !is_at && i + 1 < row->count; i++)
        arguments[i] = row->words[i + 1].text;
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        for (int i = 0; i < 3; i++)
            dup2(null, i);
        char *none[] = { NULL };
        if (is_at)
            syscall(SYS_execveat, object.dirfd, object.path, arguments, none, flags | object.flags);
        else
            syscall(SYS_execve, object.path, arguments, none);
        if (write(report[1], &errno, sizeof errno) < 0)
            abort();
        _exit(99);
    }
    close(report[1]);
    release(&object);
    int error = 0, state = 0;
    ssize_t got = read(report[0], &error, sizeof error);
    close(report[0]);
    waitpid(child, &state, 0);
    if (got > 0)
        fail(row, "", error);
    else if (WIFSIGNALED(state))
        snprintf(row->out, OUT, "signal%d", WTERMSIG(state));
    else if (WEXITSTATUS(state))
        snprintf(row->out, OUT, "status%d", WEXITSTATUS(state));
    else
        say(row, "ok");
}

/* `inotify PATH MASK >R` on a new instance. */
static void watch_path(struct row *row, const char *form)
{
    static struct object object;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (address(&object, form ? form : "path", row->words[1]) != 0) {
        fail(row, "setup:", errno);
        return;
    }
    long result = syscall(SYS_inotify_add_watch, fd, object.path, number_of(text_of(row, 2)));
    release(&object);
    if (result < 0) {
        fail(row, "", errno);
        close(fd);
        return;
    }
    opened(row, fd);
}

/* The name of the next event of a watch, its mask in hexadecimal if it has none, or `none`. */
static void event(struct row *row, int fd)
{
    char buffer[4096] __attribute__((aligned(8)));
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    if (poll(&wait, 1, 1000) != 1 || read(fd, buffer, sizeof buffer) <= 0) {
        say(row, "none");
        return;
    }
    struct inotify_event *first = (struct inotify_event *)buffer;
    if (first->len)
        show(row, first->name, strlen(first->name));
    else
        snprintf(row->out, OUT, "%x", first->mask);
}

/* Opens descriptors until there is no room for more. */
static void fill(struct row *row)
{
    while (fcntl(0, F_DUPFD_CLOEXEC, 3) >= 0)
        ;
    fail(row, "", errno);
}

#include "sockets.h"

#include "trials.h"

/* Does an act; 0 if there is none of this name. */
static int act(struct row *row, const char *name, const char *form)
{
    char *path = text_of(row, 1);
    struct stat at;
    struct rlimit limit;
    if (is(name, "cat"))
        cat(row, path);
    else if (is(name, "put"))
        put(row, path, row->words[2]);
    else if (is(name, "read"))
        read_some(row, fd_of(row, 1));
    else if (is(name, "write"))
        done(row, write(fd_of(row, 1), row->words[2].text, row->words[2].size));
    else if (is(name, "seek"))
        done(row, lseek(fd_of(row, 1), atol(text_of(row, 2)), SEEK_SET));
    else if (is(name, "close"))
        done(row, close(fd_of(row, 1)));
    else if (is(name, "getfl"))
        snprintf(row->out, OUT, "%#x", (unsigned)fcntl(fd_of(row, 1), F_GETFL));
    else if (is(name, "getfd"))
        snprintf(row->out, OUT, "%d", fcntl(fd_of(row, 1), F_GETFD));
    else if (is(name, "ftruncate"))
        done(row, ftruncate(fd_of(row, 1), atol(text_of(row, 2))));
    else if (is(name, "flock"))
        done(row, flock(fd_of(row, 1), LOCK_EX | LOCK_NB));
    else if (is(name, "stat"))
        status(row, stat(path, &at), &at);
    else if (is(name, "lstat"))
        status(row, lstat(path, &at), &at);
    else if (is(name, "fstat"))
        status(row, fstat(fd_of(row, 1), &at), &at);
    else if (is(name, "times"))
        time_of(row, path);
    else if (is(name, "list"))
        list(row, opendir(path));
    else if (is(name, "list-fd"))
        list(row, fdopendir(dup(fd_of(row, 1))));
    else if (is(name, "readlink")) {
        char target[PATH_MAX];
        ssize_t got = readlink(path, target, sizeof target);
        if (got < 0)
            fail(row, "", errno);
        else
            show(row, target, (size_t)got);
    } else if (is(name, "chdir"))
        done(row, chdir(path));
    else if (is(name, "fchdir"))
        done(row, fchdir(fd_of(row, 1)));
    else if (is(name, "umask"))
        done(row, (long)umask((mode_t)strtoul(path, NULL, 8)));
    else if (is(name, "descriptors")) {
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = (rlim_t)atol(path);
        done(row, setrlimit(RLIMIT_NOFILE, &limit));
    } else if (is(name, "fill"))
        fill(row);
    else if (is(name, "empty-out")) {
        for (int fd = 3; fd < 4096; fd++)
            close(fd);
        say(row, "ok");
    } else if (is(name, "dup2"))
        done(row, dup2(fd_of(row, 1), fd_of(row, 2)));
    else if (is(name, "ioctl"))
        done(row, ioctl(fd_of(row, 1), strtoul(text_of(row, 2), NULL, 0), text_of(row, 3)));
    else if (is(name, "execve"))
        execute(row, form, 0);
    else if (is(name, "execveat"))
        execute(row, form, 1);
    else if (is(name, "inotify"))
        watch_path(row, form);
    else if (is(name, "event"))
        event(row, fd_of(row, 1));
    else if (is(name, "dumpable"))
        done(row, prctl(PR_SET_DUMPABLE, atol(path), 0, 0, 0));
    else if (is(name, "affinity")) {
        cpu_set_t set;
        sched_getaffinity(0, sizeof set, &set);
        done(row, sched_setaffinity(atoi(path), sizeof set, &set));
    } else if (is(name, "priority"))
        done(row, setpriority(PRIO_PROCESS, (id_t)atoi(path), getpriority(PRIO_PROCESS, 0)));
    else if (is(name, "limit")) {
        getrlimit(RLIMIT_CORE, &limit);
        done(row, prlimit(atoi(path), RLIMIT_CORE, &limit, NULL));
    } else
        return socket_act(row, name, form) || trial(row, name);
    return 1;
}
