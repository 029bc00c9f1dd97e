//! The judgement of one run, from what is seen outside: bytes that reached the target, what changed, what was done to the
//! outsider; and from what the attempt says only its errno and its neighbour.

use std::fs;
use std::path::Path;

use crate::outside::Watched;
use crate::run::Ran;

/// No attempt needs larger files; what is larger is not searched but reported.
const LARGEST: u64 = 64 << 20;

/// What one run did.
#[derive(Default, Debug, Clone)]
pub(crate) struct Verdict {
    /// Secrets of which a part was seen, and where.
    pub(crate) leaks: Vec<String>,
    /// What is no longer as it was.
    pub(crate) changes: Vec<String>,
    /// What was done to the process outside.
    pub(crate) effects: Vec<String>,
    pub(crate) errnos: Vec<String>,
    /// How many calls it reports.
    pub(crate) steps: usize,
    /// Why the allowed neighbour does not work; none: it works.
    pub(crate) neighbour: Option<String>,
    /// What it printed, and how it ended.
    pub(crate) output: String,
}

impl Verdict {
    pub(crate) fn of(ran: &Ran, watched: &Watched<'_>, effects: Vec<String>) -> Verdict {
        let output = String::from_utf8_lossy(&ran.output).into_owned();
        let mut leaks = Vec::new();
        if let Some(source) = watched.canaries.found_in(&ran.output) {
            leaks.push(format!("{source} was printed"));
        }
        search(&watched.world.path("~/work"), watched, &mut leaks);
        let after = watched.look();
        let lines = |key: &str| -> Vec<String> {
            output.lines().filter_map(|line| line.strip_prefix(key)).map(str::to_owned).collect()
        };
        let neighbours = lines("neighbour=");
        let unready = lines("unready=");
        let neighbour = if let Some(why) = unready.first() {
            Some(format!("not ready: {why}"))
        } else if lines("ended=").is_empty() && !ran.status.ends_with("status: 0") {
            Some(format!("it did not end by itself: {}", ran.status))
        } else if neighbours.is_empty() {
            Some("never reached".to_owned())
        } else {
            neighbours.into_iter().find(|outcome| outcome != "ok")
        };
        Verdict {
            leaks,
            changes: watched.before.differences(&after),
            effects,
            errnos: lines("errno="),
            steps: lines("steps=").first().map_or(0, |count| count.parse().unwrap()),
            neighbour,
            output: format!("{output}[{}]", ran.status),
        }
    }

    /// Something got through.
    pub(crate) fn is_through(&self) -> bool {
        !(self.leaks.is_empty() && self.changes.is_empty() && self.effects.is_empty())
    }

    /// Every call that it reports succeeded.
    pub(crate) fn has_succeeded(&self) -> bool {
        self.errnos.iter().all(|errno| errno == "0")
    }

    /// Everything that got through, for people.
    pub(crate) fn through(&self) -> String {
        let all = [&self.leaks, &self.changes, &self.effects];
        all.into_iter().flatten().cloned().collect::<Vec<_>>().join("; ")
    }
}

/// A secret in a file that the target may read, or in a name, has reached it.
fn search(directory: &Path, watched: &Watched<'_>, leaks: &mut Vec<String>) {
    for child in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = child.path();
        let home = watched.world.home();
        let is_blind = watched.protection.blind.iter().any(|blind| path == home.join(blind));
        if is_blind {
            continue;
        }
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let mut seen = child.file_name().into_encoded_bytes();
        if found.is_dir() {
            search(&path, watched, leaks);
        } else if watched.before.covers(&path) {
            continue;
        } else if found.is_file() && found.len() <= LARGEST {
            seen.push(0);
            seen.extend(fs::read(&path).unwrap_or_default());
        } else if found.is_symlink() {
            let target = fs::read_link(&path).unwrap_or_default();
            seen.push(0);
            seen.extend(target.into_os_string().into_encoded_bytes());
        } else if found.is_file() {
            leaks.push(format!("{} is too large to be searched", path.display()));
        }
        if let Some(source) = watched.canaries.found_in(&seen) {
            leaks.push(format!("{source} is in {}", path.display()));
        }
    }
}
