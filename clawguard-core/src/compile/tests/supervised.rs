//! What a supervisor leaves to Landlock, what is loose for it, and what stops.

#![forbid(unsafe_code)]

use std::fs;

use super::*;
use crate::compile::traps::Traps;
use crate::policy::Origin;

/// The loose directories: path, accesses, and the blocks that only the supervisor holds there.
fn loose(world: &World, plan: &Plan) -> Vec<String> {
    let top = world.path("");
    let pattern = |rule: &crate::decide::RuleId| plan.policy().rule(*rule).pattern.to_string();
    let line = |loose: &super::super::Loose| {
        let blocks = loose.blocks.iter().map(pattern).collect::<Vec<_>>().join(" ");
        format!("{} {} [{blocks}]", loose.path, loose.access).replace(&top, "")
    };
    plan.loose().iter().map(line).collect()
}

fn traps(plan: &Plan) -> Traps {
    plan.traps.unwrap()
}

fn ledger(plan: &Plan, pattern: &str) -> Holder {
    let is_it = |row: &&super::super::LedgerRow| {
        plan.policy().rule(row.rule).pattern.to_string().ends_with(pattern)
    };
    plan.ledger().iter().find(is_it).unwrap().holder.clone()
}

#[test]
fn a_block_inside_makes_one_loose_directory_and_its_children_get_no_rule() {
    let world = World::new(&["/w/secret/key", "/w/ok/file", "/w/note", "/w/.hidden"]);
    let plan = world.plan(&["/w"], &["/w/secret"]);
    assert_eq!(world.rules(&plan), ["/w: execute read_file"]);
    assert_eq!(loose(&world, &plan), ["/w rx [/w/secret]"]);
    assert_eq!(needs(&plan), [world.path("/w/secret")]);
    assert!(matches!(ledger(&plan, "/w/secret"), Holder::Supervisor(_)));
    assert!(plan.denied_more().is_empty(), "{:?}", plan.denied_more());
    assert!(plan.left_open().is_empty());
    let traps = traps(&plan);
    assert!(traps.opens && traps.execs && traps.unix_sockets && plan.traps_opens());
}

#[test]
fn what_is_settled_is_granted_exactly_and_not_loose() {
    let world = World::new(&["/w/bin/tool", "/w/src/"]);
    // Reading is denied somewhere, and with it executing.
    let plan = world.plan(&["/w"], &["r **/.env"]);
    assert_eq!(loose(&world, &plan), ["/w rx [**/.env]"]);
    assert_eq!(world.rules(&plan), ["/w: execute write_file read_file truncate ioctl_dev"]);
    // And the other way round.
    let plan = world.plan(&["/w"], &["x /w/bin"]);
    assert_eq!(loose(&world, &plan), ["/w x [/w/bin]"]);
    assert_eq!(
        world.rules(&plan),
        ["/w: execute write_file read_file read_dir truncate ioctl_dev"]
    );
    assert_eq!(needs(&plan), [world.path("/w/bin")]);
    assert!(matches!(ledger(&plan, "/w/bin"), Holder::Supervisor(_)));
    // Only writing is denied somewhere: nothing is loose.
    let plan = world.plan(&["/w"], &["w /w/bin"]);
    assert!(loose(&world, &plan).is_empty());
    assert!(world.rules(&plan).contains(&"/w: execute read_file read_dir".to_owned()));
}

#[test]
fn a_directory_that_must_not_be_executed_from_is_never_loose() {
    let world = World::new(&["/w/ok/file", "/w/secret/key"]);
    let plan = world.plan(&["rw /w"], &["/w/secret"]);
    assert!(loose(&world, &plan).is_empty());
    assert!(plan.denied_more().is_empty(), "{:?}", plan.denied_more());
    let rules = world.rules(&plan);
    assert!(!rules.iter().any(|rule| rule.starts_with("/w:") || rule.contains("secret")));
    assert!(rules.iter().any(|rule| rule.starts_with("/w/ok: ") && rule.contains("make_reg")));
    assert!(traps(&plan).opens, "what is made in it later is opened by the supervisor");
}

#[test]
fn a_loose_directory_within_another_is_not_listed_again_and_named_ones_get_the_rest() {
    let world = World::new(&["/w/in/deep/", "/w/kept/x", "/w/other/"]);
    let plan = world.plan(&["/w", "/w/in"], &["**/.env"]);
    assert_eq!(loose(&world, &plan), ["/w rx [**/.env]"]);
    assert_eq!(world.rules(&plan), ["/w: execute read_file"]);
    let plan = world.plan(&["/w", "/w/kept"], &["/w/*"]);
    assert_eq!(loose(&world, &plan), [format!("/w rx [{}]", "/w/*")]);
    let rules = world.rules(&plan);
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert!(rules[1].starts_with("/w/kept: write_file read_dir remove_dir"), "{rules:?}");
}

#[test]
fn the_home_directory_is_never_loose_but_what_is_in_it_is() {
    let world = World::new(&[
        "/elsewhere/",
        "/home/project/src/",
        "/home/tool",
        "/home/.env",
        "/home/data/x",
    ]);
    fs::hard_link(world.path("/home/data/x"), world.path("/home/second")).unwrap();
    let plan = world.plan(&["/home", "/"], &["**/.env", "/home/data"]);
    assert_eq!(loose(&world, &plan), ["/elsewhere rx [**/.env]", "/home/project rx [**/.env]"]);
    let rules = world.rules(&plan);
    assert!(rules.contains(&"/home/project: execute read_file".to_owned()), "{rules:?}");
    assert!(
        rules.contains(&"/home/tool: execute write_file read_file truncate ioctl_dev".to_owned()),
        "{rules:?}"
    );
    assert!(!rules.iter().any(|rule| rule.starts_with("/home:") || rule.starts_with(": ")));
    assert!(!rules.iter().any(|rule| rule.contains(".env") || rule.contains("second")));
    // What is made there later cannot be executed, and neither can a second name.
    let denied = plan.denied_more().join("\n");
    assert!(denied.contains("executing what is made in"), "{denied}");
    assert!(denied.contains("another name"), "{denied}");
    assert!(!denied.contains("listing") && !denied.contains("making"), "{denied}");
}

#[test]
fn a_wildcard_that_allows_execution_beneath_grants_what_exists() {
    let world = World::new(&["/w/a/b/run.sh", "/w/a/b/note", "/w/top.sh"]);
    let plan = world.plan(&["r /w", "rx /w/**/*.sh"], &[]);
    assert!(loose(&world, &plan).is_empty());
    assert_eq!(
        world.rules(&plan),
        ["/w: read_file read_dir", "/w/a/b/run.sh: execute", "/w/top.sh: execute"]
    );
    let denied = plan.denied_more().join("\n");
    assert!(denied.contains("executing what is made in"), "{denied}");
}

#[test]
fn what_is_missing_is_opened_by_the_supervisor_and_cannot_be_executed_until_the_next_start() {
    let world = World::new(&["/w/"]);
    let plan = world.plan(&["rx /later", "rw /also"], &[]);
    assert!(matches!(ledger(&plan, "/later"), Holder::Supervisor(_)));
    let denied = plan.denied_more();
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert!(denied[0].contains("executing") && denied[0].contains("/later"), "{denied:?}");
    // In a loose directory it can.
    let plan = world.plan(&["/w", "/w/later"], &["/w/secret"]);
    assert!(plan.denied_more().is_empty(), "{:?}", plan.denied_more());
}

#[test]
fn start_up_depends_on_no_number_of_files() {
    let world = World::new(&[]);
    for i in 0..300 {
        fs::create_dir_all(world.path(&format!("/w/a{i}/b/c"))).unwrap();
        fs::create_dir_all(world.path(&format!("/home/p{i}/b/c"))).unwrap();
    }
    let plan = world.plan(&["/w"], &["**/.env"]);
    assert_eq!(world.rules(&plan), ["/w: execute read_file"]);
    // One level of the home directory, and nothing beneath.
    let plan = world.plan(&["/home"], &["**/.env"]);
    assert_eq!(plan.loose().len(), 300);
    assert_eq!(world.rules(&plan).len(), 300);
}

#[test]
fn a_guard_of_a_missing_file_is_held_by_the_supervisor() {
    let world = World::new(&["/home/.config/clawguard/", "/home/x/"]);
    let plan = world.plan(&["/home"], &[]);
    assert!(loose(&world, &plan).is_empty());
    let rules = world.rules(&plan);
    assert!(
        !rules.iter().any(|rule| rule.contains("make_reg")
            && (rule.starts_with("/home:") || rule.starts_with("/home/.config"))),
        "{rules:?}"
    );
    assert!(rules.iter().any(|rule| rule.starts_with("/home/x: ") && rule.contains("make_reg")));
    assert!(plan.left_open().is_empty());
    let is_guard = |row: &&super::super::LedgerRow| {
        plan.policy().rule(row.rule).origin == Origin::BuiltIn { part: Origin::GUARD }
    };
    let held = plan.ledger();
    assert!(held.iter().filter(is_guard).all(|row| !matches!(row.holder, Holder::Nobody(_))));
    assert!(matches!(ledger(&plan, "clawguard/policy.yaml"), Holder::Supervisor(_)));
    assert!(traps(&plan).opens, "making files beside the guard is up to the supervisor");
}

#[test]
fn opens_stop_only_where_landlock_does_not_hold_them_or_they_are_logged() {
    let world = World::new(&["/w/note", "/v/"]);
    let traps_of = |allowed: &[&str], blocked: &[&str], logging: &str| {
        traps(&world.plan_with(&kernel(7), Mode::Auto, allowed, blocked, logging).unwrap())
    };
    let quiet = "{log_denials: false}";
    let none = traps_of(&["/w"], &[], quiet);
    assert_eq!((none.opens, none.execs, none.unix_sockets), (false, false, true));
    let logged = traps_of(&["/w"], &[], "{}");
    assert_eq!((logged.opens, logged.execs), (true, true), "denials are logged by default");
    assert!(traps_of(&["/w"], &[], "{log_denials: false, log_file_access: true}").opens);
    let commands = traps_of(&["/w"], &[], "{log_denials: false, log_commands: true}");
    assert_eq!((commands.opens, commands.execs), (false, true));
    for (allowed, blocked) in [
        (vec!["/w"], vec!["/w/secret"]),
        (vec!["/w"], vec!["w /w/secret"]),
        (vec!["rw /w/note"], vec![]),
        (vec!["r /later"], vec![]),
        (vec!["/w/**"], vec![]),
        (vec!["r /w/*"], vec![]),
    ] {
        assert!(traps_of(&allowed, &blocked, quiet).opens, "{allowed:?} {blocked:?}");
    }
    let loose = traps_of(&["/w"], &["x /w/note"], quiet);
    assert!(loose.execs && loose.opens);
    assert!(!traps_of(&["rw /w", "/v"], &["w /w/note"], quiet).execs);
}

#[test]
fn the_default_presets_alone_make_opens_stop_for_proc_and_nothing_else() {
    let world = World::new(&["/w/"]);
    let text = |blocked: &str| {
        format!(
            "security: {{file_access: {{temporary: none, allowed_paths: [{}], blocked_paths: [{blocked}]}}}}\n\
             logging: {{log_denials: false}}",
            world.path("/w")
        )
    };
    let plan_of = |text: String| {
        let resolved = Policy::parse(text, "p.yaml").unwrap().resolve(&world.host()).unwrap();
        resolved.compile(&kernel(7), Mode::Auto).unwrap()
    };
    let plan = plan_of(text(""));
    assert!(plan.holds_opens(), "everywhere else the kernel goes on");
    assert!(plan.traps_opens() && !traps(&plan).execs);
    let plan = plan_of(text("/proc/**"));
    let counted: Vec<_> = plan.gaps.iter().filter(|gap| plan.falls_short_of_opens(gap)).collect();
    assert!(counted.is_empty(), "{counted:#?}");
    assert!(!plan.traps_opens() && !traps(&plan).execs);
    assert!(plan.loose().is_empty());
    assert!(plan.denied_more().is_empty(), "{:?}", plan.denied_more());
}

#[test]
fn only_kernel_mode_has_no_supervisor() {
    let world = World::new(&["/w/"]);
    for (mode, is_supervised) in
        [(Mode::Auto, true), (Mode::Supervised, true), (Mode::Kernel, false)]
    {
        let plan = world.plan_for(&kernel(7), mode, &["/w"], &[]).unwrap();
        assert_eq!(plan.is_supervised(), is_supervised);
        assert_eq!(plan.is_supervised(), is_supervised);
        assert_eq!(plan.trapped_calls().is_empty(), !is_supervised);
        assert!(plan.loose().is_empty());
        let refuses = |call: &str| plan.denied_calls().iter().any(|denied| denied.call == call);
        assert!(refuses("mount"));
        assert_eq!(refuses("sched_setparam"), !is_supervised);
    }
}

#[test]
fn a_kernel_that_lets_no_supervisor_answer_is_refused_with_the_weaker_command_line() {
    let world = World::new(&["/w/"]);
    let full = kernel(7);
    let compile = |kernel: &KernelSupport, mode| world.plan_for(kernel, mode, &["/w"], &[]);
    let refused = |kernel: &KernelSupport, reason: &str| {
        for mode in [Mode::Auto, Mode::Supervised] {
            let text = compile(kernel, mode).unwrap_err().to_string();
            assert!(text.contains(reason), "{text}");
            assert!(text.contains("clawguard-exec --mode kernel -- COMMAND"), "{text}");
        }
        assert!(compile(kernel, Mode::Kernel).is_ok());
    };
    for notification in [Notification::Missing, Notification::Interruptible] {
        refused(&KernelSupport { notification, ..full.clone() }, "user notification");
    }
    for scope in [2, 3] {
        let kernel = KernelSupport { ptrace_scope: Some(scope), ..full.clone() };
        refused(&kernel, &format!("ptrace_scope is {scope}"));
    }
    for scope in [0, 1] {
        let kernel = KernelSupport { ptrace_scope: Some(scope), ..full.clone() };
        assert!(compile(&kernel, Mode::Auto).is_ok());
    }
    refused(&kernel(5), "ABI is 5");
}

#[test]
fn only_what_no_supervisor_does_yet_is_left_open() {
    let world = World::new(&["/w/"]);
    let left = |logging: &str| {
        let plan = world.plan_with(&kernel(7), Mode::Auto, &["/w"], &[], logging).unwrap();
        assert_eq!(plan.left_open(), plan.policy_left_open());
        plan.left_open()
    };
    assert!(left("{log_denials: true, log_commands: true, log_file_access: true}").is_empty());
    assert!(left("{on_denied: notify-send}").is_empty());
    let plan = world.plan_with(&kernel(7), Mode::Kernel, &["/w"], &[], "{on_denied: notify-send}");
    let left = plan.unwrap().policy_left_open();
    assert!(left.iter().any(|one| one.starts_with("on_denied: nobody sees")), "{left:?}");
}
