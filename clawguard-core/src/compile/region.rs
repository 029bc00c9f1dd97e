//! The walk from `/` to the largest places for which one Landlock rule says exactly what the law says.
//!
//! Where an access is *settled* it becomes a right of one rule. Where it is mixed, what exists is visited one level
//! down and what does not exist yet gets nothing: the walk may deny more than the law, never less. How far it goes
//! depends on the policy, and where everything beneath is mixed, on a fixed budget: never on the number of files.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::Arc;

use landlock::{ABI, BitFlags};

use super::Mode;
use super::gap::{Gap, Lack};
use super::rights::{self, Rights};
use super::wide::{Queue, Wide};
use crate::access::{Access, AccessSet};
use crate::decide::{Accept, Decider, Guards, Meaning, RuleId, StateId, Verdict};
use crate::path::AbsPath;
use crate::policy::Case;
use crate::resolve::{ResolvedPolicy, folding};

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
    /// Did the budget end the walk early?
    pub(super) is_cut_short: bool,
}

/// What a rule was planned for; something else found later gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Directory,
    File,
}

pub(super) fn walk(policy: &ResolvedPolicy, abi: ABI, mode: Mode) -> Regions {
    let mut walk = Walk {
        policy,
        decider: policy.decider(),
        abi,
        mode,
        made: policy.create().chain(&policy.temporary).cloned().collect(),
        has_casefold: folding::is_supported(),
        wide: Wide::default(),
        budget: BUDGET,
        known_causes: HashMap::new(),
        out: Regions::default(),
    };
    let root = Place {
        path: AbsPath::root(),
        state: walk.decider.root(),
        inherited: BitFlags::EMPTY,
        entered_with: BitFlags::EMPTY,
        named: Named::ByRule,
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
    mode: Mode,
    /// Directories that will exist at the start.
    made: BTreeSet<AbsPath>,
    has_casefold: bool,
    wide: Wide,
    budget: usize,
    known_causes: HashMap<(StateId, Lack), Arc<[RuleId]>>,
    out: Regions,
}

/// How the walk came to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// An allowed pattern spells its name.
    ByRule,
    /// It was found in a directory.
    Found,
}

pub(super) struct Place {
    path: AbsPath,
    state: StateId,
    /// The rights that flow down to what is in it.
    inherited: Rights,
    /// Those that flow down to itself.
    entered_with: Rights,
    named: Named,
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

    fn stand(&self, state: StateId, access: Access) -> Stand {
        Stand {
            allowed: self.decider.decision(state).verdict(access).is_allowed(),
            settled: self.decider.is_settled(state, access, Guards::OfWhatExists),
        }
    }

    fn allowed(&self, state: StateId) -> AccessSet {
        let decision = self.decider.decision(state);
        Access::ALL.into_iter().filter(|access| decision.verdict(*access).is_allowed()).collect()
    }

    /// The accesses that are allowed at a state or may be allowed beneath it.
    fn may_allow(&self, state: StateId) -> AccessSet {
        let live = self.decider.live(state);
        let may = |access: &Access| self.decider.standing(state, *access).may_allow(*access, live);
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
            self.gap(place, Lack::SecondName, allowed, Vec::new());
            return;
        }
        self.grant(place, rights::file(allowed, self.abi), What::File);
        self.unread_execute(place, allowed);
        // Removing and replacing it is a right of its directory, which no rule on the file can give.
        let may_be_replaced = place.inherited.contains(rights::entries(self.abi));
        if allowed.contains(Access::Write) && !may_be_replaced && !is_device(&place.path) {
            let here = |accept: &&Accept| allows(accept, Access::Write);
            let causes: Vec<RuleId> =
                self.decider.accepts(place.state).filter(here).map(|accept| accept.rule).collect();
            if !causes.is_empty() {
                self.gap(place, Lack::FileName, Access::Write.into(), causes);
            }
        }
    }

    fn directory(&mut self, mut place: Place) {
        let stand = Access::ALL.map(|access| self.stand(place.state, access));
        let [read, write, execute] = stand;
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
        self.grant(&place, own, What::Directory);
        place.inherited |= own;
        self.directory_name(&place, write);
        if granted.contains(Access::Execute) && read.settled {
            self.unread_execute(&place, self.allowed(place.state));
        }
        if write.allowed && write.settled && !alike {
            self.entries_gap(&place, [read, execute]);
        }
        if stand.iter().all(|stand| stand.settled) && (alike || !write.allowed) {
            return;
        }
        self.children(&place, stand);
    }

    /// The law may let the granted directory itself be removed; its rights cannot, they begin beneath it.
    fn directory_name(&mut self, place: &Place, write: Stand) {
        let ends_here = |accept: &&Accept| allows(accept, Access::Write);
        let is_pinned =
            self.decider.accepts(place.state).any(|accept| accept.meaning == Meaning::Pin);
        let may_be_removed = place.entered_with.contains(rights::entries(self.abi));
        if write.allowed && !is_pinned && !self.decider.live(place.state).pins() && !may_be_removed
        {
            let causes: Vec<RuleId> = self
                .decider
                .accepts(place.state)
                .filter(ends_here)
                .map(|accept| accept.rule)
                .collect();
            if !causes.is_empty() {
                self.gap(place, Lack::DirectoryName, Access::Write.into(), causes);
            }
        }
    }

    fn children(&mut self, place: &Place, stand: [Stand; 3]) {
        let case = self.case(&place.path);
        let fresh = FRESH.map(|name| self.decider.step(place.state, name, case));
        let fresh =
            fresh.into_iter().fold(AccessSet::EMPTY, |set, state| set.union(self.may_allow(state)));
        let live = self.wildcards_allow(place.state);
        for access in Access::ALL {
            let Stand { allowed, settled } = stand[access.index()];
            if !settled && (allowed || fresh.contains(access) || live.contains(access)) {
                let lack = Lack::Mixed(access);
                let causes = self.causes(place.state, lack, |walk| match allowed {
                    true => {
                        walk.decider.beneath(place.state, CAUSES, |accept| denies(accept, access))
                    }
                    // What nobody spells may be allowed only by a wildcard.
                    false => walk
                        .decider
                        .beneath_wildcards(place.state, CAUSES, |accept| allows(accept, access)),
                });
                self.shared_gap(place, lack, access.into(), causes);
            }
        }
        // A name that only blocked patterns spell is found where it exists, and grants nothing where it does not.
        let named = self.decider.allowed_names(place.state);
        for name in named.iter().filter(|name| is_spelled_so(&place.path, name, case)) {
            self.child(place, name, case, Named::ByRule);
        }
        let open = !fresh.union(live).is_empty();
        if open && !is_made_by_the_kernel(&place.path) {
            self.found(place, &named, case);
        }
    }

    /// The accesses that a wildcard may allow in names that exist although no fresh name gets them: `/h/*.txt`.
    fn wildcards_allow(&self, state: StateId) -> AccessSet {
        let live = self.decider.live(state);
        let wild = self.decider.wildcards_allow(state);
        let may = |access: &Access| self.decider.standing(state, *access).may_allow(*access, live);
        wild.iter().filter(may).collect()
    }

    fn found(&mut self, place: &Place, named: &[Vec<u8>], case: Case) {
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
        };
        // Beneath it everything stands as here, so no level down would settle anything.
        let is_endless = named == Named::Found && self.decider.decides_alike(parent.state, state);
        match (is_endless && child.path.as_path().is_dir(), self.mode) {
            (false, _) => self.visit(child),
            (true, Mode::Auto) => {}
            (true, Mode::Kernel) => {
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

    fn missing(&mut self, place: &Place) {
        let access = self.may_allow(place.state);
        let allows = |accept: &Accept| access.iter().any(|access| allows(accept, access));
        let here = self.decider.accepts(place.state).filter(|accept| allows(accept));
        let mut causes: Vec<RuleId> = here.map(|accept| accept.rule).collect();
        causes.extend(self.decider.beneath(place.state, CAUSES, allows));
        self.gap(place, Lack::Missing, access, causes);
    }

    fn unread_execute(&mut self, place: &Place, allowed: AccessSet) {
        if allowed.contains(Access::Execute) && !allowed.contains(Access::Read) {
            let causes = self
                .decider
                .decision(place.state)
                .verdict(Access::Execute)
                .rule()
                .into_iter()
                .collect();
            self.gap(place, Lack::ExecuteUnread, Access::Execute.into(), causes);
        }
    }

    fn entries_gap(&mut self, place: &Place, others: [Stand; 2]) {
        let causes = self.causes(place.state, Lack::Entries, |walk| {
            let mut causes: Vec<RuleId> = Vec::new();
            for (access, stand) in [Access::Read, Access::Execute].into_iter().zip(others) {
                if !stand.settled {
                    let differs = |accept: &Accept| match stand.allowed {
                        true => denies(accept, access),
                        false => allows(accept, access),
                    };
                    causes.extend(walk.decider.beneath(place.state, CAUSES, differs));
                }
            }
            let is_pin = |accept: &Accept| accept.meaning == Meaning::Pin;
            causes.extend(walk.decider.beneath(place.state, CAUSES, is_pin));
            causes
        });
        self.shared_gap(place, Lack::Entries, Access::Write.into(), causes);
    }

    /// The rules that make a directory lack something: a matter of its state, and of many directories at once.
    fn causes(
        &mut self,
        state: StateId,
        lack: Lack,
        find: impl FnOnce(&Self) -> Vec<RuleId>,
    ) -> Arc<[RuleId]> {
        if let Some(causes) = self.known_causes.get(&(state, lack)) {
            return Arc::clone(causes);
        }
        let causes = sorted(find(self));
        self.known_causes.insert((state, lack), Arc::clone(&causes));
        causes
    }

    fn grant(&mut self, place: &Place, rights: Rights, what: What) {
        let rights = rights & !place.inherited;
        if !rights.is_empty() {
            self.out.rules.insert(place.path.clone(), (rights, what));
        }
    }

    fn gap(&mut self, place: &Place, lack: Lack, access: AccessSet, causes: Vec<RuleId>) {
        self.shared_gap(place, lack, access, sorted(causes));
    }

    fn shared_gap(&mut self, place: &Place, lack: Lack, access: AccessSet, causes: Arc<[RuleId]>) {
        let decision = self.decider.decision(place.state);
        let allowed_by = access
            .iter()
            .map(|access| decision.verdict(access))
            .find(|verdict| verdict.is_allowed())
            .and_then(Verdict::rule);
        self.out.gaps.push(Gap { path: place.path.clone(), lack, access, causes, allowed_by });
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

fn denies(accept: &Accept, access: Access) -> bool {
    let denies =
        matches!(accept.meaning, Meaning::BlockedExact | Meaning::BlockedWild | Meaning::Guard);
    denies && accept.access.contains(access)
}

/// Where names fold, an allowed pattern holds for the name as the disk has it: any other spelling reaches the same
/// file, but is not its real path.
fn is_spelled_so(directory: &AbsPath, name: &[u8], case: Case) -> bool {
    case == Case::Sensitive
        || std::fs::symlink_metadata(directory.join(name)).is_err()
        || std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().as_bytes() == name)
}

/// Where only the system's packages make files: the loader and perl have second names there, and need them.
fn is_of_the_system(path: &AbsPath) -> bool {
    let tops = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/nix/store",
        "/gnu/store",
    ];
    tops.iter().any(|top| path.as_path().starts_with(top))
        && !path.as_path().starts_with("/usr/local")
}

/// Directories whose entries are processes and kernel objects, some of them other people's.
fn is_made_by_the_kernel(path: &AbsPath) -> bool {
    ["/proc", "/sys"].iter().any(|top| path.as_path().starts_with(top))
}

fn is_device(path: &AbsPath) -> bool {
    let kind = std::fs::symlink_metadata(path).map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
}
