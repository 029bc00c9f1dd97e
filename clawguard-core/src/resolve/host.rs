//! What a policy depends on outside its text, as a value: any host can be described, so any host can be tested.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::links::Links;
use super::mounts::Procfs;
use crate::decide::Folding;
use crate::path::AbsPath;
use crate::policy::pattern::Variables;

/// The user, his places and his environment.
#[derive(Clone, Debug)]
pub struct Host {
    /// The home directory's real path.
    pub home: Option<AbsPath>,
    /// The working directory's real path.
    pub cwd: AbsPath,
    /// The user's number.
    pub uid: u32,
    /// The environment that the command would inherit.
    pub environment: BTreeMap<OsString, OsString>,
    /// The program that applies the policy: nobody confined may replace it.
    pub shim: Option<AbsPath>,
    /// The terminal that standard input, output or error is open on.
    pub terminal: Option<AbsPath>,
    /// The command that will be started, as it was typed; it selects a preset.
    pub command: Option<OsString>,
    /// The private temporary directory that the target will be given.
    pub temporary: Option<AbsPath>,
    /// Where file names are the same in any case.
    pub folding: Folding,
    /// Each procfs that is mounted: what is in it of processes outside is denied before any rule is asked.
    pub procfs: Vec<Procfs>,
}

impl Host {
    /// This process's host.
    ///
    /// # Errors
    /// [`HostError`] when there is no working directory.
    pub fn current() -> Result<Host, HostError> {
        let cwd = std::env::current_dir().map_err(HostError::WorkingDirectory)?;
        let cwd = AbsPath::parse(cwd.as_os_str().as_bytes())
            .map_err(|error| HostError::WorkingDirectory(std::io::Error::other(error)))?;
        let uid = rustix::process::geteuid().as_raw();
        let absolute = |path: &OsStr| AbsPath::parse(path.as_bytes()).ok();
        // A home directory that is named and cannot be understood must not pass for none: `~/.*` would block nothing.
        let home = match dirs::home_dir() {
            None => None,
            Some(home) if home.is_absolute() => {
                Some(Links::default().follow_raw(home.as_os_str().as_bytes()))
            }
            Some(home) => return Err(HostError::Home(home)),
        };
        let mounts = super::mounts::read();
        Ok(Host {
            home,
            cwd,
            uid,
            environment: std::env::vars_os().collect(),
            shim: std::env::current_exe().ok().and_then(|shim| absolute(shim.as_os_str())),
            terminal: terminal(),
            command: None,
            temporary: super::temporary::plan(uid),
            folding: super::folding::of(&mounts),
            procfs: super::mounts::procfs(&mounts),
        })
    }

    /// The same host, about to start `command`.
    #[must_use]
    pub fn with_command(mut self, command: impl Into<OsString>) -> Host {
        self.command = Some(command.into());
        self
    }

    /// The same host with another temporary directory, or none.
    #[must_use]
    pub fn with_temporary(mut self, temporary: Option<AbsPath>) -> Host {
        self.temporary = temporary;
        self
    }

    /// The same host with a stand-in for the temporary directory, for those who only look: its name stays the same.
    #[must_use]
    pub fn with_preview_of_temporary(self) -> Host {
        let preview = AbsPath::parse(format!("/tmp/clawguard-{}-PRIVATE", self.uid)).ok();
        self.with_temporary(preview)
    }

    /// The executable file that a command's name stands for: by path, else along PATH, as execvp(3) finds it.
    #[must_use]
    pub fn find_command(&self, name: &OsStr) -> Option<AbsPath> {
        super::program::find(name, self, &mut Links::default()).map(|found| found.path)
    }

    /// A variable of the environment that is set to something.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A directory of the XDG base directory specification; a relative value is ignored, as it says.
    pub(crate) fn xdg(&self, variable: &str, default: &[u8]) -> Option<AbsPath> {
        let absolute = |value: &&OsStr| value.as_bytes().starts_with(b"/");
        let named = self.variable(variable).filter(absolute);
        let named = named.map(|value| Links::default().follow_raw_unless_normal(value.as_bytes()));
        named.or_else(|| self.beneath_home(default))
    }

    pub(crate) fn beneath_home(&self, path: &[u8]) -> Option<AbsPath> {
        let home = self.home.as_ref()?;
        AbsPath::parse([home.as_bytes(), b"/", path].concat()).ok()
    }

    /// Where clawguard keeps its journal and state: `$XDG_STATE_HOME/clawguard`.
    #[must_use]
    pub fn state_directory(&self) -> Option<AbsPath> {
        self.xdg("XDG_STATE_HOME", b".local/state").map(|state| state.join(b"clawguard"))
    }
}

impl Variables for Host {
    fn value(&self, name: &str) -> Option<Vec<u8>> {
        match name {
            "PWD" => Some(self.cwd.as_bytes().to_vec()),
            "UID" => Some(self.uid.to_string().into_bytes()),
            "HOME" => self.home.as_ref().map(|home| home.as_bytes().to_vec()),
            "TMPDIR" if self.temporary.is_some() => {
                self.temporary.as_ref().map(|path| path.as_bytes().to_vec())
            }
            name => self.environment.get(OsStr::new(name)).map(|value| value.clone().into_vec()),
        }
    }

    fn home(&self) -> Option<&AbsPath> {
        self.home.as_ref()
    }
}

/// The terminal of a standard descriptor, by its real name: the target holds it open already.
fn terminal() -> Option<AbsPath> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let open = [stdin.is_terminal(), stdout.is_terminal(), stderr.is_terminal()];
    let number = open.into_iter().position(|open| open)?;
    let name = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    AbsPath::parse(name.as_os_str().as_bytes()).ok()
}

/// Why there is no [`Host`].
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The working directory was removed or cannot be named.
    #[error("there is no working directory")]
    WorkingDirectory(#[source] std::io::Error),
    /// The home directory is named by a relative path.
    #[error("the home directory `{}` is not an absolute path: set HOME", .0.display())]
    Home(std::path::PathBuf),
}
