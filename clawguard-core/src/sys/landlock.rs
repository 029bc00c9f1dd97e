//! What the running kernel's Landlock can do.

/// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
const VERSION: libc::c_uint = 1;

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
