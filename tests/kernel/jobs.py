"""Runs the command line given as a job of an interactive bash in a terminal: stops it, goes on, interrupts it."""
import os, pty, re, select, shlex, sys, time

pid, terminal = pty.fork()
if pid == 0:
    os.environ["PS1"] = "prompt> "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

seen = ""


def until(pattern):
    global seen
    end = time.time() + 10
    while not re.search(pattern, seen):
        if time.time() > end:
            os.system("ps -o pid,ppid,pgid,tpgid,stat,wchan:20,args -s %d >&2" % pid)
            sys.exit(f"not seen: {pattern}\n{seen}")
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536).decode("utf-8", "replace")
    print(re.sub(r"\s+", " ", seen), file=sys.stderr)
    seen = ""


def send(text):
    os.write(terminal, text.encode())


until("prompt> $")
send(" ".join(map(shlex.quote, sys.argv[1:])) + "\n")
until("\nready")
send("\x1a")
until(r"Stopped.*(.|\n)*prompt> $")
print("stopped")
send("fg; echo code $?\n")
until(r"fg(.|\n)*clawguard-exec")
time.sleep(0.3)
print("running")
send("\x03")
until(r"\ncode 9\s")
print("ended 9")
send("exit\n")
