//! No capability, no way to gain one.

use std::os::unix::fs::PermissionsExt;

use crate::support::{User, for_every_user};

#[test]
fn the_command_holds_no_capability_and_can_gain_none() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let ran = world.confined().command(["cat", "/proc/self/status"]).works();
        let field = |name: &str| {
            ran.stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
        };
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        // Emptying the bounding set takes a capability; without it, no_new_privs keeps the set shut.
        if world.user.uid == 0 {
            assert_eq!(field("CapBnd:"), "0000000000000000");
        }
        assert_eq!(field("NoNewPrivs:"), "1");
        assert_eq!(field("Seccomp:"), "2");
    });
}

#[test]
fn root_is_an_ordinary_owner_inside() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.write("~/work/closed", "x");
        world.chmod("~/work/closed", 0);
        world.expect(
            "
            read        ~/work/closed                     EACCES
            read        ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn a_set_user_id_program_gains_nothing() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.install("/usr/bin/id", "~/work/id");
        // Owned by whoever runs the suite: root, where the suite can make such a program at all.
        let owner = User::current().uid;
        std::os::unix::fs::chown(world.path("~/work/id"), Some(owner), None).unwrap();
        std::fs::set_permissions(world.path("~/work/id"), std::fs::Permissions::from_mode(0o4755))
            .unwrap();
        let ran = world.confined().command(["./id", "-u"]).works();
        assert_eq!(ran.stdout.trim(), world.user.uid.to_string());
    });
}
