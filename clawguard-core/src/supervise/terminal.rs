//! `/dev/tty` means the controlling terminal of whoever opens it: of the target, not of this process.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, Stat, makedev};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;

use super::answer::{Answer, Answered, OnExec};
use super::device;
use super::group;
use super::open::How;
use super::pin::Pinned;
use super::request::Request;
use super::target::{Target, read_proc};
use super::worker::Worker;
use crate::syscalls::constants;

/// Majors of the slaves of pseudo-terminals (Documentation/admin-guide/devices.txt).
const PTS_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// Minors of each of these majors.
const PTS_MINORS: u32 = 256;

/// The requests of `ioctl` that the filter asks of.
pub(super) fn ioctl(worker: &mut Worker, request: &Request<'_>) -> Answered {
    if request.word(1) == constants::TIOCGPTPEER.value {
        return peer(request);
    }
    group::give_terminal(worker, request)
}

/// `ioctl(TIOCGPTPEER)`: Landlock judges it as an open in /dev/pts, but it opens only the other end of what the target
/// has already.
fn peer(request: &Request<'_>) -> Answered {
    let master = request.target.duplicate(request.word(0).cast_signed())?;
    let asked = OpenptFlags::from_bits_retain(request.word(2));
    // Never the controlling terminal of this process.
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, asked | OpenptFlags::NOCTTY)?;
    let on_exec = if asked.contains(OpenptFlags::CLOEXEC) { OnExec::Close } else { OnExec::Keep };
    Ok(Answer::Descriptor(slave, on_exec))
}

/// Is this `/dev/tty`, wherever its node is?
pub(super) fn is_controlling(stat: &Stat) -> bool {
    stat.st_rdev == makedev(5, 0)
}

/// The target's own terminal, if the object is `/dev/tty`.
pub(super) fn controlling(
    worker: &mut Worker,
    request: &Request<'_>,
    how: &How,
    pinned: &Pinned,
) -> Result<Option<OwnedFd>, Errno> {
    let target = request.target;
    if !is_controlling(&rustix::fs::fstat(&pinned.fd)?) {
        return Ok(None);
    }
    let terminal = controlling_device(target)?;
    if terminal == 0 {
        return Err(Errno::NXIO);
    }
    // The same session: what this process calls its terminal is the target's.
    if terminal == device_in("/proc/self/stat")? && !group::is_elsewhere(target)? {
        return Ok(None);
    }
    // A session of the target's own, which got its terminal from a pseudo-terminal that it had opened.
    let number = number_of(terminal).ok_or(Errno::NXIO)?;
    let open = || rustix::fs::open(format!("/dev/pts/{number}"), how.making(), Mode::empty());
    let opened = device::open(worker, request, how, pinned, open)?;
    // The number may have come back meanwhile, with another terminal. While one is open its number is given to no
    // other (fs/devpts: the index is freed by the last close of both ends), and a session loses its terminal before
    // that. So if this is the number of the caller's terminal now, this is the caller's terminal.
    let is_callers = rustix::fs::fstat(&opened)?.st_rdev == device(terminal)
        && controlling_device(target)? == terminal;
    target.is_waiting()?;
    if is_callers { Ok(Some(opened)) } else { Err(Errno::NXIO) }
}

/// The device of the caller's controlling terminal, as the kernel writes it; 0 if it has none.
pub(super) fn controlling_device(target: Target<'_>) -> Result<u32, Errno> {
    device_in(&format!("/proc/{}/stat", target.tid))
}

/// `new_encode_dev` of linux/kdev_t.h, undone.
pub(super) fn device(encoded: u32) -> u64 {
    makedev((encoded >> 8) & 0xfff, (encoded & 0xff) | (encoded >> 12) & 0xf_ff00)
}

/// The number of a pseudo-terminal, by the device of its slave.
fn number_of(encoded: u32) -> Option<u32> {
    number(device(encoded))
}

/// The same by the device's own number.
pub(super) fn number(device: u64) -> Option<u32> {
    let major = rustix::fs::major(device);
    let is_slave = PTS_MAJORS.contains(&major);
    is_slave.then(|| (major - PTS_MAJORS.start()) * PTS_MINORS + rustix::fs::minor(device))
}

/// Field 7 of proc_pid_stat(5), `tty_nr`.
fn device_in(path: &str) -> Result<u32, Errno> {
    let stat = read_proc(path)?;
    // The command's name, in parentheses, may hold anything: fields count from its end.
    let after = stat.rsplit_once(')').map(|(_, after)| after).ok_or(Errno::SRCH)?;
    let field = after.split_whitespace().nth(4).ok_or(Errno::SRCH)?;
    field.parse::<i32>().map(i32::cast_unsigned).map_err(|_| Errno::SRCH)
}
