//! `execve` and `execveat`: `x`, with what a script and a dynamic program need.

use crate::support::{World, for_every_user};
use crate::table::rows;

const FORMS: &[&str] =
    &["path", "edge", "cwd", "dots", "root", "magic", "within", "proc-fd", "dev-fd", "thread-fd"];

/// `~/work/tools` allowed, `~/work/closed` blocked, `~/work/data` blocked for `x`; each with a program and a script.
fn site(world: &World) {
    for directory in ["tools", "closed", "data"] {
        world.install("/usr/bin/true", &format!("~/work/{directory}/true"));
        world.script(&format!("~/work/{directory}/script"), "#!/bin/sh\nexit 0\n");
    }
    world.script("~/work/tools/by-closed", "#!{home}/work/closed/true\n");
    world.script("~/work/tools/by-data", "#!{home}/work/data/true\n");
    world.script("~/work/tools/by-tools", "#!{home}/work/tools/true\n");
    world.write("~/work/tools/plain", "plain");
    world.symlink("../data/true", "~/work/tools/to-data");
    world.symlink("../tools/true", "~/work/data/to-tools");
    world.policy(
        "allowed_paths: ['~/work']
         blocked_paths: ['~/work/closed', { path: '~/work/data', access: x }, '**/.env']",
    );
}

#[test]
fn what_may_not_be_executed_is_executed_by_no_call_in_no_form() {
    for_every_user(|world| {
        site(&world);
        let mut table = String::new();
        for path in
            ["~/work/closed/true", "~/work/closed/script", "~/work/data/true", "~/work/data/script"]
        {
            table.push_str(&rows("execve", FORMS, &format!("{path} EACCES")));
            table.push_str(&rows("execveat", FORMS, &format!("{path} 0 EACCES")));
            table.push_str(&rows("execveat", &["at", "empty"], &format!("{path} 0 EACCES")));
        }
        table.push_str("openat ~/work/data/true O_RDONLY 0 >a ok\n");
        table.push_str("execveat@r-empty ~/work/data/true 0 EACCES\n");
        table.push_str("execve /proc/self/fd/%a EACCES\n");
        world.answers_and_leaves(&["~/work/closed", "~/work/data"], &table);
    });
}

#[test]
fn what_may_be_executed_is_executed_in_every_form() {
    for_every_user(|world| {
        site(&world);
        let mut table = String::new();
        for path in ["~/work/tools/true", "/usr/bin/true"] {
            table.push_str(&rows("execve", FORMS, &format!("{path} ok")));
            table.push_str(&rows("execveat", FORMS, &format!("{path} 0 ok")));
            table.push_str(&rows("execveat", &["at", "empty"], &format!("{path} 0 ok")));
        }
        // The shell must be able to open a script by the name that the kernel gives it.
        let forms = ["path", "cwd", "dots", "root", "magic"];
        table.push_str(&rows("execve", &forms, "~/work/tools/script ok"));
        world.answers(&table);
    });
}

#[test]
fn an_interpreter_and_a_link_are_judged_where_they_lead() {
    for_every_user(|world| {
        site(&world);
        world.answers(
            "
            execve      ~/work/tools/by-tools             ok
            execve      ~/work/tools/by-closed            EACCES
            execve      ~/work/tools/by-data              EACCES
            execve      ~/work/tools/to-data              EACCES
            execve      ~/work/data/to-tools              ok
            execveat    ~/work/tools/to-data AT_SYMLINK_NOFOLLOW ELOOP
            execve      ~/work/closed/none                ENOENT
            execve      ~/work/tools/none                 ENOENT
            execve      ~/work/closed/true/x              ENOTDIR
            execve      ~/work/tools/plain                EACCES
            chmod       ~/work/tools/plain 0755           ok
            execve      ~/work/tools/plain                ENOEXEC
            execve      ~/work/tools                      EACCES
            execve      @null                             EFAULT
            execve      @empty                            ENOENT
            chmod       ~/work/tools/true 0644            ok
            execve      ~/work/tools/true                 EACCES
            ",
        );
    });
}

#[test]
fn a_program_that_the_target_makes_is_judged_by_where_it_lies() {
    for_every_user(|world| {
        site(&world);
        let script = "cp tools/true mine && ./mine && echo mine
                      cp tools/true data/mine && ./data/mine || echo not-there
                      printf '#!/bin/sh\\necho script\\n' > s && chmod +x s && ./s
                      mv s data/s && ./data/s || echo not-there
                      tools/script && echo end";
        let ran =
            world.confined().args(["--mode", "supervised"]).command(["sh", "-c", script]).works();
        assert_eq!(ran.stdout, "mine\nnot-there\nscript\nnot-there\nend\n", "{ran:#?}");
    });
}
