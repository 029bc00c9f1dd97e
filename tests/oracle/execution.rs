//! "`execve`, `execveat` | `x` (and with it `r`) on the file, on each interpreter that a first line names, and on the ELF
//! loader": nothing here has a loader.

#![forbid(unsafe_code)]

use std::fs;

use crate::law::{Access, Name};
use crate::needs::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, Judge, Verdict};
use crate::operation::Operation;
use crate::walk::{EACCES, Follow, Kind, Process, Resolve, Spot, os};

use Verdict::{Denied, Elsewhere, Limited, Natural};

/// More than the kernel follows.
const INTERPRETERS: usize = 8;

impl Judge<'_> {
    pub(crate) fn execute(&self, process: &Process, operation: &Operation) -> Verdict {
        match self.executed(process, operation) {
            // No such file, or EBADF.
            None => Natural,
            Some(Spot::Missing { .. } | Spot::Found { kind: Kind::Link, .. }) => Natural,
            Some(Spot::Elsewhere) => Elsewhere,
            // "no other file without a name, since it may have had a blocked one"
            Some(Spot::Nameless(_)) => Denied(vec![EACCES]),
            Some(Spot::Found { path, .. }) if self.denied_programs(process, &path).is_empty() => {
                // docs/limits.md, "Programs in the home directory" and "A program with a second name".
                Limited(EACCES)
            }
            Some(Spot::Found { .. }) => Denied(vec![EACCES]),
        }
    }

    /// The file that is named.
    pub(crate) fn executed(&self, process: &Process, operation: &Operation) -> Option<Spot> {
        let is_at = operation.form == 0;
        if is_at && operation.flags & AT_EMPTY_PATH != 0 && operation.paths[0].is_empty() {
            let held = process.held(operation.directories[0])?;
            return Some(match held.path {
                Some(path) if !self.is_inside(&path) => Spot::Elsewhere,
                Some(path) => Spot::Found {
                    path,
                    kind: held.kind,
                    last: crate::walk::Last::Magic,
                    has_slash: false,
                },
                None => Spot::Nameless(held.allows),
            });
        }
        let is_followed = !(is_at && operation.flags & AT_SYMLINK_NOFOLLOW != 0);
        let follow = if is_followed { Follow::Always } else { Follow::WithSlash };
        self.spot(process, operation, 0, follow, Resolve::default()).ok()
    }

    /// The file and its interpreters, as far as `x` is denied on them.
    pub(crate) fn denied_programs(&self, process: &Process, file: &[Name]) -> Vec<Vec<Name>> {
        let mut programs = vec![file.to_vec()];
        while let Some(named) = programs.last().and_then(|path| interpreter(path)) {
            let found = process.resolve(-1, &named, Follow::Always, Resolve::default());
            match found {
                // The actor itself, which every policy allows, is outside the tree.
                Ok(Spot::Found { path, .. }) if self.is_inside(&path) => programs.push(path),
                _ => break,
            }
            if programs.len() > INTERPRETERS {
                break;
            }
        }
        programs.retain(|path| self.denies(Access::Execute, path));
        programs
    }
}

/// What the first line of a script names, as load_script() of the kernel reads it.
fn interpreter(path: &[Name]) -> Option<Vec<u8>> {
    // Reading a FIFO would wait for its other end.
    fs::symlink_metadata(os(path)).ok().filter(fs::Metadata::is_file)?;
    let bytes = fs::read(os(path)).ok()?;
    let line = bytes.strip_prefix(b"#!")?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let is_end = |byte: &u8| is_blank(byte) || matches!(byte, b'\n' | 0);
    let end = line[start..].iter().position(is_end).map_or(line.len(), |length| start + length);
    Some(line[start..end].to_vec()).filter(|name| !name.is_empty())
}
