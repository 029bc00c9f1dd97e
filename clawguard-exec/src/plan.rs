//! `plan`: who enforces each rule, and what the kernel will be told.

use std::ffi::OsStr;
use std::io::Write;

use clawguard_core::{
    DeniedCall, Host, KernelSupport, LandlockRule, Listen, Loose, Plan, Removal,
    ResolvedEnvironment, TrappedCalls, escape,
};
use serde::Serialize;

use crate::cli::{Cli, PlanArguments};
use crate::exit::{Exit, Failure};
use crate::{json, policy};

pub(crate) fn plan(cli: &Cli, arguments: &PlanArguments) -> Result<Exit, Failure> {
    let mut host = Host::current()?.with_preview_of_temporary();
    if let Some(command) = arguments.command.first() {
        host = host.with_command(command);
    }
    let resolved = policy::resolve(cli, &host)?;
    let plan = resolved.compile(&KernelSupport::probe()?, cli.mode.into())?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &document(&plan))?;
        writeln!(out)?;
    } else {
        print(&plan, &mut out)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Document {
    landlock_abi: u32,
    supervised: bool,
    presets: Vec<&'static str>,
    create: Vec<String>,
    needs_supervisor: Vec<NeedRow>,
    ledger: Vec<LedgerRow>,
    landlock_rules: Vec<LandlockRow>,
    loose: Vec<LooseRow>,
    handled_rights: Vec<&'static str>,
    scopes: Vec<&'static str>,
    trapped_calls: Vec<TrappedRow>,
    denied_calls: Vec<CallRow>,
    environment: EnvironmentRows,
    not_enforced: Vec<String>,
    denied_more: Vec<String>,
    lints: Vec<LintRow>,
    listen: Option<ListenRow>,
}

#[derive(Serialize)]
struct NeedRow {
    rule: json::Rule,
    what: String,
}

#[derive(Serialize)]
struct LedgerRow {
    rule: json::Rule,
    access: String,
    holder: &'static str,
    why: Option<String>,
}

#[derive(Serialize)]
struct LandlockRow {
    path: String,
    rights: Vec<&'static str>,
}

/// A directory in which only the supervisor holds these accesses.
#[derive(Serialize)]
struct LooseRow {
    path: String,
    access: String,
    blocks: Vec<json::Rule>,
}

#[derive(Serialize)]
struct TrappedRow {
    family: &'static str,
    what: String,
}

#[derive(Serialize)]
struct CallRow {
    call: &'static str,
    when: String,
    errno: String,
    forbids: &'static str,
}

/// Where sockets may listen, and what says so.
#[derive(Serialize)]
struct ListenRow {
    on: &'static str,
    origin: String,
    line: Option<u32>,
}

#[derive(Serialize)]
struct EnvironmentRows {
    removed: Vec<RemovedRow>,
    set: Vec<SetRow>,
}

/// A variable that is not handed on. Never its value.
#[derive(Serialize)]
struct RemovedRow {
    name: String,
    by: &'static str,
    why: Option<&'static str>,
}

#[derive(Serialize)]
struct SetRow {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct LintRow {
    kind: &'static str,
    rule: json::Rule,
    text: String,
}

fn document(plan: &Plan) -> Document {
    let policy = plan.policy();
    let rule = |id| json::Rule::new(policy, id);
    let ledger = plan.ledger();
    let ledger = ledger.iter().map(|row| LedgerRow {
        rule: rule(row.rule),
        access: policy.rule(row.rule).access.to_string(),
        holder: row.holder.name(),
        why: row.holder.why().map(str::to_owned),
    });
    let landlock = plan.landlock_rules().iter();
    let loose = plan.loose().iter().map(|loose| LooseRow {
        path: loose.path.to_string(),
        access: loose.access.to_string(),
        blocks: loose.blocks.iter().copied().map(rule).collect(),
    });
    let trapped = plan.trapped_calls().into_iter();
    let calls = plan.denied_calls().into_iter();
    Document {
        landlock_abi: plan.kernel().landlock_abi,
        supervised: plan.is_supervised(),
        presets: policy.presets().to_vec(),
        create: policy.create().map(ToString::to_string).collect(),
        needs_supervisor: plan
            .needs()
            .into_iter()
            .map(|need| NeedRow { rule: rule(need.rule), what: need.what })
            .collect(),
        ledger: ledger.collect(),
        landlock_rules: landlock
            .map(|row| LandlockRow { path: row.path.to_string(), rights: row.rights() })
            .collect(),
        loose: loose.collect(),
        handled_rights: plan.handled_rights(),
        scopes: plan.scopes().to_vec(),
        trapped_calls: trapped
            .map(|TrappedCalls { family, what }| TrappedRow { family, what })
            .collect(),
        denied_calls: calls
            .map(|DeniedCall { call, when, errno, forbids }| CallRow { call, when, errno, forbids })
            .collect(),
        environment: environment(policy.environment()),
        not_enforced: plan.left_open(),
        denied_more: plan.denied_more(),
        lints: plan
            .lints()
            .into_iter()
            .map(|lint| LintRow { kind: lint.kind, rule: rule(lint.rule), text: lint.text })
            .collect(),
        listen: policy.listen().map(|(listen, origin)| ListenRow {
            on: listen.name(),
            origin: origin.name(),
            line: origin.line(),
        }),
    }
}

fn print(plan: &Plan, out: &mut impl Write) -> std::io::Result<()> {
    let policy = plan.policy();
    headline(plan, out)?;
    writeln!(
        out,
        "\nPresets: {}",
        if policy.presets().is_empty() { "none".to_owned() } else { policy.presets().join(", ") }
    )?;
    section(out, "Directories made before the start", policy.create())?;
    listening(plan, out)?;
    section(
        out,
        "Remarks",
        plan.lints()
            .iter()
            .map(|lint| format!("{}: {}", lint.kind, lint.text))
            .chain(policy.remarks().iter().map(|remark| format!("git: {remark}"))),
    )?;
    writeln!(out, "\nRules, and who holds them for opens, creations, removals and execs:")?;
    for row in plan.ledger() {
        let why = row.holder.why().map_or_else(String::new, |why| match row.holder.name() {
            "kernel" => format!(" (also denies {why})"),
            "supervisor" => format!(" (for {why})"),
            _ => format!(" ({why})"),
        });
        writeln!(out, "  {:10} {}{why}", row.holder.name(), policy.rule(row.rule))?;
    }
    let (open, denied) = match plan.is_supervised() {
        true => (
            "Not enforced",
            "Not executed although the policy may allow it: only what existed at the start can be",
        ),
        false => (
            "Not enforced by the kernel alone",
            "Denied by the kernel alone although the policy may allow it",
        ),
    };
    section(out, open, plan.left_open())?;
    section(out, denied, plan.denied_more())?;
    loose(plan, out)?;
    let EnvironmentRows { removed, set } = environment(policy.environment());
    let removed = removed.iter().map(|row| {
        let RemovedRow { name, by: _, why } = row;
        format!("{name}: {}", why.unwrap_or("the policy removes it"))
    });
    section(out, "Variables that are not handed on", removed)?;
    let set = set.iter().map(|row| format!("{}={}", row.name, row.value));
    section(out, "Variables that are set", set)?;
    let rule = |rule: &LandlockRule| format!("{}: {}", rule.path, rule.rights().join(" "));
    section(out, "Landlock rules", plan.landlock_rules().iter().map(rule))?;
    writeln!(
        out,
        "\nDenied by Landlock where no rule grants it: {}",
        plan.handled_rights().join(" ")
    )?;
    writeln!(out, "Landlock scopes: {}", plan.scopes().join(", "))?;
    let trapped = |calls: &TrappedCalls| format!("{:10} {}", calls.family, calls.what);
    section(
        out,
        "System calls that the supervisor answers",
        plan.trapped_calls().iter().map(trapped),
    )?;
    let call = |call: &DeniedCall| {
        format!("{} {}: {} ({})", call.call, call.when, call.errno, call.forbids)
    };
    section(out, "Denied system calls", plan.denied_calls().iter().map(call))?;
    writeln!(
        out,
        "  foreign architectures and x32, and calls unknown to this version: killed or ENOSYS"
    )
}

fn environment(environment: &ResolvedEnvironment) -> EnvironmentRows {
    let text = |text: &OsStr| escape(text.as_encoded_bytes());
    let removed = environment.remove.iter().map(|(name, removal)| {
        let (by, why) = match removal {
            Removal::Policy => ("policy", None),
            Removal::Default { why, .. } => ("default", Some(*why)),
        };
        RemovedRow { name: text(name), by, why }
    });
    let set = environment.set.iter();
    let set = set.map(|(name, value)| SetRow { name: text(name), value: text(value) });
    EnvironmentRows { removed: removed.collect(), set: set.collect() }
}

/// Who enforces, and the rules that are more than the kernel's.
fn headline(plan: &Plan, out: &mut impl Write) -> std::io::Result<()> {
    let abi = plan.kernel().landlock_abi;
    let needs = plan.needs();
    match (needs.is_empty(), plan.is_supervised()) {
        (true, false) => {
            return writeln!(out, "The kernel holds this policy alone (Landlock ABI {abi}).");
        }
        (true, true) => {
            return writeln!(
                out,
                "The kernel holds every rule of this policy for opens, creations, removals and execs (Landlock ABI \
                 {abi}); the supervisor holds the rest: metadata, entries of what is no longer as it was, sockets, \
                 watches."
            );
        }
        (false, true) => {
            writeln!(out, "The supervisor holds what Landlock cannot say of these rules:")?
        }
        (false, false) => writeln!(out, "The kernel alone denies more than these rules say:")?,
    }
    for need in &needs {
        writeln!(out, "  {}\n      for {}", plan.policy().rule(need.rule), need.what)?;
    }
    Ok(())
}

/// Each loose directory, with the rules that only the supervisor holds in it.
fn loose(plan: &Plan, out: &mut impl Write) -> std::io::Result<()> {
    let line = |loose: &Loose| {
        let rules = loose.blocks.iter().map(|rule| plan.policy().rule(*rule).to_string());
        let rules: Vec<String> = rules.collect();
        let rules =
            if rules.is_empty() { "nothing allows it".to_owned() } else { rules.join(", ") };
        format!("{} {}: {rules}", loose.access, loose.path)
    };
    section(
        out,
        "Granted by Landlock so that programs can be executed, and held by the supervisor alone",
        plan.loose().iter().map(line),
    )
}

/// Where sockets may listen, if anything says so; nobody holds it without a supervisor.
fn listening(plan: &Plan, out: &mut impl Write) -> std::io::Result<()> {
    match plan.policy().listen() {
        Some((Listen::Loopback, origin)) if plan.is_supervised() => {
            writeln!(out, "Sockets listen on loopback addresses only ({origin})")
        }
        Some((Listen::Loopback | Listen::Any, _)) | None => Ok(()),
    }
}

fn section<T: ToString>(
    out: &mut impl Write,
    title: &str,
    lines: impl IntoIterator<Item = T>,
) -> std::io::Result<()> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        writeln!(out, "\n{title}:")?;
    }
    lines.try_for_each(|line| writeln!(out, "  {}", line.to_string()))
}
