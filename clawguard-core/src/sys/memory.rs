//! Another process's memory, read by number: process_vm_readv(2). Nothing is ever written by number.

use std::io;

/// Bytes in a page, at least: a read that ends at a page's end never fails for what comes behind it.
const PAGE: u64 = 4096;

/// Reads from `address` on, up to the length of `buffer`, and returns how many bytes were readable.
///
/// # Errors
/// EFAULT when not even the first byte is readable, ESRCH when the process has gone, EPERM when it may not be read.
pub(crate) fn read(tid: u32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let pid = libc::pid_t::try_from(tid).map_err(|_| io::ErrorKind::InvalidInput)?;
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // Elements are read one after the other, and what was read before a fault counts.
    let in_first_page = usize::try_from(PAGE - address % PAGE).unwrap_or(usize::MAX);
    let first = buffer.len().min(in_first_page);
    let remote = |address: u64, iov_len: usize| libc::iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(address as usize),
        iov_len,
    };
    let parts =
        [remote(address, first), remote(address.wrapping_add(first as u64), buffer.len() - first)];
    let count = if parts[1].iov_len == 0 { 1 } else { 2 };
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`; remote addresses are checked by it.
    let read =
        unsafe { libc::process_vm_readv(pid, &raw const local, 1, parts.as_ptr(), count, 0) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}
