//! Which directories of this host fold the case of names.

#![forbid(unsafe_code)]

use super::mounts::Mount;
use crate::decide::Folding;
use crate::path::AbsPath;

/// File systems whose names are the same in any case (as statfs(2) and mountinfo name them). `9p` is WSL's drvfs.
const FOLDING: [&str; 9] =
    ["vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "cifs", "smb3", "9p"];

/// `FS_CASEFOLD_FL` of linux/fs.h.
const CASEFOLD: u32 = 0x4000_0000;

/// Can any directory of this kernel have the flag?
pub(crate) fn is_supported() -> bool {
    ["/sys/fs/ext4/features/casefold", "/sys/fs/f2fs/features/casefold"]
        .iter()
        .any(|feature| std::path::Path::new(feature).exists())
}

/// Does this directory have the casefold flag (ext4, f2fs)? Unknown is no: the flag cannot be read without `r`.
pub(crate) fn has_flag(directory: &AbsPath) -> bool {
    let Ok(file) = std::fs::File::open(directory) else { return false };
    rustix::fs::ioctl_getflags(&file).is_ok_and(|flags| flags.bits() & CASEFOLD != 0)
}

/// What is mounted, and which of it folds.
pub(super) fn of(mounts: &[Mount]) -> Folding {
    // A later mount at the same place hides an earlier one.
    let mut places: Vec<(AbsPath, bool)> = Vec::new();
    for Mount { place, kind, .. } in mounts {
        let folds = FOLDING.iter().any(|folding| folding.as_bytes() == &**kind);
        places.retain(|(other, _)| other != place);
        places.push((place.clone(), folds));
    }
    Folding::new(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_mounts_are_found_with_what_is_mounted_in_them() {
        let text = b"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
            30 22 8:2 / /media/a\\040stick rw - vfat /dev/sdb1 rw\n\
            31 30 8:3 / /media/a\\040stick/in rw - ext4 /dev/sdc1 rw\n";
        let folding = of(&super::super::mounts::parse(text));
        let folded: Vec<String> = folding.folded().map(ToString::to_string).collect();
        assert_eq!(folded, ["/media/a stick"]);
        let inside = AbsPath::parse("/media/a stick/in/x").unwrap();
        assert!(folding.is_some_and_beneath(&inside));
        assert_eq!(folding.case(&inside, 3), crate::policy::Case::Sensitive);
        assert_eq!(folding.case(&inside, 2), crate::policy::Case::Folded);
    }
}
