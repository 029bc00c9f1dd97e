//! Random operations and changes from outside, on what the tree holds at that moment, so that they mean something.

#![forbid(unsafe_code)]

use std::fs::FileType;

use crate::generate::{Random, name, target};
use crate::law::split;
use crate::operation::{Call, Operation, TOP, Who};
use crate::processes;
use crate::walk::{Kind, Process};

/// What the generator of operations may look at: only to make calls that mean something.
pub(crate) struct Scene<'a> {
    pub(crate) paths: &'a [(Vec<u8>, FileType)],
    pub(crate) process: Process,
    pub(crate) top: &'a [Vec<u8>],
    /// Guarded paths beneath the top, also of what does not exist.
    pub(crate) guarded: &'a [Vec<u8>],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Any,
    File,
    Directory,
    Link,
    Missing,
}

const REGISTERS: usize = 5;

impl Scene<'_> {
    /// The path of something, beneath the top.
    fn object(&self, random: &mut Random, want: Want) -> Vec<u8> {
        if !self.guarded.is_empty() && random.once_in(10) {
            // A guarded path, or one that leads to it.
            let path = split(&random.pick(self.guarded));
            let length = path.len() - random.below(path.len().min(2));
            return path[..length].join(&b'/');
        }
        let is_wanted = |kind: &FileType| match want {
            Want::Any => true,
            Want::File => kind.is_file(),
            Want::Directory | Want::Missing => kind.is_dir(),
            Want::Link => kind.is_symlink(),
        };
        // Now and then anything, whatever is wanted.
        let is_any = random.once_in(8);
        let all: Vec<&Vec<u8>> = self
            .paths
            .iter()
            .filter(|(path, kind)| {
                (is_any || is_wanted(kind)) && !(path.is_empty() && want == Want::Any)
            })
            .map(|(path, _)| path)
            .collect();
        let path = if all.is_empty() { Vec::new() } else { random.pick(&all).clone() };
        if want == Want::Missing || random.once_in(12) {
            return if path.is_empty() {
                name(random)
            } else {
                [&path[..], b"/", &name(random)].concat()
            };
        }
        path
    }

    /// Spells a path: absolute, from the working directory, from a descriptor, or through /proc.
    fn spell(
        &self,
        random: &mut Random,
        operation: &mut Operation,
        which: usize,
        path: &[u8],
        has_at: bool,
    ) {
        let full = [self.top, &split(path)].concat();
        let relative = |base: Vec<Vec<u8>>| -> Option<Vec<u8>> {
            let common = base.iter().zip(&full).take_while(|(one, other)| one == other).count();
            let ups = base.len() - common;
            let mut parts = vec![b"..".to_vec(); ups];
            parts.extend_from_slice(&full[common..]);
            (common >= self.top.len()).then(|| parts.join(&b'/'))
        };
        let absolute = || {
            if path.is_empty() { TOP.to_vec() } else { [TOP, b"/", path].concat() }
        };
        let register = random.below(REGISTERS) as i32;
        let mut text = match random.below(8) {
            0..=2 => absolute(),
            3..=5 => self.process.cwd().and_then(relative).unwrap_or_else(absolute),
            6 => match self.process.held(register) {
                Some(held) if random.once_in(2) && held.path.as_ref() == Some(&full) => {
                    format!("/proc/self/fd/{}", 100 + register).into_bytes()
                }
                Some(held) if held.kind == Kind::Directory => match held.path.and_then(relative) {
                    Some(rest) if has_at && random.once_in(2) => {
                        operation.directories[which] = register;
                        rest
                    }
                    Some(rest) => {
                        let front = format!("/proc/self/fd/{}/", 100 + register).into_bytes();
                        [front, rest].concat()
                    }
                    None => absolute(),
                },
                Some(_) => format!("/proc/self/fd/{}", 100 + register).into_bytes(),
                None => absolute(),
            },
            _ => absolute(),
        };
        if text.is_empty() {
            text = b".".to_vec();
        }
        if random.once_in(5) {
            text = self.adorn(random, text);
        }
        operation.paths[which] = text;
    }

    /// The same place, written otherwise: `./`, `//`, a detour, a slash at the end.
    fn adorn(&self, random: &mut Random, text: Vec<u8>) -> Vec<u8> {
        let slashes: Vec<usize> =
            (0..text.len()).filter(|at| text[*at] == b'/' && *at >= TOP.len()).collect();
        let insert: Vec<u8> = match random.below(4) {
            0 => return [&text[..], b"/"].concat(),
            1 => b"/.".to_vec(),
            2 => b"/".to_vec(),
            _ => [b"/", &name(random)[..], b"/.."].concat(),
        };
        if slashes.is_empty() || text.starts_with(b"/proc") {
            return if text.starts_with(b"/") { text } else { [b"./", &text[..]].concat() };
        }
        let at = random.pick(&slashes);
        [&text[..at], &insert, &text[at..]].concat()
    }

    /// A change by somebody outside. Never of the top itself, which the twins must keep.
    pub(crate) fn change(&self, random: &mut Random) -> Operation {
        let call = random.pick(&[
            Call::Mkdir,
            Call::Write,
            Call::Symlink,
            Call::Link,
            Call::Rename,
            Call::Rename,
            Call::Rename,
            Call::Unlink,
            Call::Rmdir,
        ]);
        let mut operation = Operation::new(Who::Outside, call);
        let whole = |path: Vec<u8>| [TOP, b"/", &path[..]].concat();
        let object = |random: &mut Random, want| loop {
            let path = self.object(random, want);
            if !path.is_empty() {
                return whole(path);
            }
            if self.paths.len() <= 1 {
                return whole(name(random));
            }
        };
        let wants = [Want::Any, Want::Any, Want::File, Want::Link];
        operation.paths[0] = match call {
            Call::Mkdir | Call::Symlink => object(random, Want::Missing),
            Call::Write if random.once_in(2) => object(random, Want::Missing),
            Call::Write => object(random, Want::Any),
            Call::Rmdir => object(random, Want::Any),
            _ => {
                let want = random.pick(&wants);
                object(random, want)
            }
        };
        let is_fresh = call == Call::Link || random.once_in(2);
        operation.paths[1] = match call {
            Call::Link | Call::Rename => {
                object(random, if is_fresh { Want::Missing } else { Want::Any })
            }
            _ => Vec::new(),
        };
        operation.text = match call {
            Call::Symlink => {
                let (directories, files) =
                    (self.all(FileType::is_dir), self.all(FileType::is_file));
                target(random, &directories, &files)
            }
            _ => b"from outside".to_vec(),
        };
        operation
    }

    /// An operation of one worker.
    pub(crate) fn operation(&self, random: &mut Random, who: Who) -> Operation {
        use Call::{
            Access, Bind, Chdir, Chmod, Chown, Close, Connect, Execute, Fchdir, Fchmod, Fchown,
            Ftruncate, Getxattr, Inotify, Link, List, Listxattr, Mkdir, Mknod, Open, Read,
            Readlink, Removexattr, Rename, Rmdir, Setxattr, Stat, Symlink, Truncate, Unlink,
            Utimens, Write,
        };
        if random.once_in(40) {
            return processes::operation(random, who);
        }
        let call = match random.below(100) {
            0..=21 => Open,
            22..=24 => Read,
            25..=27 => Write,
            28..=29 => List,
            30..=35 => Mkdir,
            36..=37 => Mknod,
            38..=41 => Symlink,
            42..=46 => Link,
            47..=59 => Rename,
            60..=63 => Unlink,
            64..=65 => Rmdir,
            66..=67 => Truncate,
            68 => Ftruncate,
            69..=71 => Chmod,
            72 => Fchmod,
            73 => random.pick(&[Chown, Fchown]),
            74..=75 => Utimens,
            76..=77 => Setxattr,
            78 => Removexattr,
            79..=80 => Getxattr,
            81 => Listxattr,
            82..=84 => Access,
            85..=87 => Stat,
            88 => Readlink,
            89..=90 => Chdir,
            91 => Fchdir,
            92 => Inotify,
            93..=95 => Execute,
            96 => Bind,
            97 => Connect,
            98 => Close,
            _ => Open,
        };
        let mut operation = Operation::new(who, call);
        self.fill(random, &mut operation);
        operation
    }

    fn fill(&self, random: &mut Random, operation: &mut Operation) {
        let register = random.below(REGISTERS) as i32;
        match operation.call {
            Call::Open => self.open(random, operation),
            Call::Read | Call::List | Call::Fchdir | Call::Close => {
                operation.directories[0] = register
            }
            Call::Write => {
                operation.directories[0] = register;
                operation.text =
                    random.pick(&[b"more".to_vec(), b"#!/none\n".to_vec(), b"".to_vec()]);
            }
            Call::Ftruncate => {
                operation.directories[0] = register;
                operation.number = random.below(20) as i64;
            }
            Call::Mkdir | Call::Mknod | Call::Symlink | Call::Bind => self.make(random, operation),
            Call::Unlink | Call::Rmdir => {
                let want = if operation.call == Call::Rmdir { Want::Directory } else { Want::Any };
                self.one(random, operation, want);
                operation.form = random.below(2) as u8 * u8::from(operation.directories[0] < 0);
            }
            Call::Link | Call::Rename => self.two(random, operation),
            Call::Truncate => {
                self.plain(random, operation, Want::File);
                operation.number = random.pick(&[0, 3, 50, -1]);
            }
            Call::Chmod => {
                self.one(random, operation, Want::Any);
                operation.form = random.pick(&[0, 0, 2]);
                operation.flags = if operation.form == 2 { random.pick(&[0, 0x100]) } else { 0 };
                operation.number = random.pick(&[0o755, 0o755, 0o755, 0o644, 0o400, 0o700, 0o000]);
            }
            Call::Fchmod | Call::Fchown => {
                operation.directories[0] = register;
                operation.number = if operation.call == Call::Fchown {
                    random.pick(&[-1, 0, 65534])
                } else {
                    random.pick(&[0o755, 0o755, 0o644, 0o700])
                };
            }
            Call::Chown => {
                self.one(random, operation, Want::Any);
                operation.flags = random.pick(&[0, 0x100]);
                operation.number = random.pick(&[-1, 0, 65534]);
            }
            Call::Utimens => {
                operation.number = 1000 + random.below(1000) as i64;
                if random.once_in(4) {
                    operation.form = 2;
                    operation.directories[0] = register;
                } else {
                    operation.form = random.below(2) as u8;
                    operation.flags = random.pick(&[0, 0x100]);
                    self.one(random, operation, Want::Any);
                }
            }
            Call::Setxattr | Call::Removexattr | Call::Getxattr | Call::Listxattr => {
                operation.form = random.pick(&[0, 0, 1, 2]);
                operation.flags =
                    if operation.call == Call::Setxattr { random.pick(&[0, 0, 1, 2]) } else { 0 };
                operation.text = b"value".to_vec();
                if operation.form == 2 {
                    operation.directories[0] = register;
                } else {
                    self.plain(random, operation, Want::Any);
                }
            }
            Call::Access => {
                self.one(random, operation, Want::Any);
                operation.form = random.below(2) as u8;
                operation.flags = random.pick(&[0, 0x100, 0x200]);
                operation.number = random.below(8) as i64;
            }
            Call::Stat => {
                self.one(random, operation, Want::Any);
                operation.flags = random.pick(&[0, 0x100]);
            }
            Call::Readlink => self.one(random, operation, Want::Link),
            Call::Chdir => self.plain(random, operation, Want::Directory),
            Call::Inotify => {
                self.plain(random, operation, Want::Any);
                operation.flags = random.pick(&[0, 0, 0x0200_0000, 0x0100_0000]);
            }
            Call::Execute => {
                operation.form = random.below(2) as u8;
                if operation.form == 0 && random.once_in(4) {
                    operation.directories[0] = register;
                    operation.flags = 0x1000;
                } else if operation.form == 0 {
                    self.one(random, operation, Want::File);
                    operation.flags = random.pick(&[0, 0, 0x100]);
                } else {
                    self.plain(random, operation, Want::File);
                }
            }
            Call::Connect => self.plain(random, operation, Want::Any),
            Call::Storm => {}
        }
    }

    /// One path, that may begin at a descriptor.
    fn one(&self, random: &mut Random, operation: &mut Operation, want: Want) {
        let path = self.object(random, want);
        self.spell(random, operation, 0, &path, true);
    }

    /// One path, from the working directory or absolute.
    fn plain(&self, random: &mut Random, operation: &mut Operation, want: Want) {
        let path = self.object(random, want);
        self.spell(random, operation, 0, &path, false);
    }

    fn make(&self, random: &mut Random, operation: &mut Operation) {
        let want = if random.once_in(10) { Want::Any } else { Want::Missing };
        if operation.call == Call::Bind {
            self.plain(random, operation, want);
            operation.register = random.below(REGISTERS) as i32;
            return;
        }
        self.one(random, operation, want);
        operation.form = random.below(2) as u8 * u8::from(operation.directories[0] < 0);
        operation.number = match operation.call {
            Call::Mkdir => random.pick(&[0o755, 0o755, 0o755, 0o700, 0o500]),
            _ => random.pick(&[0o010_644, 0o100_644, 0o100_755, 0o140_600]),
        };
        if operation.call == Call::Symlink {
            let directories: Vec<Vec<u8>> = self.all(FileType::is_dir);
            let files: Vec<Vec<u8>> = self.all(FileType::is_file);
            operation.text = target(random, &directories, &files);
        }
    }

    fn all(&self, is_wanted: impl Fn(&FileType) -> bool) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = self
            .paths
            .iter()
            .filter(|(_, kind)| is_wanted(kind))
            .map(|(path, _)| path.clone())
            .collect();
        if all.is_empty() {
            all.push(Vec::new());
        }
        all
    }

    fn two(&self, random: &mut Random, operation: &mut Operation) {
        let is_link = operation.call == Call::Link;
        let want = random.pick(&[Want::File, Want::File, Want::Directory, Want::Link, Want::Any]);
        let want = if is_link && want == Want::Directory { Want::File } else { want };
        let old = self.object(random, want);
        let is_fresh = is_link || !random.once_in(3);
        let to = if is_fresh { Want::Missing } else { random.pick(&[want, Want::Any]) };
        let new = if random.once_in(25) { old.clone() } else { self.object(random, to) };
        self.spell(random, operation, 0, &old, true);
        self.spell(random, operation, 1, &new, true);
        let is_plain = operation.directories.iter().all(|directory| *directory < 0);
        operation.form = random.below(2) as u8 * u8::from(is_plain);
        operation.flags = if is_link {
            random.pick(&[0, 0x400])
        } else if is_fresh {
            random.pick(&[0, 0, 0, 1, 2])
        } else {
            random.pick(&[0, 2, 2, 1])
        };
    }

    fn open(&self, random: &mut Random, operation: &mut Operation) {
        let creates = random.once_in(3);
        let mut flags: i64 = random.pick(&[0, 0, 1, 2]);
        let want = if creates && random.once_in(2) {
            Want::Missing
        } else {
            random.pick(&[Want::File, Want::File, Want::Any, Want::Directory, Want::Link])
        };
        // A FIFO must not keep anybody waiting.
        flags |= 0o4000;
        if creates {
            flags |= random.pick(&[0o100, 0o100, 0o300]);
        }
        for (flag, times) in [(0o1000, 6), (0o2000, 8), (0o400_000, 8), (0o2_000_000, 2)] {
            flags |= if random.once_in(times) { flag } else { 0 };
        }
        flags |=
            if !creates && (want == Want::Directory || random.once_in(10)) { 0o200_000 } else { 0 };
        let path = if random.once_in(16) {
            flags = 0o20_200_000 | random.pick(&[1, 2]);
            self.object(random, Want::Directory)
        } else if random.once_in(8) {
            flags = 0o10_000_000 | random.pick(&[0, 0o200_000, 0o400_000]);
            self.object(random, Want::Any)
        } else {
            self.object(random, want)
        };
        self.spell(random, operation, 0, &path, true);
        operation.flags = flags;
        operation.form = match random.below(4) {
            0 if operation.directories[0] < 0 => 1,
            1 if flags & 0o10_000_000 == 0 => 2,
            _ => 0,
        };
        if operation.form == 2 {
            operation.number = random.pick(&[0, 0, 4, 8, 0x10, 2, 1]);
        }
        operation.register = random.below(REGISTERS) as i32;
    }
}
