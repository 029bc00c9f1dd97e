/* Descriptors: inherited ones, path descriptors made whole, and those of others. */
#include "attempt.h"
#include <dirent.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>

/* A path descriptor opened again through /proc. */
static long again(int fd, int flags)
{
    return open(text("/proc/self/fd/%d", fd), flags);
}

/* CVE-2024-21626: what was open before the sandbox is closed in it. */
ATTEMPT(inherited_file, .expect = "EBADF", .with = INHERITED)
{
    char bytes[64];
    ssize_t got = report(pread(INHERITED_KEY, bytes, sizeof bytes, 0));
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    int fd = (int)MUST(open("note", O_RDONLY));
    neighbour(pread(fd, bytes, sizeof bytes, 0));
}

ATTEMPT(inherited_file_through_proc, .expect = "ENOENT", .with = INHERITED)
{
    show(again(INHERITED_KEY, O_RDONLY));
    show(open(text("/dev/fd/%d", INHERITED_KEY), O_RDONLY));
    neighbour_fd(again((int)MUST(open("note", O_PATH)), O_RDONLY));
}

ATTEMPT(inherited_file_mapped, .expect = "EBADF", .with = INHERITED)
{
    char *at = mmap(NULL, 16, PROT_READ, MAP_PRIVATE, INHERITED_KEY, 0);
    report(at == MAP_FAILED ? -1 : 0);
    if (at != MAP_FAILED)
        fwrite(at, 1, 16, stdout);
    int fd = (int)MUST(open("note", O_RDONLY));
    neighbour(mmap(NULL, 5, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
}

ATTEMPT(inherited_file_copied, .expect = "EBADF", .with = INHERITED)
{
    int to = (int)MUST(open("copy", O_WRONLY | O_CREAT, 0644)), note = (int)MUST(open("note", O_RDONLY));
    report(sendfile(to, INHERITED_KEY, &(off_t){0}, 64));
    report(copy_file_range(INHERITED_KEY, &(off_t){0}, to, NULL, 64, 0));
    neighbour(sendfile(to, note, NULL, 64));
}

ATTEMPT(inherited_directory, .expect = "EBADF", .with = INHERITED)
{
    show(openat(INHERITED_DIRECTORY, "key", O_RDONLY));
    show(openat(INHERITED_DIRECTORY, "../bystander", O_RDONLY));
    report(mkdirat(INHERITED_DIRECTORY, "new", 0755));
    neighbour_fd(openat((int)MUST(open("sub", O_RDONLY)), "note", O_RDONLY));
}

ATTEMPT(inherited_directory_listed, .expect = "EBADF", .with = INHERITED)
{
    char bytes[4096];
    int names = openat(INHERITED_DIRECTORY, "names", O_RDONLY | O_DIRECTORY);
    long got = report(syscall(SYS_getdents64, names, bytes, sizeof bytes));
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour(syscall(SYS_getdents64, MUST(open("sub", O_RDONLY)), bytes, sizeof bytes));
}

ATTEMPT(inherited_directory_as_the_working_one, .expect = "EBADF", .with = INHERITED)
{
    report(fchdir(INHERITED_DIRECTORY));
    report(fchdir(INHERITED_PATH));
    int fd = open("key", O_RDONLY);
    if (fd >= 0)
        spill(fd);
    neighbour(fchdir((int)MUST(open(path("work"), O_PATH))));
}

ATTEMPT(inherited_path_descriptor, .expect = "ENOENT|EBADF", .with = INHERITED)
{
    show(again(INHERITED_KEY_PATH, O_RDONLY));
    show(openat(INHERITED_PATH, "key", O_RDONLY));
    neighbour_fd(openat((int)MUST(open("sub", O_PATH)), "note", O_RDONLY));
}

ATTEMPT(inherited_root, .expect = "EBADF", .with = INHERITED)
{
    show(openat(INHERITED_ROOT, path("secret/key") + 1, O_RDONLY));
    neighbour_fd(openat((int)MUST(open("/", O_PATH)), path("work/note") + 1, O_RDONLY));
}

ATTEMPT(inherited_writable_file, .expect = "EBADF", .with = INHERITED)
{
    report(write(INHERITED_WRITE, "x", 1));
    report(ftruncate(INHERITED_WRITE, 0));
    report(fchmod(INHERITED_WRITE, 0666));
    neighbour(fchmod((int)MUST(open("note", O_RDWR)), 0640));
}

ATTEMPT(inherited_datagram_socket, .expect = "EBADF", .with = INHERITED | OUTSIDER)
{
    report(write(INHERITED_SOCKET, "x", 1));
    neighbour_reads("note");
}

ATTEMPT(inherited_pidfd, .expect = "EBADF", .with = INHERITED | OUTSIDER)
{
    report(syscall(SYS_pidfd_send_signal, INHERITED_PIDFD, SIGUSR1, NULL, 0));
    int fd = (int)report(syscall(SYS_pidfd_getfd, INHERITED_PIDFD, 20, 0));
    if (fd >= 0)
        spill(fd);
    neighbour(kill(getpid(), 0));
}

ATTEMPT(path_descriptor_opened_again, .expect = "EACCES")
{
    show(again((int)MUST(open(path("secret/key"), O_PATH)), O_RDONLY));
    show(again((int)MUST(open("sub/.env", O_PATH)), O_RDONLY));
    show(again((int)MUST(open("locked/key", O_PATH)), O_RDWR));
    neighbour_fd(again((int)MUST(open("note", O_PATH)), O_RDONLY));
}

ATTEMPT(path_descriptor_opened_again_by_every_name, .expect = "EACCES")
{
    int fd = (int)MUST(open("sub/.env", O_PATH));
    show(open(text("/dev/fd/%d", fd), O_RDONLY));
    show(open(text("/proc/%d/fd/%d", getpid(), fd), O_RDONLY));
    show(open(text("/proc/thread-self/fd/%d", fd), O_RDONLY));
    show(open(text("/proc/self/task/%d/fd/%d", gettid(), fd), O_RDONLY));
    MUST(dup2(fd, 0));
    show(open("/dev/stdin", O_RDONLY));
    int note = (int)MUST(open("note", O_PATH));
    neighbour_fd(open(text("/dev/fd/%d", note), O_RDONLY));
}

ATTEMPT(path_descriptor_opened_by_openat2, .expect = "EACCES")
{
    struct open_how how = {.flags = O_RDONLY};
    int fd = (int)MUST(open("sub/.env", O_PATH));
    show(syscall(SYS_openat2, AT_FDCWD, text("/proc/self/fd/%d", fd), &how, sizeof how));
    fd = (int)MUST(open("note", O_PATH));
    neighbour_fd(syscall(SYS_openat2, AT_FDCWD, text("/proc/self/fd/%d", fd), &how, sizeof how));
}

ATTEMPT(path_descriptor_of_a_directory, .expect = "EACCES")
{
    int secret = (int)MUST(open(path("secret"), O_PATH));
    show(openat(secret, "key", O_RDONLY));
    show(openat((int)MUST(dup(secret)), "sub/key", O_RDONLY));
    report(openat(secret, "new", O_WRONLY | O_CREAT, 0644));
    report(mkdirat(secret, "new", 0755));
    report(unlinkat(secret, "key", 0));
    neighbour_fd(openat((int)MUST(open("sub", O_PATH)), "note", O_RDONLY));
}

ATTEMPT(path_descriptor_of_a_directory_listed, .expect = "EACCES")
{
    int names = (int)MUST(open("locked/names", O_PATH));
    int fd = show(openat(names, ".", O_RDONLY | O_DIRECTORY));
    char bytes[4096];
    long got = syscall(SYS_getdents64, fd, bytes, sizeof bytes);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    fd = show(again(names, O_RDONLY | O_DIRECTORY));
    neighbour(openat((int)MUST(open("sub", O_PATH)), ".", O_RDONLY | O_DIRECTORY));
}

ATTEMPT(path_descriptor_as_the_working_directory, .expect = "EACCES")
{
    MUST(fchdir((int)MUST(open(path("secret"), O_PATH))));
    show(open("key", O_RDONLY));
    show(open("./sub/../key", O_RDONLY));
    report(symlink("key", "new"));
    MUST(fchdir((int)MUST(open(path("work"), O_PATH))));
    neighbour_reads("note");
}

ATTEMPT(path_descriptor_read_directly, .expect = "EBADF", .user = "the kernel reads through no path descriptor",
        .root = "the kernel reads through no path descriptor")
{
    char bytes[64];
    int fd = (int)MUST(open("sub/.env", O_PATH)), to = (int)MUST(open("copy", O_RDWR | O_CREAT, 0644));
    report(read(fd, bytes, sizeof bytes));
    report(sendfile(to, fd, NULL, 64));
    report(copy_file_range(fd, NULL, to, NULL, 64, 0));
    report(ioctl(to, FICLONE, fd));
    report(mmap(NULL, 16, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    neighbour(sendfile(to, (int)MUST(open("note", O_RDONLY)), NULL, 64));
}

ATTEMPT(path_descriptor_sent_over_a_socket, .expect = "EACCES")
{
    int pair[2], fd = (int)MUST(open("sub/.env", O_PATH)), got = -1;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof fd)];
    } control = {.head = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)}};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    char byte = 0;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    MUST(sendmsg(pair[0], &message, 0));
    MUST(recvmsg(pair[1], &message, 0));
    memcpy(&got, CMSG_DATA(&control.head), sizeof got);
    show(again(got, O_RDONLY));
    neighbour_fd(again((int)MUST(open("note", O_PATH)), O_RDONLY));
}

ATTEMPT(path_descriptor_inherited_by_a_program, .expect = "EACCES")
{
    int fd = (int)MUST(open("sub/.env", O_PATH));
    MUST(dup2(fd, 30));
    sh("cat /dev/fd/30 /proc/self/fd/30 <&30");
    show(open("/proc/self/fd/30", O_RDONLY));
    neighbour_sh("exec 4<note; cat /dev/fd/4 > /dev/null");
}

ATTEMPT(write_only_descriptor_opened_again_for_reading, .expect = "EACCES")
{
    int fd = (int)MUST(open("blind/key", O_WRONLY));
    show(again(fd, O_RDONLY));
    show(again(fd, O_RDWR));
    show(open("blind/key", O_RDWR));
    neighbour_fd(again((int)MUST(open("note", O_WRONLY)), O_RDONLY));
}

ATTEMPT(write_only_descriptor_read, .expect = "EBADF|EACCES", .user = "the kernel reads through no write-only descriptor",
        .root = "the kernel reads through no write-only descriptor")
{
    char bytes[64];
    int fd = (int)MUST(open("blind/key", O_WRONLY)), to = (int)MUST(open("copy", O_RDWR | O_CREAT, 0644));
    report(read(fd, bytes, sizeof bytes));
    report(copy_file_range(fd, NULL, to, NULL, 64, 0));
    report(ioctl(to, FICLONE, fd));
    report(mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    neighbour(read(to, bytes, sizeof bytes));
}

ATTEMPT(write_only_file_made_readable_by_appending, .expect = "EACCES")
{
    show(open("blind/key", O_RDWR | O_APPEND));
    show(open("blind/key", O_RDWR | O_CREAT, 0644));
    show(open("blind/key", 3));
    neighbour(open("blind/key", O_WRONLY | O_APPEND));
}

ATTEMPT(read_only_descriptor_opened_again_for_writing, .expect = "EACCES")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY));
    int to = (int)report(again(fd, O_WRONLY));
    if (to >= 0)
        MUST(write(to, "x", 1));
    report(again(fd, O_RDWR | O_TRUNC));
    report(again(fd, O_RDONLY | O_TRUNC));
    neighbour(again((int)MUST(open("note", O_RDONLY)), O_WRONLY));
}

ATTEMPT(read_only_descriptor_written, .expect = "EACCES|EBADF|EINVAL", .user = "the kernel writes through no read-only descriptor",
        .root = "the kernel writes through no read-only descriptor")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY)), note = (int)MUST(open("note", O_RDWR));
    report(ftruncate(fd, 0));
    report(write(fd, "x", 1));
    report(ioctl(fd, FICLONE, note));
    report(fallocate(fd, 0, 0, 100));
    report(mmap(NULL, 16, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    neighbour(mmap(NULL, 5, PROT_WRITE, MAP_SHARED, note, 0) == MAP_FAILED ? -1 : 0);
}

ATTEMPT(private_mapping_made_writable, .expect = "0", .user = "a private mapping writes to no file",
        .root = "a private mapping writes to no file")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY));
    char *at = mmap(NULL, 5, PROT_READ, MAP_PRIVATE, fd, 0);
    report(mprotect(at, 5, PROT_READ | PROT_WRITE));
    strcpy(at, "x");
    msync(at, 5, MS_SYNC);
    neighbour(0);
}

ATTEMPT(shared_mapping_made_writable, .expect = "EACCES", .user = "the kernel remembers how it was opened",
        .root = "the kernel remembers how it was opened")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY)), note = (int)MUST(open("note", O_RDWR));
    char *at = mmap(NULL, 5, PROT_READ, MAP_SHARED, fd, 0);
    report(mprotect(at, 5, PROT_READ | PROT_WRITE));
    neighbour(mprotect(mmap(NULL, 5, PROT_READ, MAP_SHARED, note, 0), 5, PROT_READ | PROT_WRITE));
}

ATTEMPT(deleted_file_seems_a_blocked_one, .expect = "EACCES")
{
    /* Its descriptor's name ends in " (deleted)", and a file of that name is blocked. */
    make_file("shelf/mine", "neighbour\n");
    int mine = (int)MUST(open("shelf/mine", O_RDONLY));
    MUST(unlink("shelf/mine"));
    show(open("locked/key (deleted)", O_RDONLY));
    show(again((int)MUST(open("locked/key (deleted)", O_PATH)), O_RDONLY));
    neighbour_fd(again(mine, O_RDONLY));
}

/* A file with two names, one of them removed, in a directory that cannot be searched: what is left is " (deleted)". */
static int without_its_name(const char *name, int flags)
{
    const char *shut = text("shut-%d", (int)flags);
    MUST(mkdir(shut, 0700));
    MUST(link(name, text("%s/%s", shut, name)));
    int fd = (int)MUST(open(text("%s/%s", shut, name), flags));
    MUST(unlink(text("%s/%s", shut, name)));
    MUST(chmod(shut, 0400));
    return fd;
}

ATTEMPT(removed_name_in_a_closed_directory, .expect = "EACCES", .policy = "default")
{
    show(again(without_its_name(".env", O_WRONLY), O_RDONLY));
    show(again(without_its_name(".env", O_PATH), O_RDONLY));
    neighbour_fd(again(without_its_name("note", O_RDWR), O_RDONLY));
}

ATTEMPT(directory_watched, .expect = "EACCES")
{
    int watch = (int)MUST(inotify_init1(IN_NONBLOCK));
    report(inotify_add_watch(watch, path("secret"), IN_ALL_EVENTS));
    report(inotify_add_watch(watch, "locked/names", IN_ALL_EVENTS));
    outside("name secret");
    outside("name work/locked/names");
    char bytes[4096];
    ssize_t got = read(watch, bytes, sizeof bytes);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour(inotify_add_watch(watch, "sub", IN_ALL_EVENTS));
}

ATTEMPT(directory_watched_through_a_descriptor, .expect = "EACCES")
{
    int watch = (int)MUST(inotify_init1(IN_NONBLOCK)), secret = (int)MUST(open(path("secret"), O_PATH));
    report(inotify_add_watch(watch, text("/proc/self/fd/%d", secret), IN_ALL_EVENTS));
    outside("name secret");
    char bytes[4096];
    ssize_t got = read(watch, bytes, sizeof bytes);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour(inotify_add_watch(watch, "sub", IN_ALL_EVENTS));
}

/* Every descriptor of every process that can be looked at. */
ATTEMPT(descriptors_of_others_through_proc, .with = OUTSIDER)
{
    char target[PATH_MAX];
    for (int number = 0; number < 64; number++)
        for (int i = 0; i < 2; i++) {
            char *at = text("/proc/%d/fd/%d", i == 0 ? outsider : getppid(), number);
            ssize_t length = readlink(at, target, sizeof target - 1);
            if (length <= 0 || strncmp(target, root, strlen(root)) != 0)
                continue;
            int fd = open(at, O_RDONLY);
            if (fd >= 0)
                spill(fd);
        }
    int fd = (int)MUST(open("note", O_RDONLY));
    neighbour_fd(open(text("/proc/%d/fd/%d", getpid(), fd), O_RDONLY));
}

ATTEMPT(descriptor_of_an_outsider_duplicated, .expect = "EPERM|EACCES", .with = OUTSIDER)
{
    int pidfd = (int)syscall(SYS_pidfd_open, outsider, 0);
    int fd = (int)report(pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, 20, 0));
    char bytes[64];
    ssize_t got = fd < 0 ? -1 : pread(fd, bytes, sizeof bytes, 0);
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour_reads("note");
}

ATTEMPT(environment_of_an_outsider, .expect = "EACCES", .with = OUTSIDER)
{
    show(open(text("/proc/%d/environ", outsider), O_RDONLY));
    show(open(text("/proc/%d/task/%d/environ", outsider, outsider), O_RDONLY));
    neighbour(open("/proc/self/environ", O_RDONLY));
}

/* A peer leaked what was its own when it opened /proc/self for the target. */
ATTEMPT(supervisor_through_proc_self, .expect = "0", .user = "without a sandbox there is no supervisor",
        .root = "without a sandbox there is no supervisor")
{
    char bytes[64] = "", wanted[32];
    int fd = (int)report(open("/proc/self/stat", O_RDONLY));
    MUST(read(fd, bytes, sizeof bytes - 1));
    sprintf(wanted, "%d (", getpid());
    errno = EIO;
    neighbour(strncmp(bytes, wanted, strlen(wanted)) == 0 ? 0 : -1);
}

ATTEMPT(supervisor_looked_at, .expect = "EACCES", .never_bare = "its parent there is the harness")
{
    report(open(text("/proc/%d/environ", getppid()), O_RDONLY));
    report(open(text("/proc/%d/mem", getppid()), O_RDWR));
    report(open(text("/proc/%d/maps", getppid()), O_RDONLY));
    report(open(text("/proc/%d/root/", getppid()), O_RDONLY));
    report(open(text("/proc/%d/cwd/", getppid()), O_RDONLY));
    report(open(text("/proc/%d/exe", getppid()), O_RDONLY));
    neighbour(open("/proc/self/maps", O_RDONLY));
}

ATTEMPT(blocked_script_executed, .expect = "EACCES")
{
    const char *scripts[] = {path("secret/script"), "locked/script", "links/locked/script"};
    for (int i = 0; i < 3; i++) {
        fflush(stdout);
        pid_t child = (pid_t)MUST(fork());
        if (child == 0) {
            execl(scripts[i], scripts[i], NULL);
            report(-1);
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
    neighbour_sh("./run");
}

ATTEMPT(blocked_script_executed_by_its_descriptor, .expect = "EACCES")
{
    int fd = (int)MUST(open(path("secret/script"), O_PATH));
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        syscall(SYS_execveat, fd, "", (char *[]){"x", NULL}, NULL, AT_EMPTY_PATH);
        report(-1);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    neighbour_sh("./run");
}

ATTEMPT(blocked_file_as_an_interpreters_argument)
{
    make_file("cat", text("#!/bin/cat %s\n", path("secret/key")));
    make_file("interpreted", text("#!%s\n", path("secret/script")));
    MUST(chmod("cat", 0755));
    MUST(chmod("interpreted", 0755));
    sh("./cat ; ./interpreted ; sh ../secret/script ; . locked/script ; sh locked/key ; python3 sub/.env ; /lib64/ld-linux-x86-64.so.2 ../secret/key");
    neighbour_sh("./run");
}

ATTEMPT(blocked_file_included_by_a_compiler)
{
    make_file("include.c", "#include \"sub/.env\"\nconst char embedded[] = {\n#embed \"../secret/key\"\n};\n");
    make_file("assembled.s", ".data\n.incbin \"locked/key\"\n");
    sh("cc -E include.c ; cc -c assembled.s ; ld -r -b binary -o linked.o ../secret/key ; make -f ../secret/key ; git -C . config --file sub/.env -l");
    make_file("ours.s", ".data\n.incbin \"note\"\n");
    neighbour_sh("cc -c ours.s");
}
