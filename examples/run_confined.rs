//! Runs a command confined to one directory: `cargo run --example run_confined -- DIRECTORY COMMAND [ARGUMENT]...`

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};

use clawguard_core::{AccessSet, Host, KernelSupport, Mode, Origin, Pattern, Place, Policy};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(directory), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: run_confined DIRECTORY COMMAND [ARGUMENT]...".into());
    };
    // A policy without a file of its own: everything that the system preset needs, and the directory.
    let mut policy = Policy::parse("security: {file_access: {presets: [system]}}", "run_confined")?;
    let pattern = Pattern::parse(directory.as_encoded_bytes(), Place::CommandLine)?;
    policy.allow(pattern, AccessSet::ALL, Origin::CommandLine { option: "DIRECTORY" });

    let resolved = policy.resolve(&Host::current()?.with_command(&program))?;
    let plan = resolved.compile(&KernelSupport::probe()?, Mode::Auto)?;
    let mut command = Command::new(program);
    command.args(arguments);
    let status = plan.prepare()?.run(command)?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
