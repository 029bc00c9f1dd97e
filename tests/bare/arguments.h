/* The shapes of arguments: for each kind a list, of which the first is the usual one. */

static const char *const PATHS[] = {
    "file", "dir", "link", "new", "", ".", "..", "/", "//", "./file", "dir/../file", "file/", "file/.", "file/x",
        "dir/",
    "dir/.", "dir/..", "dir/inner", "dir//inner", "dir/sub", "dir/new", "dir/up", "new/", "new/x", "nowhere/..",
        "link/", "dlink",
    "dlink/", "dlink/inner", "dlink/new", "slink", "dangling", "dangling/", "dangling/x", "loop", "loop/", "loop/x",
    "empty", "empty/new", "sticky/new", "setgid/new", "shut", "shut/x", "noexec", "noexec/x", "ro", "wo", "none",
        "kept", "script",
    "garbage", "fifo", "sock", "b\xff", "n\xff", "\n", "/proc/self/fd/50", "/proc/self/fd/55", "/dev/fd/54",
        "/proc/self/cwd/file", "/nowhere/x", "../t/file",
};
enum { PATH_COUNT = sizeof PATHS / sizeof *PATHS, PATH_EXTRA = 14 };

/* Another way to give an address than by what is there: none of them is readable in full. */
static long bad_address(int which, char *label)
{
    static const struct { const char *name; unsigned long address; } BAD[] = {
        { "NULL", 0 }, { "bad", 1 }, { "kernel", 0xffff800000001000 }, { "wild", 0x8000000000000000 }, { "last",
            0xffffffffffffffff },
    };
    strcpy(label, BAD[which].name);
    return (long)BAD[which].address;
}
enum { BAD_COUNT = 5 };

/* Paths; `usual` is the index of the one to begin with. Returns 0 when there is no such shape. */
static int path_shape(int place, int shape, int usual, long *value, char *label)
{
    if (shape == 0)
        shape = usual;
    else if (shape <= usual)
        shape--;
    if (shape < PATH_COUNT) {
        sprintf(label, "\"%s\"", PATHS[shape]);
        for (char *at = label; *at; at++)
            if ((unsigned char)*at < ' ')
                *at = '?';
        *value = put(place, PATHS[shape], strlen(PATHS[shape]) + 1, HERE);
        return 1;
    }
    shape -= PATH_COUNT;
    if (shape < BAD_COUNT) {
        *value = bad_address(shape, label);
        return 1;
    }
    shape -= BAD_COUNT;
    static char text[8192];
    const char *name = PATHS[usual];
    size_t length = strlen(name);
    switch (shape) {
    case 0:
        strcpy(label, "end");
        *value = put(place, name, length + 1, END);
        return 1;
    case 1:
        strcpy(label, "cut");
        *value = put(place, name, 2 * length, CUT);
        return 1;
    case 2:
        strcpy(label, "fixed");
        *value = put(place, name, length + 1, FIXED);
        return 1;
    case 3:
        strcpy(label, "absolute");
        snprintf(text, sizeof text, "%s/%s", top, name);
        *value = put(place, text, strlen(text) + 1, HERE);
        return 1;
    case 4:
        strcpy(label, "absolute/");
        snprintf(text, sizeof text, "%s/%s/", top, name);
        *value = put(place, text, strlen(text) + 1, HERE);
        return 1;
    case 5:
    case 6:
        sprintf(label, "name%d", 250 + shape);
        memset(text, 'n', 256);
        text[250 + shape] = 0;
        *value = put(place, text, (size_t)(251 + shape), HERE);
        return 1;
    case 7:
    case 8:
    case 9:
        /* 4094, 4095 and 4096 bytes before the NUL byte. */
        sprintf(label, "path%d", 4087 + shape);
        memset(text, '/', sizeof text);
        text[0] = '.';
        strcpy(text + 4087 + shape - length, name);
        *value = put(place, text, (size_t)(4088 + shape), HERE);
        return 1;
    case 10:
        strcpy(label, "path4095-end");
        memset(text, '/', sizeof text);
        text[0] = '.';
        strcpy(text + 4095 - length, name);
        *value = put(place, text, 4096, END);
        return 1;
    case 11:
        strcpy(label, "empty-end");
        *value = put(place, "", 1, END);
        return 1;
    case 12:
        strcpy(label, "long-name/..");
        snprintf(text, sizeof text, "%sx/../%s", LONG_NAME, name);
        *value = put(place, text, strlen(text) + 1, HERE);
        return 1;
    case 13:
        strcpy(label, "unended");
        *value = (long)room(place) + ROOM - 100;
        return 1;
    }
    return 0;
}

static int descriptor_shape(int shape, enum kind usual, long *value, char *label)
{
    static const struct { const char *name; long value; } ODD[] = {
        { "-1", -1 }, { "closed", 999 }, { "huge", INT_MAX }, { "min", INT_MIN }, { "stdin", 0 }, { "-99", -99 },
            { "cwd", AT_FDCWD },
        { "cwd32", 0xffffff9c }, { "high", 0x500000000 + FIRST + KIND_file_r },
    };
    enum { ODDS = sizeof ODD / sizeof *ODD };
    int kind = shape == 0 ? (int)usual : shape <= (int)usual ? shape - 1 : shape;
    if (kind < KIND_COUNT) {
        strcpy(label, KIND_NAMES[kind]);
        *value = descriptor((enum kind)kind);
        return 1;
    }
    kind -= KIND_COUNT;
    if (kind >= ODDS)
        return 0;
    strcpy(label, ODD[kind].name);
    if (strcmp(label, "high") == 0)
        descriptor(KIND_file_r);
    *value = ODD[kind].value;
    return 1;
}

/* AT_FDCWD first, then every descriptor. */
static int directory_shape(int shape, long *value, char *label)
{
    if (shape == 0) {
        strcpy(label, "cwd");
        *value = AT_FDCWD;
        return 1;
    }
    return descriptor_shape(shape - 1, KIND_dir_r, value, label);
}

static int number_in(const long *list, int count, int shape, long *value, char *label)
{
    if (shape >= count)
        return 0;
    *value = list[shape];
    sprintf(label, "%#lx", (unsigned long)list[shape]);
    return 1;
}
#define NUMBERS(...)                                                                                                   \
    do {                                                                                                               \
        static const long list[] = { __VA_ARGS__ };                                                                    \
        return number_in(list, sizeof list / sizeof *list, shape, value, label);                                       \
    } while (0)

static int mode_shape(int shape, long *value, char *label)
{
    NUMBERS(0644, 0, 0777, 04755, 02755, 01777, 07777, 0111, 0222, 010644, 0100644, 0170644, 0x100000000 | 0600, -1,
        0x80000000);
}

/* A usual value, every single bit, pairs of known bits, and wide ones. */
static int flag_shape(const long *known, int count, int shape, long *value, char *label)
{
    long flags = known[0];
    if (shape == 0)
        goto end;
    shape--;
    if (shape < 32) {
        flags |= 1L << shape;
        goto end;
    }
    shape -= 32;
    if (shape < 4) {
        static const long WIDE[] = { -1, 1L << 32, 1L << 63, 3 };
        flags = WIDE[shape];
        goto end;
    }
    shape -= 4;
    int first = 0;
    while (first < count && shape >= count - first)
        shape -= count - first++;
    if (first >= count)
        return 0;
    flags = known[0] | known[first] | known[first + shape];
end:
    *value = flags;
    sprintf(label, "%#lx", (unsigned long)flags);
    return 1;
}
#define FLAGS(...)                                                                                                     \
    do {                                                                                                               \
        static const long list[] = { __VA_ARGS__ };                                                                    \
        return flag_shape(list, sizeof list / sizeof *list, shape, value, label);                                      \
    } while (0)

static int open_flag_shape(int shape, long *value, char *label)
{
    FLAGS(0, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC, O_ASYNC, O_DIRECT, O_DIRECTORY,
          O_NOFOLLOW, O_NOATIME, O_CLOEXEC, O_PATH, O_TMPFILE, O_CREAT | O_WRONLY, O_TMPFILE | O_RDWR);
}

static int at_flag_shape(int shape, long *value, char *label)
{
    FLAGS(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, AT_REMOVEDIR, 0x800, 0x10000);
}

/* Bytes at an address of each sort. */
static int bytes_shape(int place, const void *bytes, size_t size, int shape, long *value, char *label)
{
    static const struct { const char *name; enum where where; } WHERE[] = { { "", HERE }, { "end", END }, { "cut",
        CUT }, { "fixed", FIXED } };
    if (shape < 4) {
        strcat(label, WHERE[shape].name);
        *value = put(place, bytes, size, WHERE[shape].where);
        return 1;
    }
    if (shape >= 4 + BAD_COUNT)
        return 0;
    *value = bad_address(shape - 4, label + strlen(label));
    return 1;
}

/* Room for what a call gives back: as large as the attribute's value at the end of what is there, or less. */
static int room_shape(int place, int shape, long *value, char *label)
{
    is_watched[place] = 1;
    static const struct { const char *name; long at; } ROOMS[] = {
        { "room", 256 }, { "end5", ROOM - 5 }, { "end3", ROOM - 3 }, { "end1", ROOM - 1 }, { "end7", ROOM - 7 },
            { "fixed", READ_ONLY }, { "none", ROOM },
    };
    if (shape < 7) {
        strcpy(label, ROOMS[shape].name);
        *value = (long)room(place) + ROOMS[shape].at;
        return 1;
    }
    if (shape >= 7 + BAD_COUNT)
        return 0;
    *value = bad_address(shape - 7, label);
    return 1;
}

static int size_shape(int shape, long *value, char *label)
{
    NUMBERS(100, 0, 1, 4, 5, 6, 7, 8, 255, 4096, 65535, 65536, 65537, 1 << 20, INT_MAX, 1L << 31, 1L << 32,
        (1L << 32) | 5, -1, -5, LONG_MAX, LONG_MIN);
}

/* A text at each sort of address, or another text. */
static int text_shape(int place, const char *const *texts, int count, int shape, long *value, char *label)
{
    if (shape < count) {
        sprintf(label, "%.40s(%zu)", texts[shape], strlen(texts[shape]));
        *value = put(place, texts[shape], strlen(texts[shape]) + 1, HERE);
        return 1;
    }
    strcpy(label, "text-");
    return bytes_shape(place, texts[0], strlen(texts[0]) + 1, shape - count + 1, value, label);
}

static int attribute_shape(int place, int shape, long *value, char *label)
{
    static char long_name[2][300];
    for (int i = 0; i < 2; i++) {
        memset(long_name[i], 'a', (size_t)(255 + i));
        memcpy(long_name[i], "user.", 5);
    }
    const char *const names[] = { "user.a", "user.none", "", "user.", "user", "trusted.a", "security.a",
        "security.capability", "system.posix_acl_access",
                                  "system.posix_acl_default", "system.nope", "nope.a", long_name[0], long_name[1],
                                      "user.\xff" };
    return text_shape(place, names, sizeof names / sizeof *names, shape, value, label);
}

static int value_shape(int place, int shape, long *value, char *label)
{
    static const char bytes[65600] = "VALUE";
    if (shape < 2) {
        sprintf(label, "value%d", shape);
        *value = put(place, bytes, shape ? 65600 : 100, HERE);
        return 1;
    }
    strcpy(label, "value-");
    return bytes_shape(place, "VALUE", 5, shape - 1, value, label);
}

struct attribute_arguments {
    unsigned long value;
    unsigned size, flags;
};

/* struct xattr_args in `place`, with its value in `place + 1`. */
static int attribute_arguments_shape(int place, int gets, int shape, long *value, char *label)
{
    struct { struct attribute_arguments known; char rest[5000]; } all = { 0 };
    long inner = 0, size = gets ? 100 : 5;
    char text[64] = "";
    int rooms = gets ? 12 : 10;
    if (shape < rooms) {
        if (gets ? !room_shape(place + 1, shape, &inner, text) : !value_shape(place + 1, shape, &inner, text))
            return 0;
    } else {
        (void)(gets ? room_shape(place + 1, 0, &inner, text) : value_shape(place + 1, 0, &inner, text));
        shape -= rooms;
        if (shape < 22) {
            size_shape(shape, &size, text + strlen(text));
        } else {
            shape -= 22;
            if (shape < 6) {
                static const unsigned FLAGGED[] = { 1, 2, 3, 4, 0x80000000, 0xffffffff };
                all.known.flags = FLAGGED[shape];
                sprintf(text + strlen(text), "flags%x", all.known.flags);
            } else if (shape == 6) {
                all.rest[0] = 1;
                strcat(text, "tail");
            } else if (shape == 7) {
                all.rest[4096 - 16 - 1] = 1;
                strcat(text, "late-tail");
            } else {
                all.known.value = (unsigned long)inner;
                all.known.size = (unsigned)size;
                strcpy(label, "args-");
                return bytes_shape(place, &all, 16, shape - 8 + 1, value, label);
            }
        }
    }
    all.known.value = (unsigned long)inner;
    all.known.size = (unsigned)size;
    sprintf(label, "{%s,%u}", text, all.known.size);
    *value = put(place, &all, sizeof all, HERE);
    return 1;
}

static int structure_size_shape(int usual, int shape, long *value, char *label)
{
    const long list[] = { usual, 0, 1, 8, 15, 16, 17, 23, 24, 25, 32, 48, 56, 64, 100, 4095, 4096, 4097, 1L << 31,
        1L << 32, -1, (1L << 32) | usual };
    return number_in(list, sizeof list / sizeof *list, shape, value, label);
}

static int how_shape(int place, int shape, long *value, char *label)
{
    struct { struct open_how how; char rest[5000]; } all = { 0 };
    static const unsigned long MODES[] = { 0644, 07777, 010000, 0100644, 1UL << 32, -1UL };
    static const unsigned long TRIED[] = { O_CREAT, O_TMPFILE | O_RDWR, O_RDONLY, O_PATH };
    static const struct { unsigned long flags; unsigned long resolve; } WAYS[] = {
        { 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT }, { O_CREAT | O_RDWR, RESOLVE_CACHED }, { 0, RESOLVE_CACHED },
            { O_TRUNC | O_WRONLY, RESOLVE_CACHED },
        { O_CREAT, RESOLVE_BENEATH }, { O_CREAT, RESOLVE_IN_ROOT }, { O_CREAT, RESOLVE_NO_SYMLINKS }, { O_NOFOLLOW,
            RESOLVE_NO_SYMLINKS }, { O_PATH, RESOLVE_NO_XDEV },
    };
    if (shape < 64) {
        all.how.resolve = shape ? 1UL << (shape - 1) : 0;
    } else if (shape < 128) {
        all.how.flags = 1UL << (shape - 64);
    } else if (shape < 128 + 24) {
        all.how.mode = MODES[(shape - 128) / 4];
        all.how.flags = TRIED[(shape - 128) % 4];
    } else if (shape < 152 + 9) {
        all.how.flags = WAYS[shape - 152].flags;
        all.how.resolve = WAYS[shape - 152].resolve;
    } else if (shape < 161 + 3) {
        all.rest[(int[]){ 0, 100, 4096 - 24 - 1 }[shape - 161]] = 1;
        strcpy(label, "tail");
        sprintf(label, "tail%d", shape - 161);
        *value = put(place, &all, sizeof all, HERE);
        return 1;
    } else {
        strcpy(label, "how-");
        return bytes_shape(place, &all, sizeof all.how, shape - 164 + 1, value, label);
    }
    sprintf(label, "{%#llx,%#llo,%#llx}", all.how.flags, all.how.mode, all.how.resolve);
    *value = put(place, &all, sizeof all, HERE);
    return 1;
}

/* `unit`: 0 a utimbuf, 1 timevals, 2 timespecs. */
static int times_shape(int place, int unit, int shape, long *value, char *label)
{
    static const long TIMES[][4] = {
        { 1111111111, 333, 1222222222, 444 }, { 0, 0, 0, 0 }, { -1, 0, -5, 0 }, { 1L << 34, 0, 1L << 35, 0 },
            { LONG_MAX, 0, LONG_MIN, 0 },
        { 5, UTIME_NOW, 6, 7 }, { 5, 6, 7, UTIME_NOW }, { 5, UTIME_NOW, 7, UTIME_NOW }, { 5, UTIME_OMIT, 7, 8 },
            { 5, 6, 7, UTIME_OMIT },
        { 5, UTIME_OMIT, 7, UTIME_OMIT }, { 5, UTIME_NOW, 7, UTIME_OMIT }, { 5, UTIME_OMIT, 7, UTIME_NOW }, { 1, -1,
            1, 1 }, { 1, 1, 1, -1 },
        { 1, 999999, 1, 999999 }, { 1, 1000000, 1, 1 }, { 1, 999999999, 1, 999999999 }, { 1, 1000000000, 1, 1 },
            { 1, 1, 1, 1000000000 },
        { 1, UTIME_OMIT, 1, 1000000000 }, { 1, UTIME_NOW + 2, 1, 1 }, { 1, LONG_MAX, 1, 1 }, { 1, (1L << 32) | 5, 1,
            1 },
    };
    enum { COUNT = sizeof TIMES / sizeof *TIMES };
    size_t size = unit ? 32 : 16;
    if (shape < COUNT) {
        sprintf(label, "{%ld,%ld,%ld,%ld}", TIMES[shape][0], TIMES[shape][1], TIMES[shape][2], TIMES[shape][3]);
        *value = put(place, TIMES[shape], size, HERE);
        return 1;
    }
    strcpy(label, "times-");
    return bytes_shape(place, TIMES[0], size, shape - COUNT + 1, value, label);
}

/* Where the usual address of a socket has this length. */
enum { USUAL_ADDRESS = sizeof(struct sockaddr_un) };

static int address_shape(int place, const char *usual, int shape, long *value, char *label)
{
    union { struct sockaddr any; struct sockaddr_un local; struct sockaddr_in in; struct sockaddr_in6 in6;
        char bytes[256]; } all;
    memset(&all, 0, sizeof all);
    static const char *const NAMES[] = { 0, "sock", "new", "file", "dir", "link", "dangling", "nowhere/x",
        "dir/new", "", ".", "..", "/", "new/", "none", "loop", "fifo", "empty/new", "dlink/new", "shut/x" };
    enum { LOCAL = sizeof NAMES / sizeof *NAMES };
    if (shape < LOCAL) {
        all.any.sa_family = AF_UNIX;
        strcpy(all.local.sun_path, NAMES[shape] ? NAMES[shape] : usual);
        sprintf(label, "\"%s\"", all.local.sun_path);
    } else if (shape < LOCAL + 3) {
        all.any.sa_family = AF_UNIX;
        if (shape == LOCAL)
            sprintf(all.local.sun_path + 1, "clawguard-shapes");
        else
            memset(all.local.sun_path, 'n', shape == LOCAL + 1 ? 108 : 107);
        sprintf(label, "unix%d", shape - LOCAL);
    } else if (shape < LOCAL + 7) {
        static const struct { unsigned address; int port; } PLACES_OF_IN[] = { { INADDR_LOOPBACK, 0 },
            { INADDR_LOOPBACK, 1 }, { 0xe0000001, 0 }, { 0x08080808, 0 } };
        all.in = (struct sockaddr_in){ .sin_family = AF_INET,
            .sin_port = htons((unsigned short)PLACES_OF_IN[shape - LOCAL - 3].port),
                                       .sin_addr = { htonl(PLACES_OF_IN[shape - LOCAL - 3].address) } };
        sprintf(label, "in%d", shape - LOCAL - 3);
    } else if (shape < LOCAL + 9) {
        all.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(shape == LOCAL + 7 ? 0 : 1),
            .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        sprintf(label, "in6-%d", shape - LOCAL - 7);
    } else if (shape < LOCAL + 13) {
        static const unsigned short FAMILIES[] = { AF_UNSPEC, 99, 0xffff, AF_NETLINK };
        all.any.sa_family = FAMILIES[shape - LOCAL - 9];
        sprintf(label, "family%d", all.any.sa_family);
    } else {
        all.any.sa_family = AF_UNIX;
        strcpy(all.local.sun_path, usual);
        strcpy(label, "address-");
        return bytes_shape(place, &all, sizeof all.local, shape - LOCAL - 13 + 1, value, label);
    }
    *value = put(place, &all, sizeof all, HERE);
    return 1;
}

static int length_shape(int shape, long *value, char *label)
{
    if (shape == 0)
        *value = USUAL_ADDRESS;
    else if (shape <= 130)
        *value = shape - 1;
    else if (shape <= 136)
        *value = (long[]){ 256, 4096, INT_MAX, INT_MIN, -1, (1L << 32) | USUAL_ADDRESS }[shape - 131];
    else
        return 0;
    sprintf(label, "%ld", *value);
    return 1;
}

/* Lists of texts for a new program. */
static int list_shape(int place, int is_environment, int shape, long *value, char *label)
{
    static const char *const NAMES[] = { "usual", "empty", "bad-element", "kernel-element", "cut-element", "long",
        "too-long", "many", "too-many", "unended" };
    long list[16384] = { 0 };
    int count = 0;
    if (shape >= 10) {
        strcpy(label, "list-");
        list[0] = put(place + 1, "one", 4, HERE);
        return bytes_shape(place, list, 16, shape - 10 + 1, value, label);
    }
    strcpy(label, NAMES[shape]);
    static char text[131073];
    memset(text, 'a', sizeof text);
    long one = put(place + 1, is_environment ? "A=b" : "one", 4, HERE);
    switch (shape) {
    case 0: list[count++] = one; break;
    case 2: list[count++] = one; list[count++] = 1; break;
    case 3: list[count++] = (long)0xffff800000001000; break;
    case 4: list[count++] = put(place + 1, "onetwo", 6, CUT); break;
    case 5: text[131071] = 0; list[count++] = (long)text; break;
    case 6: text[131072] = 0; list[count++] = (long)text; break;
    case 7: while (count < 5000) list[count++] = one; break;
    case 8: text[131071] = 0; while (count < 1000) list[count++] = (long)text; break;
    case 9: list[count++] = one; list[count++] = one; *value = put(place, list, 16, END); return 1;
    }
    if (count > 6000)
        return 0;
    static char *large;
    if (count > 1000) {
        large = (char *)list;
        *value = put(place, large, sizeof *list * (size_t)(count + 1), HERE);
        return 1;
    }
    *value = put(place, list, sizeof *list * (size_t)(count + 1), HERE);
    return 1;
}
