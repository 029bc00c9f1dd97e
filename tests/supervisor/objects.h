/* How an object is addressed. The same path is
 *
 *     path        as it stands                              root      beneath /proc/self/root
 *     edge        and ends where an unmapped page begins    pid-root  beneath /proc/PID/root
 *     cut         its NUL is on the unmapped page           task-root beneath /proc/self/task/TID/root
 *     at          its last name, beneath its parent         magic     beneath /proc/self/cwd
 *     high        the same; the numbers' upper 32 bits set  within    beneath /proc/self/fd/N of its parent
 *     cwd         its last name; the parent is the cwd      dots      with `//`, `/./` and `..`
 *     proc-fd     /proc/self/fd/N of an O_PATH descriptor   dev-fd    the same as /dev/fd/N
 *     thread-fd   the same as /proc/thread-self/fd/N        pid-fd    the same as /proc/PID/fd/N
 *     r-proc, w-proc    /proc/self/fd/N, open for reading or for writing
 *     empty       "" and AT_EMPTY_PATH with an O_PATH descriptor
 *     r-empty, w-empty  the same with one that is open for reading or for writing
 *     r-null, w-null    a null path with such a descriptor
 *     r-fd, w-fd, rw-fd, p-fd   the descriptor itself
 *     fd:N        as it stands, beneath descriptor N; @empty then comes with AT_EMPTY_PATH
 *
 * The words @null, @bad and @empty are a null pointer, a pointer to nothing and an empty path. */

struct object {
    long dirfd;
    const char *path;
    long flags;
    int is_high;
    int descriptor; /* to be closed, or -1 */
    int back;       /* to be returned to, or -1 */
    char text[3 * PATH_MAX];
};

/* A string that ends with its page; what follows is not mapped. Never freed: a probe does not live long. */
static const char *at_edge(const char *text, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
    char *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(base + room, page);
    memcpy(base + room - size, text, size);
    return base + room - size;
}

static int is(const char *form, const char *name) { return strcmp(form, name) == 0; }

/* Opens for a form that needs the object itself. */
static int descriptor_for(const char *form, const char *path)
{
    int flags = O_PATH;
    if (form[0] == 'r')
        flags = form[1] == 'w' ? O_RDWR : O_RDONLY | O_NONBLOCK;
    else if (form[0] == 'w')
        flags = O_WRONLY;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

/* 0, or -1 with errno. */
static int address(struct object *object, const char *form, struct word word)
{
    *object = (struct object){ .dirfd = AT_FDCWD, .descriptor = -1, .back = -1 };
    object->path = word.text;
    if (is(word.text, "@null"))
        object->path = NULL;
    else if (is(word.text, "@bad"))
        object->path = (const char *)1;
    else if (is(word.text, "@empty"))
        object->path = "";
    if (is(form, "path"))
        return 0;
    if (is(form, "edge") || is(form, "cut")) {
        object->path = at_edge(word.text, word.size + (form[0] == 'e'));
        return 0;
    }
    if (is(form, "root")) {
        snprintf(object->text, sizeof object->text, "/proc/self/root%s", word.text);
        object->path = object->text;
        return 0;
    }
    if (is(form, "pid-root") || is(form, "task-root")) {
        const char *pattern = form[0] == 'p' ? "/proc/%d/root%s" : "/proc/self/task/%d/root%s";
        snprintf(object->text, sizeof object->text, pattern, form[0] == 'p' ? getpid() : gettid(), word.text);
        object->path = object->text;
        return 0;
    }
    if (strncmp(form, "fd:", 3) == 0) {
        object->dirfd = (long)strtoul(form + 3, NULL, 0);
        object->flags = is(word.text, "@empty") ? AT_EMPTY_PATH : 0;
        return 0;
    }
    char parent[PATH_MAX] = ".";
    const char *slash = strrchr(word.text, '/'), *last = slash ? slash + 1 : word.text;
    if (slash)
        snprintf(parent, sizeof parent, "%.*s", slash == word.text ? 1 : (int)(slash - word.text), word.text);
    if (is(form, "dots")) {
        const char *own = strrchr(parent, '/');
        snprintf(object->text, sizeof object->text, "%s/..//%s/.//%s", parent, own + 1, last);
        object->path = object->text;
        return 0;
    }
    if (is(form, "at") || is(form, "high") || is(form, "within")) {
        object->descriptor = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (object->descriptor < 0)
            return -1;
        object->path = last;
        object->dirfd = object->descriptor;
        object->is_high = is(form, "high");
        if (is(form, "within")) {
            snprintf(object->text, sizeof object->text, "/proc/self/fd/%d/%s", object->descriptor, last);
            object->path = object->text;
            object->dirfd = AT_FDCWD;
        }
        return 0;
    }
    if (is(form, "cwd") || is(form, "magic")) {
        object->back = open(".", O_PATH | O_CLOEXEC);
        if (chdir(parent) != 0)
            return -1;
        snprintf(object->text, sizeof object->text, "%s%s", is(form, "magic") ? "/proc/self/cwd/" : "", last);
        object->path = object->text;
        return 0;
    }
    object->descriptor = descriptor_for(form, word.text);
    if (object->descriptor < 0)
        return -1;
    object->dirfd = object->descriptor;
    const char *pattern = NULL;
    if (is(form, "proc-fd") || is(form, "r-proc") || is(form, "w-proc"))
        pattern = "/proc/self/fd/%d";
    else if (is(form, "dev-fd"))
        pattern = "/dev/fd/%d";
    else if (is(form, "thread-fd"))
        pattern = "/proc/thread-self/fd/%d";
    if (is(form, "pid-fd")) {
        snprintf(object->text, sizeof object->text, "/proc/%d/fd/%d", getpid(), object->descriptor);
        object->path = object->text;
        object->dirfd = AT_FDCWD;
    } else if (pattern) {
        snprintf(object->text, sizeof object->text, pattern, object->descriptor);
        object->path = object->text;
        object->dirfd = AT_FDCWD;
    } else if (is(form, "empty") || is(form, "r-empty") || is(form, "w-empty")) {
        object->path = "";
        object->flags = AT_EMPTY_PATH;
    } else {
        object->path = NULL; /* r-null, w-null, and the forms that are descriptors */
    }
    return 0;
}

static void release(struct object *object)
{
    int error = errno;
    if (object->descriptor >= 0)
        close(object->descriptor);
    if (object->back >= 0) {
        if (fchdir(object->back) != 0)
            abort();
        close(object->back);
    }
    errno = error;
}
