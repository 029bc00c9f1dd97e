//! Processes that were let execute, until it is known what they run.
//!
//! What must not be executed can be mapped by who exchanges a path after it was judged. So the program is looked at
//! before anybody else can see anything of it: a tracer, who opens its file in `/proc`, or its own first call.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::mapped;
use super::pin::{Pinned, name_of};
use super::target::{Target, read_proc};
use super::worker::Worker;
use crate::access::Access;

/// Processes that are watched at once.
const PROCESSES: usize = 4096;

/// Executions whose files are held, at once; of further ones only the numbers are known.
const HELD: usize = 128;

/// All processes that were let execute.
#[derive(Debug, Default)]
pub(super) struct Executions {
    /// By process: one for each thread of it that executes.
    pending: HashMap<u32, Vec<Execution>>,
    /// The processes of those threads that do not lead theirs.
    threads: HashMap<u32, u32>,
}

/// A thread that was let execute.
#[derive(Debug)]
struct Execution {
    thread: u32,
    /// When its process began.
    began: u64,
    /// Where its stack began before: the kernel puts it elsewhere for each new program.
    stack: u64,
    /// What it ran before. Its stack may begin at the same place again where addresses are not random.
    program: Program,
    /// What was judged: a program that is none of these was put in its place.
    images: Vec<Program>,
}

/// A file by its device and inode: numbers that come back, unless it is held.
#[derive(Debug)]
struct Program {
    numbers: (u64, u64),
    held: Option<OwnedFd>,
}

impl Program {
    fn new(fd: OwnedFd, is_held: bool) -> Result<Program, Errno> {
        let stat = fstat(&fd)?;
        Ok(Program { numbers: (stat.st_dev, stat.st_ino), held: is_held.then_some(fd) })
    }
}

/// What a process runs, as far as executions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// Nothing that is not known to be allowed.
    Judged,
    /// Still its old program, while a thread executes: its leader, or perhaps another.
    Old { by_leader: bool },
    /// The kernel is still about to map its program.
    Between,
    /// What the law denies. It was ended.
    Denied,
}

/// Fields of proc_pid_stat(5).
pub(super) struct Seen {
    pub(super) state: char,
    began: u64,
    stack: u64,
    /// `env_end`: 0 until the kernel has mapped the whole program (fs/binfmt_elf.c, `create_elf_tables`).
    environment_end: u64,
}

impl Seen {
    /// Of a thread, or of a process by the number of its leader.
    pub(super) fn of(thread: u32) -> Option<Seen> {
        let stat = read_proc(&format!("/proc/{thread}/stat")).ok()?;
        // The command's name, in parentheses, may hold anything: fields count from its end.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse().ok();
        Some(Seen {
            state: fields.first()?.chars().next()?,
            began: number(22)?,
            stack: number(28)?,
            environment_end: number(51)?,
        })
    }
}

/// What a process runs.
fn program_of(process: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    openat(CWD, format!("/proc/{process}/exe"), flags, Mode::empty())
}

impl Executions {
    /// The process of this thread, if it is watched. The thread that executed leads it then; until it does, other
    /// threads may ask.
    fn process_of(&self, thread: u32) -> Option<u32> {
        let leads = self.pending.contains_key(&thread).then_some(thread);
        leads.or_else(|| self.threads.get(&thread).copied())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn add(&mut self, process: u32, execution: Execution) -> Result<(), Errno> {
        if self.pending.len() >= PROCESSES {
            // Some ended without asking for anything.
            let is_there = |process: u32| Path::new(&format!("/proc/{process}")).exists();
            self.pending.retain(|process, _| is_there(*process));
            let pending = &self.pending;
            self.threads.retain(|_, process| pending.contains_key(process));
        }
        if self.pending.len() >= PROCESSES {
            return Err(Errno::AGAIN);
        }
        if execution.thread != process {
            self.threads.insert(execution.thread, process);
        }
        let all = self.pending.entry(process).or_default();
        all.retain(|one| one.thread != execution.thread);
        all.push(execution);
        Ok(())
    }

    /// The execution of this thread failed: it is back in its old program.
    fn failed(&mut self, process: u32, thread: u32) {
        if let Some(all) = self.pending.get_mut(&process) {
            all.retain(|one| one.thread != thread);
            if all.is_empty() {
                self.pending.remove(&process);
            }
        }
        self.threads.remove(&thread);
    }

    /// Nothing of this process is pending: its other threads are gone.
    fn forget(&mut self, process: u32) {
        self.pending.remove(&process);
        self.threads.retain(|_, of| *of != process);
    }
}

impl Worker {
    /// Remembers a thread until its new program was looked at. Who cannot be remembered does not execute.
    pub(super) fn remember(&self, target: Target<'_>, images: Vec<Pinned>) -> Result<(), Errno> {
        let process = target.process()?;
        let mut executions = self.shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = executions.pending.len() < HELD;
        let images = images.into_iter().map(|image| Program::new(image.fd, is_held));
        let execution = Execution {
            thread: target.tid,
            began: Seen::of(process).ok_or(Errno::SRCH)?.began,
            stack: Seen::of(target.tid).ok_or(Errno::SRCH)?.stack,
            program: Program::new(program_of(target.tid)?, is_held)?,
            images: images.collect::<Result<_, _>>()?,
        };
        executions.add(process, execution)
    }

    /// The thread does not execute after all.
    pub(super) fn forget_execution(&self, target: Target<'_>) {
        let mut executions = self.shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(process) = executions.process_of(target.tid) {
            executions.failed(process, target.tid);
        }
    }

    /// Ends a process that runs what the law denies, at the first call of its new program.
    pub(super) fn look_at_program(&mut self, target: Target<'_>) {
        let executions = self.shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
        let process = executions.process_of(target.tid);
        drop(executions);
        if let Some(process) = process
            && let Runs::Old { .. } = self.look_at(process)
        {
            // It makes another call, so it executes no longer.
            self.forget_execution(target);
        }
    }

    /// What does this process run? What the law denies is ended, and what cannot be looked at.
    pub(super) fn look_at(&mut self, process: u32) -> Runs {
        let shared = Arc::clone(&self.shared);
        let mut executions = shared.executing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pending) = executions.pending.get(&process) else { return Runs::Judged };
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
        // Held first, so that it is this process, and no other with its number, that is ended.
        let held = pid.ok_or(Errno::SRCH).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
        // A process that is gone stays in the table: what it ran may not be seen by who still holds a file of it.
        let (Ok(held), Some(seen)) = (held, Seen::of(process)) else { return Runs::Denied };
        if pending.iter().all(|one| one.began != seen.began) {
            executions.forget(process);
            return Runs::Judged;
        }
        let runs = self.runs(process, &seen, pending);
        match runs {
            Runs::Judged => executions.forget(process),
            Runs::Old { .. } | Runs::Between => {}
            Runs::Denied => {
                let _ = pidfd_send_signal(&held, Signal::KILL);
            }
        }
        runs
    }

    fn runs(&mut self, process: u32, seen: &Seen, pending: &[Execution]) -> Runs {
        // A leader that has ended has no program; its threads have.
        let of_thread = |one: &Execution| {
            let thread = format!("/proc/{process}/task/{}", one.thread);
            Path::new(&thread).exists().then_some(one.thread)
        };
        let number = match seen.state {
            'Z' => pending.iter().find_map(of_thread),
            _ => Some(process),
        };
        let looked = number.and_then(|number| Some((Seen::of(number)?, program_of(number).ok()?)));
        let Some((seen, program)) = looked else { return Runs::Denied };
        let Ok(stat) = fstat(&program) else { return Runs::Denied };
        let now = (stat.st_dev, stat.st_ino);
        if pending.iter().any(|one| one.program.numbers == now && one.stack == seen.stack) {
            return Runs::Old { by_leader: pending.iter().all(|one| one.thread == process) };
        }
        if seen.environment_end == 0 {
            return Runs::Between;
        }
        if self.may_run(process, &program, now, pending) { Runs::Judged } else { Runs::Denied }
    }

    /// May this program run, with all that is mapped for it? A program's loader can be exchanged as its path can.
    fn may_run(
        &mut self,
        process: u32,
        program: &OwnedFd,
        now: (u64, u64),
        pending: &[Execution],
    ) -> bool {
        let images = || pending.iter().flat_map(|one| &one.images);
        let is_judged = images().any(|image| image.held.is_some() && image.numbers == now);
        let named = || name_of(program).ok().flatten();
        if !is_judged && !named().is_some_and(|path| self.allows(&path, Access::Execute.into())) {
            return false;
        }
        let judged: Vec<&OwnedFd> = images().filter_map(|image| image.held.as_ref()).collect();
        let Some(files) = mapped::files(process) else { return false };
        files.iter().all(|file| {
            file.is_memory(self.shared.memory)
                || file.name().is_some_and(|path| self.allows(&path, Access::Read.into()))
                || file.is_one_of(&judged)
        })
    }
}
