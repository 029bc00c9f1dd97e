//! Every decision is that of the naive reading.

use clawguard_core::Access;

use super::case::Case;
use super::naive;

/// Checks one policy and its paths.
pub fn check(data: &[u8]) {
    let case = Case::read(data);
    let mut decider = case.decider();
    for path in &case.paths {
        let names: Vec<&[u8]> = path.components().collect();
        let decision = decider.decide(path);
        for access in Access::ALL {
            let verdict = decision.verdict(access);
            assert_eq!(
                verdict.is_allowed(),
                naive::decide(&case.naive, &names, access),
                "{access} on {path}: the library says: {}",
                case.resolved.reason(verdict)
            );
            // What may not be read may not be executed, for the same reason.
            let speaks = |rule| {
                let of_rule = case.resolved.rule(rule).access;
                let is_of_reading = access == Access::Execute && !verdict.is_allowed();
                of_rule.contains(access) || is_of_reading && of_rule.contains(Access::Read)
            };
            assert!(verdict.rule().is_none_or(speaks), "a reason that does not speak of {access}");
        }
    }
}
