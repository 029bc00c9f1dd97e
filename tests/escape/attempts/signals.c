/* Processes outside: signals to them, by every call and by the kernel on one's behalf, and their limits and priorities. */
#include "attempt.h"
#include "children.h"

#include <sys/resource.h>

/* Signals. */
#define SIGNALS(NAME, CALL)                                                                                            \
    ATTEMPT(NAME, .expect = "EPERM", .with = OUTSIDER)                                                                 \
    {                                                                                                                  \
        pid_t it = outsider;                                                                                           \
        report(CALL);                                                                                                  \
        it = getpid();                                                                                                 \
        signal(SIGUSR1, SIG_IGN);                                                                                      \
        neighbour(CALL);                                                                                               \
    }

static siginfo_t sent = {.si_code = SI_QUEUE};

SIGNALS(kill_of_the_outsider, kill(it, SIGUSR1))
SIGNALS(tkill_of_the_outsider, syscall(SYS_tkill, it, SIGUSR1))
SIGNALS(tgkill_of_the_outsider, syscall(SYS_tgkill, it, it, SIGUSR1))
SIGNALS(queued_signal_to_the_outsider, syscall(SYS_rt_sigqueueinfo, it, SIGUSR1, (sent.si_signo = SIGUSR1, &sent)))
SIGNALS(queued_signal_to_the_outsiders_thread,
        syscall(SYS_rt_tgsigqueueinfo, it, it, SIGUSR1, (sent.si_signo = SIGUSR1, &sent)))
SIGNALS(pidfd_signal_to_the_outsider, syscall(SYS_pidfd_send_signal, pidfd(it), SIGUSR1, NULL, 0))

ATTEMPT(kill_that_stops_the_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    if (report(kill(outsider, SIGSTOP)) == 0)
        kill(outsider, SIGCONT);
    neighbour(kill(getpid(), 0));
}

/* The end of the outsider is seen: it does not say that it is alive. */
ATTEMPT(kill_that_ends_the_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    report(kill(outsider, SIGKILL));
    pid_t child = sleeper();
    neighbour(kill(child, SIGKILL));
    end(child);
}

ATTEMPT(signal_to_everybody, .with = OUTSIDER, .never_bare = "it would reach every process of the user")
{
    signal(SIGUSR2, SIG_IGN);
    kill(-1, SIGUSR2);
    kill(-getpgid(getppid()), SIGUSR2);
    kill(-getpgid(outsider), SIGUSR2);
    neighbour_reads("note");
}

/* The kernel sends the signal, on behalf of whoever owns the descriptor. */
static void owned(int signal_number, int use_struct)
{
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    struct f_owner_ex owner = {F_OWNER_PID, outsider};
    report(use_struct ? fcntl(pair[0], F_SETOWN_EX, &owner) : fcntl(pair[0], F_SETOWN, outsider));
    if (signal_number)
        MUST(fcntl(pair[0], F_SETSIG, signal_number));
    MUST(fcntl(pair[0], F_SETFL, O_ASYNC));
    MUST(write(pair[1], "x", 1));
    usleep(20000);
    signal(SIGIO, SIG_IGN);
    neighbour(fcntl(pair[0], F_SETOWN, getpid()));
}

ATTEMPT(sigio_by_setown, .expect = "EPERM|0", .with = OUTSIDER)
{
    owned(0, 0);
}

ATTEMPT(sigio_by_setown_ex, .expect = "EPERM|0", .with = OUTSIDER)
{
    owned(0, 1);
}

ATTEMPT(chosen_signal_by_setsig, .expect = "EPERM|0", .with = OUTSIDER)
{
    owned(SIGTERM, 0);
}

ATTEMPT(sigio_by_an_ioctl_of_a_socket, .expect = "EPERM|0", .with = OUTSIDER)
{
    int pair[2], on = 1;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    report(ioctl(pair[0], FIOSETOWN, &outsider));
    MUST(ioctl(pair[0], FIOASYNC, &on));
    MUST(write(pair[1], "x", 1));
    usleep(20000);
    neighbour_reads("note");
}

/* A lease tells its owner, or whomever he names, that somebody opens the file. */
ATTEMPT(sigio_by_a_lease, .expect = "EPERM|0", .with = OUTSIDER)
{
    int fd = (int)MUST(open("note", O_RDONLY));
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    report(fcntl(fd, F_SETOWN, outsider));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(open("note", O_WRONLY | O_NONBLOCK) < 0);
    waitpid(child, NULL, 0);
    neighbour(fcntl(fd, F_SETLEASE, F_UNLCK));
}

ATTEMPT(timer_that_signals_another_thread, .expect = "EINVAL", .with = OUTSIDER,
        .user = "the kernel takes threads of the caller alone", .root = "the kernel takes threads of the caller alone")
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL | SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = outsider;
    report(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    event._sigev_un._tid = getpid();
    neighbour(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
}

/* Limits and priorities. What is lowered is seen in the outsider. */
#define LIMITS(NAME, CALL)                                                                                             \
    ATTEMPT(NAME, .expect = "EPERM", .with = OUTSIDER)                                                                 \
    {                                                                                                                  \
        pid_t it = outsider;                                                                                           \
        report(CALL);                                                                                                  \
        it = getpid();                                                                                                 \
        neighbour(CALL);                                                                                               \
    }

static struct rlimit low = {5000, 5000};
static struct sched_param none;
static cpu_set_t *one_cpu(void)
{
    static cpu_set_t cpus, some;
    sched_getaffinity(0, sizeof cpus, &cpus);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &cpus)) {
            CPU_SET(i, &some);
            break;
        }
    return &some;
}

static struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} attributes = {48, SCHED_BATCH, 0, 0, 0, 0, 0, 0};

LIMITS(prlimit_of_the_outsider, prlimit(it, RLIMIT_FSIZE, &low, NULL))
LIMITS(setpriority_of_the_outsider, setpriority(PRIO_PROCESS, (id_t)it, 7))
LIMITS(sched_setscheduler_of_the_outsider, sched_setscheduler(it, SCHED_BATCH, &none))
LIMITS(sched_setattr_of_the_outsider, syscall(SYS_sched_setattr, it, &attributes, 0))
LIMITS(ioprio_set_of_the_outsider, syscall(SYS_ioprio_set, 1, it, 2 << 13 | 7))

ATTEMPT(sched_setaffinity_of_the_outsider, .expect = "EPERM", .with = OUTSIDER)
{
    report(sched_setaffinity(outsider, sizeof(cpu_set_t), one_cpu()));
    neighbour(sched_setaffinity(0, sizeof(cpu_set_t), one_cpu()));
}

ATTEMPT(setpriority_of_a_group, .expect = "EPERM", .with = OUTSIDER)
{
    report(setpriority(PRIO_PGRP, (id_t)getpgid(outsider), 7));
    neighbour(setpriority(PRIO_PROCESS, 0, 19));
}

ATTEMPT(setpriority_of_the_user, .expect = "EPERM", .never_bare = "it would slow every process of the user")
{
    report(setpriority(PRIO_USER, 0, 7));
    report(syscall(SYS_ioprio_set, 3, getuid(), 2 << 13 | 7));
    neighbour(setpriority(PRIO_PROCESS, 0, 19));
}

/* The number of a process that is limited while somebody else gets it: both halves of the register count. */
ATTEMPT(prlimit_with_high_bits, .expect = "EPERM", .with = OUTSIDER)
{
    report(syscall(SYS_prlimit64, 0x100000000 | outsider, RLIMIT_FSIZE, &low, NULL));
    neighbour(syscall(SYS_prlimit64, 0x100000000, RLIMIT_FSIZE, &low, NULL));
}
