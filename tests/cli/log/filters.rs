//! Which rows each filter leaves.

use super::{log, paths, two_runs, world};
use crate::support::World;

#[test]
fn each_filter_leaves_what_it_names() {
    let world = world(two_runs());
    let (env, home, bashrc) = ("/h/p/.env", "/h", "/h/.bashrc");
    let cases: [(&[&str], &[&str]); 19] = [
        (&[], &[env, bashrc, home]),
        (&["--path", "/h/p"], &[env]),
        (&["--path", "**/.env"], &[env]),
        (&["--path", ".env"], &[env]),
        (&["--path", "/h/.*"], &[bashrc]),
        (&["--path", "/h/*"], &[env, bashrc]),
        (&["--path", "/none"], &[]),
        (&["--command", "cat"], &[env]),
        (&["--command", "ca"], &[]),
        // A run is named by what it was started with.
        (&["--command", "make"], &[bashrc]),
        (&["--command", "openclaw"], &[env, home]),
        (&["--rule", "**/.env"], &[env]),
        (&["--rule", "policy.yaml:12"], &[env]),
        (&["--rule", "policy.yaml:1"], &[]),
        (&["--rule", "none"], &[bashrc, home]),
        (&["--session", "50"], &[bashrc]),
        (&["--session", "50-2026-11-22T13:05:00.000Z"], &[bashrc]),
        (&["--session", "last"], &[bashrc]),
        (&["--session", "40", "--rule", "none"], &[home]),
    ];
    for (arguments, expected) in cases {
        assert_eq!(paths(&world, arguments), expected, "{arguments:?}");
    }
}

#[test]
fn since_is_a_span_a_day_or_a_moment() {
    let world = world(two_runs());
    assert_eq!(paths(&world, &["--since", "2026-11-22T13:05:02Z"]), ["/h/p/.env"]);
    assert_eq!(paths(&world, &["--since", "2026-11-22T13:05"]), ["/h/p/.env", "/h/.bashrc"]);
    assert_eq!(paths(&world, &["--since", "2026-11-22"]).len(), 3);
    assert_eq!(paths(&world, &["--since", "2026-11-22T14:05:02+01:00"]).len(), 1);
    assert_eq!(paths(&world, &["--since", "520000w"]).len(), 3);
    let now = World::mine();
    now.policy("allowed_paths: ['~/work']");
    now.sh("cat {home}/secret/key; :").works();
    assert_eq!(paths(&now, &["--since", "1h"]), [now.text("~/secret/key")]);
    assert!(paths(&now, &["--since", "2099-01-01"]).is_empty());
}

/// Only what was denied since then is counted.
#[test]
fn a_filter_changes_the_counts_too() {
    let world = world(two_runs());
    let rows = log(&world, &["--json", "--since", "2026-11-22T13:05:02Z"]).works().json_lines();
    assert_eq!(rows[0]["count"], 4);
    let stats = log(&world, &["--json", "--stats", "--command", "sh"]).works().json();
    assert_eq!((&stats["denied"], &stats["runs"]), (&1.into(), &1.into()));
    let tree = log(&world, &["--json", "--tree", "--path", "/h/p"]).works().json_lines();
    assert_eq!(tree.len(), 1);
}

#[test]
fn the_last_run_is_told_also_when_nothing_was_denied_in_it() {
    let lines = two_runs().started("60-x", 400, &["true"]).ended("60-x", 401, 0);
    let world = world(lines);
    let ran = log(&world, &["--session", "last"]).works();
    assert_eq!(ran.stdout, "");
    ran.says(["nothing in it is what you asked for", "next: "]);
}

#[test]
fn what_is_not_logged_says_how_it_would_be() {
    let world = world(two_runs());
    log(&world, &["--event", "allowed"]).works().says(["log_file_access: true"]);
    log(&world, &["--event", "executed"]).works().says(["log_commands: true"]);
}
