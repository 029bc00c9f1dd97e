//! Extended attributes, in the four ways to name the object.

#![forbid(unsafe_code)]

use std::ffi::CString;

use rustix::fs::{FileType, Mode, XattrFlags};
use rustix::io::Errno;

use super::answer::{Answer, Answered, value};
use super::metadata::{adjustable, lends_identity, refuse_to_lend};
use super::pin::{Pinned, through};
use super::program;
use super::request::Request;
use super::worker::Worker;
use crate::access::Access;

/// `XATTR_NAME_MAX`, `XATTR_SIZE_MAX` and `XATTR_LIST_MAX` of linux/limits.h.
const NAME_MAX: usize = 255;
const SIZE_MAX: u64 = 65536;

/// Where a call has its value: `struct xattr_args` for the newest ones, registers for the others.
struct Value {
    address: u64,
    size: u64,
    flags: u32,
}

/// Does the call name its object relative to a directory, with flags?
fn is_at(request: &Request<'_>) -> bool {
    request.call.name.ends_with("at")
}

/// The index of the first argument behind those that name the object.
fn first(request: &Request<'_>) -> usize {
    if is_at(request) { 3 } else { 1 }
}

/// The flags of the newest calls, which the kernel looks at before the name and the path, and after the structure.
fn check_flags(request: &Request<'_>) -> Result<(), Errno> {
    match is_at(request) {
        true => request.only_flags(2, libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH),
        false => Ok(()),
    }
}

fn name(request: &Request<'_>, index: usize) -> Result<CString, Errno> {
    let name = request.target.text(request.arguments[index], NAME_MAX + 1);
    let name = name.map_err(|errno| match errno {
        Errno::NAMETOOLONG => Errno::RANGE,
        errno => errno,
    })?;
    if name.is_empty() {
        return Err(Errno::RANGE);
    }
    CString::new(name).map_err(|_| Errno::RANGE)
}

fn value_of(request: &Request<'_>, first: usize) -> Result<Value, Errno> {
    if !is_at(request) {
        return Ok(Value {
            address: request.arguments[first + 1],
            size: request.arguments[first + 2],
            flags: if first + 3 < 6 { request.word(first + 3) } else { 0 },
        });
    }
    let size = request.arguments[first + 2];
    if size < 16 {
        return Err(Errno::INVAL);
    }
    if size > 4096 {
        return Err(Errno::TOOBIG);
    }
    let mut bytes = vec![0u8; usize::try_from(size).map_err(|_| Errno::TOOBIG)?];
    request.target.fill(request.arguments[first + 1], &mut bytes)?;
    if bytes[16..].iter().any(|&byte| byte != 0) {
        return Err(Errno::TOOBIG);
    }
    let (mut address, mut length, mut flags) = ([0; 8], [0; 4], [0; 4]);
    address.copy_from_slice(&bytes[..8]);
    length.copy_from_slice(&bytes[8..12]);
    flags.copy_from_slice(&bytes[12..16]);
    Ok(Value {
        address: u64::from_ne_bytes(address),
        size: u64::from(u32::from_ne_bytes(length)),
        flags: u32::from_ne_bytes(flags),
    })
}

/// `setxattr`, `lsetxattr`, `fsetxattr`, `setxattrat`.
pub(super) fn set(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let first = first(request);
    let given = value_of(request, first)?;
    check_flags(request)?;
    let flags = XattrFlags::from_bits_retain(given.flags);
    if !(XattrFlags::CREATE | XattrFlags::REPLACE).contains(flags) {
        return Err(Errno::INVAL);
    }
    let name = name(request, first)?;
    if given.size > SIZE_MAX {
        return Err(Errno::TOOBIG);
    }
    let mut bytes = vec![0u8; usize::try_from(given.size).map_err(|_| Errno::TOOBIG)?];
    request.target.fill(given.address, &mut bytes)?;
    let object = adjustable(worker, request)?;
    let makes_program = lets_execute(name.as_bytes(), &bytes);
    if makes_program {
        program::may_be_made(worker, request, &object)?;
        let present = rustix::fs::fstat(&object.fd)?.st_mode;
        let (kind, mode) = (FileType::from_raw_mode(present), Mode::from_raw_mode(present));
        if lends_identity(kind, mode) {
            return Err(refuse_to_lend(worker, request, &object.name));
        }
    }
    let done = rustix::fs::setxattr(through(&object.fd), name, &bytes, flags);
    if makes_program && done.is_ok() {
        program::look_again(worker, &object.fd)?;
    }
    value(done)
}

/// Can this attribute let anybody execute the file? An access control list of POSIX (linux/posix_acl_xattr.h) is a head,
/// then entries of tag, permissions and whom it is for. Those of other kinds (`system.nfs4_acl`, `system.cifs_acl`) are
/// not read.
fn lets_execute(name: &[u8], list: &[u8]) -> bool {
    match name {
        b"system.posix_acl_access" => {}
        b"system.posix_acl_default" => return false,
        _ => return name.starts_with(b"system."),
    }
    let (_, entries) = list.split_at(list.len().min(4));
    entries.chunks(8).any(|entry| entry.get(2).is_some_and(|permissions| permissions & 1 != 0))
}

/// `removexattr`, `lremovexattr`, `fremovexattr`, `removexattrat`.
pub(super) fn remove(worker: &mut Worker, request: &Request<'_>) -> Answered {
    check_flags(request)?;
    let name = name(request, first(request))?;
    let object = adjustable(worker, request)?;
    value(rustix::fs::removexattr(through(&object.fd), name))
}

fn readable(worker: &mut Worker, request: &Request<'_>) -> Result<Pinned, Errno> {
    let object = worker.object(request, 0)?;
    worker.require(request, &object, Access::Read.into())?;
    request.target.is_waiting()?;
    Ok(object)
}

/// `getxattr`, `lgetxattr`, `fgetxattr`, `getxattrat`.
pub(super) fn get(worker: &mut Worker, request: &Request<'_>) -> Answered {
    let first = first(request);
    let wanted = value_of(request, first)?;
    if is_at(request) && wanted.flags != 0 {
        return Err(Errno::INVAL);
    }
    check_flags(request)?;
    let name = name(request, first)?;
    let object = readable(worker, request)?;
    let path = through(&object.fd);
    if wanted.size == 0 {
        return size(rustix::fs::getxattr_query(path, name));
    }
    let mut bytes = buffer(wanted.size)?;
    let length = rustix::fs::getxattr(path, name, &mut bytes[..])?;
    give(request, wanted.address, &bytes[..length])
}

/// `listxattr`, `llistxattr`, `flistxattr`, `listxattrat`.
pub(super) fn list(worker: &mut Worker, request: &Request<'_>) -> Answered {
    check_flags(request)?;
    let first = first(request);
    let (address, wanted) = (request.arguments[first], request.arguments[first + 1]);
    let object = readable(worker, request)?;
    let path = through(&object.fd);
    if wanted == 0 {
        return size(rustix::fs::listxattr_query(path));
    }
    let mut bytes = buffer(wanted)?;
    let length = rustix::fs::listxattr(path, &mut bytes[..])?;
    give(request, address, &bytes[..length])
}

/// The kernel never gives more than this, whatever the buffer holds.
fn buffer(size: u64) -> Result<Vec<u8>, Errno> {
    let size = usize::try_from(size.min(SIZE_MAX)).map_err(|_| Errno::TOOBIG)?;
    Ok(vec![0; size])
}

fn size(result: Result<usize, Errno>) -> Answered {
    result.map(|size| Answer::Value(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn give(request: &Request<'_>, address: u64, bytes: &[u8]) -> Answered {
    request.target.write(address, bytes)?;
    size(Ok(bytes.len()))
}
