/* Every judged system call by its name, with its number and the shape of its arguments. */

static const struct {
    const char *name;
    long value;
} CONSTANTS[] = {
#define C(name) { #name, (long)(name) }
    C(O_RDONLY), C(O_WRONLY), C(O_RDWR), C(O_CREAT), C(O_EXCL), C(O_TRUNC), C(O_APPEND), C(O_NONBLOCK),
    C(O_DIRECTORY), C(O_NOFOLLOW), C(O_CLOEXEC), C(O_PATH), C(O_TMPFILE), C(O_NOATIME), C(O_SYNC), C(O_DSYNC),
    C(O_ASYNC), C(O_NOCTTY), C(O_DIRECT), C(AT_FDCWD), C(AT_SYMLINK_NOFOLLOW), C(AT_SYMLINK_FOLLOW),
    C(AT_REMOVEDIR), C(AT_EMPTY_PATH), C(AT_EACCESS), C(RENAME_NOREPLACE), C(RENAME_EXCHANGE), C(RENAME_WHITEOUT),
    C(R_OK), C(W_OK), C(X_OK), C(F_OK), C(S_IFIFO), C(S_IFREG), C(S_IFSOCK), C(S_IFCHR), C(S_IFBLK), C(S_IFDIR),
    C(S_IFLNK), C(RESOLVE_BENEATH), C(RESOLVE_IN_ROOT), C(RESOLVE_NO_SYMLINKS), C(RESOLVE_NO_MAGICLINKS),
    C(RESOLVE_NO_XDEV), C(RESOLVE_CACHED), C(IN_MODIFY), C(IN_CREATE), C(IN_ALL_EVENTS), C(IN_DONT_FOLLOW),
    C(IN_ONLYDIR), C(XATTR_CREATE), C(XATTR_REPLACE), C(SOCK_STREAM), C(SOCK_DGRAM), C(SOCK_SEQPACKET),
    C(SOCK_CLOEXEC), C(SOCK_NONBLOCK), C(AF_UNIX), C(AF_INET), C(AF_INET6), C(AF_NETLINK),
#undef C
};

/* A number, or names joined by `|`. */
static long number_of(const char *text)
{
    long value = 0;
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy;
    for (char *part; (part = strsep(&rest, "|"));) {
        size_t i = 0, count = sizeof CONSTANTS / sizeof *CONSTANTS;
        while (i < count && strcmp(CONSTANTS[i].name, part) != 0)
            i++;
        char *end = part;
        value |= i < count ? CONSTANTS[i].value : (long)strtoul(part, &end, 0);
        if (i == count && (*end || end == part)) {
            fprintf(stderr, "probe: what is `%s`?\n", part);
            _exit(98);
        }
    }
    return value;
}

/* P a path; D a descriptor and a path; d a descriptor; i a number; f flags, with those of the form; s a string;
 * v a value and its size; g room for a value and its size; t two timespecs, T two timevals, u a utimbuf;
 * h an open_how and its size; x a xattr_args with a value and its size, X one with room.
 * What is returned: `o` a descriptor, `g` a value, `n` nothing. */
static const struct {
    const char *name;
    long number;
    const char *shape;
    char returned;
} CALLS[] = {
#ifdef SYS_open
    { "open", SYS_open, "Pii", 'o' },
    { "creat", SYS_creat, "Pi", 'o' },
    { "mkdir", SYS_mkdir, "Pi", 'n' },
    { "mknod", SYS_mknod, "Pii", 'n' },
    { "symlink", SYS_symlink, "sP", 'n' },
    { "unlink", SYS_unlink, "P", 'n' },
    { "rmdir", SYS_rmdir, "P", 'n' },
    { "rename", SYS_rename, "PP", 'n' },
    { "link", SYS_link, "PP", 'n' },
    { "chmod", SYS_chmod, "Pi", 'n' },
    { "chown", SYS_chown, "Pii", 'n' },
    { "lchown", SYS_lchown, "Pii", 'n' },
    { "utime", SYS_utime, "Pu", 'n' },
    { "utimes", SYS_utimes, "PT", 'n' },
    { "futimesat", SYS_futimesat, "DT", 'n' },
    { "access", SYS_access, "Pi", 'n' },
#endif
    { "openat", SYS_openat, "Dii", 'o' },
    { "openat2", 437, "Dh", 'o' },
    { "mkdirat", SYS_mkdirat, "Di", 'n' },
    { "mknodat", SYS_mknodat, "Dii", 'n' },
    { "symlinkat", SYS_symlinkat, "sD", 'n' },
    { "unlinkat", SYS_unlinkat, "Di", 'n' },
#ifdef SYS_renameat
    { "renameat", SYS_renameat, "DD", 'n' },
#endif
    { "renameat2", SYS_renameat2, "DDi", 'n' },
    { "linkat", SYS_linkat, "DDf", 'n' },
    { "fchmod", SYS_fchmod, "di", 'n' },
    { "fchmodat", SYS_fchmodat, "Di", 'n' },
    { "fchmodat2", 452, "Dif", 'n' },
    { "fchown", SYS_fchown, "dii", 'n' },
    { "fchownat", SYS_fchownat, "Diif", 'n' },
    { "utimensat", SYS_utimensat, "Dtf", 'n' },
    { "truncate", SYS_truncate, "Pi", 'n' },
    { "setxattr", SYS_setxattr, "Psvi", 'n' },
    { "lsetxattr", SYS_lsetxattr, "Psvi", 'n' },
    { "fsetxattr", SYS_fsetxattr, "dsvi", 'n' },
    { "setxattrat", 463, "Dfsx", 'n' },
    { "removexattr", SYS_removexattr, "Ps", 'n' },
    { "lremovexattr", SYS_lremovexattr, "Ps", 'n' },
    { "fremovexattr", SYS_fremovexattr, "ds", 'n' },
    { "removexattrat", 466, "Dfs", 'n' },
    { "getxattr", SYS_getxattr, "Psg", 'g' },
    { "lgetxattr", SYS_lgetxattr, "Psg", 'g' },
    { "fgetxattr", SYS_fgetxattr, "dsg", 'g' },
    { "getxattrat", 464, "DfsX", 'g' },
    { "listxattr", SYS_listxattr, "Pg", 'g' },
    { "llistxattr", SYS_llistxattr, "Pg", 'g' },
    { "flistxattr", SYS_flistxattr, "dg", 'g' },
    { "listxattrat", 465, "Dfg", 'g' },
    { "faccessat", SYS_faccessat, "Di", 'n' },
    { "faccessat2", 439, "Dif", 'n' },
};

/* `A,B` seconds; `null`; `now` and `omit` in either place. */
static void *times_of(const char *text, struct timespec *times)
{
    if (strcmp(text, "null") == 0)
        return NULL;
    for (int i = 0; i < 2; i++) {
        times[i] = (struct timespec){ 0 };
        if (strncmp(text, "now", 3) == 0)
            times[i].tv_nsec = UTIME_NOW;
        else if (strncmp(text, "omit", 4) == 0)
            times[i].tv_nsec = UTIME_OMIT;
        else
            times[i].tv_sec = atol(text);
        const char *comma = strchr(text, ',');
        if (comma)
            text = comma + 1;
    }
    return times;
}

struct value {
    unsigned long long pointer;
    unsigned size, flags;
};

/* Makes a call of the table; 0 if there is none of this name. */
static int call(struct row *row, const char *name, const char *form)
{
    size_t at = 0, count = sizeof CALLS / sizeof *CALLS;
    while (at < count && strcmp(CALLS[at].name, name) != 0)
        at++;
    if (at == count)
        return 0;
    char forms[64] = "path", *second = forms;
    if (form)
        snprintf(forms, sizeof forms, "%s", form);
    if (strchr(forms, ',')) {
        second = strchr(forms, ',');
        *second++ = 0;
    }
    static __thread struct object objects[2];
    static __thread char room[4096];
    long arguments[8] = { 0 }, flags = 0;
    struct timespec times[2];
    struct timeval values[2];
    long utimbuf[2];
    struct open_how how = { 0 };
    struct value value = { 0 };
    int used = 0, word = 1, number = 0, is_high = 0;
    for (const char *letter = CALLS[at].shape; *letter; letter++) {
        int is_object = *letter == 'P' || *letter == 'D' || *letter == 'd';
        if (word >= row->count && *letter != 'g' && *letter != 'X') {
            say(row, "too-few-words");
            return 1;
        }
        if (is_object && *letter == 'd' && !form) {
            arguments[used++] = number_of(row->words[word++].text);
            continue;
        }
        if (is_object) {
            struct object *object = &objects[number];
            if (address(object, number++ ? second : forms, row->words[word++]) != 0) {
                fail(row, "setup:", errno);
                while (number--)
                    release(&objects[number]);
                return 1;
            }
            is_high |= object->is_high;
            flags |= object->flags;
            if (*letter != 'P')
                arguments[used++] = object->is_high ? object->dirfd | (long)0x5a5a5a5a00000000 : object->dirfd;
            if (*letter != 'd')
                arguments[used++] = (long)object->path;
            continue;
        }
        char *text = *letter == 'g' || *letter == 'X' ? NULL : row->words[word].text;
        size_t size = text ? row->words[word++].size : 0;
        switch (*letter) {
        case 'i':
        case 'f':
            arguments[used] = number_of(text) | (*letter == 'f' ? flags : 0);
            /* The length of truncate is the one number that has 64 bits. */
            if (is_high && CALLS[at].number != SYS_truncate)
                arguments[used] = (arguments[used] & 0xffffffff) | (long)0x5a5a5a5a00000000;
            used++;
            break;
        case 's':
            arguments[used++] = strcmp(text, "@bad") == 0     ? 1
                                : strcmp(text, "@empty") == 0 ? (long)""
                                                              : (long)text;
            break;
        case 'v':
            arguments[used++] = (long)text;
            arguments[used++] = (long)size;
            break;
        case 'g':
            arguments[used++] = (long)room;
            arguments[used++] = sizeof room;
            break;
        case 'x':
        case 'X':
            value = (struct value){ (unsigned long long)(text ? text : room), text ? (unsigned)size : sizeof room, 0 };
            arguments[used++] = (long)&value;
            arguments[used++] = sizeof value;
            break;
        case 't':
            arguments[used++] = (long)times_of(text, times);
            break;
        case 'T':
        case 'u':
            arguments[used] = (long)times_of(text, times);
            for (int i = 0; arguments[used] && i < 2; i++) {
                values[i] = (struct timeval){ times[i].tv_sec, 0 };
                utimbuf[i] = times[i].tv_sec;
            }
            if (arguments[used])
                arguments[used] = *letter == 'T' ? (long)values : (long)utimbuf;
            used++;
            break;
        case 'h': {
            /* FLAGS,MODE,RESOLVE[,SIZE] */
            char *rest = text, *parts[4] = { 0 };
            for (int i = 0; i < 4 && rest; i++)
                parts[i] = strsep(&rest, ",");
            how.flags = (unsigned)number_of(parts[0]);
            how.mode = parts[1] ? (unsigned long)number_of(parts[1]) : 0;
            how.resolve = parts[2] ? (unsigned long)number_of(parts[2]) : 0;
            arguments[used++] = (long)&how;
            arguments[used++] = parts[3] ? number_of(parts[3]) : (long)sizeof how;
            break;
        }
        }
    }
    long result = syscall(CALLS[at].number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                          arguments[5]);
    while (number--)
        release(&objects[number]);
    if (CALLS[at].returned == 'o')
        opened(row, result);
    else if (CALLS[at].returned == 'g' && result >= 0)
        show(row, room, (size_t)result);
    else
        done(row, result);
    return 1;
}
