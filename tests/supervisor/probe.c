/* Does the operations on standard input, one after the other, in one process, and prints what becomes of each.
 *
 * A row ends with 0x1e, its words are separated by 0x1f, and it is
 *
 *     [WHO] CALL[@FORM[,FORM]] OBJECT... ARGUMENT... [>R] [; CALL ...]
 *
 * CALL is a system call by its own name, made with its own number (calls.h), or an act (acts.h). FORM says how the
 * object is addressed (objects.h). `>R` keeps the new descriptor in register R, a letter; `%R` is its number, in any
 * word; {pid}, {ppid} and {tid} are numbers too. WHO does the row instead: a `child`, a `thread`, a thread with an
 * fs_struct of its own (`thread-fs`), a child that shares ours (`child-fs`), or a child with our descriptors
 * (`child-files`). A line of output is `ok`, the name of an errno, or a value; those of a sequence are joined by commas.
 * `setup:` stands before an errno that came while the object was prepared.
 *
 * Started with `tree DIR`, it prints what is beneath DIR. Started with `drop`, it first gives up what a confined
 * process has not: capabilities and new privileges.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 64, OUT = 1 << 16, PATIENCE = 120 };

struct word {
    char *text; /* ends with a NUL of ours */
    size_t size;
};

/* One call of a row, and what becomes of it. */
struct row {
    struct word words[WORDS];
    int count;
    int keep; /* the register, or -1 */
    char out[OUT];
};

static int registers[26];

static void say(struct row *row, const char *text) { snprintf(row->out, OUT, "%s", text); }

static void fail(struct row *row, const char *before, int error)
{
    const char *name = strerrorname_np(error);
    snprintf(row->out, OUT, "%s%s", before, name ? name : "unnamed");
}

/* `ok`, or the errno. */
static void done(struct row *row, long result)
{
    if (result < 0)
        fail(row, "", errno);
    else
        say(row, "ok");
}

/* A new descriptor: kept in its register, else closed. */
static void opened(struct row *row, long fd)
{
    done(row, fd);
    if (fd < 0)
        return;
    if (row->keep >= 0)
        registers[row->keep] = (int)fd;
    else
        close((int)fd);
}

/* Bytes as they are, but for what would end a line. */
static void show(struct row *row, const char *bytes, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < size && at + 5 < OUT; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || byte >= 0x7f || byte == '\\')
            at += (size_t)sprintf(row->out + at, "\\x%02x", byte);
        else
            row->out[at++] = (char)byte;
    }
    row->out[at] = 0;
    if (at == 0)
        say(row, "empty");
}

#include "objects.h"

#include "tree.h"

#include "calls.h"

#include "acts.h"

/* Puts numbers in place of %R, {pid}, {ppid} and {tid}. */
static struct word expand(const char *text, size_t size)
{
    struct word word = { malloc(size * 4 + 64), 0 };
    for (size_t i = 0; i < size;) {
        char *end = word.text + word.size;
        if (text[i] == '%' && i + 1 < size && text[i + 1] >= 'a' && text[i + 1] <= 'z') {
            word.size += (size_t)sprintf(end, "%d", registers[text[i + 1] - 'a']);
            i += 2;
        } else if (size - i >= 5 && memcmp(text + i, "{pid}", 5) == 0) {
            word.size += (size_t)sprintf(end, "%d", getpid());
            i += 5;
        } else if (size - i >= 6 && memcmp(text + i, "{ppid}", 6) == 0) {
            word.size += (size_t)sprintf(end, "%d", getppid());
            i += 6;
        } else if (size - i >= 5 && memcmp(text + i, "{tid}", 5) == 0) {
            word.size += (size_t)sprintf(end, "%d", gettid());
            i += 5;
        } else {
            *end = text[i++];
            word.size++;
        }
    }
    word.text[word.size] = 0;
    return word;
}

/* Does one call. */
static void perform(struct row *row)
{
    char *name = row->words[0].text, *form = strchr(name, '@');
    if (form)
        *form++ = 0;
    if (!act(row, name, form) && !call(row, name, form))
        say(row, "unknown-operation");
}

/* Does the calls of a row, separated by `;`, and joins what becomes of them. */
static void sequence(const char *text, size_t size, char *out)
{
    struct row *row = malloc(sizeof *row);
    size_t used = 0;
    const char *at = text, *end = text + size;
    while (at <= end) {
        row->count = 0;
        row->keep = -1;
        row->out[0] = 0;
        while (at <= end) {
            const char *stop = memchr(at, 0x1f, (size_t)(end - at));
            if (!stop)
                stop = end;
            size_t length = (size_t)(stop - at);
            const char *word = at;
            at = stop + 1;
            if (length == 1 && *word == ';')
                break;
            if (length == 2 && word[0] == '>' && word[1] >= 'a' && word[1] <= 'z')
                row->keep = word[1] - 'a';
            else
                row->words[row->count++] = expand(word, length);
        }
        perform(row);
        used += (size_t)snprintf(out + used, OUT - used, "%s%s", used ? "," : "", row->out);
        for (int i = 0; i < row->count; i++)
            free(row->words[i].text);
    }
    free(row);
}

struct errand {
    const char *text;
    size_t size;
    char out[OUT];
    int own_fs;
};

static void *in_thread(void *argument)
{
    struct errand *errand = argument;
    if (errand->own_fs && unshare(CLONE_FS) != 0)
        strcpy(errand->out, "setup:unshare");
    else
        sequence(errand->text, errand->size, errand->out);
    return NULL;
}

static void by_child(const char *text, size_t size, unsigned long flags, char *out)
{
    char *shared = mmap(NULL, OUT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(shared, "died");
    long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        sequence(text, size, shared);
        _exit(0);
    }
    waitpid((pid_t)child, NULL, 0);
    strcpy(out, shared);
    munmap(shared, OUT);
}

static void whole_row(const char *text, size_t size, char *out)
{
    static const struct {
        const char *name;
        int is_thread;
        unsigned long flags;
    } who[] = { { "child", 0, 0 },
                { "child-fs", 0, CLONE_FS },
                { "child-files", 0, CLONE_FILES },
                { "thread", 1, 0 },
                { "thread-fs", 1, CLONE_FS } };
    for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
        size_t length = strlen(who[i].name);
        if (size <= length || memcmp(text, who[i].name, length) != 0 || text[length] != 0x1f)
            continue;
        text += length + 1;
        size -= length + 1;
        if (!who[i].is_thread) {
            by_child(text, size, who[i].flags, out);
            return;
        }
        struct errand *errand = calloc(1, sizeof *errand);
        *errand = (struct errand){ .text = text, .size = size, .own_fs = who[i].flags != 0 };
        pthread_t thread;
        pthread_create(&thread, NULL, in_thread, errand);
        pthread_join(thread, NULL);
        strcpy(out, errand->out);
        free(errand);
        return;
    }
    sequence(text, size, out);
}

/* A row that hangs ends everything: SIGKILL is what interrupts a call that waits for its answer. */
static void watch(void)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
    struct itimerspec after = { .it_value = { .tv_sec = PATIENCE } };
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &after, NULL);
}

static void drop(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { 0 };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_capset, &header, none) != 0)
        abort();
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "tree") == 0)
        return tree(arguments[2]);
    if (count == 2 && strcmp(arguments[1], "drop") == 0)
        drop();
    watch();
    size_t size = 0, room = 1 << 16;
    char *input = malloc(room);
    for (ssize_t got; (got = read(0, input + size, room - size)) > 0;) {
        size += (size_t)got;
        if (size == room)
            input = realloc(input, room *= 2);
    }
    static char out[OUT + 1];
    for (char *at = input, *end; (end = memchr(at, 0x1e, size - (size_t)(at - input))); at = end + 1) {
        whole_row(at, (size_t)(end - at), out);
        strcat(out, "\n");
        if (write(1, out, strlen(out)) < 0)
            return 1;
    }
    return 0;
}
