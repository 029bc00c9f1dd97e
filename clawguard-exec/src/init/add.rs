//! `init --add`: gives an agent's preset to a policy that is there already. Everything else in the file stays as its
//! owner wrote it.

#![forbid(unsafe_code)]

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use clawguard_core::{Host, Links, escape};

use super::error::InitError;
use crate::cli::Cli;
use crate::exit::{Exit, Failure};
use crate::known;
use crate::policy;
use crate::propose::{Edited, Present};

pub(super) fn add(cli: &Cli, host: &Host, names: &[String]) -> Result<Exit, Failure> {
    let journal = policy::journal(cli, host);
    let present = Present::find(host, cli.policy.policy.as_deref(), journal)?;
    let file = escape(present.file.as_os_str().as_bytes());
    if !present.exists {
        return Err(InitError::NothingToAddTo.into());
    }
    let mut out = std::io::stdout().lock();
    if !present.names_presets() {
        writeln!(
            out,
            "{file} names no presets, so each agent gets its own when it is started: there is nothing to add"
        )?;
        return Ok(Exit::Done);
    }
    let resolved = present.resolve(host)?;
    let agents = known::every_agent().iter().map(|agent| agent.preset);
    let new: Vec<&'static str> = agents
        .filter(|preset| names.iter().any(|name| name == preset))
        .filter(|preset| !resolved.presets().contains(preset))
        .collect();
    if new.is_empty() {
        writeln!(out, "{file} has it already: there is nothing to add")?;
        return Ok(Exit::Done);
    }
    match present.with_presets(host, &new)? {
        Edited::File { text, diff } => {
            let real = Links::default().follow_raw(present.file.as_os_str().as_bytes());
            clawguard_core::save(&real, text.as_bytes())
                .map_err(|source| InitError::write(present.file.as_os_str().as_bytes(), source))?;
            out.write_all(diff.as_bytes())?;
            writeln!(out, "Written: {file}")?;
            Ok(Exit::Done)
        }
        Edited::ByHand { .. } => Err(InitError::ByHand { file, presets: new.join(", ") }.into()),
    }
}
