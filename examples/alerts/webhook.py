#!/usr/bin/env python3
"""Sends each event to a chat: a POST of {"text": ...}, which Slack, Mattermost, Rocket.Chat and others take.

    logging:
      on_denied: { command: ~/bin/webhook.py, rules: ["~/.ssh", "guards"], every: 5m }

The URL is taken from CLAWGUARD_WEBHOOK_URL, else from ~/.config/clawguard/webhook-url: block both from what you
confine (`~/.*` does so for the file, `security.environment.remove` for the variable).
"""

import json
import os
import pathlib
import sys
import urllib.request


def url():
    named = os.environ.get("CLAWGUARD_WEBHOOK_URL")
    if named:
        return named
    config = os.environ.get("XDG_CONFIG_HOME") or pathlib.Path.home() / ".config"
    return (pathlib.Path(config) / "clawguard/webhook-url").read_text().strip()


def plain(text):
    """The names in an event are the confined command's choice: no control characters, no markup, no mention."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'").replace("@", "(at)")


def main():
    event = json.load(sys.stdin)
    rule = event["rule"]
    why = rule["pattern"] if rule else "nothing allows it"
    text = f"clawguard: `{plain(event['command'])}` was denied {event['access']} on `{plain(event['path'])}`: {plain(why)}"
    if event.get("suppressed"):
        text += f" ({event['suppressed']} more before)"
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(url(), body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


if __name__ == "__main__":
    main()
