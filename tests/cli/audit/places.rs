//! What the policy lets an agent reach: secrets, ways out, programs of PATH.

use std::os::unix::net::UnixListener;

use super::{clean, found, one, set, subjects, with_policy};
use crate::support::{CANARY, World, for_every_user};

#[test]
fn a_secret_that_the_policy_allows_is_told_with_the_rule_and_the_line_to_add() {
    for_every_user(|world| {
        clean(&world);
        world.write("~/.ssh/id_ed25519", CANARY);
        world.write("~/.bashrc", "");
        for id in ["secret-allowed", "startup-writable"] {
            assert!(found(&world, id).is_empty(), "{id}");
        }
        with_policy(&world, "allowed_paths: ['~']");
        assert_eq!(subjects(&world, "secret-allowed"), set(["~/.ssh"]));
        let row = one(&world, "secret-allowed");
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.contains("allowed rwx `~`") && reason.contains("policy.yaml:4"), "{row:#}");
        assert_eq!(row["severity"], "critical");
        assert_eq!(row["policy_line"]["line"], r#"- "~/.ssh""#);
        assert_eq!(row["policy_line"]["key"], "blocked_paths");
        assert_eq!(
            one(&world, "startup-writable")["policy_line"]["line"],
            r#"- { path: "~/.bashrc", access: w }"#
        );
        // The lines are the right ones.
        with_policy(
            &world,
            "allowed_paths: ['~']\nblocked_paths: [\"~/.ssh\", { path: \"~/.bashrc\", access: w }]",
        );
        for id in ["secret-allowed", "startup-writable"] {
            assert!(found(&world, id).is_empty(), "{id}");
        }
    });
}

#[test]
fn an_exception_inside_a_secret_is_told() {
    let world = World::mine();
    clean(&world);
    world.write("~/.ssh/id_ed25519", CANARY);
    with_policy(
        &world,
        "allowed_paths: ['~/.ssh/id_ed25519', '~/.ssh/none']\nblocked_paths: ['~/.*']",
    );
    assert_eq!(subjects(&world, "secret-allowed"), set(["~/.ssh/id_ed25519"]));
}

#[test]
fn an_agents_own_login_is_its_own_and_settings_count_when_a_token_is_in_them() {
    let world = World::mine();
    clean(&world);
    world.write("~/.claude/.credentials.json", "{}");
    world.write("~/.npmrc", "save-exact=true\n");
    world.policy("allowed_paths: ['~/work']");
    let text = world.read("~/policy.yaml").replace("[system]", "[system, node, claude]");
    world.write("~/.config/clawguard/policy.yaml", &text);
    // Whoever is not Claude Code gets it with these presets too.
    assert_eq!(subjects(&world, "secret-allowed"), set(["~/.claude/.credentials.json"]));
    world.write("~/.npmrc", "//registry.npmjs.org/:_authToken=x\n");
    world.write("~/.config/clawguard/policy.yaml", text.replace(", claude", ""));
    let row = one(&world, "secret-allowed");
    assert_eq!(
        (row["severity"].as_str(), row["path"].as_str()),
        (Some("warning"), world.path("~/.npmrc").to_str())
    );
    with_policy(&world, "allowed_paths: ['~/work']");
    assert!(found(&world, "secret-allowed").is_empty());
}

#[test]
fn the_login_of_an_agent_that_gets_its_own_preset_is_no_finding() {
    let world = World::mine();
    clean(&world);
    world.write("~/.claude/.credentials.json", "{}");
    world.script("{root}/bin/claude", "#!/bin/sh\n");
    world.write("~/.ssh/id_rsa", CANARY);
    let logins = |policy: &str| {
        world.write(
            "~/.config/clawguard/policy.yaml",
            format!("security: {{ file_access: {{ allowed_paths: {policy} }} }}\n"),
        );
        let shim = super::audit(&world, &["--json", "--only=secret-allowed"]);
        let rows = super::rows(&shim.env("PATH", world.text("{root}/bin:/usr/bin:/bin")).run());
        rows.iter().map(|row| super::subject(&world, row)).collect::<Vec<_>>()
    };
    // The preset is what allows it, as `check` says.
    let check = world.shim_with(["-q", "check", "--access=r", "--command=claude"]);
    let check = check.args([world.path("~/.claude/.credentials.json")]);
    assert_eq!(logins("['~/work']"), Vec::<String>::new());
    check.env("PATH", world.text("{root}/bin:/usr/bin:/bin")).run().works();
    assert_eq!(logins("['~']"), ["~/.claude/.credentials.json", "~/.ssh"]);
}

#[test]
fn files_that_look_like_secrets_are_told_where_they_can_be_read() {
    for_every_user(|world| {
        clean(&world);
        world.write("~/work/.env", "KEY=1\n");
        world.write("~/work/a/.env.production", "KEY=1\n");
        world.write("~/work/key.pem", "-----BEGIN RSA PRIVATE KEY-----\n");
        world.write("~/work/account.json", r#"{"private_key": "-----BEGIN PRIVATE KEY-----"}"#);
        world.write("~/work/.npmrc", "//r/:_authToken=x\n");
        world.write("~/work/id_rsa", CANARY);
        // None of these holds anything.
        world.write("~/work/.env.example", "KEY=\n");
        world.write("~/work/.envrc", "x\n");
        world.write("~/work/empty/.env", "");
        world.write("~/work/ca.pem", "-----BEGIN CERTIFICATE-----\n");
        world.write("~/work/package.json", "{}\n");
        world.write("~/work/node_modules/x/test/key.pem", "-----BEGIN RSA PRIVATE KEY-----\n");
        world.write("~/other/.env", "KEY=1\n");
        let all = [".env", ".npmrc", "a/.env.production", "account.json", "id_rsa", "key.pem"];
        assert_eq!(
            subjects(&world, "secret-like-file"),
            all.map(|name| format!("~/work/{name}")).into()
        );
        let leaks = found(&world, "secret-like-file");
        assert!(!format!("{leaks:?}").contains(CANARY), "contents are shown");
        with_policy(&world, "allowed_paths: ['~/work']\nblocked_paths: ['~/work/**']");
        assert!(found(&world, "secret-like-file").is_empty());
    });
}

#[test]
fn a_hard_link_out_is_told_and_two_names_inside_are_not() {
    for_every_user(|world| {
        clean(&world);
        world.write("~/work/a", "");
        world.hard_link("~/work/a", "~/work/b");
        assert!(found(&world, "hard-link-out").is_empty());
        world.hard_link("~/secret/key", "~/work/harmless");
        let row = one(&world, "hard-link-out");
        assert_eq!(row["path"].as_str(), world.path("~/work/harmless").to_str());
        assert_eq!(row["severity"], "warning");
    });
}

#[test]
fn a_name_that_is_blocked_counts_as_one_outside_and_stores_are_only_mentioned() {
    let world = World::mine();
    clean(&world);
    world.write("~/work/.env", "KEY=1\n");
    world.hard_link("~/work/.env", "~/work/copy");
    assert!(found(&world, "hard-link-out").is_empty());
    with_policy(&world, "allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
    assert_eq!(subjects(&world, "hard-link-out"), set(["~/work/copy"]));
    world.remove("~/work");
    world.write("~/store/p", "");
    world.mkdir("~/work/node_modules");
    world.hard_link("~/store/p", "~/work/node_modules/p");
    assert_eq!(one(&world, "hard-link-out")["severity"], "info");
}

#[test]
fn a_socket_on_which_somebody_outside_listens_is_told() {
    for_every_user(|world| {
        clean(&world);
        let path = world.path("~/work/service.sock");
        let listener = UnixListener::bind(&path).unwrap();
        world.give(&path);
        let row = one(&world, "socket-leads-out");
        assert_eq!(
            (row["path"].as_str(), row["severity"].as_str()),
            (path.to_str(), Some("warning"))
        );
        // A name that nobody answers to leads nowhere.
        drop(listener);
        assert!(found(&world, "socket-leads-out").is_empty());
    });
}

#[test]
fn a_well_known_socket_is_critical() {
    let world = World::mine();
    clean(&world);
    world.write("~/agent.sock", "");
    let agent = world.text("~/agent.sock");
    let run = || {
        let shim = super::audit(&world, &["--json", "--only=socket-leads-out"]);
        super::rows(&shim.env("SSH_AUTH_SOCK", &agent).run())
    };
    assert!(run().is_empty());
    with_policy(&world, "allowed_paths: ['~/agent.sock']");
    let rows = run();
    assert_eq!((rows.len(), rows[0]["severity"].as_str()), (1, Some("critical")), "{rows:#?}");
}

#[test]
fn directories_of_path_that_somebody_can_write_are_told() {
    for_every_user(|world| {
        clean(&world);
        world.mkdir("~/safe");
        world.mkdir("~/open");
        world.chmod("~/open", 0o777);
        world.mkdir("~/work/bin");
        let run = |id: &str, path: &str| {
            let shim = super::audit(&world, &["--json", "--only", id]);
            super::rows(&shim.env("PATH", world.text(path)).run())
        };
        let all = "{home}/safe:{home}/open::bin:{home}/work/bin:/usr/bin";
        let open = run("path-directory-writable", all);
        assert_eq!(open.len(), 1, "{open:#?}");
        assert_eq!(
            (open[0]["path"].as_str(), open[0]["severity"].as_str()),
            (world.path("~/open").to_str(), Some("critical"))
        );
        assert_eq!(run("path-relative", all).len(), 2);
        let agents = run("path-agent-writable", all);
        assert_eq!(agents.len(), 1, "{agents:#?}");
        assert_eq!(agents[0]["path"].as_str(), world.path("~/work/bin").to_str());
        for id in ["path-directory-writable", "path-relative", "path-agent-writable"] {
            assert!(run(id, "{home}/safe:/usr/bin").is_empty(), "{id}");
        }
    });
}

#[test]
fn a_mount_inside_what_is_allowed_is_told() {
    let world = World::mine();
    clean(&world);
    assert!(found(&world, "mount-inside").is_empty());
    with_policy(&world, "allowed_paths: ['/dev']");
    let mounts = found(&world, "mount-inside");
    assert!(mounts.iter().any(|row| row["path"] == "/dev/pts"), "{mounts:#?}");
}

#[test]
fn what_was_too_much_to_look_at_is_told() {
    let world = World::mine();
    clean(&world);
    assert!(found(&world, "not-all-looked-at").is_empty());
    // More names than one audit looks at, of one file, so that they are quickly made.
    world.write("~/.openclaw/credentials/first", "");
    let first = world.path("~/.openclaw/credentials/first");
    for name in 0..50_000 {
        std::fs::hard_link(&first, first.with_file_name(name.to_string())).unwrap();
    }
    assert_eq!(subjects(&world, "not-all-looked-at"), set(["~/.openclaw"]));
}

#[test]
fn a_directory_that_cannot_be_read_is_told_and_not_taken_for_an_empty_one() {
    let world = World::new(crate::support::User::ordinary());
    clean(&world);
    world.mkdir("~/work/closed");
    world.chmod("~/work/closed", 0o000);
    let row = one(&world, "not-all-looked-at");
    assert_eq!(row["path"].as_str(), world.path("~/work/closed").to_str());
    world.chmod("~/work/closed", 0o700);
    assert!(found(&world, "not-all-looked-at").is_empty());
}

#[test]
fn what_is_blocked_is_not_searched_but_for_its_exceptions() {
    let world = World::mine();
    clean(&world);
    for name in ["~/work/vault/.env", "~/work/vault/open/.env"] {
        world.write(name, "KEY=1\n");
    }
    let policy = "allowed_paths: ['~/work', '~/work/vault/open']\nblocked_paths: ['~/work/vault']";
    with_policy(&world, policy);
    assert_eq!(subjects(&world, "secret-like-file"), set(["~/work/vault/open/.env"]));
    // Where nothing is said of a directory, a wildcard may still allow what lies in it.
    world.write("~/work/a/src/.env", "KEY=1\n");
    with_policy(&world, "allowed_paths: ['~/work/*/src']");
    assert_eq!(subjects(&world, "secret-like-file"), set(["~/work/a/src/.env"]));
}
