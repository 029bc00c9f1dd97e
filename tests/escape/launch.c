/* `launch UID WITH HOME OUTSIDER PRIVATE COMMAND...`: becomes the user, opens what WITH asks for (see attempt.h) and
 * executes the command. With PRIVATE it gets a mount namespace of its own first, so that a mount that an attempt makes
 * without a sandbox is gone when it ends. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(125);
}

/* Puts a descriptor at its number, open across execve. */
static void place(int fd, int number, const char *what)
{
    if (fd < 0)
        die(what);
    if (fd == number)
        return;
    if (dup2(fd, number) != number)
        die(what);
    close(fd);
}

static int at(const char *home, const char *name, int flags)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return open(path, flags);
}

static int connected(const char *home)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/secret/dgram", home);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/* The outsider's terminal becomes the controlling one, of a new session, and standard input. */
static void sit_down(const char *home)
{
    char path[256], name[64] = "";
    snprintf(path, sizeof path, "%s/work/terminal", home);
    FILE *told = fopen(path, "r");
    if (told == NULL || fgets(name, sizeof name, told) == NULL)
        die(path);
    fclose(told);
    /* Who leads a group cannot lead a session; and the terminal must outlive its session's leader's child. */
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child > 0) {
        int status;
        while (waitpid(child, &status, 0) != child)
            ;
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (setsid() < 0)
        die("setsid");
    place(open(name, O_RDWR), 0, name);
}

int main(int count, char **words)
{
    if (count < 7)
        return 125;
    uid_t uid = (uid_t)atoi(words[1]);
    int with = atoi(words[2]);
    const char *home = words[3];
    pid_t outsider = (pid_t)atoi(words[4]);
    if (atoi(words[5]) && geteuid() == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            die("a mount namespace");
    }
    if (with & 4)
        sit_down(home);
    if (geteuid() != uid) {
        if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
            die("another user");
        /* Only what has never been another user's may be looked at by its like. */
        prctl(PR_SET_DUMPABLE, 1);
    }
    if (with & 2) {
        place(at(home, "secret/key", O_RDONLY), 5, "secret/key");
        place(at(home, "secret", O_RDONLY | O_DIRECTORY), 6, "secret");
        place(at(home, "secret/key", O_PATH), 7, "secret/key");
        place(at(home, "secret", O_PATH), 8, "secret");
        place(at(home, ".ssh/id", O_RDWR), 9, ".ssh/id");
        if (with & 1) {
            place(connected(home), 10, "a socket");
            place((int)syscall(SYS_pidfd_open, outsider, 0), 11, "a pidfd");
            if (fcntl(11, F_SETFD, 0) != 0)
                die("fcntl");
        }
        place(open("/", O_RDONLY | O_DIRECTORY), 12, "/");
    }
    execvp(words[6], words + 6);
    perror(words[6]);
    return 127;
}
