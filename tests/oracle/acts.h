/* The operations: each by its raw system call, so that no library comes between. */

static int descriptor(const char *word)
{
    int reg = atoi(word);
    return reg < 0 ? AT_FDCWD : FIRST_REGISTER + reg;
}

static void show(struct answer *answer, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && answer->size + 8 < ROOM; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || byte == '\\' || byte >= 0x7f)
            answer->size += (size_t)sprintf(answer->seen + answer->size, "\\x%02x", byte);
        else
            answer->seen[answer->size++] = (char)byte;
    }
}

static void tell(struct answer *answer, const char *format, long value)
{
    char text[64];
    int size = snprintf(text, sizeof text, format, value);
    show(answer, text, (size_t)size);
}

static void done(struct answer *answer, long result)
{
    answer->error = result < 0 ? errno : 0;
}

/* What every process sees of an object, but for what two trees cannot have in common. Times that nobody set are now. */
static void describe(struct answer *answer, const struct stat *st)
{
    tell(answer, "mode %lo ", (long)st->st_mode);
    tell(answer, "uid %ld ", (long)st->st_uid);
    if (!S_ISDIR(st->st_mode)) {
        tell(answer, "links %ld ", (long)st->st_nlink);
        tell(answer, "size %ld ", S_ISLNK(st->st_mode) ? 0 : (long)st->st_size);
    }
    /* The times of a socket's descriptor are whatever the kernel's memory held. */
    if (!S_ISSOCK(st->st_mode) && st->st_mtime < 1000000)
        tell(answer, "modified %ld ", (long)st->st_mtime);
}

/* Keeps a new descriptor in its register, or closes it. */
static void keep(struct request *request, struct answer *answer, long fd)
{
    done(answer, fd);
    if (fd < 0)
        return;
    struct stat st;
    /* docs/limits.md, "O_NOFOLLOW in F_GETFL". */
    tell(answer, "flags %lo ", (long)fcntl((int)fd, F_GETFL) & ~O_NOFOLLOW);
    tell(answer, "cloexec %ld ", (long)fcntl((int)fd, F_GETFD));
    if (fstat((int)fd, &st) == 0)
        describe(answer, &st);
    if (request->reg >= 0)
        dup3((int)fd, FIRST_REGISTER + request->reg, O_CLOEXEC);
    close((int)fd);
}

static int by_name(const void *one, const void *two) { return strcmp(*(char *const *)one, *(char *const *)two); }

static void list(struct request *request, struct answer *answer)
{
    static _Thread_local char buffer[ROOM];
    char *names[512];
    size_t count = 0;
    lseek(request->dir1, 0, SEEK_SET);
    long got;
    while ((got = syscall(SYS_getdents64, request->dir1, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < got; at += *(unsigned short *)(buffer + at + 16))
            if (count < 512)
                names[count++] = strdup(buffer + at + 19);
    done(answer, got);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        show(answer, names[i], strlen(names[i]));
        show(answer, "/", 1);
        free(names[i]);
    }
}

static void execute(struct request *request, struct answer *answer)
{
    int told[2];
    if (pipe2(told, O_CLOEXEC) != 0)
        _exit(95);
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = { "tried", NULL }, *environment[] = { NULL };
        if (request->form == 1)
            syscall(SYS_execve, request->path1, arguments, environment);
        else
            syscall(SYS_execveat, request->dir1, request->path1, arguments, environment, request->flags);
        int error = errno;
        if (write(told[1], &error, sizeof error) < 0)
            _exit(98);
        _exit(99);
    }
    close(told[1]);
    int error = 0, status = 0;
    if (read(told[0], &error, sizeof error) == sizeof error)
        answer->error = error;
    close(told[0]);
    waitpid(child, &status, 0);
    if (answer->error == 0)
        tell(answer, "status %lx", (long)status);
}

static void socket_at(struct request *request, struct answer *answer)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t size = strlen(request->path1);
    if (size == 0 || size > 107) {
        answer->error = ENAMETOOLONG;
        return;
    }
    memcpy(address.sun_path, request->path1, size + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    if (strcmp(request->call, "connect") == 0) {
        done(answer, connect(fd, (struct sockaddr *)&address, length));
        close(fd);
        return;
    }
    done(answer, bind(fd, (struct sockaddr *)&address, length));
    if (answer->error == 0 && listen(fd, 64) == 0 && request->reg >= 0)
        dup3(fd, FIRST_REGISTER + request->reg, O_CLOEXEC);
    close(fd);
}

#include "storm.h"

static int attribute(struct request *r, struct answer *answer)
{
    static _Thread_local char value[4096];
    const char *call = r->call;
    long got = -1;
    int is_read = 0;
    if (strcmp(call, "setxattr") == 0)
        got = r->form == 0 ? setxattr(r->path1, "user.a", r->text, r->text_size, (int)r->flags)
            : r->form == 1 ? lsetxattr(r->path1, "user.a", r->text, r->text_size, (int)r->flags)
                           : fsetxattr(r->dir1, "user.a", r->text, r->text_size, (int)r->flags);
    else if (strcmp(call, "removexattr") == 0)
        got = r->form == 0 ? removexattr(r->path1, "user.a")
            : r->form == 1 ? lremovexattr(r->path1, "user.a")
                           : fremovexattr(r->dir1, "user.a");
    else if ((is_read = strcmp(call, "getxattr") == 0))
        got = r->form == 0 ? getxattr(r->path1, "user.a", value, sizeof value)
            : r->form == 1 ? lgetxattr(r->path1, "user.a", value, sizeof value)
                           : fgetxattr(r->dir1, "user.a", value, sizeof value);
    else if ((is_read = strcmp(call, "listxattr") == 0))
        got = r->form == 0 ? listxattr(r->path1, value, sizeof value)
            : r->form == 1 ? llistxattr(r->path1, value, sizeof value)
                           : flistxattr(r->dir1, value, sizeof value);
    else
        return 0;
    done(answer, got);
    if (is_read && got > 0)
        show(answer, value, (size_t)got);
    return 1;
}

static void times(struct request *r, struct answer *answer)
{
    struct timespec both[2] = { { .tv_sec = r->number }, { .tv_sec = r->number } };
    if (r->form == 1)
        both[0].tv_nsec = UTIME_OMIT;
    done(answer, syscall(SYS_utimensat, r->dir1, r->form == 2 ? NULL : r->path1, both, r->flags));
}

/* Calls that make, move or remove a name. Form 1 is the old call without a directory descriptor, where there is one. */
static int entry(struct request *r, struct answer *answer)
{
    const char *call = r->call;
#ifdef SYS_open
    int is_old = r->form == 1;
#define OLD(old, new) (is_old ? (old) : (new))
#else
#define OLD(old, new) (new)
#endif
    if (strcmp(call, "mkdir") == 0)
        done(answer, OLD(syscall(SYS_mkdir, r->path1, r->number), syscall(SYS_mkdirat, r->dir1, r->path1, r->number)));
    else if (strcmp(call, "mknod") == 0)
        done(answer, OLD(syscall(SYS_mknod, r->path1, r->number, 0), syscall(SYS_mknodat, r->dir1, r->path1, r->number, 0)));
    else if (strcmp(call, "symlink") == 0)
        done(answer, OLD(syscall(SYS_symlink, r->text, r->path1), syscall(SYS_symlinkat, r->text, r->dir1, r->path1)));
    else if (strcmp(call, "unlink") == 0)
        done(answer, OLD(syscall(SYS_unlink, r->path1), syscall(SYS_unlinkat, r->dir1, r->path1, r->flags)));
    else if (strcmp(call, "rmdir") == 0)
        done(answer, OLD(syscall(SYS_rmdir, r->path1), syscall(SYS_unlinkat, r->dir1, r->path1, AT_REMOVEDIR)));
    else if (strcmp(call, "link") == 0)
        done(answer, OLD(syscall(SYS_link, r->path1, r->path2), syscall(SYS_linkat, r->dir1, r->path1, r->dir2, r->path2, r->flags)));
    else if (strcmp(call, "rename") == 0)
        done(answer, OLD(syscall(SYS_rename, r->path1, r->path2), syscall(SYS_renameat2, r->dir1, r->path1, r->dir2, r->path2, r->flags)));
    else
        return 0;
    return 1;
}

static void act(struct request *r, struct answer *answer)
{
    static _Thread_local char value[4096];
    const char *call = r->call;
    long got;
    struct stat st;
    if (entry(r, answer) || attribute(r, answer))
        return;
    if (strcmp(call, "open") == 0) {
        struct open_how how = { .flags = (unsigned long)r->flags, .resolve = (unsigned long)r->number, .mode = 0 };
        if (r->flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
            how.mode = 0644;
#ifdef SYS_open
        if (r->form == 1)
            keep(r, answer, syscall(SYS_open, r->path1, r->flags, 0644));
        else
#endif
        if (r->form == 2) {
            /* openat2(2): EAGAIN is what `..` under RESOLVE_BENEATH or RESOLVE_IN_ROOT gives if anything is renamed then. */
            long fd = -1;
            for (int i = 0; i < 1000; i++) {
                fd = syscall(SYS_openat2, r->dir1, r->path1, &how, sizeof how);
                if (fd >= 0 || errno != EAGAIN || !(r->number & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)))
                    break;
            }
            keep(r, answer, fd);
        } else
            keep(r, answer, syscall(SYS_openat, r->dir1, r->path1, r->flags, 0644));
    } else if (strcmp(call, "close") == 0)
        done(answer, close(r->dir1));
    else if (strcmp(call, "read") == 0) {
        done(answer, got = pread(r->dir1, value, sizeof value, 0));
        if (got > 0)
            show(answer, value, (size_t)got);
    } else if (strcmp(call, "write") == 0) {
        done(answer, got = write(r->dir1, r->text, r->text_size));
        tell(answer, "%ld", got);
    } else if (strcmp(call, "list") == 0)
        list(r, answer);
    else if (strcmp(call, "truncate") == 0)
        done(answer, truncate(r->path1, r->number));
    else if (strcmp(call, "ftruncate") == 0)
        done(answer, ftruncate(r->dir1, r->number));
    else if (strcmp(call, "chmod") == 0)
        done(answer, r->form == 2 ? syscall(452, r->dir1, r->path1, r->number, r->flags)
                                  : syscall(SYS_fchmodat, r->dir1, r->path1, r->number));
    else if (strcmp(call, "fchmod") == 0)
        done(answer, syscall(SYS_fchmod, r->dir1, r->number));
    else if (strcmp(call, "chown") == 0)
        done(answer, syscall(SYS_fchownat, r->dir1, r->path1, r->number, r->number, r->flags));
    else if (strcmp(call, "fchown") == 0)
        done(answer, syscall(SYS_fchown, r->dir1, r->number, r->number));
    else if (strcmp(call, "utimens") == 0)
        times(r, answer);
    else if (strcmp(call, "access") == 0)
        done(answer, r->form == 1 ? syscall(SYS_faccessat, r->dir1, r->path1, r->number)
                                  : syscall(SYS_faccessat2, r->dir1, r->path1, r->number, r->flags));
    else if (strcmp(call, "stat") == 0) {
        done(answer, fstatat(r->dir1, r->path1, &st, (int)r->flags));
        if (answer->error == 0)
            describe(answer, &st);
    } else if (strcmp(call, "readlink") == 0) {
        done(answer, got = readlinkat(r->dir1, r->path1, value, sizeof value));
        if (got > 0)
            show(answer, value, (size_t)got);
    } else if (strcmp(call, "chdir") == 0)
        done(answer, chdir(r->path1));
    else if (strcmp(call, "fchdir") == 0)
        done(answer, fchdir(r->dir1));
    else if (strcmp(call, "inotify") == 0) {
        int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        done(answer, inotify_add_watch(fd, r->path1, (unsigned)r->flags | IN_MODIFY));
        close(fd);
    } else if (strcmp(call, "execute") == 0)
        execute(r, answer);
    else if (strcmp(call, "storm") == 0)
        raise_storm(r, answer);
    else if (strcmp(call, "bind") == 0 || strcmp(call, "connect") == 0)
        socket_at(r, answer);
    else
        _exit(96);
}
