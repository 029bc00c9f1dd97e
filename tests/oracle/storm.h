/* Many operations at once, in several processes and threads, on few names: whatever is read is searched for a secret. */

enum { STORM_PROCESSES = 2, STORM_THREADS = 3 };

struct storm {
    const char *top, *secret;
    long milliseconds;
    unsigned long seed;
    int has_metadata;
    /* Shared by all processes. */
    struct {
        unsigned long operations, done, leaks;
        char first[512];
    } *seen;
};

static unsigned long next_random(unsigned long *state)
{
    unsigned long z = *state += 0x9e3779b97f4a7c15UL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
    return z ^ (z >> 31);
}

static long long now_in_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* A path of the storm's names, two or three components, at times odd. */
static void storm_path(const struct storm *storm, unsigned long *state, char *path, size_t size)
{
    static const char *const PLACES[] = { "open/a", "open/b", "open/d1", "open/d2", "open/s", "open", "ro", "open/s/in" };
    static const char *const NAMES[] = { "key", ".env", "file", "a", "b", "../s/key", "./file", "in/key", "" };
    const char *place = PLACES[next_random(state) % 8], *name = NAMES[next_random(state) % 9];
    snprintf(path, size, "%s/%s%s%s", storm->top, place, *name ? "/" : "", name);
}

static void storm_read(const struct storm *storm, int fd, const char *path)
{
    char bytes[256] = { 0 };
    if (pread(fd, bytes, sizeof bytes - 1, 0) > 0 && strstr(bytes, storm->secret)
        && __sync_fetch_and_add(&storm->seen->leaks, 1) == 0)
        snprintf(storm->seen->first, sizeof storm->seen->first, "%s", path);
}

static void storm_step(const struct storm *storm, unsigned long *state)
{
    static const int FLAGS[] = { O_RDONLY, O_RDONLY, O_RDONLY | O_NOFOLLOW, O_RDWR, O_WRONLY,
                                 O_RDWR | O_CREAT, O_RDWR | O_TRUNC, O_WRONLY | O_CREAT | O_EXCL };
    char one[512], other[512];
    storm_path(storm, state, one, sizeof one);
    storm_path(storm, state, other, sizeof other);
    struct open_how how = { .flags = O_RDONLY | O_NONBLOCK };
    long done = -1;
    int fd, directory;
    switch (next_random(state) % (storm->has_metadata ? 20 : 16)) {
    case 0: case 1: case 2: case 3: case 4:
        done = fd = open(one, FLAGS[next_random(state) % 8] | O_NONBLOCK | O_CLOEXEC, 0644);
        if (fd >= 0) {
            storm_read(storm, fd, one);
            if (next_random(state) % 4 == 0)
                done = write(fd, "storm", 5);
            close(fd);
        }
        break;
    case 5: case 6:
        directory = open(one, O_PATH | O_CLOEXEC);
        if (directory < 0)
            break;
        done = fd = next_random(state) % 2 ? openat(directory, "key", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                                           : openat(directory, "../s/key", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) {
            storm_read(storm, fd, one);
            close(fd);
        }
        char magic[64];
        snprintf(magic, sizeof magic, "/proc/self/fd/%d", directory);
        fd = open(magic, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) {
            storm_read(storm, fd, one);
            close(fd);
        }
        close(directory);
        break;
    case 7:
        done = fd = (int)syscall(SYS_openat2, AT_FDCWD, one, &how, sizeof how);
        if (fd >= 0) {
            storm_read(storm, fd, one);
            close(fd);
        }
        break;
    case 8: done = rename(one, other); break;
    case 9: done = syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, next_random(state) % 3); break;
    case 10: done = linkat(AT_FDCWD, one, AT_FDCWD, other, next_random(state) % 2 ? AT_SYMLINK_FOLLOW : 0); break;
    case 11: done = symlink(next_random(state) % 2 ? "../s" : other, one); break;
    case 12: done = unlink(one); break;
    case 13: done = mkdir(one, 0755); break;
    case 14: done = rmdir(one); break;
    case 15: done = truncate(one, 1); break;
    case 16: done = chmod(one, 0755); break;
    case 17: done = setxattr(one, "user.storm", "x", 1, 0); break;
    case 18: {
        struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 5 } };
        done = utimensat(AT_FDCWD, one, times, 0);
        break;
    }
    default: done = access(one, R_OK | W_OK);
    }
    __sync_fetch_and_add(&storm->seen->operations, 1);
    if (done >= 0)
        __sync_fetch_and_add(&storm->seen->done, 1);
}

static void *storm_thread(void *argument)
{
    struct storm storm = *(struct storm *)argument;
    unsigned long state = storm.seed ^ ((unsigned long)syscall(SYS_gettid) << 20);
    long long end = now_in_milliseconds() + storm.milliseconds;
    while (now_in_milliseconds() < end)
        storm_step(&storm, &state);
    return NULL;
}

/* TEXT is the secret, NUMBER how many milliseconds it lasts, FLAGS the seed, and PATH2 not empty if metadata is held. */
static void raise_storm(struct request *request, struct answer *answer)
{
    struct storm storm = { .top = request->path1, .secret = request->text, .milliseconds = request->number,
                           .seed = (unsigned long)request->flags, .has_metadata = *request->path2 != 0 };
    storm.seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (storm.seen == MAP_FAILED)
        _exit(94);
    for (int i = 0; i < STORM_PROCESSES; i++) {
        if (fork() != 0)
            continue;
        pthread_t threads[STORM_THREADS];
        for (int j = 0; j < STORM_THREADS; j++)
            if (pthread_create(&threads[j], NULL, storm_thread, &storm) != 0)
                _exit(93);
        for (int j = 0; j < STORM_THREADS; j++)
            pthread_join(threads[j], NULL);
        _exit(0);
    }
    for (int i = 0, status; i < STORM_PROCESSES; i++)
        if (wait(&status) > 0 && status != 0)
            answer->error = ECHILD;
    tell(answer, "%ld ", (long)storm.seen->operations);
    tell(answer, "%ld ", (long)storm.seen->done);
    tell(answer, "%ld ", (long)storm.seen->leaks);
    show(answer, storm.seen->first, strlen(storm.seen->first));
    munmap(storm.seen, 4096);
}
