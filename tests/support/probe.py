"""Does the operations on standard input, one after the other, and prints what becomes of each.

Operations end with 0x1e, their words are separated by 0x1f. A line of output is `ok`, the name of an errno, or a value.
"""
import ctypes, errno, os, socket, stat, sys

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE = -100, 0x400, 2


def opened(flags, mode=0o644):
    def act(path, directory=None):
        dir_fd = None if directory is None else int(directory)
        os.close(os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=dir_fd))
    return act


def cat(path):
    with open(path, "rb") as file:
        return file.read(4096).decode("utf-8", "replace").strip() or "empty"


def renameat2(old, new, flags):
    if libc.renameat2(AT_FDCWD, old, AT_FDCWD, new, flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def make_socket(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(path)


def connect(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(path)


def abstract(name, action):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        getattr(sock, action)(b"\0" + name)


def abstract_pair(name):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(b"\0" + name)
        server.listen()
        client.connect(b"\0" + name)


def tmpfile(directory, name=None):
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        if name is not None:
            source = b"/proc/self/fd/%d" % fd
            if libc.linkat(AT_FDCWD, source, AT_FDCWD, name, AT_SYMLINK_FOLLOW) != 0:
                raise OSError(ctypes.get_errno(), "linkat")
    finally:
        os.close(fd)


def execute(path):
    """`ok` if the program ran and ended with 0, else the errno of execve."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            null = os.open("/dev/null", os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.execv(path, [path])
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(99)
    os.close(writer)
    failed = os.read(reader, 16)
    os.close(reader)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if failed:
        raise OSError(int(failed), "execve")
    return "ok" if status == 0 else f"status{status}"


def reopen(path, flags=os.O_RDONLY):
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(os.open(f"/proc/self/fd/{fd}", flags))
    finally:
        os.close(fd)


def descriptors():
    """The numbers of the open descriptors from 3 up."""
    open_now = []
    for number in range(3, 256):
        try:
            os.fstat(number)
            open_now.append(str(number))
        except OSError:
            pass
    return ",".join(open_now) or "none"


def raw(number, *arguments):
    """A system call by its number; arguments are numbers."""
    words = [ctypes.c_long(int(word, 0)) for word in arguments]
    libc.syscall.restype = ctypes.c_long
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(int(number, 0)), *words) == -1:
        raise OSError(ctypes.get_errno(), "syscall")


def signal(pid, number):
    os.kill(int(pid), int(number))


def contents_of_memory(pid):
    with open(f"/proc/{int(pid)}/mem", "rb", buffering=0) as file:
        file.seek(0x1000)
        file.read(1)


def steal(pid):
    """pidfd_getfd of another process's standard input."""
    process = os.pidfd_open(int(pid))
    try:
        raw("438", str(process), "0", "0")
    finally:
        os.close(process)


def attributes(path):
    """FS_IOC_SETFLAGS on a descriptor that is open for reading only."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.ioctl(fd, ctypes.c_ulong(0x40086602), ctypes.byref(ctypes.c_long(0x80))) != 0:
            raise OSError(ctypes.get_errno(), "ioctl")
    finally:
        os.close(fd)


def device(path, kind):
    os.mknod(path, {"char": stat.S_IFCHR, "block": stat.S_IFBLK}[kind.decode()] | 0o600, os.makedev(1, 3))


OPERATIONS = {
    "read": opened(os.O_RDONLY),
    "write": opened(os.O_WRONLY),
    "append": opened(os.O_WRONLY | os.O_APPEND),
    "change": opened(os.O_RDWR),
    "truncating": opened(os.O_WRONLY | os.O_TRUNC),
    "create": opened(os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "create-or-open": opened(os.O_WRONLY | os.O_CREAT),
    "path-only": opened(os.O_PATH),
    "nofollow": opened(os.O_RDONLY | os.O_NOFOLLOW),
    "directory": opened(os.O_RDONLY | os.O_DIRECTORY),
    "cat": cat,
    "list": lambda path: ",".join(sorted(os.fsdecode(name) for name in os.listdir(path))) or "empty",
    "truncate": lambda path: os.truncate(path, 0),
    "mkdir": lambda path: os.mkdir(path),
    "rmdir": lambda path: os.rmdir(path),
    "unlink": lambda path: os.unlink(path),
    "rename": lambda old, new: os.rename(old, new),
    "exchange": lambda old, new: renameat2(old, new, RENAME_EXCHANGE),
    "link": lambda old, new: os.link(old, new, follow_symlinks=False),
    "symlink": lambda target, path: os.symlink(target, path),
    "fifo": lambda path: os.mkfifo(path),
    "socket": make_socket,
    "connect": connect,
    "device": device,
    "tmpfile": tmpfile,
    "tmpfile-named": tmpfile,
    "exec": execute,
    "reopen": reopen,
    "reopen-for-writing": lambda path: reopen(path, os.O_WRONLY),
    "stat": lambda path: os.stat(path) and None,
    "readlink": lambda path: os.readlink(path).decode(),
    "chdir": lambda path: os.chdir(path),
    "at": lambda fd, path: opened(os.O_RDONLY)(path, fd),
    "descriptors": descriptors,
    "syscall": raw,
    "abstract-connect": lambda name: abstract(name, "connect"),
    "abstract-pair": abstract_pair,
    "kill": signal,
    "memory": contents_of_memory,
    "steal": steal,
    "attributes": attributes,
    "affinity": lambda pid: os.sched_setaffinity(int(pid), os.sched_getaffinity(0)),
    "priority": lambda pid: os.setpriority(os.PRIO_PROCESS, int(pid), os.getpriority(os.PRIO_PROCESS, 0)),
}


def main():
    for row in sys.stdin.buffer.read().split(b"\x1e")[:-1]:
        name, *words = row.replace(b"{self}", b"%d" % os.getpid()).split(b"\x1f")
        try:
            value = OPERATIONS[name.decode()](*words)
            print("ok" if value is None else value)
        except OSError as error:
            print(errno.errorcode.get(error.errno, error.errno))
        sys.stdout.flush()


main()
