/* Calls that change the tree itself: mounts, roots, and the namespaces in which anybody may make them. Bare they act in
 * a mount namespace of their own. */
#include "attempt.h"

#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif

/* An ordinary user mounts in a user namespace; in the sandbox this fails, and what follows is tried nevertheless. */
static void become_mounter(void)
{
    uid_t uid = geteuid();
    if (uid == 0)
        return;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return;
    int fd = open("/proc/self/uid_map", O_WRONLY);
    const char *map = text("0 %d 1", (int)uid);
    MUST(write(fd, map, strlen(map)));
    close(fd);
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

ATTEMPT(user_namespace_with_a_bind_mount, .expect = "EPERM")
{
    report(unshare(CLONE_NEWUSER | CLONE_NEWNS));
    mount(path("secret"), "empty", NULL, MS_BIND, NULL);
    spill(open("empty/key", O_RDONLY));
    neighbour(unshare(CLONE_FILES));
}

static int in_namespace(void *unused)
{
    (void)unused;
    mount(path("secret"), "empty", NULL, MS_BIND, NULL);
    spill(open("empty/key", O_RDONLY));
    spill(open(path("secret/key"), O_RDONLY));
    return 0;
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

ATTEMPT(namespaces_by_clone, .expect = "EPERM")
{
    static char stack[1 << 17];
    report(clone(in_namespace, stack + sizeof stack, CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, NULL));
    while (wait(NULL) > 0)
        ;
    neighbour(clone(nothing, stack + sizeof stack, SIGCHLD, NULL));
}

/* Its flags lie in memory: it is refused whatever they are. */
ATTEMPT(namespaces_by_clone3, .expect = "ENOSYS")
{
    uint64_t arguments[11] = {CLONE_NEWUSER | CLONE_NEWNS, [4] = SIGCHLD};
    fflush(stdout);
    long child = syscall(SYS_clone3, arguments, sizeof arguments);
    if (child == 0) {
        in_namespace(NULL);
        _exit(0);
    }
    report(child);
    while (wait(NULL) > 0)
        ;
    neighbour(fork() == 0 ? (_exit(0), 0) : 0);
}

ATTEMPT(setns_into_the_outsiders_namespaces, .expect = "EPERM", .with = OUTSIDER, .user = "setns needs CAP_SYS_ADMIN",
        .root = "the same namespace shows nothing new")
{
    int fd = (int)MUST(syscall(SYS_pidfd_open, outsider, 0));
    report(setns(fd, CLONE_NEWNS));
    report(setns(fd, CLONE_NEWUSER | CLONE_NEWPID));
    neighbour_reads("note");
}

ATTEMPT(bind_mount_of_a_secret, .expect = "EPERM")
{
    become_mounter();
    report(mount(path("secret"), "empty", NULL, MS_BIND, NULL));
    spill(open("empty/key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(bind_mount_of_a_file, .expect = "EPERM")
{
    become_mounter();
    report(mount("locked/key", "note", NULL, MS_BIND, NULL));
    spill(open("note", O_RDONLY));
    neighbour_reads("sub/note");
}

/* Landlock's grant belongs to the directory that is above: the workspace over the secret is the workspace. */
ATTEMPT(bind_mount_over_a_blocked_name, .expect = "EPERM")
{
    become_mounter();
    MUST(mkdir("parts", 0700));
    report(mount(path("work/locked"), "parts", NULL, MS_BIND, NULL));
    spill(open("parts/key", O_RDONLY));
    int fd = open("parts/key", O_WRONLY | O_APPEND);
    if (fd >= 0)
        MUST(write(fd, "x", 1));
    neighbour_reads("note");
}

ATTEMPT(open_tree_and_move_mount, .expect = "EPERM")
{
    become_mounter();
    int fd = (int)report(syscall(SYS_open_tree, AT_FDCWD, path("secret"), OPEN_TREE_CLONE));
    report(syscall(SYS_move_mount, fd, "", AT_FDCWD, "empty", MOVE_MOUNT_F_EMPTY_PATH));
    spill(open("empty/key", O_RDONLY));
    neighbour_reads("note");
}

/* A detached tree has no path at all. */
ATTEMPT(open_tree_read_through_its_descriptor, .expect = "EPERM|EBADF")
{
    become_mounter();
    int fd = (int)report(syscall(SYS_open_tree, AT_FDCWD, path("secret"), OPEN_TREE_CLONE));
    show(openat(fd, "key", O_RDONLY));
    neighbour_reads("note");
}

/* Without a clone the call gives a path descriptor, like O_PATH. */
ATTEMPT(open_tree_without_a_clone, .expect = "EPERM|ENOENT")
{
    int fd = (int)report(syscall(SYS_open_tree, AT_FDCWD, path("secret/key"), 0));
    show(open(text("/proc/self/fd/%d", fd), O_RDONLY));
    neighbour_reads("note");
}

static int has_no_open_tree_attr(void)
{
    return syscall(SYS_open_tree_attr, -1, "", 0, NULL, 0) < 0 && errno == ENOSYS;
}

ATTEMPT(open_tree_attr, .expect = "EPERM", .user = "the call is new in Linux 6.15",
        .root = "the call is new in Linux 6.15", .only_if = has_no_open_tree_attr)
{
    become_mounter();
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV};
    int fd = (int)report(syscall(SYS_open_tree_attr, AT_FDCWD, path("secret"), OPEN_TREE_CLONE, &attributes,
                                 sizeof attributes));
    spill(openat(fd, "key", O_RDONLY));
    neighbour_reads("note");
}

/* A file system of one's own over the blocked directory: what is read there is not the secret, but what the owner's
 * programs are told. It is gone with the namespace, so the root's bare run shows nothing. */
ATTEMPT(new_file_system, .expect = "EPERM", .user = "it hides a secret and shows none",
        .root = "it hides a secret and shows none")
{
    become_mounter();
    int context = (int)report(syscall(SYS_fsopen, "tmpfs", 0));
    report(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int fd = (int)report(syscall(SYS_fsmount, context, 0, 0));
    report(syscall(SYS_move_mount, fd, "", AT_FDCWD, path("secret"), MOVE_MOUNT_F_EMPTY_PATH));
    neighbour_reads("note");
}

ATTEMPT(overlay_over_a_secret, .expect = "EPERM")
{
    become_mounter();
    const char *options = text("lowerdir=%s:%s", path("secret"), path("work/empty"));
    report(mount("overlay", "empty", "overlay", MS_RDONLY, options));
    spill(open("empty/key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(mount_attributes_of_the_root, .expect = "EPERM", .user = "it only takes away", .root = "it only takes away")
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID};
    report(syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes));
    report(syscall(SYS_fspick, AT_FDCWD, "/", 0));
    neighbour_reads("note");
}

ATTEMPT(umount_of_proc, .expect = "EPERM", .user = "it only hides", .root = "it only hides")
{
    report(umount2("/proc", MNT_DETACH));
    neighbour(access("/proc/self/stat", F_OK));
}

/* In another root each path means something else. */
ATTEMPT(chroot_into_a_secret, .expect = "EPERM")
{
    become_mounter();
    if (report(chroot(path("secret"))) == 0)
        spill(open("/key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(pivot_root_into_a_secret, .expect = "EPERM")
{
    become_mounter();
    mount(path("secret"), path("secret"), NULL, MS_BIND, NULL);
    int beside = open(".", O_RDONLY | O_DIRECTORY);
    MUST(chdir(path("secret")));
    if (report(syscall(SYS_pivot_root, ".", ".")) == 0)
        spill(open("/key", O_RDONLY));
    MUST(fchdir(beside));
    neighbour_reads("note");
}

/* The mount table of the host is public; a mount by its number is not a way in. */
ATTEMPT(statmount_names_and_no_more, .user = "names of mounts are not secret", .root = "names of mounts are not secret")
{
    uint64_t asked[4] = {24, 0, 0, 0xffff};
    static char bytes[1 << 16];
    for (uint64_t id = 0x80000000; id < 0x80000040; id++) {
        asked[1] = id;
        if (syscall(SYS_statmount, asked, bytes, sizeof bytes, 0) == 0)
            fwrite(bytes, 1, sizeof bytes, stdout);
    }
    neighbour_reads("note");
}
