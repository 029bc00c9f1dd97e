"""The budgets of docs/design.md, as data. Nothing here measures.

A configuration of clawguard has a column of budgets; a tool given by --prefix has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """At most this many times the bare time."""

    limit: float

    def cost(self, confined: float, bare: float) -> float:
        """What is compared with the limit."""
        return confined / bare

    def show(self, cost: float) -> str:
        """The cost as the table has it."""
        return f"{cost:.2f}"


@dataclass(frozen=True)
class Added:
    """At most this many seconds more than bare."""

    limit: float

    def cost(self, confined: float, bare: float) -> float:
        """What is compared with the limit."""
        return confined - bare

    def show(self, cost: float) -> str:
        """The cost as the table has it."""
        return f"{cost * 1e3:+.2f} ms"


Budget = Ratio | Added

UNLIMITED = Ratio(float("inf"))

START: Mapping[str, Budget] = {"start": Added(0.002)}
REAL = ("grep", "rg", "tar", "untar", "git-status", "node", "python", "make")

# Held by Landlock alone, nothing logged: no figure for a single operation, one for all real work.
KERNEL: Mapping[str, Budget] = {**START, **{name: Ratio(1.2) for name in REAL}}

# Every open asks, and is answered CONTINUE.
LOGGED: Mapping[str, Budget] = {
    **START,
    **{name: Ratio(5) for name in ("open-close", "open-close-4")},
    "grep": Ratio(2),
    **{name: Ratio(1.1) for name in ("git-status", "node", "python", "make")},
}

# Every open is answered with a descriptor.
LIVE: Mapping[str, Budget] = {
    **START,
    **{name: Ratio(11) for name in ("open-close", "open-close-4")},
    "grep": Ratio(3.5),
    "rg": Ratio(2.5),
    "tar": Ratio(3),
    **{name: Ratio(1.2) for name in ("git-status", "node", "python")},
    "make": Ratio(1.1),
}

# Start-up is counted in milliseconds for other tools too, without a limit.
NONE: Mapping[str, Budget] = {"start": Added(float("inf"))}
