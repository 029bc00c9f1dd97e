//! The capability bounding set, beyond the capabilities that libraries know by name.

use std::io;

/// Drops every capability of the running kernel from the bounding set. Async-signal-safe.
///
/// Without CAP_SETPCAP this is EPERM, and there is no need: with no_new_privs nothing can be gained from the set.
///
/// # Errors
/// What prctl(2) says.
pub(crate) fn drop_bounding_set() -> io::Result<()> {
    for capability in 0..=63u64 {
        // SAFETY: PR_CAPBSET_DROP takes a number and touches no memory.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0u64, 0u64, 0u64) };
        if result != 0 {
            let error = io::Error::last_os_error();
            // EINVAL: the kernel has no capability of this number, nor any higher one.
            return if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}
