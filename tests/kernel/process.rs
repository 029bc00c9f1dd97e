//! The command takes the shim's place, with everything that the shim had but its rights: in kernel mode as the same
//! process, else beside its supervisor (`parent`).

use crate::support::{CANARY, Ran, World, for_every_user};

/// Runs a shell script with the kernel alone, and supervised.
fn in_both_modes(world: &World, script: &str, check: impl Fn(Ran)) {
    for mode in ["kernel", "supervised"] {
        println!("in mode {mode}:");
        check(world.confined().args(["--mode", mode]).command(["sh", "-c", &world.text(script)]));
    }
}

fn in_kernel_mode(world: &World, script: &str) -> Ran {
    world.confined().args(["--mode", "kernel"]).command(["sh", "-c", &world.text(script)])
}

#[test]
fn in_kernel_mode_the_command_is_the_process_that_was_started() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let ran = in_kernel_mode(&world, "echo $$ $CLAWGUARD_PID").works();
        assert_eq!(ran.stdout, format!("{0} {0}\n", ran.pid));
        let ran = world.sh("echo $CLAWGUARD_PID").works();
        assert_eq!(ran.stdout, format!("{}\n", ran.pid), "the process that was started");
    });
}

#[test]
fn the_exit_code_is_the_commands_own() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        for code in [0, 1, 42, 125, 127, 255] {
            in_both_modes(&world, &format!("exit {code}"), |ran| drop(ran.ends(code)));
        }
    });
}

#[test]
fn the_parent_sees_the_signal_that_ended_the_command() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        for number in [1, 9, 15] {
            in_both_modes(&world, &format!("kill -{number} $$"), |ran| {
                assert_eq!(ran.signal(), number);
            });
        }
    });
}

#[test]
fn the_umask_and_the_working_directory_stay() {
    for_every_user(|world| {
        world.mkdir("~/work/sub");
        world.policy("allowed_paths: ['~/work']");
        let ran = world.confined().cwd("~/work/sub").after("umask 0027").command([
            "sh",
            "-c",
            "umask; pwd -P; touch f; stat -c %a f",
        ]);
        assert_eq!(ran.works().stdout, format!("0027\n{}\n640\n", world.text("~/work/sub")));
    });
}

/// The signals that are blocked and ignored, as masks of 31: the rest are the C library's and real-time.
fn signals(status: &str) -> [u64; 2] {
    ["SigBlk:", "SigIgn:"].map(|name| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap() & 0x7fff_ffff
    })
}

#[test]
fn blocked_and_ignored_signals_stay_blocked_and_ignored() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let start =
            "set -- env --default-signal --block-signal=USR1 --ignore-signal=USR2,HUP \"$@\"";
        let ran = world.confined().after(start).command(["cat", "/proc/self/status"]).works();
        assert_eq!(signals(&ran.stdout), [1 << 9, 1 << 11 | 1]);
    });
}

/// The shim's own runtime ignores SIGPIPE; the command must find what the shim found.
#[test]
fn a_pipe_signal_that_was_ignored_stays_ignored() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let start = "set -- env --default-signal --ignore-signal=PIPE \"$@\"";
        let ran = world.confined().after(start).command(["cat", "/proc/self/status"]).works();
        assert_eq!(signals(&ran.stdout), [0, 1 << 12]);
    });
}

#[test]
fn no_signal_is_ignored_or_blocked_that_was_not() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let ran = world
            .confined()
            .after("set -- env --default-signal \"$@\"")
            .command(["cat", "/proc/self/status"]);
        assert_eq!(signals(&ran.works().stdout), [0, 0]);
    });
}

#[test]
fn in_kernel_mode_a_descendant_that_becomes_a_daemon_stays_confined() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        // Both ends of the fork write to the pipe that the test reads to its end.
        let script = "setsid sh -c '(sleep 0; cat {home}/secret/key; cat {home}/work/note; echo end) 2>&1 &' & exit 7";
        let ran = in_kernel_mode(&world, script).ends(7);
        assert!(
            ran.stdout.contains("Permission denied") && ran.stdout.ends_with("note\nend\n"),
            "{ran:#?}"
        );
        assert!(!ran.stdout.contains(CANARY));
    });
}

#[test]
fn a_terminal_is_still_the_commands_own() {
    for_every_user(|world| {
        world.policy("temporary: none\nallowed_paths: ['~/work']");
        let script = "test -t 0 && test -t 1 && echo terminal; echo from-tty >/dev/tty; ps -o tpgid=,pgid= -p $$ | { read a b; test $a = $b && echo foreground; }";
        let ran = world.confined().in_terminal().command(["sh", "-c", script]).works();
        assert_eq!(ran.stdout, "terminal\r\nfrom-tty\r\nforeground\r\n", "{ran:#?}");
    });
}
