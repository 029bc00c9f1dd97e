"""What node, npm and git do all day: scripts whose sections must succeed, and say and leave the same on both sides.

A section of a script begins with a line `## SENTENCE`, its name. The sections run one after the other, each in a bash
of its own with `set -e`, in one directory.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from outcome import Extent, Outcome
from world import Broken, Side, World

HERE = Path(__file__).resolve().parent
LIMIT = 200  # seconds for a script
GITCONFIG = """\
[user]
\tname = A
\temail = a@example.org
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[maintenance]
\tauto = false
[pack]
\tthreads = 1
[advice]
\tdetachedHead = false
[protocol "file"]
\tallow = always
"""
# git would make other objects each second.
PROLOGUE = """\
export GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_offline=true
export npm_config_loglevel=error npm_config_cache="$PWD/npm"
mkdir there said
cd there
"""
# Times and inode numbers are in an index, and in what npm notes for itself.
UNLIKE = re.compile(r"/(index|\.package-lock\.json|ORIG_HEAD\.lock)$|/multi-pack-index|/fsmonitor")


@dataclass(frozen=True)
class Script:
    """A file of sections."""

    script: str
    extent: Extent = Extent.BOTH

    @property
    def name(self) -> str:
        """As it is named on the command line."""
        return f"everyday/{self.script.partition('.')[0]}"

    def play(self, world: World, side: Side, only: Sequence[str]) -> dict[str, Outcome]:
        """Always all sections, because each builds on those before it."""
        (world.root / "home/.gitconfig").write_text(GITCONFIG)
        for helper in (HERE / "scripts").glob("*.mjs"):
            world.put(helper.name, helper.read_text())
        sections = list(split((HERE / "scripts" / self.script).read_text()))
        world.put("script.sh", PROLOGUE + "".join(wrap(*each) for each in enumerate(text for _, text in sections)))
        ended = world.run(side, ["bash", "script.sh"], LIMIT)
        found = {title: self._outcome(world, side, number, title) for number, (title, _) in enumerate(sections)}
        found["what is left"] = Outcome(f"ok: {short(left := tree(world.work / 'there'))}", left)
        found["the whole"] = Outcome(f"exit {ended.code}: {short(ended.output)}", ended.output)
        return found

    def _outcome(self, world: World, side: Side, number: int, title: str) -> Outcome:
        said = world.work / "said" / str(number)
        if not said.exists():
            return Outcome("not run")
        text = re.sub(
            r"/tmp/cg[^/\s]*/(?:\d+/tmp|p/tmp)|/tmp/clawguard-[\w-]+", "$TMPDIR", said.read_text(errors="replace")
        )
        code = said.with_suffix(".code").read_text().strip()
        if side is not Side.CONFINED and code != "0":
            raise Broken(f"{self.name}, bare: {title}: exit {code}\n{text}")
        return Outcome(f"exit {code}: {short(text)}" if code != "0" else f"ok: {short(text)}", text)


def split(text: str) -> Iterator[tuple[str, str]]:
    """The sentence and the commands of each section."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, commands = section.partition("\n")
        yield title, commands


def wrap(number: int, commands: str) -> str:
    """A section in a bash of its own, which may end as it likes."""
    said = f"../said/{number}"
    return (
        f"cat > ../section << 'END OF SECTION'\n{commands}END OF SECTION\n"
        f"bash -eu ../section > {said} 2>&1 < /dev/null\necho $? > {said}.code\n"
    )


def short(text: str) -> str:
    """Enough of a hash to tell two texts apart."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def tree(top: Path) -> str:
    """One line for each file that is left: kind, mode, links, contents."""
    lines = []
    for directory, directories, files in os.walk(top):
        for name in sorted({*directories, *files}):
            path = Path(directory, name)
            status = path.lstat()
            what = "-"
            if stat.S_ISLNK(status.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(status.st_mode) and not UNLIKE.search(str(path)):
                what = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
            links = 1 if stat.S_ISDIR(status.st_mode) else status.st_nlink
            lines.append(f"{path.relative_to(top)} {stat.filemode(status.st_mode)} {links} {what}")
    return "\n".join(sorted(lines))


def units() -> list[Script]:
    """All scripts."""
    return [Script("git.sh"), Script("node.sh"), Script("npm.sh")]
