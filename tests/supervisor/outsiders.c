/* `outsiders ALLOWED FORBIDDEN COUNT` opens one path that another thread overwrites with the two in turn, and prints
 * `attempts=N opened=N leaked=N`: how often a file without the canary was reached, and how often one with it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH 256

static char names[2][LENGTH];
static char shared[LENGTH];
static volatile int is_over;

static void *overwrite(void *unused)
{
    (void)unused;
    for (int which = 0; !is_over; which = !which) {
        for (int at = 0; at < LENGTH; at++)
            ((volatile char *)shared)[at] = names[which][at];
        for (volatile int pause = 0; pause < 100; pause++)
            ;
    }
    return NULL;
}

int main(int count, char **words)
{
    if (count != 4 || strlen(words[1]) >= LENGTH || strlen(words[2]) >= LENGTH)
        return 2;
    strcpy(names[0], words[1]);
    strcpy(names[1], words[2]);
    strcpy(shared, names[0]);
    pthread_t thread;
    if (pthread_create(&thread, NULL, overwrite, NULL) != 0)
        return 2;
    long attempts = atol(words[3]), opened = 0, leaked = 0;
    for (long tried = 0; tried < attempts; tried++) {
        int fd = open(shared, O_RDONLY);
        if (fd < 0)
            continue;
        char bytes[512] = "";
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got > 0 && memmem(bytes, (size_t)got, "canary", 6) != NULL)
            leaked++;
        else if (got >= 0)
            opened++;
        close(fd);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    printf("attempts=%ld opened=%ld leaked=%ld\n", attempts, opened, leaked);
    return 0;
}
