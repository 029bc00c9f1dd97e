//! Terminals by their names in /dev/pts: the run's own, the target's own, and those of the owner.

use crate::support::{Ran, World, for_every_user};

#[test]
fn a_terminal_with_the_number_of_the_runs_is_not_the_runs() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let program = include_str!("terminals.py");
        world.write("{root}/bin/terminals.py", program);
        for mode in ["supervised", "kernel"] {
            for file in ["~/work/ready", "~/work/go"] {
                let _ = std::fs::remove_file(world.path(file));
            }
            let line = ["--mode", mode, "--", "/usr/bin/python3", "-I", "-S", program];
            let start = "exec python3 -I {root}/bin/terminals.py \"$@\"";
            let ran = world.confined().args(line).after(start).run().works();
            let expected = "the terminal of the run ok\nthe number came back True\n\
                            another with its name Permission denied\nended 0\nseen ['a', 'password']\n";
            assert_eq!(ran.stdout, expected, "{mode}: {ran:#?}");
        }
    });
}

/// Opens a terminal by its name in all the ways that programs do, and prints what became of it.
const OWN: &str = "
import fcntl, os, pty, struct, sys, termios
def attempt(name, act):
    try: act(); print(name, 'ok', flush=True)
    except OSError as error: print(name, error.strerror, flush=True)
def opened(path, flags=os.O_RDWR): os.close(os.open(path, flags | os.O_NOCTTY))
def new():
    master = os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, 0x40045431, struct.pack('i', 0))
    number, = struct.unpack('I', fcntl.ioctl(master, 0x80045430, b'0000'))
    return master, '/dev/pts/%d' % number
def in_child(act):
    pid = os.fork()
    if pid == 0:
        act(); os._exit(0)
    os.waitpid(pid, 0)
master, name = new()
attempt('own', lambda: opened(name))
attempt('to read', lambda: opened(name, os.O_RDONLY))
attempt('with O_CREAT', lambda: opened(name, os.O_RDWR | os.O_CREAT))
attempt('mode', lambda: os.chmod(name, 0o600))
print('access', os.access(name, os.R_OK | os.W_OK), os.access(name, os.X_OK), flush=True)
fd = os.open(name, os.O_RDWR | os.O_NOCTTY); os.write(fd, b'through'); print(os.read(master, 7), flush=True)
def child():
    os.close(master)
    attempt('its parent made it', lambda: opened(name))
in_child(child)
def session():
    os.setsid(); fcntl.ioctl(fd, termios.TIOCSCTTY, 0); os.close(master); os.close(fd)
    attempt('its own session has it', lambda: opened(name))
    attempt('by /dev/tty', lambda: opened('/dev/tty'))
    attempt('owner', lambda: opened(sys.argv[1]))
in_child(session)
os.close(fd); os.close(master)
attempt('gone', lambda: opened(name))
attempt('owner', lambda: opened(sys.argv[1]))
attempt('mode of owner', lambda: os.chmod(sys.argv[1], 0o622))
print('access', os.access(sys.argv[1], os.R_OK))
";

fn own(world: &World, policy: &str) -> Ran {
    world.policy(policy);
    // A terminal of the owner's, who has a program in it.
    let start = "exec python3 -I -c 'import os, pty, subprocess, sys
a, b = pty.openpty()
os.fchown(b, os.getuid(), -1)
sys.exit(subprocess.run(sys.argv[1:] + [os.ttyname(b)]).returncode)' \"$@\"";
    let line = ["--mode", "supervised", "--", "/usr/bin/python3", "-I", "-S", "-c", OWN];
    world.confined().args(line).after(start).run()
}

#[test]
fn a_terminal_that_the_target_made_is_opened_by_its_name_and_no_other() {
    for_every_user(|world| {
        let expected = "\
own ok
to read ok
with O_CREAT ok
mode ok
access True False
b'through'
its parent made it ok
its own session has it ok
by /dev/tty ok
owner Permission denied
gone No such file or directory
owner Permission denied
mode of owner Permission denied
access False
";
        assert_eq!(own(&world, "allowed_paths: ['~/work']").works().stdout, expected);
        // A block holds for them too; the program ends where it needs one.
        let blocked = own(&world, "allowed_paths: ['~/work']\nblocked_paths: ['/dev/pts']").ends(1);
        let denied = "own Permission denied\nto read Permission denied\n";
        assert!(blocked.stdout.starts_with(denied), "{blocked:#?}");
    });
}
