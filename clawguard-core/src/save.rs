//! A file written whole, where somebody confined may have planted a link: no link is followed on the way, and one in
//! the file's own place is replaced, never written through.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::path::AbsPath;

/// Writes `contents` to `path`, a real path: to a new file beside it that then takes its place. Directories that are
/// missing are made, mode 0700. A file that is there keeps its mode; a new one gets 0600.
///
/// # Errors
/// What the kernel says; ELOOP where a directory on the way is a link; `InvalidInput` where something stands there that
/// is no file.
pub fn save(path: &AbsPath, contents: &[u8]) -> io::Result<()> {
    let (parent, name) = path
        .parent()
        .zip(path.file_name())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = |at: BorrowedFd<'_>, name: &OsStr| {
        rustix::fs::openat2(at, name, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
    };
    let mut at = open(CWD, OsStr::new("/"))?;
    for name in parent.components() {
        let name = OsStr::from_bytes(name);
        at = match open(at.as_fd(), name) {
            Err(Errno::NOENT) => {
                match rustix::fs::mkdirat(&at, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
                open(at.as_fd(), name)
            }
            opened => opened,
        }?;
    }
    let name = OsStr::from_bytes(name);
    let mode = match rustix::fs::statat(&at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Mode::from_raw_mode(stat.st_mode & 0o777),
            FileType::Symlink => Mode::RUSR | Mode::WUSR,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        },
        Err(Errno::NOENT) => Mode::RUSR | Mode::WUSR,
        Err(errno) => return Err(errno.into()),
    };
    let beside = [b".", name.as_bytes(), format!(".{}", std::process::id()).as_bytes()].concat();
    let beside = OsStr::from_bytes(&beside);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(&at, beside, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = std::fs::File::from(file);
    let written = file.write_all(contents).and_then(|()| {
        rustix::fs::fchmod(&file, mode)?;
        file.sync_all()?;
        rustix::fs::renameat(&at, beside, &at, name)?;
        Ok(())
    });
    if written.is_err() {
        let _ = rustix::fs::unlinkat(&at, beside, AtFlags::empty());
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_planted_link_is_replaced_or_refused_and_never_followed() {
        let directory = std::env::temp_dir().join(format!("clawguard-save-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("real")).unwrap();
        let root = std::fs::canonicalize(&directory).unwrap();
        let path = |name: &str| AbsPath::parse(root.join(name).as_os_str().as_bytes()).unwrap();
        std::fs::write(root.join("victim"), "old").unwrap();
        symlink(root.join("victim"), root.join("link")).unwrap();
        symlink(root.join("real"), root.join("way")).unwrap();

        save(&path("link"), b"new").unwrap();
        assert_eq!(std::fs::read(root.join("victim")).unwrap(), b"old");
        assert_eq!(std::fs::read(root.join("link")).unwrap(), b"new");
        assert!(save(&path("way/file"), b"new").is_err());
        assert!(!root.join("real/file").exists());

        save(&path("made/here/file"), b"new").unwrap();
        std::fs::set_permissions(root.join("victim"), PermissionsExt::from_mode(0o644)).unwrap();
        save(&path("victim"), b"newer").unwrap();
        let mode =
            |name: &str| std::fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("made/here/file"), mode("victim"), mode("made")), (0o600, 0o644, 0o700));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
