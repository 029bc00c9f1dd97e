//! Mistakes in a policy: each named with its place and the user's own words, all together, and nothing started.

use crate::support::{Ran, World};

/// Runs with this policy: 125, every text on standard error, nothing made or started.
#[track_caller]
fn refused(policy: impl AsRef<[u8]>, texts: &[&str]) {
    let world = World::mine();
    world.write("~/policy.yaml", policy);
    let before = world.tree("~");
    let ran = world.confined().command(["touch", "started"]).ends(125);
    assert!(ran.stdout.is_empty(), "{ran:#?}");
    assert!(ran.stderr.lines().all(|line| line.starts_with("clawguard: ")), "{ran:#?}");
    ran.says(texts);
    assert_eq!(world.tree("~"), before, "something was made or started");
    assert!(world.temporaries().is_empty());
    let policy = world.text("~/policy.yaml");
    for task in ["check", "plan"] {
        let arguments = ["-q", task, "--policy", &policy];
        let ran = world
            .shim_with(arguments)
            .args(if task == "check" { &["/"][..] } else { &[] })
            .run()
            .ends(125);
        assert!(ran.stdout.is_empty(), "{ran:#?}");
        ran.says(texts);
    }
}

fn paths(allowed: &str) -> String {
    format!("security:\n  file_access:\n    allowed_paths:\n      - {allowed}\n")
}

#[test]
fn bad_yaml_is_named_with_its_place() {
    refused("security:\n  file_access: [\n", &["policy.yaml:", "bad YAML"]);
    refused("security: {file_access: {allowed_paths: ['/a}}\n", &["policy.yaml:", "bad YAML"]);
    refused("a: b: c\n", &["policy.yaml:1:", "bad YAML"]);
    refused("security:\n\tfile_access: {}\n", &["policy.yaml:2:", "bad YAML"]);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let policy = "security:\n  file_access:\n    allow_paths: [/a]\n";
    refused(policy, &["policy.yaml:3:5: ", "`allow_paths`", "`allowed_paths`"]);
    refused(
        "security:\n  file_access:\n    temporay: none\n",
        &["policy.yaml:3:5: ", "`temporay`", "`temporary`"],
    );
    refused(
        "security:\n  environment:\n    kepe: [A]\n",
        &["policy.yaml:3:5: ", "`kepe`", "`keep`"],
    );
    refused(
        "security:\n  environment:\n    remove: [A*B]\n",
        &["policy.yaml:3:14: ", "`A*B`", "`*` at either end"],
    );
    refused(
        "security:\n  network:\n    listne: any\n",
        &["policy.yaml:3:5: ", "`listne`", "`listen`"],
    );
    let netwrok = "security:\n  file_access:\n  netwrok: { listen: loopback }\n";
    refused(netwrok, &["policy.yaml:3:3: ", "`netwrok`", "`network`"]);
    refused("security:\n  enviroment: {}\n", &["policy.yaml:2:3: ", "`environment`"]);
    refused("security:\nlogging:\n  log_denial: no\n", &["policy.yaml:3:3: ", "`log_denials`"]);
    refused("file_access:\n  allowed_paths: []\n", &["policy.yaml:1:1: ", "`security`"]);
    refused(paths("{ path: /a, acces: r }"), &["policy.yaml:4:21: ", "`acces`", "`access`"]);
}

#[test]
fn an_unknown_preset_is_named_with_the_nearest_shipped_one() {
    refused(
        "security:\n  file_access:\n    presets: [system, pyhton]\n",
        &["policy.yaml:3:23: ", "`pyhton`", "`python`"],
    );
}

#[test]
fn keys_of_others_are_left_alone() {
    let world = World::mine();
    let text = "gateway: { port: 1 }\nsecurity:\n  other: { x: [1] }\n  file_access: { presets: [system], allowed_paths: ['~/work'] }\nlogging: { log_level: debug }\n";
    // OpenClaw's own file has keys of its own everywhere, another only beside our sections.
    world.write("~/.openclaw/config.yaml", text);
    world.shim_with(["-q"]).command(["touch", "started"]).works();
    assert!(world.has("~/work/started"));
    let text = "gateway: { port: 1 }\nx-work: &w ~/work\nsecurity:\n  file_access: { presets: [system], allowed_paths: [*w] }\n";
    world.write("~/policy.yaml", text);
    let ran = world.confined().command(["touch", "again"]).works();
    assert!(world.has("~/work/again") && !ran.stderr.contains("warning"), "{ran:#?}");
}

#[test]
fn bad_patterns_are_named_in_the_users_own_words() {
    for (entry, place, text) in [
        ("work", "4:9: ", "`work`: a relative path"),
        ("./work", "4:9: ", "`./work`: a relative path"),
        ("'/a/../b'", "4:", "`/a/../b`: `..`"),
        ("'~bob/work'", "4:", "`~bob/work`: `~user`"),
        ("'$NO_SUCH_VARIABLE/x'", "4:", "`$NO_SUCH_VARIABLE`"),
        ("'/a/[bc'", "4:", "`/a/[bc`: an unclosed `[`"),
        ("'/a/{b,c'", "4:", "`/a/{b,c`: an unclosed `{`"),
        ("''", "4:9: ", "an empty path"),
        ("\"/a\\0b\"", "4:", "a NUL byte"),
        ("{ path: work }", "4:17: ", "`work`: a relative path"),
    ] {
        refused(paths(entry), &[&format!("policy.yaml:{place}"), text]);
    }
}

#[test]
fn bad_accesses_are_named() {
    refused(paths("{ path: /a, access: rq }"), &["policy.yaml:4:29: ", "`rq`", "`q`"]);
    refused(paths("{ path: /a, access: rr }"), &["policy.yaml:4:29: ", "`rr`"]);
    refused(paths("{ path: /a, access: '' }"), &["policy.yaml:4:29: ", "an access is"]);
    refused(paths("{ path: /a, access: [r] }"), &["policy.yaml:4:29: ", "`access`"]);
    refused(paths("{ access: r }"), &["policy.yaml:4:9: ", "`path`"]);
}

#[test]
fn wrong_types_are_named() {
    refused(
        "security:\n  file_access:\n    allowed_paths: /a\n",
        &["policy.yaml:3:20: ", "`allowed_paths` takes a list", "`/a`"],
    );
    refused(
        "security:\n  file_access:\n    allowed_paths: [[/a]]\n",
        &["policy.yaml:3:21: ", "a list"],
    );
    refused(
        "security:\n  file_access: [a]\n",
        &["policy.yaml:2:16: ", "`file_access` takes a map"],
    );
    refused("security: 7\n", &["policy.yaml:1:11: ", "`security` takes a map", "`7`"]);
    refused(
        "security:\n  file_access:\n    temporary: maybe\n",
        &["policy.yaml:3:16: ", "`temporary` takes", "`maybe`"],
    );
    refused(
        "security:\n  file_access:\n    presets: system\n",
        &["policy.yaml:3:14: ", "`presets` takes a list"],
    );
    refused(
        "logging:\n  log_commands: perhaps\n",
        &["policy.yaml:2:17: ", "`log_commands`", "`perhaps`"],
    );
    refused("logging:\n  max_size: big\n", &["policy.yaml:2:13: ", "`max_size`", "`big`"]);
}

#[test]
fn a_key_that_is_there_twice_is_an_error() {
    let policy = "security:\n  file_access:\n    allowed_paths: [/a]\n    allowed_paths: [/b]\n";
    refused(policy, &["policy.yaml:4:5: ", "`allowed_paths` is there twice"]);
    refused("security: {}\nsecurity: {}\n", &["policy.yaml:2:1: ", "`security` is there twice"]);
}

#[test]
fn bytes_that_are_no_text_are_bad_yaml() {
    refused(b"security:\n  file_access:\n    allowed_paths: ['/a\xff']\n", &["policy.yaml:"]);
}

#[test]
fn several_mistakes_are_reported_together() {
    let policy = "security:\n  file_access:\n    presets: [sytem]\n    allow_paths: []\n    allowed_paths:\n      - a\n      - { path: /b, access: q }\n    blocked_paths:\n      - '/[c'\n";
    refused(
        policy,
        &["policy.yaml:4:5: ", "policy.yaml:6:9: ", "policy.yaml:7:", "policy.yaml:9:"],
    );
}

/// Presets and variables are known only to the host; they are mistakes of the policy all the same.
#[test]
fn mistakes_that_only_the_host_shows_are_reported_together() {
    let policy = "security:\n  file_access:\n    presets: [system, nodee]\n    allowed_paths: ['$NO_ONE/a', '$NO_TWO/b']\n";
    let world = World::mine();
    world.write("~/policy.yaml", policy);
    let ran = world.confined().command(["true"]).ends(125);
    ran.says(["`nodee`", "`$NO_ONE`", "`$NO_TWO`"]);
}

#[test]
fn mistakes_on_the_command_line_name_the_option() {
    let world = World::mine();
    let ran = world
        .shim_with([
            "--allow", "a", "--block", "/b/..", "--allow", "/c:rr", "--", "touch", "started",
        ])
        .run()
        .ends(125);
    ran.says(["--allow: `a`", "--block: `/b/..`", "--allow: `rr`"]);
    assert!(!world.has("~/work/started"));
}

#[test]
fn escape_sequences_in_names_never_reach_the_terminal() {
    let world = World::mine();
    let evil = "/e\u{1b}[31mvil\u{202e}";
    let escaped = |ran: Ran| {
        assert!(
            !ran.stderr.contains(['\u{1b}', '\u{202e}']) && !ran.stdout.contains('\u{1b}'),
            "{ran:#?}"
        );
        ran
    };
    escaped(world.shim_with(["check", "--allow", "/x", evil]).run())
        .works()
        .prints(["/e\\u{1b}[31mvil\\u{202e}: r denied"]);
    escaped(world.shim_with(["check", "--json", "--allow", "/x", evil]).run()).works();
    escaped(world.shim_with(["--allow", &format!("{evil}/.."), "--", "true"]).run()).ends(125);
    escaped(world.shim_with(["--policy", evil, "--", "true"]).run()).ends(125);
    escaped(world.shim_with(["--", evil]).run()).ends(127);
    escaped(world.shim_with(["--mode", evil, "--", "true"]).run()).ends(125);
    escaped(world.shim_with([format!("--{evil}"), "--".into(), "true".into()]).run()).ends(125);
    escaped(world.shim_with(["presets", evil]).run()).ends(125);
    // The bracket of the escape sequence would begin a class.
    let pattern = evil.replace('[', "\\[");
    escaped(world.shim_with(["plan", "--allow", &pattern]).run()).works();
    escaped(world.shim_with(["plan", "--allow", evil]).run()).ends(125);
    world.write("~/policy.yaml", "security:\n  file_access:\n    \"bad\\e[31m\": 1\n    presets: [\"sys\\e[1mtem\"]\n    temporary: \"\\e[2m\"\n");
    escaped(world.confined().command(["true"])).ends(125);
    world.write("~/policy.yaml", "security:\n  file_access:\n    presets: [\"sys\\e[1mtem\"]\n");
    escaped(world.confined().command(["true"])).ends(125);
}

#[test]
fn a_name_of_a_preset_that_is_given_on_the_command_line_is_explained() {
    let world = World::mine();
    world.shim_with(["presets", "nod"]).run().ends(125).says(["`nod`", "`node`"]);
}

#[test]
fn a_short_policy_that_stands_for_more_than_can_be_held_is_refused() {
    let braces = "{a,b}".repeat(12);
    let aliases = "      - *many\n".repeat(3000);
    let policy = format!(
        "security:\n  file_access:\n    blocked_paths:\n      - &many '/{braces}'\n{aliases}"
    );
    refused(&policy, &["policy.yaml:4:", "stands for more than 8 MiB"]);
    // A long mistake that aliases repeat is told a thousand times, not a million.
    let aliases = "*long,".repeat(100_000);
    let long = "x".repeat(16_000);
    let policy =
        format!("security: {{file_access: {{blocked_paths: [&long {long},{aliases}]}}}}\n");
    refused(&policy, &["policy.yaml:1:", "a relative path", "stands for more than 8 MiB"]);
}
