/* Supervisor: to block it, to flood it, to take its place, to be forgotten by it, and to end it. While it is kept busy, a
 * blocked file must stay blocked and an allowed one must open. */
#include "attempt.h"
#include "children.h"

#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void open_fifo(void)
{
    (void)!open("fifo", O_RDONLY);
}

/* Two peers deadlock here. */
ATTEMPT(fifo_that_nobody_writes, .expect = "EACCES")
{
    pid_t children[16];
    MUST(mkfifo("fifo", 0600));
    for (int i = 0; i < 16; i++)
        children[i] = child_of(open_fifo);
    usleep(50000);
    try_both();
    for (int i = 0; i < 16; i++)
        end(children[i]);
}

static void *open_fifo_in_thread(void *unused)
{
    open_fifo();
    return unused;
}

ATTEMPT(fifo_opened_by_another_thread, .expect = "EACCES")
{
    pthread_t threads[8];
    MUST(mkfifo("fifo", 0600));
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, open_fifo_in_thread, NULL);
    usleep(50000);
    try_both();
}

ATTEMPT(fifo_without_waiting, .expect = "EACCES")
{
    MUST(mkfifo("fifo", 0600));
    MUST(open("fifo", O_RDONLY | O_NONBLOCK));
    MUST(open("fifo", O_RDWR));
    try_both();
}

static void open_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    char bytes[16];
    (void)!read(master, bytes, sizeof bytes);
}

ATTEMPT(terminal_that_nobody_types_at, .expect = "EACCES")
{
    pid_t child = child_of(open_terminal);
    usleep(20000);
    try_both();
    end(child);
}

/* Whoever holds a lease is asked before the open goes on, for as long as the kernel lets it. */
static void open_leased(void)
{
    (void)!open("leased", O_WRONLY);
}

ATTEMPT(lease_that_is_not_given_back, .expect = "EACCES")
{
    make_file("leased", "x");
    signal(SIGIO, SIG_IGN);
    int fd = (int)MUST(open("leased", O_RDONLY));
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    pid_t child = child_of(open_leased);
    usleep(50000);
    try_both();
    MUST(fcntl(fd, F_SETLEASE, F_UNLCK));
    end(child);
}

/* Floods. */
static void *flood(void *name)
{
    for (int i = 0; i < 60; i++) {
        int fd = open(name, O_RDONLY);
        char bytes[64];
        ssize_t got = fd >= 0 ? read(fd, bytes, sizeof bytes) : -1;
        if (got > 0 && strncmp(bytes, "neighbour", 9) != 0)
            (void)!write(1, bytes, (size_t)got);
        if (fd >= 0)
            close(fd);
        chmod(name, 0644);
    }
    return NULL;
}

ATTEMPT(flood_of_64_threads)
{
    pthread_t threads[64];
    for (int i = 0; i < 64; i++)
        pthread_create(&threads[i], NULL, flood, i % 2 ? path("secret/key") : path("work/note"));
    for (int i = 0; i < 64; i++)
        pthread_join(threads[i], NULL);
    neighbour_reads("note");
}

ATTEMPT(flood_of_long_paths, .expect = "EACCES")
{
    char name[PATH_MAX];
    memset(name, '/', sizeof name);
    strcpy(name + sizeof name - 5, "note");
    for (int i = 0; i < 300; i++)
        close(open(name, O_RDONLY));
    try_both();
}

ATTEMPT(flood_of_large_attributes, .expect = "EACCES")
{
    char *value = calloc(1, 1 << 16), *list = malloc(1 << 16);
    for (int i = 0; i < 200; i++) {
        setxattr("note", "user.large", value, 1 << 16, 0);
        listxattr("note", list, 1 << 16);
        syscall(SYS_getxattr, "note", "user.large", value, SIZE_MAX >> 1);
    }
    try_both();
}

ATTEMPT(flood_of_watches, .expect = "EACCES")
{
    int fd = (int)MUST(inotify_init1(IN_NONBLOCK));
    for (int i = 0; i < 5000; i++) {
        if (i < 200)
            mkdir(text("watched-%d", i), 0700);
        (void)!inotify_add_watch(fd, text("watched-%d", i % 200), IN_ALL_EVENTS);
    }
    try_both();
}

/* A path of more than PATH_MAX bytes, directory by directory. */
ATTEMPT(directory_deeper_than_any_path, .expect = "EACCES")
{
    char name[201];
    memset(name, 'd', 200);
    name[200] = 0;
    for (int i = 0; i < 25; i++) {
        MUST(mkdir(name, 0700));
        MUST(chdir(name));
    }
    (void)!open("note", O_WRONLY | O_CREAT, 0600);
    (void)!symlink(path("secret/key"), "link");
    show(open("link", O_RDONLY));
    show(open(path("secret/key"), O_RDONLY));
    neighbour_reads(path("work/note"));
}

/* Descriptors run out: here, and there as far as one can see to that. */
ATTEMPT(no_descriptor_left, .expect = "EACCES|EMFILE", .user = "nobody gets a descriptor", .root = "nobody gets a descriptor")
{
    struct rlimit few = {3, 1024}, enough = {1024, 1024};
    MUST(setrlimit(RLIMIT_NOFILE, &few));
    report(open(path("secret/key"), O_RDONLY));
    report(open("note", O_RDONLY) < 0 ? -1 : 0);
    MUST(setrlimit(RLIMIT_NOFILE, &enough));
    neighbour_reads("note");
}

ATTEMPT(no_descriptor_left_and_a_change, .expect = "EACCES")
{
    struct rlimit none = {0, 1024}, enough = {1024, 1024};
    MUST(setrlimit(RLIMIT_NOFILE, &none));
    report(chmod(path("secret/key"), 0600));
    long result = chmod("note", 0600);
    MUST(setrlimit(RLIMIT_NOFILE, &enough));
    neighbour(result);
}

static void hold_many(void)
{
    MUST(chdir(path("work/sub")));
    for (;;)
        (void)!open(".", O_RDONLY);
}

ATTEMPT(many_that_hold_many_descriptors, .expect = "EACCES")
{
    pid_t children[6];
    for (int i = 0; i < 6; i++)
        children[i] = child_of(hold_many);
    usleep(200000);
    try_both();
    for (int i = 0; i < 6; i++)
        end(children[i]);
}

ATTEMPT(standard_descriptors_closed, .expect = "EACCES")
{
    int out = (int)MUST(dup(1));
    close(0);
    close(1);
    close(2);
    int fd = open(path("secret/key"), O_RDONLY), why = errno;
    int other = open("note", O_RDONLY);
    dup2(out, 700);
    if (fd >= 0 && fd < 3)
        MUST(fcntl(fd, F_DUPFD, 10));
    char bytes[64] = "";
    ssize_t got = fd >= 0 ? read(fd, bytes, sizeof bytes - 1) : -1;
    dup2(700, 1);
    if (got > 0)
        printf("%s\n", bytes);
    errno = why;
    report(fd);
    neighbour(other);
}

/* Signals in the middle of a call, many of them. */
static void nothing(int number)
{
    (void)number;
}

static void interrupt(int flags)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    ualarm(200, 200);
    for (int i = 0; i < 300; i++) {
        int fd = open(path("secret/key"), O_RDONLY);
        if (fd >= 0) {
            spill(fd);
            close(fd);
        }
        chmod("fixed/note", 0600);
        close(open("note", O_RDONLY));
    }
    ualarm(0, 0);
    neighbour_reads("note");
}

ATTEMPT(signals_in_mid_call)
{
    interrupt(0);
}

ATTEMPT(signals_in_mid_call_that_restart)
{
    interrupt(SA_RESTART);
}

/* A target that dies while it is served: nothing is done for whoever gets its number. */
static void act_for_ever(void)
{
    const char *secret = path("secret/key");
    for (;;) {
        spill(open(secret, O_RDONLY));
        chmod("fixed/note", 0600);
        chmod("note", 0600);
    }
}

ATTEMPT(target_that_dies_in_mid_call)
{
    for (int i = 0; i < 150; i++) {
        pid_t child = child_of(act_for_ever);
        usleep((unsigned)(rand() % 1500));
        end(child);
    }
    neighbour_reads("note");
}

/* The other thread executes another program while this one is served. */
static void *act_in_thread(void *unused)
{
    act_for_ever();
    return unused;
}

ATTEMPT(target_that_executes_in_mid_call)
{
    for (int i = 0; i < 30; i++) {
        pid_t child = (fflush(stdout), fork());
        if (child == 0) {
            pthread_t thread;
            pthread_create(&thread, NULL, act_in_thread, NULL);
            usleep((unsigned)(rand() % 1500));
            execl("/bin/cat", "cat", path("secret/key"), NULL);
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
    neighbour_reads("note");
}

/* Page faults served by the target would stop the supervisor in the middle of a copy. */
ATTEMPT(userfaultfd_for_a_path, .expect = "EPERM", .user = "a fault that is served leaves no trace in the tree",
        .root = "a fault that is served leaves no trace in the tree")
{
    report(syscall(SYS_userfaultfd, O_CLOEXEC));
    report(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
    neighbour_reads("note");
}

/* Memory that comes and goes while the path is read from it. */
static volatile int is_over;
static char *page;

static void *toggle(void *unused)
{
    const char *secret = path("secret/key");
    while (!is_over) {
        mprotect(page, 4096, PROT_NONE);
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
        mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        strcpy(page, secret);
        munmap(page, 4096);
        mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        strcpy(page, secret);
    }
    return unused;
}

ATTEMPT(path_in_memory_that_comes_and_goes)
{
    pthread_t thread;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page, path("secret/key"));
    pthread_create(&thread, NULL, toggle, NULL);
    for (int i = 0; i < 400; i++) {
        int fd = open(page, O_RDONLY);
        if (fd >= 0) {
            spill(fd);
            close(fd);
        }
    }
    is_over = 1;
    pthread_join(thread, NULL);
    neighbour_reads("note");
}

/* The journal is written by line: a name makes none. */
ATTEMPT(name_that_writes_lines_into_the_journal, .expect = "EACCES")
{
    prctl(PR_SET_NAME, "a\n{\"allowed\"");
    (void)!open(path("secret/key\n{\"decision\":\"allowed\"}"), O_RDONLY | O_CREAT, 0600);
    show(open(path("secret/key"), O_RDONLY));
    neighbour_reads("note");
}

/* A deleted file reads back with these words, and a file may be named so. */
ATTEMPT(name_that_looks_deleted, .expect = "EACCES")
{
    MUST(mkdir("gone", 0700));
    int fd = (int)MUST(open("gone", O_PATH));
    MUST(rmdir("gone"));
    (void)!symlink(path("secret"), "gone (deleted)");
    (void)!openat(fd, "key", O_RDONLY);
    show(open("gone (deleted)/key", O_RDONLY));
    neighbour_reads("note");
}

/* Whoever is traced stops for its tracer, and that is its parent: in the end, whoever reaps. */
ATTEMPT(supervisor_made_a_tracer, .expect = "EACCES")
{
    pid_t *stopped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            *stopped = getpid();
            usleep(30000);
            syscall(SYS_ptrace, 0, 0, 0, 0);
            raise(SIGTRAP);
            _exit(0);
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
    usleep(80000);
    try_both();
    kill(*stopped, SIGKILL);
}

/* The command itself, which is the supervisor's child. A signal would stop it, as it would stop it for a shell. */
ATTEMPT(supervisor_made_the_commands_tracer, .expect = "EACCES")
{
    MUST(syscall(SYS_ptrace, 0, 0, 0, 0));
    try_both();
}

#define HARNESS "bare, its parent is whoever runs the suite"

ATTEMPT(kill_of_the_supervisor, .expect = "EPERM", .never_bare = HARNESS)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGSTOP, SIGSEGV, SIGQUIT, SIGPIPE, SIGCHLD, SIGUSR1, 64};
    pid_t it = getppid();
    siginfo_t sent = {.si_code = SI_QUEUE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        report(kill(it, signals[i]));
        report(syscall(SYS_tgkill, it, it, signals[i]));
        sent.si_signo = signals[i];
        report(syscall(SYS_rt_sigqueueinfo, it, signals[i], &sent));
    }
    report(syscall(SYS_pidfd_send_signal, MUST(syscall(SYS_pidfd_open, it, 0)), SIGKILL, NULL, 0));
    neighbour_reads("note");
}

/* The guardian and all around, by number. The signal is none: who may be asked may be killed. */
ATTEMPT(kill_of_all_that_is_near, .expect = "EPERM", .never_bare = HARNESS)
{
    for (pid_t it = getpid() - 40; it < getpid() + 40; it++)
        if (it > 1 && it != getpid() && (kill(it, 0) == 0 || errno != ESRCH))
            report(kill(it, 0));
    report(kill(getppid(), 0));
    neighbour(kill(getpid(), 0));
}
