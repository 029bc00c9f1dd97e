/* Calls: all that open, read, make, remove or execute a file otherwise than by a plain open(2). */
#include "attempt.h"

#include <linux/aio_abi.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>

/* A descriptor of something blocked: a reading one if it can be had, else what O_PATH gives. */
static int grip(const char *name)
{
    int fd = open(name, O_RDONLY);
    return fd >= 0 ? fd : (int)MUST(open(name, O_PATH));
}

#ifdef SYS_open
ATTEMPT(open_by_its_first_number, .expect = "EACCES")
{
    show(syscall(SYS_open, path("secret/key"), O_RDONLY));
    neighbour_fd(syscall(SYS_open, "note", O_RDONLY));
}

ATTEMPT(creat_over_a_secret, .expect = "EACCES")
{
    report(syscall(SYS_creat, path("secret/key"), 0600));
    neighbour(syscall(SYS_creat, "fresh", 0600));
}
#endif

ATTEMPT(creat_of_a_new_name_in_a_blocked_directory, .expect = "EACCES")
{
    report(creat("locked/new", 0600));
    neighbour(creat("locked/open/new", 0600));
}

ATTEMPT(open_for_both_where_only_writing_is_allowed, .expect = "EACCES")
{
    show(open("blind/key", O_RDWR));
    neighbour(open("blind/key", O_WRONLY));
}

ATTEMPT(open_for_appending_where_only_reading_is_allowed, .expect = "EACCES")
{
    int fd = (int)report(open("fixed/note", O_WRONLY | O_APPEND));
    if (fd >= 0)
        MUST(write(fd, "x", 1));
    neighbour(open("note", O_WRONLY | O_APPEND));
}

/* O_RDONLY with O_TRUNC empties the file. */
ATTEMPT(open_for_reading_that_truncates, .expect = "EACCES")
{
    report(open("fixed/note", O_RDONLY | O_TRUNC));
    neighbour(open("env", O_RDONLY | O_TRUNC));
}

/* The mode 3 of open(2) means neither, and is asked for both. It reads nothing, but ioctl and fchmod work on it. */
ATTEMPT(open_with_the_access_mode_three, .expect = "EACCES")
{
    int fd = (int)report(open("fixed/note", O_ACCMODE));
    if (fd >= 0)
        fchmod(fd, 0600);
    neighbour(open("note", O_ACCMODE));
}

ATTEMPT(open_of_a_directory_lists_it, .expect = "EACCES")
{
    char bytes[4096];
    int fd = (int)report(open(path("secret"), O_RDONLY | O_DIRECTORY));
    ssize_t got = syscall(SYS_getdents64, fd, bytes, sizeof bytes);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour(open("sub", O_RDONLY | O_DIRECTORY));
}

ATTEMPT(open_of_a_dot_after_chdir_lists_it, .expect = "EACCES")
{
    char bytes[4096];
    MUST(chdir(path("secret")));
    int fd = (int)report(open(".", O_RDONLY | O_DIRECTORY));
    ssize_t got = syscall(SYS_getdents64, fd, bytes, sizeof bytes);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    MUST(chdir(path("work")));
    neighbour(open(".", O_RDONLY | O_DIRECTORY));
}

static long open2(int from, const char *name, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve};
    return syscall(SYS_openat2, from, name, &how, sizeof how);
}

ATTEMPT(openat2_of_a_secret, .expect = "EACCES")
{
    show(open2(AT_FDCWD, path("secret/key"), O_RDONLY, 0));
    neighbour_fd(open2(AT_FDCWD, "note", O_RDONLY, 0));
}

ATTEMPT(openat2_beneath_a_path_descriptor, .expect = "EACCES")
{
    show(open2((int)MUST(open(path("secret"), O_PATH)), "key", O_RDONLY, RESOLVE_BENEATH));
    neighbour_fd(open2((int)MUST(open("sub", O_PATH)), "note", O_RDONLY, RESOLVE_BENEATH));
}

ATTEMPT(openat2_with_another_root, .expect = "EACCES")
{
    show(open2((int)MUST(open(path("secret"), O_PATH)), "/../key", O_RDONLY, RESOLVE_IN_ROOT));
    neighbour_fd(open2((int)MUST(open("sub", O_PATH)), "/../note", O_RDONLY, RESOLVE_IN_ROOT));
}

ATTEMPT(openat2_without_links, .expect = "EACCES")
{
    show(open2(AT_FDCWD, path("secret/key"), O_RDONLY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV));
    neighbour_fd(open2(AT_FDCWD, "note", O_RDONLY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV));
}

/* RESOLVE_CACHED answers EAGAIN where the kernel would have to wait. */
ATTEMPT(openat2_of_what_is_cached, .expect = "EACCES|EAGAIN")
{
    struct stat status;
    MUST(stat(path("secret/key"), &status));
    show(open2(AT_FDCWD, path("secret/key"), O_RDONLY, RESOLVE_CACHED));
    neighbour_reads("note");
}

/* A structure that is longer than the kernel's, with zeros behind. */
ATTEMPT(openat2_with_a_longer_structure, .expect = "EACCES")
{
    struct {
        struct open_how how;
        uint64_t more[32];
    } large = {.how = {.flags = O_RDONLY}};
    show(syscall(SYS_openat2, AT_FDCWD, path("secret/key"), &large, sizeof large));
    neighbour_fd(syscall(SYS_openat2, AT_FDCWD, "note", &large, sizeof large));
}

static struct open_how flickering;

static void *flicker(void *over)
{
    while (!*(volatile int *)over) {
        flickering.flags = O_PATH;
        flickering.flags = O_RDONLY;
    }
    return NULL;
}

/* The flags lie in memory: they are O_PATH, which asks for nothing, and then they are not. */
ATTEMPT(openat2_whose_flags_change)
{
    static int over;
    pthread_t thread;
    pthread_create(&thread, NULL, flicker, &over);
    const char *secret = path("secret/key");
    for (int i = 0; i < 400; i++) {
        int fd = (int)syscall(SYS_openat2, AT_FDCWD, secret, &flickering, sizeof flickering);
        if (fd >= 0) {
            spill(fd);
            close(fd);
        }
    }
    over = 1;
    pthread_join(thread, NULL);
    neighbour_fd(open2(AT_FDCWD, "note", O_RDONLY, 0));
}

struct handle {
    struct file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
};

ATTEMPT(open_by_handle, .expect = "EPERM", .user = "open_by_handle_at needs CAP_DAC_READ_SEARCH")
{
    struct handle handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    report(name_to_handle_at(AT_FDCWD, path("secret/key"), &handle.head, &mount, 0));
    int from = (int)MUST(open(".", O_RDONLY | O_DIRECTORY));
    show(open_by_handle_at(from, &handle.head, O_RDONLY));
    neighbour_reads("note");
}

/* The "shocker" way: a handle is an inode number and a generation; ext4 takes 0 for any. */
ATTEMPT(open_by_a_guessed_handle, .expect = "EPERM", .user = "open_by_handle_at needs CAP_DAC_READ_SEARCH")
{
    struct handle handle = {.head = {.handle_bytes = 8, .handle_type = 1}};
    struct stat status;
    MUST(stat(path("secret/key"), &status));
    uint32_t inode = (uint32_t)status.st_ino;
    memcpy(handle.head.f_handle, &inode, sizeof inode);
    show(open_by_handle_at((int)MUST(open(".", O_RDONLY)), &handle.head, O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(truncate_a_secret, .expect = "EACCES")
{
    report(truncate(path("secret/key"), 3));
    neighbour(truncate("env", 3));
}

ATTEMPT(truncate_what_may_only_be_read, .expect = "EACCES")
{
    report(truncate("fixed/note", 0));
    neighbour(truncate("env", 0));
}

ATTEMPT(unlink_a_secret, .expect = "EACCES")
{
    report(unlink(path("secret/key")));
    neighbour(unlink("env"));
}

ATTEMPT(unlink_what_may_only_be_read, .expect = "EACCES")
{
    report(unlinkat(AT_FDCWD, "fixed/note", 0));
    neighbour(unlinkat(AT_FDCWD, "env", 0));
}

ATTEMPT(unlinkat_from_a_path_descriptor, .expect = "EACCES")
{
    report(unlinkat((int)MUST(open(path("secret"), O_PATH)), "key", 0));
    neighbour(unlinkat((int)MUST(open(".", O_PATH)), "env", 0));
}

ATTEMPT(rmdir_of_a_blocked_directory, .expect = "EACCES")
{
    report(unlinkat(AT_FDCWD, path("secret/empty"), AT_REMOVEDIR));
    neighbour(unlinkat(AT_FDCWD, "empty", AT_REMOVEDIR));
}

ATTEMPT(rmdir_of_what_may_only_be_read, .expect = "EACCES")
{
    report(rmdir("fixed/empty"));
    neighbour(rmdir("empty"));
}

ATTEMPT(mkdir_in_a_blocked_directory, .expect = "EACCES")
{
    report(mkdir(path("secret/new"), 0700));
    neighbour(mkdir("new", 0700));
}

ATTEMPT(mkdirat_from_a_path_descriptor, .expect = "EACCES")
{
    report(mkdirat((int)MUST(open("locked", O_PATH)), "new", 0700));
    neighbour(mkdirat((int)MUST(open("sub", O_PATH)), "new", 0700));
}

ATTEMPT(mknod_of_an_empty_file, .expect = "EACCES")
{
    report(mknod("locked/new", S_IFREG | 0644, 0));
    neighbour(mknod("new", S_IFREG | 0644, 0));
}

ATTEMPT(mknod_of_a_fifo, .expect = "EACCES")
{
    report(mknodat(AT_FDCWD, path("secret/new"), S_IFIFO | 0644, 0));
    neighbour(mknodat(AT_FDCWD, "new", S_IFIFO | 0644, 0));
}

ATTEMPT(mknod_of_a_device_beside_a_secret, .expect = "EACCES|EPERM", .user = "mknod of a device needs CAP_MKNOD")
{
    report(mknod(path("secret/null"), S_IFCHR | 0666, makedev(1, 3)));
    neighbour(mknod("new", S_IFREG | 0644, 0));
}

/* The disk holds every secret. */
ATTEMPT(mknod_of_the_disk, .expect = "EACCES",
        .never_bare = "whoever has the disk has the host: nothing is to be proved by reading it")
{
    struct stat status;
    MUST(stat(".", &status));
    report(mknod("disk", S_IFBLK | 0666, status.st_dev));
    report(mknod("mem", S_IFCHR | 0666, makedev(1, 1)));
    neighbour(mknod("new", S_IFREG | 0644, 0));
}

ATTEMPT(linkat_of_a_path_descriptor, .expect = "EACCES|EXDEV|ENOENT")
{
    int fd = (int)MUST(open(path("secret/key"), O_PATH));
    report(linkat(fd, "", AT_FDCWD, "stolen", AT_EMPTY_PATH));
    spill(open("stolen", O_RDONLY));
    neighbour(linkat(AT_FDCWD, "note", AT_FDCWD, "copy", 0));
}

ATTEMPT(linkat_through_proc_self_fd, .expect = "EACCES|EXDEV")
{
    int fd = (int)MUST(open(path("secret/key"), O_PATH));
    report(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "stolen", AT_SYMLINK_FOLLOW));
    spill(open("stolen", O_RDONLY));
    fd = (int)MUST(open("note", O_PATH));
    neighbour(linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, "copy", AT_SYMLINK_FOLLOW));
}

ATTEMPT(unnamed_file_named_in_a_blocked_directory, .expect = "EACCES")
{
    int fd = (int)MUST(open(".", O_TMPFILE | O_RDWR, 0600));
    const char *from = text("/proc/self/fd/%d", fd);
    report(linkat(AT_FDCWD, from, AT_FDCWD, path("secret/new"), AT_SYMLINK_FOLLOW));
    neighbour(linkat(AT_FDCWD, from, AT_FDCWD, "new", AT_SYMLINK_FOLLOW));
}

ATTEMPT(unnamed_file_in_a_blocked_directory, .expect = "EACCES")
{
    int fd = (int)report(open(path("secret"), O_TMPFILE | O_RDWR, 0600));
    linkat(AT_FDCWD, text("/proc/self/fd/%d", fd), AT_FDCWD, path("secret/new"), AT_SYMLINK_FOLLOW);
    neighbour(open(".", O_TMPFILE | O_RDWR, 0600));
}

/* In a child: a program that runs does not come back. */
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
    if (status == 0)
        report(0);
    errno = EACCES;
}

ATTEMPT(execveat_of_a_blocked_script, .expect = "EACCES")
{
    execute(AT_FDCWD, path("secret/script"), 0);
    neighbour(access("run", X_OK));
}

ATTEMPT(execveat_of_a_path_descriptor, .expect = "EACCES")
{
    execute((int)MUST(open(path("secret/script"), O_PATH)), "", AT_EMPTY_PATH);
    neighbour(access("run", X_OK));
}

ATTEMPT(execveat_from_a_blocked_directory, .expect = "EACCES")
{
    execute((int)MUST(open("locked", O_PATH)), "script", 0);
    neighbour_sh("./run");
}

/* What has no name is executed; what it reads is judged nevertheless. */
ATTEMPT(program_in_memory_reads_a_secret)
{
    int from = (int)MUST(open("/bin/cat", O_RDONLY)), memory = (int)MUST(memfd_create("cat", 0));
    while (sendfile(memory, from, NULL, 1 << 20) > 0)
        ;
    const char *program_path = text("/proc/self/fd/%d", memory);
    program((const char *const[]){program_path, path("secret/key"), "locked/key", NULL});
    neighbour(program((const char *const[]){"cat", "note", NULL}) == 0 ? 0 : -1);
}

/* The dynamic loader is an interpreter: it maps what it is told to execute, and the path stays judged. */
ATTEMPT(loader_reads_a_blocked_file)
{
    sh("for l in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.*; do [ -e $l ] && $l /bin/cat ~/secret/key locked/key; done");
    neighbour_sh("for l in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.*; do [ -e $l ] && exec $l /bin/cat note; done");
}

ATTEMPT(sendfile_from_a_secret, .expect = "EBADF")
{
    int to = (int)MUST(open("copy", O_RDWR | O_CREAT, 0600));
    report(sendfile(to, grip(path("secret/key")), NULL, 100));
    neighbour(sendfile(to, grip("note"), NULL, 100));
}

ATTEMPT(copy_file_range_from_a_secret, .expect = "EBADF")
{
    int to = (int)MUST(open("copy", O_RDWR | O_CREAT, 0600));
    report(copy_file_range(grip("locked/key"), NULL, to, NULL, 100, 0));
    neighbour(copy_file_range(grip("note"), NULL, to, NULL, 100, 0));
}

ATTEMPT(splice_from_a_secret, .expect = "EBADF")
{
    int pipes[2];
    MUST(pipe(pipes));
    loff_t at = 0;
    if (report(splice(grip(path(".ssh/id")), &at, pipes[1], NULL, 100, 0)) > 0) {
        fcntl(pipes[0], F_SETFL, O_NONBLOCK);
        spill(pipes[0]);
    }
    at = 0;
    neighbour(splice(grip("note"), &at, pipes[1], NULL, 100, 0));
}

ATTEMPT(mmap_of_a_secret, .expect = "EBADF")
{
    char *bytes = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, grip(path("secret/key")), 0);
    report(bytes == MAP_FAILED ? -1 : 0);
    if (bytes != MAP_FAILED)
        printf("%s\n", bytes);
    bytes = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, grip("note"), 0);
    neighbour(bytes == MAP_FAILED ? -1 : 0);
}

ATTEMPT(clone_of_a_secret, .expect = "EBADF", .user = "only where the file system shares blocks",
        .root = "only where the file system shares blocks")
{
    int to = (int)MUST(open("copy", O_RDWR | O_CREAT, 0600));
    report(ioctl(to, FICLONE, grip(path("secret/key"))));
    neighbour_reads("note");
}

/* Asynchronous input needs no io_uring. */
ATTEMPT(aio_from_a_secret, .expect = "EBADF")
{
    static char bytes[4096];
    aio_context_t context = 0;
    MUST(syscall(SYS_io_setup, 4, &context));
    struct iocb block = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_nbytes = 100, .aio_buf = (uintptr_t)bytes};
    struct iocb *blocks[] = {&block};
    struct io_event event;
    block.aio_fildes = (uint32_t)grip(path("secret/key"));
    if (report(syscall(SYS_io_submit, context, 1, blocks)) == 1) {
        syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
        printf("%s\n", bytes);
    }
    block.aio_fildes = (uint32_t)grip("note");
    neighbour(syscall(SYS_io_submit, context, 1, blocks));
}

ATTEMPT(getdents_of_a_path_descriptor, .expect = "EBADF")
{
    char bytes[4096];
    ssize_t got = report(syscall(SYS_getdents64, grip(path("secret")), bytes, sizeof bytes));
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour(syscall(SYS_getdents64, grip("sub"), bytes, sizeof bytes));
}

ATTEMPT(inotify_of_a_blocked_directory, .expect = "EACCES")
{
    int fd = (int)MUST(inotify_init1(IN_NONBLOCK));
    report(inotify_add_watch(fd, path("secret"), IN_ALL_EVENTS));
    outside("name secret");
    spill(fd);
    neighbour(inotify_add_watch(fd, "sub", IN_ALL_EVENTS));
}

/* F_NOTIFY is older than inotify, and asks for a descriptor that reads. */
ATTEMPT(dnotify_of_a_blocked_directory, .expect = "EBADF", .user = "its signal tells that something happened, no names",
        .root = "its signal tells that something happened, no names")
{
    signal(SIGIO, SIG_IGN);
    report(fcntl(grip(path("secret")), F_NOTIFY, DN_CREATE));
    neighbour(fcntl(grip("sub"), F_NOTIFY, DN_CREATE));
}

/* The kernel writes a core file into the working directory, which is free to choose. */
static int cores_lie_in_the_working_directory(void)
{
    char pattern[8] = "";
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
    return read(fd, pattern, sizeof pattern - 1) > 0 && strncmp(pattern, "core", 4) == 0;
}

static int cores_lie_elsewhere(void)
{
    return !cores_lie_in_the_working_directory();
}

ATTEMPT(core_dumped_into_a_blocked_directory, .user = "core files lie elsewhere on this host",
        .root = "core files lie elsewhere on this host", .only_if = cores_lie_elsewhere)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        setrlimit(RLIMIT_CORE, &all);
        MUST(chdir(path("secret")));
        abort();
    }
    waitpid(child, NULL, 0);
    neighbour_reads("note");
}
