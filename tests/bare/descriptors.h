/* Descriptors of every kind, each made when a call needs it, at a number of its own from FIRST on. */
enum { FIRST = 50 };

static int unix_socket(int type) { return socket(AF_UNIX, type | SOCK_NONBLOCK, 0); }

static int tcp_socket(void) { return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); }

static int bound_socket(int listens)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = tcp_socket();
    if (bind(fd, (void *)&address, sizeof address) != 0 || (listens && listen(fd, 5) != 0))
        return -1;
    return fd;
}

static int connected_socket(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "sock" };
    int fd = unix_socket(SOCK_STREAM);
    return connect(fd, (void *)&address, sizeof address) == 0 ? fd : -1;
}

static int end_of(int which, int socket_type)
{
    int ends[2];
    if (socket_type ? socketpair(AF_UNIX, socket_type, 0, ends) : pipe(ends))
        return -1;
    return ends[which];
}

static int removed(const char *name, int flags)
{
    if (flags & O_DIRECTORY)
        mkdir(name, 0755);
    int fd = open(name, flags & O_DIRECTORY ? flags : flags | O_CREAT, 0644);
    if (flags & O_DIRECTORY)
        rmdir(name);
    else
        unlink(name);
    return fd;
}

static int terminal(int which)
{
    int master, zero = 0;
    /* A machine with many terminals may have none left for a moment. */
    while ((master = open("/dev/ptmx", O_RDWR | O_NOCTTY)) < 0 && errno == ENOSPC)
        usleep(10000);
    if (which == 0 || master < 0)
        return master;
    if (ioctl(master, TIOCSPTLCK, &zero) != 0)
        return -1;
    return which == 1 ? master : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
}

#define KINDS(KIND)                                                                                                    \
    KIND(file_r, open("file", O_RDONLY))                                                                               \
    KIND(file_rw, open("file", O_RDWR | O_APPEND))                                                                     \
    KIND(file_w, open("file", O_WRONLY))                                                                               \
    KIND(file_path, open("file", O_PATH))                                                                              \
    KIND(link_path, open("link", O_PATH | O_NOFOLLOW))                                                                 \
    KIND(dir_r, open("dir", O_RDONLY | O_DIRECTORY))                                                                   \
    KIND(dir_path, open("dir", O_PATH))                                                                                \
    KIND(top_r, open(".", O_RDONLY | O_DIRECTORY))                                                                     \
    KIND(shut_path, open("shut", O_PATH))                                                                              \
    KIND(script_r, open("script", O_RDONLY))                                                                           \
    KIND(script_path, open("script", O_PATH))                                                                          \
    KIND(fifo_rw, open("fifo", O_RDWR | O_NONBLOCK))                                                                   \
    KIND(fifo_path, open("fifo", O_PATH))                                                                              \
    KIND(sock_path, open("sock", O_PATH))                                                                              \
    KIND(null_rw, open("/dev/null", O_RDWR))                                                                           \
    KIND(pipe_r, end_of(0, 0))                                                                                         \
    KIND(pipe_w, end_of(1, 0))                                                                                         \
    KIND(pair, end_of(0, SOCK_STREAM))                                                                                 \
    KIND(unix_stream, unix_socket(SOCK_STREAM))                                                                        \
    KIND(unix_packet, unix_socket(SOCK_SEQPACKET))                                                                     \
    KIND(unix_connected, connected_socket())                                                                           \
    KIND(tcp, tcp_socket())                                                                                            \
    KIND(tcp_bound, bound_socket(0))                                                                                   \
    KIND(tcp_listens, bound_socket(1))                                                                                 \
    KIND(udp, socket(AF_INET, SOCK_DGRAM, 0))                                                                          \
    KIND(tcp6, socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0))                                                       \
    KIND(memfd, memfd_create("shapes", 0))                                                                             \
    KIND(memfd_sealed, memfd_create("shapes", MFD_NOEXEC_SEAL))                                                        \
    KIND(event, eventfd(1, 0))                                                                                         \
    KIND(epoll, epoll_create1(0))                                                                                      \
    KIND(inotify, inotify_init1(0))                                                                                    \
    KIND(pidfd, (int)syscall(SYS_pidfd_open, getpid(), 0))                                                             \
    KIND(timer, timerfd_create(CLOCK_MONOTONIC, 0))                                                                    \
    KIND(master_locked, terminal(0))                                                                                   \
    KIND(master, terminal(1))                                                                                          \
    KIND(slave, terminal(2))                                                                                           \
    KIND(removed_file, removed("dead", O_RDWR))                                                                        \
    KIND(removed_dir, removed("dead", O_RDONLY | O_DIRECTORY))                                                         \
    KIND(nameless, open(".", O_TMPFILE | O_RDWR, 0644))

enum kind {
#define KIND(name, made) KIND_##name,
    KINDS(KIND)
#undef KIND
        KIND_COUNT
};

static const char *const KIND_NAMES[] = {
#define KIND(name, made) #name,
    KINDS(KIND)
#undef KIND
};

static int make_kind(enum kind kind)
{
    switch (kind) {
#define KIND(name, made)                                                                                               \
    case KIND_##name:                                                                                                  \
        return made;
        KINDS(KIND)
#undef KIND
    case KIND_COUNT:
        break;
    }
    return -1;
}

/* The descriptor, at a number that does not depend on what else was made. */
static int descriptor(enum kind kind)
{
    int number = FIRST + (int)kind, made = make_kind(kind);
    if (made < 0)
        return -errno - 1000;
    must(dup2(made, number) == number, "dup2");
    if (made != number)
        close(made);
    return number;
}

/* What an open descriptor is, and how it is open. */
static void show_descriptor(int fd, char *out, size_t most)
{
    struct stat stat;
    size_t used = strlen(out);
    int flags = fcntl(fd, F_GETFL), own = fcntl(fd, F_GETFD);
    if (own < 0 || fstat(fd, &stat) != 0) {
        snprintf(out + used, most - used, " [%d %s]", fd, strerrorname_np(errno));
        return;
    }
    char self[64], name[600] = "";
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(self, name, sizeof name - 1);
    name[length < 0 ? 0 : length] = 0;
    char *shown = strncmp(name, top, strlen(top)) == 0 ? name + strlen(top) : name;
    if (strchr(shown, '['))
        *strchr(shown, '[') = 0;
    /* The name of what has none is a number. */
    if (strchr(shown, '#'))
        strchr(shown, '#')[1] = 0;
    snprintf(out + used, most - used, " [%d %s was=%s %s fl=%o fd=%d at=%lld lease=%d owner=%d]", fd, shown,
             was(&stat), type_of(stat.st_mode), flags, own, (long long)lseek(fd, 0, SEEK_CUR), fcntl(fd, F_GETLEASE),
             fcntl(fd, F_GETOWN));
}
