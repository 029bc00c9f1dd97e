//! Who runs `on_denied`: a process of its own, made before guardian and supervisor give up their rights, so that the
//! command runs as if the user had started it. For [`Sandbox::spawn`](super::Sandbox::spawn) it is a thread of the
//! caller's process, which gives up nothing.
//!
//! One command at a time, each in a bounded time, in the root directory, with the environment of the user and nothing of
//! the target's but the event on standard input. The queue is a socket's. Nothing here can delay or fail the run; it
//! ends when nobody is left who could tell a denial.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, SeekFrom, fcntl_getfl, fcntl_setfl, memfd_create, seek};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, kill_process_group, pidfd_open,
    set_dumpable_behavior, setsid,
};

use super::parent;
use crate::journal::Alerts;
use crate::path::escape;
use crate::policy::OnDenied;
use crate::sys::{self, Fork};

/// How long a command may run; and, when the run is over, how long those may that still wait.
const LIMIT: Duration = Duration::from_secs(30);

/// The queue's memory, in bytes; the kernel counts about a kilobyte for a short event.
const QUEUE: usize = 64 * 1024;

/// No event is longer: one that does not fit in the queue is never sent.
const LONGEST: usize = 4 * QUEUE;

/// What is kept of a command's output, for the one time that it is told.
const OUTPUT: usize = 4 * 1024;

/// Why an `on_denied` command did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlertError {
    /// It cannot be started.
    #[error("on_denied: `{command}` cannot be started")]
    Start {
        /// The command.
        command: String,
        /// The reason.
        source: io::Error,
    },
    /// It failed.
    #[error("on_denied: `{command}` failed ({status}){}", said(.output))]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it printed, escaped.
        output: String,
    },
    /// It did not end in time, and was killed.
    #[error("on_denied: `{command}` did not end within {} seconds and was killed", LIMIT.as_secs())]
    TooLong {
        /// The command.
        command: String,
    },
}

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!(": {output}") }
}

pub(super) type Tell = Arc<dyn Fn(&AlertError) + Send + Sync>;

/// What a policy wants to be run, and who is told when that fails.
pub(super) struct Alerting {
    pub(super) on_denied: OnDenied,
    pub(super) tell: Tell,
}

/// Forks the process that runs the command. The caller has a single thread, and its rights still.
pub(super) fn fork(alerting: &Alerting) -> io::Result<Alerts> {
    let (own, theirs) = pair()?;
    match sys::fork()? {
        Fork::Child => {
            drop(own);
            // Neither the terminal's signals nor the target's job control are for it.
            let _ = setsid();
            let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
            parent::use_null_for_input_and_output();
            let _ = sys::close_all_but(&[theirs.as_fd()]);
            // Whoever reads the run's output must see its end.
            let at_end = || drop(quiet());
            Alerter::new(alerting, theirs).run(at_end);
            sys::exit_now(0)
        }
        Fork::Parent(_) => {
            drop(theirs);
            Ok(Alerts::new(own, &alerting.on_denied))
        }
    }
}

/// The same in a thread of this process.
pub(super) fn spawn(alerting: Alerting) -> io::Result<Alerts> {
    let (own, theirs) = pair()?;
    let alerts = Alerts::new(own, &alerting.on_denied);
    let body = move || Alerter::new(&alerting, theirs).run(|| ());
    std::thread::Builder::new().name("clawguard-alert".to_owned()).spawn(body)?;
    Ok(alerts)
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let (own, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    set_socket_send_buffer_size(&own, QUEUE)?;
    Ok((own, theirs))
}

fn quiet() -> io::Result<()> {
    let null = File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

struct Alerter<'a> {
    alerting: &'a Alerting,
    socket: OwnedFd,
    /// When whatever still runs is killed: some time after the run is over.
    end: Option<Instant>,
    has_told: bool,
    limit: Duration,
}

/// How a command ended.
enum Outcome {
    Ended(ExitStatus, Vec<u8>),
    TooLong,
}

impl<'a> Alerter<'a> {
    fn new(alerting: &'a Alerting, socket: OwnedFd) -> Alerter<'a> {
        Alerter { alerting, socket, end: None, has_told: false, limit: LIMIT }
    }

    /// Runs the command for each event, until the other end is gone; `at_end` is called then, before the last ones.
    fn run(mut self, at_end: impl Fn()) {
        let mut event = vec![0u8; LONGEST];
        loop {
            match recv(&self.socket, &mut event, RecvFlags::empty()) {
                Ok((_, 0)) => return,
                Ok((_, length)) => self.act(event.get(..length).unwrap_or_default(), &at_end),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            if self.end.is_some_and(|end| end <= Instant::now()) {
                return;
            }
        }
    }

    fn act(&mut self, event: &[u8], at_end: &impl Fn()) {
        let command = || escape(self.alerting.on_denied.command.as_bytes());
        let error = match self
            .command(event)
            .and_then(|(child, output)| self.watch(child, &output, at_end))
        {
            Ok(Outcome::Ended(status, _)) if status.success() => return,
            Ok(Outcome::Ended(status, output)) => {
                let line = output.split(|&byte| byte == b'\n').next().unwrap_or_default();
                AlertError::Failed { command: command(), status, output: escape(line) }
            }
            Ok(Outcome::TooLong) => AlertError::TooLong { command: command() },
            Err(source) => AlertError::Start { command: command(), source },
        };
        if !self.has_told {
            self.has_told = true;
            (self.alerting.tell)(&error);
        }
    }

    /// Starts the command, in a process group of its own.
    fn command(&self, event: &[u8]) -> io::Result<(Child, OwnedFd)> {
        // A file in memory: a command that does not read it keeps nobody waiting.
        let memory = memfd_create("clawguard-event", MemfdFlags::CLOEXEC)?;
        let mut file = File::from(memory);
        file.write_all(event)?;
        seek(&file, SeekFrom::Start(0))?;
        let (output, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        fcntl_setfl(&output, fcntl_getfl(&output)? | OFlags::NONBLOCK)?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.alerting.on_denied.command);
        // Not the run's working directory: the target may write there.
        command.current_dir("/").process_group(0);
        command.stdin(file).stdout(theirs.try_clone()?).stderr(Stdio::from(theirs));
        Ok((command.spawn()?, output))
    }

    /// Waits for its end, which is soon.
    fn watch(
        &mut self,
        mut child: Child,
        output: &OwnedFd,
        at_end: &impl Fn(),
    ) -> io::Result<Outcome> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let process = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let limit = Instant::now() + self.limit;
        let mut kept = Vec::new();
        let mut is_open = true;
        loop {
            let end = self.end.map_or(limit, |end| end.min(limit));
            let left = end.saturating_duration_since(Instant::now());
            // Without a descriptor of the process its end is looked for.
            let step = if process.is_some() { left } else { left.min(Duration::from_millis(20)) };
            let timeout = Timespec {
                tv_sec: i64::try_from(step.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: step.subsec_nanos().into(),
            };
            let mut all = Vec::with_capacity(3);
            all.extend(process.iter().map(|process| PollFd::new(process, PollFlags::IN)));
            if is_open {
                all.push(PollFd::new(output, PollFlags::IN));
            }
            if self.end.is_none() {
                all.push(PollFd::new(&self.socket, PollFlags::empty()));
            }
            let _ = poll(&mut all, Some(&timeout));
            let is_over = self.end.is_none()
                && all.last().is_some_and(|socket| socket.revents().contains(PollFlags::HUP));
            drop(all);
            is_open = is_open && drain(output, &mut kept);
            if let Some(status) = child.try_wait()? {
                drain(output, &mut kept);
                return Ok(Outcome::Ended(status, kept));
            }
            if is_over {
                self.end = Some(Instant::now() + self.limit);
                at_end();
            }
            if left.is_zero() {
                if let Some(group) = pid {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = child.kill();
                child.wait()?;
                return Ok(Outcome::TooLong);
            }
        }
    }
}

/// Takes what is there, and keeps the beginning; false when nobody is left who could write more.
fn drain(output: &OwnedFd, kept: &mut Vec<u8>) -> bool {
    let mut bytes = [0u8; 4096];
    // Bounded: a command that prints without pause must not keep its limit from being looked at.
    for _ in 0..64 {
        match rustix::io::read(output, &mut bytes) {
            Ok(0) => return false,
            Ok(length) => {
                let room = OUTPUT.saturating_sub(kept.len()).min(length);
                kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return true,
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use rustix::net::{SendFlags, send};

    use super::*;
    use crate::policy::Origin;
    use crate::{Host, KernelSupport, Mode, Policy};

    /// What was told while these events were run, and how long that took.
    fn told(command: &str, events: &[&[u8]], limit: Duration) -> (Vec<String>, Duration) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&told);
        let origin = Origin::BuiltIn { part: "test" };
        let on_denied =
            OnDenied { command: command.to_owned(), rules: None, every: Duration::ZERO, origin };
        let tell: Tell = Arc::new(move |error| into.lock().unwrap().push(error.to_string()));
        let alerting = Alerting { on_denied, tell };
        let (own, theirs) = pair().unwrap();
        for event in events {
            send(&own, event, SendFlags::empty()).unwrap();
        }
        drop(own);
        let started = Instant::now();
        let mut alerter = Alerter::new(&alerting, theirs);
        alerter.limit = limit;
        alerter.run(|| ());
        let all = told.lock().unwrap().clone();
        (all, started.elapsed())
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_with_what_it_started() {
        let top = tempfile::tempdir().unwrap();
        let file = top.path().join("pid");
        let command = format!("sleep 300 & echo $! >{}; trap '' TERM; wait", file.display());
        let (told, took) = told(&command, &[b"{}\n"], Duration::from_millis(300));
        assert!(told.len() == 1 && told[0].contains("did not end"), "{told:?}");
        assert!(took < Duration::from_secs(5));
        let pid = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        while rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_ok() {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.contains(") Z ") {
                break;
            }
            assert!(Instant::now() < end, "it still runs");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn events_that_wait_are_run_one_after_the_other_and_read_whole() {
        let top = tempfile::tempdir().unwrap();
        let file = top.path().join("events");
        let command = format!("cat >>{}", file.display());
        // Longer than a pipe holds, for a command that would not read it.
        let long = [vec![b'x'; 60_000], b"\n".to_vec()].concat();
        let (all, _) = told(&command, &[b"one\n", &long, b"two\n"], LIMIT);
        assert!(all.is_empty(), "{all:?}");
        let written = std::fs::read(file).unwrap();
        assert_eq!(written, [&b"one\n"[..], &long, b"two\n"].concat());
        assert!(told("exit 0", &[&long, &long], LIMIT).0.is_empty());
    }

    #[test]
    fn what_a_program_spawns_alerts_too() {
        let top = tempfile::tempdir().unwrap();
        let file = top.path().join("event");
        let text = format!(
            "security: {{file_access: {{presets: [system], allowed_paths: [/usr]}}}}\nlogging: {{on_denied: 'cat \
             >{}; exit 3'}}",
            file.display()
        );
        let policy = Policy::parse(text, "test").unwrap();
        let resolved = policy.resolve(&Host::current().unwrap()).unwrap();
        let plan = resolved.compile(&KernelSupport::probe().unwrap(), Mode::Supervised).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let sandbox = plan.prepare().unwrap().at_failed_alert(move |error| {
            let _ = sender.send(error.to_string());
        });
        let mut command = Command::new("/bin/cat");
        command.arg("/etc/shadow").stdin(Stdio::null()).stderr(Stdio::null());
        assert_eq!(sandbox.run(command).unwrap().code(), Some(1));
        let told = receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(told.contains("failed (exit status: 3)"), "{told}");
        let event: serde_json::Value =
            serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(event["path"], "/etc/shadow");
    }
}
