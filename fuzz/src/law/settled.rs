//! What the automaton claims of whole directories, against every path over a few names beneath them: that an access is
//! settled, that two directories decide alike (so that one may be renamed to the other), that a link leads no blocked
//! name astray.

use std::collections::BTreeSet;

use clawguard_core::{AbsPath, Access, fuzzing};

use super::case::Case;
use super::naive;

/// Names beneath, at most; paths of one and of two names are tried.
const NAMES: usize = 8;

/// Checks every directory of a case, and every two.
pub fn check(data: &[u8]) {
    let case = Case::read(data);
    let mut decider = case.decider();
    let suffixes = suffixes(&case);
    let decide = |path: &AbsPath, beneath: &[&[u8]], access| {
        let names: Vec<&[u8]> = path.components().chain(beneath.iter().copied()).collect();
        naive::decide(&case.naive, &names, access)
    };
    for path in &case.paths {
        for access in Access::ALL {
            if fuzzing::is_settled(&mut decider, path, access) {
                let own = decide(path, &[], access);
                for beneath in &suffixes {
                    assert_eq!(
                        own,
                        decide(path, beneath, access),
                        "{path} is settled: {access} {beneath:?}"
                    );
                }
            }
        }
    }
    let Some((one, others)) = case.paths.split_first() else { return };
    for other in others {
        if fuzzing::decides_alike(&mut decider, one, other) {
            for (beneath, access) in every(&suffixes) {
                let (here, there) = (decide(one, beneath, access), decide(other, beneath, access));
                assert_eq!(here, there, "{one} may become {other}: {access} {beneath:?}");
            }
        }
        if fuzzing::blocks_alike_beneath(&mut decider, one, other) {
            let blocked = |path: &AbsPath, beneath: &[&[u8]], access| {
                let names: Vec<&[u8]> = path.components().chain(beneath.iter().copied()).collect();
                naive::is_blocked_by_name(&case.naive, &names, access)
            };
            for (beneath, access) in every(&suffixes).filter(|(beneath, _)| !beneath.is_empty()) {
                let (here, there) =
                    (blocked(one, beneath, access), blocked(other, beneath, access));
                assert_eq!(here, there, "{one} blocks as {other}: {access} {beneath:?}");
            }
        }
    }
}

fn every<'a>(suffixes: &'a [Vec<&'a [u8]>]) -> impl Iterator<Item = (&'a [&'a [u8]], Access)> {
    suffixes.iter().flat_map(|beneath| Access::ALL.map(|access| (beneath.as_slice(), access)))
}

/// The paths beneath: of the names on the case's own paths, and of some that every policy has an opinion about.
fn suffixes(case: &Case) -> Vec<Vec<&[u8]>> {
    let own = case.paths.iter().flat_map(AbsPath::components);
    let few: [&[u8]; 4] = [b".env", b"zz", b".z", b"shim"];
    let names: BTreeSet<&[u8]> = few.into_iter().chain(own).take(2 * NAMES).collect();
    let names: Vec<&[u8]> = names.into_iter().take(NAMES).collect();
    let ones = names.iter().map(|name| vec![*name]);
    let twos = names.iter().flat_map(|one| names.iter().map(|other| vec![*one, *other]));
    std::iter::once(Vec::new()).chain(ones).chain(twos).collect()
}
