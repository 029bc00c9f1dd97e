"""What a person and a program read: the table and the JSON. Nothing here measures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from configurations import BARE, Configuration
from rounds import Cell, Results
from workloads import Workload

LEGEND = """\
bare: median (minimum). Others: how many times bare, of medians (of minima); `start`: milliseconds more than bare.
`!`: above the budget of docs/design.md. `-4`: four threads, wall-clock time per operation over all of them."""


@dataclass(frozen=True)
class Comparison:
    """The cost of one cell, counted as its budget counts."""

    of_medians: float
    of_minima: float
    limit: float

    def over(self) -> bool:
        """Is either above the limit?"""
        return max(self.of_medians, self.of_minima) > self.limit


def compare(workload: str, configuration: Configuration, results: Results) -> Comparison | None:
    """Nothing for bare itself, and where something failed."""
    cell, base = results.cells[workload, configuration.name], results.cells[workload, BARE]
    if configuration.name == BARE or not usable(cell) or not usable(base):
        return None
    budget = configuration.budget(workload)
    return Comparison(
        budget.cost(statistics.median(cell.seconds), statistics.median(base.seconds)),
        budget.cost(min(cell.seconds), min(base.seconds)),
        budget.limit,
    )


def usable(cell: Cell) -> bool:
    """Has it figures, and all of them?"""
    return cell.failure is None and bool(cell.seconds)


def render(results: Results) -> str:
    """The whole table."""
    rows = [["workload", *(configuration.name for configuration in results.configurations)]]
    rows += [[workload.name, *row(workload, results)] for workload in results.workloads]
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in rows
    )


def row(workload: Workload, results: Results) -> list[str]:
    """The cells of one workload."""
    if workload.name in results.missing:
        return [f"{results.missing[workload.name]}: not installed", *[""] * (len(results.configurations) - 1)]
    return [text(workload.name, configuration, results) for configuration in results.configurations]


def text(workload: str, configuration: Configuration, results: Results) -> str:
    """One cell."""
    cell = results.cells[workload, configuration.name]
    if not usable(cell):
        return "failed"
    comparison = compare(workload, configuration, results)
    if comparison is None:
        return f"{duration(statistics.median(cell.seconds))} ({duration(min(cell.seconds))})"
    median, minimum = (
        configuration.budget(workload).show(cost) + ("!" if cost > comparison.limit else "")
        for cost in (comparison.of_medians, comparison.of_minima)
    )
    return f"{median} ({minimum})"


def duration(seconds: float) -> str:
    """In the largest unit of which there are ten."""
    for unit, scale, digits in (("ms", 1e-3, 1), ("us", 1e-6, 1)):
        if seconds >= 10 * scale:
            return f"{seconds / scale:.{digits}f} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def count_over(results: Results) -> int:
    """How many cells are above their budget."""
    comparisons = (
        compare(workload.name, configuration, results)
        for workload in results.workloads
        if workload.name not in results.missing
        for configuration in results.configurations
    )
    return sum(comparison is not None and comparison.over() for comparison in comparisons)


def as_json(machine: Mapping[str, object], rounds: int, results: Results) -> dict[str, object]:
    """Everything, with each sample in seconds."""
    cells = [
        cell_as_json(workload.name, configuration, results)
        for workload in results.workloads
        if workload.name not in results.missing
        for configuration in results.configurations
    ]
    return {
        "machine": dict(machine),
        "rounds": rounds,
        "configurations": {each.name: list(each.prefix) for each in results.configurations},
        "cells": cells,
        "not_installed": results.missing,
    }


def cell_as_json(workload: str, configuration: Configuration, results: Results) -> dict[str, object]:
    """One cell; `limit` is null where there is no budget."""
    cell = results.cells[workload, configuration.name]
    entry: dict[str, object] = {"workload": workload, "configuration": configuration.name}
    if not usable(cell):
        return {**entry, "failed": cell.failure}
    entry |= {"median": statistics.median(cell.seconds), "minimum": min(cell.seconds), "samples": cell.seconds}
    comparison = compare(workload, configuration, results)
    if comparison is None:
        return entry
    return {
        **entry,
        "counted": type(configuration.budget(workload)).__name__.lower(),
        "of_medians": comparison.of_medians,
        "of_minima": comparison.of_minima,
        "limit": None if comparison.limit == float("inf") else comparison.limit,
        "over": comparison.over(),
    }
