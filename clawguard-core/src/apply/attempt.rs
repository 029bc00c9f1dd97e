//! Attempts that change nothing, made by a process that is confined as a command would be, or beside it without
//! confinement: `check --probe` compares them with the law.
//!
//! Nothing here may make, change or execute anything: no directory of the policy is made, no journal written, no file
//! truncated, created or run.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::fs::{AtFlags, CWD, MemfdFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::ApplyError;
use super::prepare::PrepareError;
use super::steps::drop_capabilities;
use crate::access::Access;
use crate::compile::Plan;
use crate::sys;

/// What is tried at a path. None of them changes anything that another process could find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Opening for reading, without waiting. Not for FIFOs and devices, where an open alone does something.
    OpenToRead,
    /// Opening a directory to list it.
    List,
    /// Opening for writing, nothing written or truncated.
    OpenToWrite,
    /// Making a file without a name in a directory (`O_TMPFILE`), gone when it is closed.
    MakeUnnamed,
    /// Asking whether it could be executed (`AT_EXECVE_CHECK`, Linux 6.14; EINVAL before).
    CheckExecution,
    /// Asking access(2).
    Ask(Access),
}

/// One thing that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The path; links are followed.
    pub path: CString,
    /// What is done with it.
    pub act: Act,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was let.
    Worked,
    /// It failed with this errno.
    Failed(i32),
}

impl Attempt {
    /// Tries it in the calling thread. System calls only: it also runs after a fork, where nothing may be allocated.
    #[must_use]
    pub fn make(&self) -> Outcome {
        let open = |flags: OFlags, mode| {
            let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, self.path.as_c_str(), flags, mode).map(drop)
        };
        let made = match self.act {
            Act::OpenToRead => open(OFlags::RDONLY, Mode::empty()),
            Act::List => open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()),
            Act::OpenToWrite => open(OFlags::WRONLY, Mode::empty()),
            // O_EXCL: nobody can give it a name.
            Act::MakeUnnamed => {
                open(OFlags::WRONLY | OFlags::TMPFILE | OFlags::EXCL, Mode::RUSR | Mode::WUSR)
            }
            Act::CheckExecution => sys::calls::check_execution(&self.path)
                .map(drop)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            Act::Ask(access) => {
                let mode = match access {
                    Access::Read => rustix::fs::Access::READ_OK,
                    Access::Write => rustix::fs::Access::WRITE_OK,
                    Access::Execute => rustix::fs::Access::EXEC_OK,
                };
                rustix::fs::accessat(CWD, self.path.as_c_str(), mode, AtFlags::EACCESS)
            }
        };
        match made {
            Ok(()) => Outcome::Worked,
            Err(errno) => Outcome::Failed(errno.raw_os_error()),
        }
    }
}

/// Runs this in a thread of its own that has no capabilities, as no confined command has one: what it finds denied
/// is denied by something else than clawguard.
///
/// # Errors
/// When there can be no thread, or it cannot give up its capabilities.
pub fn without_capabilities<T: Send>(body: impl FnOnce() -> T + Send) -> Result<T, ApplyError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            drop_capabilities()?;
            Ok(body())
        });
        let ended = thread.map_err(ApplyError::Spawn)?.join();
        ended.unwrap_or_else(|_| Err(ApplyError::Spawn(io::ErrorKind::Other.into())))
    })
}

impl Plan {
    /// Makes these attempts, one after the other, in a process that this plan confines. None of the policy's
    /// directories is made for it, and no journal is written.
    ///
    /// # Errors
    /// When the process cannot be confined or does not come to the end of its attempts.
    pub fn attempt(&self, attempts: Vec<Attempt>) -> Result<Vec<Outcome>, AttemptError> {
        let count = attempts.len();
        let mut sandbox = self.prepare_for_attempts()?;
        // A file, since a pipe could fill while `spawn` waits for the process.
        let answers = rustix::fs::memfd_create("clawguard-attempts", MemfdFlags::CLOEXEC)
            .map_err(|errno| AttemptError::Answers(errno.into()))?;
        let theirs = answers.try_clone().map_err(AttemptError::Answers)?;
        sandbox.steps.attempts = Some(Attempts { attempts, answers: theirs });
        // Never executed: the process ends with its last attempt.
        let mut command = Command::new("clawguard-attempts");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = sandbox.run(command)?;
        let read = read(&answers, count).map_err(AttemptError::Answers)?;
        if read.len() == count { Ok(read) } else { Err(AttemptError::Ended(status)) }
    }
}

/// The attempts of a process that will be confined.
pub(super) struct Attempts {
    attempts: Vec<Attempt>,
    answers: OwnedFd,
}

impl Attempts {
    /// Makes them all and ends the process.
    pub(super) fn make_and_exit(&self) -> ! {
        for (attempt, at) in self.attempts.iter().zip((0u64..).step_by(WIDTH)) {
            let answer = match attempt.make() {
                Outcome::Worked => 0i32,
                Outcome::Failed(errno) => errno,
            };
            if rustix::io::pwrite(&self.answers, &answer.to_ne_bytes(), at) != Ok(WIDTH) {
                sys::exit_now(125)
            }
        }
        sys::exit_now(0)
    }
}

/// The bytes of an answer: an errno, 0 for none.
const WIDTH: usize = size_of::<i32>();

/// As many answers as were written, in their order.
fn read(answers: &OwnedFd, count: usize) -> io::Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(count);
    let mut answer = [0u8; WIDTH];
    for at in (0u64..).step_by(WIDTH).take(count) {
        if rustix::io::pread(answers, &mut answer, at)? != WIDTH {
            break;
        }
        outcomes.push(match i32::from_ne_bytes(answer) {
            0 => Outcome::Worked,
            errno => Outcome::Failed(errno),
        });
    }
    Ok(outcomes)
}

/// Why attempts were not made.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The plan cannot be carried out.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The process cannot be confined.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Its answers cannot be kept or read.
    #[error("cannot keep the answers of the confined process")]
    Answers(#[source] io::Error),
    /// It ended before its last attempt.
    #[error("the confined process ended before its last attempt ({0})")]
    Ended(std::process::ExitStatus),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Host, KernelSupport, Mode as PlanMode, Policy};

    fn attempt(path: &str, act: Act) -> Attempt {
        Attempt { path: CString::new(path).unwrap(), act }
    }

    #[test]
    fn a_confined_process_tries_and_makes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().canonicalize().unwrap();
        let top = top.to_str().unwrap();
        std::fs::write(format!("{top}/open"), "x").unwrap();
        std::fs::write(format!("{top}/closed"), "x").unwrap();
        let text = format!(
            "security: {{file_access: {{presets: [system], allowed_paths: ['{top}', '{top}/made/'], \
             blocked_paths: ['{top}/closed']}}}}"
        );
        for mode in [PlanMode::Supervised, PlanMode::Kernel] {
            let policy = Policy::parse(&text, "test").unwrap();
            let resolved = policy.resolve(&Host::current().unwrap()).unwrap();
            let plan = resolved.compile(&KernelSupport::probe().unwrap(), mode).unwrap();
            let attempts = [
                (Act::OpenToRead, "open"),
                (Act::OpenToWrite, "open"),
                (Act::OpenToRead, "closed"),
                (Act::OpenToWrite, "closed"),
                (Act::OpenToRead, "none"),
            ];
            let attempts =
                attempts.map(|(act, name)| attempt(&format!("{top}/{name}"), act)).to_vec();
            let made: Vec<Outcome> = attempts.iter().map(Attempt::make).collect();
            let (yes, none) = (Outcome::Worked, Outcome::Failed(libc::ENOENT));
            assert_eq!(made, [yes, yes, yes, yes, none]);
            let denied = Outcome::Failed(libc::EACCES);
            let confined = plan.attempt(attempts).unwrap();
            assert_eq!(confined, [yes, yes, denied, denied, none], "{mode:?}");
            assert!(!directory.path().join("made").exists());
        }
    }

    #[test]
    fn more_answers_than_a_pipe_holds_come_back_in_their_order() {
        let resolved = Policy::parse("security: {file_access: {presets: [system]}}", "test")
            .unwrap()
            .resolve(&Host::current().unwrap())
            .unwrap();
        let plan =
            resolved.compile(&KernelSupport::probe().unwrap(), PlanMode::Supervised).unwrap();
        let attempts: Vec<Attempt> = (0..20_000)
            .map(|number| match number % 2 {
                0 => attempt("/usr/bin/env", Act::OpenToRead),
                _ => attempt("/etc/shadow", Act::OpenToRead),
            })
            .collect();
        let outcomes = plan.attempt(attempts).unwrap();
        assert_eq!(outcomes.len(), 20_000);
        let expected = [Outcome::Worked, Outcome::Failed(libc::EACCES)];
        assert!(outcomes.chunks(2).all(|two| two == expected));
    }

    #[test]
    fn a_thread_without_capabilities_leaves_the_others_theirs() {
        let own = || rustix::thread::capabilities(None).unwrap().effective;
        let before = own();
        assert!(without_capabilities(own).unwrap().is_empty());
        assert_eq!(own(), before);
    }
}
