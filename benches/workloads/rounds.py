"""The rounds: every workload under every configuration in turn, so that the host's moods hit all alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from configurations import BARE, Configuration
from process import Failed, Result, Runner
from workloads import Workload


@dataclass
class Cell:
    """One workload under one configuration."""

    seconds: list[float] = field(default_factory=list)
    failure: str | None = None


@dataclass(frozen=True)
class Results:
    """All rows and columns, their cells by both names, and the programs that this host lacks, by workload."""

    workloads: Sequence[Workload]
    configurations: Sequence[Configuration]
    cells: dict[tuple[str, str], Cell]
    missing: dict[str, str]

    def failures(self) -> list[str]:
        """What failed, and how."""
        return [
            f"{workload} under {configuration}: {cell.failure}"
            for (workload, configuration), cell in self.cells.items()
            if cell.failure is not None
        ]


class Bench:
    """One run of the benchmark, in the fixture as the current directory."""

    def __init__(
        self, fixture: Path, runner: Runner, workloads: Sequence[Workload], configurations: Sequence[Configuration]
    ) -> None:
        """`configurations` begins with bare."""
        self._fixture = fixture
        self._runner = runner
        missing = {each.name: each.command[0] for each in workloads if shutil.which(each.command[0]) is None}
        self._workloads = [workload for workload in workloads if workload.name not in missing]
        self._configurations = list(configurations)
        cells = {(w.name, c.name): Cell() for w in self._workloads for c in configurations}
        self.results = Results(workloads, configurations, cells, missing)

    def warm_up(self) -> None:
        """A round that is not measured. It fills the caches and compares what the commands print."""
        for workload in self._workloads:
            said = self._warm(workload, self._configurations[0])
            if said is None:
                raise Failed("\n".join(self.results.failures()))
            for configuration in self._configurations[1:]:
                other = self._warm(workload, configuration)
                if other is not None and other != said and not workload.self_timed:
                    self._cell(workload, configuration).failure = f"prints something else than {BARE}"

    def measure(self, rounds: int, progress: Callable[[str], None]) -> None:
        """The measured rounds. Each begins with another configuration."""
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            first = number % len(self._configurations)
            order = self._configurations[first:] + self._configurations[:first]
            for workload in self._workloads:
                for configuration in order:
                    self._sample(workload, configuration)

    def _warm(self, workload: Workload, configuration: Configuration) -> list[str] | None:
        """What it printed, in no order: `rg` and `make` have none."""
        result = self._attempt(workload, configuration)
        return None if result is None else sorted(result.stdout.splitlines())

    def _sample(self, workload: Workload, configuration: Configuration) -> None:
        cell = self._cell(workload, configuration)
        for _ in range(workload.repeat):
            if cell.failure is not None:
                return
            result = self._attempt(workload, configuration)
            if result is not None:
                cell.seconds.append(figure(workload, result))

    def _attempt(self, workload: Workload, configuration: Configuration) -> Result | None:
        """One run; a failure is kept in the cell and ends its row there, not the benchmark."""
        for directory in workload.cleared:
            clear(self._fixture / directory)
        try:
            return self._runner.run((*configuration.prefix, *workload.command))
        except Failed as failure:
            self._cell(workload, configuration).failure = str(failure)
            return None

    def _cell(self, workload: Workload, configuration: Configuration) -> Cell:
        return self.results.cells[workload.name, configuration.name]


def figure(workload: Workload, result: Result) -> float:
    """Seconds: of the whole command, or of one operation where it measures itself."""
    return float(result.stdout) * 1e-9 if workload.self_timed else result.seconds


def clear(directory: Path) -> None:
    """Leaves an empty directory."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
