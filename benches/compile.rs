//! From text to plan, for 10 to 10,000 rules: budget 50 ms more at the start for 10,000.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::fs;

use clawguard_core::{Host, KernelSupport, Mode, Policy, ResolvedPolicy};
use divan::Bencher;

fn main() {
    divan::main();
}

const RULES: [usize; 4] = [10, 100, 1_000, 10_000];

/// Half of the rules allow directories that exist, half block paths inside them or elsewhere.
struct Tree {
    directory: tempfile::TempDir,
    text: String,
}

fn tree(rules: usize) -> Tree {
    let directory = tempfile::tempdir().expect("a directory");
    let top = directory.path().display();
    let (mut allowed, mut blocked) = (String::new(), String::new());
    for i in 0..rules / 2 {
        fs::create_dir(directory.path().join(format!("d{i}"))).expect("a directory");
        allowed.push_str(&format!("      - {top}/d{i}\n"));
        blocked.push_str(&format!("      - /srv/other/b{i}\n"));
    }
    let text = format!(
        "security:\n  file_access:\n    presets: []\n    allowed_paths:\n{allowed}    blocked_paths:\n{blocked}"
    );
    Tree { directory, text }
}

fn host() -> Host {
    Host::current().expect("a host").with_temporary(None)
}

fn resolve(tree: &Tree) -> ResolvedPolicy {
    let policy = Policy::parse(&tree.text, tree.directory.path().join("p.yaml")).expect("a policy");
    policy.resolve(&host()).expect("a resolved policy")
}

#[divan::bench(args = RULES)]
fn parse(bencher: Bencher, rules: usize) {
    let tree = tree(rules);
    bencher.bench(|| Policy::parse(&tree.text, "p.yaml").expect("a policy"));
}

#[divan::bench(args = RULES)]
fn parse_and_resolve(bencher: Bencher, rules: usize) {
    let tree = tree(rules);
    bencher.bench(|| resolve(&tree));
}

#[divan::bench(args = RULES)]
fn compile(bencher: Bencher, rules: usize) {
    let tree = tree(rules);
    let kernel = KernelSupport::probe().expect("a kernel");
    bencher
        .with_inputs(|| resolve(&tree))
        .bench_values(|resolved| resolved.compile(&kernel, Mode::Auto).expect("a plan"));
}

#[divan::bench(args = RULES)]
fn everything_to_an_open_ruleset(bencher: Bencher, rules: usize) {
    let tree = tree(rules);
    let kernel = KernelSupport::probe().expect("a kernel");
    bencher.bench(|| {
        let plan = resolve(&tree).compile(&kernel, Mode::Auto).expect("a plan");
        plan.prepare().expect("a sandbox")
    });
}

/// Wildcards over everything: each directory that presets allow is mixed, and none may search all rules anew.
#[divan::bench(args = RULES, sample_count = 10)]
fn compile_wildcard_blocks(bencher: Bencher, rules: usize) {
    let blocked: String = (0..rules).map(|i| format!("      - '**/secret{i}'\n")).collect();
    let text = format!("security:\n  file_access:\n    blocked_paths:\n{blocked}");
    let kernel = KernelSupport::probe().expect("a kernel");
    bencher
        .with_inputs(|| {
            let policy = Policy::parse(&text, "p.yaml").expect("a policy");
            policy.resolve(&host()).expect("a resolved policy")
        })
        .bench_values(|resolved| resolved.compile(&kernel, Mode::Auto).expect("a plan"));
}
