//! `presets`: what is shipped.

use std::io::Write;

use clawguard_core::{Origin, Preset};
use serde::Serialize;

use crate::cli::PresetsArguments;
use crate::exit::{Exit, Failure};

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    description: &'a str,
    commands: &'a [String],
    include: &'a [String],
}

pub(crate) fn presets(arguments: &PresetsArguments) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    let presets = match &arguments.name {
        Some(name) => vec![Preset::named(name, &Origin::CommandLine { option: "presets" })?],
        None => Preset::all()?,
    };
    for preset in &presets {
        if arguments.json {
            let listed = Listed {
                name: preset.name,
                description: &preset.description,
                commands: &preset.commands,
                include: &preset.include,
            };
            serde_json::to_writer(&mut out, &listed)?;
            writeln!(out)?;
        } else if arguments.name.is_some() {
            out.write_all(preset.text.as_bytes())?;
        } else {
            writeln!(out, "{:10} {}", preset.name, preset.description)?;
        }
    }
    Ok(Exit::Done)
}
