//! Where no supervisor can answer, nothing starts, and the weaker command line is named.

use std::process::{Command, Stdio};

use crate::support::{CANARY, for_every_user};

/// Installs a filter with a listener, as an outer supervisor would, and becomes the command.
const LISTENED: &str = "
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack('=HBBI', 6, 0, 0, 0x7fff0000))
program = ctypes.create_string_buffer(struct.pack('=HxxxxxxQ', 1, ctypes.addressof(allow)))
libc.prctl(38, 1, 0, 0, 0)
number = 317 if os.uname().machine == 'x86_64' else 277
listener = libc.syscall(number, 1, 8, program)
if listener < 0: raise OSError(ctypes.get_errno(), 'seccomp')
os.set_inheritable(listener, True)
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn a_second_listener_is_refused_with_its_reason_and_the_weaker_command_line() {
    for_every_user(|world| {
        world.write("~/work/.env", CANARY);
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        let policy = world.text("~/policy.yaml");
        let run = |options: &[&str]| {
            let mut command = Command::new("setpriv");
            let uid = world.user.uid.to_string();
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]);
            command.args(["/usr/bin/python3", "-I", "-S", "-c", LISTENED]).arg(world.shim());
            command.args(["-q", "--policy", &policy]).args(options);
            command.args(["--", "sh", "-c", "echo started"]).current_dir(world.path("~/work"));
            command.env("HOME", world.home()).stdin(Stdio::null()).output().unwrap()
        };
        let refused = run(&[]);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(125), "{told}");
        assert!(refused.stdout.is_empty(), "something was started");
        assert!(told.contains("--mode kernel") && told.contains("already answers"), "{told}");
        let weaker = run(&["--mode", "kernel"]);
        let told = String::from_utf8_lossy(&weaker.stderr).into_owned();
        assert_eq!(weaker.stdout, b"started\n", "{told}");
        assert!(told.contains("not enforced in kernel mode"), "{told}");
    });
}
