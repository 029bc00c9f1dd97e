//! The walk from `/` to the largest places for which one Landlock rule says exactly what the law says.
//!
//! Where an access is *settled* it becomes a right of one rule. Where it is mixed, what exists is visited one level
//! down and what does not exist yet gets nothing: the walk may deny more than the law, never less. How far it goes
//! depends on the policy, and where everything beneath is mixed, on a fixed budget: never on the number of files.
//!
//! For a supervisor there is one exception, and it is recorded: the loose directories ([`loose`]).

#![forbid(unsafe_code)]

mod lacks;
mod loose;
mod places;
mod processes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::Arc;

use landlock::{ABI, BitFlags};

use super::gap::{Gap, Lack};
use super::rights::{self, Rights};
use super::wide::{Queue, Wide};
use crate::access::{Access, AccessSet};
use crate::decide::{Accept, Decider, Guards, Meaning, RuleId, StateId, Verdict};
use crate::path::AbsPath;
use crate::policy::Case;
use crate::resolve::{ResolvedPolicy, folding};
pub use loose::Loose;
use places::{homes, is_made_by_the_kernel, is_of_the_system, is_spelled_so};

/// Directory entries that are looked at, at most, where everything beneath is mixed: as many again in what the user
/// allows as in what presets do, so that neither his files nor the programs' libraries are forgotten.
const BUDGET: usize = 8 * 1024;

/// Names that no pattern spells: what becomes of a file that somebody makes later, hidden or not.
const FRESH: [&[u8]; 2] = [b"\x01clawguard\x01", b".\x01clawguard\x01"];

/// Live rules that a gap names, at most: beyond it the ledger would not know who holds a rule.
const CAUSES: usize = 64 * 1024;

/// The outcome of the walk.
#[derive(Debug, Default)]
pub(super) struct Regions {
    /// Rights by path; each flows down to everything beneath.
    pub(super) rules: BTreeMap<AbsPath, (Rights, What)>,
    pub(super) gaps: Vec<Gap>,
    /// Directories that are granted more than the law, in the order of the walk.
    pub(super) loose: Vec<Loose>,
    /// The rights of the process that becomes the command on its own directory in `/proc`.
    pub(super) own_process: Rights,
    /// Did the budget end the walk early?
    pub(super) is_cut_short: bool,
}

/// What a rule was planned for; something else found later gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Directory,
    File,
}

/// For whom the walk is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enforcer {
    /// The kernel alone. Guards of paths where nothing is yet are left out: they would cost all entries beside them.
    Kernel,
    /// The kernel, and a supervisor for the rest.
    Supervisor,
}

impl Enforcer {
    fn guards(self) -> Guards {
        match self {
            Enforcer::Kernel => Guards::OfWhatExists,
            Enforcer::Supervisor => Guards::All,
        }
    }
}

pub(super) fn walk(policy: &ResolvedPolicy, abi: ABI, enforcer: Enforcer) -> Regions {
    let mut walk = Walk {
        policy,
        decider: policy.decider(),
        abi,
        enforcer,
        homes: homes(policy),
        made: policy.create().chain(&policy.temporary).cloned().collect(),
        has_casefold: folding::is_supported(),
        processes: Vec::new(),
        wide: Wide::default(),
        budget: BUDGET,
        known_causes: HashMap::new(),
        known_blocks: HashMap::new(),
        out: Regions::default(),
    };
    walk.processes = walk.find_processes();
    walk.out.own_process = walk.own_process();
    let root = Place {
        path: AbsPath::root(),
        state: walk.decider.root(),
        inherited: BitFlags::EMPTY,
        entered_with: BitFlags::EMPTY,
        named: Named::ByRule,
        is_loose: false,
    };
    walk.visit(root);
    for queue in [Queue::Users, Queue::Others] {
        walk.budget = BUDGET;
        while let Some(place) = walk.wide.next(queue) {
            walk.visit(place);
        }
    }
    walk.out
}

struct Walk<'a> {
    policy: &'a ResolvedPolicy,
    decider: Decider,
    abi: ABI,
    enforcer: Enforcer,
    homes: Vec<AbsPath>,
    /// Directories that will exist at the start.
    made: BTreeSet<AbsPath>,
    has_casefold: bool,
    /// Each procfs, and what the law may allow in it.
    processes: Vec<(AbsPath, AccessSet)>,
    wide: Wide,
    budget: usize,
    known_causes: HashMap<(StateId, Lack), Arc<[RuleId]>>,
    known_blocks: HashMap<StateId, Arc<[RuleId]>>,
    out: Regions,
}

/// What of a directory's entries is visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Directories,
    Everything,
}

/// How the walk came to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// An allowed pattern spells its name.
    ByRule,
    /// It was found in a directory.
    Found,
}

#[derive(Clone)]
pub(super) struct Place {
    path: AbsPath,
    state: StateId,
    /// The rights that flow down to what is in it.
    inherited: Rights,
    /// Those that flow down to itself.
    entered_with: Rights,
    named: Named,
    /// Is it a loose directory, or beneath one?
    is_loose: bool,
}

/// What is at a path, for Landlock.
enum Kind {
    Directory,
    File {
        links: u64,
    },
    /// A link (the real path is judged, not this one), a socket (opened by nobody), or nothing.
    Other,
    Nothing,
}

/// How one access stands at a directory.
#[derive(Clone, Copy)]
struct Stand {
    allowed: bool,
    settled: bool,
}

impl Walk<'_> {
    fn visit(&mut self, place: Place) {
        match self.kind(&place.path) {
            Kind::Directory => self.directory(place),
            Kind::File { links } => self.file(&place, links),
            Kind::Other => {}
            Kind::Nothing => self.missing(&place),
        }
    }

    fn kind(&self, path: &AbsPath) -> Kind {
        // The whole path must be free of links: rules are opened that way, and elsewhere they would never apply.
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => Kind::Directory,
            Ok(metadata) if metadata.is_symlink() || metadata.file_type().is_socket() => {
                Kind::Other
            }
            Ok(metadata) => Kind::File { links: metadata.nlink() },
            Err(_) if self.made.iter().any(|made| made.starts_with(path)) => Kind::Directory,
            Err(_) => Kind::Nothing,
        }
    }

    /// How an access stands at a directory: mixed too where a procfs lies beneath, of which part is denied whatever the
    /// rules say.
    fn stand(&self, place: &Place, access: Access) -> Stand {
        let is_settled = self.decider.is_settled(place.state, access, self.enforcer.guards());
        Stand {
            allowed: self.decider.decision(place.state).verdict(access).is_allowed(),
            settled: is_settled && !self.has_processes(&place.path, access),
        }
    }

    fn allowed(&self, state: StateId) -> AccessSet {
        let decision = self.decider.decision(state);
        Access::ALL.into_iter().filter(|access| decision.verdict(*access).is_allowed()).collect()
    }

    /// The accesses that are allowed at a state or may be allowed beneath it.
    fn may_allow(&self, state: StateId) -> AccessSet {
        let may = |access: &Access| self.decider.may_allow(state, *access);
        Access::ALL.into_iter().filter(may).collect()
    }

    fn file(&mut self, place: &Place, links: u64) {
        let allowed = self.allowed(place.state);
        // A rule on a file holds for its every name, and the law judges each name alone. Where an allowed rule spells
        // the name, the user chose this file; any other may be another one's second name.
        let ends_here =
            |access| self.decider.accepts(place.state).any(|accept| allows(accept, access));
        let is_chosen = place.named == Named::ByRule && Access::ALL.into_iter().any(ends_here);
        if links > 1 && !is_chosen && !is_of_the_system(&place.path) {
            self.lack_of_what_was_found(place, Lack::SecondName, allowed, Vec::new());
            return;
        }
        self.grant(place, rights::file(allowed, self.abi), What::File);
        self.file_name(place, allowed);
    }

    fn directory(&mut self, mut place: Place) {
        if self.is_of_processes(&place.path) {
            return self.processes(&place);
        }
        let stand = Access::ALL.map(|access| self.stand(&place, access));
        let [_, write, _] = stand;
        let granted: AccessSet = Access::ALL
            .into_iter()
            .filter(|access| stand[access.index()].allowed && stand[access.index()].settled)
            .collect();
        let mut own = rights::contents(granted, self.abi);
        // Moving an entry changes its name for every access, so entries are granted only where each is decided alike.
        let alike =
            stand.iter().all(|stand| stand.settled) && !self.decider.live(place.state).pins();
        if write.allowed && alike {
            own |= rights::entries(self.abi);
        }
        self.loosen(&mut place, stand, &mut own);
        self.grant(&place, own, What::Directory);
        place.inherited |= own;
        self.directory_name(&place, write);
        if write.allowed && write.settled && !alike {
            let [read, _, execute] = stand;
            self.entries_gap(&place, [read, execute]);
        }
        let is_settled = stand.iter().all(|stand| stand.settled) && (alike || !write.allowed);
        if is_settled && !self.seeks_programs(&place) {
            return;
        }
        self.children(&place, stand);
    }

    fn children(&mut self, place: &Place, stand: [Stand; 3]) {
        let case = self.case(&place.path);
        let fresh = FRESH.map(|name| self.decider.step(place.state, name, case));
        let fresh =
            fresh.into_iter().fold(AccessSet::EMPTY, |set, state| set.union(self.may_allow(state)));
        let live = self.wildcards_allow(place.state);
        let seeks_programs = self.seeks_programs(place);
        for access in Access::ALL {
            let Stand { allowed, settled } = stand[access.index()];
            let is_denied_later = allowed || fresh.contains(access) || live.contains(access);
            match access {
                Access::Execute if self.enforcer == Enforcer::Supervisor => {
                    let [read, _, execute] = stand;
                    if seeks_programs && is_denied_later && !(read.settled && execute.settled) {
                        self.later_programs(place, read, execute);
                    }
                }
                Access::Read | Access::Write | Access::Execute if !settled && is_denied_later => {
                    self.mixed(place, access, allowed);
                }
                Access::Read | Access::Write | Access::Execute => {}
            }
        }
        // A name that only blocked patterns spell is found where it exists, and grants nothing where it does not.
        let named = self.decider.allowed_names(place.state);
        for name in named.iter().filter(|name| is_spelled_so(&place.path, name, case)) {
            self.child(place, name, case, Named::ByRule);
        }
        // A block may match every name that nobody spells, and still spare one that is there.
        let [.., execute] = stand;
        let open = !fresh.union(live).is_empty() || seeks_programs && execute.allowed;
        // In a loose directory the supervisor answers, and what can be executed needs no rule.
        if open && !place.is_loose && !is_made_by_the_kernel(&place.path) {
            // Elsewhere it opens the files that nobody spells, and only programs among them need a rule.
            let wanted = match self.enforcer {
                Enforcer::Supervisor if !seeks_programs => Wanted::Directories,
                Enforcer::Supervisor | Enforcer::Kernel => Wanted::Everything,
            };
            self.found(place, &named, case, wanted);
        }
    }

    /// The accesses that a wildcard may allow in names that exist although no fresh name gets them: `/h/*.txt`.
    fn wildcards_allow(&self, state: StateId) -> AccessSet {
        let wild = self.decider.wildcards_allow(state);
        let may = |access: &Access| self.decider.may_allow(state, *access);
        wild.iter().filter(may).collect()
    }

    fn found(&mut self, place: &Place, named: &[Vec<u8>], case: Case, wanted: Wanted) {
        let is_named =
            |name: &[u8]| named.binary_search_by(|named| named.as_slice().cmp(name)).is_ok();
        let mut names = self.made_in(&place.path);
        // A directory that cannot be listed shows us nothing to grant.
        for entry in std::fs::read_dir(&place.path).into_iter().flatten().flatten() {
            if self.budget == 0 {
                self.out.is_cut_short = true;
                break;
            }
            self.budget -= 1;
            // The directory itself tells the kind; no file is asked.
            if wanted == Wanted::Directories && !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            names.insert(entry.file_name().into_vec());
        }
        for name in names.iter().filter(|name| !is_named(name)) {
            self.child(place, name, case, Named::Found);
        }
    }

    /// The entries of a directory that will be there at the start, or lead to something that will.
    fn made_in(&self, directory: &AbsPath) -> BTreeSet<Vec<u8>> {
        let depth = directory.depth();
        let beneath = self.made.iter().filter(|made| made.starts_with(directory));
        beneath.filter_map(|made| made.components().nth(depth)).map(<[u8]>::to_vec).collect()
    }

    fn child(&mut self, parent: &Place, name: &[u8], case: Case, named: Named) {
        let state = self.decider.step(parent.state, name, case);
        if self.may_allow(state).is_empty() {
            return;
        }
        let rights = parent.inherited;
        let child = Place {
            path: parent.path.join(name),
            state,
            inherited: rights,
            entered_with: rights,
            named,
            is_loose: parent.is_loose,
        };
        // Beneath it everything stands as here, so no level down would settle anything.
        let is_endless = named == Named::Found
            && self.decider.decides_alike(parent.state, state)
            && !self.settles(&parent.path, &child.path);
        if !is_endless || !child.path.as_path().is_dir() {
            return self.visit(child);
        }
        match self.enforcer {
            // It settles nothing, but ends the search for programs.
            Enforcer::Supervisor if self.would_be_loose(&child) => self.visit(child),
            Enforcer::Supervisor if !self.seeks_programs(&child) => {}
            Enforcer::Supervisor | Enforcer::Kernel => {
                let queue = if self.is_users(state) { Queue::Users } else { Queue::Others };
                self.wide.add(queue, child, name);
            }
        }
    }

    /// Does a rule of the user allow anything here?
    fn is_users(&self, state: StateId) -> bool {
        let decision = self.decider.decision(state);
        let allowed = Access::ALL
            .map(|access| decision.verdict(access))
            .into_iter()
            .filter(|verdict| verdict.is_allowed());
        allowed.filter_map(Verdict::rule).any(|rule| self.policy.rule(rule).origin.is_user())
    }

    fn case(&self, directory: &AbsPath) -> Case {
        let by_place = self.policy.law.folding().case(directory, directory.depth());
        if by_place == Case::Sensitive && self.has_casefold && folding::has_flag(directory) {
            return Case::Folded;
        }
        by_place
    }

    fn denies(&self, accept: &Accept, access: Access) -> bool {
        denies(accept, access, self.enforcer.guards())
    }

    fn grant(&mut self, place: &Place, rights: Rights, what: What) {
        let rights = rights & !place.inherited;
        if !rights.is_empty() {
            self.out.rules.insert(place.path.clone(), (rights, what));
        }
    }
}

fn sorted(mut rules: Vec<RuleId>) -> Arc<[RuleId]> {
    rules.sort_unstable();
    rules.dedup();
    Arc::from(rules)
}

fn allows(accept: &Accept, access: Access) -> bool {
    let allows = matches!(accept.meaning, Meaning::AllowedExact | Meaning::Allowed);
    allows && accept.access.contains(access)
}

fn denies(accept: &Accept, access: Access, guards: Guards) -> bool {
    let denies = match accept.meaning {
        Meaning::BlockedExact | Meaning::BlockedWild | Meaning::Guard => true,
        Meaning::GuardOfNothing => guards == Guards::All,
        Meaning::AllowedExact | Meaning::Allowed | Meaning::Pin => false,
    };
    denies && accept.access.contains(access)
}
