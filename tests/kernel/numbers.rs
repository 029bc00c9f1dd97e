//! Every number of a system call, made inside the sandbox: the answer is the one of its row in the table.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use clawguard_core::{Arch, denied_calls};

use crate::support::{User, World, for_every_user};

#[cfg(target_arch = "x86_64")]
const NUMBERS: &str = include_str!("../../clawguard-core/src/syscalls/numbers-x86_64.txt");
#[cfg(target_arch = "aarch64")]
const NUMBERS: &str = include_str!("../../clawguard-core/src/syscalls/numbers-aarch64.txt");

/// What is not made: it would go on twice, in one memory, or wait; and `sync`, which makes the whole host wait.
const SKIPPED: [&str; 4] = ["fork", "vfork", "pause", "sync"];

/// Beyond the table: the first that no kernel has, x32's, and the largest.
const FAR: [u64; 7] = [999, 1023, 4096, 0x4000_0000, 0x4000_0101, 0x7fff_ffff, 0xffff_ffff];

/// How far the table is overshot.
const BEYOND: u64 = 64;

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel-numbers");
        let fresh = to.with_extension(std::process::id().to_string());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kernel/numbers.c");
        let mut cc = Command::new("cc");
        cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-o"]).arg(&fresh).arg(source);
        assert!(cc.status().unwrap().success(), "cc cannot compile numbers.c");
        std::fs::rename(&fresh, &to).unwrap();
        to
    })
}

fn table() -> BTreeMap<u64, &'static str> {
    let lines = NUMBERS.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &'static str| {
        let (number, name) = line.split_once(' ').unwrap();
        (number.parse().unwrap(), name)
    };
    lines.map(pair).collect()
}

fn outcomes(stdout: &str) -> BTreeMap<u64, &str> {
    let lines = stdout.lines().map(|line| line.split_once(' ').unwrap());
    lines.map(|(number, outcome)| (number.parse().unwrap(), outcome)).collect()
}

/// The calls of these that the bare kernel does not have. An ordinary user asks: nobody should ask this as root.
fn missing_in_the_kernel(world: &World, numbers: &BTreeSet<u64>) -> BTreeSet<u64> {
    let mut bare = Command::new(world.path("{root}/bin/numbers"));
    bare.args(numbers.iter().map(u64::to_string));
    let ordinary = User::ordinary();
    if ordinary != User::current() {
        bare.uid(ordinary.uid).gid(ordinary.uid);
    }
    let ran = bare.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let stdout = String::from_utf8(ran.stdout).unwrap();
    let outcomes = outcomes(&stdout);
    outcomes.into_iter().filter(|(_, outcome)| *outcome == "ENOSYS").map(|(nr, _)| nr).collect()
}

#[test]
fn every_number_gets_the_answer_of_its_row() {
    let table = table();
    let newest = *table.keys().next_back().unwrap();
    let refused: BTreeMap<&str, String> = denied_calls(Arch::current())
        .into_iter()
        .filter(|denied| denied.when == "always")
        .map(|denied| (denied.call, denied.errno))
        .collect();
    let asked: Vec<u64> = (0..=newest + BEYOND)
        .filter(|number| !table.get(number).is_some_and(|name| SKIPPED.contains(name)))
        .chain(FAR)
        .collect();
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
        world.install(program().to_str().unwrap(), "{root}/bin/numbers");
        for mode in ["kernel", "supervised"] {
            let command = std::iter::once(world.text("{root}/bin/numbers"))
                .chain(asked.iter().map(u64::to_string));
            let allow = world.text("{root}/bin:rx");
            let ran =
                world.confined().args(["--mode", mode, "--allow", &allow]).command(command).works();
            let found = outcomes(&ran.stdout);
            assert_eq!(found.len(), asked.len(), "{mode}: {ran:#?}");
            let mut silent = BTreeSet::new();
            for (number, outcome) in found {
                let Some(name) = table.get(&number) else {
                    assert_eq!(outcome, "ENOSYS", "{mode}: {number}, which nobody knows");
                    continue;
                };
                let inner = ["landlock_create_ruleset", "landlock_restrict_self"].contains(name);
                match refused.get(name) {
                    Some(errno) => assert_eq!(outcome, errno, "{mode}: {name}"),
                    None if inner && mode == "supervised" => {
                        assert_eq!(outcome, "ENOSYS", "{mode}: {name}");
                    }
                    None if outcome == "ENOSYS" => drop(silent.insert(number)),
                    None => assert_ne!(outcome, "signal 14", "{mode}: {name} waits for ever"),
                }
            }
            let missing = missing_in_the_kernel(&world, &silent);
            let swallowed: Vec<_> =
                silent.difference(&missing).map(|number| table[number]).collect();
            assert!(swallowed.is_empty(), "{mode}: the kernel has {swallowed:?}");
        }
    });
}

/// The other half of what makes `ftruncate`, `fallocate`, `mmap` and their like free: a descriptor for reading changes
/// nothing, in whatever mode.
#[test]
fn a_descriptor_for_reading_changes_nothing() {
    for_every_user(|world| {
        world.policy(
            "allowed_paths: ['~/work', { path: '~/data', access: r }]\nblocked_paths: ['**/.env']",
        );
        world.install(program().to_str().unwrap(), "{root}/bin/numbers");
        world.write("~/data/file", "x".repeat(5000));
        for mode in ["kernel", "supervised"] {
            let (program, file) = (world.text("{root}/bin/numbers"), world.text("~/data/file"));
            let allow = world.text("{root}/bin:rx");
            let ran = world
                .confined()
                .args(["--mode", mode, "--allow", &allow])
                .command([&program, "reading", &file])
                .works();
            assert_eq!(
                ran.stdout,
                "write EBADF\npwrite64 EBADF\nftruncate EINVAL\nfallocate EBADF\ncopy_file_range EBADF\n\
                 splice EBADF\nmmap EACCES\nmprotect EACCES\nmadvise EACCES\nioctl EACCES\nioctl EACCES\n\
                 ioctl EACCES\nioctl EACCES\nioctl EACCES\nread ok\n",
                "{mode}"
            );
            assert_eq!(world.read("~/data/file"), "x".repeat(5000));
        }
    });
}
