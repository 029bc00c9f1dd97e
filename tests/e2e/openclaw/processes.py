"""Starting, waiting for and ending the processes of a run. Every wait has an end, and only our
own descendants are ever signalled, by pid.
"""

import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
STOP = 30  # seconds from SIGTERM to the end

# Root plays the turn as an ordinary user, everybody else as himself.
USER = 65534 if os.geteuid() == 0 else os.geteuid()


class Failed(Exception):
    """The run cannot go on; the message says why."""


def adopt_orphans():
    """Makes every orphan below us our child (man PR_SET_CHILD_SUBREAPER), so that none is lost."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise Failed(f"prctl: {os.strerror(ctypes.get_errno())}")


def as_user(command):
    if os.geteuid() != 0:
        return [*command]
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]


def start(command, env, cwd, out, err=None):
    with out.open("wb") as stdout, (err or out).open("ab") as stderr:
        return subprocess.Popen(as_user(command), env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                stdout=stdout, stderr=stderr, start_new_session=True)


def wait_for_line(process, log, pattern, seconds):
    """Waits until the log matches, and returns the match."""
    deadline = time.monotonic() + seconds
    while True:
        text = log.read_text(errors="replace")
        if match := re.search(pattern, text):
            return match
        if process.poll() is not None:
            raise Failed(f"{log.stem} ended with {process.returncode} before {pattern!r}:\n{text}")
        if time.monotonic() > deadline:
            raise Failed(f"{log.stem} said no {pattern!r} within {seconds} s:\n{text}")
        time.sleep(0.1)


def wait_for_end(process, log, seconds):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"{log.stem} did not end within {seconds} s:\n{log.read_text(errors='replace')}") from None


def stop(process, log):
    process.send_signal(signal.SIGTERM)
    return wait_for_end(process, log, STOP)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def descendants():
    """The pids of what was started here, directly or not, and still runs."""
    found, queue = [], [os.getpid()]
    while queue:
        for children in Path(f"/proc/{queue.pop()}/task").glob("*/children"):
            try:
                pids = [int(pid) for pid in children.read_text().split()]
            except OSError:  # it ended in the meantime
                continue
            found += pids
            queue += pids
    return [pid for pid in found if runs(pid)]


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def name_of(pid):
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = []
    return f"{pid}: " + b" ".join(words).decode(errors="replace").strip()


def end_everything():
    """Kills and reaps what is left of our descendants."""
    for _ in range(50):
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.1)
