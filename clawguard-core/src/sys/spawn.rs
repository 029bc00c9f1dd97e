//! Code between fork and exec.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Runs `step` in the child of every later `spawn` of `command`, before it becomes the program.
///
/// `step` must make system calls only: after a fork no lock may be taken and nothing allocated, since another
/// thread of the parent may have held the allocator.
pub(crate) fn before_exec(
    command: &mut Command,
    step: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: the only caller passes `apply::steps`, which allocates and locks nothing.
    unsafe { command.pre_exec(step) };
}
