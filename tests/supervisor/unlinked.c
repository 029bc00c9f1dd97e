// Two names for one number: a descriptor that was opened with O_PATH, of a file that was unlinked since, and a memfd
// take turns at one number while /proc/self/fd/NUMBER is opened. usage: unlinked FILE ATTEMPTS
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NUMBER = 50 };
static int secret, cover;
static volatile int stop;

static void *flip(void *unused)
{
	while (!stop) {
		dup2(secret, NUMBER);
		dup2(cover, NUMBER);
	}
	return unused;
}

int main(int count, char **words)
{
	if (count != 3)
		return 2;
	secret = open(words[1], O_PATH);
	cover = memfd_create("cover", 0);
	if (secret < 0 || cover < 0 || write(cover, "cover", 5) != 5 || unlink(words[1]))
		return 3;
	dup2(cover, NUMBER);
	pthread_t flipper;
	pthread_create(&flipper, 0, flip, 0);
	long opened = 0, leaked = 0;
	for (long left = atol(words[2]); left > 0; left--) {
		int fd = open("/proc/self/fd/50", O_RDONLY);
		char bytes[64];
		if (fd < 0)
			continue;
		ssize_t got = pread(fd, bytes, sizeof bytes, 0);
		close(fd);
		if (got == 5 && !memcmp(bytes, "cover", 5))
			opened++;
		else if (got > 0)
			leaked++;
	}
	stop = 1;
	pthread_join(flipper, 0);
	printf("opened=%ld leaked=%ld\n", opened, leaked);
	return 0;
}
