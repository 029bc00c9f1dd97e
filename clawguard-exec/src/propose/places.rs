//! Which directories may stand for what is in them: the limit that no proposal goes beyond, whatever the level.
//!
//! It must never say yes to the home directory, to what the home directory lies in, or to a place that many programs
//! share.

#![forbid(unsafe_code)]

use clawguard_core::{AbsPath, Access, AccessSet, Host};

/// Shared by many programs: never one line, whatever the access.
const SHARED: [&str; 42] = [
    "/boot",
    "/dev/pts",
    "/dev/shm",
    "/etc",
    "/home",
    "/lost+found",
    "/media",
    "/mnt",
    "/nix/store",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/run/lock",
    "/run/user",
    "/snap",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/lib",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/opt",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];

/// The system's own: never a tree that may be changed.
const SYSTEM_TREES: [&str; 10] =
    ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"];

/// The same in the home directory: shared by many programs, or run at the next login.
const SHARED_AT_HOME: [&str; 24] = [
    ".cache",
    ".config",
    ".config/autostart",
    ".config/environment.d",
    ".config/fish",
    ".config/systemd",
    ".config/systemd/user",
    ".local",
    ".local/bin",
    ".local/lib",
    ".local/share",
    ".local/state",
    ".var",
    ".var/app",
    ".ssh",
    ".gnupg",
    ".aws",
    ".kube",
    "bin",
    "Desktop",
    "Documents",
    "Downloads",
    "Library",
    "snap",
];

/// May one line with this access stand for everything in `directory`?
pub(super) fn may_stand(directory: &AbsPath, access: AccessSet, host: &Host) -> bool {
    let is = |name: &&str| directory.as_bytes() == name.as_bytes();
    let within = |name: &&str| directory.as_path().starts_with(name);
    if directory.depth() < 2 || SHARED.iter().any(is) {
        return false;
    }
    let changes = access.contains(Access::Write);
    if changes && SYSTEM_TREES.iter().any(within) || directory.as_path().starts_with("/proc") {
        return false;
    }
    // The runtime directory of a user: the buses and agents of a whole session.
    if directory.depth() == 3 && directory.as_path().starts_with("/run/user") {
        return false;
    }
    let Some(home) = &host.home else { return true };
    if home.starts_with(directory) {
        return false;
    }
    let beneath = directory.as_path().strip_prefix(home.as_path());
    !beneath.is_ok_and(|beneath| {
        SHARED_AT_HOME.iter().any(|name| beneath == std::path::Path::new(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_stands_for_a_home_for_what_it_lies_in_or_for_a_shared_place() {
        let mut host = Host::current().unwrap();
        host.home = Some(AbsPath::parse("/data/people/ann").unwrap());
        let may = |path: &str, access: &str| {
            may_stand(&AbsPath::parse(path).unwrap(), AccessSet::parse(access).unwrap(), &host)
        };
        for path in [
            "/",
            "/data",
            "/data/people",
            "/data/people/ann",
            "/data/people/ann/.config",
            "/tmp",
            "/data/people/ann/.local/share",
            "/run/user/1000",
            "/etc",
            "/proc",
            "/usr/lib",
            "/anything",
        ] {
            assert!(!may(path, "r"), "{path}");
        }
        for path in ["/usr/lib/x", "/etc/x", "/dev/x", "/proc/sys"] {
            assert!(!may(path, "rw"), "{path}");
        }
        assert!(may("/etc/x", "r"));
        for path in
            ["/data/people/ann/p", "/data/people/ann/.cache/x", "/opt/x", "/tmp/x", "/var/lib/x"]
        {
            assert!(may(path, "rwx"), "{path}");
        }
    }
}
