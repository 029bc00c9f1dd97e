//! What the running kernel's Landlock can do.

/// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
const VERSION: libc::c_uint = 1;

/// `LANDLOCK_CREATE_RULESET_ERRATA` (Linux 6.15).
const ERRATA: libc::c_uint = 2;

/// The bits of the mistakes in Landlock that this kernel has put right; none if it does not say.
pub(crate) fn errata() -> Option<u32> {
    // SAFETY: as in `abi`; a kernel that does not know the flag returns an error.
    let errata = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0usize,
            ERRATA,
        )
    };
    u32::try_from(errata).ok()
}

/// The Landlock ABI version; 0 if the kernel was built without Landlock or started without it.
pub(crate) fn abi() -> u32 {
    // SAFETY: with this flag the kernel reads no attribute, takes a null pointer and a size of 0, and only returns a
    // number (landlock_create_ruleset(2)).
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0usize,
            VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}
