/* Terminal: keys typed for the owner (CVE-2017-5226), and the owner's other terminals. The outsider sits behind one, in whose
 * queue a secret waits; `terminal` names it. With TERMINAL it is also the terminal of the run. */
#include "attempt.h"

#include <termios.h>

static char *terminal(void)
{
    static char name[64];
    int fd = (int)MUST(open("terminal", O_RDONLY));
    MUST(read(fd, name, sizeof name - 1));
    return name;
}

/* Whoever is not root types only where the kernel allows it to all (dev.tty.legacy_tiocsti). */
static int is_typing_off(void)
{
    char state = '1';
    int fd = open("/proc/sys/dev/tty/legacy_tiocsti", O_RDONLY);
    return fd >= 0 && read(fd, &state, 1) == 1 && state == '0';
}

#define TYPES(NAME, CALL)                                                                                              \
    ATTEMPT(NAME, .expect = "EPERM", .with = OUTSIDER | TERMINAL, .user = "dev.tty.legacy_tiocsti is 0 on this host",  \
            .only_if = is_typing_off)                                                                                  \
    {                                                                                                                  \
        for (const char *key = "claw\n"; *key; key++)                                                                  \
            report(CALL);                                                                                              \
        struct winsize size;                                                                                           \
        neighbour(ioctl(0, TIOCGWINSZ, &size));                                                                        \
        usleep(20000);                                                                                                 \
    }

TYPES(keys_typed_at_the_terminal, ioctl(0, TIOCSTI, key))
TYPES(keys_typed_with_high_bits, syscall(SYS_ioctl, 0, 0x100000000 | TIOCSTI, key))
TYPES(keys_typed_with_all_high_bits, syscall(SYS_ioctl, 0, 0xffffffff00000000 | TIOCSTI, key))

ATTEMPT(keys_typed_through_dev_tty, .expect = "EPERM", .with = OUTSIDER | TERMINAL,
        .user = "dev.tty.legacy_tiocsti is 0 on this host", .only_if = is_typing_off)
{
    int fd = (int)MUST(open("/dev/tty", O_RDWR));
    for (const char *key = "claw\n"; *key; key++)
        report(ioctl(fd, TIOCSTI, key));
    neighbour(tcgetpgrp(fd));
    usleep(20000);
}

/* 2 is a selection, 3 pastes it: on a console, the same as typing. */
ATTEMPT(selection_pasted, .expect = "EPERM", .with = OUTSIDER | TERMINAL, .user = "only a console has selections",
        .root = "only a console has selections")
{
    char request[16] = {2};
    report(ioctl(0, TIOCLINUX, request));
    request[0] = 3;
    report(ioctl(0, TIOCLINUX, request));
    report(syscall(SYS_ioctl, 0, 0x100000000 | TIOCLINUX, request));
    neighbour(isatty(0) ? 0 : -1);
}

ATTEMPT(another_terminal_read, .expect = "EACCES", .with = OUTSIDER)
{
    show(open(terminal(), O_RDONLY | O_NOCTTY | O_NONBLOCK));
    neighbour(posix_openpt(O_RDWR | O_NOCTTY));
}

ATTEMPT(another_terminal_written, .expect = "EACCES", .with = OUTSIDER)
{
    int fd = (int)report(open(terminal(), O_WRONLY | O_NOCTTY));
    (void)!write(fd, "\033[2J", 4);
    usleep(20000);
    neighbour(posix_openpt(O_RDWR | O_NOCTTY));
}

ATTEMPT(another_terminal_by_a_path_descriptor, .expect = "EACCES", .with = OUTSIDER)
{
    int fd = (int)MUST(open(terminal(), O_PATH));
    show(open(text("/proc/self/fd/%d", fd), O_RDONLY | O_NOCTTY | O_NONBLOCK));
    neighbour(posix_openpt(O_RDWR | O_NOCTTY));
}

/* A leader without a terminal gets one by opening it. */
ATTEMPT(another_terminal_made_ones_own, .expect = "EACCES|ENXIO", .with = OUTSIDER)
{
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        show(open(terminal(), O_RDWR | O_NONBLOCK));
        int fd = open("/dev/tty", O_RDWR | O_NONBLOCK);
        if (fd >= 0)
            ioctl(fd, TIOCSTI, "c");
        exit(0);
    }
    wait(NULL);
    neighbour(posix_openpt(O_RDWR | O_NOCTTY));
}

ATTEMPT(another_terminal_by_its_mode, .expect = "EACCES", .with = OUTSIDER, .user = "its mode is not watched",
        .root = "its mode is not watched")
{
    struct stat status;
    MUST(stat(terminal(), &status));
    report(chmod(terminal(), status.st_mode & 07777));
    report(chown(terminal(), (uid_t)-1, (gid_t)-1));
    neighbour(chmod("note", 0600));
}

/* The other end of the run's terminal would read all that is typed. It belongs to whoever has the first end. */
ATTEMPT(peer_of_the_terminal, .expect = "EIO|ENOTTY|EINVAL|EACCES|EPERM", .with = OUTSIDER | TERMINAL,
        .user = "only the first end gives the other", .root = "only the first end gives the other")
{
    report(ioctl(0, TIOCGPTPEER, O_RDWR | O_NOCTTY));
    report(ioctl(0, 0x80045430 /* TIOCGPTN */, (int[]){0}) < 0 ? -1 : 0);
    int master = (int)MUST(posix_openpt(O_RDWR | O_NOCTTY));
    MUST(grantpt(master));
    MUST(unlockpt(master));
    neighbour(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}

/* Only who leads a session may take a terminal, and only root from another session. */
ATTEMPT(terminal_stolen_from_its_session, .expect = "EPERM|EACCES|EBADF|ENOTTY", .with = OUTSIDER | TERMINAL,
        .user = "it needs CAP_SYS_ADMIN", .root = "the terminal has no other session to lose it")
{
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        report(ioctl(0, TIOCSCTTY, 1));
        exit(0);
    }
    wait(NULL);
    neighbour(isatty(0) ? 0 : -1);
}

ATTEMPT(console_redirected, .expect = "EPERM", .never_bare = "it would move the messages of the host", .with = OUTSIDER | TERMINAL)
{
    report(ioctl(0, TIOCCONS));
    report(ioctl(0, TIOCVHANGUP));
    neighbour(isatty(0) ? 0 : -1);
}

/* Every number that a terminal could have. */
ATTEMPT(every_terminal, .with = OUTSIDER)
{
    for (int i = 0; i < 64; i++) {
        int fd = open(text("/dev/pts/%d", i), O_RDONLY | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0 && strcmp(text("/dev/pts/%d", i), terminal()) == 0)
            spill(fd);
        close(fd);
    }
    neighbour(posix_openpt(O_RDWR | O_NOCTTY));
}
