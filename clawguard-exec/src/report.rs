//! Everything that the shim says on stderr.

use std::io::Write;

/// A line for the person who started the shim. A closed stderr loses the line, never the run.
///
/// Escaped here once more, whatever it is made of: a name from a policy, a path or the command line must not write
/// to the terminal.
pub(crate) fn line(text: &str) {
    let mut stderr = std::io::stderr().lock();
    for part in text.lines() {
        let _ = writeln!(stderr, "clawguard: {}", clawguard_core::escape(part.as_bytes()));
    }
}

/// An error with its causes.
pub(crate) fn error(error: &dyn std::error::Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    line(&text);
}
