"""One command, timed from before its fork to after its wait. Every run has an end.

subprocess is not used: with a timeout its wait polls, and its fork costs more than the kernel's.
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

LINES = 8  # of stderr in a message


class Failed(Exception):
    """A command did not do its work; the message says how."""


@dataclass(frozen=True)
class Result:
    """What a command that succeeded took and said."""

    seconds: float
    stdout: str


@dataclass(frozen=True)
class Outcome:
    """What any command left."""

    code: int
    seconds: float
    stdout: str
    stderr: str


class Runner:
    """Runs commands in the current directory, each for `limit` seconds at most, with their output in two files."""

    def __init__(self, output: Path, environment: Mapping[str, str], limit: int) -> None:
        """`output` is a directory that exists."""
        self._stdout = output / "stdout"
        self._stderr = output / "stderr"
        self._environment = environment
        self._limit = limit

    def run(self, command: Sequence[str]) -> Result:
        """Runs it, and fails if it does."""
        outcome = self.outcome(command)
        if outcome.code != 0:
            raise Failed(describe(command, outcome))
        return Result(outcome.seconds, outcome.stdout)

    def outcome(self, command: Sequence[str]) -> Outcome:
        """Runs it to its end, whatever that is. Its output goes to a file: grep reads less for /dev/null."""
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr, open(os.devnull, "rb") as stdin:
            actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), fd) for fd, file in enumerate((stdin, stdout, stderr))]
            with alarm(self._limit, command):
                begun = time.perf_counter()
                code = wait(self._spawn(command, actions))
                seconds = time.perf_counter() - begun
        return Outcome(
            code, seconds, self._stdout.read_text(errors="replace"), self._stderr.read_text(errors="replace")
        )

    def _spawn(self, command: Sequence[str], actions: Sequence[tuple[int, int, int]]) -> int:
        # A process group of its own, so that it can be ended whole. Python ignores SIGPIPE; a command must not.
        try:
            return os.posix_spawnp(
                command[0],
                list(command),
                self._environment,
                file_actions=actions,
                setpgroup=0,
                setsigdef=[signal.SIGPIPE],
            )
        except OSError as error:
            raise Failed(f"{command[0]}: {error.strerror}") from error


def wait(pid: int) -> int:
    """The command's code, negative for a signal. Whatever interrupts the wait ends the command."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except BaseException:
        with suppress(ProcessLookupError, ChildProcessError):
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise


@contextmanager
def alarm(seconds: int, command: Sequence[str]) -> Iterator[None]:
    """Raises in the main thread when the time is over."""

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise Failed(f"{shlex.join(command)}: no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def describe(command: Sequence[str], outcome: Outcome) -> str:
    """How it ended, and the last that it said."""
    end = f"exit {outcome.code}" if outcome.code >= 0 else signal.Signals(-outcome.code).name
    said = "".join(f"\n  | {line}" for line in outcome.stderr.splitlines()[-LINES:])
    return f"{shlex.join(command)}: {end}{said}"


# What would make a command do other work than everywhere else. `cargo xtask` sets LD_LIBRARY_PATH,
# which the loader then searches at every start.
FOREIGN = ("CARGO", "CFLAGS", "CLAWGUARD_", "GIT_", "GREP_", "LD_", "MAKE", "MFLAGS", "NODE_", "PYTHON", "RIPGREP_")


def environment() -> dict[str, str]:
    """The caller's environment without what steers the workloads, in one language."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "LC_ALL": "C.UTF-8"}
