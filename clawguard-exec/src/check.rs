//! `check`: what the policy decides about paths, and which line decides.

use std::io::{BufRead, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{Access, Decider, Decision, Host, Links, ResolvedPolicy, escape};

use crate::cli::{CheckArguments, Cli};
use crate::exit::{Exit, Failure};
use crate::json;
use crate::policy;

pub(crate) fn check(cli: &Cli, arguments: &CheckArguments) -> Result<Exit, Failure> {
    if arguments.paths.is_empty() && !arguments.stdin {
        return Err(Failure::new(
            Exit::Ours,
            "nothing to check: name paths, or give them with --stdin",
        ));
    }
    let mut host = Host::current()?;
    host = host.with_preview_of_temporary();
    if let Some(command) = &arguments.command {
        host = host.with_command(command);
    }
    let resolved = policy::resolve(cli, &host)?;
    let mut check = Check {
        decider: resolved.decider(),
        policy: &resolved,
        host: &host,
        links: Links::default(),
        arguments,
        out: BufWriter::new(std::io::stdout().lock()),
        denied: false,
    };
    for path in &arguments.paths {
        check.path(path.as_bytes())?;
    }
    if arguments.stdin {
        let mut input = std::io::stdin().lock();
        let mut path = Vec::new();
        while input.read_until(0, &mut path)? > 0 {
            if path.last() == Some(&0) {
                path.pop();
            }
            check.path(&path)?;
            path.clear();
        }
    }
    check.out.flush()?;
    Ok(if check.denied { Exit::Denied } else { Exit::Done })
}

struct Check<'a, W: Write> {
    policy: &'a ResolvedPolicy,
    host: &'a Host,
    decider: Decider,
    links: Links,
    arguments: &'a CheckArguments,
    out: W,
    denied: bool,
}

impl<W: Write> Check<'_, W> {
    fn path(&mut self, path: &[u8]) -> Result<(), Failure> {
        if path.is_empty() {
            return Err(Failure::new(Exit::Ours, "an empty path cannot be checked"));
        }
        let real = if path.starts_with(b"/") {
            self.links.follow_raw(path)
        } else {
            self.links.follow_raw(&[self.host.cwd.as_bytes(), b"/", path].concat())
        };
        let decision = self.decider.decide(&real);
        let asked = self.arguments.access.unwrap_or_default();
        self.denied |= asked.iter().any(|access| !decision.verdict(access).is_allowed());
        if self.arguments.json {
            serde_json::to_writer(
                &mut self.out,
                &json::Check::new(self.policy, path, real.as_bytes(), &decision),
            )?;
            self.out.write_all(b"\n")?;
        } else {
            let name = escape(path);
            let real = if real.as_bytes() == path { String::new() } else { format!(" -> {real}") };
            writeln!(self.out, "{name}{real}: {}", self.verdicts(&decision))?;
        }
        Ok(())
    }

    fn verdicts(&self, decision: &Decision) -> String {
        let one = |access: Access| {
            let verdict = decision.verdict(access);
            let word = if verdict.is_allowed() { "allowed" } else { "denied" };
            format!("{access} {word} [{}]", self.policy.reason(verdict))
        };
        Access::ALL.map(one).join(", ")
    }
}
