//! Devices: a descriptor that the supervisor opens drives a device by `ioctl` only where `w` is allowed, as one that the
//! target opens itself.

use crate::support::{World, for_every_user};

/// `tried` prints what an `ioctl` gives: TCGETS is known to no device but a terminal.
const PROGRAM: &str = r#"
import ctypes, errno, fcntl, os, pty, sys, termios, time
def drive(fd, request, size):
    fcntl.ioctl(fd, request, bytearray(size)); os.close(fd)
    return "ok"
def tried(name, act):
    try: print(name, act(), flush=True)
    except OSError as error: print(name, errno.errorcode[error.errno], flush=True)
TCGETS, RNDGETENTCNT = 0x5401, 0x80045200
def openat2(path, resolve):
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, resolve)
    fd = ctypes.CDLL(None, use_errno=True).syscall(437, -100, path, how, 24)
    if fd < 0: raise OSError(ctypes.get_errno(), "")
    return fd
def every_way(name, path, request):
    tried(name, lambda: drive(os.open(path, os.O_RDONLY), request, 64))
    for way in ["NOFOLLOW", "CREAT", "NONBLOCK", "CLOEXEC", "NOCTTY"]:
        tried(name, lambda: drive(os.open(path, os.O_RDONLY | getattr(os, "O_" + way)), request, 64))
    tried(name, lambda: drive(os.open("to-" + os.path.basename(path), os.O_RDONLY), request, 64))
    tried(name, lambda: drive(openat2(path.encode(), 0), request, 64))
    tried(name, lambda: drive(openat2(path.encode(), 4), request, 64))
    held = os.open(path, os.O_PATH)
    tried(name, lambda: drive(os.open(f"/proc/self/fd/{held}", os.O_RDONLY), request, 64))
    tried(name, lambda: drive(os.open(f"/dev/fd/{held}", os.O_RDONLY), request, 64))
def in_a_terminal(act):
    child, master = pty.fork()
    if child == 0:
        os.dup2(results, 1); act(); os._exit(0)
    os.waitpid(child, 0); os.close(master)
results = os.dup(1)
"#;

fn ran(world: &World, policy: &str, mode: &str, program: &str) -> String {
    for device in ["urandom", "null", "zero"] {
        if !world.has(&format!("~/work/to-{device}")) {
            world.symlink(&format!("/dev/{device}"), &format!("~/work/to-{device}"));
        }
    }
    world.policy(policy);
    let program = format!("{PROGRAM}{program}");
    let command = ["/usr/bin/python3", "-I", "-c", &program];
    world.confined().args(["--mode", mode]).command(command).works().stdout
}

const EVERY_WAY: &str = r#"
every_way("urandom", "/dev/urandom", RNDGETENTCNT)
every_way("zero", "/dev/zero", TCGETS)
every_way("null", "/dev/null", TCGETS)
"#;

/// Each device with what its `ioctl` gives, in each of the ways.
fn answers(urandom: &str, zero: &str, null: &str) -> String {
    let lines = |device: &str, answer: &str| format!("{device} {answer}\n").repeat(11);
    [("urandom", urandom), ("zero", zero), ("null", null)].map(|(d, a)| lines(d, a)).concat()
}

#[test]
fn a_device_that_may_not_be_written_is_not_driven_by_a_descriptor_that_the_supervisor_opened() {
    for_every_user(|world| {
        let policy = "allowed_paths: ['~/work']
             blocked_paths: [{ path: '/dev/urandom', access: w }, { path: '/dev/zero', access: w }]";
        let found = ran(&world, policy, "supervised", EVERY_WAY);
        assert_eq!(found, answers("EACCES", "EACCES", "ENOTTY"));
        let reads = "
fd = os.open('/dev/urandom', os.O_RDONLY)
print(len(os.read(fd, 8)), os.get_blocking(fd)); os.set_blocking(fd, False); fcntl.ioctl(fd, 0x5451)
print(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, fcntl.fcntl(fd, fcntl.F_GETFD))";
        let read = ran(&world, policy, "supervised", reads);
        assert_eq!(read, "8 True\n0 1\n", "it is read, and its own flags change");
        // The kernel alone says the same.
        let one = "tried('urandom', lambda: drive(os.open('/dev/urandom', os.O_RDONLY), RNDGETENTCNT, 64))";
        assert_eq!(ran(&world, policy, "kernel", one), "urandom EACCES\n");
        let allowed = "allowed_paths: ['~/work']";
        assert_eq!(
            ran(&world, allowed, "supervised", EVERY_WAY),
            answers("ok", "ENOTTY", "ENOTTY")
        );
    });
}

#[test]
fn a_terminal_that_may_not_be_written_is_not_driven_by_a_descriptor_that_the_supervisor_opened() {
    for_every_user(|world| {
        let program = r#"
def own():
    tried("tty", lambda: drive(os.open("/dev/tty", os.O_RDONLY), TCGETS, 64))
    tried("named", lambda: drive(os.open(os.ttyname(0), os.O_RDONLY), TCGETS, 64))
    tried("again", lambda: drive(os.open("/dev/stdin", os.O_RDONLY), TCGETS, 64))
    print(os.isatty(0), flush=True)
in_a_terminal(own)
"#;
        let closed = "allowed_paths: ['~/work']
             blocked_paths: [{ path: '/dev/tty', access: w }, { path: '/dev/pts', access: w }]";
        let found = ran(&world, closed, "supervised", program);
        assert_eq!(found, "tty EACCES\nnamed EACCES\nagain EACCES\nTrue\n");
        let open = ran(&world, "allowed_paths: ['~/work']", "supervised", program);
        assert_eq!(open, "tty ok\nnamed ok\nagain ok\nTrue\n");
    });
}
