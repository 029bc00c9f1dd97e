//! What this kernel can enforce, as a value: any kernel can be described, so any kernel can be tested.

#![forbid(unsafe_code)]

use crate::resolve::Procfs;
use crate::resolve::mounts::{Shown, shows_this_process};
use crate::sys;
use crate::syscalls::Arch;

/// The features of a kernel that a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelSupport {
    /// The Landlock ABI version; 0 without Landlock.
    pub landlock_abi: u32,
    /// Yama's `kernel.yama.ptrace_scope`; none without Yama.
    pub ptrace_scope: Option<u8>,
    /// What seccomp user notification can do.
    pub notification: Notification,
    /// The architecture of the system calls.
    pub arch: Arch,
}

/// What seccomp user notification can do (seccomp_unotify(2)).
///
/// Two more things are found out at the start only: whether another listener serves this process already (EBUSY), and
/// whether the wake-up may stay on one processor (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, Linux 6.6), a matter of speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notification {
    /// Nothing: there is none, or something outside forbids it.
    Missing,
    /// It can be asked for, but a signal makes the target ask twice for what was done already.
    Interruptible,
    /// The target waits for the answer until it is killed (`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`, Linux 5.19), and
    /// a descriptor is handed over as the answer (`SECCOMP_ADDFD_FLAG_SEND`, Linux 5.14).
    Killable,
}

impl Notification {
    fn probe() -> Notification {
        if !sys::knows_user_notification() || !sys::has_notification_sizes() {
            return Notification::Missing;
        }
        if sys::knows_killable_wait() {
            Notification::Killable
        } else {
            Notification::Interruptible
        }
    }
}

impl KernelSupport {
    /// The lowest ABI that holds everything that kernel mode claims: abstract sockets and signals came with 6.
    pub const FULL_ABI: u32 = 6;

    /// Asks the running kernel.
    ///
    /// # Errors
    /// [`KernelError::PtraceScope`] when Yama's setting is there and cannot be understood, and
    /// [`KernelError::ForeignProc`] or [`KernelError::NoProc`] when `/proc` does not show this process by its number.
    pub fn probe() -> Result<KernelSupport, KernelError> {
        let proc = Procfs::usual();
        match shows_this_process(proc.place()) {
            Shown::AsItself => {}
            Shown::As(shown) => {
                return Err(KernelError::ForeignProc { shown, own: std::process::id() });
            }
            Shown::Not => return Err(KernelError::NoProc),
        }
        let ptrace_scope = match std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope") {
            Ok(text) => {
                let scope = text.trim().parse();
                Some(scope.map_err(|_| KernelError::PtraceScope(text.trim().to_owned()))?)
            }
            Err(_) => None,
        };
        Ok(KernelSupport {
            landlock_abi: sys::abi(),
            ptrace_scope,
            notification: Notification::probe(),
            arch: Arch::current(),
        })
    }

    /// The mistakes in Landlock that the running kernel has put right, as the numbers of landlock(7); none if it does
    /// not say (before Linux 6.15). No plan depends on them.
    #[must_use]
    pub fn landlock_errata() -> Option<Vec<u32>> {
        let bits = sys::errata()?;
        Some((0..u32::BITS).filter(|bit| bits >> bit & 1 == 1).map(|bit| bit + 1).collect())
    }

    /// Why there can be no supervisor on this kernel, one sentence each; empty if there can.
    #[must_use]
    pub fn lacks_for_supervision(&self) -> Vec<String> {
        let mut lacks: Vec<String> = match self.landlock_abi {
            0 => vec![
                "no Landlock (Linux 5.13, with `landlock` in the list of security modules)"
                    .to_owned(),
            ],
            _ => self.missing().into_iter().map(|what| format!("nobody holds {what}")).collect(),
        };
        match self.notification {
            Notification::Killable => {}
            Notification::Missing | Notification::Interruptible => {
                lacks.push(
                    "no seccomp user notification that waits for its answer (Linux 5.19)"
                        .to_owned(),
                );
            }
        }
        if let Some(scope) = self.forbids_tracing() {
            lacks.push(format!(
                "kernel.yama.ptrace_scope is {scope}, which lets nobody read the target's memory"
            ));
        }
        lacks
    }

    /// The Landlock ABI as the library names it; one that is newer than the library counts as its newest.
    pub(crate) fn abi(&self) -> landlock::ABI {
        use landlock::ABI;
        match self.landlock_abi {
            0 => ABI::Unsupported,
            1 => ABI::V1,
            2 => ABI::V2,
            3 => ABI::V3,
            4 => ABI::V4,
            5 => ABI::V5,
            6 => ABI::V6,
            7 => ABI::V7,
            8 => ABI::V8,
            9 => ABI::V9,
            _ => ABI::V10,
        }
    }

    /// Yama's setting where it lets nobody read the memory of a process that he started: 2 leaves that to the
    /// administrator, 3 to nobody (Documentation/admin-guide/LSM/Yama.rst).
    pub(crate) fn forbids_tracing(&self) -> Option<u8> {
        self.ptrace_scope.filter(|scope| *scope >= 2)
    }

    /// What an ABI below [`KernelSupport::FULL_ABI`] leaves open, one sentence each.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let processes = [
            (6, "abstract unix sockets of processes outside (Landlock ABI 6)"),
            (6, "signals to processes outside (Landlock ABI 6)"),
        ];
        let mut missing = self.lacks_of_writing();
        missing.extend(self.newer(&processes));
        missing
    }

    /// What changes a file and is not held by an old ABI, although `w` is denied.
    pub(crate) fn lacks_of_writing(&self) -> Vec<&'static str> {
        self.newer(&[
            (3, "truncating files that may not be written (Landlock ABI 3)"),
            (5, "ioctl on devices that may not be written (Landlock ABI 5)"),
        ])
    }

    /// What an old ABI denies although the law allows it.
    pub(crate) fn denied_by_age(&self) -> Vec<&'static str> {
        self.newer(&[(
            2,
            "moving and linking files from one directory to another (Landlock ABI 2)",
        )])
    }

    fn newer(&self, since: &[(u32, &'static str)]) -> Vec<&'static str> {
        let missing = since.iter().filter(|(abi, _)| self.landlock_abi < *abi);
        missing.map(|(_, what)| *what).collect()
    }
}

/// Is this process confined by clawguard already? Asked of the kernel, since a confined process may change its
/// environment.
#[must_use]
pub fn is_confined() -> bool {
    sys::answers(crate::compile::filter::MARKER, crate::compile::filter::MARKER_ERRNO)
}

/// Why the kernel's features are unknown.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// `/proc/sys/kernel/yama/ptrace_scope` holds no number.
    #[error("kernel.yama.ptrace_scope is `{0}`, which is no number")]
    PtraceScope(String),
    /// `/proc` belongs to another PID namespace.
    #[error(
        "`/proc` belongs to another PID namespace: it shows this process as {shown}, and its number is {own}, so that \
         numbers in it mean other processes. Mount the right one over it, `mount -t proc proc /proc`, or start with \
         `unshare --mount-proc`"
    )]
    ForeignProc {
        /// The number in `/proc`.
        shown: u32,
        /// The process's own number.
        own: u32,
    },
    /// `/proc` does not show this process.
    #[error(
        "`/proc` does not show this process: it is not mounted, or belongs to another PID namespace. Mount the right \
         one, `mount -t proc proc /proc`, or start with `unshare --mount-proc`"
    )]
    NoProc,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_all_that_a_supervisor_needs() {
        let kernel = KernelSupport::probe().unwrap();
        assert!(kernel.landlock_abi >= KernelSupport::FULL_ABI);
        assert_eq!(kernel.notification, Notification::Killable);
    }

    #[test]
    fn only_the_two_strictest_settings_of_yama_forbid_tracing() {
        let kernel = |ptrace_scope| KernelSupport {
            landlock_abi: 7,
            ptrace_scope,
            notification: Notification::Killable,
            arch: Arch::X86_64,
        };
        let forbids = |scope| kernel(scope).forbids_tracing();
        assert_eq!([None, Some(0), Some(1)].map(forbids), [None; 3]);
        assert_eq!([Some(2), Some(3)].map(forbids), [Some(2), Some(3)]);
    }
}
