"""The commands of a guide in Markdown, and the answers that it promises.

`sh` blocks set something up: one command a line, a comment after two spaces and `#` left out. `console` blocks ask: a line
that begins with `$ ` is a command, the lines up to the next one are its answer, in which `...` stands for anything and blanks are all alike.
"""

import re


class Guide:
    def __init__(self, file):
        self.setup, self.asked = [], []
        for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", file.read_text(), re.M | re.S):
            if kind == "sh":
                self.setup += [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]
            elif kind == "console":
                for part in ("\n" + block).split("\n$ ")[1:]:
                    command, _, answer = part.rstrip().partition("\n")
                    self.asked.append((command, ".*".join(map(re.escape, same_blanks(answer).split("...")))))


def same_blanks(text):
    """Blanks in a row, and at the end of a line, are no difference."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
