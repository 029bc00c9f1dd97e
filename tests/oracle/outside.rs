//! What somebody outside does to both trees while the actors run: the law judges names as they are at that moment.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

use crate::operation::{Call, Operation, TOP, replace};

/// Does it in one tree; its paths are whole.
pub(crate) fn change(top: &Path, operation: &Operation, uid: u32) -> io::Result<()> {
    let text = top.as_os_str().as_bytes();
    let path = |which: usize| -> PathBuf {
        PathBuf::from(OsStr::from_bytes(&replace(&operation.paths[which], TOP, text)))
    };
    let (one, other) = (path(0), path(1));
    let own = |path: &Path| lchown(path, Some(uid), Some(uid));
    match operation.call {
        Call::Mkdir => fs::create_dir(&one).and_then(|()| own(&one)),
        Call::Write => {
            // Not through a link, which may lead to a place that is only in this tree.
            if fs::symlink_metadata(&one).is_ok_and(|found| !found.is_file()) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::write(&one, &operation.text).and_then(|()| own(&one))
        }
        Call::Symlink => {
            symlink(OsStr::from_bytes(&replace(&operation.text, TOP, text)), &one)?;
            own(&one)
        }
        Call::Link => fs::hard_link(&one, &other),
        Call::Rename => fs::rename(&one, &other),
        Call::Unlink => fs::remove_file(&one),
        Call::Rmdir => fs::remove_dir(&one),
        call => unreachable!("nobody outside does {call:?}"),
    }
}
