/* Calls that are no way to a file but to the kernel, the host, or another process: each is refused by its number. Most
 * would change the host, so they are never run bare. */
#include "attempt.h"

#include <linux/fanotify.h>
#include <linux/perf_event.h>
#include <sys/fanotify.h>
#include <sys/quota.h>
#include <sys/stat.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

#define HOST "it would change the whole host"

ATTEMPT(swapon_of_a_file, .expect = "EPERM", .never_bare = HOST)
{
    report(syscall(SYS_swapon, "note", 0));
    report(syscall(SYS_swapoff, "note"));
    neighbour_reads("note");
}

/* Accounting writes the names of all programs into a file, as the kernel. */
ATTEMPT(acct_into_a_secret, .expect = "EPERM", .never_bare = HOST)
{
    report(syscall(SYS_acct, path("secret/key")));
    neighbour_reads("note");
}

ATTEMPT(quotactl_on, .expect = "EPERM", .never_bare = HOST)
{
    report(syscall(SYS_quotactl, QCMD(Q_QUOTAON, USRQUOTA), "/", 0, path("secret/key")));
    int fd = (int)MUST(open(".", O_RDONLY));
    report(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETFMT, USRQUOTA), 0, NULL));
    neighbour_reads("note");
}

/* The descriptor in an event of this class is open for reading. */
ATTEMPT(fanotify_hands_out_descriptors, .expect = "EPERM", .user = "an ordinary user gets no descriptors from fanotify")
{
    int group = (int)report(fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK, O_RDONLY));
    report(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, AT_FDCWD, path("secret/key")));
    close(open(path("secret/key"), O_RDONLY));
    struct fanotify_event_metadata event;
    if (read(group, &event, sizeof event) == sizeof event)
        spill(event.fd);
    neighbour_reads("note");
}

ATTEMPT(fanotify_reports_names, .expect = "EPERM")
{
    char bytes[4096];
    int group = (int)report(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK, O_RDONLY));
    report(fanotify_mark(group, FAN_MARK_ADD, FAN_CREATE | FAN_ONDIR, AT_FDCWD, path("secret")));
    outside("name secret");
    ssize_t got = read(group, bytes, sizeof bytes);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour_reads("note");
}

#ifdef SYS_uselib
ATTEMPT(uselib_of_a_secret, .expect = "EPERM", .user = "kernels of today do not have it",
        .root = "kernels of today do not have it")
{
    report(syscall(SYS_uselib, path("secret/key")));
    neighbour_reads("note");
}

/* Ports of the hardware: disk controllers among them. */
ATTEMPT(ports_of_the_hardware, .expect = "EPERM", .never_bare = HOST)
{
    report(syscall(SYS_iopl, 3));
    report(syscall(SYS_ioperm, 0, 1024, 1));
    neighbour_reads("note");
}
#endif

ATTEMPT(retired_calls, .expect = "EPERM|ENOSYS", .user = "kernels of today do not have them",
        .root = "kernels of today do not have them")
{
    report(syscall(SYS_lookup_dcookie, 0L, "", 0));
    report(syscall(SYS_nfsservctl, 0, NULL, NULL));
#ifdef SYS__sysctl
    report(syscall(SYS__sysctl, NULL));
    report(syscall(SYS_query_module, path("secret/key"), 0, NULL, 0, NULL));
#endif
    neighbour_reads("note");
}

ATTEMPT(modules_of_the_kernel, .expect = "EPERM", .never_bare = HOST)
{
    report(syscall(SYS_init_module, "", 0, ""));
    report(syscall(SYS_finit_module, (int)MUST(open("note", O_RDONLY)), "", 0));
    report(syscall(SYS_delete_module, "none", 0));
    neighbour_reads("note");
}

ATTEMPT(another_kernel, .expect = "EPERM", .never_bare = HOST)
{
    report(syscall(SYS_kexec_load, 0, 0, NULL, 0));
#ifdef SYS_kexec_file_load
    report(syscall(SYS_kexec_file_load, -1, -1, 0, "", 0));
#endif
    /* The numbers are wrong, in case nobody refuses it. */
    report(syscall(SYS_reboot, 0, 0, 0, NULL));
    neighbour_reads("note");
}

ATTEMPT(programs_of_bpf, .expect = "EPERM", .user = "kernel.unprivileged_bpf_disabled is the rule",
        .root = "a program of BPF leaves no trace in the tree")
{
    char attributes[128] = {1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1};
    report(syscall(SYS_bpf, 0, attributes, sizeof attributes));
    neighbour_reads("note");
}

ATTEMPT(events_of_performance, .expect = "EPERM", .user = "counters leave no trace in the tree",
        .root = "counters leave no trace in the tree")
{
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes};
    report(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
    neighbour_reads("note");
}

/* CVE-2016-0728 and its family; here simply the secret that the outsider keeps there, as ssh and Kerberos do. */
ATTEMPT(keys_of_the_user, .expect = "EPERM", .with = OUTSIDER)
{
    char bytes[256] = "";
    const char *name = strrchr(root, '/') + 1;
    /* KEYCTL_SEARCH in KEY_SPEC_USER_KEYRING, KEYCTL_READ. */
    long key = report(syscall(SYS_keyctl, 10, -4, "user", name, 0));
    long got = report(syscall(SYS_keyctl, 11, key, bytes, sizeof bytes));
    if (got > 0)
        printf("%s\n", bytes);
    neighbour_reads("note");
}

ATTEMPT(keys_made_and_asked_for, .expect = "EPERM", .user = "a key of one's own harms nobody",
        .root = "a key of one's own harms nobody")
{
    report(syscall(SYS_add_key, "user", "claw", "x", 1, -1));
    report(syscall(SYS_request_key, "user", "claw", NULL, 0));
    neighbour_reads("note");
}

ATTEMPT(names_and_clocks_of_the_host, .expect = "EPERM", .never_bare = HOST)
{
    struct timespec now = {0};
    report(syscall(SYS_sethostname, "claw", 4));
    report(syscall(SYS_setdomainname, "claw", 4));
    report(syscall(SYS_vhangup));
    report(clock_settime(CLOCK_REALTIME, &now));
    neighbour(clock_gettime(CLOCK_REALTIME, &now));
}

/* 5 clears the kernel's log: only CAP_SYSLOG may. */
ATTEMPT(log_of_the_kernel_cleared, .expect = "EPERM", .never_bare = HOST)
{
    report(syscall(SYS_syslog, 5, NULL, 0));
    neighbour_reads("note");
}

/* Files whose content the kernel executes, or obeys, outside of every sandbox. They are opened and not written. */
ATTEMPT(files_that_rule_the_host, .expect = "EACCES", .never_bare = HOST)
{
    static const char *const files[] = {
        "/proc/sys/kernel/core_pattern",  "/proc/sys/kernel/modprobe",        "/proc/sys/kernel/randomize_va_space",
        "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",    "/proc/sysrq-trigger",
        "/proc/1/oom_score_adj",          "/sys/kernel/profiling",            "/sys/power/state",
        "/dev/kmsg",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (access(files[i], F_OK) == 0)
            report(open(files[i], O_WRONLY));
    neighbour(open("note", O_WRONLY));
}

/* /proc/kcore asks for a capability by itself. */
ATTEMPT(devices_of_the_host, .expect = "EACCES|EPERM", .never_bare = HOST)
{
    static const char *const files[] = {"/dev/mem",     "/dev/kvm",   "/dev/fuse",          "/dev/uinput",     "/dev/vda",
                                        "/dev/loop0",   "/dev/tty0",  "/dev/mapper/control", "/dev/net/tun",   "/dev/vhost-vsock",
                                        "/dev/loop-control", "/dev/userfaultfd", "/proc/kcore", "/proc/kmsg", "/sys/kernel/debug"};
    report(open("/dev/console", O_RDWR));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (access(files[i], F_OK) == 0)
            report(open(files[i], O_RDONLY));
    neighbour(open("/dev/null", O_RDWR));
}

/* Every number, with a blocked path in each place that a path can have. What answers with a descriptor is read, what
 * fills a buffer is printed. */
static char buffer[8192];
static const char *blocked;

static long argument(char kind)
{
    switch (kind) {
    case 'P': return (long)blocked;
    case 'S': return (long)"stolen";
    case 'V': return (long)"victim";
    case 'D': return AT_FDCWD;
    case 'B': return (long)buffer;
    case 'Z': return sizeof buffer;
    case 'W': return O_RDWR;
    case '7': return 0777;
    default: return 0;
    }
}

static const char *const shapes[] = {
    "P00000", "PW0000", "P70000", "PBZ000", "PS0000", "VP0000", "SP0000", "PPBZ00", "DP0000", "DPW000", "DP7000",
    "DPBZ00", "DPDS00", "DVDP00", "DP0SBZ", "0P0000", "0PBZ00", "00P000", "000P00", "B0P000", "BP0000", "PPPPPP",
};

/* What would end, stop or hide the one who asks. */
static int is_left_out(int number)
{
    static const int numbers[] = {
        SYS_clone, SYS_clone3, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_setitimer, SYS_sync,
        SYS_setsid, SYS_kill, SYS_personality, SYS_restart_syscall, SYS_munmap, SYS_mremap, SYS_brk, SYS_vhangup,
#ifdef SYS_fork
        SYS_fork, SYS_vfork,
#endif
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] == number)
            return 1;
    return 0;
}

static void ask(int number, size_t *volatile next)
{
    while (*next < sizeof shapes / sizeof *shapes) {
        const char *shape = shapes[(*next)++];
        memset(buffer, 0, sizeof buffer);
        ualarm(30000, 0);
        long got = syscall(number, argument(shape[0]), argument(shape[1]), argument(shape[2]), argument(shape[3]),
                           argument(shape[4]), argument(shape[5]));
        ualarm(0, 0);
        if (got > 2 && got < 1024 && fcntl((int)got, F_GETFD) >= 0 && fcntl((int)got, F_SETFL, O_NONBLOCK) == 0) {
            char bytes[512];
            ssize_t count = read((int)got, bytes, sizeof bytes);
            if (count > 0)
                (void)!write(1, bytes, (size_t)count);
            close((int)got);
        }
        for (size_t i = 0; i < sizeof buffer; i++)
            if (buffer[i]) {
                (void)!write(1, buffer, sizeof buffer);
                break;
            }
    }
}

static void ask_all(void)
{
    size_t *next = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int number = 0; number < 600; number++) {
        *next = 0;
        while (!is_left_out(number) && *next < sizeof shapes / sizeof *shapes) {
            pid_t child = fork();
            if (child == 0) {
                (void)!symlink("note", "victim");
                ask(number, next);
                _exit(0);
            }
            if (child < 0)
                _exit(1);
            waitpid(child, NULL, 0);
        }
    }
}

/* Bare, this would set the clock and worse: so it goes where nothing of the host is in reach, if it can. */
static void ask_all_about(const char *name)
{
    uid_t uid = geteuid();
    blocked = path(name);
    fflush(stdout);
    int spaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
    if (unshare(spaces) != 0 && errno != EPERM)
        fail("unshare");
    int map = open("/proc/self/uid_map", O_WRONLY);
    const char *line = text("%d %d 1", (int)uid, (int)uid);
    (void)!write(map, line, strlen(line));
    close(map);
    /* Nor is any descriptor of the host: 0 is a shape's filling, and fchmod(0) would be heard by everybody. */
    close(0);
    MUST(open("victim0", O_RDWR | O_CREAT, 0600));
    MUST(close_range(3, ~0U, 0));
    pid_t child = fork();
    if (child == 0) {
        ask_all();
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    errno = ECHILD;
    neighbour(status == 0 ? open("sub/note", O_RDONLY) : -1);
}

ATTEMPT(every_number_on_a_secret)
{
    ask_all_about("secret/key");
}

ATTEMPT(every_number_on_a_blocked_file_of_the_workspace)
{
    ask_all_about("work/locked/key");
}

ATTEMPT(every_number_on_what_may_only_be_read)
{
    ask_all_about("work/fixed/note");
}

ATTEMPT(every_number_on_a_blocked_directory)
{
    ask_all_about("secret");
}
