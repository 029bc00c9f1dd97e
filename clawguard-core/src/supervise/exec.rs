//! Executions: the law is asked about the file, its interpreters and its loader, and the kernel goes on.
//!
//! Nobody can execute a file for somebody else, so in a loose directory a denied file may be run by who exchanges the
//! path meanwhile; what ran in spite of it is ended when its process asks for anything else (SPEC section 6.3).

#![forbid(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::process::{Pid, Signal};

use super::answer::{Answer, Answered};
use super::lookup::{Follow, Kind};
use super::pin::{Name, Pinned, name_of, through};
use super::request::Request;
use super::target::{Base, Target, read_proc};
use super::worker::Worker;
use crate::access::{Access, AccessSet};
use crate::journal::{Event, Kind as Logged, Outcome};

/// The kernel's `BINPRM_BUF_SIZE`: what it reads of a script's first line.
const FIRST_LINE: usize = 256;

/// Scripts whose interpreter is a script, at most (fs/exec.c).
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
        request.only_flags(4, libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | AT_EXECVE_CHECK)?;
    }
    // What cannot be found or read is not left to the kernel: it may find something else.
    let mut pinned = worker.object(request, 0)?;
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
    let mut images = Vec::new();
    for _ in 0..INTERPRETERS {
        let stat = rustix::fs::fstat(&pinned.fd)?;
        images.push((stat.st_dev, stat.st_ino));
        match &pinned.name {
            Name::Path(path) if is_regular(&pinned) => {
                worker.require_at(request, path, Access::Execute.into())?;
            }
            // A directory is the kernel's to refuse, and a memfd runs what the target wrote.
            Name::Path(_) | Name::Nameless(_) => {}
        }
        match interpreter(worker, request, &pinned) {
            Some(next) => pinned = next,
            None => break,
        }
    }
    if worker.shared.watches_executions {
        let process = request.target.process()?;
        let mut executing = worker.shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
        // Bounded: processes that ended without asking for anything are forgotten together.
        if executing.len() >= PROCESSES {
            executing.clear();
        }
        executing
            .insert(process, Executing { stack: stack(process), since: Instant::now(), images });
    }
    Ok(proceed)
}

fn is_regular(pinned: &Pinned) -> bool {
    rustix::fs::fstat(&pinned.fd)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

/// What the kernel would start instead of a script, or besides a program.
fn interpreter(worker: &Worker, request: &Request<'_>, pinned: &Pinned) -> Option<Pinned> {
    if !is_regular(pinned) {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, through(&pinned.fd), flags, Mode::empty()).ok()?);
    let path = interpreter_of(&file)?;
    let ways = &worker.shared.ways;
    ways.object(request.target, Base::WorkingDirectory, &path, Follow::Yes, Kind::Any).ok()
}

/// The path of what the kernel starts to run this file: a script's interpreter, or a program's loader. None if the file
/// runs by itself, or cannot be read.
#[must_use]
pub fn interpreter_of(file: &File) -> Option<Vec<u8>> {
    let mut head = [0u8; FIRST_LINE];
    let read = file.read_at(&mut head, 0).ok()?;
    let head = &head[..read];
    match head {
        [b'#', b'!', line @ ..] => script(line),
        [0x7f, b'E', b'L', b'F', ..] => loader(file, head),
        _ => None,
    }
}

/// The interpreter's path in a script's first line.
fn script(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.split(|&byte| byte == b'\n').next()?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let path = line[start..].split(|byte| is_blank(byte) || *byte == 0).next()?;
    (!path.is_empty()).then(|| path.to_vec())
}

/// The path in an ELF file's `PT_INTERP` (elf(5)), 64-bit, little-endian.
fn loader(file: &File, head: &[u8]) -> Option<Vec<u8>> {
    let word =
        |bytes: &[u8], at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let half =
        |bytes: &[u8], at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
    let (offset, size, count) = (word(head, 32)?, half(head, 54)?, half(head, 56)?);
    for index in 0..u64::from(count.min(128)) {
        let mut header = [0u8; 56];
        file.read_exact_at(&mut header, offset.checked_add(index * u64::from(size))?).ok()?;
        if header[..4] == 3u32.to_le_bytes() {
            let (at, length) = (word(&header, 8)?, word(&header, 32)?);
            let mut path =
                vec![0u8; usize::try_from(length).ok().filter(|length| *length <= 4096)?];
            file.read_exact_at(&mut path, at).ok()?;
            path.truncate(path.iter().position(|&byte| byte == 0)?);
            return (!path.is_empty()).then_some(path);
        }
    }
    None
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
    /// Ends a process that runs what the law denies, at the first call of its new program.
    pub(super) fn look_at_program(&mut self, target: Target<'_>) {
        let shared = std::sync::Arc::clone(&self.shared);
        let mut executing = shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
        if executing.is_empty() {
            return;
        }
        // The thread that executed leads the process then; until it does, others may ask.
        let Some(entry) = executing.get(&target.tid) else { return };
        if stack(target.tid) == entry.stack && entry.since.elapsed() < PATIENCE {
            return;
        }
        let images = executing.remove(&target.tid).map(|entry| entry.images).unwrap_or_default();
        drop(executing);
        let program = format!("/proc/{}/exe", target.tid);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let Ok(fd) = rustix::fs::openat(CWD, program, flags, Mode::empty()) else { return };
        let is_judged =
            rustix::fs::fstat(&fd).is_ok_and(|stat| images.contains(&(stat.st_dev, stat.st_ino)));
        let is_allowed = is_judged
            || name_of(&fd)
                .ok()
                .flatten()
                .is_some_and(|path| self.allows(&path, AccessSet::from(Access::Execute)));
        if !is_allowed && target.is_waiting().is_ok() {
            let pid = i32::try_from(target.tid).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // It waits in this call, so its number is its own.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}
