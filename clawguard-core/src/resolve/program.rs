//! The command that will be started: where it is, what runs it, and which preset is its own.
//!
//! An agent can write files and links, so nothing is believed that the target could have made: the caller asks the
//! law about every file and link that a fact rests on.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use super::host::Host;
use super::links::Links;
use crate::path::AbsPath;

/// A file that was found, and everything that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The path that was found, links and all.
    pub(crate) path: AbsPath,
    /// Its real path.
    pub(crate) real: AbsPath,
    /// The links on the way, by their own real paths.
    pub(crate) links: Vec<AbsPath>,
}

impl Found {
    /// Whatever could be exchanged to make this another file.
    pub(crate) fn rests_on(&self) -> impl Iterator<Item = &AbsPath> {
        self.links.iter().chain([&self.real])
    }
}

/// What is known of the command being started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) command: Option<Found>,
    /// The node binary that will run: of the command itself, of its first line, or of PATH.
    pub(crate) node: Option<Found>,
    /// The `pyvenv.cfg` of the virtual environment that the command, or the program of its first line, is part of.
    pub(crate) environment: Option<Found>,
}

impl Program {
    pub(crate) fn find(host: &Host, links: &mut Links) -> Program {
        let command = host.command.as_deref().and_then(|name| find(name, host, links));
        let interpreter = command.as_ref().and_then(|command| interpreter(command, host, links));
        let node = [command.as_ref(), interpreter.as_ref()]
            .into_iter()
            .flatten()
            .find(|found| is_node(found))
            .cloned();
        let node = node.or_else(|| Program::without_command(host, links).node);
        let environment = [command.as_ref(), interpreter.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|found| environment(found, host, links));
        Program { command, node, environment }
    }

    /// What is left when the command could have been made up by the target: nothing that it says is believed, its
    /// first line included.
    pub(crate) fn without_command(host: &Host, links: &mut Links) -> Program {
        let node = find(OsStr::new("node"), host, links).filter(is_node);
        Program { command: None, node, environment: None }
    }

    /// The names that may select a preset: of the command as found, and of the file that it is.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let command = self.command.iter();
        command.flat_map(|command| [command.path.file_name(), command.real.file_name()]).flatten()
    }

    /// The *found* variables of presets.
    pub(crate) fn variable(&self, name: &str) -> Option<AbsPath> {
        match name {
            "COMMAND_FILE" => self.command.as_ref().map(|command| command.real.clone()),
            "COMMAND_MODULES" => modules(&self.command.as_ref()?.real),
            "COMMAND_ENVIRONMENT" => self.environment.as_ref()?.real.parent(),
            "NODE_BIN" => {
                let directory = self.node.as_ref()?.real.parent()?;
                // Volta's `node` is a shim that starts one of the versions beneath its own directory.
                let is_shim = self.node.as_ref()?.real.file_name() == Some(b"volta-shim");
                if is_shim { directory.parent() } else { Some(directory) }
            }
            "NODE_MODULES" => {
                let prefix = self.node.as_ref()?.real.parent()?.parent()?;
                Some(prefix.join(b"lib").join(b"node_modules"))
                    .filter(|modules| modules.as_path().is_dir())
            }
            _ => None,
        }
    }
}

fn is_node(found: &Found) -> bool {
    matches!(found.real.file_name(), Some(b"node" | b"nodejs" | b"volta-shim"))
}

/// Finds a command as execvp(3) does: by path, else along PATH.
pub(crate) fn find(name: &OsStr, host: &Host, links: &mut Links) -> Option<Found> {
    let name = name.as_bytes();
    let candidates: Vec<Vec<u8>> = if name.is_empty() {
        Vec::new()
    } else if name.contains(&b'/') {
        vec![name.to_vec()]
    } else {
        let path = host.environment.get(OsStr::new("PATH")).cloned();
        let path = path.unwrap_or_else(|| OsString::from("/usr/local/bin:/bin:/usr/bin"));
        // An empty entry means the working directory.
        let entry = |entry: &[u8]| if entry.is_empty() { b".".to_vec() } else { entry.to_vec() };
        path.as_bytes()
            .split(|&byte| byte == b':')
            .map(|dir| [&entry(dir), &b"/"[..], name].concat())
            .collect()
    };
    candidates.into_iter().find_map(|candidate| {
        let path = if candidate.starts_with(b"/") {
            candidate
        } else {
            [host.cwd.as_bytes(), b"/", &candidate].concat()
        };
        let metadata = std::fs::metadata(OsStr::from_bytes(&path)).ok()?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return None;
        }
        let followed = links.follow(&path, |_| true);
        let path = AbsPath::parse(&path).unwrap_or_else(|_| followed.path.clone());
        Some(Found { path, real: followed.path, links: followed.links })
    })
}

/// The program of a script's first line; that of `#!/usr/bin/env NAME` is NAME.
fn interpreter(command: &Found, host: &Host, links: &mut Links) -> Option<Found> {
    let mut head = Vec::with_capacity(256);
    std::fs::File::open(&command.real).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let program = words.next()?;
    let is_env = program.ends_with(b"/env");
    let name = if is_env {
        words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='))?
    } else {
        program
    };
    find(OsStr::from_bytes(name), host, links)
}

/// The mark of a virtual environment of python, beside the directory that holds this program: as it was found, since
/// the environment's own python is a link, or as it really is, since pipx links to the environment's programs.
fn environment(program: &Found, host: &Host, links: &mut Links) -> Option<Found> {
    [&program.path, &program.real].into_iter().find_map(|program| {
        let directory = program.parent()?.parent()?;
        let followed = links.follow(directory.as_bytes(), |_| true);
        // One that is made of the whole home directory is not meant.
        if host.home.as_ref().is_some_and(|home| home.starts_with(&followed.path)) {
            return None;
        }
        let path = directory.join(b"pyvenv.cfg");
        let real = followed.path.join(b"pyvenv.cfg");
        let is_file = std::fs::symlink_metadata(&real).is_ok_and(|metadata| metadata.is_file());
        is_file.then_some(Found { path, real, links: followed.links })
    })
}

/// The outermost `node_modules` that holds a path.
fn modules(path: &AbsPath) -> Option<AbsPath> {
    let mut at = AbsPath::root();
    for name in path.components() {
        at = at.join(name);
        if name == b"node_modules" {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_modules_directory_is_taken() {
        let path = AbsPath::parse("/p/lib/node_modules/a/node_modules/b/x.js").unwrap();
        assert_eq!(modules(&path).unwrap().to_string(), "/p/lib/node_modules");
        assert_eq!(modules(&AbsPath::parse("/usr/bin/true").unwrap()), None);
    }
}
