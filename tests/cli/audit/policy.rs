//! The policy itself: where it is, who can change it, what is odd in it.

use super::{audit, clean, found, one, set, subjects, with_policy};
use crate::support::{User, World, for_every_user};

const POLICY: &str = "~/.config/clawguard/policy.yaml";

#[test]
fn a_policy_that_others_can_change_or_replace_is_told() {
    for_every_user(|world| {
        clean(&world);
        for id in ["policy-writable", "policy-directory-writable", "policy-owner"] {
            assert!(found(&world, id).is_empty(), "{id}");
        }
        world.chmod(POLICY, 0o666);
        world.chmod("~/.config", 0o777);
        let row = one(&world, "policy-writable");
        assert_eq!(row["command"], world.text("chmod 644 {home}/.config/clawguard/policy.yaml"));
        assert_eq!(subjects(&world, "policy-directory-writable"), set(["~/.config"]));
        // The sticky bit keeps others from exchanging what is not theirs.
        world.chmod("~/.config", 0o1777);
        assert!(found(&world, "policy-directory-writable").is_empty());
    });
}

#[test]
fn a_place_where_somebody_could_put_a_policy_is_told() {
    let world = World::mine();
    world.mkdir("~/.openclaw");
    world.chmod("~/.openclaw", 0o777);
    assert_eq!(subjects(&world, "policy-directory-writable"), set(["~/.openclaw"]));
}

#[test]
fn a_policy_behind_a_link_is_judged_where_it_is() {
    let world = World::mine();
    clean(&world);
    world.mkdir("~/shared");
    std::fs::rename(world.path(POLICY), world.path("~/shared/policy.yaml")).unwrap();
    world.symlink("~/shared/policy.yaml", POLICY);
    assert!(found(&world, "policy-directory-writable").is_empty());
    world.chmod("~/shared", 0o777);
    assert_eq!(subjects(&world, "policy-directory-writable"), set(["~/shared"]));
}

#[test]
fn a_policy_of_somebody_else_is_told_and_one_of_root_is_not() {
    if User::current().uid != 0 {
        println!("only root can give files away");
        return;
    }
    let world = World::new(User::ordinary());
    clean(&world);
    let file = world.path(POLICY);
    std::os::unix::fs::chown(&file, Some(0), None).unwrap();
    assert!(found(&world, "policy-owner").is_empty());
    std::os::unix::fs::chown(&file, Some(12345), None).unwrap();
    assert_eq!(one(&world, "policy-owner")["severity"], "critical");
}

#[test]
fn a_policy_that_is_wrong_is_a_finding_and_the_rest_is_still_looked_at() {
    let world = World::mine();
    clean(&world);
    world.write(POLICY, "security: { file_access: { allow_paths: [] } }\n");
    world.chmod("~/.openclaw", 0o755);
    let ran = audit(&world, &[]).run().ends(1);
    ran.prints(["policy-error", "did you mean `allowed_paths`?", "state-mode"]);
}

#[test]
fn remarks_warnings_and_a_second_policy_are_told() {
    let world = World::mine();
    clean(&world);
    for id in ["policy-remark", "policy-warning", "policy-shadowed", "policy-default"] {
        assert!(found(&world, id).is_empty(), "{id}");
    }
    with_policy(
        &world,
        "allowed_paths: ['~/work', '~/nowhere', '~/.ssh']\nblocked_paths: ['~/.ssh']",
    );
    world.write("~/.openclaw/config.yaml", "security: { file_access: { allowed_paths: [] } }\n");
    let remarks = found(&world, "policy-remark");
    let reasons = remarks.iter().map(|row| row["reason"].as_str().unwrap());
    let kinds = reasons.map(|reason| reason.split(':').next().unwrap().to_owned());
    let kinds: std::collections::BTreeSet<String> = kinds.collect();
    assert!(kinds.contains("missing") && kinds.contains("shadowed"), "{remarks:#?}");
    assert_eq!(subjects(&world, "policy-shadowed"), set(["~/.openclaw/config.yaml"]));
    let text = world.read(POLICY) + "  netwrok: { listen: loopback }\n";
    world.write(POLICY, &text);
    let error = one(&world, "policy-error");
    assert!(error["reason"].as_str().unwrap().contains("`network`"), "{error:#}");
    // In OpenClaw's own file it could be OpenClaw's.
    std::fs::remove_file(world.path(POLICY)).unwrap();
    world.write("~/.openclaw/config.yaml", &text);
    let warning = one(&world, "policy-warning");
    assert!(warning["reason"].as_str().unwrap().contains("`network`"), "{warning:#}");
}

#[test]
fn the_journal_and_its_directory_are_closed_and_its_file_is_one_that_is_written_to() {
    for_every_user(|world| {
        clean(&world);
        let state = "~/.local/state/clawguard";
        let journal = "~/.local/state/clawguard/journal.jsonl";
        world.write(journal, "{}\n");
        world.chmod(state, 0o700);
        world.chmod(journal, 0o600);
        assert!(found(&world, "journal-mode").is_empty());
        assert!(found(&world, "journal-refused").is_empty());
        world.chmod(state, 0o755);
        world.chmod(journal, 0o646);
        assert_eq!(subjects(&world, "journal-mode"), set([state, journal]));
        world.hard_link(journal, "~/work/second");
        assert_eq!(subjects(&world, "journal-refused"), set([journal]));
        std::fs::remove_file(world.path(journal)).unwrap();
        world.symlink("~/work/second", journal);
        let row = one(&world, "journal-refused");
        assert!(row["reason"].as_str().unwrap().contains("symbolic link"), "{row:#}");
    });
}

#[test]
fn what_a_run_and_init_leave_behind_is_closed() {
    for_every_user(|world| {
        clean(&world);
        world.shim_with(["-q", "--", "cat", "/etc/shadow"]).run();
        assert!(world.has("~/.local/state/clawguard/journal.jsonl"));
        world.remove("~/.config/clawguard");
        world.shim_with(["init"]).run().works();
        assert!(world.has(POLICY));
        for id in
            ["journal-mode", "journal-refused", "policy-writable", "policy-directory-writable"]
        {
            assert!(found(&world, id).is_empty(), "{id}: {:#?}", found(&world, id));
        }
    });
}

#[test]
fn a_program_that_others_can_replace_is_told() {
    for_every_user(|world| {
        clean(&world);
        assert!(found(&world, "program-replaceable").is_empty());
        world.chmod("{root}/bin/clawguard-exec", 0o757);
        assert_eq!(found(&world, "program-replaceable").len(), 1);
        world.chmod("{root}/bin", 0o777);
        assert_eq!(found(&world, "program-replaceable").len(), 2);
    });
}

#[test]
fn a_mode_that_leaves_something_open_is_told() {
    let world = World::mine();
    clean(&world);
    for id in ["kernel-left-open", "kernel-denies-more", "kernel-cannot-enforce"] {
        assert!(found(&world, id).is_empty(), "{id}");
    }
    with_policy(&world, "allowed_paths: ['~/work']\nblocked_paths: ['~/work/secret']");
    let ran =
        audit(&world, &["--mode=kernel", "--only=kernel-left-open", "--only=kernel-denies-more"]);
    ran.run().ends(1).prints(["metadata: chmod", "kernel-denies-more"]);
}

/// A wildcard opens the key and not the directory that it lies in.
#[test]
fn a_key_that_a_wildcard_opens_is_a_finding() {
    let world = World::mine();
    clean(&world);
    world.write("~/.ssh/id_ed25519", "key");
    world.write("~/.ssh/config", "");
    with_policy(&world, "allowed_paths: ['~/work', { path: '~/.ssh/id_*', access: r }]");
    assert_eq!(subjects(&world, "secret-allowed"), set(["~/.ssh/id_ed25519"]));
    with_policy(
        &world,
        "allowed_paths: ['~/work', { path: '~/.ssh/id_*', access: r }]\nblocked_paths: ['~/.*']",
    );
    assert!(found(&world, "secret-allowed").is_empty());
}

/// What `init` writes is no cause for a remark.
#[test]
fn a_block_of_what_nothing_allows_is_a_precaution_and_no_finding() {
    let world = World::mine();
    clean(&world);
    world.mkdir("~/bin");
    with_policy(
        &world,
        "allowed_paths: ['~/work']\nblocked_paths: ['~/.*', { path: '~/bin', access: w }]",
    );
    assert!(found(&world, "policy-remark").is_empty());
}
