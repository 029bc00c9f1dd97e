"""Where a unit runs, and how: a fresh directory each time, one user, bare or through clawguard-exec.

Both sides get the same path, the same environment and a temporary directory of their own, so that nothing differs
but clawguard. Root has no capabilities on the bare side either: that clawguard drops them is a limit which would
hide everything else (docs/limits.md, "No privileges, no namespaces").
"""

from __future__ import annotations

import enum
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ORDINARY = 65534  # nobody on Debian
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CANARY = "canary-of-the-transparency-suite"
POLICY = """\
security:
  file_access:
    presets: [system, git, node, python]
    allowed_paths: ["$PWD"]
    blocked_paths:
      - { path: "**/.env", access: r }
logging:
  log_denials: true
"""
# A shell in the background starts its children with these ignored; a handler that nobody installs proves nothing.
SIGNALS = ["env", "--default-signal=INT,QUIT,PIPE,TERM,HUP,USR1,USR2,CHLD"]


# What an interrupted run has to end, and that nothing more is to be started.
RUNNING: set[subprocess.Popen[bytes]] = set()
INTERRUPTED = threading.Event()


class Broken(Exception):
    """The suite itself does not work; the message says how."""


class Side(enum.Enum):
    """Without clawguard, in two ways, or with it."""

    BARE = "bare"
    # Only root has any.
    CAPABLE = "bare with capabilities"
    CONFINED = "confined"


@dataclass(frozen=True)
class User:
    """Who runs a unit."""

    name: str
    uid: int

    def become(self, side: Side) -> list[str]:
        """What to put before a command."""
        if self.uid == 0:
            return [] if side is Side.CAPABLE else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        if self.uid == os.geteuid():
            return []
        uid = str(self.uid)
        return ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]


def users(wanted: str) -> list[User]:
    """Root can be both; everybody else is an ordinary user."""
    ordinary = User("ordinary", ORDINARY if os.geteuid() == 0 else os.geteuid())
    if wanted == "ordinary":
        return [ordinary]
    if os.geteuid() != 0:
        raise Broken(f"--user {wanted}: only root can become root")
    root = User("root", 0)
    return [root] if wanted == "root" else [ordinary, root]


@dataclass(frozen=True)
class Ended:
    """How a command ended; None: it did not, and was killed."""

    code: int | None
    output: str


class World:
    """A directory that is made anew for each run of a unit. Paths are short: a unix socket's name has 108 bytes."""

    def __init__(self, root: Path, shim: Path, user: User) -> None:
        self.root = root
        self.work = root / "work"
        self.user = user
        self._shim = shim

    def make(self) -> None:
        """Removes what the last run left."""
        self.remove()
        for directory in ("", "work", "home", "tmp", "log"):
            self.mkdir(directory)
        self.put(".env", CANARY)
        (self.root / "policy.yaml").write_text(POLICY)

    def mkdir(self, name: str) -> Path:
        """A directory of the user's, with its parents in this world."""
        path = self.root
        for part in ("", *Path(name).parts):
            path /= part
            if not path.exists():
                path.mkdir(mode=0o755)
                os.chown(path, self.user.uid, self.user.uid)
        return path

    def put(self, name: str, text: str) -> Path:
        """A file in the workspace."""
        path = self.work / name
        path.write_text(text)
        os.chown(path, self.user.uid, self.user.uid)
        return path

    def remove(self) -> None:
        """Whatever modes the tests left; root without its capabilities is not who removes it."""
        for _ in range(5):
            shutil.rmtree(self.root, ignore_errors=True)
            if not self.root.exists():
                return
            for directory, _, _ in os.walk(self.root):
                with suppress(OSError):
                    os.chmod(directory, 0o700)
        raise Broken(f"{self.root} cannot be removed")

    @property
    def journal(self) -> Path:
        """What was denied, as JSON lines."""
        return self.root / "log/journal"

    def run(self, side: Side, command: Sequence[str], limit: int) -> Ended:
        """One command in the workspace, ended with its session after `limit` seconds."""
        if INTERRUPTED.is_set():
            raise Broken("interrupted")
        words = [*self.user.become(side), *SIGNALS, *self._confine(side), *command]
        output = self.root / "output"
        environment = {"PATH": PATH, "HOME": str(self.root / "home"), "LANG": "C.UTF-8"}
        environment |= {} if side is Side.CONFINED else {"TMPDIR": str(self.root / "tmp")}
        with output.open("wb") as out, open(os.devnull, "rb") as into:
            process = subprocess.Popen(
                words, cwd=self.work, env=environment, stdin=into, stdout=out, stderr=out, start_new_session=True
            )
            RUNNING.add(process)
            try:
                code: int | None = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                RUNNING.discard(process)
                end(process)
        return Ended(code, output.read_text(errors="replace"))

    def _confine(self, side: Side) -> list[str]:
        if side is not Side.CONFINED:
            return []
        policy = str(self.root / "policy.yaml")
        return [str(self._shim), "-q", "--policy", policy, "--log", str(self.journal), "--"]

    def prove(self) -> None:
        """Fails unless the policy is in force, and only then: the neighbour can be read."""
        self.make()
        self.put(".envrc", "neighbour\n")
        bare = self.run(Side.BARE, ["cat", ".env", ".envrc"], 30)
        confined = self.run(Side.CONFINED, ["cat", ".env", ".envrc"], 30)
        if bare != Ended(0, f"{CANARY}neighbour\n"):
            raise Broken(f"bare, {self.user.name}: {bare}")
        if confined != Ended(1, "cat: .env: Permission denied\nneighbour\n"):
            raise Broken(f"confined, {self.user.name}: {confined}")


def end(process: subprocess.Popen[bytes]) -> None:
    """The process and what is left of its process group. The shim is asked first: it ends its whole target."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
