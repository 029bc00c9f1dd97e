// Makes system calls by their numbers, each in a process of its own, with arguments that no call can use: -1 as every
// pointer, descriptor and flag. Prints the number and what came of it: "ok", an errno, or how the process ended.
//
//   numbers NUMBER...        each of these; A-B is a range
//   numbers reading FILE     what a descriptor for reading must not change

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTHING -1

static volatile int *outcome;

static void call(unsigned long number) {
    *outcome = NOTHING;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    if (child == 0) {
        // A call that waits for something would wait for ever.
        alarm(10);
        errno = 0;
        long result = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
        *outcome = result == -1 ? errno : 0;
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            perror("waitpid");
            exit(2);
        }
    printf("%lu ", number);
    if (WIFSIGNALED(status))
        printf("signal %d\n", WTERMSIG(status));
    else if (*outcome == NOTHING)
        printf("ended\n");
    else if (*outcome == 0)
        printf("ok\n");
    else
        printf("%s\n", strerrorname_np(*outcome));
}

static void told(const char *what, long result) {
    printf("%s %s\n", what, result == -1 ? strerrorname_np(errno) : "ok");
}

static int reading(const char *file) {
    int fd = open(file, O_RDONLY);
    if (fd < 0) {
        perror(file);
        return 2;
    }
    char byte = 'x';
    told("write", write(fd, &byte, 1));
    told("pwrite64", pwrite(fd, &byte, 1, 0));
    told("ftruncate", ftruncate(fd, 0));
    told("fallocate", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    told("copy_file_range", copy_file_range(fd, NULL, fd, NULL, 1, 0));
    int ends[2];
    if (pipe(ends) < 0 || write(ends[1], &byte, 1) != 1)
        return 2;
    told("splice", splice(ends[0], NULL, fd, NULL, 1, 0));
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    told("mmap", shared == MAP_FAILED ? -1 : 0);
    shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        return 2;
    told("mprotect", mprotect(shared, 4096, PROT_READ | PROT_WRITE));
    told("madvise", madvise(shared, 4096, MADV_REMOVE));
    // FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, CEPH_IOC_SET_LAYOUT, F2FS_IOC_SET_PIN_FILE, ZFS_IOC_SETDOSFLAGS.
    unsigned long requests[] = {0x40086602, 0x401c5820, 0x40289702, 0x4004f50d, 0x40088302};
    char zeros[128] = {0};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        told("ioctl", ioctl(fd, requests[i], zeros));
    told("read", read(fd, &byte, 1));
    return 0;
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "reading") == 0)
        return reading(arguments[2]);
    outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED)
        return 2;
    for (int i = 1; i < count; i++) {
        char *rest;
        unsigned long first = strtoul(arguments[i], &rest, 0), last = first;
        if (*rest == '-')
            last = strtoul(rest + 1, NULL, 0);
        for (unsigned long number = first; number <= last; number++)
            call(number);
    }
    return 0;
}
