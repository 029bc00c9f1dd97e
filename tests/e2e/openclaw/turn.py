"""One agent turn: the model's stand-in, the gateway, the agent, and a record of what they did.

Nothing is judged here; run.py does that, and ends what is left when a turn cannot go on.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from home import Home
from processes import USER, as_user, descendants, free_port, name_of, start, stop, wait_for_end, wait_for_line

HERE = Path(__file__).resolve().parent
READY, TURN_END = 90, 120  # seconds


def environment(home, cache):
    """All that the processes get: nothing of the caller's environment reaches them."""
    return {"HOME": str(home), "PATH": f"{cache}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "USER": "user", "LOGNAME": "user", "SHELL": "/bin/bash", "LANG": "C.UTF-8"}


class Turn:
    """The turn of turn.json, in a fresh home, and all that came of it."""

    def __init__(self, name, scratch, cache, wrapper, config=None):
        """`config` is the text of ~/.openclaw/config.yaml, where a policy may be; policy.yaml without it."""
        self.name, self.wrapper = name, wrapper
        self.scratch = scratch / name
        self.scratch.mkdir()
        self.home = Home(self.scratch / "home", (HERE / "policy.yaml").read_text() if config is None else config)
        self.env = environment(self.home.path, cache)
        turn = json.loads(self.home.expand((HERE / "turn.json").read_text()))
        self.final = turn["final"]
        self.steps = [step for step in turn["steps"] if name in step.get("runs", [name])]
        self.results, self.left = {}, []

    def start(self, name, command, err=None):
        out = self.scratch / name
        return start(command, self.env, self.home.workspace, out, err and self.scratch / err), out

    def read(self, name):
        file = self.scratch / name
        return file.read_text(errors="replace") if file.exists() else ""

    def play(self):
        """Starts the model and the gateway, runs the agent's turn, and stops both again."""
        record = self.scratch / "record"
        record.mkdir()
        os.chown(record, USER, -1)
        turn = self.scratch / "turn.json"
        calls = [{word: step[word] for word in ("name", "tool", "arguments")} for step in self.steps]
        turn.write_text(json.dumps({"final": self.final, "steps": calls}))
        shutil.copy(HERE / "model.mjs", self.scratch)

        model, model_log = self.start("model.log", ["node", str(self.scratch / "model.mjs"), str(turn), str(record)])
        port = free_port()
        self.home.configure(int(wait_for_line(model, model_log, r"listening on (\d+)", 20)[1]), port)
        self.home.give_to(USER)
        self.git("init", "--quiet")

        gateway, gateway_log = self.start_gateway(port)
        wait_for_line(gateway, gateway_log, r"\[gateway\] ready", READY)
        agent, _ = self.start(
            "agent.json", [*self.wrapper, "openclaw", "agent", "--agent", "main", "--message", "Do it.", "--json"],
            err="agent.log")
        self.agent_code = wait_for_end(agent, self.scratch / "agent.log", TURN_END)
        self.after_the_turn(port)
        self.gateway_code = stop(gateway, gateway_log)
        stop(model, model_log)
        self.left = [name_of(pid) for pid in descendants()]
        self.results = {line["step"]: line["result"]
                        for line in map(json.loads, self.read("record/results.jsonl").splitlines())}

    def start_gateway(self, port):
        return self.start(
            "gateway.log", [*self.wrapper, "openclaw", "gateway", "run", "--port", str(port), "--bind", "loopback"])

    def after_the_turn(self, port):
        """What is to be asked while the gateway is still there."""

    def git(self, *arguments):
        command = as_user(["git", "-C", str(self.home.workspace), *arguments])
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=20).stdout

    def seen(self):
        """All that went to the model or to the user's terminal."""
        return "".join(map(self.read, ["record/requests.log", "agent.json", "agent.log", "gateway.log"]))

    def written(self):
        """All that lies where the agent may write, but for `.env` files, links not followed."""
        files = [file for folder in (self.home.workspace, self.home.path / "Downloads") for file in folder.rglob("*")]
        return "".join(file.read_bytes().decode(errors="replace")
                       for file in files if file.name != ".env" and file.is_file() and not file.is_symlink())
