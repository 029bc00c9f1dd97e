//! Where the policy goes, and how it gets there: a new file, whole or not at all, never over another and never through
//! somebody else's link.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clawguard_core::{AbsPath, Host, Policy, escape};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::error::InitError;

/// The kernel's own limit (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// A file that does not exist yet.
#[derive(Debug)]
pub(super) enum Destination {
    /// Where every start looks for a policy.
    Own(AbsPath),
    /// `--output`.
    Named(PathBuf),
}

impl Destination {
    /// The place that is asked for, if nothing is there and nothing else is the policy already.
    pub(super) fn choose(host: &Host, output: Option<&Path>) -> Result<Destination, InitError> {
        if let Some(output) = output {
            let file = host.cwd.as_path().join(output);
            return match file.symlink_metadata() {
                Ok(_) => Err(InitError::exists(&file)),
                Err(_) => Ok(Destination::Named(file)),
            };
        }
        let found = Policy::locate(host, None).map_err(InitError::Broken)?;
        if let Some(file) = found.file() {
            return Err(InitError::Found(escape(file.as_os_str().as_bytes())));
        }
        let home = host.home.as_ref().ok_or(InitError::NoHome)?;
        if let Ok(stat) = rustix::fs::stat(home.as_path())
            && stat.st_uid != host.uid
        {
            let (home, owner) = (home.to_string(), stat.st_uid);
            return Err(InitError::ForeignHome { home, owner, uid: host.uid });
        }
        Policy::own_place(host).map(Destination::Own).ok_or(InitError::NoHome)
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Destination::Own(place) => place.as_path(),
            Destination::Named(file) => file,
        }
    }

    /// Makes the file, mode 0600, and for the user's own place the directories above it, mode 0700.
    pub(super) fn write(&self, text: &str) -> Result<(), InitError> {
        let path = self.path();
        let failed = |errno: Errno| InitError::write(path.as_os_str().as_bytes(), errno);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(failed(Errno::ISDIR));
        };
        let directory = match self {
            Destination::Own(_) => enter(parent, rustix::process::geteuid().as_raw())?,
            Destination::Named(_) => {
                let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
                rustix::fs::open(parent, flags, Mode::empty()).map_err(failed)?
            }
        };
        match create(directory.as_fd(), name, text.as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(InitError::exists(path))
            }
            created => {
                created.map_err(|error| InitError::write(path.as_os_str().as_bytes(), error))
            }
        }
    }
}

/// Writes beside the place first, and moves what is complete there unless something has come in between.
fn create(directory: BorrowedFd<'_>, name: &OsStr, contents: &[u8]) -> std::io::Result<()> {
    let owner_only = Mode::RUSR | Mode::WUSR;
    let (draft, file) = open_draft(directory, name, owner_only)?;
    let write = || {
        rustix::fs::fchmod(&file, owner_only)?;
        let mut file = std::fs::File::from(file);
        file.write_all(contents)?;
        file.sync_all()?;
        put(directory, &draft, name).map_err(std::io::Error::from)
    };
    write().inspect_err(|_| {
        let _ = rustix::fs::unlinkat(directory, &draft, AtFlags::empty());
    })
}

/// A new file beside the place. One that an interrupted run left keeps its name.
fn open_draft(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    mode: Mode,
) -> std::io::Result<(OsString, OwnedFd)> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut attempt = 0;
    loop {
        let mut draft = name.to_owned();
        draft.push(format!(".{}.{attempt}.new", std::process::id()));
        match rustix::fs::openat(directory, &draft, flags, mode) {
            Ok(file) => return Ok((draft, file)),
            Err(Errno::EXIST) if attempt < 100 => attempt += 1,
            Err(Errno::EXIST) => return Err(std::io::Error::other("too many drafts beside it")),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Gives the draft its name, which must be free. Some file systems know only one of the two ways.
fn put(directory: BorrowedFd<'_>, draft: &OsStr, name: &OsStr) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(directory, draft, directory, name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            rustix::fs::linkat(directory, draft, directory, name, AtFlags::empty())?;
            rustix::fs::unlinkat(directory, draft, AtFlags::empty())
        }
        renamed => renamed,
    }
}

/// Opens a directory and makes what is missing of it, one name after the other. A link is followed if it is the own one
/// of the user `uid` or root's: who could plant another could choose where the policy goes.
fn enter(path: &Path, uid: u32) -> Result<OwnedFd, InitError> {
    let failed = |errno: Errno| InitError::write(path.as_os_str().as_bytes(), errno);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = || rustix::fs::open("/", flags | OFlags::DIRECTORY, Mode::empty());
    let mut at = root().map_err(failed)?;
    let mut rest: Vec<Vec<u8>> = names(path.as_os_str().as_bytes()).collect();
    rest.reverse();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        let open = || rustix::fs::openat(&at, name.as_slice(), flags, Mode::empty());
        let next = match open() {
            Err(Errno::NOENT) => match rustix::fs::mkdirat(&at, name.as_slice(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => open(),
                Err(errno) => Err(errno),
            },
            opened => opened,
        };
        let next = next.map_err(failed)?;
        let stat = rustix::fs::fstat(&next).map_err(failed)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => at = next,
            FileType::Symlink => {
                if stat.st_uid != uid && stat.st_uid != 0 {
                    return Err(InitError::ForeignLink(escape(path.as_os_str().as_bytes())));
                }
                links += 1;
                if links > MAX_LINKS {
                    return Err(failed(Errno::LOOP));
                }
                let target = rustix::fs::readlinkat(&next, "", Vec::new()).map_err(failed)?;
                if target.as_bytes().starts_with(b"/") {
                    at = root().map_err(failed)?;
                }
                let target: Vec<Vec<u8>> = names(target.as_bytes()).collect();
                rest.extend(target.into_iter().rev());
            }
            _ => return Err(failed(Errno::NOTDIR)),
        }
    }
    let stat = rustix::fs::fstat(&at).map_err(failed)?;
    if stat.st_uid != uid {
        return Err(InitError::ForeignDirectory(escape(path.as_os_str().as_bytes())));
    }
    Ok(at)
}

fn names(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let names = path.split(|&byte| byte == b'/');
    names.filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, lchown, symlink};

    /// A directory in which everything belongs to one user, and the number of another who is not root.
    fn site() -> (tempfile::TempDir, u32, u32) {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("target")).unwrap();
        symlink("target", top.path().join("link")).unwrap();
        let mut uid = top.path().metadata().unwrap().uid();
        if uid == 0 {
            uid = 65534;
            lchown(top.path().join("link"), Some(uid), Some(uid)).unwrap();
            lchown(top.path().join("target"), Some(uid), Some(uid)).unwrap();
        }
        (top, uid, uid + 1)
    }

    #[test]
    fn a_link_is_followed_for_its_owner_and_for_nobody_else() {
        let (top, owner, other) = site();
        assert!(enter(&top.path().join("link"), owner).is_ok());
        let refused = enter(&top.path().join("link/clawguard"), other);
        assert!(matches!(refused, Err(InitError::ForeignLink(_))), "{refused:?}");
        assert!(!top.path().join("target/clawguard").exists());
    }

    #[test]
    fn a_directory_that_another_could_exchange_is_refused() {
        let (top, owner, other) = site();
        assert!(enter(&top.path().join("target"), owner).is_ok());
        let refused = enter(&top.path().join("target"), other);
        assert!(matches!(refused, Err(InitError::ForeignDirectory(_))), "{refused:?}");
    }

    #[test]
    fn what_has_come_in_between_is_not_replaced() {
        let top = tempfile::tempdir().unwrap();
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let directory = rustix::fs::open(top.path(), flags, Mode::empty()).unwrap();
        std::fs::write(top.path().join("p.yaml"), "theirs").unwrap();
        let error = create(directory.as_fd(), OsStr::new("p.yaml"), b"mine").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(top.path().join("p.yaml")).unwrap(), b"theirs");
        create(directory.as_fd(), OsStr::new("q.yaml"), b"mine").unwrap();
        let mut names: Vec<_> =
            top.path().read_dir().unwrap().map(|one| one.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["p.yaml", "q.yaml"]);
    }
}
