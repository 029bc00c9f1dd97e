//! Numbers that denials and traps compare arguments with, under the names of the kernel's headers.
//!
//! The encoded ioctl requests are the same on x86_64 and aarch64. Nothing is decided here.

#![forbid(unsafe_code)]

use std::fmt;

/// A number and its name in the kernel's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Constant {
    /// The macro's name.
    pub(crate) name: &'static str,
    /// Its value. All of these are 32-bit arguments.
    pub(crate) value: u32,
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! constants {
    ($($name:ident = $value:literal;)+) => {
        $(pub(crate) const $name: Constant = Constant { name: stringify!($name), value: $value };)+
    };
}

// linux/sched.h.
constants! {
    CLONE_VM = 0x0000_0100;
    CLONE_FS = 0x0000_0200;
    CLONE_FILES = 0x0000_0400;
    CLONE_SIGHAND = 0x0000_0800;
    CLONE_THREAD = 0x0001_0000;
    CLONE_SYSVSEM = 0x0004_0000;
    CLONE_NEWNS = 0x0002_0000;
    CLONE_NEWCGROUP = 0x0200_0000;
    CLONE_NEWUTS = 0x0400_0000;
    CLONE_NEWIPC = 0x0800_0000;
    CLONE_NEWUSER = 0x1000_0000;
    CLONE_NEWPID = 0x2000_0000;
    CLONE_NEWNET = 0x4000_0000;
}

// linux/resource.h, linux/ioprio.h.
constants! {
    PRIO_PROCESS = 0;
    IOPRIO_WHO_PROCESS = 1;
}

// asm-generic/ioctls.h.
constants! {
    TIOCSPGRP = 0x5410;
    TIOCSTI = 0x5412;
    TIOCLINUX = 0x541c;
    TIOCGPTPEER = 0x5441;
}

// linux/fcntl.h, linux/socket.h, linux/net.h, linux/prctl.h: what stops for the supervisor.
constants! {
    O_PATH = 0x0020_0000;
    O_CREAT = 0x40;
    O_TMPFILE = 0x0040_0000;
    S_ISUID = 0x800;
    S_ISGID = 0x400;
    AF_UNIX = 1;
    AF_NETLINK = 16;
    NETLINK_CONNECTOR = 11;
    SOCK_DGRAM = 2;
    SOCK_RAW = 3;
    PR_SET_DUMPABLE = 4;
}

// linux/fs.h, linux/fsverity.h, linux/fscrypt.h, linux/msdos_fs.h, fs/ext4/ext4.h. The 32-bit forms
// may mean the same to a FUSE server, which gets a request as it came.
constants! {
    FIDEDUPERANGE = 0xc018_9436;
    FS_IOC_SETFLAGS = 0x4008_6602;
    FS_IOC32_SETFLAGS = 0x4004_6602;
    FS_IOC_SETVERSION = 0x4008_7602;
    FS_IOC32_SETVERSION = 0x4004_7602;
    FS_IOC_FSSETXATTR = 0x401c_5820;
    FS_IOC_ENABLE_VERITY = 0x4080_6685;
    FS_IOC_SET_ENCRYPTION_POLICY = 0x800c_6613;
    FS_IOC_ADD_ENCRYPTION_KEY = 0xc050_6617;
    FS_IOC_REMOVE_ENCRYPTION_KEY = 0xc040_6618;
    FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS = 0xc040_6619;
    FAT_IOCTL_SET_ATTRIBUTES = 0x4004_7211;
    EXT4_IOC_SETVERSION = 0x4008_6604;
    EXT4_IOC32_SETVERSION = 0x4004_6604;
}

// linux/btrfs.h. The 32-bit form of SET_RECEIVED_SUBVOL is served to 64-bit callers too
// (fs/btrfs/ioctl.c).
constants! {
    BTRFS_IOC_SUBVOL_CREATE = 0x5000_940e;
    BTRFS_IOC_SUBVOL_CREATE_V2 = 0x5000_9418;
    BTRFS_IOC_SNAP_CREATE = 0x5000_9401;
    BTRFS_IOC_SNAP_CREATE_V2 = 0x5000_9417;
    BTRFS_IOC_SNAP_DESTROY = 0x5000_940f;
    BTRFS_IOC_SNAP_DESTROY_V2 = 0x5000_943f;
    BTRFS_IOC_SUBVOL_SETFLAGS = 0x4008_941a;
    BTRFS_IOC_DEFAULT_SUBVOL = 0x4008_9413;
    BTRFS_IOC_SET_RECEIVED_SUBVOL = 0xc0c8_9425;
    BTRFS_IOC_SET_RECEIVED_SUBVOL_32 = 0xc0c0_9425;
}

// fs/ocfs2/ocfs2_ioctl.h: copies one path to another, and no Landlock hook sees it.
// fs/bcachefs/bcachefs_ioctl.h, Linux 6.7 to 6.17.
constants! {
    OCFS2_IOC_REFLINK = 0x4018_6f04;
    BCH_IOCTL_SUBVOLUME_CREATE = 0x4020_bc10;
    BCH_IOCTL_SUBVOLUME_DESTROY = 0x4020_bc11;
    BCHFS_IOC_REINHERIT_ATTRS = 0x8008_bc40;
}

// fs/ceph/ioctl.h, fs/f2fs (linux/f2fs.h), and OpenZFS (sys/fs/zfs.h): none asks how the file was
// opened.
constants! {
    CEPH_IOC_SET_LAYOUT = 0x4028_9702;
    CEPH_IOC_SET_LAYOUT_POLICY = 0x4028_9705;
    F2FS_IOC_SET_PIN_FILE = 0x4004_f50d;
    ZFS_IOC_SETDOSFLAGS = 0x4008_8302;
}

// linux/fcntl.h, linux/inotify.h: what is done with a symbolic link at the end of a path.
constants! {
    AT_SYMLINK_NOFOLLOW = 0x100;
    AT_SYMLINK_FOLLOW = 0x400;
    IN_DONT_FOLLOW = 0x0200_0000;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `_IOC` of asm-generic/ioctl.h. Directions: 1 is _IOW, 2 is _IOR, 3 is _IOWR.
    fn ioc(direction: u32, kind: u8, number: u32, size: u32) -> u32 {
        direction << 30 | size << 16 | u32::from(kind) << 8 | number
    }

    macro_rules! same {
        ($from:ident: $($name:ident)+) => {
            $(assert_eq!($name.value, linux_raw_sys::$from::$name, "{}", $name);)+
        };
    }

    #[test]
    fn the_numbers_are_those_of_the_kernels_headers() {
        same!(general: CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_THREAD CLONE_SYSVSEM
            CLONE_NEWNS CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC
            CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET PRIO_PROCESS
            AT_SYMLINK_NOFOLLOW AT_SYMLINK_FOLLOW);
        same!(ioctl: TIOCSPGRP TIOCSTI TIOCLINUX TIOCGPTPEER FS_IOC_SETFLAGS FS_IOC32_SETFLAGS FS_IOC_SETVERSION
            FS_IOC32_SETVERSION FS_IOC_FSSETXATTR FS_IOC_ENABLE_VERITY
            FS_IOC_SET_ENCRYPTION_POLICY FS_IOC_ADD_ENCRYPTION_KEY FS_IOC_REMOVE_ENCRYPTION_KEY
            FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS FAT_IOCTL_SET_ATTRIBUTES
            EXT4_IOC_SETVERSION EXT4_IOC32_SETVERSION
            BTRFS_IOC_SUBVOL_CREATE BTRFS_IOC_SUBVOL_CREATE_V2 BTRFS_IOC_SNAP_CREATE
            BTRFS_IOC_SNAP_CREATE_V2 BTRFS_IOC_SNAP_DESTROY BTRFS_IOC_SNAP_DESTROY_V2
            BTRFS_IOC_SUBVOL_SETFLAGS BTRFS_IOC_DEFAULT_SUBVOL BTRFS_IOC_SET_RECEIVED_SUBVOL);
        assert_eq!(IN_DONT_FOLLOW.value, libc::IN_DONT_FOLLOW);
        let netlink = [AF_NETLINK, NETLINK_CONNECTOR].map(|one| one.value.cast_signed());
        assert_eq!(netlink, [libc::AF_NETLINK, libc::NETLINK_CONNECTOR]);
        let numbers = [O_PATH, AF_UNIX, SOCK_DGRAM, SOCK_RAW, PR_SET_DUMPABLE];
        assert_eq!(
            numbers.map(|one| one.value.cast_signed()),
            [libc::O_PATH, libc::AF_UNIX, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::PR_SET_DUMPABLE]
        );
    }

    #[test]
    fn requests_that_no_public_header_has_are_encoded_from_their_definition() {
        assert_eq!(OCFS2_IOC_REFLINK.value, ioc(1, b'o', 4, 24));
        assert_eq!(BCH_IOCTL_SUBVOLUME_CREATE.value, ioc(1, 0xbc, 16, 32));
        assert_eq!(BCH_IOCTL_SUBVOLUME_DESTROY.value, ioc(1, 0xbc, 17, 32));
        assert_eq!(BCHFS_IOC_REINHERIT_ATTRS.value, ioc(2, 0xbc, 64, 8));
        assert_eq!(CEPH_IOC_SET_LAYOUT.value, ioc(1, 0x97, 2, 40));
        assert_eq!(CEPH_IOC_SET_LAYOUT_POLICY.value, ioc(1, 0x97, 5, 40));
        assert_eq!(F2FS_IOC_SET_PIN_FILE.value, ioc(1, 0xf5, 13, 4));
        assert_eq!(ZFS_IOC_SETDOSFLAGS.value, ioc(1, 0x83, 2, 8));
        // Packed: a UUID, two u64, two timespecs of 12 bytes, a u64 and sixteen reserved.
        let packed = 16 + 2 * 8 + 2 * 12 + 8 + 16 * 8;
        assert_eq!(BTRFS_IOC_SET_RECEIVED_SUBVOL_32.value, ioc(3, 0x94, 37, packed));
    }
}
