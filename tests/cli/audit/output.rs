//! What a person and a program read.

use super::{audit, clean, rows, with_policy};
use crate::support::World;

#[test]
fn findings_stand_by_severity_worst_first_with_a_summary_and_the_next_step() {
    let world = World::mine();
    clean(&world);
    with_policy(&world, "allowed_paths: ['~']");
    world.write("~/.ssh/id_rsa", "");
    world.chmod("~/.openclaw/openclaw.json", 0o644);
    let ran = audit(&world, &super::OTHERS).run().ends(1);
    let text = &ran.stdout;
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word} is not in {text}"));
    assert!(at("Critical\n") < at("secret-allowed") && at("secret-allowed") < at("Warnings\n"));
    assert!(at("Warnings\n") < at("state-mode") && at("state-mode") < at("1 critical, "));
    assert!(text.ends_with("then do what stands under each.\n"), "{text}");
    assert!(text.contains("Next: clawguard-exec audit --fix puts 1 of them right"), "{text}");
}

#[test]
fn many_of_a_kind_are_folded_for_people_and_whole_for_programs() {
    let world = World::mine();
    clean(&world);
    (0..9).for_each(|name| world.write(&format!("~/.openclaw/state/{name}.sqlite"), ""));
    let ran = audit(&world, &["--only=state-mode"]).run().ends(1);
    let ran = ran.prints([
        "and 5 more like these; all of them: clawguard-exec audit --json --only state-mode",
    ]);
    assert_eq!(ran.stdout.matches("type: chmod").count(), 5);
    assert_eq!(rows(&audit(&world, &["--only=state-mode", "--json"]).run()).len(), 10);
}

#[test]
fn every_field_of_json_is_there_in_its_order() {
    let world = World::mine();
    clean(&world);
    world.chmod("~/.openclaw", 0o755);
    let ran = audit(&world, &["--json", "--only=state-mode"]).run();
    let path = world.text("~/.openclaw");
    let expected = format!(
        r#"{{"id":"state-mode","severity":"warning","subject":"{path}","path":"{path}","reason":"the mode of this directory of the agent's state is 0755: other users of this machine can look into it","command":"chmod 700 {path}","policy_line":null,"fixable":true,"fixed":null,"fix_error":null}}"#
    );
    assert_eq!(ran.stdout.trim_end(), expected);
}

#[test]
fn a_name_cannot_write_to_the_terminal_and_its_command_still_works() {
    let world = World::mine();
    clean(&world);
    let name = [world.text("~/.openclaw/credentials/").as_bytes(), b"\x1b[2J\n\xff"].concat();
    world.write_bytes(&name, "");
    let ran = audit(&world, &["--only=state-mode"]).run().ends(1);
    assert!(!ran.stdout.contains('\x1b'), "{ran:#?}");
    let rows = rows(&audit(&world, &["--json", "--only=state-mode"]).run());
    assert!(rows[0]["path_base64"].is_string(), "{rows:#?}");
    let command = rows[0]["command"].as_str().unwrap();
    assert!(std::process::Command::new("bash").args(["-c", command]).status().unwrap().success());
    audit(&world, &["--only=state-mode"]).run().works();
}

#[test]
fn a_kind_can_be_asked_for_and_left_out_and_an_unknown_one_is_an_error() {
    let world = World::mine();
    clean(&world);
    world.chmod("~/.openclaw", 0o755);
    audit(&world, &["--only=journal-mode"]).run().works();
    audit(&world, &["--ignore=state-mode"]).args(super::OTHERS).run().works();
    audit(&world, &["--only=state-mod"]).run().ends(125).says(["state-mode"]);
}

#[test]
fn help_has_examples_and_the_exit_status() {
    let world = World::mine();
    let ran = world.shim_with(["audit", "--help"]).run().works();
    ran.prints([
        "Examples:",
        "clawguard-exec audit --fix",
        "Exit status: 0 if nothing is worse than `info`, 1",
    ]);
}

#[test]
fn a_closed_pipe_is_quiet() {
    let world = World::mine();
    clean(&world);
    (0..2000).for_each(|name| world.write(&format!("~/.openclaw/state/{name}.sqlite"), ""));
    let mut child = audit(&world, &["--json", "--only=state-mode"]).start();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn inside_clawguard_it_refuses() {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work', { path: '{root}/bin', access: rx }]");
    let text = world.text(&world.read("~/policy.yaml"));
    world.write("~/policy.yaml", text);
    let shim = world.shim();
    let ran = world.confined().command([shim.as_os_str(), "audit".as_ref()]);
    ran.ends(125).says(["already confined by clawguard", "run it outside"]);
}
