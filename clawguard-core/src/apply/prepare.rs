//! A plan into open descriptors: directories made, the ruleset filled, nothing confined yet.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;

use landlock::{
    ABI, Access as _, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::{CWD, FileType, Mode as FileMode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Sandbox;
use super::keep::KeepDescriptors;
use super::steps::{Answering, Steps};
use crate::access::Access;
use crate::compile::{LandlockRule, Mode, Plan, What};
use crate::journal::JournalError;
use crate::kernel::KernelSupport;
use crate::path::AbsPath;
use crate::policy::Origin;
use crate::resolve::temporary;
use crate::running::About;
use crate::supervise::Supervisor;

impl Plan {
    /// Makes the directories that the policy names, and everything that the kernel will be given.
    ///
    /// # Errors
    /// When a directory cannot be made, the journal is to be in a file that cannot be one, the kernel refuses the ruleset, or the supervisor cannot be prepared. Nothing
    /// is confined then.
    pub fn prepare(self) -> Result<Sandbox, PrepareError> {
        if self.is_supervised() {
            self.policy.journal.must_open(&self.policy.logging)?;
        }
        for directory in &self.policy.create {
            make(directory)?;
        }
        // A preset serves many hosts: on one where its directory cannot be made, it is not granted either.
        let not_made: Vec<PrepareError> = self
            .policy
            .preset_create
            .iter()
            .filter_map(|directory| make(directory).err())
            .collect();
        temporary::remove_stale(self.policy.uid);
        if let Some(directory) = &self.policy.temporary {
            // Not recursive: a name that is there already is somebody else's.
            DirBuilder::new()
                .mode(0o700)
                .create(directory)
                .map_err(|source| failed_to_make(directory, source))?;
        }
        let temporary = self.policy.temporary.clone();
        self.sandbox(temporary, not_made)
    }

    /// The same for a process that only makes attempts: no directory is made, no journal is written and nobody is
    /// alerted.
    pub(super) fn prepare_for_attempts(&self) -> Result<Sandbox, PrepareError> {
        let mut sandbox = self.sandbox(None, Vec::new())?;
        if let Some(supervisor) = &mut sandbox.supervisor {
            supervisor.keeps_no_journal();
        }
        sandbox.alerting = None;
        Ok(sandbox)
    }

    fn sandbox(
        &self,
        temporary: Option<AbsPath>,
        not_made: Vec<PrepareError>,
    ) -> Result<Sandbox, PrepareError> {
        let ruleset = ruleset(&self.kernel, &self.rules)?;
        let environment = self.policy.environment.clone();
        let supervisor = self.is_supervised().then(|| Supervisor::new(self));
        let about = about(self);
        let on_denied = self.policy.logging.on_denied.clone();
        let answering = match &supervisor {
            Some(_) => Answering::Supervisor,
            None => Answering::Nobody,
        };
        let steps = Steps {
            answering,
            ruleset: Some(ruleset),
            own_process: self.own_process,
            programs: self.programs.clone(),
            spares_dumps: self.loose_access().contains(Access::Read),
            close: KeepDescriptors::none().others(),
            attempts: None,
        };
        Ok(Sandbox::new(steps, supervisor, environment, temporary, not_made, about, on_denied))
    }
}

/// What the list of runs says of this one.
fn about(plan: &Plan) -> About {
    let policy = plan.policy();
    let file = policy.name.as_ref().map(|file| file.as_os_str().as_bytes());
    let mode = if plan.is_supervised() { Mode::Supervised } else { Mode::Kernel };
    let journal = policy.journal.file().filter(|_| plan.is_supervised());
    About::new(
        file.unwrap_or(Origin::DEFAULT.as_bytes()),
        mode.name(),
        policy.presets(),
        journal.as_ref().map(|file| file.as_os_str().as_bytes()),
    )
}

/// Makes a directory and those above it, mode 0700, through no link: what led elsewhere when the policy was resolved
/// may since lead where an earlier run of the target wants it.
fn make(directory: &AbsPath) -> Result<(), PrepareError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = |at: BorrowedFd<'_>, name: &OsStr| {
        rustix::fs::openat2(at, name, flags, FileMode::empty(), ResolveFlags::NO_SYMLINKS)
    };
    let enter = |at: BorrowedFd<'_>, name: &OsStr| match open(at, name) {
        Err(Errno::NOENT) => {
            match rustix::fs::mkdirat(at, name, FileMode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            open(at, name)
        }
        opened => opened,
    };
    let walk = || {
        let mut at = open(CWD, OsStr::new("/"))?;
        for name in directory.components() {
            at = enter(at.as_fd(), OsStr::from_bytes(name))?;
        }
        Ok(())
    };
    walk().map_err(|errno: Errno| failed_to_make(directory, errno.into()))
}

fn failed_to_make(directory: &AbsPath, source: io::Error) -> PrepareError {
    if is_taken_away(&source) {
        return PrepareError::NoOpenat2;
    }
    PrepareError::Create { directory: directory.clone(), source }
}

/// Is openat2 refused as if there were no such call? Every kernel that has Landlock has it (5.6).
fn is_taken_away(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOSYS.raw_os_error())
}

fn ruleset(kernel: &KernelSupport, rules: &[LandlockRule]) -> Result<RulesetCreated, PrepareError> {
    let abi: ABI = kernel.abi();
    // Whatever the plan asks for, the kernel must do: nothing is left out in silence.
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let mut ruleset = ruleset.handle_access(landlock::AccessFs::from_all(abi))?;
    let scopes = Scope::from_all(abi);
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    let mut created = ruleset.create()?;
    for rule in rules {
        if let Some(descriptor) = open(rule)? {
            created = created.add_rule(PathBeneath::new(descriptor, rule.rights))?;
        }
    }
    Ok(created)
}

/// Opens what a rule names, if it is still what the plan saw. What has gone, or was replaced by a link, is granted
/// nothing.
fn open(rule: &LandlockRule) -> Result<Option<OwnedFd>, PrepareError> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let error = |errno: Errno| {
        let source = io::Error::from(errno);
        if is_taken_away(&source) {
            return PrepareError::NoOpenat2;
        }
        PrepareError::Open { path: rule.path.clone(), source }
    };
    let descriptor =
        match rustix::fs::openat2(CWD, rule.path.as_path(), flags, FileMode::empty(), resolve) {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::ACCESS | Errno::PERM) => {
                return Ok(None);
            }
            Err(errno) => return Err(error(errno)),
        };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&descriptor).map_err(error)?.st_mode);
    let is_as_planned = match rule.what {
        What::Directory => kind == FileType::Directory,
        What::File => kind != FileType::Directory && kind != FileType::Symlink,
    };
    Ok(is_as_planned.then_some(descriptor))
}

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A directory cannot be made.
    #[error("cannot make the directory `{directory}`")]
    Create {
        /// The directory.
        directory: AbsPath,
        /// The reason.
        source: io::Error,
    },
    /// A path cannot be opened for its rule.
    #[error("cannot open `{path}` for its Landlock rule")]
    Open {
        /// The path.
        path: AbsPath,
        /// The reason.
        source: io::Error,
    },
    /// Whoever started this process took openat2 away.
    #[error(
        "openat2 is refused by a seccomp filter that was there before clawguard, which cannot work without it; in a \
         systemd unit RestrictSUIDSGID= does this: remove that line"
    )]
    NoOpenat2,
    /// The file that the journal was to be written to cannot be one.
    #[error("nothing was started, since the journal that was asked for cannot be written")]
    Journal(#[from] JournalError),
    /// The kernel refused the ruleset.
    #[error("the kernel refused the Landlock ruleset")]
    Ruleset(#[from] RulesetError),
}
