"""The list of workloads: names, commands, and what is cleared before each run. Nothing here runs.

Commands are run in the fixture's directory (fixtures.py) and write nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures import NEEDLE

SCRATCH = "scratch"


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    name: str
    command: tuple[str, ...]
    # Directories of the fixture that are emptied before each run, outside of the measured time.
    cleared: tuple[str, ...] = ()
    # Runs in a row for each sample round: more for what is short.
    repeat: int = 1
    # Prints its own figure, in nanoseconds, instead of being timed from outside.
    self_timed: bool = False


def workloads(fixture: Path, milliseconds: int, starts: int) -> list[Workload]:
    """All of them; a micro workload runs for `milliseconds`, and `true` starts `starts` times a round."""
    # The real interpreter: a version manager's `python3` is a shell script.
    python = str(Path(sys.executable).resolve())
    return [
        Workload("start", ("true",), repeat=starts),
        *(
            micro(fixture, operation, threads, milliseconds)
            for operation in ("open-close", "stat", "create-unlink", "rename")
            for threads in (1, 4)
        ),
        Workload("grep", ("grep", "-r", NEEDLE, "tree/src")),
        Workload("rg", ("rg", "-j2", NEEDLE, "tree/src")),
        # To a file: GNU tar reads nothing when the archive is /dev/null.
        Workload("tar", ("tar", "-cf", f"{SCRATCH}/src.tar", "-C", "tree", "src"), cleared=(SCRATCH,)),
        Workload("untar", ("tar", "-xf", "src.tar", "-C", SCRATCH), cleared=(SCRATCH,)),
        Workload("git-status", ("git", "-C", "tree", "status")),
        Workload("node", ("node", "node/main.js")),
        Workload("python", (python, "-B", "-m", "imports")),
        Workload("make", ("make", "-s", "-j2", "-C", "c"), cleared=("c/build",)),
    ]


def micro(fixture: Path, operation: str, threads: int, milliseconds: int) -> Workload:
    """One operation of micro.c, by absolute paths."""
    name = operation if threads == 1 else f"{operation}-{threads}"
    command = (str(fixture / "micro"), operation, str(threads), str(milliseconds), str(fixture / SCRATCH))
    return Workload(name, command, cleared=(SCRATCH,), self_timed=True)


def select(available: Sequence[Workload], names: Sequence[str]) -> list[Workload]:
    """Those of these names, in the table's order; all without a name."""
    unknown = set(names) - {workload.name for workload in available}
    if unknown:
        known = ", ".join(workload.name for workload in available)
        raise ValueError(f"no workload {', '.join(sorted(unknown))}; there are {known}")
    return [workload for workload in available if not names or workload.name in names]
