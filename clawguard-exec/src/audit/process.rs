//! The processes that run now, as `/proc` tells: who they are, who started them, what holds them.
//!
//! What a process says of itself (its name, its arguments, its environment) is a hint; what the kernel says of it
//! (numbers, NoNewPrivs, Seccomp) is a fact. Nobody is signalled, and no memory is read.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::known::{Agent, every_agent};

/// The name of our own processes, as the kernel shows it.
const SHIM: &[u8] = b"clawguard-exec";

/// Programs that run a script: the script's name is the program's.
const INTERPRETERS: [&[u8]; 7] =
    [b"node", b"nodejs", b"bun", b"deno", b"python", b"python3", b"volta-shim"];

/// Words after `openclaw` by which its owner administers it (OpenClaw 2026.9.6); no agent runs in such a process.
const ADMINISTRATION: &str = "\
    --help --version approvals audit automations backup capability channels completion config configure cron \
    dashboard database devices directory dns docs doctor exec-approvals exec-policy fleet health help \
    hooks logs memory message migrate models nodes onboard pairing plugins promos qr \
    reset sandbox secrets security sessions setup skills status system tasks telemetry transcripts \
    triage uninstall update users webhooks worktrees";

/// The same after `openclaw gateway`.
const OF_GATEWAY: &str = "\
    auth-token call diagnostics discover health install probe restart resume \
    stability start status stop suspend uninstall usage-cost";

/// What holds a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// By clawguard.
    Confined,
    /// By nothing that clawguard did.
    Unconfined,
}

/// One process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) uid: u32,
    pub(crate) name: String,
    arguments: Vec<Vec<u8>>,
    /// NoNewPrivs and a seccomp filter: the kernel's word (proc_pid_status(5)).
    is_restricted: bool,
    /// It was started with clawguard's variable.
    says_confined: bool,
    is_shim: bool,
}

/// All processes that could be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processes(BTreeMap<u32, Process>);

impl Processes {
    pub(crate) fn read(proc: &Path) -> Processes {
        let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let read = |pid: u32| Some((pid, Process::read(&proc.join(pid.to_string()), pid)?));
        Processes(numbers.filter_map(read).collect())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Process> {
        self.0.values()
    }

    /// The process, the one that started it, and so on.
    pub(crate) fn line(&self, process: &Process) -> Vec<&Process> {
        let mut line = Vec::new();
        let mut at = self.0.get(&process.pid);
        while let Some(process) = at {
            line.push(process);
            let is_loop = line.len() > 1_000;
            at = self.0.get(&process.parent).filter(|_| !is_loop);
        }
        line
    }

    /// What holds a process. A process that is not even restricted is held by nobody, whatever it says.
    pub(crate) fn held(&self, process: &Process) -> Held {
        let started = || self.line(process).iter().skip(1).any(|above| above.is_shim);
        match process.is_restricted && (process.says_confined || started()) {
            true => Held::Confined,
            false => Held::Unconfined,
        }
    }
}

impl Process {
    fn read(directory: &Path, pid: u32) -> Option<Process> {
        let read = |name: &str| std::fs::read(directory.join(name)).unwrap_or_default();
        let status = read("status");
        let status = String::from_utf8_lossy(&status).into_owned();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.strip_prefix(':')?.split_whitespace().next().map(str::to_owned)
        };
        let number = |name: &str| field(name)?.parse::<u32>().ok();
        let name = read("comm");
        let name = name.strip_suffix(b"\n").unwrap_or(&name);
        let split = |bytes: Vec<u8>| bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        let arguments: Vec<Vec<u8>> = split(read("cmdline"));
        let environment: Vec<Vec<u8>> = split(read("environ"));
        let variable = [clawguard_core::CONFINED_BY.as_bytes(), b"="].concat();
        let uid = number("Uid").or_else(|| std::fs::metadata(directory).ok().map(|at| at.uid()))?;
        Some(Process {
            pid,
            parent: number("PPid")?,
            uid,
            name: clawguard_core::escape(name),
            is_restricted: number("NoNewPrivs") == Some(1) && number("Seccomp") == Some(2),
            says_confined: environment.iter().any(|one| one.starts_with(&variable)),
            is_shim: name == SHIM,
            arguments,
        })
    }

    /// Does its owner only administer the agent with it?
    pub(crate) fn is_administration(&self) -> bool {
        let mut words = self.arguments.iter().map(Vec::as_slice);
        let is_program = |word: &[u8]| matches!(base(word), b"openclaw" | b"openclaw.mjs");
        if !words.any(is_program) {
            return false;
        }
        let is_one_of =
            |list: &str, word: &[u8]| list.split_whitespace().any(|one| one.as_bytes() == word);
        match (words.next(), words.next()) {
            (Some(b"gateway"), Some(word)) => is_one_of(OF_GATEWAY, word),
            (Some(word), _) => is_one_of(ADMINISTRATION, word),
            (None, _) => false,
        }
    }

    /// The agent that this process is.
    pub(crate) fn agent(&self) -> Option<&'static Agent> {
        if self.is_shim {
            return None;
        }
        let mut words = self.arguments.iter().filter(|word| !word.is_empty());
        let first = words.next()?;
        // A process that names itself puts everything into one word.
        let title = first.split(|byte| *byte == b' ').next().unwrap_or_default();
        let program = base(title);
        let is_interpreter = INTERPRETERS.iter().any(|name| {
            program
                .strip_prefix(*name)
                .is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'))
        });
        let script = words.find(|word| !word.starts_with(b"-")).filter(|_| is_interpreter);
        every_agent().iter().find(|agent| {
            agent.commands.iter().any(|command| {
                let command = command.as_bytes();
                is_title(program, command)
                    || script.is_some_and(|script| is_script(script, command))
            })
        })
    }
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// `openclaw`, or `openclaw-gateway` as OpenClaw's processes name themselves.
fn is_title(name: &[u8], command: &[u8]) -> bool {
    name == command
        || name.strip_prefix(command).is_some_and(|rest| rest.starts_with(b"-"))
            && command.len() > 6
}

/// `/usr/bin/openclaw`, `openclaw.mjs`, `.../node_modules/openclaw/dist/index.js`, and packages in a scope.
fn is_script(script: &[u8], command: &[u8]) -> bool {
    let name = base(script);
    let stem = [&b".mjs"[..], b".cjs", b".js", b".py"]
        .iter()
        .find_map(|end| name.strip_suffix(*end))
        .unwrap_or(name);
    if stem == command {
        return true;
    }
    let names: Vec<&[u8]> = script.split(|byte| *byte == b'/').collect();
    let is_package = |name: &[u8]| {
        let rest = name.strip_prefix(command);
        rest.is_some_and(|rest| matches!(rest, b"" | b"-code" | b"-cli"))
    };
    names.iter().enumerate().filter(|(_, name)| **name == b"node_modules").any(|(at, _)| {
        let next = names.get(at + 1).copied().unwrap_or_default();
        let scoped = names.get(at + 2).copied().unwrap_or_default();
        is_package(if next.starts_with(b"@") { scoped } else { next })
    })
}

/// The sockets that each process holds open, by inode; only of processes that may be looked into.
pub(crate) fn sockets(proc: &Path, pid: u32) -> BTreeSet<u64> {
    let entries = std::fs::read_dir(proc.join(pid.to_string()).join("fd")).into_iter().flatten();
    let socket = |entry: std::io::Result<std::fs::DirEntry>| {
        let link = std::fs::read_link(entry.ok()?.path()).ok()?;
        let inode = link.as_os_str().as_bytes().strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
        std::str::from_utf8(inode).ok()?.parse().ok()
    };
    entries.filter_map(socket).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A made `/proc` with these processes: number, parent, name, arguments, restricted, environment.
    pub(crate) fn made(rows: &[(u32, u32, &str, &str, bool, &str)]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        for (pid, parent, name, arguments, is_restricted, environment) in rows {
            let directory = proc.path().join(pid.to_string());
            std::fs::create_dir_all(directory.join("fd")).unwrap();
            let write = |file: &str, text: String| {
                std::fs::write(directory.join(file), text).unwrap();
            };
            let (privileges, seccomp) = if *is_restricted { (1, 2) } else { (0, 0) };
            write("comm", format!("{name}\n"));
            write("cmdline", arguments.replace(' ', "\0") + "\0");
            write("environ", format!("HOME=/\0{environment}\0"));
            write(
                "status",
                format!(
                    "Name:\t{name}\nPPid:\t{parent}\nUid:\t1000\t1000\t1000\t1000\n\
                     NoNewPrivs:\t{privileges}\nSeccomp:\t{seccomp}\n"
                ),
            );
        }
        proc
    }

    fn agent_of(name: &str, arguments: &str) -> Option<&'static str> {
        let proc = made(&[(7, 1, name, arguments, false, "")]);
        let processes = Processes::read(proc.path());
        processes.all().next().unwrap().agent().map(|agent| agent.preset)
    }

    #[test]
    fn agents_are_known_by_program_script_package_and_title() {
        for (name, arguments, agent) in [
            ("openclaw", "openclaw gateway run", Some("openclaw")),
            ("openclaw-gatewa", "openclaw-gateway", Some("openclaw")),
            ("node", "/usr/bin/node --no-warnings /usr/bin/openclaw gateway", Some("openclaw")),
            ("node", "node /opt/n/lib/node_modules/openclaw/dist/index.js", Some("openclaw")),
            ("node", "node /n/node_modules/@openai/codex/bin/codex.js", Some("codex")),
            ("node", "node /n/node_modules/@anthropic-ai/claude-code/cli.js", Some("claude")),
            ("aider", "/usr/bin/python3.11 /home/me/.local/bin/aider", Some("aider")),
            ("node", "node /home/me/openclaw/server.js", None),
            ("vi", "vi openclaw", None),
            ("clawguard-exec", "openclaw gateway", None),
            ("clauded", "clauded", None),
            ("sh", "", None),
        ] {
            assert_eq!(agent_of(name, arguments), agent, "{name}: {arguments}");
        }
    }

    #[test]
    fn only_what_the_kernel_restricts_counts_as_confined() {
        let proc = made(&[
            (10, 1, "clawguard-exec", "clawguard-exec -- openclaw", false, ""),
            (11, 10, "openclaw", "openclaw", true, ""),
            (12, 11, "sh", "sh", true, ""),
            (20, 1, "openclaw", "openclaw", true, "CLAWGUARD_PID=20"),
            (30, 1, "openclaw", "openclaw", false, "CLAWGUARD_PID=30"),
            (40, 1, "openclaw", "openclaw", true, ""),
            (50, 51, "a", "a", true, ""),
            (51, 50, "b", "b", true, ""),
        ]);
        let processes = Processes::read(proc.path());
        let held = |pid| processes.held(&processes.0[&pid]);
        for pid in [11, 12, 20] {
            assert_eq!(held(pid), Held::Confined, "{pid}");
        }
        for pid in [10, 30, 40, 50] {
            assert_eq!(held(pid), Held::Unconfined, "{pid}");
        }
    }
}
