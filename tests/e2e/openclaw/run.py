#!/usr/bin/env python3
"""The real OpenClaw on the real node under clawguard-exec: one agent turn of attacks and of
ordinary work, played three times.

    run.py CLAWGUARD_EXEC CACHE_DIR

CACHE_DIR is filled by install.sh. Confined by policy.yaml, which Landlock alone can hold, every attack
of turn.json must end in a permission error and every neighbour must work. The same holds by default: without
a policy, in the workspace, with what only the supervisor can answer (`**/.env`). Unconfined, the same attacks must succeed: this
control proves that the test can fail. Nothing is skipped. There is no network in it: model.mjs
answers in place of a model, on the loopback interface.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from processes import USER, Failed, adopt_orphans, as_user, end_everything
from turn import HERE, Turn, environment

DENIED = re.compile(r"permission denied|operation not permitted|invalid cross-device link|EACCES|EPERM|EXDEV", re.I)

# OpenClaw keeps these outside of the home directory. Those that were not there before go with us.
SHARED = [Path("/tmp/openclaw"), Path(f"/tmp/openclaw-{USER}"), Path(f"/tmp/openclaw-state-locks-{USER}"),
          Path(f"/tmp/.openclaw-terminal-staging-{USER}"), Path("/tmp/node-compile-cache")]

# A ~/.openclaw/config.yaml without `security.file_access` is no policy, so the built-in default holds.
NO_POLICY = "# somebody else's\nui:\n  theme: dark\n"


class Verdict:
    """One printed line for each assertion, and the count."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, sentence, holds, evidence=""):
        print(f"{'PASS' if holds else 'FAIL'}  {sentence}", flush=True)
        if holds:
            self.passed += 1
            return
        self.failed += 1
        for line in str(evidence).splitlines()[-30:]:
            print(f"      | {line[:400]}", flush=True)


def denial(result, file):
    """Does some line of the result say that this very file was denied?"""
    return any(file in line and DENIED.search(line) for line in result.splitlines())


def check_turn(verdict, turn):
    """What holds with and without confinement: OpenClaw works."""
    here = f"{turn.name}: "
    verdict.check(here + "the agent ends with code 0", turn.agent_code == 0, turn.read("agent.log"))
    verdict.check(here + "its answer is on stdout, as JSON and nothing else", answer_of(turn), turn.read("agent.json"))
    verdict.check(here + "the gateway ends with code 0 at SIGTERM", turn.gateway_code == 0,
                  f"code {turn.gateway_code}\n{turn.read('gateway.log')}")
    verdict.check(here + "no process is left", not turn.left, "\n".join(turn.left))
    for step in turn.steps:
        result = turn.results.get(step["name"], "(the step was never played)")
        if step["kind"] == "neighbour":
            verdict.check(here + f"{step['name']}: works", step["proof"] in result and not DENIED.search(result), result)
    log = turn.git("log", "--format=%s", "--name-only")
    verdict.check(here + "the commit is in the repository", log.split("\n") == ["say hello", "", "hello.sh", ""], log)
    if any("Downloads" in json.dumps(step["arguments"]) for step in turn.steps):
        report = turn.home.path / "Downloads/report.txt"
        verdict.check(here + "the download is there", report.exists() and report.read_text() == "report\n")


def answer_of(turn):
    try:
        return turn.final in json.dumps(json.loads(turn.read("agent.json")))
    except ValueError:
        return False


def check_confined(verdict, turn):
    check_turn(verdict, turn)
    for step in turn.steps:
        result = turn.results.get(step["name"], "(the step was never played)")
        if step["kind"] == "attack":
            verdict.check(f"{turn.name}: {step['name']}: denied",
                          denial(result, step["denied"]) and step["proof"] not in result, result)
    leaks = [name for name, canary in turn.home.canaries.items() if canary in turn.seen()]
    verdict.check(f"{turn.name}: no canary reaches the model, the user or a log", not leaks, leaks)
    copies = [name for name, canary in turn.home.canaries.items() if canary in turn.written()]
    verdict.check(f"{turn.name}: no canary lies where the agent may write", not copies, copies)
    verdict.check(f"{turn.name}: the user's files are unchanged", not turn.home.changed(), turn.home.changed())
    noise = [line for line in "\n".join(turn.results.values()).splitlines() if "/proc/" in line]
    verdict.check(f"{turn.name}: no tool result complains about /proc", not noise, "\n".join(noise))
    # OpenClaw logs denied tools as such, and may not watch the home directory for a ~/.agents to come; the
    # shim may report denials too. Anything else that OpenClaw was denied is our mistake.
    expected = ("[tools]", f"watch '{turn.home.path}'", "clawguard: ")
    own = [line for line in turn.read("gateway.log").splitlines()
           if DENIED.search(line) and not any(known in line for known in expected)]
    verdict.check(f"{turn.name}: OpenClaw itself was denied nothing that it complains about", not own, "\n".join(own))


def check_control(verdict, turn):
    check_turn(verdict, turn)
    for step in turn.steps:
        result = turn.results.get(step["name"], "(the step was never played)")
        if step["kind"] == "attack" and step.get("unconfined") != "denied":
            verdict.check(f"unconfined: {step['name']}: succeeds", step["proof"] in result, result)
    silent = [name for name, canary in turn.home.canaries.items() if canary not in turn.seen()]
    verdict.check("unconfined: every canary reaches the model", not silent, silent)
    changed = turn.home.changed()
    verdict.check("unconfined: the shell startup file and the policy are changed",
                  changed == [".bashrc", ".openclaw/config.yaml"], changed)


def main(shim, cache):
    adopt_orphans()
    verdict = Verdict()
    there = [path for path in SHARED if path.exists()]
    # Not below /var, which the policy blocks, and open to the user whom we become.
    scratch = Path(tempfile.mkdtemp(prefix="clawguard-e2e-", dir="/tmp"))
    scratch.chmod(0o755)
    policy = Path(shutil.copy(HERE / "policy.yaml", scratch))
    shim = shutil.copy(shim, scratch / "clawguard-exec")
    runs = [("confined", [shim, "--mode", "kernel", "--policy", str(policy), "--"], None, check_confined),
            ("default", [shim, "--"], NO_POLICY, check_confined), ("unconfined", [], None, check_control)]
    try:
        reachable = subprocess.run(as_user(["openclaw", "--version"]), env=environment("/nonexistent", cache),
                                   capture_output=True, text=True, timeout=60)
        verdict.check(f"user {USER} can run {reachable.stdout.strip() or 'openclaw'}", reachable.returncode == 0,
                      reachable.stderr)
        for name, wrapper, config, check in runs:
            turn, began = Turn(name, scratch, cache, wrapper, config), time.monotonic()
            try:
                turn.play()
                print(f"----  {name}: played in {time.monotonic() - began:.0f} s", flush=True)
                check(verdict, turn)
            except Failed as reason:
                verdict.check(f"{name}: the turn is played", False, reason)
            end_everything()
    finally:
        end_everything()
        for path in SHARED:
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
        sys.exit("usage: run.py CLAWGUARD_EXEC CACHE_DIR")
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
