#!/usr/bin/env python3
"""Real work, bare and confined, side by side in one run.

    run.py [--runs N] [--only NAME,...] [--prefix NAME=COMMAND]... [--json FILE]
    run.py --smoke

prints for each workload the bare time and, for each configuration, how many times longer it took.
--smoke runs every workload once under every configuration with tiny fixtures, measures nothing, and
fails if a command does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
import fixtures
import table
from configurations import COLUMNS, choose, prove
from fixtures import Unbuilt
from machine import Machine, machine
from process import Failed, Runner, environment
from rounds import Bench, Results
from workloads import Workload, select, workloads

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Scale:
    """How large a run is."""

    sizes: fixtures.Sizes
    micro_milliseconds: int
    starts: int
    # Seconds after which a command counts as hung.
    limit: int


FULL = Scale(fixtures.FULL, micro_milliseconds=200, starts=20, limit=300)
SMOKE = Scale(fixtures.TINY, micro_milliseconds=5, starts=1, limit=30)


@dataclass(frozen=True)
class Places:
    """The directories of a run: what the commands may touch, and what they may not."""

    fixture: Path
    logs: Path
    output: Path
    # A file that no policy allows.
    outside: Path


def main() -> int:
    """Runs it, and turns every expected error into one line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = parse()
    try:
        return bench(arguments)
    except (Failed, Unbuilt, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=positive, default=10, metavar="N", help="measured rounds (default: 10)")
    parser.add_argument("--only", type=names, default=[], metavar="NAME,...", help="these workloads")
    parser.add_argument(
        "--config", type=names, default=[], metavar="NAME,...", help=f"these of {', '.join(COLUMNS)}; bare always runs"
    )
    parser.add_argument(
        "--prefix", action="append", default=[], metavar="NAME=COMMAND", help="another tool, put before each command"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    parser.add_argument("--dir", type=Path, default=cache(), metavar="DIRECTORY", help="where the fixtures are made")
    parser.add_argument("--shim", type=Path, default=default_shim(), metavar="PATH", help="clawguard-exec")
    parser.add_argument("--smoke", action="store_true", help="see that everything works, once and small")
    return parser.parse_args()


def positive(text: str) -> int:
    """A number of rounds."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def names(text: str) -> list[str]:
    """Names between commas."""
    return [name for name in text.split(",") if name]


def cache() -> Path:
    """The user's cache: a real disk, unlike many a /tmp."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def default_shim() -> Path:
    """Where cargo puts it."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release/clawguard-exec"


def bench(arguments: argparse.Namespace) -> int:
    """One run, from the machine's state to the table."""
    shim = arguments.shim.resolve()
    report = arguments.json and arguments.json.resolve()
    scale = SMOKE if arguments.smoke else FULL
    with places(arguments.dir) as here:
        runner = Runner(here.output, environment(), scale.limit)
        host = machine(runner, shim)
        print(host.render(), flush=True)
        chosen = choose(arguments.config, shim, logs(runner, shim, here), arguments.prefix)
        listed = select(workloads(here.fixture, scale.micro_milliseconds, scale.starts), arguments.only)
        progress(f"making the fixtures in {here.fixture}")
        fixtures.build(here.fixture, scale.sizes)
        os.chdir(here.fixture)
        for configuration in chosen:
            prove(configuration, runner, here.outside)
        running = Bench(here.fixture, runner, listed, chosen)
        progress("warming up")
        running.warm_up()
        if arguments.smoke:
            return smoke(running.results)
        running.measure(arguments.runs, progress)
        return conclude(arguments.runs, report, host, running.results)


@contextmanager
def places(directory: Path) -> Iterator[Places]:
    """A fresh directory, removed at the end whatever happens."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="clawguard-bench-", dir=directory.resolve()) as name:
        top = Path(name)
        here = Places(top / "fixture", top / "logs", top / "output", top / "outside-of-the-fixture")
        for each in (here.fixture, here.logs, here.output):
            each.mkdir()
        here.outside.write_text("outside\n")
        yield here
        os.chdir("/")


def logs(runner: Runner, shim: Path, here: Places) -> Path | None:
    """Where the logs go, if this version of the shim has the option --log."""
    if re.search(r"--log\b(?!-)", runner.run([str(shim), "--help"]).stdout):
        return here.logs
    print(f"WARNING: {shim} has no --log; whether denials are logged is not checked")
    return None


def smoke(results: Results) -> int:
    """One line for each workload."""
    for workload in results.workloads:
        missing = results.missing.get(workload.name)
        print(f"{workload.name}: {f'{missing}: not installed' if missing else verdict(workload, results)}")
    return failures(results)


def verdict(workload: Workload, results: Results) -> str:
    """Each configuration, and whether the workload did its work there."""
    return ", ".join(
        f"{each.name} {'ok' if results.cells[workload.name, each.name].failure is None else 'FAILED'}"
        for each in results.configurations
    )


def conclude(rounds: int, report: Path | None, host: Machine, results: Results) -> int:
    """The table, the JSON, and what failed. A ratio above its budget is no failure: the host decides too much."""
    print(f"\n{table.render(results)}\n\n{table.LEGEND}")
    print(f"{rounds} rounds; {table.count_over(results)} above budget")
    if report is not None:
        report.write_text(json.dumps(table.as_json(host.as_json(), rounds, results), indent=1) + "\n")
    return failures(results)


def failures(results: Results) -> int:
    """The exit code; what failed goes to stderr."""
    found = results.failures()
    for failure in found:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if found else 0


def progress(text: str) -> None:
    """Where we are, for who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
