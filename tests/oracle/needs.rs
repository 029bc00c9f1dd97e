//! SPEC section 5: what each operation needs, and what becomes of it. Each row of the table is quoted above the code
//! that reads it. The tree is looked at as it is just before the operation.

#![forbid(unsafe_code)]

use crate::law::{Access, Effect, Law, Name};
use crate::operation::{Call, Operation, TOP, replace};
use crate::walk::{EACCES, Follow, Kind, Last, Process, Resolve, Spot};

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
pub(crate) const AT_SYMLINK_NOFOLLOW: i64 = 0x100;
pub(crate) const AT_SYMLINK_FOLLOW: i64 = 0x400;
pub(crate) const AT_EMPTY_PATH: i64 = 0x1000;
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
pub(crate) fn pins(law: &Law, process: &Process, working_directory: &[Name]) -> Vec<Vec<Name>> {
    let exact = law.rules.iter().filter(|rule| rule.effect == Effect::Allowed && rule.is_exact());
    let is_pin = |path: &Vec<Name>| {
        // What the user cannot see is not there for him.
        let is_hidden = (0..path.len()).any(|end| process.is_closed(&path[..end]));
        is_hidden
            || crate::walk::lstat(path)
                .is_none_or(|found| crate::walk::kind(&found) == Kind::Directory)
    };
    let named = exact.filter_map(crate::law::Rule::literal).filter(is_pin);
    // "or `$PWD` names"
    named.chain([working_directory.to_vec()]).collect()
}

/// The errno of a denial, or of several reasons to deny.
#[derive(Default)]
pub(crate) struct Reasons(pub(crate) Vec<i32>);

impl Reasons {
    pub(crate) fn add(&mut self, is_reason: bool, errno: i32) {
        if is_reason && !self.0.contains(&errno) {
            self.0.push(errno);
        }
    }

    pub(crate) fn verdict(self) -> Verdict {
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
    pub(crate) fn is_inside(&self, path: &[Name]) -> bool {
        path.starts_with(self.top)
    }

    pub(crate) fn denies(&self, access: Access, path: &[Name]) -> bool {
        !self.law.allows(access, path)
    }

    /// Every listed access must be allowed on a path.
    pub(crate) fn needs(&self, path: &[Name], accesses: &[Access]) -> Verdict {
        let mut reasons = Reasons::default();
        reasons.add(accesses.iter().any(|access| self.denies(*access, path)), EACCES);
        reasons.verdict()
    }

    pub(crate) fn spot(
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
            Spot::Found { path, kind, .. } if process.is_doubtful(path, *kind) => Spot::Elsewhere,
            Spot::Found { .. } | Spot::Missing { .. } | Spot::Nameless(_) | Spot::Elsewhere => spot,
        })
    }

    /// What an operation would find if it followed every link.
    pub(crate) fn object(&self, process: &Process, operation: &Operation) -> Option<Spot> {
        self.spot(process, operation, 0, Follow::Always, Resolve::default()).ok()
    }

    /// The path that a call makes.
    pub(crate) fn made(&self, process: &Process, operation: &Operation) -> Option<Vec<Name>> {
        match self.spot(process, operation, 0, Follow::Never, Resolve::default()) {
            Ok(Spot::Missing { path, .. }) => Some(path),
            _ => None,
        }
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

    /// "in a loose directory, a mode that lets a file be executed | `x` besides": which directories are loose is not known
    /// here.
    fn unless_executable(
        &self,
        operation: &Operation,
        path: Option<Vec<Name>>,
        verdict: Verdict,
    ) -> Verdict {
        let is_denied = path.is_some_and(|path| self.denies(Execute, &path));
        let asks = operation.number & 0o111 != 0;
        if verdict == Natural && asks && is_denied { Limited(EACCES) } else { verdict }
    }

    pub(crate) fn verdict(&self, process: &Process, operation: &Operation) -> Verdict {
        if let Some(verdict) = crate::processes::verdict(self, process, operation) {
            return verdict;
        }
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
            Call::Chmod => {
                let follow = if operation.form != 2 { Follow::Always } else { follow };
                let spot = self.spot(process, operation, 0, follow, Resolve::default());
                let path = match spot {
                    Ok(Spot::Found { path, .. }) => Some(path),
                    _ => None,
                };
                self.unless_executable(operation, path, object(follow, &[Write]))
            }
            Call::Chown => object(follow, &[Write]),
            Call::Utimens if operation.form == 2 => held(&[Write]),
            Call::Utimens => object(follow, &[Write]),
            Call::Fchmod => {
                let file = process.held(operation.directories[0]);
                let has_no_name = file.as_ref().is_some_and(|file| file.path.is_none());
                let path = file.and_then(|file| file.path);
                match self.unless_executable(operation, path, held(&[Write])) {
                    // "A removed file is judged by its last name", which is not known here.
                    Natural if has_no_name && operation.number & 0o111 != 0 => Limited(EACCES),
                    verdict => verdict,
                }
            }
            Call::Fchown => held(&[Write]),
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
                let is_file = matches!(operation.number & 0o170_000, 0 | 0o100_000);
                match operation.call == Call::Mknod && is_file {
                    true => self.unless_executable(operation, Some(path), reasons.verdict()),
                    false => reasons.verdict(),
                }
            }
        }
    }

    /// "the blocked rules that can still match beneath it must be those that can match beneath a fresh sibling ... else
    /// EACCES"; "putting a symbolic link at such a path: denied"
    pub(crate) fn refuses_link(&self, path: &[Name]) -> bool {
        !self.law.is_like_a_fresh_sibling(path) || self.leads_to_a_pin(path)
    }

    /// "or that leads to one"
    pub(crate) fn leads_to_a_pin(&self, path: &[Name]) -> bool {
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
}
