//! An act by name that the kernel keeps within what was judged.
//!
//! Between a look at a name and the act, anybody may put something else there: a thread of the target, another run, a
//! process that is confined by nothing. No lock reaches all of them. So such an act is done by a thread of its own, which
//! first gives up whatever was not judged. Landlock asks at the act itself, when the kernel holds the directories: it
//! tells by the kind of the very object that is moved, and by the very directory in which something is made.
//!
//! Nothing here decides what is given up.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::thread::Builder;

use landlock::{
    AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// An act needs little.
const STACK: usize = 128 * 1024;

/// What a thread keeps.
pub(super) enum Bound<'a> {
    /// No object of these kinds gets a name, wherever.
    Without(BitFlags<AccessFs>),
    /// A socket is made in this directory, or beneath it, and nowhere else.
    SocketsBeneath(&'a OwnedFd),
    /// A device that is opened cannot be driven by `ioctl`, whoever gets the descriptor: it keeps the rights that its
    /// opener had.
    WithoutDeviceIoctl,
}

impl Bound<'_> {
    /// Confines the calling thread for good.
    fn enter(&self) -> Result<(), Errno> {
        let refused = |_| Errno::ACCESS;
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let restrict = |handled: BitFlags<AccessFs>, granted: Option<(&OwnedFd, AccessFs)>| {
            let rule =
                |(directory, right)| Ok::<_, RulesetError>(PathBeneath::new(directory, right));
            let created = ruleset.handle_access(handled)?.create()?;
            let created = created.add_rules(granted.map(rule))?;
            let status = created.restrict_self()?;
            Ok::<_, RulesetError>(status.ruleset == RulesetStatus::FullyEnforced)
        };
        let is_enforced = match self {
            Bound::Without(kinds) => {
                let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
                // Every domain denies a move between directories that it does not grant.
                restrict(*kinds | AccessFs::Refer, Some((&root, AccessFs::Refer)))
            }
            Bound::SocketsBeneath(directory) => {
                restrict(AccessFs::MakeSock.into(), Some((directory, AccessFs::MakeSock)))
            }
            Bound::WithoutDeviceIoctl => restrict(AccessFs::IoctlDev.into(), None),
        };
        if is_enforced.map_err(refused)? { Ok(()) } else { Err(Errno::ACCESS) }
    }

    /// Acts in a thread that is bound so. It shares this thread's working directory and umask.
    pub(super) fn act<T: Send>(
        &self,
        act: impl FnOnce() -> Result<T, Errno> + Send,
    ) -> Result<T, Errno> {
        std::thread::scope(|scope| {
            let thread = Builder::new().name("act".to_owned()).stack_size(STACK);
            let started = thread.spawn_scoped(scope, || self.enter().and_then(|()| act()));
            let Ok(started) = started else { return Err(Errno::NOMEM) };
            // A panic has done nothing, or nobody knows what.
            started.join().unwrap_or(Err(Errno::ACCESS))
        })
    }
}
