//! The policy as a person reads it: every line with its reason.

#![forbid(unsafe_code)]

use clawguard_core::{AbsPath, AccessSet};

use super::draft::{self, Draft, Line, Presets};
use super::machine::{self, Machine};
use super::names;
use super::proof::Opened;
use crate::known::{self, Kind};
use crate::yaml;

/// Where a line of comment is broken.
const WIDTH: usize = 100;

/// How many paths a comment names of one kind.
const MOST_NAMED: usize = 12;

/// The column of the reasons behind entries, at the most.
const REASONS: usize = 44;

const HEAD: &str = "\
# What commands that are started with `clawguard-exec -- COMMAND` may do with files.
# Made by `clawguard-exec init`. It is yours to change: init never writes over it.
#
# What no line allows is denied. A block wins over an allowed path. There is one way through a
# block: an allowed path without a wildcard that names something inside it, or the very name that
# a wildcard happened to match. So a preset opens its agent's own directory, such as ~/.openclaw,
# although \"~/.*\" is blocked. The order of lines does not matter.
# r is to read, w to change, x to execute; a line without `access` means all three.
#
#   clawguard-exec check ~/.ssh       what is decided about a path, and by which line
#   clawguard-exec plan               who enforces each line
#   clawguard-exec presets NAME       what a preset allows, and why
";

const TAIL: &str = "
  # Variables with tokens and keys are not handed on, but for those that an agent logs in with
  # (`clawguard-exec plan` lists them). To hand on others, or fewer:
  # environment:
  #   keep: [GITHUB_TOKEN]
  #   remove: [\"MYCOMPANY_*\"]

# The journal, in ~/.local/state/clawguard. These are the settings that hold without a line:
# logging:
#   log_denials: true          # what was denied
#   log_file_access: false     # what was allowed, too
#   log_commands: false        # each command that is executed
#   max_size: 100MB
#   retention: 30d
";

/// The whole text; `opened` is what the comments must not call blocked.
pub(super) fn render(machine: &Machine, draft: &Draft, opened: &[Opened]) -> String {
    let mut text = Text { out: HEAD.to_owned(), machine };
    text.out.push_str("security:\n  file_access:\n");
    text.presets(&draft.presets);
    text.allowed(&draft.allowed);
    text.blocked(draft, opened);
    text.network();
    text.out.push_str(TAIL);
    text.out
}

struct Text<'a> {
    out: String,
    machine: &'a Machine,
}

impl Text<'_> {
    fn presets(&mut self, presets: &Presets) {
        match presets {
            Presets::Named(presets) => {
                self.comment("Presets are shipped pieces of policy.");
                if self.machine.agents.len() > 1 {
                    self.comment(
                        "Every command gets all of them, so each agent can use what the others keep.",
                    );
                }
                self.out.push_str("    presets:\n");
                for (name, why) in presets {
                    self.out.push_str(&format!("      - {name:10}  # {why}\n"));
                }
            }
            Presets::OfEachCommand => {
                self.comment(
                    "Presets are shipped pieces of policy. Where none are named, each command gets system, git, \
                     node, python, cargo and go, and an agent its own: none can use what another keeps.",
                );
                self.agents();
            }
        }
        self.out.push('\n');
    }

    /// Each agent with its state, where the presets are not named.
    fn agents(&mut self) {
        if self.machine.agents.is_empty() {
            let known: Vec<&str> = known::every_agent().iter().map(|agent| agent.preset).collect();
            return self.comment(&format!(
                "No agent was found in PATH. These are known: {}.",
                known.join(", ")
            ));
        }
        for found in &self.machine.agents {
            let state = found.agent.state.join(", ");
            self.comment(&format!(
                "  {:10} {}, which keeps its own in {state}",
                found.agent.preset, found.agent.name
            ));
        }
        let names: Vec<&str> = self.machine.agents.iter().map(|found| found.agent.preset).collect();
        self.comment(
            "A shell or a script that starts an agent is not that agent. To give all of this to every command:",
        );
        self.comment(&format!(
            "presets: [system, git, node, python, cargo, go, {}]",
            names.join(", ")
        ));
    }

    fn allowed(&mut self, lines: &[Line]) {
        self.comment("Where agents may read, change and execute files.");
        for workspace in self.machine.workspaces.iter().filter(|one| one.is_in_a_preset()) {
            let path = self.name(&workspace.path);
            self.comment(&format!(
                "OpenClaw's workspace {path} needs no line: its preset allows it."
            ));
        }
        self.comment("A slash at the end makes the directory before the start if it is missing.");
        self.out.push_str("    allowed_paths:\n");
        self.entries(lines);
        if lines.is_empty() {
            self.inner("- \"~/projects/shop/\"");
        }
        self.inner("- { path: \"~/Downloads\", access: r }    # to be read, and no more");
        self.out.push('\n');
    }

    fn blocked(&mut self, draft: &Draft, opened: &[Opened]) {
        self.comment("What stays closed, also when you allow more above.");
        self.out.push_str("    blocked_paths:\n");
        self.inner(
            "All hidden files and directories of the home directory. What was found among them:",
        );
        for kind in Kind::ALL {
            self.covered(kind, draft, opened);
        }
        self.out.push_str("      - \"~/.*\"\n");
        self.exceptions(opened);
        if !draft.closed.is_empty() {
            self.out.push('\n');
            self.inner("Presets name these. A block of the same name wins over them.");
            self.entries(&draft.closed);
        }
        if !draft.elsewhere.is_empty() {
            self.out.push('\n');
            self.inner("What was found elsewhere.");
            self.entries(&draft.elsewhere);
        }
        self.dotenv();
        if !draft.git.is_empty() {
            self.out.push('\n');
            self.inner(
                "What your own next git command would run or trust. Agents can commit, and not add hooks or remotes.",
            );
            self.entries(&draft.git);
        }
        self.out.push('\n');
    }

    /// What `~/.*` covers of one kind.
    fn covered(&mut self, kind: Kind, draft: &Draft, opened: &[Opened]) {
        let has_a_line = |path: &AbsPath| {
            let pattern = names::pattern(path, &self.machine.home);
            draft.closed.iter().chain(&draft.elsewhere).any(|line| line.pattern == pattern)
        };
        let is_hidden = |path: &AbsPath| {
            let name = names::short(path, &self.machine.home);
            let is_open = opened.iter().any(|one| one.path == *path);
            name.starts_with(b"~/.") && !is_open && !has_a_line(path)
        };
        let paths: Vec<String> = self
            .machine
            .secret_paths()
            .filter(|(present, path)| present.secret.kind == kind && is_hidden(path))
            .map(|(_, path)| self.name(path))
            .collect();
        if !paths.is_empty() {
            let list = draft::few(&paths, MOST_NAMED);
            self.inner(&format!("  {}: {list}", kind.title()));
        }
    }

    /// What presets open of it.
    fn exceptions(&mut self, opened: &[Opened]) {
        let open = opened.iter().filter(|one| one.may_stay_open());
        let named: Vec<String> = open
            .map(|one| {
                let to =
                    one.owner.map_or_else(String::new, |agent| format!(", for {agent} itself"));
                format!("{} ({}{to})", self.name(&one.path), one.secret.what)
            })
            .collect();
        if !named.is_empty() {
            self.inner(&format!(
                "Presets let these be read all the same: {}. A line here with the same path closes one.",
                named.join(", ")
            ));
        }
    }

    fn dotenv(&mut self) {
        self.out.push('\n');
        self.inner(
            "Settings with passwords, in every directory. They can be written, so that `git clone` and \
             `cp .env.example .env` work. Reading them is what leaks.",
        );
        let files: Vec<String> =
            self.machine.dotenv.files.iter().map(|path| self.name(path)).collect();
        if !files.is_empty() {
            let more = if self.machine.dotenv.was_cut_short { ", and perhaps others" } else { "" };
            self.inner(&format!("In the workspace: {}{more}.", draft::few(&files, MOST_NAMED)));
        }
        let lines: Vec<Line> = machine::default_blocks()
            .filter(|(pattern, _)| !pattern.starts_with(b"~"))
            .map(|(pattern, access)| Line { pattern, access, why: String::new() })
            .collect();
        self.entries(&lines);
    }

    fn network(&mut self) {
        self.out.push_str("  network:\n");
        match &self.machine.openclaw.bind {
            None => {
                self.comment(
                    "Servers that agents start can be reached from this machine only; with `any` from everywhere.",
                );
                self.out.push_str("    listen: loopback\n");
            }
            Some(bind) => {
                let bind = yaml::comment(bind.as_bytes());
                self.comment(&format!(
                    "OpenClaw's gateway is set to be reached from outside (`gateway.bind: {bind}`). With `loopback` \
                     servers could be reached from this machine only."
                ));
                self.out.push_str("    listen: any\n");
            }
        }
    }

    fn name(&self, path: &AbsPath) -> String {
        yaml::comment(&names::short(path, &self.machine.home))
    }

    /// A comment beside the keys of `file_access`.
    fn comment(&mut self, text: &str) {
        self.lines("    # ", text);
    }

    /// A comment among entries.
    fn inner(&mut self, text: &str) {
        self.lines("      # ", text);
    }

    /// Breaks at spaces; what a text begins with indents its every line.
    fn lines(&mut self, front: &str, text: &str) {
        let words = text.trim_start_matches(' ');
        let indent = &text[..text.len() - words.len()];
        // What is laid out with spaces stays as it is.
        if words.contains("  ") {
            self.out.push_str(&format!("{front}{text}\n"));
            return;
        }
        let mut line = format!("{front}{indent}");
        let mut is_empty = true;
        for word in words.split(' ') {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.out.push_str(&line);
                self.out.push('\n');
                line = format!("{front}{indent}");
                if !indent.is_empty() {
                    line.push_str("  ");
                }
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.out.push_str(&line);
        self.out.push('\n');
    }

    fn entries(&mut self, lines: &[Line]) {
        let entries: Vec<String> = lines.iter().map(entry).collect();
        let longest =
            entries.iter().map(|entry| entry.chars().count()).filter(|length| *length <= REASONS);
        let column = longest.max().unwrap_or(0);
        for (entry, line) in entries.iter().zip(lines) {
            let beside = format!("      {entry:column$}  # {}", line.why);
            if line.why.is_empty() {
                self.out.push_str(&format!("      {entry}\n"));
            } else if beside.chars().count() <= WIDTH {
                self.out.push_str(&format!("{beside}\n"));
            } else {
                self.inner(&line.why);
                self.out.push_str(&format!("      {entry}\n"));
            }
        }
    }
}

/// An entry of a list of paths.
fn entry(line: &Line) -> String {
    let path = yaml::scalar(&line.pattern);
    match line.access == AccessSet::ALL {
        true => format!("- {path}"),
        false => format!("- {{ path: {path}, access: {} }}", line.access),
    }
}
