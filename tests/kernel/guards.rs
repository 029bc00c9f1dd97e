//! What no rule opens: the policy files, the shim, the state directory.

use crate::support::for_every_user;

#[test]
fn the_policy_in_use_can_be_read_and_never_changed() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~']");
        world.write("~/file", "file");
        world.write("~/work/sub/file", "file");
        world.expect(
            "
            read        ~/policy.yaml                     ok
            write       ~/policy.yaml                     EACCES
            truncate    ~/policy.yaml                     EACCES
            unlink      ~/policy.yaml                     EACCES
            rename      ~/policy.yaml ~/work/policy.yaml  EACCES
            rename      ~/work/note ~/policy.yaml         EACCES
            exchange    ~/work/note ~/policy.yaml         EACCES
            link        ~/policy.yaml ~/work/second       EACCES|EXDEV
            cat         ~/file                            file
            write       ~/file                            ok
            create      ~/work/new                        ok
            unlink      ~/work/new                        ok
            ",
        );
        assert!(world.read("~/policy.yaml").contains("allowed_paths"));
    });
}

#[test]
fn every_place_where_a_policy_is_looked_for_is_guarded() {
    for_every_user(|world| {
        world.write("~/.config/clawguard/policy.yaml", "{}");
        world.write("~/.openclaw/config.yaml", "{}");
        world.write("~/named/policy.yaml", "{}");
        world.write("~/.config/other/file", "file");
        world.policy("allowed_paths: ['~/.config', '~/.openclaw', '~/named']");
        let shim = world.confined().env("CLAWGUARD_POLICY", world.path("~/named/policy.yaml"));
        shim.args(["--mode", "kernel"]).expect(
            &world,
            "
            write       ~/.config/clawguard/policy.yaml   EACCES
            unlink      ~/.config/clawguard/policy.yaml   EACCES
            rename      ~/.config/clawguard ~/.config/c   EACCES
            write       ~/.openclaw/config.yaml           EACCES
            write       ~/named/policy.yaml               EACCES
            unlink      ~/named/policy.yaml               EACCES
            read        ~/named/policy.yaml               ok
            write       ~/.config/other/file              ok
            ",
        );
    });
}

#[test]
fn the_places_of_a_start_with_another_environment_are_guarded_too() {
    for_every_user(|world| {
        for place in ["conf", ".config"] {
            world.write(&format!("~/{place}/other/file"), "file");
            world.mkdir(&format!("~/{place}/clawguard"));
        }
        for place in ["state", ".local/state"] {
            world.write(&format!("~/{place}/clawguard/journal.jsonl"), "line");
            world.write(&format!("~/{place}/other/file"), "file");
        }
        world.policy("allowed_paths: ['~/conf', '~/.config', '~/state', '~/.local/state']");
        let mut table = String::new();
        for place in ["conf", ".config"] {
            table += &format!("create ~/{place}/clawguard/policy.yaml EACCES\n");
            table += &format!("rename ~/{place}/other ~/{place}/clawguard EACCES|EXDEV\n");
            table += &format!("write ~/{place}/other/file ok\n");
            table += &format!("create ~/{place}/other/policy.yaml ok\n");
        }
        for place in ["state", ".local/state"] {
            table += &format!("write ~/{place}/clawguard/journal.jsonl EACCES\n");
            table += &format!("unlink ~/{place}/clawguard/journal.jsonl EACCES\n");
            table += &format!("create ~/{place}/clawguard/new EACCES\n");
            table += &format!("write ~/{place}/other/file ok\n");
        }
        let (config, state) = (world.path("~/conf"), world.path("~/state"));
        let shim = world.confined().env("XDG_CONFIG_HOME", config).env("XDG_STATE_HOME", state);
        shim.expect(&world, &table);
        world.confined().expect(&world, "create ~/.config/clawguard/policy.yaml EACCES");
    });
}

#[test]
fn the_shim_and_the_state_directory_are_guarded_in_an_allowed_directory() {
    for_every_user(|world| {
        world.write("~/.local/state/clawguard/journal", "line");
        world.write("~/.local/state/other/file", "file");
        world.write("{root}/bin/other", "other");
        world.policy(
            "allowed_paths: ['~/.local/state', '{root}/bin']"
                .replace("{root}", &world.text("{root}"))
                .as_str(),
        );
        world.expect_in_kernel_mode(
            "
            write       {root}/bin/clawguard-exec         EACCES
            unlink      {root}/bin/clawguard-exec         EACCES
            rename      {root}/bin/other {root}/bin/clawguard-exec EACCES
            read        {root}/bin/clawguard-exec         ok
            write       {root}/bin/other                  ok
            write       ~/.local/state/clawguard/journal  EACCES
            create      ~/.local/state/clawguard/new      EACCES
            unlink      ~/.local/state/clawguard/journal  EACCES
            rename      ~/.local/state/clawguard ~/.local/state/c EACCES
            write       ~/.local/state/other/file         ok
            ",
        );
    });
}

#[test]
fn an_exact_allowed_rule_does_not_pierce_a_guard() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', '~/policy.yaml']");
        world.expect_in_kernel_mode(
            "
            read        ~/policy.yaml                     ok
            write       ~/policy.yaml                     EACCES
            write       ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn directories_that_the_next_start_must_find_again_stay() {
    for_every_user(|world| {
        world.mkdir("~/work/project/src");
        world.mkdir("~/work/free/a");
        world.policy("allowed_paths: ['~/work', { path: '~/work/project', access: rw }]");
        world.expect_in_kernel_mode(
            "
            rename      ~/work/project ~/work/moved       EACCES
            rename      ~/work/project ~/work/free/p      EACCES|EXDEV
            exchange    ~/work/project ~/work/free        EACCES|EXDEV
            create      ~/work/project/new                ok
            rename      ~/work/project/src ~/work/project/source ok
            rename      ~/work/free/a ~/work/free/b       ok
            ",
        );
        assert!(world.has("~/work/project/new"));
    });
}

#[test]
fn the_working_directory_stays_and_what_is_in_it_moves() {
    for_every_user(|world| {
        world.mkdir("~/work/here/sub");
        world.policy("allowed_paths: ['~/work']");
        world.confined().cwd("~/work/here").expect(
            &world,
            "
            rmdir       ~/work/here                       EACCES
            rename      ~/work/here ~/work/there          EACCES
            rename      ~/work/here/sub ~/work/here/other ok
            create      new                               ok
            ",
        );
    });
}
