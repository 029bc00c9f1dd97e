/* The calls, and the kind of each of their arguments. */
enum argument {
    NONE, PATH, NEW_PATH, EMPTY_PATH, PROGRAM_PATH, LINK_TEXT, DIRFD, DIRFD_2, FD, FD_EXEC, MODE, DEVICE,
        OPEN_FLAGS, UNLINK_FLAGS, RENAME_FLAGS,
    LINK_FLAGS, MODE_FLAGS, ACCESS_FLAGS, ACCESS_MODE, TIME_FLAGS, NAME_FLAGS, EXEC_FLAGS, OWNER, NAME, VALUE,
        VALUE_SIZE, ROOM_ARGUMENT, ROOM_SIZE,
    SET_FLAGS, SET_ARGUMENTS, GET_ARGUMENTS, ARGUMENTS_SIZE, HOW, HOW_SIZE, UTIMBUF, TIMEVALS, TIMESPECS, LENGTH,
        WATCH_FD, WATCH_MASK, FAMILY,
    SOCKET_TYPE, PROTOCOL, PAIR_ROOM, SOCKET_FD, BIND_ADDRESS, CONNECT_ADDRESS, ADDRESS_LENGTH, BACKLOG, LISTEN_FD,
        ARGV, ENVP, PRCTL_OPTION, PRCTL_VALUE,
    TERMINAL_FD, TERMINAL_REQUEST, TERMINAL_FLAGS, SELF, POLICY, SCHED_PARAM, SCHED_ATTR, SCHED_ATTR_FLAGS,
        CPU_SIZE, CPU_MASK, RESOURCE, NEW_LIMIT, OLD_LIMIT,
    WHICH_PRIORITY, SELF_PRIORITY, PRIORITY, WHICH_IO, IO_PRIORITY, GROUP, TRACE_REQUEST, COPY_FLAGS,
};

/* What a call gives when it succeeds. */
enum gives { NOTHING, DESCRIPTOR, PAIR, PROGRAM };

static const struct call {
    const char *name;
    long number;
    enum argument arguments[6];
    enum gives gives;
} CALLS[] = {
#ifdef SYS_open
    { "open", SYS_open, { PATH, OPEN_FLAGS, MODE }, DESCRIPTOR },
    { "creat", SYS_creat, { PATH, MODE }, DESCRIPTOR },
    { "mkdir", SYS_mkdir, { NEW_PATH, MODE }, 0 },
    { "mknod", SYS_mknod, { NEW_PATH, MODE, DEVICE }, 0 },
    { "symlink", SYS_symlink, { LINK_TEXT, NEW_PATH }, 0 },
    { "unlink", SYS_unlink, { PATH }, 0 },
    { "rmdir", SYS_rmdir, { EMPTY_PATH }, 0 },
    { "rename", SYS_rename, { PATH, NEW_PATH }, 0 },
    { "link", SYS_link, { PATH, NEW_PATH }, 0 },
    { "chmod", SYS_chmod, { PATH, MODE }, 0 },
    { "chown", SYS_chown, { PATH, OWNER, OWNER }, 0 },
    { "lchown", SYS_lchown, { PATH, OWNER, OWNER }, 0 },
    { "utime", SYS_utime, { PATH, UTIMBUF }, 0 },
    { "utimes", SYS_utimes, { PATH, TIMEVALS }, 0 },
    { "futimesat", SYS_futimesat, { DIRFD, PATH, TIMEVALS }, 0 },
    { "access", SYS_access, { PATH, ACCESS_MODE }, 0 },
#endif
    { "openat", SYS_openat, { DIRFD, PATH, OPEN_FLAGS, MODE }, DESCRIPTOR },
    { "openat2", 437, { DIRFD, PATH, HOW, HOW_SIZE }, DESCRIPTOR },
    { "mkdirat", SYS_mkdirat, { DIRFD, NEW_PATH, MODE }, 0 },
    { "mknodat", SYS_mknodat, { DIRFD, NEW_PATH, MODE, DEVICE }, 0 },
    { "symlinkat", SYS_symlinkat, { LINK_TEXT, DIRFD, NEW_PATH }, 0 },
    { "unlinkat", SYS_unlinkat, { DIRFD, PATH, UNLINK_FLAGS }, 0 },
    { "renameat", SYS_renameat, { DIRFD, PATH, DIRFD_2, NEW_PATH }, 0 },
    { "renameat2", SYS_renameat2, { DIRFD, PATH, DIRFD_2, NEW_PATH, RENAME_FLAGS }, 0 },
    { "linkat", SYS_linkat, { DIRFD, PATH, DIRFD_2, NEW_PATH, LINK_FLAGS }, 0 },
    { "fchmod", SYS_fchmod, { FD, MODE }, 0 },
    { "fchmodat", SYS_fchmodat, { DIRFD, PATH, MODE }, 0 },
    { "fchmodat2", 452, { DIRFD, PATH, MODE, MODE_FLAGS }, 0 },
    { "fchown", SYS_fchown, { FD, OWNER, OWNER }, 0 },
    { "fchownat", SYS_fchownat, { DIRFD, PATH, OWNER, OWNER, MODE_FLAGS }, 0 },
    { "utimensat", SYS_utimensat, { DIRFD, PATH, TIMESPECS, TIME_FLAGS }, 0 },
    { "truncate", SYS_truncate, { PATH, LENGTH }, 0 },
    { "setxattr", SYS_setxattr, { PATH, NAME, VALUE, VALUE_SIZE, SET_FLAGS }, 0 },
    { "lsetxattr", SYS_lsetxattr, { PATH, NAME, VALUE, VALUE_SIZE, SET_FLAGS }, 0 },
    { "fsetxattr", SYS_fsetxattr, { FD, NAME, VALUE, VALUE_SIZE, SET_FLAGS }, 0 },
    { "setxattrat", 463, { DIRFD, PATH, NAME_FLAGS, NAME, SET_ARGUMENTS, ARGUMENTS_SIZE }, 0 },
    { "removexattr", SYS_removexattr, { PATH, NAME }, 0 },
    { "lremovexattr", SYS_lremovexattr, { PATH, NAME }, 0 },
    { "fremovexattr", SYS_fremovexattr, { FD, NAME }, 0 },
    { "removexattrat", 466, { DIRFD, PATH, NAME_FLAGS, NAME }, 0 },
    { "getxattr", SYS_getxattr, { PATH, NAME, ROOM_ARGUMENT, ROOM_SIZE }, 0 },
    { "lgetxattr", SYS_lgetxattr, { PATH, NAME, ROOM_ARGUMENT, ROOM_SIZE }, 0 },
    { "fgetxattr", SYS_fgetxattr, { FD, NAME, ROOM_ARGUMENT, ROOM_SIZE }, 0 },
    { "getxattrat", 464, { DIRFD, PATH, NAME_FLAGS, NAME, GET_ARGUMENTS, ARGUMENTS_SIZE }, 0 },
    { "listxattr", SYS_listxattr, { PATH, ROOM_ARGUMENT, ROOM_SIZE }, 0 },
    { "llistxattr", SYS_llistxattr, { PATH, ROOM_ARGUMENT, ROOM_SIZE }, 0 },
    { "flistxattr", SYS_flistxattr, { FD, ROOM_ARGUMENT, ROOM_SIZE }, 0 },
    { "listxattrat", 465, { DIRFD, PATH, NAME_FLAGS, ROOM_ARGUMENT, ROOM_SIZE }, 0 },
    { "faccessat", SYS_faccessat, { DIRFD, PATH, ACCESS_MODE }, 0 },
    { "faccessat2", 439, { DIRFD, PATH, ACCESS_MODE, ACCESS_FLAGS }, 0 },
    { "inotify_add_watch", SYS_inotify_add_watch, { WATCH_FD, PATH, WATCH_MASK }, 0 },
    { "socket", SYS_socket, { FAMILY, SOCKET_TYPE, PROTOCOL }, DESCRIPTOR },
    { "socketpair", SYS_socketpair, { FAMILY, SOCKET_TYPE, PROTOCOL, PAIR_ROOM }, PAIR },
    { "bind", SYS_bind, { SOCKET_FD, BIND_ADDRESS, ADDRESS_LENGTH }, 0 },
    { "connect", SYS_connect, { SOCKET_FD, CONNECT_ADDRESS, ADDRESS_LENGTH }, 0 },
    { "listen", SYS_listen, { LISTEN_FD, BACKLOG }, 0 },
    { "execve", SYS_execve, { PROGRAM_PATH, ARGV, ENVP }, PROGRAM },
    { "execveat", SYS_execveat, { DIRFD, PROGRAM_PATH, ARGV, ENVP, EXEC_FLAGS }, PROGRAM },
    { "prctl", SYS_prctl, { PRCTL_OPTION, PRCTL_VALUE, PRCTL_VALUE, PRCTL_VALUE, PRCTL_VALUE }, 0 },
    { "ioctl", SYS_ioctl, { TERMINAL_FD, TERMINAL_REQUEST, TERMINAL_FLAGS }, DESCRIPTOR },
    { "sched_setparam", SYS_sched_setparam, { SELF, SCHED_PARAM }, 0 },
    { "sched_setscheduler", SYS_sched_setscheduler, { SELF, POLICY, SCHED_PARAM }, 0 },
    { "sched_setaffinity", SYS_sched_setaffinity, { SELF, CPU_SIZE, CPU_MASK }, 0 },
    { "sched_setattr", SYS_sched_setattr, { SELF, SCHED_ATTR, SCHED_ATTR_FLAGS }, 0 },
    { "prlimit64", SYS_prlimit64, { SELF, RESOURCE, NEW_LIMIT, OLD_LIMIT }, 0 },
    { "setpriority", SYS_setpriority, { WHICH_PRIORITY, SELF_PRIORITY, PRIORITY }, 0 },
    { "setpgid", SYS_setpgid, { SELF, GROUP }, 0 },
    { "ptrace", SYS_ptrace, { TRACE_REQUEST, SELF }, 0 },
    { "process_vm_readv", SYS_process_vm_readv, { SELF, NONE, NONE, NONE, NONE, COPY_FLAGS }, 0 },
    { "process_vm_writev", SYS_process_vm_writev, { SELF, NONE, NONE, NONE, NONE, COPY_FLAGS }, 0 },
    { "ioprio_set", SYS_ioprio_set, { WHICH_IO, SELF, IO_PRIORITY }, 0 },
};

static int path_named(const char *name)
{
    int index = 0;
    while (strcmp(PATHS[index], name) != 0)
        index++;
    return index;
}

/* The shape of one argument, or 0 if its kind has no more. */
static int shape_of(enum argument kind, int place, int shape, long *value, char *label)
{
    static const char *const LINKS[] = { "file", "", "/nowhere", "b\xff", LONG_NAME };
    static const struct rlimit LIMIT = { 64, 64 };
    label[0] = 0;
    switch (kind) {
    case NONE: *value = 0; return shape == 0;
    case PATH: return path_shape(place, shape, path_named("file"), value, label);
    case NEW_PATH: return path_shape(place, shape, path_named("new"), value, label);
    case EMPTY_PATH: return path_shape(place, shape, path_named("empty"), value, label);
    case PROGRAM_PATH: return path_shape(place, shape, path_named("script"), value, label);
    case LINK_TEXT: return text_shape(place, LINKS, 5, shape, value, label);
    case DIRFD:
    case DIRFD_2: return directory_shape(shape, value, label);
    case FD: return descriptor_shape(shape, KIND_file_r, value, label);
    case FD_EXEC: return descriptor_shape(shape, KIND_script_r, value, label);
    case MODE: return mode_shape(shape, value, label);
    case DEVICE: NUMBERS(0, 0x103, 0x100000103, -1);
    case OPEN_FLAGS: return open_flag_shape(shape, value, label);
    case UNLINK_FLAGS: FLAGS(0, AT_REMOVEDIR, AT_EMPTY_PATH);
    case RENAME_FLAGS: FLAGS(0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT);
    case LINK_FLAGS: FLAGS(0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW);
    case MODE_FLAGS:
    case TIME_FLAGS:
    case NAME_FLAGS: return at_flag_shape(shape, value, label);
    case EXEC_FLAGS: FLAGS(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 0x10000);
    case ACCESS_FLAGS: FLAGS(0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH);
    case ACCESS_MODE: NUMBERS(R_OK, F_OK, W_OK, X_OK, 3, 5, 6, 7, 8, 15, -1, (1L << 32) | R_OK, 1L << 32, 0x80000000);
    case OWNER: {
        const long owners[] = { -1, getuid(), 1, (1L << 32) | getuid(), 0xffffffff, 0xfffffffe, 65535,
            (1L << 32) | 0xffffffff };
        static const char *const WHOSE[] = { "-1", "own", "1", "high-own", "-1u", "-2", "65535", "high-1" };
        if (shape >= 8)
            return 0;
        strcpy(label, WHOSE[shape]);
        *value = owners[shape];
        return 1;
    }
    case NAME: return attribute_shape(place, shape, value, label);
    case VALUE: return value_shape(place, shape, value, label);
    case VALUE_SIZE: NUMBERS(5, 0, 1, 100, 4000, 65535, 65536, 65537, INT_MAX, 1L << 31, 1L << 32, (1L << 32) | 5,
        -1, LONG_MAX, LONG_MIN);
    case ROOM_ARGUMENT: return room_shape(place, shape, value, label);
    case ROOM_SIZE: return size_shape(shape, value, label);
    case SET_FLAGS: NUMBERS(0, 1, 2, 3, 4, 0x80000000, -1, 1L << 32, (1L << 32) | 1);
    case SET_ARGUMENTS: return attribute_arguments_shape(place, 0, shape, value, label);
    case GET_ARGUMENTS: return attribute_arguments_shape(place, 1, shape, value, label);
    case ARGUMENTS_SIZE: return structure_size_shape(16, shape, value, label);
    case HOW: return how_shape(place, shape, value, label);
    case HOW_SIZE: return structure_size_shape(24, shape, value, label);
    case UTIMBUF: return times_shape(place, 0, shape, value, label);
    case TIMEVALS: return times_shape(place, 1, shape, value, label);
    case TIMESPECS: return times_shape(place, 2, shape, value, label);
    case LENGTH: NUMBERS(3, 0, 10, 11, 1 << 20, -1, LONG_MIN, LONG_MAX, 1L << 32, 1L << 62, 17L << 40);
    case WATCH_FD: return descriptor_shape(shape, KIND_inotify, value, label);
    case WATCH_MASK: FLAGS(IN_MODIFY, IN_ONLYDIR, IN_DONT_FOLLOW, IN_MASK_ADD, IN_MASK_CREATE, IN_EXCL_UNLINK,
        IN_ONESHOT, IN_ISDIR, -1);
    case FAMILY: NUMBERS(AF_UNIX, 0, AF_INET, AF_INET6, AF_NETLINK, 45, 99, -1, (1L << 32) | AF_UNIX);
    case SOCKET_TYPE:
        NUMBERS(SOCK_STREAM, 0, SOCK_SEQPACKET, SOCK_RAW, SOCK_STREAM | SOCK_CLOEXEC, SOCK_STREAM | SOCK_NONBLOCK,
            SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                7, 11, SOCK_STREAM | 0x100, -1, (1L << 32) | SOCK_STREAM);
    case PROTOCOL: NUMBERS(0, 1, 2, 6, 17, 255, -1, 1L << 32);
    case PAIR_ROOM: return shape == 0 || (shape > 1 && shape < 12) ? room_shape(place, shape, value,
        label) : shape == 1 && room_shape(place, 0, value, label);
    case SOCKET_FD: return descriptor_shape(shape, KIND_unix_stream, value, label);
    case BIND_ADDRESS: return address_shape(place, "new", shape, value, label);
    case CONNECT_ADDRESS: return address_shape(place, "sock", shape, value, label);
    case ADDRESS_LENGTH: return length_shape(shape, value, label);
    case LISTEN_FD: return descriptor_shape(shape, KIND_tcp_bound, value, label);
    case BACKLOG: NUMBERS(5, 0, 1, -1, INT_MAX, 1L << 32);
    case ARGV: return list_shape(place, 0, shape, value, label);
    case ENVP: return list_shape(place == 2 ? 4 : 6, 1, shape, value, label);
    case PRCTL_OPTION:
        if (shape >= 90)
            return 0;
        is_watched[0] = 1;
        *value = shape < 84 ? shape : (long[]){ 0x53564d41, 0x59616d61, 1000, -1, (1L << 32) | 15,
            (1L << 32) | 4 }[shape - 84];
        sprintf(label, "%#lx", *value);
        return 1;
    case PRCTL_VALUE: NUMBERS(0, 1, 2, 9, 64, -1, 1L << 32, (long)arena + 256);
    case TERMINAL_FD: return descriptor_shape(shape, KIND_master, value, label);
    case TERMINAL_REQUEST: NUMBERS(TIOCGPTPEER, (1L << 32) | TIOCGPTPEER);
    case TERMINAL_FLAGS: FLAGS(0, O_RDWR, O_NOCTTY, O_CLOEXEC, O_NONBLOCK, O_PATH, O_CREAT, O_DIRECTORY);
    case SELF:
    case SELF_PRIORITY: {
        static const char *const WHO[] = { "0", "self", "high-self", "-1", "nobody" };
        if (shape >= 5)
            return 0;
        strcpy(label, WHO[shape]);
        *value = (long[]){ 0, getpid(), (1L << 32) | getpid(), -1, 1 << 22 }[shape];
        return 1;
    }
    case GROUP: {
        static const char *const WHOSE[] = { "0", "self", "parents", "high-self", "-1", "nobody" };
        if (shape >= 6)
            return 0;
        strcpy(label, WHOSE[shape]);
        *value = (long[]){ 0, getpid(), getpgid(getppid()), (1L << 32) | getpid(), -1, 1 << 22 }[shape];
        return 1;
    }
    case TRACE_REQUEST: NUMBERS(1, 3, 7, 12, 16, 17, 0x4200, 0x4206, 0x4207, 99, -1, 1L << 32);
    case COPY_FLAGS: NUMBERS(0, 1, 1L << 32);
    case POLICY: NUMBERS(SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR, 6, 7, 99, -1, 0x40000000,
        0x40000003, 1L << 32);
    case SCHED_PARAM: {
        static const int PRIORITIES[] = { 0, 1, 99, 100, -1 };
        if (shape < 5) {
            sprintf(label, "{%d}", PRIORITIES[shape]);
            *value = put(place, &PRIORITIES[shape], 4, HERE);
            return 1;
        }
        return bytes_shape(place, PRIORITIES, 4, shape - 4, value, label);
    }
    case SCHED_ATTR: {
        struct { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long times[3];
            unsigned low, high; char rest[5000]; } all = { 0 };
        static const unsigned SIZES[] = { 56, 48, 0, 1, 47, 49, 57, 4096, 4097, 0xffffffff };
        all.size = SIZES[shape < 10 ? shape : 0];
        if (shape >= 10 && shape < 14)
            all.policy = (unsigned[]){ 1, 3, 6, 99 }[shape - 10];
        if (shape >= 14 && shape < 18)
            all.flags = (unsigned long[]){ 1, 8, 0x60, 0x80 }[shape - 14];
        sprintf(label, "attr%d", shape);
        if (shape >= 18)
            return bytes_shape(place, &all, 56, shape - 17, value, label);
        *value = put(place, &all, sizeof all, HERE);
        return 1;
    }
    case SCHED_ATTR_FLAGS: NUMBERS(0, 1, -1, 1L << 32);
    case CPU_SIZE: NUMBERS(8, 0, 1, 4, 128, 1024, -1, (1L << 32) | 8);
    case CPU_MASK: {
        static const unsigned long MASKS[][128] = { { -1UL }, { 0 }, { 1 } };
        if (shape < 3) {
            sprintf(label, "{%lx}", MASKS[shape][0]);
            *value = put(place, MASKS[shape], sizeof *MASKS, HERE);
            return 1;
        }
        return bytes_shape(place, MASKS[0], 8, shape - 2, value, label);
    }
    case RESOURCE:
        if (shape >= 20)
            return 0;
        *value = (shape + RLIMIT_NOFILE) % 20 == 19 ? -1 : (shape + RLIMIT_NOFILE) % 20;
        sprintf(label, "%ld", *value);
        return 1;
    case NEW_LIMIT: {
        static const struct rlimit LIMITS[] = { { 64, 64 }, { 64, 10 }, { -1UL, -1UL }, { 1UL << 40, 1UL << 40 },
            { 0, 1024 } };
        if (shape == 0) {
            strcpy(label, "NULL");
            *value = 0;
            return 1;
        }
        if (shape <= 5) {
            sprintf(label, "{%lx,%lx}", LIMITS[shape - 1].rlim_cur, LIMITS[shape - 1].rlim_max);
            *value = put(place, &LIMITS[shape - 1], sizeof *LIMITS, HERE);
            return 1;
        }
        return bytes_shape(place, &LIMIT, sizeof LIMIT, shape - 5, value, label);
    }
    case OLD_LIMIT: return room_shape(place, shape, value, label);
        /* Of a group or a user there are others. */
    case WHICH_PRIORITY: NUMBERS(PRIO_PROCESS, 3, -1, 1L << 32);
    case PRIORITY: NUMBERS(5, 0, 19, 20, 1000, -1, -20, INT_MIN, (1L << 32) | 5);
    case WHICH_IO: NUMBERS(1, 0, 4, -1, (1L << 32) | 1);
    case IO_PRIORITY: NUMBERS(2 << 13 | 4, 0, 1 << 13, 3 << 13, 2 << 13 | 7, 2 << 13 | 8, 4 << 13, 7 << 13, -1,
        (1L << 32) | (2 << 13));
    }
    return 0;
}
