//! A supervised run that goes on: its processes, as they are seen from outside.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::support::{Ran, Shim, World, for_every_user};

pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A supervised run of a shell script.
pub(crate) fn script<'w>(world: &'w World, script: &str) -> Shim<'w> {
    let script = world.text(script);
    world.confined().args(["--mode", "supervised", "--", "sh", "-c", &script])
}

pub(crate) fn sh(world: &World, text: &str) -> Ran {
    script(world, text).run()
}

pub(crate) fn each(test: impl Fn(World)) {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        test(world);
    });
}

pub(crate) fn signal(number: i32, pid: u32) {
    let sent = Command::new("kill").arg(format!("-{number}")).arg(pid.to_string()).status();
    assert!(sent.unwrap().success(), "signal {number} to {pid}");
}

/// The fields of /proc/PID/stat after the name: state, parent, group, session.
pub(crate) fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

pub(crate) fn state(pid: u32) -> String {
    stat(pid).map_or_else(|| "gone".to_owned(), |fields| fields[0].clone())
}

pub(crate) fn children(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|child| stat(*child).is_some_and(|fields| fields[1] == pid.to_string()))
        .collect()
}

#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run that goes on: guardian, supervisor and command.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) supervisor: u32,
    pub(crate) command: u32,
    pub(crate) output: Box<dyn BufRead>,
}

impl Running {
    /// Waits for the line `ready` on standard output.
    pub(crate) fn start(shim: Shim<'_>) -> Running {
        let mut child = shim.start();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        if line != "ready\n" {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("{line}{errors}");
        }
        // A process substitution of the shell before the shim would be the guardian's child as well.
        let is_shim = |pid: &u32| {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name == "clawguard-exec\n")
        };
        let supervisor = children(child.id()).into_iter().find(is_shim).unwrap();
        let command = children(supervisor)[0];
        Running { child, supervisor, command, output: Box::new(output) }
    }

    pub(crate) fn guardian(&self) -> u32 {
        self.child.id()
    }

    /// What is still printed, and how the shim ended.
    pub(crate) fn end(mut self) -> (String, ExitStatus) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap())
    }
}
