//! What of the environment reaches the command: never a secret or injected code that nobody keeps.

use crate::support::{Shim, World, for_every_user};

const SECRETS: [(&str, &str); 5] = [
    ("GITHUB_TOKEN", "canary-1"),
    ("AWS_SECRET_ACCESS_KEY", "canary-2"),
    ("SSH_AUTH_SOCK", "/canary-3"),
    ("BASH_ENV", "/canary-4"),
    ("ANTHROPIC_API_KEY", "canary-5"),
];

fn with_secrets(shim: Shim<'_>) -> Shim<'_> {
    SECRETS.iter().fold(shim, |shim, (name, value)| shim.env(name, value))
}

/// Everything that a process can see of its own and its ancestors' environment.
const LOOK: &str = "env; for pid in self $PPID $(ps -o ppid= -p $PPID); do tr '\\0' '\\n' < /proc/$pid/environ; done; true";

#[test]
fn secrets_and_injected_code_do_not_reach_the_command_in_any_mode() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        for mode in ["auto", "kernel"] {
            let shim = world.confined().args(["--mode", mode]).env("NEIGHBOUR", "stays");
            let ran = with_secrets(shim).command(["sh", "-c", LOOK]).works();
            assert!(ran.stdout.contains("NEIGHBOUR=stays"), "{ran:#?}");
            assert!(!ran.stdout.contains("canary"), "{ran:#?}");
        }
    });
}

#[test]
fn the_start_names_what_it_does_not_hand_on_and_never_its_value() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    let policy = world.text("~/policy.yaml");
    let ran = with_secrets(world.shim_with(["--policy", &policy])).command(["true"]).works().says(
        ["clawguard: variables not handed on: ANTHROPIC_API_KEY, AWS_SECRET_ACCESS_KEY, BASH_ENV"],
    );
    assert!(!ran.stderr.contains("canary"), "{ran:#?}");
    let plan = with_secrets(world.shim_with(["-q", "--policy", &policy, "plan"])).run().works();
    plan.prints(["GITHUB_TOKEN: tokens", "SSH_AUTH_SOCK: the SSH agent"]);
}

#[test]
fn what_a_preset_a_policy_or_an_option_keeps_reaches_the_command() {
    for_every_user(|world| {
        let seen = |world: &World, options: &[&str]| {
            let ran = with_secrets(world.confined().args(options)).command(["env"]).works();
            let has =
                |(name, value): &&(&str, &str)| ran.stdout.contains(&format!("{name}={value}\n"));
            SECRETS.iter().filter(has).map(|(name, _)| *name).collect::<Vec<_>>()
        };
        world.policy("allowed_paths: ['~/work']");
        assert_eq!(seen(&world, &["--keep-env", "AWS_*"]), ["AWS_SECRET_ACCESS_KEY"]);
        assert_eq!(seen(&world, &["--keep-env", "*"]).len(), SECRETS.len());
        let policy = |environment: &str| {
            let text = format!(
                "security:\n  file_access: {{presets: [system, openclaw], allowed_paths: ['~/work']}}\n  environment: \
                 {environment}\n"
            );
            world.write("~/policy.yaml", text);
        };
        policy("{keep: [SSH_AUTH_SOCK]}");
        assert_eq!(seen(&world, &[]), ["SSH_AUTH_SOCK", "ANTHROPIC_API_KEY"]);
        policy("{remove: ['ANTHROPIC_*']}");
        assert!(seen(&world, &[]).is_empty());
        policy("{set: {GITHUB_TOKEN: canary-1}}");
        assert_eq!(seen(&world, &[]), ["GITHUB_TOKEN", "ANTHROPIC_API_KEY"]);
    });
}
