//! Memory of the caller that is written: held, so that no number decides whose it is.
//!
//! `process_vm_writev` takes a number, which may be another thread's by then. A descriptor of /proc/TID/mem stays with
//! the memory that the thread had when it was opened (fs/proc/base.c, `proc_mem_open`).

#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;

use rustix::io::Errno;

/// The memory of one process.
pub(super) struct Memory {
    bytes: File,
    /// What may be written: /proc/TID/mem also writes where the process itself may not (`FOLL_FORCE`).
    maps: File,
}

impl Memory {
    /// That of the thread which has this number now.
    pub(super) fn open(tid: u32) -> Result<Memory, Errno> {
        let of = |file: &str| format!("/proc/{tid}/{file}");
        let opened = |file: std::io::Result<File>| file.map_err(|_| Errno::ACCESS);
        Ok(Memory {
            bytes: opened(OpenOptions::new().write(true).open(of("mem")))?,
            maps: opened(File::open(of("maps")))?,
        })
    }

    /// Writes all of `bytes`, or what can be written before the first that cannot, and fails with EFAULT then, as the
    /// kernel does.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let end = address.checked_add(bytes.len() as u64).ok_or(Errno::FAULT)?;
        let reached = self.writable_until(address, end);
        let some = usize::try_from(reached - address).map_err(|_| Errno::FAULT)?;
        self.bytes.write_all_at(&bytes[..some], address).map_err(|_| Errno::FAULT)?;
        if reached == end { Ok(()) } else { Err(Errno::FAULT) }
    }

    /// How far it is mapped for writing, `end` at most. The maps are in order.
    fn writable_until(&self, mut address: u64, end: u64) -> u64 {
        for line in BufReader::new(&self.maps).split(b'\n').map_while(Result::ok) {
            let Some((first, behind)) = writable(&line) else { continue };
            if (first..behind).contains(&address) {
                address = behind;
            }
            if address >= end {
                return end;
            }
        }
        address
    }
}

/// The addresses of a line of proc_pid_maps(5), if they may be written.
fn writable(line: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(line.get(..line.len().min(64))?).ok()?;
    let (range, rest) = text.split_once(' ')?;
    let (first, behind) = range.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    if rest.as_bytes().get(1) == Some(&b'w') {
        Some((address(first)?, address(behind)?))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Memory {
        Memory::open(std::process::id()).unwrap()
    }

    #[test]
    fn what_is_held_is_written() {
        let scratch = vec![b'.'; 3 * 4096];
        own().write(scratch.as_ptr() as u64 + 1, &[b'x'; 2 * 4096]).unwrap();
        let seen = std::hint::black_box(&scratch);
        assert_eq!(
            (seen[0], seen[1], seen[2 * 4096], seen[2 * 4096 + 1]),
            (b'.', b'x', b'x', b'.')
        );
    }

    #[test]
    fn what_the_process_may_not_write_is_efault() {
        static CONSTANT: [u8; 8] = *b"constant";
        assert_eq!(own().write(CONSTANT.as_ptr() as u64, b"x"), Err(Errno::FAULT));
        assert_eq!(std::hint::black_box(CONSTANT), *b"constant");
        for nowhere in [0, 8, u64::MAX - 1, 1 << 63] {
            assert_eq!(own().write(nowhere, b"xyz"), Err(Errno::FAULT), "{nowhere:#x}");
        }
    }
}
