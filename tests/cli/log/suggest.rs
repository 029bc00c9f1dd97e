//! `--suggest`: the lines that would allow what was denied, and nothing more.

use serde_json::json;

use super::log;
use crate::support::{World, for_every_user};

fn suggest(world: &World, more: &[&str]) -> crate::support::Ran {
    let policy = world.text("~/policy.yaml");
    log(world, &[&["--policy", policy.as_str(), "--suggest"], more].concat()).works()
}

fn prepare(world: &World) {
    world.write("~/work/.env", "KEY=1");
    world.write("~/data/notes", "notes");
    world.write("~/.ssh/id_ed25519", "key");
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
}

const SCRIPT: &str = "cat {home}/data/notes; cat .env; cat {home}/.ssh/id_ed25519; :";

#[test]
fn a_run_under_the_proposal_is_no_longer_denied_it() {
    for_every_user(|world| {
        prepare(&world);
        let before = world.read("~/policy.yaml");
        world.sh(SCRIPT).works();
        let ran = suggest(&world, &[]);
        ran.prints(["+++ ", "{ path: \"~/data/notes\", access: r }"]).says(["next: "]);
        assert_eq!(world.read("~/policy.yaml"), before, "it writes nothing");
        let object = suggest(&world, &["--json"]).json();
        let line = json!({ "pattern": "~/data/notes", "access": "r", "paths": 1, "count": 1 });
        assert_eq!(object["lines"], json!([line]));
        let entry = "['~/work', { path: '~/data/notes', access: r }]";
        world.write("~/policy.yaml", before.replace("['~/work']", entry));
        let ran = world.sh(SCRIPT).works();
        assert_eq!(ran.stdout, "notes", "{ran:#?}");
        // What the policy allows by now needs no line.
        suggest(&world, &[]).says(["there is nothing to add"]);
    });
}

#[test]
fn no_secret_and_nothing_blocked_is_proposed() {
    let world = World::mine();
    prepare(&world);
    world.sh(SCRIPT).works();
    let ran = suggest(&world, &[]);
    assert!(!ran.stdout.lines().any(|line| line.starts_with('+') && line.contains("/.ssh")));
    ran.says([
        "left blocked: r ",
        "/work/.env by blocked rwx `**/.env`",
        "a secret, left closed: r ",
    ]);
    let refused = suggest(&world, &["--json"]).json()["refused"].clone();
    let reasons: Vec<&str> =
        refused.as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["secret", "blocked"]);
}

#[test]
fn filters_narrow_what_is_proposed() {
    let world = World::mine();
    prepare(&world);
    world.sh(SCRIPT).works();
    suggest(&world, &["--path", "~/none"]).says(["nothing in it is what you asked for"]);
    let object = suggest(&world, &["--json", "--path", "~/.ssh"]).json();
    assert_eq!(object["lines"], json!([]));
}

/// A file that held only these lines would take the place of the whole built-in default.
#[test]
fn without_a_policy_file_it_gives_lines_and_says_how_to_begin_one() {
    let world = World::mine();
    prepare(&world);
    world.shim_with(["-q"]).command(["cat", &world.text("~/data/notes")]);
    let ran = log(&world, &["--suggest"]).works();
    assert_eq!(ran.stdout, "- { path: \"~/data/notes\", access: r }\n");
    ran.says(["clawguard-exec init"]);
    // The one that denied is not the one that is added to.
    suggest(&world, &[]).says(["another policy, built-in default"]);
}
