/* Races: what changes between check and use. `pair/open/key` is allowed and `pair/shut/key` blocked, and the words are of one
 * length. Each lasts a moment; tests/supervisor has the long ones. */
#include "attempt.h"

enum { MOMENT = 400 };

static volatile int is_over;
static volatile char *flipped;
static long reached;

static void pause_briefly(void)
{
    for (volatile int i = 0; i < 60; i++)
        ;
}

static void *flip(void *at)
{
    uint32_t open_word, shut_word;
    memcpy(&open_word, "open", 4);
    memcpy(&shut_word, "shut", 4);
    volatile uint32_t *word = at;
    while (!is_over) {
        *word = shut_word;
        pause_briefly();
        *word = open_word;
        pause_briefly();
    }
    return NULL;
}

/* Runs `once` for a moment, or until it says that it is through, while `rival` runs beside it. */
static void race(void *(*rival)(void *), void *argument, int (*once)(void))
{
    pthread_t thread;
    errno = pthread_create(&thread, NULL, rival, argument);
    if (errno != 0)
        fail("pthread_create");
    int64_t end = milliseconds() + MOMENT;
    int64_t latest = end + 10 * MOMENT;
    while ((milliseconds() < end || (reached == 0 && milliseconds() < latest)) && !once())
        ;
    is_over = 1;
    pthread_join(thread, NULL);
    errno = EIO;
    neighbour(reached > 0 ? 0 : -1);
}

/* Four aligned bytes in the middle of a path, so that one store exchanges them. */
static char *flipping(const char *front, const char *back)
{
    static char bytes[2 * PATH_MAX] __attribute__((aligned(8)));
    size_t length = strlen(front), start = (4 - length % 4) % 4;
    sprintf(bytes + start, "%sopen%s", front, back);
    flipped = bytes + start + length;
    return bytes + start;
}

static char *raced;

/* Prints what is not the neighbour's. */
static int taste(long fd)
{
    char bytes[64] = "";
    if (fd < 0)
        return 0;
    ssize_t got = read((int)fd, bytes, sizeof bytes - 1);
    close((int)fd);
    if (got > 0 && strncmp(bytes, "neighbour", 9) != 0) {
        puts(bytes);
        return 1;
    }
    reached += got > 0;
    return 0;
}

static int open_raced(void)
{
    return taste(open(raced, O_RDONLY));
}

ATTEMPT(race_of_a_path_rewritten_by_a_thread)
{
    raced = flipping("pair/", "/key");
    race(flip, (void *)flipped, open_raced);
}

ATTEMPT(race_of_an_absolute_path_rewritten_by_a_thread)
{
    raced = flipping(path("work/pair/"), "/key");
    race(flip, (void *)flipped, open_raced);
}

static int openat2_raced(void)
{
    struct open_how how = {.flags = O_RDONLY};
    return taste(syscall(SYS_openat2, AT_FDCWD, raced, &how, sizeof how));
}

ATTEMPT(race_of_openat2_with_a_rewritten_path)
{
    raced = flipping("pair/", "/key");
    race(flip, (void *)flipped, openat2_raced);
}

/* The rival is another process, and the argument lies in memory that both share. */
ATTEMPT(race_of_a_path_in_shared_memory)
{
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(shared, "pair////open/key");
    pid_t child = (pid_t)MUST(fork());
    if (child == 0)
        flip(shared + 8);
    raced = shared;
    int64_t end = milliseconds() + MOMENT;
    while (milliseconds() < end && !open_raced())
        ;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    errno = EIO;
    neighbour(reached > 0 ? 0 : -1);
}

static const char *exchanged[2];

static void *exchange_names(void *unused)
{
    (void)unused;
    while (!is_over)
        renameat2(AT_FDCWD, exchanged[0], AT_FDCWD, exchanged[1], RENAME_EXCHANGE);
    return NULL;
}

ATTEMPT(race_of_links_exchanged)
{
    MUST(symlink("pair/open/key", "one"));
    MUST(symlink("pair/shut/key", "two"));
    exchanged[0] = "one";
    exchanged[1] = "two";
    raced = "one";
    race(exchange_names, NULL, open_raced);
}

/* CVE-2021-30465 and its family. */
ATTEMPT(race_of_a_directory_exchanged_with_a_link)
{
    MUST(mkdir("one", 0755));
    make_file("one/key", "neighbour\n");
    MUST(symlink("pair/shut", "two"));
    exchanged[0] = "one";
    exchanged[1] = "two";
    raced = "one/key";
    race(exchange_names, NULL, open_raced);
}

ATTEMPT(race_of_a_directory_exchanged_in_a_settled_workspace, .policy = "settled")
{
    MUST(mkdir("one", 0755));
    make_file("one/key", "neighbour\n");
    MUST(symlink("../secret", "two"));
    exchanged[0] = "one";
    exchanged[1] = "two";
    raced = "one/key";
    race(exchange_names, NULL, open_raced);
}

static int create_raced(void)
{
    long fd = open("one/new", O_WRONLY | O_CREAT, 0644);
    if (fd < 0)
        return 0;
    close((int)fd);
    reached++;
    return access("fixed/new", F_OK) == 0;
}

ATTEMPT(race_of_a_file_made_in_a_directory_exchanged_with_a_link)
{
    MUST(mkdir("one", 0755));
    MUST(symlink("fixed", "two"));
    exchanged[0] = "one";
    exchanged[1] = "two";
    race(exchange_names, NULL, create_raced);
}

static int mkdir_raced(void)
{
    if (mkdir("one/new", 0755) == 0)
        reached++;
    rmdir("one/new");
    return access("fixed/new", F_OK) == 0;
}

ATTEMPT(race_of_a_directory_made_in_a_directory_exchanged_with_a_link)
{
    MUST(mkdir("one", 0755));
    MUST(symlink("fixed", "two"));
    exchanged[0] = "one";
    exchanged[1] = "two";
    race(exchange_names, NULL, mkdir_raced);
}

static int directories[2];

static void *change_directory(void *unused)
{
    (void)unused;
    while (!is_over) {
        fchdir(directories[0]);
        fchdir(directories[1]);
    }
    return NULL;
}

ATTEMPT(race_of_a_working_directory)
{
    directories[0] = (int)MUST(open("pair/open", O_PATH));
    directories[1] = (int)MUST(open("pair/shut", O_PATH));
    MUST(fchdir(directories[0]));
    raced = "key";
    race(change_directory, NULL, open_raced);
}

static void *replace_descriptor(void *unused)
{
    (void)unused;
    while (!is_over) {
        dup2(directories[0], 100);
        dup2(directories[1], 100);
    }
    return NULL;
}

static int openat_raced(void)
{
    return taste(openat(100, "key", O_RDONLY));
}

ATTEMPT(race_of_a_directory_descriptor)
{
    directories[0] = (int)MUST(open("pair/open", O_PATH));
    directories[1] = (int)MUST(open("pair/shut", O_PATH));
    MUST(dup2(directories[0], 100));
    race(replace_descriptor, NULL, openat_raced);
}

static int reopen_raced(void)
{
    return taste(open("/proc/self/fd/100", O_RDONLY));
}

ATTEMPT(race_of_a_path_descriptor_reopened)
{
    directories[0] = (int)MUST(open("pair/open/key", O_PATH));
    directories[1] = (int)MUST(open("pair/shut/key", O_PATH));
    MUST(dup2(directories[0], 100));
    race(replace_descriptor, NULL, reopen_raced);
}

static struct open_how shared_how;

static void *rewrite_flags(void *unused)
{
    (void)unused;
    volatile __u64 *flags = &shared_how.flags;
    while (!is_over) {
        *flags = O_WRONLY;
        pause_briefly();
        *flags = O_RDONLY;
        pause_briefly();
    }
    return NULL;
}

static int how_raced(void)
{
    long fd = syscall(SYS_openat2, AT_FDCWD, "blind/key", &shared_how, sizeof shared_how);
    if (fd >= 0 && (fcntl((int)fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        reached++;
        close((int)fd);
        return 0;
    }
    return taste(fd);
}

ATTEMPT(race_of_open_flags_in_memory)
{
    race(rewrite_flags, NULL, how_raced);
}

static int truncate_raced(void)
{
    reached += truncate(raced, 10) == 0;
    return 0;
}

ATTEMPT(race_of_a_truncation)
{
    raced = flipping("pair/", "/key");
    race(flip, (void *)flipped, truncate_raced);
}

static int chmod_raced(void)
{
    reached += chmod(raced, 0640) == 0;
    return 0;
}

ATTEMPT(race_of_a_mode)
{
    raced = flipping("pair/", "/key");
    race(flip, (void *)flipped, chmod_raced);
}

static int unlink_raced(void)
{
    if (unlink(raced) == 0)
        reached++;
    int fd = open("pair/open/key", O_WRONLY | O_CREAT, 0644);
    if (fd >= 0)
        close(fd);
    return access("pair/shut/key", F_OK) != 0;
}

ATTEMPT(race_of_a_removal)
{
    raced = flipping("pair/", "/key");
    race(flip, (void *)flipped, unlink_raced);
}

static int rename_raced(void)
{
    if (rename(raced, "taken") != 0)
        return 0;
    int is_through = access("pair/shut/key", F_OK) != 0;
    if (!is_through) {
        reached++;
        rename("taken", "pair/open/key");
    }
    return is_through;
}

ATTEMPT(race_of_a_rename)
{
    raced = flipping("pair/", "/key");
    race(flip, (void *)flipped, rename_raced);
}

static int link_raced(void)
{
    unlink("taken");
    reached += link(raced, "taken") == 0;
    return taste(open("taken", O_RDONLY));
}

ATTEMPT(race_of_a_hard_link)
{
    raced = flipping("pair/", "/key");
    race(flip, (void *)flipped, link_raced);
}
