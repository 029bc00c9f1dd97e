//! The shim between a command and who started it: signals, stopping and going on, and job control.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;
use std::time::Duration;

use crate::running::{Running, each, eventually, script, signal, stat, state};
use crate::support::User;

#[test]
fn session_and_process_group_stay() {
    each(|world| {
        let running = Running::start(script(&world, "echo ready; read line"));
        let own = stat(std::process::id()).unwrap();
        for pid in [running.guardian(), running.supervisor, running.command] {
            assert_eq!(stat(pid).unwrap()[2..4], own[2..4]);
        }
    });
}

/// Whoever started the suite may ignore these, and a shell cannot trap what it was started to ignore.
const HEARD: &str = "set -- env --default-signal=TERM,USR1,HUP,INT,QUIT \"$@\"";

#[test]
fn a_signal_to_the_shim_reaches_the_command_once() {
    each(|world| {
        let text = "trap 'echo got; n=$((n+1))' TERM USR1 HUP INT; echo ready; read line; \
                    while [ ${n:-0} -lt 1 ]; do sleep 0.05; done; sleep 0.2; exit 4$n";
        for number in [15, 10, 1, 2] {
            let running = Running::start(script(&world, text).after(HEARD));
            signal(number, running.guardian());
            let (output, status) = {
                let mut running = running;
                std::thread::sleep(Duration::from_millis(100));
                drop(running.child.stdin.take());
                running.end()
            };
            assert_eq!((output.as_str(), status.code()), ("got\n", Some(41)), "signal {number}");
        }
    });
}

#[test]
fn a_signal_to_the_whole_group_reaches_the_command_once() {
    each(|world| {
        let text = "trap 'echo got; n=$((n+1))' TERM; echo ready; \
                    while [ ${n:-0} -lt 1 ]; do sleep 0.05; done; sleep 0.3; exit 4$n";
        let running = Running::start(script(&world, text).after("set -- setsid \"$@\""));
        let sent = Command::new("kill")
            .args(["-15", "--"])
            .arg(format!("-{}", running.guardian()))
            .status();
        assert!(sent.unwrap().success());
        let (output, status) = running.end();
        assert_eq!((output.as_str(), status.code()), ("got\n", Some(41)));
    });
}

#[test]
fn a_service_manager_ends_the_command_gracefully() {
    // Type=simple: no terminal, a session of its own, SIGTERM to the main process.
    each(|world| {
        let text = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        let running = Running::start(script(&world, text).after("set -- setsid \"$@\""));
        signal(15, running.guardian());
        let (output, status) = running.end();
        assert_eq!((output.as_str(), status.code()), ("bye\n", Some(0)));
    });
}

#[test]
fn an_interrupt_from_the_terminal_reaches_the_command_once() {
    each(|world| {
        let text = "trap 'echo got' INT; echo ready; i=0; while [ $i -lt 8 ]; do sleep 0.1; i=$((i+1)); done; echo end";
        let mut child = script(&world, text).after(HEARD).in_terminal().start();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("ready") {
            assert!(output.read_line(&mut seen).unwrap() > 0, "{seen}");
        }
        child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        output.read_to_string(&mut seen).unwrap();
        assert_eq!(seen.matches("got").count(), 1, "{seen}");
        assert!(seen.contains("end"), "{seen}");
        child.wait().unwrap();
    });
}

#[test]
fn the_shim_stops_and_goes_on_with_the_command() {
    each(|world| {
        let text = "echo ready; while :; do read line || exit 6; done";
        let mut running = Running::start(script(&world, text));
        for _ in 0..3 {
            signal(19, running.command);
            eventually("the shim is stopped", || state(running.guardian()) == "T");
            assert_ne!(state(running.supervisor), "T", "it must go on answering");
            signal(18, running.guardian());
            eventually("the command goes on", || state(running.command) == "S");
            eventually("the shim goes on", || state(running.guardian()) == "S");
            // As a debugger does, which knows of the command alone.
            signal(19, running.command);
            eventually("the shim is stopped", || state(running.guardian()) == "T");
            signal(18, running.command);
            eventually("the shim goes on", || state(running.guardian()) == "S");
        }
        drop(running.child.stdin.take());
        assert_eq!(running.end().1.code(), Some(6));
    });
}

#[test]
fn a_shell_stops_a_job_and_takes_it_up_again() {
    each(|world| {
        world.write("{root}/bin/jobs.py", include_str!("jobs.py"));
        let start = format!("{HEARD}; exec python3 -I {{root}}/bin/jobs.py \"$@\"");
        // Without children: dash makes them with vfork, and one that is stopped before its exec holds it (vfork(2)).
        let text = "trap 'echo got; exit 9' INT; echo ready; while :; do read line; done";
        let ran = script(&world, text).after(&start).run().works();
        assert_eq!(ran.stdout, "stopped\nrunning\nended 9\n", "{}", ran.stderr);
    });
}

/// As in a container that was entered without a new session: the leaders are outside, and have the number 0. Whoever is
/// not root needs a user namespace for it.
const IN_A_CONTAINER: &[&str] = &["unshare", "--pid", "--fork", "--mount-proc"];
const IN_ONES_OWN: &[&str] =
    &["unshare", "--user", "--map-current-user", "--pid", "--fork", "--mount-proc"];

#[test]
fn a_process_group_and_session_whose_leaders_are_outside_the_process_namespace_are_kept() {
    each(|world| {
        let text = "ps -o sid= -o pgid= -p $$ | tr -s ' '; cat ~/policy.yaml; exit 3";
        let is_root = User::current().uid == 0;
        let starter = if is_root { IN_A_CONTAINER } else { IN_ONES_OWN };
        let ran = script(&world, text).started_by(starter).run().ends(3);
        assert_eq!(ran.stdout, " 0 0\n");
        assert!(ran.stderr.contains("Permission denied"), "{}", ran.stderr);
    });
}
