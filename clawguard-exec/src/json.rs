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
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_process: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Other>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<Probe>,
}

/// What denies an access that the policy allows.
#[derive(Debug, Serialize)]
pub(crate) struct Other {
    access: String,
    who: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    text: String,
}

impl Other {
    pub(crate) fn new(access: Access, who: &'static str, path: &[u8], text: &str) -> Other {
        let (path, path_base64) = self::text(path);
        Other { access: access.to_string(), who, path, path_base64, text: text.to_owned() }
    }
}

/// What became of each access that was tried.
#[derive(Debug, Serialize)]
pub(crate) struct Probe {
    pub(crate) r: Tried,
    pub(crate) w: Tried,
    pub(crate) x: Tried,
}

/// What was tried, and how it compares with the law.
#[derive(Debug, Serialize)]
pub(crate) struct Tried {
    /// None if nothing was.
    pub(crate) tried: Option<&'static str>,
    /// 0 if it worked.
    pub(crate) errno: Option<i32>,
    pub(crate) result: &'static str,
    pub(crate) text: Option<String>,
}

impl Check {
    /// The same with what was found besides the law.
    pub(crate) fn with(
        self,
        outside_process: Option<u32>,
        others: Vec<Other>,
        probe: Option<Probe>,
    ) -> Check {
        Check { outside_process, others, probe, ..self }
    }

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
            outside_process: None,
            others: Vec::new(),
            probe: None,
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
