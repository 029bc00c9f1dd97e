/* Memory for arguments, at the same addresses in every run: for each argument a room that may be written, behind it a
 * page that is not there, and a page that may only be read. */
enum { PAGE = 4096, ROOM = 17 * PAGE, PLACES = 8, READ_ONLY = 0x20000, SPACING = 0x100000 };

#define FILLER 0xa5

enum where { HERE, END, CUT, FIXED };

static char *const arena = (char *)0x700000000;
static char before_call[PLACES][ROOM];
static int is_watched[PLACES];

static char *room(int place) { return arena + (size_t)place * SPACING; }

static void must(int is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "shapes: %s: %s\n", what, strerror(errno));
    _exit(99);
}

static void map_arena(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    for (int place = 0; place < PLACES; place++) {
        char *at = mmap(room(place), SPACING, PROT_NONE, flags, -1, 0);
        must(at == room(place), "arena");
        must(mprotect(at, ROOM, PROT_READ | PROT_WRITE) == 0, "room");
        memset(at, FILLER, ROOM);
        must(mprotect(at + READ_ONLY, PAGE, PROT_READ | PROT_WRITE) == 0, "fixed page");
        memset(at + READ_ONLY, FILLER, PAGE);
        must(mprotect(at + READ_ONLY, PAGE, PROT_READ) == 0, "fixed page");
    }
}

/* Puts bytes into a place. With CUT, half of them are behind the end of what is mapped. */
static long put(int place, const void *bytes, size_t size, enum where where)
{
    char *at = room(place) + 256;
    size_t held = size;
    is_watched[place] = 1;
    if (where == END)
        at = room(place) + ROOM - size;
    if (where == CUT) {
        held = size / 2;
        at = room(place) + ROOM - held;
    }
    if (where == FIXED) {
        at = room(place) + READ_ONLY + 256;
        must(mprotect(room(place) + READ_ONLY, PAGE, PROT_READ | PROT_WRITE) == 0, "fixed page");
    }
    memcpy(at, bytes, held);
    if (where == FIXED)
        must(mprotect(room(place) + READ_ONLY, PAGE, PROT_READ) == 0, "fixed page");
    return (long)at;
}

static void remember_memory(void)
{
    for (int place = 0; place < PLACES; place++)
        if (is_watched[place])
            memcpy(before_call[place], room(place), ROOM);
}

/* Every byte that differs from what was there before the call. */
static void show_memory(char *out, size_t most)
{
    size_t used = strlen(out);
    for (int place = 0; place < PLACES; place++) {
        if (!is_watched[place] || memcmp(before_call[place], room(place), ROOM) == 0)
            continue;
        size_t first = 0, last = ROOM - 1;
        while (before_call[place][first] == room(place)[first])
            first++;
        while (before_call[place][last] == room(place)[last])
            last--;
        used += (size_t)snprintf(out + used, most - used, " memory%d[%zu..%zu]=", place, first, last + 1);
        for (size_t at = first; at <= last && at < first + 48 && used + 8 < most; at++)
            used += (size_t)sprintf(out + used, "%02x", (unsigned char)room(place)[at]);
    }
}
