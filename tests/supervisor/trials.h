/* Acts that take threads, signals or many processes. */

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

/* `storm KIND DIRECTORY COUNT FLAGS`: COUNT calls under a storm of signals, each of which must succeed exactly once.
 * A call that ran twice says EEXIST or ENOENT, one that was interrupted after its effect says EINTR. */
static void storm(struct row *row)
{
    const char *kind = text_of(row, 1), *directory = text_of(row, 2);
    long count = atol(text_of(row, 3)), failed = 0;
    struct sigaction action = { .sa_handler = count_signal };
    action.sa_flags = is(text_of(row, 4), "restart") ? SA_RESTART : 0;
    sigaction(SIGALRM, &action, NULL);
    int first = 0;
    struct itimerval interval = { { 0, 50 }, { 0, 50 } };
    signals = 0;
    setitimer(ITIMER_REAL, &interval, NULL);
    for (long i = 0; i < count; i++) {
        char path[PATH_MAX], other[PATH_MAX];
        snprintf(path, sizeof path, "%s/%ld", directory, i);
        snprintf(other, sizeof other, "%s/%ld-moved", directory, i);
        long result;
    again:
        result = -1;
        if (is(kind, "mkdir"))
            result = syscall(SYS_mkdirat, AT_FDCWD, path, 0700);
        else if (is(kind, "create"))
            result = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        else if (is(kind, "symlink"))
            result = syscall(SYS_symlinkat, "nowhere", AT_FDCWD, path);
        else if (is(kind, "rename"))
            result = syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, RENAME_NOREPLACE);
        else if (is(kind, "unlink"))
            result = syscall(SYS_unlinkat, AT_FDCWD, other, 0);
        else if (is(kind, "open"))
            result = syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY, 0);
        if (result < 0 && errno == EINTR && !(action.sa_flags & SA_RESTART))
            goto again;
        if (result < 0 && failed++ == 0)
            first = errno;
        if (result > 0)
            close((int)result);
    }
    interval = (struct itimerval){ 0 };
    setitimer(ITIMER_REAL, &interval, NULL);
    if (signals == 0)
        say(row, "no-signal-came");
    else if (failed)
        snprintf(row->out, OUT, "%ld-failed:%s", failed, strerrorname_np(first));
    else
        say(row, "ok");
}

struct opening {
    const char *path;
    long fd;
    int error;
    volatile int is_done;
};

static void *open_for_reading(void *argument)
{
    struct opening *opening = argument;
    opening->fd = syscall(SYS_openat, AT_FDCWD, opening->path, O_RDONLY | O_CLOEXEC, 0);
    opening->error = errno;
    opening->is_done = 1;
    return NULL;
}

/* `fifo FIFO OTHER`: eight threads wait for the other end of a FIFO; meanwhile OTHER opens as ever, in this process and
 * in a child; then the other end comes and every thread goes on. */
static void fifo(struct row *row)
{
    enum { THREADS = 8 };
    struct opening openings[THREADS];
    pthread_t threads[THREADS];
    const char *path = text_of(row, 1), *other = text_of(row, 2);
    for (int i = 0; i < THREADS; i++) {
        openings[i] = (struct opening){ .path = path };
        pthread_create(&threads[i], NULL, open_for_reading, &openings[i]);
    }
    usleep(100000);
    for (int i = 0; i < 200; i++) {
        long fd = syscall(SYS_openat, AT_FDCWD, other, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0) {
            fail(row, "beside:", errno);
            return;
        }
        close((int)fd);
    }
    pid_t child = fork();
    if (child == 0)
        _exit(syscall(SYS_openat, AT_FDCWD, other, O_RDONLY | O_CLOEXEC, 0) < 0);
    int state = 0;
    waitpid(child, &state, 0);
    for (int i = 0; i < THREADS; i++)
        if (openings[i].is_done || state) {
            say(row, state ? "child-failed" : "did-not-wait");
            return;
        }
    long writer = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (writer < 0 || write((int)writer, "12345678", THREADS) != THREADS) {
        fail(row, "writer:", errno);
        return;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        char byte;
        if (openings[i].fd < 0 || read((int)openings[i].fd, &byte, 1) != 1) {
            fail(row, "reader:", openings[i].error);
            return;
        }
        close((int)openings[i].fd);
    }
    close((int)writer);
    say(row, "ok");
}

static void *come_late(void *path)
{
    sleep(3);
    syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
    return NULL;
}

/* `interrupted FIFO`: an open that waits is interrupted by a signal, as outside: EINTR without SA_RESTART. The other
 * end comes after three seconds, so that nobody waits for ever: then it is `ok`. */
static void interrupted(struct row *row)
{
    struct sigaction action = { .sa_handler = count_signal };
    sigaction(SIGALRM, &action, NULL);
    pthread_t late;
    sigset_t all, old;
    sigfillset(&all);
    /* The signal is for the thread that waits. */
    pthread_sigmask(SIG_BLOCK, &all, &old);
    pthread_create(&late, NULL, come_late, text_of(row, 1));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    struct itimerval once = { { 0, 0 }, { 0, 100000 } };
    setitimer(ITIMER_REAL, &once, NULL);
    opened(row, syscall(SYS_openat, AT_FDCWD, text_of(row, 1), O_RDONLY | O_CLOEXEC, 0));
    pthread_join(late, NULL);
}

/* `slaughter PATH COUNT`: COUNT children, each killed at some moment of a loop of calls. */
static void slaughter(struct row *row)
{
    const char *path = text_of(row, 1);
    long count = atol(text_of(row, 2));
    for (long i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0)
            for (;;) {
                long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
                if (fd >= 0)
                    close((int)fd);
                fchmodat(AT_FDCWD, path, 0600, 0);
            }
        usleep((useconds_t)(i * 37 % 700));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    say(row, "ok");
}

/* `own PREFIX`: is what lies beneath this directory of /proc our own? */
static void own(struct row *row, const char *prefix)
{
    static const char marker[] = "a page of our own";
    char path[PATH_MAX], text[1 << 16];
    unsigned long pair[2], pages = 0;
    snprintf(path, sizeof path, "%s/auxv", prefix);
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        fail(row, "auxv:", errno);
        return;
    }
    extern unsigned long getauxval(unsigned long);
    while (read((int)fd, pair, sizeof pair) == sizeof pair)
        pages |= pair[0] == 25 && pair[1] == getauxval(25); /* AT_RANDOM: an address in our stack */
    close((int)fd);
    snprintf(path, sizeof path, "%s/maps", prefix);
    FILE *maps = fopen(path, "re");
    int is_mapped = 0;
    while (maps && fgets(text, sizeof text, maps)) {
        unsigned long from, to;
        if (sscanf(text, "%lx-%lx", &from, &to) == 2)
            is_mapped |= from <= (unsigned long)marker && (unsigned long)marker < to;
    }
    if (maps)
        fclose(maps);
    snprintf(path, sizeof path, "%s/status", prefix);
    FILE *status = fopen(path, "re");
    int tgid = 0;
    while (status && fgets(text, sizeof text, status))
        sscanf(text, "Tgid: %d", &tgid);
    if (status)
        fclose(status);
    snprintf(path, sizeof path, "%s/environ", prefix);
    int environ_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    snprintf(row->out, OUT, "%s%s%s%s", pages ? "auxv," : "", is_mapped ? "maps," : "",
             tgid == getpid() ? "status," : "", environ_fd >= 0 ? "environ" : "");
    if (environ_fd >= 0)
        close(environ_fd);
}

/* A new pseudo-terminal by way of /dev/ptmx and TIOCGPTPEER; what is written to one side arrives at the other. */
static void terminal(struct row *row)
{
    int locked = 0, main_side = (int)syscall(SYS_openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
    if (main_side < 0 || ioctl(main_side, TIOCSPTLCK, &locked) != 0) {
        fail(row, "ptmx:", errno);
        return;
    }
    int peer = ioctl(main_side, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    char bytes[8] = "";
    if (peer < 0 || write(main_side, "hey\n", 4) != 4 || read(peer, bytes, 4) != 4)
        fail(row, "peer:", errno);
    else
        show(row, bytes, 3);
    close(peer);
    close(main_side);
}

/* `descend NAME COUNT`: makes and enters a directory of this name, COUNT times, each beneath the last. */
static void descend(struct row *row)
{
    for (long i = 0; i < atol(text_of(row, 2)); i++)
        if (syscall(SYS_mkdirat, AT_FDCWD, text_of(row, 1), 0755) != 0 || chdir(text_of(row, 1)) != 0) {
            fail(row, "", errno);
            return;
        }
    say(row, "ok");
}

static int trial(struct row *row, const char *name)
{
    if (is(name, "storm"))
        storm(row);
    else if (is(name, "fifo"))
        fifo(row);
    else if (is(name, "interrupted"))
        interrupted(row);
    else if (is(name, "slaughter"))
        slaughter(row);
    else if (is(name, "own"))
        own(row, text_of(row, 1));
    else if (is(name, "terminal"))
        terminal(row);
    else if (is(name, "descend"))
        descend(row);
    else
        return 0;
    return 1;
}
