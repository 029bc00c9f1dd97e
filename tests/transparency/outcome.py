"""What a test gave, and what differs between two sides."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Protocol

from world import Side, World

MISSING = "not there"
LINES = 40  # of what both sides said


@dataclass(frozen=True)
class Outcome:
    """`ok`, `skip: WHY`, `fail: TYPE`...; only the word is compared, the detail is for people."""

    word: str
    detail: str = field(default="", compare=False)


Results = Mapping[str, Outcome]


class Extent(enum.Enum):
    """For whom a unit runs when nobody asks for it by name."""

    BOTH = "both"
    ORDINARY = "ordinary"
    EXTRA = "nobody"


class Unit(Protocol):
    """What runs in one world: a test module, a stressor, a script."""

    @property
    def name(self) -> str:
        """SUITE/UNIT."""

    @property
    def extent(self) -> Extent:
        """For whom it runs."""

    def play(self, world: World, side: Side, only: Sequence[str]) -> dict[str, Outcome]:
        """Runs these tests, or all without a name, in a world that was just made."""


@dataclass(frozen=True)
class Difference:
    """One test that gave different things."""

    unit: str
    test: str
    user: str
    bare: Outcome
    confined: Outcome

    def render(self) -> str:
        """One line, and what only one of them said."""
        lines = [f"{self.unit}: {self.test} ({self.user}): {self.bare.word} -> {self.confined.word}"]
        bare, confined = (outcome.detail.splitlines() for outcome in (self.bare, self.confined))
        lines += [line[:300] for line in unified_diff(bare, confined, lineterm="", n=1)][2:][-LINES:]
        return "\n    | ".join(lines)


def differences(unit: str, user: str, bare: Results, confined: Results) -> list[Difference]:
    """In the order of the names."""
    missing = Outcome(MISSING)
    pairs = ((test, bare.get(test, missing), confined.get(test, missing)) for test in sorted({*bare, *confined}))
    return [Difference(unit, test, user, left, right) for test, left, right in pairs if left != right]
