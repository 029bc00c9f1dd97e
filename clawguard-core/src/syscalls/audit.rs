//! The audit of the table: whatever can name a file is judged, refused, or free for a stated reason.
//!
//! What a call takes comes from the kernel's prototypes (`arguments.txt`) and not from the table, so
//! a row that forgets an argument fails here.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::judged::Place;
use super::*;

const ARGUMENTS: &str = include_str!("arguments.txt");

/// Every `char __user *` that is no path: call, argument, what it is.
const NO_PATHS: &str = "
    add_key 0 the type of a key
    add_key 1 the name of a key
    delete_module 0 the name of a module
    fgetxattr 1 the name of an attribute
    finit_module 1 parameters of a module
    flistxattr 1 where names of attributes are put
    fremovexattr 1 the name of an attribute
    fsconfig 2 the name of a mount option; its value may be a path, so the call is refused
    fsetxattr 1 the name of an attribute
    fsopen 0 the kind of a file system
    getcwd 0 where the path is put
    getrandom 0 where bytes are put
    getsockopt 3 where the value is put
    getxattr 1 the name of an attribute
    getxattrat 3 the name of an attribute
    init_module 2 parameters of a module
    kexec_file_load 3 the command line of a kernel
    lgetxattr 1 the name of an attribute
    listxattr 1 where names of attributes are put
    listxattrat 3 where names of attributes are put
    llistxattr 1 where names of attributes are put
    lookup_dcookie 1 where the path is put
    lremovexattr 1 the name of an attribute
    lsetxattr 1 the name of an attribute
    memfd_create 0 what /proc calls the memory; it names nothing
    mincore 2 where the pages are told
    mount 2 the kind of a file system
    mq_open 0 the name of a message queue: no path, but one in the IPC namespace
    mq_timedreceive 1 where the message is put
    mq_timedsend 1 the message
    mq_unlink 0 the name of a message queue
    pread64 1 where bytes are put
    pwrite64 1 bytes
    read 1 where bytes are put
    readlink 1 where the path is put
    readlinkat 2 where the path is put
    removexattr 1 the name of an attribute
    removexattrat 3 the name of an attribute
    request_key 0 the type of a key
    request_key 1 the name of a key
    request_key 2 what makes the key
    setdomainname 0 the name of the domain
    sethostname 0 the name of the host
    setsockopt 3 the value
    setxattr 1 the name of an attribute
    setxattrat 3 the name of an attribute
    shmat 1 an address in memory
    shmdt 0 an address in memory
    symlink 0 what the link says; nothing is looked up, and following it is judged
    symlinkat 0 what the link says; nothing is looked up, and following it is judged
    syslog 1 where the log is put
    write 1 bytes";

/// Every address that is only filled in.
const TOLD_ADDRESSES: &str = "accept accept4 getpeername getsockname recvfrom recvmmsg recvmsg";

/// Every call that changes what an inode carries beside its bytes, by path or by descriptor. Those
/// that change the bytes (`ftruncate`, `fallocate`) need a descriptor that is open for writing, which
/// tests/kernel/numbers.rs proves.
const METADATA: &str = "
    chmod chown fchmod fchmodat fchmodat2 fchown fchownat file_setattr fremovexattr fsetxattr
    futimesat ioctl lchown lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
    utime utimensat utimes";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Text,
    Address,
    Message,
    Descriptor,
}

/// What each call takes, by the kernel's prototypes.
fn prototypes() -> BTreeMap<&'static str, BTreeSet<(Kind, u8)>> {
    let argument = |word: &'static str| {
        let (kind, place) = word.split_once(':').unwrap();
        let kind = match kind {
            "text" => Kind::Text,
            "address" => Kind::Address,
            "message" => Kind::Message,
            "fd" => Kind::Descriptor,
            other => panic!("{other}"),
        };
        (kind, place.parse().unwrap())
    };
    let line = |line: &'static str| {
        let mut words = line.split(' ');
        (words.next().unwrap(), words.map(argument).collect())
    };
    ARGUMENTS.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

fn taken(call: &Syscall, kind: Kind) -> BTreeSet<u8> {
    let all = &prototypes()[call.name];
    all.iter().filter(|(found, _)| *found == kind).map(|(_, place)| *place).collect()
}

fn no_paths() -> BTreeSet<(&'static str, u8)> {
    let row = |row: &'static str| {
        let mut words = row.trim().splitn(3, ' ');
        let (call, place) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
        assert!(words.next().is_some_and(|what| !what.is_empty()), "{row}");
        (call, place)
    };
    NO_PATHS.lines().filter(|row| !row.is_empty()).map(row).collect()
}

/// The arguments of a call that are paths.
fn paths(call: &Syscall) -> BTreeSet<u8> {
    let mut texts = taken(call, Kind::Text);
    texts.retain(|place| !no_paths().contains(&(call.name, *place)));
    texts
}

/// Can a socket address that the caller gives name a file?
fn gives_address(call: &Syscall) -> bool {
    let has = |kind| !taken(call, kind).is_empty();
    (has(Kind::Address) || has(Kind::Message)) && !words(TOLD_ADDRESSES).contains(call.name)
}

fn words(list: &'static str) -> BTreeSet<&'static str> {
    list.split_whitespace().collect()
}

fn is_always_refused(denials: &[Denial]) -> bool {
    denials.iter().any(|denial| denial.when.is_empty())
}

#[test]
fn every_call_has_a_prototype_and_every_prototype_a_call() {
    let calls: BTreeSet<_> = table().map(|call| call.name).collect();
    assert_eq!(prototypes().into_keys().collect::<BTreeSet<_>>(), calls);
}

#[test]
fn every_text_that_is_no_path_belongs_to_a_call() {
    let texts: BTreeSet<_> = table()
        .flat_map(|call| taken(call, Kind::Text).into_iter().map(|place| (call.name, place)))
        .collect();
    let strays: Vec<_> = no_paths().difference(&texts).copied().collect();
    assert!(strays.is_empty(), "{strays:?}");
    let tellers = words(TOLD_ADDRESSES);
    assert!(tellers.iter().all(|name| table().any(|call| call.name == *name)));
}

/// The heart of the audit.
#[test]
fn a_call_that_takes_a_path_is_judged_by_that_path_or_refused_or_free_for_a_stated_reason() {
    for call in table() {
        let paths = paths(call);
        match &call.disposition {
            Disposition::Free(Free::Path(does)) => {
                assert!(!paths.is_empty() && !does.is_empty(), "{}", call.name);
            }
            Disposition::Free(reason) => assert!(paths.is_empty(), "{} {reason:?}", call.name),
            Disposition::Judged(judged) => {
                let asked = judged.objects.iter().filter_map(|object| match object.place {
                    Place::Path { path, .. } | Place::At { path, .. } => Some(path),
                    Place::Descriptor(_) | Place::Address { .. } => None,
                });
                assert_eq!(asked.collect::<BTreeSet<_>>(), paths, "{}", call.name);
            }
            Disposition::Denied(denials) => {
                assert!(paths.is_empty() || is_always_refused(denials), "{}", call.name);
            }
        }
    }
}

#[test]
fn a_call_that_takes_a_socket_address_is_judged_by_it_or_sends_on_a_socket_that_was() {
    for call in table() {
        let is_socket = matches!(call.disposition, Disposition::Free(Free::Socket));
        let is_judged = call.judged().is_some_and(|judged| {
            judged.objects.iter().any(|object| matches!(object.place, Place::Address { .. }))
        });
        assert_eq!(gives_address(call), is_socket || is_judged, "{}", call.name);
    }
}

#[test]
fn a_judged_descriptor_is_one_and_no_judged_call_with_a_path_forgets_its_directory() {
    for call in table() {
        let Some(judged) = call.judged() else { continue };
        let descriptors = taken(call, Kind::Descriptor);
        for object in judged.objects {
            let used = match object.place {
                Place::Descriptor(fd) => Some(fd),
                Place::At { dirfd, .. } => Some(dirfd),
                Place::Address { socket, .. } => Some(socket),
                // inotify_add_watch: the descriptor is the watch's own.
                Place::Path { .. } => None,
            };
            assert!(used.is_none_or(|fd| descriptors.contains(&fd)), "{}", call.name);
        }
        let directories =
            judged.objects.iter().filter(|object| !matches!(object.place, Place::Path { .. }));
        let is_own = ["inotify_add_watch", "listen"].contains(&call.name);
        assert_eq!(
            directories.count(),
            if is_own { 0 } else { descriptors.len() },
            "{}",
            call.name
        );
    }
}

#[test]
fn a_free_call_that_takes_a_descriptor_is_free_for_a_reason_that_speaks_of_descriptors() {
    for call in table().filter(|call| !taken(call, Kind::Descriptor).is_empty()) {
        let Disposition::Free(reason) = &call.disposition else { continue };
        let speaks = match reason {
            Free::Descriptor | Free::Name | Free::Path(_) | Free::Socket => true,
            // A queue of messages, of pidfd_*, of a ruleset: the call looks at its own kind alone.
            Free::Ipc => call.name.starts_with("mq_"),
            Free::Traced => ["pidfd_getfd", "process_madvise"].contains(&call.name),
            Free::Signalled => call.name == "pidfd_send_signal",
            Free::Public => call.name == "process_mrelease",
            Free::Narrowing => call.name == "landlock_add_rule",
            Free::Caller | Free::Capability => false,
        };
        assert!(speaks, "{} {reason:?}", call.name);
    }
}

#[test]
fn a_call_that_changes_metadata_is_judged_for_writing_or_refused() {
    for name in words(METADATA) {
        let call = table().find(|call| call.name == name).unwrap();
        match &call.disposition {
            Disposition::Judged(judged) => {
                let is_write = |object: &judged::Object| {
                    matches!(object.need, Need::Access(crate::access::Access::Write))
                };
                assert!(judged.objects.iter().all(is_write), "{name}");
            }
            Disposition::Denied(denials) => {
                let kept = |denial: &Denial| denial.forbids == Forbidden::FileAttributes;
                assert!(denials.iter().any(kept), "{name}");
            }
            Disposition::Free(reason) => panic!("{name} {reason:?}"),
        }
    }
}

/// docs/kernel.md tells these numbers.
#[test]
fn the_documentation_counts_the_classes_as_they_are() {
    let documentation = include_str!("../../../docs/kernel.md");
    for arch in Arch::ALL {
        let mut counts = [0; 4];
        for call in table().filter(|call| call.number(arch).is_some()) {
            counts[match &call.disposition {
                Disposition::Free(_) => 0,
                Disposition::Judged(_) => 1,
                Disposition::Denied(denials) if is_always_refused(denials) => 2,
                Disposition::Denied(_) => 3,
            }] += 1;
        }
        let [free, supervised, denied, sometimes] = counts;
        let row = format!("| {arch} | {free} | {supervised} | {denied} | {sometimes} |");
        assert!(documentation.contains(&row), "docs/kernel.md lacks {row}");
    }
}
