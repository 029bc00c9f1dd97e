//! Compiles the confined half of the target `requests`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let source = "src/requests/executor.c";
    println!("cargo:rerun-if-changed={source}");
    let to = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("executor");
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-pthread", "-o"]).arg(&to).arg(source);
    let status = cc.status().expect("cc can be run");
    assert!(status.success(), "cc cannot compile {source}");
}
