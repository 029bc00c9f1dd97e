//! Asks a policy about paths and enforces nothing: `cargo run --example check_paths -- POLICY PATH...`

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use clawguard_core::{AbsPath, Access, Host, Policy};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let file = arguments.next().ok_or("usage: check_paths POLICY PATH...")?;
    let policy = Policy::parse(fs::read(&file)?, Path::new(&file))?.resolve(&Host::current()?)?;
    let mut decider = policy.decider();
    for path in arguments {
        let path = AbsPath::parse(path.as_encoded_bytes())?;
        let decision = decider.decide(&path);
        for access in Access::ALL {
            println!("{access} {path}: {}", policy.reason(decision.verdict(access)));
        }
    }
    Ok(())
}
