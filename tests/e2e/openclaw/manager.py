"""A stand-in for `systemctl` and `busctl`, where no systemd runs: it tells OpenClaw what a user manager would, and starts
nothing. Its first argument says which of the two it is. What it was asked is kept in `calls.log` beside it; `home` beside it names the home directory.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
from unit import Unit

PREFIX = "/org/freedesktop/systemd1/unit/"


def units():
    return Path((HERE / "home").read_text()) / ".config/systemd/user"


def systemctl(words):
    if "--user" not in words:  # The system's manager has no gateway.
        if "--property=UnitPath" in words:
            return ["/etc/systemd/system /usr/lib/systemd/system"]
        return ["not-found"]
    if "is-enabled" in words:
        return ["enabled"]
    if "is-active" in words:
        return ["inactive"]
    if words[1:3] == ["show", "-p"]:
        files = [units() / words[-1], *sorted((units() / f"{words[-1]}.d").glob("*.conf"))]
        found = [value for file in files for value in Unit.settings_of(file.read_text(), words[3])]
        return [f"{words[3]}={found[-1]}"] if found else []
    return []


def busctl(words):
    if "Version" in words:
        return ['s "252"']
    if "LoadUnit" in words:
        return [typed("o", [PREFIX + "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in words[-1])])]
    name = "openclaw-gateway.service"
    file = units() / name
    if PREFIX + "openclaw_2dgateway_2eservice" not in words or not file.exists():
        return [typed("s", ""), typed("as", []), typed("b", False), typed("s", "not-found")]
    if "FragmentPath" in words:
        dropins = sorted(map(str, (units() / f"{name}.d").glob("*.conf")))
        return [typed("s", str(file)), typed("as", dropins), typed("b", False), typed("s", "loaded")]
    unit = Unit(file.read_text())
    started = [[unit.command[0], unit.command, False, 0, 0, 0, 0, 0, 0, 0]]
    return [typed("a(sasbttttuii)", started), typed("s", ""),
            typed("as", [f"{key}={value}" for key, value in unit.environment.items()]), typed("a(sb)", []), typed("as", [])]


def typed(signature, data):
    return json.dumps({"type": signature, "data": data})


if __name__ == "__main__":
    tool, *words = sys.argv[1:]
    with (HERE / "calls.log").open("a") as log:
        log.write(" ".join([tool, *words]) + "\n")
    for line in {"systemctl": systemctl, "busctl": busctl}[tool](words):
        print(line)
