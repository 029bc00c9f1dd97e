//! One attempt of one user: bare in a world of its own, where it must succeed, then in the sandbox in another, where it
//! must not.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::attempt::{Attempt, Programs};
use crate::outside::Watched;
use crate::outsider::Outsider;
use crate::run::{Sandbox, Step};
use crate::snapshot::Snapshot;
use crate::support::User;
use crate::verdict::Verdict;
use crate::{after, policy, run, tree};

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Score {
    Held,
    /// A secret was seen, something changed, or the outsider felt it.
    Through,
    /// Nothing got through, but the call did not end as the law says.
    WrongErrno,
    /// Nothing got through, and what is allowed did not work either.
    NeighbourBroken,
    /// Without a sandbox it does not succeed, and nobody has said why.
    NotProven,
}

/// Both runs of an attempt.
pub(crate) struct Trial<'a> {
    pub(crate) attempt: &'a Attempt,
    pub(crate) user: User,
    pub(crate) bare: Option<Verdict>,
    pub(crate) confined: Verdict,
    /// Another sandbox owes nobody the law's errno.
    is_foreign: bool,
}

pub(crate) fn run<'a>(
    programs: &Programs,
    attempt: &'a Attempt,
    user: User,
    sandbox: &Sandbox,
) -> Trial<'a> {
    let bare = attempt.never_bare.is_none().then(|| bare(programs, attempt, user));
    let confined = match (sandbox, &bare) {
        (Sandbox::Bare, Some(bare)) => bare.clone(),
        (Sandbox::Bare, None) => Verdict::default(),
        (Sandbox::Clawguard | Sandbox::Other(_), _) => {
            once(programs, attempt, user, sandbox, Step::All)
        }
    };
    Trial { attempt, user, bare, confined, is_foreign: *sandbox != Sandbox::Clawguard }
}

/// A race may be lost on a busy machine, where nothing holds it; no attempt gets a second chance in a sandbox.
const CHANCES: usize = 4;

/// All steps at once; where an early one leaves nothing for a later one, also each alone, in a world of its own. What failed
/// then stays among the errnos.
fn bare(programs: &Programs, attempt: &Attempt, user: User) -> Verdict {
    let run = |step| once(programs, attempt, user, &Sandbox::Bare, step);
    let mut verdict = run(Step::All);
    if excuse(attempt, user).is_some() {
        return verdict;
    }
    for _ in 1..CHANCES {
        if verdict.is_through() {
            break;
        }
        verdict = run(Step::All);
    }
    if !verdict.has_succeeded() {
        verdict.errnos.clear();
        for step in 0..verdict.steps {
            let alone = run(Step::Alone(step));
            verdict.errnos.extend(alone.errnos);
        }
    }
    verdict
}

/// Why the attempt need not succeed without a sandbox.
fn excuse(attempt: &Attempt, user: User) -> Option<&str> {
    let of_user = if user.uid == 0 { &attempt.root } else { &attempt.user };
    attempt.never_bare.as_deref().or(of_user.as_deref())
}

fn once(
    programs: &Programs,
    attempt: &Attempt,
    user: User,
    sandbox: &Sandbox,
    step: Step,
) -> Verdict {
    let (world, mut canaries) = tree::plant(programs, user, &attempt.policy);
    let outsider = attempt.has_outsider().then(|| Outsider::start(programs, &world, &mut canaries));
    let prefix = run::prepare(programs, &world, attempt, sandbox);
    let protection = policy::protection(&attempt.policy);
    let before = Snapshot::take(&world, &protection, &[]);
    let mut watched = Watched { world: &world, protection, canaries, before, made: Vec::new() };
    let is_over = AtomicBool::new(false);
    let known = outsider.as_ref().map_or((0, "0"), |one| (one.pid(), one.address.as_str()));
    let rival = attempt.has_rival().then(|| run::Rival::start(programs, &world, attempt, &prefix));
    let ran = std::thread::scope(|scope| {
        let helper = scope.spawn(|| watched.serve(&is_over));
        let ran = run::run(programs, &world, attempt, &prefix, known, step);
        is_over.store(true, Ordering::Release);
        helper.join().unwrap();
        ran
    });
    drop(rival);
    if let Some(what) = &attempt.after {
        after::act(programs, &world, what);
    }
    let effects = outsider.map(Outsider::end).unwrap_or_default();
    Verdict::of(&ran, &watched, effects)
}

impl Trial<'_> {
    /// Why the attempt need not succeed without a sandbox.
    pub(crate) fn excuse(&self) -> Option<&str> {
        excuse(self.attempt, self.user)
    }

    /// Did it succeed without a sandbox, each call of it, or is it known why not? An excuse for what succeeds is as wrong
    /// as none.
    fn is_proven(&self) -> bool {
        let is_through = self.bare.as_ref().is_some_and(Verdict::is_through);
        match self.excuse() {
            Some(_) => !is_through,
            None => is_through && self.bare.as_ref().is_some_and(Verdict::has_succeeded),
        }
    }

    fn has_right_errno(&self) -> bool {
        let expect = &self.attempt.expect;
        let errnos = &self.confined.errnos;
        expect.is_empty()
            || (!errnos.is_empty() && errnos.iter().all(|errno| expect.contains(errno)))
    }

    pub(crate) fn score(&self) -> Score {
        if self.confined.is_through() {
            Score::Through
        } else if !self.is_foreign && !self.has_right_errno() {
            Score::WrongErrno
        } else if self.confined.neighbour.is_some() {
            Score::NeighbourBroken
        } else if !self.is_proven() {
            Score::NotProven
        } else {
            Score::Held
        }
    }

    pub(crate) fn has_held(&self) -> bool {
        self.score() == Score::Held
    }

    /// Everything that is needed to see why.
    pub(crate) fn explain(&self) -> String {
        let what = match self.score() {
            Score::Held => "held".to_owned(),
            Score::Through => format!("got through: {}", self.confined.through()),
            Score::WrongErrno => format!(
                "the errno is {:?}, not one of {:?}",
                self.confined.errnos, self.attempt.expect
            ),
            Score::NeighbourBroken => {
                format!("the neighbour: {}", self.confined.neighbour.as_deref().unwrap_or("works"))
            }
            Score::NotProven => match self.excuse() {
                Some(why) => format!("succeeds without a sandbox, though listed as: {why}"),
                None => format!(
                    "does not succeed without a sandbox either: {:?}",
                    self.bare.as_ref().map(|bare| &bare.errnos)
                ),
            },
        };
        let bare = self.bare.as_ref().map_or_else(
            || "not run".to_owned(),
            |bare| format!("got through: {}\n{}", bare.through(), bare.output),
        );
        format!("{what}\n--- confined\n{}\n--- bare {bare}", self.confined.output)
    }
}
