#!/usr/bin/python3
"""Other people's tests, bare and confined: the same results, test by test.

    run.py [--shim PATH] [--only SUITE[/UNIT],...] [--user root|ordinary|both] [--jobs N] [--all] [--capable] [--keep]

A difference fails the run unless expected.toml has it, with its heading in docs/limits.md; an expectation that no
longer comes true fails it too. A test that differs is run again, alone, on both sides, up to three times: one that
then agrees is unsteady, and named as such.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

sys.dont_write_bytecode = True
import cpython
import expected
import scripts
import stressors
from outcome import Extent, Unit
from play import Played, play
from world import INTERRUPTED, RUNNING, Broken, User, World, end, users

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Runs it, and turns every expected error into one line."""
    # A shell in the background has its children ignore the interrupt.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    arguments = parse()
    try:
        return compare(arguments)
    except Broken as error:
        print(f"transparency: {error}", file=sys.stderr)
        return 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    whom = "both" if os.geteuid() == 0 else "ordinary"
    jobs = 2 * (os.cpu_count() or 1)
    parser.add_argument("--shim", type=Path, default=target / "release/clawguard-exec", metavar="PATH")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="SUITE[/UNIT],...")
    parser.add_argument("--user", choices=["root", "ordinary", "both"], default=whom)
    parser.add_argument("--jobs", type=int, default=jobs, metavar="N", help="units at once; many of them wait")
    parser.add_argument("--all", action="store_true", help="every unit for every user; else some are for one or none")
    parser.add_argument("--capable", action="store_true", help="say too what root's capabilities change, bare")
    parser.add_argument("--keep", action="store_true", help="leave the directories of units that differ")
    return parser.parse_args()


def compare(arguments: argparse.Namespace) -> int:
    """Everything that was asked for, and the verdict."""
    known = expected.load()
    chosen = select([*cpython.units(), *stressors.units(), *scripts.units()], arguments.only)
    due = [
        (unit, user)
        for unit in chosen
        for user in users(arguments.user)
        if arguments.all or is_due(unit, user, arguments.only)
    ]
    # A short path: a unix socket's name has 108 bytes.
    top = Path(tempfile.mkdtemp(prefix="cgt-", dir="/tmp"))
    top.chmod(0o755)
    try:
        played = play_all(due, top, known, arguments)
    finally:
        if not arguments.keep:
            shutil.rmtree(top, ignore_errors=True)
    return conclude(played, known)


def select(units: Sequence[Unit], only: Sequence[str]) -> list[Unit]:
    """Those named, by suite or by unit."""
    unknown = [name for name in only if not any(is_named(unit, name) for unit in units)]
    if unknown:
        raise Broken(f"--only: no {', '.join(unknown)}; there are {', '.join(unit.name for unit in units)}")
    return [unit for unit in units if not only or any(is_named(unit, name) for name in only)]


def is_named(unit: Unit, name: str) -> bool:
    """`cpython`, `cpython/test_os` and `test_os` name the same unit."""
    return name in (unit.name, *unit.name.split("/"))


def is_due(unit: Unit, user: User, only: Sequence[str]) -> bool:
    """Does the unit run for this user? What is named itself, and not with its suite, does."""
    if unit.name in only or unit.name.split("/")[1] in only:
        return True
    return unit.extent is Extent.BOTH or (unit.extent is Extent.ORDINARY and user.name == "ordinary")


def play_all(
    due: Sequence[tuple[Unit, User]], top: Path, known: Sequence[expected.Expectation], arguments: argparse.Namespace
) -> list[Played]:
    """A few units at once; the two sides of one after each other."""
    shim = Path(shutil.copy(arguments.shim, top / "clawguard-exec"))
    for user in sorted({user for _, user in due}, key=lambda user: user.uid):
        World(top / "p", shim, user).prove()
    played = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [
            pool.submit(
                play, unit, World(top / str(number), shim, user), known, capable=arguments.capable, keep=arguments.keep
            )
            for number, (unit, user) in enumerate(due)
        ]
        try:
            for future in as_completed(futures):
                played.append(future.result())
                print(played[-1].render(), flush=True)
        finally:
            INTERRUPTED.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(RUNNING):
                end(process)
    return played


def conclude(played: Sequence[Played], known: Sequence[expected.Expectation]) -> int:
    """What differs, by whether it is expected, and the totals."""
    found = [one for each in played for one in each.differences]
    new = [one for one in found if not any(each.covers(one) for each in known)]
    stale = expected.stale(known, ((each.unit, each.user) for each in played), found)
    unsteady = [one for each in played for one in each.unsteady]
    for one in unsteady:
        print(f"UNSTEADY   {one.render()}")
    for line in stale:
        print(f"STALE      {line}")
    for one in new:
        print(f"DIFFERENT  {one.render()}")
    totals = {
        "compared": sum(each.compared for each in played),
        "differ as expected": len(found) - len(new),
        "unsteady": len(unsteady),
        "differ by root's capabilities": sum(len(each.capabilities) for each in played),
        "expected and not seen": len(stale),
        "different": len(new),
    }
    print(", ".join(f"{count} {what}" for what, count in totals.items()))
    return 1 if new or stale else 0


if __name__ == "__main__":
    sys.exit(main())
