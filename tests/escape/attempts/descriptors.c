/* Descriptors: inherited ones, those that lead elsewhere, and those of others. */
#include "attempt.h"

/* CVE-2024-21626: what was open before the sandbox is closed in it. */
ATTEMPT(inherited_file, .expect = "EBADF", .with = INHERITED)
{
    char bytes[64];
    ssize_t got = report(pread(INHERITED_KEY, bytes, sizeof bytes, 0));
    if (got > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
    neighbour_reads("note");
}

ATTEMPT(inherited_datagram_socket, .expect = "EBADF", .with = INHERITED | OUTSIDER)
{
    report(write(INHERITED_SOCKET, "x", 1));
    neighbour_reads("note");
}

ATTEMPT(inherited_pidfd_signals, .expect = "EBADF", .with = INHERITED | OUTSIDER)
{
    report(syscall(SYS_pidfd_send_signal, INHERITED_PIDFD, SIGUSR1, NULL, 0));
    neighbour(kill(getpid(), 0));
}
