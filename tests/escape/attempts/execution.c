/* Execution as a way of reading: the kernel reads a file that it executes, and hands what it read to others. The file is
 * blocked for `r` alone, so it may be written and made executable. */
#include "attempt.h"

#include <elf.h>

/* The beginning of the secret becomes a first line, and its rest the arguments of `echo`. */
static void make_script(const char *name)
{
    int fd = (int)MUST(open(name, O_WRONLY));
    MUST(write(fd, "#!/bin/echo ", 12));
    close(fd);
    chmod(name, 0755);
}

static void execute(int from, const char *name, int flags)
{
    char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        report(syscall(SYS_execveat, from, name, words, environment, flags));
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
}

static void neighbour_executes(void)
{
    make_file("own", "#!/bin/echo neighbour\n");
    chmod("own", 0755);
    neighbour_sh("./own");
}

ATTEMPT(first_line_of_a_script, .expect = "EACCES")
{
    make_script("blind/key");
    execute(AT_FDCWD, "blind/key", 0);
    neighbour_executes();
}

ATTEMPT(first_line_of_a_script_by_its_descriptor, .expect = "EACCES")
{
    make_script("blind/key");
    execute((int)MUST(open("blind/key", O_PATH)), "", AT_EMPTY_PATH);
    neighbour_executes();
}

ATTEMPT(first_line_behind_a_chain_of_scripts, .expect = "EACCES")
{
    make_script("blind/key");
    const char *before = "blind/key";
    for (int i = 0; i < 4; i++) {
        char *name = text("step%d", i);
        make_file(name, text("#!%s\n", before));
        chmod(name, 0755);
        before = name;
    }
    execute(AT_FDCWD, before, 0);
    neighbour_executes();
}

ATTEMPT(script_without_a_name, .expect = "EACCES")
{
    make_script("blind/key");
    int fd = (int)MUST(open("blind/key", O_PATH));
    MUST(unlink("blind/key"));
    execute(fd, "", AT_EMPTY_PATH);
    neighbour_executes();
}

ATTEMPT(script_without_a_name_by_its_link_of_proc, .expect = "EACCES")
{
    make_script("blind/key");
    int fd = (int)MUST(open("blind/key", O_PATH));
    MUST(unlink("blind/key"));
    execute(AT_FDCWD, text("/proc/self/fd/%d", fd), 0);
    neighbour_executes();
}

#if defined(__x86_64__)
#define MACHINE EM_X86_64
/* Writes what is mapped at 0x10002000, 64 bytes, and ends. */
static const unsigned char spells[] = {
    0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe, 0, 0x20, 0, 0x10, 0xba, 64, 0, 0, 0, 0x0f, 0x05,
    0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05,
};
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
static const unsigned char spells[] = {
    0x20, 0, 0x80, 0xd2, 0x01, 0x00, 0x84, 0xd2, 0x01, 0x00, 0xa2, 0xf2, 0x02, 0x08, 0x80, 0xd2, 0x08, 0x08, 0x80, 0xd2,
    0x01, 0, 0, 0xd4, 0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4,
};
#endif

static Elf64_Ehdr header(int headers)
{
    Elf64_Ehdr one = {.e_type = ET_EXEC, .e_machine = MACHINE, .e_version = 1, .e_phoff = sizeof one,
                      .e_ehsize = sizeof one, .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = (Elf64_Half)headers};
    memcpy(one.e_ident, "\177ELF\2\1\1", 7);
    return one;
}

/* A loader that prints what the kernel has mapped for the program that names it. */
static void make_loader(const char *name)
{
    char page[4096] = "";
    Elf64_Ehdr front = header(1);
    front.e_entry = 0x20000200;
    Elf64_Phdr all = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x20000000, .p_filesz = sizeof page,
                      .p_memsz = sizeof page, .p_align = 4096};
    memcpy(page, &front, sizeof front);
    memcpy(page + sizeof front, &all, sizeof all);
    memcpy(page + 0x200, spells, sizeof spells);
    int fd = (int)MUST(open(name, O_CREAT | O_WRONLY, 0755));
    MUST(write(fd, page, sizeof page));
    close(fd);
}

static const int headers_before = 130;

/* A page for a program that maps what follows it, and names `loader` behind many other headers. */
static void make_page(char *page, size_t size, const char *loader)
{
    Elf64_Ehdr front = header(headers_before + 2);
    front.e_entry = 0x10000000;
    Elf64_Phdr names = {.p_type = PT_INTERP, .p_offset = size - 64, .p_filesz = strlen(loader) + 1};
    Elf64_Phdr maps = {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 0x10000000, .p_filesz = size + 32,
                       .p_memsz = size + 32, .p_align = 4096};
    memset(page, 0, size);
    memcpy(page, &front, sizeof front);
    size_t at = sizeof front + (size_t)headers_before * sizeof names;
    memcpy(page + at, &names, sizeof names);
    memcpy(page + at + sizeof names, &maps, sizeof maps);
    strcpy(page + size - 64, loader);
}

static int insert_page(const char *name, const char *page, size_t size)
{
    int fd = open(name, O_WRONLY);
    if (fd < 0 || fallocate(fd, 0x20 /* FALLOC_FL_INSERT_RANGE */, 0, (off_t)size) < 0)
        return -1;
    ssize_t written = pwrite(fd, page, size, 0);
    close(fd);
    return written == (ssize_t)size ? chmod(name, 0755) : -1;
}

static int cannot_insert(void)
{
    char name[] = "/tmp/insert-XXXXXX";
    int fd = mkstemp(name);
    int failed = fd < 0 || write(fd, "x", 1) != 1 || fallocate(fd, 0x20, 0, 8192) < 0;
    unlink(name);
    return failed;
}

#define INSERTS .user = "this file system inserts no page", .root = "this file system inserts no page", \
                .only_if = cannot_insert

/* The secret is behind it, at 0x10002000 in memory. */
static char page[8192];

static void make_program(void)
{
    make_loader("loader");
    make_page(page, sizeof page, "loader");
    insert_page("blind/key", page, sizeof page);
}

ATTEMPT(image_behind_an_inserted_page, .expect = "EACCES", INSERTS)
{
    make_program();
    execute(AT_FDCWD, "blind/key", 0);
    neighbour_executes();
}

ATTEMPT(image_without_a_name, .expect = "EACCES", INSERTS)
{
    make_program();
    int fd = (int)MUST(open("blind/key", O_PATH));
    MUST(unlink("blind/key"));
    execute(fd, "", AT_EMPTY_PATH);
    neighbour_executes();
}

/* Another thread rewrites the path between the judgement and the kernel's own reading. */
static char raced[PATH_MAX];
static volatile int is_over;

static void *rewrite(void *unused)
{
    (void)unused;
    while (!is_over) {
        strcpy(raced, "blind/key");
        __asm__ volatile("" ::: "memory");
        strcpy(raced, "true/true");
        __asm__ volatile("" ::: "memory");
    }
    return NULL;
}

/* Executes in children that share the memory of the thread that rewrites. */
static int execute_raced(void *unused)
{
    (void)unused;
    char *words[] = {(char *)"x", NULL}, *environment[] = {NULL};
    syscall(SYS_execve, raced, words, environment);
    _exit(1);
}

static void race(void)
{
    sh("mkdir -p true; cp /bin/true true/true");
    strcpy(raced, "true/true");
    fflush(stdout);
    pthread_t thread;
    MUST(-pthread_create(&thread, NULL, rewrite, NULL));
    char *stack = malloc(1 << 16);
    for (int64_t end_at = milliseconds() + 2000; milliseconds() < end_at;) {
        pid_t child = clone(execute_raced, stack + (1 << 16), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        if (child > 0)
            waitpid(child, NULL, 0);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    neighbour_executes();
}

ATTEMPT(image_by_a_rewritten_path, INSERTS)
{
    make_program();
    race();
}

ATTEMPT(first_line_by_a_rewritten_path)
{
    make_script("blind/key");
    race();
}
