/* Children of an attempt's own: what may never end, and allowed neighbours of the process outside. */
#ifndef CHILDREN_H
#define CHILDREN_H
#include "attempt.h"

/* A child that does what may never end. */
UNUSED pid_t child_of(void (*act)(void))
{
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        act();
        _exit(0);
    }
    return child;
}

UNUSED void sleep_for_ever(void)
{
    for (;;)
        pause();
}

/* An allowed neighbour: a child of one's own that sleeps, with the same memory. */
UNUSED pid_t sleeper(void)
{
    return child_of(sleep_for_ever);
}

UNUSED void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

UNUSED int pidfd(pid_t pid)
{
    return (int)MUST(syscall(SYS_pidfd_open, pid, 0));
}

/* The secret is tried, and then the neighbour. */
UNUSED void try_both(void)
{
    show(open(path("secret/key"), O_RDONLY));
    neighbour_reads("note");
}
#endif
