/* Tracing across exec: what the kernel mapped for a program that must not run is seen by another process before the
 * supervisor has looked at it. The path is rewritten between the judgement and the kernel's own reading. */
#include "attempt.h"
#include "images.h"

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

/* Where the secret lies in the image of images.h. */
#define SECRET 0x10002000UL

/* A blocked program that could be executed before the start (tree.rs); its image is that of images.h. */
#define PROGRAM "blind/program"

/* Is a core dump written elsewhere than into the working directory, or not at all? */
static int cannot_dump(void)
{
    char pattern[16] = "";
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
    ssize_t length = read(fd, pattern, sizeof pattern - 1);
    close(fd);
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    return length <= 0 || strchr("/|@\n", pattern[0]) != NULL || limit.rlim_max < 1 << 20;
}

#define DUMPS .user = "no core dumps are written here", .root = "no core dumps are written here", .only_if = cannot_dump

static char *shared;
static pid_t rewriter;

static void start_rewriting_to(const char *blocked)
{
    static char harmless[PATH_MAX], copied[PATH_MAX];
    blocked = strcpy(copied, blocked);
    strcpy(harmless, blocked[0] == '/' ? path("work/true/true") : "true/true");
    sh("mkdir -p true; cp /bin/true true/true");
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(shared, harmless);
    fflush(stdout);
    rewriter = (pid_t)MUST(fork());
    while (rewriter == 0) {
        strcpy(shared, blocked);
        __asm__ volatile("" ::: "memory");
        strcpy(shared, harmless);
        __asm__ volatile("" ::: "memory");
    }
}

static void start_rewriting(void)
{
    make_program();
    start_rewriting_to("blind/key");
}

static void start_rewriting_to_program(void)
{
    make_loader("loader");
    start_rewriting_to(PROGRAM);
}

static void stop_rewriting(void)
{
    kill(rewriter, SIGKILL);
    waitpid(rewriter, NULL, 0);
    make_file("own", "#!/bin/echo neighbour\n");
    chmod("own", 0755);
    neighbour_sh("./own");
}

static void executes(void)
{
    char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
    close(1);
    syscall(SYS_execve, shared, words, environment);
    _exit(1);
}

/* Prints what lies there in another process, if it is no program's beginning. */
static void tell(const char *bytes)
{
    if (memcmp(bytes, "\0\0\0\0", 4) != 0)
        printf("%.32s\n", bytes);
    fflush(stdout);
}

static void peek(void)
{
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            ptrace(PTRACE_TRACEME, 0, NULL, NULL);
            executes();
        }
        int status;
        if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
            long words[4];
            for (unsigned i = 0; i < 4; i++)
                words[i] = ptrace(PTRACE_PEEKDATA, child, SECRET + i * sizeof(long), NULL);
            if (words[0] != -1)
                tell((char *)words);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
        }
    }
    stop_rewriting();
}

ATTEMPT(image_peeked_at_the_exec_stop, INSERTS)
{
    start_rewriting();
    peek();
}

ATTEMPT(program_peeked_at_the_exec_stop)
{
    start_rewriting_to_program();
    peek();
}

/* A pipe without room: the loader waits in its write, and can be looked at. */
static int full_pipe(void)
{
    int ends[2];
    MUST(pipe2(ends, O_NONBLOCK));
    char bytes[4096] = "";
    while (write(ends[1], bytes, sizeof bytes) > 0)
        ;
    MUST(fcntl(ends[1], F_SETFL, 0));
    return ends[1];
}

static void copy(void)
{
    int full = full_pipe();
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            dup2(full, 1);
            char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
            syscall(SYS_execve, shared, words, environment);
            _exit(1);
        }
        char bytes[33] = "";
        struct iovec to = {bytes, 32}, from = {(void *)SECRET, 32};
        int64_t patience = milliseconds() + 50;
        while (waitpid(child, NULL, WNOHANG) == 0) {
            if (process_vm_readv(child, &to, 1, &from, 1, 0) == 32)
                tell(bytes);
            if (milliseconds() > patience)
                kill(child, SIGKILL);
        }
    }
    stop_rewriting();
}

ATTEMPT(image_copied_while_it_executes, INSERTS)
{
    start_rewriting();
    copy();
}

ATTEMPT(program_copied_while_it_executes)
{
    start_rewriting_to_program();
    copy();
}

static void read_memory_file(void)
{
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            ptrace(PTRACE_TRACEME, 0, NULL, NULL);
            executes();
        }
        int status;
        if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
            char bytes[33] = "";
            int memory = open(text("/proc/%d/mem", child), O_RDONLY);
            if (memory >= 0 && pread(memory, bytes, 32, (off_t)SECRET) == 32)
                tell(bytes);
            close(memory);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
        }
    }
    stop_rewriting();
}

ATTEMPT(image_read_from_its_memory_file, INSERTS)
{
    start_rewriting();
    read_memory_file();
}

ATTEMPT(program_read_from_its_memory_file)
{
    start_rewriting_to_program();
    read_memory_file();
}

/* The memory file is opened again and again while the program executes, without a stop. */
ATTEMPT(program_read_from_memory_files_opened_meanwhile)
{
    start_rewriting_to_program();
    int full = full_pipe();
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            dup2(full, 1);
            char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
            syscall(SYS_execve, shared, words, environment);
            _exit(1);
        }
        int64_t patience = milliseconds() + 100;
        while (waitpid(child, NULL, WNOHANG) == 0) {
            char bytes[33] = "";
            int memory = open(text("/proc/%d/mem", child), O_RDONLY);
            if (memory >= 0 && pread(memory, bytes, 32, (off_t)SECRET) == 32)
                tell(bytes);
            close(memory);
            if (milliseconds() > patience)
                kill(child, SIGKILL);
        }
    }
    stop_rewriting();
}

/* A thread executes, and has the number of its leader then: a check of the stopped leader must not count for it. */
static void *executes_in_a_thread(void *unused)
{
    (void)unused;
    executes();
    return NULL;
}

ATTEMPT(program_of_a_thread_peeked_under_the_number_of_its_leader)
{
    start_rewriting_to_program();
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            ptrace(PTRACE_TRACEME, 0, NULL, NULL);
            raise(SIGSTOP);
            pthread_t thread;
            pthread_create(&thread, NULL, executes_in_a_thread, NULL);
            raise(SIGSTOP);
            pause();
        }
        int status;
        MUST(waitpid(child, &status, 0));
        ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACECLONE);
        int64_t patience = milliseconds() + 100;
        ptrace(PTRACE_CONT, child, NULL, NULL);
        while (milliseconds() < patience) {
            pid_t stopped = waitpid(-1, &status, WNOHANG | __WALL);
            long words[4];
            for (unsigned i = 0; i < 4; i++)
                words[i] = ptrace(PTRACE_PEEKDATA, child, SECRET + i * sizeof(long), NULL);
            if (words[0] != -1)
                tell((char *)words);
            if (stopped > 0 && WIFSTOPPED(status) && !(stopped == child && WSTOPSIG(status) == SIGSTOP))
                ptrace(PTRACE_CONT, stopped, NULL, NULL);
        }
        kill(child, SIGKILL);
        while (milliseconds() < patience + 500 && (waitpid(child, &status, __WALL | WNOHANG) == 0 || WIFSTOPPED(status)))
            ;
    }
    stop_rewriting();
}

/* A loader that fails at its first instruction; the dump goes where Landlock alone holds what is made. */
ATTEMPT(program_in_a_core_dump, DUMPS)
{
    static const unsigned char fails[16];
    make_loader_of("loader", fails, sizeof fails);
    start_rewriting_to(path("work/" PROGRAM));
    const char *elsewhere = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "elsewhere";
    mkdir(elsewhere, 0700);
    struct rlimit all;
    getrlimit(RLIMIT_CORE, &all);
    all.rlim_cur = all.rlim_max;
    setrlimit(RLIMIT_CORE, &all);
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = fork();
        if (child == 0) {
            if (chdir(elsewhere) < 0 || (access("loader", X_OK) < 0 && system(text("cp %s .", path("work/loader"))) != 0))
                _exit(1);
            executes();
        }
        waitpid(child, NULL, 0);
    }
    sh(text("cat %s/core* 2>/dev/null | tr -d '\\0' | head -c 100000", elsewhere));
    stop_rewriting();
}

/* A program of the attempt's own, whose loader is a link that is exchanged after it was judged. */
ATTEMPT(program_as_the_loader_of_another_peeked_at_the_exec_stop)
{
    char front[4096] = "";
    Elf64_Ehdr header_of_it = header(2);
    header_of_it.e_entry = 0x30000000;
    Elf64_Phdr parts[] = {
        {.p_type = PT_INTERP, .p_offset = 2048, .p_filesz = 5},
        {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x30000000, .p_filesz = 4096, .p_memsz = 4096, .p_align = 4096},
    };
    memcpy(front, &header_of_it, sizeof header_of_it);
    memcpy(front + sizeof header_of_it, parts, sizeof parts);
    strcpy(front + 2048, "swap");
    int fd = (int)MUST(open("dynamic", O_CREAT | O_WRONLY, 0755));
    MUST(write(fd, front, sizeof front));
    close(fd);
    make_loader("loader");
    MUST(symlink("loader", "swap"));
    shared = (char *)"dynamic";
    fflush(stdout);
    rewriter = (pid_t)MUST(fork());
    for (int i = 0; rewriter == 0; i++) {
        if (symlink(i & 1 ? "loader" : PROGRAM, "next") == 0)
            rename("next", "swap");
    }
    peek();
}
