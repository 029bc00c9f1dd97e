"""Who confines a workload: nobody, clawguard by one of policies/, or another tool.

A configuration of clawguard is measured only after it has been seen to deny what it must.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import budgets
from budgets import Budget
from process import Failed, Runner, describe

POLICIES = Path(__file__).resolve().parent / "policies"
BARE = "bare"
DENIED = re.compile(r"permission denied", re.IGNORECASE)


@dataclass(frozen=True)
class Claims:
    """What a policy does that can be seen from outside."""

    blocks_env: bool
    # None: nobody is there to write it.
    logs_denials: bool | None


@dataclass(frozen=True)
class Configuration:
    """One column of the table."""

    name: str
    prefix: tuple[str, ...]
    budgets: Mapping[str, Budget]
    claims: Claims | None = None
    log: Path | None = None

    def budget(self, workload: str) -> Budget:
        """How its cost is counted, and the limit."""
        return self.budgets.get(workload, budgets.UNLIMITED)


@dataclass(frozen=True)
class Column:
    """One way to start clawguard."""

    policy: str
    options: tuple[str, ...]
    budgets: Mapping[str, Budget]
    claims: Claims


COLUMNS: Mapping[str, Column] = {
    "kernel": Column("kernel.yaml", (), budgets.KERNEL, Claims(blocks_env=False, logs_denials=False)),
    "kernel-mode": Column(
        "kernel.yaml", ("--mode", "kernel"), budgets.KERNEL, Claims(blocks_env=False, logs_denials=None)
    ),
    "kernel+log": Column("kernel+log.yaml", (), budgets.LOGGED, Claims(blocks_env=False, logs_denials=True)),
    "live": Column("live.yaml", (), budgets.LIVE, Claims(blocks_env=True, logs_denials=True)),
}


def bare() -> Configuration:
    """What everything is compared with."""
    return Configuration(BARE, (), budgets.NONE)


def clawguard(name: str, shim: Path, logs: Path | None) -> Configuration:
    """One of COLUMNS, with a log of its own in `logs` if the shim can write one."""
    column = COLUMNS[name]
    log = logs / f"{name}.log" if logs is not None and column.claims.logs_denials is not None else None
    prefix = (
        *(str(shim), "-q", "--policy", str(POLICIES / column.policy)),
        *column.options,
        *(() if log is None else ("--log", str(log))),
        "--",
    )
    return Configuration(name, prefix, column.budgets, column.claims, log)


def foreign(text: str) -> Configuration:
    """Another tool, from NAME=COMMAND."""
    name, separator, command = text.partition("=")
    words = tuple(shlex.split(command))
    if not (name and separator and words):
        raise ValueError(f"--prefix {text!r}: it is NAME=COMMAND")
    return Configuration(name, words, budgets.NONE)


def choose(names: Sequence[str], shim: Path, logs: Path | None, prefixes: Sequence[str]) -> list[Configuration]:
    """Bare, the named ones of clawguard (all without a name), and the other tools."""
    unknown = set(names) - set(COLUMNS)
    if unknown:
        raise ValueError(f"no configuration {', '.join(sorted(unknown))}; there are {', '.join(COLUMNS)}")
    own = [clawguard(name, shim, logs) for name in COLUMNS if not names or name in names]
    chosen = [bare(), *own, *map(foreign, prefixes)]
    if len({configuration.name for configuration in chosen}) < len(chosen):
        raise ValueError("two configurations have the same name")
    return chosen


def prove(configuration: Configuration, runner: Runner, outside: Path) -> None:
    """Fails unless the policy is in force: else its figures would be those of something else."""
    if configuration.claims is None:
        return
    expect(configuration, runner, "probe/plain", denied=False)
    expect(configuration, runner, str(outside), denied=True)
    expect(configuration, runner, "probe/.env", denied=configuration.claims.blocks_env)
    if configuration.log is not None:
        expect_log(configuration, configuration.log, outside)


def expect(configuration: Configuration, runner: Runner, file: str, *, denied: bool) -> None:
    """`cat` reads the file, or is told that the permission is denied."""
    command = (*configuration.prefix, "cat", file)
    outcome = runner.outcome(command)
    was_denied = outcome.code == 1 and DENIED.search(outcome.stderr) is not None
    if was_denied != denied or (outcome.code != 0 and not denied):
        wanted = "deny" if denied else "allow"
        raise Failed(f"{configuration.name} does not {wanted} {file}: {describe(command, outcome)}")


def expect_log(configuration: Configuration, log: Path, outside: Path) -> None:
    """The denial is in the log, or not, as the policy says."""
    logged = log.exists() and outside.name in log.read_text(errors="replace")
    wanted = configuration.claims is not None and configuration.claims.logs_denials is True
    if logged != wanted:
        raise Failed(f"{configuration.name}: the denial of {outside} is {'' if logged else 'not '}in {log}")
