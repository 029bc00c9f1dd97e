#!/usr/bin/python3
"""Other people's tests, bare and confined: the same results, test by test.

    run.py [--shim PATH] [--only SUITE[/UNIT],...] [--user root|ordinary|both] [--jobs N] [--keep]

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
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True
import cpython
import expected
import scripts
import stressors
from outcome import Difference, Extent, Outcome, Unit, differences
from world import RUNNING, Broken, Side, User, World, end, users

ROOT = Path(__file__).resolve().parents[2]
AGAIN = 3


@dataclass
class Played:
    """What one unit gave for one user."""

    unit: str
    user: str
    seconds: float
    compared: int
    # Tests that did not succeed bare prove little.
    words: Counter[str]
    differences: list[Difference] = field(default_factory=list)
    unsteady: list[Difference] = field(default_factory=list)


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
    parser.add_argument("--shim", type=Path, default=target / "release/clawguard-exec", metavar="PATH")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="SUITE[/UNIT],...")
    parser.add_argument("--user", choices=["root", "ordinary", "both"], default="both" if os.geteuid() == 0 else "ordinary")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1, metavar="N", help="units at once; many wait")
    parser.add_argument("--all", action="store_true", help="every unit for every user; else some are for one or none")
    parser.add_argument("--keep", action="store_true", help="leave the directories of units that differ")
    return parser.parse_args()


def compare(arguments: argparse.Namespace) -> int:
    """Everything that was asked for, and the verdict."""
    expectations = expected.load()
    chosen = select([*cpython.units(), *stressors.units(), *scripts.units()], arguments.only)
    top = Path(tempfile.mkdtemp(prefix="cgt-", dir="/tmp"))
    top.chmod(0o755)
    shim = Path(shutil.copy(arguments.shim, top / "clawguard-exec"))
    try:
        played = play_all(chosen, users(arguments.user), top, shim, arguments, expectations)
    finally:
        if not (arguments.keep and any(top.iterdir())):
            shutil.rmtree(top, ignore_errors=True)
    return conclude(played, expectations)


def select(units: list[Unit], only: list[str]) -> list[Unit]:
    """Those named, by suite or by unit."""
    unknown = [name for name in only if not any(is_named(unit, name) for unit in units)]
    if unknown:
        raise Broken(f"--only: no {', '.join(unknown)}; there are {', '.join(unit.name for unit in units)}")
    return [unit for unit in units if not only or any(is_named(unit, name) for name in only)]


def is_due(unit: Unit, user: User, named: bool) -> bool:
    """Does the unit run for this user? What is named does."""
    return named or unit.extent is Extent.BOTH or (unit.extent is Extent.ORDINARY and user.name == "ordinary")


def is_named(unit: Unit, name: str) -> bool:
    """`cpython`, `cpython/test_os` and `test_os` name the same unit."""
    return name in (unit.name, *unit.name.split("/"))


def exact(unit: Unit, only: list[str]) -> bool:
    """Is this very unit named, and not only its suite?"""
    return unit.name in only or unit.name.split("/")[1] in only


def play_all(chosen, whom, top, shim, arguments, expectations) -> list[Played]:
    """A few units at once; the two sides of one after each other."""
    for user in whom:
        World(top / "p", shim, user).prove()
    played = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [(unit, World(top / str(number), shim, user))
                for number, (unit, user) in enumerate((unit, user) for unit in chosen for user in whom
                                                      if is_due(unit, user, arguments.all or exact(unit, arguments.only)))]
        futures = [pool.submit(play, unit, world, expectations, arguments.keep) for unit, world in jobs]
        try:
            for future in as_completed(futures):
                played.append(future.result())
                report(played[-1])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(RUNNING):
                end(process)
    return played


def play(unit: Unit, world: World, expectations, keep: bool) -> Played:
    """Both sides of one unit, and the tests that differ again."""
    begun = time.monotonic()
    bare, confined = both(unit, world, [])
    found = differences(unit.name, world.user.name, bare, confined)
    result = Played(unit.name, world.user.name, 0, len({*bare, *confined}), Counter(kind(each) for each in bare.values()))
    for each in found:
        known = any(expectation.covers(each) for expectation in expectations)
        last = each if known else again(unit, world, each)
        (result.unsteady if last is None else result.differences).append(last or each)
    result.seconds = time.monotonic() - begun
    if not (keep and result.differences):
        world.remove()
    return result


def both(unit: Unit, world: World, only: list[str]) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """One after the other, each in a fresh world. What a test took with it that ended its process is made up for."""
    world.make()
    bare = unit.play(world, Side.BARE, only)
    world.make()
    confined = unit.play(world, Side.CONFINED, only)
    for side, found, other in ((Side.BARE, bare, confined), (Side.CONFINED, confined, bare)):
        for _ in range(AGAIN):
            lost = sorted(set(other) - set(found))
            if not lost or all(each.word != "no end" for each in found.values()):
                break
            world.make()
            found |= unit.play(world, side, lost) | found
    return bare, confined


def again(unit: Unit, world: World, difference: Difference) -> Difference | None:
    """None as soon as both sides agree; else the difference as it was last."""
    for _ in range(AGAIN):
        bare, confined = both(unit, world, [difference.test])
        still = [one for one in differences(unit.name, world.user.name, bare, confined) if one.test == difference.test]
        if not still:
            return None
        difference = still[0]
    return difference


def kind(outcome: Outcome) -> str:
    """The word without its reason."""
    return outcome.word.partition(":")[0]


def report(played: Played) -> None:
    """One line for a unit, and one for each test to look at."""
    words = ", ".join(f"{count} {word}" for word, count in sorted(played.words.items()))
    print(f"{played.unit} ({played.user}): {played.compared} compared ({words}), {played.seconds:.0f} s", flush=True)
    for word, differences in (("UNSTEADY", played.unsteady), ("different", played.differences)):
        for one in differences:
            print(f"    {word}: {one.test}: {one.bare.word} -> {one.confined.word}"[:200], flush=True)


def conclude(played: list[Played], expectations: list[expected.Expectation]) -> int:
    """What differs, by whether it is expected, and the totals."""
    found = [one for each in played for one in each.differences]
    known = [one for one in found if any(each.covers(one) for each in expectations)]
    new = [one for one in found if one not in known]
    for each in played:
        for one in each.unsteady:
            print(f"UNSTEADY   {one.render()}")
    for one in known:
        print(f"expected   {one.unit}: {one.test} ({one.user}): {one.bare.word} -> {one.confined.word}")
    stale = expected.stale(expectations, ((each.unit, each.user) for each in played), found)
    for line in stale:
        print(f"STALE      {line}")
    for one in new:
        print(f"DIFFERENT  {one.render()}")
    unsteady = sum(len(each.unsteady) for each in played)
    print(f"{sum(each.compared for each in played)} compared, {len(known)} differ as expected, {unsteady} unsteady, "
          f"{len(stale)} expected and not seen, {len(new)} different")
    return 1 if new or stale else 0


if __name__ == "__main__":
    sys.exit(main())
