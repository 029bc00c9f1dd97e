//! The names of everything that the audit can find. They are a promise: scripts ask for them.
//!
//! `docs/audit.md` has a row for each; a test keeps the two equal.

#![forbid(unsafe_code)]

use clap::ValueEnum;

/// What kind of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Id {
    AgentExposed,
    AgentUnconfined,
    GatewayExposed,
    GitRuns,
    HardLinkOut,
    HomeOfAnother,
    JournalMode,
    JournalRefused,
    KernelCannotEnforce,
    KernelDeniesMore,
    KernelLeftOpen,
    KernelLimits,
    MountInside,
    NotAllLookedAt,
    OpenclawBind,
    OpenclawConfigUnread,
    OpenclawFileAccess,
    OpenclawNoAuth,
    PathAgentWritable,
    PathDirectoryWritable,
    PathRelative,
    PolicyDefault,
    PolicyDirectoryWritable,
    PolicyError,
    PolicyOwner,
    PolicyRemark,
    PolicyShadowed,
    PolicyWarning,
    PolicyWritable,
    ProgramReplaceable,
    SecretAllowed,
    SecretLikeFile,
    SocketLeadsOut,
    StartupWritable,
    StateMode,
    StateOwner,
}

impl Id {
    /// As it is printed, and given to `--only` and `--ignore`.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_findings_are_those_of_the_code() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, page) = page.split_once("\n## Findings\n").unwrap();
        let page = page.split("\n## ").next().unwrap();
        let row = |line: &str| -> Option<Vec<String>> {
            let line = line.strip_prefix("| `")?.strip_suffix(" |")?;
            Some(line.split(" | ").map(|cell| cell.trim_matches('`').to_owned()).collect())
        };
        let rows: Vec<Vec<String>> = page.lines().filter_map(row).collect();
        let documented: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        let known: Vec<String> = Id::value_variants().iter().map(|id| id.name()).collect();
        assert_eq!(documented, known, "docs/audit.md has other rows than the code");
        for row in &rows {
            assert_eq!(row.len(), 4, "{row:?}");
            for severity in row[1].split(", ") {
                assert!(["critical", "warning", "info"].contains(&severity), "{row:?}");
            }
            assert!(row[2].ends_with('.') && row[3].ends_with('.'), "{row:?}");
        }
    }
}
