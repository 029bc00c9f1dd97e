//! The process outside that an attempt must not reach: outsider.c, started as the same user before each attempt.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::attempt::Programs;
use crate::canary::Canaries;
use crate::support::World;

pub(crate) struct Outsider {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Where its secret lies in its memory, in hexadecimal.
    pub(crate) address: String,
}

impl Outsider {
    pub(crate) fn start(programs: &Programs, world: &World, canaries: &mut Canaries) -> Outsider {
        let name = world.root().file_name().unwrap();
        let mut child = Command::new(programs.path("launch"))
            .arg(world.user.uid.to_string())
            .arg("0")
            .arg(world.home())
            .args(["0", "0"])
            .arg(programs.path("outsider"))
            .arg(world.home())
            .arg(name)
            .current_dir(world.path("~/work"))
            .env_clear()
            .env("OUTSIDER_CANARY", canaries.make("the outsider's memory"))
            .env("OUTSIDER_TYPED", canaries.make("the outsider's terminal"))
            .env("OUTSIDER_SOCKET", canaries.make("the outsider's sockets"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An attempt on its process group is not one on ours.
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.strip_prefix("ready ").expect("the outsider starts").trim().to_owned();
        Outsider { child, stdin, stdout, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; what was done to it.
    pub(crate) fn end(mut self) -> Vec<String> {
        drop(self.stdin.take());
        let mut report = String::new();
        let is_read = self.stdout.read_to_string(&mut report).is_ok();
        let mut effects: Vec<String> = report
            .lines()
            .filter(|line| *line != "alive")
            .map(|line| format!("outsider {line}"))
            .collect();
        if !is_read || !report.ends_with("alive\n") {
            effects.push("outsider killed".to_owned());
        }
        let _ = self.child.wait();
        effects
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
