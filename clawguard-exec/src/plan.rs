//! `plan`: who enforces each rule, and what the kernel will be told.

use std::io::Write;

use clawguard_core::{DeniedCall, Host, KernelSupport, Mode, Plan, denied_calls};
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
    presets: Vec<&'static str>,
    create: Vec<String>,
    needs_supervisor: Vec<NeedRow>,
    ledger: Vec<LedgerRow>,
    landlock_rules: Vec<LandlockRow>,
    handled_rights: Vec<&'static str>,
    scopes: Vec<&'static str>,
    denied_calls: Vec<CallRow>,
    not_enforced: Vec<String>,
    denied_more: Vec<String>,
    lints: Vec<LintRow>,
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

#[derive(Serialize)]
struct CallRow {
    call: &'static str,
    when: String,
    errno: String,
    forbids: &'static str,
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
    let calls = denied_calls(plan.kernel().arch).into_iter();
    Document {
        landlock_abi: plan.kernel().landlock_abi,
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
        handled_rights: plan.handled_rights(),
        scopes: plan.scopes().to_vec(),
        denied_calls: calls
            .map(|DeniedCall { call, when, errno, forbids }| CallRow { call, when, errno, forbids })
            .collect(),
        not_enforced: plan.left_open(),
        denied_more: plan.denied_more(),
        lints: plan
            .lints()
            .into_iter()
            .map(|lint| LintRow { kind: lint.kind, rule: rule(lint.rule), text: lint.text })
            .collect(),
    }
}

fn print(plan: &Plan, out: &mut impl Write) -> std::io::Result<()> {
    let policy = plan.policy();
    let needs = plan.needs();
    let headline = match plan.mode() {
        Mode::Auto => "This policy needs the supervisor:",
        Mode::Kernel => "The kernel alone denies more than these rules say:",
    };
    if needs.is_empty() {
        writeln!(
            out,
            "The kernel holds this policy alone (Landlock ABI {}).",
            plan.kernel().landlock_abi
        )?;
    } else {
        writeln!(out, "{headline}")?;
        for need in &needs {
            writeln!(out, "  {}\n      for {}", policy.rule(need.rule), need.what)?;
        }
    }
    writeln!(
        out,
        "\nPresets: {}",
        if policy.presets().is_empty() { "none".to_owned() } else { policy.presets().join(", ") }
    )?;
    section(out, "Directories made before the start", policy.create())?;
    section(
        out,
        "Remarks",
        plan.lints().iter().map(|lint| format!("{}: {}", lint.kind, lint.text)),
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
    section(out, "Not enforced by the kernel alone", plan.left_open())?;
    section(
        out,
        "Denied by the kernel alone although the policy may allow it",
        plan.denied_more(),
    )?;
    let rule =
        |rule: &clawguard_core::LandlockRule| format!("{}: {}", rule.path, rule.rights().join(" "));
    section(out, "Landlock rules", plan.landlock_rules().iter().map(rule))?;
    writeln!(
        out,
        "\nDenied by Landlock where no rule grants it: {}",
        plan.handled_rights().join(" ")
    )?;
    writeln!(out, "Landlock scopes: {}", plan.scopes().join(", "))?;
    let call = |call: &DeniedCall| {
        format!("{} {}: {} ({})", call.call, call.when, call.errno, call.forbids)
    };
    section(out, "Denied system calls", denied_calls(plan.kernel().arch).iter().map(call))?;
    writeln!(
        out,
        "  foreign architectures and x32, and calls unknown to this version: killed or ENOSYS"
    )
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
