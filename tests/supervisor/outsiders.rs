//! What is denied before any rule is asked: the `/proc/PID` of processes outside, wherever opens go on in the kernel,
//! whether they are logged, and whoever enforces.

use std::process::{Child, Command, Stdio};

use crate::support::{CANARY, User, World, for_every_user};

const LOGGING: [&str; 2] = ["", "logging: { log_denials: false }\n"];
const FILES: [&str; 8] =
    ["cmdline", "status", "stat", "comm", "limits", "cgroup", "environ", "task/{pid}/cmdline"];

/// A process of the same user outside, with the canary among its arguments.
struct Outsider(Child);

impl Outsider {
    fn start(user: User) -> Outsider {
        let uid = user.uid.to_string();
        let mut words = vec!["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups"];
        if !user.is_other() {
            words.clear();
        }
        words.extend(["cat", "-", CANARY]);
        let mut command = Command::new(words[0]);
        let child = command.args(&words[1..]).stdin(Stdio::piped()).spawn().unwrap();
        let outsider = Outsider(child);
        // It is what it will be: setpriv has become cat.
        let name = format!("/proc/{}/comm", outsider.0.id());
        while std::fs::read(&name).unwrap() != b"cat\n" {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        outsider
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn policy(world: &World, logging: &str) {
    world.policy("allowed_paths: ['~/work']");
    let text = world.read("~/policy.yaml");
    world.write("~/policy.yaml", text + logging);
}

#[test]
fn no_file_of_a_process_outside_is_read_in_any_mode_and_ones_own_are() {
    for_every_user(|world| {
        let outsider = Outsider::start(world.user);
        let pid = outsider.0.id();
        for logging in LOGGING {
            policy(&world, logging);
            for mode in ["auto", "supervised", "kernel"] {
                let mut table = String::new();
                for file in FILES {
                    let file = file.replace("{pid}", &pid.to_string());
                    table += &format!("read /proc/{pid}/{file} EACCES\n");
                }
                table += &format!("list /proc/{pid} EACCES\nlist /proc/{pid}/task EACCES\n");
                for own in ["cmdline", "status", "stat", "comm", "limits", "maps"] {
                    table += &format!("read /proc/self/{own} ok\n");
                }
                table += "read /proc/thread-self/status ok\n";
                table += "read /proc/meminfo ok\nread /proc/sys/kernel/ostype ok\n";
                table += "read ~/work/note ok\n";
                world.confined().args(["--mode", mode]).expect(&world, &table);
            }
        }
    });
}

#[test]
fn a_path_rewritten_to_lead_to_a_process_outside_reads_nothing_of_it() {
    let user = User::ordinary();
    let outsider = Outsider::start(user);
    let world = World::new(user);
    let forbidden = format!("/proc/{}/cmdline", outsider.0.id());
    let allowed = world.text("~/work/note");
    let program = world.outsiders();
    let words = |count: &str| {
        let program = program.to_str().unwrap();
        [program, &allowed, &forbidden, count].map(str::to_owned)
    };
    let leaked = |output: &str| {
        let field = output.split_whitespace().find_map(|word| word.strip_prefix("leaked="));
        field.unwrap_or_else(|| panic!("the race ended early: {output}")).parse::<u64>().unwrap()
    };
    let bare = world.bare(&program).args(&words("20000")[1..]).output().unwrap();
    let bare = String::from_utf8_lossy(&bare.stdout).into_owned();
    assert!(leaked(&bare) > 0, "the race is not won even without the shim: {bare}");
    for logging in LOGGING {
        policy(&world, logging);
        let ran = world.confined().command(words("20000")).works();
        assert_eq!(leaked(&ran.stdout), 0, "{ran:#?}");
        assert!(!ran.stdout.contains("opened=0 "), "the allowed neighbour: {ran:#?}");
    }
}

#[test]
fn a_child_reads_its_own_part_of_proc_and_that_of_its_parent() {
    for_every_user(|world| {
        for logging in LOGGING {
            policy(&world, logging);
            let ran = world.sh("cat /proc/self/comm; cat /proc/$$/comm; cat /proc/$PPID/comm");
            assert_eq!(ran.stdout, "cat\nsh\n", "{ran:#?}");
            assert!(ran.stderr.contains("Permission denied"), "{ran:#?}");
        }
    });
}

#[test]
fn the_kernel_tells_nothing_of_processes_outside_by_netlink() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        // NETLINK_CONNECTOR, also with bits that the kernel does not read; NETLINK_ROUTE is the neighbour.
        let program = "import socket, errno
def made(kind, protocol):
    try: socket.socket(16, kind, protocol); print('made')
    except OSError as error: print(errno.errorcode[error.errno])
made(2, 11)
made(3, 11)
made(2 | 0o2000000, 11)
made(3, 0)";
        let ran = world.confined().command(["/usr/bin/python3", "-I", "-c", program]);
        assert_eq!(ran.stdout, "EACCES\nEACCES\nEACCES\nmade\n", "{ran:#?}");
    });
}
