//! A rename that was judged for what stood at its names, and is done for nothing else.
//!
//! Most names are alike for whatever stands there, and then the kernel may move what it finds. Where a file may be moved
//! and a directory, a link or a device may not, the act is bound to the kinds that were judged ([`super::bound`]).

#![forbid(unsafe_code)]

use landlock::{AccessFs, BitFlags};
use rustix::fs::{AtFlags, FileType, RenameFlags, Stat};
use rustix::io::Errno;

use super::bound::Bound;
use super::entry::link_refusal;
use super::metadata::is_hosts_device;
use super::pin::Entry;
use super::worker::Worker;
use crate::access::Access;
use crate::path::AbsPath;

/// What a rename was allowed for.
pub(super) struct Judged {
    pub(super) a: AbsPath,
    pub(super) b: AbsPath,
    pub(super) moved: FileType,
    /// Of an exchange.
    back: Option<FileType>,
    /// The kinds that these names must not get, in either direction, and that nothing judged is of.
    without: BitFlags<AccessFs>,
    /// The kinds that the act cannot be kept from, since the other direction is of them: what may not go to `b`, to `a`.
    looked_for: [BitFlags<AccessFs>; 2],
    /// A file that Landlock grants by itself must not take this way.
    no_granted: bool,
    /// A file that another name lets be read must not take this way.
    no_second: bool,
}

/// How a rename went.
pub(super) enum Outcome {
    Done(Result<(), Errno>),
    /// Something else stood at the names by then. Nothing was moved, or it was moved back.
    Exchanged,
}

impl Judged {
    /// `replaced`: what an exchange moves back.
    pub(super) fn new(
        worker: &mut Worker,
        (a, moved): (&AbsPath, &Stat),
        (b, replaced): (&AbsPath, Option<&Stat>),
    ) -> Judged {
        let kind = |stat: &Stat| FileType::from_raw_mode(stat.st_mode);
        let back = replaced.map(kind);
        let there = astray(worker, a, b);
        let return_way = if back.is_some() { astray(worker, b, a) } else { BitFlags::empty() };
        let present = right(kind(moved)) | back.map_or(BitFlags::empty(), right);
        Judged {
            a: a.clone(),
            b: b.clone(),
            moved: kind(moved),
            back,
            without: (there | return_way) & !present,
            looked_for: [there & present, return_way & present],
            no_second: back.is_none() && loses_reading(worker, a, b),
            no_granted: !worker.shared.granted.is_empty() && worker.allowed(a) != worker.allowed(b),
        }
    }

    /// Renames, if the names still mean what was judged.
    pub(super) fn act(
        &self,
        worker: &Worker,
        from: &Entry,
        to: &Entry,
        flags: RenameFlags,
    ) -> Outcome {
        let done = match self.without.is_empty() {
            true => rename(from, to, flags),
            false => Bound::Without(self.without).act(|| rename(from, to, flags)),
        };
        match done {
            Err(Errno::ACCESS) if !self.without.is_empty() && self.has_changed(from, to) => {
                Outcome::Exchanged
            }
            Ok(()) if self.went_astray(worker, from, to) => {
                put_back(from, to, flags);
                Outcome::Exchanged
            }
            done => Outcome::Done(done),
        }
    }

    /// Does something of another kind stand there than was judged?
    fn has_changed(&self, from: &Entry, to: &Entry) -> bool {
        kind_at(from) != Some(self.moved) || self.back.is_some_and(|back| kind_at(to) != Some(back))
    }

    /// Has something come to a name that it must not get, which the kernel could not be asked to refuse?
    fn went_astray(&self, worker: &Worker, from: &Entry, to: &Entry) -> bool {
        let [at_b, at_a] = self.looked_for;
        let is_looked_at = self.no_granted || self.no_second || !(at_b | at_a).is_empty();
        if !is_looked_at {
            return false;
        }
        let is_wrong = |entry: &Entry, kinds: BitFlags<AccessFs>| {
            let Ok(stat) = entry.stat() else { return false };
            let kind = right(FileType::from_raw_mode(stat.st_mode));
            kinds.intersects(kind) || self.no_granted && worker.is_granted(&stat)
        };
        let has_second = || to.stat().is_ok_and(|stat| has_other_names(&stat));
        is_wrong(to, at_b)
            || self.no_second && has_second()
            || self.back.is_some() && is_wrong(from, at_a)
    }
}

/// Is what may be read by one name not read by the other?
pub(super) fn loses_reading(worker: &mut Worker, a: &AbsPath, b: &AbsPath) -> bool {
    worker.allows(a, Access::Read.into()) && !worker.allows(b, Access::Read.into())
}

/// Is it a file with more than one name?
pub(super) fn has_other_names(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink > 1
}

/// The kinds that may not be moved from `a` to `b`, although a file may.
fn astray(worker: &mut Worker, a: &AbsPath, b: &AbsPath) -> BitFlags<AccessFs> {
    let (from, to) = (worker.decider.walk_exactly(a), worker.decider.walk_exactly(b));
    let mut kinds = BitFlags::empty();
    if worker.decider.is_pinned(from) || !worker.decider.decides_alike(from, to) {
        kinds |= AccessFs::MakeDir;
    }
    if a != b && link_refusal(worker, b).is_some() {
        kinds |= AccessFs::MakeSym;
    }
    if is_hosts_device(a, FileType::CharacterDevice) {
        kinds |= AccessFs::MakeChar | AccessFs::MakeBlock;
    }
    kinds
}

/// The right that Landlock asks for where an object of this kind gets a name; none for those that are alike for the law.
fn right(kind: FileType) -> BitFlags<AccessFs> {
    match kind {
        FileType::Directory => AccessFs::MakeDir.into(),
        FileType::Symlink => AccessFs::MakeSym.into(),
        FileType::CharacterDevice => AccessFs::MakeChar.into(),
        FileType::BlockDevice => AccessFs::MakeBlock.into(),
        FileType::RegularFile | FileType::Fifo | FileType::Socket | FileType::Unknown => {
            BitFlags::empty()
        }
    }
}

fn kind_at(entry: &Entry) -> Option<FileType> {
    entry.stat().ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

pub(super) fn rename(from: &Entry, to: &Entry, flags: RenameFlags) -> Result<(), Errno> {
    rustix::fs::renameat_with(&from.parent, &*from.last, &to.parent, &*to.last, flags)
}

/// Takes away what went astray. Where its old name is taken by now, it is removed: the law allowed to replace it.
fn put_back(from: &Entry, to: &Entry, flags: RenameFlags) {
    if flags.contains(RenameFlags::EXCHANGE) {
        let _ = rename(from, to, flags);
        return;
    }
    if rename(to, from, RenameFlags::NOREPLACE).is_err() {
        let _ = rustix::fs::unlinkat(&to.parent, &*to.last, AtFlags::empty());
    }
}
