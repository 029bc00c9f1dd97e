//! Which inherited descriptors reach the command: 0, 1, 2 and those that the user names.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

/// Descriptors beyond 2 that the command inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepDescriptors(BTreeSet<u32>);

impl KeepDescriptors {
    /// None.
    #[must_use]
    pub fn none() -> KeepDescriptors {
        KeepDescriptors::default()
    }

    /// Keeps one more.
    #[must_use]
    pub fn and(mut self, descriptor: u32) -> KeepDescriptors {
        self.0.insert(descriptor);
        self
    }

    /// Keeps what the environment announces: systemd's sockets (sd_listen_fds(3), if they are meant for process
    /// `pid`), node's channel to its parent, make's job server.
    #[must_use]
    pub fn and_announced(
        mut self,
        environment: &BTreeMap<OsString, OsString>,
        pid: u32,
    ) -> KeepDescriptors {
        let variable =
            |name: &str| environment.get(OsStr::new(name)).and_then(|value| value.to_str());
        let number = |name: &str| variable(name).and_then(|value| value.parse::<u32>().ok());
        if let Some(count) = number("LISTEN_FDS").filter(|_| number("LISTEN_PID") == Some(pid)) {
            self.0.extend(3..3u32.saturating_add(count.min(1024)));
        }
        self.0.extend(number("NODE_CHANNEL_FD"));
        let flags = variable("MAKEFLAGS").unwrap_or_default();
        self.0.extend(flags.split(' ').flat_map(job_server));
        self
    }

    /// The descriptors.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied().filter(|descriptor| *descriptor > 2)
    }

    /// The ranges from 3 up that are not kept.
    pub(super) fn others(&self) -> Vec<(u32, u32)> {
        let mut ranges = Vec::new();
        let mut first = 3;
        for kept in self.iter() {
            if kept > first {
                ranges.push((first, kept - 1));
            }
            first = kept.saturating_add(1);
        }
        ranges.push((first, u32::MAX));
        ranges
    }
}

/// `--jobserver-auth=R,W` of make 4.2 and later, `--jobserver-fds=R,W` before; a named FIFO is no descriptor.
fn job_server(flag: &str) -> Vec<u32> {
    let value = ["--jobserver-auth=", "--jobserver-fds="]
        .iter()
        .find_map(|prefix| flag.strip_prefix(prefix));
    let numbers =
        value.map(|value| value.split(',').map(str::parse::<u32>).collect::<Result<Vec<u32>, _>>());
    numbers.and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(variables: &[(&str, &str)]) -> Vec<u32> {
        let environment =
            variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        KeepDescriptors::none().and_announced(&environment, 7).iter().collect()
    }

    #[test]
    fn what_the_environment_announces_is_kept() {
        assert_eq!(announced(&[("LISTEN_FDS", "2"), ("LISTEN_PID", "7")]), [3, 4]);
        assert!(
            announced(&[("LISTEN_FDS", "2"), ("LISTEN_PID", "8")]).is_empty(),
            "meant for another process"
        );
        assert_eq!(announced(&[("NODE_CHANNEL_FD", "9")]), [9]);
        assert_eq!(announced(&[("MAKEFLAGS", "-j --jobserver-auth=5,6")]), [5, 6]);
        assert!(announced(&[("MAKEFLAGS", "-j --jobserver-auth=fifo:/tmp/x")]).is_empty());
    }

    #[test]
    fn everything_else_from_three_up_is_closed() {
        assert_eq!(KeepDescriptors::none().others(), [(3, u32::MAX)]);
        assert_eq!(KeepDescriptors::none().and(3).and(6).and(1).others(), [(4, 5), (7, u32::MAX)]);
    }
}
