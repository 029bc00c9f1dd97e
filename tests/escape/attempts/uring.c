/* Calls through io_uring, which no seccomp filter sees: the ring itself is refused. */
#include "attempt.h"

#include <linux/io_uring.h>

#ifndef IORING_OFF_SQES
#error "io_uring is not in the headers"
#endif

struct ring {
    int fd;
    unsigned *tail, *mask, *array, *head, *completed;
    struct io_uring_sqe *entries;
    struct io_uring_cqe *results;
    unsigned *results_mask;
};

static int is_switched_off(void)
{
    char state = '0';
    int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY);
    return read(fd, &state, 1) == 1 && state != '0';
}

#define SWITCHED_OFF                                                                                                   \
    .user = "kernel.io_uring_disabled is set on this host", .root = "kernel.io_uring_disabled is set on this host",    \
    .only_if = is_switched_off

static int set_up(struct ring *ring)
{
    struct io_uring_params set = {0};
    ring->fd = (int)syscall(SYS_io_uring_setup, 4, &set);
    if (ring->fd < 0)
        return -1;
    char *queue = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
    char *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
    ring->entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
    ring->tail = (unsigned *)(queue + set.sq_off.tail);
    ring->mask = (unsigned *)(queue + set.sq_off.ring_mask);
    ring->array = (unsigned *)(queue + set.sq_off.array);
    ring->head = (unsigned *)(done + set.cq_off.head);
    ring->results_mask = (unsigned *)(done + set.cq_off.ring_mask);
    ring->results = (struct io_uring_cqe *)(done + set.cq_off.cqes);
    return 0;
}

/* One operation and its result, with errno as of a call. */
static long submit(struct ring *ring, struct io_uring_sqe one)
{
    unsigned at = *ring->tail & *ring->mask;
    ring->entries[at] = one;
    ring->array[at] = at;
    __atomic_store_n(ring->tail, *ring->tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return -1;
    int result = ring->results[*ring->head & *ring->results_mask].res;
    __atomic_store_n(ring->head, *ring->head + 1, __ATOMIC_RELEASE);
    if (result < 0)
        errno = -result;
    return result < 0 ? -1 : result;
}

/* The result of one operation on a ring of its own: that of the setup where there is no ring. */
static long alone(struct io_uring_sqe one)
{
    struct ring ring;
    return set_up(&ring) < 0 ? -1 : submit(&ring, one);
}

#define AT(NAME) .fd = AT_FDCWD, .addr = (uintptr_t)(NAME)

ATTEMPT(uring_openat, .expect = "EPERM", SWITCHED_OFF)
{
    show(alone((struct io_uring_sqe){.opcode = IORING_OP_OPENAT, AT(path("secret/key")), .open_flags = O_RDONLY}));
    neighbour_reads("note");
}

ATTEMPT(uring_openat2, .expect = "EPERM", SWITCHED_OFF)
{
    struct open_how how = {.flags = O_RDONLY};
    show(alone((struct io_uring_sqe){
        .opcode = IORING_OP_OPENAT2, AT("locked/key"), .len = sizeof how, .off = (uintptr_t)&how}));
    neighbour_reads("note");
}

/* A registered file has no number in the table of descriptors. */
ATTEMPT(uring_reads_a_registered_file, .expect = "EPERM", SWITCHED_OFF)
{
    static char bytes[256];
    struct ring ring;
    if (report(set_up(&ring)) == 0) {
        int none[] = {-1};
        MUST(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, none, 1));
        MUST(submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                                 AT(path("secret/key")),
                                                 .open_flags = O_RDONLY,
                                                 .file_index = 1}));
        MUST(submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_READ,
                                                 .flags = IOSQE_FIXED_FILE,
                                                 .addr = (uintptr_t)bytes,
                                                 .len = sizeof bytes}));
        printf("%s\n", bytes);
    }
    neighbour_reads("note");
}

ATTEMPT(uring_renameat, .expect = "EPERM", SWITCHED_OFF)
{
    report(alone((struct io_uring_sqe){.opcode = IORING_OP_RENAMEAT,
                                       AT("fixed/note"),
                                       .len = (uint32_t)AT_FDCWD,
                                       .off = (uintptr_t) "stolen"}));
    neighbour(rename("note", "moved"));
}

ATTEMPT(uring_unlinkat, .expect = "EPERM", SWITCHED_OFF)
{
    report(alone((struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT, AT(path("secret/key"))}));
    neighbour(unlink("note"));
}

ATTEMPT(uring_linkat, .expect = "EPERM", SWITCHED_OFF)
{
    report(alone((struct io_uring_sqe){.opcode = IORING_OP_LINKAT,
                                       AT(path("secret/key")),
                                       .len = (uint32_t)AT_FDCWD,
                                       .off = (uintptr_t) "stolen"}));
    neighbour(link("note", "copy"));
}

ATTEMPT(uring_symlinkat, .expect = "EPERM", SWITCHED_OFF)
{
    report(alone((struct io_uring_sqe){
        .opcode = IORING_OP_SYMLINKAT, AT("note"), .off = (uintptr_t)path("secret/new")}));
    neighbour(symlink("note", "sub/new"));
}

ATTEMPT(uring_mkdirat, .expect = "EPERM", SWITCHED_OFF)
{
    report(alone((struct io_uring_sqe){.opcode = IORING_OP_MKDIRAT, AT(path("secret/new")), .len = 0700}));
    neighbour(mkdir("new", 0700));
}

ATTEMPT(uring_setxattr, .expect = "EPERM", SWITCHED_OFF)
{
    report(alone((struct io_uring_sqe){.opcode = IORING_OP_SETXATTR,
                                       .addr = (uintptr_t) "user.claw",
                                       .off = (uintptr_t) "x",
                                       .len = 1,
                                       .addr3 = (uintptr_t)path("secret/key")}));
    neighbour(setxattr("note", "user.claw", "x", 1, 0));
}

ATTEMPT(uring_connect, .expect = "EPERM", .with = OUTSIDER, SWITCHED_OFF)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path("secret/stream"));
    int fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    if (report(alone((struct io_uring_sqe){
            .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&to, .off = sizeof to})) == 0)
        spill(fd);
    snprintf(to.sun_path, sizeof to.sun_path, "%s", "stream");
    neighbour(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to));
}

/* The ring of a process outside would do, if it could be had. */
ATTEMPT(uring_enter_of_a_guessed_descriptor, .expect = "EPERM", .user = "nobody has a ring to be found",
        .root = "nobody has a ring to be found")
{
    for (int fd = 3; fd < 64; fd++)
        report(syscall(SYS_io_uring_enter, fd, 0, 0, 0, NULL, 0));
    report(syscall(SYS_io_uring_register, 3, IORING_REGISTER_PROBE, NULL, 0));
    neighbour_reads("note");
}
