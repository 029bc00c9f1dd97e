//! From the command line to a resolved policy: the same way for every task.

use std::os::unix::ffi::OsStrExt;

use clawguard_core::{
    AccessSet, Effect, Host, JournalPlace, Mistake, Origin, Pattern, Place, Policy, PolicyError,
    ResolvedPolicy, escape,
};

use crate::cli::{Cli, PolicyArguments, split_rule};
use crate::exit::Failure;
use crate::report;

/// Finds, reads and resolves the policy; names it on stderr unless the user wants quiet.
pub(crate) fn resolve(cli: &Cli, host: &Host) -> Result<ResolvedPolicy, Failure> {
    let policy = Policy::locate(host, cli.policy.policy.as_deref())?;
    let mut policy = with_arguments(policy, &cli.policy)?;
    policy.log_to(journal(cli, host));
    if !cli.quiet {
        report::line(&format!("policy: {}", name(&policy)));
    }
    for warning in policy.warnings() {
        report::line(&format!("warning: {warning}"));
    }
    let resolved = policy.resolve(host)?;
    for place in resolved.folding() {
        report::line(&format!(
            "names are the same in any case in {place}: blocked patterns match any"
        ));
    }
    Ok(resolved)
}

/// The same policy with what the command line adds to it.
pub(crate) fn with_arguments(
    mut policy: Policy,
    arguments: &PolicyArguments,
) -> Result<Policy, Failure> {
    add_rules(&mut policy, arguments)?;
    for name in &arguments.keep_env {
        policy.keep_variable(name);
    }
    Ok(policy)
}

/// Where the journal goes: `--log FILE`, else clawguard's state directory; a user without a home has none.
pub(crate) fn journal(cli: &Cli, host: &Host) -> JournalPlace {
    match (&cli.log, host.state_directory()) {
        (Some(file), _) => JournalPlace::File(host.cwd.as_path().join(file)),
        (None, Some(directory)) => {
            JournalPlace::State { directory: directory.as_path().to_owned() }
        }
        (None, None) => JournalPlace::Nowhere,
    }
}

fn name(policy: &Policy) -> String {
    let file = policy.file().map(|file| escape(file.as_os_str().as_bytes()));
    file.unwrap_or_else(|| Origin::DEFAULT.to_owned())
}

fn add_rules(policy: &mut Policy, arguments: &PolicyArguments) -> Result<(), PolicyError> {
    let mut mistakes = Vec::new();
    let allowed = arguments.allow.iter().map(|text| (text, Effect::Allowed, "--allow"));
    let blocked = arguments.block.iter().map(|text| (text, Effect::Blocked, "--block"));
    for (text, effect, option) in allowed.chain(blocked) {
        let origin = Origin::CommandLine { option };
        let (path, letters) = split_rule(text);
        let access = letters.map_or(Ok(AccessSet::ALL), |letters| AccessSet::parse(&letters));
        match (Pattern::parse(path.as_bytes(), Place::CommandLine), access) {
            (Ok(pattern), Ok(access)) => match effect {
                Effect::Allowed => policy.allow(pattern, access, origin),
                Effect::Blocked | Effect::Guard => policy.block(pattern, access, origin),
            },
            (pattern, access) => {
                mistakes.extend(
                    pattern
                        .err()
                        .map(|error| Mistake { origin: origin.clone(), kind: error.into() }),
                );
                mistakes.extend(access.err().map(|error| Mistake { origin, kind: error.into() }));
            }
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(PolicyError::Mistakes(mistakes)) }
}
