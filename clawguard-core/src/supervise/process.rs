//! Calls that name no file, but would take the target out of sight, or reach another process.

#![forbid(unsafe_code)]

use std::path::Path;

use rustix::io::Errno;

use super::answer::{Answer, Answered, io_value};
use super::request::Request;
use super::target::read_proc;
use super::worker::Worker;
use crate::sys::scheduling::{self, Setting};

/// `prctl(PR_SET_DUMPABLE)` with anything but 1: who hides cannot be judged, so it is told that it did.
pub(super) fn prctl(_: &mut Worker, request: &Request<'_>) -> Answered {
    if request.arguments[1] == 0 { Ok(Answer::Value(0)) } else { Err(Errno::INVAL) }
}

/// Scheduling and limits of the thread or process that the first argument names.
pub(super) fn first_is_own(worker: &mut Worker, request: &Request<'_>) -> Answered {
    own(worker, request, request.word(0))
}

/// The same for the second argument.
pub(super) fn second_is_own(worker: &mut Worker, request: &Request<'_>) -> Answered {
    own(worker, request, request.word(1))
}

/// A thread may name itself or its process: both live as long as it waits, so no outsider gets the number. It may also
/// name another thread of its process, for what the kernel sets for a single thread.
fn own(worker: &Worker, request: &Request<'_>, number: u32) -> Answered {
    let process = request.target.process()?;
    if number == request.target.tid || number == process {
        return Ok(Answer::Continue(worker.shared.floor.own_thread()));
    }
    if is_invalid(request) {
        return Err(Errno::INVAL);
    }
    let setting = setting(request)?;
    // In this order: so many numbers have to be given between here and the act that it is another's.
    let is_far = is_far_from_coming_back(number);
    let is_thread = Path::new(&format!("/proc/{process}/task/{number}")).exists();
    request.target.is_waiting()?;
    if is_far && is_thread { io_value(scheduling::set(number, &setting)) } else { Err(Errno::PERM) }
}

/// Numbers that must be given before one comes back. A bound, and no proof: this thread may have to wait between the
/// look and the act (docs/threat-model.md, residual risks).
const FAR: u64 = 4096;

/// The thread with this number may end, and its number be given again. Numbers are given in order, and begin anew at
/// the greatest one (kernel/pid.c): how many are given before this one comes?
fn is_far_from_coming_back(number: u32) -> bool {
    let read = |path: &str| read_proc(path).ok();
    let most = read("/proc/sys/kernel/pid_max").and_then(|text| text.trim().parse::<u64>().ok());
    // The fifth word of proc_loadavg(5) is the number that was given last.
    let last =
        read("/proc/loadavg").and_then(|text| text.split_whitespace().nth(4)?.parse::<u64>().ok());
    let (Some(most), Some(last)) = (most, last) else { return false };
    let number = u64::from(number);
    let before = if number > last { number - last } else { (most + number).saturating_sub(last) };
    before > FAR
}

/// Bytes of the mask of 8192 processors, the most that Linux knows, and of a page, beyond which it reads no attributes.
const MOST_MASK: u64 = 1024;
const MOST_ATTRIBUTES: u32 = 4096;

/// `SCHED_ATTR_SIZE_VER0` of linux/sched/types.h, which a size of 0 means.
const LEAST_ATTRIBUTES: u32 = 48;

/// What the kernel refuses before it reads any memory (kernel/sched/syscalls.c).
fn is_invalid(request: &Request<'_>) -> bool {
    let is_negative = |index: usize| request.word(index).cast_signed() < 0;
    let [_, first, second, ..] = request.arguments;
    match request.call.name {
        "sched_setparam" => is_negative(0) || first == 0,
        "sched_setscheduler" => is_negative(0) || is_negative(1) || second == 0,
        "sched_setattr" => is_negative(0) || first == 0 || request.word(2) != 0,
        _ => false,
    }
}

/// What the call sets, copied once; EPERM for limits, which are the process's.
fn setting(request: &Request<'_>) -> Result<Setting, Errno> {
    let target = request.target;
    let signed = |index: usize| request.word(index).cast_signed();
    Ok(match request.call.name {
        "sched_setaffinity" => {
            let size = u64::from(request.word(1)).min(MOST_MASK);
            let mut mask = vec![0; usize::try_from(size).map_err(|_| Errno::INVAL)?];
            target.fill(request.arguments[2], &mut mask)?;
            Setting::Affinity(mask)
        }
        "sched_setparam" => Setting::Parameters(target.bytes(request.arguments[1])?),
        "sched_setscheduler" => Setting::Scheduler(signed(1), target.bytes(request.arguments[2])?),
        "sched_setattr" => {
            let size = u32::from_ne_bytes(target.bytes(request.arguments[1])?);
            let size = if size == 0 { LEAST_ATTRIBUTES } else { size };
            if !(LEAST_ATTRIBUTES..=MOST_ATTRIBUTES).contains(&size) {
                return Err(Errno::TOOBIG);
            }
            let mut attributes = vec![0; size as usize];
            target.fill(request.arguments[1], &mut attributes)?;
            // Read a second time, the first word may be another.
            attributes[..4].copy_from_slice(&size.to_ne_bytes());
            Setting::Attributes(attributes, request.word(2))
        }
        "setpriority" => Setting::Priority(signed(2)),
        "ioprio_set" => Setting::InputOutput(signed(2)),
        _ => return Err(Errno::PERM),
    })
}
