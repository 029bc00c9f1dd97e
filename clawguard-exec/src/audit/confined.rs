//! Agents that run without clawguard, beside those that run with it or alone.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::finding::{Finding, Severity, Subject};
use super::id::Id;
use super::machine::Machine;
use super::process::{Held, Process, Processes};

pub(crate) fn check(machine: &Machine, processes: &Processes) -> Vec<Finding> {
    let is_judged = |process: &&Process| machine.owners.us == 0 || process.uid == machine.owners.us;
    let agents: Vec<(&Process, &str)> = processes
        .all()
        .filter(is_judged)
        .filter_map(|process| Some((process, process.agent()?.preset)))
        .collect();
    let confined: BTreeSet<&str> = agents
        .iter()
        .filter(|(process, _)| processes.held(process) == Held::Confined)
        .map(|(_, agent)| *agent)
        .collect();
    let loose: BTreeSet<u32> = agents
        .iter()
        .filter(|(process, _)| processes.held(process) == Held::Unconfined)
        // `openclaw gateway restart` names its own child as it would name a gateway.
        .filter(|(process, _)| !processes.line(process).iter().any(|one| one.is_administration()))
        .map(|(process, _)| process.pid)
        .collect();
    // Of a family of processes, the one that started the others.
    let is_first = |process: &&Process| {
        let above = processes.line(process);
        !above.iter().skip(1).any(|above| loose.contains(&above.pid))
    };
    let first = processes.all().filter(|process| loose.contains(&process.pid)).filter(is_first);
    first.filter_map(|process| finding(process, &confined)).collect()
}

fn finding(process: &Process, confined: &BTreeSet<&str>) -> Option<Finding> {
    let agent = process.agent()?;
    let (severity, beside) = match confined.contains(agent.preset) {
        true => (Severity::Critical, ", beside one that is confined"),
        false => (Severity::Warning, ""),
    };
    let name = agent.name;
    let reason = format!(
        "{name} runs without clawguard{beside}: no policy holds it, it reads and changes whatever its user can"
    );
    let subject = Subject::Process { pid: process.pid, name: process.name.clone() };
    let command = match agent.preset {
        "openclaw" => "openclaw gateway stop; clawguard-exec -- openclaw gateway run".to_owned(),
        _other => format!(
            "kill {}; clawguard-exec -- {}",
            process.pid,
            agent.commands.first().unwrap_or(&agent.preset)
        ),
    };
    Some(Finding::new(Id::AgentUnconfined, severity, subject, reason).command(command))
}

#[cfg(test)]
mod tests {
    use super::super::process::tests::made;
    use super::*;

    type Row = (u32, u32, &'static str, &'static str, bool, &'static str);

    fn found(rows: &[Row]) -> Vec<(u32, Severity)> {
        let proc = made(rows);
        let mut machine = Machine::current(clawguard_core::Host::current().unwrap());
        machine.owners.us = 1000;
        let found = check(&machine, &Processes::read(proc.path()));
        let row = |finding: &Finding| match finding.subject {
            Subject::Process { pid, .. } => (pid, finding.severity),
            _ => panic!("{finding:?}"),
        };
        found.iter().map(row).collect()
    }

    const CONFINED: [Row; 2] = [
        (10, 1, "clawguard-exec", "clawguard-exec -- openclaw", false, ""),
        (11, 10, "openclaw", "openclaw", true, ""),
    ];
    const LOOSE: [Row; 2] = [
        (20, 1, "openclaw", "openclaw gateway", false, ""),
        (21, 20, "openclaw", "openclaw", false, ""),
    ];

    #[test]
    fn the_owners_own_commands_are_no_agents() {
        assert_eq!(
            found(&[
                (30, 1, "node", "node /usr/bin/openclaw gateway restart", false, ""),
                (31, 30, "openclaw-gatewa", "openclaw-gateway", false, ""),
                (32, 1, "node", "node /usr/bin/openclaw doctor", false, ""),
                (33, 1, "node", "node /usr/bin/openclaw gateway --port 1", false, ""),
            ]),
            [(33, Severity::Warning)]
        );
    }

    #[test]
    fn an_unconfined_agent_is_worse_beside_a_confined_one_and_told_once() {
        assert_eq!(found(&CONFINED), []);
        assert_eq!(found(&LOOSE), [(20, Severity::Warning)]);
        assert_eq!(found(&[CONFINED, LOOSE].concat()), [(20, Severity::Critical)]);
    }
}
