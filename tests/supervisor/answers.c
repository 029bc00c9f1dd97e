// Every answer is the one that was given: a program that checks each result while its supervisor is starved, stopped or
// interrupted. usage: answers DIRECTORY SECONDS THREADS
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 20 };

static const char *directory;
static time_t end;
static long done, wrong;

static void bad(const char *format, ...) {
    char text[300];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (__sync_add_and_fetch(&wrong, 1) < 20) fprintf(stderr, "%s\n", text);
}

static void content(char *text, int file) { sprintf(text, "content of file %d\n", file); }

static void read_one(int file) {
    char path[200], want[64], text[64];
    snprintf(path, sizeof path, "%s/f%d", directory, file);
    content(want, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 3) {
        bad("open of %s gives %d (%s)", path, fd, fd < 0 ? strerror(errno) : "a standard descriptor");
        return;
    }
    ssize_t size = read(fd, text, sizeof text);
    if (size != (ssize_t)strlen(want) || memcmp(text, want, size)) bad("%s has other content", path);
    if (close(fd)) bad("close: %s", strerror(errno));
}

static void make_one(long thread, long turn) {
    char path[200], other[210];
    snprintf(path, sizeof path, "%s/t%ld-%ld", directory, thread, turn);
    snprintf(other, sizeof other, "%s.moved", path);
    if (mkdir(path, 0755)) bad("mkdir: %s", strerror(errno));
    if (rename(path, other)) bad("rename: %s", strerror(errno));
    if (rmdir(other)) bad("rmdir: %s", strerror(errno));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 3) bad("making gives %d (%s)", fd, strerror(errno));
    else if (close(fd)) bad("close: %s", strerror(errno));
    if (chmod(path, 0600)) bad("chmod: %s", strerror(errno));
    if (access(path, R_OK)) bad("access: %s", strerror(errno));
    if (getxattr(path, "user.none", NULL, 0) != -1 || (errno != ENODATA && errno != EOPNOTSUPP))
        bad("getxattr: %s", strerror(errno));
    if (unlink(path)) bad("unlink: %s", strerror(errno));
}

static void *work(void *argument) {
    long thread = (long)argument;
    unsigned seed = thread * 7919 + 1;
    // A check that has checked nothing goes on for a while.
    for (long turn = 0; time(NULL) < (done ? end : end + 60); turn++) {
        for (int i = 0; i < 4; i++) read_one(rand_r(&seed) % FILES);
        make_one(thread, turn);
        __sync_fetch_and_add(&done, 12);
    }
    return NULL;
}

static void nothing(int signal) { (void)signal; }

int main(int count, char **words) {
    if (count != 4) return 2;
    directory = words[1];
    end = time(NULL) + atoi(words[2]);
    int threads = atoi(words[3]);
    for (int file = 0; file < FILES; file++) {
        char path[200], text[64];
        snprintf(path, sizeof path, "%s/f%d", directory, file);
        content(text, file);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        if (fd < 3 || write(fd, text, strlen(text)) < 0 || close(fd)) return perror(path), 2;
    }
    // Signals whose handlers let calls be restarted: none may be seen in a result.
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 7000}, {0, 7000}};
    setitimer(ITIMER_REAL, &often, NULL);
    pthread_t all[16];
    for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, (void *)i);
    for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
    struct stat stat;
    if (fstat(0, &stat)) bad("standard input was closed");
    printf("done %ld wrong %ld\n", done, wrong);
    return wrong != 0;
}
