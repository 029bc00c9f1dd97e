//! Code between fork and exec.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Runs `step` before `command` becomes the program: in the child of a later `spawn`, or here at a later `exec`.
///
/// `step` must make system calls only: after a fork no lock may be taken and nothing allocated, since another
/// thread of the parent may have held the allocator.
pub(crate) fn before_exec(
    command: &mut Command,
    step: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: the callers pass `Steps::take`, `Attempts::make_and_exit` and `restore_sigpipe`, which allocate and lock
    // nothing.
    unsafe { command.pre_exec(step) };
}
