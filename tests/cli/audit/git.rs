//! `audit` finds repositories that an agent could have written and that make the owner's git run something.

use super::{clean, found, one, subjects, with_policy};
use crate::support::World;

/// A repository as far as git must see one, with these settings.
fn repository(world: &World, git: &str, settings: &str) {
    world.write(&format!("{git}/HEAD"), "ref: refs/heads/main\n");
    world.mkdir(&format!("{git}/objects"));
    world.mkdir(&format!("{git}/refs"));
    world.write(
        &format!("{git}/config"),
        format!("[core]\n\trepositoryformatversion = 0\n{settings}"),
    );
}

#[test]
fn a_repository_whose_settings_run_something_is_told_wherever_it_lies() {
    let world = World::mine();
    clean(&world);
    repository(&world, "~/work/.git", "[remote \"origin\"]\n\turl = https://x\n");
    assert!(found(&world, "git-runs").is_empty());
    repository(&world, "~/work/nested/.git", "\tfsmonitor = ./x\n");
    repository(&world, "~/work/looks/bare", "[filter \"q\"]\n\tclean = x\n");
    repository(&world, "~/work/.git/modules/m", "[alias]\n\tst = !x\n");
    world.write("~/work/config", "[core]\n\tfsmonitor = ./x\n");
    let expected =
        ["~/work/nested/.git/config", "~/work/looks/bare/config", "~/work/.git/modules/m/config"];
    assert_eq!(subjects(&world, "git-runs"), super::set(expected));
    let all = found(&world, "git-runs");
    let reasons: Vec<&str> = all.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    for name in ["core.fsmonitor", "filter.q.clean", "alias.st"] {
        assert!(reasons.iter().any(|reason| reason.contains(name)), "{name}: {reasons:#?}");
    }
}

#[test]
fn hooks_and_lists_of_commands_are_told_and_samples_are_not() {
    let world = World::mine();
    clean(&world);
    repository(&world, "~/work/a/.git", "");
    world.write("~/work/a/.git/hooks/pre-commit.sample", "x");
    world.chmod("~/work/a/.git/hooks/pre-commit.sample", 0o755);
    world.write("~/work/a/.git/hooks/pre-push", "x");
    world.write("~/work/a/.git/rebase-merge/git-rebase-todo", "pick 1 x\n");
    assert!(found(&world, "git-runs").is_empty());
    world.write("~/work/a/.git/rebase-merge/git-rebase-todo", "pick 1 x\nexec y\n");
    world.chmod("~/work/a/.git/hooks/pre-push", 0o755);
    let expected = ["~/work/a/.git/hooks/pre-push", "~/work/a/.git/rebase-merge/git-rebase-todo"];
    assert_eq!(subjects(&world, "git-runs"), super::set(expected));
}

#[test]
fn what_no_agent_may_write_is_no_finding() {
    let world = World::mine();
    clean(&world);
    repository(&world, "~/work/.git", "\tfsmonitor = ./x\n");
    assert_eq!(one(&world, "git-runs")["severity"], "warning");
    with_policy(
        &world,
        "allowed_paths: ['~/work']\nblocked_paths: ['~/.*', { path: '~/work/.git/config', access: w }]",
    );
    assert!(found(&world, "git-runs").is_empty());
}
