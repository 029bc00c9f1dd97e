// What was closed here, or was held by a process that has ended, is held by nobody: locks, leases, ends of FIFOs.
// Prints how often that was not so. Runs in a directory of its own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int must(const char *what, int result) {
    if (result < 0) {
        perror(what);
        exit(2);
    }
    return result;
}

static int locks(int times) {
    int held = 0;
    for (int i = 0; i < times; i++) {
        int fd = must("open", open("lock", O_RDONLY));
        held += flock(fd, LOCK_EX | LOCK_NB) != 0;
        close(fd);
    }
    return held;
}

static int leases(int times) {
    int held = 0;
    for (int i = 0; i < times; i++) {
        close(must("open", open("lock", O_RDONLY)));
        int fd = must("open", open("lock", O_RDWR));
        held += fcntl(fd, F_SETLEASE, F_WRLCK) != 0;
        fcntl(fd, F_SETLEASE, F_UNLCK);
        close(fd);
    }
    return held;
}


static int children(int times) {
    int held = 0;
    for (int i = 0; i < times; i++) {
        pid_t child = fork();
        if (!child) {
            int fd = open("lock", O_RDONLY);
            _exit(fd < 0 || flock(fd, LOCK_EX | LOCK_NB) ? 1 : 0);
        }
        int status;
        waitpid(child, &status, 0);
        held += status != 0;
        int fd = must("open", open("lock", O_RDONLY));
        held += flock(fd, LOCK_EX | LOCK_NB) != 0;
        close(fd);
    }
    return held;
}

static void end(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static pid_t opener(int flags, int result_of_byte) {
    pid_t child = fork();
    if (child) return child;
    int fd = open("fifo", flags);
    char byte = 0;
    if (result_of_byte) _exit(fd >= 0 && read(fd, &byte, 1) == 1 && byte == 'x' ? 0 : 1);
    _exit(fd < 0);
}

// A reader is killed while it waits for a writer: whoever comes as a writer finds no reader.
static int dead_readers(int times) {
    int found = 0;
    for (int i = 0; i < times; i++) {
        pid_t reader = opener(O_RDONLY, 0);
        usleep(i * 1000);
        end(reader);
        int fd = open("fifo", O_WRONLY | O_NONBLOCK);
        found += fd >= 0 || errno != ENXIO;
        if (fd >= 0) close(fd);
    }
    return found;
}

// A writer is killed while it waits for a reader: a reader that comes then waits for another writer.
static int dead_writers(int times) {
    int found = 0;
    for (int i = 0; i < times; i++) {
        pid_t writer = opener(O_WRONLY, 0);
        usleep(i * 1000);
        end(writer);
        pid_t reader = opener(O_RDONLY, 1);
        usleep(30000);
        found += waitpid(reader, NULL, WNOHANG) != 0;
        int fd = open("fifo", O_WRONLY), status = 0;
        if (write(fd, "x", 1) != 1) found++;
        waitpid(reader, &status, 0);
        found += status != 0;
        close(fd);
    }
    return found;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    alarm(100);
    close(must("lock", open("lock", O_RDWR | O_CREAT, 0644)));
    must("mkfifo", mkfifo("fifo", 0644));
    int l = locks(2000), s = leases(1000), c = children(200), r = dead_readers(40), w = dead_writers(20);
    printf("locks %d leases %d children %d readers %d writers %d\n", l, s, c, r, w);
    return l + s + c + r + w != 0;
}
