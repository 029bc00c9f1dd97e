#!/usr/bin/env python3
"""OpenClaw as a service: the guide of examples/openclaw, followed to the letter, and a turn of attacks against what it leads to.

    service.py CLAWGUARD_EXEC CACHE_DIR

CACHE_DIR is filled by install.sh. Every command of examples/openclaw/README.md is run, in its order: the first ones set the
service up, those with an answer are compared with it. No systemd is needed: manager.py stands in for it, and what the unit
starts is started here, with the unit's environment. Then the turn of turn.json is played through that gateway, by a client that
is not confined, and the secrets must stay unread. Nothing is skipped.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import run
from guide import Guide, same_blanks
from processes import USER, Failed, adopt_orphans, as_user, end_everything, start
from run import Verdict, check_confined
from turn import HERE, Turn, environment
from unit import Unit

EXAMPLES = HERE.parents[2] / "examples/openclaw"
UNIT = ".config/systemd/user/openclaw-gateway.service"


class Service(Turn):
    """A turn whose gateway is the service that the guide sets up."""

    def __init__(self, scratch, cache, shim):
        super().__init__("service", scratch, cache, [], config="# somebody else's\n")
        self.cache, self.shim = cache, shim
        self.manager = self.scratch / "manager"
        self.manager.mkdir()
        for name in ("systemctl", "busctl"):
            tool = self.manager / name
            tool.write_text(f'#!/bin/sh\nexec python3 {self.manager}/manager.py {name} "$@"\n')
            tool.chmod(0o755)
        for file in ("manager.py", "unit.py"):
            shutil.copy(HERE / file, self.manager)
        (self.manager / "home").write_text(str(self.home.path))
        os.chown(self.manager, USER, -1)
        passwd = [line for line in Path("/etc/passwd").read_text().splitlines() if line.split(":")[2] != str(USER)]
        # OpenClaw installs no service where HOME is not the home directory of the account.
        account = f"user:x:{USER}:{USER}::{self.home.path}:/bin/sh"
        (self.scratch / "passwd").write_text("\n".join([account, *passwd, ""]))
        self.env |= {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.scratch}/bus", "XDG_RUNTIME_DIR": str(self.scratch)}
        self.env["PATH"] = f"{self.home.path}/.local/bin:{self.manager}:{self.env['PATH']}"
        self.guide = Guide(EXAMPLES / "README.md")

    def shell(self, command, seconds=90):
        """A command of the guide, typed by the user in a clone of this repository, where the stand-ins are systemd."""
        inside = f"mount --bind {self.scratch}/passwd /etc/passwd"
        for name in ("systemctl", "busctl"):
            inside += f"; [ ! -e /usr/bin/{name} ] || mount --bind {self.manager}/{name} /usr/bin/{name}"
        own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        command = [*own, "sh", "-ec", f'{inside}; exec "$@"', "sh", *as_user(["sh", "-c", command])]
        done = subprocess.run(command, env=self.env, cwd=EXAMPLES.parents[1], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds)
        return done.returncode, done.stdout, done.stderr

    def set_up(self):
        """The guide's commands that set the service up; cargo and npm have done their part already."""
        for command in self.guide.setup:
            if command.startswith("cargo install "):
                bin = self.home.path / ".local/bin"
                bin.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.shim, bin / "clawguard-exec")
                self.home.give_to(USER)
            elif not command.startswith(("npm install ", "git clone ")):
                code, out, err = self.shell(command)
                if code != 0:
                    raise Failed(f"{command!r} ended with {code}:\n{out}{err}")
        return Unit((self.home.path / UNIT).read_text())

    def start_gateway(self, port):
        self.unit = self.set_up()
        # What a user manager adds; nothing of the caller's.
        env = {"HOME": str(self.home.path), "USER": "user", "LOGNAME": "user", "SHELL": "/bin/sh", "LANG": "C.UTF-8",
               "XDG_RUNTIME_DIR": str(self.scratch), **self.unit.environment}
        out = self.scratch / "gateway.log"
        return start(self.unit.command, env, self.home.path, out), out

    def after_the_turn(self, port):
        """Asks what the guide asks. OpenClaw, which does not always end well while it still indexes a turn, gets the time for it."""
        self.answers = [(command, wanted, self.answer(command, port)) for command, wanted in self.guide.asked]

    def answer(self, command, port):
        code, out, err = self.shell(command.replace("18789", str(port)))
        text = out if code == 0 else f"{out}{err}"
        return same_blanks(text.replace(str(self.home.path), "/home/you").replace(str(port), "18789"))


def check_service(verdict, turn):
    wrapper = str(turn.home.path / ".local/bin/clawguard-openclaw")
    verdict.check("service: the installed unit starts the wrapper", turn.unit.command[0] == wrapper, turn.unit.command)
    verdict.check("service: and keeps it for later repairs", turn.unit.environment.get("OPENCLAW_WRAPPER") == wrapper,
                  turn.unit.environment)
    calls = (turn.manager / "calls.log").read_text()
    for call in ("enable openclaw-gateway.service", "restart openclaw-gateway.service"):
        verdict.check(f"service: the manager was asked to {call}", f"systemctl --user {call}" in calls, calls)
    for command, wanted, answer in turn.answers:
        verdict.check(f"service: the guide's answer to `{command}` is right", re.fullmatch(wanted, answer),
                      f"wanted: {wanted}\n\nanswered: {answer}")
    for file, wanted in [("~/.openclaw/.env", 0), ("~/Documents/openclaw-workspace/.env", 1)]:
        code, _, err = turn.shell(f"clawguard-exec -q check --access r {file}")
        verdict.check(f"service: {file} is {'denied' if wanted else 'allowed'} for reading", code == wanted, err)
    check_confined(verdict, turn)


def check_wrapper(verdict, scratch, shim):
    """The wrapper starts OpenClaw confined, or nothing."""
    place = scratch / "wrapper"
    place.mkdir()
    wrapper = shutil.copy(EXAMPLES / "clawguard-openclaw", place / "openclaw")
    for name, text in {"one/clawguard-exec": 'echo "$@"; exit 7', "two/openclaw": "echo bare"}.items():
        (place / name).parent.mkdir()
        (place / name).write_text(f"#!/bin/sh\n{text}\n")
        (place / name).chmod(0o755)
    os.symlink(wrapper, place / "one/openclaw")
    system = "/usr/bin:/bin"

    def call(path, **more):
        env = {"PATH": path, "HOME": "/nonexistent"} | more
        done = subprocess.run([wrapper, "gateway", "--port", "1 2"], env=env, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    both = call(f"{place}:{place}/one:{place}/two:{system}")
    verdict.check("wrapper: it passes over itself and its links, and hands arguments and exit code on",
                  both == (7, f"-- {place}/two/openclaw gateway --port 1 2", ""), both)
    for name, path, missing in [("clawguard-exec", f"{place}/two:{system}", "clawguard-exec is not in PATH"),
                                ("openclaw", f"{place}:{place}/one:{system}", "openclaw is not in PATH")]:
        code, out, err = call(path)
        verdict.check(f"wrapper: without {name} it starts nothing, and says so",
                      code == 125 and not out and missing in err, f"{code}\n{out}\n{err}")
    for variable in ("CLAWGUARD_EXEC", "CLAWGUARD_OPENCLAW"):
        for value in ("one/clawguard-exec", str(wrapper), "/nonexistent"):
            code, out, err = call(f"{place}/one:{place}/two:{system}", **{variable: value})
            verdict.check(f"wrapper: {variable}={value.replace(str(place), '')} is refused",
                          code == 125 and not out and variable in err, f"{code}\n{out}\n{err}")
    inner = subprocess.run([shim, "-q", "--allow", f"{scratch}:rx", "--", wrapper, "gateway"], capture_output=True, text=True,
                           cwd=place, timeout=30, env={"PATH": f"{Path(shim).parent}:{place}/two:{system}", "HOME": str(place)})
    verdict.check("wrapper: inside clawguard it is refused", inner.returncode == 125 and "already confined" in inner.stderr
                  and "bare" not in inner.stdout, f"{inner.returncode}\n{inner.stdout}{inner.stderr}")


def check_units(verdict):
    """Both files harden alike."""
    unit, dropin = ((EXAMPLES / name).read_text() for name in ("openclaw-gateway.service", "hardening.conf"))
    lines = {line for line in dropin.splitlines() if line and not line.startswith(("#", "["))}
    verdict.check("units: the whole unit hardens as the drop-in does", lines <= set(unit.splitlines()) and len(lines) > 8,
                  lines - set(unit.splitlines()))
    if shutil.which("systemd-analyze"):
        # Another program and another binary than the ones that are there would be told as well.
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "openclaw-gateway.service"
            file.write_text(re.sub("^ExecStart=.*", "ExecStart=/bin/true", unit, flags=re.M))
            done = subprocess.run(["systemd-analyze", "verify", "--user", str(file)], capture_output=True, text=True,
                                  timeout=60, env={"PATH": "/usr/bin:/bin", "HOME": place, "XDG_RUNTIME_DIR": place})
        verdict.check("units: systemd-analyze finds nothing wrong", done.returncode == 0 and not done.stderr, done.stderr)


def main(shim, cache):
    adopt_orphans()
    verdict = Verdict()
    there = [path for path in run.SHARED if path.exists()]
    scratch = Path(tempfile.mkdtemp(prefix="clawguard-e2e-", dir="/tmp"))
    scratch.chmod(0o755)
    shim = shutil.copy(shim, scratch / "clawguard-exec")
    try:
        check_units(verdict)
        check_wrapper(verdict, scratch, shim)
        turn, began = Service(scratch, cache, shim), time.monotonic()
        try:
            turn.play()
            print(f"----  service: played in {time.monotonic() - began:.0f} s", flush=True)
            check_service(verdict, turn)
        except (Failed, subprocess.TimeoutExpired) as reason:
            verdict.check("service: the turn is played", False, reason)
    finally:
        end_everything()
        for path in run.SHARED:
            if path not in there:
                shutil.rmtree(path, ignore_errors=True)
        if verdict.failed:
            print(f"----  logs are kept in {scratch}")
        else:
            shutil.rmtree(scratch)
    print(f"{verdict.passed} passed, {verdict.failed} failed")
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: service.py CLAWGUARD_EXEC CACHE_DIR")
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
