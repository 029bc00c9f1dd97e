//! Processes outside the target: not read, not traced, not signalled, not limited.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Child, Command, Stdio};

use crate::support::{CANARY, World, for_every_user};

/// A process of the same user, outside, with a canary in its environment.
struct Outsider(Child);

impl Outsider {
    fn start(world: &World) -> Outsider {
        let uid = world.user.uid.to_string();
        let mut command = match world.user == crate::support::User::current() {
            true => Command::new("cat"),
            false => Command::new("setpriv"),
        };
        if world.user != crate::support::User::current() {
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "cat"]);
        }
        let command = command.env("SECRET", CANARY).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It is what it will be when it answers.
        use std::io::{Read, Write};
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Outsider(child)
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_memory_and_environment_of_a_process_outside_are_closed() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let outsider = Outsider::start(&world);
        let pid = outsider.0.id();
        world.expect(&format!(
            "
            read        /proc/{pid}/environ               EACCES
            read        /proc/{pid}/mem                   EACCES
            read        /proc/{pid}/maps                  EACCES
            memory      {pid}                             EACCES
            read        /proc/{pid}/root{{home}}/work/note EACCES
            read        /proc/{pid}/cwd/note              EACCES
            read        /proc/{pid}/exe                   EACCES
            readlink    /proc/{pid}/exe                   EACCES
            read        /proc/{pid}/fd/0                  EACCES
            steal       {pid}                             EPERM
            steal       {{self}}                          ok
            read        /proc/self/environ                ok
            read        /proc/self/maps                   ok
            read        /proc/self/root{{home}}/work/note ok
            "
        ));
    });
}

#[test]
fn a_process_outside_is_not_signalled_limited_or_slowed() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let mut outsider = Outsider::start(&world);
        let pid = outsider.0.id();
        world.expect(&format!(
            "
            kill        {pid} 0                           EPERM
            kill        {pid} 9                           EPERM
            kill        -1 0                              ok|EPERM
            affinity    {pid}                             EPERM
            priority    {pid}                             EPERM
            kill        {{self}} 0                        ok
            affinity    0                                 ok
            priority    0                                 ok
            "
        ));
        assert!(outsider.is_alive());
    });
}

#[test]
fn limits_of_a_process_outside_stay_and_own_limits_change() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let mut outsider = Outsider::start(&world);
        let script = format!(
            "import resource, errno
try:
    resource.prlimit({}, resource.RLIMIT_CPU, (1, 1))
except OSError as error:
    print(errno.errorcode[error.errno])
resource.prlimit(0, resource.RLIMIT_NOFILE, (64, 64))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])",
            outsider.0.id()
        );
        let ran = world.confined().command(["/usr/bin/python3", "-I", "-S", "-c", &script]);
        assert_eq!(ran.works().stdout, "EPERM\n64\n");
        assert!(outsider.is_alive());
    });
}

#[test]
fn an_abstract_socket_outside_is_out_of_reach_and_one_inside_works() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let name = format!("clawtest-{}-{}", std::process::id(), world.user.uid);
        let _outside =
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        world.expect(&format!(
            "
            abstract-connect {name}                       EPERM
            abstract-connect {name}-none                  ECONNREFUSED
            abstract-pair {name}-inside                   ok
            "
        ));
    });
}

/// glibc sets the processors of a new thread from the old one (OpenMP with OMP_PROC_BIND), and the JVM priorities.
#[test]
fn threads_of_one_process_set_scheduling_for_each_other_and_for_nobody_else() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let mut outsider = Outsider::start(&world);
        let script = format!(
            "
import ctypes, errno, os, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, act):
    try: act(); print(name, 'ok', flush=True)
    except OSError as error: print(name, errno.errorcode[error.errno], flush=True)
def called(*arguments):
    if libc.syscall(*arguments) < 0: raise OSError(ctypes.get_errno(), '')
IOPRIO_SET = {{'x86_64': 251, 'aarch64': 30}}[os.uname().machine]
SETATTR = {{'x86_64': 314, 'aarch64': 274}}[os.uname().machine]
def every(name, it):
    some = {{min(os.sched_getaffinity(0))}}
    attempt(name + ' affinity', lambda: os.sched_setaffinity(it, some))
    attempt(name + ' priority', lambda: os.setpriority(os.PRIO_PROCESS, it, 3))
    attempt(name + ' io', lambda: called(IOPRIO_SET, 1, it, 2 << 13 | 6))
    attempt(name + ' scheduler', lambda: os.sched_setscheduler(it, os.SCHED_BATCH, os.sched_param(0)))
    attempt(name + ' parameters', lambda: os.sched_setparam(it, os.sched_param(0)))
    attributes = (ctypes.c_uint32 * 12)(48, 3, 0, 0, 4)
    attempt(name + ' attributes', lambda: called(SETATTR, it, attributes, 0))
over = threading.Event()
thread = threading.Thread(target=over.wait); thread.start()
it = thread.native_id
every('thread', it)
one = {{min(os.sched_getaffinity(0))}}
print(os.sched_getaffinity(it) == one, os.getpriority(os.PRIO_PROCESS, it), os.sched_getscheduler(it) == os.SCHED_BATCH)
attempt('bad address', lambda: called({{'x86_64': 203, 'aarch64': 122}}[os.uname().machine], it, 8, 1))
attempt('no policy', lambda: os.sched_setscheduler(it, 99, os.sched_param(0)))
over.set(); thread.join()
attempt('gone', lambda: os.setpriority(os.PRIO_PROCESS, it, 3))
every('outsider', {})
child = os.fork()
if child == 0: os.read(os.pipe()[0], 1)
attempt('child', lambda: os.setpriority(os.PRIO_PROCESS, child, 3))
os.kill(child, 9)
",
            outsider.0.id()
        );
        let ran = world
            .confined()
            .args(["--mode", "supervised"])
            .command(["/usr/bin/python3", "-I", "-S", "-c", &script])
            .works();
        let each = |who: &str, outcome: &str| {
            ["affinity", "priority", "io", "scheduler", "parameters", "attributes"]
                .map(|what| format!("{who} {what} {outcome}\n"))
                .concat()
        };
        let expected = each("thread", "ok")
            + "True 4 True\nbad address EFAULT\nno policy EINVAL\ngone EPERM\n"
            + &each("outsider", "EPERM")
            + "child EPERM\n";
        assert_eq!(ran.stdout, expected, "{ran:#?}");
        assert!(outsider.is_alive());
    });
}
