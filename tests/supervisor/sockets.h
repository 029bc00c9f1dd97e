/* Sockets. KIND is a number or a name of calls.h; a descriptor is kept with `>R`, a pair in R and the letter after. */

static long number_of(const char *text);

/* `bind KIND PATH`, `connect KIND PATH`; `bind-fd FD PATH`, `connect-fd FD PATH` for a socket that is there. */
static void give_address(struct row *row, const char *name, const char *form)
{
    static struct object object;
    int is_fresh = !strstr(name, "-fd"), is_bind = strncmp(name, "bind", 4) == 0;
    long fd = is_fresh ? syscall(SYS_socket, AF_UNIX, number_of(text_of(row, 1)) | SOCK_CLOEXEC, 0) : fd_of(row, 1);
    if (fd < 0 || address(&object, form ? form : "path", row->words[2]) != 0) {
        fail(row, "setup:", errno);
        return;
    }
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    snprintf(to.sun_path, sizeof to.sun_path, "%s", object.path);
    long result = syscall(is_bind ? SYS_bind : SYS_connect, (int)fd, &to, sizeof to);
    release(&object);
    done(row, result);
    if (is_fresh && result == 0)
        opened(row, fd);
    else if (is_fresh)
        close((int)fd);
}

static void give_abstract(struct row *row, const char *name, struct word word)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    memcpy(to.sun_path + 1, word.text, word.size);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + word.size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = is(name, "bind-abstract") ? bind(fd, (void *)&to, size) : connect(fd, (void *)&to, size);
    done(row, result);
    if (result == 0)
        opened(row, fd);
    else
        close(fd);
}

/* Sends a descriptor through a pair of our own and keeps what arrives. */
static void pass(struct row *row, int fd)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        fail(row, "", errno);
        return;
    }
    char byte = 'x', room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
    struct iovec data = { &byte, 1 };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    int got = -1;
    if (sendmsg(pair[0], &message, 0) == 1 && recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 1 &&
        (header = CMSG_FIRSTHDR(&message)))
        memcpy(&got, CMSG_DATA(header), sizeof got);
    opened(row, got);
    close(pair[0]);
    close(pair[1]);
}

static int socket_act(struct row *row, const char *name, const char *form)
{
    int first = fd_of(row, 1);
    if (is(name, "socket"))
        opened(row, syscall(SYS_socket, number_of(text_of(row, 1)), number_of(text_of(row, 2)), 0));
    else if (is(name, "socketpair")) {
        int pair[2];
        long result = syscall(SYS_socketpair, number_of(text_of(row, 1)), number_of(text_of(row, 2)), 0, pair);
        done(row, result);
        if (result == 0 && row->keep >= 0) {
            registers[row->keep] = pair[0];
            registers[row->keep + 1] = pair[1];
        }
    } else if (is(name, "bind") || is(name, "connect") || is(name, "bind-fd") || is(name, "connect-fd"))
        give_address(row, name, form);
    else if (is(name, "bind-abstract") || is(name, "connect-abstract"))
        give_abstract(row, name, row->words[1]);
    else if (is(name, "connect-nothing")) {
        /* AF_UNSPEC, a wild pointer, and a length that is too short. */
        struct sockaddr none = { .sa_family = AF_UNSPEC };
        long kind = atol(text_of(row, 2));
        done(row, syscall(SYS_connect, first, kind == 1 ? (void *)1 : &none, kind == 2 ? 1 : sizeof none));
    } else if (is(name, "listen"))
        done(row, listen(first, 8));
    else if (is(name, "accept"))
        opened(row, accept4(first, NULL, NULL, SOCK_CLOEXEC));
    else if (is(name, "send"))
        done(row, send(first, row->words[2].text, row->words[2].size, MSG_NOSIGNAL));
    else if (is(name, "pass"))
        pass(row, first);
    else if (is(name, "peer")) {
        struct ucred peer = { 0 };
        socklen_t size = sizeof peer;
        getsockopt(first, SOL_SOCKET, SO_PEERCRED, &peer, &size);
        say(row, peer.pid == getpid() ? "own" : "other");
    } else if (is(name, "name")) {
        struct sockaddr_un own = { 0 };
        socklen_t size = sizeof own;
        getsockname(first, (void *)&own, &size);
        show(row, own.sun_path, strlen(own.sun_path));
    } else
        return 0;
    return 1;
}
