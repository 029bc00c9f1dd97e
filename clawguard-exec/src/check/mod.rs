//! `check`: what the policy decides about paths, which line decides, who else denies, and with `--probe` what a
//! confined process could really do. Changes nothing.

#![forbid(unsafe_code)]

mod answer;
mod outside;
mod probe;

use std::io::{BufRead, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{
    AbsPath, Access, Decider, Decision, Host, KernelSupport, Links, Refusal, ResolvedPolicy,
    RuleId, without_capabilities,
};

use rustix::process::{Pid, test_kill_process};

use self::answer::{Answer, Others};
use self::outside::{Other, Who};
use self::probe::{Asking, Comparison, Probe, Probed};
use crate::cli::{CheckArguments, Cli};
use crate::exit::{Exit, Failure};
use crate::{policy, report};

/// How many paths are looked at together. A probe tries all of them in one process.
const BATCH: usize = 1024;

/// A path that was asked for, and what the law says of it.
struct Question {
    /// As it was given.
    given: Vec<u8>,
    /// Made absolute, links not followed.
    absolute: Vec<u8>,
    real: AbsPath,
    decision: Decision,
    /// The process outside in whose part of /proc it lies: everything is denied.
    outsider: Option<u32>,
    /// The rule because of which a directory here can be neither removed nor moved.
    pin: Option<RuleId>,
}

pub(crate) fn check(cli: &Cli, arguments: &CheckArguments) -> Result<Exit, Failure> {
    if arguments.paths.is_empty() && !arguments.stdin {
        return Err(Failure::new(
            Exit::Ours,
            "nothing to check: name paths, or give them with --stdin",
        ));
    }
    let mut host = Host::current()?.with_preview_of_temporary();
    if let Some(command) = &arguments.command {
        host = host.with_command(command);
    }
    if arguments.probe && clawguard_core::is_confined() {
        let text = "already confined by clawguard: nobody can be confined by another policy here, so run check --probe \
                    outside";
        return Err(Failure::new(Exit::Ours, text));
    }
    let resolved = policy::resolve(cli, &host)?;
    let mut check = Check {
        policy: &resolved,
        decider: resolved.decider(),
        host: &host,
        links: Links::default(),
        waiting: Vec::new(),
        denied: false,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    if arguments.probe {
        each_path(arguments, |path| check.ask(arguments, path))?;
        let (questions, denied) = (check.waiting, check.denied);
        let agreed = probe_all(cli, arguments, resolved, &questions, &mut out)?;
        out.flush()?;
        return Ok(match (agreed, denied) {
            (Agreed::NotAlways, _) => Exit::Disagrees,
            (Agreed::Always, true) => Exit::Denied,
            (Agreed::Always, false) => Exit::Done,
        });
    }
    each_path(arguments, |path| {
        check.ask(arguments, path)?;
        if check.waiting.len() < BATCH {
            return Ok(());
        }
        let questions = std::mem::take(&mut check.waiting);
        tell(arguments, &resolved, &questions, &mut out)
    })?;
    tell(arguments, &resolved, &check.waiting, &mut out)?;
    out.flush()?;
    Ok(if check.denied { Exit::Denied } else { Exit::Done })
}

/// Each path that is asked for, in order.
fn each_path(
    arguments: &CheckArguments,
    mut ask: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    arguments.paths.iter().try_for_each(|path| ask(path.as_bytes()))?;
    if !arguments.stdin {
        return Ok(());
    }
    let mut input = std::io::stdin().lock();
    let mut path = Vec::new();
    while input.read_until(0, &mut path)? > 0 {
        if path.last() == Some(&0) {
            path.pop();
        }
        ask(&path)?;
        path.clear();
    }
    Ok(())
}

struct Check<'a> {
    policy: &'a ResolvedPolicy,
    host: &'a Host,
    decider: Decider,
    links: Links,
    waiting: Vec<Question>,
    denied: bool,
}

impl Question {
    /// Why an access is allowed or denied.
    fn reason(&self, policy: &ResolvedPolicy, access: Access) -> String {
        match self.outsider {
            Some(number) => format!("process {number} is outside of the target"),
            None => policy.reason(self.decision.verdict(access)),
        }
    }
}

impl Check<'_> {
    fn ask(&mut self, arguments: &CheckArguments, path: &[u8]) -> Result<(), Failure> {
        if path.is_empty() {
            return Err(Failure::new(Exit::Ours, "an empty path cannot be checked"));
        }
        let absolute = match path.starts_with(b"/") {
            true => path.to_vec(),
            false => [self.host.cwd.as_bytes(), b"/", path].concat(),
        };
        let real = self.links.follow_raw(&absolute);
        let outsider = self.outsider(&absolute, &real);
        let decision = match outsider {
            Some(_) => Decision::denied(),
            None => self.decider.decide(&real),
        };
        let asked = arguments.access.unwrap_or_default();
        self.denied |= asked.iter().any(|access| !decision.verdict(access).is_allowed());
        let pin = self.decider.pin(&real).filter(|_| real.as_path().is_dir());
        let given = path.to_vec();
        self.waiting.push(Question { given, absolute, real, decision, outsider, pin });
        Ok(())
    }

    /// The process outside in whose part of a procfs a path lies, or a link on the way there: its root, its descriptors.
    fn outsider(&mut self, absolute: &[u8], real: &AbsPath) -> Option<u32> {
        let way = self.links.links_on(absolute);
        let places = way.iter().chain([real]);
        places.filter_map(|path| self.policy.process_at(path)).find(|number| is_outside(*number))
    }
}

/// Is this process outside of the target? That is who runs now, since the target starts later. Within a target it is who
/// cannot be signalled. The number of this process stands for each process's own.
fn is_outside(number: u32) -> bool {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    let is_reached = || pid.is_some_and(|pid| test_kill_process(pid).is_ok());
    number != std::process::id() && !(clawguard_core::is_confined() && is_reached())
}

/// Who else denies, for each access that the law allows. To be asked without capabilities.
fn others(policy: &ResolvedPolicy, questions: &[Question]) -> Vec<Others> {
    let of = |question: &Question| {
        Access::ALL.map(|access| {
            let is_allowed = question.decision.verdict(access).is_allowed();
            let other =
                || outside::find(&question.real, access).or_else(|| pin(policy, question, access));
            is_allowed.then(other).flatten()
        })
    };
    questions.iter().map(of).collect()
}

/// That a directory cannot be removed although it may be changed.
fn pin(policy: &ResolvedPolicy, question: &Question, access: Access) -> Option<Other> {
    let rule = policy.rule(question.pin.filter(|_| access == Access::Write)?);
    let reason = Refusal::Pinned.reason();
    let text = format!(
        "it can be neither removed nor moved: {reason} (`{}`, {})",
        rule.pattern, rule.origin
    );
    Some(Other { who: Who::Pin, path: question.real.clone(), text })
}

fn tell(
    arguments: &CheckArguments,
    policy: &ResolvedPolicy,
    questions: &[Question],
    out: &mut impl Write,
) -> Result<(), Failure> {
    let others = without_capabilities(|| others(policy, questions))?;
    for (question, others) in questions.iter().zip(&others) {
        Answer { policy, question, others, probed: None }.write(arguments, out)?;
    }
    Ok(())
}

/// Does the kernel do what the policy says?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreed {
    Always,
    NotAlways,
}

/// Tries everything in one confined process, and compares.
fn probe_all(
    cli: &Cli,
    arguments: &CheckArguments,
    resolved: ResolvedPolicy,
    questions: &[Question],
    out: &mut impl Write,
) -> Result<Agreed, Failure> {
    let plan = resolved.compile(&KernelSupport::probe()?, cli.mode.into())?;
    let asking = if plan.is_supervised() { Asking::Judged } else { Asking::Unjudged };
    let probe = Probe { policy: plan.policy(), questions };
    let trials = probe.trials(asking);
    let shortfalls = probe::shortfalls(&plan, questions);
    let outcomes = plan.attempt(probe::attempts(&trials))?;
    let comparison =
        Comparison { probe: &probe, trials: &trials, shortfalls: &shortfalls, outcomes };
    let policy = plan.policy();
    let (others, all) = without_capabilities(|| (others(policy, questions), comparison.all()))?;
    for ((question, others), probed) in questions.iter().zip(&others).zip(&all) {
        Answer { policy, question, others, probed: Some(probed) }.write(arguments, out)?;
    }
    out.flush()?;
    let wrong = all.iter().flatten().filter(|one| one.agreement.is_disagreement()).count();
    for (question, probed) in questions.iter().zip(&all) {
        for one in probed.iter().filter(|one| one.agreement.is_disagreement()) {
            answer::complain(policy, question, one);
        }
    }
    if !cli.quiet {
        report::line(&count(&all));
    }
    Ok(if wrong == 0 { Agreed::Always } else { Agreed::NotAlways })
}

/// What became of all that was asked, in a line.
fn count(all: &[[Probed; 3]]) -> String {
    let tried = all.iter().flatten().filter(|one| one.outcome.is_some()).count();
    let wrong = all.iter().flatten().filter(|one| one.agreement.is_disagreement()).count();
    let not_tried = all.len() * Access::ALL.len() - tried;
    format!(
        "probe: {tried} accesses tried, {wrong} disagree with the policy; {not_tried} not tried"
    )
}
