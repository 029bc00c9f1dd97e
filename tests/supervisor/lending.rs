//! Files that lend the rights of their owner, or of their group, to whoever executes them: the target makes none. It
//! gains nothing by them itself (`no_new_privs`), but another user of the machine would run its program as its owner,
//! confined by nothing.

use std::os::unix::fs::PermissionsExt;

use crate::support::{World, for_every_user};

/// Every way to make such a file, or to make a file one, in perl: each says its name, and its errno if it fails.
const SCRIPT: &str = r#"
use Fcntl;
sub try { my ($name, $done) = @_; print "$name: ", ($done ? "made" : $!{EPERM} ? "EPERM" : "$!"), "\n" }
sub call { my ($number, @words) = @_; syscall($number, @words) >= 0 }
my $cwd = -100; my $made = 0;
sub fresh { my $name = "made" . $made++; $name }
for my $mode (04755, 02755, 06755, 02711, 02644) {
    open(my $plain, ">", "plain$mode"); close $plain;
    try("chmod", chmod($mode, "plain$mode"));
    open($plain, "<", "plain$mode"); try("fchmod", chmod($mode, $plain));
    my $name = fresh(); try("open", sysopen(my $a, $name, O_WRONLY | O_CREAT, $mode));
    $name = fresh(); try("exclusive", sysopen(my $b, $name, O_RDWR | O_CREAT | O_EXCL, $mode));
    $name = fresh(); try("creat", call(85, $name, $mode));
    $name = fresh(); try("openat2", call(437, $cwd, $name, pack("QQQ", O_WRONLY | O_CREAT, $mode, 0), 24));
    try("unnamed", call(257, $cwd, ".", 020200000 | O_WRONLY, $mode));
    $name = fresh(); try("mknod", call(133, $name, 0100000 | $mode, 0));
    my $memory = "memory"; my $fd = syscall(319, $memory, 0); try("memfd", call(91, $fd, $mode));
}
# The neighbours: a directory hands on its group, a file that is there keeps its mode, and a plain mode is a plain mode.
mkdir "shared"; print "directory: ", (chmod(02775, "shared") ? "made" : $!), "\n";
print "group: ", (chmod(0674, "plain1261") || chmod(0674, "plain2541") ? "made" : $!), "\n";
sysopen(my $c, "there", O_WRONLY | O_CREAT, 04755) and print "there: opened\n";
sysopen(my $d, "sticky", O_WRONLY | O_CREAT, 01755) and print "sticky: made\n";
"#;

fn tries(world: &World) {
    world.write("~/work/there", "");
    let ran = world.confined().args(["--mode", "supervised"]).command(["perl", "-e", SCRIPT]);
    let ran = ran.works();
    let neighbours = ["directory: made", "group: made", "there: opened", "sticky: made"];
    let (ours, others): (Vec<&str>, Vec<&str>) =
        ran.stdout.lines().partition(|line| neighbours.contains(line));
    assert_eq!(ours.len(), neighbours.len(), "{ran:#?}");
    assert_eq!(others.len(), 5 * 9, "{ran:#?}");
    assert!(others.iter().all(|line| line.ends_with(": EPERM")), "{ran:#?}");
    for path in world.tree("~/work") {
        let at = std::fs::symlink_metadata(&path).unwrap();
        let mode = at.permissions().mode();
        let lends = mode & 0o6000 != 0;
        assert!(at.is_dir() || !lends, "{path:?} {mode:o}");
    }
}

#[test]
fn no_file_is_made_that_lends_its_owners_rights() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/**/.env']");
        tries(&world);
    });
}

#[test]
fn no_such_file_is_made_where_opens_do_not_ask() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let quiet = world.read("~/policy.yaml") + "logging: { log_denials: false }\n";
        world.write("~/policy.yaml", quiet);
        tries(&world);
    });
}

#[test]
fn no_capability_is_given_to_a_file() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.install("/usr/bin/id", "~/work/id");
        // struct vfs_ns_cap_data of revision 2: cap_dac_override, effective.
        let script = r#"perl -e 'my ($p, $n, $v) = ("id", "security.capability", pack("V5", 0x02000001, 2, 0, 0, 0));
            print syscall(188, $p, $n, $v, length $v, 0) == 0 ? "given" : $!{EPERM} ? "EPERM" : $!'"#;
        assert_eq!(world.sh(script).stdout, "EPERM");
    });
}

/// An access control list may let the group execute what nothing else lets.
#[test]
fn no_access_control_list_makes_such_a_file() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/**/.env']");
        for (name, mode) in [("group", 0o2644), ("owner", 0o4644), ("plain", 0o644)] {
            world.write(&format!("~/work/{name}"), "");
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(world.path(&format!("~/work/{name}")), permissions).unwrap();
        }
        // struct posix_acl_xattr_header and entries: owner, a user, group, mask, others.
        let script = r#"
            my ($name, $list) = ("system.posix_acl_access", pack("V(vvV)5", 2, 1, 7, 0xffffffff, 2, 7, $>, 4, 7,
                0xffffffff, 16, 7, 0xffffffff, 32, 5, 0xffffffff));
            sub told { print $_[0] >= 0 ? "made" : $!{EPERM} ? "EPERM" : $!, "\n" }
            for (qw(group owner plain)) {
                my $file = "$_";
                open(my $open, "<", $file);
                told(syscall(188, $file, $name, $list, length $list, 0));
                told(syscall(190, fileno $open, $name, $list, length $list, 0));
            }"#;
        let ran = world.confined().command(["perl", "-e", script]);
        assert_eq!(ran.stdout, "EPERM\nEPERM\nEPERM\nEPERM\nmade\nmade\n", "{ran:#?}");
    });
}
