//! One decision: budget 300 ns for a path of ten components under 1,000 rules.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use clawguard_core::{AbsPath, Decider, Host, Policy};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// A third allowed directories, a third blocked ones inside them, a third wildcards over everything.
fn policy(rules: usize) -> String {
    let mut allowed = String::from("      - /srv/work\n");
    let mut blocked = String::from("      - \"**/.env\"\n");
    for i in 0..rules / 3 {
        allowed.push_str(&format!("      - /srv/data/team{i}/shared\n"));
        blocked.push_str(&format!("      - /srv/work/project{i}/secret\n"));
        blocked.push_str(&format!("      - \"**/*.key{i}\"\n"));
    }
    format!(
        "security:\n  file_access:\n    presets: []\n    allowed_paths:\n{allowed}    blocked_paths:\n{blocked}"
    )
}

fn decider(rules: usize) -> Decider {
    let host = Host::current().expect("a host");
    let policy = Policy::parse(policy(rules), "bench.yaml").expect("a policy");
    policy.resolve(&host).expect("a resolved policy").decider()
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn ten_components(bencher: Bencher, rules: usize) {
    let mut decider = decider(rules);
    let path =
        AbsPath::parse("/srv/work/project7/src/module/deep/er/and/deeper/file.rs").expect("a path");
    bencher.bench_local(|| decider.decide(black_box(&path)));
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn ten_components_never_seen_before(bencher: Bencher, rules: usize) {
    let mut decider = decider(rules);
    let mut number = 0u64;
    bencher
        .with_inputs(|| {
            number += 1;
            let path = format!("/srv/work/p{number}/src/m{number}/deep/er/and/deeper/f{number}.rs");
            AbsPath::parse(path).expect("a path")
        })
        .bench_local_refs(|path| decider.decide(black_box(path)));
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn blocked_by_a_wildcard(bencher: Bencher, rules: usize) {
    let mut decider = decider(rules);
    let path =
        AbsPath::parse("/srv/work/project7/src/module/deep/er/and/deeper/.env").expect("a path");
    bencher.bench_local(|| decider.decide(black_box(&path)));
}
