//! Descriptors that the shim inherits: none beyond standard error reaches the command unasked (CVE-2024-21626).

use crate::support::for_every_user;

#[test]
fn inherited_descriptors_are_closed_from_three_up() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let open =
            "exec 3<{home}/secret 4<{home}/secret/key 9<>{home}/secret/key 77<{home}/work/note";
        world.confined().after(open).expect(
            &world,
            "
            descriptors                                   none
            at          3 key                             EBADF
            read        /proc/self/fd/4                   ENOENT
            read        /dev/fd/77                        ENOENT|EACCES
            read        ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn a_descriptor_is_kept_when_its_number_is_given() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let open = "exec 3<{home}/secret/key 4<{home}/work/note 5<{home}/secret";
        world.confined().after(open).args(["--keep-fd", "4"]).expect(&world, "descriptors 4");
        // An inherited directory is no way in: what is opened beneath it is judged.
        world.confined().after(open).args(["--keep-fd=5", "--keep-fd=4"]).expect(
            &world,
            "
            descriptors                                   4,5
            at          5 key                             EACCES
            read        /proc/self/fd/5/key               EACCES
            read        /proc/self/fd/4                   ok
            ",
        );
    });
}

#[test]
fn a_descriptor_that_is_not_open_cannot_be_kept() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let ran = world.confined().args(["--keep-fd", "63"]).command(["touch", "started"]);
        ran.ends(125).says(["--keep-fd 63"]);
        assert!(!world.has("~/work/started"));
    });
}

#[test]
fn what_systemd_and_node_announce_is_kept_with_auto() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let open = "exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null; export LISTEN_FDS=2 LISTEN_PID=$$ NODE_CHANNEL_FD=6";
        world
            .confined()
            .after(open)
            .args(["--keep-fd", "auto"])
            .expect(&world, "descriptors 3,4,6");
        world.confined().after(open).expect(&world, "descriptors none");
        let other = "exec 3</dev/null 4</dev/null; export LISTEN_FDS=2 LISTEN_PID=1";
        world
            .confined()
            .after(other)
            .args(["--keep-fd", "auto"])
            .expect(&world, "descriptors none");
    });
}

#[test]
fn the_three_standard_descriptors_reach_the_command_as_they_are() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.mkdir("~/out");
        let open = "exec 2>{home}/out/errors";
        let ran = world.confined().after(open).input("in").command([
            "sh",
            "-c",
            "cat; echo out; echo error >&2",
        ]);
        assert_eq!(ran.works().stdout, "inout\n");
        assert_eq!(world.read("~/out/errors"), "error\n");
    });
}
