//! Names in an allowed directory that lead out of it: hard links, and other file systems mounted there.
//!
//! Symbolic links are judged by where they lead at every access, so they are no finding.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use clawguard_core::{AbsPath, Access, quote};

use super::finding::{Finding, Severity};
use super::id::Id;
use super::law::View;
use super::machine::Machine;
use super::walk::{Ended, Entry};

/// Directories in which package managers and git link files from a store of their own.
const STORES: [&[u8]; 5] = [b"node_modules", b"site-packages", b".pnpm", b"objects", b"target"];

#[derive(Debug)]
struct Linked {
    path: AbsPath,
    names: u64,
    found: u64,
}

/// The files with more than one name that a walk has seen.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<(u64, u64), Linked>);

impl Names {
    /// A name that may not be read is as good as one outside.
    pub(crate) fn see(&mut self, entry: &Entry<'_>, may_read: bool) {
        if entry.stat.st_nlink < 2 || !may_read {
            return;
        }
        let names = entry.stat.st_nlink;
        let id = (entry.stat.st_dev, entry.stat.st_ino);
        let linked = self.0.entry(id).or_insert_with(|| Linked {
            path: entry.path.clone(),
            names,
            found: 0,
        });
        linked.found += 1;
    }

    /// One finding for the files that somebody linked, one for those of package stores.
    pub(crate) fn findings(self, root: &AbsPath, ended: &Ended) -> Vec<Finding> {
        let mut out: Vec<AbsPath> = self
            .0
            .into_values()
            .filter(|linked| linked.found < linked.names)
            .map(|linked| linked.path)
            .collect();
        out.sort();
        let is_store = |path: &AbsPath| {
            path.components().skip(root.depth()).any(|name| STORES.contains(&name))
        };
        let (stores, others): (Vec<AbsPath>, Vec<AbsPath>) = out.into_iter().partition(is_store);
        let unsure = match ended {
            Ended::Whole => "",
            Ended::CutShort | Ended::Closed(_) => " (or in what was not looked at)",
        };
        let finding = |paths: Vec<AbsPath>, severity, by: &str| {
            let first = paths.first()?;
            let (subject, many) = match paths.len() {
                1 => (first, "the file has".to_owned()),
                many => (root, format!("{many} files, `{first}` among them, have")),
            };
            let reason = format!(
                "{many} another name outside of what is allowed{unsure}{by}: what is read or changed here is read or \
                 changed there"
            );
            let command = match paths.len() {
                1 => format!("find / -xdev -samefile {} 2>/dev/null", quote(first.as_bytes())),
                _many => format!("find {} -xdev -type f -links +1", quote(root.as_bytes())),
            };
            Some(Finding::of_path(Id::HardLinkOut, severity, subject, reason).command(command))
        };
        [
            finding(others, Severity::Warning, ""),
            finding(stores, Severity::Info, ", as package managers and git do"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Other file systems, and second mounts of other directories, inside what is allowed.
pub(crate) fn mounts(machine: &Machine, root: &AbsPath, view: &mut View) -> Vec<Finding> {
    let inside = machine.mounts.iter().filter(|mount| *mount != root && mount.starts_with(root));
    let finding = |mount: &AbsPath| {
        let allowed = [Access::Read, Access::Write];
        let rule = allowed.into_iter().find_map(|access| view.allows(mount, access))?;
        let reason =
            format!("something else is mounted there, and is allowed by this name: {rule}");
        let command = format!("findmnt {}", quote(mount.as_bytes()));
        Some(Finding::of_path(Id::MountInside, Severity::Info, mount, reason).command(command))
    };
    inside.filter_map(finding).collect()
}
