"""The differences that docs/limits.md explains: expected.toml, which must stay true in both directions."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from outcome import Difference
from world import Broken

FILE = Path(__file__).resolve().parent / "expected.toml"
LIMITS = Path(__file__).resolve().parents[2] / "docs/limits.md"


@dataclass(frozen=True)
class Expectation:
    """One row, for one test."""

    unit: str
    test: str
    users: tuple[str, ...]
    bare: str
    confined: str
    heading: str
    sometimes: bool

    def covers(self, difference: Difference) -> bool:
        """This very difference, to the word."""
        return (
            (self.unit, self.test) == (difference.unit, difference.test)
            and difference.user in self.users
            and (self.bare, self.confined) == (difference.bare.word, difference.confined.word)
        )


def load() -> list[Expectation]:
    """Every row, and fails for one that gives no reason or names a heading that is not there."""
    headings = {line[4:] for line in LIMITS.read_text().splitlines() if line.startswith("### ")}
    found = []
    for row in tomllib.loads(FILE.read_text()).get("difference", []):
        unknown = set(row) - {"unit", "tests", "users", "bare", "confined", "heading", "reason", "sometimes"}
        if unknown or not row.get("reason"):
            raise Broken(f"{FILE.name}: {row}: unknown {sorted(unknown)}, or no reason")
        if row["heading"] not in headings:
            raise Broken(f"{FILE.name}: docs/limits.md has no heading {row['heading']!r}")
        users = tuple(row.get("users", ("ordinary", "root")))
        words = (row.get("bare", "ok"), row["confined"], row["heading"], row.get("sometimes", False))
        found += [Expectation(row["unit"], test, users, *words) for test in row["tests"]]
    return found


def stale(
    expectations: Iterable[Expectation], played: Iterable[tuple[str, str]], found: Iterable[Difference]
) -> list[str]:
    """Expectations of what was played that did not come true."""
    played, found = set(played), list(found)
    return [
        f"{each.unit}: {each.test} ({user}): {each.bare} -> {each.confined} is expected and did not occur"
        for each in expectations
        for user in each.users
        if not each.sometimes
        and (each.unit, user) in played
        and not any(each.covers(one) and one.user == user for one in found)
    ]
