//! `check --probe`: a confined process tries, changes nothing, and agrees with the law; and who else denies.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Ran, Shim, User, World, for_every_user};

/// A tree with every kind of object, allowed, blocked and not mentioned.
fn world(user: User) -> World {
    let world = World::new(user);
    world.policy("allowed_paths: ['~/work', { path: '~/data', access: r }, '~/made/']\nblocked_paths: ['**/.env', '~/work/closed']");
    for directory in ["~/work", "~/work/closed", "~/data", "~/other"] {
        world.mkdir(&format!("{directory}/empty"));
        world.write(&format!("{directory}/file"), "text");
        world.write(&format!("{directory}/.env"), "KEY=1");
        world.install("/usr/bin/true", &format!("{directory}/program"));
        world.script(&format!("{directory}/script"), "#!/bin/sh\necho never >~/work/ran\n");
        world.symlink("file", &format!("{directory}/link"));
        world.symlink("none", &format!("{directory}/dangling"));
        world.symlink("circle", &format!("{directory}/circle"));
        let path = |name: &str| world.path(&format!("{directory}/{name}"));
        assert!(Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
        drop(UnixListener::bind(path("socket")).unwrap());
        world.give(&path("fifo"));
        world.give(&path("socket"));
    }
    world
}

const OUTSIDE: [&str; 18] = [
    "/",
    "/usr/bin/env",
    "/usr/bin",
    "/etc/passwd",
    "/etc/shadow",
    "/etc",
    "/dev/null",
    "/dev/zero",
    "/dev/tty",
    "/dev/ptmx",
    "/dev",
    "/proc/self/status",
    "/proc/1/status",
    "/proc/1/cwd",
    "/proc/cpuinfo",
    "/dev/fd/0",
    "/tmp",
    "/none/at/all",
];

fn probe<'w>(world: &'w World, arguments: &[&str]) -> Shim<'w> {
    world.confined().args(["check", "--probe"]).args(arguments)
}

/// What another process could find out about each object.
fn snapshot(world: &World) -> Vec<String> {
    let all = world.tree("{root}").into_iter().chain(OUTSIDE.map(Into::into));
    let seen = all.filter_map(|path| {
        let found = fs::symlink_metadata(&path).ok()?;
        // Whoever else uses this machine changes these.
        let is_shared =
            ["/tmp", "/dev/tty", "/dev/ptmx", "/dev"].iter().any(|it| path.as_os_str() == *it)
                || path.starts_with("/proc")
                || path.starts_with("/dev/fd");
        // Not when it was read: the supervisor reads the first line of what is to be executed.
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        (!is_shared).then(|| {
            format!("{path:?} {} {:o} {} {times:?}", found.ino(), found.mode(), found.size())
        })
    });
    seen.collect()
}

#[test]
fn law_and_kernel_agree_about_every_kind_of_object_and_nothing_is_changed() {
    for_every_user(|user| {
        let world = world(user.user);
        let paths: Vec<String> =
            world.tree("~").iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        let paths = paths.into_iter().chain(OUTSIDE.map(str::to_owned)).collect::<Vec<_>>();
        let before = snapshot(&world);
        for mode in ["supervised", "kernel", "auto"] {
            let ran =
                probe(&world, &["--json", "--stdin", "--mode", mode]).input(paths.join("\0")).run();
            assert!(ran.stderr.is_empty(), "{ran:#?}");
            let rows = ran.works().json_lines();
            assert_eq!(rows.len(), paths.len());
            let mut tried = [0, 0];
            for row in &rows {
                for access in ["r", "w", "x"] {
                    let (probed, law) = (&row["probe"][access], &row[access]["allowed"]);
                    let worked = probed["errno"] == 0;
                    match probed["result"].as_str().unwrap() {
                        "agrees" => assert_eq!(*law, worked, "{row:#}"),
                        "denied_elsewhere" | "shortfall" => {
                            assert!(*law == true && !worked, "{row:#}")
                        }
                        "not_tried" => assert!(probed["tried"].is_null(), "{row:#}"),
                        other => panic!("{other} in {mode}: {row:#}"),
                    }
                    if probed["result"] == "agrees" {
                        tried[usize::from(worked)] += 1;
                    }
                }
            }
            assert!(tried[0] > 60 && tried[1] > 20, "{mode}: {tried:?}");
        }
        assert_eq!(snapshot(&world), before);
        assert!(!world.has("~/made") && !world.has("~/work/ran") && !world.has("~/.local"));
        assert!(world.temporaries().is_empty());
    });
}

#[test]
fn a_supervised_process_agrees_where_the_kernel_alone_denies_more() {
    let world = world(User::ordinary());
    let result = |mode: &str| {
        let ran = probe(&world, &["--json", "--mode", mode, &world.text("~/work")]).run();
        ran.works().json()["probe"]["r"]["result"].clone()
    };
    assert_eq!(result("supervised"), "agrees");
    assert_eq!(result("kernel"), "shortfall");
}

fn row(ran: Ran) -> Value {
    ran.json_lines().remove(0)
}

#[test]
fn who_else_denies_is_told_with_and_without_a_probe() {
    for_every_user(|user| {
        let world = world(user.user);
        world.write("~/work/shut/in/file", "x");
        world.write("~/work/unreadable", "x");
        world.chmod("~/work/unreadable", 0o200);
        world.chmod("~/work/shut", 0o600);
        let cases = [
            ("~/work/unreadable", "r", "modes", "~/work/unreadable"),
            ("~/work/shut/in/file", "r", "modes", "~/work/shut"),
            ("~/work/shut/in/file", "w", "modes", "~/work/shut"),
            ("~/work/file", "x", "modes", "~/work/file"),
            ("~/work/none", "r", "missing", "~/work/none"),
            ("~/work/none/x", "w", "missing", "~/work/none"),
            ("~/work/file/x", "w", "not_a_directory", "~/work/file"),
        ];
        for (path, access, who, at) in cases {
            for options in [&["--json"][..], &["--json", "--probe"]] {
                let ran =
                    world.confined().args(["check"]).args(options).args([world.text(path)]).run();
                let row = row(ran.works());
                let others = row["others"].as_array().unwrap();
                let other = others.iter().find(|other| other["access"] == access).unwrap();
                assert_eq!(
                    (&other["who"], &other["path"]),
                    (&json!(who), &json!(world.text(at))),
                    "{row:#}"
                );
            }
        }
        // What can be made, and what the law denies anyway, has no other words.
        for path in ["~/work/none", "~/other/none"] {
            let row =
                row(world.confined().args(["check", "--json", &world.text(path)]).run().works());
            let others = row["others"].as_array().cloned().unwrap_or_default();
            assert!(!others.iter().any(|other| other["access"] == "w"), "{row:#}");
        }
        let ran = world.confined().args(["check", &world.text("~/work/unreadable")]).run();
        let text = world.text("(but `{home}/work/unreadable` has mode 0200 and belongs to user ");
        ran.works().prints([text]);
        world.chmod("~/work/shut", 0o700);
    });
}

#[test]
fn how_a_file_system_is_mounted_is_told() {
    const MOUNT: &str = "mount -t tmpfs -o noexec,mode=755 none /mnt && cp /usr/bin/true /mnt/program && \
                         chmod 777 /mnt/program && mount -o remount,ro,noexec /mnt && exec \"$@\"";
    for_every_user(|user| {
        let world = user;
        world.policy("allowed_paths: ['/mnt']");
        // In a mount namespace of its own; who is not root needs a user namespace for it.
        let own = if User::current().uid == 0 { "--mount" } else { "-rm" };
        let shim = probe(&world, &["--json", "/mnt/program"]);
        let ran = shim.started_by(&["unshare", own, "sh", "-c", MOUNT, "sh"]).run();
        let row = row(ran.works());
        let others: Vec<&Value> =
            row["others"].as_array().unwrap().iter().map(|other| &other["who"]).collect();
        assert_eq!(others, ["read_only_mount", "noexec_mount"], "{row:#}");
        assert_eq!(row["probe"]["r"]["result"], "agrees", "{row:#}");
    });
}

#[test]
fn a_program_that_runs_is_busy_for_writing() {
    let world = world(User::current());
    world.install("/usr/bin/sleep", "~/work/sleep");
    let mut running =
        Command::new(world.path("~/work/sleep")).arg("60").stdin(Stdio::null()).spawn().unwrap();
    let ran = probe(&world, &["--json", &world.text("~/work/sleep")]).run();
    running.kill().unwrap();
    running.wait().unwrap();
    let row = row(ran.works());
    assert_eq!(
        (&row["probe"]["w"]["errno"], &row["others"][0]["who"]),
        (&json!(26), &json!("busy")),
        "{row:#}"
    );
}

/// Landlock around the whole check stands for any other security module: it denies what modes allow.
#[test]
fn another_security_module_is_named_as_the_suspect() {
    const SANDBOX: &str = "
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
READ_FILE = 1 << 2
attribute = struct.pack('=Q', READ_FILE)
ruleset = libc.syscall(444, attribute, len(attribute), 0)
root, name = sys.argv[1].rsplit('/', 1)
for path in ['/usr', '/bin', '/lib', '/lib64', '/etc', '/proc', '/sys', '/dev', os.path.join(os.getcwd(), '..', 'policy.yaml'), os.path.join(os.getcwd(), '..', '..', 'bin')]:
    if os.path.exists(path):
        rule = struct.pack('=Qi', READ_FILE, os.open(path, os.O_PATH))
        assert libc.syscall(445, ruleset, 1, rule, 0) == 0, path
libc.prctl(38, 1, 0, 0, 0)
assert libc.syscall(446, ruleset, 0) == 0
os.execvp(sys.argv[2], sys.argv[2:])
";
    for_every_user(|user| {
        let world = world(user.user);
        let shim = probe(&world, &["--json", &world.text("~/work/file")]);
        let ran = shim.started_by(&["/usr/bin/python3", "-I", "-S", "-c", SANDBOX, "/x"]).run();
        let row = row(ran.works());
        let other = &row["others"][0];
        assert_eq!(
            (&other["access"], &other["who"]),
            (&json!("r"), &json!("security_module")),
            "{row:#}"
        );
        assert!(
            other["text"].as_str().unwrap().contains("although mode and owner allow it"),
            "{row:#}"
        );
        assert_eq!(row["probe"]["r"]["result"], "denied_elsewhere");
    });
}

/// /dev/stdin leads every process to its own.
#[test]
fn what_the_checks_own_descriptors_lead_to_is_tried_by_its_name() {
    let world = world(User::current());
    for path in ["/dev/stdin", "/proc/self/fd/0", "/proc/thread-self/fd/0"] {
        let shim = probe(&world, &["--json", path]).after("exec <{home}/other/file");
        let row = row(shim.run().works());
        assert_eq!(row["real_path"], json!(world.text("~/other/file")));
        assert_eq!(
            (&row["probe"]["r"]["errno"], &row["r"]["allowed"]),
            (&json!(13), &json!(false)),
            "{row:#}"
        );
    }
}

#[test]
fn what_proc_has_of_a_process_outside_is_tried() {
    for_every_user(|user| {
        let world = world(user.user);
        let row =
            row(probe(&world, &["--json", "--mode", "supervised", "/proc/1/status"]).run().works());
        for access in ["r", "w"] {
            let probed = &row["probe"][access];
            assert_eq!(
                (&probed["tried"], &probed["errno"]),
                (&json!("access"), &json!(13)),
                "{row:#}"
            );
            assert_eq!((&probed["result"], &row["outside_process"]), (&json!("agrees"), &json!(1)));
        }
    });
}

#[test]
fn an_interpreter_that_is_denied_is_told() {
    let world = world(User::current());
    world.script("~/work/odd", "#!{home}/other/program\n");
    let row = row(probe(&world, &["--json", "--mode", "supervised", &world.text("~/work/odd")])
        .run()
        .works());
    let probed = &row["probe"]["x"];
    assert_eq!(
        (&probed["errno"], &probed["result"]),
        (&json!(13), &json!("interpreter_denied")),
        "{row:#}"
    );
    assert!(
        probed["text"].as_str().unwrap().contains(&world.text("`{home}/other/program` is denied")),
        "{row:#}"
    );
}

#[test]
fn json_has_what_was_tried_after_the_verdicts() {
    let world = world(User::current());
    let ran = probe(&world, &["--json", "--mode", "supervised", &world.text("~/work/.env")]).run();
    let tail =
        |tried: &str| format!(r#"{{"tried":"{tried}","errno":13,"result":"agrees","text":null}}"#);
    let probe = format!(
        r#","probe":{{"r":{},"w":{},"x":{}}}}}"#,
        tail("open_to_read"),
        tail("open_to_write"),
        tail("check_execution")
    );
    assert!(ran.works().stdout.trim_end().ends_with(&probe));
}

#[test]
fn the_line_says_what_became_of_each_attempt() {
    let world = world(User::current());
    let ran = world
        .shim_with([
            "--policy",
            &world.text("~/policy.yaml"),
            "check",
            "--probe",
            &world.text("~/data/program"),
        ])
        .run();
    let ran =
        ran.works().says(["probe: 3 accesses tried, 0 disagree with the policy; 0 not tried"]);
    for words in
        ["(tried: it works), w denied", "w denied [nothing allows it] (tried: EACCES), x denied"]
    {
        ran.stdout.find(words).unwrap_or_else(|| panic!("{words}: {ran:#?}"));
    }
    probe(&world, &["--access", "w", &world.text("~/data/program")]).run().ends(1);
}

#[test]
fn a_probe_inside_another_policy_is_refused() {
    let world = world(User::current());
    world.policy(
        "allowed_paths: ['~/work', { path: '{root}/bin', access: rx }]"
            .replace("{root}", world.root().to_str().unwrap())
            .as_str(),
    );
    let shim = world.shim().to_str().unwrap().to_owned();
    let ran = world.confined().command([shim.as_str(), "check", "--probe", "/etc/passwd"]);
    ran.ends(125).says(["already confined by clawguard"]);
}

#[test]
fn a_fifo_and_a_socket_are_not_opened() {
    let world = world(User::current());
    let path = world.path("~/work/fifo");
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    // Whoever waits for a reader would go on.
    let mut writer = Command::new("sh").args(["-c", "echo x >\"$0\""]).arg(&path).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let row = row(probe(&world, &["--json", "--mode", "supervised", path.to_str().unwrap()])
        .run()
        .works());
    assert_eq!(row["probe"]["r"]["tried"], "access");
    assert!(writer.try_wait().unwrap().is_none(), "the writer found a reader");
    writer.kill().unwrap();
    writer.wait().unwrap();
}
