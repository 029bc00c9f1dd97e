/* What is beneath a directory, so that two looks at it can be compared. Nothing is changed by looking, not even a time
 * of access. One line for each object: its path, then fields `name=value`. */

static unsigned long long digest(const char *path)
{
    unsigned long long hash = 0xcbf29ce484222325ULL;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_NONBLOCK | O_CLOEXEC);
    unsigned char buffer[4096];
    for (ssize_t got; fd >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < got; i++)
            hash = (hash ^ buffer[i]) * 0x100000001b3ULL;
    if (fd >= 0)
        close(fd);
    return fd < 0 ? 0 : hash;
}

static void print_bytes(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '\\' || byte == '=')
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
}

static int by_name(const void *one, const void *other) { return strcmp(*(char *const *)one, *(char *const *)other); }

static void attributes(const char *path)
{
    char names[4096], value[4096], *sorted[64];
    ssize_t size = llistxattr(path, names, sizeof names);
    size_t count = 0;
    for (char *name = names; name < names + (size > 0 ? size : 0) && count < 64; name += strlen(name) + 1)
        sorted[count++] = name;
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) {
        ssize_t got = lgetxattr(path, sorted[i], value, sizeof value);
        printf(" ");
        print_bytes(sorted[i], strlen(sorted[i]));
        printf("=");
        print_bytes(value, got > 0 ? (size_t)got : 0);
    }
}

/* The object that is `name` in the working directory; `path` is what is printed. */
static void visit(const char *name, const char *path)
{
    struct stat at;
    if (lstat(name, &at) != 0)
        return;
    print_bytes(path, strlen(path));
    printf(" mode=%o uid=%u gid=%u size=%lld links=%lu device=%lx", at.st_mode, at.st_uid, at.st_gid,
           (long long)at.st_size, (unsigned long)at.st_nlink, (unsigned long)at.st_rdev);
    printf(" inode=%lu accessed=%lld.%09ld modified=%lld.%09ld changed=%lld.%09ld", (unsigned long)at.st_ino,
           (long long)at.st_atim.tv_sec, at.st_atim.tv_nsec, (long long)at.st_mtim.tv_sec, at.st_mtim.tv_nsec,
           (long long)at.st_ctim.tv_sec, at.st_ctim.tv_nsec);
    if (S_ISREG(at.st_mode))
        printf(" bytes=%llx", digest(name));
    if (S_ISLNK(at.st_mode)) {
        char target[PATH_MAX];
        ssize_t size = readlink(name, target, sizeof target);
        printf(" target=");
        print_bytes(target, size > 0 ? (size_t)size : 0);
    }
    attributes(name);
    putchar('\n');
    if (!S_ISDIR(at.st_mode))
        return;
    /* Relative, so that nothing is too deep. */
    int back = open(".", O_PATH | O_CLOEXEC), own = open(name, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
    if (own >= 0 && fchdir(own) == 0) {
        DIR *directory = fdopendir(own);
        char **names = NULL;
        size_t count = 0;
        for (struct dirent *entry; (entry = readdir(directory));) {
            if (is(entry->d_name, ".") || is(entry->d_name, ".."))
                continue;
            names = realloc(names, (count + 1) * sizeof *names);
            names[count++] = strdup(entry->d_name);
        }
        if (count)
            qsort(names, count, sizeof *names, by_name);
        for (size_t i = 0; i < count; i++) {
            char *below = malloc(strlen(path) + strlen(names[i]) + 2);
            sprintf(below, "%s/%s", path, names[i]);
            visit(names[i], below);
            free(below);
            free(names[i]);
        }
        free(names);
        closedir(directory);
    }
    if (fchdir(back) != 0)
        abort();
    close(back);
}

static int tree(const char *directory)
{
    visit(directory, ".");
    return 0;
}
