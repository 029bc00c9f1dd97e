//! Many paths into few lines: which directory stands for which paths.
//!
//! It looks at the disk to see what is still there. It must never join beyond [`may_stand`], nor into a directory
//! with a secret that nothing blocks.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;

use clawguard_core::{AbsPath, Access, AccessSet, Decider, Host, Move, Verdict};

use super::places::may_stand;
use super::{Kept, Level, Line, Wanted, names, spell};
use crate::known;

/// More paths than this in one directory become the directory.
const MOST: usize = 3;

/// System calls after which a name may be another object.
const REPLACING: [&str; 6] = ["rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2"];

/// System calls that make a link: a line that names its place would pin it.
const LINKING: [&str; 2] = ["symlink", "symlinkat"];

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The path itself: what it names is found again at the next start, and stays.
    Exact,
    /// The same for a directory that is made before the start, so that programs made in it can be run.
    Made,
    /// `PATH/**`: what is there may be removed, and made again.
    Beneath,
    /// A wildcard in place of what the last name makes up.
    Wildcard,
    /// The same file of any process: its number is another the next time.
    Process,
}

/// What becomes a line.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) path: AbsPath,
    pub(super) form: Form,
    pub(super) access: AccessSet,
    count: u64,
    operations: BTreeSet<String>,
    commands: BTreeSet<Vec<u8>>,
    paths: BTreeSet<AbsPath>,
}

/// What holds a proposal back.
pub(super) struct Limits<'a> {
    pub(super) host: &'a Host,
    /// Directories inside blocks that `--allow` names: one line stands for all that was wanted in one.
    pub(super) opened: &'a [AbsPath],
    pub(super) existing: &'a [known::Present],
    /// What its owner allows by name.
    pub(super) named: &'a mut Decider,
    /// What is blocked, everything else being allowed.
    pub(super) blocks: &'a mut Decider,
    /// The same without what this run's `--allow` goes through.
    pub(super) plain: &'a mut Decider,
    pub(super) level: Level,
}

/// The units, sorted by path, and what has none.
pub(super) struct Shaped {
    pub(super) units: Vec<Unit>,
    pub(super) too_wide: Vec<(Wanted, &'static str)>,
}

impl Unit {
    fn new(path: AbsPath, form: Form) -> Unit {
        Unit {
            path,
            form,
            access: AccessSet::EMPTY,
            count: 0,
            operations: BTreeSet::new(),
            commands: BTreeSet::new(),
            paths: BTreeSet::new(),
        }
    }

    fn add(&mut self, wanted: &Wanted) {
        self.access = self.access.union(wanted.access);
        self.count += wanted.count;
        self.operations.extend(wanted.operations.iter().cloned());
        self.commands.extend(wanted.commands.iter().cloned());
        self.paths.insert(wanted.path.clone());
    }

    pub(super) fn absorb(&mut self, other: Unit) {
        self.access = self.access.union(other.access);
        self.count += other.count;
        self.operations.extend(other.operations);
        self.commands.extend(other.commands);
        self.paths.extend(other.paths);
    }

    /// The same paths by another directory.
    pub(super) fn raised(self, path: AbsPath) -> Unit {
        let mut unit = Unit::new(path, Form::Exact);
        unit.absorb(self);
        unit
    }

    /// Is every path that it was made for allowed without it?
    pub(super) fn is_allowed(&self, decider: &mut Decider, kept: &Kept<'_>) -> bool {
        let mut own = self.paths.iter().filter_map(|path| kept.get(path));
        own.all(|one| super::denied(decider, one).is_empty())
    }

    pub(super) fn line(&self, host: &Host) -> Line {
        let mut pattern = match self.form {
            Form::Exact | Form::Made | Form::Beneath => spell::pattern(&self.path, host),
            Form::Process => process(&self.path),
            Form::Wildcard => {
                self.wildcard(host).unwrap_or_else(|| spell::pattern(&self.path, host))
            }
        };
        match self.form {
            Form::Made => pattern.push(b'/'),
            Form::Beneath => pattern.extend(b"/**"),
            Form::Exact | Form::Wildcard | Form::Process => {}
        }
        Line {
            path: self.path.clone(),
            pattern,
            access: self.access,
            count: self.count,
            operations: self.operations.clone(),
            commands: self.commands.clone(),
            paths: self.paths.len(),
        }
    }

    fn wildcard(&self, host: &Host) -> Option<Vec<u8>> {
        let (parent, name) = (self.path.parent()?, self.path.file_name()?);
        let last = names::wildcard(name, names::Now::Gone, spell::literal)?;
        let front = spell::pattern(&parent, host);
        let slash: &[u8] = if front == b"/" { b"" } else { b"/" };
        Some([&front[..], slash, &last].concat())
    }
}

/// What a path is now, and what was done to it.
struct Seen<'a> {
    wanted: &'a Wanted,
    now: Option<Metadata>,
    /// It was wanted as a directory: something was wanted beneath it.
    has_beneath: bool,
    is_moved: bool,
}

impl Seen<'_> {
    fn did(&self, calls: &[&str]) -> bool {
        calls.iter().any(|call| self.wanted.operations.contains(*call))
    }

    fn state(&self) -> names::Now {
        if self.now.is_some() { names::Now::Stays } else { names::Now::Gone }
    }

    fn may_be_directory(&self) -> bool {
        self.now.as_ref().map_or(self.has_beneath, Metadata::is_dir)
    }

    fn changes(&self) -> bool {
        self.wanted.access.contains(Access::Write)
    }

    fn was_made_and_is_gone(&self) -> bool {
        self.now.is_none() && self.did(&["mkdir", "mkdirat"])
    }

    /// May the next run find, or make, something else by this name? Then a line must not name it.
    fn passes(&self) -> bool {
        let name = self.wanted.path.file_name().unwrap_or_default();
        let is_link = self.now.as_ref().is_some_and(Metadata::is_symlink);
        let goes = self.did(&REPLACING) || self.is_moved;
        let is_odd = self.now.is_none() && !self.did(&["open", "openat", "openat2", "creat"]);
        let is_run = self.wanted.access.contains(Access::Execute) && !self.may_be_directory();
        self.changes()
            && (names::looks_made_up(name, self.state())
                || is_link
                || self.did(&LINKING)
                || goes && (self.may_be_directory() || is_odd || self.was_made_and_is_gone())
                || is_run)
            // A program that was here and is gone was made by the command.
            || is_run && self.now.is_none()
    }
}

/// Finds the lines.
pub(super) fn shape(open: &[Wanted], moves: &[Move], mut limits: Limits<'_>) -> Shaped {
    let paths: BTreeSet<&AbsPath> = open.iter().map(|one| &one.path).collect();
    let moved: BTreeSet<&AbsPath> = moves.iter().flat_map(|one| [&one.from, &one.to]).collect();
    let seen: BTreeMap<&AbsPath, Seen<'_>> = open
        .iter()
        .map(|wanted| {
            let seen = Seen {
                wanted,
                now: std::fs::symlink_metadata(wanted.path.as_path()).ok(),
                has_beneath: is_above(&paths, &wanted.path),
                is_moved: moved.contains(&wanted.path),
            };
            (&wanted.path, seen)
        })
        .collect();
    let mut units: BTreeMap<AbsPath, Unit> = BTreeMap::new();
    let mut too_wide = Vec::new();
    for one in seen.values() {
        match place(one, &seen, &mut limits) {
            Ok((path, form)) => {
                let unit = units.entry(path.clone()).or_insert_with(|| Unit::new(path, form));
                unit.add(one.wanted);
                if form != Form::Exact && unit.form == Form::Exact {
                    unit.form = form;
                }
            }
            Err(why) => too_wide.push((one.wanted.clone(), why)),
        }
    }
    match limits.level {
        Level::Files => {}
        Level::Directories => {
            join(&mut units, &mut limits, Access::Write);
            fold(&mut units);
            join(&mut units, &mut limits, Access::Read);
        }
        Level::Trees => raise(&mut units, &mut limits),
    }
    for directory in limits.opened {
        let within: Vec<AbsPath> =
            beneath(&units, directory).map(|unit| unit.path.clone()).collect();
        if !within.is_empty() {
            replace(&mut units, &within, directory.clone());
        }
    }
    fold(&mut units);
    let mut units: Vec<Unit> = units.into_values().collect();
    units.iter_mut().for_each(|unit| settle_form(unit, &seen, limits.plain));
    Shaped { units, too_wide }
}

/// Is a path beneath `path` among these? `/a-b` sorts between `/a` and `/a/b`.
fn is_above(paths: &BTreeSet<&AbsPath>, path: &AbsPath) -> bool {
    let Ok(first) = AbsPath::parse([path.as_bytes(), b"/\x01"].concat()) else { return false };
    paths.range::<&AbsPath, _>(&first..).next().is_some_and(|next| next.starts_with(path))
}

/// What stands for one path.
fn place(
    one: &Seen<'_>,
    seen: &BTreeMap<&AbsPath, Seen<'_>>,
    limits: &mut Limits<'_>,
) -> Result<(AbsPath, Form), &'static str> {
    let path = &one.wanted.path;
    let access = one.wanted.access;
    if is_of_process(path) {
        let name = [b"/proc/0", &path.as_bytes()[number_end(path)..]].concat();
        return AbsPath::parse(name)
            .map(|path| (path, Form::Process))
            .map_err(|_| "its path has no pattern");
    }
    if limits.level == Level::Files {
        return may_be_named(one, limits).map(|()| (path.clone(), Form::Exact));
    }
    // The topmost name on the way that may be another the next time.
    let mut passing = one.passes().then_some(one);
    let mut at = path.parent();
    while let Some(above) = at {
        passing = seen.get(&above).filter(|seen| seen.passes()).or(passing);
        at = above.parent();
    }
    let Some(passing) = passing else {
        return may_be_named(one, limits).map(|()| (path.clone(), Form::Exact));
    };
    let top = &passing.wanted.path;
    if let Some(parent) = top.parent()
        && limits.may_stand(&parent, access)
    {
        return Ok((parent, Form::Exact));
    }
    let name = top.file_name().unwrap_or_default();
    if names::looks_made_up(name, passing.state()) {
        return match names::wildcard(name, passing.state(), spell::literal) {
            Some(_) => Ok((top.clone(), Form::Wildcard)),
            None => {
                Err("its name is made up anew each time, in a directory that many programs share")
            }
        };
    }
    let form = if passing.may_be_directory() || passing.now.is_none() {
        Form::Beneath
    } else {
        Form::Exact
    };
    Ok((top.clone(), form))
}

/// Is it in the directory of a process, deeper than that directory itself?
fn is_of_process(path: &AbsPath) -> bool {
    let mut names = path.components();
    let is_number = |name: &[u8]| name.iter().all(u8::is_ascii_digit);
    names.next() == Some(b"proc") && names.next().is_some_and(is_number) && names.next().is_some()
}

/// Where the number of a path in `/proc` ends.
fn number_end(path: &AbsPath) -> usize {
    let bytes = path.as_bytes();
    let front = b"/proc/".len();
    bytes[front..].iter().position(|byte| *byte == b'/').map_or(bytes.len(), |at| front + at)
}

fn process(path: &AbsPath) -> Vec<u8> {
    let mut pattern = b"/proc/[1-9]*".to_vec();
    for name in path.components().skip(2) {
        pattern.push(b'/');
        pattern.extend(spell::literal(name));
    }
    pattern
}

/// A line that names a directory allows everything in it.
fn may_be_named(one: &Seen<'_>, limits: &mut Limits<'_>) -> Result<(), &'static str> {
    if !one.may_be_directory() {
        return Ok(());
    }
    match limits.may_stand(&one.wanted.path, one.wanted.access) {
        true => Ok(()),
        false => Err("a line for this directory would allow everything in it"),
    }
}

impl Limits<'_> {
    /// May one line stand for everything in this directory?
    fn may_stand(&mut self, directory: &AbsPath, access: AccessSet) -> bool {
        if !may_stand(directory, access, self.host) {
            return false;
        }
        let decision = self.blocks.decide(directory);
        if access.iter().any(|one| matches!(decision.verdict(one), Verdict::Denied(_))) {
            return false;
        }
        !self.existing.iter().any(|present| {
            let access = present.secret.access.intersection(access);
            let mut within = present.paths.iter().filter(|path| path.starts_with(directory));
            within.any(|path| {
                let (blocked, named) = (self.blocks.decide(path), self.named.decide(path));
                let opens =
                    |one| blocked.verdict(one).is_allowed() && !named.verdict(one).is_allowed();
                access.iter().any(opens)
            })
        })
    }
}

/// Puts a directory in place of more than [`MOST`] units in it, deepest first: those that change something, or those
/// that do not.
fn join(units: &mut BTreeMap<AbsPath, Unit>, limits: &mut Limits<'_>, class: Access) {
    let belongs = |unit: &Unit| unit.access.contains(Access::Write) == (class == Access::Write);
    let mut above: BTreeMap<AbsPath, usize> = BTreeMap::new();
    for unit in units.values().filter(|unit| belongs(unit)) {
        let mut at = unit.path.parent();
        while let Some(path) = at {
            at = path.parent();
            *above.entry(path).or_default() += 1;
        }
    }
    let mut candidates: Vec<AbsPath> =
        above.into_iter().filter(|(_, count)| *count > MOST).map(|(path, _)| path).collect();
    candidates.sort_by_key(|path| std::cmp::Reverse(path.depth()));
    for directory in candidates {
        let within: Vec<AbsPath> = beneath(units, &directory)
            .filter(|unit| belongs(unit) && unit.path != directory)
            .map(|unit| unit.path.clone())
            .collect();
        let access = within
            .iter()
            .filter_map(|path| units.get(path))
            .fold(AccessSet::EMPTY, |all, unit| all.union(unit.access));
        if within.len() > MOST && limits.may_stand(&directory, access) {
            replace(units, &within, directory);
        }
    }
}

/// Puts the highest directory that may stand for it in place of each unit.
fn raise(units: &mut BTreeMap<AbsPath, Unit>, limits: &mut Limits<'_>) {
    for path in units.keys().cloned().collect::<Vec<_>>() {
        let Some(access) = units.get(&path).map(|unit| unit.access) else { continue };
        let mut highest = None;
        let mut at = path.parent();
        while let Some(above) = at {
            at = above.parent();
            if limits.may_stand(&above, access) {
                highest = Some(above);
            }
        }
        if let Some(highest) = highest {
            replace(units, std::slice::from_ref(&path), highest);
        }
    }
}

fn beneath<'a>(
    units: &'a BTreeMap<AbsPath, Unit>,
    directory: &'a AbsPath,
) -> impl Iterator<Item = &'a Unit> {
    // What sorts between a directory and its entries, such as `/a-b` between `/a` and `/a/b`, is passed over.
    let names = units.range(directory..).map(|(_, unit)| unit);
    let stays = |unit: &&Unit| unit.path.as_bytes().starts_with(directory.as_bytes());
    names.take_while(stays).filter(|unit| unit.path.starts_with(directory))
}

fn replace(units: &mut BTreeMap<AbsPath, Unit>, paths: &[AbsPath], directory: AbsPath) {
    let taken: Vec<Unit> = paths.iter().filter_map(|path| units.remove(path)).collect();
    let into = units.entry(directory.clone()).or_insert_with(|| Unit::new(directory, Form::Exact));
    into.form = Form::Exact;
    taken.into_iter().for_each(|unit| into.absorb(unit));
}

/// Takes out what a line above says already. A directory that may be changed takes what is in it whole: who may put
/// something there may as well read and run it.
fn fold(units: &mut BTreeMap<AbsPath, Unit>) {
    for path in units.keys().cloned().collect::<Vec<_>>() {
        let Some(unit) = units.get(&path) else { continue };
        let mut at = path.parent();
        while let Some(above) = at {
            let covers = units.get(&above).filter(|one| {
                !matches!(one.form, Form::Wildcard | Form::Process)
                    && (one.access.contains(Access::Write)
                        || one.access.union(unit.access) == one.access)
            });
            if covers.is_some() {
                if let Some(unit) = units.remove(&path)
                    && let Some(into) = units.get_mut(&above)
                {
                    into.absorb(unit);
                }
                break;
            }
            at = above.parent();
        }
    }
}

/// A directory that the command made is one that it may remove and make again: a line that names it would pin it. But
/// only such a line goes through a block, and Landlock can let a program be run that is made later only in a directory
/// that is there at the start.
fn settle_form(unit: &mut Unit, seen: &BTreeMap<&AbsPath, Seen<'_>>, blocks: &mut Decider) {
    let was_made = seen.get(&unit.path).is_some_and(|one| one.did(&["mkdir", "mkdirat"]));
    let is_directory = std::fs::metadata(unit.path.as_path()).is_ok_and(|now| now.is_dir());
    if unit.form != Form::Exact || !was_made || !is_directory {
        return;
    }
    let decision = blocks.decide(&unit.path);
    let is_free = unit.access.iter().all(|one| decision.verdict(one).is_allowed());
    let runs = unit.access.contains(Access::Execute) && unit.access.contains(Access::Write);
    match (runs, is_free) {
        (true, _) => unit.form = Form::Made,
        (false, true) => unit.form = Form::Beneath,
        (false, false) => {}
    }
}
