/* Renames: a blocked file leaves its name, another takes it, or the whole tree around it moves. */
#include "attempt.h"

static int exchange(const char *one, const char *other)
{
    return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

ATTEMPT(blocked_file_out_of_its_name, .expect = "EACCES")
{
    report(rename("sub/.env", "sub/plain"));
    report(rename("locked/key", "plain"));
    neighbour(rename("sub/note", "sub/plain"));
}

ATTEMPT(secret_into_the_workspace, .expect = "EACCES")
{
    report(rename(path("secret/key"), "plain"));
    report(rename(path("work-evil"), "plain"));
    report(rename(path("bystander"), "plain"));
    neighbour(rename("sub/note", "plain"));
}

ATTEMPT(blocked_file_out_of_its_name_by_descriptors, .expect = "EACCES")
{
    int sub = (int)MUST(open("sub", O_PATH)), shelf = (int)MUST(open("shelf", O_PATH));
    report(renameat(sub, ".env", shelf, "plain"));
    report(renameat2(sub, ".env", shelf, "plain", RENAME_NOREPLACE));
    report(renameat2(sub, "../locked/key", shelf, "plain", 0));
    neighbour(renameat2(sub, "note", shelf, "plain", RENAME_NOREPLACE));
}

ATTEMPT(allowed_file_into_a_blocked_name, .expect = "EACCES")
{
    report(rename("note", "late"));
    report(rename("note", "shelf/.env"));
    report(rename("note", "locked/new"));
    neighbour(rename("note", "fresh"));
}

ATTEMPT(allowed_file_over_a_blocked_one, .expect = "EACCES")
{
    report(rename("note", "sub/.env"));
    report(rename("note", "fixed/note"));
    report(rename("note", "locked/key"));
    neighbour(rename("note", "shelf/note"));
}

ATTEMPT(second_name_into_a_blocked_name, .expect = "EACCES")
{
    MUST(link("note", "second"));
    report(rename("second", "late"));
    neighbour(rename("second", "third"));
}

ATTEMPT(file_out_of_a_directory_that_may_not_be_written, .expect = "EACCES")
{
    report(rename("fixed/note", "moved"));
    report(rename("fixed/sub", "moved"));
    neighbour(rename("shelf/note", "moved"));
}

ATTEMPT(directory_into_a_directory_that_may_not_be_written, .expect = "EACCES")
{
    report(rename("shelf", "fixed/shelf"));
    report(rename("shelf", "late-directory"));
    report(rename("shelf", "locked/shelf"));
    neighbour(rename("shelf", "sub/shelf"));
}

/* What two peers leak by: the blocked path ends to exist, and its file has another. */
ATTEMPT(parent_of_a_blocked_file, .expect = "EXDEV")
{
    report(rename("box/inner", "plain"));
    MUST(mkdir("box/other", 0755));
    neighbour(rename("box/other", "plain"));
}

ATTEMPT(ancestor_of_a_blocked_file, .expect = "EXDEV")
{
    report(rename("box", "crate"));
    report(rename("box/", "shelf/box/"));
    neighbour(rename("shelf", "crate"));
}

ATTEMPT(ancestor_of_a_blocked_directory, .expect = "EXDEV")
{
    MUST(mkdir("shelf/deep", 0755));
    report(rename(".git", "git"));
    report(rename(".git", "shelf/git"));
    neighbour(rename("shelf/deep", "deep"));
}

ATTEMPT(ancestor_by_a_descriptor, .expect = "EXDEV")
{
    int box = (int)MUST(open("box", O_PATH));
    report(renameat(box, "inner", AT_FDCWD, "plain"));
    report(renameat(box, "../box", box, "../crate"));
    int shelf = (int)MUST(open("shelf", O_PATH));
    neighbour(renameat(shelf, "../shelf", AT_FDCWD, "crate"));
}

ATTEMPT(ancestor_with_its_file_held_open, .expect = "EXDEV|EACCES")
{
    int inner = (int)MUST(open("box/inner", O_PATH));
    int key = (int)MUST(open("box/inner/key", O_PATH));
    report(rename("box", "crate"));
    show(openat(inner, "key", O_RDONLY));
    show(open(text("/proc/self/fd/%d", key), O_RDONLY));
    show(open("crate/inner/key", O_RDONLY) < 0 ? (errno = EACCES, -1) : open("crate/inner/key", O_RDONLY));
    neighbour_fd(openat(inner, "note", O_RDONLY));
}

ATTEMPT(ancestor_through_a_link, .expect = "EXDEV")
{
    MUST(symlink(".", "here"));
    report(rename("here/box", "here/crate"));
    report(rename("/proc/self/cwd/box/inner", "/proc/self/cwd/plain"));
    neighbour(rename("here/shelf", "here/crate"));
}

ATTEMPT(ancestor_exchanged, .expect = "EXDEV")
{
    report(exchange("box", "shelf"));
    report(exchange("shelf", "box"));
    report(exchange("shelf", "box/inner"));
    neighbour(exchange("shelf", "empty"));
}

ATTEMPT(ancestor_exchanged_with_a_file, .expect = "EXDEV")
{
    report(exchange("box", "note"));
    report(exchange("note", "box/inner"));
    neighbour(exchange("note", "shelf"));
}

ATTEMPT(blocked_file_exchanged, .expect = "EACCES")
{
    report(exchange("sub/.env", "note"));
    report(exchange("note", "locked/key"));
    report(exchange("note", path("secret/key")));
    neighbour(exchange("note", "sub/note"));
}

ATTEMPT(fixed_file_exchanged, .expect = "EACCES")
{
    report(exchange("fixed/note", "note"));
    report(exchange("shelf", "fixed/sub"));
    neighbour(exchange("note", "sub/note"));
}

ATTEMPT(blocked_file_left_with_a_whiteout, .expect = "EACCES|EPERM")
{
    report(renameat2(AT_FDCWD, "locked/key", AT_FDCWD, "plain", RENAME_WHITEOUT));
    report(renameat2(AT_FDCWD, "sub/.env", AT_FDCWD, "plain", RENAME_WHITEOUT));
    neighbour(renameat2(AT_FDCWD, "note", AT_FDCWD, "plain", 0));
}

ATTEMPT(ancestor_left_with_a_whiteout, .expect = "EXDEV|EPERM|EACCES")
{
    report(renameat2(AT_FDCWD, "box", AT_FDCWD, "crate", RENAME_WHITEOUT));
    neighbour(renameat2(AT_FDCWD, "shelf", AT_FDCWD, "crate", 0));
}

ATTEMPT(trees_swapped, .expect = "EXDEV")
{
    report(exchange("pair/shut", "pair/open"));
    report(rename("pair/shut", "pair/third"));
    report(rename("pair", "couple"));
    MUST(mkdir("pair/third", 0755));
    neighbour(rename("pair/third", "pair/fourth"));
}

/* What lies in it has its names already; only the parent's name is missing. */
static void prepare(void)
{
    MUST(mkdir("prepared", 0755));
    MUST(mkdir("prepared/inner", 0755));
    make_file("prepared/inner/key", "planted");
}

ATTEMPT(prepared_tree_into_a_blocked_name, .expect = "EXDEV")
{
    prepare();
    report(rename("prepared", "ghost"));
    neighbour(rename("prepared", "shelf/prepared"));
}

ATTEMPT(prepared_tree_exchanged_into_a_blocked_name, .expect = "EXDEV")
{
    prepare();
    MUST(mkdir("ghost", 0755));
    report(exchange("prepared", "ghost"));
    report(rename("prepared/inner", "ghost/inner"));
    neighbour(exchange("prepared", "shelf"));
}

static void prepare_hooks(void)
{
    MUST(mkdir("prepared", 0755));
    MUST(mkdir("prepared/hooks", 0755));
    MUST(mkdir("prepared/objects", 0755));
    MUST(mkdir("prepared/refs", 0755));
    make_file("prepared/HEAD", "ref: refs/heads/main\n");
    make_file("prepared/config", "[user]\n\tname = o\n\temail = o@localhost\n");
    make_file("prepared/hooks/pre-commit", text("#!/bin/sh\n: > %s\n", path("pwned")));
    MUST(chmod("prepared/hooks/pre-commit", 0755));
}

ATTEMPT(prepared_hooks_whose_parent_becomes_git, .expect = "EXDEV|ENOTEMPTY|EACCES", .after = "git")
{
    prepare_hooks();
    report(rename(".git", "old"));
    report(rename("prepared", ".git"));
    MUST(mkdir("fresh", 0755));
    neighbour(rename("fresh", "fresher"));
}

ATTEMPT(prepared_hooks_exchanged_with_git, .expect = "EXDEV", .after = "git")
{
    prepare_hooks();
    report(exchange("prepared", ".git"));
    neighbour(exchange("shelf", "empty"));
}

ATTEMPT(prepared_hooks_over_the_real_ones, .expect = "EACCES", .after = "git")
{
    prepare_hooks();
    report(rename("prepared/hooks", ".git/hooks"));
    report(exchange("prepared/hooks", ".git/hooks"));
    report(rename("prepared/hooks/pre-commit", ".git/hooks/pre-commit"));
    neighbour(rename("prepared/hooks", "prepared/hooked"));
}

ATTEMPT(directory_that_may_be_written_and_not_read, .expect = "EXDEV")
{
    report(rename("blind/key", "shelf/key"));
    report(rename("blind", "sighted"));
    report(exchange("blind/key", "note"));
    neighbour(rename("note", "blind/note"));
}

/* The next start must find the exception that this one found. */
ATTEMPT(exception_out_of_its_name, .expect = "EACCES|EXDEV")
{
    report(rename("locked/open", "opened"));
    report(exchange("locked/open", "shelf"));
    neighbour(rename("locked/open/note", "locked/open/other"));
}

ATTEMPT(exception_removed_and_replaced, .expect = "EACCES|EXDEV")
{
    MUST(unlink("locked/open/note"));
    report(rmdir("locked/open"));
    report(rename("empty", "locked/open"));
    neighbour(rmdir("empty"));
}

ATTEMPT(workspace_out_of_its_name, .expect = "EACCES|EXDEV")
{
    report(rename(path("work"), path("other")));
    report(renameat2(AT_FDCWD, path("work"), AT_FDCWD, path("work-evil"), RENAME_EXCHANGE));
    neighbour(rename("shelf", "other"));
}

ATTEMPT(removal_of_what_is_blocked, .expect = "EACCES")
{
    report(unlink("sub/.env"));
    report(unlink("locked/key"));
    report(unlinkat(AT_FDCWD, "box/inner/key", 0));
    report(rmdir("fixed/empty"));
    report(unlinkat(AT_FDCWD, "fixed/empty", AT_REMOVEDIR));
    neighbour(unlink("shelf/note"));
}

/* mv copies where rename says EXDEV, and the copy is judged file by file. */
ATTEMPT(programs_that_move)
{
    sh("mv sub/.env plain ; mv box crate ; mv pair couple ; mv locked unlocked ; mv ../secret . ; mv -f note fixed/note ;"
       " mv --exchange box shelf ; mv -T shelf .git ; cp -a box copied ; cp -al box linked ; ln sub/.env hard");
    neighbour_sh("mv shelf/note shelf/moved && ln env hard-env");
}

ATTEMPT(programs_that_remove)
{
    sh("rm -rf box locked fixed pair .git/hooks .env sub/.env ; find . -name .env -delete ; git -c safe.directory='*' clean -ffdx ;"
       " rsync -a --delete empty/ locked/");
    neighbour_sh("rm -rf shelf");
}

ATTEMPT(python_moves_trees)
{
    sh("/usr/bin/python3 -I -c '\nimport os, shutil\n"
       "for act in (os.rename, os.replace, shutil.move, os.link, shutil.copytree, shutil.copy2):\n"
       "    for name in (\"box\", \"sub/.env\", \"locked/key\", \"locked\", \"pair/shut\", \"../secret\"):\n"
       "        try: act(name, \"to-\" + act.__name__ + name.replace(\"/\", \"-\"))\n"
       "        except (OSError, shutil.Error) as error: print(type(error).__name__)\n'");
    neighbour_sh("/usr/bin/python3 -I -c 'import shutil; shutil.move(\"shelf\", \"moved\")'");
}
