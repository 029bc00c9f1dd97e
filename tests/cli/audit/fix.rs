//! `--fix`: takes bits away from own files, shows it, and touches nothing else.

use std::os::unix::fs::{MetadataExt, chown};
use std::time::{Duration, Instant};

use super::{audit, clean, found, rows};
use crate::support::{Shim, User, World, for_every_user};

fn mode(world: &World, path: &str) -> u32 {
    std::fs::symlink_metadata(world.path(path)).unwrap().mode() & 0o7777
}

fn fix(world: &World) -> Shim<'_> {
    let only = [
        "state-mode",
        "journal-mode",
        "policy-writable",
        "policy-directory-writable",
        "program-replaceable",
    ];
    let only = only.into_iter().map(|id| format!("--only={id}"));
    world.shim_with(["-q", "audit", "--fix"]).args(only)
}

#[test]
fn it_shows_what_each_mode_was_and_is_and_a_second_audit_finds_nothing_of_it() {
    for_every_user(|world| {
        clean(&world);
        world.write("~/.local/state/clawguard/journal.jsonl", "");
        let places = [
            ("~/.openclaw", 0o777, 0o700),
            ("~/.openclaw/openclaw.json", 0o664, 0o600),
            ("~/.openclaw/credentials", 0o755, 0o700),
            ("~/.openclaw/credentials/channel.json", 0o444, 0o400),
            ("~/.openclaw/memory/main.sqlite", 0o606, 0o600),
            ("~/.local/state/clawguard", 0o755, 0o700),
            ("~/.local/state/clawguard/journal.jsonl", 0o644, 0o600),
            ("~/.config/clawguard/policy.yaml", 0o646, 0o644),
            ("~/.config", 0o777, 0o755),
            ("{root}/bin/clawguard-exec", 0o757, 0o755),
        ];
        places.iter().for_each(|(path, was, _)| world.chmod(path, *was));
        let contents = world.read("~/.openclaw/openclaw.json");
        let tree = world.tree("~");
        let ran = fix(&world).run().works();
        for (path, was, now) in places {
            let line = format!("fixed {}: was {was:04o}, now {now:04o}\n", world.text(path));
            assert!(ran.stdout.contains(&line), "{line}{ran:#?}");
            assert_eq!(mode(&world, path), now, "{path}");
        }
        let ran = ran.prints(["10 fixed; left: 0 critical, 0 warnings", "Next: nothing to do."]);
        assert_eq!(ran.stdout.matches("fixed /").count(), 10, "{ran:#?}");
        assert_eq!((world.read("~/.openclaw/openclaw.json"), world.tree("~")), (contents, tree));
        let again = fix(&world).args(["--json"]).run().works();
        assert_eq!(again.stdout, "");
    });
}

#[test]
fn without_fix_nothing_is_changed_and_json_tells_what_was_done() {
    let world = World::mine();
    clean(&world);
    world.chmod("~/.openclaw/openclaw.json", 0o644);
    audit(&world, &["--json"]).run();
    assert_eq!(mode(&world, "~/.openclaw/openclaw.json"), 0o644);
    let rows = rows(&fix(&world).args(["--json"]).run().works());
    assert_eq!(rows[0]["fixed"], serde_json::json!({"was": "0644", "now": "0600"}));
}

#[test]
fn a_link_is_never_followed_to_a_victim() {
    for_every_user(|world| {
        clean(&world);
        world.write("~/victim/file", "");
        world.write("~/victim/data.sqlite", "");
        world.chmod("~/victim", 0o755);
        for name in ["openclaw.json.bak", "credentials/link.json", "agents/main/link.sqlite"] {
            world.symlink("~/victim/file", &format!("~/.openclaw/{name}"));
        }
        world.symlink("~/victim", "~/.openclaw/state");
        world.symlink("~/victim", "~/.openclaw/agents/other");
        let before = [
            mode(&world, "~/victim/file"),
            mode(&world, "~/victim/data.sqlite"),
            mode(&world, "~/victim"),
        ];
        assert!(found(&world, "state-mode").is_empty());
        fix(&world).run().works();
        let after = [
            mode(&world, "~/victim/file"),
            mode(&world, "~/victim/data.sqlite"),
            mode(&world, "~/victim"),
        ];
        assert_eq!(before, after);
    });
}

#[test]
fn a_link_or_file_that_takes_the_place_of_what_was_found_is_not_touched() {
    for_every_user(|world| {
        clean(&world);
        world.write("~/victim", "");
        // Somebody exchanges the file with a link, and with another file, as fast as he can.
        let program = "import os,sys,time\n\
                       d, v = sys.argv[1] + '/.openclaw/credentials/', sys.argv[1] + '/victim'\n\
                       end = time.time() + float(sys.argv[2])\n\
                       open(d + 'own', 'w').close(); os.chmod(d + 'own', 0o644)\n\
                       while time.time() < end:\n\
                       \x20   os.symlink(v, d + 'new'); os.rename(d + 'new', d + 'x.json')\n\
                       \x20   os.link(v, d + 'new'); os.rename(d + 'new', d + 'x.json')\n\
                       \x20   open(d + 'new', 'w').close(); os.chmod(d + 'new', 0o644); os.rename(d + 'new', d + 'x.json')\n";
        world.write("~/exchange.py", program);
        let prelude = "python3 {home}/exchange.py {home} 3 </dev/null >/dev/null 2>&1 & sleep 0.3";
        let start = Instant::now();
        let mut ran = fix(&world).after(prelude).run();
        while start.elapsed() < Duration::from_secs(3) {
            assert!([0, 1].contains(&ran.code()), "{ran:#?}");
            assert_eq!(mode(&world, "~/victim"), 0o644, "the victim was changed: {ran:#?}");
            ran = fix(&world).run();
        }
    });
}

#[test]
fn a_file_with_a_second_name_is_left_alone() {
    for_every_user(|world| {
        clean(&world);
        world.write("~/.openclaw/credentials/one.json", "");
        world.hard_link("~/.openclaw/credentials/one.json", "~/second");
        let ran = fix(&world).args(["--json"]).run().ends(1);
        let rows = rows(&ran);
        assert_eq!((rows.len(), &rows[0]["fixable"]), (1, &serde_json::json!(false)), "{rows:#?}");
        assert_eq!(mode(&world, "~/second"), 0o644);
    });
}

#[test]
fn what_lies_where_others_can_exchange_it_is_left_alone() {
    let world = World::mine();
    clean(&world);
    world.chmod("~/.openclaw/openclaw.json", 0o644);
    world.chmod("~", 0o777);
    // Only these: the home directory itself would be tightened first otherwise.
    let ran = world.shim_with(["-q", "audit", "--fix", "--only=state-mode"]).run().ends(1);
    ran.prints(["not fixed: others may change the directory"]);
    assert_eq!(mode(&world, "~/.openclaw/openclaw.json"), 0o644);
    fix(&world).run().works();
    assert_eq!((mode(&world, "~"), mode(&world, "~/.openclaw/openclaw.json")), (0o755, 0o600));
}

#[test]
fn root_changes_nothing_of_another_user() {
    if User::current().uid != 0 {
        println!("only root can give files away");
        return;
    }
    let world = World::mine();
    clean(&world);
    world.chmod("~/.openclaw", 0o755);
    world.chmod("~/.openclaw/openclaw.json", 0o644);
    for path in std::iter::once(world.home()).chain(world.tree("~")) {
        std::os::unix::fs::lchown(path, Some(65534), Some(65534)).unwrap();
    }
    // Also what belongs to root in there.
    chown(world.path("~/.openclaw/openclaw.json"), Some(0), Some(0)).unwrap();
    let all = ["--only=state-mode", "--only=home-of-another"];
    let ran = world.shim_with(["-q", "audit", "--fix"]).args(all).run().ends(1);
    let ran = ran.prints(["home-of-another", "sudo -u '#65534' clawguard-exec audit --fix"]);
    assert!(!ran.stdout.contains("fixed /"), "{ran:#?}");
    assert_eq!(
        (mode(&world, "~/.openclaw"), mode(&world, "~/.openclaw/openclaw.json")),
        (0o755, 0o644)
    );
    let own = World::mine();
    clean(&own);
    assert!(found(&own, "home-of-another").is_empty());
}
