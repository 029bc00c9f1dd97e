//! What is known of the thread that waits: its memory, working directory, descriptors and umask.
//!
//! Everything is read through its number, which is its own as long as it waits: whoever acts on what was read asks
//! [`Target::is_waiting`] first.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use super::memory::Memory;
use crate::sys;

/// The longest path that the kernel takes, with its NUL byte.
pub(super) const PATH_MAX: usize = 4096;

/// `PIDFD_THREAD` of linux/pidfd.h: a descriptor for a thread that does not lead its process (Linux 6.9).
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(0o200);

/// The thread that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) listener: BorrowedFd<'a>,
    pub(super) id: u64,
    pub(super) tid: u32,
}

impl Target<'_> {
    /// Does it still wait, so that all that was read is really its own?
    pub(super) fn is_waiting(self) -> Result<(), Errno> {
        if sys::notify::is_waiting(self.listener, self.id) { Ok(()) } else { Err(Errno::NOENT) }
    }

    /// The text at an address, without its NUL byte.
    pub(super) fn text(self, address: u64, most: usize) -> Result<Vec<u8>, Errno> {
        // Nearly every path is short, and copying what is behind it costs.
        let mut text = vec![0u8; most.min(256)];
        let mut known = 0;
        loop {
            let read = match sys::memory::read(
                self.tid,
                address.wrapping_add(known as u64),
                &mut text[known..],
            ) {
                Ok(0) => return Err(Errno::FAULT),
                Ok(read) => read,
                Err(error) => return Err(unreadable(&error)),
            };
            if let Some(end) = text[known..known + read].iter().position(|&byte| byte == 0) {
                text.truncate(known + end);
                return Ok(text);
            }
            known += read;
            if known == most {
                return Err(Errno::NAMETOOLONG);
            }
            if known < text.len() {
                // The next byte is not readable.
                return Err(Errno::FAULT);
            }
            text.resize(most, 0);
        }
    }

    /// A path.
    pub(super) fn path(self, address: u64) -> Result<Vec<u8>, Errno> {
        self.text(address, PATH_MAX)
    }

    /// Exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(self, address: u64) -> Result<[u8; N], Errno> {
        let mut bytes = [0u8; N];
        self.fill(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills all of `bytes`.
    pub(super) fn fill(self, address: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        match sys::memory::read(self.tid, address, bytes) {
            Ok(read) if read == bytes.len() => Ok(()),
            Ok(_) => Err(Errno::FAULT),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Writes into its memory, and into nothing else: [`Memory`] is held before the question whether the caller still
    /// waits, so its number may meanwhile go to any thread, even to one of this process.
    pub(super) fn write(self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        let memory = Memory::open(self.tid)?;
        self.is_waiting()?;
        memory.write(address, bytes)
    }

    /// What the kernel says of its working directory: the name, as bytes.
    pub(super) fn directory_name(self, base: Base) -> Result<Vec<u8>, Errno> {
        let link = rustix::fs::readlink(self.link(base), Vec::with_capacity(256));
        link.map(CString::into_bytes).map_err(|errno| base.missing(errno))
    }

    /// Its working directory, or what a descriptor of it refers to, as `O_PATH`.
    pub(super) fn directory(self, base: Base) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(CWD, self.link(base), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| base.missing(errno))
    }

    fn link(self, base: Base) -> String {
        match base {
            Base::WorkingDirectory => format!("/proc/{}/cwd", self.tid),
            Base::Descriptor(number) => format!("/proc/{}/fd/{number}", self.tid),
        }
    }

    /// A duplicate of one of its descriptors: the same open file.
    pub(super) fn duplicate(self, number: i32) -> Result<OwnedFd, Errno> {
        if number < 0 { Err(Errno::BADF) } else { duplicate(self.tid, number) }
    }

    /// Its process, by the number of its first thread.
    pub(super) fn process(self) -> Result<u32, Errno> {
        process_of(self.tid)
    }

    /// Its umask.
    pub(super) fn umask(self) -> Result<Mode, Errno> {
        let status = self.status()?;
        let umask = field(&status, "Umask:").and_then(|text| u32::from_str_radix(text, 8).ok());
        umask.map(Mode::from_bits_retain).ok_or(Errno::SRCH)
    }

    /// Is it traced?
    pub(super) fn is_traced(self) -> Result<bool, Errno> {
        let status = self.status()?;
        field(&status, "TracerPid:").map(|tracer| tracer != "0").ok_or(Errno::SRCH)
    }

    fn status(self) -> Result<String, Errno> {
        read_proc(&format!("/proc/{}/status", self.tid))
    }

    /// How many descriptors it has: the size of this directory since Linux 6.2. Before it is 0, and no limit is seen.
    pub(super) fn open_descriptors(self) -> Result<u64, Errno> {
        let open = rustix::fs::stat(format!("/proc/{}/fd", self.tid))?.st_size;
        Ok(u64::try_from(open).unwrap_or(u64::MAX))
    }

    /// How many descriptors it may have.
    pub(super) fn descriptor_limit(self) -> u64 {
        sys::calls::descriptor_limit(i32::try_from(self.tid).ok().and_then(Pid::from_raw))
    }

    /// Does a signal wait for a handler of its own? Its call would end with EINTR then.
    pub(super) fn has_caught_a_signal(self) -> bool {
        let Ok(status) = self.status() else { return false };
        let set = |name: &str| {
            field(&status, name).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
        };
        (set("SigPnd:") | set("ShdPnd:")) & !set("SigBlk:") & set("SigCgt:") != 0
    }

    /// Fails with EMFILE if it cannot have another descriptor.
    pub(super) fn has_room(self) -> Result<(), Errno> {
        let limit = self.descriptor_limit();
        let open = self.open_descriptors()?;
        if open < limit {
            return Ok(());
        }
        // Descriptors from before the limit was lowered take no room beneath it.
        let directory = format!("/proc/{}/fd", self.tid);
        let names = std::fs::read_dir(directory).map_err(|_| Errno::SRCH)?.flatten();
        let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
        let below = numbers.filter(|number| *number < limit).count();
        if u64::try_from(below).is_ok_and(|below| below < limit) {
            Ok(())
        } else {
            Err(Errno::MFILE)
        }
    }

    /// The name of its program, as `ps` shows it.
    pub(super) fn command(self) -> Box<[u8]> {
        let mut name = std::fs::read(format!("/proc/{}/comm", self.tid)).unwrap_or_default();
        name.pop_if(|byte| *byte == b'\n');
        name.into_boxed_slice()
    }
}

/// A duplicate of a descriptor of a thread. The Landlock domain of this thread lets it reach those of the target alone.
pub(super) fn duplicate(thread: u32, number: i32) -> Result<OwnedFd, Errno> {
    match rustix::process::pidfd_open(pid(thread)?, PIDFD_THREAD) {
        Err(Errno::INVAL) => duplicate_of_process(thread, number),
        opened => rustix::process::pidfd_getfd(opened?, number, PidfdGetfdFlags::empty()),
    }
}

/// The same before Linux 6.9, which gives the descriptors of a thread's process alone. A thread may have a table of its
/// own, in which the number means something else.
///
/// # Errors
/// EACCES if it does.
fn duplicate_of_process(thread: u32, number: i32) -> Result<OwnedFd, Errno> {
    let process = rustix::process::pidfd_open(pid(process_of(thread)?)?, PidfdFlags::empty())?;
    let found = rustix::process::pidfd_getfd(process, number, PidfdGetfdFlags::empty())?;
    let path = format!("/proc/{thread}/fd/{number}");
    let meant = rustix::fs::stat(path).map_err(|errno| match errno {
        Errno::NOENT => Errno::BADF,
        errno => errno,
    })?;
    let stat = rustix::fs::fstat(&found)?;
    let is_meant = (stat.st_dev, stat.st_ino) == (meant.st_dev, meant.st_ino);
    if is_meant { Ok(found) } else { Err(Errno::ACCESS) }
}

fn pid(number: u32) -> Result<Pid, Errno> {
    i32::try_from(number).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)
}

/// The process of a thread, by the number of its first thread.
pub(super) fn process_of(thread: u32) -> Result<u32, Errno> {
    let status = read_proc(&format!("/proc/{thread}/status"))?;
    field(&status, "Tgid:").and_then(|text| text.parse().ok()).ok_or(Errno::SRCH)
}

/// From where a relative path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    WorkingDirectory,
    Descriptor(i32),
}

impl Base {
    /// From an argument that is a descriptor or AT_FDCWD. The kernel reads 32 bits.
    pub(super) fn from_argument(argument: u64) -> Base {
        match argument as u32 as i32 {
            libc::AT_FDCWD => Base::WorkingDirectory,
            number => Base::Descriptor(number),
        }
    }

    /// A descriptor that is not open has no link in /proc.
    fn missing(self, errno: Errno) -> Errno {
        match (self, errno) {
            (Base::Descriptor(_), Errno::NOENT) => Errno::BADF,
            (Base::Descriptor(_) | Base::WorkingDirectory, errno) => errno,
        }
    }
}

/// A file of /proc as text; ESRCH if the process has gone.
pub(super) fn read_proc(path: &str) -> Result<String, Errno> {
    let bytes = std::fs::read(path).map_err(|_| Errno::SRCH)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of a line of /proc/PID/status.
pub(super) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Memory that cannot be read denies: it is the caller's fault, or it hides.
fn unreadable(error: &std::io::Error) -> Errno {
    match error.raw_os_error() {
        Some(libc::EFAULT) => Errno::FAULT,
        Some(_) | None => Errno::ACCESS,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    #[expect(deprecated, reason = "this thread alone uses the descriptors that it closes")]
    fn an_older_kernel_gives_no_descriptor_of_another_table_than_the_threads() {
        use std::os::fd::AsRawFd;
        let (shared, exchanged) =
            (File::open("/dev/null").unwrap(), File::open("/dev/null").unwrap());
        let (number, other) = (shared.as_raw_fd(), exchanged.as_raw_fd());
        let thread = std::thread::spawn(move || {
            let tid = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
            assert!(duplicate_of_process(tid, other).is_ok());
            rustix::thread::unshare(rustix::thread::UnshareFlags::FILES).unwrap();
            drop(exchanged);
            assert_eq!(duplicate_of_process(tid, other).err(), Some(Errno::BADF));
            let mut opened = Vec::new();
            while opened.last().is_none_or(|file: &File| file.as_raw_fd() != other) {
                opened.push(File::open("/dev/zero").unwrap());
            }
            assert_eq!(duplicate_of_process(tid, other).err(), Some(Errno::ACCESS));
            assert!(duplicate_of_process(tid, number).is_ok());
        });
        thread.join().unwrap();
        drop(shared);
    }

    #[test]
    fn nothing_is_written_for_a_caller_that_waits_no_longer_even_if_its_number_is_this_threads() {
        let listener = File::open("/dev/null").unwrap();
        let tid = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
        let target = Target { listener: listener.as_fd(), id: 1, tid };
        let scratch = vec![b'.'; 16];
        assert_eq!(target.write(scratch.as_ptr() as u64, b"of the target"), Err(Errno::NOENT));
        assert_eq!(scratch, [b'.'; 16]);
    }
}
