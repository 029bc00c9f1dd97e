//! The README's first command does what the README says, in a copy of the files that it names.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What the README tells a newcomer to type; cargo builds the shim that this test has already.
const BUILDS_AND_RUNS: &str = "cargo run --release -p clawguard-exec -- ";

#[test]
fn the_first_command_runs_confined() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(top.join("README.md")).unwrap();
    let line = readme.lines().find_map(|line| line.strip_prefix(BUILDS_AND_RUNS)).unwrap();
    let clone = tempfile::tempdir().unwrap();
    fs::create_dir_all(clone.path().join("examples")).unwrap();
    fs::copy(top.join("README.md"), clone.path().join("README.md")).unwrap();
    let policies = top.join("examples/policies");
    let copied =
        Command::new("cp").arg("-r").arg(policies).arg(clone.path().join("examples")).status();
    assert!(copied.unwrap().success());
    let shim = env!("CARGO_BIN_EXE_clawguard-exec");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{shim} {line}")]).current_dir(&clone);
    // A home directory of its own: the newcomer's is not read, whatever is in it.
    let home = tempfile::tempdir().unwrap();
    let output = shell.env("HOME", home.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("ermission denied").count(), 2, "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "README.md\n");
    assert_eq!(fs::read_to_string(clone.path().join("README.md")).unwrap(), readme);
    assert!(clone.path().join("target/workspace/README.md").exists());
}
