//! Mode, owner, times and length: `w` on the object, however it is named.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::site::{BY_AT, BY_LINK, BY_PATH, for_every_user_in_the_site};
use crate::support::{CANARY, for_every_user};
use crate::table::rows;

/// Calls that change what an inode carries: the name, its arguments, and whether it takes a descriptor and the empty
/// path.
const CHANGES: &[(&str, &str, &[&[&str]])] = &[
    ("chmod", "0640", &[BY_PATH, BY_LINK]),
    ("fchmodat", "0640", &[BY_PATH, BY_LINK, BY_AT]),
    ("fchmodat2", "0640 0", &[BY_PATH, BY_LINK, BY_AT, &["empty"]]),
    ("fchmodat2", "0640 AT_SYMLINK_NOFOLLOW", &[BY_PATH, BY_AT]),
    ("chown", "-1 -1", &[BY_PATH, BY_LINK]),
    ("lchown", "-1 -1", &[BY_PATH]),
    ("fchownat", "-1 -1 0", &[BY_PATH, BY_LINK, BY_AT, &["empty"]]),
    ("fchownat", "-1 -1 AT_SYMLINK_NOFOLLOW", &[BY_PATH, BY_AT]),
    ("utime", "1000,2000", &[BY_PATH, BY_LINK]),
    ("utime", "null", &[BY_PATH]),
    ("utimes", "1000,2000", &[BY_PATH, BY_LINK]),
    ("futimesat", "1000,2000", &[BY_PATH, BY_LINK, BY_AT]),
    ("utimensat", "1000,2000 0", &[BY_PATH, BY_LINK, BY_AT, &["empty"]]),
    ("utimensat", "now,omit 0", &[BY_PATH, BY_AT]),
    ("utimensat", "null 0", &[BY_PATH, BY_LINK, BY_AT]),
    ("utimensat", "1000,2000 AT_SYMLINK_NOFOLLOW", &[BY_PATH, BY_AT]),
    ("truncate", "3", &[BY_PATH, BY_LINK]),
];

/// Those that take a descriptor, or a null path.
const CHANGES_BY_DESCRIPTOR: &[(&str, &str)] = &[
    ("fchmod@r-fd", "0640"),
    ("fchown@r-fd", "-1 -1"),
    ("fchmodat2@r-empty", "0640 0"),
    ("fchownat@r-empty", "-1 -1 0"),
    ("utimensat@r-empty", "1000,2000 0"),
    ("utimensat@r-null", "1000,2000 0"),
    ("utimensat@r-null", "null 0"),
    ("futimesat@r-null", "1000,2000"),
    ("chmod@r-proc", "0640"),
    ("truncate@r-proc", "2"),
];

/// Every change in every form.
fn changes(path: &str, outcome: &str) -> String {
    let table = CHANGES.iter().flat_map(|(call, arguments, forms)| {
        forms.iter().map(move |forms| rows(call, forms, &format!("{path} {arguments} {outcome}")))
    });
    table.collect()
}

fn changes_by_descriptor(path: &str, outcome: &str) -> String {
    let row = |(call, arguments): &(&str, &str)| format!("{call} {path} {arguments} {outcome}\n");
    CHANGES_BY_DESCRIPTOR.iter().map(row).collect()
}

#[test]
fn no_call_changes_mode_owner_times_or_length_of_a_blocked_file() {
    for_every_user_in_the_site(|world| {
        for path in ["~/work/closed/file", "~/work/wild/.env", "~/work/fixed/file"] {
            world.answers_and_leaves(
                &["~/work/closed", "~/work/wild", "~/work/fixed"],
                &changes(path, "EACCES"),
            );
        }
        assert_eq!(world.read("~/work/closed/file"), CANARY);
    });
}

#[test]
fn every_call_changes_mode_owner_times_and_length_of_an_allowed_file() {
    for_every_user_in_the_site(|world| {
        for path in ["~/work/open/file", "~/work/wild/file", "~/work/blind/file"] {
            world.answers(&changes(path, "ok"));
            world
                .answers(&format!("times {path} 1000:2000|1000:now|now:now\nstat {path} 100640:3"));
        }
        world.answers(&changes_by_descriptor("~/work/open/file", "ok"));
    });
}

#[test]
fn each_change_of_an_allowed_file_is_seen_at_once() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            chmod       ~/work/open/file 0604             ok
            lstat       ~/work/open/file                  100604:4
            fchmodat@at ~/work/open/file 01711            ok
            lstat       ~/work/open/file                  101711:4
            fchmodat2@empty ~/work/open/file 0600 0       ok
            lstat       ~/work/open/file                  100600:4
            fchmod@r-fd ~/work/open/file 0644             ok
            lstat       ~/work/open/file                  100644:4
            truncate    ~/work/open/file 1                ok
            lstat       ~/work/open/file                  100644:1
            truncate    ~/work/open/file 5000000000       ok
            lstat       ~/work/open/file                  100644:5000000000
            utime       ~/work/open/file 11,12            ok
            times       ~/work/open/file                  11:12
            utimes      ~/work/open/file 13,14            ok
            times       ~/work/open/file                  13:14
            futimesat@at ~/work/open/file 15,16           ok
            times       ~/work/open/file                  15:16
            utimensat@cwd ~/work/open/file 17,omit 0      ok
            times       ~/work/open/file                  17:16
            utimensat@r-null ~/work/open/file omit,18 0   ok
            times       ~/work/open/file                  17:18
            utimensat   ~/work/open/file null 0           ok
            times       ~/work/open/file                  now:now
            chmod       ~/work/open/sub 0750              ok
            lstat       ~/work/open/sub                   40750:4096|40750:60
            fchownat    ~/work/open/file 4000000 -1 0     EPERM
            chown       ~/work/open/file 0xffffffff 4000000 EPERM
            ",
        );
    });
}

#[test]
fn a_descriptor_for_reading_gives_no_right_to_change_the_file() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/fixed"],
            &changes_by_descriptor("~/work/fixed/file", "EACCES"),
        );
        world.answers(
            "
            openat      ~/work/fixed/file O_RDONLY 0 >a   ok
            fchmod      %a 0600                           EACCES
            child fchmod %a 0600                          EACCES
            thread fchmod %a 0600                         EACCES
            dup2        %a 90                             ok
            fchown      90 -1 -1                          EACCES
            pass        %a >b                             ok
            fchmod      %b 0600                           EACCES
            read        %b                                fixed
            openat      ~/work/fixed O_DIRECTORY 0 >c     ok
            fchmod      %c 0700                           EACCES
            utimensat@fd:%c file 1,2 0                    EACCES
            openat      ~/work/open/file O_RDONLY 0 >d    ok
            fchmod      %d 0600                           ok
            ",
        );
    });
}

#[test]
fn a_link_is_changed_itself_only_where_the_call_does_not_follow_it() {
    for_every_user_in_the_site(|world| {
        world.answers_and_leaves(
            &["~/work/closed"],
            "
            # The link is allowed, what it leads to is not.
            chmod       ~/work/open/to-closed 0600        EACCES
            fchmodat    ~/work/open/to-closed 0600        EACCES
            fchmodat2   ~/work/open/to-closed 0600 0      EACCES
            fchmodat2   ~/work/open/to-closed 0600 AT_SYMLINK_NOFOLLOW EOPNOTSUPP
            chown       ~/work/open/to-closed -1 -1       EACCES
            lchown      ~/work/open/to-closed -1 -1       ok
            fchownat    ~/work/open/to-closed -1 -1 0     EACCES
            fchownat    ~/work/open/to-closed -1 -1 AT_SYMLINK_NOFOLLOW ok
            utimensat   ~/work/open/to-closed 1,2 0       EACCES
            utimensat   ~/work/open/to-closed 1,2 AT_SYMLINK_NOFOLLOW ok
            times       ~/work/open/to-closed             1:2
            truncate    ~/work/open/to-closed 0           EACCES
            chmod       ~/work/open/to-directory/file 0600 EACCES
            lchown      ~/work/open/to-directory/file -1 -1 EACCES
            # A link in a blocked directory is blocked itself.
            lchown      ~/work/closed/link -1 -1          EACCES
            utimensat   ~/work/closed/link 1,2 AT_SYMLINK_NOFOLLOW EACCES
            # And one that leads out of it is followed.
            chmod       ~/work/open/link 0600             ok
            ",
        );
    });
}

#[test]
fn what_is_missing_or_malformed_is_told_before_what_is_denied() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            chmod       ~/work/closed/none 0600           ENOENT
            chmod       ~/work/late 0600                  ENOENT
            chmod       ~/work/open/to-late 0600          ENOENT
            chmod       ~/work/closed/file/x 0600         ENOTDIR
            chmod       ~/work/closed/file/ 0600          ENOTDIR
            chmod       @null 0600                        EFAULT
            chmod       @bad 0600                         EFAULT
            chmod       @empty 0600                       ENOENT
            chmod@cut   ~/work/closed/file 0600           EFAULT
            fchmodat2   ~/work/closed/file 0600 0x40000000 EINVAL
            fchownat    ~/work/closed/file -1 -1 0x40000000 EINVAL
            utimensat   ~/work/closed/file null 0x40000000 EINVAL
            fchmod      77 0600                           EBADF
            fchmod      -1 0600                           EBADF
            fchmod@p-fd ~/work/closed/file 0600           EBADF
            fchown@p-fd ~/work/closed/file -1 -1          EBADF
            fchmodat@fd:77 file 0600                      EBADF
            truncate    ~/work/closed/file -1             EINVAL
            truncate    ~/work/open -1                    EINVAL
            truncate    ~/work/open 0                     EISDIR
            fchmodat@fd:77 ~/work/open/file 0600          ok
            ",
        );
    });
}

#[test]
fn a_file_made_after_the_start_is_judged_like_one_that_was_there() {
    for_every_user(|world| {
        world
            .policy("allowed_paths: ['~/work']\nblocked_paths: [{ path: '**/*.lock', access: w }]");
        world.answers(
            "
            mkdir       ~/work/new 0755                   ok
            openat      ~/work/new/a O_WRONLY|O_CREAT 0644 ok
            chmod       ~/work/new/a 0600                 ok
            openat      ~/work/new/a.lock O_WRONLY|O_CREAT 0644 EACCES
            truncate    ~/work/new/a 10                   ok
            rename      ~/work/new/a ~/work/new/b.lock    EACCES
            stat        ~/work/new/a                      100600:10
            ",
        );
        assert!(!world.has("~/work/new/a.lock") && !world.has("~/work/new/b.lock"));
        world.write("~/work/new/old.lock", "old");
        world.answers_and_leaves(
            &["~/work/new"],
            "
            chmod       ~/work/new/old.lock 0600          EACCES
            truncate    ~/work/new/old.lock 0             EACCES
            utimensat@at ~/work/new/old.lock 1,2 0        EACCES
            cat         ~/work/new/old.lock               old
            ",
        );
    });
}

/// `w` on a device is meant for what it drives: root could else take `/dev/null` from everybody.
#[test]
fn a_device_of_the_host_is_used_and_keeps_its_name_mode_and_owner() {
    for_every_user(|world| {
        // One that nobody else needs; only root can make it. An ordinary user tries to change the real one.
        let own = format!("/dev/clawtest-{}", std::process::id());
        let mknod = || Command::new("mknod").args(["-m", "666", &own, "c", "1", "3"]).status();
        let is_root = world.user.uid == 0;
        let device = if is_root { own.as_str() } else { "/dev/null" };
        assert!(!is_root || mknod().unwrap().success());
        world.policy(&format!("allowed_paths: ['~/work', {{ path: '{device}', access: rw }}]"));
        let script = "for act in 'chmod 600' 'chown 1' 'setfattr -n trusted.x -v 1' 'rm -f'; do \
                      $act DEVICE && echo $act; done; mv -f DEVICE DEVICE.old && echo moved; \
                      mv -f note DEVICE && echo replaced; echo used > DEVICE && cat DEVICE && \
                      chmod 600 note && rm note && echo works";
        let ran = world.confined().args(["--mode", "supervised"]).command([
            "sh",
            "-c",
            &script.replace("DEVICE", device),
        ]);
        let after = std::fs::metadata(device).unwrap();
        if is_root {
            std::fs::remove_file(&own).unwrap();
        }
        assert_eq!(ran.works().stdout, "works\n");
        assert_eq!((after.mode(), after.uid()), (0o20_666, 0));
    });
}
