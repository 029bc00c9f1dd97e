//! Starting `true`: bare, and confined by the built-in presets. Budget: 2 ms more than bare.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::fs;
use std::process::Command;

use divan::Bencher;

fn main() {
    divan::main();
}

fn run(command: &mut Command) {
    assert!(command.status().expect("it starts").success());
}

#[divan::bench(sample_count = 200)]
fn bare(bencher: Bencher) {
    bencher.bench(|| run(&mut Command::new("/bin/true")));
}

fn confined(bencher: Bencher, policy: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("p.yaml");
    let workspace = directory.path().join("work");
    fs::create_dir(&workspace).expect("a workspace");
    fs::write(&file, policy.replace("WORK", &workspace.display().to_string())).expect("a policy");
    bencher.bench(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawguard-exec"));
        run(command.args(["-q", "--policy"]).arg(&file).args(["--", "/bin/true"]));
    });
}

#[divan::bench(sample_count = 200)]
fn confined_by_one_rule(bencher: Bencher) {
    confined(
        bencher,
        "security: {file_access: {presets: [], temporary: none, allowed_paths: [WORK, {path: /usr, access: rx}]}}",
    );
}

#[divan::bench(sample_count = 200)]
fn confined_with_the_default_presets(bencher: Bencher) {
    confined(bencher, "security: {file_access: {allowed_paths: [WORK]}}");
}
