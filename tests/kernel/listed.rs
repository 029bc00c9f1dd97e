//! `ps` and `stop`: what runs is listed, and ends as a whole, when a person says so and never when the target does.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::running::{Running, children, each, eventually, script, signal, stat, state};
use crate::support::{Ran, World};

/// Where entries are.
const ENTRIES: &str = "~/.local/state/clawguard/run";

/// `stop` promises an end; this is more than any of these should take.
const IN_TIME: Duration = Duration::from_secs(15);

fn ps(world: &World) -> Vec<Value> {
    world.shim_with(["ps", "--json"]).run().works().json_lines()
}

fn stop<const N: usize>(world: &World, arguments: [&str; N]) -> Ran {
    let started = Instant::now();
    let ran = world.shim_with(["stop"]).args(arguments).run();
    assert!(started.elapsed() < IN_TIME, "{:?}: {ran:#?}", started.elapsed());
    ran
}

#[track_caller]
fn listed(world: &World, run: &Running) -> Value {
    eventually("it is listed", || ps(world).len() == 1);
    let row = ps(world).remove(0);
    assert_eq!(row["pid"], run.guardian());
    row
}

fn entries(world: &World) -> Vec<PathBuf> {
    if world.has(ENTRIES) { world.tree(ENTRIES) } else { Vec::new() }
}

fn gone(pids: &[u32]) -> bool {
    pids.iter().all(|pid| matches!(state(*pid).as_str(), "gone" | "Z"))
}

/// All that a process started, itself included.
fn family(of: u32) -> Vec<u32> {
    let mut all = vec![of];
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        all.extend(children(*pid));
        at += 1;
    }
    all
}

#[test]
fn a_run_is_listed_with_its_policy_its_command_and_its_denials() {
    each(|world| {
        assert!(ps(&world).is_empty());
        let run = Running::start(script(
            &world,
            "cat {home}/secret/key 2>&-; echo ready; read go; cat {home}/secret/key 2>&-; sleep 300",
        ));
        let row = listed(&world, &run);
        assert_eq!(row["command_pid"], run.command);
        assert_eq!(row["policy"], world.text("~/policy.yaml"));
        assert_eq!(row["mode"], "supervised");
        assert_eq!(row["presets"], serde_json::json!(["system"]));
        assert_eq!(row["arguments"][1], "-c");
        assert_eq!(row["journal"], world.text("~/.local/state/clawguard/journal.jsonl"));
        assert_eq!(row["processes"], 1);
        assert_eq!(row["uid"], world.user.uid);
        let since = row["since"].as_str().unwrap();
        assert!(since.ends_with('Z') && since.len() == 24, "{since}");
        let denials = |row: &Value| row["denials"].as_u64().unwrap();
        assert_eq!(denials(&row), 1);
        let mut run = run;
        std::io::Write::write_all(run.child.stdin.as_mut().unwrap(), b"go\n").unwrap();
        eventually("the second denial is counted", || denials(&ps(&world)[0]) == 2);
        let seen = world.shim_with(["ps"]).run().works();
        assert!(
            seen.stdout.contains("2 denials") && seen.stdout.contains("policy.yaml"),
            "{seen:#?}"
        );
        stop(&world, ["--all", "--now"]).works();
        assert!(ps(&world).is_empty() && entries(&world).is_empty());
        run.end();
        world.shim_with(["ps"]).run().works().says(["nothing runs confined now"]);
    });
}

#[test]
fn a_stopped_run_is_gone_as_a_whole() {
    each(|world| {
        let daemon = "setsid sh -c '(trap \"\" TERM HUP; sleep 300; sleep 300) & exit' & \
                      setsid setsid -f sleep 300; trap : TERM; sleep 300 & echo ready; \
                      while :; do wait; done";
        let run = Running::start(script(&world, daemon));
        listed(&world, &run);
        eventually("all run", || family(run.supervisor).len() >= 6);
        let all = family(run.guardian());
        let ran = stop(&world, ["--grace", "0.3", &run.guardian().to_string()]).works();
        assert!(ran.stdout.contains(&format!("{}: ended, ", run.guardian())), "{ran:#?}");
        assert!(gone(&all), "{all:?}");
        let mut run = run;
        // The command itself would not go.
        assert_eq!(run.child.wait().unwrap().signal(), Some(9));
        let journal = world.read("~/.local/state/clawguard/journal.jsonl");
        assert!(
            journal.lines().last().unwrap().contains(r#""event":"ended","signal":9"#),
            "{journal}"
        );
        assert!(entries(&world).is_empty());
    });
}

#[test]
fn a_run_that_heeds_the_first_signal_ends_by_it_without_waiting() {
    each(|world| {
        let run = Running::start(script(
            &world,
            "cat {home}/secret/key 2>&-; trap 'echo tidy; exit 7' TERM; sleep 300 & echo ready; wait",
        ));
        listed(&world, &run);
        let started = Instant::now();
        stop(&world, ["--grace", "10", &run.guardian().to_string()]).works();
        assert!(started.elapsed() < Duration::from_secs(5));
        let (rest, status) = run.end();
        assert_eq!((rest.as_str(), status.code()), ("tidy\n", Some(7)));
    });
}

#[test]
fn any_process_of_a_run_names_it_and_no_other_does() {
    each(|world| {
        let run =
            || Running::start(script(&world, "setsid sleep 300 & echo ready; exec sleep 300"));
        let (one, other) = (run(), run());
        eventually("both are listed", || ps(&world).len() == 2);
        let ran = stop(&world, ["1"]).ends(125);
        let ran = ran.says(["process 1 is of no run of yours", &one.guardian().to_string()]);
        assert!(ran.stderr.contains(&other.guardian().to_string()), "{ran:#?}");
        let detached = children(one.supervisor).into_iter().find(|pid| *pid != one.command);
        let daemon = detached.or_else(|| children(one.command).first().copied()).unwrap();
        stop(&world, ["--now", &daemon.to_string()]).works();
        assert!(gone(&[one.guardian(), one.supervisor, one.command, daemon]));
        assert_eq!(ps(&world).len(), 1);
        stop(&world, ["--now", &other.supervisor.to_string()]).works();
        assert!(gone(&[other.guardian(), other.supervisor, other.command]));
        stop(&world, []).ends(125).says(["stop what?"]);
        stop(&world, ["--all"]).works().says(["nothing runs confined now"]);
        drop((one.end(), other.end()));
    });
}

#[test]
fn a_stopped_command_and_a_stopped_supervisor_end_too() {
    each(|world| {
        let start = || {
            let text = "setsid sleep 300 & echo ready; exec sleep 300";
            let run = Running::start(script(&world, text));
            listed(&world, &run);
            run
        };
        let run = start();
        signal(19, run.command);
        eventually("it is stopped", || state(run.command) == "T");
        let mut run = run;
        stop(&world, ["--grace", "5", &run.guardian().to_string()]).works();
        assert_eq!(run.child.wait().unwrap().signal(), Some(15));

        let run = start();
        let all = family(run.guardian());
        signal(19, run.supervisor);
        eventually("it is stopped", || state(run.supervisor) == "T");
        let row = world.shim_with(["ps"]).run().works();
        assert!(row.stdout.contains("does not answer"), "{row:#?}");
        let ran = stop(&world, ["--now", &run.guardian().to_string()]).works();
        assert!(ran.stdout.contains("its supervisor did not answer"), "{ran:#?}");
        assert!(gone(&all), "{all:?}");
        run.end();
        assert!(ps(&world).is_empty());
        assert!(entries(&world).is_empty(), "the entry of a dead run is removed by who looks");
    });
}

/// Forty processes that ignore SIGTERM and are each replaced by a child before anybody can look at them.
const HOPPING: &str = "
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(40):
    if os.fork() == 0:
        while True:
            if os.fork() != 0:
                os._exit(0)
            os.setsid()
print('ready', flush=True)
signal.pause()
";

#[test]
fn processes_that_fork_without_pause_are_ended_in_bounded_time() {
    each(|world| {
        let shim = world.confined().args(["--mode", "supervised", "--"]);
        let run = Running::start(shim.args(["/usr/bin/python3", "-I", "-S", "-c", HOPPING]));
        eventually("it is listed", || ps(&world).len() == 1);
        stop(&world, ["--grace", "0.2", &run.guardian().to_string()]).works();
        let left = || {
            let entries = std::fs::read_dir("/proc").unwrap().flatten();
            let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
            let own = format!("CLAWGUARD_PID={}", run.guardian());
            let is_own = |pid: &u32| {
                std::fs::read(format!("/proc/{pid}/environ"))
                    .is_ok_and(|all| all.split(|&byte| byte == 0).any(|one| one == own.as_bytes()))
            };
            pids.filter(is_own).count()
        };
        assert_eq!(left(), 0);
        run.end();
    });
}

/// What the target tries against its own run, and that it goes on.
const ATTACKS: &str = "
import errno, os, signal, socket, subprocess, sys
state, guardian, shim = sys.argv[1], int(sys.argv[2]), sys.argv[3]
entries = state + '/run'
def refused(act, *kinds):
    try:
        act()
    except OSError as error:
        assert error.errno in kinds, error
        return
    raise SystemExit('done: ' + repr(act))
def connect(path, kind=socket.SOCK_SEQPACKET):
    socket.socket(socket.AF_UNIX, kind).connect(path)
def bind(path):
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind(path)
# Names are not secret where the directory may be listed; here it may be searched.
entry = entries + '/' + sys.argv[4]
refused(lambda: connect(entry), errno.EACCES)
os.symlink(entry, 'link') if not os.path.lexists('link') else None
refused(lambda: connect('link'), errno.EACCES)
fd = os.open(entry, os.O_PATH)
refused(lambda: connect('/proc/self/fd/%d' % fd), errno.EACCES)
os.chdir(entries)
refused(lambda: connect(sys.argv[4]), errno.EACCES)
refused(lambda: os.unlink(sys.argv[4]), errno.EACCES)
refused(lambda: os.rename(sys.argv[4], 'x'), errno.EACCES)
refused(lambda: bind('1-1.sock'), errno.EACCES)
refused(lambda: os.open('1-1.json', os.O_CREAT | os.O_WRONLY), errno.EACCES)
refused(lambda: os.rename(entries, state + '/other'), errno.EACCES)
refused(lambda: os.chmod(entry, 0o777), errno.EACCES)
os.chdir(sys.argv[5])
refused(lambda: os.kill(guardian, signal.SIGTERM), errno.EPERM)
refused(lambda: os.kill(os.getppid(), signal.SIGKILL), errno.EPERM)
done = subprocess.run([shim, 'stop', '--all'], capture_output=True)
assert done.returncode == 125 and b'confined by clawguard' in done.stderr, done
done = subprocess.run([shim, 'ps'], capture_output=True)
assert done.returncode == 125 and not done.stdout, done
# The neighbour works.
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind('own.sock')
server.listen()
connect('own.sock')
print('ready', flush=True)
signal.pause()
";

#[test]
fn the_target_can_neither_ask_nor_stop_nor_fake_a_run() {
    each(|world| {
        let state = world.text("~/.local/state/clawguard");
        // Everything is allowed but what the guards hold.
        world.policy(
            "allowed_paths: ['~', '~/.local/state/clawguard', {path: '{root}/bin', access: rx}]",
        );
        let text = world.read("~/policy.yaml").replace("{root}", world.root().to_str().unwrap());
        world.write("~/policy.yaml", text);
        world.write("~/work/attacks.py", ATTACKS);
        let start = "n=0; while :; do for e in {home}/.local/state/clawguard/run/*.sock; do \
                     [ -S \"$e\" ] && break 2; done; sleep 0.01; done; \
                     exec /usr/bin/python3 -I -S attacks.py {home}/.local/state/clawguard $CLAWGUARD_PID \
                     {root}/bin/clawguard-exec \"${e##*/}\" {home}/work";
        let run = Running::start(script(&world, start));
        let row = listed(&world, &run);
        assert_eq!(row["processes"], 1);
        assert_eq!(entries(&world).len(), 1, "{state}");
        assert!(matches!(stat(run.command).unwrap()[0].as_str(), "S" | "R"));
        stop(&world, ["--all"]).works();
        run.end();
    });
}

#[test]
fn a_run_in_kernel_mode_is_listed_and_ended_with_what_it_left() {
    each(|world| {
        let start = |text: &str| {
            let shim = world.confined().args(["--mode", "kernel", "--", "sh", "-c", text]);
            let mut child = shim.start();
            eventually("it is listed", || ps(&world).len() == 1);
            (child.id(), child.stdout.take().unwrap(), child)
        };
        let (pid, _, mut child) =
            start("setsid sleep 300 & trap '' TERM; while :; do sleep 300; done");
        eventually("all run", || ps(&world)[0]["processes"] == 3);
        let row = ps(&world).remove(0);
        assert_eq!((&row["pid"], &row["command_pid"]), (&Value::from(pid), &Value::from(pid)));
        assert_eq!((&row["mode"], &row["denials"]), (&Value::from("kernel"), &Value::Null));
        let all = family(pid);
        stop(&world, ["--grace", "0.3", &pid.to_string()]).works();
        assert!(gone(&all), "{all:?}");
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(ps(&world).is_empty() && entries(&world).is_empty());

        // What outlives the command is found by what it was told at its start.
        let (pid, _, mut child) = start("setsid sleep 300 >&- 2>&- <&- & sleep 0.2");
        child.wait().unwrap();
        let row = ps(&world).remove(0);
        assert_eq!((&row["pid"], &row["processes"]), (&Value::from(pid), &Value::from(1)));
        let left = u32::try_from(row["command_pid"].as_u64().unwrap()).unwrap();
        stop(&world, ["--all"]).works();
        assert!(gone(&[left]) && ps(&world).is_empty());
    });
}

/// Connects to each socket that it is given and asks for the end of the run behind it.
const STOPS: &str = "
import socket, sys
for name in sys.argv[1:]:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.settimeout(5)
    peer.connect(name)
    try:
        peer.send(b'{\"ask\":\"stop\",\"grace_ms\":0}')
        print('answer', peer.recv(4096))
    except (BrokenPipeError, ConnectionResetError):
        print('answer', b'')
";

/// Before Landlock ABI 9 nothing keeps a target in kernel mode from connecting to the sockets of its user.
#[test]
fn a_target_in_kernel_mode_does_not_stop_another_run() {
    each(|world| {
        let mut run = Running::start(script(&world, "echo ready; exec sleep 300"));
        listed(&world, &run);
        let entry = entries(&world).remove(0);
        let python = ["/usr/bin/python3", "-I", "-S", "-c", STOPS];
        let shim = world.confined().args(["--mode", "kernel", "--"]).args(python).args([&entry]);
        let ran = shim.run();
        // From ABI 9 on Landlock itself refuses the connection.
        let is_refused = ran.stderr.contains("PermissionError");
        assert!(is_refused || ran.stdout == "answer b''\n", "{ran:#?}");
        assert!(run.child.try_wait().unwrap().is_none() && state(run.command) == "S");
        // The same, outside, is heard: so it was for who asked.
        let user = world.user.uid.to_string();
        let words: &[&str] = match world.user.is_other() {
            true => &["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"],
            false => &["env"],
        };
        let mut asks = std::process::Command::new(words[0]);
        let asked = asks.args(&words[1..]).args(python).arg(&entry).output().unwrap();
        assert!(String::from_utf8_lossy(&asked.stdout).contains("ended"), "{asked:?}");
        assert_eq!(run.child.wait().unwrap().signal(), Some(9));
    });
}

#[test]
fn entries_of_runs_that_are_gone_are_removed_and_strange_ones_are_not_believed() {
    each(|world| {
        let run = Running::start(script(&world, "echo ready; exec sleep 300"));
        listed(&world, &run);
        signal(19, run.supervisor);
        signal(9, run.guardian());
        signal(9, run.supervisor);
        run.end();
        assert_eq!(entries(&world).len(), 1);
        eventually("it is forgotten", || ps(&world).is_empty() && entries(&world).is_empty());

        // A process that is no run of ours, under a name and with contents that say so.
        let mut innocent = std::process::Command::new("sleep").arg("300").spawn().unwrap();
        let start = &stat(innocent.id()).unwrap()[19];
        let name = format!("{ENTRIES}/{}-{start}.json", innocent.id());
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let namespace =
            std::os::unix::fs::MetadataExt::ino(&std::fs::metadata("/proc/self/ns/pid").unwrap());
        let about = serde_json::json!({
            "version": "1", "policy": "", "mode": "kernel", "presets": [], "arguments": [],
            "journal": null, "since_ms": 0, "boot": boot.trim(), "namespace": namespace
        });
        world.write(&name, about.to_string());
        // A link to a socket that somebody else serves.
        let server = std::os::unix::net::UnixListener::bind(world.path("~/other.sock")).unwrap();
        server.set_nonblocking(true).unwrap();
        world.symlink("~/other.sock", &format!("{ENTRIES}/{}-1.sock", innocent.id()));
        world.write(&format!("{ENTRIES}/notes"), "left alone");
        assert!(ps(&world).is_empty());
        stop(&world, ["--all", "--now"]).works();
        stop(&world, [&innocent.id().to_string()]).ends(125);
        assert!(server.accept().is_err(), "a planted link was followed");
        assert!(innocent.try_wait().unwrap().is_none(), "a process that is no run was ended");
        assert!(world.has(&format!("{ENTRIES}/notes")));
        innocent.kill().unwrap();
        innocent.wait().unwrap();
    });
}

#[test]
fn entries_that_runs_in_kernel_mode_leave_do_not_pile_up() {
    each(|world| {
        for _ in 0..20 {
            world.confined().args(["--mode", "kernel"]).command(["true"]).works();
        }
        let left = entries(&world).len();
        assert!((1..=18).contains(&left), "{left}");
    });
}

#[test]
fn a_run_that_cannot_be_listed_goes_on_and_says_so_once() {
    each(|world| {
        world.write("~/.local/state/clawguard/run", "no directory");
        let ran = script(&world, "sleep 0.2; echo went on").run().works().prints(["went on"]);
        assert_eq!(ran.stderr.matches("will not know of this run").count(), 1, "{ran:#?}");
        let ran = world.confined().args(["--mode", "kernel"]).command(["true"]).works();
        assert_eq!(ran.stderr.matches("will not know of this run").count(), 1, "{ran:#?}");
        // One that others may write to could name any process.
        std::fs::remove_file(world.path(ENTRIES)).unwrap();
        world.mkdir(ENTRIES);
        world.chmod(ENTRIES, 0o777);
        let ran = script(&world, "sleep 0.2").run().works();
        assert!(ran.stderr.contains("others may write to it"), "{ran:#?}");
        world.shim_with(["ps"]).run().ends(125).says(["others may write to it"]);
    });
}

#[test]
fn a_state_directory_with_a_long_name_holds_sockets_too() {
    each(|world| {
        let long = world.text(&format!("~/{}", "long-name/".repeat(30)));
        let shim = world.confined().env("XDG_STATE_HOME", &long);
        let run = Running::start(shim.args(["--", "sh", "-c", "echo ready; exec sleep 300"]));
        let ps = || world.shim_with(["ps", "--json"]).env("XDG_STATE_HOME", &long).run().works();
        eventually("it is listed", || ps().json_lines().len() == 1);
        let ran = world.shim_with(["stop", "--all", "--json"]).env("XDG_STATE_HOME", &long).run();
        let row = ran.works().json();
        assert_eq!((&row["ended"], &row["by_force"]), (&Value::from(1), &Value::from(false)));
        assert_eq!(row["left"], serde_json::json!([]));
        run.end();
    });
}

#[test]
fn everybodys_runs_are_roots_to_see() {
    let world = World::mine();
    let ran = world.shim_with(["ps", "--all-users"]).run();
    match world.user.uid {
        0 => drop(ran.works()),
        _ => drop(ran.ends(125).says(["only root"])),
    }
    let world = World::new(crate::support::User::ordinary());
    world.shim_with(["stop", "--all", "--all-users"]).run().ends(125).says(["only root"]);
}
