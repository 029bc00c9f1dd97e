/* A blocked file that is made into a program: a page is inserted in front of it, which makes the kernel map the rest for a
 * loader of the attempt's own. */
#ifndef IMAGES_H
#define IMAGES_H
#include <elf.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
/* Writes what is mapped at 0x10002000, 64 bytes, and ends. */
static const unsigned char spells[] = {
    0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe, 0, 0x20, 0, 0x10, 0xba, 64, 0, 0, 0, 0x0f, 0x05,
    0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05,
};
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
static const unsigned char spells[] = {
    0x20, 0, 0x80, 0xd2, 0x01, 0x00, 0x84, 0xd2, 0x01, 0x00, 0xa2, 0xf2, 0x02, 0x08, 0x80, 0xd2, 0x08, 0x08, 0x80, 0xd2,
    0x01, 0, 0, 0xd4, 0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4,
};
#endif

static Elf64_Ehdr header(int headers)
{
    Elf64_Ehdr one = {.e_type = ET_EXEC, .e_machine = MACHINE, .e_version = 1, .e_phoff = sizeof one,
                      .e_ehsize = sizeof one, .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = (Elf64_Half)headers};
    memcpy(one.e_ident, "\177ELF\2\1\1", 7);
    return one;
}

/* A loader that begins with this: it can print what the kernel has mapped for the program that names it. */
static void make_loader_of(const char *name, const unsigned char *code, size_t length)
{
    char page[4096] = "";
    Elf64_Ehdr front = header(1);
    front.e_entry = 0x20000200;
    Elf64_Phdr all = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x20000000, .p_filesz = sizeof page,
                      .p_memsz = sizeof page, .p_align = 4096};
    memcpy(page, &front, sizeof front);
    memcpy(page + sizeof front, &all, sizeof all);
    memcpy(page + 0x200, code, length);
    int fd = (int)MUST(open(name, O_CREAT | O_WRONLY, 0755));
    MUST(write(fd, page, sizeof page));
    close(fd);
}

UNUSED void make_loader(const char *name)
{
    make_loader_of(name, spells, sizeof spells);
}

static const int headers_before = 130;

/* A page for a program that maps what follows it, and names `loader` behind many other headers. */
static void make_page(char *page, size_t size, const char *loader)
{
    Elf64_Ehdr front = header(headers_before + 2);
    front.e_entry = 0x10000000;
    Elf64_Phdr names = {.p_type = PT_INTERP, .p_offset = size - 64, .p_filesz = strlen(loader) + 1};
    Elf64_Phdr maps = {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 0x10000000, .p_filesz = size + 32,
                       .p_memsz = size + 32, .p_align = 4096};
    memset(page, 0, size);
    memcpy(page, &front, sizeof front);
    size_t at = sizeof front + (size_t)headers_before * sizeof names;
    memcpy(page + at, &names, sizeof names);
    memcpy(page + at + sizeof names, &maps, sizeof maps);
    strcpy(page + size - 64, loader);
}

static int insert_page(const char *name, const char *page, size_t size)
{
    int fd = open(name, O_WRONLY);
    if (fd < 0 || fallocate(fd, 0x20 /* FALLOC_FL_INSERT_RANGE */, 0, (off_t)size) < 0)
        return -1;
    ssize_t written = pwrite(fd, page, size, 0);
    close(fd);
    return written == (ssize_t)size ? chmod(name, 0755) : -1;
}

UNUSED int cannot_insert(void)
{
    char name[] = "/tmp/insert-XXXXXX";
    int fd = mkstemp(name);
    int failed = fd < 0 || write(fd, "x", 1) != 1 || fallocate(fd, 0x20, 0, 8192) < 0;
    unlink(name);
    return failed;
}

#define INSERTS .user = "this file system inserts no page", .root = "this file system inserts no page", \
                .only_if = cannot_insert

/* The secret is behind it, at 0x10002000 in memory. */
static char page[8192];

UNUSED void make_program(void)
{
    make_loader("loader");
    make_page(page, sizeof page, "loader");
    insert_page("blind/key", page, sizeof page);
}
#endif
