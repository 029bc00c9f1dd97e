"""The owner, who starts the command line given in a terminal, closes that terminal, and opens another, which has the same
number. In the sandbox this file runs itself again and opens the terminal by its name, before and after."""
import fcntl, os, pty, signal, subprocess, sys, termios, time


def attempt(name, path, flags=os.O_RDWR | os.O_NOCTTY):
    try:
        fd = os.open(path, flags)
        print(name, "ok", flush=True)
        return fd
    except OSError as error:
        print(name, error.strerror, flush=True)


def inside():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    name = os.ttyname(0)
    os.close(attempt("the terminal of the run", name))
    os.close(0)
    sys.stderr.close()
    open("ready", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.02)
    fd = attempt("another with its name", name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    if fd is not None:
        os.write(fd, b"typed by the target")
        print("it read", os.read(fd, 100))


def wait_for(path):
    for _ in range(1000):
        if os.path.exists(path):
            return
        time.sleep(0.02)
    sys.exit(f"no {path}")


def outside(command):
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    command += ["-c", command.pop()]

    def sit_down():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    # What the owner's shell does with `clawguard-exec ... < /dev/pts/N &`.
    shell = subprocess.Popen(["sleep", "1000"], preexec_fn=sit_down, stdin=slave)
    confined = subprocess.Popen(command, stdin=slave, stderr=subprocess.DEVNULL, preexec_fn=os.setpgrp)
    os.close(slave)
    wait_for("ready")
    os.close(master)
    shell.kill()
    shell.wait()
    # Nothing else in this test has terminals, but other tests do: the number is free until somebody takes it.
    others = []
    for _ in range(64):
        master, slave = pty.openpty()
        others.append((master, slave))
        if os.ttyname(slave) == name:
            break
        time.sleep(0.05)
    print("the number came back", os.ttyname(slave) == name, flush=True)
    os.write(master, b"a password\n")
    open("go", "w").close()
    print("ended", confined.wait())
    os.set_blocking(master, False)
    print("seen", os.read(master, 1000).decode().split())


if sys.argv[0] == "-c":
    inside()
else:
    outside(sys.argv[1:])
