//! What programs read. Field names and their order are a promise.

use base64::Engine;
use clawguard_core::{Access, Decision, ResolvedPolicy, RuleId, escape};
use serde::Serialize;

/// A rule and where it was written.
#[derive(Debug, Serialize)]
pub(crate) struct Rule {
    effect: &'static str,
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern_base64: Option<String>,
    origin: String,
    line: Option<u32>,
}

impl Rule {
    pub(crate) fn new(policy: &ResolvedPolicy, id: RuleId) -> Rule {
        let rule = policy.rule(id);
        let (pattern, pattern_base64) = text(rule.pattern.text());
        Rule {
            effect: rule.effect.name(),
            pattern,
            pattern_base64,
            origin: rule.origin.name(),
            line: rule.origin.line(),
        }
    }
}

/// The verdict for one access.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    allowed: bool,
    rule: Option<Rule>,
}

/// What `check --json` says of a path.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    path: String,
    real_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    real_path_base64: Option<String>,
    r: Verdict,
    w: Verdict,
    x: Verdict,
}

impl Check {
    pub(crate) fn new(
        policy: &ResolvedPolicy,
        path: &[u8],
        real: &[u8],
        decision: &Decision,
    ) -> Check {
        let verdict = |access| {
            let verdict = decision.verdict(access);
            Verdict {
                allowed: verdict.is_allowed(),
                rule: verdict.rule().map(|id| Rule::new(policy, id)),
            }
        };
        let (path, path_base64) = text(path);
        let (real_path, real_path_base64) = text(real);
        Check {
            path,
            real_path,
            path_base64,
            real_path_base64,
            r: verdict(Access::Read),
            w: verdict(Access::Write),
            x: verdict(Access::Execute),
        }
    }
}

/// Bytes as text, and as base64 where they are not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (escape(bytes), Some(base64::engine::general_purpose::STANDARD.encode(bytes))),
    }
}
