"""The owner's shell: a session with a terminal, a job of the owner's and, as another job, the command line given. In the
sandbox this file runs itself again, as `inside`, and tries to make the kernel stop the owner's job."""
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios, time


def give(group, terminal):
    """tcsetpgrp, with a number that glibc does not look at first."""
    fcntl.ioctl(terminal, termios.TIOCSPGRP, struct.pack("i", group))


def attempt(name, act):
    try:
        act()
        print(name, "ok", flush=True)
    except OSError as error:
        print(name, error.strerror, flush=True)


def child():
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTTIN, signal.SIG_DFL)
        while True:
            signal.pause()
    return pid


def inside(owners_job, terminal):
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    mine = os.getpgid(0)
    # With the owner's job in the foreground.
    attempt("join the owner's job", lambda: os.setpgid(0, owners_job))
    attempt("child joins the owner's job", lambda: os.setpgid(child(), owners_job))
    attempt("take the terminal", lambda: give(mine, terminal))
    attempt("give the terminal to the owner's job", lambda: give(owners_job, terminal))
    first, second = child(), child()
    attempt("a group of one's own", lambda: os.setpgid(first, first))
    def new_group():
        # As bash says it of itself.
        pid = os.fork()
        if pid == 0:
            attempt("a group of one's own, by number", lambda: os.setpgid(0, os.getpid()))
            os._exit(0)
        os.waitpid(pid, 0)
    new_group()
    attempt("another process joins it", lambda: os.setpgid(second, first))
    attempt("take the terminal for it", lambda: give(first, terminal))
    attempt("back to the first group", lambda: os.setpgid(second, mine))
    attempt("no such group", lambda: os.setpgid(second, 2**22 - 3))
    attempt("no child", lambda: os.setpgid(1, first))
    attempt("a negative group", lambda: os.setpgid(second, -5))
    print("waiting", flush=True)
    sys.stdin.readline()
    # With this job in the foreground.
    attempt("give the terminal to a group of one's own", lambda: give(first, terminal))
    print("it has the terminal", os.tcgetpgrp(terminal) == first, flush=True)
    attempt("give the terminal to the owner's job", lambda: give(owners_job, terminal))
    attempt("take the terminal back", lambda: give(mine, terminal))
    attempt("a terminal that is none", lambda: give(mine, sys.stdin.fileno()))
    # In a session of one's own everything is one's own.
    if os.fork() == 0:
        os.setsid()
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        job = child()
        attempt("own session: a group", lambda: os.setpgid(job, job))
        attempt("own session: its terminal", lambda: give(job, slave))
        print("it has the terminal", os.tcgetpgrp(slave) == job, flush=True)
        attempt("own session: the owner's job", lambda: os.setpgid(job, owners_job))
        os.kill(job, signal.SIGKILL)
        os._exit(0)
    os.wait()
    os.kill(first, signal.SIGKILL)
    os.kill(second, signal.SIGKILL)


def state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(") ", 1)[1][0]


def outside(command):
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setsid()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    job = subprocess.Popen(["cat"], stdin=slave, stdout=subprocess.DEVNULL, process_group=0, close_fds=True)
    os.tcsetpgrp(slave, job.pid)
    # It may have read before, in the background, and have been stopped for it.
    job.send_signal(signal.SIGCONT)
    # Standard error is the terminal.
    script = command.pop()
    confined = subprocess.Popen(command + ["-c", script, str(job.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=slave, process_group=0, text=True)

    def until(end):
        for line in confined.stdout:
            if line.strip() == end:
                return
            print(line, end="")

    until("waiting")
    os.write(master, b"x\n")
    time.sleep(0.3)
    print("the owner's job:", state(job.pid), os.tcgetpgrp(slave) == job.pid, os.getpgid(job.pid) == job.pid)
    os.tcsetpgrp(slave, confined.pid)
    confined.stdin.write("go\n")
    confined.stdin.flush()
    until("")
    print("the owner's job:", state(job.pid), os.tcgetpgrp(slave) == confined.pid)
    print("ended", confined.wait())
    job.kill()
    while confined.returncode and select.select([master], [], [], 0)[0]:
        sys.stderr.write(os.read(master, 65536).decode())


if sys.argv[0] == "-c":
    inside(int(sys.argv[1]), sys.stderr.fileno())
else:
    outside(sys.argv[1:])
