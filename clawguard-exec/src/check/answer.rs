//! What `check` says of a path: a line for a person, an object for a program, and a loud complaint where policy and
//! kernel disagree.

#![forbid(unsafe_code)]

use std::io::Write;

use clawguard_core::{Access, Act, Outcome, ResolvedPolicy, escape};
use rustix::io::Errno;

use super::Question;
use super::outside::Other;
use super::probe::{Agreement, Probed, is_of_a_process};
use crate::cli::CheckArguments;
use crate::exit::Failure;
use crate::{json, report};

/// What denies each access besides the policy, in the order of [`Access::ALL`].
pub(super) type Others = [Option<Other>; 3];

pub(super) struct Answer<'a> {
    pub(super) policy: &'a ResolvedPolicy,
    pub(super) question: &'a Question,
    pub(super) others: &'a Others,
    pub(super) probed: Option<&'a [Probed; 3]>,
}

impl Answer<'_> {
    pub(super) fn write(
        &self,
        arguments: &CheckArguments,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let Question { given, real, decision, outsider, .. } = self.question;
        if arguments.json {
            let check = json::Check::new(self.policy, given, real.as_bytes(), decision);
            let check = check.with(*outsider, self.json_others(), self.json_probe());
            serde_json::to_writer(&mut *out, &check)?;
            out.write_all(b"\n")?;
            return Ok(());
        }
        let name = escape(given);
        let real = match real.as_bytes() == given.as_slice() {
            true => String::new(),
            false => format!(" -> {real}"),
        };
        let verdicts = Access::ALL.map(|access| self.verdict(access)).join(", ");
        writeln!(out, "{name}{real}: {verdicts}")?;
        Ok(())
    }

    fn verdict(&self, access: Access) -> String {
        let verdict = self.question.decision.verdict(access);
        let word = if verdict.is_allowed() { "allowed" } else { "denied" };
        let mut text = format!("{access} {word} [{}]", self.question.reason(self.policy, access));
        let mut remarks: Vec<String> = Vec::new();
        if verdict.is_allowed() && is_of_a_process(&self.question.real) {
            remarks.push("of the target's own processes".to_owned());
        }
        let probed = self.probed.map(|probed| &probed[access.index()]);
        remarks.extend(probed.map(remark));
        let is_told = |one: &Probed| matches!(one.agreement, Agreement::Elsewhere(_));
        if let Some(other) = &self.others[access.index()]
            && !probed.is_some_and(is_told)
        {
            remarks.push(format!("but {}", other.text));
        }
        if !remarks.is_empty() {
            text.push_str(&format!(" ({})", remarks.join("; ")));
        }
        text
    }

    fn json_others(&self) -> Vec<json::Other> {
        let of = |access: Access| {
            let probed = self.probed.map(|probed| &probed[access.index()].agreement);
            let other = match probed {
                Some(Agreement::Elsewhere(other)) => Some(other),
                Some(_) | None => self.others[access.index()].as_ref(),
            }?;
            Some(json::Other::new(access, other.who.name(), other.path.as_bytes(), &other.text))
        };
        Access::ALL.into_iter().filter_map(of).collect()
    }

    fn json_probe(&self) -> Option<json::Probe> {
        let of = |one: &Probed| json::Tried {
            tried: one.act.map(|act| act_name(act, one.access)),
            errno: one.outcome.map(|outcome| match outcome {
                Outcome::Worked => 0,
                Outcome::Failed(errno) => errno,
            }),
            result: one.agreement.name(),
            text: explanation(&one.agreement),
        };
        self.probed.map(|[r, w, x]| json::Probe { r: of(r), w: of(w), x: of(x) })
    }
}

fn explanation(agreement: &Agreement) -> Option<String> {
    match agreement {
        Agreement::NotTried(why) => Some((*why).to_owned()),
        Agreement::Elsewhere(other) => Some(other.text.clone()),
        Agreement::Shortfall(text) | Agreement::Interpreter(text) => Some(text.clone()),
        Agreement::Changed => Some("the path led elsewhere afterwards".to_owned()),
        Agreement::Agrees | Agreement::LetThrough | Agreement::HeldBack => None,
    }
}

fn remark(one: &Probed) -> String {
    let outcome = one.outcome.map_or_else(String::new, outcome);
    match &one.agreement {
        Agreement::NotTried(why) => format!("not tried: {why}"),
        Agreement::Agrees => format!("tried: {outcome}"),
        Agreement::Elsewhere(other) => format!("tried: {outcome}, for {}", other.text),
        Agreement::Shortfall(text) => {
            format!("tried: {outcome}, since the kernel denies more than the policy here: {text}")
        }
        Agreement::Interpreter(text) => format!("tried: {outcome}, since {text}"),
        Agreement::Changed => "tried, but the path led elsewhere afterwards".to_owned(),
        Agreement::LetThrough | Agreement::HeldBack => format!("tried: {outcome}: DISAGREES"),
    }
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Worked => "it works".to_owned(),
        Outcome::Failed(errno) => {
            let error = std::io::Error::from_raw_os_error(errno);
            name(errno).map_or_else(|| error.to_string(), str::to_owned)
        }
    }
}

/// The kernel's name of the usual ones.
fn name(errno: i32) -> Option<&'static str> {
    let names = [
        (Errno::ACCESS, "EACCES"),
        (Errno::PERM, "EPERM"),
        (Errno::NOENT, "ENOENT"),
        (Errno::NOTDIR, "ENOTDIR"),
        (Errno::ISDIR, "EISDIR"),
        (Errno::ROFS, "EROFS"),
        (Errno::TXTBSY, "ETXTBSY"),
        (Errno::LOOP, "ELOOP"),
        (Errno::NXIO, "ENXIO"),
        (Errno::AGAIN, "EAGAIN"),
        (Errno::NOSPC, "ENOSPC"),
        (Errno::OPNOTSUPP, "EOPNOTSUPP"),
    ];
    names.iter().find(|(known, _)| known.raw_os_error() == errno).map(|(_, name)| *name)
}

/// What was tried, for programs.
fn act_name(act: Act, access: Access) -> &'static str {
    match (act, access) {
        (Act::OpenToRead, _) => "open_to_read",
        (Act::List, _) => "list",
        (Act::OpenToWrite, _) => "open_to_write",
        (Act::MakeUnnamed, _) => "make_unnamed_file",
        (Act::CheckExecution, _) => "check_execution",
        (Act::Ask(_), Access::Read | Access::Write | Access::Execute) => "access",
    }
}

/// Policy and kernel disagree: a bug, and a dangerous one if the policy denies.
pub(super) fn complain(policy: &ResolvedPolicy, question: &Question, one: &Probed) {
    for line in complaint(policy, question, one).into_iter().flatten() {
        report::line(&line);
    }
}

/// What is said of a disagreement, and what is to be done about it.
fn complaint(policy: &ResolvedPolicy, question: &Question, one: &Probed) -> Option<[String; 2]> {
    let (access, path) = (one.access, &question.real);
    let reason = question.reason(policy, access);
    let outcome = one.outcome.map_or_else(String::new, outcome);
    let tried = one.act.map_or("nothing", |act| act_name(act, access));
    let (what, bug) = match one.agreement {
        Agreement::LetThrough => (
            format!(
                "the policy denies {access} on `{path}` [{reason}], and a confined process was let ({tried})"
            ),
            "this is a security bug of clawguard: please report it as SECURITY.md says",
        ),
        Agreement::HeldBack => (
            format!(
                "the policy allows {access} on `{path}` [{reason}], and a confined process got {outcome} ({tried}), \
                 which an unconfined one does not"
            ),
            "this is a bug of clawguard: please report it",
        ),
        Agreement::NotTried(_)
        | Agreement::Agrees
        | Agreement::Elsewhere(_)
        | Agreement::Shortfall(_)
        | Agreement::Interpreter(_)
        | Agreement::Changed => return None,
    };
    let with = "with the line above, the policy and what `clawguard-exec --version` prints";
    Some([format!("DISAGREEMENT: {what}"), format!("{bug}, {with}")])
}

#[cfg(test)]
mod tests {
    use clawguard_core::{AbsPath, Host, Policy};

    use super::*;

    #[test]
    fn a_disagreement_names_the_path_the_rule_and_where_to_report_it() {
        let text =
            "security: {file_access: {presets: [], allowed_paths: [/w], blocked_paths: [/w/s]}}";
        let policy = Policy::parse(text, "p").unwrap().resolve(&Host::current().unwrap()).unwrap();
        let real = AbsPath::parse("/w/s").unwrap();
        let decision = policy.decider().decide(&real);
        let path = b"/w/s".to_vec();
        let (given, absolute) = (path.clone(), path);
        let question = Question { given, absolute, real, decision, outsider: None, pin: None };
        let said = |agreement: Agreement| {
            let act = Some(Act::OpenToRead);
            let outcome = Some(Outcome::Worked);
            let one = Probed { access: Access::Read, act, outcome, agreement };
            complaint(&policy, &question, &one)
        };
        let [what, plea] = said(Agreement::LetThrough).unwrap();
        assert_eq!(
            what,
            "DISAGREEMENT: the policy denies r on `/w/s` [blocked rwx `/w/s` (p:1)], and a confined process was let \
             (open_to_read)"
        );
        assert!(plea.contains("security bug") && plea.contains("SECURITY.md"), "{plea}");
        let [what, plea] = said(Agreement::HeldBack).unwrap();
        assert!(what.contains("an unconfined one does not") && !plea.contains("security"));
        assert_eq!(said(Agreement::Agrees), None);
    }
}
