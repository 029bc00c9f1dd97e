//! Confines this very process, then shows what it can still read: `cargo run --example confine_self -- PATH`
//!
//! For a runtime that loads its agent's code into its own process.

use std::error::Error;
use std::{env, fs};

use clawguard_core::{Host, KernelSupport, Mode, Policy};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("usage: confine_self PATH")?;
    let text = "security: {file_access: {presets: [], temporary: none, allowed_paths: [{path: /usr, access: r}]}}";
    let policy = Policy::parse(text, "confine_self")?.resolve(&Host::current()?)?;
    // Nobody can supervise the process that it is itself: the kernel alone confines it.
    let plan = policy.compile(&KernelSupport::probe()?, Mode::Kernel)?;
    plan.prepare()?.restrict_current_process()?;
    match fs::read(&path) {
        Ok(bytes) => println!("{}: {} bytes", path.display(), bytes.len()),
        Err(error) => println!("{}: {error}", path.display()),
    }
    Ok(())
}
