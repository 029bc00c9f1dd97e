//! Executions: the law is asked about the file, its interpreters and its loader, and the kernel goes on.
//!
//! Nobody can execute a file for somebody else, so in a loose directory a denied file may be run by who exchanges the
//! path meanwhile; what ran in spite of it is ended when its process asks for anything else (SPEC section 6.3).

#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::answer::{Answer, Answered};
use super::image::{self, Image};
use super::lookup::{Follow, Kind};
use super::pin::{Name, Pinned, name_of, through};
use super::request::Request;
use super::target::{Base, Target, read_proc};
use super::worker::Worker;
use crate::access::{Access, AccessSet};
use crate::journal::{Event, Kind as Logged, Outcome};

/// Interpreters of interpreters, at most (`exec_binprm` of fs/exec.c).
const INTERPRETERS: usize = 5;

/// Bytes of a command line that are logged, and arguments.
const MOST_ARGUMENT: usize = 4096;
const MOST_ARGUMENTS: usize = 256;

/// `AT_EXECVE_CHECK` of linux/fcntl.h (Linux 6.14).
const AT_EXECVE_CHECK: i32 = 0x10000;

/// Processes that are watched at once.
const PROCESSES: usize = 4096;

/// How long a process is watched that still runs its old program: its execution failed, or takes long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that was let execute.
#[derive(Debug)]
pub(super) struct Executing {
    /// Where its stack began before: the kernel puts it elsewhere for each new program.
    stack: Option<u64>,
    since: Instant,
    /// What it ran before. Its stack may begin at the same place again where addresses are not random.
    program: (u64, u64),
    /// What was judged, by device and inode: a program that is none of these was put in its place.
    images: Vec<(u64, u64)>,
}

/// Field 28 of proc_pid_stat(5), `startstack`.
fn stack(process: u32) -> Option<u64> {
    let stat = read_proc(&format!("/proc/{process}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything: fields count from its end.
    stat.rsplit_once(')')?.1.split_whitespace().nth(25)?.parse().ok()
}

/// `execve`, `execveat`.
pub(super) fn exec(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let proceed = Answer::Continue(worker.shared.floor.execute());
    if request.call.name == "execveat" {
        // The path is copied before the flags are looked at.
        request.named(0)?;
        request.only_flags(4, libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | AT_EXECVE_CHECK)?;
    }
    // What cannot be found or read is not left to the kernel: it may find something else.
    let pinned = worker.object(request, 0)?;
    let logged = worker.shared.journal.wants(Logged::Command);
    if logged && let Name::Path(path) = &pinned.name {
        worker.shared.journal.record(Event {
            pid: request.target.process().unwrap_or(request.target.tid),
            command: request.target.command(),
            operation: request.call.name,
            path: path.as_bytes().into(),
            access: Access::Execute.into(),
            outcome: Outcome::Allowed { rule: None },
            arguments: Some(arguments(request)),
        });
    }
    let images = judge(worker, request, pinned)?;
    let is_question =
        request.call.name == "execveat" && request.word(4) as i32 & AT_EXECVE_CHECK != 0;
    if worker.shared.watches_executions && !is_question {
        remember(worker, request.target.process()?, images)?;
    }
    Ok(proceed)
}

/// Remembers a process until its new program was looked at. Who cannot be remembered does not execute.
fn remember(worker: &Worker, process: u32, images: Vec<(u64, u64)>) -> Result<(), Errno> {
    let (_, program) = program_of(process)?;
    let entry = Executing { stack: stack(process), since: Instant::now(), program, images };
    let mut executing = worker.shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
    if executing.len() >= PROCESSES {
        // Some ended without asking for anything.
        executing.retain(|process, _| Path::new(&format!("/proc/{process}")).exists());
    }
    if executing.len() >= PROCESSES {
        return Err(Errno::AGAIN);
    }
    executing.insert(process, entry);
    Ok(())
}

/// What a process runs, with its device and inode.
fn program_of(process: u32) -> Result<(OwnedFd, (u64, u64)), Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, format!("/proc/{process}/exe"), flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    Ok((fd, (stat.st_dev, stat.st_ino)))
}

/// Asks the law about a file and about all that the kernel opens to run it; returns them, by device and inode.
fn judge(
    worker: &mut Worker,
    request: &Request<'_>,
    pinned: Pinned,
) -> Result<Vec<(u64, u64)>, Errno> {
    let mut images = vec![require(worker, request, &pinned)?];
    let mut opened = vec![pinned];
    let judged = judge_rest(worker, request, &mut opened, &mut images);
    // The kernel opens one file after the other: what is wrong with an earlier one comes first.
    judged.map_err(|errno| opened.iter().find_map(own_error).unwrap_or(errno))?;
    Ok(images)
}

/// The same for the interpreters of a file and its ELF loaders.
fn judge_rest(
    worker: &mut Worker,
    request: &Request<'_>,
    opened: &mut Vec<Pinned>,
    images: &mut Vec<(u64, u64)>,
) -> Result<(), Errno> {
    while let Some(pinned) = opened.last() {
        let (named, is_script) = match image(worker, pinned)? {
            Image::Script(path) => (vec![path], true),
            Image::Program(loaders) => (loaders, false),
            Image::Unknown => (Vec::new(), false),
        };
        for path in named {
            let found = interpreter(worker, request, &path)?;
            if is_script && opened.len() > INTERPRETERS {
                return Err(Errno::LOOP);
            }
            images.push(require(worker, request, &found)?);
            if is_script {
                opened.push(found);
            }
        }
        if !is_script {
            break;
        }
    }
    Ok(())
}

/// Refuses unless the law lets this be executed.
fn require(
    worker: &mut Worker,
    request: &Request<'_>,
    pinned: &Pinned,
) -> Result<(u64, u64), Errno> {
    let stat = rustix::fs::fstat(&pinned.fd)?;
    match &pinned.name {
        // The kernel refuses what is no regular file.
        _ if !is_regular(&stat) => {}
        Name::Path(path) => worker.require_at(request, path, Access::Execute.into())?,
        Name::Nameless(allowed) if may_run_nameless(worker, &stat, *allowed) => {}
        Name::Nameless(_) => return Err(Errno::ACCESS),
    }
    Ok((stat.st_dev, stat.st_ino))
}

/// What has no name is judged by nothing but what it is. A memfd never had one, so whoever may read it may execute it;
/// what a process runs already (`/proc/PID/exe`) was judged before. Any other file may have had a blocked name.
fn may_run_nameless(worker: &Worker, stat: &Stat, allowed: AccessSet) -> bool {
    let is_memory = worker.shared.memory == Some(stat.st_dev);
    allowed.contains(Access::Execute) || is_memory && allowed.contains(Access::Read)
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Why the kernel would not execute this file itself: that comes before what is wrong with its interpreter.
fn own_error(pinned: &Pinned) -> Option<Errno> {
    let link = through(&pinned.fd);
    let asked = crate::sys::calls::check_execution(&link).err();
    let errno = asked.and_then(|error| Errno::from_io_error(&error));
    // Before Linux 6.14 the flag is unknown.
    errno.filter(|errno| *errno != Errno::INVAL).or_else(|| {
        let execute = rustix::fs::Access::EXEC_OK;
        rustix::fs::accessat(CWD, &*link, execute, AtFlags::EACCESS).err()
    })
}

/// What this file is for the kernel. What cannot be read is executed only where Landlock holds the policy alone.
fn image(worker: &Worker, pinned: &Pinned) -> Result<Image, Errno> {
    if !is_regular(&rustix::fs::fstat(&pinned.fd)?) {
        return Ok(Image::Unknown);
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, through(&pinned.fd), flags, Mode::empty()) {
        Ok(fd) => image::read(&File::from(fd)),
        Err(Errno::ACCESS) if !worker.shared.watches_executions => Ok(Image::Unknown),
        Err(errno) => Err(errno),
    }
}

fn interpreter(worker: &Worker, request: &Request<'_>, path: &[u8]) -> Result<Pinned, Errno> {
    let ways = &worker.shared.ways;
    ways.object(request.target, Base::WorkingDirectory, path, Follow::Yes, Kind::Any)
}

/// The arguments, as far as they can be read now.
fn arguments(request: &Request<'_>) -> Vec<Box<[u8]>> {
    let at = request.arguments[if request.call.name == "execve" { 1 } else { 2 }];
    let mut arguments = Vec::new();
    for index in 0..MOST_ARGUMENTS as u64 {
        let Ok(pointer) = request.target.bytes::<8>(at.wrapping_add(index * 8)) else { break };
        let address = u64::from_ne_bytes(pointer);
        if address == 0 {
            break;
        }
        let Ok(text) = request.target.text(address, MOST_ARGUMENT) else { break };
        arguments.push(text.into_boxed_slice());
    }
    arguments
}

impl Worker {
    /// Ends a process that runs what the law denies, at the first call of its new program. What cannot be looked at is
    /// ended too.
    pub(super) fn look_at_program(&mut self, target: Target<'_>) {
        let shared = std::sync::Arc::clone(&self.shared);
        let mut executing = shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread that executed leads the process then; until it does, others may ask.
        let Some(entry) = executing.get(&target.tid) else { return };
        let program = program_of(target.tid);
        let is_old = program.as_ref().is_ok_and(|(_, now)| *now == entry.program);
        if is_old && stack(target.tid) == entry.stack {
            if entry.since.elapsed() > PATIENCE {
                executing.remove(&target.tid);
            }
            return;
        }
        let is_allowed = program.is_ok_and(|(fd, now)| {
            let named = || name_of(&fd).ok().flatten();
            entry.images.contains(&now)
                || named().is_some_and(|path| self.allows(&path, Access::Execute.into()))
        });
        if is_allowed {
            executing.remove(&target.tid);
        } else if target.is_waiting().is_ok() {
            let pid = i32::try_from(target.tid).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // It waits in this call, so its number is its own.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}
