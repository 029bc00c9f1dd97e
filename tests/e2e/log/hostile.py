# Run confined: asks for what is denied, by names that would like to be more than names.
import base64
import ctypes
import os
import subprocess
import sys

home = os.fsencode(sys.argv[1])


def ask(path, flags=os.O_RDONLY):
    try:
        os.close(os.open(path, flags, 0o600))
    except PermissionError:
        return
    except OSError as error:
        raise SystemExit(f"{path!r}: {error}")
    raise SystemExit(f"{path!r} is allowed")


for line in sys.stdin:
    name = base64.b64decode(line)
    # A slash would end the name; this one only looks like it.
    ask(home + b"/secret/" + name.replace(b"/", "\u2215".encode()), os.O_WRONLY | os.O_CREAT)
for _ in range(5):
    ask(home + b"/work/.env")
# A rule whose pattern is as hostile, and a process whose name is.
ask(home + b"/work/<u>x", os.O_WRONLY | os.O_CREAT)
PR_SET_NAME = 15
ctypes.CDLL(None).prctl(PR_SET_NAME, b"<s>me</s>")
ask(home + b"/work/sub/.env", os.O_WRONLY | os.O_CREAT)
subprocess.run(["cat", os.fsdecode(home) + "/work/.env"], stderr=subprocess.DEVNULL)
subprocess.run(["true", "<script>document.title='owned'</script>"], check=True)
print("asked")
