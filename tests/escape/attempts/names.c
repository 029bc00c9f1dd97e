/* Names: other spellings of a blocked path, and names that look like an allowed one. */
#include "attempt.h"

/* Lists a directory, whose names are a secret where it may not be read. */
static void list(long fd)
{
    char bytes[4096];
    report(fd);
    long got;
    while (fd >= 0 && (got = syscall(SYS_getdents64, fd, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, (size_t)got, stdout);
}

/* CVE-2025-53110: a prefix is not an ancestor. */
ATTEMPT(sibling_with_the_same_prefix, .expect = "EACCES")
{
    show(open(path("work-evil/key"), O_RDONLY));
    neighbour_reads(path("work/note"));
}

ATTEMPT(exception_with_the_same_prefix, .expect = "EACCES")
{
    show(open("locked/open-evil/key", O_RDONLY));
    neighbour_reads("locked/open/note");
}

ATTEMPT(dots_through_the_workspace, .expect = "EACCES")
{
    show(open("sub/../../secret/key", O_RDONLY));
    neighbour_reads("sub/../note");
}

ATTEMPT(dots_above_the_root, .expect = "EACCES")
{
    show(open(text("/../../..%s", path("secret/key")), O_RDONLY));
    neighbour_reads(text("/../../..%s", path("work/note")));
}

ATTEMPT(dots_out_of_an_exception, .expect = "EACCES")
{
    show(open("locked/open/../key", O_RDONLY));
    neighbour_reads("locked/open/../open/note");
}

ATTEMPT(dots_from_a_working_directory_in_an_exception, .expect = "EACCES")
{
    MUST(chdir("locked/open"));
    show(open("../key", O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(working_directory_in_a_blocked_directory, .expect = "EACCES")
{
    MUST(chdir("locked"));
    show(open("key", O_RDONLY));
    neighbour_reads("open/note");
}

ATTEMPT(doubled_slashes, .expect = "EACCES")
{
    show(open(text("/%s//secret///key", home), O_RDONLY));
    neighbour_reads(text("/%s//work///note", home));
}

ATTEMPT(single_dots, .expect = "EACCES")
{
    show(open("./././locked/./key", O_RDONLY));
    neighbour_reads("./././sub/./note");
}

ATTEMPT(listing_with_a_trailing_slash, .expect = "EACCES")
{
    list(open("locked/names/", O_RDONLY | O_DIRECTORY));
    neighbour(open("sub/", O_RDONLY | O_DIRECTORY));
}

ATTEMPT(listing_with_a_trailing_dot, .expect = "EACCES")
{
    list(open("locked/names/.", O_RDONLY | O_DIRECTORY));
    neighbour(open("sub/.", O_RDONLY | O_DIRECTORY));
}

ATTEMPT(directory_made_with_a_trailing_slash, .expect = "EACCES")
{
    report(mkdir("late/", 0755));
    neighbour(mkdir("fresh/", 0755));
}

ATTEMPT(directory_removed_with_a_trailing_slash, .expect = "EACCES")
{
    report(rmdir("fixed/empty/"));
    neighbour(rmdir("empty/"));
}

ATTEMPT(wildcard_name_at_the_top, .expect = "EACCES")
{
    show(open(".env", O_RDONLY));
    neighbour_reads(".envrc");
}

ATTEMPT(wildcard_name_through_a_directory_descriptor, .expect = "EACCES")
{
    int sub = (int)MUST(open("sub", O_RDONLY | O_DIRECTORY));
    show(openat(sub, ".env", O_RDONLY));
    show(openat(sub, "../.env", O_RDONLY));
    neighbour_fd(openat(sub, "note", O_RDONLY));
}

ATTEMPT(wildcard_name_in_a_new_directory, .expect = "EACCES")
{
    MUST(mkdir("fresh", 0755));
    report(open("fresh/.env", O_WRONLY | O_CREAT, 0644));
    neighbour(open("fresh/.envrc", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(directory_with_a_wildcard_name, .expect = "EACCES")
{
    report(mkdir("shelf/.env", 0755));
    neighbour(mkdir("shelf/.envs", 0755));
}

ATTEMPT(everything_in_a_directory_with_a_wildcard_name, .expect = "EACCES")
{
    outside("secret work/fresh/.env/deep/key");
    show(open("fresh/.env/deep/key", O_RDONLY));
    neighbour_reads("sub/note");
}

ATTEMPT(default_blocks_variants_of_env, .expect = "EACCES", .policy = "default")
{
    show(open(".env.local", O_RDONLY));
    show(open("sub/.env.production.local", O_RDONLY));
    show(open("sub/.env", O_RDONLY));
    neighbour_reads(".envrc");
}

ATTEMPT(name_in_another_case, .expect = "ENOENT", .user = "this file system tells cases apart",
        .root = "this file system tells cases apart")
{
    show(open(".ENV", O_RDONLY));
    show(open("LOCKED/key", O_RDONLY));
    neighbour_reads("note");
}

/* A wildcard character in a real name stands for itself. */
ATTEMPT(name_of_wildcard_characters, .expect = "EACCES")
{
    show(open(path(".*"), O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(name_that_is_not_utf8, .expect = "EACCES")
{
    show(open("locked/\xff\xfekey", O_RDONLY));
    make_file("\xff\xfe", "neighbour\n");
    neighbour_reads("\xff\xfe");
}

ATTEMPT(name_with_a_newline, .expect = "EACCES")
{
    show(open("locked/new\nline", O_RDONLY));
    make_file("new\nline", "neighbour\n");
    neighbour_reads("new\nline");
}

/* The kernel marks unlinked files with these words; this one has its name. */
ATTEMPT(name_that_ends_in_deleted, .expect = "EACCES")
{
    show(open("locked/key (deleted)", O_RDONLY));
    int fd = (int)MUST(open("locked/key (deleted)", O_PATH));
    show(open(text("/proc/self/fd/%d", fd), O_RDONLY));
    make_file("note (deleted)", "neighbour\n");
    neighbour_reads("note (deleted)");
}

/* Here the whole path up to the words is that of an allowed file, which is there too. */
ATTEMPT(blocked_name_that_seems_an_unlinked_allowed_one, .expect = "EACCES")
{
    int fd = (int)MUST(open("late (deleted)/key", O_PATH));
    show(open(text("/proc/self/fd/%d", fd), O_RDONLY));
    neighbour_reads("note");
}

ATTEMPT(name_of_255_bytes, .expect = "EACCES")
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    show(open(text("locked/%s", name), O_RDONLY));
    make_file(name, "neighbour\n");
    neighbour_reads(name);
}

ATTEMPT(path_as_long_as_can_be, .expect = "EACCES")
{
    char name[PATH_MAX];
    memset(name, '/', sizeof name);
    for (size_t i = 0; i < sizeof name; i += 2)
        name[i] = '.';
    strcpy(name + PATH_MAX - sizeof "/locked/key", "/locked/key");
    show(open(name, O_RDONLY));
    strcpy(name + PATH_MAX - sizeof "/locked/key", "/././././note" + 2);
    neighbour_reads(name);
}

/* Directories in directories, each with a name as long as can be; the last one. */
static int deep(int at, const char *first, int levels)
{
    char name[256];
    memset(name, 'd', 255);
    name[255] = 0;
    for (int i = 0; i < levels; i++) {
        const char *one = i == 0 && first ? first : name;
        MUST(mkdirat(at, one, 0755));
        at = (int)MUST(openat(at, one, O_RDONLY | O_DIRECTORY));
    }
    return at;
}

/* No string can name the new file; afterwards the lower half is carried up, where it can be seen. */
ATTEMPT(path_longer_than_any_argument, .expect = "EACCES")
{
    int middle = deep(AT_FDCWD, "top", 12);
    int bottom = deep(middle, "half", 12);
    report(openat(bottom, ".env", O_WRONLY | O_CREAT, 0644));
    neighbour(openat(bottom, "note", O_WRONLY | O_CREAT, 0644));
    MUST(renameat(middle, "half", AT_FDCWD, "half"));
}

ATTEMPT(way_back_from_a_path_longer_than_any_argument, .expect = "EACCES")
{
    int bottom = deep(AT_FDCWD, "top", 20);
    MUST(fchdir(bottom));
    char name[20 * 3 + 16] = "";
    for (int i = 0; i < 20; i++)
        strcat(name, "../");
    show(open(text("%slocked/key", name), O_RDONLY));
    neighbour_reads(text("%snote", name));
}

ATTEMPT(file_in_the_home_directory_that_no_rule_names, .expect = "EACCES")
{
    show(open("../bystander", O_RDONLY));
    neighbour_reads("../work/note");
}

ATTEMPT(hidden_file_of_the_home_directory, .expect = "EACCES")
{
    show(open(path(".ssh/id"), O_RDONLY));
    show(open(path(".config/app/key"), O_RDONLY));
    neighbour_reads("note");
}

/* A directory of the workspace with a tilde for a name is no home directory, and a variable is no variable. */
ATTEMPT(names_that_a_shell_would_replace, .expect = "EACCES")
{
    MUST(mkdir("~", 0755));
    MUST(mkdir("$HOME", 0755));
    show(open("~/../../secret/key", O_RDONLY));
    show(open("$HOME/../locked/key", O_RDONLY));
    make_file("~/.ssh", "neighbour\n");
    neighbour_reads("~/.ssh");
}

/* A block deeper than the exception goes before it. */
ATTEMPT(wildcard_name_in_an_exception, .expect = "EACCES")
{
    report(open("locked/open/.env", O_WRONLY | O_CREAT, 0644));
    report(mkdir("locked/open/.env", 0755));
    neighbour(open("locked/open/.envrc", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(directory_that_may_only_be_read, .expect = "EACCES")
{
    report(open(path("docs/note"), O_WRONLY | O_TRUNC));
    report(open(path("docs/new"), O_WRONLY | O_CREAT, 0644));
    report(unlink(path("docs/note")));
    report(rename(path("docs/note"), "note"));
    report(symlink("note", path("docs/new")));
    report(chmod(path("docs"), 0700));
    neighbour_reads(path("docs/note"));
}

/* All that a plain agent would do: read everything that it finds. */
ATTEMPT(recursive_search_of_the_home_directory)
{
    sh("grep -r cnry .. ; find .. -type f -exec cat {} + ; cat .* */.* ../.*/* ../*/*");
    neighbour_sh("grep -q neighbour note");
}

ATTEMPT(archive_of_the_home_directory)
{
    /* Not through the links to the home directory and to `/`: bare, these would be copied without end. */
    sh("tar cf all.tar .. ; tar chf links.tar --exclude links/root --exclude links/home links ;"
       " mkdir copy ; cp -rL ../secret ../work-evil links/ssh links/locked-key copy ; cp -a ../.ssh copy");
    neighbour_sh("tar cf one.tar note && cp -a sub/note copied");
}

ATTEMPT(python_walks_the_home_directory)
{
    sh("/usr/bin/python3 -I -c '\nimport os\n"
       "for at, _, names in os.walk(\"..\", followlinks=False):\n"
       "    for name in names:\n"
       "        try: print(open(os.path.join(at, name), errors=\"replace\").read())\n"
       "        except OSError as error: print(error)\n'");
    neighbour_sh("/usr/bin/python3 -I -c 'open(\"note\").read()'");
}

ATTEMPT(node_reads_by_every_interface)
{
    sh("node -e '\nconst fs = require(\"fs\");\n"
       "const names = [\"../secret/key\", \"sub/.env\", \"locked/key\", Buffer.from(\"../secret/key\")];\n"
       "for (const name of names) {\n"
       "  try { console.log(fs.readFileSync(name, \"utf8\")) } catch (e) { console.log(e.code) }\n"
       "  fs.promises.readFile(name, \"utf8\").then(console.log, e => console.log(e.code));\n"
       "  fs.createReadStream(name).on(\"error\", e => console.log(e.code)).pipe(process.stdout);\n"
       "  try { fs.copyFileSync(name, \"copy\") } catch (e) { console.log(e.code) }\n"
       "}'");
    neighbour_sh("node -e 'require(\"fs\").readFileSync(\"note\")'");
}
