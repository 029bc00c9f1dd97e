//! The README's first command does and says what the README shows, in a copy of the file that it names.

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
    fs::copy(top.join("README.md"), clone.path().join("README.md")).unwrap();
    let shim = env!("CARGO_BIN_EXE_clawguard-exec");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{shim} {line}")]).current_dir(&clone);
    // A home directory of its own: the newcomer's is not read, whatever is in it.
    let home = tempfile::tempdir().unwrap();
    // Nor are his variables, of which some may not be handed on.
    let path = std::env::var_os("PATH").unwrap();
    let output = shell.env_clear().env("PATH", path).env("HOME", home.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("ermission denied").count(), 3, "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "README.md\n");
    assert_eq!(fs::read_to_string(clone.path().join("README.md")).unwrap(), readme);
    assert!(clone.path().join("target/try/README.md").exists());
    assert!(!home.path().join(".bashrc").exists());
    // The first and the last line are those that the README shows, but for the newcomer's name.
    let ours: Vec<&str> = stderr.lines().filter(|line| line.starts_with("clawguard: ")).collect();
    let shown: Vec<&str> = readme.lines().filter(|line| line.starts_with("clawguard: ")).collect();
    let clone = fs::canonicalize(clone.path()).unwrap();
    let mine = |line: &str| line.replace("/home/you/clawguard", clone.to_str().unwrap());
    assert_eq!(ours, [mine(shown[0]), mine(shown[1])], "{stderr}");
}
