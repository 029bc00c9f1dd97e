//! Who listens beyond loopback: anybody in the same network can talk to it.
//!
//! `/proc/net/tcp` and `tcp6` name sockets by number; the process is found by its open descriptors. UDP has no state
//! that tells a server from a client, and is not looked at.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::finding::{Finding, Severity, Subject};
use super::id::Id;
use super::machine::Machine;
use super::process::{Process, Processes, sockets};

/// OpenClaw's gateway listens here unless its settings say otherwise.
pub(crate) const GATEWAY_PORT: u16 = 18789;

/// TCP_LISTEN of include/net/tcp_states.h.
const LISTEN: &str = "0A";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    address: IpAddr,
    port: u16,
    inode: u64,
}

pub(crate) fn check(
    machine: &Machine,
    processes: &Processes,
    ports: &BTreeSet<u16>,
) -> Vec<Finding> {
    let Some(mut listeners) = listeners(&machine.proc) else {
        let reason = "/proc/net/tcp cannot be read, so nobody knows who listens";
        return vec![
            Finding::of_host(Id::NotAllLookedAt, Severity::Info, "the network", reason)
                .command("ls -l /proc/net/tcp"),
        ];
    };
    listeners.retain(|listener| !is_loopback(listener.address));
    let mut findings = Vec::new();
    if listeners.is_empty() {
        return findings;
    }
    for process in processes.all() {
        let line = processes.line(process);
        let Some(agent) = line.iter().find_map(|process| process.agent()) else { continue };
        let open = sockets(&machine.proc, process.pid);
        for listener in listeners.iter().filter(|listener| open.contains(&listener.inode)) {
            let is_gateway = process.agent().is_some_and(|agent| agent.preset == "openclaw");
            findings.push(match is_gateway {
                true => gateway(process, *listener),
                false => started_by(process, agent.name, *listener),
            });
        }
        listeners.retain(|listener| !open.contains(&listener.inode));
    }
    let others = listeners.iter().filter(|listener| ports.contains(&listener.port));
    findings.extend(others.map(|listener| unknown(*listener)));
    findings
}

fn gateway(process: &Process, listener: Listener) -> Finding {
    let reason = format!(
        "OpenClaw listens on {}: whoever reaches this machine over the network can talk to your agent",
        listener.place()
    );
    let subject = Subject::Process { pid: process.pid, name: process.name.clone() };
    Finding::new(Id::GatewayExposed, Severity::Critical, subject, reason)
        .command("openclaw config set gateway.bind loopback && openclaw gateway restart")
}

fn started_by(process: &Process, agent: &str, listener: Listener) -> Finding {
    let reason = format!(
        "a process of {agent} listens on {}: whoever reaches this machine over the network can talk to it; the policy \
         line `security: {{network: {{listen: loopback}}}}` keeps the next one on this machine",
        listener.place()
    );
    let subject = Subject::Process { pid: process.pid, name: process.name.clone() };
    Finding::new(Id::AgentExposed, Severity::Warning, subject, reason)
        .command(format!("kill {}", process.pid))
}

fn unknown(listener: Listener) -> Finding {
    let port = listener.port;
    let reason = format!(
        "somebody listens on {}, OpenClaw's port, and this user may not see which process it is",
        listener.place()
    );
    Finding::of_host(Id::GatewayExposed, Severity::Warning, &format!("port {port}"), reason)
        .command(format!("sudo ss -ltnp 'sport = :{port}'"))
}

impl Listener {
    fn place(self) -> String {
        let port = self.port;
        match self.address {
            address if address.is_unspecified() => format!("every address, port {port}"),
            address => format!("address {address}, port {port}"),
        }
    }
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => {
            let mapped = address.to_ipv4_mapped();
            address.is_loopback() || mapped.is_some_and(|address| address.is_loopback())
        }
    }
}

/// None where the kernel does not tell; a kernel without IPv6 has no `tcp6`.
fn listeners(proc: &Path) -> Option<Vec<Listener>> {
    let text = std::fs::read_to_string(proc.join("net/tcp")).ok()?
        + &std::fs::read_to_string(proc.join("net/tcp6")).unwrap_or_default();
    Some(text.lines().filter_map(listener).collect())
}

/// A line of proc_net_tcp: local address and port, remote, state, and the inode as the tenth field.
fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    Some(Listener {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Each 32 bits as a number of this machine, in hexadecimal.
fn parse_address(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(bytes) => Some(IpAddr::V4(Ipv4Addr::from(bytes))),
        Err(_) => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::process::tests::made;
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn line(local: &str, state: &str, inode: u32) -> String {
        format!(
            "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1 0 100 0 0 10 0\n"
        )
    }

    fn found(tcp: &str, tcp6: &str) -> Vec<(Id, Severity, String)> {
        let proc = made(&[
            (5, 1, "openclaw", "openclaw gateway", false, ""),
            (6, 1, "claude", "claude", false, ""),
            (7, 6, "python3", "python3 -m http.server", false, ""),
            (8, 1, "sshd", "sshd", false, ""),
        ]);
        for (pid, inode) in [(5, 500), (7, 700), (8, 800)] {
            symlink(format!("socket:[{inode}]"), proc.path().join(format!("{pid}/fd/3"))).unwrap();
        }
        std::fs::create_dir(proc.path().join("net")).unwrap();
        std::fs::write(proc.path().join("net/tcp"), format!("{HEAD}{tcp}")).unwrap();
        std::fs::write(proc.path().join("net/tcp6"), format!("{HEAD}{tcp6}")).unwrap();
        let mut machine = Machine::current(clawguard_core::Host::current().unwrap());
        machine.proc = proc.path().to_owned();
        let found = check(&machine, &Processes::read(proc.path()), &BTreeSet::from([GATEWAY_PORT]));
        found.into_iter().map(|one| (one.id, one.severity, one.reason)).collect()
    }

    #[test]
    fn what_listens_beyond_loopback_is_told_with_its_process() {
        let everywhere = "00000000:4965";
        let found = found(
            &(line(everywhere, "0A", 500)
                + &line("0100A8C0:1F90", "0A", 700)
                + &line("00000000:0016", "0A", 800)),
            "",
        );
        let ids: Vec<(Id, Severity)> = found.iter().map(|one| (one.0, one.1)).collect();
        assert_eq!(
            ids,
            [(Id::GatewayExposed, Severity::Critical), (Id::AgentExposed, Severity::Warning)]
        );
        assert!(found[0].2.contains("every address, port 18789"), "{found:?}");
        assert!(found[1].2.contains("address 192.168.0.1, port 8080"), "{found:?}");
    }

    #[test]
    fn loopback_connections_and_others_are_not_told() {
        let loopback = line("0100007F:4965", "0A", 500);
        let connected = line("00000000:4965", "01", 500);
        let loopback6 = line("00000000000000000000000001000000:4965", "0A", 500);
        let mapped = line("0000000000000000FFFF00000100007F:4965", "0A", 500);
        assert_eq!(found(&(loopback + &connected), &(loopback6 + &mapped)), []);
    }

    #[test]
    fn a_gateway_of_somebody_who_cannot_be_seen_is_told_by_its_port() {
        let found = found("", &line("00000000000000000000000000000000:4965", "0A", 999));
        assert_eq!((found[0].0, found[0].1), (Id::GatewayExposed, Severity::Warning), "{found:?}");
    }
}
