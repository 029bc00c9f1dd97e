//! What the target touched, for a policy that is learned: every path once, with all that was asked of it.
//!
//! Kept by the threads that answer, so nothing is lost on the way, as lines of a journal may be. Its memory is bounded,
//! and what does not fit is counted. It decides nothing.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use crate::access::AccessSet;
use crate::journal::Refusal;
use crate::path::AbsPath;

/// The bytes that all paths may take together, with [`PER_PATH`] for each.
const MOST: usize = 64 * 1024 * 1024;

/// What a path takes besides its bytes, roughly.
const PER_PATH: usize = 256;

/// Names of processes that are kept for one path.
const MOST_COMMANDS: usize = 4;

/// Moves that are kept.
const MOST_MOVES: usize = 64 * 1024;

/// What became of what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It was done, or failed for a reason that has nothing to do with rights.
    Allowed,
    /// The policy denied it.
    Denied,
    /// The policy allowed it, and the file system's own rights did not (EACCES, EPERM, EROFS).
    Failed,
}

/// What was asked of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The real path.
    pub path: AbsPath,
    /// What became of it.
    pub fate: Fate,
    /// What the operation would have done, where it was denied for that.
    pub refusal: Option<Refusal>,
    /// All that was asked.
    pub access: AccessSet,
    /// How often.
    pub count: u64,
    /// The system calls.
    pub operations: BTreeSet<String>,
    /// The names of processes that asked, four at most.
    pub commands: BTreeSet<Vec<u8>>,
}

/// A name that became another, or got one besides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// The old name.
    pub from: AbsPath,
    /// The new name.
    pub to: AbsPath,
    /// What it names.
    pub what: Moved,
}

/// What got another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moved {
    /// Anything without entries.
    File,
    /// A directory, with all that is in it.
    Directory,
}

/// Everything that was touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Sorted by path.
    pub touched: Vec<Touched>,
    /// Names that became other names, or got another one besides.
    pub moves: Vec<Move>,
    /// What was asked of paths that there was no room for.
    pub missed: u64,
}

/// Something that was asked, until its call is answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: AbsPath,
    pub(super) access: AccessSet,
    pub(super) is_denied: bool,
    pub(super) refusal: Option<Refusal>,
}

impl Asked {
    pub(super) fn allowed(path: AbsPath, access: AccessSet) -> Asked {
        Asked { path, access, is_denied: false, refusal: None }
    }

    pub(super) fn denied(path: AbsPath, access: AccessSet) -> Asked {
        Asked { path, access, is_denied: true, refusal: None }
    }

    pub(super) fn refused(path: AbsPath, access: AccessSet, refusal: Refusal) -> Asked {
        Asked { path, access, is_denied: true, refusal: Some(refusal) }
    }
}

/// What one call asked for, and moved.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) asked: Vec<Asked>,
    pub(super) moved: Vec<Move>,
}

#[derive(Debug, Default)]
struct Entry {
    refusal: Option<Refusal>,
    access: AccessSet,
    count: u64,
    operations: BTreeSet<&'static str>,
    commands: BTreeSet<Box<[u8]>>,
}

/// The paths so far.
#[derive(Debug, Default)]
pub(super) struct Observer(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<(AbsPath, Fate), Entry>,
    moves: BTreeSet<Move>,
    bytes: usize,
    missed: u64,
}

impl Observer {
    /// Takes what a call asked for, and how it was answered.
    pub(super) fn add(
        &self,
        operation: &'static str,
        command: &[u8],
        call: Call,
        errno: Option<Errno>,
    ) {
        let allowed = match errno {
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Fate::Failed,
            Some(_) | None => Fate::Allowed,
        };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let denied = call.asked.iter().any(|asked| asked.is_denied);
        // No line of a policy would let this be done, so leave for its path is not wanted either.
        let refused: BTreeSet<AbsPath> = call
            .asked
            .iter()
            .filter(|asked| asked.refusal.is_some())
            .map(|asked| asked.path.clone())
            .collect();
        for asked in call.asked {
            if asked.refusal.is_none() && refused.contains(&asked.path) {
                continue;
            }
            // What a denied call was allowed besides is wanted as well.
            let fate = match (asked.is_denied, denied) {
                (true, _) => Fate::Denied,
                (false, true) => Fate::Allowed,
                (false, false) => allowed,
            };
            state.touch(asked, fate, operation, command);
        }
        if errno.is_none() {
            state.moves(call.moved);
        }
    }

    /// Everything so far.
    pub(super) fn observed(&self) -> Observed {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let touched = state.entries.iter().map(|((path, fate), entry)| Touched {
            path: path.clone(),
            fate: *fate,
            refusal: entry.refusal,
            access: entry.access,
            count: entry.count,
            operations: entry.operations.iter().map(|name| (*name).to_owned()).collect(),
            commands: entry.commands.iter().map(|name| name.to_vec()).collect(),
        });
        Observed {
            touched: touched.collect(),
            moves: state.moves.iter().cloned().collect(),
            missed: state.missed,
        }
    }
}

impl State {
    fn touch(&mut self, asked: Asked, fate: Fate, operation: &'static str, command: &[u8]) {
        let cost = asked.path.as_bytes().len() + PER_PATH;
        let key = (asked.path, fate);
        if !self.entries.contains_key(&key) {
            if self.bytes + cost > MOST {
                self.missed += 1;
                return;
            }
            self.bytes += cost;
        }
        let entry = self.entries.entry(key).or_default();
        entry.refusal = entry.refusal.or(asked.refusal);
        entry.access = entry.access.union(asked.access);
        entry.count += 1;
        entry.operations.insert(operation);
        if entry.commands.len() < MOST_COMMANDS && !entry.commands.contains(command) {
            entry.commands.insert(command.into());
        }
    }

    fn moves(&mut self, moved: Vec<Move>) {
        for one in moved {
            if self.moves.len() < MOST_MOVES {
                self.moves.insert(one);
            } else if !self.moves.contains(&one) {
                self.missed += 1;
            }
        }
    }
}

impl Observed {
    /// As bytes for another process of clawguard: lengths and fields.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Out(Vec::new());
        out.number(self.missed);
        out.number(self.touched.len() as u64);
        for one in &self.touched {
            out.bytes(one.path.as_bytes());
            out.number(match one.fate {
                Fate::Allowed => 0,
                Fate::Denied => 1,
                Fate::Failed => 2,
            });
            out.bytes(one.refusal.map_or("", Refusal::word).as_bytes());
            out.bytes(one.access.to_string().as_bytes());
            out.number(one.count);
            out.number(one.operations.len() as u64);
            one.operations.iter().for_each(|name| out.bytes(name.as_bytes()));
            out.number(one.commands.len() as u64);
            one.commands.iter().for_each(|name| out.bytes(name));
        }
        out.number(self.moves.len() as u64);
        for one in &self.moves {
            out.bytes(one.from.as_bytes());
            out.bytes(one.to.as_bytes());
            out.number(match one.what {
                Moved::File => 0,
                Moved::Directory => 1,
            });
        }
        out.0
    }

    /// The reverse; none for bytes that are not whole.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Observed> {
        let mut rest = In(bytes);
        let mut observed = Observed { missed: rest.number()?, ..Observed::default() };
        for _ in 0..rest.number()? {
            let path = AbsPath::parse(rest.bytes()?).ok()?;
            let fate = match rest.number()? {
                0 => Fate::Allowed,
                1 => Fate::Denied,
                2 => Fate::Failed,
                _ => return None,
            };
            let refusal = Refusal::of_word(std::str::from_utf8(rest.bytes()?).ok()?);
            let access = AccessSet::parse(std::str::from_utf8(rest.bytes()?).ok()?).ok()?;
            let count = rest.number()?;
            let mut operations = BTreeSet::new();
            for _ in 0..rest.number()? {
                operations.insert(String::from_utf8(rest.bytes()?.to_vec()).ok()?);
            }
            let mut commands = BTreeSet::new();
            for _ in 0..rest.number()? {
                commands.insert(rest.bytes()?.to_vec());
            }
            observed.touched.push(Touched {
                path,
                fate,
                refusal,
                access,
                count,
                operations,
                commands,
            });
        }
        for _ in 0..rest.number()? {
            let (from, to) = (rest.bytes()?, rest.bytes()?);
            let (from, to) = (AbsPath::parse(from).ok()?, AbsPath::parse(to).ok()?);
            let what = match rest.number()? {
                0 => Moved::File,
                1 => Moved::Directory,
                _ => return None,
            };
            observed.moves.push(Move { from, to, what });
        }
        rest.0.is_empty().then_some(observed)
    }
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_ne_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*number))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Access;

    fn asked(path: &str, access: Access, is_denied: bool) -> Asked {
        let (path, access) = (AbsPath::parse(path).unwrap(), access.into());
        if is_denied { Asked::denied(path, access) } else { Asked::allowed(path, access) }
    }

    fn call(asked: Vec<Asked>) -> Call {
        Call { asked, moved: Vec::new() }
    }

    #[test]
    fn a_path_is_kept_once_with_all_that_was_asked_and_what_became_of_it() {
        let observer = Observer::default();
        let read = || call(vec![asked("/a", Access::Read, false)]);
        observer.add("openat", b"cat", read(), None);
        observer.add("open", b"sh", read(), Some(Errno::NOTEMPTY));
        observer.add("openat", b"cat", read(), Some(Errno::ACCESS));
        observer.add(
            "unlink",
            b"rm",
            call(vec![asked("/a", Access::Write, true)]),
            Some(Errno::ACCESS),
        );
        let touched = observer.observed().touched;
        let told: Vec<_> =
            touched.iter().map(|one| (one.fate, one.access.to_string(), one.count)).collect();
        assert_eq!(
            told,
            [
                (Fate::Allowed, "r".to_owned(), 2),
                (Fate::Denied, "w".to_owned(), 1),
                (Fate::Failed, "r".to_owned(), 1)
            ]
        );
        assert_eq!((touched[0].commands.len(), touched[0].operations.len()), (2, 2));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let observer = Observer::default();
        observer.0.lock().unwrap().bytes = MOST;
        observer.add("openat", b"cat", call(vec![asked("/a", Access::Read, false)]), None);
        assert_eq!((observer.observed().touched.len(), observer.observed().missed), (0, 1));
    }

    #[test]
    fn it_arrives_in_another_process_as_it_was_and_only_whole() {
        let observer = Observer::default();
        let (from, to) = (AbsPath::parse("/a\n").unwrap(), AbsPath::parse(b"/\xff").unwrap());
        let one = Move { from, to, what: Moved::Directory };
        let moved = Call { asked: vec![asked("/a\n", Access::Write, false)], moved: vec![one] };
        observer.add("rename", b"\xff\n", moved, None);
        let observed = observer.observed();
        let bytes = observed.to_bytes();
        assert_eq!(Observed::from_bytes(&bytes), Some(observed));
        for end in 0..bytes.len() {
            assert_eq!(Observed::from_bytes(&bytes[..end]), None, "{end}");
        }
    }
}
