//! The traps of docs/kernel.md: what goes wrong in a supervisor that is nearly right.

use std::process::Stdio;

use crate::support::{CANARY, for_every_user};

const POLICY: &str = "allowed_paths: ['~/work']\nblocked_paths: ['**/.env', '~/work/closed']";

/// Without SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV a signal returns EINTR after the side effect, and a restart does it
/// twice. Before the supervisor has received a call, a handler without SA_RESTART still interrupts it: EINTR, with
/// nothing done, which the storm repeats.
#[test]
fn under_a_storm_of_signals_every_call_happens_exactly_once() {
    for_every_user(|world| {
        world.policy(POLICY);
        for restart in ["restart", "interrupt"] {
            let at = format!("~/work/{restart}");
            world.answers(&format!(
                "
                mkdir       {at} 0755                     ok
                mkdir       {at}/d 0755                   ok
                storm       mkdir {at}/d 2000 {restart}   ok
                storm       create {at} 2000 {restart}    ok
                storm       rename {at} 2000 {restart}    ok
                storm       unlink {at} 2000 {restart}    ok
                storm       symlink {at} 2000 {restart}   ok
                storm       open {at}/d 2000 {restart}    ok
                list        {at}/d/0                      empty
                "
            ));
            assert_eq!(world.tree(&format!("{at}/d")).len(), 2000);
        }
    });
}

#[test]
fn what_is_made_has_the_umask_of_who_asked() {
    for_every_user(|world| {
        world.policy(POLICY);
        world.answers(
            "
            umask       0                                 ok
            openat      ~/work/a O_WRONLY|O_CREAT 0666    ok
            lstat       ~/work/a                          100666:0
            umask       077                               ok
            openat      ~/work/b O_WRONLY|O_CREAT 0666    ok
            lstat       ~/work/b                          100600:0
            mkdir       ~/work/c 0777                     ok
            lstat       ~/work/c                          40700:4096|40700:40
            mknodat     ~/work/d S_IFIFO|0666 0           ok
            lstat       ~/work/d                          10600:0
            bind        SOCK_STREAM ~/work/e              ok
            lstat       ~/work/e                          140700:0
            openat      ~/work O_TMPFILE|O_RDWR 0666 >a   ok
            fstat       %a                                100600:0
            # A thread shares it, a child has a copy, unless it shares the fs_struct.
            thread umask 022 ; openat ~/work/f O_WRONLY|O_CREAT 0666 ok,ok
            openat      ~/work/g O_WRONLY|O_CREAT 0666 ; lstat ~/work/g ok,100644:0
            thread-fs umask 027 ; openat ~/work/h O_WRONLY|O_CREAT 0666 ; lstat ~/work/h ok,ok,100640:0
            openat      ~/work/i O_WRONLY|O_CREAT 0666 ; lstat ~/work/i ok,100644:0
            child umask 0 ; openat ~/work/j O_WRONLY|O_CREAT 0666 ; lstat ~/work/j ok,ok,100666:0
            mkdir       ~/work/k 0777 ; lstat ~/work/k    ok,40755:4096|ok,40755:40
            child-fs umask 007 ; mkdir ~/work/l 0777      ok,ok
            mkdir       ~/work/m 0777 ; lstat ~/work/m    ok,40770:4096|ok,40770:40
            ",
        );
    });
}

#[test]
fn the_working_directory_is_that_of_the_thread_that_asked() {
    for_every_user(|world| {
        world.policy(POLICY);
        world.write("~/work/a/file", "a");
        world.write("~/work/b/file", "b");
        world.answers(
            "
            chdir       ~/work/a                          ok
            cat         file                              a
            thread-fs chdir ~/work/b ; cat file           ok,b
            cat         file                              a
            thread chdir ~/work/b ; cat file              ok,b
            cat         file                              b
            child chdir ~/work/a ; cat file               ok,a
            cat         file                              b
            child-fs chdir ~/work/a ; cat file            ok,a
            cat         file                              a
            ",
        );
    });
}

#[test]
fn the_limit_of_descriptors_is_the_targets_own() {
    for_every_user(|world| {
        world.policy(POLICY);
        world.answers(
            "
            descriptors 40                                ok
            fill                                          EMFILE
            openat      ~/work/note O_RDONLY 0            EMFILE
            openat      ~/work/new O_WRONLY|O_CREAT 0600  EMFILE
            openat      ~/work/.env O_RDONLY 0            EMFILE|ENOENT
            mkdir       ~/work/dir 0755                   ok
            chmod       ~/work/note 0600                  ok
            empty-out                                     ok
            cat         ~/work/note                       note
            openat      ~/work/note O_RDONLY 0 >a ; openat ~/work/note O_RDONLY 0 >b ; read %b ok,ok,note
            ",
        );
        // As outside: a failed open makes nothing that another would not have made.
        assert!(!world.has("~/work/new"), "a file was made by an open that failed");
    });
}

#[test]
fn a_target_killed_in_mid_call_leaves_a_supervisor_that_answers() {
    for_every_user(|world| {
        world.write("~/work/.env", CANARY);
        world.policy(POLICY);
        world.answers(
            "
            slaughter   ~/work/note 300                   ok
            slaughter   ~/work/.env 300                   ok
            cat         ~/work/note                       note
            openat      ~/work/.env O_RDONLY 0            EACCES
            mkdir       ~/work/dir 0755                   ok
            child cat   ~/work/note                       note
            ",
        );
    });
}

#[test]
fn a_fifo_that_waits_for_its_other_end_holds_up_nobody() {
    for_every_user(|world| {
        world.write("~/work/.env", CANARY);
        world.policy(POLICY);
        world.answers(
            "
            mknodat     ~/work/fifo S_IFIFO|0600 0        ok
            fifo        ~/work/fifo ~/work/note           ok
            fifo        ~/work/fifo ~/work/note           ok
            openat      ~/work/fifo O_WRONLY|O_NONBLOCK 0 ENXIO
            openat      ~/work/fifo O_RDONLY|O_NONBLOCK 0 ok
            openat      ~/work/fifo O_RDWR 0              ok
            cat         ~/work/note                       note
            ",
        );
    });
}

/// A program that waits for a FIFO and has a handler (a shell with a trap) must be woken, or it waits for ever.
#[test]
fn a_signal_interrupts_an_open_that_waits_for_a_fifo() {
    for_every_user(|world| {
        world.policy(POLICY);
        world.answers("mknodat ~/work/fifo S_IFIFO|0600 0 ok\ninterrupted ~/work/fifo EINTR");
    });
}

#[test]
fn a_command_that_ends_while_a_thread_waits_for_a_fifo_ends_the_run() {
    for_every_user(|world| {
        world.policy(POLICY);
        let script = "mkfifo p; (cat p; echo never) & cat note; kill -9 $!; wait $! 2>/dev/null; cat note; cat p & exit 3";
        let ran = world.confined().args(["--mode", "supervised"]).command(["sh", "-c", script]);
        assert_eq!(ran.ends(3).stdout, "note\nnote\n");
    });
}

#[test]
fn a_new_pseudo_terminal_works_and_the_owners_terminals_are_closed() {
    for_every_user(|world| {
        world.policy(POLICY);
        world.answers("terminal hey\nchild terminal hey");
        let script = "import os, pty
a, b = pty.openpty()
os.write(b, b'through')
print(os.read(a, 7), os.isatty(b))";
        let ran = world
            .confined()
            .args(["--mode", "supervised"])
            .command(["/usr/bin/python3", "-c", script])
            .works();
        assert_eq!(ran.stdout, "b'through' True\n");
    });
}

#[test]
fn the_terminal_of_the_run_is_opened_by_its_name_and_becomes_nobody_elses() {
    for_every_user(|world| {
        world.policy(&format!("temporary: none\n{POLICY}"));
        let script = "echo hello >/dev/tty; exec 3<>/dev/tty; test -t 3 && echo terminal; cat note; setsid -w sh -c 'echo x >/dev/tty' 2>&1 | grep -c 'No such device'";
        let ran = world
            .confined()
            .args(["--mode", "supervised"])
            .in_terminal()
            .command(["sh", "-c", script])
            .works();
        assert_eq!(ran.stdout.replace('\r', ""), "hello\nterminal\nnote\n1\n", "{ran:#?}");
    });
}

/// A blocked name with a newline must not forge a line of what is printed or logged.
#[test]
fn a_name_with_a_newline_is_one_name() {
    for_every_user(|world| {
        world.write("~/work/closed/a\nclawguard: allowed everything", CANARY);
        world.write("~/work/two\nlines", "two");
        world.policy(POLICY);
        let ran = world.confined().args(["--mode", "supervised"]).command([
            "sh",
            "-c",
            "cat closed/a*; cat closed/'a\nclawguard: allowed everything'; cat two*",
        ]);
        assert_eq!(ran.stdout, "two", "{ran:#?}");
        assert!(!ran.stderr.lines().any(|line| line.starts_with("clawguard: allowed")), "{ran:#?}");
    });
}

#[test]
fn many_processes_and_threads_are_answered_at_once() {
    for_every_user(|world| {
        for number in 0..200 {
            world.write(&format!("~/work/many/{number}"), "x");
            world.write(&format!("~/work/many/{number}.d/.env"), CANARY);
        }
        world.policy(POLICY);
        let script = "for i in 1 2 3 4 5 6 7 8; do (cat many/* 2>/dev/null | wc -c; cat many/*/.env 2>/dev/null | wc -c) & done; wait";
        let ran =
            world.confined().args(["--mode", "supervised"]).command(["sh", "-c", script]).works();
        let mut counts: Vec<&str> = ran.stdout.lines().collect();
        counts.sort_unstable();
        assert_eq!(
            counts,
            [
                "0", "0", "0", "0", "0", "0", "0", "0", "200", "200", "200", "200", "200", "200",
                "200", "200"
            ]
        );
    });
}

#[test]
fn standard_output_and_the_exit_code_stay_the_commands() {
    for_every_user(|world| {
        world.policy(POLICY);
        let shim = || world.confined().args(["--mode", "supervised"]);
        assert_eq!(shim().command(["sh", "-c", "echo out; exit 42"]).ends(42).stdout, "out\n");
        assert_eq!(shim().command(["sh", "-c", "kill -15 $$"]).signal(), 15);
        let mut child = shim().args(["--", "sleep", "100"]).start();
        child.stdin.take();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let pid = child.id().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(killed.success());
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    });
}

/// The supervisor's own copy of a descriptor for writing, closed a moment after the target goes on, makes what the
/// target has just written and closed ETXTBSY.
#[test]
fn a_program_is_executed_right_after_it_was_written() {
    for_every_user(|world| {
        world.install("/usr/bin/true", "~/work/true");
        world.policy(POLICY);
        let script =
            "i=0; while [ $i -lt 300 ]; do cp true p && ./p || echo failed; rm p; i=$((i+1)); done";
        let ran =
            world.confined().args(["--mode", "supervised"]).command(["sh", "-c", script]).works();
        assert_eq!(ran.stdout, "", "{ran:#?}");
    });
}
