//! Every embedding example is built and run.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Where cargo puts examples beside the tests that it builds with them.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let program: PathBuf = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is not built", program.display());
    Command::new(program)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_command_is_confined_to_its_directory() {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(top.path().join("work")).unwrap();
    fs::write(top.path().join("secret"), "canary").unwrap();
    let script = "echo made >work/file && cat work/file; cat secret; exit 7";
    let mut run = example("run_confined");
    let output = run.current_dir(&top).args(["./work", "sh", "-c", script]).output().unwrap();
    let text = text(&output);
    assert!(text.contains("made") && text.contains("Permission denied"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_process_confines_itself() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    let denied = example("confine_self").arg(secret.path()).output().unwrap();
    assert!(text(&denied).contains("Permission denied"), "{}", text(&denied));
    let allowed = example("confine_self").arg("/usr/bin/env").output().unwrap();
    assert!(text(&allowed).contains("bytes"), "{}", text(&allowed));
}

#[test]
fn paths_are_checked_without_enforcement() {
    let policy = tempfile::NamedTempFile::new().unwrap();
    let text_of = "security: {file_access: {allowed_paths: [/srv], blocked_paths: ['**/.env']}}";
    fs::write(policy.path(), text_of).unwrap();
    let output = example("check_paths").arg(policy.path()).arg("/srv/.env").output().unwrap();
    assert!(text(&output).contains("r /srv/.env: blocked rwx `**/.env`"), "{}", text(&output));
}
