//! What OpenClaw's own configuration says that a policy should know: where it works, and where its gateway listens.
//!
//! The file is OpenClaw's, and its agents can change it: it is read, never written, and what it names is checked like
//! anybody's word.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use clawguard_core::{AbsPath, Host, Links};
use serde::Deserialize;

/// The most that is read of it, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// The most lists and maps in it. The parser calls itself for each one that stands in another.
const MOST_NESTED: usize = 8192;

/// Enough for [`MOST_NESTED`] calls of the parser.
const STACK: usize = 128 * 1024 * 1024;

/// What was found in it.
#[derive(Debug, Default)]
pub(super) struct OpenClaw {
    /// The directories that it works in, by their real paths.
    pub(super) workspaces: Vec<AbsPath>,
    /// `gateway.bind`, where it is not its default.
    pub(super) bind: Option<String>,
    /// Is there a configuration? Without one OpenClaw asks its questions first.
    pub(super) is_configured: bool,
    /// What could not be understood, in words.
    pub(super) remarks: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    agents: Agents,
    gateway: Gateway,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Agents {
    defaults: Agent,
    entries: BTreeMap<String, Agent>,
    list: Vec<Agent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Agent {
    workspace: Option<String>,
    cwd: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Gateway {
    bind: Option<String>,
}

/// Reads `~/.openclaw/openclaw.json`; what cannot be read or understood is said and passed over.
pub(super) fn read(host: &Host) -> OpenClaw {
    let Some(file) = host.home.as_ref().map(|home| home.join(b".openclaw").join(b"openclaw.json"))
    else {
        return OpenClaw::default();
    };
    let mut found = OpenClaw { is_configured: file.as_path().exists(), ..OpenClaw::default() };
    match text(&file).and_then(parse) {
        Ok(file) => found.take(file, host),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => found.remarks.push(format!(
            "~/.openclaw/openclaw.json was passed over ({error}): if OpenClaw works outside ~/.openclaw, name the \
             directory with --workspace"
        )),
    }
    found.take_environment(host);
    found
}

/// A pipe or a device in its place must not keep anybody waiting.
fn text(file: &AbsPath) -> std::io::Result<String> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(file)?;
    let other = |text: &str| Err(std::io::Error::other(text.to_owned()));
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return other("it is no regular file");
    }
    if metadata.len() > MOST_BYTES {
        return other("it is too large");
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text)?;
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_NESTED {
        return other("it has too many lists and maps");
    }
    Ok(text)
}

/// In a thread, for its stack: who can write the file must not be able to make the parser use up that of the caller.
fn parse(text: String) -> std::io::Result<File> {
    let parse = move || {
        json5::from_str::<File>(&text).map_err(|error| match error.position() {
            // Not the parser's own words: they may hold a piece of the file, and tokens are in it.
            Some(at) => format!("it is not understood at line {}", at.line + 1),
            None => "it is not understood".to_owned(),
        })
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(parse)?;
    let parsed = thread.join().unwrap_or_else(|_| Err("it is not understood".to_owned()));
    parsed.map_err(std::io::Error::other)
}

impl OpenClaw {
    /// What the environment says in place of the file, as OpenClaw takes it.
    fn take_environment(&mut self, host: &Host) {
        let named = host.variable("OPENCLAW_WORKSPACE_DIR").and_then(|value| value.to_str());
        if let Some(path) = named.and_then(|named| path(named, host))
            && self.workspaces.is_empty()
        {
            self.workspaces.push(path);
        }
        for name in
            ["OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_HOME", "OPENCLAW_PROFILE"]
        {
            if host.variable(name).is_some() {
                self.remarks.push(format!(
                    "{name} is set, and the preset knows ~/.openclaw only: if OpenClaw keeps its state elsewhere, add \
                     that directory to `allowed_paths`"
                ));
            }
        }
    }

    fn take(&mut self, file: File, host: &Host) {
        let agents = file.agents;
        let all =
            std::iter::once(agents.defaults).chain(agents.entries.into_values()).chain(agents.list);
        for named in all.flat_map(|agent| [agent.workspace, agent.cwd]).flatten() {
            match path(&named, host) {
                Some(path) if !self.workspaces.contains(&path) => self.workspaces.push(path),
                Some(_) => {}
                None => self.remarks.push(format!(
                    "~/.openclaw/openclaw.json names a workspace that is not an absolute path, `{}`: name the \
                     directory with --workspace",
                    clawguard_core::escape(named.as_bytes())
                )),
            }
        }
        self.bind = file.gateway.bind.filter(|bind| bind != "loopback" && bind != "auto");
    }
}

/// A directory as OpenClaw understands it: `~` is the home directory. What it puts in from variables is not known here.
fn path(named: &str, host: &Host) -> Option<AbsPath> {
    let named = named.trim();
    if named.contains("${") || named.contains('\0') {
        return None;
    }
    let whole = match named.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            [host.home.as_ref()?.as_bytes(), rest.as_bytes()].concat()
        }
        _ => named.as_bytes().to_vec(),
    };
    let is_absolute = std::ffi::OsStr::from_bytes(&whole).as_bytes().starts_with(b"/");
    is_absolute.then(|| Links::default().follow_raw(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(config: &str) -> (tempfile::TempDir, Host) {
        let top = tempfile::tempdir().unwrap();
        let home = top.path().canonicalize().unwrap();
        std::fs::create_dir_all(home.join(".openclaw")).unwrap();
        std::fs::write(home.join(".openclaw/openclaw.json"), config).unwrap();
        let mut host = Host::current().unwrap();
        host.home = AbsPath::parse(home.as_os_str().as_bytes()).ok();
        (top, host)
    }

    #[test]
    fn workspaces_are_found_wherever_openclaw_may_have_them() {
        let (_top, host) = home(
            "// JSON5\n{agents: {defaults: {workspace: '~/claw', model: {primary: 'a/b'}}, \
             entries: {coder: {cwd: '/srv/app', workspace: '~/claw'}}, list: [{id: 'x', workspace: '/w//y/'}]},\n\
             gateway: {bind: 'lan', port: 1,},}",
        );
        let found = read(&host);
        let named = |path: &AbsPath| path.to_string();
        let home = host.home.as_ref().unwrap();
        let claw = format!("{home}/claw");
        assert_eq!(
            found.workspaces.iter().map(named).collect::<Vec<_>>(),
            [&claw, "/srv/app", "/w/y"]
        );
        assert_eq!(found.bind.as_deref(), Some("lan"));
        assert!(found.remarks.is_empty(), "{found:?}");
    }

    #[test]
    fn what_is_not_understood_is_said_without_a_word_of_the_file() {
        let deep = "[".repeat(MOST_NESTED);
        let deep = format!("{{a: {deep}");
        let texts = [
            "{agents: 'sk-secret'}",
            "{gateway: {auth: {token: sk-secret}}}",
            &deep,
            "\u{0}sk-secret",
        ];
        for text in texts {
            let (_top, host) = home(text);
            let found = read(&host);
            assert_eq!(found.remarks.len(), 1, "{found:?}");
            assert!(!found.remarks[0].contains("sk-secret"), "{found:?}");
        }
    }

    #[test]
    fn the_environment_names_a_workspace_where_the_file_does_not() {
        let (_top, mut host) = home("{agents: {}}");
        let mut set = |name: &str, value: &str| {
            host.environment.insert(name.into(), value.into());
            let found = read(&host);
            let named: Vec<_> = found.workspaces.iter().map(ToString::to_string).collect();
            (named, found.remarks.len())
        };
        assert_eq!(set("OPENCLAW_WORKSPACE_DIR", "/srv/claw"), (vec!["/srv/claw".to_owned()], 0));
        assert_eq!(set("OPENCLAW_STATE_DIR", "/srv/state").1, 1);
    }

    #[test]
    fn the_deepest_file_that_is_read_does_not_use_up_the_stack() {
        let half = MOST_NESTED - 1;
        let text = format!("{{a: {}{}}}", "[".repeat(half), "]".repeat(half));
        let (_top, host) = home(&text);
        assert!(read(&host).remarks.is_empty());
    }

    #[test]
    fn a_pipe_keeps_nobody_waiting_and_what_is_not_absolute_is_said() {
        let (top, host) =
            home("{agents: {defaults: {workspace: 'claw'}, list: [{workspace: '${HOME}/x'}]}}");
        let found = read(&host);
        assert!(found.workspaces.is_empty() && found.remarks.len() == 2, "{found:?}");
        let file = top.path().join(".openclaw/openclaw.json");
        std::fs::remove_file(&file).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
        assert!(made.success());
        assert!(read(&host).remarks[0].contains("no regular file"));
    }
}
