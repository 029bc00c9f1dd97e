/* Two runs in one place: while one acts on a name, the other exchanges what the name means. Neither may do alone what comes
 * of it. tests/supervisor/rivals.rs has the long races. */
#include "attempt.h"

enum { MOMENT = 1500 };

static void exchange(const char *a, const char *b)
{
    for (int i = 0; i < 1000; i++)
        renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

/* `swapped`, a file, and `prepared`, a directory with what is blocked in `ghost`. */
static void prepare(void)
{
    make_file("swapped", "neighbour\n");
    MUST(mkdir("made", 0755));
    MUST(mkdir("made/inner", 0755));
    make_file("made/inner/key", "planted\n");
}

static int is_file(const char *name)
{
    struct stat at;
    return lstat(name, &at) == 0 && S_ISREG(at.st_mode);
}

static void rename_to_ghost(void)
{
    int reached = 0;
    for (int64_t end = milliseconds() + MOMENT; milliseconds() < end;) {
        if (rename("swapped", "ghost") != 0)
            continue;
        if (!is_file("ghost"))
            return;
        reached++;
        rename("ghost", "swapped");
    }
    errno = EIO;
    neighbour(reached > 0 ? 0 : -1);
}

static void exchange_directory(void)
{
    exchange("swapped", "prepared");
}

ATTEMPT(rival_puts_a_directory_where_a_file_may_go, .with = RIVAL, .rival = exchange_directory)
{
    prepare();
    MUST(rename("made", "prepared"));
    rename_to_ghost();
}

static void exchange_link(void)
{
    exchange("swapped", "lead");
}

ATTEMPT(rival_puts_a_link_where_a_file_may_go, .with = RIVAL, .rival = exchange_link)
{
    prepare();
    MUST(symlink("made", "lead"));
    rename_to_ghost();
}

static void exchange_place(void)
{
    exchange("here", "there");
}

ATTEMPT(rival_leads_a_socket_into_a_blocked_directory, .with = RIVAL, .rival = exchange_place)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "here/sock"};
    int reached = 0;
    MUST(symlink("fixed", "there"));
    MUST(mkdir("here", 0755));
    for (int64_t end = milliseconds() + MOMENT; milliseconds() < end;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int bound = bind(fd, (struct sockaddr *)&to, sizeof to);
        close(fd);
        if (bound == 0 && access("fixed/sock", F_OK) == 0)
            return;
        /* The rival moves it about. */
        for (int i = 0; bound == 0 && i < 1000 && unlink("here/sock") != 0 && unlink("there/sock") != 0; i++)
            ;
        reached += bound == 0;
    }
    errno = EIO;
    neighbour(reached > 0 ? 0 : -1);
}
