//! SPEC section 5: what each operation needs, and what becomes of it. Each row of the table is quoted above the code
//! that reads it. The tree is looked at as it is just before the operation.

#![forbid(unsafe_code)]

use crate::law::{Access, Effect, Law, Name};
use crate::operation::{Call, Operation, TOP, replace};
use crate::walk::{EACCES, EXDEV, Follow, Kind, Last, Process, Resolve, Spot};

use Access::{Execute, Read, Write};

/// What the law says of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The kernel's own answer, exactly: the law allows it or has nothing to say, or "errors of arguments, path
    /// resolution and existence ... come before it".
    Natural,
    /// It never happens, and fails with one of these; "errors that only the act finds may come after it", so the
    /// kernel's own failure will do as well.
    Denied(Vec<i32>),
    /// It may fail with this errno beyond the law, for a reason that docs/limits.md gives, and then changes nothing; if it
    /// happens, then as without the shim.
    Limited(i32),
    /// Nothing is said, and it is not tried: it leads out of the tree, where the bare twin must not act.
    Elsewhere,
}

use Verdict::{Denied, Elsewhere, Limited, Natural};

pub(crate) const O_ACCMODE: i64 = 3;
const O_RDONLY: i64 = 0;
pub(crate) const O_WRONLY: i64 = 1;
pub(crate) const O_CREAT: i64 = 0o100;
const O_EXCL: i64 = 0o200;
const O_TRUNC: i64 = 0o1000;
const O_DIRECTORY: i64 = 0o200_000;
const O_NOFOLLOW: i64 = 0o400_000;
const O_PATH: i64 = 0o10_000_000;
const O_TMPFILE: i64 = 0o20_000_000;
const AT_SYMLINK_NOFOLLOW: i64 = 0x100;
const AT_SYMLINK_FOLLOW: i64 = 0x400;
const AT_EMPTY_PATH: i64 = 0x1000;
const IN_DONT_FOLLOW: i64 = 0x0200_0000;
const IN_ONLYDIR: i64 = 0x0100_0000;
pub(crate) const RENAME_NOREPLACE: i64 = 1;
pub(crate) const RENAME_EXCHANGE: i64 = 2;

/// The law at work on one tree.
pub(crate) struct Judge<'a> {
    pub(crate) law: &'a Law,
    /// Where the tree stands: components, and as text.
    pub(crate) top: &'a [Name],
    pub(crate) top_text: &'a [u8],
    /// Where the start found pinned directories, or nothing yet ([`pins`]).
    pub(crate) pins: &'a [Vec<Name>],
}

/// "a *pinned* directory: one that an exact allowed rule (not `D/**`) ... names"; "the next start must find what this one
/// found". A rule whose path was something else than a directory at the start pins nothing.
pub(crate) fn pins(law: &Law, working_directory: &[Name]) -> Vec<Vec<Name>> {
    let exact = law.rules.iter().filter(|rule| rule.effect == Effect::Allowed && rule.is_exact());
    let is_pin = |path: &Vec<Name>| {
        crate::walk::lstat(path).is_none_or(|found| crate::walk::kind(&found) == Kind::Directory)
    };
    let named = exact.filter_map(crate::law::Rule::literal).filter(is_pin);
    // "or `$PWD` names"
    named.chain([working_directory.to_vec()]).collect()
}

/// The errno of a denial, or of several reasons to deny.
#[derive(Default)]
struct Reasons(Vec<i32>);

impl Reasons {
    fn add(&mut self, is_reason: bool, errno: i32) {
        if is_reason && !self.0.contains(&errno) {
            self.0.push(errno);
        }
    }

    fn verdict(self) -> Verdict {
        if self.0.is_empty() { Natural } else { Denied(self.0) }
    }
}

/// "an object without a name (pipe, memfd, deleted file, O_TMPFILE) through its descriptor, `/dev/fd` or `/dev/std*` | as
/// the descriptor allows": it allows what it was opened for. Nothing is opened for execution.
fn by_descriptor(allowed: &[Access], accesses: &[Access]) -> Verdict {
    let mut reasons = Reasons::default();
    let is_denied = |access: &Access| *access != Execute && !allowed.contains(access);
    reasons.add(accesses.iter().any(is_denied), EACCES);
    reasons.verdict()
}

impl Judge<'_> {
    fn is_inside(&self, path: &[Name]) -> bool {
        path.starts_with(self.top)
    }

    fn denies(&self, access: Access, path: &[Name]) -> bool {
        !self.law.allows(access, path)
    }

    /// Every listed access must be allowed on a path.
    fn needs(&self, path: &[Name], accesses: &[Access]) -> Verdict {
        let mut reasons = Reasons::default();
        reasons.add(accesses.iter().any(|access| self.denies(*access, path)), EACCES);
        reasons.verdict()
    }

    fn spot(
        &self,
        process: &Process,
        operation: &Operation,
        which: usize,
        follow: Follow,
        flags: Resolve,
    ) -> Result<Spot, i32> {
        let path = replace(&operation.paths[which], TOP, self.top_text);
        let spot = process.resolve(operation.directories[which], &path, follow, flags)?;
        Ok(match &spot {
            Spot::Found { path, .. } | Spot::Missing { path, .. } if !self.is_inside(path) => {
                Spot::Elsewhere
            }
            Spot::Found { .. } | Spot::Missing { .. } | Spot::Nameless(_) | Spot::Elsewhere => spot,
        })
    }

    /// What an operation would find if it followed every link.
    pub(crate) fn object(&self, process: &Process, operation: &Operation) -> Option<Spot> {
        self.spot(process, operation, 0, Follow::Always, Resolve::default()).ok()
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

    /// An operation on an object that must exist.
    fn on_object(
        &self,
        process: &Process,
        operation: &Operation,
        follow: Follow,
        accesses: &[Access],
    ) -> Verdict {
        match self.spot(process, operation, 0, follow, Resolve::default()) {
            Err(_) | Ok(Spot::Missing { .. }) => Natural,
            Ok(Spot::Nameless(allowed)) => by_descriptor(&allowed, accesses),
            Ok(Spot::Elsewhere) => Elsewhere,
            Ok(Spot::Found { path, .. }) => self.needs(&path, accesses),
        }
    }

    /// An operation on an object that a descriptor holds.
    fn on_held(&self, process: &Process, operation: &Operation, accesses: &[Access]) -> Verdict {
        match process.held(operation.directories[0]) {
            // EBADF
            None => Natural,
            Some(held) if held.is_path_only => Natural,
            Some(held) if held.is_doubtful => Elsewhere,
            Some(held) => match held.path {
                None => by_descriptor(&held.allows, accesses),
                Some(path) if !self.is_inside(&path) => Elsewhere,
                Some(path) => self.needs(&path, accesses),
            },
        }
    }

    pub(crate) fn verdict(&self, process: &Process, operation: &Operation) -> Verdict {
        let flags = operation.flags;
        let follow =
            if flags & AT_SYMLINK_NOFOLLOW == 0 { Follow::Always } else { Follow::WithSlash };
        let link_follow = if operation.form == 1 { Follow::WithSlash } else { Follow::Always };
        let object =
            |follow, accesses: &[Access]| self.on_object(process, operation, follow, accesses);
        let held = |accesses: &[Access]| self.on_held(process, operation, accesses);
        match operation.call {
            Call::Open => self.open(process, operation),
            // "create by `open(O_CREAT)`, `mkdir`, `mknod` (FIFO, socket, regular), `bind` of a unix socket | w on the
            // new path"; "`symlink`"
            Call::Mkdir | Call::Mknod | Call::Symlink | Call::Bind => self.make(process, operation),
            // "`unlink`, `rmdir` | w on the path"
            Call::Unlink | Call::Rmdir => self.remove(process, operation),
            Call::Link => self.link(process, operation),
            Call::Rename => self.rename(process, operation),
            // "open for writing, `O_TRUNC`, `truncate`, `chmod`, `chown`, `utimensat`, `setxattr`, `removexattr`, also
            // through a descriptor or `/proc/self/fd` | w"
            Call::Truncate => object(Follow::Always, &[Write]),
            Call::Chmod if operation.form != 2 => object(Follow::Always, &[Write]),
            Call::Chmod | Call::Chown => object(follow, &[Write]),
            Call::Utimens if operation.form == 2 => held(&[Write]),
            Call::Utimens => object(follow, &[Write]),
            Call::Fchmod | Call::Fchown => held(&[Write]),
            Call::Setxattr | Call::Removexattr if operation.form == 2 => held(&[Write]),
            Call::Setxattr | Call::Removexattr => object(link_follow, &[Write]),
            // "`getxattr`, `listxattr`, `inotify_add_watch` | r"
            Call::Getxattr | Call::Listxattr if operation.form == 2 => held(&[Read]),
            Call::Getxattr | Call::Listxattr => object(link_follow, &[Read]),
            Call::Inotify => self.watch(process, operation),
            Call::Access => self.access(process, operation, follow),
            // "`connect` to a pathname unix socket | w on the socket"
            Call::Connect => object(Follow::Always, &[Write]),
            Call::Execute => self.execute(process, operation),
            // "`stat`, `readlink`, `chdir`, `O_PATH`, `statfs`, `flock`, `access(F_OK)` | nothing"
            Call::Stat => object(follow, &[]),
            Call::Readlink => object(Follow::WithSlash, &[]),
            Call::Chdir => object(Follow::Always, &[]),
            // What a descriptor was opened for was judged then; docs/policy.md section 5: "`ftruncate` of an open
            // descriptor | as it was opened".
            Call::Storm => Elsewhere,
            Call::Close
            | Call::Read
            | Call::Write
            | Call::List
            | Call::Ftruncate
            | Call::Fchdir => Natural,
        }
    }

    fn open(&self, process: &Process, operation: &Operation) -> Verdict {
        let flags = operation.flags;
        let resolve = if operation.form == 2 { operation.number } else { 0 };
        let resolve = Resolve {
            no_symlinks: resolve & 4 != 0,
            beneath: resolve & 8 != 0,
            in_root: resolve & 0x10 != 0,
        };
        let creates = flags & O_CREAT != 0;
        let is_exclusive = creates && flags & O_EXCL != 0;
        let is_followed = flags & O_NOFOLLOW == 0 && !is_exclusive;
        let follow = if is_followed { Follow::Always } else { Follow::WithSlash };
        let spot = match self.spot(process, operation, 0, follow, resolve) {
            Err(_) => return Natural,
            Ok(spot) => spot,
        };
        let mode = flags & O_ACCMODE;
        let reads = mode != O_WRONLY;
        let mut accesses = Vec::new();
        match spot {
            Spot::Elsewhere => Elsewhere,
            // "`O_PATH` | nothing"
            _ if flags & O_PATH != 0 => Natural,
            // "`O_TMPFILE` in D | w on D"
            Spot::Found { path, kind: Kind::Directory, .. } if flags & O_TMPFILE != 0 => {
                self.needs(&path, &[Write])
            }
            _ if flags & O_TMPFILE != 0 => Natural,
            Spot::Nameless(_) if is_exclusive => Natural,
            Spot::Nameless(allowed) => {
                accesses.extend(reads.then_some(Read));
                accesses.extend((mode != O_RDONLY || flags & O_TRUNC != 0).then_some(Write));
                by_descriptor(&allowed, &accesses)
            }
            Spot::Missing { .. } if !creates => Natural,
            Spot::Missing { has_slash: true, .. } => Natural,
            // "create by `open(O_CREAT)` ... | w on the new path, plus r for any mode that reads"
            Spot::Missing { path, .. } => {
                accesses.push(Write);
                accesses.extend(reads.then_some(Read));
                self.needs(&path, &accesses)
            }
            Spot::Found { .. } if is_exclusive => Natural,
            Spot::Found { kind: Kind::Link, .. } => Natural,
            Spot::Found { kind, .. } if flags & O_DIRECTORY != 0 && kind != Kind::Directory => {
                Natural
            }
            // "open for reading, directory listing | r"; "open for writing, `O_TRUNC` | w"
            Spot::Found { path, .. } => {
                accesses.extend(reads.then_some(Read));
                accesses.extend((mode != O_RDONLY || flags & O_TRUNC != 0).then_some(Write));
                self.needs(&path, &accesses)
            }
        }
    }

    fn make(&self, process: &Process, operation: &Operation) -> Verdict {
        match self.spot(process, operation, 0, Follow::Never, Resolve::default()) {
            Err(_) => Natural,
            Ok(Spot::Elsewhere) => Elsewhere,
            Ok(Spot::Found { .. } | Spot::Nameless(_)) => Natural,
            Ok(Spot::Missing { has_slash: true, .. }) if operation.call != Call::Mkdir => Natural,
            Ok(Spot::Missing { path, .. }) => {
                if operation.call == Call::Symlink && operation.text.is_empty() {
                    return Natural;
                }
                let mut reasons = Reasons::default();
                reasons.add(self.denies(Write, &path), EACCES);
                reasons.add(operation.call == Call::Symlink && self.refuses_link(&path), EACCES);
                reasons.verdict()
            }
        }
    }

    /// "the blocked rules that can still match beneath it must be those that can match beneath a fresh sibling ... else
    /// EACCES"; "putting a symbolic link at such a path: denied"
    fn refuses_link(&self, path: &[Name]) -> bool {
        !self.law.is_like_a_fresh_sibling(path) || self.leads_to_a_pin(path)
    }

    /// "or that leads to one"
    fn leads_to_a_pin(&self, path: &[Name]) -> bool {
        self.pins.iter().any(|pinned| pinned.starts_with(path))
    }

    fn remove(&self, process: &Process, operation: &Operation) -> Verdict {
        match self.spot(process, operation, 0, Follow::Never, Resolve::default()) {
            Err(_) | Ok(Spot::Missing { .. } | Spot::Nameless(_)) => Natural,
            Ok(Spot::Elsewhere) => Elsewhere,
            // `.`, `..`: nothing is removed.
            Ok(Spot::Found { last: Last::Dots | Last::Magic, .. }) => Natural,
            Ok(Spot::Found { path, kind, has_slash, .. }) => {
                let is_directory = kind == Kind::Directory;
                // The kernel finds this on the way; ENOTDIR of `rmdir` without a slash only when it acts.
                if !is_directory && has_slash && operation.call == Call::Unlink {
                    return Natural;
                }
                let mut reasons = Reasons::default();
                reasons.add(self.denies(Write, &path), EACCES);
                // "removing ... a *pinned* directory: denied"
                reasons.add(is_directory && self.leads_to_a_pin(&path), EACCES);
                reasons.verdict()
            }
        }
    }

    /// "`link` a b | w on a and b, and no access may be allowed on b that is denied on a, else EXDEV"
    fn link(&self, process: &Process, operation: &Operation) -> Verdict {
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
    fn rename(&self, process: &Process, operation: &Operation) -> Verdict {
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

    fn watch(&self, process: &Process, operation: &Operation) -> Verdict {
        let is_followed = operation.flags & IN_DONT_FOLLOW == 0;
        let follow = if is_followed { Follow::Always } else { Follow::WithSlash };
        match self.spot(process, operation, 0, follow, Resolve::default()) {
            Ok(Spot::Found { kind, .. })
                if operation.flags & IN_ONLYDIR != 0 && kind != Kind::Directory =>
            {
                Natural
            }
            _ => self.on_object(process, operation, follow, &[Read]),
        }
    }

    /// "`access`, `faccessat` with R_OK, W_OK or X_OK | answered as the operation would be". X_OK on a directory asks
    /// for what `chdir` does, which needs nothing.
    fn access(&self, process: &Process, operation: &Operation, follow: Follow) -> Verdict {
        let follow = if operation.form == 1 { Follow::Always } else { follow };
        let is_directory = matches!(
            self.spot(process, operation, 0, follow, Resolve::default()),
            Ok(Spot::Found { kind: Kind::Directory, .. })
        );
        let mut accesses = Vec::new();
        accesses.extend((operation.number & 4 != 0).then_some(Read));
        accesses.extend((operation.number & 2 != 0).then_some(Write));
        accesses.extend((operation.number & 1 != 0 && !is_directory).then_some(Execute));
        self.on_object(process, operation, follow, &accesses)
    }

    /// "`execve`, `execveat` | x (and the kernel's own need to read the file is met)"
    fn execute(&self, process: &Process, operation: &Operation) -> Verdict {
        let is_at = operation.form == 0;
        if is_at && operation.flags & AT_EMPTY_PATH != 0 && operation.paths[0].is_empty() {
            return match self.on_held_for_execution(process, operation) {
                Natural => Limited(EACCES),
                verdict => verdict,
            };
        }
        let is_followed = !(is_at && operation.flags & AT_SYMLINK_NOFOLLOW != 0);
        let follow = if is_followed { Follow::Always } else { Follow::WithSlash };
        match self.spot(process, operation, 0, follow, Resolve::default()) {
            Err(_) | Ok(Spot::Missing { .. }) => Natural,
            Ok(Spot::Found { kind: Kind::Link, .. }) => Natural,
            Ok(Spot::Elsewhere) => Elsewhere,
            // docs/limits.md, "Programs in the home directory" and "A file with `x` alone, or with a second name".
            Ok(Spot::Nameless(_)) => Limited(EACCES),
            Ok(Spot::Found { path, .. }) if self.denies(Execute, &path) => Denied(vec![EACCES]),
            Ok(Spot::Found { .. }) => Limited(EACCES),
        }
    }

    fn on_held_for_execution(&self, process: &Process, operation: &Operation) -> Verdict {
        match process.held(operation.directories[0]) {
            Some(held) => match held.path {
                Some(path) if !self.is_inside(&path) => Elsewhere,
                Some(path) => self.needs(&path, &[Execute]),
                None => Natural,
            },
            None => Natural,
        }
    }
}
