/* Numbers that come back: of terminals, threads and processes. Whoever acts by a number may find another object behind it
 * than the one that was looked at. */
#include "attempt.h"
#include "children.h"

#define NO_NUMBERS "without a sandbox nothing is done by number for another"

static volatile int master = -1, slave = -1, turn, delay;

/* Gives the terminal back while `/dev/tty` is opened. */
static void *give_back(void *unused)
{
    for (int seen = 0;;) {
        while (turn == seen)
            sched_yield();
        seen = turn;
        for (volatile int i = 0; i < delay; i++)
            ;
        close(slave);
        close(master);
        __sync_synchronize();
        master = -1;
    }
    return unused;
}

/* A terminal of one's own, which becomes the controlling one. */
static int sit_down(void)
{
    int first = open("/dev/ptmx", O_RDWR | O_NOCTTY), no = 0;
    if (first < 0 || ioctl(first, TIOCSPTLCK, &no) != 0)
        return -1;
    int other = ioctl(first, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    if (other < 0 || ioctl(other, TIOCSCTTY, 0) != 0) {
        close(first);
        close(other);
        return -1;
    }
    slave = other;
    return first;
}

static void open_while_it_goes(void)
{
    pthread_t thread;
    signal(SIGHUP, SIG_IGN);
    signal(SIGCONT, SIG_IGN);
    MUST(setsid());
    MUST(pthread_create(&thread, NULL, give_back, NULL));
    for (int64_t end = milliseconds() + 4000; milliseconds() < end;) {
        delay = rand() % 30000;
        int first = sit_down();
        if (first < 0)
            continue;
        master = first;
        __sync_synchronize();
        turn++;
        int fd = open("/dev/tty", O_RDWR | O_NONBLOCK);
        while (master != -1)
            sched_yield();
        char bytes[256];
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (fd >= 0 && got > 0)
            fwrite(bytes, 1, (size_t)got, stdout);
        close(fd);
    }
    int first = sit_down(), fd = open("/dev/tty", O_RDWR);
    neighbour(first >= 0 ? fd : -1);
    fflush(stdout);
}

ATTEMPT(dev_tty_whose_number_comes_back, .with = OUTSIDER, .user = NO_NUMBERS, .root = NO_NUMBERS)
{
    make_file("terminals", "");
    pid_t child = child_of(open_while_it_goes);
    waitpid(child, NULL, 0);
    unlink("terminals");
}
