/* Sockets: those of servers outside, by path and by abstract name, and names for one's own. The outsider serves
 * `secret/stream`, `secret/seqpacket`, `secret/dgram`, `work/locked/stream`, two abstract names, and for the neighbours
 * `work/stream` and `work/seqpacket`. */
#include "attempt.h"

#include <netinet/in.h>
#include <stddef.h>

#define HEAD offsetof(struct sockaddr_un, sun_path)

static struct sockaddr_un address_of(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    return address;
}

static int made(int type)
{
    return (int)MUST(socket(AF_UNIX, type, 0));
}

/* Connects, and prints the greeting. */
static long meet(int fd, const char *name)
{
    struct sockaddr_un to = address_of(name);
    long result = connect(fd, (struct sockaddr *)&to, sizeof to);
    int why = errno;
    if (result == 0)
        spill(fd);
    errno = why;
    return result;
}

#define MEETS(NAME, TYPE, BLOCKED, ALLOWED)                                                                            \
    ATTEMPT(NAME, .expect = "EACCES", .with = OUTSIDER)                                                                \
    {                                                                                                                  \
        report(meet(made(TYPE), BLOCKED));                                                                             \
        neighbour(meet(made(TYPE), ALLOWED));                                                                          \
    }

MEETS(connect_to_a_stream_socket, SOCK_STREAM, path("secret/stream"), "stream")
MEETS(connect_to_a_seqpacket_socket, SOCK_SEQPACKET, path("secret/seqpacket"), "seqpacket")
MEETS(connect_to_a_blocked_socket_of_the_workspace, SOCK_STREAM, "locked/stream", "stream")
MEETS(connect_with_dots, SOCK_STREAM, "sub/../../secret/stream", "sub/../stream")
MEETS(connect_without_waiting, SOCK_STREAM | SOCK_NONBLOCK, path("secret/stream"), "stream")

ATTEMPT(connect_through_a_link, .expect = "EACCES", .with = OUTSIDER)
{
    MUST(symlink("stream", "links/near"));
    report(meet(made(SOCK_STREAM), "links/secret/stream"));
    neighbour(meet(made(SOCK_STREAM), "links/sub/../stream"));
}

ATTEMPT(connect_through_proc_self_fd, .expect = "EACCES", .with = OUTSIDER)
{
    report(meet(made(SOCK_STREAM), text("/proc/self/fd/%ld", MUST(open(path("secret/stream"), O_PATH)))));
    neighbour(meet(made(SOCK_STREAM), text("/proc/self/fd/%ld", MUST(open("stream", O_PATH)))));
}

ATTEMPT(connect_after_chdir, .expect = "EACCES", .with = OUTSIDER)
{
    MUST(chdir(path("secret")));
    report(meet(made(SOCK_STREAM), "stream"));
    MUST(chdir(path("work")));
    neighbour(meet(made(SOCK_STREAM), "stream"));
}

/* A second name of the socket, where names may be made. */
ATTEMPT(connect_through_a_second_name, .expect = "EACCES|EXDEV|ENOENT", .with = OUTSIDER)
{
    report(link(path("secret/stream"), "taken"));
    report(meet(made(SOCK_STREAM), "taken"));
    neighbour(link("stream", "again"));
}

ATTEMPT(connect_when_bound, .expect = "EACCES", .with = OUTSIDER)
{
    struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
    int fd = made(SOCK_STREAM);
    MUST(bind(fd, (struct sockaddr *)&unnamed, sizeof unnamed.sun_family));
    report(meet(fd, path("secret/stream")));
    neighbour(meet(fd, "stream"));
}

/* The length says where a path ends, with or without a zero byte. */
ATTEMPT(connect_without_a_final_zero, .expect = "EACCES", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/stream"));
    int fd = made(SOCK_STREAM);
    size_t length = strlen(to.sun_path);
    memset(to.sun_path + length, 'x', sizeof to.sun_path - length);
    if (report(connect(fd, (struct sockaddr *)&to, (socklen_t)(HEAD + length))) == 0)
        spill(fd);
    to = address_of("stream");
    memset(to.sun_path + 6, 'x', 8);
    neighbour(connect(made(SOCK_STREAM), (struct sockaddr *)&to, (socklen_t)(HEAD + 6)));
}

ATTEMPT(connect_with_a_zero_inside, .expect = "EACCES", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/stream"));
    int fd = made(SOCK_STREAM);
    memcpy(to.sun_path + strlen(to.sun_path) + 1, "work", 4);
    if (report(connect(fd, (struct sockaddr *)&to, sizeof to)) == 0)
        spill(fd);
    to = address_of("stream");
    memcpy(to.sun_path + 7, "secret", 6);
    neighbour(connect(made(SOCK_STREAM), (struct sockaddr *)&to, sizeof to));
}

/* All 108 bytes, and no room for a zero. */
ATTEMPT(connect_with_a_full_path, .expect = "EACCES", .with = OUTSIDER)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *ends[] = {path("secret/stream"), path("work/stream")};
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(ends[i]);
        int fd = made(SOCK_STREAM);
        memset(to.sun_path, '/', sizeof to.sun_path);
        memcpy(to.sun_path + sizeof to.sun_path - length, ends[i], length);
        long result = connect(fd, (struct sockaddr *)&to, sizeof to);
        if (i == 1)
            neighbour(result);
        else if (report(result) == 0)
            spill(fd);
    }
}

/* The address is in memory, where another thread rewrites it. */
static struct sockaddr_un shared;
static volatile int is_over;

static void *rewrite(void *unused)
{
    (void)unused;
    struct sockaddr_un secret = address_of(path("secret/stream")), allowed = address_of(path("work/stream"));
    while (!is_over) {
        memcpy(&shared, &secret, sizeof shared);
        __asm__ volatile("" ::: "memory");
        memcpy(&shared, &allowed, sizeof shared);
        __asm__ volatile("" ::: "memory");
    }
    return NULL;
}

ATTEMPT(connect_to_an_address_that_changes, .with = OUTSIDER)
{
    pthread_t thread;
    shared = address_of("stream");
    pthread_create(&thread, NULL, rewrite, NULL);
    for (int64_t end = milliseconds() + 300; milliseconds() < end;) {
        int fd = made(SOCK_STREAM);
        (void)!connect(fd, (struct sockaddr *)&shared, sizeof shared);
        close(fd);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    neighbour(meet(made(SOCK_STREAM), "stream"));
}

/* The path is judged, and then another one: links that are exchanged. */
static void *flip(void *unused)
{
    (void)unused;
    while (!is_over)
        syscall(SYS_renameat2, AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE);
    return NULL;
}

ATTEMPT(connect_through_links_that_change, .with = OUTSIDER)
{
    pthread_t thread;
    MUST(symlink("../secret/stream", "one"));
    MUST(symlink("stream", "two"));
    pthread_create(&thread, NULL, flip, NULL);
    struct sockaddr_un to = address_of("one");
    for (int64_t end = milliseconds() + 300; milliseconds() < end;) {
        int fd = made(SOCK_STREAM);
        (void)!connect(fd, (struct sockaddr *)&to, sizeof to);
        close(fd);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    neighbour(meet(made(SOCK_STREAM), "stream"));
}

/* The socket is not what it was: its number is another's by the time of the call. */
static int numbers[3];

static void *exchange(void *unused)
{
    (void)unused;
    while (!is_over) {
        dup2(numbers[1], numbers[0]);
        dup2(numbers[2], numbers[0]);
    }
    return NULL;
}

ATTEMPT(connect_of_a_descriptor_that_changes, .with = OUTSIDER)
{
    pthread_t thread;
    struct sockaddr_un to = address_of(path("secret/stream"));
    numbers[0] = made(SOCK_STREAM);
    numbers[1] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    numbers[2] = made(SOCK_STREAM);
    pthread_create(&thread, NULL, exchange, NULL);
    for (int64_t end = milliseconds() + 300; milliseconds() < end;)
        (void)!connect(numbers[0], (struct sockaddr *)&to, sizeof to);
    is_over = 1;
    pthread_join(thread, NULL);
    neighbour(meet(made(SOCK_STREAM), "stream"));
}

/* Datagrams name their receiver in memory, each anew. */
ATTEMPT(datagram_by_sendto, .expect = "EACCES|EBADF", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/dgram"));
    int fd = (int)report(socket(AF_UNIX, SOCK_DGRAM, 0));
    report(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
    neighbour(socket(AF_INET, SOCK_DGRAM, 0));
}

ATTEMPT(datagram_by_sendmsg, .expect = "EACCES|EBADF", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/dgram"));
    struct iovec bytes = {(void *)"x", 1};
    struct mmsghdr message = {.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &bytes, .msg_iovlen = 1}};
    int fd = (int)report(socket(AF_UNIX, SOCK_DGRAM, 0));
    report(sendmsg(fd, &message.msg_hdr, 0));
    report(sendmmsg(fd, &message, 1, 0));
    neighbour(socket(AF_UNIX, SOCK_STREAM, 0));
}

ATTEMPT(datagram_by_connect_and_write, .expect = "EACCES|EBADF", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/dgram"));
    int fd = (int)report(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    report(connect(fd, (struct sockaddr *)&to, sizeof to));
    report(write(fd, "x", 1));
    neighbour(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* A pair is connected, but each half sends to whom it names. */
ATTEMPT(datagram_from_a_pair, .expect = "EACCES|EBADF", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/dgram"));
    int pair[2] = {-1, -1};
    report(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    report(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&to, sizeof to));
    neighbour(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
}

/* The kernel makes a datagram socket of SOCK_RAW. */
ATTEMPT(datagram_of_a_raw_socket, .expect = "EACCES|EBADF", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/dgram"));
    int fd = (int)report(socket(AF_UNIX, SOCK_RAW, 0));
    report(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
    neighbour(socket(AF_UNIX, SOCK_SEQPACKET, 0));
}

/* CVE-2019-7303: family and type have 32 bits. */
ATTEMPT(datagram_with_high_bits, .expect = "EACCES|EBADF", .with = OUTSIDER)
{
    struct sockaddr_un to = address_of(path("secret/dgram"));
    long fd = report(syscall(SYS_socket, 0x100000000 | AF_UNIX, 0x7f00000000 | SOCK_DGRAM, 0));
    report(syscall(SYS_sendto, fd, "x", 1, 0, &to, sizeof to));
    neighbour(syscall(SYS_socket, 0x100000000 | AF_UNIX, 0x7f00000000 | SOCK_STREAM, 0));
}

/* A stream's sendto does not connect. */
ATTEMPT(stream_by_sendto, .expect = "EOPNOTSUPP|ENOTCONN|EPIPE|EACCES", .with = OUTSIDER,
        .user = "a stream goes where it is connected", .root = "a stream goes where it is connected")
{
    struct sockaddr_un to = address_of(path("secret/stream"));
    report(sendto(made(SOCK_STREAM), "x", 1, MSG_NOSIGNAL | MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to));
    to = address_of(path("secret/seqpacket"));
    report(sendto(made(SOCK_SEQPACKET), "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to));
    neighbour(meet(made(SOCK_STREAM), "stream"));
}

static struct sockaddr_un abstract(const char *end, socklen_t *length)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int written = snprintf(to.sun_path + 1, sizeof to.sun_path - 1, "%s-%s", strrchr(root, '/') + 1, end);
    *length = (socklen_t)(HEAD + 1 + (size_t)written);
    return to;
}

ATTEMPT(connect_to_an_abstract_name, .expect = "EPERM", .with = OUTSIDER)
{
    socklen_t length;
    struct sockaddr_un to = abstract("stream", &length);
    int fd = made(SOCK_STREAM);
    if (report(connect(fd, (struct sockaddr *)&to, length)) == 0)
        spill(fd);
    to = abstract("own", &length);
    MUST(bind(fd = made(SOCK_STREAM), (struct sockaddr *)&to, length));
    MUST(listen(fd, 1));
    neighbour(connect(made(SOCK_STREAM), (struct sockaddr *)&to, length));
}

ATTEMPT(datagram_to_an_abstract_name, .expect = "EACCES|EBADF", .with = OUTSIDER)
{
    socklen_t length;
    struct sockaddr_un to = abstract("dgram", &length);
    int fd = (int)report(socket(AF_UNIX, SOCK_DGRAM, 0));
    report(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, length));
    neighbour(socket(AF_UNIX, SOCK_STREAM, 0));
}

/* Names. */
static long name(const char *at)
{
    struct sockaddr_un to = address_of(at);
    return bind(made(SOCK_STREAM), (struct sockaddr *)&to, sizeof to);
}

ATTEMPT(bind_in_a_blocked_directory, .expect = "EACCES")
{
    report(name(path("secret/new")));
    neighbour(name("sub/new"));
}

ATTEMPT(bind_in_a_blocked_directory_of_the_workspace, .expect = "EACCES")
{
    report(name("locked/new"));
    neighbour(name("locked/open/new"));
}

ATTEMPT(bind_to_a_blocked_name, .expect = "EACCES")
{
    report(name("late"));
    neighbour(name("early"));
}

ATTEMPT(bind_after_chdir, .expect = "EACCES")
{
    MUST(chdir(path("secret")));
    report(name("new"));
    MUST(chdir(path("work")));
    neighbour(name("new"));
}

ATTEMPT(bind_through_a_link, .expect = "EACCES")
{
    report(name("links/secret/new"));
    neighbour(name("links/sub/new"));
}

/* A name that exists is in use: nothing is replaced. */
ATTEMPT(bind_over_a_secret, .expect = "EADDRINUSE", .user = "bind replaces nothing", .root = "bind replaces nothing")
{
    report(name(path("secret/key")));
    report(name("fixed/note"));
    neighbour(name("new"));
}

/* Who is at the other end tells a descriptor for its process. */
ATTEMPT(signal_to_the_peer, .expect = "EPERM", .with = OUTSIDER)
{
    int fd = made(SOCK_STREAM), process = -1;
    struct sockaddr_un to = address_of("stream");
    MUST(connect(fd, (struct sockaddr *)&to, sizeof to));
    socklen_t length = sizeof process;
    /* SO_PEERPIDFD */
    MUST(getsockopt(fd, SOL_SOCKET, 77, &process, &length));
    report(syscall(SYS_pidfd_send_signal, process, SIGUSR1, NULL, 0));
    neighbour(syscall(SYS_pidfd_send_signal, MUST(syscall(SYS_pidfd_open, getpid(), 0)), 0, NULL, 0));
}

/* The queue of a server that is full: the call waits, and everybody else must not. */
ATTEMPT(connect_that_waits)
{
    struct sockaddr_un to = address_of("full");
    int server = made(SOCK_STREAM);
    MUST(bind(server, (struct sockaddr *)&to, sizeof to));
    MUST(listen(server, 0));
    fflush(stdout);
    pid_t children[8];
    for (int i = 0; i < 8; i++)
        if ((children[i] = fork()) == 0)
            _exit(connect(made(SOCK_STREAM), (struct sockaddr *)&to, sizeof to) != 0);
    usleep(50000);
    spill(open(path("secret/key"), O_RDONLY));
    neighbour_reads("note");
    for (int i = 0; i < 8; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
}

/* Other families. */
ATTEMPT(packets_of_the_network, .expect = "EPERM", .user = "packet sockets need CAP_NET_RAW",
        .root = "packets leave no trace in the tree")
{
    report(socket(AF_PACKET, SOCK_RAW, 0));
    report(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    neighbour(socket(AF_INET, SOCK_STREAM, 0));
}

/* Where the policy says loopback, nobody else's address is listened at. */
static long listen_at(uint32_t where)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(where)};
    int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    return bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ? -1 : listen(fd, 1);
}

#define NO_TRACE .user = "a socket that listens leaves no trace in the tree", .root = "a socket that listens leaves no trace in the tree"

ATTEMPT(listen_at_every_address, .expect = "EACCES", .policy = "loopback", NO_TRACE)
{
    report(listen_at(INADDR_ANY));
    neighbour(listen_at(INADDR_LOOPBACK));
}

ATTEMPT(listen_without_an_address, .expect = "EACCES", .policy = "loopback", NO_TRACE)
{
    report(listen((int)MUST(socket(AF_INET, SOCK_STREAM, 0)), 1));
    report(listen((int)MUST(socket(AF_INET6, SOCK_STREAM, 0)), 1));
    neighbour(listen_at(INADDR_LOOPBACK));
}
