//! What the running kernel's seccomp user notification can do. Installs nothing.

use std::io;

/// Does the kernel know `SECCOMP_RET_USER_NOTIF` (Linux 5.0)?
pub(crate) fn knows_user_notification() -> bool {
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: the kernel reads four bytes behind the pointer and changes nothing (seccomp(2)).
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0 as libc::c_uint,
            &raw const action,
        )
    };
    result == 0
}

/// Are the kernel's notification structures those that this program was compiled with, or larger?
pub(crate) fn has_notification_sizes() -> bool {
    let mut sizes =
        libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    // SAFETY: the kernel writes one `struct seccomp_notif_sizes` behind the pointer (seccomp(2)).
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_NOTIF_SIZES,
            0 as libc::c_uint,
            &raw mut sizes,
        )
    };
    result == 0
        && usize::from(sizes.seccomp_notif) >= size_of::<libc::seccomp_notif>()
        && usize::from(sizes.seccomp_notif_resp) >= size_of::<libc::seccomp_notif_resp>()
}

/// Does the kernel know `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` (Linux 5.19)?
pub(crate) fn knows_killable_wait() -> bool {
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    // SAFETY: without a program nothing is installed: EINVAL for an unknown flag, else EFAULT (kernel/seccomp.c,
    // `seccomp_set_mode_filter`).
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            std::ptr::null::<libc::sock_fprog>(),
        )
    };
    result == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}
