//! `on_denied`: the command runs outside, for the denials that were chosen, as often as the policy says, and neither
//! the target nor a failure of its own changes anything about the run.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{CANARY, Ran, Shim, World, for_every_user};

const SOON: Duration = Duration::from_secs(10);

/// A policy that blocks `**/.env` and everything in `~/secret`, with this `on_denied`.
fn policy(world: &World, on_denied: &str) {
    world.write("~/work/.env", CANARY);
    world.mkdir("~/alerts");
    let text = format!(
        "security:\n  file_access:\n    presets: [system]\n    allowed_paths: ['~/work', '~/secret']\n    blocked_paths: \
         ['**/.env', '~/secret']\nlogging:\n  on_denied: {}\n",
        on_denied.replace("{home}", world.home().to_str().unwrap())
    );
    world.write("~/policy.yaml", text);
}

/// Puts each event in a file of its own, whole at once.
const KEEP: &str = "cat >{home}/alerts/.$$ && mv {home}/alerts/.$$ {home}/alerts/$$.json";

fn events(world: &World) -> Vec<Value> {
    let files = world.tree("~/alerts").into_iter();
    let files = files.filter(|file| file.extension().is_some_and(|end| end == "json"));
    let mut events: Vec<Value> =
        files.map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect();
    events.sort_by_key(|event| event["time"].as_str().unwrap().to_owned());
    events
}

#[track_caller]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn shim(world: &World) -> Shim<'_> {
    world.shim_with(["--policy", &world.text("~/policy.yaml")])
}

fn sh(world: &World, script: &str) -> Ran {
    shim(world).command(["sh", "-c", &world.text(script)])
}

#[test]
fn a_chosen_denial_is_told_with_the_event_of_the_journal() {
    for_every_user(|world| {
        policy(&world, &format!("{{ command: '{KEEP}', rules: ['**/.env'], every: 1s }}"));
        sh(&world, "cat .env {home}/secret/key /etc/shadow; cat .env; sleep 1.2; cat .env; :")
            .works();
        eventually("both are told", || events(&world).len() == 2);
        let [first, second] = &events(&world)[..] else { panic!() };
        assert_eq!(first["path"], world.text("~/work/.env"));
        assert_eq!(first["rule"]["pattern"], "**/.env");
        assert_eq!((&first["event"], &first["errno"]), (&Value::from("denied"), &Value::from(13)));
        assert_eq!((&first["suppressed"], &second["suppressed"]), (&0.into(), &1.into()));
        let journal = world.read("~/.local/state/clawguard/journal.jsonl");
        let line = journal.lines().find(|line| line.contains(r#""event":"denied""#)).unwrap();
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["suppressed"] = 0.into();
        assert_eq!(&line, first, "the same line, and one field more");
    });
}

#[test]
fn guards_and_what_nothing_allows_can_be_chosen_by_name() {
    for_every_user(|world| {
        let rules = "rules: [guards, nothing allows it]";
        policy(&world, &format!("{{ command: '{KEEP}', {rules} }}"));
        sh(&world, "cat .env; echo >>{home}/policy.yaml; cat /etc/shadow; :").works();
        eventually("both are told", || events(&world).len() == 2);
        let events = events(&world);
        assert_eq!(events[0]["rule"]["effect"], "guard", "{events:#?}");
        assert_eq!(events[1]["rule"], Value::Null);
    });
}

#[test]
fn a_plain_command_is_told_of_all_and_not_more_than_once_a_minute() {
    for_every_user(|world| {
        policy(&world, &format!("'{KEEP}'"));
        sh(&world, "for i in 1 2 3 4 5 6 7 8 9; do cat .env {home}/secret/key; done; :").works();
        eventually("both rules are told", || events(&world).len() == 2);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(events(&world).len(), 2);
    });
}

#[test]
fn the_command_runs_outside_with_the_users_rights_and_environment() {
    for_every_user(|world| {
        let command = "cat {home}/secret/key >{home}/alerts/key; pwd >{home}/alerts/pwd; env >{home}/alerts/env; \
                       cat /proc/self/status >{home}/alerts/status; \
                       touch {home}/alerts/done";
        policy(&world, &format!("'{command}'"));
        let shim = shim(&world).env("TMPDIR", "/somewhere").env("OWN", "users");
        shim.command(["sh", "-c", "export OWN=targets TARGET=1; cat .env; :"]).works();
        eventually("it ran", || world.has("~/alerts/done"));
        assert_eq!(world.read("~/alerts/key"), CANARY);
        assert_eq!(world.read("~/alerts/pwd"), "/\n");
        let environment = world.read("~/alerts/env");
        let has = |line: &str| environment.lines().any(|one| one == line);
        assert!(has("OWN=users") && has("TMPDIR=/somewhere"), "{environment}");
        assert!(!environment.contains("TARGET=") && !environment.contains("CLAWGUARD_PID"));
        let status = world.read("~/alerts/status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        for name in ["NoNewPrivs:", "Seccomp:"] {
            let outside = own.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            assert_eq!(field(name), outside, "{name}");
        }
    });
}

#[test]
fn names_that_the_target_chooses_reach_no_shell() {
    for_every_user(|world| {
        policy(&world, &format!("{{ command: '{KEEP}', every: 0s }}"));
        let name = "'; touch {home}/alerts/pwned; $(touch {home}/alerts/pwned) `id`\n\u{1b}[31m\u{202e}\"\\";
        let name = [world.text(name).replace('/', "%").as_bytes(), b"\xff"].concat();
        let file = [world.text("~/secret/").as_bytes(), &name].concat();
        world.write_bytes(&file, CANARY);
        let file = std::ffi::OsStr::from_bytes(&file);
        shim(&world).command(["cat".as_ref(), file]).ends(1);
        eventually("it is told", || events(&world).len() == 1);
        let event = events(&world).remove(0);
        let raw = std::fs::read(world.tree("~/alerts").remove(0)).unwrap();
        assert_eq!(raw.iter().filter(|byte| byte.is_ascii_control()).count(), 1, "one newline");
        let decoded = std::process::Command::new("base64")
            .arg("-d")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut decoded = decoded;
        let twin = event["path_base64"].as_str().unwrap().as_bytes();
        decoded.stdin.take().unwrap().write_all(twin).unwrap();
        assert_eq!(decoded.wait_with_output().unwrap().stdout, file.as_bytes());
        assert!(!world.has("~/alerts/pwned"));
    });
}

#[test]
fn a_command_that_fails_is_told_once_and_one_that_hangs_keeps_nobody() {
    for_every_user(|world| {
        policy(&world, "{ command: 'echo no such chat >&2; exit 3', every: 0s }");
        let ran = sh(&world, "cat .env; sleep 0.3; cat .env; sleep 0.3; exit 7").ends(7);
        let told = ran.stderr.matches("on_denied: `echo no such chat >&2; exit 3` failed").count();
        assert_eq!(told, 1, "{ran:#?}");
        let ran = ran.says(["exit status: 3): no such chat"]);
        assert!(ran.stderr.contains("2 denials"), "{ran:#?}");

        policy(
            &world,
            "{ command: 'touch {home}/alerts/runs; head -c 1000000 /dev/zero; sleep 300', every: 0s }",
        );
        let started = Instant::now();
        // `run` waits for the end of both outputs.
        let ran = sh(&world, "cat .env; cat .env; sleep 0.3; cat .env; exit 5").ends(5);
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        assert!(ran.stderr.contains("3 denials"), "{ran:#?}");
        assert!(world.has("~/alerts/runs"));
    });
}

/// What the target tries against whoever runs the command, and the command.
const ATTACKS: &str = "
import ctypes, errno, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
guardian = int(os.environ['CLAWGUARD_PID'])
try:
    open('.env')
    raise SystemExit('read')
except PermissionError:
    pass
deadline = time.time() + 10
while not os.path.exists('pid'):
    assert time.time() < deadline, 'the command does not run'
    time.sleep(0.01)
command = int(open('pid').read())
alerter = int(open('parent').read())
assert os.path.exists('/proc/%d' % command) and os.path.exists('/proc/%d' % alerter)
for pid in (command, alerter):
    assert pid not in (guardian, os.getppid())
    for number in (0, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        try:
            os.kill(pid, number)
            raise SystemExit('signalled')
        except PermissionError:
            pass
    assert libc.ptrace(16, pid, 0, 0) == -1 and ctypes.get_errno() in (errno.EPERM, errno.EACCES)
    for name in ('environ', 'mem', 'maps', 'fd/0', 'cwd/etc/shadow', 'root/etc/shadow', 'exe'):
        try:
            os.close(os.open('/proc/%d/%s' % (pid, name), os.O_RDONLY))
            raise SystemExit('opened ' + name)
        except OSError as error:
            assert error.errno in (errno.EACCES, errno.ENOENT), (name, error)
open('tried', 'w')
";

#[test]
fn the_target_can_neither_signal_nor_read_who_runs_the_command() {
    for_every_user(|world| {
        let command = "echo $PPID >{home}/work/.p; mv {home}/work/.p {home}/work/parent; echo $$ >{home}/work/.q; \
                       mv {home}/work/.q {home}/work/pid; while [ ! -e {home}/work/tried ]; do sleep 0.05; done; \
                       touch {home}/alerts/lived";
        policy(&world, &format!("'{command}'"));
        let ran = shim(&world).command(["/usr/bin/python3", "-I", "-S", "-c", ATTACKS]);
        // The command writes where the target may write, and a start says so of each such file.
        ran.works().says(["`on_denied` names"]);
        eventually("the command lived", || world.has("~/alerts/lived"));
    });
}

#[test]
fn a_command_that_the_target_could_change_is_warned_about() {
    for_every_user(|world| {
        world.script("~/work/tell", "#!/bin/sh\n:");
        world.script("~/tools/tell", "#!/bin/sh\n:");
        let warned = |on_denied: &str| {
            policy(&world, on_denied);
            let ran = sh(&world, ":").works();
            let plan = shim(&world).args(["plan", "--json"]).run().works().json();
            let lints = plan["lints"].as_array().unwrap();
            let lints = lints.iter().filter(|lint| lint["kind"] == "alert").count();
            let warned = ran.stderr.matches("warning: `on_denied` names").count();
            assert_eq!(warned, lints, "{ran:#?}");
            warned
        };
        assert_eq!(warned("~/work/tell --fast"), 1);
        assert_eq!(warned("'{home}/work/tell | cat'"), 1);
        assert_eq!(warned("~/tools/tell --fast"), 0);
        world.symlink("~/work/tell", "{root}/bin/linked");
        assert_eq!(warned(&world.text("{root}/bin/linked")), 1);
    });
}

#[test]
fn kernel_mode_says_that_nothing_is_run() {
    for_every_user(|world| {
        policy(&world, &format!("'{KEEP}'"));
        let ran = shim(&world).args(["--mode", "kernel"]).command(["sh", "-c", "cat .env; :"]);
        ran.works().says(["not enforced in kernel mode: on_denied: nobody sees what is denied"]);
        std::thread::sleep(Duration::from_millis(200));
        assert!(world.tree("~/alerts").is_empty());
    });
}

/// Copies an example to where this user may run it.
fn example(world: &World, name: &str) {
    let file = format!("{}/../examples/alerts/{name}", env!("CARGO_MANIFEST_DIR"));
    world.install(&file, &format!("{{root}}/bin/{name}"));
}

/// Answers one request and returns it.
fn serve(server: &TcpListener) -> String {
    server.set_nonblocking(true).unwrap();
    let end = Instant::now() + SOON;
    let mut client = loop {
        match server.accept() {
            Ok((client, _)) => break client,
            Err(_) => assert!(Instant::now() < end, "nobody called"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    client.set_nonblocking(false).unwrap();
    client.set_read_timeout(Some(SOON)).unwrap();
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let length = client.read(&mut bytes).unwrap();
        request.extend_from_slice(&bytes[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let lower = text.to_lowercase();
        let wanted = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if body.is_some() && body == wanted.and_then(|wanted| wanted.trim().parse().ok()) {
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            return text;
        }
        assert!(length > 0, "{text}");
    }
}

#[test]
fn the_webhook_examples_send_the_event() {
    for_every_user(|world| {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?a=b", server.local_addr().unwrap());
        for (name, by_file) in [("webhook.sh", true), ("webhook.sh", false), ("webhook.py", true)] {
            example(&world, name);
            policy(&world, &world.text(&format!("'{{root}}/bin/{name}'")));
            let mut shim = shim(&world);
            if by_file {
                world.write("~/.config/clawguard/webhook-url", format!("{url}\n"));
            } else {
                shim = shim.env("CLAWGUARD_WEBHOOK_URL", &url);
                world.remove("~/.config/clawguard");
            }
            shim.command(["sh", "-c", "cat .env; :"]).works();
            let request = serve(&server);
            assert!(request.starts_with("POST /hook?a=b HTTP/1.1"), "{request}");
            let (_, body) = request.split_once("\r\n\r\n").unwrap();
            let body: Value = serde_json::from_str(body).unwrap();
            if name == "webhook.sh" {
                assert_eq!(body["path"], world.text("~/work/.env"));
            } else {
                let text = body["text"].as_str().unwrap();
                assert!(
                    text.contains("`cat` was denied r on") && text.contains("**/.env"),
                    "{text}"
                );
            }
        }
    });
}

#[test]
fn the_desktop_example_gives_the_event_to_notify_send() {
    for_every_user(|world| {
        example(&world, "notify-send.sh");
        world.script(
            "{root}/bin/notify-send",
            "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >{home}/alerts/.w; mv {home}/alerts/.w {home}/alerts/words\n",
        );
        policy(&world, &world.text("'{root}/bin/notify-send.sh'"));
        let path = world.text("{root}/bin:/usr/bin:/bin");
        world.write("~/secret/<b>a&b", CANARY);
        let shim = shim(&world).env("PATH", path);
        shim.command(["sh", "-c", &world.text("cat '{home}/secret/<b>a&b'; :")]).works();
        eventually("it is shown", || world.has("~/alerts/words"));
        let words = world.read("~/alerts/words");
        let (before, text) = words.trim_end().rsplit_once('\n').unwrap();
        assert!(before.ends_with("--\nclawguard: denied"), "{words}");
        assert_eq!(text, world.text("cat wanted r on {home}/secret/&lt;b&gt;a&amp;b (~/secret)"));
    });
}
