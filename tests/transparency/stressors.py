"""stress-ng, one unit a stressor: each does a fixed number of operations and verifies what it can.

What is compared is how it ended, whether it did all its operations, and each failure or skip that it tells of. Left
out are those that only measure, whose operations cannot be counted out (pipeherd, sigio), and those that reach beyond
their directory (dev-shm, kill, procfs). epoll would make its sockets in /tmp itself, so it takes the loopback
interface.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from outcome import Extent, Outcome
from world import Broken, Side, World

OPERATIONS = 50
LIMIT = 60  # seconds
TOLD = re.compile(r"^stress-ng: (?:fail|info|warn|error): +\[\d+\] (.*)$", re.MULTILINE)
WORTH = re.compile(r"fail|skip|error|unexpected|incorrect|not implemented|permission|cannot", re.IGNORECASE)

# The file-system stressors, and those of descriptors, sockets, processes and IPC that calls we answer go through.
STRESSORS = """
access chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup eventfd fallocate fanotify fcntl fiemap
file-ioctl filename flock fpunch fsize fstat full getdent handle hdd inode-flags inotify io iomix lease link locka lockf
lockofd mknod mmap msync null open readahead rename revio seal seek symlink sync-file touch utime xattr zero
fifo pipe sendfile splice tee vm-splice memfd mmapmany aio aiol io-uring close
sock sockabuse sockfd sockmany sockpair udp epoll poll
clone daemon exec fork session spawn vfork wait zombie pidfd ptrace
mq msg sem sem-sysv shm shm-sysv
dynlib env get key ioprio nice pty rlimit set sigfd timerfd
""".split()
# Those whose operations are large, or small.
COUNTS = {
    "chdir": 5,
    "clone": 20,
    "dirdeep": 200,
    "dup": 5,
    "fallocate": 5,
    "inotify": 2,
    "ioprio": 10,
    "link": 2,
    "memfd": 2,
    "mmap": 2,
    "pty": 1,
    "spawn": 20,
    "symlink": 1,
    "timerfd": 1024,
}
OPTIONS = {
    "mmap": ["--mmap-file", "--mmap-bytes", "1M"],
    "hdd": ["--hdd-bytes", "1M"],
    "iomix": ["--iomix-bytes", "1M"],
    "fallocate": ["--fallocate-bytes", "1M"],
    "readahead": ["--readahead-bytes", "1M"],
    "seek": ["--seek-size", "1M"],
    "sendfile": ["--sendfile-size", "64K"],
    "chdir": ["--chdir-dirs", "64"],
    "shm": ["--shm-bytes", "1M"],
    "epoll": ["--epoll-domain", "ipv4"],
    "exec": ["--exec-max", "4"],
    "sync-file": ["--sync-file-bytes", "1M"],
}
# For the ordinary user only: those that take seconds or a port that is always the same, and those by which root sets
# the modes of the host's devices.
ORDINARY = set(
    """
fpunch fsize inode-flags iomix memfd mmap symlink epoll sock sockabuse sockmany udp full null zero
""".split()
)
# These end by the clock, whatever their count.
BY_THE_CLOCK = {"exec", "fpunch", "inode-flags", "sem"}


@dataclass(frozen=True)
class Stressor:
    """One kind of operation."""

    stressor: str

    @property
    def extent(self) -> Extent:
        """Most are quick."""
        return Extent.ORDINARY if self.stressor in ORDINARY else Extent.BOTH

    @property
    def name(self) -> str:
        """As it is named on the command line."""
        return f"stress/{self.stressor}"

    def play(self, world: World, side: Side, only: Sequence[str]) -> dict[str, Outcome]:
        """A stressor is one test, so there is nothing to choose."""
        count, clocked = COUNTS.get(self.stressor, OPERATIONS), self.stressor in BY_THE_CLOCK
        words = ["stress-ng", f"--{self.stressor}", "1", f"--{self.stressor}-ops", str(count), "--verify"]
        words += [
            "--temp-path",
            ".",
            "--timeout",
            "1" if clocked else "20",
            "--metrics",
            "--no-rand-seed",
            *OPTIONS.get(self.stressor, []),
        ]
        ended = world.run(side, words, LIMIT)
        if "stress-ng:" not in ended.output:
            raise Broken(f"{self.name}, {side.value}: {ended}")
        return {self.stressor: Outcome(self._word(ended.code, ended.output, count), ended.output)}

    def _word(self, code: int | None, output: str, count: int) -> str:
        counted = re.search(rf"\] {self.stressor} +(\d+) ", output)
        did = int(counted[1]) if counted else 0
        told = sorted({re.sub(r"\d+", "N", line) for line in TOLD.findall(output) if WORTH.search(line)})
        did_all = did >= count or self.stressor in BY_THE_CLOCK
        ok = code == 0 and not told and did_all
        return "ok" if ok else "; ".join([f"exit {code}, {'all' if did_all else 'not all'} operations", *told])


def units() -> list[Stressor]:
    """All stressors."""
    return [Stressor(stressor) for stressor in STRESSORS]
