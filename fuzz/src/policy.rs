//! A policy's text, from YAML to the kernel's words: no panic, the same answer twice, and every mistake has a place
//! in the text. The fuzzer's own limits on time and memory find what explodes.

use std::collections::BTreeMap;

use clawguard_core::{
    AbsPath, Access, Arch, Folding, Host, KernelSupport, Mistake, Mode, Notification, Origin,
    Policy, PolicyError, ResolvedPolicy,
};

const FILE: &str = "policy.yaml";

/// A host that is nobody's, on which most fronts of patterns do not exist.
fn host() -> Host {
    let path = |text: &str| AbsPath::parse(text).expect("an absolute path");
    let variable = |(name, value): (&str, &str)| (name.into(), value.into());
    let environment = [
        ("EMPTY", ""),
        ("RELATIVE", "a/b"),
        ("WORK", "/nonexistent/w/[a]*"),
        ("XDG_CONFIG_HOME", "/nonexistent/home/.config"),
    ];
    Host {
        home: Some(path("/nonexistent/home")),
        cwd: path("/nonexistent/home/project"),
        uid: 1000,
        environment: environment.into_iter().map(variable).collect::<BTreeMap<_, _>>(),
        shim: Some(path("/nonexistent/bin/clawguard-exec")),
        terminal: Some(path("/dev/pts/0")),
        command: Some("node".into()),
        temporary: Some(path("/nonexistent/tmp")),
        folding: Folding::new(vec![(path("/nonexistent/home/stick"), true)]),
        procfs: vec![clawguard_core::Procfs::usual()],
    }
}

fn kernel(landlock_abi: u32, notification: Notification, arch: Arch) -> KernelSupport {
    KernelSupport { landlock_abi, ptrace_scope: Some(1), notification, arch }
}

/// Checks one text.
pub fn check(text: &[u8]) {
    let _ = clawguard_core::fuzzing::is_preset(text);
    let policy = match (Policy::parse(text, FILE), Policy::parse(text, FILE)) {
        (Ok(one), Ok(other)) => {
            assert_eq!(format!("{one:?}"), format!("{other:?}"), "one text, two policies");
            one
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string(), "one text, two errors");
            return has_its_place(text, &one);
        }
        (one, other) => panic!("one text is a policy and is none: {one:?} {other:?}"),
    };
    for rule in policy.rules() {
        is_inside(text, &rule.origin);
    }
    let _ = (policy.warnings(), policy.logging());
    match policy.resolve(&host()) {
        Ok(resolved) => {
            decide(&resolved);
            compile(resolved, text);
        }
        Err(error) => has_its_place(text, &error),
    }
}

fn decide(resolved: &ResolvedPolicy) {
    let mut decider = resolved.decider();
    for path in ["/", "/nonexistent/home/.env", "/nonexistent/home/stick/.ENV", "/etc/passwd"] {
        let decision = decider.decide(&AbsPath::parse(path).expect("an absolute path"));
        for access in Access::ALL {
            let _ = resolved.reason(decision.verdict(access));
        }
    }
}

/// Compiles for one kernel in one mode, which the text's length and last byte decide: all of them would cost time.
fn compile(resolved: ResolvedPolicy, text: &[u8]) {
    let modes = [Mode::Auto, Mode::Supervised, Mode::Kernel];
    let kernels = [
        kernel(0, Notification::Missing, Arch::X86_64),
        kernel(1, Notification::Interruptible, Arch::Aarch64),
        kernel(7, Notification::Killable, Arch::X86_64),
        kernel(7, Notification::Killable, Arch::Aarch64),
    ];
    let last = usize::from(text.last().copied().unwrap_or_default());
    let kernel = &kernels[last % kernels.len()];
    if let Ok(plan) = resolved.compile(kernel, modes[text.len() % modes.len()]) {
        assert!(kernel.landlock_abi > 0, "a plan that nothing holds");
        let _ = (plan.ledger(), plan.lints(), plan.needs(), plan.loose(), plan.denied_more());
        for rule in plan.landlock_rules() {
            let _ = rule.rights();
        }
    }
}

fn has_its_place(text: &[u8], error: &PolicyError) {
    let PolicyError::Mistakes(mistakes) = error else {
        panic!("nothing was read from a file: {error}")
    };
    assert!(!mistakes.is_empty(), "an error without a mistake");
    for Mistake { origin, .. } in mistakes {
        is_inside(text, origin);
    }
}

/// Is this a place in the text, or right behind a line's end?
fn is_inside(text: &[u8], origin: &Origin) {
    let Origin::File { line, column, .. } = origin else { return };
    let text = String::from_utf8_lossy(text);
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = unified.split('\n').skip(*line as usize - 1);
    let Some(found) = lines.next() else { panic!("no line {line}, column {column}") };
    assert!(
        *column >= 1 && *column as usize <= found.chars().count() + 1,
        "no column {column} in line {line}: {found:?}"
    );
}
