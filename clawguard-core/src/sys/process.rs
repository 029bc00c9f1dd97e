//! Processes: making one, ending this one, signalling those that the Landlock domain lets this thread reach.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::process::Pid;

/// The two returns of fork(2).
#[must_use]
pub(crate) enum Fork {
    /// In the parent: the child.
    Parent(Pid),
    /// In the child.
    Child,
}

/// fork(2). The caller has made sure that this process has a single thread: only then may the child allocate, lock
/// and run any code.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: the process has one thread (the callers check), so the child finds every lock free.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Pid::from_raw(pid).map(Fork::Parent).ok_or_else(|| io::ErrorKind::Other.into()),
    }
}

/// _exit(2): without destructors, buffers or exit handlers, which belong to the process that was forked.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: the call does not return and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Does this process lead its session?
///
/// Not asked of rustix: in a process namespace that was entered without a new session, as in many containers, the
/// leader of the session and of the process group is outside and has the number 0 here, which rustix takes for
/// impossible.
pub(crate) fn leads_session() -> bool {
    // SAFETY: getsid(2) takes and returns numbers.
    let leader = unsafe { libc::getsid(0) };
    leader == rustix::process::getpid().as_raw_pid()
}

/// Is this process in our process group? One that has ended is not.
pub(crate) fn is_in_our_group(pid: Pid) -> bool {
    // SAFETY: getpgid(2) takes and returns numbers.
    let group = |pid| unsafe { libc::getpgid(pid) };
    group(pid.as_raw_pid()) == group(0)
}

/// kill(2) with any number, real-time signals included.
pub(crate) fn send_signal(pid: Pid, number: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes numbers; `pid` is positive, so it is one process.
    let result = unsafe { libc::kill(pid.as_raw_nonzero().get(), number) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// PTRACE_DETACH: lets a child go on that made this thread its tracer (PTRACE_TRACEME) and stopped for it, with the
/// signal at which it stopped. False when the child is not traced by this thread, or not stopped.
pub(crate) fn let_go(pid: Pid, number: i32) -> bool {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    let number = std::ptr::without_provenance_mut::<libc::c_void>(number.unsigned_abs() as usize);
    // SAFETY: PTRACE_DETACH reads no memory of this process; its data is a signal's number.
    let result = unsafe { libc::ptrace(libc::PTRACE_DETACH, pid.as_raw_pid(), nothing, number) };
    result == 0
}

/// kill(2) of -1: every process that this thread may signal, except its own. The kernel holds the list of processes
/// meanwhile, so that none is forked away from it.
///
/// Only for a thread whose Landlock domain scopes signals (`Reach`): any other would end the whole session.
pub(crate) fn send_signal_to_all(number: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes numbers.
    let result = unsafe { libc::kill(-1, number) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Ends this process by a signal, as the command ended by it.
pub(crate) fn die_by(number: i32) -> ! {
    // SAFETY: the default disposition installs no handler.
    unsafe { libc::signal(number, libc::SIG_DFL) };
    let _ = send_signal(rustix::process::getpid(), number);
    super::signals::unblock_all();
    // What does not end a process has not ended the command either; a shell would say the same.
    exit_now(128 + number)
}

/// The session of a thread; that of this process for 0. Its number is 0 if its leader is outside the process namespace.
pub(crate) fn session_of(tid: u32) -> Option<i32> {
    let number = libc::pid_t::try_from(tid).ok()?;
    // SAFETY: getsid(2) takes and returns numbers.
    let session = unsafe { libc::getsid(number) };
    (session >= 0).then_some(session)
}

/// The group of this process; 0 if its leader is outside the process namespace.
pub(crate) fn own_group() -> i32 {
    // SAFETY: getpgid(2) takes and returns numbers.
    unsafe { libc::getpgid(0) }
}

/// Is there a process in this group that this thread may signal? `group` is positive.
pub(crate) fn reaches_group(group: i32) -> bool {
    // SAFETY: kill(2) takes numbers, and the signal 0 is none.
    group > 1 && unsafe { libc::kill(-group, 0) } == 0
}

/// Has this group no process?
pub(crate) fn is_no_group(group: i32) -> bool {
    // SAFETY: kill(2) takes numbers, and the signal 0 is none.
    let result = unsafe { libc::kill(-group, 0) };
    group > 1 && result != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// The group that this terminal belongs to (TIOCGPGRP); none unless it is this session's.
pub(crate) fn group_of_terminal(terminal: &OwnedFd) -> Option<i32> {
    // SAFETY: tcgetpgrp(3) takes and returns numbers.
    let group = unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) };
    (group >= 0).then_some(group)
}

/// Gives this session's terminal to a group (TIOCSPGRP).
pub(crate) fn give_terminal(terminal: &OwnedFd, group: i32) -> io::Result<i64> {
    // SAFETY: tcsetpgrp(3) takes and returns numbers.
    let result = unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), group) };
    if result == 0 { Ok(0) } else { Err(io::Error::last_os_error()) }
}
