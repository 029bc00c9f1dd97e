//! What this kernel cannot hold of the policy that is in use, and what a person should look at in the policy itself.

#![forbid(unsafe_code)]

use clawguard_core::{
    CompileError, Effect, KernelError, KernelSupport, Mode, Origin, Plan, ResolvedPolicy, quote,
};

use super::finding::{Finding, Severity};
use super::id::Id;

/// Since this Landlock ABI the kernel itself judges unix sockets by path.
const JUDGES_SOCKETS: u32 = 9;

pub(crate) fn check(policy: ResolvedPolicy, kernel: &KernelSupport, mode: Mode) -> Vec<Finding> {
    let plan = match policy.compile(kernel, mode) {
        Ok(plan) => plan,
        Err(error) => return vec![refused(&error)],
    };
    let mut findings = left_open(&plan);
    findings.extend(limits(&plan));
    findings.extend(remarks(&plan));
    findings
}

/// A kernel that does not say what it can do.
pub(crate) fn unknown(error: &KernelError) -> Finding {
    let reason = format!("no command starts under clawguard here: {error}");
    Finding::of_host(Id::KernelCannotEnforce, Severity::Critical, "this kernel", reason)
}

fn refused(error: &CompileError) -> Finding {
    let command = match error {
        CompileError::NoLandlock | CompileError::Filter(_) => None,
        CompileError::NoTracing { scope: 2 } => Some("sudo sysctl kernel.yama.ptrace_scope=1"),
        // Yama's strictest setting stays until the machine starts again.
        CompileError::NoTracing { .. }
        | CompileError::OldLandlock { .. }
        | CompileError::NoNotification => Some("clawguard-exec --mode kernel -- COMMAND"),
    };
    let reason = format!("no command starts under clawguard here: {error}");
    let finding =
        Finding::of_host(Id::KernelCannotEnforce, Severity::Critical, "this kernel", reason);
    match command {
        Some(command) => finding.command(command),
        None => finding,
    }
}

/// What the policy asks for and nobody holds; in kernel mode, what that mode leaves open.
fn left_open(plan: &Plan) -> Vec<Finding> {
    let open = plan.left_open().into_iter().map(|open| {
        let reason = format!("not enforced in this mode: {open}");
        let command = match plan.is_supervised() {
            true => "clawguard-exec plan",
            false => "clawguard-exec --mode auto plan",
        };
        Finding::of_host(Id::KernelLeftOpen, Severity::Warning, "what is not enforced", reason)
            .command(command)
    });
    let denied = plan.denied_more();
    let first = denied.first().map(|first| {
        let more = match denied.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more of the kind, which `plan` lists"),
        };
        let reason = format!("denied although the policy may allow it: {first}{more}");
        Finding::of_host(Id::KernelDeniesMore, Severity::Info, "what is denied besides", reason)
            .command("clawguard-exec plan")
    });
    open.chain(first).collect()
}

fn limits(plan: &Plan) -> Option<Finding> {
    let abi = plan.kernel().landlock_abi;
    let is_judged = abi >= JUDGES_SOCKETS || !plan.is_supervised();
    let reason = format!(
        "its Landlock ABI is {abi}: unix datagram sockets cannot be judged before ABI {JUDGES_SOCKETS} and are refused, \
         so syslog and systemd's notifications do not work under clawguard"
    );
    (!is_judged).then(|| {
        Finding::of_host(Id::KernelLimits, Severity::Info, "this kernel", reason)
            .command("clawguard-exec plan")
    })
}

fn remarks(plan: &Plan) -> Vec<Finding> {
    let policy = plan.policy();
    // The exceptions of presets are what presets are for, a block of what nothing allows is a precaution, such as
    // `init` takes, and the audit's own rule is nobody's.
    let is_ours =
        |rule| policy.rule(rule).origin == Origin::CommandLine { option: super::law::NOTHING };
    let lints = plan.lints().into_iter();
    let is_precaution = |lint: &clawguard_core::Lint| {
        let is_block = policy.rule(lint.rule).effect == Effect::Blocked;
        is_block && lint.kind == "redundant" && lint.text.ends_with("nothing allows it")
    };
    let lints = lints.filter(|lint| lint.kind != "exception" && !is_ours(lint.rule));
    let lints = lints.filter(|lint| !is_precaution(lint));
    let finding = |lint: clawguard_core::Lint| {
        let rule = policy.rule(lint.rule);
        let subject = format!("`{}` ({})", rule.pattern, rule.origin);
        let reason = format!("{}: {}", lint.kind, lint.text);
        let command = match &rule.origin {
            Origin::File { file, .. } => {
                let file = quote(file.as_os_str().as_encoded_bytes());
                format!("clawguard-exec --policy {file} plan")
            }
            Origin::Preset { .. } | Origin::CommandLine { .. } | Origin::BuiltIn { .. } => {
                "clawguard-exec plan".to_owned()
            }
        };
        Finding::of_host(Id::PolicyRemark, Severity::Info, &subject, reason).command(command)
    };
    lints.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use clawguard_core::{Arch, Host, Notification, Policy};

    use super::*;

    fn kernel(abi: u32) -> KernelSupport {
        KernelSupport {
            landlock_abi: abi,
            ptrace_scope: None,
            notification: Notification::Killable,
            arch: Arch::current(),
        }
    }

    fn found(kernel: &KernelSupport, mode: Mode) -> Vec<Finding> {
        let text = "security: {file_access: {presets: [], allowed_paths: [/usr]}}";
        let policy = Policy::parse(text, "p.yaml").unwrap();
        let policy = policy.resolve(&Host::current().unwrap()).unwrap();
        check(policy, kernel, mode)
    }

    fn ids(findings: &[Finding]) -> Vec<(Id, Severity)> {
        let mut ids: Vec<_> = findings.iter().map(|one| (one.id, one.severity)).collect();
        ids.dedup();
        ids
    }

    #[test]
    fn a_kernel_that_can_do_it_all_is_no_finding() {
        assert_eq!(ids(&found(&kernel(9), Mode::Auto)), []);
        assert_eq!(ids(&found(&kernel(7), Mode::Auto)), [(Id::KernelLimits, Severity::Info)]);
    }

    #[test]
    fn a_kernel_that_cannot_enforce_is_told_with_what_helps() {
        let old = kernel(5);
        let mut strict = kernel(7);
        strict.ptrace_scope = Some(2);
        let mut mute = kernel(7);
        mute.notification = Notification::Missing;
        for (kernel, command) in [
            (kernel(0), None),
            (old, Some("clawguard-exec --mode kernel -- COMMAND")),
            (strict, Some("sudo sysctl kernel.yama.ptrace_scope=1")),
            (mute, Some("clawguard-exec --mode kernel -- COMMAND")),
        ] {
            let found = found(&kernel, Mode::Auto);
            assert_eq!(ids(&found), [(Id::KernelCannotEnforce, Severity::Critical)]);
            assert_eq!(found[0].command.as_deref(), command);
        }
    }

    #[test]
    fn kernel_mode_tells_what_it_leaves_open() {
        let found = found(&kernel(7), Mode::Kernel);
        assert!(ids(&found).contains(&(Id::KernelLeftOpen, Severity::Warning)), "{found:?}");
    }
}
