//! What compiles to what, on real trees and simulated kernels.

mod abis;
mod kernels;
mod never_more;
mod processes;
mod supervised;

use std::fs;
use std::path::Path;

use super::{CompileError, Holder, Mode, Plan};
use crate::decide::Folding;
use crate::kernel::{KernelSupport, Notification};
use crate::path::AbsPath;
use crate::policy::Policy;
use crate::resolve::Host;
use crate::syscalls::Arch;

/// A tree of directories (with a trailing slash) and files, and a host that lives in it.
struct World {
    top: tempfile::TempDir,
}

impl World {
    fn new(tree: &[&str]) -> World {
        let world = World { top: tempfile::tempdir().unwrap() };
        for path in tree {
            let path = world.path(path);
            fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
            match path.ends_with('/') {
                true => fs::create_dir_all(&path).unwrap(),
                false => fs::write(&path, "x").unwrap(),
            }
        }
        world
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", fs::canonicalize(self.top.path()).unwrap().display())
    }

    fn host(&self) -> Host {
        Host {
            home: Some(AbsPath::parse(self.path("/home")).unwrap()),
            cwd: AbsPath::parse(self.path("/elsewhere")).unwrap(),
            uid: 1000,
            environment: std::collections::BTreeMap::new(),
            shim: None,
            terminal: None,
            command: None,
            temporary: None,
            folding: Folding::default(),
            procfs: vec![crate::resolve::Procfs::usual()],
        }
    }

    /// Compiles allowed and blocked patterns beneath the tree's top; `rx /w` gives accesses.
    fn plan_for(
        &self,
        kernel: &KernelSupport,
        mode: Mode,
        allowed: &[&str],
        blocked: &[&str],
    ) -> Result<Plan, CompileError> {
        self.plan_with(kernel, mode, allowed, blocked, "{}")
    }

    /// The same with something to log.
    fn plan_with(
        &self,
        kernel: &KernelSupport,
        mode: Mode,
        allowed: &[&str],
        blocked: &[&str],
        logging: &str,
    ) -> Result<Plan, CompileError> {
        let list = |rules: &[&str]| {
            let entry = |rule: &&str| {
                let (access, path) = rule.split_once(' ').unwrap_or(("rwx", rule));
                let path = if path.starts_with("**") { path.to_owned() } else { self.path(path) };
                format!("{{path: '{path}', access: {access}}}")
            };
            rules.iter().map(entry).collect::<Vec<_>>().join(", ")
        };
        let text = format!(
            "security: {{file_access: {{presets: [], temporary: none, allowed_paths: [{}], blocked_paths: [{}]}}}}\nlogging: {logging}",
            list(allowed),
            list(blocked)
        );
        Policy::parse(text, "p.yaml").unwrap().resolve(&self.host()).unwrap().compile(kernel, mode)
    }

    fn plan(&self, allowed: &[&str], blocked: &[&str]) -> Plan {
        self.plan_for(&kernel(7), Mode::Auto, allowed, blocked).unwrap()
    }

    /// For the kernel alone.
    fn weaker(&self, allowed: &[&str], blocked: &[&str]) -> Plan {
        self.plan_for(&kernel(7), Mode::Kernel, allowed, blocked).unwrap()
    }

    /// The Landlock rules with paths as in the tree.
    fn rules(&self, plan: &Plan) -> Vec<String> {
        let top = self.path("");
        let rule = |rule: &super::LandlockRule| {
            format!("{}: {}", rule.path.to_string().replace(&top, ""), rule.rights().join(" "))
        };
        plan.landlock_rules().iter().map(rule).collect()
    }
}

fn kernel(landlock_abi: u32) -> KernelSupport {
    KernelSupport {
        landlock_abi,
        ptrace_scope: None,
        notification: Notification::Killable,
        arch: Arch::X86_64,
    }
}

fn needs(plan: &Plan) -> Vec<String> {
    plan.needs().iter().map(|need| plan.policy().rule(need.rule).pattern.to_string()).collect()
}

const ENTRIES: &str = "remove_dir remove_file make_dir make_reg make_sock make_fifo make_sym refer";

#[test]
fn a_settled_directory_is_one_rule_with_every_right_but_device_nodes() {
    let world = World::new(&["/w/a/b", "/w/c"]);
    let plan = world.plan(&["/w"], &["/other"]);
    assert!(needs(&plan).is_empty());
    let rules = world.rules(&plan);
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!(
        rules[0],
        "/w: execute write_file read_file read_dir remove_dir remove_file make_dir make_reg make_sock make_fifo \
         make_sym refer truncate ioctl_dev"
    );
}

#[test]
fn a_block_inside_needs_the_supervisor_and_the_kernel_grants_only_what_is_beside_it() {
    let world = World::new(&["/w/secret/key", "/w/ok/file", "/w/note", "/w/.hidden"]);
    assert_eq!(needs(&world.plan(&["/w"], &["/w/secret"])), [world.path("/w/secret")]);
    let plan = world.weaker(&["/w"], &["/w/secret"]);
    assert_eq!(needs(&plan), [world.path("/w/secret")]);
    let rules = world.rules(&plan);
    assert!(
        !rules.iter().any(|rule| rule.starts_with("/w:") || rule.contains("secret")),
        "{rules:?}"
    );
    assert!(
        rules.iter().any(|rule| rule.starts_with("/w/ok: ") && rule.contains("make_reg")),
        "{rules:?}"
    );
    assert!(
        rules.contains(&"/w/note: execute write_file read_file truncate ioctl_dev".to_owned()),
        "{rules:?}"
    );
    assert!(rules.iter().any(|rule| rule.starts_with("/w/.hidden: ")));
}

#[test]
fn nested_allowed_directories_add_rights_and_stay_exact() {
    let world = World::new(&["/w/out/", "/w/in"]);
    let plan = world.plan(&["r /w", "rw /w/out"], &[]);
    assert!(needs(&plan).is_empty());
    assert_eq!(
        world.rules(&plan),
        [
            "/w: read_file read_dir".to_owned(),
            format!("/w/out: write_file {ENTRIES} truncate ioctl_dev")
        ]
    );
}

#[test]
fn moving_entries_is_granted_only_where_every_access_is_decided_alike() {
    let world = World::new(&["/w/a/"]);
    let plan = world.plan(&["/w"], &["r **/.env"]);
    assert_eq!(needs(&plan), ["**/.env"]);
    assert!(
        !world.rules(&plan).iter().any(|rule| rule.contains("make_reg")),
        "a rename would give .env a readable name"
    );
}

#[test]
fn what_does_not_exist_yet_needs_the_supervisor_when_the_user_names_it() {
    let world = World::new(&["/w/"]);
    assert_eq!(needs(&world.plan(&["/w", "/later"], &[])), [world.path("/later")]);
    assert_eq!(needs(&world.plan(&["/w/*"], &[])), [world.path("/w/*")]);
    assert!(needs(&world.plan(&["/w", "/later/"], &[])).is_empty(), "a trailing slash makes it");
}

#[test]
fn a_file_that_may_be_written_needs_the_supervisor_to_be_replaced() {
    let world = World::new(&["/w/note"]);
    assert_eq!(needs(&world.plan(&["rw /w/note"], &[])), [world.path("/w/note")]);
    assert!(needs(&world.plan(&["r /w/note"], &[])).is_empty());
    assert!(
        needs(&world.plan(&["rw /w/note", "/w"], &[])).is_empty(),
        "its directory may be changed"
    );
}

#[test]
fn execution_without_reading_grants_nothing_and_is_remarked_on() {
    let world = World::new(&["/w/tool", "/r/tool"]);
    let plan = world.plan(&["x /w", "r /r", "x /r/tool"], &[]);
    assert!(!world.rules(&plan).iter().any(|rule| rule.starts_with("/w")));
    assert!(world.rules(&plan).contains(&"/r/tool: execute".to_owned()));
    assert!(needs(&plan).is_empty());
    let lints = plan.lints();
    let unread: Vec<&str> =
        lints.iter().filter(|lint| lint.kind == "unread").map(|lint| lint.text.as_str()).collect();
    assert_eq!(unread.len(), 1, "{lints:?}");
    assert!(unread[0].contains(&world.path("/w")), "{unread:?}");
}

#[test]
fn what_may_be_executed_may_be_read_in_every_mode() {
    let world = World::new(&["/w/a/tool", "/w/secret"]);
    let plan = world.plan_with(&kernel(7), Mode::Kernel, &["/w"], &["r /w/secret"], "{}").unwrap();
    for rule in world.rules(&plan) {
        assert!(!rule.contains("execute") || rule.contains("read_file"), "{rule}");
    }
}

#[test]
fn a_directory_that_must_be_found_again_cannot_be_removed() {
    let world = World::new(&["/w/sub/x", "/w/other/"]);
    let plan = world.plan(&["/w", "/w/sub"], &[]);
    assert_eq!(needs(&plan), [world.path("/w/sub")]);
    let rules = world.rules(&plan);
    assert!(
        rules.iter().any(|rule| rule.starts_with("/w/sub: ") && rule.contains("make_reg")),
        "{rules:?}"
    );
    assert!(
        rules.iter().any(|rule| rule.starts_with("/w: ") && !rule.contains("remove_dir")),
        "{rules:?}"
    );
}

#[test]
fn the_working_directory_is_pinned_but_needs_no_supervisor() {
    let world = World::new(&["/w/project/", "/w/x"]);
    let mut host = world.host();
    host.cwd = AbsPath::parse(world.path("/w/project")).unwrap();
    let text = format!(
        "security: {{file_access: {{presets: [], temporary: none, allowed_paths: [{}]}}}}",
        world.path("/w")
    );
    for mode in [Mode::Auto, Mode::Kernel] {
        let policy = Policy::parse(text.as_str(), "p.yaml").unwrap().resolve(&host).unwrap();
        let plan = policy.compile(&kernel(7), mode).unwrap();
        assert!(needs(&plan).is_empty());
        assert_eq!(plan.denied_more().is_empty(), mode == Mode::Auto, "it is told");
        assert!(
            world
                .rules(&plan)
                .iter()
                .any(|rule| rule.starts_with("/w: ") && !rule.contains("remove_dir"))
        );
    }
}

#[test]
fn an_existing_guard_keeps_its_file_and_a_missing_one_is_told() {
    let world = World::new(&["/home/.openclaw/config.yaml", "/home/.openclaw/state/"]);
    let plan = world.weaker(&["/home"], &[]);
    assert!(needs(&plan).is_empty(), "guards do not count");
    let rules = world.rules(&plan);
    assert!(
        !rules.iter().any(|rule| rule.contains("config.yaml") && rule.contains("write_file")),
        "{rules:?}"
    );
    assert!(
        !rules
            .iter()
            .any(|rule| rule.starts_with("/home/.openclaw: ") && rule.contains("make_reg"))
    );
    assert!(
        rules
            .iter()
            .any(|rule| rule.starts_with("/home/.openclaw/state: ") && rule.contains("make_reg"))
    );
    let unguarded =
        plan.ledger().into_iter().filter(|row| matches!(row.holder, Holder::Nobody(_))).count();
    assert_eq!(
        unguarded, 0,
        "/home itself takes no new entries, so nobody can make the missing policy"
    );

    let world = World::new(&["/home/.config/clawguard/"]);
    let plan = world.weaker(&["/home"], &[]);
    assert!(
        plan.left_open().iter().any(|open| open.contains("policy.yaml")),
        "{:?}",
        plan.left_open()
    );
}

#[test]
fn start_up_visits_no_tree_where_everything_is_mixed() {
    let world = World::new(&[]);
    for i in 0..300 {
        fs::create_dir_all(world.path(&format!("/w/a{i}/b/c"))).unwrap();
    }
    let plan = world.plan(&["/w"], &["r **/.env"]);
    assert!(plan.landlock_rules().len() < 5, "{:?}", world.rules(&plan));
}

#[test]
fn kernel_mode_grants_the_files_that_exist_and_never_a_second_name() {
    let world = World::new(&["/w/a/b/deep", "/w/.env", "/w/linked"]);
    fs::hard_link(world.path("/w/.env"), world.path("/w/a/other-name")).unwrap();
    let plan = world.plan_for(&kernel(7), Mode::Kernel, &["r /w"], &["r **/.env"]).unwrap();
    let rules = world.rules(&plan);
    assert_eq!(rules, ["/w/a/b/deep: read_file", "/w/linked: read_file"]);
    assert!(plan.denied_more()[0].contains("**/.env"));
}

#[test]
fn links_get_no_rule_of_their_own() {
    let world = World::new(&["/real/x", "/w/"]);
    std::os::unix::fs::symlink(world.path("/real"), world.path("/link")).unwrap();
    let plan = world.plan(&["r /link"], &[]);
    assert_eq!(world.rules(&plan), ["/real: read_file read_dir"]);
}

#[test]
fn a_link_that_the_target_may_change_grants_nothing() {
    let world = World::new(&["/secret/x", "/w/"]);
    std::os::unix::fs::symlink(world.path("/secret"), world.path("/w/planted")).unwrap();
    let plan = world.plan(&["/w", "/w/planted/x"], &[]);
    assert!(
        !world.rules(&plan).iter().any(|rule| rule.contains("secret")),
        "{:?}",
        world.rules(&plan)
    );
}

#[test]
fn every_kernel_is_granted_only_what_it_knows_and_old_ones_are_refused_or_told() {
    let world = World::new(&["/w/"]);
    for abi in 0..=12 {
        let auto = world.plan_for(&kernel(abi), Mode::Auto, &["/w"], &[]);
        let weaker = world.plan_for(&kernel(abi), Mode::Kernel, &["/w"], &[]);
        match abi {
            0 => assert!(matches!(
                (auto, weaker),
                (Err(CompileError::NoLandlock), Err(CompileError::NoLandlock))
            )),
            1..6 => {
                assert!(matches!(auto, Err(CompileError::OldLandlock { .. })), "{abi}");
                let plan = weaker.unwrap();
                assert!(plan.left_open().iter().any(|open| open.contains("ABI 6")), "{abi}");
                assert!(plan.scopes().is_empty());
                let rights = plan.landlock_rules()[0].rights();
                assert_eq!(rights.contains(&"refer"), abi >= 2, "{abi}");
                assert_eq!(rights.contains(&"truncate"), abi >= 3, "{abi}");
            }
            _ => {
                let plan = auto.unwrap();
                assert_eq!(plan.scopes().len(), 2);
                assert_eq!(
                    plan.landlock_rules()[0].rights().contains(&"resolve_unix"),
                    abi >= 9,
                    "{abi}"
                );
                let is_open =
                    |plan: &Plan| plan.left_open().iter().any(|open| open.contains("unix sockets"));
                assert_eq!(is_open(&weaker.unwrap()), abi < 9, "{abi}");
                assert!(!is_open(&plan), "the supervisor judges them: {abi}");
            }
        }
    }
}

#[test]
fn remarks_name_shadowed_redundant_missing_and_replaceable_rules_and_exceptions() {
    let world = World::new(&["/w/sub/", "/s/pub/", "/bin/tool"]);
    let plan = world.plan(
        &["/w", "r /w/sub", "/s/pub", "/s/a*", "/gone", "rx /bin/tool"],
        &["/s", "/s/pub/x", "/s/y"],
    );
    let lints = plan.lints();
    let has = |kind: &str, word: &str| {
        lints.iter().any(|lint| lint.kind == kind && lint.text.contains(word))
    };
    assert!(has("shadowed", "/s/a*"), "{lints:?}");
    assert!(has("redundant", "/w/sub"), "{lints:?}");
    assert!(has("redundant", "/s/y"), "{lints:?}");
    assert!(!has("redundant", "/s/pub/x"), "{lints:?}");
    assert!(has("missing", "/gone"), "{lints:?}");
    assert!(has("replaceable", "/bin/tool"), "{lints:?}");
    assert!(has("exception", "is blocked except rwx"), "{lints:?}");
}

#[test]
fn every_example_policy_compiles_and_the_ledger_knows_each_of_its_rules() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies");
    let world =
        World::new(&["/home/Documents/openclaw-workspace/", "/home/Downloads/", "/elsewhere/"]);
    let mut seen = 0;
    let service = directory.join("../openclaw/policy.yaml");
    let policies = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    for file in policies.chain([service]) {
        let policy = Policy::parse(fs::read(&file).unwrap(), &file).unwrap();
        assert!(policy.warnings().is_empty(), "{:?}", policy.warnings());
        let written = policy.rules().len();
        let plan = policy.resolve(&world.host()).unwrap().compile(&kernel(7), Mode::Auto).unwrap();
        let users = |row: &super::LedgerRow| plan.policy().rule(row.rule).origin.line().is_some();
        assert_eq!(
            plan.ledger().iter().filter(|row| users(row)).count(),
            written,
            "{}",
            file.display()
        );
        seen += 1;
    }
    assert!(seen >= 4);
}
