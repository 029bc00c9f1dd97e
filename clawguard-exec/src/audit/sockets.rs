//! Unix sockets in allowed directories: a program outside that answers there does what it is asked.
//!
//! Nobody is connected to: `/proc/net/unix` says where somebody listens.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clawguard_core::{AbsPath, Access, quote};

use super::finding::{Finding, Severity};
use super::id::Id;
use super::law::View;
use super::machine::Machine;
use super::process::{Held, Processes, sockets};

/// `__SO_ACCEPTCON` of include/linux/net.h.
const LISTENING: u32 = 0x10000;

/// Who listens on which path.
pub(crate) struct Sockets<'a> {
    proc: PathBuf,
    processes: &'a Processes,
    /// The numbers of the sockets bound to a name.
    listening: BTreeMap<Vec<u8>, BTreeSet<u64>>,
    /// Which process holds a socket; looked up when the first one is asked for.
    holders: Option<BTreeMap<u64, u32>>,
}

impl<'a> Sockets<'a> {
    pub(crate) fn read(machine: &Machine, processes: &'a Processes) -> Sockets<'a> {
        let text = std::fs::read(machine.proc.join("net/unix")).unwrap_or_default();
        let mut listening: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
        for (name, inode) in text.split(|byte| *byte == b'\n').filter_map(row) {
            listening.entry(name).or_default().insert(inode);
        }
        Sockets { proc: machine.proc.clone(), processes, listening, holders: None }
    }

    /// A socket on which somebody outside clawguard listens, and to which an agent could connect.
    pub(crate) fn judge(&mut self, path: &AbsPath, view: &mut View) -> Option<Finding> {
        let rule = view.allows(path, Access::Write)?;
        // A name that was bound relative to a directory is listed as it was given.
        let names = [path.as_bytes(), path.file_name().unwrap_or_default()];
        let inodes: BTreeSet<u64> =
            names.iter().filter_map(|name| self.listening.get(*name)).flatten().copied().collect();
        if inodes.is_empty() {
            return None;
        }
        let holders = self.holders();
        let holder = inodes.iter().find_map(|inode| holders.get(inode)).copied();
        let process =
            holder.and_then(|pid| self.processes.all().find(|process| process.pid == pid));
        if process.is_some_and(|process| self.processes.held(process) == Held::Confined) {
            return None;
        }
        let server = process.map_or_else(
            || "a program".to_owned(),
            |process| format!("`{}` (process {})", process.name, process.pid),
        );
        let who = view.who();
        let reason = format!(
            "{who} could talk to {server}, which listens there outside of clawguard: {rule}"
        );
        let finding = Finding::of_path(Id::SocketLeadsOut, Severity::Warning, path, reason)
            .command(format!("ss -xlp | grep {}", quote(path.as_bytes())));
        Some(view.block(finding, path, "w"))
    }

    fn holders(&mut self) -> &BTreeMap<u64, u32> {
        let (proc, processes) = (&self.proc, self.processes);
        self.holders.get_or_insert_with(|| {
            let open = |pid: u32| sockets(proc, pid).into_iter().map(move |inode| (inode, pid));
            processes.all().flat_map(|process| open(process.pid)).collect()
        })
    }
}

/// `Num RefCount Protocol Flags Type St Inode Path`, where the path may hold spaces.
fn row(line: &[u8]) -> Option<(Vec<u8>, u64)> {
    let mut rest = line;
    let mut fields = Vec::new();
    for _ in 0..7 {
        let start = rest.iter().position(|byte| *byte != b' ')?;
        rest = rest.get(start..)?;
        let end = rest.iter().position(|byte| *byte == b' ')?;
        fields.push(std::str::from_utf8(rest.get(..end)?).ok()?);
        rest = rest.get(end..)?;
    }
    let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
    let inode = fields.get(6)?.parse().ok()?;
    (flags & LISTENING != 0).then(|| (rest.get(1..).unwrap_or_default().to_vec(), inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_with_a_name_are_read() {
        let line = b"00000000833a3889: 00000002 00000000 00010000 0001 01 18034380 /run/a b";
        assert_eq!(row(line), Some((b"/run/a b".to_vec(), 18_034_380)));
        let connected = b"00000000833a3889: 00000003 00000000 00000000 0001 03 18034381 /run/a b";
        assert_eq!(row(connected), None);
        assert_eq!(row(b"00000000833a3889: 00000002 00000000 00010000 0001 01 18034380"), None);
        assert_eq!(row(b"Num       RefCount Protocol Flags    Type St Inode Path"), None);
    }
}
