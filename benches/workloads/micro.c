/*
 * The cost of one file operation, measured from within, so that start-up is not in the figure.
 *
 *     micro OPERATION THREADS MILLISECONDS DIRECTORY
 *
 * prints nanoseconds of wall-clock time per operation, over all threads together. It runs for a time
 * and not for a count, because it also runs under tools that are a hundred times slower. Each thread
 * has a directory of its own: what is measured is the operation, not the lock of a shared directory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 64, STEPS_BETWEEN_CLOCKS = 16 };

struct worker {
    pthread_t thread;
    char present[PATH_MAX]; /* a file that exists */
    char absent[PATH_MAX];  /* a name that is free */
    long long begun, ended; /* nanoseconds of the monotonic clock */
    long long operations;
};

typedef void step(struct worker *);

static step *operation;
static long long duration;
static pthread_barrier_t start;

static void fail(const char *what)
{
    fprintf(stderr, "micro: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_close(struct worker *self)
{
    int fd = open(self->present, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail(self->present);
    close(fd);
}

static void stat_only(struct worker *self)
{
    struct stat found;
    if (stat(self->present, &found) != 0)
        fail(self->present);
}

static void create_unlink(struct worker *self)
{
    int fd = open(self->absent, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        fail(self->absent);
    close(fd);
    if (unlink(self->absent) != 0)
        fail(self->absent);
}

static void rename_once(struct worker *self)
{
    int odd = self->operations % 2 != 0;
    const char *from = odd ? self->absent : self->present;
    const char *to = odd ? self->present : self->absent;
    if (rename(from, to) != 0)
        fail(from);
}

static const struct {
    const char *name;
    step *function;
} OPERATIONS[] = {
    { "open-close", open_close },
    { "stat", stat_only },
    { "create-unlink", create_unlink },
    { "rename", rename_once },
};

static step *find(const char *name)
{
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++)
        if (strcmp(OPERATIONS[i].name, name) == 0)
            return OPERATIONS[i].function;
    errno = EINVAL;
    fail(name);
    return NULL;
}

static long long number(const char *text, long long most)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < 1 || value > most) {
        errno = EINVAL;
        fail(text);
    }
    return value;
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void name(char *path, const char *directory, long long index, const char *file)
{
    if (snprintf(path, PATH_MAX, "%s/%lld%s", directory, index, file) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        fail(directory);
    }
}

static void prepare(struct worker *self, const char *directory, long long index)
{
    char own[PATH_MAX];
    name(own, directory, index, "");
    if (mkdir(own, 0700) != 0)
        fail(own);
    name(self->present, directory, index, "/present.txt");
    name(self->absent, directory, index, "/absent.txt");
    int fd = open(self->present, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        fail(self->present);
    close(fd);
}

static void *work(void *argument)
{
    struct worker *self = argument;
    pthread_barrier_wait(&start);
    self->begun = now();
    do {
        for (int i = 0; i < STEPS_BETWEEN_CLOCKS; i++) {
            operation(self);
            self->operations++;
        }
        self->ended = now();
    } while (self->ended - self->begun < duration);
    return NULL;
}

static void report(const struct worker *workers, long long threads)
{
    long long first = LLONG_MAX, last = 0, operations = 0;
    for (long long i = 0; i < threads; i++) {
        if (workers[i].begun < first)
            first = workers[i].begun;
        if (workers[i].ended > last)
            last = workers[i].ended;
        operations += workers[i].operations;
    }
    printf("%.1f\n", (double)(last - first) / (double)operations);
}

int main(int argc, char **argv)
{
    static struct worker workers[MAX_THREADS];
    if (argc != 5) {
        fprintf(stderr, "usage: micro OPERATION THREADS MILLISECONDS DIRECTORY\n");
        return 2;
    }
    operation = find(argv[1]);
    long long threads = number(argv[2], MAX_THREADS);
    duration = number(argv[3], 60000) * 1000000LL;
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    for (long long i = 0; i < threads; i++)
        prepare(&workers[i], argv[4], i);
    for (long long i = 0; i < threads; i++) {
        errno = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        if (errno != 0)
            fail("pthread_create");
    }
    for (long long i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    report(workers, threads);
    return 0;
}
