//! The shipped presets: policy fragments in the same YAML, compiled into the library.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::error::{MistakeKind, PolicyError, nearest};
use super::pattern::Pattern;
use super::rule::{Origin, Rule};
use super::schema::{self, Source};
use super::settings::{Environment, Listen};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../presets/", $name, ".yaml")))),*]
    };
}

/// Name and text of each, in the order in which they are listed.
const SHIPPED: &[(&str, &str)] = shipped![
    "system", "openclaw", "node", "python", "git", "cargo", "go", "claude", "codex", "gemini",
    "opencode", "aider",
];

/// The presets that apply when a policy names none, besides the command's own.
pub(crate) const DEFAULT: [&str; 6] = ["system", "git", "node", "python", "cargo", "go"];

/// A named, shipped policy fragment.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub description: String,
    /// The commands that select it when a policy names no presets.
    pub commands: Vec<String>,
    /// The presets that come with it.
    pub include: Vec<String>,
    /// Its text, with comments.
    pub text: &'static str,
    pub(crate) rules: Vec<Rule>,
    pub(crate) create: Vec<(Pattern, Origin)>,
    pub(crate) environment: Environment,
    pub(crate) listen: Option<(Listen, Origin)>,
}

impl Preset {
    /// The names of all presets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The preset of that name.
    ///
    /// # Errors
    /// [`MistakeKind::UnknownPreset`] with the nearest shipped name. The texts themselves are shipped and tested, but
    /// one that could not be read would be reported as [`PolicyError::Mistakes`], never skipped.
    pub fn named(name: &str, origin: &Origin) -> Result<Preset, PolicyError> {
        let Some((name, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) else {
            let kind = MistakeKind::UnknownPreset {
                name: name.to_owned(),
                nearest: nearest(name, Preset::names()),
            };
            return Err(PolicyError::Mistakes(vec![super::Mistake {
                origin: origin.clone(),
                kind,
            }]));
        };
        let document = schema::read(text.as_bytes(), Source::Preset(Arc::from(*name)))
            .map_err(PolicyError::Mistakes)?;
        Ok(Preset {
            name,
            text,
            description: document.preset.description,
            commands: document.preset.commands,
            include: document.preset.include.into_iter().map(|(name, _)| name).collect(),
            rules: document.rules,
            create: document.preset.create,
            environment: document.environment,
            listen: document.listen,
        })
    }

    /// The presets that one of these command names selects.
    ///
    /// # Errors
    /// As [`Preset::named`].
    pub(crate) fn selected_by(names: &[&[u8]]) -> Result<Vec<Preset>, PolicyError> {
        let is_name = |command: &String| names.contains(&command.as_bytes());
        let names: Vec<&str> =
            names.iter().filter_map(|name| std::str::from_utf8(name).ok()).collect();
        let origin = Origin::BuiltIn { part: "presets" };
        // Reading a preset takes longer than looking for a word in it.
        let may_select = |text: &str| names.iter().any(|name| text.contains(name));
        let texts = SHIPPED.iter().filter(|(_, text)| may_select(text));
        let presets: Vec<Preset> =
            texts.map(|(name, _)| Preset::named(name, &origin)).collect::<Result<_, _>>()?;
        Ok(presets.into_iter().filter(|preset| preset.commands.iter().any(is_name)).collect())
    }

    /// Every preset.
    ///
    /// # Errors
    /// As [`Preset::named`].
    pub fn all() -> Result<Vec<Preset>, PolicyError> {
        let origin = Origin::BuiltIn { part: "presets" };
        Preset::names().map(|name| Preset::named(name, &origin)).collect()
    }
}

/// Can this text be read as a preset's?
#[cfg(feature = "fuzzing")]
pub(crate) fn is_readable(text: &[u8], name: Arc<str>) -> bool {
    schema::read(text, Source::Preset(name)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_reads_and_names_itself() {
        for (preset, (_, text)) in Preset::all().unwrap().iter().zip(SHIPPED) {
            assert!(text.contains(&format!("name: {}\n", preset.name)), "{}", preset.name);
            assert!(!preset.description.is_empty(), "{}", preset.name);
            for included in &preset.include {
                assert!(Preset::names().any(|name| name == included), "{included}");
            }
        }
    }

    #[test]
    fn an_unknown_preset_is_answered_with_the_nearest() {
        let error =
            Preset::named("opnclaw", &Origin::CommandLine { option: "--preset" }).unwrap_err();
        assert!(error.to_string().contains("did you mean `openclaw`?"), "{error}");
    }
}
