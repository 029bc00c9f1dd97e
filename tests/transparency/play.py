"""One unit on both sides, for one user, and what differed again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from expected import Expectation
from outcome import Difference, Outcome, Unit, differences
from world import Side, World

AGAIN = 3


@dataclass
class Played:
    """What one unit gave for one user."""

    unit: str
    user: str
    compared: int
    # How the bare side ended: what did not succeed there proves little.
    words: Counter[str]
    seconds: float = 0
    differences: list[Difference] = field(default_factory=list)
    unsteady: list[Difference] = field(default_factory=list)
    # What root's capabilities change without clawguard: "No privileges, no namespaces" in docs/limits.md.
    capabilities: list[Difference] = field(default_factory=list)

    def render(self) -> str:
        """One line, and one for each test to look at."""
        words = ", ".join(f"{count} {word}" for word, count in sorted(self.words.items()))
        lines = [f"{self.unit} ({self.user}): {self.compared} compared ({words}), {self.seconds:.0f} s"]
        groups = (("UNSTEADY", self.unsteady), ("different", self.differences), ("capabilities", self.capabilities))
        for word, group in groups:
            lines += [f"    {word}: {one.test}: {one.bare.word} -> {one.confined.word}"[:200] for one in group]
        return "\n".join(lines)


def play(unit: Unit, world: World, known: Sequence[Expectation], *, capable: bool, keep: bool) -> Played:
    """Both sides; what differs and is not known is run again. `capable`: root also with his capabilities."""
    begun = time.monotonic()
    bare, confined = both(unit, world, [])
    words = Counter(kind(outcome) for outcome in bare.values())
    result = Played(unit.name, world.user.name, len({*bare, *confined}), words)
    for each in differences(unit.name, world.user.name, bare, confined):
        last = each if any(one.covers(each) for one in known) else again(unit, world, each)
        (result.unsteady if last is None else result.differences).append(last or each)
    if capable and world.user.uid == 0:
        world.make()
        with_capabilities = unit.play(world, Side.CAPABLE, [])
        result.capabilities = differences(unit.name, world.user.name, with_capabilities, bare)
    if not (keep and result.differences):
        world.remove()
    result.seconds = time.monotonic() - begun
    return result


def both(unit: Unit, world: World, only: Sequence[str]) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
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
        found = differences(unit.name, world.user.name, bare, confined)
        still = [one for one in found if one.test == difference.test]
        if not still:
            return None
        difference = still[0]
    return difference


def kind(outcome: Outcome) -> str:
    """The word without its reason."""
    return outcome.word.partition(":")[0]
