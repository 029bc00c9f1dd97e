//! No code path claims more than its ABI can hold: random policies on every simulated kernel, against a table of what
//! came with which ABI that nothing else reads.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::never_more::Random;
use super::*;
use crate::compile::traps::Trap;
use crate::policy::Effect;
use crate::syscalls::{Disposition, Family, Held, table};

/// The kernel's Documentation/userspace-api/landlock.rst, "Previous limitations".
const RIGHTS: [(&str, u32); 17] = [
    ("execute", 1),
    ("write_file", 1),
    ("read_file", 1),
    ("read_dir", 1),
    ("remove_dir", 1),
    ("remove_file", 1),
    ("make_char", 1),
    ("make_dir", 1),
    ("make_reg", 1),
    ("make_sock", 1),
    ("make_fifo", 1),
    ("make_block", 1),
    ("make_sym", 1),
    ("refer", 2),
    ("truncate", 3),
    ("ioctl_dev", 5),
    ("resolve_unix", 9),
];
const SCOPES: [(&str, u32); 2] = [("abstract_unix_socket", 6), ("signal", 6)];

/// What kernel mode must name as left open below this ABI, by a word of the sentence.
const LEFT_OPEN: [(&str, u32); 5] = [
    ("truncating", 3),
    ("ioctl", 5),
    ("abstract unix sockets", 6),
    ("signals", 6),
    ("connecting to unix", 9),
];

const NEWEST: u32 = 10;

fn of_abi(all: &[(&'static str, u32)], abi: u32) -> BTreeSet<&'static str> {
    all.iter().filter(|(_, since)| *since <= abi).map(|(name, _)| *name).collect()
}

fn set(names: &[&'static str]) -> BTreeSet<&'static str> {
    names.iter().copied().collect()
}

fn claims(plan: &Plan, text: &str) {
    let abi = plan.kernel().landlock_abi;
    let known = of_abi(&RIGHTS, abi);
    assert_eq!(set(&plan.handled_rights()), known, "{text}");
    assert_eq!(set(plan.scopes()), of_abi(&SCOPES, abi), "{text}");
    for rule in plan.landlock_rules() {
        assert!(set(&rule.rights()).is_subset(&known), "{text}: {rule:?}");
        assert!(!rule.rights().is_empty(), "{text}: {rule:?}");
    }
    let open = plan.left_open().join("\n");
    for (word, since) in LEFT_OPEN {
        let is_open = !plan.is_supervised() && abi < since;
        assert_eq!(open.contains(word), is_open, "{text}: {word}\n{open}");
    }
    let denied_more = plan.denied_more().join("\n");
    assert_eq!(denied_more.contains("Landlock ABI 2"), abi < 2, "{text}");
    for row in plan.ledger() {
        let rule = plan.policy().rule(row.rule);
        match row.holder {
            // What the ledger calls exact, the rights of this ABI express.
            Holder::Kernel | Holder::KernelDeniesMore(_) => {
                let keeps_from_writing = rule.effect != Effect::Allowed
                    && rule.access.contains(crate::access::Access::Write);
                assert!(abi >= 5 || !keeps_from_writing, "{text}: {rule}");
            }
            Holder::KernelLacks(why) => {
                assert!(!plan.is_supervised(), "{text}");
                assert_eq!(why.contains("truncating"), abi < 3, "{text}");
                assert_eq!(why.contains("ioctl"), abi < 5, "{text}");
            }
            Holder::Supervisor(_) => assert!(plan.is_supervised(), "{text}: {rule}"),
            // An allowed rule that allows nothing keeps nobody from anything.
            Holder::Nobody(_) => {
                let is_told = open.contains(&rule.pattern.to_string());
                assert!(rule.effect == Effect::Allowed || is_told, "{text}: {rule}");
            }
        }
    }
}

/// What a newer kernel may not take back.
fn is_held_by_newer(old: &Plan, new: &Plan, text: &str) {
    assert!(set(&old.handled_rights()).is_subset(&set(&new.handled_rights())), "{text}");
    assert!(set(old.scopes()).is_subset(&set(new.scopes())), "{text}");
    let open = |plan: &Plan| plan.left_open().into_iter().collect::<BTreeSet<_>>();
    assert!(open(new).is_subset(&open(old)), "{text}");
    // The rights that both know are granted in the same places: nothing opens with age or youth.
    let known = set(&old.handled_rights());
    let granted = |plan: &Plan| {
        let rules = plan.landlock_rules().iter();
        rules
            .map(|rule| {
                let rights = rule.rights().into_iter().filter(|right| known.contains(right));
                (rule.path.clone(), rights.collect::<Vec<_>>())
            })
            .filter(|(_, rights)| !rights.is_empty())
            .collect::<Vec<_>>()
    };
    assert_eq!(granted(old), granted(new), "{text}");
}

#[test]
fn no_plan_claims_more_than_its_kernel_can_hold_and_a_newer_kernel_never_holds_less() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut tree: Vec<String> = vec!["/home/".to_owned(), "/w/".to_owned()];
        random.grow(&mut tree, "/home/", 1);
        random.grow(&mut tree, "/w/", 1);
        let world = World::new(&tree.iter().map(String::as_str).collect::<Vec<_>>());
        let rules: Vec<String> = (0..4).map(|_| random.rule()).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let (allowed, blocked) = rules.split_at(2);
        for mode in [Mode::Auto, Mode::Supervised, Mode::Kernel] {
            let mut before: Option<Plan> = None;
            for abi in 0..=NEWEST + 2 {
                let text = format!("seed {seed}, {mode:?}, ABI {abi}: {allowed:?} {blocked:?}");
                let least = if mode == Mode::Kernel { 1 } else { 6 };
                match world.plan_for(&kernel(abi), mode, allowed, blocked) {
                    Ok(plan) => {
                        assert!(abi >= least, "{text}");
                        claims(&plan, &text);
                        if let Some(before) = &before {
                            is_held_by_newer(before, &plan, &text);
                        }
                        before = Some(plan);
                    }
                    Err(CompileError::NoLandlock) => assert_eq!(abi, 0, "{text}"),
                    Err(CompileError::OldLandlock { .. }) => {
                        assert!(0 < abi && abi < least, "{text}")
                    }
                    Err(error) => panic!("{text}: {error}"),
                }
            }
        }
    }
}

/// The table of system calls says since which ABI Landlock judges a call. Before, it stops for the supervisor, or the
/// start says that it is open.
#[test]
fn a_call_that_landlock_does_not_judge_yet_stops_or_is_named_as_open() {
    let world = World::new(&["/w/"]);
    for abi in 1..=NEWEST {
        let alone = world.plan_for(&kernel(abi), Mode::Kernel, &["/w"], &[]).unwrap();
        let open = [alone.left_open(), alone.denied_more()].concat().join("\n");
        // The smallest traps that there are: nothing is logged.
        let supervised =
            world.plan_with(&kernel(abi), Mode::Supervised, &["/w"], &[], "{log_denials: false}");
        assert_eq!(supervised.is_ok(), abi >= 6);
        for call in table() {
            let Disposition::Judged(judged) = &call.disposition else { continue };
            let is_judged = match judged.held {
                Held::Landlock { abi: since } => u32::from(since) <= abi,
                Held::Open => false,
                Held::Moot => continue,
            };
            if is_judged {
                continue;
            }
            if let Ok(plan) = &supervised {
                let is_datagram = matches!(call.name, "socket" | "socketpair") && abi >= 9;
                let trap = plan.traps.unwrap().trap(call);
                assert!(trap != Trap::Never || is_datagram, "{} on ABI {abi}", call.name);
            }
            let word = match (judged.family, call.name) {
                (Family::Entry, _) => "moving and linking",
                (Family::Metadata, "truncate") => "truncating",
                (Family::Metadata, "inotify_add_watch") => "inotify",
                (Family::Metadata, name) if name.contains("xattr") => "extended attributes",
                // What access(2) says is no access; docs/limits.md.
                (Family::Metadata, "access" | "faccessat" | "faccessat2") => continue,
                (Family::Metadata, _) => "chmod, chown, times",
                // Datagram sockets are a way to connect to a path.
                (Family::Socket, "socket" | "socketpair") if abi >= 9 => continue,
                (Family::Socket, _) => "connecting to unix sockets",
                (Family::Open | Family::Exec | Family::Process, name) => panic!("{name}"),
            };
            assert!(open.contains(word), "{} on ABI {abi}: `{word}` is not in {open}", call.name);
        }
    }
}

#[test]
fn without_an_answer_that_waits_nothing_is_supervised() {
    let world = World::new(&["/w/"]);
    for abi in 6..=NEWEST + 2 {
        for notification in [Notification::Missing, Notification::Interruptible] {
            let kernel = KernelSupport { notification, ..kernel(abi) };
            for mode in [Mode::Auto, Mode::Supervised] {
                let refused = world.plan_for(&kernel, mode, &["/w"], &[]);
                assert!(matches!(refused, Err(CompileError::NoNotification)), "{abi} {mode:?}");
            }
            let alone = world.plan_for(&kernel, Mode::Kernel, &["/w"], &[]).unwrap();
            assert!(!alone.is_supervised() && alone.traps.is_none());
        }
    }
}
