//! What stays closed while a command is learned although no line of the policy says so: well-known places of secrets,
//! and of what the next login runs.
//!
//! It never closes what the present policy allows: a command must not fail under learning that works without it.

#![forbid(unsafe_code)]

use clawguard_core::{Access, AccessSet, Host, Origin, Pattern, Place, Policy};

use crate::exit::Failure;
use crate::known;
use crate::propose::dotenvs;

/// Where these blocks come from, in messages.
const ORIGIN: Origin = Origin::BuiltIn { part: "secrets, while learning" };

/// The names of `.env` files, as the built-in default blocks them.
const DOTENV: [&str; 2] =
    ["**/.env", "**/.env.{local,development,production,staging,test}{,.local}"];

/// Blocks them for the accesses that `own` does not allow; returns how many are blocked.
pub(super) fn close(learning: &mut Policy, own: &Policy, host: &Host) -> Result<usize, Failure> {
    let mut named = own.clone().resolve(host)?.decider();
    let present = known::present(host);
    let mut closed = 0;
    let mut allowed_at = |path: &clawguard_core::AbsPath| -> AccessSet {
        let decision = named.decide(path);
        Access::ALL.into_iter().filter(|one| decision.verdict(*one).is_allowed()).collect()
    };
    for secret in known::secrets() {
        let Ok(pattern) = Pattern::parse(secret.pattern.as_bytes(), Place::File) else { continue };
        // A variable in it that is not set here.
        if host.existing(&pattern, 0).is_err() {
            continue;
        }
        let here = present.iter().filter(|one| one.secret.pattern == secret.pattern);
        let allowed = here
            .flat_map(|one| &one.paths)
            .fold(AccessSet::EMPTY, |all, path| all.union(allowed_at(path)));
        let access = secret.access.difference(allowed);
        if !access.is_empty() {
            learning.block(pattern, access, ORIGIN);
            closed += 1;
        }
    }
    let reads =
        |path: &clawguard_core::AbsPath| named.decide(path).verdict(Access::Read).is_allowed();
    if !dotenvs(host).iter().any(reads) {
        for text in DOTENV {
            learning.block(
                Pattern::parse(text.as_bytes(), Place::File)?,
                Access::Read.into(),
                ORIGIN,
            );
        }
    }
    Ok(closed)
}
