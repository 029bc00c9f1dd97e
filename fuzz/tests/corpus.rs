//! Replays what fuzzing has found, without a fuzzer: each file of `corpus/` once through the check that it belongs to.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clawguard_fuzz::{law, policy, requests};

/// Set for the half of the test that runs as an ordinary user: where the corpus is.
const CORPUS: &str = "CLAWGUARD_FUZZ_CORPUS";
/// `nobody` on Debian.
const ORDINARY: &str = "65534";

fn replay(directory: &Path, check: impl Fn(&[u8])) {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", directory.display());
    for file in files {
        println!("{}", file.display());
        check(&fs::read(&file).expect("a file"));
    }
}

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

#[test]
fn policies_keep_their_promises() {
    replay(&corpus("policy"), policy::check);
}

#[test]
fn decisions_are_those_of_the_naive_reading() {
    replay(&corpus("pattern"), law::pattern::check);
}

#[test]
fn what_is_settled_is_so_for_every_path() {
    replay(&corpus("settled"), law::settled::check);
}

/// As an ordinary user: as root in a copy of this program where he can reach it.
#[test]
fn the_supervisor_survives_every_request() {
    if fs::metadata("/proc/self").expect("/proc is mounted").uid() != 0 {
        let directory = std::env::var_os(CORPUS).map_or_else(|| corpus("requests"), PathBuf::from);
        replay(&directory, requests::check);
        return requests::finish();
    }
    let there = std::env::temp_dir().join(format!("clawfuzz-test-{}", std::process::id()));
    fs::create_dir(&there).expect("a fresh directory");
    let copy = |from: &Path, to: &str| {
        let status = Command::new("cp").arg("-r").arg(from).arg(there.join(to)).status();
        assert!(status.expect("cp can be run").success());
    };
    copy(&std::env::current_exe().expect("this program"), "program");
    copy(&corpus("requests"), "corpus");
    let open = Command::new("chmod").args(["-R", "a+rX"]).arg(&there).status();
    assert!(open.expect("chmod can be run").success());
    let status = Command::new("setpriv")
        .args(["--reuid", ORDINARY, "--regid", ORDINARY, "--clear-groups"])
        .arg(there.join("program"))
        .args(["--exact", "the_supervisor_survives_every_request"])
        .env(CORPUS, there.join("corpus"))
        .current_dir("/")
        .status();
    let _ = fs::remove_dir_all(&there);
    assert!(status.expect("setpriv can be run").success(), "as user {ORDINARY}");
}
