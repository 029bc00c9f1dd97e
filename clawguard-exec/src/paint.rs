//! Colour on standard output, where a person reads it: a terminal, and no NO_COLOR (no-color.org).
//!
//! Never around text that was not escaped.

#![forbid(unsafe_code)]

use std::io::IsTerminal;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Coloured,
    Plain,
}

impl Paint {
    /// As standard output wants it.
    pub(crate) fn stdout() -> Paint {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match std::io::stdout().is_terminal() && !unwanted {
            true => Paint::Coloured,
            false => Paint::Plain,
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Select Graphic Rendition of ECMA-48.
    fn with(self, code: &str, text: &str) -> String {
        match self {
            Paint::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            Paint::Plain => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_plain_and_colour_ends() {
        assert_eq!(Paint::Plain.red("a"), "a");
        assert_eq!(Paint::Coloured.red("a"), "\x1b[31ma\x1b[0m");
    }
}
