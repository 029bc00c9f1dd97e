//! What this kernel can enforce, as a value: any kernel can be described, so any kernel can be tested.

#![forbid(unsafe_code)]

use crate::syscalls::Arch;

/// The features of a kernel that a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelSupport {
    /// The Landlock ABI version; 0 without Landlock.
    pub landlock_abi: u32,
    /// Yama's `kernel.yama.ptrace_scope`; none without Yama.
    pub ptrace_scope: Option<u8>,
    /// The architecture of the system calls.
    pub arch: Arch,
}

impl KernelSupport {
    /// The lowest ABI that holds everything that kernel mode claims: abstract sockets and signals came with 6.
    pub const FULL_ABI: u32 = 6;

    /// Asks the running kernel.
    ///
    /// # Errors
    /// [`KernelError::PtraceScope`] when Yama's setting is there and cannot be understood.
    pub fn probe() -> Result<KernelSupport, KernelError> {
        let ptrace_scope = match std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope") {
            Ok(text) => {
                let scope = text.trim().parse();
                Some(scope.map_err(|_| KernelError::PtraceScope(text.trim().to_owned()))?)
            }
            Err(_) => None,
        };
        Ok(KernelSupport { landlock_abi: crate::sys::abi(), ptrace_scope, arch: Arch::current() })
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

    /// What an ABI below [`KernelSupport::FULL_ABI`] leaves open, one sentence each.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let since = [
            (3, "truncating files that may not be written (Landlock ABI 3)"),
            (5, "ioctl on devices that may not be written (Landlock ABI 5)"),
            (6, "abstract unix sockets of processes outside (Landlock ABI 6)"),
            (6, "signals to processes outside (Landlock ABI 6)"),
        ];
        since
            .into_iter()
            .filter(|(abi, _)| self.landlock_abi < *abi)
            .map(|(_, what)| what)
            .collect()
    }
}

/// Is this process confined by clawguard already? Asked of the kernel, since a confined process may change its
/// environment.
#[must_use]
pub fn is_confined() -> bool {
    crate::sys::answers(crate::compile::filter::MARKER, crate::compile::filter::MARKER_ERRNO)
}

/// Why the kernel's features are unknown.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// `/proc/sys/kernel/yama/ptrace_scope` holds no number.
    #[error("kernel.yama.ptrace_scope is `{0}`, which is no number")]
    PtraceScope(String),
}
