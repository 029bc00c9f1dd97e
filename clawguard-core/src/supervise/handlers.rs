//! Which file answers which call.

#![forbid(unsafe_code)]

use super::answer::Answered;
use super::request::Request;
use super::worker::Worker;
use super::{
    attributes, entry, exec, group, metadata, moving, open, process, socket, terminal, tracing,
    xattr,
};

/// Answers one kind of call.
pub(super) type Handler = fn(&mut Worker, &Request<'_>) -> Answered;

/// The handler of a call, by the kernel's name of it; none for calls that the filter never notifies of.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "open" | "openat" | "creat" | "openat2" => open::open,
        "mkdir" | "mkdirat" => entry::mkdir,
        "mknod" | "mknodat" => entry::mknod,
        "symlink" | "symlinkat" => entry::symlink,
        "unlink" | "unlinkat" | "rmdir" => entry::unlink,
        "rename" | "renameat" | "renameat2" => moving::rename,
        "link" | "linkat" => moving::link,
        "chmod" | "fchmod" | "fchmodat" | "fchmodat2" => metadata::chmod,
        "chown" | "lchown" | "fchown" | "fchownat" => metadata::chown,
        "utime" | "utimes" | "futimesat" | "utimensat" => attributes::times,
        "truncate" => metadata::truncate,
        "access" | "faccessat" | "faccessat2" => attributes::access,
        "inotify_add_watch" => attributes::watch,
        "setxattr" | "lsetxattr" | "fsetxattr" | "setxattrat" => xattr::set,
        "getxattr" | "lgetxattr" | "fgetxattr" | "getxattrat" => xattr::get,
        "listxattr" | "llistxattr" | "flistxattr" | "listxattrat" => xattr::list,
        "removexattr" | "lremovexattr" | "fremovexattr" | "removexattrat" => xattr::remove,
        "socket" | "socketpair" => socket::datagram,
        "bind" => socket::bind,
        "connect" => socket::connect,
        "listen" => socket::listen,
        "execve" | "execveat" => exec::exec,
        "prctl" => process::prctl,
        "ioctl" => terminal::ioctl,
        "setpgid" => group::join,
        "ptrace" => tracing::ptrace,
        "process_vm_readv" | "process_vm_writev" => tracing::copy,
        "sched_setparam" | "sched_setscheduler" | "sched_setaffinity" | "sched_setattr"
        | "prlimit64" => process::first_is_own,
        "setpriority" | "ioprio_set" => process::second_is_own,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::{Disposition, table};

    #[test]
    fn every_judged_call_has_a_handler() {
        for call in table() {
            if let Disposition::Judged(_) = call.disposition {
                assert!(handler(call.name).is_some(), "{}", call.name);
            }
        }
    }
}
