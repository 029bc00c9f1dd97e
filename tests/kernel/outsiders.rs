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
