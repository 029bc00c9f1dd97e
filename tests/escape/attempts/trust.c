/* Trust: what the next start, the owner's next command, or clawguard itself believes. */
#include "attempt.h"

/* In the policy `trust` the whole home directory is allowed: only guards and pins hold these. */
static void overwrite(const char *name)
{
    int fd = (int)report(open(path(name), O_WRONLY | O_TRUNC));
    if (fd >= 0)
        MUST(write(fd, "planted", 7));
}

ATTEMPT(policy_file_overwritten, .expect = "EACCES", .policy = "trust")
{
    overwrite("conf/policy.yaml");
    report(truncate(path("conf/policy.yaml"), 0));
    report(open(path("conf/policy.yaml"), O_RDWR | O_APPEND));
    report(open(path("conf/policy.yaml"), O_RDONLY | O_TRUNC));
    neighbour(open(path("conf/other.yaml"), O_WRONLY | O_TRUNC));
}

ATTEMPT(policy_file_removed, .expect = "EACCES", .policy = "trust")
{
    report(unlink(path("conf/policy.yaml")));
    report(rename(path("conf/policy.yaml"), path("conf/old.yaml")));
    neighbour(unlink(path("conf/other.yaml")));
}

ATTEMPT(policy_file_replaced, .expect = "EACCES", .policy = "trust")
{
    report(rename(path("conf/other.yaml"), path("conf/policy.yaml")));
    report(renameat2(AT_FDCWD, path("conf/other.yaml"), AT_FDCWD, path("conf/policy.yaml"), RENAME_EXCHANGE));
    neighbour(rename(path("conf/other.yaml"), path("conf/another.yaml")));
}

ATTEMPT(policy_file_given_a_second_name, .expect = "EACCES", .policy = "trust")
{
    report(link(path("conf/policy.yaml"), path("conf/second.yaml")));
    neighbour(link(path("conf/other.yaml"), path("conf/second.yaml")));
}

ATTEMPT(policy_file_made_unreadable, .expect = "EACCES", .policy = "trust")
{
    report(chmod(path("conf/policy.yaml"), 0));
    report(setxattr(path("conf/policy.yaml"), "user.x", "x", 1, 0));
    neighbour(chmod(path("conf/other.yaml"), 0600));
}

ATTEMPT(directory_of_the_policy_file_moved, .expect = "EXDEV|EACCES", .policy = "trust")
{
    report(rename(path("conf"), path("old")));
    MUST(mkdir(path("prepared"), 0755));
    report(renameat2(AT_FDCWD, path("prepared"), AT_FDCWD, path("conf"), RENAME_EXCHANGE));
    neighbour(rename(path("prepared"), path("other")));
}

ATTEMPT(policy_planted_where_the_next_start_looks, .expect = "EACCES", .policy = "trust")
{
    MUST(mkdir(path(".config/clawguard"), 0755));
    report(open(path(".config/clawguard/policy.yaml"), O_WRONLY | O_CREAT, 0644));
    report(open(path(".openclaw/config.yaml"), O_WRONLY | O_CREAT, 0644));
    report(symlink(path("work/note"), path(".openclaw/config.yaml")));
    report(link(path("work/note"), path(".config/clawguard/policy.yaml")));
    neighbour(open(path(".openclaw/config.json"), O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(directory_planted_where_the_next_start_looks, .expect = "EXDEV|EACCES", .policy = "trust")
{
    MUST(mkdir(path("prepared"), 0755));
    make_file(path("prepared/policy.yaml"), "security:\n");
    report(rename(path("prepared"), path(".config/clawguard")));
    report(symlink("../prepared", path(".config/clawguard")));
    neighbour(rename(path("prepared"), path(".config/other")));
}

ATTEMPT(program_overwritten, .expect = "EACCES|ETXTBSY", .policy = "trust")
{
    overwrite("bin/clawguard-exec");
    report(truncate(path("bin/clawguard-exec"), 0));
    neighbour(open(path("conf/other.yaml"), O_WRONLY | O_TRUNC));
}

ATTEMPT(program_replaced, .expect = "EACCES", .policy = "trust")
{
    report(rename(path("work/run"), path("bin/clawguard-exec")));
    report(unlink(path("bin/clawguard-exec")));
    report(rename(path("bin/clawguard-exec"), path("bin/old")));
    report(chmod(path("bin/clawguard-exec"), 0644));
    neighbour(rename(path("work/run"), path("bin/run")));
}

/* CVE-2019-5736: the sandbox's program through a process that runs it. */
ATTEMPT(program_overwritten_through_proc, .expect = "EACCES", .never_bare = "no process runs it there")
{
    report(open(text("/proc/%d/exe", getppid()), O_WRONLY));
    report(open(text("/proc/%d/exe", getppid()), O_RDONLY));
    neighbour(open("/proc/self/exe", O_RDONLY));
}

ATTEMPT(journal_overwritten, .expect = "EACCES", .policy = "trust")
{
    const char *journal = ".local/state/clawguard/journal.jsonl";
    overwrite(journal);
    report(truncate(path(journal), 0));
    report(unlink(path(journal)));
    report(rename(path(journal), path("old")));
    report(link(path(journal), path("second")));
    report(chmod(path(journal), 0));
    neighbour(open(path("conf/other.yaml"), O_WRONLY | O_TRUNC));
}

ATTEMPT(directory_of_the_journal_moved, .expect = "EXDEV|EACCES", .policy = "trust")
{
    report(rename(path(".local/state/clawguard"), path("old")));
    report(rename(path(".local/state"), path("old")));
    report(rename(path(".local"), path("old")));
    report(open(path(".local/state/clawguard/new"), O_WRONLY | O_CREAT, 0644));
    neighbour(mkdir(path(".local/state/other"), 0755));
}

ATTEMPT(journal_line_forged_by_a_name, .expect = "EACCES")
{
    report(mkdir("locked/x\n{\"forged\":true}\n", 0755));
    report(mkdir("locked/x\r{\"forged\":true}\x1b[2K", 0755));
    neighbour(mkdir("x\n{\"forged\":true}\n", 0755));
}

/* The next start would find a link in its working directory's place, and follow it. */
ATTEMPT(workspace_replaced_by_a_link, .expect = "EACCES|EXDEV", .policy = "trust")
{
    report(rename(path("work"), path("old")));
    MUST(symlink("secret", path("trap")));
    report(renameat2(AT_FDCWD, path("trap"), AT_FDCWD, path("work"), RENAME_EXCHANGE));
    neighbour(rename(path("trap"), path("other")));
}

/* CVE-2025-59532: the target chooses what a nested start allows. */
ATTEMPT(nested_start_with_rules_of_its_own)
{
    sh(text("%s/bin/clawguard-exec -q --allow %s -- cat %s", root, home, path("secret/key")));
    MUST(chdir("shelf"));
    make_file("policy.yaml", "security: { file_access: { allowed_paths: ['/**'] } }\n");
    sh(text("CLAWGUARD_POLICY=$PWD/policy.yaml %s/bin/clawguard-exec -q -- cat %s", root, path("secret/key")));
    sh(text("HOME=$PWD %s/bin/clawguard-exec -q --mode kernel --allow / -- cat %s", root, path("secret/key")));
    neighbour_sh("cat note > /dev/null");
}

ATTEMPT(missing_paths_drop_no_rule, .expect = "EACCES", .policy = "missing")
{
    show(open(path("secret/key"), O_RDONLY));
    show(open("sub/.env", O_RDONLY));
    show(open("locked/key", O_RDONLY));
    neighbour_reads("note");
}

static const char *hook(void)
{
    make_file("hook", text("#!/bin/sh\n: > %s\n", path("pwned")));
    MUST(chmod("hook", 0755));
    return path("work/hook");
}

ATTEMPT(git_hook_planted, .expect = "EACCES", .after = "git")
{
    hook();
    report(rename("hook", ".git/hooks/pre-commit"));
    report(link("hook", ".git/hooks/post-commit"));
    report(symlink("../../hook", ".git/hooks/pre-commit"));
    report(open(".git/hooks/pre-commit", O_WRONLY | O_CREAT, 0755));
    neighbour(mkdir(".git/info", 0755));
}

ATTEMPT(git_hook_planted_by_default, .expect = "EACCES", .policy = "default", .after = "git")
{
    hook();
    report(rename("hook", ".git/hooks/pre-commit"));
    report(open(".git/hooks/pre-commit", O_WRONLY | O_CREAT, 0755));
    neighbour(mkdir(".git/info", 0755));
}

ATTEMPT(git_configuration_names_hooks, .expect = "EACCES", .after = "git")
{
    MUST(mkdir("hooks", 0755));
    hook();
    MUST(rename("hook", "hooks/pre-commit"));
    sh(text("git config core.hooksPath %s", path("work/hooks")));
    int fd = (int)report(open(".git/config", O_WRONLY | O_APPEND));
    if (fd >= 0)
        dprintf(fd, "[core]\n\thooksPath = %s\n", path("work/hooks"));
    neighbour(open(".git/description", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(git_configuration_replaced_by_default, .expect = "EACCES", .policy = "default", .after = "git")
{
    MUST(mkdir("hooks", 0755));
    hook();
    MUST(rename("hook", "hooks/pre-commit"));
    make_file("config", text("[core]\n\thooksPath = %s\n[user]\n\tname = o\n\temail = o@localhost\n", path("work/hooks")));
    report(rename("config", ".git/config"));
    report(open(".git/config.worktree", O_WRONLY | O_CREAT, 0644));
    neighbour(rename("config", "other"));
}

/* `.git/commondir` alone moves hooks and configuration elsewhere. */
ATTEMPT(git_common_directory_planted, .expect = "EACCES", .after = "git")
{
    MUST(mkdir("common", 0755));
    MUST(mkdir("common/hooks", 0755));
    MUST(mkdir("common/objects", 0755));
    MUST(mkdir("common/refs", 0755));
    make_file("common/config", "[user]\n\tname = o\n\temail = o@localhost\n");
    hook();
    MUST(rename("hook", "common/hooks/pre-commit"));
    int fd = (int)report(open(".git/commondir", O_WRONLY | O_CREAT, 0644));
    if (fd >= 0)
        dprintf(fd, "../common\n");
    neighbour(open(".git/description", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(git_directory_becomes_a_file, .expect = "EXDEV|EACCES|EISDIR", .policy = "default", .after = "git")
{
    sh("cp -r .git g ; rm -rf g/hooks ; mkdir g/hooks");
    hook();
    MUST(rename("hook", "g/hooks/pre-commit"));
    report(rename(".git", "old"));
    make_file("pointer", text("gitdir: %s\n", path("work/g")));
    report(rename("pointer", ".git"));
    MUST(symlink("g", "link"));
    report(renameat2(AT_FDCWD, "link", AT_FDCWD, ".git", RENAME_EXCHANGE));
    neighbour(rename("g", "g2"));
}

/* By which git, when it is next asked for the state of the working tree `tree`, runs something. */
static const char *fsmonitor(const char *tree)
{
    return text("[core]\n\trepositoryformatversion = 0\n\tworktree = %s\n\tfsmonitor = \": > %s; false\"\n", path(tree),
                path("pwned"));
}

/* A bare repository in a directory, without its HEAD. */
static void plant(const char *directory, const char *tree)
{
    mkdir(directory, 0755);
    MUST(mkdir(text("%s/objects", directory), 0755));
    MUST(mkdir(text("%s/refs", directory), 0755));
    make_file(text("%s/config", directory), fsmonitor(tree));
}

/* git looks beside an invalid `.git` whether the working tree itself is a repository. */
ATTEMPT(git_repository_planted_beside_one_made_invalid, .expect = "EACCES", .policy = "default", .after = "status")
{
    plant(".", "work");
    MUST(rename(".git/HEAD", ".git/away"));
    make_file("head", "ref: refs/heads/main\n");
    report(link("head", "HEAD"));
    report(rename("head", "HEAD"));
    report(symlink(".git/away", "HEAD"));
    int fd = (int)report(open("HEAD", O_WRONLY | O_CREAT, 0644));
    if (fd >= 0)
        dprintf(fd, "ref: refs/heads/main\n");
    neighbour(rename(".git/away", ".git/HEAD2"));
}

ATTEMPT(git_submodule_configured, .expect = "EACCES|EXDEV", .policy = "default", .after = "submodule")
{
    int fd = (int)report(open(".git/modules/m/config", O_WRONLY | O_TRUNC));
    if (fd >= 0)
        dprintf(fd, "%s", fsmonitor("work/m"));
    make_file("config", fsmonitor("work/m"));
    report(rename("config", ".git/modules/m/config"));
    MUST(mkdir("modules", 0755));
    plant("modules/m", "work/m");
    make_file("modules/m/HEAD", "ref: refs/heads/main\n");
    report(rename(".git/modules", "old"));
    report(renameat2(AT_FDCWD, "modules", AT_FDCWD, ".git/modules", RENAME_EXCHANGE));
    report(renameat2(AT_FDCWD, "modules/m", AT_FDCWD, ".git/modules/m", RENAME_EXCHANGE));
    neighbour(open(".git/modules/m/index.lock", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(git_submodule_led_elsewhere, .expect = "EACCES|EXDEV", .policy = "default", .after = "submodule")
{
    plant("g", "work/m");
    make_file("g/HEAD", "ref: refs/heads/main\n");
    int fd = (int)report(open("m/.git", O_WRONLY | O_TRUNC));
    if (fd >= 0)
        dprintf(fd, "gitdir: ../g\n");
    make_file("pointer", "gitdir: ../g\n");
    report(rename("pointer", "m/.git"));
    MUST(mkdir("n", 0755));
    make_file("n/.git", "gitdir: ../g\n");
    report(renameat2(AT_FDCWD, "n", AT_FDCWD, "m", RENAME_EXCHANGE));
    fd = (int)report(open(".git/modules/m/commondir", O_WRONLY | O_CREAT, 0644));
    if (fd >= 0)
        dprintf(fd, "../../../g\n");
    neighbour(open("m/file", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(git_worktree_led_elsewhere, .expect = "EACCES|EXDEV", .policy = "default", .after = "worktree")
{
    plant("g", "tree");
    make_file("g/HEAD", "ref: refs/heads/main\n");
    int fd = (int)report(open(".git/worktrees/tree/commondir", O_WRONLY | O_TRUNC));
    if (fd >= 0)
        dprintf(fd, "%s\n", path("work/g"));
    make_file("common", text("%s\n", path("work/g")));
    report(rename("common", ".git/worktrees/tree/commondir"));
    MUST(mkdir("fake", 0755));
    make_file("fake/commondir", text("%s\n", path("work/g")));
    make_file("fake/HEAD", "ref: refs/heads/tree\n");
    report(renameat2(AT_FDCWD, "fake", AT_FDCWD, ".git/worktrees/tree", RENAME_EXCHANGE));
    MUST(symlink("../../fake", "link"));
    report(renameat2(AT_FDCWD, "link", AT_FDCWD, ".git/worktrees/tree", RENAME_EXCHANGE));
    neighbour(mkdir(".git/worktrees/new", 0755));
}

ATTEMPT(git_configuration_of_the_owner, .expect = "EACCES", .after = "git")
{
    MUST(mkdir("hooks", 0755));
    hook();
    MUST(rename("hook", "hooks/pre-commit"));
    int fd = (int)report(open(path(".gitconfig"), O_WRONLY | O_CREAT, 0644));
    if (fd >= 0)
        dprintf(fd, "[core]\n\thooksPath = %s\n", path("work/hooks"));
    report(mkdir(path(".config/git"), 0755));
    neighbour(open("gitconfig", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(start_of_the_owners_shell, .expect = "EACCES", .after = "shell")
{
    const char *files[] = {".bash_profile", ".bashrc", ".profile"};
    for (int i = 0; i < 3; i++) {
        int fd = (int)report(open(path(files[i]), O_WRONLY | O_CREAT | O_APPEND, 0644));
        if (fd >= 0)
            dprintf(fd, ": > %s\n", path("pwned"));
    }
    neighbour(open("bashrc", O_WRONLY | O_CREAT, 0644));
}

ATTEMPT(program_planted_in_the_search_path, .expect = "EACCES", .after = "shell")
{
    report(mkdir(path(".local/bin"), 0755));
    report(open(text("%s/bin/git", root), O_WRONLY | O_CREAT, 0755));
    report(open(text("%s/bin/clawguard-exec", root), O_WRONLY | O_APPEND));
    neighbour(mkdir("bin", 0755));
}

/* It is removed at the end by somebody who may do more. */
ATTEMPT(private_temporary_directory_replaced_by_a_link, .user = "nobody removes a directory there",
        .root = "nobody removes a directory there")
{
    const char *temporary = getenv("TMPDIR");
    if (temporary) {
        symlink(path("secret"), text("%s/link", temporary));
        symlink("/", text("%s/root", temporary));
        rmdir(text("%s/none", temporary));
        unlink(text("%s/link", temporary));
        rename(temporary, text("%s-moved", temporary));
        rmdir(temporary);
        symlink(path("secret"), temporary);
        symlink(path("secret"), text("%s/again", temporary));
    }
    neighbour(symlink("note", "fresh"));
}

ATTEMPT(temporary_directory_of_somebody_else, .expect = "EACCES")
{
    /* Beside the private one lie those of other runs, and this world itself. */
    report(open(text("%s/new", root), O_WRONLY | O_CREAT, 0644));
    report(mkdir(text("%s/../work", home), 0755));
    show(open(text("%s/home/secret/key", root), O_RDONLY));
    neighbour(mkdir("new", 0755));
}
