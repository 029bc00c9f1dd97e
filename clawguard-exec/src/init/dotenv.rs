//! The `.env` files in the workspaces, so that a person sees them named. The policy blocks them wherever they are: this
//! search decides nothing, and it ends early rather than keep anybody waiting.

#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use clawguard_core::{AbsPath, Access, Decider};
use rustix::fs::{Dir, FileType, Mode, OFlags};

const DEEPEST: usize = 8;
const MOST_ENTRIES: usize = 50_000;
const LONGEST: Duration = Duration::from_secs(2);

/// Full of other people's files, none of them the workspace's own.
const PASSED_OVER: [&[u8]; 3] = [b"node_modules", b".git", b".venv"];

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Dotenv {
    pub(super) files: Vec<AbsPath>,
    /// Did it end before it had seen everything?
    pub(super) was_cut_short: bool,
}

struct Search<'a> {
    blocks: &'a mut Decider,
    device: u64,
    entries: usize,
    until: Instant,
    found: Dotenv,
}

/// Looks through directories, without following links and within one file system each. `blocks` says which names
/// count.
pub(super) fn search(directories: &[AbsPath], blocks: &mut Decider) -> Dotenv {
    let until = Instant::now() + LONGEST;
    let mut search = Search { blocks, device: 0, entries: 0, until, found: Dotenv::default() };
    for directory in directories {
        let flags = flags().difference(OFlags::NOFOLLOW);
        let opened = rustix::fs::open(directory.as_path(), flags, Mode::empty());
        if let Ok((fd, device)) = opened.and_then(with_device) {
            search.device = device;
            search.look(fd, directory, DEEPEST);
        }
    }
    search.found.files.sort();
    search.found.files.dedup();
    search.found
}

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC
}

fn with_device(fd: OwnedFd) -> rustix::io::Result<(OwnedFd, u64)> {
    let device = rustix::fs::fstat(&fd)?.st_dev;
    Ok((fd, device))
}

impl Search<'_> {
    fn look(&mut self, fd: OwnedFd, at: &AbsPath, deeper: usize) {
        let Ok(dir) = Dir::read_from(&fd) else { return };
        let mut names: Vec<(Vec<u8>, FileType)> = Vec::new();
        for entry in dir.flatten() {
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            self.entries += 1;
            if self.entries > MOST_ENTRIES || Instant::now() > self.until {
                self.found.was_cut_short = true;
                return;
            }
            names.push((name.to_vec(), entry.file_type()));
        }
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, kind) in names {
            let path = at.join(&name);
            let is_directory = matches!(kind, FileType::Directory | FileType::Unknown);
            let is_blocked = self.blocks.decide(&path).verdict(Access::Read).rule().is_some();
            if is_blocked && name.starts_with(b".env") {
                self.found.files.push(path);
            } else if is_directory && !PASSED_OVER.contains(&name.as_slice()) {
                if deeper == 0 {
                    self.found.was_cut_short = true;
                    continue;
                }
                let opened = rustix::fs::openat(&fd, name.as_slice(), flags(), Mode::empty());
                match opened.and_then(with_device) {
                    Ok((fd, device)) if device == self.device => self.look(fd, &path, deeper - 1),
                    _ => {}
                }
            }
        }
    }
}
