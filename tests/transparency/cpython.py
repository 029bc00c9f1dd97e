"""CPython's own tests (Debian's libpython3.11-testsuite), one unit a module, by CPython's own runner."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outcome import Outcome
from world import Broken, Side, World

PYTHON = "/usr/bin/python3.11"
HERE = Path(__file__).resolve().parent
LIMIT = 400  # seconds for a module
STUCK = 100  # seconds for a test
# Those that need neither a network nor a sound card nor minutes.
RESOURCES = "cpu,subprocess,curses,tzdata"

MODULES = (
    "test_os",
    "test_posix",
)


@dataclass(frozen=True)
class Module:
    """One file of tests."""

    module: str

    @property
    def name(self) -> str:
        """As it is named on the command line."""
        return f"cpython/{self.module}"

    def play(self, world: World, side: Side, only: Sequence[str]) -> dict[str, Outcome]:
        """The files of the tests are in the workspace, but for those that ask for a temporary directory."""
        recorder = world.put("recorder.py", (HERE / "recorder.py").read_text())
        results = world.put("results", "")
        scratch = world.work / "t"
        scratch.mkdir()
        os.chown(scratch, world.user.uid, world.user.uid)
        words = [PYTHON, str(recorder), str(results), "-u", RESOURCES, "--timeout", str(STUCK)]
        words += ["--tempdir", str(scratch), *(word for test in only for word in ("-m", test)), self.module]
        ended = world.run(side, words, LIMIT)
        found = read(results)
        if not found:
            raise Broken(f"{self.name}, {side.value}: no test was run\n{ended.output}")
        # 2 is told by the tests themselves. The rest is regrtest's: a changed environment, an interrupt, a signal.
        told = ended.code == 2 and any(each.word.startswith(("fail", "error", "unex")) for each in found.values())
        found[self.module] = Outcome("exit 0" if told else f"exit {ended.code}", ended.output)
        return found


def read(results: Path) -> dict[str, Outcome]:
    """The last word of each test; a test with failing subtests has several."""
    found: dict[str, list[Outcome]] = {}
    for line in results.read_text().splitlines():
        test, word, detail = json.loads(line)
        outcomes = found.setdefault(test, [])
        if word != "no end":
            outcomes.append(Outcome(word, detail))
    return {test: together(outcomes) for test, outcomes in found.items()}


def together(outcomes: list[Outcome]) -> Outcome:
    """All different words, since a test can fail in two ways."""
    words = sorted({outcome.word for outcome in outcomes}) or ["no end"]
    return Outcome(", ".join(words), "\n".join(outcome.detail for outcome in outcomes))


def units() -> list[Module]:
    """All modules."""
    return [Module(module) for module in MODULES]
