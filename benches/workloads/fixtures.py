"""The files that the workloads work on: the same bytes on every host and in every run.

Only git's packs and the compiled micro program depend on the host's tools.
"""

from __future__ import annotations

import importlib.util
import os
import random
import shlex
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
NEEDLE = "deprecated_call"
SEED = 20_000


class Unbuilt(Exception):
    """A fixture cannot be made; the message says why."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    files: int
    directories: int
    modules: int
    imports: int
    sources: int


FULL = Sizes(files=20_000, directories=400, modules=800, imports=150, sources=60)
TINY = Sizes(files=40, directories=4, modules=10, imports=12, sources=4)

VERBS = "parse open read write close find merge split check build load store count apply".split()
NOUNS = "path rule state file table index buffer entry token record header block frame node".split()

# Without side effects, and without libraries that a distribution packs apart (ssl, sqlite3, tkinter).
STDLIB = """
    abc argparse array ast asyncio atexit base64 bdb binascii bisect builtins calendar cmath cmd code
    codecs codeop collections collections.abc colorsys compileall concurrent.futures configparser
    contextlib contextvars copy copyreg csv ctypes dataclasses datetime decimal difflib dis doctest
    email email.message email.mime.text email.mime.multipart email.policy encodings.idna enum errno
    faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass gettext
    glob graphlib grp hashlib heapq hmac html html.entities html.parser http http.client
    http.cookiejar http.cookies http.server imaplib importlib importlib.metadata importlib.resources
    inspect io ipaddress itertools json json.tool keyword linecache locale logging logging.config
    logging.handlers mailbox marshal math mimetypes mmap modulefinder multiprocessing
    multiprocessing.pool multiprocessing.managers netrc ntpath numbers opcode operator optparse os
    os.path pathlib pdb pickle pickletools pkgutil platform plistlib poplib posixpath pprint profile
    pstats pwd py_compile pyclbr pydoc queue quopri random re reprlib resource rlcompleter runpy sched
    secrets select selectors shelve shlex shutil signal site smtplib socket socketserver stat
    statistics string stringprep struct subprocess symtable sysconfig syslog tabnanny tarfile tempfile
    textwrap threading timeit token tokenize trace traceback tracemalloc types typing unicodedata
    unittest unittest.mock urllib.error urllib.parse urllib.request urllib.response urllib.robotparser
    uuid warnings wave weakref webbrowser wsgiref wsgiref.simple_server xml.dom.minidom
    xml.etree.ElementTree xml.parsers.expat xml.sax xmlrpc.client xmlrpc.server zipapp zipfile
    zipimport zlib zoneinfo
""".split()


def build(fixture: Path, sizes: Sizes) -> None:
    """Fills an empty directory, and writes it back, so that no measurement waits for that."""
    source_tree(fixture / "tree/src", sizes)
    archive(fixture)
    repository(fixture / "tree")
    node_modules(fixture / "node", sizes)
    python_package(fixture / "imports", sizes)
    c_project(fixture / "c", sizes)
    micro(fixture / "micro")
    probe(fixture / "probe")
    os.sync()


def write(path: Path, text: str) -> None:
    """One file, and its directory if that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def source_tree(root: Path, sizes: Sizes) -> None:
    """Small files of source-like text, about 1 KB each; one line in a hundred contains the needle."""
    chance = random.Random(SEED)
    for index in range(sizes.files):
        directory = index % sizes.directories
        name = f"{chance.choice(VERBS)}_{chance.choice(NOUNS)}_{index:05}.c"
        write(root / f"part{directory // 20:02}/unit{directory % 20:02}" / name, source_text(chance))


def source_text(chance: random.Random) -> str:
    """Between 10 and 50 lines."""
    return "".join(source_line(chance) for _ in range(chance.randint(10, 50)))


def source_line(chance: random.Random) -> str:
    """One call of a made-up function."""
    verb = NEEDLE if chance.randrange(100) == 0 else chance.choice(VERBS)
    return f"    {verb}_{chance.choice(NOUNS)}({chance.choice(NOUNS)}, {chance.randrange(1000)});\n"


def archive(fixture: Path) -> None:
    """The tree as one file for `untar`."""
    with tarfile.open(fixture / "src.tar", "w") as tar:
        tar.add(fixture / "tree/src", arcname="src")


def repository(tree: Path) -> None:
    """The tree committed and packed, with nobody's configuration, and without a `gc` of git's own in the background."""
    settings = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false")
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    date = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
    for arguments in (
        ("init", "-q", "--template=", "-b", "main"),
        ("add", "--all"),
        (*who, "commit", "-q", "-m", "bench"),
        ("gc", "-q"),
    ):
        tool(["git", "-C", str(tree), *settings, *arguments], {**alone, **date})


def node_modules(root: Path, sizes: Sizes) -> None:
    """A binary tree of modules by number, each of which also requires its elder, already loaded."""
    write(root / "main.js", "console.log(require('module0000').total);\n")
    for index in range(sizes.modules):
        module = root / f"node_modules/module{index:04}"
        write(module / "package.json", f'{{"name": "module{index:04}", "version": "1.0.0", "main": "lib/index.js"}}\n')
        write(module / "lib/index.js", node_module(index, sizes.modules))


def node_module(index: int, count: int) -> str:
    """Its children by name, its elder by name, and the sum of all below."""
    children = [child for child in (2 * index + 1, 2 * index + 2) if child < count]
    terms = "".join(f" + require('module{child:04}').total" for child in children)
    elder = f"require('module{max(index - 1, 0):04}');\n"
    return f"'use strict';\nexports.name = 'module{index:04}';\nexports.total = 1{terms};\n{elder}"


def python_package(root: Path, sizes: Sizes) -> None:
    """A package that imports what the running interpreter has of the list."""
    names = [name for name in STDLIB if importlib.util.find_spec(name) is not None][: sizes.imports]
    if len(names) < sizes.imports:
        raise Unbuilt(f"this python has only {len(names)} of the modules to import")
    write(root / "__init__.py", "".join(f"import {name}\n" for name in names))
    write(root / "__main__.py", f'print("imported", {len(names)})\n')


MAKEFILE = """\
OBJECTS := $(patsubst src/%.c,build/%.o,$(wildcard src/*.c))

build/program: $(OBJECTS)
\t$(CC) -o $@ $^

build/%.o: src/%.c
\t$(CC) -O1 -Iinclude -c -o $@ $<
"""


def c_project(root: Path, sizes: Sizes) -> None:
    """Small translation units, each with a header of its own and its neighbour's."""
    write(root / "Makefile", MAKEFILE)
    write(root / "src/main.c", '#include "unit00.h"\n\nint main(void)\n{\n    return unit00(0) < 0;\n}\n')
    for index in range(sizes.sources):
        own, next_one = f"unit{index:02}", f"unit{(index + 1) % sizes.sources:02}"
        write(root / f"include/{own}.h", f"#pragma once\nint {own}(int depth);\n")
        write(root / f"src/{own}.c", c_unit(own, next_one))


def c_unit(own: str, next_one: str) -> str:
    """One function that calls its neighbour's."""
    includes = ("<stdio.h>", "<stdlib.h>", "<string.h>", f'"{own}.h"', f'"{next_one}.h"')
    body = f'    return depth > 9 ? (int)strlen("{own}") : {next_one}(depth + 1);\n'
    return "".join(f"#include {name}\n" for name in includes) + f"\nint {own}(int depth)\n{{\n{body}}}\n"


def micro(program: Path) -> None:
    """The program of the micro workloads."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    tool([*compiler, "-O2", "-pthread", "-o", str(program), str(SOURCE / "micro.c")], {})


def probe(root: Path) -> None:
    """What shows that a policy is in force: a plain file, and one that only `live` blocks."""
    write(root / "plain", "plain\n")
    write(root / ".env", "secret\n")


def tool(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Runs a tool that makes a part of the fixture."""
    try:
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unbuilt(f"{command[0]} is needed to make the fixtures: {error.strerror}") from error
    if done.returncode != 0:
        raise Unbuilt(f"{shlex.join(command)}: exit {done.returncode}\n{done.stderr}")
