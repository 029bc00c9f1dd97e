//! The rows of SPEC section 5 about an object under another name: `link` and `rename`.

#![forbid(unsafe_code)]

use crate::law::{Access, Name};
use crate::needs::{AT_SYMLINK_FOLLOW, Judge, RENAME_EXCHANGE, RENAME_NOREPLACE, Reasons, Verdict};
use crate::operation::{Call, Operation};
use crate::walk::{EACCES, EXDEV, Follow, Kind, Last, Process, Resolve, Spot};

use Access::{Read, Write};
use Verdict::{Denied, Elsewhere, Limited, Natural};

impl Judge<'_> {
    /// "`link` a b | w on both, no access may be allowed on b that is denied on a, and r must be allowed on both or on
    /// neither, else EXDEV"
    pub(crate) fn link(&self, process: &Process, operation: &Operation) -> Verdict {
        let is_followed = operation.form == 0 && operation.flags & AT_SYMLINK_FOLLOW != 0;
        let follow = if is_followed { Follow::Always } else { Follow::WithSlash };
        let old = self.spot(process, operation, 0, follow, Resolve::default());
        let new = self.spot(process, operation, 1, Follow::Never, Resolve::default());
        let mut reasons = Reasons::default();
        match (old, new) {
            (Err(_), _) | (_, Err(_)) => Natural,
            (Ok(Spot::Elsewhere), _) | (_, Ok(Spot::Elsewhere)) => Elsewhere,
            (Ok(Spot::Missing { .. }), _) => Natural,
            (
                _,
                Ok(Spot::Found { .. } | Spot::Nameless(_) | Spot::Missing { has_slash: true, .. }),
            ) => Natural,
            // "naming it later is a create", and "as the descriptor allows" for what is named
            (Ok(Spot::Nameless(allowed)), Ok(Spot::Missing { path: new, .. })) => {
                reasons.add(!allowed.contains(&Write) || self.denies(Write, &new), EACCES);
                reasons.verdict()
            }
            (Ok(Spot::Found { path: old, kind, .. }), Ok(Spot::Missing { path: new, .. })) => {
                reasons.add(self.denies(Write, &old) || self.denies(Write, &new), EACCES);
                if reasons.0.is_empty() {
                    reasons.add(self.law.gains(&old, &new), EXDEV);
                    reasons.add(!self.denies(Read, &old) && self.denies(Read, &new), EXDEV);
                    // "the same when a link is renamed, exchanged or linked to a new name"
                    reasons.add(kind == Kind::Link && self.refuses_link(&new), EACCES);
                }
                self.or_kept(reasons, &[(&old, kind, &new)])
            }
        }
    }

    /// "`rename` a b, and each direction of `RENAME_EXCHANGE` | w on a and b; no access gained at b, else EXDEV. A
    /// directory: additionally no path beneath it, existing or future, may be decided differently at its new place, else
    /// EXDEV."
    pub(crate) fn rename(&self, process: &Process, operation: &Operation) -> Verdict {
        let flags = if operation.form == 1 { 0 } else { operation.flags };
        let old = self.spot(process, operation, 0, Follow::Never, Resolve::default());
        let new = self.spot(process, operation, 1, Follow::Never, Resolve::default());
        let (old, new) = match (old, new) {
            (Err(_), _) | (_, Err(_)) => return Natural,
            (Ok(Spot::Elsewhere), _) | (_, Ok(Spot::Elsewhere)) => return Elsewhere,
            (Ok(Spot::Found { last: Last::Dots | Last::Magic, .. }), _)
            | (_, Ok(Spot::Found { last: Last::Dots | Last::Magic, .. })) => return Natural,
            (Ok(Spot::Missing { .. } | Spot::Nameless(_)), _) | (_, Ok(Spot::Nameless(_))) => {
                return Natural;
            }
            (Ok(old), Ok(new)) => (old, new),
        };
        let Spot::Found { path: old, kind: old_kind, has_slash: old_slash, .. } = old else {
            return Natural;
        };
        let (new, new_kind, new_slash) = match new {
            Spot::Found { path, kind, has_slash, .. } => (path, Some(kind), has_slash),
            Spot::Missing { path, has_slash } => (path, None, has_slash),
            Spot::Nameless(_) | Spot::Elsewhere => return Elsewhere,
        };
        let is_exchange = flags & RENAME_EXCHANGE != 0;
        let is_directory = |kind: Kind| kind == Kind::Directory;
        // EEXIST, ENOENT, ENOTDIR and EINVAL come first.
        let slash_kind = if is_exchange { new_kind } else { Some(old_kind) };
        let fails = flags & RENAME_NOREPLACE != 0 && new_kind.is_some()
            || is_exchange && new_kind.is_none()
            || old_slash && !is_directory(old_kind)
            || new_slash && slash_kind.is_some_and(|kind| !is_directory(kind))
            || is_directory(old_kind) && new != old && new.starts_with(&old)
            || is_exchange && new != old && old.starts_with(&new);
        if fails {
            return Natural;
        }
        let mut reasons = Reasons::default();
        reasons.add(self.denies(Write, &old) || self.denies(Write, &new), EACCES);
        if !reasons.0.is_empty() {
            return reasons.verdict();
        }
        // "removing, renaming (also onto itself), exchanging or replacing a *pinned* directory"
        reasons.add(is_directory(old_kind) && self.leads_to_a_pin(&old), EACCES);
        reasons.add(new_kind.is_some_and(is_directory) && self.leads_to_a_pin(&new), EACCES);
        self.moves(&old, old_kind, &new, &mut reasons);
        let mut moved = vec![(&old, old_kind, &new)];
        if let (true, Some(kind)) = (is_exchange, new_kind) {
            self.moves(&new, kind, &old, &mut reasons);
            moved.push((&new, kind, &old));
        }
        self.or_kept(reasons, &moved)
    }

    /// docs/limits.md, "A file that would keep a grant": a file that loses an access by its new name.
    fn or_kept(&self, reasons: Reasons, moved: &[(&Vec<Name>, Kind, &Vec<Name>)]) -> Verdict {
        let keeps = moved.iter().any(|(old, kind, new)| match kind {
            Kind::File => self.law.gains(new, old),
            // docs/limits.md, "Moving a directory beside rules that change nothing".
            Kind::Directory => !self.law.is_left_alike(old, new),
            Kind::Link | Kind::Other => false,
        });
        match reasons.verdict() {
            Natural if keeps => Limited(EXDEV),
            Denied(errnos) if keeps => Denied([errnos, vec![EXDEV]].concat()),
            verdict => verdict,
        }
    }

    /// One direction of a move.
    fn moves(&self, old: &[Name], kind: Kind, new: &[Name], reasons: &mut Reasons) {
        reasons.add(self.law.gains(old, new), EXDEV);
        let is_directory = kind == Kind::Directory;
        reasons.add(is_directory && old != new && !self.law.is_same_beneath(old, new), EXDEV);
        reasons.add(kind == Kind::Link && old != new && self.refuses_link(new), EACCES);
    }

    /// The paths of what a link or a rename names; none if something has no name.
    pub(crate) fn moved(&self, process: &Process, operation: &Operation) -> Option<Vec<Vec<Name>>> {
        let is_followed = operation.call == Call::Link && operation.flags & AT_SYMLINK_FOLLOW != 0;
        let follow = if is_followed { Follow::Always } else { Follow::Never };
        [(0, follow), (1, Follow::Never)]
            .into_iter()
            .map(|(which, follow)| {
                match self.spot(process, operation, which, follow, Resolve::default()) {
                    Ok(Spot::Found { path, .. } | Spot::Missing { path, .. }) => Some(path),
                    Ok(Spot::Nameless(_) | Spot::Elsewhere) | Err(_) => None,
                }
            })
            .collect()
    }

    /// "`rename` of an executable file to a name where the two rows above would not let it become executable; `link` of a
    /// file without a name | ... the file loses the mode": the names at which it may. Which directories are loose is not
    /// known here.
    pub(crate) fn loses_programs(
        &self,
        process: &Process,
        operation: &Operation,
    ) -> Vec<Vec<Name>> {
        if !matches!(operation.call, Call::Link | Call::Rename) {
            return Vec::new();
        }
        let named = [0, 1].into_iter().filter_map(|which| {
            match self.spot(process, operation, which, Follow::Never, Resolve::default()) {
                Ok(Spot::Found { path, .. } | Spot::Missing { path, .. }) => Some(path),
                Ok(Spot::Nameless(_) | Spot::Elsewhere) | Err(_) => None,
            }
        });
        named.filter(|path| self.denies(Access::Execute, path)).collect()
    }

    /// Is a move denied for what lies beneath alone, while nothing is gained by it?
    pub(crate) fn only_changes(&self, process: &Process, operation: &Operation) -> bool {
        let spot = |which| self.spot(process, operation, which, Follow::Never, Resolve::default());
        let (Ok(Spot::Found { path: old, kind: Kind::Directory, .. }), Ok(new)) =
            (spot(0), spot(1))
        else {
            return false;
        };
        let (Spot::Found { path: new, .. } | Spot::Missing { path: new, .. }) = new else {
            return false;
        };
        let is_denied = [&old, &new].into_iter().any(|path| self.denies(Write, path));
        !is_denied && !self.law.gains(&old, &new)
    }
}
