//! The shim as the parent of a supervised command: it ends as the command ended, and nothing of the command outlives it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::running::{Running, each, eventually, script, sh, signal, state};
use crate::support::World;

/// A bound for what has to compete with many; without an end it would take for ever.
const BEFORE_LONG: Duration = Duration::from_secs(30);

#[test]
fn the_exit_code_is_the_commands_own() {
    each(|world| {
        for code in [0, 1, 42, 125, 127, 255] {
            sh(&world, &format!("exit {code}")).ends(code);
        }
    });
}

#[test]
fn the_parent_sees_the_signal_that_ended_the_command_and_no_core_is_written() {
    each(|world| {
        for number in [1, 3, 9, 11, 15, 40] {
            let ran = script(&world, &format!("kill -{number} $$")).after("ulimit -c 0").run();
            assert_eq!(ran.signal(), number);
            assert!(!ran.status.core_dumped());
        }
    });
}

#[test]
fn a_command_that_cannot_run_is_told_apart_from_one_that_fails() {
    each(|world| {
        world.write("~/work/text", "no program");
        world.write("~/work/broken", "#!/etc\n");
        world.chmod("~/work/broken", 0o755);
        let run = |program: &str| {
            world.confined().args(["--mode", "supervised"]).command([world.text(program)])
        };
        run("~/work/none").ends(127).says(["not found"]);
        run("~/work/text").ends(126).says(["not an executable"]);
        run("~/work/broken").ends(126).says(["cannot execute the command"]);
        assert!(world.temporaries().is_empty());
    });
}

/// PTRACE_TRACEME makes the parent the tracer, and a tracer that lets nobody go on would hold the run for ever.
#[test]
fn a_command_that_makes_its_parent_its_tracer_goes_on_at_each_signal() {
    each(|world| {
        let traced = |act: &str| {
            let script = format!(
                "import ctypes, os, signal\n\
                 assert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0\n\
                 signal.signal(signal.SIGUSR1, lambda *_: print('heard', flush=True))\n\
                 {act}"
            );
            let command = ["/usr/bin/python3", "-I", "-S", "-c", &script];
            world.confined().args(["--mode", "supervised"]).command(command)
        };
        traced("os.execv('/bin/sh', ['sh', '-c', 'echo ran; exit 3'])").prints(["ran"]).ends(3);
        traced("os.kill(os.getpid(), signal.SIGUSR1); os._exit(4)").prints(["heard"]).ends(4);
        assert_eq!(traced("os.kill(os.getpid(), signal.SIGTERM)").signal(), 15);
    });
}

#[test]
fn what_the_command_leaves_is_ended_with_it() {
    each(|world| {
        let text = "sleep 300 & (sleep 301 &) & setsid sh -c 'sleep 302 & exec sleep 303' & \
                    setsid setsid -f sh -c 'trap \"\" TERM HUP; while :; do sleep 304; done' & \
                    sleep 0.3; cat >/dev/null; exit 3";
        let running = Running::start(script(&world, &format!("echo ready; {text}")));
        eventually("all run", || sleeping().len() == 5);
        let pids = sleeping();
        let mut running = running;
        drop(running.child.stdin.take());
        assert_eq!(running.child.wait().unwrap().code(), Some(3));
        for pid in pids {
            assert_eq!(state(pid), "gone");
        }
    });

    fn sleeping() -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_ours = |pid: &u32| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.starts_with(b"sleep\x0030"))
        };
        numbers.filter(is_ours).collect()
    }
}

#[test]
fn with_wait_all_the_last_one_is_waited_for() {
    each(|world| {
        let text = "(sleep 0.3; echo late) & setsid sh -c '(sleep 0.5; cat {home}/secret/key; echo last)' 2>&1 & exit 3";
        let text = world.text(text);
        let shim = world.confined().args(["--mode", "supervised", "--wait-all"]);
        let ran = shim.command(["sh", "-c", &text]).ends(3);
        assert!(ran.stdout.starts_with("late\n") && ran.stdout.ends_with("last\n"), "{ran:#?}");
        assert!(ran.stdout.contains("Permission denied"), "{ran:#?}");
    });
}

#[test]
fn with_wait_all_a_signal_ends_what_was_left() {
    each(|world| {
        let shim = world.confined().args(["--mode", "supervised", "--wait-all", "--"]);
        let mut child = shim.args(["sh", "-c", "sleep 300 & echo ready; exit 3"]).start();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        signal(15, child.id());
        assert_eq!(child.wait().unwrap().code(), Some(3));
    });
}

const FAMILY: &str = "setsid sh -c 'echo $$ >{home}/work/detached; exec sleep 300' & \
                      while [ ! -s {home}/work/detached ]; do sleep 0.01; done; echo ready; exec sleep 300";

fn family(world: &World) -> (Running, u32) {
    world.remove("~/work");
    world.mkdir("~/work");
    let running = Running::start(script(world, FAMILY));
    let detached = world.read("~/work/detached").trim().parse().unwrap();
    (running, detached)
}

#[test]
fn nothing_survives_the_guardian() {
    each(|world| {
        let (mut running, detached) = family(&world);
        signal(9, running.guardian());
        assert_eq!(running.child.wait().unwrap().signal(), Some(9));
        eventually("all are gone", || {
            [running.supervisor, running.command, detached].iter().all(|pid| state(*pid) == "gone")
        });
    });
}

#[test]
fn nothing_survives_the_supervisor() {
    each(|world| {
        let (mut running, detached) = family(&world);
        signal(9, running.supervisor);
        assert_eq!(running.child.wait().unwrap().code(), Some(125));
        for pid in [running.supervisor, running.command, detached] {
            assert_eq!(state(pid), "gone");
        }
        let mut errors = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(errors.contains("the supervisor died; everything was ended"), "{errors}");
        assert!(world.temporaries().is_empty());
    });
}

#[test]
fn nothing_survives_both() {
    each(|world| {
        let (mut running, detached) = family(&world);
        signal(19, running.guardian());
        signal(9, running.supervisor);
        signal(9, running.guardian());
        running.child.wait().unwrap();
        eventually("the command is gone", || state(running.command) == "gone");
        // Nobody was left to end it; it stays as confined as it was.
        let _ = Command::new("kill").arg("-9").arg(detached.to_string()).status();
    });
}

#[test]
fn a_fork_bomb_ends_with_the_command() {
    each(|world| {
        world.write("~/work/bomb.py", include_str!("bomb.py"));
        world.mkdir("~/work/sub");
        let text = "exec /usr/bin/python3 -I -S {home}/work/bomb.py";
        let mut child = script(&world, text).start();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let armed = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(5));
        // The supervisor is one of some two hundred that want a processor, beside the rest of the suite.
        assert!(armed.elapsed() < BEFORE_LONG, "{:?}", armed.elapsed());
        let generations = || std::fs::metadata(world.path("~/work/sub/alive")).unwrap().len();
        let seen = generations();
        assert!(line == "armed\n" && seen > 200, "it did not go off: {line}{seen}");
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(generations(), seen, "somebody still lives");
    });
}

#[test]
fn a_reader_of_the_output_sees_its_end_when_the_command_closes_it() {
    each(|world| {
        let mut running = Running::start(script(&world, "echo ready; exec >&-; read line; exit 8"));
        let mut rest = String::new();
        running.output.read_to_string(&mut rest).unwrap();
        // It may be on its way to `read` still.
        eventually("it goes on", || state(running.command) == "S");
        running.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        assert_eq!(running.child.wait().unwrap().code(), Some(8));
    });
}

#[test]
fn a_kept_descriptor_is_the_commands_alone() {
    each(|world| {
        let open = "exec 7> >(cat >{home}/kept; echo closed >>{home}/kept)";
        let shim = world.confined().after(open).args(["--mode", "supervised", "--keep-fd", "7"]);
        let text = "echo ready >&7; echo ready; exec 7>&-; read line";
        let running = Running::start(shim.args(["--", "sh", "-c", text]));
        eventually("the reader sees the end", || {
            world.has("~/kept") && world.read("~/kept") == "ready\nclosed\n"
        });
        for pid in [running.guardian(), running.supervisor] {
            for fd in ["0", "1"] {
                let link = std::fs::read_link(format!("/proc/{pid}/fd/{fd}"));
                // The guardian cannot be looked into, but by root.
                assert!(link.is_err() || link.is_ok_and(|to| to == Path::new("/dev/null")));
            }
        }
    });
}

#[test]
fn what_systemd_passed_is_announced_to_the_command() {
    each(|world| {
        let open = "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";
        let shim = world.confined().after(open).args(["--mode", "supervised", "--keep-fd", "auto"]);
        let ran =
            shim.command(["sh", "-c", "[ $LISTEN_PID = $$ ] && echo mine; ls /proc/self/fd/3"]);
        assert_eq!(ran.works().stdout, "mine\n/proc/self/fd/3\n");
        let other = "export LISTEN_FDS=1 LISTEN_PID=1";
        let shim = world.confined().after(other).args(["--mode", "supervised"]);
        assert_eq!(shim.command(["sh", "-c", "echo $LISTEN_PID"]).stdout, "1\n");
    });
}

#[test]
fn the_target_cannot_touch_its_guardian_or_supervisor() {
    each(|world| {
        // The relay of numbers: the test learns the supervisor's from outside.
        let mut running = Running::start(script(
            &world,
            "echo ready; read pids; for pid in $pids; do \
             for n in 0 15 18 9; do kill -$n $pid && echo signalled; done; \
             cat /proc/$pid/environ /proc/$pid/mem /proc/$pid/maps && echo read; ls /proc/$pid/fd/ && echo listed; \
             readlink /proc/$pid/exe /proc/$pid/cwd /proc/$pid/fd/2 && echo seen; \
             prlimit --pid $pid --nofile=3 && echo limited; renice 5 $pid && echo slowed; taskset -p 1 $pid && echo moved; \
             done; echo end",
        ));
        let pids = format!("{} {}\n", running.guardian(), running.supervisor);
        running.child.stdin.as_mut().unwrap().write_all(pids.as_bytes()).unwrap();
        let (output, status) = running.end();
        let lines: Vec<&str> = output.lines().filter(|line| !line.starts_with("pid ")).collect();
        assert_eq!(lines, ["end"]);
        assert!(status.success());
    });
}

#[test]
fn guardian_and_supervisor_have_no_capabilities() {
    each(|world| {
        let running = Running::start(script(&world, "echo ready; read line"));
        for pid in [running.guardian(), running.supervisor] {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
            }
            assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        }
    });
}

#[test]
fn the_temporary_directory_is_removed_when_all_has_ended() {
    each(|world| {
        let ran =
            sh(&world, "mkdir $TMPDIR/d; touch $TMPDIR/d/f; echo $TMPDIR; (sleep 300) & exit 0");
        let directory = ran.works().stdout;
        assert!(directory.starts_with("/tmp/clawguard-"), "{directory}");
        assert!(!Path::new(directory.trim()).exists());
    });
}

#[test]
fn an_alarm_and_ignored_signals_are_the_commands() {
    each(|world| {
        let start = "set -- python3 -c 'import os,signal,sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); \
                     signal.setitimer(signal.ITIMER_REAL, 0.5); os.execv(sys.argv[1], sys.argv[1:])' \"$@\"";
        let text = "trap 'exit 14' ALRM; while :; do sleep 0.05; done";
        script(&world, text).after(start).run().ends(14);
        let shim = world.confined().after(start).args(["--mode", "supervised"]);
        let ran = shim.command(["grep", "SigIgn", "/proc/self/status"]).works();
        let mask = u64::from_str_radix(ran.stdout.split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert!(mask & 1 << 16 != 0, "SIGCHLD stays ignored: {mask:x}");
    });
}

#[test]
fn a_process_that_another_supervisor_serves_is_refused_with_the_reason_and_the_way_out() {
    each(|world| {
        // A program that allows everything, installed with a listener: seccomp(2) allows one of these.
        world.write("{root}/bin/busy.py", include_str!("busy.py"));
        let start = "set -- python3 -I {root}/bin/busy.py \"$@\"";
        let ran = script(&world, "echo started").after(start).run().ends(125);
        let ran = ran.says(["already answers", "clawguard-exec --mode kernel -- COMMAND"]);
        assert_eq!(ran.stdout, "");
        assert!(world.temporaries().is_empty());
        let shim = world.confined().after(start).args(["--mode", "kernel"]);
        assert_eq!(shim.command(["echo", "started"]).works().stdout, "started\n");
    });
}

#[test]
fn a_process_without_openat2_is_refused_with_the_line_of_the_unit_that_takes_it_away() {
    each(|world| {
        world.write("{root}/bin/suidsgid.py", include_str!("suidsgid.py"));
        let start = "set -- python3 -I {root}/bin/suidsgid.py \"$@\"";
        let ran = script(&world, "echo started").after(start).run().ends(125);
        assert_eq!(ran.says(["openat2 is refused", "RestrictSUIDSGID="]).stdout, "");
    });
}
