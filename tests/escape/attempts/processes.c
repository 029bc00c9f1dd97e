/* Processes: those outside, and what rules them; those that outlive the command, or hide. The outsider has a secret in its
 * environment and its memory, `secret/key` as descriptor 20, and `secret` as its working directory. */
#include "attempt.h"
#include "children.h"

#include <linux/kcmp.h>
#include <mqueue.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define OUTSIDERS_SECRET 20

/* What a neighbour has where the outsider has its secret. */
static char word[64] = "neighbour";

/* Sight. */
ATTEMPT(process_vm_readv_of_the_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    char bytes[128] = "";
    struct iovec to = {bytes, 60}, from = {(void *)outsider_memory, 60};
    if (report(process_vm_readv(outsider, &to, 1, &from, 1, 0)) > 0)
        printf("%s\n", bytes);
    /* The attempts in `tracing` are about other processes of the target. */
    from.iov_base = word;
    neighbour(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
}

ATTEMPT(process_vm_writev_of_the_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    struct iovec from = {word, 5}, to = {(void *)outsider_memory, 5};
    report(process_vm_writev(outsider, &from, 1, &to, 1, 0));
    char mine[8];
    to.iov_base = mine;
    neighbour(process_vm_writev(getpid(), &from, 1, &to, 1, 0));
}

ATTEMPT(ptrace_of_the_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    if (report(ptrace(PTRACE_ATTACH, outsider, NULL, NULL)) == 0) {
        waitpid(outsider, NULL, 0);
        for (int i = 0; i < 6; i++) {
            long bytes = ptrace(PTRACE_PEEKDATA, outsider, outsider_memory + 8 * (unsigned long)i, NULL);
            fwrite(&bytes, 1, 8, stdout);
        }
        ptrace(PTRACE_DETACH, outsider, NULL, NULL);
    }
    pid_t child = sleeper();
    neighbour(ptrace(PTRACE_ATTACH, child, NULL, NULL));
    waitpid(child, NULL, 0);
    end(child);
}

ATTEMPT(ptrace_seize_of_the_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    if (report(ptrace(PTRACE_SEIZE, outsider, NULL, NULL)) == 0) {
        ptrace(PTRACE_INTERRUPT, outsider, NULL, NULL);
        waitpid(outsider, NULL, 0);
        ptrace(PTRACE_POKEDATA, outsider, outsider_memory, 0x41414141L);
        ptrace(PTRACE_DETACH, outsider, NULL, NULL);
    }
    pid_t child = sleeper();
    neighbour(ptrace(PTRACE_SEIZE, child, NULL, NULL));
    end(child);
}

#define OF_PROC(NAME, FILE, FLAGS, BLOCK)                                                                              \
    ATTEMPT(NAME, .expect = "EACCES", .with = OUTSIDER)                                                                \
    {                                                                                                                  \
        int fd = (int)report(open(text("/proc/%d/" FILE, outsider), FLAGS));                                           \
        if (fd >= 0)                                                                                                   \
            BLOCK;                                                                                                     \
        neighbour(open("/proc/self/status", O_RDONLY));                                                                \
    }

static void print_memory(int fd)
{
    char bytes[64];
    if (pread(fd, bytes, 60, (off_t)outsider_memory) == 60)
        fwrite(bytes, 1, 60, stdout);
}

OF_PROC(environment_of_the_outsider, "environ", O_RDONLY, spill(fd))
OF_PROC(memory_of_the_outsider, "mem", O_RDONLY, print_memory(fd))
OF_PROC(memory_of_the_outsider_written, "mem", O_RDWR, (void)!pwrite(fd, "x", 1, (off_t)outsider_memory))
OF_PROC(root_of_the_outsider, "cwd/key", O_RDONLY, spill(fd))
OF_PROC(descriptor_of_the_outsider, "fd/20", O_RDONLY, spill(fd))
OF_PROC(thread_of_the_outsider, "cwd/../secret/sub/key", O_RDONLY, spill(fd))
OF_PROC(oom_score_of_the_outsider, "oom_score_adj", O_WRONLY, (void)!write(fd, "500", 3))
OF_PROC(core_filter_of_the_outsider, "coredump_filter", O_WRONLY, (void)!write(fd, "0x7f", 4))

ATTEMPT(environment_of_the_outsiders_thread, .expect = "EACCES", .with = OUTSIDER)
{
    show(open(text("/proc/%d/task/%d/environ", outsider, outsider), O_RDONLY));
    neighbour(open("/proc/thread-self/status", O_RDONLY));
}

/* What tells of a process, without a secret of the outsider's in it: who is who. */
ATTEMPT(other_files_of_the_outsider, .expect = "EACCES", .with = OUTSIDER, .user = "there is no canary in these",
        .root = "there is no canary in these")
{
    static const char *const files[] = {"maps", "smaps", "auxv", "stat", "status", "cmdline", "limits",
                                        "exe",  "fdinfo/20", "mountinfo", "numa_maps", "pagemap", "syscall", "wchan"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (access(text("/proc/%d/%s", outsider, files[i]), F_OK) == 0)
            report(open(text("/proc/%d/%s", outsider, files[i]), O_RDONLY));
    neighbour(open("/proc/self/maps", O_RDONLY));
}

/* A directory that is pinned stays that process's. */
ATTEMPT(environment_through_a_path_descriptor, .expect = "EACCES", .with = OUTSIDER)
{
    int fd = (int)MUST(open(text("/proc/%d", outsider), O_PATH));
    show(openat(fd, "environ", O_RDONLY));
    fd = (int)MUST(open("/proc/self", O_PATH));
    neighbour(openat(fd, "status", O_RDONLY));
}

ATTEMPT(environment_after_chdir, .expect = "EACCES", .with = OUTSIDER)
{
    if (chdir(text("/proc/%d", outsider)) == 0)
        show(open("environ", O_RDONLY));
    MUST(chdir("/proc/self"));
    neighbour(open("status", O_RDONLY));
}

/* The working directory of the outsider is `secret`: to go there is free, to read there is not. */
ATTEMPT(chdir_into_the_outsiders_directory, .expect = "EACCES", .with = OUTSIDER)
{
    if (chdir(text("/proc/%d/cwd", outsider)) != 0)
        MUST(chdir(path("secret")));
    show(open("key", O_RDONLY));
    MUST(chdir(path("work")));
    neighbour_reads("note");
}

ATTEMPT(descriptor_by_pidfd_getfd, .expect = "EPERM", .with = OUTSIDER)
{
    int fd = (int)report(syscall(SYS_pidfd_getfd, pidfd(outsider), OUTSIDERS_SECRET, 0));
    char bytes[64];
    if (pread(fd, bytes, 32, 0) == 32)
        fwrite(bytes, 1, 32, stdout);
    pid_t child = sleeper();
    neighbour(syscall(SYS_pidfd_getfd, pidfd(child), 1, 0));
    end(child);
}

ATTEMPT(namespace_of_the_outsider, .expect = "EACCES|EPERM", .with = OUTSIDER, .user = "the namespace is the same one",
        .root = "the namespace is the same one")
{
    report(open(text("/proc/%d/ns/mnt", outsider), O_RDONLY));
    /* PIDFD_GET_MNT_NAMESPACE */
    report(ioctl(pidfd(outsider), _IO(0xFF, 3), 0));
    neighbour(open("/proc/self/status", O_RDONLY));
}

ATTEMPT(kcmp_with_the_outsider, .expect = "EPERM", .with = OUTSIDER, .user = "it only compares", .root = "it only compares")
{
    report(syscall(SYS_kcmp, getpid(), outsider, KCMP_FILE, 1, 1));
    pid_t child = sleeper();
    neighbour(syscall(SYS_kcmp, getpid(), child, KCMP_FILE, 1, 1));
    end(child);
}

ATTEMPT(pages_of_the_outsider_moved, .expect = "EPERM|EACCES", .with = OUTSIDER, .user = "pages that move leave no trace",
        .root = "pages that move leave no trace")
{
    unsigned long from = 1, to = 1;
    report(syscall(SYS_migrate_pages, outsider, 8 * sizeof from, &from, &to));
    void *page = (void *)outsider_memory;
    int status;
    report(syscall(SYS_move_pages, outsider, 1, &page, NULL, &status, 0));
    struct iovec memory = {(void *)(outsider_memory & ~4095UL), 4096};
    report(syscall(SYS_process_madvise, pidfd(outsider), &memory, 1, MADV_COLD, 0));
    neighbour_reads("note");
}

ATTEMPT(process_mrelease_of_the_outsider, .expect = "EPERM|EINVAL", .with = OUTSIDER,
        .user = "only what is dying loses its memory", .root = "only what is dying loses its memory")
{
    report(syscall(SYS_process_mrelease, pidfd(outsider), 0));
    neighbour_reads("note");
}

ATTEMPT(setpgid_of_the_outsider, .expect = "ESRCH|EPERM", .with = OUTSIDER, .user = "only one's children are moved",
        .root = "only one's children are moved")
{
    report(setpgid(outsider, 0));
    neighbour(setpgid(0, 0));
}

/* Those above: the supervisor is the parent, and has a parent itself. */
static pid_t parent_of(pid_t pid)
{
    char line[512] = "";
    int fd = open(text("/proc/%d/stat", (int)pid), O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
        return 0;
    return atoi(strrchr(line, ')') + 4);
}

#define HARNESS "bare, its parent is whoever runs the suite"

ATTEMPT(supervisor_is_not_seen, .expect = "EACCES", .never_bare = HARNESS)
{
    static const char *const files[] = {"environ", "mem", "maps", "fd/3", "cwd/.", "root/.", "stat", "task"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        report(open(text("/proc/%d/%s", getppid(), files[i]), O_RDONLY));
    printf("above: %d\n", parent_of(getppid()));
    neighbour(open("/proc/self/stat", O_RDONLY));
}

ATTEMPT(supervisor_is_not_traced, .expect = "EPERM", .never_bare = HARNESS)
{
    char bytes[64];
    struct iovec to = {bytes, 8}, from = {(void *)0x400000, 8};
    report(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
    report(process_vm_readv(getppid(), &to, 1, &from, 1, 0));
    for (int fd = 0; fd < 64; fd++)
        report(syscall(SYS_pidfd_getfd, pidfd(getppid()), fd, 0));
    neighbour_reads("note");
}

ATTEMPT(supervisor_is_not_limited, .expect = "EPERM", .never_bare = HARNESS)
{
    struct rlimit nothing = {0, 0};
    report(prlimit(getppid(), RLIMIT_NOFILE, &nothing, NULL));
    report(prlimit(getppid(), RLIMIT_CPU, &nothing, NULL));
    report(setpriority(PRIO_PROCESS, (id_t)getppid(), 19));
    report(sched_setscheduler(getppid(), SCHED_IDLE, &(struct sched_param){0}));
    neighbour_reads("note");
}

/* A descendant that leaves its parents, its session and the command's life still is the target. */
static void daemonise(int reads_after)
{
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            if (reads_after)
                while (getppid() != 1 && access("over", F_OK) != 0)
                    usleep(1000);
            spill(open(path("secret/key"), O_RDONLY));
            int fd = open("fixed/note", O_WRONLY | O_APPEND);
            (void)!write(fd, "x", 1);
            exit(0);
        }
        _exit(0);
    }
    wait(NULL);
}

ATTEMPT(daemon_reads)
{
    daemonise(0);
    usleep(100000);
    neighbour_reads("note");
}

ATTEMPT(daemon_acts_when_the_command_has_ended, .user = "the harness ends what is left, so nobody can see it bare",
        .root = "the harness ends what is left, so nobody can see it bare")
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        pid_t command = getppid();
        for (int i = 0; i < 200 && kill(command, 0) == 0; i++)
            usleep(1000);
        usleep(300000);
        spill(open(path("secret/key"), O_RDONLY));
        exit(0);
    }
    neighbour_reads("note");
}

/* A peer failed open here: who is not dumpable cannot be read, so nobody judged it. */
ATTEMPT(process_that_is_not_dumpable, .expect = "EACCES")
{
    prctl(PR_SET_DUMPABLE, 0);
    show(open(path("secret/key"), O_RDONLY));
    report(chmod("fixed/note", 0600));
    neighbour_reads("note");
}

ATTEMPT(process_that_names_its_tracer, .expect = "EACCES")
{
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    prctl(PR_SET_PTRACER, 0);
    show(open(path("secret/key"), O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(process_that_changes_its_map, .expect = "EPERM|EINVAL|EACCES", .user = "it needs CAP_SYS_RESOURCE",
        .root = "nothing of the tree is in it")
{
    report(prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, MUST(open("/bin/cat", O_RDONLY)), 0, 0));
    report(prctl(PR_SET_MM, PR_SET_MM_ARG_START, (long)word, 0, 0));
    neighbour_reads("note");
}

/* A program that gives its user rights, of an owner who is root. */
ATTEMPT(set_user_id_program, .user = "a password is asked for", .root = "root is root already")
{
    sh("for p in su mount umount passwd chsh sudo; do command -v $p; done; su -c 'cat ~/secret/key' </dev/null");
    neighbour_sh("id -u");
}

ATTEMPT(rights_asked_back, .expect = "EPERM", .user = "there are none to ask back", .root = "root has them already")
{
    struct {
        uint32_t version;
        int pid;
    } head = {0x20080522, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } sets[2] = {{~0U, ~0U, 0}, {1, 1, 0}};
    report(syscall(SYS_capset, &head, sets));
    report(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 7, 0, 0));
    report(setresuid(1, 1, 1));
    neighbour(setresuid(getuid(), getuid(), getuid()));
}

/* Who is dead still has a number, and its parent its file of it. */
ATTEMPT(zombie_in_proc, .user = "a zombie has no memory", .root = "a zombie has no memory")
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    usleep(20000);
    static const char *const files[] = {"environ", "mem", "cwd/key", "root/etc/shadow", "fd/3"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        spill(open(text("/proc/%d/%s", (int)child, files[i]), O_RDONLY));
    waitpid(child, NULL, 0);
    neighbour_reads("note");
}

/* Queues of messages have names of their own, which all processes of a user share: the outsider's is that of the tree. */
static const char *queue(const char *end)
{
    return text("/%s%s", strrchr(root, '/') + 1, end);
}

static struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 16};

ATTEMPT(queue_of_the_outsider_removed, .expect = "EACCES", .with = OUTSIDER)
{
    report(syscall(SYS_mq_unlink, queue("") + 1));
    neighbour_reads("note");
}

ATTEMPT(queue_of_the_outsider_written, .expect = "EACCES", .with = OUTSIDER)
{
    int fd = (int)report(mq_open(queue(""), O_WRONLY | O_NONBLOCK));
    if (fd >= 0)
        mq_send(fd, "x", 1, 0);
    neighbour_reads("note");
}

/* The kernel makes the queue, and only then asks whether it may be opened. */
ATTEMPT(queue_left_behind, .expect = "EACCES", .with = OUTSIDER)
{
    report(mq_open(queue("-left"), O_WRONLY | O_CREAT, 0600, &small));
    neighbour_reads("note");
}
