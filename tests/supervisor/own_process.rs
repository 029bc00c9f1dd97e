//! /proc and the target's own processes: `self` is the target, never the supervisor, and outsiders are closed.

use crate::support::{CANARY, for_every_user};

const OWN: &str = "auxv,maps,status,environ";

#[test]
fn everything_of_proc_self_is_the_targets_own() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        let places = [
            "/proc/self",
            "/proc/thread-self",
            "/proc/{pid}",
            "/proc/{pid}/task/{tid}",
            "/proc/self/task/{tid}",
            "/proc/self/root/proc/self",
        ];
        let mut table = String::new();
        for who in ["", "child ", "thread ", "child-fs ", "child-files "] {
            for place in places {
                table.push_str(&format!("{who}own {place} {OWN}\n"));
            }
        }
        world.answers(&table);
    });
}

#[test]
fn the_environment_of_proc_is_the_commands() {
    for_every_user(|world| {
        // What the shim was started with and the command was not given.
        let text = "
security:
  file_access: { presets: [system], allowed_paths: ['~/work'], blocked_paths: ['**/.env'] }
  environment: { remove: [PLANTED] }
";
        world.write("~/policy.yaml", text);
        let script = "
import os, threading
def look(path):
    data = open(path, 'rb').read()
    print('leak' if b'PLANTED' in data else 'own' if b'GIVEN' in data else 'empty')
for path in ('/proc/self/environ', f'/proc/{os.getpid()}/environ', '/proc/thread-self/environ', '/proc/self/task/%d/environ' % os.getpid()):
    look(path)
thread = threading.Thread(target=look, args=('/proc/thread-self/environ',))
thread.start(); thread.join()
child = os.fork()
if child == 0:
    look('/proc/self/environ')
    look(f'/proc/{os.getppid()}/environ')
    os._exit(0)
os.waitpid(child, 0)
print(os.readlink('/proc/self/exe').split('/')[-1][:6], open('/proc/self/comm').read().strip()[:6])
";
        let ran = world
            .confined()
            .args(["--mode", "supervised"])
            .env("PLANTED", CANARY)
            .env("GIVEN", "given")
            .command(["/usr/bin/python3", "-I", "-S", "-u", "-c", script])
            .works();
        assert_eq!(ran.stdout, format!("{}python python\n", "own\n".repeat(7)), "{ran:#?}");
    });
}

#[test]
fn processes_outside_the_target_are_closed_and_those_inside_are_not() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        let outsider = std::process::id();
        let mut table = String::new();
        for pid in [outsider.to_string(), "1".to_owned()] {
            for name in
                ["environ", "maps", "mem", "auxv", "cwd/note", "root/etc/passwd", "fd/0", "exe"]
            {
                table.push_str(&format!("openat /proc/{pid}/{name} O_RDONLY 0 EACCES|ENOENT\n"));
            }
            table.push_str(&format!("openat /proc/{pid}/status O_RDONLY 0 EACCES\n"));
            table.push_str(&format!("openat /proc/{pid}/task/{pid}/environ O_RDONLY 0 EACCES\n"));
            table.push_str(&format!(
                "openat /proc/self/root/proc/{pid}/environ O_RDONLY 0 EACCES\n"
            ));
            table.push_str(&format!("openat /proc/self/../{pid}/environ O_RDONLY 0 EACCES\n"));
            table.push_str(&format!("openat /proc/{pid} O_PATH 0 >a ok\n"));
            table.push_str("openat@fd:%a environ O_RDONLY 0 EACCES\n");
        }
        // The supervisor, whoever it is: the parent of the command.
        table.push_str("openat /proc/{ppid}/environ O_RDONLY 0 EACCES\n");
        table.push_str("openat /proc/{ppid}/mem O_RDWR 0 EACCES\n");
        table.push_str("openat /proc/{ppid}/fd/0 O_RDONLY 0 EACCES|ENOENT\n");
        table.push_str("child openat /proc/{ppid}/environ O_RDONLY 0 ok\n");
        table.push_str("openat /proc/{pid}/environ O_RDONLY 0 ok\n");
        table.push_str("openat /proc/999999999/environ O_RDONLY 0 ENOENT\n");
        world.answers(&table);
    });
}

#[test]
fn its_own_threads_are_slowed_limited_and_bound_and_no_others() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        let outsider = std::process::id();
        world.answers(&format!(
            "
            affinity    0                                 ok
            affinity    {{pid}}                           ok
            thread affinity {{tid}}                       ok
            thread affinity {{pid}}                       ok
            affinity    {outsider}                        EPERM
            affinity    1                                 EPERM
            priority    0                                 ok
            priority    {{pid}}                           ok
            thread priority {{tid}}                       ok
            priority    {outsider}                        EPERM
            limit       0                                 ok
            limit       {{pid}}                           ok
            thread limit {{pid}}                          ok
            limit       {outsider}                        EPERM
            limit       999999999                         ESRCH|EPERM
            "
        ));
    });
}

#[test]
fn a_process_that_is_not_dumpable_is_still_judged_and_still_works() {
    for_every_user(|world| {
        world.write("~/work/.env", CANARY);
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        world.answers(
            "
            dumpable    0                                 ok
            cat         ~/work/note                       note
            openat      ~/work/.env O_RDONLY 0            EACCES
            openat      ~/work/new O_WRONLY|O_CREAT 0600  ok
            mkdir       ~/work/dir 0755                   ok
            chmod       ~/work/.env 0600                  EACCES
            chmod       ~/work/note 0600                  ok
            own         /proc/self                        auxv,maps,status,environ
            child cat   ~/work/note                       note
            child openat ~/work/.env O_RDONLY 0           EACCES
            execve      /usr/bin/true                     ok
            dumpable    1                                 ok
            dumpable    7                                 EINVAL
            cat         ~/work/note                       note
            ",
        );
    });
}

/// The number of another process may have become an outsider's by the time it is used: a row in docs/limits.md.
#[test]
fn a_process_slows_and_limits_itself_and_no_other_by_number() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        world.answers(
            "
            child affinity {ppid}                         EPERM
            child priority {ppid}                         EPERM
            child limit {ppid}                            EPERM
            ",
        );
    });
}

/// `/proc/self` is the target's in every way to open it: this process's own would be the supervisor's.
#[test]
fn rules_for_the_way_of_openat2_lead_to_nothing_of_the_supervisor() {
    for_every_user(|world| {
        world.policy(
            "allowed_paths: ['~/work', { path: '/proc', access: rw }]\nblocked_paths: ['**/.env']",
        );
        let mut table = String::new();
        for flags in ["O_RDONLY", "O_RDONLY|O_CREAT", "O_RDWR|O_CREAT"] {
            for rule in ["RESOLVE_NO_MAGICLINKS", "RESOLVE_NO_XDEV", "RESOLVE_IN_ROOT"] {
                for name in ["maps", "mem", "environ", "status", "fdinfo/3"] {
                    let mode = if flags.contains("CREAT") { "0600" } else { "0" };
                    for path in ["/proc/self/task/{ppid}", "/proc/{ppid}"] {
                        let row = format!(
                            "openat2 {path}/{name} {flags},{mode},{rule} EACCES|ENOENT|EXDEV\n"
                        );
                        table.push_str(&row);
                    }
                }
            }
        }
        table.push_str("openat2 ~/work/note O_RDONLY|O_CREAT,0600,RESOLVE_NO_MAGICLINKS ok\n");
        world.answers(&table);
    });
}
