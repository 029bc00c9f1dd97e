//! What the supervisor tells the journal: one request and what became of it.
//!
//! Owned, bounded in size, free of any judgement. It must never hold more of the target's bytes than
//! [`MAX_ARGUMENTS`] and one path.

#![forbid(unsafe_code)]

use super::Refusal;
use crate::access::AccessSet;
use crate::decide::RuleId;

/// The bytes of a command's arguments that are kept, with [`PER_ARGUMENT`] for each of them.
pub(crate) const MAX_ARGUMENTS: usize = 32 * 1024;

/// What an argument takes besides its bytes.
const PER_ARGUMENT: usize = 32;

/// What an event takes in the queue besides the bytes that it owns.
pub(super) const FLOOR: usize = 512;

/// The kinds of events, which a policy switches on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request that was denied.
    Denial,
    /// A request that was allowed: `log_file_access`.
    Access,
    /// A program that was executed, with its arguments: `log_commands`.
    Command,
}

impl Kind {
    pub(super) fn bit(self) -> u8 {
        match self {
            Kind::Denial => 1,
            Kind::Access => 2,
            Kind::Command => 4,
        }
    }
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It failed with this error number. Without a rule and a refusal, nothing allowed it.
    Denied { rule: Option<RuleId>, errno: i32, refusal: Option<Refusal> },
    /// It was done, or left to the kernel.
    Allowed { rule: Option<RuleId> },
}

/// One request. Owned; built only when it will be logged.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The process that asked.
    pub(crate) pid: u32,
    /// Its name: `comm`.
    pub(crate) command: Box<[u8]>,
    /// The system call's name.
    pub(crate) operation: &'static str,
    /// The real path, in any bytes.
    pub(crate) path: Box<[u8]>,
    /// What was asked for.
    pub(crate) access: AccessSet,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// The arguments of an `execve`, with `log_commands`.
    pub(crate) arguments: Option<Vec<Box<[u8]>>>,
}

impl Event {
    pub(super) fn kind(&self) -> Kind {
        match (self.outcome, &self.arguments) {
            (Outcome::Denied { .. }, _) => Kind::Denial,
            (Outcome::Allowed { .. }, Some(_)) => Kind::Command,
            (Outcome::Allowed { .. }, None) => Kind::Access,
        }
    }

    /// The bytes of memory that it takes in the queue, roughly.
    pub(super) fn cost(&self) -> usize {
        let arguments = self.arguments.iter().flatten();
        let arguments: usize = arguments.map(|argument| argument.len() + PER_ARGUMENT).sum();
        FLOOR + self.command.len() + self.path.len() + arguments
    }
}

/// Cuts arguments down to [`MAX_ARGUMENTS`], and tells how many bytes were left out: a command must not escape the
/// journal by being long.
pub(super) fn cut(arguments: &mut Vec<Box<[u8]>>) -> usize {
    let mut left = MAX_ARGUMENTS;
    let mut kept = 0;
    let mut omitted = 0;
    for argument in arguments.iter_mut() {
        let room = left.saturating_sub(PER_ARGUMENT);
        if room == 0 {
            omitted += argument.len();
            continue;
        }
        kept += 1;
        if argument.len() > room {
            omitted += argument.len() - room;
            *argument = Box::from(&argument[..room]);
        }
        left = room - argument.len();
    }
    arguments.truncate(kept);
    omitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_cut_and_what_is_left_out_is_told() {
        let mut arguments: Vec<Box<[u8]>> =
            vec![Box::from(&b"cat"[..]), vec![b'a'; 100_000].into(), Box::from(&b"last"[..])];
        let omitted = cut(&mut arguments);
        assert_eq!(arguments.len(), 2);
        assert_eq!(arguments[1].len() + omitted, 100_000 + 4);
        assert!(arguments[1].len() < MAX_ARGUMENTS);
        let mut many: Vec<Box<[u8]>> = vec![Box::from(&b""[..]); 100_000];
        cut(&mut many);
        assert_eq!(many.len(), MAX_ARGUMENTS / PER_ARGUMENT - 1);
        let mut few: Vec<Box<[u8]>> = vec![Box::from(&b"ls"[..])];
        assert_eq!(cut(&mut few), 0);
    }
}
