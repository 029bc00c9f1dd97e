//! The only unsafe code of the crate: one function a system call that no library wraps.
//!
//! Nothing here decides anything; owned and borrowed descriptors in and out.

mod capability;
mod confined;
mod descriptors;
mod landlock;
mod signal;
mod spawn;

pub(crate) use self::capability::drop_bounding_set;
pub(crate) use self::confined::answers;
pub(crate) use self::descriptors::close_on_exec;
pub(crate) use self::landlock::abi;
pub(crate) use self::signal::restore_sigpipe;
pub(crate) use self::spawn::before_exec;
