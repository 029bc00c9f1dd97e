"""Tries everything on a tree and reports what the kernel said, as JSON: [[operation, path, other path, outcome], ...].

Standard input: {"paths": [...], "files": [...], "directories": [deepest first], "fresh": [names]}. What is made is
removed again; what was there is removed last.
"""
import errno, json, os, sys

given = json.load(sys.stdin)
seen = []


def attempt(operation, act, path, other=None):
    try:
        act()
        outcome = "ok"
    except OSError as error:
        outcome = errno.errorcode[error.errno]
    seen.append([operation, path, other, outcome])
    return outcome == "ok"


def opened(path, flags, mode=0o755):
    os.close(os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, mode))


def execute(path):
    os.waitpid(os.posix_spawn(path, [path], {}), 0)


for path in given["paths"]:
    attempt("r", lambda: opened(path, os.O_RDONLY), path)
for path in given["files"]:
    attempt("w", lambda: opened(path, os.O_WRONLY), path)
    attempt("x", lambda: execute(path), path)

for directory in given["directories"]:
    for name in given["fresh"]:
        path = f"{directory}/{name}"
        if os.path.lexists(path):
            continue
        if attempt("create", lambda: opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), path):
            attempt("remove", lambda: os.unlink(path), path)
        if attempt("create", lambda: os.mkdir(path), path):
            attempt("rmdir", lambda: os.rmdir(path), path)
        attempt("create", lambda: os.mkfifo(path), path)
        attempt("remove", lambda: os.unlink(path), path)

for old in given["directories"]:
    one = f"{old}/zz-one"
    try:
        # A program gets no name that must not be executed.
        opened(one, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError:
        continue
    for new in given["directories"]:
        two = f"{new}/zz-two"
        if attempt("link", lambda: os.link(one, two), one, two):
            os.unlink(two)
        if attempt("rename", lambda: os.rename(one, two), one, two):
            opened(one, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.unlink(two)
    os.unlink(one)

for path in given["files"]:
    attempt("remove", lambda: os.unlink(path), path)
for path in given["directories"]:
    attempt("rmdir", lambda: os.rmdir(path), path)

json.dump(seen, sys.stdout)
