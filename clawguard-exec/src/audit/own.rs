//! clawguard's own files: who can change the policy, the journal or the program decides what is confined.
//!
//! Whoever can write a directory on the way can put another file in the place of one that is safe itself.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use clawguard_core::{AbsPath, Links, quote};
use rustix::fs::{FileType, Stat, lstat};

use super::finding::{Finding, Severity};
use super::fix::Fix;
use super::id::Id;
use super::machine::{Machine, abs};
use super::modes::owned;
use super::walk::{Budget, Step, walk};

/// What the places of a family are called, and which findings they make.
struct Family {
    file: Id,
    directory: Id,
    owner: Id,
    what: &'static str,
}

const POLICY: Family = Family {
    file: Id::PolicyWritable,
    directory: Id::PolicyDirectoryWritable,
    owner: Id::PolicyOwner,
    what: "the policy",
};

const PROGRAM: Family = Family {
    file: Id::ProgramReplaceable,
    directory: Id::ProgramReplaceable,
    owner: Id::ProgramReplaceable,
    what: "clawguard's own program",
};

/// The policy that is used, and every place that would be used before or instead of it.
pub(crate) fn policy(machine: &Machine, used: Option<&Path>) -> Vec<Finding> {
    let mut places: Vec<AbsPath> = Vec::new();
    places.extend(used.and_then(|used| abs(&machine.host.cwd.as_path().join(used))));
    places.extend(candidates(machine));
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for place in places {
        findings.extend(chain(machine, &place, &POLICY, &mut seen));
    }
    findings
}

/// Where a policy is found that nobody names.
pub(crate) fn candidates(machine: &Machine) -> Vec<AbsPath> {
    let own = super::xdg(machine, "XDG_CONFIG_HOME", ".config")
        .map(|config| config.join(b"clawguard").join(b"policy.yaml"));
    let home = machine.host.home.as_ref();
    let shared = home.map(|home| home.join(b".openclaw").join(b"config.yaml"));
    own.into_iter().chain(shared).collect()
}

pub(crate) fn program(machine: &Machine) -> Vec<Finding> {
    let shim = machine.host.shim.as_ref();
    shim.map(|shim| chain(machine, shim, &PROGRAM, &mut BTreeSet::new())).unwrap_or_default()
}

/// A file and every directory on the way to it, as it is written and as it really is.
fn chain(
    machine: &Machine,
    place: &AbsPath,
    family: &Family,
    seen: &mut BTreeSet<AbsPath>,
) -> Vec<Finding> {
    let real = Links::default().follow_all(place);
    let mut findings = Vec::new();
    for path in [place, &real] {
        let mut at = Some(path.clone());
        while let Some(path) = at {
            at = path.parent();
            if !seen.insert(path.clone()) {
                continue;
            }
            let Ok(stat) = lstat(path.as_path()) else { continue };
            findings.extend(judge(machine, &path, &stat, family));
        }
    }
    findings
}

fn judge(machine: &Machine, path: &AbsPath, stat: &Stat, family: &Family) -> Option<Finding> {
    let owners = &machine.owners;
    let kind = FileType::from_raw_mode(stat.st_mode);
    // The mode of a link means nothing; who owns it can exchange it where the directory has the sticky bit.
    let what = family.what;
    if !owners.is_trusted(stat.st_uid) {
        let reason = format!(
            "it belongs to user {}, who can put anything in the place of {what}",
            stat.st_uid
        );
        let command = format!("ls -ld {}", quote(path.as_bytes()));
        return Some(
            Finding::of_path(family.owner, Severity::Critical, path, reason).command(command),
        );
    }
    let is_safe = match kind {
        FileType::Symlink => true,
        FileType::Directory => owners.is_safe_directory(stat),
        _file => owners.loose_bits(stat) == 0,
    };
    if is_safe {
        return None;
    }
    let (id, gain) = match kind {
        FileType::Directory => (family.directory, "put another file in the place of"),
        _file => (family.file, "change"),
    };
    let mode = stat.st_mode & 0o7777;
    let reason = format!("its mode is {mode:04o}: other users of this machine can {gain} {what}");
    let fix = Fix::take(path, stat, 0o022);
    let finding = Finding::of_path(id, Severity::Critical, path, reason);
    Some(finding.mode(path, fix, owned(stat, owners)))
}

/// The state directory and everything in it: 0700 and 0600.
pub(crate) fn journal(machine: &Machine) -> Vec<Finding> {
    let Some(state) = machine.host.state_directory() else { return Vec::new() };
    let state = Links::default().follow_all(&state);
    let mut findings = Vec::new();
    let mut budget = Budget::new(20_000, Duration::from_secs(2));
    let ended = walk(&state, &mut budget, |entry| {
        let (path, stat) = (entry.path, entry.stat);
        if path.file_name() == Some(b"journal.jsonl") {
            findings.extend(refused(machine, path, stat));
        }
        let is_judged = matches!(entry.kind(), FileType::Directory | FileType::RegularFile);
        if is_judged && stat.st_mode & 0o077 != 0 {
            findings.push(mode_of_journal(machine, path, stat));
        }
        Step::Into
    });
    findings.extend(super::not_looked_at(&state, &ended));
    findings
}

fn mode_of_journal(machine: &Machine, path: &AbsPath, stat: &Stat) -> Finding {
    let mode = stat.st_mode & 0o7777;
    let (severity, gain) = match machine.owners.loose_bits(stat) {
        0 => (Severity::Warning, "read which files your agents asked for"),
        _writable => (Severity::Critical, "forge or remove what the journal says"),
    };
    let reason = format!("its mode is {mode:04o}: other users of this machine can {gain}");
    let fix = Fix::take(path, stat, 0o077);
    let finding = Finding::of_path(Id::JournalMode, severity, path, reason);
    finding.mode(path, fix, owned(stat, &machine.owners))
}

/// What a start would refuse to write to: denials are counted then, and not written down.
fn refused(machine: &Machine, path: &AbsPath, stat: &Stat) -> Option<Finding> {
    let why = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => "it is a symbolic link",
        FileType::RegularFile if stat.st_uid != machine.owners.owner => {
            "it belongs to another user"
        }
        FileType::RegularFile if stat.st_nlink > 1 => "it has a second name (a hard link)",
        FileType::RegularFile => return None,
        _other => "it is no regular file",
    };
    let reason =
        format!("{why}, so no start writes to it: what your agents were denied is not recorded");
    let aside = [path.as_bytes(), b".aside"].concat();
    let command = format!("mv {} {}", quote(path.as_bytes()), quote(&aside));
    Some(Finding::of_path(Id::JournalRefused, Severity::Warning, path, reason).command(command))
}

/// Another policy that exists and is not used, because an earlier place has one.
pub(crate) fn shadowed(machine: &Machine, used: Option<&Path>) -> Vec<Finding> {
    let Some(used) = used else { return Vec::new() };
    let has_section = |path: &AbsPath| {
        let text = std::fs::read(path.as_path()).unwrap_or_default();
        let policy = clawguard_core::Policy::parse(text, path.as_path());
        policy.is_ok_and(|policy| policy.has_file_access())
    };
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let others = candidates(machine).into_iter().filter(|path| {
        path.as_path().is_file() && real(path.as_path()) != real(used) && has_section(path)
    });
    let finding = |path: AbsPath| {
        let name = clawguard_core::escape(used.as_os_str().as_bytes());
        let reason = format!("its rules are not used, because `{name}` comes first");
        let command = format!("clawguard-exec --policy {} plan", quote(path.as_bytes()));
        Finding::of_path(Id::PolicyShadowed, Severity::Info, &path, reason).command(command)
    };
    others.map(finding).collect()
}
