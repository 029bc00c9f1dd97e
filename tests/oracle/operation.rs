//! An operation as data: what is sent to the actors, and what a person reads in a script.

#![forbid(unsafe_code)]

use std::fmt;

/// Stands in paths for the top of the tree, which differs between the twins.
pub(crate) const TOP: &[u8] = b"{top}";

/// Stands in paths for the number of a process outside.
pub(crate) const OUTSIDE: &[u8] = b"{outside}";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Close,
    Read,
    Write,
    List,
    Mkdir,
    Mknod,
    Symlink,
    Link,
    Rename,
    Unlink,
    Rmdir,
    Truncate,
    Ftruncate,
    Chmod,
    Fchmod,
    Chown,
    Fchown,
    Utimens,
    Setxattr,
    Removexattr,
    Getxattr,
    Listxattr,
    Access,
    Stat,
    Readlink,
    Chdir,
    Fchdir,
    Inotify,
    Execute,
    Bind,
    Connect,
    /// Many at once (storm.h).
    Storm,
}

/// How many workers a run has.
pub(crate) const WORKERS: u8 = 4;

/// Who acts: a worker of an actor (actor.c), of the second run from [`WORKERS`] on, or somebody outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Worker(u8),
    Outside,
}

impl Who {
    /// The run of a worker.
    pub(crate) fn run(self) -> usize {
        match self {
            Who::Worker(number) => usize::from(number / WORKERS),
            Who::Outside => 0,
        }
    }

    /// The worker within its run.
    pub(crate) fn worker(self) -> u8 {
        match self {
            Who::Worker(number) => number % WORKERS,
            Who::Outside => 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) who: Who,
    pub(crate) call: Call,
    pub(crate) form: u8,
    pub(crate) directories: [i32; 2],
    pub(crate) paths: [Vec<u8>; 2],
    pub(crate) flags: i64,
    pub(crate) number: i64,
    pub(crate) text: Vec<u8>,
    pub(crate) register: i32,
}

impl Operation {
    pub(crate) fn new(who: Who, call: Call) -> Operation {
        Operation {
            who,
            call,
            form: 0,
            directories: [-1, -1],
            paths: [Vec::new(), Vec::new()],
            flags: 0,
            number: 0,
            text: Vec::new(),
            register: -1,
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{:?}", self.call).to_lowercase()
    }

    /// The request for an actor whose tree stands at `top`.
    pub(crate) fn request(&self, top: &[u8]) -> Vec<u8> {
        let words: [Vec<u8>; 11] = [
            self.who.worker().to_string().into(),
            self.name().into(),
            self.form.to_string().into(),
            self.directories[0].to_string().into(),
            replace(&replace(&self.paths[0], TOP, top), OUTSIDE, &crate::processes::number()),
            self.directories[1].to_string().into(),
            replace(&self.paths[1], TOP, top),
            self.flags.to_string().into(),
            self.number.to_string().into(),
            replace(&self.text, TOP, top),
            self.register.to_string().into(),
        ];
        let mut request: Vec<u8> =
            words.into_iter().flat_map(|word| [word, vec![0x1f]].concat()).collect();
        request.push(0x1e);
        request
    }
}

pub(crate) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    out
}

/// Bytes for a person.
pub(crate) fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Worker(_) if self.who.run() == 0 => write!(f, "worker {}: ", self.who.worker())?,
            Who::Worker(_) => write!(f, "second run, worker {}: ", self.who.worker())?,
            Who::Outside => write!(f, "outside: ")?,
        }
        write!(f, "{}", self.name())?;
        if self.form != 0 {
            write!(f, " (form {})", self.form)?;
        }
        for (directory, path) in self.directories.iter().zip(&self.paths) {
            if *directory >= 0 {
                write!(f, " %{directory}:")?;
            } else if !path.is_empty() {
                write!(f, " ")?;
            }
            if !path.is_empty() {
                write!(f, "\"{}\"", show(path))?;
            }
        }
        write!(f, " flags {:#o} number {:#o}", self.flags, self.number)?;
        if !self.text.is_empty() {
            write!(f, " text \"{}\"", show(&self.text))?;
        }
        if self.register >= 0 {
            write!(f, " >%{}", self.register)?;
        }
        Ok(())
    }
}
