//! `--probe`: a confined process really tries, and what became of it is compared with the law.
//!
//! Nothing that is tried changes, makes or executes anything. Where that cannot be had, nothing is tried, and the
//! answer says so.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use clawguard_core::{
    AbsPath, Access, Act, Attempt, Decider, Links, Outcome, Plan, ResolvedPolicy, Verdict,
};
use rustix::io::Errno;

use super::Question;
use super::outside::{self, Other};

/// What is tried for one access of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// This.
    Made(Attempt),
    /// Nothing, for this reason.
    Not(&'static str),
}

/// What the law and the attempt say of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// Nothing was tried.
    NotTried(&'static str),
    /// Allowed and it worked, or denied and it failed.
    Agrees,
    /// The policy allows it, and something else denies it.
    Elsewhere(Other),
    /// The policy allows it, and the kernel is known to deny more here.
    Shortfall(String),
    /// The file is allowed to be executed, and what has to run it is not.
    Interpreter(String),
    /// The path led elsewhere afterwards: what was tried is not what was judged.
    Changed,
    /// The policy denies it, and it worked.
    LetThrough,
    /// The policy allows it, outside it works, and it failed.
    HeldBack,
}

impl Agreement {
    /// The word for programs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Agreement::NotTried(_) => "not_tried",
            Agreement::Agrees => "agrees",
            Agreement::Elsewhere(_) => "denied_elsewhere",
            Agreement::Shortfall(_) => "shortfall",
            Agreement::Interpreter(_) => "interpreter_denied",
            Agreement::Changed => "changed_meanwhile",
            Agreement::LetThrough => "let_through",
            Agreement::HeldBack => "held_back",
        }
    }

    /// Is clawguard wrong about it?
    pub(super) fn is_disagreement(&self) -> bool {
        match self {
            Agreement::LetThrough | Agreement::HeldBack => true,
            Agreement::NotTried(_)
            | Agreement::Agrees
            | Agreement::Elsewhere(_)
            | Agreement::Shortfall(_)
            | Agreement::Interpreter(_)
            | Agreement::Changed => false,
        }
    }
}

/// One access of one path, tried.
#[derive(Clone, Debug)]
pub(super) struct Probed {
    pub(super) access: Access,
    /// What was tried, in a word.
    pub(super) act: Option<Act>,
    pub(super) outcome: Option<Outcome>,
    pub(super) agreement: Agreement,
}

/// What else is known of an attempt that failed although the law allows it.
pub(super) enum Outside {
    /// The same worked for a process that is not confined.
    Works,
    /// It failed there too, for this.
    Fails(Other),
}

/// Compares. `outside` and `shortfall` are asked only where the law allows what failed.
pub(super) fn compare(
    law: Verdict,
    confined: Outcome,
    outside: impl FnOnce() -> Outside,
    shortfall: impl FnOnce() -> Option<String>,
) -> Agreement {
    match (law, confined) {
        (Verdict::Allowed(_), Outcome::Worked) => Agreement::Agrees,
        (Verdict::Denied(_) | Verdict::NothingAllows, Outcome::Worked) => Agreement::LetThrough,
        (Verdict::Denied(_) | Verdict::NothingAllows, Outcome::Failed(_)) => Agreement::Agrees,
        (Verdict::Allowed(_), Outcome::Failed(_)) => match outside() {
            Outside::Fails(other) => Agreement::Elsewhere(other),
            Outside::Works => shortfall().map_or(Agreement::HeldBack, Agreement::Shortfall),
        },
    }
}

/// Chooses what to try, tries all of it in one confined process, and compares.
pub(super) struct Probe<'a> {
    pub(super) policy: &'a ResolvedPolicy,
    pub(super) questions: &'a [Question],
}

/// Where opens for writing are known to change nothing, by `f_type` of statfs(2): ext4, btrfs, xfs, f2fs, tmpfs, bcachefs,
/// ZFS, ramfs. Not overlayfs, which copies the file up, nor what is in user space or in the network.
const PLAIN: [i64; 8] = [
    0xef53,
    0x9123_683e,
    0x5846_5342,
    0xf2f5_2010,
    0x0102_1994,
    0xca45_1a4e,
    0x2fc1_2fc1,
    0x8584_58f6,
];

/// File systems where an open alone may do something: debugfs and tracefs.
const ODD: [i64; 2] = [0x6462_6720, 0x7472_6163];

/// The character devices of drivers/char/mem.c that are safe to open: null, zero, full, random, urandom.
const SAFE_DEVICES: [u32; 5] = [3, 5, 7, 8, 9];

/// What a file system lets be tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    Plain,
    Other,
    Odd,
}

/// Can access(2) stand for an open? Landlock alone does not judge it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    Judged,
    Unjudged,
}

/// Does this kernel know `AT_EXECVE_CHECK`?
fn knows_execution_checks() -> bool {
    let attempt = Attempt { path: c"/proc/self/exe".to_owned(), act: Act::CheckExecution };
    attempt.make() != Outcome::Failed(Errno::INVAL.raw_os_error())
}

pub(super) fn choose(question: &Question, access: Access, asking: Asking) -> Trial {
    // As it was given, so that links are followed too, but for those that lead every process elsewhere.
    let links = Links::default().links_on(&question.absolute);
    let way = match links.iter().any(is_of_a_process) {
        true => question.real.as_bytes(),
        false => &question.absolute,
    };
    let Ok(path) = CString::new(way) else {
        return Trial::Not("no file has a NUL byte in its name");
    };
    let try_it = |act| Trial::Made(Attempt { path: path.clone(), act });
    let ask = || match asking {
        Asking::Judged => try_it(Act::Ask(access)),
        Asking::Unjudged => {
            Trial::Not("an open might do something, and the kernel alone judges no access(2)")
        }
    };
    if question.outsider.is_some() && access != Access::Execute {
        return ask();
    }
    if is_of_a_process(&question.real) {
        return Trial::Not("every process finds something else there");
    }
    let Ok(found) = std::fs::symlink_metadata(question.real.as_path()) else {
        return Trial::Not(match access {
            Access::Write => "nothing can be found there, and making it would change something",
            Access::Read | Access::Execute => "nothing can be found there",
        });
    };
    let (kind, ground) = (found.file_type(), ground(&question.real));
    match access {
        Access::Execute if kind.is_file() && knows_execution_checks() => {
            try_it(Act::CheckExecution)
        }
        Access::Execute if kind.is_file() => ask(),
        Access::Execute => Trial::Not("only a file can be executed"),
        Access::Read if kind.is_dir() => try_it(Act::List),
        Access::Read if kind.is_file() && ground != Ground::Odd => try_it(Act::OpenToRead),
        Access::Read if is_safe_device(&found) => try_it(Act::OpenToRead),
        Access::Write if kind.is_dir() && ground == Ground::Plain => try_it(Act::MakeUnnamed),
        Access::Write if kind.is_file() && ground == Ground::Plain => try_it(Act::OpenToWrite),
        Access::Write if is_safe_device(&found) => try_it(Act::OpenToWrite),
        Access::Read | Access::Write if kind.is_symlink() => {
            Trial::Not("its symbolic links lead nowhere")
        }
        Access::Read | Access::Write => ask(),
    }
}

/// `/proc/PID` and whatever leads there, such as /proc/self and /dev/fd.
pub(super) fn is_of_a_process(real: &AbsPath) -> bool {
    let mut names = real.components();
    names.next() == Some(b"proc")
        && names.next().is_some_and(|name| name.iter().all(u8::is_ascii_digit))
}

fn is_safe_device(found: &Metadata) -> bool {
    let device = found.rdev();
    found.file_type().is_char_device()
        && rustix::fs::major(device) == 1
        && SAFE_DEVICES.contains(&rustix::fs::minor(device))
}

fn ground(path: &AbsPath) -> Ground {
    let kind = rustix::fs::statfs(path.as_path()).map(|found| found.f_type);
    match kind {
        Ok(kind) if PLAIN.contains(&kind) => Ground::Plain,
        Ok(kind) if ODD.contains(&kind) => Ground::Odd,
        Ok(_) | Err(_) => Ground::Other,
    }
}

impl Probe<'_> {
    /// The trials of each path, in the order of [`Access::ALL`].
    pub(super) fn trials(&self, asking: Asking) -> Vec<[Trial; 3]> {
        let of = |question| Access::ALL.map(|access| choose(question, access, asking));
        self.questions.iter().map(of).collect()
    }
}

/// Why the plan itself expects less than the law, for each access that the law allows.
pub(super) fn shortfalls(plan: &Plan, questions: &[Question]) -> Vec<[Option<String>; 3]> {
    let of = |question: &Question| {
        Access::ALL.map(|access| {
            let is_allowed = question.decision.verdict(access).is_allowed();
            is_allowed.then(|| plan.shortfall(&question.real, access)).flatten()
        })
    };
    questions.iter().map(of).collect()
}

/// The attempts among the trials, in their order.
pub(super) fn attempts(trials: &[[Trial; 3]]) -> Vec<Attempt> {
    let made = trials.iter().flatten().filter_map(|trial| match trial {
        Trial::Made(attempt) => Some(attempt.clone()),
        Trial::Not(_) => None,
    });
    made.collect()
}

/// Everything that is needed to compare, after the attempts. To be asked without capabilities.
pub(super) struct Comparison<'a> {
    pub(super) probe: &'a Probe<'a>,
    pub(super) trials: &'a [[Trial; 3]],
    pub(super) shortfalls: &'a [[Option<String>; 3]],
    pub(super) outcomes: Vec<Outcome>,
}

impl Comparison<'_> {
    /// What is to be said of each path.
    pub(super) fn all(self) -> Vec<[Probed; 3]> {
        let mut outcomes = self.outcomes.iter().copied();
        let mut links = Links::default();
        let mut decider = self.probe.policy.decider();
        let rows = self.probe.questions.iter().zip(self.trials).zip(self.shortfalls);
        let mut all = Vec::with_capacity(self.trials.len());
        for ((question, trials), shortfalls) in rows {
            let is_as_it_was = links.follow_raw(&question.absolute) == question.real;
            all.push(Access::ALL.map(|access| {
                let attempt = match &trials[access.index()] {
                    Trial::Made(attempt) => attempt,
                    Trial::Not(why) => {
                        let agreement = Agreement::NotTried(why);
                        return Probed { access, act: None, outcome: None, agreement };
                    }
                };
                // As many outcomes as attempts came back.
                let outcome = outcomes.next();
                let law = question.decision.verdict(access);
                let outside = || look(attempt, &question.real, access);
                let shortfall = || shortfalls[access.index()].clone();
                let agreement = match outcome {
                    None => Agreement::Changed,
                    Some(_) if !is_as_it_was => Agreement::Changed,
                    Some(outcome) => match compare(law, outcome, outside, shortfall) {
                        Agreement::HeldBack if access == Access::Execute => {
                            interpreter(self.probe.policy, &mut decider, &question.real)
                                .map_or(Agreement::HeldBack, Agreement::Interpreter)
                        }
                        agreement => agreement,
                    },
                };
                Probed { access, act: Some(attempt.act), outcome, agreement }
            }));
        }
        all
    }
}

/// The same attempt without confinement.
fn look(attempt: &Attempt, real: &AbsPath, access: Access) -> Outside {
    match attempt.make() {
        Outcome::Worked => Outside::Works,
        Outcome::Failed(errno) => {
            Outside::Fails(outside::explain(real, access, Errno::from_raw_os_error(errno)))
        }
    }
}

/// The interpreter of a script or program that the policy does not let be executed, and why.
fn interpreter(
    policy: &ResolvedPolicy,
    decider: &mut Decider,
    program: &AbsPath,
) -> Option<String> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut program = program.clone();
    // As often as the kernel does (fs/exec.c).
    for _ in 0..5 {
        let file = File::options().read(true).custom_flags(flags).open(program.as_path()).ok()?;
        let next = clawguard_core::interpreter_of(&file)?;
        program = Links::default().follow_raw(&next);
        let verdict = decider.decide(&program).verdict(Access::Execute);
        if !verdict.is_allowed() {
            return Some(format!(
                "its interpreter `{program}` is denied: {}",
                policy.reason(verdict)
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use clawguard_core::{Host, Policy};

    use super::super::outside::Who;
    use super::*;

    fn verdicts() -> (Verdict, Verdict) {
        let text =
            "security: {file_access: {presets: [], allowed_paths: [/w], blocked_paths: [/w/s]}}";
        let policy = Policy::parse(text, "p").unwrap().resolve(&Host::current().unwrap()).unwrap();
        let mut decider = policy.decider();
        let mut of = |path| decider.decide(&AbsPath::parse(path).unwrap()).verdict(Access::Read);
        (of("/w/a"), of("/w/s"))
    }

    #[test]
    fn what_worked_although_it_is_denied_disagrees_and_so_does_what_only_confinement_held_back() {
        let (allowed, denied) = verdicts();
        let (worked, failed) = (Outcome::Worked, Outcome::Failed(13));
        let other = Other {
            who: Who::Modes,
            path: AbsPath::parse("/w/a").unwrap(),
            text: "mode".to_owned(),
        };
        let works = || Outside::Works;
        let fails = || Outside::Fails(other.clone());
        let none = || None;
        for law in [denied, Verdict::NothingAllows] {
            assert_eq!(compare(law, worked, works, none), Agreement::LetThrough);
            assert_eq!(compare(law, failed, works, none), Agreement::Agrees);
        }
        assert_eq!(compare(allowed, worked, works, none), Agreement::Agrees);
        assert_eq!(compare(allowed, failed, works, none), Agreement::HeldBack);
        assert_eq!(compare(allowed, failed, fails, none), Agreement::Elsewhere(other.clone()));
        let known = || Some("known".to_owned());
        assert_eq!(compare(allowed, failed, works, known), Agreement::Shortfall("known".into()));
        // What the plan knows never excuses what it let through.
        assert_eq!(compare(denied, worked, works, known), Agreement::LetThrough);
        let wrong = [Agreement::LetThrough, Agreement::HeldBack];
        assert!(wrong.iter().all(Agreement::is_disagreement));
        assert!(!Agreement::Elsewhere(other).is_disagreement());
    }
}
