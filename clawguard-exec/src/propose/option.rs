//! What a proposal would add for one denied access, as options of the command line.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use clawguard_core::{
    AbsPath, AccessSet, Host, JournalPlace, Origin, Pattern, Place, Policy, quote,
};

use super::{Evidence, Level, Line, Present, Wanted, denied, propose, spell};
use crate::cli::PolicyArguments;
use crate::exit::Failure;
use crate::policy;

/// One access that was denied.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: AbsPath,
    pub(crate) access: AccessSet,
    pub(crate) operation: &'static str,
}

/// The options that would allow it; none where `learn` would propose nothing, or the options would not do.
pub(crate) fn option(
    asked: Asked,
    host: &Host,
    arguments: &PolicyArguments,
    journal: JournalPlace,
) -> Option<Vec<String>> {
    let present = Present::find(host, arguments.policy.as_deref(), journal).ok()?;
    let wanted = Wanted {
        path: asked.path,
        access: asked.access,
        count: 1,
        operations: BTreeSet::from([asked.operation.to_owned()]),
        commands: BTreeSet::new(),
    };
    let own = policy::with_arguments(present.policy().ok()?, arguments).ok()?;
    let proposal = propose(Evidence {
        wanted: std::slice::from_ref(&wanted),
        moves: &[],
        host,
        present: &present,
        own: &own,
        level: Level::Directories,
    })
    .ok()?;
    let ([line], true) = (proposal.lines.as_slice(), proposal.refused.is_empty()) else {
        return None;
    };
    // For a name that is removed and made again: right for what a whole run did, and odd for one call.
    if line.pattern.ends_with(b"/**") {
        return None;
    }
    let mut start = policy::with_arguments(present.to_start_under().ok()?, arguments).ok()?;
    let mut options = Vec::new();
    // On top of the built-in default the first `--allow` takes the place of the working directory's rule.
    if !present.exists && arguments.allow.is_empty() {
        add(&mut start, b".", AccessSet::ALL).ok()?;
        options.push("--allow .".to_owned());
    }
    let pattern = pattern(line, host);
    add(&mut start, &pattern, line.access).ok()?;
    let letters = format!(":{}", line.access).into_bytes();
    options.push(format!("--allow {}", quote(&[pattern, letters].concat())));
    let mut decider = start.resolve(host).ok()?.decider();
    denied(&mut decider, &wanted).is_empty().then_some(options)
}

/// A path is written in full, so that no shell has to know `~`.
fn pattern(line: &Line, host: &Host) -> Vec<u8> {
    let own = spell::pattern(&line.path, host);
    match line.pattern.strip_prefix(own.as_slice()) {
        Some(rest) => [&Pattern::spell(&line.path), rest].concat(),
        None => line.pattern.clone(),
    }
}

fn add(policy: &mut Policy, pattern: &[u8], access: AccessSet) -> Result<(), Failure> {
    let pattern = Pattern::parse(pattern, Place::CommandLine)?;
    policy.allow(pattern, access, Origin::CommandLine { option: "--allow" });
    Ok(())
}
