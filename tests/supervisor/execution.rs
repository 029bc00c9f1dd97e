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

/// The kernel opens the script first, then its interpreter, then what that names.
#[test]
fn what_is_wrong_with_a_script_comes_before_what_is_wrong_with_its_interpreter() {
    for_every_user(|world| {
        site(&world);
        world.script("~/work/tools/by-nothing", "#!/none\n");
        world.script("~/work/tools/by-script", "#!{home}/work/tools/by-nothing\n");
        world.answers(
            "
            execve      ~/work/tools/by-script            ENOENT
            chmod       ~/work/tools/by-script 0644       ok
            execve      ~/work/tools/by-script            EACCES
            chmod       ~/work/tools/by-script 0755       ok
            chmod       ~/work/tools/by-nothing 0644      ok
            execve      ~/work/tools/by-script            EACCES
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

/// A program that does nothing but end with 42, its loader, and files that name it as their loader or interpreter.
const CHAINS: &str = r##"
import os, platform, struct, sys

machine, code = {
    "x86_64": (62, bytes.fromhex("bf2a000000b83c0000000f05")),
    "aarch64": (183, bytes.fromhex("400580d2a80b80d2010000d4")),
}[platform.machine()]

def program(path, at, others=0, loader=b""):
    count = others + 1 + bool(loader)
    front = 64 + 56 * count
    body = loader + b"\0" * bool(loader)
    body += b"\0" * (-len(body) % 16)
    text = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    text += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, at + front + len(body), 64, 0, 0, 64, 56, count, 0, 0, 0)
    text += b"\0" * 56 * others
    if loader:
        text += struct.pack("<IIQQQQQQ", 3, 4, front, 0, 0, len(loader) + 1, len(loader) + 1, 1)
    size = front + len(body) + len(code)
    text += struct.pack("<IIQQQQQQ", 1, 5, 0, at, at, size, size, 4096)
    write(path, text + body + code)

def write(path, text):
    with open(path, "wb") as file: file.write(text)
    os.chmod(path, 0o755)

def run(path):
    pid = os.fork()
    if pid == 0:
        try: os.execv(path, [path])
        except OSError as error: os._exit(error.errno)
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status)

def told(what, status):
    print(what, "ran" if status == 42 else os.strerror(status) if status > 0 else status)

program("tools/loader", 0x20000000)
for name in ["closed", "data"]:
    program(f"tools/by-{name}", 0x10000000, 130, f"{name}/loader".encode())
program("tools/by-tools", 0x10000000, 130, b"tools/loader")
program("tools/none", 0x10000000, 130, b"tools/nothing")
for name in ["tools/by-tools", "tools/by-closed", "tools/by-data", "tools/none"]:
    told(name, run(name))
for first in ["tools/loader", "closed/loader", "data/loader"]:
    for steps in [1, 4, 5, 6]:
        before = first
        for step in range(steps):
            write(f"tools/step{step}", b"#!" + before.encode() + b"\n")
            before = f"tools/step{step}"
        told(f"{first} {steps}", run(before))
"##;

#[test]
fn all_that_the_kernel_opens_to_execute_is_judged_however_far_it_lies_behind() {
    for_every_user(|world| {
        site(&world);
        // The same program, where it may not be executed.
        let script = CHAINS.replace("program(\"tools/loader\", 0x20000000)\n", "");
        let made = CHAINS.split("for name in [\"closed\"").next().unwrap();
        world.confined().command(["/usr/bin/python3", "-I", "-S", "-c", made]).works();
        let loader = std::fs::read(world.path("~/work/tools/loader")).unwrap();
        for directory in ["closed", "data"] {
            let path = format!("~/work/{directory}/loader");
            world.write_bytes(world.text(&path).as_bytes(), &loader);
            world.chmod(&path, 0o755);
        }
        let shim = world.confined().args(["--mode", "supervised"]);
        let ran = shim.command(["/usr/bin/python3", "-I", "-S", "-c", &script]).works();
        let denied = |name: &str| -> String {
            let one = |steps| match steps {
                6 => format!("{name}/loader 6 Too many levels of symbolic links\n"),
                steps => format!("{name}/loader {steps} Permission denied\n"),
            };
            [1, 4, 5, 6].map(one).concat()
        };
        let expected = [
            "tools/by-tools ran\ntools/by-closed Permission denied\ntools/by-data Permission denied\n",
            "tools/none No such file or directory\n",
            "tools/loader 1 ran\ntools/loader 4 ran\ntools/loader 5 ran\n",
            "tools/loader 6 Too many levels of symbolic links\n",
            &denied("closed"),
            &denied("data"),
        ];
        assert_eq!(ran.stdout, expected.concat(), "{ran:#?}");
    });
}

#[test]
fn what_may_not_be_read_is_not_read_by_executing_it() {
    for_every_user(|world| {
        site(&world);
        world.policy("allowed_paths: ['~/work']\nblocked_paths: [{ path: '**/.env', access: r }]");
        world.write("~/work/.env", format!("0123KEY={}\n", crate::support::CANARY));
        let script = "printf '#!p ' | dd of=.env bs=1 conv=notrunc 2>/dev/null
                      printf '#!/bin/sh\\necho read \"$@\"\\n' > p; chmod +x p .env
                      ./.env || echo denied
                      test -x .env || echo not-to-be-executed
                      (printf '#!p '; echo neighbour) > other; chmod +x other; ./other";
        let shim = world.confined().args(["--mode", "supervised"]);
        let ran = shim.command(["sh", "-c", script]).works();
        assert_eq!(ran.stdout, "denied\nnot-to-be-executed\nread neighbour ./other\n", "{ran:#?}");
    });
}

#[test]
fn what_has_no_name_is_executed_only_if_it_never_had_one() {
    for_every_user(|world| {
        site(&world);
        world.install("/usr/bin/true", "~/work/data/gone");
        world.install("/usr/bin/true", "~/work/tools/gone");
        world.answers(
            "
            openat      ~/work/data/gone O_PATH 0 >a      ok
            unlink      ~/work/data/gone                  ok
            execve      /proc/self/fd/%a                  EACCES
            openat      ~/work/tools/gone O_RDONLY 0 >b   ok
            unlink      ~/work/tools/gone                 ok
            execve      /proc/self/fd/%b                  EACCES
            ",
        );
        let script = "
import os, sys
def run(what, *arguments):
    pid = os.fork()
    if pid == 0:
        try: os.execve(*arguments, os.environ)
        except OSError as error: print(what, error.strerror, flush=True)
        os._exit(1)
    print(what, os.waitpid(pid, 0)[1], flush=True)
memory = os.memfd_create('m', 0)
with open('tools/true', 'rb') as file: os.write(memory, file.read())
run('memory', memory, ['true'])
run('by its link', f'/proc/self/fd/{memory}', ['true'])
only = os.open(f'/proc/self/fd/{memory}', os.O_PATH)
run('by a path', only, ['true'])
run('itself', '/proc/self/exe', ['python3', '-c', 'pass'])
";
        let shim = world.confined().args(["--mode", "supervised"]);
        let ran = shim.command(["/usr/bin/python3", "-I", "-S", "-c", script]).works();
        let expected =
            "memory 0\nby its link 0\nby a path Permission denied\nby a path 256\nitself 0\n";
        assert_eq!(ran.stdout, expected, "{ran:#?}");
    });
}

#[test]
fn nothing_becomes_executable_that_must_not_be_executed() {
    for_every_user(|world| {
        site(&world);
        world.write("~/work/data/plain", "plain");
        world.chmod("~/work/data/plain", 0o644);
        world.write("~/work/.env", "x");
        world.answers(
            "
            chmod       ~/work/data/plain 0755            EACCES
            chmod       ~/work/data/plain 0700            EACCES
            openat      ~/work/data/plain O_RDWR 0 >a     ok
            fchmod      %a 0755                           EACCES
            chmod       /proc/self/fd/%a 0755             EACCES
            chmod       ~/work/data/plain 0600            ok
            lstat       ~/work/data/plain                 100600:5
            # What may be executed by its mode already keeps that, but does not get it back.
            chmod       ~/work/data/true 0700             ok
            chmod       ~/work/data/true 0600             ok
            chmod       ~/work/data/true 0700             EACCES
            openat      ~/work/data/new O_WRONLY|O_CREAT 0777 ok
            lstat       ~/work/data/new                   100644:0
            chmod       ~/work/data 0700                  ok
            chmod       ~/work/tools/plain 0755           ok
            openat      ~/work/tools/new O_WRONLY|O_CREAT 0777 ok
            lstat       ~/work/tools/new                  100755:0
            ",
        );
    });
}

/// A file that may be written and not read, and one with another name that is to become one.
#[test]
fn what_must_not_be_read_becomes_executable_by_no_way_round_its_name() {
    for_every_user(|world| {
        for directory in ["work", "cache"] {
            world.mkdir(&format!("~/{directory}"));
            world.write(&format!("~/{directory}/.env"), "secret");
            world.chmod(&format!("~/{directory}/.env"), 0o644);
        }
        world.write("~/work/.env.own", "secret");
        world.chmod("~/work/.env.own", 0o744);
        world.policy(
            "allowed_paths: ['~/work', { path: '~/cache', access: rw }]
             blocked_paths: [{ path: '**/.env', access: rx }, { path: '**/.env.*', access: rx }]",
        );
        world.answers(
            "
            # Where nothing is loose, and back.
            rename      ~/cache/.env ~/cache/.env.moved   ok
            chmod       ~/cache/.env.moved 0755           EACCES
            rename      ~/work/.env ~/cache/.env          ok
            chmod       ~/cache/.env 0755                 EACCES
            mknod       ~/cache/.env.new S_IFREG|0755 0   EACCES
            openat      ~/cache/.env.new O_WRONLY|O_CREAT 0777 ok
            lstat       ~/cache/.env.new                  100644:0
            rename      ~/cache/.env ~/work/.env          ok
            # Its name is gone.
            openat      ~/work/.env O_WRONLY 0 >a         ok
            unlink      ~/work/.env                       ok
            fchmod      %a 0755                           EACCES
            chmod       /proc/self/fd/%a 0755             EACCES
            fchmod      %a 0600                           ok
            # It was executable before.
            rename      ~/work/.env.own ~/work/.env.other ok
            lstat       ~/work/.env.other                 100744:6
            # What becomes one.
            openat      ~/work/tool O_WRONLY|O_CREAT 0755 ok
            linkat      ~/work/tool ~/work/.env 0         EXDEV
            rename      ~/work/tool ~/work/tool2          ok
            lstat       ~/work/tool2                      100755:0
            rename      ~/work/tool2 ~/work/.env          ok
            lstat       ~/work/.env                       100644:0
            openat      ~/work O_RDWR|O_TMPFILE 0755 >b   ok
            linkat      /proc/self/fd/%b ~/work/.env.b AT_SYMLINK_FOLLOW ok
            lstat       ~/work/.env.b                     100644:0
            openat      ~/work O_RDWR|O_TMPFILE 0644 >c   ok
            fchmod      %c 0755                           ok
            linkat      /proc/self/fd/%c ~/work/tool3 AT_SYMLINK_FOLLOW ok
            lstat       ~/work/tool3                      100755:0
            openat      ~/cache/tool4 O_WRONLY|O_CREAT 0755 ok
            rename      ~/cache/tool4 ~/work/.env.d       ok
            lstat       ~/work/.env.d                     100644:0
            ",
        );
    });
}

/// Where Landlock holds reading alone, opens do not ask.
#[test]
fn an_open_that_does_not_ask_makes_nothing_executable_that_must_not_be_executed() {
    for_every_user(|world| {
        world.mkdir("~/work/data");
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: [{ path: '~/work/**/*.data', access: x }]",
        );
        let quiet = world.read("~/policy.yaml") + "logging: { log_denials: false }\n";
        world.write("~/policy.yaml", quiet);
        world.answers(
            "
            openat      ~/work/a.data O_WRONLY|O_CREAT 0777 ok
            lstat       ~/work/a.data                     100644:0
            creat       ~/work/data/b.data 0777           ok
            lstat       ~/work/data/b.data                100644:0
            openat      ~/work/c O_WRONLY|O_CREAT 0777    ok
            lstat       ~/work/c                          100755:0
            ",
        );
    });
}
