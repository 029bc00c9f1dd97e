//! One thread's view: what all share, its own decider, and what every answer needs.

#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, Stat};
use rustix::io::Errno;

use super::answer::Answered;
use super::executing::Executions;
use super::floor::Floor;
use super::grants::Grants;
use super::handlers;
use super::handlers::Handler;
use super::lookup::{Kind, Ways};
use super::observe::{Asked, Call, Move, Moved, Observer};
use super::pin::{Name, Pinned, name_of};
use super::pts::{self, OfRun, Whose};
use super::request::{By, Named, Request};
use super::slots::{Slots, Work};
use super::target::{Base, Target};
use super::walk::mode_allows;
use crate::access::{Access, AccessSet};
use crate::decide::{Decider, RuleId, Verdict};
use crate::journal::{Event, Journal, Kind as Logged, Outcome, Refusal};
use crate::path::AbsPath;
use crate::policy::Listen;
use crate::sys::notify::Notification;
use crate::syscalls::Syscall;

/// What all threads share.
pub(super) struct Shared {
    pub(super) listener: OwnedFd,
    pub(super) calls: HashMap<i32, (&'static Syscall, Handler)>,
    pub(super) ways: Ways,
    pub(super) floor: Floor,
    pub(super) journal: Journal,
    pub(super) listen: Option<Listen>,
    /// The terminal that the run was started in.
    pub(super) of_run: OfRun,
    /// Files that Landlock grants by themselves, by device and inode: the grant goes wherever they go.
    pub(super) granted: HashSet<(u64, u64)>,
    pub(super) grants: Grants,
    /// Processes that execute; only where a directory is loose.
    pub(super) executing: Mutex<Executions>,
    pub(super) watches_executions: bool,
    /// The directories in which Landlock lets be executed what the law denies.
    pub(super) loose: Vec<AbsPath>,
    /// Where memfds are, by device.
    pub(super) memory: Option<u64>,
    /// What each thread is doing.
    pub(super) slots: Slots,
    /// How many descriptors were opened for callers that had died by then.
    pub(super) undelivered: AtomicU64,
    /// Only where a policy is learned.
    pub(super) observer: Option<Arc<Observer>>,
}

impl Shared {
    /// The caller of a request that a thread answers.
    pub(super) fn target(&self, work: &Work) -> Target<'_> {
        Target { listener: self.listener.as_fd(), id: work.id, tid: work.caller }
    }

    /// Closes what is open here on behalf of other callers that have died. Was there any such caller?
    pub(super) fn release_the_dead(&self, own: Target<'_>) -> bool {
        self.slots.release(|work| work.id != own.id && self.target(work).is_waiting().is_err())
    }
}

/// A thread that answers.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) decider: Decider,
    /// How many descriptors threads had when that was last asked.
    pub(super) counted: HashMap<u32, (Instant, u64)>,
    /// What the call that is answered asked for, for the observer.
    pub(super) call: Call,
}

/// What the law says of a terminal in /dev/pts.
#[derive(Debug)]
pub(super) enum OfTerminal {
    /// What it says of the name.
    AsNamed,
    /// It is open, as long as this is held.
    Open(Option<OwnedFd>),
    /// This is denied, by this rule if by one.
    Refused(Access, Option<RuleId>),
}

/// How long such a count is believed, and how many descriptors may have been opened since. It decides only which of two
/// errors a failed open gives.
const BELIEVED: Duration = Duration::from_millis(10);
const OPENED_SINCE: u64 = 64;

/// Threads whose count is remembered, at most.
const COUNTED: usize = 256;

impl Worker {
    /// The answer to one request.
    pub(super) fn answer(&mut self, notification: &Notification) -> Answered {
        let shared = Arc::clone(&self.shared);
        let listener = shared.listener.as_fd();
        self.decider.tidy();
        shared.ways.mounts.look(&shared.grants);
        let target = Target { listener, id: notification.id, tid: notification.tid };
        if shared.watches_executions {
            self.look_at_program(target);
        }
        match shared.calls.get(&notification.number) {
            Some((call, handler)) => {
                let request = Request { target, call, arguments: notification.arguments };
                let answered = handler(self, &request);
                self.observe(&request, answered.as_ref().err().copied());
                answered
            }
            // The filter notifies of nothing else.
            None => Err(Errno::NOSYS),
        }
    }

    /// The object with this index in the row of the call, pinned.
    pub(super) fn object(&self, request: &Request<'_>, index: usize) -> Result<Pinned, Errno> {
        match request.named(index)? {
            Named::Path { base, path, follow } => {
                let ways = &self.shared.ways;
                ways.object(request.target, base, &path, follow, Kind::Any)
            }
            Named::Itself { base, by } => self.itself(request.target, base, by),
        }
    }

    fn itself(&self, target: Target<'_>, base: Base, by: By) -> Result<Pinned, Errno> {
        let Base::Descriptor(number) = base else {
            let fd = target.directory(base)?;
            let name = name_of(&fd)?.map_or(Name::Nameless(AccessSet::EMPTY), Name::Path);
            return Pinned::new(&self.shared.ways, fd, name);
        };
        let fd = target.duplicate(number)?;
        let flags = rustix::fs::fcntl_getfl(&fd)?.bits() as i32;
        if by == By::Number && flags & libc::O_PATH != 0 {
            return Err(Errno::BADF);
        }
        let name = name_of(&fd)?.map_or(Name::Nameless(mode_allows(flags)), Name::Path);
        Pinned::new(&self.shared.ways, fd, name)
    }

    /// The errno of an open that failed: the kernel takes a descriptor before it looks at the path.
    pub(super) fn error_of_open(&mut self, target: Target<'_>, errno: Errno) -> Errno {
        let believed = |(at, _): &&(Instant, u64)| at.elapsed() < BELIEVED;
        let open = self.counted.get(&target.tid).filter(believed).map(|(_, open)| *open);
        if open.is_some_and(|open| open + OPENED_SINCE < target.descriptor_limit()) {
            return errno;
        }
        if self.counted.len() >= COUNTED {
            self.counted.clear();
        }
        let open = target.open_descriptors().unwrap_or(u64::MAX / 2);
        self.counted.insert(target.tid, (Instant::now(), open));
        target.has_room().err().unwrap_or(errno)
    }

    /// Refuses unless the law allows each of these accesses. A terminal that the target made stays open as long as
    /// what this gives is held.
    pub(super) fn require(
        &mut self,
        request: &Request<'_>,
        object: &Pinned,
        access: AccessSet,
    ) -> Result<Option<OwnedFd>, Errno> {
        match &object.name {
            Name::Path(path) if pts::is_name_of_one(path) => {
                self.require_terminal(request, object, path, access)
            }
            Name::Path(path) => self.require_at(request, path, access).map(|()| None),
            Name::Nameless(allowed) => match access.intersection(*allowed) == access {
                true => Ok(None),
                false => Err(Errno::ACCESS),
            },
        }
    }

    /// The same for a name in /dev/pts.
    fn require_terminal(
        &mut self,
        request: &Request<'_>,
        object: &Pinned,
        path: &AbsPath,
        access: AccessSet,
    ) -> Result<Option<OwnedFd>, Errno> {
        match self.judge_terminal(request, object, path, access)? {
            OfTerminal::AsNamed => self.require_at(request, path, access).map(|()| None),
            OfTerminal::Open(held) => {
                self.note_allowed(request, path, access);
                Ok(held)
            }
            OfTerminal::Refused(one, rule) => {
                Err(self.refuse(request, path, one.into(), rule, Errno::ACCESS))
            }
        }
    }

    /// What the law says of a name in /dev/pts, which may mean another terminal than the rule does.
    pub(super) fn judge_terminal(
        &mut self,
        request: &Request<'_>,
        object: &Pinned,
        path: &AbsPath,
        access: AccessSet,
    ) -> Result<OfTerminal, Errno> {
        let shared = Arc::clone(&self.shared);
        let state = self.decider.walk(path);
        let verdicts: Vec<(Access, Verdict)> = {
            let decision = self.decider.decision(state);
            access.iter().map(|one| (one, decision.verdict(one))).collect()
        };
        let of_run = |verdict: &Verdict| {
            verdict.rule().filter(|rule| verdict.is_allowed() && shared.of_run.rules.contains(rule))
        };
        let is_plain =
            |(_, verdict): &(Access, Verdict)| verdict.is_allowed() && of_run(verdict).is_none();
        if verdicts.iter().all(is_plain) {
            return Ok(OfTerminal::AsNamed);
        }
        match pts::whose(request.target, &shared.of_run, object)? {
            None | Some(Whose::Run) => Ok(OfTerminal::AsNamed),
            Some(Whose::Target(held)) => {
                let is_open = |(one, verdict): &(Access, Verdict)| match verdict {
                    Verdict::Allowed(_) => true,
                    Verdict::NothingAllows => *one != Access::Execute,
                    Verdict::Denied(_) => false,
                };
                let is_open = verdicts.iter().all(is_open);
                Ok(if is_open { OfTerminal::Open(held) } else { OfTerminal::AsNamed })
            }
            Some(Whose::Other) => {
                for (one, verdict) in &verdicts {
                    let verdict = of_run(verdict)
                        .map_or(*verdict, |rule| self.decider.without(rule, path, *one));
                    if !verdict.is_allowed() {
                        return Ok(OfTerminal::Refused(*one, verdict.rule()));
                    }
                }
                Ok(OfTerminal::Open(None))
            }
        }
    }

    pub(super) fn require_at(
        &mut self,
        request: &Request<'_>,
        path: &AbsPath,
        access: AccessSet,
    ) -> Result<(), Errno> {
        let state = self.decider.walk(path);
        let decision = self.decider.decision(state);
        let mut allowed_by = None;
        for one in access.iter() {
            match decision.verdict(one) {
                Verdict::Allowed(rule) => allowed_by = Some(rule),
                Verdict::Denied(rule) => {
                    return Err(self.refuse(request, path, one.into(), Some(rule), Errno::ACCESS));
                }
                Verdict::NothingAllows => {
                    return Err(self.refuse(request, path, one.into(), None, Errno::ACCESS));
                }
            }
        }
        self.asked(path, access, Asked::allowed);
        if self.shared.journal.wants(Logged::Access) && !access.is_empty() {
            self.record(request, path, access, Outcome::Allowed { rule: allowed_by });
        }
        Ok(())
    }

    fn asked(
        &mut self,
        path: &AbsPath,
        access: AccessSet,
        asked: impl FnOnce(AbsPath, AccessSet) -> Asked,
    ) {
        if self.shared.observer.is_some() && !access.is_empty() {
            self.call.asked.push(asked(path.clone(), access));
        }
    }

    /// Tells the observer of a name that becomes another, or gets one besides.
    pub(super) fn moves(&mut self, from: &AbsPath, to: &AbsPath, what: Moved) {
        if self.shared.observer.is_some() {
            self.call.moved.push(Move { from: from.clone(), to: to.clone(), what });
        }
    }

    fn observe(&mut self, request: &Request<'_>, errno: Option<Errno>) {
        let call = std::mem::take(&mut self.call);
        if let Some(observer) = self.shared.observer.as_ref().filter(|_| !call.asked.is_empty()) {
            observer.add(request.call.name, &request.target.command(), call, errno);
        }
    }

    /// Tells the journal, if it wants to know, that something was allowed.
    pub(super) fn note_allowed(
        &mut self,
        request: &Request<'_>,
        path: &AbsPath,
        access: AccessSet,
    ) {
        self.asked(path, access, Asked::allowed);
        if self.shared.journal.wants(Logged::Access) {
            let state = self.decider.walk(path);
            let decision = self.decider.decision(state);
            let rule = access.iter().find_map(|one| decision.verdict(one).rule());
            self.record(request, path, access, Outcome::Allowed { rule });
        }
    }

    /// Tells the journal, and returns the errno.
    pub(super) fn refuse(
        &mut self,
        request: &Request<'_>,
        path: &AbsPath,
        access: AccessSet,
        rule: Option<RuleId>,
        errno: Errno,
    ) -> Errno {
        self.asked(path, access, Asked::denied);
        if self.shared.journal.wants(Logged::Denial) {
            let outcome = Outcome::Denied { rule, errno: errno.raw_os_error(), refusal: None };
            self.record(request, path, access, outcome);
        }
        errno
    }

    /// The same for what the rules allow, and what the operation would have done forbids.
    pub(super) fn refuse_for(
        &mut self,
        refusal: Refusal,
        request: &Request<'_>,
        path: &AbsPath,
        access: AccessSet,
        errno: Errno,
    ) -> Errno {
        let rule = match refusal {
            Refusal::Pinned => {
                let state = self.decider.walk_exactly(path);
                self.decider.pinned_by(state)
            }
            Refusal::Link
            | Refusal::Gain
            | Refusal::Contents
            | Refusal::Granted
            | Refusal::Device
            | Refusal::Lends
            | Refusal::Datagram
            | Refusal::Address => None,
        };
        self.asked(path, access, |path, access| Asked::refused(path, access, refusal));
        if self.shared.journal.wants(Logged::Denial) {
            let errno = errno.raw_os_error();
            let outcome = Outcome::Denied { rule, errno, refusal: Some(refusal) };
            self.record(request, path, access, outcome);
        }
        errno
    }

    /// The same for what has no path: an address, or a kind of socket.
    pub(super) fn refuse_unnamed(&self, request: &Request<'_>, what: String) -> Errno {
        let errno = Errno::ACCESS;
        if self.shared.journal.wants(Logged::Denial) {
            let refusal = match request.call.name {
                "socket" | "socketpair" => Refusal::Datagram,
                _ => Refusal::Address,
            };
            let errno = errno.raw_os_error();
            let outcome = Outcome::Denied { rule: None, errno, refusal: Some(refusal) };
            self.record_as(request, what.into_bytes().into(), Access::Write.into(), outcome);
        }
        errno
    }

    fn record(&self, request: &Request<'_>, path: &AbsPath, access: AccessSet, outcome: Outcome) {
        self.record_as(request, path.as_bytes().into(), access, outcome);
    }

    fn record_as(
        &self,
        request: &Request<'_>,
        path: Box<[u8]>,
        access: AccessSet,
        outcome: Outcome,
    ) {
        self.shared.journal.record(Event {
            pid: request.target.process().unwrap_or(request.target.tid),
            command: request.target.command(),
            operation: request.call.name,
            path,
            access,
            outcome,
            arguments: None,
        });
    }

    /// Does the law allow all of these?
    pub(super) fn allows(&mut self, path: &AbsPath, access: AccessSet) -> bool {
        let state = self.decider.walk(path);
        let decision = self.decider.decision(state);
        access.iter().all(|one| decision.verdict(one).is_allowed())
    }

    /// The accesses that the law allows.
    pub(super) fn allowed(&mut self, path: &AbsPath) -> AccessSet {
        let state = self.decider.walk(path);
        let decision = self.decider.decision(state);
        Access::ALL.into_iter().filter(|one| decision.verdict(*one).is_allowed()).collect()
    }

    /// Does Landlock grant this very file, wherever it goes?
    pub(super) fn is_granted(&self, object: &Stat) -> bool {
        self.shared.granted.contains(&(object.st_dev, object.st_ino))
    }

    /// May this file get a mode that lets it be executed? Where a directory is loose, one that must not be read gets none
    /// anywhere, since it can be moved there, and one in the directory itself none if it must not be executed: the
    /// kernel itself then refuses it, whatever path it reads (SPEC section 6).
    pub(super) fn may_be_program(&mut self, path: &AbsPath) -> bool {
        if self.shared.loose.is_empty() {
            return true;
        }
        let needed = if self.is_loose(path) { Access::Execute } else { Access::Read };
        self.allows(path, needed.into())
    }

    /// Does Landlock let be executed here what the law denies?
    pub(super) fn is_loose(&self, path: &AbsPath) -> bool {
        self.shared.loose.iter().any(|loose| path.starts_with(loose))
    }

    /// Does something with the target's umask. The thread has a umask of its own.
    pub(super) fn with_umask<T>(
        &self,
        target: Target<'_>,
        act: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        rustix::process::umask(target.umask()?);
        // All that was read of the target was its own, if it still waits.
        let outcome = target.is_waiting().and_then(|()| act());
        rustix::process::umask(Mode::empty());
        outcome
    }
}

/// The handlers of every call that may be notified.
pub(super) fn calls() -> HashMap<i32, (&'static Syscall, Handler)> {
    let arch = crate::syscalls::Arch::current();
    crate::syscalls::table()
        .filter_map(|call| {
            let number = i32::try_from(call.number(arch)?).ok()?;
            Some((number, (call, handlers::handler(call.name)?)))
        })
        .collect()
}
