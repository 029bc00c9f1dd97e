// Performs lists of system calls whose arguments are chosen elsewhere, inside a sandbox: the confined half of the
// fuzz target `requests`. Each list runs in a process of its own, which is killed when it takes too long; this one only
// waits, and asks after each list whether the supervisor still answers as it should.
//
// In: length (u32), then the memory image (u16 length, bytes), the racer (u16 offset, u8 length, bytes), the calls (u8
// count; each: u16 number, six arguments of u8 kind and u64 value).
// Out: length (u32), timed out (u8), errno of opening what may be read, errno of opening what may not, (i32 each),
// number of results (u8), results (i64 each), everything that could be read.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
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
#include <unistd.h>

enum { PAGE = 4096, IMAGE_PAGES = 8, READ_ONLY = 8, FORBIDDEN = 9, LAST = 10, PAGES = 11 };
enum { MOST_CALLS = 16, MOST_OUT = 1 << 17, PATIENCE_MS = 400, MOST_FDS = 96 };
static uint8_t *const base = (uint8_t *)0x20000000;

enum kind { NUMBER, POINTER, DESCRIPTOR, RESULT, HIGH_DESCRIPTOR };

struct shared {
    volatile uint32_t done;
    volatile int64_t results[MOST_CALLS];
    volatile uint32_t length;
    uint8_t out[MOST_OUT];
};

static struct shared *shared;
static uint8_t input[1 << 16];
static const uint8_t *at, *end;
static const char *may_read, *may_not_read;

static void whole(int fd, void *buffer, size_t length, int writes) {
    for (size_t done = 0; done < length;) {
        ssize_t n = writes ? write(fd, (char *)buffer + done, length - done)
                           : read(fd, (char *)buffer + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            exit(0);
        done += n;
    }
}

static uint64_t take(size_t bytes) {
    uint64_t value = 0;
    if (at + bytes > end)
        exit(3);
    memcpy(&value, at, bytes);
    at += bytes;
    return value;
}

static void map_memory(void) {
    uint8_t *got = mmap(base, PAGES * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got != base)
        exit(4);
    size_t length = take(2);
    if (length > IMAGE_PAGES * PAGE || at + length > end)
        exit(3);
    memcpy(base, at, length);
    at += length;
    memcpy(base + READ_ONLY * PAGE, base, PAGE);
    // What ends the image ends the last page: behind it nothing is mapped.
    size_t tail = length < PAGE ? length : PAGE;
    memcpy(base + (LAST + 1) * PAGE - tail, base + length - tail, tail);
    mprotect(base + READ_ONLY * PAGE, PAGE, PROT_READ);
    mprotect(base + FORBIDDEN * PAGE, PAGE, PROT_NONE);
}

struct racer {
    uint8_t *where;
    size_t length;
    uint8_t bytes[2][256];
};
static struct racer racer;

static void *race(void *nothing) {
    for (unsigned turn = 0;; turn++)
        memcpy(racer.where, racer.bytes[turn & 1], racer.length);
    return nothing;
}

static void start_racer(void) {
    size_t offset = take(2), length = take(1);
    if (at + length > end)
        exit(3);
    memcpy(racer.bytes[1], at, length);
    at += length;
    if (length == 0 || offset + length > IMAGE_PAGES * PAGE)
        return;
    racer.where = base + offset;
    racer.length = length;
    memcpy(racer.bytes[0], racer.where, length);
    pthread_t thread;
    pthread_create(&thread, NULL, race, NULL);
}

// The fixed descriptors, by the names that src/requests/program.rs knows: keep both in step.
static int descriptors[32];
static int count;

static void open_descriptors(void) {
    int ends[2];
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
    descriptors[count++] = AT_FDCWD;
    descriptors[count++] = open(".", O_RDONLY | O_DIRECTORY);
    descriptors[count++] = open("d", O_RDONLY | O_DIRECTORY);
    descriptors[count++] = open("f", O_RDWR);
    descriptors[count++] = open("f", O_RDONLY);
    descriptors[count++] = open("f", O_PATH);
    descriptors[count++] = open(".env", O_PATH);
    descriptors[count++] = open("secret", O_PATH);
    descriptors[count++] = open("../outside", O_PATH);
    descriptors[count++] = open("/", O_PATH);
    descriptors[count++] = open("link", O_PATH | O_NOFOLLOW);
    descriptors[count++] = open("/proc/self", O_PATH);
    descriptors[count++] = open("../free", O_RDONLY | O_DIRECTORY);
    descriptors[count++] = open("kept/readable", O_RDONLY);
    if (pipe2(ends, O_NONBLOCK) == 0) {
        descriptors[count++] = ends[0];
        descriptors[count++] = ends[1];
    }
    descriptors[count++] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) == 0)
        listen(listening, 1);
    descriptors[count++] = listening;
    descriptors[count++] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    descriptors[count++] = memfd_create("memory", 0);
    descriptors[count++] = inotify_init1(IN_NONBLOCK);
    descriptors[count++] = open("f", O_TMPFILE | O_RDWR, 0600);
    descriptors[count++] = 999;
    descriptors[count++] = -1;
}

static uint64_t argument(void) {
    enum kind kind = take(1);
    uint64_t value = take(8);
    switch (kind) {
    case POINTER:
        return (uint64_t)(base + value % ((PAGES + 1) * PAGE));
    case DESCRIPTOR:
        return (uint64_t)(int64_t)descriptors[value % count];
    case HIGH_DESCRIPTOR:
        return (uint32_t)descriptors[value % count] | 0x5a5a5a5a00000000;
    case RESULT:
        return shared->done == 0 ? 0 : (uint64_t)shared->results[value % shared->done];
    default:
        return value;
    }
}

static void tell(const void *bytes, size_t length) {
    size_t room = MOST_OUT - shared->length;
    length = length < room ? length : room;
    memcpy(shared->out + shared->length, bytes, length);
    shared->length += length;
}

// Reads whatever a descriptor gives, and tries to write through it: both may only do what the policy allows.
static void use(int fd) {
    char buffer[1024];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    if (S_ISDIR(status.st_mode)) {
        long got;
        while ((got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
            tell(buffer, got);
        int below = openat(fd, "key", O_RDONLY);
        ssize_t n = below < 0 ? 0 : read(below, buffer, sizeof buffer);
        if (n > 0)
            tell(buffer, n);
    } else if (S_ISREG(status.st_mode)) {
        ssize_t n = pread(fd, buffer, sizeof buffer, 0);
        if (n > 0)
            tell(buffer, n);
        if (pwrite(fd, "!", 1, 0) == 1)
            ftruncate(fd, 3);
    } else {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN)) {
            ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (n > 0)
                tell(buffer, n);
        }
    }
}

static _Noreturn void perform(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    for (int fd = 3; fd < MOST_FDS; fd++)
        close(fd);
    map_memory();
    open_descriptors();
    unsigned char ours[MOST_FDS];
    for (int fd = 0; fd < MOST_FDS; fd++)
        ours[fd] = fcntl(fd, F_GETFD) != -1;
    start_racer();
    size_t calls = take(1);
    for (size_t call = 0; call < calls && call < MOST_CALLS; call++) {
        long number = take(2);
        uint64_t a[6];
        for (int i = 0; i < 6; i++)
            a[i] = argument();
        long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        shared->results[call] = result < 0 ? -errno : result;
        shared->done = call + 1;
    }
    for (int fd = 3; fd < MOST_FDS; fd++)
        if (!ours[fd])
            use(fd);
    tell(base, IMAGE_PAGES * PAGE);
    _exit(0);
}

static int opens(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return errno;
    char byte;
    int error = read(fd, &byte, 1) == 1 ? 0 : -1;
    close(fd);
    return error;
}

int main(int argc, char **argv) {
    if (argc != 4 || chdir(argv[1]) != 0)
        return 2;
    may_read = argv[2];
    may_not_read = argv[3];
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    for (;;) {
        uint32_t length;
        whole(0, &length, sizeof length, 0);
        if (length > sizeof input)
            return 3;
        whole(0, input, length, 0);
        at = input;
        end = input + length;
        shared->done = shared->length = 0;
        pid_t child = fork();
        if (child == 0)
            perform();
        if (child < 0)
            return 5;
        struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
        uint8_t late = poll(&ended, 1, PATIENCE_MS) != 1;
        int status = 0;
        if (late)
            kill(child, SIGKILL);
        waitpid(child, &status, 0);
        close(ended.fd);
        if (WIFEXITED(status) && WEXITSTATUS(status) >= 3 && WEXITSTATUS(status) <= 4 && shared->done == 0)
            return 6;
        int32_t probes[2] = {opens(may_read), opens(may_not_read)};
        uint8_t done = shared->done;
        uint32_t told = shared->length;
        uint32_t total = 1 + sizeof probes + 1 + 8 * done + told;
        whole(1, &total, sizeof total, 1);
        whole(1, &late, 1, 1);
        whole(1, probes, sizeof probes, 1);
        whole(1, &done, 1, 1);
        whole(1, (void *)shared->results, 8 * done, 1);
        whole(1, shared->out, told, 1);
    }
}
