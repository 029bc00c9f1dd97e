//! What becomes of a policy on every simulated kernel, as snapshots: one file a policy, and in it only what changes
//! from one Landlock ABI to the next. A change is read, and then accepted with `INSTA_UPDATE=always cargo test`.

#![forbid(unsafe_code)]

use std::fmt::Write as _;

use super::*;

/// 11 is a kernel that this library does not know yet.
const ABIS: std::ops::RangeInclusive<u32> = 0..=11;

const MODES: [Mode; 3] = [Mode::Auto, Mode::Supervised, Mode::Kernel];

const NOTIFICATIONS: [Notification; 3] =
    [Notification::Killable, Notification::Interruptible, Notification::Missing];

/// Every rule and sentence, or, where the host's own files would show, only what the user wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    All,
    User,
}

/// What came after the first ABI, told apart so that little changes from one to the next.
const NEWER: [&str; 4] = ["refer", "truncate", "ioctl_dev", "resolve_unix"];

/// What a plan asks of the kernel and says of itself, one fact a line.
fn facts(plan: &Plan, detail: Detail) -> Vec<String> {
    let (newer, first): (Vec<_>, Vec<_>) =
        plan.handled_rights().into_iter().partition(|right| NEWER.contains(right));
    let mut lines = vec!["compiles".to_owned(), format!("  handled: {}", first.join(" "))];
    lines.extend(newer.iter().map(|right| format!("  handled: {right}")));
    lines.extend(plan.scopes().iter().map(|scope| format!("  scoped: {scope}")));
    let all = detail == Detail::All;
    if all {
        let rules = plan.landlock_rules();
        lines.push(format!("  rules: {}", rules.len()));
        lines.extend(rules.iter().map(|rule| {
            let first = rule.rights().into_iter().filter(|right| !NEWER.contains(right));
            format!("    {}: {}", rule.path, first.collect::<Vec<_>>().join(" "))
        }));
        for right in newer {
            let with = rules.iter().filter(|rule| rule.rights().contains(&right));
            let with: Vec<_> = with.map(|rule| rule.path.to_string()).collect();
            lines.push(format!("    and {right}: {}", with.join(" ")));
        }
    }
    lines.extend(
        plan.trapped_calls()
            .iter()
            .map(|calls| format!("  stops: {}: {}", calls.family, calls.what)),
    );
    for row in plan.ledger() {
        let rule = plan.policy().rule(row.rule);
        let why = row.holder.why().filter(|_| all || matches!(row.holder, Holder::KernelLacks(_)));
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        if all || rule.origin.is_user() {
            lines.push(format!(
                "  held by {}: {} `{}`{why}",
                row.holder.name(),
                rule.access,
                rule.pattern
            ));
        }
    }
    if all {
        lines.extend(plan.denied_more().iter().map(|more| format!("  denied more: {more}")));
    }
    lines.extend(plan.left_open().iter().map(|open| format!("  left open: {open}")));
    lines
}

fn lines(compiled: Result<Plan, CompileError>, detail: Detail) -> Vec<String> {
    match compiled {
        Ok(plan) => facts(&plan, detail),
        Err(error) => vec![format!("refused: {error}")],
    }
}

/// The lines of each ABI, equal ones together, and of the later ones only what is new and what is gone.
fn by_abi(of: impl Fn(u32) -> Vec<String>) -> String {
    let mut groups: Vec<(u32, u32, Vec<String>)> = Vec::new();
    for abi in ABIS {
        let lines = of(abi);
        match groups.last_mut() {
            Some((_, last, same)) if *same == lines => *last = abi,
            Some(_) | None => groups.push((abi, abi, lines)),
        }
    }
    let mut text = String::new();
    let mut before: &[String] = &[];
    for (first, last, lines) in &groups {
        let range = if first == last { first.to_string() } else { format!("{first} to {last}") };
        writeln!(text, "ABI {range}").unwrap();
        let is_other_outcome = lines.first() != before.first();
        for line in lines.iter().filter(|line| is_other_outcome || !before.contains(line)) {
            writeln!(text, "{} {line}", if is_other_outcome { " " } else { "+" }).unwrap();
        }
        for line in before.iter().filter(|line| !is_other_outcome && !lines.contains(line)) {
            writeln!(text, "- {line}").unwrap();
        }
        before = lines;
    }
    text
}

/// Everything about a policy: each mode and notification, those with the same outcome together.
fn report(
    world: &World,
    detail: Detail,
    compile: impl Fn(&KernelSupport, Mode) -> Result<Plan, CompileError>,
) -> String {
    let mut sections: Vec<(Vec<String>, String)> = Vec::new();
    for mode in MODES {
        // A long walk over the host need not be made three times for what nobody asks (`abis` holds that).
        let is_asked = mode != Mode::Kernel || detail == Detail::All;
        for &notification in if is_asked { &NOTIFICATIONS[..] } else { &NOTIFICATIONS[..1] } {
            let kernel = |abi| KernelSupport { notification, ..kernel(abi) };
            let text = by_abi(|abi| lines(compile(&kernel(abi), mode), detail));
            let name = format!(
                "mode {}, notification {}",
                mode.name(),
                format!("{notification:?}").to_lowercase()
            );
            match sections.iter_mut().find(|(_, other)| *other == text) {
                Some((names, _)) => names.push(name),
                None => sections.push((vec![name], text)),
            }
        }
    }
    let section =
        |(names, text): (Vec<String>, String)| format!("== {}\n{text}", names.join("\n== "));
    let all: Vec<String> = sections.into_iter().map(section).collect();
    all.join("\n").replace(&world.path(""), "")
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn policy(name: &str, allowed: &[&str], blocked: &[&str]) {
    let world = World::new(&[
        "/w/src/main.c",
        "/w/.git/config",
        "/w/note",
        "/w/bin/tool",
        "/home/",
        "/ro/x",
    ]);
    let compile = |kernel: &KernelSupport, mode| world.plan_for(kernel, mode, allowed, blocked);
    snapshot(name, &report(&world, Detail::All, compile));
}

#[test]
fn whole_directories() {
    policy("whole-directories", &["/w", "rx /ro"], &[]);
}

#[test]
fn a_name_that_is_blocked_everywhere() {
    policy("blocked-everywhere", &["/w"], &["**/.env"]);
}

#[test]
fn a_block_inside_an_allowed_directory() {
    policy("block-inside", &["/w", "r /ro"], &["w /w/.git"]);
}

#[test]
fn execution_denied_inside() {
    policy("execution-denied-inside", &["/w"], &["x /w/bin"]);
}

#[test]
fn everything_allowed_and_nothing_logged() {
    let world = World::new(&["/home/"]);
    let text = "security: {file_access: {presets: [], temporary: none, allowed_paths: [/**]}}\nlogging: {log_denials: false}";
    let compile = |kernel: &KernelSupport, mode| {
        Policy::parse(text, "p.yaml").unwrap().resolve(&world.host()).unwrap().compile(kernel, mode)
    };
    snapshot("everything", &report(&world, Detail::User, compile));
}

#[test]
fn sockets_that_listen_only_on_the_loopback() {
    let world = World::new(&["/w/", "/home/"]);
    let text = format!(
        "security: {{file_access: {{presets: [], temporary: none, allowed_paths: ['{}']}}, network: {{listen: loopback}}}}",
        world.path("/w")
    );
    let compile = |kernel: &KernelSupport, mode| {
        let policy = Policy::parse(text.as_str(), "p.yaml").unwrap();
        policy.resolve(&world.host()).unwrap().compile(kernel, mode)
    };
    snapshot("loopback", &report(&world, Detail::All, compile));
}

#[test]
fn the_built_in_default() {
    let world = World::new(&["/home/", "/elsewhere/.git/config", "/elsewhere/src/main.c"]);
    let compile = |kernel: &KernelSupport, mode| {
        Policy::builtin().resolve(&world.host()).unwrap().compile(kernel, mode)
    };
    snapshot("built-in-default", &report(&world, Detail::User, compile));
}

#[test]
fn the_example_policies() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies");
    let mut files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut files: Vec<_> = files
        .into_iter()
        .map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), file))
        .collect();
    files.push(("openclaw-service".to_owned(), directory.join("../openclaw/policy.yaml")));
    for (name, file) in files {
        let text = fs::read_to_string(&file).unwrap();
        let world = World::new(&["/home/", "/elsewhere/"]);
        let compile = |kernel: &KernelSupport, mode| {
            let policy = Policy::parse(text.as_str(), "p.yaml").unwrap();
            policy.resolve(&world.host()).unwrap().compile(kernel, mode)
        };
        snapshot(&format!("example-{name}"), &report(&world, Detail::User, compile));
    }
}
