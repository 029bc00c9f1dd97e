"""Runs the command line given, an interactive bash, as a job of an interactive bash in a terminal: the inner one stops a
job of its own, takes it up again, ends, and the outer one goes on."""
import os, pty, re, select, shlex, sys, time

pid, terminal = pty.fork()
if pid == 0:
    os.environ["PS1"] = "outer> "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

seen = ""


def until(pattern):
    global seen
    end = time.time() + 20
    while not re.search(pattern, seen):
        if time.time() > end:
            sys.exit(f"not seen: {pattern}\n{seen}")
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536).decode("utf-8", "replace")
    print(re.sub(r"\s+", " ", seen), file=sys.stderr)
    seen = ""


def send(text):
    os.write(terminal, text.encode())


until("outer> $")
send(" ".join(map(shlex.quote, sys.argv[1:])) + "\n")
until("outer> $")
send("PS1='inner> '\n")
until("\ninner> $")
send("cat | cat\n")
time.sleep(0.5)
send("\x1a")
until(r"Stopped.*cat(.|\n)*inner> $")
print("stopped")
send("fg\n")
until(r"cat \| cat")
time.sleep(0.5)
send("hello\n")
until("hello\\s+hello")
send("\x04")
until("inner> $")
print("went on")
send("sleep 0.2 | cat & wait; echo waited $?\n")
until(r"\nwaited 0(.|\n)*inner> $")
print("waited")
send("exit 7\n")
until("outer> $")
send("echo code $?\n")
until(r"\ncode 7\s(.|\n)*outer> $")
send("cat\n")
time.sleep(0.3)
send("outer reads\n")
until(r"outer reads\s+outer reads")
print("outer reads")
