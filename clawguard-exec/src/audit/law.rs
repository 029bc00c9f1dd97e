//! The policy as each agent would get it, to ask what it lets them do.
//!
//! The law is the core's alone: nothing here decides.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use clawguard_core::{
    AbsPath, Access, AccessSet, Decider, Host, Origin, Pattern, Place, Policy, PolicyError,
    ResolvedPolicy, quote,
};

use super::finding::{Finding, PolicyLine};
use super::machine::Machine;
use crate::known::{Agent, FoundAgent};

/// What the audit calls its stand-in for a workspace.
pub(crate) const NOTHING: &str = "audit";

/// The policy for one command, and how a rule is added to it.
pub(crate) struct View {
    /// The agent; none for any command that has no preset of its own.
    pub(crate) agent: Option<&'static Agent>,
    pub(crate) policy: ResolvedPolicy,
    decider: Decider,
    /// The policy's file; none for the built-in default.
    file: Option<PathBuf>,
    home: Option<AbsPath>,
}

/// The policy that is in use, and whether the working directory can be its workspace.
pub(crate) struct Used {
    pub(crate) policy: Policy,
    /// Why the built-in default cannot be used where we stand.
    pub(crate) unfit: Option<PolicyError>,
}

/// Finds the policy that a start from here would use.
pub(crate) fn locate(cli: &crate::cli::Cli, host: &Host) -> Result<Used, crate::exit::Failure> {
    let policy = crate::policy::locate(cli, host)?;
    let Err(error) = policy.clone().resolve(host) else {
        return Ok(Used { policy, unfit: None });
    };
    // In the home directory the built-in default has no workspace, and the rest of it can be judged all the same.
    let nothing = host
        .temporary
        .as_ref()
        .and_then(|path| Pattern::parse(path.as_bytes(), Place::CommandLine).ok());
    let mut without = policy;
    match (without.file(), nothing) {
        (None, Some(nothing)) => {
            let origin = Origin::CommandLine { option: NOTHING };
            without.allow(nothing, AccessSet::ALL, origin);
            if without.clone().resolve(host).is_err() {
                return Err(error.into());
            }
            Ok(Used { policy: without, unfit: Some(error) })
        }
        (Some(_), _) | (None, None) => Err(error.into()),
    }
}

/// One view for commands in general, and one for each agent on this machine.
pub(crate) fn views(
    used: &Used,
    machine: &Machine,
    agents: &[FoundAgent],
) -> Result<Vec<View>, PolicyError> {
    let host = &machine.host;
    let view = |agent: Option<&'static Agent>, host: &Host| {
        let policy = used.policy.clone().resolve(host)?;
        let decider = policy.decider();
        let file = used.policy.file().map(PathBuf::from);
        let home = host.home.clone();
        Ok::<_, PolicyError>(View { agent, policy, decider, file, home })
    };
    let mut views = vec![view(None, host)?];
    for found in agents {
        let command = found.command.as_ref().map(|path| path.as_os_str().to_owned());
        let command = command.or_else(|| found.agent.commands.first().map(Into::into));
        let Some(command) = command else { continue };
        views.push(view(Some(found.agent), &host.clone().with_command(command))?);
    }
    Ok(views)
}

impl View {
    pub(crate) fn who(&self) -> &'static str {
        self.agent.map_or("an agent", |agent| agent.name)
    }

    /// The rule that allows this, in words; none if it is denied.
    pub(crate) fn allows(&mut self, path: &AbsPath, access: Access) -> Option<String> {
        let verdict = self.decider.decide(path).verdict(access);
        verdict.is_allowed().then(|| self.policy.reason(verdict))
    }

    /// Does a rule block reading and changing this?
    pub(crate) fn blocks(&mut self, path: &AbsPath) -> bool {
        let decision = self.decider.decide(path);
        [Access::Read, Access::Write].into_iter().all(|access| {
            let verdict = decision.verdict(access);
            !verdict.is_allowed() && verdict.rule().is_some()
        })
    }

    /// Where the rule that allows this was written.
    pub(crate) fn origin(&mut self, path: &AbsPath, access: Access) -> Option<&Origin> {
        let verdict = self.decider.decide(path).verdict(access);
        let rule = verdict.rule().filter(|_| verdict.is_allowed())?;
        Some(&self.policy.rule(rule).origin)
    }

    /// Adds to a finding how the policy would deny it: the line for its file, or the option for the next start.
    pub(crate) fn block(&self, mut finding: Finding, path: &AbsPath, letters: &str) -> Finding {
        let Some(pattern) = pattern(path, self.home.as_ref()) else { return finding };
        match &self.file {
            Some(file) => {
                let entry = match letters {
                    "rwx" => yaml(&pattern),
                    letters => format!("{{ path: {}, access: {letters} }}", yaml(&pattern)),
                };
                let file = clawguard_core::escape(file.as_os_str().as_encoded_bytes());
                let text = format!("- {entry}");
                finding.line = Some(PolicyLine { file, key: "blocked_paths", text });
                finding.command(format!("clawguard-exec check {}", quote(path.as_bytes())))
            }
            None => {
                let letters = if letters == "rwx" { String::new() } else { format!(":{letters}") };
                let rule = quote(format!("{pattern}{letters}").as_bytes());
                finding.command(format!("clawguard-exec --block {rule} -- COMMAND"))
            }
        }
    }
}

/// A pattern that means this very path, with `~` for the home directory; none for a name that is not text.
fn pattern(path: &AbsPath, home: Option<&AbsPath>) -> Option<String> {
    let text = std::str::from_utf8(path.as_bytes()).ok()?;
    let beneath =
        home.and_then(|home| text.strip_prefix(std::str::from_utf8(home.as_bytes()).ok()?));
    let (front, rest) = match beneath {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => ("~", rest),
        Some(_) | None => ("", text),
    };
    let mut pattern = front.to_owned();
    for c in rest.chars() {
        if r"*?[]{}\$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    Some(pattern)
}

/// A double-quoted scalar of YAML: JSON's escapes are among its own.
fn yaml(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_add_means_the_very_path() {
        let home = AbsPath::parse("/home/me").unwrap();
        let line =
            |path: &str| yaml(&pattern(&AbsPath::parse(path).unwrap(), Some(&home)).unwrap());
        assert_eq!(line("/home/me/.ssh"), r#""~/.ssh""#);
        assert_eq!(line("/home/me2/x"), r#""/home/me2/x""#);
        assert_eq!(line("/w/a*[b]\\"), r#""/w/a\\*\\[b\\]\\\\""#);
        let odd = "/w/{a,b}$HOME \"q\"";
        let text = format!(
            "security: {{file_access: {{presets: [], allowed_paths: [/w], blocked_paths: [{}]}}}}",
            line(odd)
        );
        let host = Host::current().unwrap();
        let policy = Policy::parse(text, "p.yaml").unwrap().resolve(&host).unwrap();
        let mut decider = policy.decider();
        let mut allows = |path: &str| {
            decider.decide(&AbsPath::parse(path).unwrap()).verdict(Access::Read).is_allowed()
        };
        assert!(!allows(odd));
        assert!(allows("/w/a"));
    }
}
