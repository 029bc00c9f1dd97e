/* Acts on names, while a rival exchanges what they mean. `rivals KIND COUNT DIRECTORY RIVAL` prints `attempts=N opened=N
 * leaked=N`: how often the act did what is allowed, and how often something came to a name that it must not have. RIVAL:
 * `thread` of this process, or `other`, which runs already: `rivals KIND 0 DIRECTORY rival` exchanges for ever.
 *
 *     directory  `file` is renamed to `.git`, in which `hooks` is blocked, and exchanged with a prepared directory
 *     link       the same, and exchanged with a link to that directory
 *     over       the same, where a file `.git` is replaced
 *     exchange   `file` and the file `.git` are exchanged
 *     granted    `file` is renamed to `quiet`, which is blocked for reading, and exchanged with a file of the start
 *     bind       a socket is bound in `plain/here`, a directory that is exchanged with a link to `shut`
 *     within     the same in `mixed/here`, exchanged with a link to a blocked directory that lies in it */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *kind;
static volatile int is_over, is_running;
static long opened, leaked;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static int is(const char *name)
{
    return strcmp(kind, name) == 0;
}

static void *exchange(void *unused)
{
    const char *a = is("bind") ? "plain/here" : is("within") ? "mixed/here" : "file";
    const char *b = is("bind") ? "plain/there" : is("within") ? "mixed/there" : is("link") || is("over") ? "link"
                  : is("granted") ? "granted" : "prepared";
    while (!is_over) {
        if (is("second")) {
            link("file", "second");
            is_running = 1;
            continue;
        }
        /* One of the two may be on its way. */
        renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
        is_running = 1;
    }
    return unused;
}

static mode_t kind_of(const char *name)
{
    struct stat at;
    return lstat(name, &at) == 0 ? at.st_mode & S_IFMT : 0;
}

static ino_t number_of(const char *name)
{
    struct stat at;
    return lstat(name, &at) == 0 ? at.st_ino : 0;
}

static void make_file(void)
{
    close(open("file", O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static void rename_once(void)
{
    if (is("over"))
        close(open(".git", O_WRONLY | O_CREAT, 0600));
    if (rename("file", ".git") != 0)
        return;
    if (kind_of(".git") == S_IFREG)
        opened++;
    else {
        leaked++;
        /* The rival needs it again. */
        if (is("over"))
            rename(".git", "link");
    }
    if (is("over"))
        make_file();
    else
        rename(".git", "file");
}

static void quieten_once(ino_t granted)
{
    if (rename("file", "quiet") != 0)
        return;
    if (number_of("quiet") == granted) {
        leaked++;
        rename("quiet", "granted");
    } else {
        opened++;
        unlink("quiet");
    }
    make_file();
}

static int is_quiet_second(void)
{
    ino_t quiet = number_of("quiet");
    return quiet != 0 && quiet == number_of("second");
}

/* What is taken back is there for a moment. */
static void name_once(void)
{
    enum { MOMENTS = 50, ENOUGH = 10 };
    unlink("second");
    if (leaked >= ENOUGH || rename("file", "quiet") != 0)
        return;
    int moments = 0;
    while (is_quiet_second() && moments++ < MOMENTS)
        usleep(1000);
    if (is_quiet_second())
        leaked++;
    else
        opened++;
    unlink("quiet");
    make_file();
}

static void exchange_once(void)
{
    if (renameat2(AT_FDCWD, "file", AT_FDCWD, ".git", RENAME_EXCHANGE) != 0)
        return;
    if (kind_of(".git") == S_IFREG)
        opened++;
    else {
        leaked++;
        renameat2(AT_FDCWD, "file", AT_FDCWD, ".git", RENAME_EXCHANGE);
    }
}

static void bind_once(long i)
{
    const char *blocked = is("bind") ? "shut" : "mixed/there/inner";
    const char *also = is("bind") ? "shut" : "mixed/here/inner";
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    char name[16], path[PATH_MAX];
    snprintf(name, sizeof name, "s%ld", i % 8);
    snprintf(to.sun_path, sizeof to.sun_path, "%s/here/%s", is("bind") ? "plain" : "mixed", name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bound = bind(fd, (struct sockaddr *)&to, sizeof to);
    close(fd);
    if (bound != 0)
        return;
    const char *places[] = { blocked, also, "plain/here", "plain/there", "mixed/here", "mixed/there" };
    for (size_t at = 0; at < sizeof places / sizeof *places; at++) {
        snprintf(path, sizeof path, "%s/%s", places[at], name);
        if (kind_of(path) != S_IFSOCK)
            continue;
        if (at < 2)
            leaked++;
        else
            opened++;
        unlink(path);
        return;
    }
}

int main(int argc, char **arguments)
{
    if (argc != 5 || chdir(arguments[3]) != 0)
        die("DIRECTORY");
    kind = arguments[1];
    long attempts = atol(arguments[2]);
    if (strcmp(arguments[4], "rival") == 0)
        exchange(NULL);
    ino_t granted = number_of("granted");
    if (is("granted")) {
        /* Landlock knows this one by nothing. */
        unlink("file");
        make_file();
    }
    pthread_t thread;
    int has_thread = strcmp(arguments[4], "thread") == 0;
    if (has_thread && pthread_create(&thread, NULL, exchange, NULL) != 0)
        die("pthread_create");
    while (has_thread && !is_running)
        usleep(100);
    for (long i = 0; i < attempts; i++) {
        if (is("bind") || is("within"))
            bind_once(i);
        else if (is("granted"))
            quieten_once(granted);
        else if (is("second"))
            name_once();
        else if (is("exchange"))
            exchange_once();
        else
            rename_once();
    }
    is_over = 1;
    if (has_thread)
        pthread_join(thread, NULL);
    printf("attempts=%ld opened=%ld leaked=%ld\n", attempts, opened, leaked);
    return 0;
}
