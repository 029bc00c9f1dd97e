"""Reads as much of a systemd unit as is needed to start what it starts."""

import shlex


class Unit:
    def __init__(self, text):
        self.command = shlex.split(self.settings_of(text, "ExecStart")[-1].replace("%%", "%"))
        words = [word for line in self.settings_of(text, "Environment") for word in shlex.split(line.replace("%%", "%"))]
        self.environment = dict(word.split("=", 1) for word in words)

    @staticmethod
    def settings_of(text, key):
        return [line.removeprefix(f"{key}=") for line in text.splitlines() if line.startswith(f"{key}=")]
