/* ABI: calls in another shape than libc gives them: foreign gates and numbers, arguments with high bits, and paths in
 * memory that ends, is missing, or is not what it was. */
#include "attempt.h"

#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>

/* What a child reports, or the signal that ended it. */
static void in_child(void (*act)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        act();
        fflush(stdout);
        _exit(0);
    }
    int status;
    MUST(waitpid(child, &status, 0));
    if (WIFSIGNALED(status))
        printf("\nerrno=SIG%s\n", sigabbrev_np(WTERMSIG(status)));
    fflush(stdout);
}

#ifdef __x86_64__
static int has_no_i386(void)
{
    pid_t child = fork();
    if (child == 0) {
        long pid;
        __asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
        _exit(pid != getpid());
    }
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}

#define I386 .user = "a kernel without i386", .root = "a kernel without i386", .only_if = has_no_i386

/* A copy of a path where 32 bits reach it. */
static uint32_t low(const char *name)
{
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (at == MAP_FAILED)
        fail("mmap");
    strcpy(at, name);
    return (uint32_t)(uintptr_t)at;
}

static long gate(uint32_t number, uint32_t one, uint32_t two, uint32_t three)
{
    int result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(one), "c"(two), "d"(three)
                     : "memory", "r8", "r9", "r10", "r11");
    if (result < 0)
        errno = -result;
    return result < 0 ? -1 : result;
}

static void open_by_gate(void)
{
    show(gate(5, low(path("secret/key")), O_RDONLY, 0));
}

static void chmod_by_gate(void)
{
    report(gate(15, low(path("secret/key")), 0600, 0));
}

static void unlink_by_gate(void)
{
    report(gate(10, low("fixed/note"), 0, 0));
}

static void execve_by_gate(void)
{
    uint32_t words[2] = {low(path("secret/script")), 0};
    uint32_t *at = (uint32_t *)(uintptr_t)low("");
    memcpy(at, words, sizeof words);
    report(gate(11, words[0], (uint32_t)(uintptr_t)at, 0));
}

ATTEMPT(int_80_open, .expect = "SIGSYS", I386)
{
    in_child(open_by_gate);
    neighbour_reads("note");
}

ATTEMPT(int_80_chmod, .expect = "SIGSYS", I386)
{
    in_child(chmod_by_gate);
    neighbour(chmod("note", 0600));
}

ATTEMPT(int_80_unlink, .expect = "SIGSYS", I386)
{
    in_child(unlink_by_gate);
    neighbour(unlink("note"));
}

ATTEMPT(int_80_execve, .expect = "SIGSYS", I386)
{
    in_child(execve_by_gate);
    neighbour_sh("./run");
}

/* A 32-bit program: its first call ends it. It opens argv[1], which the kernel has put where 32 bits reach it. */
static const unsigned char small_program[] = {
    0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0, 0x54, 0x80, 4, 8, 0x34, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0x34, 0, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0,
    /* One segment: the whole file at 0x08048000. */
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 4, 8, 0, 0x80, 4, 8, 0x90, 0, 0, 0, 0x90, 0, 0, 0, 7, 0, 0, 0, 0, 0x10, 0, 0,
    /* open(argv[1], O_RDONLY); read(it, stack, 64); write(1, stack, what was read); exit(0) */
    0x8b, 0x5c, 0x24, 0x08, 0x31, 0xc9, 0x31, 0xd2, 0xb8, 5, 0, 0, 0, 0xcd, 0x80, 0x89, 0xc3, 0x83, 0xec, 0x40, 0x89,
    0xe1, 0xba, 0x40, 0, 0, 0, 0xb8, 3, 0, 0, 0, 0xcd, 0x80, 0x89, 0xc2, 0xbb, 1, 0, 0, 0, 0x89, 0xe1, 0xb8, 4, 0, 0,
    0, 0xcd, 0x80, 0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80};

static void small_program_runs(void)
{
    int fd = (int)MUST(open("small", O_WRONLY | O_CREAT, 0755));
    static char padded[0x90];
    memcpy(padded, small_program, sizeof small_program);
    MUST(write(fd, padded, sizeof padded));
    close(fd);
    MUST(execl("./small", "small", path("secret/key"), NULL));
}

ATTEMPT(program_of_32_bits, .expect = "SIGSYS", I386)
{
    in_child(small_program_runs);
    neighbour_reads("note");
}

#define NO_X32 .user = "kernels of today are built without x32", .root = "kernels of today are built without x32"

ATTEMPT(x32_open, .expect = "ENOSYS", NO_X32)
{
    show(syscall(0x40000000 | SYS_open, path("secret/key"), O_RDONLY));
    show(syscall(0x40000000 | SYS_openat, AT_FDCWD, path("secret/key"), O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(x32_execve_and_ioctl, .expect = "ENOSYS", NO_X32)
{
    char *words[] = {path("secret/script"), NULL};
    report(syscall(0x40000000 | 520, words[0], words, NULL));
    report(syscall(0x40000000 | 514, 0, TIOCSTI, "x"));
    neighbour_reads("note");
}

/* The kernel takes 32 bits of the number. */
static long wide_number(long number, long one, long two, long three)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(one), "S"(two), "d"(three) : "memory", "rcx", "r11");
    if (result < 0)
        errno = (int)-result;
    return result < 0 ? -1 : result;
}

ATTEMPT(number_with_high_bits, .expect = "EACCES|ENOSYS")
{
    show(wide_number(0x100000000 | SYS_open, (long)path("secret/key"), O_RDONLY, 0));
    neighbour_fd(wide_number(SYS_open, (long)"note", O_RDONLY, 0));
}

static void enter(void)
{
    __asm__ volatile("push %%rbp\n mov %%rsp, %%rbp\n sysenter\n pop %%rbp" : : "a"(5) : "memory", "rcx", "rdx", "r11");
}

ATTEMPT(sysenter, .expect = "SIGSYS|SIGSEGV|SIGILL", .user = "a 64-bit program has no way back from it",
        .root = "a 64-bit program has no way back from it")
{
    in_child(enter);
    neighbour_reads("note");
}

/* time(2) at its old fixed address. */
static void old_page(void)
{
    long (*now)(long *) = (long (*)(long *))(uintptr_t)0xffffffffff600400;
    report(now(NULL) > 0 ? 0 : -1);
}

ATTEMPT(vsyscall_page, .user = "it tells the time", .root = "it tells the time")
{
    in_child(old_page);
    neighbour_reads("note");
}
#endif

/* CVE-2019-7303 and its family: an argument of 32 bits has 64 in its register. */
ATTEMPT(flags_with_high_bits, .expect = "EACCES")
{
    show(syscall(SYS_openat, AT_FDCWD, path("secret/key"), 0xffffffff00000000 | O_RDONLY, 0));
    neighbour_fd(syscall(SYS_openat, AT_FDCWD, "note", 0xffffffff00000000 | O_RDONLY, 0));
}

ATTEMPT(high_bits_that_look_like_a_path_descriptor, .expect = "EACCES")
{
    show(syscall(SYS_openat, AT_FDCWD, path("secret/key"), (long)O_PATH << 32, 0));
    neighbour_fd(syscall(SYS_openat, AT_FDCWD, "note", (long)O_PATH << 32, 0));
}

/* Bits that the kernel does not know are ignored by open and openat. */
ATTEMPT(flags_that_nobody_knows, .expect = "EACCES")
{
    show(syscall(SYS_openat, AT_FDCWD, path("secret/key"), O_RDONLY | 0x70000000, 0));
    neighbour_fd(syscall(SYS_openat, AT_FDCWD, "note", O_RDONLY | 0x70000000, 0));
}

ATTEMPT(directory_with_high_bits, .expect = "EACCES")
{
    long from = MUST(open(path("secret"), O_PATH));
    show(syscall(SYS_openat, 0xabcd00000000 | from, "key", O_RDONLY, 0));
    from = MUST(open("sub", O_PATH));
    neighbour_fd(syscall(SYS_openat, 0xabcd00000000 | from, "note", O_RDONLY, 0));
}

ATTEMPT(directory_that_is_zero_extended, .expect = "EACCES")
{
    show(syscall(SYS_openat, 0xffffff9cUL, "locked/key", O_RDONLY, 0));
    neighbour_fd(syscall(SYS_openat, 0xffffff9cUL, "note", O_RDONLY, 0));
}

ATTEMPT(mode_with_high_bits, .expect = "EACCES")
{
    report(syscall(SYS_fchmodat, AT_FDCWD, path("secret/key"), 0xdead00000000 | 0600));
    neighbour(syscall(SYS_fchmodat, AT_FDCWD, "note", 0xdead00000000 | 0600));
}

ATTEMPT(access_mode_with_high_bits, .expect = "EACCES", .user = "access changes nothing", .root = "access changes nothing")
{
    report(syscall(SYS_faccessat, AT_FDCWD, path("secret/key"), 0x100000000 | R_OK));
    neighbour(syscall(SYS_faccessat, AT_FDCWD, "note", 0x100000000 | R_OK));
}

/* A namespace in 64 bits is one in 32. */
ATTEMPT(clone_with_high_bits, .expect = "EPERM")
{
    fflush(stdout);
    long child = syscall(SYS_clone, 0x100000000 | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        mount(path("secret"), "empty", NULL, MS_BIND, NULL);
        spill(open("empty/key", O_RDONLY));
        _exit(0);
    }
    report(child);
    child = syscall(SYS_clone, 0x100000000 | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        _exit(0);
    neighbour(child);
    while (wait(NULL) > 0)
        ;
}

/* Two pages, of which the second is missing; the text ends with the first. */
static char *at_the_end(const char *name, size_t size)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    return memcpy(pages + 4096 - size, name, size);
}

ATTEMPT(path_that_ends_with_its_page, .expect = "EACCES")
{
    char *name = path("secret/key");
    show(open(at_the_end(name, strlen(name) + 1), O_RDONLY));
    neighbour_fd(open(at_the_end("note", 5), O_RDONLY));
}

ATTEMPT(path_without_an_end, .expect = "EFAULT", .user = "the kernel finds no end either",
        .root = "the kernel finds no end either")
{
    char *name = path("secret/key");
    show(open(at_the_end(name, strlen(name)), O_RDONLY));
    neighbour_fd(open(at_the_end("note", 5), O_RDONLY));
}

ATTEMPT(path_in_two_pages, .expect = "EACCES")
{
    char *name = path("secret/key"), *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(pages + 4090, name);
    show(open(pages + 4090, O_RDONLY));
    strcpy(pages + 4094, "note");
    neighbour_reads(pages + 4094);
}

ATTEMPT(path_nowhere, .expect = "EFAULT", .user = "there is no path", .root = "there is no path")
{
    report(syscall(SYS_openat, AT_FDCWD, NULL, O_RDONLY));
    report(syscall(SYS_openat, AT_FDCWD, 1L, O_RDONLY));
    report(syscall(SYS_openat, AT_FDCWD, -1L, O_RDONLY));
    report(syscall(SYS_openat, AT_FDCWD, 0x7ffffffff000, O_RDONLY));
    report(syscall(SYS_openat, AT_FDCWD, 0xffff800000000000, O_RDONLY));
    report(syscall(SYS_fchmodat, AT_FDCWD, NULL, 0600));
    report(syscall(SYS_unlinkat, AT_FDCWD, NULL, 0));
    neighbour_reads("note");
}

ATTEMPT(empty_path, .expect = "ENOENT", .user = "an empty path names nothing", .root = "an empty path names nothing")
{
    MUST(chdir(path("secret")));
    int fd = (int)MUST(open("key", O_PATH));
    report(open("", O_RDONLY));
    report(openat(fd, "", O_RDONLY));
    report(chmod("", 0600));
    report(syscall(SYS_unlinkat, fd, "", 0));
    MUST(chdir(path("work")));
    neighbour_reads("note");
}

/* PATH_MAX bytes and no end among them: cut short they would name the secret. */
ATTEMPT(path_of_the_longest_length, .expect = "EACCES|ENAMETOOLONG")
{
    static char name[PATH_MAX + 64];
    const char *rest = path("secret/key");
    memset(name, '/', sizeof name);
    strcpy(name + PATH_MAX - 1 - strlen(rest), rest);
    show(open(name, O_RDONLY));
    name[PATH_MAX - 1] = 'x';
    spill(open(name, O_RDONLY));
    memset(name, '/', sizeof name);
    rest = path("work/note");
    strcpy(name + PATH_MAX - 1 - strlen(rest), rest);
    neighbour_reads(name);
}

ATTEMPT(path_in_memory_that_cannot_be_written, .expect = "EACCES")
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page, path("secret/key"));
    strcpy(page + 2048, "note");
    mprotect(page, 4096, PROT_READ);
    show(open(page, O_RDONLY));
    neighbour_reads(page + 2048);
}

/* The kernel cannot read such a page for the caller. The supervisor could read it by force: it must not. */
ATTEMPT(path_in_memory_that_cannot_be_read, .expect = "EFAULT", .user = "the kernel cannot read it either",
        .root = "the kernel cannot read it either")
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page, path("secret/key"));
    mprotect(page, 4096, PROT_NONE);
    show(open(page, O_RDONLY));
    neighbour_reads("note");
}

/* Memory that no other process can read, not even the supervisor. */
ATTEMPT(path_in_secret_memory, .expect = "EACCES|EFAULT")
{
    int fd = (int)syscall(SYS_memfd_secret, 0);
    char *page = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, 4096) == 0)
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(page, path("secret/key"));
    show(open(page, O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(path_in_a_file_that_is_cut, .expect = "EACCES|EFAULT")
{
    make_file("paths", path("secret/key"));
    int fd = (int)MUST(open("paths", O_RDWR));
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    show(open(page, O_RDONLY));
    MUST(ftruncate(fd, 0));
    spill(open(page, O_RDONLY));
    neighbour_reads("note");
}

/* Another process rewrites the path. */
ATTEMPT(path_in_memory_of_two_processes)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *secret = path("secret/key"), *allowed = path("work////note");
    strcpy(page, allowed);
    pid_t child = fork();
    if (child == 0)
        for (;;) {
            memcpy(page, secret, strlen(secret) + 1);
            __asm__ volatile("" ::: "memory");
            memcpy(page, allowed, strlen(allowed) + 1);
            __asm__ volatile("" ::: "memory");
        }
    for (int64_t end = milliseconds() + 300; milliseconds() < end;) {
        int fd = open(page, O_RDONLY);
        char bytes[64] = "";
        if (fd >= 0 && read(fd, bytes, sizeof bytes - 1) > 0 && strncmp(bytes, "neighbour", 9) != 0) {
            printf("%s\n", bytes);
            break;
        }
        close(fd);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    neighbour_reads("note");
}

/* Readable memory counts as executable then; addresses are known. A path is a path. */
ATTEMPT(another_personality, .expect = "EACCES")
{
    personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC | UNAME26);
    show(open(path("secret/key"), O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(another_personality_for_a_program)
{
    personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC | SHORT_INODE);
    sh("cat ~/secret/key; cat locked/key");
    neighbour_sh("cat note");
}

/* A call that a handler makes in place of another. */
static void on_sigsys(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    (void)context;
    int fd = open(path("secret/key"), O_RDONLY);
    if (fd >= 0)
        spill(fd);
}

ATTEMPT(calls_dispatched_to_the_caller)
{
#ifdef PR_SET_SYSCALL_USER_DISPATCH
    static char selector = 0;
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector);
#endif
    raise(SIGSYS);
    neighbour_reads("note");
}
