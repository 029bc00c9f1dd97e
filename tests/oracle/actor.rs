//! The program that acts (actor.c): compiled once, started confined and bare, and spoken to.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use crate::operation::{Operation, TOP, Who, replace};
use crate::support::World;
use crate::walk::Process;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/oracle");

/// Static: it needs nothing of the host, so a policy may say anything about the host.
pub(crate) fn compiled() -> &'static Path {
    static ACTOR: OnceLock<PathBuf> = OnceLock::new();
    ACTOR.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-actor");
        let fresh = to.with_extension(std::process::id().to_string());
        let mut cc = Command::new("cc");
        cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-static", "-pthread", "-o"]);
        let status = cc.arg(&fresh).arg(format!("{SOURCES}/actor.c")).status().unwrap();
        assert!(status.success(), "cc cannot compile actor.c");
        std::fs::rename(&fresh, &to).unwrap();
        to
    })
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 0: it was done.
    pub(crate) errno: i32,
    pub(crate) seen: Vec<u8>,
}

/// A running actor and its tree.
pub(crate) struct Actor {
    child: Child,
    requests: ChildStdin,
    answers: ChildStdout,
    pids: Vec<u32>,
    uid: u32,
    top: Vec<u8>,
}

impl Actor {
    /// Takes over a started actor; what it said instead of its greeting if it does not start.
    pub(crate) fn greet(mut child: Child, uid: u32, top: &[u8]) -> Result<Actor, String> {
        let requests = child.stdin.take().unwrap();
        let answers = child.stdout.take().unwrap();
        let mut actor =
            Actor { child, requests, answers, pids: Vec::new(), uid, top: top.to_vec() };
        let Some(greeting) = actor.message() else { return Err(actor.last_words()) };
        let text = String::from_utf8_lossy(&greeting).into_owned();
        actor.pids = text.split(' ').map(|pid| pid.parse().unwrap()).collect();
        Ok(actor)
    }

    /// Without the shim, but with as few privileges as with it.
    pub(crate) fn bare(world: &World, program: &Path, top: &Path) -> Actor {
        let uid = world.user.uid.to_string();
        let mut command = if world.user.is_other() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("drop").current_dir(top).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let top = std::os::unix::ffi::OsStrExt::as_bytes(top.as_os_str()).to_vec();
        Actor::greet(command.spawn().unwrap(), world.user.uid, &top).unwrap()
    }

    fn message(&mut self) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        let mut part = [0; 4096];
        while message.last() != Some(&0x1e) {
            let got = self.answers.read(&mut part).ok().filter(|got| *got > 0)?;
            message.extend_from_slice(&part[..got]);
        }
        message.pop();
        Some(message)
    }

    /// Does one operation; None: it did not answer within its patience, or ended.
    pub(crate) fn act(&mut self, operation: &Operation) -> Option<Answer> {
        self.requests.write_all(&operation.request(&self.top)).ok()?;
        let message = self.message()?;
        let end = message.iter().position(|byte| *byte == 0x1f)?;
        let errno = String::from_utf8_lossy(&message[..end]).parse().ok()?;
        Some(Answer { errno, seen: replace(&message[end + 1..], &self.top, TOP) })
    }

    /// The process that does what this worker is told.
    pub(crate) fn process(&self, who: Who) -> Process {
        let index = match who.worker() {
            1 => 1,
            3 => 2,
            _ => 0,
        };
        Process { pid: self.pids[index], uid: self.uid }
    }

    /// Ends it, and returns what it wrote to standard error and how it ended.
    pub(crate) fn last_words(mut self) -> String {
        drop(self.requests);
        drop(self.answers);
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut text);
        }
        let status = self.child.wait().unwrap();
        format!("{status}: {text}")
    }
}
