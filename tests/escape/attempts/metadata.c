/* Metadata: mode, owner, times, extended attributes, flags, length, of what is blocked and of what may only be read; by
 * path and by descriptor. Landlock judges none of it but the length. */
#include "attempt.h"

#include <linux/fsverity.h>
#include <sys/file.h>
#include <sys/time.h>
#include <utime.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif
#ifndef SYS_file_setattr
#define SYS_file_setattr 469
#endif

/* The same call on something blocked and on its allowed neighbour, by path. */
#define BY_PATH(NAME, BLOCKED, ALLOWED, CALL)                                                                          \
    ATTEMPT(NAME, .expect = "EACCES")                                                                                  \
    {                                                                                                                  \
        const char *it = path(BLOCKED);                                                                                \
        report(CALL);                                                                                                  \
        it = path("work/" ALLOWED);                                                                                    \
        neighbour(CALL);                                                                                               \
    }

/* The same by a descriptor that is opened with FLAGS, which are allowed for both. */
#define BY_DESCRIPTOR(NAME, BLOCKED, ALLOWED, FLAGS, CALL)                                                             \
    ATTEMPT(NAME, .expect = "EACCES")                                                                                  \
    {                                                                                                                  \
        int it = (int)MUST(open(path(BLOCKED), FLAGS));                                                                \
        report(CALL);                                                                                                  \
        it = (int)MUST(open(path("work/" ALLOWED), FLAGS));                                                            \
        neighbour(CALL);                                                                                               \
    }

static const struct timespec old[2] = {{1000, 0}, {1000, 0}};
static const struct timeval old_times[2] = {{1000, 0}, {1000, 0}};

/* chmod and chown. A change to what is set already still moves the time of change. */
BY_PATH(chmod_of_a_secret, "secret/key", "note", chmod(it, 0644))
BY_PATH(chmod_of_what_may_only_be_read, "work/fixed/note", "note", chmod(it, 0600))
BY_PATH(chmod_of_a_blocked_directory, "secret", "sub", chmod(it, 0777))
BY_PATH(chmod_through_a_link, "work/links/secret-key", "links/note", chmod(it, 0600))
/* No file gets the bit inside, so the neighbour gets another one. */
BY_PATH(chmod_that_sets_the_user_id, "script", "run", chmod(it, strstr(it, "/work/") ? 01755 : 04755))
BY_PATH(fchmodat2_with_nofollow, "secret/key", "note",
        syscall(SYS_fchmodat2, AT_FDCWD, it, 0600, AT_SYMLINK_NOFOLLOW))
BY_DESCRIPTOR(fchmodat2_of_an_empty_path, "secret/key", "note", O_PATH,
              syscall(SYS_fchmodat2, it, "", 0600, AT_EMPTY_PATH))
BY_DESCRIPTOR(fchmod_of_a_reading_descriptor, "work/fixed/note", "note", O_RDONLY, fchmod(it, 0600))
BY_DESCRIPTOR(chmod_through_proc_self_fd, "secret/key", "note", O_PATH,
              chmod(text("/proc/self/fd/%d", it), 0600))
BY_DESCRIPTOR(chmod_through_the_descriptor_of_a_thread, "secret/key", "note", O_PATH,
              chmod(text("/proc/thread-self/fd/%d", it), 0600))
BY_DESCRIPTOR(fchmodat_from_a_blocked_directory, "secret", "", O_PATH,
              fchmodat(it, faccessat(it, "key", F_OK, 0) == 0 ? "key" : "note", 0600, 0))
BY_PATH(chown_of_a_secret, "secret/key", "note", chown(it, getuid(), getgid()))
BY_PATH(chown_that_changes_nothing, "work/fixed/note", "note", chown(it, getuid(), (gid_t)-1))
BY_PATH(lchown_of_a_link, "script", "links/note", lchown(it, getuid(), getgid()))
BY_DESCRIPTOR(fchown_of_a_reading_descriptor, "work/fixed/note", "note", O_RDONLY, fchown(it, getuid(), getgid()))
BY_DESCRIPTOR(fchownat_of_an_empty_path, "secret/key", "note", O_PATH,
              fchownat(it, "", getuid(), getgid(), AT_EMPTY_PATH))

/* Given away, a file is out of its owner's reach. */
ATTEMPT(chown_to_somebody_else, .expect = "EACCES", .user = "only root gives files away")
{
    report(chown(path("secret/key"), 1, 1));
    neighbour(chown("note", getuid(), getgid()));
}

/* Times. */
BY_PATH(utimensat_of_a_secret, "secret/key", "note", utimensat(AT_FDCWD, it, old, 0))
BY_PATH(utimensat_to_now, "work/fixed/note", "note", utimensat(AT_FDCWD, it, NULL, 0))
BY_PATH(utimensat_with_nofollow, "work/locked/key", "note", utimensat(AT_FDCWD, it, old, AT_SYMLINK_NOFOLLOW))
BY_DESCRIPTOR(utimensat_of_a_null_path, "work/fixed/note", "note", O_RDONLY,
              syscall(SYS_utimensat, it, NULL, old, 0))
BY_DESCRIPTOR(utimensat_of_an_empty_path, "secret/key", "note", O_PATH,
              syscall(SYS_utimensat, it, "", old, AT_EMPTY_PATH))
BY_DESCRIPTOR(utimensat_through_proc_self_fd, "secret/key", "note", O_PATH,
              utimensat(AT_FDCWD, text("/proc/self/fd/%d", it), old, 0))
#ifdef SYS_utime
BY_PATH(utime_of_a_secret, "secret/key", "note", syscall(SYS_utime, it, &(struct utimbuf){1000, 1000}))
BY_PATH(utimes_of_a_secret, "secret/key", "note", syscall(SYS_utimes, it, old_times))
BY_DESCRIPTOR(futimesat_of_a_null_path, "work/fixed/note", "note", O_RDONLY,
              syscall(SYS_futimesat, it, NULL, old_times))
#endif

/* Extended attributes. */
BY_PATH(setxattr_of_a_secret, "secret/key", "note", setxattr(it, "user.claw", "x", 1, 0))
BY_PATH(setxattr_of_a_blocked_directory, "secret", "sub", setxattr(it, "user.claw", "x", 1, 0))
BY_PATH(lsetxattr_of_a_secret, "secret/key", "note", lsetxattr(it, "user.claw", "x", 1, 0))
BY_DESCRIPTOR(fsetxattr_of_a_reading_descriptor, "work/fixed/note", "note", O_RDONLY,
              fsetxattr(it, "user.claw", "x", 1, 0))
BY_DESCRIPTOR(setxattr_through_proc_self_fd, "secret/key", "note", O_PATH,
              setxattr(text("/proc/self/fd/%d", it), "user.claw", "x", 1, 0))

struct xattr_arguments {
    uint64_t value;
    uint32_t size, flags;
};

static long setxattrat(int from, const char *name, int flags)
{
    struct xattr_arguments arguments = {(uintptr_t) "x", 1, 0};
    return syscall(SYS_setxattrat, from, name, flags, "user.claw", &arguments, sizeof arguments);
}

BY_PATH(setxattrat_of_a_secret, "secret/key", "note", setxattrat(AT_FDCWD, it, 0))
BY_PATH(setxattrat_with_nofollow, "work/fixed/note", "note", setxattrat(AT_FDCWD, it, AT_SYMLINK_NOFOLLOW))
BY_DESCRIPTOR(setxattrat_of_an_empty_path, "work/fixed/note", "note", O_RDONLY, setxattrat(it, "", AT_EMPTY_PATH))

/* What is removed and read has been there: the owner of blocked files keeps a word in their attributes. */
BY_PATH(removexattr_of_a_secret, "secret/noted", "noted", removexattr(it, "user.note"))
BY_PATH(lremovexattr_of_a_secret, "secret/noted", "noted", lremovexattr(it, "user.note"))
BY_PATH(removexattrat_of_a_secret, "secret/noted", "noted", syscall(SYS_removexattrat, AT_FDCWD, it, 0, "user.note"))
BY_DESCRIPTOR(fremovexattr_of_a_reading_descriptor, "work/fixed/noted", "noted", O_RDONLY,
              fremovexattr(it, "user.note"))

static long print(long got, const char *bytes)
{
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    return got;
}

static char bytes[512];

static long getxattrat(int from, const char *name, int flags)
{
    struct xattr_arguments arguments = {(uintptr_t)bytes, sizeof bytes, 0};
    return syscall(SYS_getxattrat, from, name, flags, "user.note", &arguments, sizeof arguments);
}

BY_PATH(getxattr_of_a_secret, "secret/noted", "noted", print(getxattr(it, "user.note", bytes, sizeof bytes), bytes))
BY_PATH(lgetxattr_of_a_secret, "secret/noted", "noted", print(lgetxattr(it, "user.note", bytes, sizeof bytes), bytes))
BY_PATH(getxattrat_of_a_secret, "secret/noted", "noted", print(getxattrat(AT_FDCWD, it, 0), bytes))
BY_DESCRIPTOR(getxattr_through_proc_self_fd, "secret/noted", "noted", O_PATH,
              print(getxattr(text("/proc/self/fd/%d", it), "user.note", bytes, sizeof bytes), bytes))
BY_DESCRIPTOR(fgetxattr_of_a_writing_descriptor, "work/blind/noted", "noted", O_WRONLY,
              print(fgetxattr(it, "user.note", bytes, sizeof bytes), bytes))
BY_PATH(listxattr_of_a_secret, "secret/noted", "noted", print(listxattr(it, bytes, sizeof bytes), bytes))
BY_PATH(llistxattr_of_a_secret, "secret/noted", "noted", print(llistxattr(it, bytes, sizeof bytes), bytes))
BY_PATH(listxattrat_of_a_secret, "secret/noted", "noted",
        print(syscall(SYS_listxattrat, AT_FDCWD, it, 0, bytes, sizeof bytes), bytes))
BY_DESCRIPTOR(flistxattr_of_a_writing_descriptor, "work/blind/noted", "noted", O_WRONLY,
              print(flistxattr(it, bytes, sizeof bytes), bytes))

/* An access list is an extended attribute that the kernel obeys. */
static long set_acl(const char *name)
{
    struct {
        uint32_t version;
        struct {
            uint16_t tag, permissions;
            uint32_t id;
        } entries[5];
    } list = {2, {{1, 6, ~0U}, {2, 6, 1}, {4, 4, ~0U}, {16, 7, ~0U}, {32, 4, ~0U}}};
    return setxattr(name, "system.posix_acl_access", &list, sizeof list, 0);
}

BY_PATH(access_list_of_a_secret, "secret/key", "note", set_acl(it))
BY_PATH(access_list_of_what_may_only_be_read, "work/fixed/note", "note", set_acl(it))

ATTEMPT(capabilities_of_a_program, .expect = "EACCES", .user = "capabilities of files need CAP_SETFCAP")
{
    uint32_t capability[5] = {0x02000001, 0x3fffff, 0, 0, 0};
    report(setxattr(path("script"), "security.capability", capability, sizeof capability, 0));
    neighbour(setxattr("note", "user.claw", "x", 1, 0));
}

/* Requests that change a file through a descriptor that only reads. */
ATTEMPT(flags_of_a_reading_descriptor, .expect = "EACCES")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY)), flags = 0;
    MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    flags |= FS_NOATIME_FL;
    report(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    neighbour(ioctl(fd, FS_IOC_GETFLAGS, &flags));
}

ATTEMPT(extended_flags_of_a_reading_descriptor, .expect = "EACCES")
{
    struct fsxattr flags = {0};
    int fd = (int)MUST(open("fixed/note", O_RDONLY));
    MUST(ioctl(fd, FS_IOC_FSGETXATTR, &flags));
    flags.fsx_xflags |= FS_XFLAG_NOATIME;
    report(ioctl(fd, FS_IOC_FSSETXATTR, &flags));
    neighbour(ioctl(fd, FS_IOC_FSGETXATTR, &flags));
}

ATTEMPT(version_of_a_reading_descriptor, .expect = "EACCES")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY)), version = 7;
    report(ioctl(fd, FS_IOC_SETVERSION, &version));
    /* ext4 has a number of its own for it. */
    report(ioctl(fd, _IOW('f', 4, long), &version));
    neighbour(ioctl(fd, FS_IOC_GETVERSION, &version));
}

/* CVE-2019-7303: the kernel looks at 32 bits of a request. */
ATTEMPT(flags_with_high_bits_in_the_request, .expect = "EACCES")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY)), flags = 0;
    MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    flags |= FS_NOATIME_FL;
    report(syscall(SYS_ioctl, fd, 0x100000000 | FS_IOC_SETFLAGS, &flags));
    neighbour(syscall(SYS_ioctl, fd, 0x100000000 | FS_IOC_GETFLAGS, &flags));
}

ATTEMPT(verity_of_a_reading_descriptor, .expect = "EACCES", .user = "the kernel may not have fs-verity",
        .root = "the kernel may not have fs-verity")
{
    struct fsverity_enable_arg enable = {.version = 1, .hash_algorithm = 1, .block_size = 4096};
    int fd = (int)MUST(open("fixed/note", O_RDONLY)), flags;
    report(ioctl(fd, FS_IOC_ENABLE_VERITY, &enable));
    neighbour(ioctl(fd, FS_IOC_GETFLAGS, &flags));
}

struct file_attributes {
    uint64_t flags;
    uint32_t extent, count, project, cow;
};

static int has_no_file_setattr(void)
{
    return syscall(SYS_file_setattr, -1, "", NULL, 0, 0) < 0 && errno == ENOSYS;
}

ATTEMPT(file_setattr_of_a_secret, .expect = "EACCES", .user = "the call is new in Linux 6.17",
        .root = "the call is new in Linux 6.17", .only_if = has_no_file_setattr)
{
    struct file_attributes attributes = {.flags = FS_XFLAG_NOATIME};
    report(syscall(SYS_file_setattr, AT_FDCWD, path("secret/key"), &attributes, sizeof attributes, 0));
    int fd = (int)MUST(open("fixed/note", O_RDONLY));
    report(syscall(SYS_file_setattr, fd, "", &attributes, sizeof attributes, AT_EMPTY_PATH));
    neighbour(chmod("note", 0600));
}

/* Length. A descriptor that reads changes nothing; the call behind it still must not. */
ATTEMPT(ftruncate_of_a_reading_descriptor, .expect = "EINVAL|EACCES", .user = "the kernel asks for a writing descriptor",
        .root = "the kernel asks for a writing descriptor")
{
    report(ftruncate((int)MUST(open("fixed/note", O_RDONLY)), 0));
    neighbour(ftruncate((int)MUST(open("note", O_WRONLY)), 0));
}

ATTEMPT(fallocate_of_a_reopened_descriptor, .expect = "EACCES")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY));
    int again = (int)report(open(text("/proc/self/fd/%d", fd), O_RDWR));
    fallocate(again, 0, 0, 4096);
    fd = (int)MUST(open("note", O_RDONLY));
    neighbour(fallocate((int)MUST(open(text("/proc/self/fd/%d", fd), O_RDWR)), 0, 0, 4096));
}

/* A mapping of what may only be read becomes writable, and private memory is all that changes. */
ATTEMPT(mprotect_of_a_reading_map, .expect = "EACCES", .user = "the kernel asks for a writing descriptor",
        .root = "the kernel asks for a writing descriptor")
{
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, (int)MUST(open("fixed/note", O_RDONLY)), 0);
    report(mprotect(shared, 4096, PROT_READ | PROT_WRITE));
    shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, (int)MUST(open("note", O_RDWR)), 0);
    neighbour(mprotect(shared, 4096, PROT_READ | PROT_WRITE));
}

/* The kernel writes past the permissions of a page of one's own memory; not past those of a file. */
ATTEMPT(proc_self_mem_writes_into_a_reading_map, .expect = "EACCES", .user = "the kernel copies the page first",
        .root = "the kernel copies the page first")
{
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, (int)MUST(open("fixed/note", O_RDONLY)), 0);
    int memory = (int)report(open("/proc/self/mem", O_RDWR));
    (void)!pwrite(memory, "x", 1, (off_t)(uintptr_t)shared);
    neighbour_reads("note");
}

/* What asks for nothing works: locks, leases and hints change no file. */
ATTEMPT(locks_and_hints_change_nothing, .user = "they change nothing", .root = "they change nothing")
{
    int fd = (int)MUST(open("fixed/note", O_RDONLY));
    struct flock lock = {.l_type = F_RDLCK};
    uint64_t hint = 2;
    neighbour(flock(fd, LOCK_EX));
    neighbour(fcntl(fd, F_OFD_SETLK, &lock));
    neighbour(fcntl(fd, F_SETLEASE, F_RDLCK));
    fcntl(fd, F_SET_RW_HINT, &hint);
    neighbour(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0 ? 0 : -1);
}

ATTEMPT(touch_of_what_may_only_be_read)
{
    sh("touch fixed/note; touch -d 2001-01-01 ~/secret/key locked; chmod -R a+rwx fixed locked ~/secret");
    neighbour_sh("touch note && touch -d 2001-01-01 sub/note && chmod 600 note");
}
