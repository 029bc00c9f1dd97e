/* Supervisor: its place. The listener answers for everybody, so it must not be found, nor be replaced; and a filter or a
 * domain of the target's own only takes away. */
#include "attempt.h"
#include "children.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

#define RECEIVE _IOWR('!', 0, struct seccomp_notif)
#define SEND _IOWR('!', 1, struct seccomp_notif_resp)

ATTEMPT(listener_among_ones_own_descriptors, .expect = "EBADF", .user = "there is no listener to be found",
        .root = "there is no listener to be found")
{
    struct seccomp_notif got = {0};
    struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    int found = -1;
    for (int fd = 0; fd < 1024; fd++) {
        char to[64] = "";
        ssize_t length = readlink(text("/proc/self/fd/%d", fd), to, sizeof to - 1);
        if (length > 0 && strstr(to, "seccomp"))
            found = fd;
        for (answer.id = 1; length > 0 && answer.id < 4; answer.id++)
            if (ioctl(fd, SEND, &answer) == 0 || (found == fd && ioctl(fd, RECEIVE, &got) == 0))
                found = fd;
    }
    errno = EBADF;
    report(found);
    neighbour_reads("note");
}

/* A filter of one's own. */
static long install(uint32_t action, unsigned flags)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {4, program};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

/* The newest filter that notifies would answer in the supervisor's place, with "go on". */
ATTEMPT(listener_of_ones_own, .expect = "EBUSY", .user = "to go on is all that it could say",
        .root = "to go on is all that it could say")
{
    report(install(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER));
    neighbour(access("note", F_OK));
}

ATTEMPT(filter_that_allows, .expect = "EACCES")
{
    MUST(install(SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_TSYNC));
    try_both();
}

ATTEMPT(filter_that_logs, .expect = "EACCES")
{
    MUST(install(SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW));
    try_both();
}

/* TRACE asks a tracer, and there is none: ENOSYS for whatever the supervisor would not have seen. */
ATTEMPT(filter_that_traces, .expect = "EACCES|ENOSYS", .user = "without a tracer it is ENOSYS", .root = "without a tracer it is ENOSYS")
{
    MUST(install(SECCOMP_RET_TRACE, 0));
    show(open(path("secret/key"), O_RDONLY));
    neighbour(access("note", F_OK));
}

ATTEMPT(filter_that_notifies_nobody, .expect = "EACCES|ENOSYS", .user = "without a listener it is ENOSYS",
        .root = "without a listener it is ENOSYS")
{
    MUST(install(SECCOMP_RET_USER_NOTIF, 0));
    show(open(path("secret/key"), O_RDONLY));
    neighbour(access("note", F_OK));
}

/* The old strict mode allows read, write and exit: not what was filtered before. */
static void be_strict(void)
{
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
    syscall(SYS_exit, 0);
}

ATTEMPT(strict_mode, .expect = "EINVAL", .user = "it only takes away", .root = "it only takes away")
{
    end(child_of(be_strict));
    report(prctl(PR_SET_SECCOMP, SECCOMP_MODE_DISABLED, 0, 0, 0));
    neighbour_reads("note");
}

/* The supervisor stands outside such a domain: who believed in it would believe wrongly. */
ATTEMPT(landlock_of_ones_own, .expect = "ENOSYS", .user = "it only takes away", .root = "it only takes away")
{
    uint64_t handled[2] = {4, 0};
    report(syscall(SYS_landlock_create_ruleset, handled, sizeof handled, 0));
    report(syscall(SYS_landlock_restrict_self, 1, 0));
    neighbour_reads("note");
}
