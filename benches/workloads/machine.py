"""The state of the machine, without which no figure means anything."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from process import Runner

IDLE = 0.15  # load of the last minute, for each CPU


@dataclass(frozen=True)
class Machine:
    """Read once, before the fixtures are made: making them is a load too."""

    clawguard: str
    kernel: str
    processor: str
    cpus: int
    load: tuple[float, float, float]

    def idle(self) -> bool:
        """Was nobody else working?"""
        return self.load[0] <= IDLE * self.cpus

    def render(self) -> str:
        """Two lines, and a warning if it is due."""
        load = " ".join(f"{value:.2f}" for value in self.load)
        lines = [self.clawguard, f"{self.kernel}, {self.cpus} CPUs ({self.processor}), load average {load}"]
        if not self.idle():
            lines.append("WARNING: the machine is not idle; do not trust the ratios")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The same for a program."""
        return {**asdict(self), "idle": self.idle()}


def machine(runner: Runner, shim: Path) -> Machine:
    """This one, now."""
    system = os.uname()
    return Machine(
        clawguard=runner.run([str(shim), "--version"]).stdout.strip(),
        kernel=f"{system.sysname} {system.release} {system.machine}",
        processor=processor(Path("/proc/cpuinfo")),
        cpus=len(os.sched_getaffinity(0)),
        load=os.getloadavg(),
    )


def processor(cpuinfo: Path) -> str:
    """The first CPU's name; Arm kernels do not tell it."""
    found = re.search(r"^model name\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
