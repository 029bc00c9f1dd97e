//! "`/proc/PID` of a process outside the target, in any procfs, by any call that asks for `r`, `w` or `x` | denied, before
//! section 4". The bare twin acts too, so nothing is tried that would change a process.

#![forbid(unsafe_code)]

use crate::generate::Random;
use crate::law::{Access, Name, split};
use crate::needs::{Judge, Verdict};
use crate::operation::{Call, OUTSIDE, Operation, Who};
use crate::walk::{EACCES, Process};

/// Of processes outside: the first of the machine, and the one that plays.
const OUTSIDERS: [&str; 6] = [
    "/proc/1/status",
    "/proc/1/task/1/comm",
    "/proc/1",
    "/proc/{outside}/status",
    "/proc/{outside}/task",
    "/proc/{outside}/fd",
];

const OWN: &str = "/proc/self/status";

/// A call that asks for something that a process has in /proc.
pub(crate) fn operation(random: &mut Random, who: Who) -> Operation {
    let call = random.pick(&[Call::Open, Call::Open, Call::Access, Call::Getxattr, Call::Stat]);
    let mut operation = Operation::new(who, call);
    let path = if random.once_in(3) { OWN } else { random.pick(&OUTSIDERS) };
    operation.paths[0] = path.as_bytes().to_vec();
    match call {
        Call::Open => operation.flags = random.pick(&[0, 0o4000, 0o2_000_000, 0o400_000]),
        Call::Access => operation.number = 4,
        _ => operation.text = b"user.a".to_vec(),
    }
    operation
}

/// Does a call ask for something of a process outside?
pub(crate) fn is_outside(operation: &Operation) -> bool {
    OUTSIDERS.iter().any(|path| operation.paths[0] == path.as_bytes())
}

/// What the law says of such a call; none if it is another one.
pub(crate) fn verdict(
    judge: &Judge<'_>,
    process: &Process,
    operation: &Operation,
) -> Option<Verdict> {
    let is_own = operation.paths[0] == OWN.as_bytes();
    match operation.call {
        _ if !is_own && !is_outside(operation) => None,
        // "`stat` ... | nothing"
        Call::Stat => Some(Verdict::Natural),
        _ if !is_own => Some(Verdict::Denied(vec![EACCES])),
        _ => {
            let path: Vec<Name> = split(format!("/proc/{}/status", process.pid).as_bytes());
            Some(judge.needs(&path, &[Access::Read]))
        }
    }
}

/// The number of the process that plays, in the place of [`OUTSIDE`].
pub(crate) fn number() -> Vec<u8> {
    debug_assert!(OUTSIDERS[3].as_bytes().windows(OUTSIDE.len()).any(|part| part == OUTSIDE));
    std::process::id().to_string().into_bytes()
}
