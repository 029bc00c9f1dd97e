/* The tree on which calls are made, as it was before and after. */
enum { OBJECTS = 48, TEXT = 1 << 16 };

static const char LONG_NAME[] = /* 255 bytes */
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

static const struct object {
    const char *name;
    mode_t mode; /* with its type */
    const char *text;
} TREE[] = {
    { "dir", S_IFDIR | 0755, 0 },
    { "dir/inner", S_IFREG | 0644, "inner" },
    { "dir/sub", S_IFDIR | 0755, 0 },
    { "dir/up", S_IFLNK, "../file" },
    { "empty", S_IFDIR | 0755, 0 },
    { "sticky", S_IFDIR | 01777, 0 },
    { "setgid", S_IFDIR | 02775, 0 },
    { "shut", S_IFDIR | 0000, 0 },
    { "noexec", S_IFDIR | 0644, 0 },
    { "file", S_IFREG | 0644, "0123456789" },
    { "ro", S_IFREG | 0444, "ro" },
    { "wo", S_IFREG | 0200, "wo" },
    { "none", S_IFREG | 0000, "none" },
    /* A bit that means nothing for a file. Those that lend rights cannot be made inside. */
    { "kept", S_IFREG | 01644, "kept" },
    { "script", S_IFREG | 0755, "#!/bin/sh\nexit 7\n" },
    { "garbage", S_IFREG | 0755, "\001\002\003\004 no program\n" },
    { "elf", S_IFREG | 0755, "\177ELF" },
    { "lost", S_IFREG | 0755, "#!/no/such/interpreter\n" },
    { "void", S_IFREG | 0755, "" },
    { "b\xff", S_IFREG | 0644, "byte" },
    { "link", S_IFLNK, "file" },
    { "dlink", S_IFLNK, "dir" },
    { "slink", S_IFLNK, "dir/" },
    { "dangling", S_IFLNK, "nowhere" },
    { "loop", S_IFLNK, "loop" },
    { "fifo", S_IFIFO | 0644, 0 },
    { "sock", S_IFSOCK | 0755, 0 },
};

enum { KNOWN = sizeof TREE / sizeof *TREE };

static char above[500], top[512];    /* the tree's absolute path, and that of the directory that holds it */
static struct stat known[KNOWN + 1]; /* the last one is the tree's own directory */
static char baseline[TEXT];
static int listener = -1, fifo_end = -1, events = -1, watches[2];
static int has_attributes;

static const char *type_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "dir";
    case S_IFLNK: return "link";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    case S_IFCHR: return "char";
    case S_IFBLK: return "block";
    default: return "anonymous";
    }
}

/* What of the tree this was before the call. */
static const char *was(const struct stat *now)
{
    for (int i = 0; i <= KNOWN; i++)
        if (known[i].st_dev == now->st_dev && known[i].st_ino == now->st_ino)
            return i == KNOWN ? "top" : TREE[i].name;
    return "new";
}

static const struct stat *before_of(const struct stat *now)
{
    for (int i = 0; i <= KNOWN; i++)
        if (known[i].st_dev == now->st_dev && known[i].st_ino == now->st_ino)
            return &known[i];
    return NULL;
}

static const char *when(const struct timespec *at, const struct timespec *earlier)
{
    static char text[4][48];
    static int next;
    if (earlier && at->tv_sec == earlier->tv_sec && at->tv_nsec == earlier->tv_nsec)
        return "kept";
    time_t now = time(NULL);
    if (at->tv_sec > now - 100 && at->tv_sec < now + 100)
        return "now";
    next = (next + 1) % 4;
    snprintf(text[next], sizeof *text, "%lld.%09ld", (long long)at->tv_sec, at->tv_nsec);
    return text[next];
}

static size_t describe(char *out, size_t most, const char *name, const struct stat *stat)
{
    const struct stat *old = before_of(stat);
    char link[64] = "";
    if (S_ISLNK(stat->st_mode) && !old) {
        ssize_t length = readlink(name, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = 0;
    }
    int is_directory = S_ISDIR(stat->st_mode);
    return (size_t)snprintf(
        out, most, "%s was=%s %s mode=%o own=%u:%u links=%lu size=%lld rdev=%lx a=%s m=%s c=%s %s\n", name, was(stat),
        type_of(stat->st_mode), stat->st_mode & 07777, stat->st_uid, stat->st_gid, (unsigned long)stat->st_nlink,
        is_directory ? 0LL : (long long)stat->st_size, (unsigned long)stat->st_rdev,
        when(&stat->st_atim, old ? &old->st_atim : NULL), when(&stat->st_mtim, old ? &old->st_mtim : NULL),
        when(&stat->st_ctim, old ? &old->st_ctim : NULL), link);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* A line for every object of a directory, by name. */
static size_t list(char *out, size_t most, const char *directory)
{
    size_t used = 0;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
    DIR *at = fd < 0 ? NULL : fdopendir(fd);
    if (!at)
        return 0;
    char *names[256];
    int count = 0;
    for (struct dirent *entry; count < 256 && (entry = readdir(at));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            names[count++] = strdup(entry->d_name);
    closedir(at);
    qsort(names, (size_t)count, sizeof *names, by_text);
    for (int i = 0; i < count; i++) {
        char name[600];
        snprintf(name, sizeof name, "%s%s%s", strcmp(directory, ".") == 0 ? "" : directory,
                 strcmp(directory, ".") == 0 ? "" : "/", names[i]);
        free(names[i]);
        struct stat stat;
        if (lstat(name, &stat) != 0)
            continue;
        used += describe(out + used, most - used, name, &stat);
        if (S_ISDIR(stat.st_mode))
            used += list(out + used, most - used, name);
    }
    return used;
}

static int is_same_stat(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid
           && a->st_nlink == b->st_nlink && a->st_size == b->st_size
           && memcmp(&a->st_atim, &b->st_atim, sizeof a->st_atim) == 0
           && memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) == 0
           && memcmp(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim) == 0;
}

/* Is the tree as it was, by what `stat` says? Nobody is asked for a stat. */
static int is_as_before(void)
{
    struct stat now;
    for (int i = 0; i < KNOWN; i++)
        if (lstat(TREE[i].name, &now) != 0 || !is_same_stat(&now, &known[i]))
            return 0;
    return lstat(".", &now) == 0 && is_same_stat(&now, &known[KNOWN]);
}

static void whole(char *out)
{
    struct stat stat;
    out[0] = 0;
    if (chdir(top) != 0 || lstat(".", &stat) != 0) {
        strcpy(out, "gone\n");
        return;
    }
    size_t used = describe(out, TEXT, ".", &stat);
    list(out + used, TEXT - used, ".");
}

/* What differs between two such texts: the lines of the second that the first has not, and names that went. */
static void differ(const char *old, const char *new, char *out, size_t most)
{
    size_t used = strlen(out);
    for (int pass = 0; pass < 2; pass++) {
        const char *from = pass ? old : new, *in = pass ? new : old;
        while (*from) {
            size_t length = strcspn(from, "\n") + 1, name = strcspn(from, " ") + 1;
            char line[1024] = "\n";
            memcpy(line + 1, from, pass ? name : length);
            line[1 + (pass ? name : length)] = 0;
            char *where = pass ? strstr(in, line) : strstr(in, line);
            int is_first = strncmp(in, line + 1, pass ? name : length) == 0;
            if (!where && !is_first && used + length + 8 < most)
                used += (size_t)sprintf(out + used, pass ? " gone{%.*s}" : " {%.*s}", (int)(pass ? name : length) - 1,
                                        from);
            from += length;
        }
    }
}

static void remove_all(const char *directory)
{
    chmod(directory, 0700);
    DIR *at = opendir(directory);
    if (!at)
        return;
    for (struct dirent *entry; (entry = readdir(at));) {
        char name[1024];
        struct stat stat;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", directory, entry->d_name);
        if (lstat(name, &stat) == 0 && S_ISDIR(stat.st_mode))
            remove_all(name);
        else
            unlink(name);
    }
    closedir(at);
    rmdir(directory);
}

static void make_object(const struct object *object, int index)
{
    const char *name = object->name;
    mode_t mode = object->mode & 07777;
    switch (object->mode & S_IFMT) {
    case S_IFDIR: must(mkdir(name, 0755) == 0, name); break;
    case S_IFLNK: must(symlink(object->text, name) == 0, name); break;
    case S_IFIFO: must(mkfifo(name, mode) == 0, name); break;
    case S_IFSOCK: {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        strcpy(address.sun_path, name);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        must(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 128) == 0, name);
        break;
    }
    default: {
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        must(fd >= 0 && write(fd, object->text, strlen(object->text)) >= 0, name);
        close(fd);
    }
    }
    if (strcmp(name, "file") == 0 || strcmp(name, "dir") == 0)
        has_attributes = setxattr(name, "user.a", "value", 5, 0) == 0;
    if ((object->mode & S_IFMT) != S_IFLNK)
        must(chmod(name, mode) == 0, name);
    (void)index;
}

/* A change in the same tick of the clock that stamps files would not be seen. */
static void wait_for_a_tick(void)
{
    struct timespec now, last = { 0 };
    for (int i = 0; i <= KNOWN; i++)
        if (known[i].st_ctim.tv_sec > last.tv_sec || (known[i].st_ctim.tv_sec == last.tv_sec
            && known[i].st_ctim.tv_nsec > last.tv_nsec))
            last = known[i].st_ctim;
    while (clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0
           && (now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec <= last.tv_nsec)))
        usleep(300);
}

static void forget_events(void)
{
    char rest[4096];
    while (read(events, rest, sizeof rest) > 0) {
    }
}

static void build(void)
{
    static const int watched = IN_ALL_EVENTS & ~(IN_CLOSE_NOWRITE);
    close(listener);
    close(fifo_end);
    must(chmod(above, 0755) == 0, above);
    remove_all(top);
    must(mkdir(top, 0755) == 0 && chdir(top) == 0, top);
    for (int i = 0; i < KNOWN; i++)
        make_object(&TREE[i], i);
    for (int i = KNOWN - 1; i >= 0; i--) {
        /* Whoever reads a link changes the time of its last access only if that is earlier than the others. */
        struct timespec times[2] = { { 1000000000 + i, 111 }, { 1000000500 + i, 222 } };
        must(utimensat(AT_FDCWD, TREE[i].name, times, AT_SYMLINK_NOFOLLOW) == 0, TREE[i].name);
    }
    struct timespec times[2] = { { 1000000000 - 1, 111 }, { 1000000500, 222 } };
    must(utimensat(AT_FDCWD, ".", times, 0) == 0, ".");
    fifo_end = open("fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    must(fifo_end >= 0, "fifo");
    watches[0] = inotify_add_watch(events, ".", watched);
    watches[1] = inotify_add_watch(events, "dir", watched);
    must(watches[0] > 0 && watches[1] > 0, "watch");
    /* These stay where they are, so that what a call opens has the same number in every run. */
    for (int i = 0; i < KNOWN; i++)
        must(lstat(TREE[i].name, &known[i]) == 0, TREE[i].name);
    must(lstat(".", &known[KNOWN]) == 0, ".");
    whole(baseline);
    forget_events();
}

/* What the watches saw, each kind of event once for each name. */
static void show_events(char *out, size_t most)
{
    char bytes[16384];
    struct { char name[64]; unsigned mask; } seen[64];
    int count = 0;
    for (ssize_t size; (size = read(events, bytes, sizeof bytes)) > 0;)
        for (char *at = bytes; at < bytes + size;) {
            struct inotify_event *event = (void *)at;
            char name[64];
            /* A file without a name is seen by its number. */
            const char *text = event->len == 0 ? "" : event->name[0] == '#' ? "#" : event->name;
            at += sizeof *event + event->len;
            if (event->wd != watches[0] && event->wd != watches[1])
                continue;
            snprintf(name, sizeof name, "%s/%.50s", event->wd == watches[0] ? "." : "dir", text);
            int i = 0;
            while (i < count && strcmp(seen[i].name, name) != 0)
                i++;
            if (i == count && count < 63) {
                strcpy(seen[i].name, name);
                seen[i].mask = 0;
                count++;
            }
            seen[i].mask |= event->mask;
        }
    size_t used = strlen(out);
    for (int i = 0; i < count && used + 100 < most; i++)
        used += (size_t)sprintf(out + used, " event(%s)=%x", seen[i].name, seen[i].mask);
}

static int is_known(const char *name)
{
    for (int i = 0; i < KNOWN; i++)
        if (strcmp(TREE[i].name, name) == 0)
            return 1;
    return 0;
}

static void remove_strangers(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
    DIR *at = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; at && (entry = readdir(at));) {
        char name[1024];
        snprintf(name, sizeof name, "%s%s%s", strcmp(directory, ".") == 0 ? "" : directory, strcmp(directory,
            ".") == 0 ? "" : "/", entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || is_known(name))
            continue;
        if (unlink(name) != 0)
            remove_all(name);
    }
    if (at)
        closedir(at);
}

/* Puts back what a call changed, if it is little; 0 if the tree must be built anew. */
static int repair(void)
{
    struct stat now;
    if (chmod(above, 0755) != 0 || chdir(top) != 0 || lstat(".", &now) != 0 || now.st_ino != known[KNOWN].st_ino
        || chmod(".", 0755) != 0)
        return 0;
    for (int i = 0; i <= KNOWN; i++) {
        const char *name = i == KNOWN ? "." : TREE[i].name;
        if (S_ISDIR(known[i].st_mode) && lstat(name, &now) == 0 && now.st_mtim.tv_sec != known[i].st_mtim.tv_sec)
            remove_strangers(name);
    }
    for (int i = 0; i <= KNOWN; i++) {
        const char *name = i == KNOWN ? "." : TREE[i].name;
        const struct stat *old = &known[i];
        if (lstat(name, &now) != 0 || now.st_ino != old->st_ino || (now.st_mode & S_IFMT) != (old->st_mode & S_IFMT)
            || now.st_uid != old->st_uid || now.st_gid != old->st_gid || now.st_nlink != old->st_nlink
            || (!S_ISDIR(now.st_mode) && now.st_size != old->st_size))
            return 0;
        if (now.st_mode != old->st_mode && chmod(name, old->st_mode & 07777) != 0)
            return 0;
        if (is_same_stat(&now, old))
            continue;
        struct timespec times[2] = { old->st_atim, old->st_mtim };
        if (utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW) != 0 || lstat(name, &known[i]) != 0)
            return 0;
    }
    forget_events();
    return 1;
}
