#!/bin/sh
# A desktop notification for each denial that the policy chooses.
#
#   logging:
#     on_denied: { command: ~/bin/notify-send.sh, rules: ["**/.env", "guards"] }
#
# The names in the event are the confined command's choice. So they are read from JSON, never put into a line that a
# shell reads, and `&` and `<` are escaped, since many desktops read markup in a notification.
set -eu
text=$(python3 -I -c '
import html, json, sys
event = json.load(sys.stdin)
rule = event["rule"]
why = rule["pattern"] if rule else "nothing allows it"
text = "{command} wanted {access} on {path}".format(**event) + " (" + why + ")"
if event.get("suppressed"):
    text += ", and %d more before" % event["suppressed"]
shown = "".join(c if c.isprintable() else "?" for c in text)
print(html.escape(shown, quote=False))
')
exec notify-send --app-name=clawguard --urgency=normal -- "clawguard: denied" "$text"
