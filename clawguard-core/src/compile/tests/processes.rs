//! What is denied before any rule is asked counts in every plan: of a procfs, wherever it is mounted, Landlock grants
//! nothing that may be an outsider's.

#![forbid(unsafe_code)]

use landlock::AccessFs;

use super::*;
use crate::compile::gap::Lack;
use crate::resolve::Procfs;
use crate::resolve::mounts::number;

const POLICIES: [(&str, &str, &str); 8] = [
    ("[]", "[/]", "[]"),
    ("[]", "[{path: /, access: r}, TOP/w]", "['**/.env']"),
    ("[system]", "[TOP/w]", "[]"),
    ("[system]", "[TOP/w]", "[{path: '/proc/[1-9]*', access: w}]"),
    ("[]", "[/proc]", "[]"),
    ("[]", "[/proc/meminfo, '/proc/[1-9]*/status']", "[]"),
    ("[]", "[{path: TOP/w, access: rx}]", "[{path: TOP/w/x, access: r}]"),
    ("[]", "[TOP/w/chroot/proc/cpuinfo, TOP/w/chroot/etc]", "[]"),
];

fn procfs(place: &str, root: &str) -> Procfs {
    let path = |text: &str| AbsPath::parse(text).unwrap();
    Procfs { place: path(place), root: path(root) }
}

/// A world with a procfs in its tree besides the usual one, and one process of it in another place.
fn world() -> World {
    World::new(&[
        "/w/chroot/etc/",
        "/w/chroot/proc/12/status",
        "/w/chroot/proc/cpuinfo",
        "/w/one/status",
        "/w/x",
    ])
}

fn plan(
    world: &World,
    mode: Mode,
    abi: u32,
    (presets, allowed, blocked): (&str, &str, &str),
) -> Plan {
    let top = world.path("");
    let text = format!(
        "security: {{file_access: {{presets: {presets}, temporary: none, allowed_paths: {allowed}, \
         blocked_paths: {blocked}}}}}\nlogging: {{log_denials: false}}"
    );
    let mut host = world.host();
    host.procfs.push(procfs(&format!("{top}/w/chroot/proc"), "/"));
    host.procfs.push(procfs(&format!("{top}/w/one"), "/12"));
    let policy = Policy::parse(text.replace("TOP", &top), "p.yaml").unwrap();
    policy.resolve(&host).unwrap().compile(&kernel(abi), mode).unwrap()
}

#[test]
fn no_plan_lets_the_kernel_alone_open_what_a_process_has_in_a_procfs() {
    let world = world();
    for policy in POLICIES {
        for mode in [Mode::Auto, Mode::Supervised, Mode::Kernel] {
            for abi in [6, 7, 9] {
                let plan = plan(&world, mode, abi, policy);
                for rule in &plan.rules {
                    no_process(&plan, rule, &format!("{policy:?} {mode:?} {abi}"));
                }
            }
        }
    }
}

/// A rule lies beneath no process and around no procfs, but for a loose directory whose every open is answered.
fn no_process(plan: &Plan, rule: &crate::compile::LandlockRule, why: &str) {
    for one in &plan.policy().procfs {
        if rule.path.starts_with(one.place()) {
            assert!(!plan.is_supervised(), "{why}: {}", rule.path);
            let first = one.first(&rule.path);
            let process = first.and_then(number);
            assert!(first.is_some() && process.is_none(), "{why}: {}", rule.path);
        }
        let opens =
            AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::Truncate;
        let may_be_opened =
            plan.gaps.iter().any(|gap| gap.lack == Lack::Processes && gap.path == *one.place());
        if may_be_opened && one.place().starts_with(&rule.path) && rule.rights.intersects(opens) {
            let read = AccessFs::ReadFile;
            let is_answered =
                plan.loose_access().contains(crate::Access::Read) && plan.traps_opens();
            let is_loose = plan.loose().iter().any(|loose| loose.path == rule.path);
            assert!(is_loose && is_answered, "{why}: {} {:?}", rule.path, rule.rights());
            assert_eq!(rule.rights & opens, read, "{why}: {}", rule.path);
        }
    }
}

#[test]
fn opens_stop_wherever_a_rule_reaches_into_a_procfs_and_nowhere_else() {
    let world = world();
    for (policy, stops) in [
        (("[system]", "[TOP/w/x]", "[]"), true),
        (("[system]", "[TOP/w/chroot/etc]", "[/proc/**]"), false),
        (("[]", "[TOP/w/chroot/etc]", "[]"), false),
        (("[]", "[TOP/w]", "[]"), true),
        (("[]", "[TOP/w]", "[TOP/w/chroot/proc/**, TOP/w/one/**]"), true),
    ] {
        assert_eq!(plan(&world, Mode::Auto, 7, policy).traps_opens(), stops, "{policy:?}");
    }
}

#[test]
fn everything_is_never_everything_so_there_is_always_a_supervisor() {
    let world = world();
    let plan_of = |mode| plan(&world, mode, 7, ("[]", "[/]", "[]"));
    assert!(plan_of(Mode::Auto).is_supervised() && plan_of(Mode::Auto).traps_opens());
    assert_eq!(plan_of(Mode::Auto).needs().len(), 1, "the rule needs it");
    let alone = plan_of(Mode::Kernel);
    assert!(!alone.own_process.is_empty(), "the command reads what is its own");
    let told = alone.denied_more().join("\n");
    let processes = told.lines().find(|line| line.contains("opening what processes have in"));
    assert!(processes.is_some_and(|line| line.contains("but for the command's own")), "{told}");
}

#[test]
fn the_command_has_its_own_part_of_proc_only_where_nothing_in_it_is_denied() {
    let world = world();
    let own = |mode, allowed, blocked| {
        !plan(&world, mode, 7, ("[]", allowed, blocked)).own_process.is_empty()
    };
    assert!(own(Mode::Kernel, "[{path: /proc, access: r}]", "[]"));
    assert!(!own(Mode::Kernel, "[{path: /proc, access: r}]", "['/proc/*/environ']"));
    assert!(!own(Mode::Kernel, "['/proc/*/status']", "[]"));
    assert!(!own(Mode::Kernel, "[{path: /proc, access: w}]", "[]"));
    assert!(!own(Mode::Auto, "[/proc]", "[]"), "a supervisor opens it");
}
