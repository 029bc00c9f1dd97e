//! Executions: the law is asked about the file, its interpreters and its loader, and the kernel goes on.
//!
//! Nobody can execute a file for somebody else, so in a loose directory a denied file may be run by who exchanges the
//! path meanwhile; what ran in spite of it is ended before anybody can look at it, or when its process asks for anything
//! else (`executing`, SPEC section 6.3).

#![forbid(unsafe_code)]

use std::fs::File;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::answer::{Answer, Answered};
use super::image::{self, Image};
use super::lookup::{Follow, Kind};
use super::pin::{Name, Pinned, through};
use super::request::Request;
use super::target::{Base, Target};
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
        worker.remember(request.target, images)?;
        // After it is remembered: whoever traces it from now on is asked about it (`tracing`).
        if let Err(errno) = may_execute_traced(worker, request.target) {
            worker.forget_execution(request.target);
            return Err(errno);
        }
    }
    Ok(proceed)
}

/// A thread that does not lead its process gets the leader's number when it executes, and a tracer that was let look at
/// the stopped leader would look at the new program: where that could be one that must not be read, a traced thread
/// executes nothing.
fn may_execute_traced(worker: &Worker, target: Target<'_>) -> Result<(), Errno> {
    let is_spared = !worker.shared.floor.is_loose_for_reading();
    if is_spared || target.process()? == target.tid || !target.is_traced()? {
        return Ok(());
    }
    Err(Errno::PERM)
}

/// Asks the law about a file and about all that the kernel opens to run it; returns these.
fn judge(worker: &mut Worker, request: &Request<'_>, pinned: Pinned) -> Result<Vec<Pinned>, Errno> {
    require(worker, request, &pinned)?;
    let mut opened = vec![pinned];
    let judged = judge_rest(worker, request, &mut opened);
    // The kernel opens one file after the other: what is wrong with an earlier one comes first.
    let loaders = judged.map_err(|errno| opened.iter().find_map(own_error).unwrap_or(errno))?;
    opened.extend(loaders);
    Ok(opened)
}

/// The same for the interpreters of a file, which are opened too, and its ELF loaders, which are returned.
fn judge_rest(
    worker: &mut Worker,
    request: &Request<'_>,
    opened: &mut Vec<Pinned>,
) -> Result<Vec<Pinned>, Errno> {
    let mut loaders = Vec::new();
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
            require(worker, request, &found)?;
            if is_script { opened.push(found) } else { loaders.push(found) }
        }
        if !is_script {
            break;
        }
    }
    Ok(loaders)
}

/// Refuses unless the law lets this be executed.
fn require(worker: &mut Worker, request: &Request<'_>, pinned: &Pinned) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(&pinned.fd)?;
    match &pinned.name {
        // The kernel refuses what is no regular file.
        _ if !is_regular(&stat) => {}
        Name::Path(path) => worker.require_at(request, path, Access::Execute.into())?,
        Name::Nameless(allowed) if may_run_nameless(worker, &stat, *allowed) => {}
        Name::Nameless(_) => return Err(Errno::ACCESS),
    }
    Ok(())
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
