//! Processes: who runs without clawguard, and who listens beyond loopback.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{audit, clean, rows, with_policy};
use crate::support::{User, World, for_every_user};

/// A process of the world's user that calls itself `name`.
struct Named(Child);

impl Named {
    fn start(world: &World, name: &str) -> Named {
        let mut command = Command::new("sleep");
        command.arg0(name).arg("60").stdin(Stdio::null());
        if world.user.is_other() {
            command.uid(world.user.uid).gid(world.user.uid);
        }
        Named(command.spawn().unwrap())
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is said of this process.
fn of(world: &World, pid: u32) -> Option<Value> {
    let all = rows(&audit(world, &["--json", "--only=agent-unconfined"]).run());
    all.into_iter().find(|row| row["pid"] == pid)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_agent_without_clawguard_is_told_and_worse_beside_a_confined_one() {
    for_every_user(|world| {
        clean(&world);
        with_policy(&world, "allowed_paths: ['~/work']");
        // No other test has to do with this agent.
        let loose = Named::start(&world, "gemini");
        let other = Named::start(&world, "gemini-like");
        let row = of(&world, loose.0.id()).unwrap();
        assert_eq!(row["severity"], "warning", "{row:#}");
        assert!(row["command"].as_str().unwrap().contains("clawguard-exec -- gemini"), "{row:#}");
        assert_eq!(of(&world, other.0.id()), None);
        let script = "exec -a gemini sh -c 'echo $$ > pid; sleep 60; true'";
        let mut confined = world.shim_with(["-q", "--", "bash", "-c", script]).start();
        let pid = || std::fs::read_to_string(world.path("~/work/pid")).ok()?.trim().parse().ok();
        wait_until("the confined agent runs", || pid().is_some());
        assert_eq!(of(&world, pid().unwrap()), None, "a confined agent is no finding");
        assert_eq!(of(&world, loose.0.id()).unwrap()["severity"], "critical");
        drop(confined.stdin.take());
        rustix_kill(confined.id());
        confined.wait().unwrap();
    });
}

/// Ends a shim that this test started, and with it what it confines.
fn rustix_kill(pid: u32) {
    assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
}

/// The findings of an audit in a network of its own, where a process that calls itself `name` listens on `address`.
fn listening(world: &World, name: &str, address: &str, port: u16) -> Vec<Value> {
    let program = "import os,socket,sys,time\n\
                   parent = os.getppid()\n\
                   s = socket.socket(); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen()\n\
                   open(sys.argv[3], 'w').close()\n\
                   while os.getppid() == parent: time.sleep(0.05)\n";
    world.write("~/listen.py", program);
    let _ = std::fs::remove_file(world.path("~/work/ready"));
    let prelude = format!(
        "(exec -a {name} python3 {{home}}/listen.py {address} {port} {{home}}/work/ready) </dev/null >/dev/null 2>&1 & \
         until [ -e {{home}}/work/ready ]; do sleep 0.05; done"
    );
    let network: &[&str] = match User::current().uid {
        0 => &["unshare", "--net", "sh", "-c", "ip link set lo up 2>/dev/null; exec \"$@\"", "sh"],
        _ => &["unshare", "--user", "--map-current-user", "--net"],
    };
    let shim = audit(world, &["--json", "--only=gateway-exposed", "--only=agent-exposed"]);
    rows(&shim.after(&prelude).started_by(network).run())
}

#[test]
fn what_listens_beyond_loopback_is_told_with_its_process() {
    for_every_user(|world| {
        clean(&world);
        let rows = listening(&world, "openclaw-gateway", "0.0.0.0", 18789);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        assert_eq!(
            (rows[0]["id"].as_str(), rows[0]["severity"].as_str()),
            (Some("gateway-exposed"), Some("critical"))
        );
        assert!(
            rows[0]["pid"].is_number()
                && rows[0]["reason"].as_str().unwrap().contains("port 18789"),
            "{rows:#?}"
        );
        let rows = listening(&world, "claude", "0.0.0.0", 8080);
        assert_eq!((rows.len(), rows[0]["id"].as_str()), (1, Some("agent-exposed")), "{rows:#?}");
        for (name, address, port) in
            [("openclaw-gateway", "127.0.0.1", 18789), ("python3", "0.0.0.0", 8080)]
        {
            assert_eq!(
                listening(&world, name, address, port),
                Vec::<Value>::new(),
                "{name} {address}"
            );
        }
    });
}

#[test]
fn the_port_of_the_settings_counts_where_the_process_cannot_be_known() {
    let world = World::mine();
    clean(&world);
    let settings = super::SETTINGS.replace("bind:", "port: 4321, bind:");
    world.write("~/.openclaw/openclaw.json", settings);
    let rows = listening(&world, "somebody", "0.0.0.0", 4321);
    assert_eq!((rows.len(), rows[0]["severity"].as_str()), (1, Some("warning")), "{rows:#?}");
}
