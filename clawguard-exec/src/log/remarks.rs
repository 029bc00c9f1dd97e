//! What is said besides the answer, on standard error: what the answer lacks, what an empty one means, what to do next.

#![forbid(unsafe_code)]

use clawguard_core::escape;

use super::arguments::EventArgument;
use super::{Log, Read};
use crate::journal::Unreadable;
use crate::report;

impl Log<'_> {
    /// What the answer lacks.
    pub(super) fn tell(&self, read: &Read) {
        let Unreadable { lines, torn } = read.unreadable;
        let path = escape(self.journal.path().as_os_str().as_encoded_bytes());
        if lines > 0 {
            report::line(&format!("{path}: {lines} lines could not be read and were passed over"));
        }
        if torn > 0 {
            report::line(&format!(
                "{path}: the last line has no end and was passed over: it was being written, or the disk was full"
            ));
        }
        if read.lost > 0 {
            report::line(&format!(
                "{} lines were lost when the journal was written (a full disk, or too many at once): there were more events than are shown",
                read.lost
            ));
        }
    }

    /// Says what an empty answer means.
    pub(super) fn nothing(&self, read: &Read) {
        let path = escape(self.journal.path().as_os_str().as_encoded_bytes());
        if read.records == 0 {
            report::line(&format!("{path}: there is no journal yet: nothing was denied so far"));
            report::line(
                "next: run a command with `clawguard-exec -- COMMAND`; what is denied is written there (not in --mode kernel, nor with `log_denials: false`)",
            );
            return;
        }
        let runs = read.sessions.count();
        let runs = if runs == 1 { "one run".to_owned() } else { format!("{runs} runs") };
        if self.is_narrow || !self.arguments.event.is_empty() {
            report::line(&format!(
                "{path} tells of {runs}, and nothing in it is what you asked for"
            ));
        } else {
            report::line(&format!("{path} tells of {runs}, and nothing was denied in it"));
        }
        let unlogged = [
            (EventArgument::Allowed, "log_file_access"),
            (EventArgument::Executed, "log_commands"),
        ];
        for (event, key) in unlogged {
            if self.arguments.event.contains(&event) {
                report::line(&format!(
                    "next: such lines are only written with `logging: {{ {key}: true }}` in the policy"
                ));
            }
        }
        if self.is_narrow {
            report::line(
                "next: leave out --since, --session, --path, --command or --rule, or ask with --all for what was not denied",
            );
        }
    }

    /// What helps and is no answer: `-q` silences it.
    pub(super) fn note(&self, text: &str) {
        if !self.cli.quiet {
            report::line(text);
        }
    }
}
